//! Walks a ledger from its start and finds what does not hold: the chain, or the stock equation.
//!
//! **Invariant (P8):** a movement that was changed, taken out, put in or cut off at the end is
//! found: by its hash, its place, or the head that was kept elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Balance, Change, Head, Movement, StockError,
    batch::{Batches, Lot},
};
use crate::{
    cbor::Malformed,
    hash::Hash,
    id::{LocationId, ShopId, VariantId},
};

/// One variant at one location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Slot {
    /// Of what.
    pub variant: VariantId,
    /// Where.
    pub location: LocationId,
}

/// What the movements of a slot add up to by kind, in base units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Received, returned, moved in, found.
    pub came_in: u64,
    /// Sold, lost, moved away, missed.
    pub went_out: u64,
    /// Reserved.
    pub reserved: u64,
    /// Released, or handed over.
    pub released: u64,
}

impl Tally {
    /// The balance by the equation `came_in - went_out`, `reserved - released`; `None` when more
    /// went than came.
    pub fn balance(self) -> Option<Balance> {
        let on_hand = self.came_in.checked_sub(self.went_out)?;
        Some(Balance { on_hand, reserved: self.reserved.checked_sub(self.released)? })
    }

    fn add(&mut self, change: Change) {
        let Self { came_in, went_out, reserved, released } = self;
        let (to, amount) = match change {
            Change::Receipt { amount } | Change::Return { amount } => (came_in, amount),
            Change::Wastage { amount } | Change::Transfer { amount, .. } => (went_out, amount),
            Change::Reservation { amount } => (reserved, amount),
            Change::Release { amount } => (released, amount),
            Change::Sale { amount, reserved: kept } => {
                *released = released.saturating_add(kept);
                (went_out, amount)
            }
            Change::Stocktake { before, counted } if counted >= before => {
                (came_in, counted - before)
            }
            Change::Stocktake { before, counted } => (went_out, before - counted),
        };
        *to = to.saturating_add(amount);
    }
}

/// A walk along a ledger, movement by movement.
#[derive(Debug, Clone)]
pub struct Walk {
    head: Head,
    balances: BTreeMap<Slot, Balance>,
    tallies: BTreeMap<Slot, Tally>,
    batches: BTreeMap<Slot, Batches>,
    lots: BTreeMap<u64, (VariantId, Lot)>,
}

impl Walk {
    /// At the start of a shop's ledger.
    pub fn start(shop: ShopId) -> Self {
        Self {
            head: Head::start(shop),
            balances: BTreeMap::new(),
            tallies: BTreeMap::new(),
            batches: BTreeMap::new(),
            lots: BTreeMap::new(),
        }
    }

    /// Takes the next stored movement.
    ///
    /// # Errors
    /// [`LedgerFault`] with the place where the ledger breaks; the walk cannot go on then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Movement, LedgerFault> {
        let seq = self.head.seq + 1;
        let movement = Movement::parse(bytes).map_err(|why| LedgerFault::Damaged { seq, why })?;
        if movement.seq != seq {
            return Err(LedgerFault::WrongPlace { seq, found: movement.seq });
        }
        if movement.prev != self.head.hash {
            return Err(LedgerFault::Broken { seq });
        }
        if movement.generation < self.head.generation {
            let (from, to) = (self.head.generation, movement.generation);
            let why = StockError::GenerationFell { from, to };
            return Err(LedgerFault::Impossible { seq, why });
        }
        self.apply(&movement).map_err(|why| LedgerFault::Impossible { seq, why })?;
        let generation = movement.generation;
        self.head = Head { seq, hash: Hash::of(bytes), generation };
        Ok(movement)
    }

    fn apply(&mut self, movement: &Movement) -> Result<(), StockError> {
        let slot = Slot { variant: movement.variant, location: movement.location };
        let after = self.balance(slot).apply(movement)?;
        let batches = self.batches_of(slot).apply(movement, after)?;
        let is_of_it = |batch| self.lots.get(batch).is_some_and(|lot| lot.0 == slot.variant);
        if !movement.parts().iter().all(|part| is_of_it(&part.batch)) {
            return Err(StockError::OddBatch);
        }
        if let Change::Transfer { amount, to } = movement.change {
            let there = Slot { location: to, ..slot };
            let arrived = self.balance(there).arrive(amount)?;
            let arrived_batches = self.batches_of(there).arrive(movement.parts(), arrived)?;
            self.balances.insert(there, arrived);
            self.batches.insert(there, arrived_batches);
            self.tallies.entry(there).or_default().add(Change::Receipt { amount });
        }
        if let Some(lot) = &movement.lot {
            self.lots.insert(movement.seq, (movement.variant, lot.clone()));
        }
        self.balances.insert(slot, after);
        self.batches.insert(slot, batches);
        self.tallies.entry(slot).or_default().add(movement.change);
        Ok(())
    }

    /// The balance of a slot so far.
    pub fn balance(&self, slot: Slot) -> Balance {
        self.balances.get(&slot).copied().unwrap_or_default()
    }

    /// All balances so far.
    pub fn balances(&self) -> &BTreeMap<Slot, Balance> {
        &self.balances
    }

    /// What lies of the batches of each slot so far; a slot that never had one may be missing.
    pub fn batches(&self) -> &BTreeMap<Slot, Batches> {
        &self.batches
    }

    fn batches_of(&self, slot: Slot) -> Batches {
        self.batches.get(&slot).cloned().unwrap_or_default()
    }

    /// What was said of each batch, by its number, and of which variant it is.
    pub fn lots(&self) -> &BTreeMap<u64, (VariantId, Lot)> {
        &self.lots
    }

    /// The end so far.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Compares what is stored beside the ledger with what the ledger adds up to, slot by slot.
    pub fn check(&self, stored: &BTreeMap<Slot, Balance>) -> Vec<Mismatch> {
        let slots: std::collections::BTreeSet<_> =
            stored.keys().chain(self.tallies.keys()).copied().collect();
        let look = |slot: Slot| {
            let tally = self.tallies.get(&slot).copied().unwrap_or_default();
            let stored = stored.get(&slot).copied().unwrap_or_default();
            let right = tally.balance() == Some(stored) && self.balance(slot) == stored;
            (!right).then_some(Mismatch { slot, stored, tally })
        };
        slots.into_iter().filter_map(look).collect()
    }
}

