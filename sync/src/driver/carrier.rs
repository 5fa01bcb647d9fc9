//! Joins a program's courier to its node: keeps peers connected, carries requests, gives answers.
//!
//! The courier is the same in a program and in the simulation; only who carries differs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kirana_core::key::{KeyId, PublicKey};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};

use super::{Event, Multiaddr, NodeHandle, RequestError};
use crate::{
    client::Input,
    peer::Role,
    wire::{Request, Response},
};

/// How long a request is carried before the courier is told that it failed.
const REQUEST_TIME: Duration = Duration::from_secs(20);
/// How long one attempt to connect may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// The wait before a peer that was not reached is tried again; it doubles with each failure.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest such wait.
const AGAIN_MAX: Duration = Duration::from_secs(15);
/// How long nothing need happen at all before the courier is asked again.
const DOZE: Duration = Duration::from_secs(60);
/// How many things from outside may wait.
const WAITING: usize = 256;

/// One request to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name in the answer.
    pub id: u64,
    /// To whom.
    pub peer: KeyId,
    /// What.
    pub request: Request,
}

/// Decides what to send, and acts on what comes: a program's side of [`crate::client::Client`].
pub trait Courier: Send + 'static {
    /// Takes one input, does what follows from it (this may block), and says what to send.
    fn handle(&mut self, input: Input) -> Vec<Call>;

    /// How long until [`Input::Tick`] is due, if nothing else happens before.
    fn wakes_in(&self) -> Option<Duration>;
}

/// A peer to be kept connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub key: PublicKey,
    /// What it is to us.
    pub role: Role,
    /// Where it is; may be empty for one that is looked for on the local network.
    pub addresses: Vec<Multiaddr>,
}

enum Order {
    Give(Input),
    Meet(Peer),
}

/// Tells a carrier from outside what happened.
#[derive(Clone)]
pub struct CarrierHandle(mpsc::Sender<Order>);

impl CarrierHandle {
    /// Gives the courier an input, such as something new to be sent.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when the carrier is gone.
    pub async fn give(&self, input: Input) -> Result<(), RequestError> {
        self.0.send(Order::Give(input)).await.map_err(|_| RequestError::Stopped)
    }

    /// Keeps one more peer connected, or learns where a known one is.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when the carrier is gone.
    pub async fn meet(&self, peer: Peer) -> Result<(), RequestError> {
        self.0.send(Order::Meet(peer)).await.map_err(|_| RequestError::Stopped)
    }
}

struct Known {
    key: PublicKey,
    role: Role,
    is_up: bool,
    is_dialling: bool,
    failures: u32,
}

/// Carries for one courier.
pub struct Carrier<C> {
    node: NodeHandle,
    courier: Arc<Mutex<C>>,
    peers: BTreeMap<KeyId, Known>,
    events: broadcast::Receiver<Event>,
    asked: JoinSet<(u64, Result<Response, RequestError>)>,
    dialled: JoinSet<(KeyId, Result<(), RequestError>)>,
    outside: CarrierHandle,
    orders: mpsc::Receiver<Order>,
}

impl<C: Courier> Carrier<C> {
    /// A carrier that knows nobody yet.
    pub fn new(node: NodeHandle, courier: C) -> Self {
        let (sender, orders) = mpsc::channel(WAITING);
        Self {
            events: node.events(),
            node,
            courier: Arc::new(Mutex::new(courier)),
            peers: BTreeMap::new(),
            asked: JoinSet::new(),
            dialled: JoinSet::new(),
            outside: CarrierHandle(sender),
            orders,
        }
    }

    /// For whoever has something to tell while it runs.
    pub fn handle(&self) -> CarrierHandle {
        self.outside.clone()
    }

    /// The courier, to be looked at between inputs.
    pub fn courier(&self) -> MutexGuard<'_, C> {
        self.courier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a peer connected from now on, or learns where a known one is.
    pub async fn meet(&mut self, peer: Peer) {
        // A node that was shut down has nobody to know; the run will notice.
        let _ = self.node.know(&peer.key, peer.addresses).await;
        let (id, key, role) = (peer.key.id(), peer.key, peer.role);
        let fresh = Known { key, role, is_up: false, is_dialling: false, failures: 0 };
        let known = self.peers.entry(id).or_insert(fresh);
        (known.role, known.failures) = (role, 0);
        self.dial(id);
    }

