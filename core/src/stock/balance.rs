//! What is there and what is kept for orders, of one variant at one location.
//!
//! **Invariant (P2):** nothing is reserved, sold at the counter or moved away beyond what is on
//! hand and not reserved. Only a loss or a count can bring `on_hand` below `reserved`; the shortage
//! rule then releases, in the same transaction.

use serde::Serialize;

use super::{
    Change, Movement, NOTE_BYTES_MAX, STOCK_MAX,
    batch::{BATCHES_MAX, CODE_BYTES_MAX},
};
use crate::{
    id::LocationId,
    planted::{Bug, is_planted},
};

/// What is there of one variant at one location, in base units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// What is on hand.
    pub on_hand: u64,
    /// What of it is kept for orders.
    pub reserved: u64,
}

impl Balance {
    /// What can be promised: on hand, not reserved, and above the safety stock.
    pub const fn available(self, safety: u64) -> u64 {
        self.free().saturating_sub(safety)
    }

    /// On hand and not reserved.
    pub const fn free(self) -> u64 {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// How much more is reserved than is there: what the shortage rule has to release.
    pub const fn short(self) -> u64 {
        self.reserved.saturating_sub(self.on_hand)
    }

    /// The balance of the movement's own location after it; a transfer also [`arrives`] at
    /// another.
    ///
    /// [`arrives`]: Balance::arrive
    ///
    /// # Errors
    /// [`StockError`] when the movement cannot have happened.
    pub fn apply(self, movement: &Movement) -> Result<Self, StockError> {
        self.after(movement.change, movement.location)
    }

    /// The balance of a location after a change there, before it is written.
    ///
    /// # Errors
    /// As for [`Balance::apply`].
    pub fn after(self, change: Change, location: LocationId) -> Result<Self, StockError> {
        let Self { on_hand, reserved } = self;
        match change {
            Change::Receipt { amount } | Change::Return { amount } => self.arrive(amount),
            Change::Reservation { amount } => {
                self.check_free(amount, Bug::ReserveWithoutCheck)?;
                Ok(Self { on_hand, reserved: reserved + amount })
            }
            Change::Release { amount } => {
                check_amount(amount, reserved, StockError::NotReserved { amount, reserved })?;
                Ok(Self { on_hand, reserved: reserved - amount })
            }
            Change::Sale { amount, reserved: kept } => {
                let not_there = StockError::NotEnough { wanted: amount, free: on_hand };
                check_amount(amount, on_hand, not_there)?;
                if kept > reserved {
                    return Err(StockError::NotReserved { amount: kept, reserved });
                }
                if amount > kept {
                    self.check_free(amount - kept, Bug::SellReserved)?;
                }
                Ok(Self { on_hand: on_hand - amount, reserved: reserved - kept })
            }
            Change::Wastage { amount } => {
                let not_there = StockError::NotEnough { wanted: amount, free: on_hand };
                check_amount(amount, on_hand, not_there)?;
                Ok(Self { on_hand: on_hand - amount, reserved })
            }
            Change::Stocktake { before, .. } if before != on_hand => {
                Err(StockError::CountedMeanwhile { before, on_hand })
            }
            Change::Stocktake { counted, .. } if counted > STOCK_MAX => {
                Err(StockError::TooLarge(counted))
            }
            Change::Stocktake { counted, .. } => Ok(Self { on_hand: counted, reserved }),
            Change::Transfer { to, .. } if to == location => Err(StockError::SamePlace),
            Change::Transfer { amount, .. } => {
                self.check_free(amount, Bug::SellReserved)?;
                Ok(Self { on_hand: on_hand - amount.min(on_hand), reserved })
            }
        }
    }

    /// The balance after goods came in.
    ///
    /// # Errors
    /// [`StockError::Nothing`] or [`StockError::TooLarge`].
    pub fn arrive(self, amount: u64) -> Result<Self, StockError> {
        let Self { on_hand, reserved } = self;
        let sum = on_hand.saturating_add(amount);
        check_amount(amount, STOCK_MAX, StockError::TooLarge(amount))?;
        match sum {
            sum if sum > STOCK_MAX => Err(StockError::TooLarge(sum)),
            on_hand => Ok(Self { on_hand, reserved }),
        }
    }

    fn check_free(self, amount: u64, bug: Bug) -> Result<(), StockError> {
        let free = if is_planted(bug) { STOCK_MAX } else { self.free() };
        check_amount(amount, free, StockError::NotEnough { wanted: amount, free })
    }
}

fn check_amount(amount: u64, max: u64, too_much: StockError) -> Result<(), StockError> {
    match amount {
        0 => Err(StockError::Nothing),
        amount if amount > max => Err(too_much),
        _ => Ok(()),
    }
}

/// A movement that cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    /// An amount of zero.
    #[error("a movement of stock is at least 1")]
    Nothing,
    /// Less is free than is wanted.
    #[error("{wanted} are wanted, but only {free} are there and not kept for orders: count first")]
    NotEnough {
        /// How much is wanted.
        wanted: u64,
        /// How much is free.
        free: u64,
    },
    /// Less is reserved than would be released.
    #[error("{amount} cannot be released: only {reserved} are kept for orders")]
    NotReserved {
        /// How much would be released.
        amount: u64,
        /// How much is reserved.
        reserved: u64,
    },
    /// Something moved between the count and its entry.
    #[error("the ledger said {before} when you counted and says {on_hand} now: count again")]
    CountedMeanwhile {
        /// What the ledger said.
        before: u64,
        /// What it says now.
        on_hand: u64,
    },
    /// A transfer to the same location.
    #[error("goods cannot be moved to where they are")]
    SamePlace,
    /// More than [`STOCK_MAX`].
    #[error("{0} is more than a shop can hold (at most {STOCK_MAX})")]
    TooLarge(u64),
    /// Only goods past their date are left.
    #[error(
        "{wanted} are wanted, but only {fresh} have not passed their date and are not kept for \
         orders: write the others off, or name the batch that is sold"
    )]
    PastBestBefore {
        /// How much is wanted.
        wanted: u64,
        /// How much has not passed its date and is not kept for orders.
        fresh: u64,
    },
    /// Less lies here of the batch than is wanted of it.
    #[error("{wanted} are wanted of batch {batch}, but only {there} of it are here")]
    NotInBatch {
        /// The number of the batch.
        batch: u64,
        /// How much is wanted.
        wanted: u64,
        /// How much is there.
        there: u64,
    },
    /// More than [`BATCHES_MAX`] batches of one variant at one location.
    #[error("at most {BATCHES_MAX} batches of one kind lie in one place: count, or write some off")]
    TooManyBatches,
    /// What it says of batches does not fit what happened.
    #[error("what is said of batches does not fit the movement")]
    OddBatch,
    /// No code of a lot.
    #[error("a lot code has 1 to {CODE_BYTES_MAX} bytes")]
    Code,
    /// No cost.
    #[error("a cost is not below zero, and for at least one unit")]
    Cost,
    /// A note above [`NOTE_BYTES_MAX`].
    #[error("a note of {0} bytes is too long (at most {NOTE_BYTES_MAX})")]
    NoteTooLong(usize),
    /// The generation went back: this box was replaced.
    #[error("a box of generation {to} cannot write after one of generation {from}")]
    GenerationFell {
        /// The generation of the last movement.
        from: u64,
        /// The generation that was to write.
        to: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock::tests::{location, movement};

    fn apply(balance: (u64, u64), change: Change) -> Result<(u64, u64), StockError> {
        let balance = Balance { on_hand: balance.0, reserved: balance.1 };
        balance.apply(&movement(change)).map(|b| (b.on_hand, b.reserved))
    }

    #[test]
    fn p2_nothing_is_reserved_beyond_what_is_free() {
        assert_eq!(apply((5, 3), Change::Reservation { amount: 2 }), Ok((5, 5)));
        assert_eq!(
            apply((5, 3), Change::Reservation { amount: 3 }),
            Err(StockError::NotEnough { wanted: 3, free: 2 })
        );
    }

    #[test]
    fn p2_a_counter_sale_does_not_touch_what_is_kept_for_orders() {
        let counter = |amount| Change::Sale { amount, reserved: 0 };
        assert_eq!(apply((5, 3), counter(2)), Ok((3, 3)));
        assert!(apply((5, 3), counter(3)).is_err());
    }

    #[test]
    fn a_handed_over_order_takes_its_reservation_along() {
        assert_eq!(apply((5, 3), Change::Sale { amount: 3, reserved: 3 }), Ok((2, 0)));
        // Weighed a little more, or less, than was reserved.
        assert_eq!(apply((5, 3), Change::Sale { amount: 4, reserved: 3 }), Ok((1, 0)));
        assert_eq!(apply((5, 3), Change::Sale { amount: 2, reserved: 3 }), Ok((3, 0)));
        assert!(apply((5, 5), Change::Sale { amount: 4, reserved: 3 }).is_err());
        assert!(apply((5, 2), Change::Sale { amount: 3, reserved: 3 }).is_err());
    }

    #[test]
    fn p2_only_a_loss_or_a_count_leaves_a_shortage() {
        let after = Balance { on_hand: 5, reserved: 4 };
        let after = after.apply(&movement(Change::Wastage { amount: 3 })).expect("it happens");
        assert_eq!((after.short(), after.free(), after.available(0)), (2, 0, 0));
        let count = Change::Stocktake { before: 5, counted: 1 };
        assert_eq!(apply((5, 4), count), Ok((1, 4)));
        assert!(apply((5, 4), Change::Wastage { amount: 6 }).is_err());
    }

    #[test]
    fn a_count_of_a_stock_that_moved_meanwhile_is_refused() {
        let count = Change::Stocktake { before: 5, counted: 4 };
        let error = StockError::CountedMeanwhile { before: 5, on_hand: 6 };
        assert_eq!(apply((6, 0), count), Err(error));
    }

    #[test]
    fn nothing_too_much_and_the_same_place_are_refused() {
        let here = movement(Change::Receipt { amount: 1 }).location;
        assert_eq!(apply((1, 0), Change::Receipt { amount: 0 }), Err(StockError::Nothing));
        assert!(apply((0, 0), Change::Receipt { amount: STOCK_MAX }).is_ok());
        assert!(apply((1, 0), Change::Receipt { amount: STOCK_MAX }).is_err());
        assert!(apply((1, 0), Change::Receipt { amount: u64::MAX }).is_err());
        assert!(apply((0, 1), Change::Release { amount: 2 }).is_err());
        let to_itself = Change::Transfer { amount: 1, to: here };
        assert_eq!(apply((1, 0), to_itself), Err(StockError::SamePlace));
        assert_eq!(apply((3, 1), Change::Transfer { amount: 2, to: location(9) }), Ok((1, 1)));
        assert!(apply((3, 1), Change::Transfer { amount: 3, to: location(9) }).is_err());
    }

    #[test]
    fn the_safety_stock_is_not_promised() {
        let balance = Balance { on_hand: 10, reserved: 4 };
        assert_eq!((balance.available(0), balance.available(2), balance.available(9)), (6, 4, 0));
    }
}
