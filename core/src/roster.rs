//! Lists the hubs of a neighbourhood, signed by a root key that is kept offline.
//!
//! **Invariant:** a higher number replaces a lower one, never the reverse; who is not on the list
//! vouches for nobody.

use minicbor::{Decode, Encode};

use crate::{
    cbor::{self, Malformed},
    certificate::HubRole,
    key::{KeyId, PublicKey, SealingPublic, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest signed roster, in bytes.
pub const ROSTER_BYTES_MAX: usize = 64 * 1024;
/// The most hubs on a roster.
pub const ROSTER_HUBS_MAX: usize = 100;

/// A hub, as the root knows it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HubEntry {
    /// What it signs with: also its libp2p peer id.
    #[n(0)]
    pub key: PublicKey,
    /// What messages to it are sealed to.
    #[n(1)]
    pub sealing: SealingPublic,
    /// What it may do.
    #[n(2)]
    pub role: HubRole,
    /// Where its HTTP door is, if it has one.
    #[n(3)]
    pub url: Option<String>,
    /// Its libp2p addresses, as multiaddrs.
    #[n(4)]
    pub p2p: Vec<String>,
}

/// The list of hubs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Roster {
    /// Counts up with every change.
    #[n(0)]
    pub number: u64,
    /// When it was signed.
    #[n(1)]
    pub issued: UnixMs,
    /// The hubs.
    #[n(2)]
    pub hubs: Vec<HubEntry>,
}

impl Roster {
    /// Signs the list with the root key.
    pub fn sign(&self, root: &SigningKey) -> SignedRoster {
        let bytes = sign1::sign(root, Purpose::Roster, cbor::to_vec(self));
        SignedRoster { roster: self.clone(), root: root.id(), bytes }
    }

    /// The hub with this key.
    pub fn hub(&self, key: KeyId) -> Option<&HubEntry> {
        self.hubs.iter().find(|hub| hub.key.id() == key)
    }
}

/// A roster whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoster {
    roster: Roster,
    root: KeyId,
    bytes: Vec<u8>,
}

impl SignedRoster {
    /// Reads a roster and checks that `root` signed it.
    ///
    /// # Errors
    /// [`BadRoster`] when it is damaged, too long, or by another key.
    pub fn verify(bytes: &[u8], root: &PublicKey) -> Result<Self, BadRoster> {
        let read = Unverified::parse(WHAT, bytes, ROSTER_BYTES_MAX)?;
        let signed = read.verify(root, Purpose::Roster)?;
        let roster: Roster = cbor::from_slice(WHAT, signed.payload(), ROSTER_BYTES_MAX)?;
        if roster.hubs.len() > ROSTER_HUBS_MAX {
            return Err(BadRoster::TooMany { hubs: roster.hubs.len() });
        }
        Ok(Self { roster, root: signed.signer(), bytes: signed.bytes().to_vec() })
    }

    /// What it lists.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The root that signed.
    pub fn root(&self) -> KeyId {
        self.root
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a roster does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRoster {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is not by the root that is trusted here.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It lists more than anybody needs.
    #[error("the roster lists {hubs} hubs; at most {ROSTER_HUBS_MAX} are allowed")]
    TooMany {
        /// How many it lists.
        hubs: usize,
    },
}

const WHAT: &str = "a roster of hubs";
