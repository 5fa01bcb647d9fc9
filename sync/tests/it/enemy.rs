//! What a node makes of those who do not keep to the protocol.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use kirana_sync::{
    driver::{Config, Limits, Multiaddr, NodeHandle, RequestError, peer_id},
    wire::{Code, FRAME_BYTES_MAX, Response},
};
use libp2p::{
    PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, noise, swarm::SwarmEvent, tcp, yamux,
};

use crate::neighbours::{PATIENCE, asking, introduce, listening, loopback, ping, spawn};

/// A bare libp2p peer that opens a stream and writes what it likes.
async fn stranger(node: &NodeHandle) -> (Stream, tokio::task::JoinHandle<()>) {
    let mut swarm: Swarm<libp2p_stream::Behaviour> = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("tcp")
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .expect("streams")
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    let mut control = swarm.behaviour().new_control();
    let address: Multiaddr = node.addresses().remove(0);
    let peer: PeerId = peer_id(&node.key()).expect("a key");
    swarm.dial(address).expect("an address");
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
    let running = tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    let protocol = StreamProtocol::new("/kirana/mailbox/1");
    (control.open_stream(peer, protocol).await.expect("a stream"), running)
}

async fn read_response(stream: &mut Stream) -> Option<Response> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).await.ok()?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame).await.ok()?;
    Some(Response::read(&frame).expect("a response"))
}

async fn write_frame(stream: &mut Stream, claimed: usize, bytes: &[u8]) {
    let claimed = u32::try_from(claimed).expect("small");
    stream.write_all(&claimed.to_be_bytes()).await.expect("written");
    stream.write_all(bytes).await.expect("written");
    stream.flush().await.expect("written");
}

fn code(response: Option<Response>) -> Option<Code> {
    match response {
        Some(Response::Refused(refused)) => Some(refused.code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_past_the_limit_is_refused_unread_and_ends_the_stream() {
    let hub = listening(30).await;
    let (mut stream, running) = stranger(&hub).await;
    write_frame(&mut stream, FRAME_BYTES_MAX + 1, b"").await;
    assert_eq!(code(read_response(&mut stream).await), Some(Code::Malformed));
    assert_eq!(read_response(&mut stream).await, None);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_refused_and_ends_the_stream_and_others_are_served() {
    let (hub, device) = (listening(31).await, asking(32).await);
    let (mut stream, running) = stranger(&hub).await;
    write_frame(&mut stream, 18, b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(code(read_response(&mut stream).await), Some(Code::Malformed));
    assert_eq!(read_response(&mut stream).await, None);
    introduce(&device, &hub).await;
    let (request, response) = ping(1);
    assert_eq!(device.request(&hub.key(), request, PATIENCE).await, Ok(response));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_next_year_is_refused_and_the_stream_goes_on() {
    let hub = listening(33).await;
    let (mut stream, running) = stranger(&hub).await;
    let unknown = minicbor::to_vec((99u8, "from next year")).expect("memory");
    write_frame(&mut stream, unknown.len(), &unknown).await;
    assert_eq!(code(read_response(&mut stream).await), Some(Code::Unknown));
    let (request, response) = ping(1);
    let frame = request.to_frame();
    write_frame(&mut stream, frame.len(), &frame).await;
    assert_eq!(read_response(&mut stream).await, Some(response));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_on_the_stream_of_another_protocol_is_refused() {
    let hub = listening(34).await;
    let (mut stream, running) = stranger(&hub).await;
    let request = kirana_sync::wire::Request::Find { cells: vec![] };
    let frame = request.to_frame();
    write_frame(&mut stream, frame.len(), &frame).await;
    assert_eq!(code(read_response(&mut stream).await), Some(Code::Unknown));
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_starts_a_frame_and_dawdles_is_hung_up_on() {
    let limits = Limits { frame_time: std::time::Duration::from_millis(200), ..Limits::default() };
    let config = Config { limits, ..Config::new([35; 32]).listening_on(loopback()) };
    let hub = spawn(config).await;
    let (mut stream, running) = stranger(&hub).await;
    write_frame(&mut stream, 1000, b"slowly").await;
    assert_eq!(read_response(&mut stream).await, None);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_may_hold_only_so_many_streams() {
    let limits = Limits { streams_per_peer: 2, ..Limits::default() };
    let config = Config { limits, ..Config::new([36; 32]).listening_on(loopback()) };
    let (hub, greedy, modest) = (spawn(config).await, asking(37).await, asking(38).await);
    introduce(&greedy, &hub).await;
    introduce(&modest, &hub).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (greedy, key) = (greedy.clone(), hub.key());
        asked.spawn(async move {
            let never = kirana_sync::wire::Request::Find { cells: vec![] };
            greedy.request(&key, never, std::time::Duration::from_secs(3)).await
        });
    }
    let mut refused = 0;
    while let Some(done) = asked.join_next().await {
        let failed = done.expect("no panic").expect_err("nobody answers that");
        refused += usize::from(matches!(failed, RequestError::Broken(_)));
        let (request, response) = ping(1);
        assert_eq!(modest.request(&hub.key(), request, PATIENCE).await, Ok(response));
    }
    assert_eq!(refused, 4);
}
