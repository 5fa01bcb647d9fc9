//! Batches: goods that came in together, what is known of them, and which of them go out first.
//!
//! A receipt that says something of its batch opens one; its number is the receipt's place in the
//! ledger. Goods of other receipts are loose: nobody knows which of them is which.
//!
//! **Invariant:** what lies of a slot's batches is never more than what is on hand there, and each
//! movement says itself what it took out of which batch, so that no later rule changes the past.
//!
//! ```
//! use kirana_core::{day::Day, stock::batch::{Open, Part, Pick}};
//! let open = |batch, day, amount| Open { batch, best_before: Some(Day::new(day)), amount };
//! let milk = [open(1, 20, 5), open(2, 18, 5)];
//! let parts = Pick::FirstExpired { today: Day::new(17) }.parts(7, 10, &milk)?;
//! assert_eq!(parts, [Part { batch: 1, amount: 2 }, Part { batch: 2, amount: 5 }]);
//! # Ok::<(), kirana_core::stock::StockError>(())
//! ```

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{Balance, Change, Movement, StockError};
use crate::{
    day::Day,
    id::{PurchaseId, SupplierId},
    money::{Money, Price},
};

/// The longest code of a lot, in bytes.
pub const CODE_BYTES_MAX: usize = 40;
/// The most batches of one variant that lie at one location at a time.
pub const BATCHES_MAX: usize = 64;

/// What a receipt says of the goods that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Lot {
    /// The lot code that stands on the packs.
    #[n(0)]
    pub code: Option<String>,
    /// The last day on which the goods are as they should be.
    #[n(1)]
    pub best_before: Option<Day>,
    /// What the goods cost the shop, tax left out.
    #[n(2)]
    pub cost: Option<Price>,
    /// Who brought them.
    #[n(3)]
    pub supplier: Option<SupplierId>,
    /// With which purchase.
    #[n(4)]
    pub purchase: Option<PurchaseId>,
}

impl Lot {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can be kept.
    ///
    /// # Errors
    /// [`StockError::Code`] or [`StockError::Cost`].
    pub fn check(&self) -> Result<(), StockError> {
        let is_code = |code: &str| {
            (1..=CODE_BYTES_MAX).contains(&code.len())
                && !code.trim().is_empty()
                && !code.chars().any(char::is_control)
        };
        if self.code.as_deref().is_some_and(|code| !is_code(code)) {
            return Err(StockError::Code);
        }
        let fits = |cost: Price| crate::catalogue::product::check_price(cost).is_ok();
        if self.cost.is_some_and(|cost| !fits(cost)) {
            return Err(StockError::Cost);
        }
        Ok(())
    }
}

/// How much of a movement is of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Part {
    /// The number of the batch: the place of its receipt in the ledger.
    #[n(0)]
    pub batch: u64,
    /// How much, in base units.
    #[n(1)]
    pub amount: u64,
}

/// What a sale brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Earned {
    /// What the customer pays, tax included.
    #[n(0)]
    pub sum: Money,
    /// The tax inside it, in basis points.
    #[n(1)]
    pub tax_bp: u32,
}

/// A batch that lies somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Its number.
    pub batch: u64,
    /// The last day on which it is as it should be.
    pub best_before: Option<Day>,
    /// How much is left of it there, in base units.
    pub amount: u64,
}

impl Open {
    /// Whether its date has passed.
    pub fn is_past(&self, today: Day) -> bool {
        self.best_before.is_some_and(|day| day < today)
    }
}

/// How much of some batches is past its date.
pub fn past(open: &[Open], today: Day) -> u64 {
    open.iter().filter(|open| open.is_past(today)).map(|open| open.amount).sum()
}

/// Out of which batches goods go.
///
/// Goods without a date come after those with one, and loose goods before other undated ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// First expired, first out, and what has passed its date last of all: for goods that have
    /// left the shop already, whatever their date.
    FirstExpired {
        /// The day at the shop.
        today: Day,
    },
    /// First expired, first out, of what has not passed its date: for sales at the counter.
    Unexpired {
        /// The day at the shop.
        today: Day,
        /// How much of what has not passed its date is kept for orders, in base units.
        kept: u64,
    },
    /// The oldest date first: for goods that are thrown away or that nobody finds.
    Oldest,
    /// The batch that somebody has in their hand.
    Named(u64),
}

