//! Two parties compare how far they have the chains of their open orders, and say what is missing.
//!
//! Both send a [`Tip`] for each open order (sealed, as a request that the other side answers), and
//! each side then sends what [`compare`] tells it to. So a restored shop gets back from its
//! customers what it forgot, and a customer learns what was decided while its mail was lost.
//!
//! **Invariant (P8):** a chain that is no prefix of the other is reported as a fork, whole, so that
//! the higher generation can win and the losing branch is kept.

use std::collections::BTreeMap;

use kirana_core::{hash::Hash, id::OrderId};

/// How far one side has an order's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Which order.
    pub order: OrderId,
    /// How many entries it has; 0 when it knows the order by name only.
    pub len: u32,
    /// The hash of its last entry; `None` only when `len` is 0.
    pub head: Option<Hash>,
}

impl Tip {
    /// The tip of a chain, given the hashes of its entries in order.
    pub fn of(order: OrderId, chain: &[Hash]) -> Self {
        let len = u32::try_from(chain.len()).unwrap_or(u32::MAX);
        Self { order, len, head: chain.last().copied() }
    }
}

/// What one side has to do about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Both have the same.
    Agree,
    /// Send the own entries from this place on; 0 is the first.
    Send {
        /// The first entry that the other side lacks.
        from: usize,
    },
    /// The other side is ahead, perhaps on another branch: it will send.
    Await,
    /// Neither is a prefix of the other: send the own branch whole, and expect the other's.
    Fork,
}

/// What to do about one order, given the own chain and the other side's tip.
///
/// ```
/// use kirana_core::{hash::Hash, id::OrderId, time::UnixMs};
/// use kirana_sync::heads::{Step, Tip, compare};
/// let order = OrderId::new(UnixMs::new(1), [0; 10]);
/// let own = [Hash::of(b"placed"), Hash::of(b"accepted")];
/// assert_eq!(compare(&own, &Tip::of(order, &own[..1])), Step::Send { from: 1 });
/// ```
pub fn compare(own: &[Hash], theirs: &Tip) -> Step {
    let Some(head) = theirs.head.filter(|_| theirs.len > 0) else {
        return if own.is_empty() { Step::Agree } else { Step::Send { from: 0 } };
    };
    let len = usize::try_from(theirs.len).unwrap_or(usize::MAX);
    match own.get(len - 1) {
        None => Step::Await,
        Some(hash) if *hash != head => Step::Fork,
        Some(_) if own.len() == len => Step::Agree,
        Some(_) => Step::Send { from: len },
    }
}

/// What to do about each order that is not the same on both sides.
///
/// `own` holds the hashes of the open orders' chains; `complete` says that the other side named
/// all of its open orders, so that one it left out is one it has lost or closed.
pub fn exchange(
    own: &BTreeMap<OrderId, Vec<Hash>>,
    theirs: &[Tip],
    complete: bool,
) -> BTreeMap<OrderId, Step> {
    let mut steps = BTreeMap::new();
    for tip in theirs {
        let chain = own.get(&tip.order).map_or(&[][..], Vec::as_slice);
        steps.insert(tip.order, compare(chain, tip));
    }
    if complete {
        for (order, chain) in own.iter().filter(|(_, chain)| !chain.is_empty()) {
            steps.entry(*order).or_insert_with(|| compare(chain, &Tip::of(*order, &[])));
        }
    }
    steps.retain(|_, step| *step != Step::Agree);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use kirana_core::time::UnixMs;
    use proptest::prelude::*;

    fn order(n: u8) -> OrderId {
        OrderId::new(UnixMs::new(1), [n; 10])
    }

    /// A chain whose entries name their branch from `fork` on.
    fn chain(len: usize, fork: usize, branch: u8) -> Vec<Hash> {
        (0..len).map(|n| Hash::of(&[n as u8, if n < fork { 0 } else { branch }])).collect()
    }

    fn other(own: &[Hash], theirs: &[Hash]) -> Step {
        compare(own, &Tip::of(order(1), theirs))
    }

    #[test]
    fn p8_a_restored_shop_is_sent_what_it_forgot() {
        let (customer, shop) = (chain(5, 9, 0), chain(2, 9, 0));
        assert_eq!(other(&customer, &shop), Step::Send { from: 2 });
        assert_eq!(other(&shop, &customer), Step::Await);
    }

    #[test]
    fn p8_two_branches_are_a_fork_whichever_is_longer() {
        let (old, new) = (chain(5, 2, 1), chain(3, 2, 2));
        assert_eq!(other(&old, &new), Step::Fork);
        // The shorter side cannot see it yet; it learns from the longer side's branch.
        assert_eq!(other(&new, &old), Step::Await);
        assert_eq!(other(&chain(5, 2, 1), &chain(5, 2, 2)), Step::Fork);
    }

    #[test]
    fn an_order_that_the_other_side_left_out_is_sent_only_when_its_list_was_complete() {
        let own = BTreeMap::from([(order(1), chain(2, 9, 0))]);
        assert_eq!(exchange(&own, &[], true), BTreeMap::from([(order(1), Step::Send { from: 0 })]));
        assert_eq!(exchange(&own, &[], false), BTreeMap::new());
    }

    #[test]
    fn an_order_that_only_the_other_side_has_is_awaited() {
        let tip = Tip::of(order(2), &chain(1, 9, 0));
        let steps = exchange(&BTreeMap::new(), &[tip], true);
        assert_eq!(steps, BTreeMap::from([(order(2), Step::Await)]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn p8_after_both_sides_acted_one_holds_all_that_either_held(
            one in 0usize..8, two in 0usize..8, fork in 0usize..8,
        ) {
            let (a, b) = (chain(one, fork, 1), chain(two, fork, 2));
            let (of_a, of_b) = (other(&a, &b), other(&b, &a));
            let is_prefix = a.starts_with(&b) || b.starts_with(&a);
            if a == b {
                prop_assert_eq!((of_a, of_b), (Step::Agree, Step::Agree));
            } else if is_prefix {
                let (long, short) = if one > two { (of_a, of_b) } else { (of_b, of_a) };
                prop_assert_eq!(long, Step::Send { from: one.min(two) });
                prop_assert!(short == Step::Await || one.min(two) == 0);
            } else {
                prop_assert!(of_a == Step::Fork || of_b == Step::Fork);
            }
        }
    }
}
