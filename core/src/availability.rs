//! What a shop's node signs about its stock: for each variant of one catalogue document, whether it
//! is there. Small, numbered, and signed, so that anybody may carry it.
//!
//! **Invariant:** a snapshot counts only after its signature was checked, and only over one of a
//! lower generation or number; how much there is in grams or pieces stays the shop's own business.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::{
    catalogue::BucketNo,
    cbor::{self, Malformed},
    id::{ShopId, VariantId},
    key::{KeyId, PublicKey, SigningKey},
    quantity::Unit,
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest signed snapshot, in bytes: several thousand variants that are all exceptions.
pub const SNAPSHOT_BYTES_MAX: usize = 64 * 1024;

/// How much of something there is, as far as a customer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, serde::Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// None is left, or nothing is sold of it now.
    #[n(0)]
    None,
    /// Little is left: it may be gone before an order arrives.
    #[n(1)]
    Few,
    /// There is enough of it.
    #[n(2)]
    Enough,
    /// Nobody counts it: a person at the shop looks before accepting.
    #[n(3)]
    NotCounted,
}

impl Level {
    /// The level of what is counted, by how much is free to sell.
    pub fn of(free: u64, unit: Unit) -> Self {
        let few = match unit {
            Unit::Piece => FEW_PIECES,
            Unit::Gram | Unit::Millilitre => FEW_GRAMS,
        };
        match free {
            0 => Self::None,
            free if free < few => Self::Few,
            _ => Self::Enough,
        }
    }

    /// Whether ordering it makes sense.
    pub fn can_be_had(self) -> bool {
        self != Self::None
    }
}

/// Fewer pieces than this are few.
const FEW_PIECES: u64 = 5;
/// Fewer grams or millilitres than this are few.
const FEW_GRAMS: u64 = 2_000;

/// What is there of the variants of one document of a shop's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Availability {
    /// Whose.
    #[n(0)]
    pub shop: ShopId,
    /// The shop's generation: a higher one makes what a lower one said stale.
    #[n(1)]
    pub generation: u64,
    /// Of which document.
    #[n(2)]
    pub bucket: BucketNo,
    /// The number, which only goes up: the known time in milliseconds, or one more than the last.
    #[n(3)]
    pub n: u64,
    /// When it was so, by the node's clock.
    #[n(4)]
    pub at: UnixMs,
    /// The level of every variant that is not named below.
    #[n(5)]
    usual: Level,
    /// The variants at other levels.
    #[n(6)]
    others: BTreeMap<Level, Vec<VariantId>>,
}

impl Availability {
    /// Says the level of each variant in as few bytes as it takes.
    pub fn new(
        (shop, generation): (ShopId, u64),
        bucket: BucketNo,
        n: u64,
        at: UnixMs,
        levels: &BTreeMap<VariantId, Level>,
    ) -> Self {
        let mut others: BTreeMap<Level, Vec<VariantId>> = BTreeMap::new();
        for (variant, level) in levels {
            others.entry(*level).or_default().push(*variant);
        }
        let most = others.iter().max_by_key(|(_, variants)| variants.len());
        let usual = most.map_or(Level::NotCounted, |(level, _)| *level);
        others.remove(&usual);
        Self { shop, generation, bucket, n, at, usual, others }
    }

    /// What is said of a variant of this document.
    pub fn level(&self, variant: VariantId) -> Level {
        let mut others = self.others.iter();
        let named = others.find(|(_, variants)| variants.contains(&variant));
        named.map_or(self.usual, |(level, _)| *level)
    }

    /// Whether it says more than what stood at this generation and number.
    pub fn is_news_after(&self, known: Option<(u64, u64)>) -> bool {
        known.is_none_or(|known| (self.generation, self.n) > known)
    }

    /// Signs it; the result is stored and sent as it is.
    pub fn sign(&self, key: &SigningKey) -> SignedAvailability {
        let bytes = sign1::sign(key, Purpose::Availability, cbor::to_vec(self));
        SignedAvailability { said: self.clone(), signer: key.id(), bytes }
    }
}

/// A snapshot whose signature was checked, or that was just signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAvailability {
    said: Availability,
    signer: KeyId,
    bytes: Vec<u8>,
}

impl SignedAvailability {
    /// What was signed.
    pub fn said(&self) -> &Availability {
        &self.said
    }

    /// The node key that signed.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A snapshot as it came: well formed, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedAvailability {
    sign1: Unverified,
    said: Availability,
}

