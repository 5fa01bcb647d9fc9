//! What a box says last when its shop moves to another one: where everything ended.
//!
//! **Invariant:** a copy of the shop counts as moved, and not as restored, only with these words of its own
//! box, and only where every end in the copy is the one that they name: then nothing was said after.

use minicbor::{Decode, Encode};

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::ShopId,
    key::{PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// For how long a copy may be opened as moved, in ms: a week. After that it is a backup like others, for
/// somebody may have opened it before and sold from it since.
pub const MOVE_MS_MAX: u64 = 7 * crate::time::DAY_MS;
/// How far the clock of the next box may be behind, in ms: an hour.
const SLOW_MS_MAX: u64 = 60 * 60 * 1000;
const BYTES_MAX: usize = 1024;
const WHAT: &str = "the last words of a box";

/// Where everything ended in a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ends {
    /// The hash of the last movement of stock.
    #[n(0)]
    pub ledger: Hash,
    /// Over all orders with the hash of the last entry of each.
    #[n(1)]
    pub orders: Hash,
    /// Over all credit books with the hash of the last entry of each.
    #[n(2)]
    pub khata: Hash,
    /// Over all documents of the catalogue with the number of the last chunk of each.
    #[n(3)]
    pub catalogue: Hash,
}

/// The last words of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Farewell {
    /// Whose box.
    #[n(0)]
    pub shop: ShopId,
    /// Which of its boxes.
    #[n(1)]
    pub generation: u64,
    /// When, by the known time.
    #[n(2)]
    pub at: UnixMs,
    /// Where everything ended.
    #[n(3)]
    pub ends: Ends,
}

impl Farewell {
    /// Signs them by the key of the box.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        sign1::sign(key, Purpose::Farewell, cbor::to_vec(self))
    }

    /// Reads them and checks that the box signed them.
    ///
    /// # Errors
    /// [`NoFarewell`].
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Self, NoFarewell> {
        let signed = Unverified::parse(WHAT, bytes, BYTES_MAX)?;
        let said = cbor::from_slice(WHAT, signed.payload(), BYTES_MAX)?;
        signed.verify(key, Purpose::Farewell)?;
        Ok(said)
    }

    /// Whether a copy of this box with these ends is still the shop, as it moved; `now` is what the clock of
    /// the next box says, which has to be near those of the last words.
    pub fn holds(&self, shop: ShopId, generation: u64, ends: &Ends, now: UnixMs) -> bool {
        let is_recent = now.since(self.at) <= MOVE_MS_MAX && self.at.since(now) <= SLOW_MS_MAX;
        (self.shop, self.generation, &self.ends) == (shop, generation, ends) && is_recent
    }
}

/// Why there are no last words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFarewell {
    /// They cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The box did not sign them.
    #[error(transparent)]
    Forged(#[from] Forged),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Farewell {
        let end = |n| Hash::of(&[n]);
        let ends = Ends { ledger: end(1), orders: end(2), khata: end(3), catalogue: end(4) };
        let (shop, at) = (ShopId::new(UnixMs::new(1), [1; 10]), UnixMs::new(1_000_000_000));
        Farewell { shop, generation: 3, at, ends }
    }

    #[test]
    fn a_copy_is_the_shop_that_moved_while_nothing_was_said_after_and_for_a_week() {
        let said = words();
        let key = SigningKey::from_seed([1; 32]);
        let read = Farewell::verify(&said.sign(&key), &key.public()).expect("its own words");
        assert_eq!(read, said);
        let holds = |said: &Farewell, ends: &Ends, now| said.holds(said.shop, 3, ends, now);
        assert!(holds(&said, &said.ends, said.at.plus_ms(MOVE_MS_MAX)));
        assert!(!holds(&said, &said.ends, said.at.plus_ms(MOVE_MS_MAX + 1)));
        assert!(!holds(&said, &said.ends, UnixMs::new(0)), "a clock that says nothing");
        let later = Ends { orders: Hash::of(&[9]), ..said.ends };
        assert!(!holds(&said, &later, said.at));
        assert!(!said.holds(said.shop, 4, &said.ends, said.at), "another box");
    }

    #[test]
    fn words_of_another_box_or_with_another_end_are_none() {
        let (key, other) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let mut bytes = words().sign(&key);
        assert!(matches!(Farewell::verify(&bytes, &other.public()), Err(NoFarewell::Forged(_))));
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert!(Farewell::verify(&bytes, &key.public()).is_err());
        assert!(Farewell::verify(b"", &key.public()).is_err());
    }
}
