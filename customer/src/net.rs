//! The thin layer between the household and sockets: libp2p for shops and carriers, HTTP for
//! signing in.
//!
//! **Invariant:** nothing is decided here; what arrives goes to [`crate::app`], what leaves comes
//! from there.

use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Node, NodeHandle, RequestError, SpawnError},
    wire::{Code, Refused, Request, Response},
};

pub mod meet;
pub mod pictures;
pub mod round;
pub mod sign_in;

/// How long a connection is waited for, in milliseconds.
pub const DIAL_MS: u64 = 5_000;
/// How long an answer is waited for, in milliseconds.
pub const ANSWER_MS: u64 = 15_000;

/// A household answers nobody.
struct Closed;

impl Handler for Closed {
    fn answer(&self, _: kirana_core::key::PublicKey, _: Request) -> BoxFuture<'_, Response> {
        Box::pin(async { Response::refused(Code::Unavailable, "nobody is served here") })
    }
}

/// Starts this device's side of the network, which listens nowhere.
///
/// # Errors
/// [`NetError::Start`].
pub async fn start(keys: &kirana_core::key::KeyPair) -> Result<NodeHandle, NetError> {
    let config = Config::new(keys.signing.to_seed());
    Ok(Node::spawn(config, std::sync::Arc::new(Closed)).await?)
}

/// Why somebody was not reached, or said no.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The network cannot be set up on this machine.
    #[error(transparent)]
    Start(#[from] SpawnError),
    /// Nobody answers there.
    #[error("nobody answers at {address}: {why}")]
    Unreached {
        /// Where.
        address: String,
        /// Why.
        why: RequestError,
    },
    /// What answers there says no.
    #[error("{address} says no: {}", .refused.reason)]
    Refused {
        /// Where.
        address: String,
        /// The answer.
        refused: Refused,
    },
    /// What answers there is not what was looked for.
    #[error("{address} is not {wanted}")]
    NotThat {
        /// Where.
        address: String,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The text is no address.
    #[error("«{0}» is neither an address (/ip4/…), nor a page (http://…), nor a shop's id")]
    NotAnAddress(String),
    /// No way to look something up.
    #[error("nobody in reach knows this shop; ask the shop for its address")]
    Unknown,
    /// A page does not answer, or not as it should.
    #[error("{url} does not answer as it should: {why}")]
    Page {
        /// Which.
        url: String,
        /// Why.
        why: String,
    },
    /// The page says no.
    #[error("{detail}")]
    Denied {
        /// What it says.
        detail: String,
    },
}

impl NetError {
    /// The last part of the problem's type.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "network",
            Self::Unreached { .. } | Self::Page { .. } => "unreachable",
            Self::Refused { .. } | Self::Denied { .. } => "refused",
            Self::NotThat { .. } => "somebody-else",
            Self::NotAnAddress(_) => "usage",
            Self::Unknown => "unknown-shop",
        }
    }
}
