//! Carries requests between programs over libp2p: TCP, Noise, yamux, relayed circuits, mDNS.
//!
//! A [`Node`] answers through a [`Handler`] and asks through its [`NodeHandle`]. Its identity is the
//! Ed25519 key of the device, so that a request's sender is the key that Noise proved.
//!
//! ```no_run
//! # use std::{sync::Arc, time::Duration};
//! # use kirana_core::key::PublicKey;
//! # use kirana_sync::{driver::{BoxFuture, Config, Handler, Node}, wire::{Code, Request, Response}};
//! struct Closed;
//! impl Handler for Closed {
//!     fn answer(&self, _: PublicKey, _: Request) -> BoxFuture<'_, Response> {
//!         Box::pin(async { Response::refused(Code::Unavailable, "come back tomorrow") })
//!     }
//! }
//! # async fn example(seed: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new(seed).listening_on("/ip4/127.0.0.1/tcp/0".parse()?);
//! let node = Node::spawn(config, Arc::new(Closed)).await?;
//! let hub = node.dial("/ip4/192.168.1.4/tcp/4001".parse()?, Duration::from_secs(5)).await?;
//! let request = Request::Hello { certificates: vec![], lists: vec![] };
//! let response = node.request(&hub, request, Duration::from_secs(10)).await?;
//! # Ok(()) }
//! ```
//!
//! libp2p reads clocks and draws randomness of its own, so that nothing here is simulated: the
//! machines of this crate are, and this driver is tested with real sockets.

use std::time::Duration;

use kirana_core::key::PublicKey;
use libp2p::{PeerId, TransportError};

use crate::wire::{NotAFrame, Request, Response};

pub use futures::future::BoxFuture;
pub use libp2p::Multiaddr;

mod behaviour;
mod carrier;
mod frame;
mod identity;
mod node;
mod pool;
mod server;

pub use carrier::{Call, Carrier, CarrierHandle, Courier, Peer};
pub use identity::{circuit, key_of, peer_id, public_key, with_peer};
pub use node::{Node, NodeHandle};

/// Answers what others ask.
pub trait Handler: Send + Sync + 'static {
    /// The response to a request of the holder of `peer`, which the transport proved.
    fn answer(&self, peer: PublicKey, request: Request) -> BoxFuture<'_, Response>;
}

/// What a relay server allows; libp2p's own limits cut a circuit after 128 KiB without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLimits {
    /// Peers that may be reached through this relay at a time.
    pub reservations: usize,
    /// Circuits at a time.
    pub circuits: usize,
    /// Circuits at a time from one peer.
    pub circuits_per_peer: usize,
    /// Bytes through one circuit, each way.
    pub circuit_bytes: u64,
    /// How long one circuit lives.
    pub circuit_lifetime: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            reservations: 1024,
            circuits: 512,
            circuits_per_peer: 16,
            circuit_bytes: 256 * 1024 * 1024,
            circuit_lifetime: Duration::from_secs(60 * 60),
        }
    }
}

/// How much strangers may take of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections from others.
    pub connections: u32,
    /// Connections with one peer, both ways.
    pub connections_per_peer: u32,
    /// Streams that are being answered, of all peers together.
    pub streams: usize,
    /// Streams that are being answered, of one peer.
    pub streams_per_peer: usize,
    /// How long a frame may take to arrive once it has begun.
    pub frame_time: Duration,
    /// How long a stream may stay without a request.
    pub idle_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            connections_per_peer: 8,
            streams: 1_024,
            streams_per_peer: 64,
            frame_time: Duration::from_secs(15),
            idle_time: Duration::from_secs(60),
        }
    }
}

/// How a node is set up.
#[derive(Clone)]
pub struct Config {
    /// The seed of the device's signing key.
    pub seed: [u8; 32],
    /// Where it listens; a household that only asks listens nowhere.
    pub listen: Vec<Multiaddr>,
    /// Whether it relays for others, and how much.
    pub relay: Option<RelayLimits>,
    /// Whether it looks for others on the local network and, where it listens, is found there.
    pub mdns: bool,
    /// What it calls itself, such as `kirana-hub/0.1.0`.
    pub agent: String,
    /// How much strangers may take.
    pub limits: Limits,
}

impl Config {
    /// A node that listens nowhere, relays nothing and looks for nobody.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            listen: Vec::new(),
            relay: None,
            mdns: false,
            agent: concat!("kirana/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
        }
    }

    /// The same, listening on one more address.
    #[must_use]
    pub fn listening_on(mut self, address: Multiaddr) -> Self {
        self.listen.push(address);
        self
    }

    /// The same, relaying for others.
    #[must_use]
    pub fn relaying(mut self, limits: RelayLimits) -> Self {
        self.relay = Some(limits);
        self
    }

    /// The same, with mDNS.
    #[must_use]
    pub fn with_mdns(mut self) -> Self {
        self.mdns = true;
        self
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("relay", &self.relay)
            .field("mdns", &self.mdns)
            .finish_non_exhaustive()
    }
}

/// What a node notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It can be reached here.
    Listening(Multiaddr),
    /// Somebody announced itself on the local network.
    Found {
        /// Who, as far as it says.
        peer: PublicKey,
        /// Where.
        address: Multiaddr,
    },
    /// The first connection with a peer is there.
    Connected {
        /// Who, as the transport proved.
        peer: PublicKey,
        /// Where.
        address: Multiaddr,
    },
    /// The last connection with a peer is gone.
    Disconnected {
        /// Who.
        peer: PublicKey,
    },
    /// A relay keeps a place for this node.
    Reserved {
        /// Which relay.
        relay: PublicKey,
    },
    /// A relay no longer keeps a place for this node: reserve again.
    Unreserved {
        /// Which relay.
        relay: PublicKey,
    },
}

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The address is taken, or not one of this machine's.
    #[error("cannot listen on {address}: {source}; choose another address or stop what uses it")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system says.
        source: TransportError<std::io::Error>,
    },
    /// The transport could not be set up.
    #[error("cannot set up the network: {0}")]
    Setup(String),
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No address of the peer is known.
    #[error("no address of {0} is known")]
    NoAddress(PeerId),
    /// The peer could not be reached at any of its addresses.
    #[error("the peer cannot be reached: {0}")]
    Unreachable(String),
    /// Somebody else answers at this address.
    #[error("another peer answers at this address: {0}")]
    WrongPeer(String),
    /// The peer does not speak this protocol.
    #[error("the peer does not speak {0}")]
    NotSpoken(&'static str),
    /// The connection broke before the answer was complete.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The answer is no frame, or one past a limit.
    #[error("the answer cannot be read: {0}")]
    NotAFrame(#[from] NotAFrame),
    /// The request itself is longer than a frame may be.
    #[error("the request is {0} bytes long, more than a frame may hold")]
    TooLong(usize),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// This node was shut down.
    #[error("this node was shut down")]
    Stopped,
}
