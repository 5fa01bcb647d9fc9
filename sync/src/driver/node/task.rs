//! The task that owns the swarm: does what handles ask and tells what the swarm notices.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    mdns,
    multiaddr::Protocol as Part,
    ping,
    swarm::{ConnectionId, DialError, SwarmEvent, dial_opts::DialOpts},
};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Command, Listening, Reply};
use crate::driver::{
    Event, RequestError,
    behaviour::{Behaviour, BehaviourEvent},
    identity::peer_of,
    pool::Pool,
    public_key,
};

/// A place at a relay, asked for or kept.
pub(super) struct Circuit {
    listener: ListenerId,
    relay: PeerId,
    address: Multiaddr,
    /// Who waits to hear that it is kept.
    reply: Option<Reply<Multiaddr>>,
}

/// Who waits for a connection with a peer.
#[derive(Default)]
pub(super) struct Connecting {
    /// Our own dial; `None` while another part of libp2p dials, perhaps with fewer addresses.
    dial: Option<ConnectionId>,
    replies: Vec<Reply<()>>,
}

pub(super) struct Task {
    pub swarm: Swarm<Behaviour>,
    pub is_relay: bool,
    pub events: broadcast::Sender<Event>,
    pub listening: Arc<Mutex<Listening>>,
    pub pool: Arc<Pool>,
    /// Where peers are, as the caller said: kept whatever becomes of a dial.
    pub known: BTreeMap<PeerId, BTreeSet<Multiaddr>>,
    pub connecting: BTreeMap<PeerId, Connecting>,
    pub dialling: BTreeMap<ConnectionId, Reply<PeerId>>,
    pub circuits: Vec<Circuit>,
}

impl Task {
    /// Runs until the node is stopped.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = self.swarm.select_next_some() => self.swarm_event(event),
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Know { peer, addresses } => {
                self.known.entry(peer).or_default().extend(addresses);
            }
            Command::Connect { peer, reply } => self.connect(peer, reply),
            Command::Dial { address, reply } => self.dial(address, reply),
            Command::Reserve { relay, reply } => self.reserve(relay, reply),
            Command::Disconnect { peer } => {
                // Nothing to close is as good as closed.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    fn connect(&mut self, peer: PeerId, reply: Reply<()>) {
        if self.swarm.is_connected(&peer) {
            let _ = reply.send(Ok(()));
            return;
        }
        self.connecting.entry(peer).or_default().replies.push(reply);
        self.dial_known(peer);
    }

