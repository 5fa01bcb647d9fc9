//! Says which certificates of an issuer no longer count: one complete, signed, numbered list each.
//!
//! **Invariant:** an older number never replaces a newer one. A number is at least the known time
//! in milliseconds, so that an issuer restored from a backup does not fall behind its own lists.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use crate::{
    cbor::{self, Malformed},
    certificate::Serial,
    key::{KeyId, PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest signed list, in bytes.
pub const LIST_BYTES_MAX: usize = 96 * 1024;
/// The most certificates that one list revokes.
pub const REVOKED_MAX: usize = 5_000;

/// All the certificates of one issuer that no longer count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RevocationList {
    /// Grows with every list of this issuer.
    #[n(0)]
    pub number: u64,
    /// When it was signed, by the issuer's known time.
    #[n(1)]
    pub issued: UnixMs,
    /// The certificates' numbers.
    #[n(2)]
    pub revoked: BTreeSet<Serial>,
}

impl RevocationList {
    /// The list that follows `last_number`, with everything that is revoked at known time `now`.
    ///
    /// # Errors
    /// [`BadList::TooMany`] past [`REVOKED_MAX`]: expired certificates need not stay on the list.
    pub fn next(last_number: u64, now: UnixMs, revoked: BTreeSet<Serial>) -> Result<Self, BadList> {
        if revoked.len() > REVOKED_MAX {
            return Err(BadList::TooMany { revoked: revoked.len() });
        }
        let number = last_number.saturating_add(1).max(now.get());
        Ok(Self { number, issued: now, revoked })
    }

    /// Signs the list with the issuer's key.
    pub fn sign(&self, issuer: &SigningKey) -> SignedList {
        let bytes = sign1::sign(issuer, Purpose::Revocation, cbor::to_vec(self));
        SignedList { list: self.clone(), issuer: issuer.id(), bytes }
    }
}

/// A list whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList {
    list: RevocationList,
    issuer: KeyId,
    bytes: Vec<u8>,
}

impl SignedList {
    /// The issuer that a list names, not to be believed before [`SignedList::verify`].
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are no signed list.
    pub fn claimed_issuer(bytes: &[u8]) -> Result<KeyId, Malformed> {
        Ok(Unverified::parse(WHAT, bytes, LIST_BYTES_MAX)?.signer())
    }

    /// Reads a list and checks that `issuer` signed it.
    ///
    /// # Errors
    /// [`BadList`] when it is damaged, too long, or by another key.
    pub fn verify(bytes: &[u8], issuer: &PublicKey) -> Result<Self, BadList> {
        let read = Unverified::parse(WHAT, bytes, LIST_BYTES_MAX)?;
        let signed = read.verify(issuer, Purpose::Revocation)?;
        let list: RevocationList = cbor::from_slice(WHAT, signed.payload(), LIST_BYTES_MAX)?;
        if list.revoked.len() > REVOKED_MAX {
            return Err(BadList::TooMany { revoked: list.revoked.len() });
        }
        Ok(Self { list, issuer: signed.signer(), bytes: signed.bytes().to_vec() })
    }

    /// What it lists.
    pub fn list(&self) -> &RevocationList {
        &self.list
    }

    /// Who signed.
    pub fn issuer(&self) -> KeyId {
        self.issuer
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a list does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is not by the issuer it names.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// Its issuer is nobody whose lists matter here.
    #[error("the list of withdrawn certificates is by a key that is not known here, {issuer}")]
    Stranger {
        /// The key that it names.
        issuer: KeyId,
    },
    /// It is longer than it needs to be.
    #[error("the list withdraws {revoked} certificates; at most {REVOKED_MAX} are allowed")]
    TooMany {
        /// How many it withdraws.
        revoked: usize,
    },
}

const WHAT: &str = "a list of withdrawn certificates";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_an_issuer_restored_from_a_backup_does_not_fall_behind_its_own_lists() {
        let now = UnixMs::new(1_790_000_000_000);
        let before = RevocationList::next(0, now, BTreeSet::new()).expect("short");
        let restored = RevocationList::next(0, now.plus_ms(1), BTreeSet::new()).expect("short");
        assert!(restored.number > before.number);
    }

    #[test]
    fn two_lists_in_one_millisecond_have_two_numbers() {
        let now = UnixMs::new(1_790_000_000_000);
        let first = RevocationList::next(0, now, BTreeSet::new()).expect("short");
        let second = RevocationList::next(first.number, now, BTreeSet::new()).expect("short");
        assert_eq!(second.number, first.number + 1);
    }

    #[test]
    fn a_full_list_fits_and_one_more_is_refused() {
        let serial = |n: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Serial::from_slice(&bytes).expect("sixteen bytes")
        };
        let key = SigningKey::from_seed([1; 32]);
        let full: BTreeSet<Serial> = (0..REVOKED_MAX).map(serial).collect();
        let list = RevocationList::next(0, UnixMs::new(1), full.clone()).expect("full");
        assert!(SignedList::verify(list.sign(&key).bytes(), &key.public()).is_ok());
        let over = full.into_iter().chain([serial(REVOKED_MAX)]).collect();
        assert!(matches!(
            RevocationList::next(0, UnixMs::new(1), over),
            Err(BadList::TooMany { .. })
        ));
    }
}
