//! Why a certificate does not count, in words for whoever stands at the counter.
//!
//! **Invariant:** each reason names the one link or rule that failed; none is a guess.

use super::CHAIN_MAX;
use crate::{
    cbor::Malformed, certificate::Serial, id::ShopId, key::KeyId, sign1::Forged, time::UnixMs,
};

/// Why a certificate does not count here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// There is none.
    #[error("no certificate was shown")]
    Empty,
    /// There are more than any chain needs.
    #[error("{links} certificates were shown; at most {CHAIN_MAX} are read")]
    TooLong {
        /// How many.
        links: usize,
    },
    /// One cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// One is not by the key it names.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// Its issuer is nobody whose word counts here.
    #[error("the certificate is by a key that is not known here, {issuer}")]
    UnknownIssuer {
        /// The key that it names.
        issuer: KeyId,
    },
    /// The device that countersigned it did not come along with its own certificate.
    #[error("the certificate of the device that countersigned this one, {issuer}, is missing")]
    NoCountersigner {
        /// The device.
        issuer: KeyId,
    },
    /// It is a guest's, made for another shop.
    #[error("this guest's certificate was made for another shop, {shop}")]
    GuestElsewhere {
        /// Which one.
        shop: ShopId,
    },
    /// It has expired, and the holder is not pinned or the policy does not honour it.
    #[error("the certificate ended at {expired}; it is {now} now")]
    Expired {
        /// When it ended.
        expired: UnixMs,
        /// The known time.
        now: UnixMs,
    },
    /// Its issuer has withdrawn it.
    #[error("certificate {serial} was withdrawn")]
    Revoked {
        /// Its number.
        serial: Serial,
    },
    /// The shop shows another owner than the one known here.
    #[error("shop {shop} shows another owner than the one known here; ask the shop in person")]
    OwnerChanged {
        /// Which shop.
        shop: ShopId,
    },
    /// The chain is not that of a shop's box.
    #[error("this is not a shop")]
    NotAShop,
}