impl Pick {
    /// Divides `amount` of what is on hand among the batches; what is not in the parts is loose.
    ///
    /// # Errors
    /// [`StockError::PastBestBefore`] for [`Pick::Unexpired`], [`StockError::NotInBatch`] for
    /// [`Pick::Named`], and [`StockError::NotEnough`] where less is on hand.
    pub fn parts(self, amount: u64, on_hand: u64, open: &[Open]) -> Result<Vec<Part>, StockError> {
        if amount > on_hand {
            return Err(StockError::NotEnough { wanted: amount, free: on_hand });
        }
        if let Self::Named(batch) = self {
            let there = open.iter().find(|open| open.batch == batch).map_or(0, |open| open.amount);
            return match amount {
                amount if amount > there => {
                    Err(StockError::NotInBatch { batch, wanted: amount, there })
                }
                amount => Ok(vec![Part { batch, amount }]),
            };
        }
        if let Self::Unexpired { today, kept } = self {
            let past = past(open, today);
            let fresh = on_hand.saturating_sub(past).saturating_sub(kept);
            if past > 0 && amount > fresh {
                return Err(StockError::PastBestBefore { wanted: amount, fresh });
            }
        }
        let batched: u64 = open.iter().map(|open| open.amount).sum();
        let loose =
            Open { batch: LOOSE, best_before: None, amount: on_hand.saturating_sub(batched) };
        let mut sources: Vec<Open> = open.iter().copied().chain([loose]).collect();
        sources.sort_by_key(|open| self.place(open));
        let mut left = amount;
        let mut parts = Vec::new();
        for source in sources {
            let taken = left.min(source.amount);
            left -= taken;
            if taken > 0 && source.batch != LOOSE {
                parts.push(Part { batch: source.batch, amount: taken });
            }
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// What goes first has the lowest.
    fn place(self, open: &Open) -> (bool, Day, u64) {
        let is_last = match self {
            Self::FirstExpired { today } | Self::Unexpired { today, .. } => open.is_past(today),
            Self::Oldest | Self::Named(_) => false,
        };
        (is_last, open.best_before.unwrap_or(Day::MAX), open.batch)
    }
}

/// No movement has this number.
const LOOSE: u64 = 0;

/// How much lies of each batch of one variant at one location, in base units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batches(BTreeMap<u64, u64>);

impl Batches {
    /// What was stored, by the number of the batch.
    pub fn new(amounts: BTreeMap<u64, u64>) -> Self {
        Self(amounts)
    }

    /// How much lies of each.
    pub fn amounts(&self) -> &BTreeMap<u64, u64> {
        &self.0
    }

    /// What lies of the batches after a movement here; `after` is the balance after it.
    ///
    /// # Errors
    /// [`StockError`] when the movement cannot have happened.
    pub fn apply(&self, movement: &Movement, after: Balance) -> Result<Self, StockError> {
        let is_receipt = matches!(movement.change, Change::Receipt { .. });
        let is_sale = matches!(movement.change, Change::Sale { .. });
        let is_return = matches!(movement.change, Change::Return { .. });
        let is_wastage = matches!(movement.change, Change::Wastage { .. });
        let is_later = movement.of_sale.is_none_or(|sale| (1..movement.seq).contains(&sale));
        let is_odd = movement.lot.is_some() && !is_receipt
            || movement.earned.is_some() && !(is_sale || is_return)
            || movement.of_sale.is_some() && !(is_return || is_wastage)
            || !is_later;
        if is_odd || movement.earned.is_some_and(|earned| earned.sum.minor < 0) {
            return Err(StockError::OddBatch);
        }
        let mut next = self.clone();
        let parts = movement.parts();
        let most = match movement.change {
            Change::Receipt { amount } => {
                movement.lot.as_ref().map_or(Ok(()), Lot::check)?;
                if movement.lot.is_some() {
                    next.put(Part { batch: movement.seq, amount })?;
                }
                0
            }
            Change::Return { amount } => {
                parts.iter().try_for_each(|part| next.put(*part))?;
                amount
            }
            Change::Sale { amount, .. }
            | Change::Wastage { amount }
            | Change::Transfer { amount, .. } => {
                parts.iter().try_for_each(|part| next.take(*part))?;
                amount
            }
            Change::Stocktake { before, counted } => {
                parts.iter().try_for_each(|part| next.take(*part))?;
                before.saturating_sub(counted)
            }
            Change::Reservation { .. } | Change::Release { .. } => 0,
        };
        next.check(parts, most, after)
    }

    /// What lies of the batches where goods arrive; `after` is the balance there after it.
    ///
    /// # Errors
    /// [`StockError::TooManyBatches`] or [`StockError::OddBatch`].
    pub fn arrive(&self, parts: &[Part], after: Balance) -> Result<Self, StockError> {
        let mut next = self.clone();
        parts.iter().try_for_each(|part| next.put(*part))?;
        next.check(&[], 0, after)
    }

    fn check(self, parts: &[Part], most: u64, after: Balance) -> Result<Self, StockError> {
        let sum = |amounts: &mut dyn Iterator<Item = u64>| amounts.fold(0, u64::saturating_add);
        let is_too_much = sum(&mut parts.iter().map(|part| part.amount)) > most;
        let is_more_than_there = sum(&mut self.0.values().copied()) > after.on_hand;
        if is_too_much || is_more_than_there {
            return Err(StockError::OddBatch);
        }
        Ok(self)
    }

    fn put(&mut self, part: Part) -> Result<(), StockError> {
        let there = self.0.entry(part.batch).or_default();
        *there = there.saturating_add(part.amount);
        match (part.amount, self.0.len()) {
            (0, _) => Err(StockError::Nothing),
            (_, open) if open > BATCHES_MAX => Err(StockError::TooManyBatches),
            _ => Ok(()),
        }
    }

    fn take(&mut self, part: Part) -> Result<(), StockError> {
        let Part { batch, amount } = part;
        let there = self.0.get(&batch).copied().unwrap_or_default();
        match there.checked_sub(amount) {
            _ if amount == 0 => return Err(StockError::Nothing),
            None => return Err(StockError::NotInBatch { batch, wanted: amount, there }),
            Some(0) => self.0.remove(&batch),
            Some(left) => self.0.insert(batch, left),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
