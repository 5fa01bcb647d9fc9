//! A shop's stock: a chain of movements, each holding the hash of the one before.
//!
//! Order decisions and counter sales go through the same ledger, per variant and location.
//!
//! **Invariant:** a movement is never changed or removed, its stored bytes are hashed and never
//! encoded again, and a balance is what the movements add up to.
//!
//! ```
//! use kirana_core::stock::{Balance, Change, Draft, Head, walk::Walk};
//! # use kirana_core::{id::{LocationId, ShopId, VariantId}, key::KeyId, time::UnixMs};
//! # let now = UnixMs::new(1_000);
//! # let (shop, variant) = (ShopId::new(now, [1; 10]), VariantId::new(now, [2; 10]));
//! # let (location, by) = (LocationId::new(now, [3; 10]), KeyId::of(&[4; 32]));
//! let draft = |change| Draft::new(variant, location, change, by);
//! let first = Head::start(shop).write(1, now, draft(Change::Receipt { amount: 10 }))?;
//! let second = first.head.write(1, now, draft(Change::Reservation { amount: 4 }))?;
//! let balance = Balance::default().apply(&first.movement)?.apply(&second.movement)?;
//! assert_eq!(balance, Balance { on_hand: 10, reserved: 4 });
//!
//! // Later, from the stored bytes:
//! let mut walk = Walk::start(shop);
//! walk.push(&first.bytes)?;
//! walk.push(&second.bytes)?;
//! assert_eq!(walk.head(), second.head);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::{LocationId, OrderId, ShopId, VariantId},
    key::KeyId,
    statement::Party,
    time::UnixMs,
};

pub mod balance;
pub mod batch;
pub mod count;
pub mod margin;
pub mod reorder;
pub mod shortage;
pub mod walk;

pub use balance::{Balance, StockError};
use batch::{Earned, Lot, Part};

/// The longest note on a movement, in bytes.
pub const NOTE_BYTES_MAX: usize = 200;
/// The longest encoded movement, in bytes.
pub const MOVEMENT_BYTES_MAX: usize = 2048;
/// The most of one variant at one location, in base units: a hundred thousand tonnes.
pub const STOCK_MAX: u64 = 100_000_000_000;

/// One movement of stock.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Movement {
    /// Its place in the ledger, from 1.
    #[n(0)]
    pub seq: u64,
    /// The hash of the movement before; before the first, [`Head::start`].
    #[n(1)]
    pub prev: Hash,
    /// The shop's generation when it was written.
    #[n(2)]
    pub generation: u64,
    /// When, by the shop's clock.
    #[n(3)]
    pub at: UnixMs,
    /// Of what.
    #[n(4)]
    pub variant: VariantId,
    /// Where.
    #[n(5)]
    pub location: LocationId,
    /// What happened.
    #[n(6)]
    pub change: Change,
    /// Whose device or node entered it.
    #[n(7)]
    pub by: KeyId,
    /// The order that it is for.
    #[n(8)]
    pub order: Option<OrderLink>,
    /// Why, in the person's own words; may be empty.
    #[n(9)]
    pub note: String,
    /// What a receipt says of the batch that it opens; the batch has the number of the movement.
    #[n(10)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<Lot>,
    /// How much of the amount is of which batches; the rest is loose.
    #[n(11)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Part>>,
    /// What a sale brought in; what a return gave back.
    #[n(12)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earned: Option<Earned>,
    /// The number of the sale whose goods come back, or came back and are thrown away.
    #[n(13)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_sale: Option<u64>,
}

