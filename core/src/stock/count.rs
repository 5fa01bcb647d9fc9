//! Counting while selling goes on: what was counted is compared with what the ledger said then.
//!
//! ```
//! use kirana_core::stock::count::corrected;
//! // The ledger said 10, somebody found 9, and two were sold before they had written it down.
//! assert_eq!(corrected(8, 10, 9), 7);
//! ```

use super::{Change, Movement, walk::Slot};

/// What is really there now, where the ledger said `book` when somebody looked and `counted` were
/// there then; `on_hand` is what the ledger says now. Never below nothing.
pub fn corrected(on_hand: u64, book: u64, counted: u64) -> u64 {
    on_hand.saturating_add(counted).saturating_sub(book)
}

/// Whether a movement is a count of the same goods: then an older look at them is worth nothing.
pub fn is_count_of(movement: &Movement, slot: Slot) -> bool {
    let is_count = matches!(movement.change, Change::Stocktake { .. });
    is_count && movement.variant == slot.variant && movement.location == slot.location
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stock::tests::{location, movement};

    #[test]
    fn only_a_count_of_the_same_goods_in_the_same_place_spoils_a_look() {
        let count = movement(Change::Stocktake { before: 1, counted: 2 });
        let slot = Slot { variant: count.variant, location: count.location };
        assert!(is_count_of(&count, slot));
        assert!(!is_count_of(&count, Slot { location: location(9), ..slot }));
        assert!(!is_count_of(&movement(Change::Wastage { amount: 1 }), slot));
    }

    proptest! {
        #[test]
        fn p2_what_was_sold_and_came_in_since_the_look_is_neither_lost_nor_found(
            really in 0_u64..1_000,
            error in -100_i64..100,
            sold in 0_u64..1_000,
            came in 0_u64..1_000,
        ) {
            let book = really.saturating_add_signed(error);
            prop_assume!(sold <= really && sold <= book);
            let now = book - sold + came;
            prop_assert_eq!(corrected(now, book, really), really - sold + came);
        }
    }
}
