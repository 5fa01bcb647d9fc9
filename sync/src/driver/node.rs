//! The node: one task owns the swarm, and handles tell it what to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kirana_core::key::PublicKey;
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError, core::transport::ListenerId,
    multiaddr::Protocol as Part,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Config, Event, Handler, RequestError, SpawnError,
    behaviour::{self, Behaviour},
    identity::peer_of,
    peer_id,
    pool::{Failed, Pool},
    public_key,
    server::Server,
};
use crate::wire::{Protocol, Request, Response};

mod task;

use task::Task;

/// How many commands may wait for the swarm.
const COMMANDS: usize = 256;
/// How many events a slow listener may be behind before it loses some.
const EVENTS: usize = 1024;
/// How long the start waits for the system to name the addresses it listens on.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// How often a request is sent before its failure is believed.
const TRIES: u32 = 5;
/// The wait before the second try; it doubles with each.
const RETRY: Duration = Duration::from_millis(15);

type Reply<T> = oneshot::Sender<Result<T, RequestError>>;

enum Command {
    Know { peer: PeerId, addresses: Vec<Multiaddr> },
    Connect { peer: PeerId, reply: Reply<()> },
    Dial { address: Multiaddr, reply: Reply<PeerId> },
    Reserve { relay: Multiaddr, reply: Reply<Multiaddr> },
    Disconnect { peer: PeerId },
}

/// A libp2p node.
pub struct Node;

/// Tells a node what to do; when the last clone is dropped, the node stops.
#[derive(Clone)]
pub struct NodeHandle {
    inner: Arc<Inner>,
}

struct Inner {
    key: PublicKey,
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<Event>,
    listening: Arc<Mutex<Listening>>,
    pool: Arc<Pool>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    /// [`SpawnError`] when an address is taken or the network cannot be set up.
    pub async fn spawn(
        config: Config,
        handler: Arc<dyn Handler>,
    ) -> Result<NodeHandle, SpawnError> {
        let mut swarm = behaviour::swarm(&config)?;
        let peer = *swarm.local_peer_id();
        let key = public_key(&peer)
            .ok_or_else(|| SpawnError::Setup("the seed gives no usable key".to_owned()))?;
        for address in &config.listen {
            let taken = |source| SpawnError::Listen { address: address.clone(), source };
            is_free(address).map_err(|error| taken(TransportError::Other(error)))?;
            swarm.listen_on(address.clone()).map_err(taken)?;
        }
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (events, _) = broadcast::channel(EVENTS);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let listening = Arc::new(Mutex::new(Listening::default()));
        let pool = Arc::new(Pool::new(swarm.behaviour().streams.new_control()));
        accept(&config, &swarm, handler, &stop, &tasks)?;
        let task = Task {
            swarm,
            is_relay: config.relay.is_some(),
            events: events.clone(),
            listening: listening.clone(),
            pool: pool.clone(),
            known: BTreeMap::new(),
            connecting: BTreeMap::new(),
            dialling: BTreeMap::new(),
            circuits: Vec::new(),
        };
        let mut started = events.subscribe();
        tasks.spawn(task.run(inbox, stop.clone()));
        let inner = Inner { key, peer, commands, events, listening, pool, stop, tasks };
        let node = NodeHandle { inner: Arc::new(inner) };
        node.wait_until_listening(config.listen.len(), &mut started).await?;
        Ok(node)
    }
}

