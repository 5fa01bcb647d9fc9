//! Mail as relays see it: for whom, from which certified device, how big, and until when.
//!
//! **Invariant (P4):** nothing else about the content stands outside the seal.

use minicbor::{Decode, Encode};

use crate::{hash::Hash, id::ShopId, key::KeyId, time::UnixMs};

/// The longest sealed envelope, in bytes.
pub const SEALED_BYTES_MAX: usize = 128 * 1024;

/// Where mail is kept for its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(flat)]
pub enum Address {
    /// A shop, whatever box it runs on today.
    #[n(0)]
    Shop(#[n(0)] ShopId),
    /// One device of a household, by its signing key.
    #[n(1)]
    Device(#[n(0)] KeyId),
}

/// One sealed envelope with what a relay needs to carry it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Mail {
    /// For whom.
    #[n(0)]
    pub to: Address,
    /// When a relay may throw it away.
    #[n(1)]
    pub until: UnixMs,
    /// COSE_Encrypt0: see [`crate::envelope`].
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// The sender's signature over recipient, hash and deadline: see [`crate::stamp`].
    #[cbor(n(3), with = "minicbor::bytes")]
    pub stamp: Vec<u8>,
    /// The sender's certificates, leaf first, each a CWT.
    #[n(4)]
    pub certificates: Vec<minicbor::bytes::ByteVec>,
}

impl Mail {
    /// The name of this piece of mail: the digest of what is sealed.
    pub fn id(&self) -> Hash {
        Hash::of(&self.sealed)
    }
}
