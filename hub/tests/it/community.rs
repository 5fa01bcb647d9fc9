//! A community hub gets what it needs from the central hub by itself, and goes on without it.

use std::sync::Arc;

use kirana_core::key::KeyPair;
use kirana_sync::{
    driver::{Config, Multiaddr, Node, key_of},
    wire::{Request, Response},
};
use minicbor::bytes::ByteVec;

use crate::{
    console::database,
    program::{PASSWORD, Running, program, send},
    street::{Nothing, PATIENCE},
};

/// What a hub answers to somebody who greets: its certificates and its roster.
async fn welcome(hub: &Running) -> (Vec<ByteVec>, Option<ByteVec>) {
    let config = Config::new(KeyPair::from_seed([3; 64]).signing.to_seed());
    let node = Node::spawn(config, Arc::new(Nothing)).await.expect("it starts");
    let address: Multiaddr = hub.p2p.parse().expect("a multiaddr");
    let key = key_of(&address).expect("it names the hub");
    node.know(&key, vec![address]).await.expect("it runs");
    let hello = Request::Hello { certificates: vec![], lists: vec![] };
    let answer = node.request(&key, hello, PATIENCE).await.expect("answered");
    node.shutdown().await;
    match answer {
        Response::Welcome { certificates, roster, .. } => (certificates, roster),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_community_hub_is_certified_by_itself_and_starts_again_without_the_central_one() {
    let central = Running::start(&["--auto-approve"]);
    let url = central.url.clone();
    let line = ["--role", "community", "--trust-roster", &url];
    let hub = Running::start(&line);
    let (certificates, roster) = welcome(&hub).await;
    assert_eq!(certificates.len(), 1);
    assert!(roster.is_some());
    let (_, hubs) = send(central.get("/v1/hubs")).await;
    assert_eq!(hubs["community"].as_array().map(Vec::len), Some(1));
    central.stop();
    let hub = Running::start_in(hub.stop(), &line);
    assert_eq!(welcome(&hub).await, (certificates, roster));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_community_hub_asks_again_until_it_is_certified() {
    let central = Running::start(&[]);
    let url = central.url.clone();
    let hub = Running::start(&["--role", "community", "--trust-roster", &url]);
    assert_eq!(welcome(&hub).await.0, Vec::<ByteVec>::new());
    let at = url.trim_start_matches("http://").to_owned();
    let _central = Running::start_in(central.stop(), &["--auto-approve", "--http", &at]);
    let certified = async { while welcome(&hub).await.0.is_empty() {} };
    tokio::time::timeout(PATIENCE, certified).await.expect("it is certified");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_finds_a_community_hub_in_its_role() {
    let central = Running::start(&[]);
    let url = central.url.clone();
    let hub = Running::start(&["--role", "community", "--trust-roster", &url]);
    for command in ["keys rotate --json", "admin add --json --email root@example.org"] {
        let mut tried = program(hub.data.path(), command);
        let refused = tried.env("KIRANA_PASSWORD", PASSWORD).output().expect("it runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("community hub"), "{command}: {said}");
    }
    let shown = program(hub.data.path(), "clock show --json").output().expect("it runs");
    assert!(shown.status.success(), "what any hub has works");
    let keys =
        database(&hub).query_row("SELECT count(*) FROM token_key", [], |row| row.get::<_, i64>(0));
    assert_eq!(keys.expect("it is read"), 0, "it never drew a key for tokens");
}