/// What a movement does; amounts are base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(flat)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Goods came in.
    #[n(0)]
    Receipt {
        /// How much.
        #[n(0)]
        amount: u64,
    },
    /// Goods were sold: to an order that is handed over, or at the counter.
    #[n(1)]
    Sale {
        /// How much left the shop.
        #[n(0)]
        amount: u64,
        /// How much of what was reserved ends with it; 0 at the counter.
        #[n(1)]
        reserved: u64,
    },
    /// Goods are kept for an order.
    #[n(2)]
    Reservation {
        /// How much.
        #[n(0)]
        amount: u64,
    },
    /// Goods are no longer kept for an order.
    #[n(3)]
    Release {
        /// How much.
        #[n(0)]
        amount: u64,
    },
    /// Goods are spoilt, broken or stolen.
    #[n(4)]
    Wastage {
        /// How much.
        #[n(0)]
        amount: u64,
    },
    /// Somebody counted.
    #[n(5)]
    Stocktake {
        /// What the ledger said until now.
        #[n(0)]
        before: u64,
        /// What is really there.
        #[n(1)]
        counted: u64,
    },
    /// Goods went to another location of the shop.
    #[n(6)]
    Transfer {
        /// How much.
        #[n(0)]
        amount: u64,
        /// Where to.
        #[n(1)]
        to: LocationId,
    },
    /// A customer brought goods back that can be sold again.
    #[n(7)]
    Return {
        /// How much.
        #[n(0)]
        amount: u64,
    },
}

impl Change {
    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Receipt { .. } => "receipt",
            Self::Sale { .. } => "sale",
            Self::Reservation { .. } => "reservation",
            Self::Release { .. } => "release",
            Self::Wastage { .. } => "wastage",
            Self::Stocktake { .. } => "stocktake",
            Self::Transfer { .. } => "transfer",
            Self::Return { .. } => "return",
        }
    }
}

/// The line of an order that a movement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct OrderLink {
    /// Whose order.
    #[n(0)]
    pub customer: Party,
    /// Which.
    #[n(1)]
    pub order: OrderId,
    /// Index of the line.
    #[n(2)]
    pub line: u16,
}

/// What is going to be written; its place and link come from the [`Head`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Of what.
    pub variant: VariantId,
    /// Where.
    pub location: LocationId,
    /// What happens.
    pub change: Change,
    /// Whose device or node enters it.
    pub by: KeyId,
    /// The order that it is for.
    pub order: Option<OrderLink>,
    /// Why; may be empty.
    pub note: String,
    /// What a receipt says of its batch.
    pub lot: Option<Lot>,
    /// Out of or into which batches; the rest is loose.
    pub parts: Vec<Part>,
    /// What a sale brought in; what a return gave back.
    pub earned: Option<Earned>,
    /// The sale whose goods come back, or came back and are thrown away.
    pub of_sale: Option<u64>,
}

impl Draft {
    /// A movement for no order, of loose goods, with nothing said about it.
    pub fn new(variant: VariantId, location: LocationId, change: Change, by: KeyId) -> Self {
        Self {
            variant,
            location,
            change,
            by,
            order: None,
            note: String::new(),
            lot: None,
            parts: Vec::new(),
            earned: None,
            of_sale: None,
        }
    }
}

/// The end of a ledger: what the next movement builds on, and what customers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Head {
    /// How many movements there are.
    pub seq: u64,
    /// The hash of the last.
    pub hash: Hash,
    /// The generation of the last.
    pub generation: u64,
}

impl Head {
    /// The end of a ledger with nothing in it; another one for each shop, so that no movement can
    /// be carried over.
    pub fn start(shop: ShopId) -> Self {
        let hash = Hash::of_parts(&[b"kirana stock ledger 1", shop.as_bytes()]);
        Self { seq: 0, hash, generation: 0 }
    }

    /// Writes the next movement.
    ///
    /// # Errors
    /// [`StockError::NoteTooLong`], or [`StockError::GenerationFell`].
    pub fn write(&self, generation: u64, at: UnixMs, draft: Draft) -> Result<Written, StockError> {
        if draft.note.len() > NOTE_BYTES_MAX {
            return Err(StockError::NoteTooLong(draft.note.len()));
        }
        if generation < self.generation {
            return Err(StockError::GenerationFell { from: self.generation, to: generation });
        }
        let Draft { variant, location, change, by, order, note, lot, parts, earned, of_sale } =
            draft;
        let (seq, prev) = (self.seq + 1, self.hash);
        let parts = (!parts.is_empty()).then_some(parts);
        let movement = Movement {
            seq,
            prev,
            generation,
            at,
            variant,
            location,
            change,
            by,
            order,
            note,
            lot,
            parts,
            earned,
            of_sale,
        };
        let bytes = cbor::to_vec(&movement);
        let head = Self { seq, hash: Hash::of(&bytes), generation };
        Ok(Written { movement, bytes, head })
    }
}

