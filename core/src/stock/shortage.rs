//! Which orders lose what they were promised when less is there than is reserved.
//!
//! **Invariant (P2):** after the release, no more is reserved than is there; the order that was
//! accepted last loses first.

use super::OrderLink;
use crate::planted::{Bug, is_planted};

/// What the ledger keeps for one line of an order, of one variant at one location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// For which line of which order.
    pub link: OrderLink,
    /// How much, in base units.
    pub amount: u64,
    /// The place of its reservation in the ledger: a later one was accepted later.
    pub reserved_seq: u64,
    /// Whether the customer takes a part of the line.
    pub partial_ok: bool,
}

/// What a line loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// Which line of which order.
    pub link: OrderLink,
    /// How much is released, in base units.
    pub amount: u64,
    /// What it still gets.
    pub left: u64,
}

/// Chooses what to release so that `short` base units are freed: the last accepted order first.
///
/// `holds` are those of one variant at one location that have not left the shop; a line is released
/// whole unless its customer takes a part. The result is in the order of release.
pub fn release(short: u64, holds: &[Hold]) -> Vec<Release> {
    if is_planted(Bug::IgnoreShortage) {
        return Vec::new();
    }
    let mut last_first: Vec<&Hold> = holds.iter().filter(|hold| hold.amount > 0).collect();
    last_first.sort_by_key(|hold| std::cmp::Reverse((hold.reserved_seq, hold.link)));
    let (mut short, mut released) = (short, Vec::new());
    for hold in last_first {
        if short == 0 {
            break;
        }
        let amount = if hold.partial_ok { short.min(hold.amount) } else { hold.amount };
        short = short.saturating_sub(amount);
        released.push(Release { link: hold.link, amount, left: hold.amount - amount });
    }
    released
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{AccountId, OrderId},
        statement::Party,
        time::UnixMs,
    };
    use proptest::prelude::*;

    fn hold(n: u8, amount: u64, partial_ok: bool) -> Hold {
        let customer = Party::Account(AccountId::new(UnixMs::new(1), [n; 10]));
        let order = OrderId::new(UnixMs::new(1), [n; 10]);
        let link = OrderLink { customer, order, line: 0 };
        Hold { link, amount, reserved_seq: u64::from(n), partial_ok }
    }

    #[test]
    fn p2_the_last_accepted_order_loses_first() {
        let holds = [hold(2, 3, false), hold(1, 3, false), hold(3, 3, false)];
        let lost: Vec<_> = release(4, &holds).iter().map(|r| (r.link, r.amount, r.left)).collect();
        assert_eq!(lost, [(holds[2].link, 3, 0), (holds[0].link, 3, 0)]);
    }

    #[test]
    fn whoever_takes_a_part_keeps_what_is_there() {
        let lost = release(2, &[hold(1, 3, true), hold(2, 1, true)]);
        assert_eq!(lost.iter().map(|r| (r.amount, r.left)).collect::<Vec<_>>(), [(1, 0), (1, 2)]);
    }

    proptest! {
        #[test]
        fn p2_a_release_covers_the_shortage_and_no_more_orders_than_it_must(
            lines in proptest::collection::vec((1_u64..50, any::<bool>()), 1..20),
            short in 0_u64..200,
        ) {
            let holds: Vec<_> =
                lines.iter().enumerate().map(|(n, (a, p))| hold(n as u8, *a, *p)).collect();
            let all: u64 = holds.iter().map(|hold| hold.amount).sum();
            let released = release(short, &holds);
            let freed: u64 = released.iter().map(|r| r.amount).sum();
            prop_assert!(freed >= short.min(all) && freed <= all);
            let before: u64 = released.iter().rev().skip(1).map(|r| r.amount).sum();
            prop_assert!(released.is_empty() || before < short);
            let mut backwards = holds.clone();
            backwards.reverse();
            prop_assert_eq!(release(short, &backwards), released);
        }
    }
}