impl UnverifiedAvailability {
    /// Reads a signed snapshot.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = "a signed stock snapshot";
        let sign1 = Unverified::parse(what, bytes, SNAPSHOT_BYTES_MAX)?;
        let said = cbor::from_slice(what, sign1.payload(), SNAPSHOT_BYTES_MAX)?;
        Ok(Self { sign1, said })
    }

    /// The key that it says signed it.
    pub fn signer(&self) -> KeyId {
        self.sign1.signer()
    }

    /// What it says: to be shown only where it was verified before it was stored.
    pub fn claimed(&self) -> &Availability {
        &self.said
    }

    /// Checks the signature; whether `key` is the node of the shop in that generation is for the
    /// caller, who has its certificate.
    ///
    /// # Errors
    /// [`Forged`] when it is not by `key`.
    pub fn verify(self, key: &PublicKey) -> Result<SignedAvailability, Forged> {
        let authentic = self.sign1.verify(key, Purpose::Availability)?;
        let bytes = authentic.bytes().to_vec();
        Ok(SignedAvailability { said: self.said, signer: authentic.signer(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: UnixMs = UnixMs::new(1_790_000_000_000);

    fn variant(n: u8) -> VariantId {
        VariantId::new(AT, [n; 10])
    }

    fn said(generation: u64, n: u64, levels: &BTreeMap<VariantId, Level>) -> Availability {
        let shop = ShopId::new(AT, [1; 10]);
        Availability::new((shop, generation), BucketNo::FIRST, n, AT, levels)
    }

    #[test]
    fn a_snapshot_by_another_key_or_with_a_flipped_bit_is_refused() {
        let (key, thief) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let signed = said(1, 5, &BTreeMap::from([(variant(1), Level::Few)])).sign(&key);
        let read = UnverifiedAvailability::parse(signed.bytes()).expect("well formed");
        assert_eq!(read.verify(&key.public()).expect("genuine"), signed);
        let read = UnverifiedAvailability::parse(signed.bytes()).expect("well formed");
        assert!(read.verify(&thief.public()).is_err());
        for bit in 0..signed.bytes().len() * 8 {
            let mut flipped = signed.bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = UnverifiedAvailability::parse(&flipped);
            assert!(read.ok().and_then(|read| read.verify(&key.public()).ok()).is_none(), "{bit}");
        }
    }

    #[test]
    fn the_number_only_goes_up_and_a_new_generation_outranks_it() {
        for (known, generation, n, news) in [
            (None, 1, 1, true),
            (Some((1, 4)), 1, 5, true),
            (Some((1, 4)), 1, 4, false),
            (Some((1, 4)), 1, 3, false),
            (Some((1, 4)), 2, 1, true),
            (Some((2, 1)), 1, 9, false),
        ] {
            let said = said(generation, n, &BTreeMap::new());
            assert_eq!(said.is_news_after(known), news, "{known:?} then {generation}, {n}");
        }
    }

    #[test]
    fn a_few_pieces_are_few_and_so_is_less_than_two_kilos() {
        for (free, unit, level) in [
            (0, Unit::Gram, Level::None),
            (1, Unit::Piece, Level::Few),
            (4, Unit::Piece, Level::Few),
            (5, Unit::Piece, Level::Enough),
            (1_999, Unit::Gram, Level::Few),
            (2_000, Unit::Millilitre, Level::Enough),
        ] {
            assert_eq!(Level::of(free, unit), level, "{free} {unit}");
        }
    }

    #[test]
    fn five_hundred_variants_of_which_ten_are_gone_take_less_than_a_kilobyte() {
        let levels = (0..500u64).map(|n| {
            let level = if n % 50 == 0 { Level::None } else { Level::Enough };
            (VariantId::new(AT.plus_ms(n), [0; 10]), level)
        });
        let signed = said(1, 1, &levels.collect()).sign(&SigningKey::from_seed([1; 32]));
        assert!(signed.bytes().len() < 1_000, "{}", signed.bytes().len());
    }

    #[test]
    fn a_snapshot_one_byte_past_the_limit_is_refused() {
        let read = UnverifiedAvailability::parse(&vec![0; SNAPSHOT_BYTES_MAX + 1]);
        assert!(matches!(read, Err(Malformed::TooLong { .. })), "{read:?}");
    }

    proptest! {
        #[test]
        fn every_level_comes_back(levels in proptest::collection::btree_map(0u8..60, 0u8..4, 0..60)) {
            let all = [Level::None, Level::Few, Level::Enough, Level::NotCounted];
            let levels = levels.iter().map(|(n, level)| (variant(*n), all[usize::from(*level)]));
            let levels: BTreeMap<_, _> = levels.collect();
            let signed = said(1, 1, &levels).sign(&SigningKey::from_seed([1; 32]));
            let read = UnverifiedAvailability::parse(signed.bytes()).expect("well formed");
            for (variant, level) in levels {
                prop_assert_eq!(read.claimed().level(variant), level);
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(UnverifiedAvailability::parse(&bytes).is_err());
        }
    }
}