/// Whether nobody listens there yet: libp2p shares a port with whoever shares it too, and half of
/// the connections would go to another program unseen.
fn is_free(address: &Multiaddr) -> std::io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Part::Ip4(ip)) => std::net::IpAddr::from(ip),
        Some(Part::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match parts.next() {
        Some(Part::Tcp(port)) if port > 0 => std::net::TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}

/// Takes in streams of all protocols.
fn accept(
    config: &Config,
    swarm: &Swarm<Behaviour>,
    handler: Arc<dyn Handler>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), SpawnError> {
    let server = Arc::new(Server {
        handler,
        limits: config.limits.clone(),
        open: Mutex::new(BTreeMap::new()),
        stop: stop.clone(),
        tasks: tasks.clone(),
    });
    let mut control = swarm.behaviour().streams.new_control();
    for protocol in Protocol::ALL {
        let incoming = control.accept(behaviour::protocol(protocol));
        let incoming = incoming.map_err(|e| SpawnError::Setup(e.to_string()))?;
        tasks.spawn(server.clone().accept(protocol, incoming));
    }
    Ok(())
}

impl NodeHandle {
    /// The key that others see.
    pub fn key(&self) -> PublicKey {
        self.inner.key
    }

    /// Where it can be reached, each with its own name at the end: for the ready line and for QR
    /// codes.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let listening = self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.inner.peer;
        let named = listening.addresses.iter().map(|address| match peer_of(address) {
            Some(_) => address.clone(),
            None => address.clone().with(Part::P2p(own)),
        });
        named.collect()
    }

    /// What the node notices from now on; a listener that is slow loses the oldest events.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// Remembers where a peer can be reached, for good: a hub that is down stays known.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub async fn know(
        &self,
        peer: &PublicKey,
        addresses: Vec<Multiaddr>,
    ) -> Result<(), RequestError> {
        let peer = named(peer)?;
        self.command(Command::Know { peer, addresses }).await
    }

    /// Connects to whoever answers at an address, and says who that is.
    ///
    /// # Errors
    /// [`RequestError`]; `WrongPeer` when the address ends in a name and another answers.
    pub async fn dial(
        &self,
        address: Multiaddr,
        within: Duration,
    ) -> Result<PublicKey, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Dial { address, reply }).await?;
        let peer = self.answer(within, answer).await?;
        public_key(&peer).ok_or_else(|| RequestError::WrongPeer("its key is no Ed25519".to_owned()))
    }

    /// Connects to a peer at the addresses that are known of it, unless it is connected already.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn connect(&self, peer: &PublicKey, within: Duration) -> Result<(), RequestError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Connect { peer: named(peer)?, reply }).await?;
        self.answer(within, answer).await
    }

    /// Closes all connections with a peer.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub async fn disconnect(&self, peer: &PublicKey) -> Result<(), RequestError> {
        self.command(Command::Disconnect { peer: named(peer)? }).await
    }

    /// Asks a peer, connecting to it first where needed, and waits for the answer.
    ///
    /// The request may reach the peer more than once.
    ///
    /// # Errors
    /// [`RequestError`]: what the peer did with the request is then unknown, unless it was not
    /// reached at all.
    pub async fn request(
        &self,
        peer: &PublicKey,
        request: Request,
        within: Duration,
    ) -> Result<Response, RequestError> {
        tokio::select! {
            answer = timeout(within, self.ask(peer, &request, within)) => answer.unwrap_or(Err(RequestError::TimedOut)),
            () = self.inner.stop.cancelled() => Err(RequestError::Stopped),
        }
    }

    async fn ask(
        &self,
        peer: &PublicKey,
        request: &Request,
        within: Duration,
    ) -> Result<Response, RequestError> {
        let name = named(peer)?;
        let (mut wait, mut last) = (RETRY, None);
        for _ in 0..TRIES {
            if let Err(error) = self.connect(peer, within).await {
                // Where it was sent before, that it broke says more than that nobody is there now.
                return Err(last.unwrap_or(error));
            }
            match self.inner.pool.exchange(name, request).await {
                Ok(response) => return Ok(response),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Unanswered(error)) => last = Some(error),
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Err(last.unwrap_or(RequestError::TimedOut))
    }

    /// Asks a relay to keep a place for this node, and gives the address that others reach it by.
    ///
    /// # Errors
    /// [`RequestError`] when the relay cannot be reached or refuses.
    pub async fn reserve(
        &self,
        relay: Multiaddr,
        within: Duration,
    ) -> Result<Multiaddr, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Reserve { relay, reply }).await?;
        self.answer(within, answer).await
    }

    /// Stops the node: requests under way fail, streams are closed.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn command(&self, command: Command) -> Result<(), RequestError> {
        self.inner.commands.send(command).await.map_err(|_| RequestError::Stopped)
    }

    async fn answer<T>(
        &self,
        within: Duration,
        answer: oneshot::Receiver<Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        match timeout(within, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError::Stopped),
            Err(_) => Err(RequestError::TimedOut),
        }
    }

    async fn wait_until_listening(
        &self,
        listeners: usize,
        started: &mut broadcast::Receiver<Event>,
    ) -> Result<(), SpawnError> {
        let all = async {
            while self.listeners() < listeners {
                if let Err(broadcast::error::RecvError::Closed) = started.recv().await {
                    return;
                }
            }
        };
        let late = || SpawnError::Setup("the system does not say where it listens".to_owned());
        timeout(LISTEN_TIME, all).await.map_err(|_| late())
    }

    fn listeners(&self) -> usize {
        let listening = self.inner.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.listeners.len()
    }
}

fn named(key: &PublicKey) -> Result<PeerId, RequestError> {
    peer_id(key).ok_or_else(|| RequestError::Unreachable("this key names no peer".to_owned()))
}

/// Where a node can be reached.
#[derive(Default)]
struct Listening {
    addresses: BTreeSet<Multiaddr>,
    /// The listeners that named an address.
    listeners: Vec<ListenerId>,
}