/// A stored balance that the ledger does not add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Where.
    pub slot: Slot,
    /// What is stored.
    pub stored: Balance,
    /// What the movements add up to.
    pub tally: Tally,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { slot, stored, tally } = self;
        write!(
            f,
            "stock of {} at {}: stored {} on hand and {} reserved, but the ledger says {} and {}",
            slot.variant,
            slot.location,
            stored.on_hand,
            stored.reserved,
            i128::from(tally.came_in) - i128::from(tally.went_out),
            i128::from(tally.reserved) - i128::from(tally.released),
        )
    }
}

/// Where a ledger breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// The bytes do not decode.
    #[error("stock movement {seq}: {why}")]
    Damaged {
        /// Its place.
        seq: u64,
        /// Why.
        why: Malformed,
    },
    /// A movement is missing or stands twice.
    #[error("stock movement {seq} is missing: {found} stands in its place")]
    WrongPlace {
        /// The place.
        seq: u64,
        /// What stands there.
        found: u64,
    },
    /// It does not hold the hash of the one before.
    #[error("stock movement {seq} does not follow from the one before: one of the two was changed")]
    Broken {
        /// Its place.
        seq: u64,
    },
    /// It cannot have happened.
    #[error("stock movement {seq} cannot have happened: {why}")]
    Impossible {
        /// Its place.
        seq: u64,
        /// Why.
        why: StockError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock::tests::{draft, ledger, location, shop};

    fn walk(ledger: &[Vec<u8>]) -> Result<Walk, LedgerFault> {
        let mut walk = Walk::start(shop());
        ledger.iter().try_for_each(|bytes| walk.push(bytes).map(|_| ()))?;
        Ok(walk)
    }

    fn a_day() -> Vec<Vec<u8>> {
        ledger(&[
            Change::Receipt { amount: 100 },
            Change::Reservation { amount: 30 },
            Change::Sale { amount: 10, reserved: 0 },
            Change::Sale { amount: 20, reserved: 20 },
            Change::Release { amount: 4 },
            Change::Stocktake { before: 70, counted: 65 },
            Change::Wastage { amount: 5 },
            Change::Transfer { amount: 10, to: location(9) },
            Change::Return { amount: 2 },
        ])
    }

    #[test]
    fn a_ledger_adds_up_to_its_balances() {
        let walk = walk(&a_day()).expect("sound");
        let here = draft(Change::Receipt { amount: 1 });
        let slot = Slot { variant: here.variant, location: here.location };
        let there = Slot { location: location(9), ..slot };
        assert_eq!(walk.balance(slot), Balance { on_hand: 52, reserved: 6 });
        assert_eq!(walk.balance(there), Balance { on_hand: 10, reserved: 0 });
        assert_eq!(walk.check(walk.balances()), []);
        let mut wrong = walk.balances().clone();
        wrong.insert(slot, Balance { on_hand: 53, reserved: 6 });
        wrong.remove(&there);
        assert_eq!(walk.check(&wrong).len(), 2);
    }

    #[test]
    fn p8_every_flipped_byte_is_found_by_the_chain_or_the_head() {
        let day = a_day();
        let head = walk(&day).expect("sound").head();
        for (place, movement) in day.iter().enumerate() {
            for byte in 0..movement.len() {
                let mut damaged = day.clone();
                damaged[place][byte] ^= 0x40;
                let sound = walk(&damaged).is_ok_and(|walk| walk.head() == head);
                assert!(!sound, "byte {byte} of movement {place} made no difference");
            }
        }
    }

    #[test]
    fn p8_a_missing_doubled_or_swapped_movement_is_found() {
        let day = a_day();
        let (mut missing, mut doubled, mut swapped) = (day.clone(), day.clone(), day.clone());
        missing.remove(3);
        doubled.insert(3, day[3].clone());
        swapped.swap(3, 4);
        assert_eq!(walk(&missing).err(), Some(LedgerFault::WrongPlace { seq: 4, found: 5 }));
        assert_eq!(walk(&doubled).err(), Some(LedgerFault::WrongPlace { seq: 5, found: 4 }));
        assert!(walk(&swapped).is_err());
    }

    #[test]
    fn p8_a_lost_end_shows_in_the_head() {
        let day = a_day();
        let whole = walk(&day).expect("sound").head();
        let short = walk(&day[..day.len() - 1]).expect("a prefix is sound").head();
        assert_ne!(whole, short);
    }

    #[test]
    fn a_ledger_of_another_shop_does_not_pass() {
        let other = ShopId::new(crate::time::UnixMs::new(1), [8; 10]);
        let mut walk = Walk::start(other);
        assert_eq!(walk.push(&a_day()[0]), Err(LedgerFault::Broken { seq: 1 }));
    }
}