    /// Runs until `is_done` says so of the courier, which is asked after each input. It may be
    /// dropped at any moment and run again.
    pub async fn run(&mut self, is_done: impl Fn(&C) -> bool) {
        self.give(Input::Tick).await;
        while !is_done(&self.courier()) {
            let nap = self.courier().wakes_in().unwrap_or(DOZE).min(DOZE);
            tokio::select! {
                event = self.events.recv() => self.event(event).await,
                Some(order) = self.orders.recv() => match order {
                    Order::Give(input) => self.give(input).await,
                    Order::Meet(peer) => self.meet(peer).await,
                },
                Some(Ok((id, answer))) = self.asked.join_next() => {
                    self.give(match answer {
                        Ok(response) => Input::Response { id, response },
                        Err(error) => {
                            tracing::debug!(%error, "a request found no answer");
                            Input::Failed { id }
                        }
                    }).await;
                }
                Some(Ok((peer, reached))) = self.dialled.join_next() => {
                    self.dialled(peer, reached).await;
                }
                () = tokio::time::sleep(nap) => self.give(Input::Tick).await,
            }
        }
    }

    /// Has the courier take an input off the threads that carry, since its store may block.
    async fn give(&mut self, input: Input) {
        let courier = self.courier.clone();
        let handled = tokio::task::spawn_blocking(move || {
            courier.lock().unwrap_or_else(PoisonError::into_inner).handle(input)
        });
        let Ok(calls) = handled.await else { return };
        for Call { id, peer, request } in calls {
            let (node, key) = (self.node.clone(), self.peers.get(&peer).map(|known| known.key));
            self.asked.spawn(async move {
                match key {
                    Some(key) => (id, node.request(&key, request, REQUEST_TIME).await),
                    None => (id, Err(RequestError::Unreachable("nobody knows it".to_owned()))),
                }
            });
        }
    }

    /// Tries to connect, after a wait that grows with the failures before.
    fn dial(&mut self, peer: KeyId) {
        let Some(known) = self.peers.get_mut(&peer).filter(|known| !known.is_dialling) else {
            return;
        };
        known.is_dialling = true;
        let wait = match known.failures {
            0 => Duration::ZERO,
            n => (AGAIN * 2u32.saturating_pow(n.min(8) - 1)).min(AGAIN_MAX),
        };
        let (node, key) = (self.node.clone(), known.key);
        self.dialled.spawn(async move {
            tokio::time::sleep(wait).await;
            (peer, node.connect(&key, CONNECT_TIME).await)
        });
    }

    async fn dialled(&mut self, peer: KeyId, reached: Result<(), RequestError>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.is_dialling = false;
        match reached {
            Ok(()) => {
                known.failures = 0;
                self.up(peer).await;
            }
            Err(RequestError::Stopped) => {}
            Err(error) => {
                tracing::debug!(%error, "a peer was not reached");
                known.failures = known.failures.saturating_add(1);
                self.dial(peer);
            }
        }
    }

    async fn up(&mut self, peer: KeyId) {
        let Some(known) = self.peers.get_mut(&peer).filter(|known| !known.is_up) else { return };
        known.is_up = true;
        let role = known.role;
        self.give(Input::Connected { peer, role }).await;
    }

    async fn event(&mut self, event: Result<Event, broadcast::error::RecvError>) {
        match event {
            Ok(Event::Connected { peer, .. }) => self.up(peer.id()).await,
            Ok(Event::Disconnected { peer }) => self.down(peer.id()).await,
            Ok(Event::Found { peer, .. }) => {
                let id = peer.id();
                let found = self.peers.get_mut(&id).filter(|known| !known.is_up);
                if found.map(|known| known.failures = 0).is_some() {
                    self.dial(id);
                }
            }
            Ok(_) => {}
            // Some events were missed: every peer is tried again, which is at once where it is up.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                let all: Vec<KeyId> = self.peers.keys().copied().collect();
                for peer in all {
                    self.down(peer).await;
                }
            }
            // The node is gone for good; what is left is to wait until the caller stops.
            Err(broadcast::error::RecvError::Closed) => tokio::time::sleep(DOZE).await,
        }
    }

    async fn down(&mut self, peer: KeyId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if std::mem::take(&mut known.is_up) {
            self.give(Input::Disconnected { peer }).await;
        }
        self.dial(peer);
    }
}
