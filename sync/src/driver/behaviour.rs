//! The libp2p behaviours of a node, with limits in the places where libp2p has generous defaults.

use std::{num::NonZeroU32, time::Duration};

use libp2p::{
    StreamProtocol, Swarm, SwarmBuilder, connection_limits, identify,
    identity::Keypair,
    mdns, noise, peer_store, ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};

use super::{Config, Limits, RelayLimits, SpawnError};

/// How often a connection is tried, and how long an answer may take.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIME: Duration = Duration::from_secs(10);
/// How long a connection without streams is kept.
const IDLE_CONNECTION: Duration = Duration::from_secs(120);
/// How often the local network is asked again who is there.
const MDNS_EVERY: Duration = Duration::from_secs(20);
/// How often one peer, or one address, may ask a relay for a place or a circuit in a minute.
const A_MINUTE_PER_PEER: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
const A_MINUTE_PER_ADDRESS: NonZeroU32 = NonZeroU32::new(600).expect("600 is not 0");

type Store = peer_store::memory_store::MemoryStore;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub streams: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: Toggle<relay::Behaviour>,
    relay_client: relay::client::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    peers: peer_store::Behaviour<Store>,
}

/// A swarm that does nothing yet.
pub(super) fn swarm(config: &Config) -> Result<Swarm<Behaviour>, SpawnError> {
    let setup = |e: &dyn std::fmt::Display| SpawnError::Setup(e.to_string());
    let keypair = Keypair::ed25519_from_bytes(config.seed).map_err(|e| setup(&e))?;
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|e| setup(&e))?
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|e| setup(&e))?
        .with_behaviour(|key, relay_client| behaviour(config, key, relay_client))
        .map_err(|e| setup(&e))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(IDLE_CONNECTION))
        .build();
    Ok(swarm)
}

fn behaviour(config: &Config, key: &Keypair, relay_client: relay::client::Behaviour) -> Behaviour {
    let local = key.public().to_peer_id();
    let identify = identify::Config::new("/kirana/1".to_owned(), key.public())
        .with_agent_version(config.agent.clone());
    // Addresses of known peers outlive a failed dial: a hub that is down today is up tomorrow.
    let peers = peer_store::memory_store::Config::default().set_remove_addr_on_dial_error(false);
    let ping = ping::Config::new().with_interval(PING_EVERY).with_timeout(PING_TIME);
    Behaviour {
        limits: connection_limits::Behaviour::new(connections(&config.limits)),
        streams: libp2p_stream::Behaviour::new(),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping),
        relay: config
            .relay
            .as_ref()
            .map(|limits| relay::Behaviour::new(local, relaying(limits)))
            .into(),
        relay_client,
        mdns: config.mdns.then(|| local_network(local)).flatten().into(),
        peers: peer_store::Behaviour::new(Store::new(peers)),
    }
}

/// mDNS, unless the system refuses multicast: static addresses and QR codes go on working then.
fn local_network(local: libp2p::PeerId) -> Option<mdns::tokio::Behaviour> {
    let config = mdns::Config { query_interval: MDNS_EVERY, ..mdns::Config::default() };
    match mdns::tokio::Behaviour::new(config, local) {
        Ok(mdns) => Some(mdns),
        Err(error) => {
            tracing::warn!(%error, "this system allows no mDNS");
            None
        }
    }
}

fn connections(limits: &Limits) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.connections.div_ceil(4)))
        .with_max_established_incoming(Some(limits.connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
}

fn relaying(limits: &RelayLimits) -> relay::Config {
    let minute = Duration::from_secs(60);
    let config = relay::Config {
        max_reservations: limits.reservations,
        max_reservations_per_peer: 4,
        reservation_duration: Duration::from_secs(60 * 60),
        reservation_rate_limiters: Vec::new(),
        max_circuits: limits.circuits,
        max_circuits_per_peer: limits.circuits_per_peer,
        max_circuit_duration: limits.circuit_lifetime,
        max_circuit_bytes: limits.circuit_bytes,
        circuit_src_rate_limiters: Vec::new(),
    };
    config
        .reservation_rate_per_peer(A_MINUTE_PER_PEER, minute)
        .reservation_rate_per_ip(A_MINUTE_PER_ADDRESS, minute)
        .circuit_src_per_peer(A_MINUTE_PER_PEER, minute)
        .circuit_src_per_ip(A_MINUTE_PER_ADDRESS, minute)
}

/// The name of one of our protocols as libp2p wants it.
pub(super) const fn protocol(protocol: crate::wire::Protocol) -> StreamProtocol {
    StreamProtocol::new(protocol.name())
}