    /// Dials a peer that somebody waits for, unless a dial is under way.
    fn dial_known(&mut self, peer: PeerId) {
        let addresses = self.known.get(&peer).into_iter().flatten().cloned().collect();
        let dial = DialOpts::peer_id(peer).addresses(addresses);
        let dial = dial.extend_addresses_through_behaviour().build();
        let connection = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => {
                if let Some(waiting) = self.connecting.get_mut(&peer) {
                    waiting.dial = Some(connection);
                }
            }
            // A dial that is under way already will answer this one too.
            Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(error) => self.give_up(peer, &error),
        }
    }

    fn give_up(&mut self, peer: PeerId, error: &DialError) {
        for reply in self.connecting.remove(&peer).unwrap_or_default().replies {
            let _ = reply.send(Err(unreachable(Some(peer), error)));
        }
    }

    fn dial(&mut self, address: Multiaddr, reply: Reply<PeerId>) {
        let named = peer_of(&address);
        if let Some(peer) = named.filter(|peer| self.swarm.is_connected(peer)) {
            let _ = reply.send(Ok(peer));
            return;
        }
        let dial: DialOpts = address.into();
        let connection = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => {
                self.dialling.insert(connection, reply);
            }
            Err(error) => {
                let _ = reply.send(Err(unreachable(named, &error)));
            }
        }
    }

    fn reserve(&mut self, relay: Multiaddr, reply: Reply<Multiaddr>) {
        let Some(peer) = peer_of(&relay) else {
            let reason = "the address of a relay ends in the relay's name".to_owned();
            let _ = reply.send(Err(RequestError::Unreachable(reason)));
            return;
        };
        let local = *self.swarm.local_peer_id();
        let place = relay.clone().with(Part::P2pCircuit);
        match self.swarm.listen_on(place.clone()) {
            Ok(listener) => {
                let address = place.with(Part::P2p(local));
                self.circuits.push(Circuit { listener, relay: peer, address, reply: Some(reply) });
            }
            Err(error) => {
                let _ = reply.send(Err(RequestError::Unreachable(error.to_string())));
            }
        }
    }

    fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.behaviour_event(event),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listens(listener_id, address);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.unlisten(&address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                addresses.iter().for_each(|address| self.unlisten(address));
                let why = reason.err().map_or_else(|| "it closed".to_owned(), |e| e.to_string());
                self.circuit_closed(listener_id, &why);
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                let address = endpoint.get_remote_address().clone();
                self.connected(peer_id, connection_id, address, num_established.get() == 1);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.pool.forget(&peer_id);
                if let Some(peer) = public_key(&peer_id) {
                    self.tell(Event::Disconnected { peer });
                }
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.not_connected(connection_id, peer_id, &error);
            }
            _ => {}
        }
    }

    fn behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            // libp2p's ping says that a peer is silent and leaves the connection open.
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => {
                // One who does not know ping is not silent for that.
                let silent = result.err().filter(|e| !matches!(e, ping::Failure::Unsupported));
                if let Some(failure) = silent {
                    tracing::debug!(%peer, %failure, "closing a silent connection");
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.swarm.add_peer_address(peer, address.clone());
                    if let Some(peer) = public_key(&peer) {
                        self.tell(Event::Found { peer, address });
                    }
                }
            }
            _ => {}
        }
    }

    fn listens(&mut self, listener: ListenerId, address: Multiaddr) {
        {
            let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
            listening.addresses.insert(address.clone());
            if !listening.listeners.contains(&listener) {
                listening.listeners.push(listener);
            }
        }
        let circuit = self.circuits.iter_mut().find(|circuit| circuit.listener == listener);
        match circuit {
            Some(circuit) => {
                if let Some(reply) = circuit.reply.take() {
                    let _ = reply.send(Ok(circuit.address.clone()));
                }
                if let Some(relay) = public_key(&circuit.relay) {
                    self.tell(Event::Reserved { relay });
                }
            }
            // A relay names its own addresses to those it keeps a place for; nobody else tells
            // it that it can be reached there.
            None if self.is_relay => self.swarm.add_external_address(address.clone()),
            None => {}
        }
        self.tell(Event::Listening(address));
    }

    fn unlisten(&mut self, address: &Multiaddr) {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        listening.addresses.remove(address);
    }

    fn circuit_closed(&mut self, listener: ListenerId, why: &str) {
        let Some(place) = self.circuits.iter().position(|circuit| circuit.listener == listener)
        else {
            return;
        };
        let circuit = self.circuits.swap_remove(place);
        match circuit.reply {
            Some(reply) => {
                let reason = format!("the relay keeps no place: {why}");
                let _ = reply.send(Err(RequestError::Unreachable(reason)));
            }
            None => {
                if let Some(relay) = public_key(&circuit.relay) {
                    self.tell(Event::Unreserved { relay });
                }
            }
        }
    }

    fn connected(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        address: Multiaddr,
        is_first: bool,
    ) {
        for reply in self.connecting.remove(&peer).unwrap_or_default().replies {
            let _ = reply.send(Ok(()));
        }
        if let Some(reply) = self.dialling.remove(&connection) {
            let _ = reply.send(Ok(peer));
        }
        if let (true, Some(peer)) = (is_first, public_key(&peer)) {
            self.tell(Event::Connected { peer, address });
        }
    }

    fn not_connected(&mut self, dial: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        tracing::debug!(?peer, %error, "not connected");
        if let Some(reply) = self.dialling.remove(&dial) {
            let _ = reply.send(Err(unreachable(peer, error)));
        }
        let Some(peer) = peer.filter(|peer| !self.swarm.is_connected(peer)) else { return };
        match self.connecting.get(&peer).map(|waiting| waiting.dial) {
            Some(Some(own)) if own == dial => self.give_up(peer, error),
            // Somebody else's dial failed, and ours waited for it: now it is our turn.
            Some(None) => self.dial_known(peer),
            _ => {}
        }
    }

    /// Nobody need listen.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

fn unreachable(peer: Option<PeerId>, error: &DialError) -> RequestError {
    match (error, peer) {
        (DialError::NoAddresses, Some(peer)) => RequestError::NoAddress(peer),
        (DialError::WrongPeerId { obtained, .. }, _) => {
            RequestError::WrongPeer(obtained.to_string())
        }
        (DialError::Transport(tried), _) => {
            let tried = tried.iter().map(|(address, error)| format!("{address}: {error}"));
            RequestError::Unreachable(tried.collect::<Vec<_>>().join("; "))
        }
        _ => RequestError::Unreachable(error.to_string()),
    }
}