/// A movement with its bytes, to be stored as they are, and the ledger's new end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What was written.
    pub movement: Movement,
    /// Its encoding.
    pub bytes: Vec<u8>,
    /// The ledger's end with it.
    pub head: Head,
}

impl Movement {
    /// How much of the amount is of which batches.
    pub fn parts(&self) -> &[Part] {
        self.parts.as_deref().unwrap_or_default()
    }

    /// Reads a stored movement.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        cbor::from_slice("a stock movement", bytes, MOVEMENT_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn shop() -> ShopId {
        ShopId::new(UnixMs::new(1), [7; 10])
    }

    pub(super) fn location(n: u8) -> LocationId {
        LocationId::new(UnixMs::new(1), [n; 10])
    }

    pub(super) fn draft(change: Change) -> Draft {
        let variant = VariantId::new(UnixMs::new(1), [1; 10]);
        Draft::new(variant, location(1), change, KeyId::of(&[3; 32]))
    }

    pub(super) fn movement(change: Change) -> Movement {
        let written = Head::start(shop()).write(1, UnixMs::new(5), draft(change));
        written.expect("it is short").movement
    }

    pub(super) fn ledger(changes: &[Change]) -> Vec<Vec<u8>> {
        let mut head = Head::start(shop());
        let write = |change: &Change| {
            let written = head.write(1, UnixMs::new(5), draft(*change)).expect("it is short");
            head = written.head;
            written.bytes
        };
        changes.iter().map(write).collect()
    }

    #[test]
    fn a_movement_is_read_as_it_was_written_and_has_one_encoding() {
        for change in [
            Change::Receipt { amount: 1 },
            Change::Sale { amount: 3, reserved: 2 },
            Change::Stocktake { before: 1, counted: 0 },
            Change::Transfer { amount: 4, to: location(2) },
        ] {
            let written = Head::start(shop()).write(1, UnixMs::new(5), draft(change));
            let written = written.expect("it is short");
            let read = Movement::parse(&written.bytes).expect("well formed");
            assert_eq!(read, written.movement);
            assert_eq!(cbor::to_vec(&read), written.bytes);
        }
    }

    #[test]
    fn a_movement_that_says_nothing_of_batches_is_written_as_before_there_were_any() {
        #[derive(Encode)]
        #[cbor(map)]
        struct Before<'a> {
            #[n(0)]
            seq: u64,
            #[n(1)]
            prev: Hash,
            #[n(2)]
            generation: u64,
            #[n(3)]
            at: UnixMs,
            #[n(4)]
            variant: VariantId,
            #[n(5)]
            location: LocationId,
            #[n(6)]
            change: Change,
            #[n(7)]
            by: KeyId,
            #[n(8)]
            order: Option<OrderLink>,
            #[n(9)]
            note: &'a str,
        }
        let now = movement(Change::Receipt { amount: 7 });
        let Movement { seq, prev, generation, at, variant, location, change, by, order, .. } = now;
        let note = now.note.as_str();
        let before =
            Before { seq, prev, generation, at, variant, location, change, by, order, note };
        assert_eq!(cbor::to_vec(&before), cbor::to_vec(&now));
    }

    #[test]
    fn a_note_one_byte_past_the_limit_and_an_older_generation_are_refused() {
        let head = Head { generation: 2, ..Head::start(shop()) };
        let note = |len| Draft { note: "x".repeat(len), ..draft(Change::Receipt { amount: 1 }) };
        let longest = head.write(2, UnixMs::new(5), note(NOTE_BYTES_MAX)).expect("allowed");
        assert!(longest.bytes.len() <= MOVEMENT_BYTES_MAX);
        assert!(head.write(2, UnixMs::new(5), note(NOTE_BYTES_MAX + 1)).is_err());
        assert!(head.write(1, UnixMs::new(5), note(0)).is_err());
    }
}
