//! Entries arrive in any order and any number of times; the outcome is one.

use kirana_core::order::{
    chain::Authored,
    merge::{Merged, from_bag, merge},
};
use proptest::prelude::*;

use super::*;

fn first() -> Authored {
    Authored { entry: sign(placed()), author: Author::customer(customer()) }
}

fn entries(chain: &Chain) -> Vec<Authored> {
    let all = chain.entries().iter();
    all.map(|e| Authored { entry: e.signed().clone(), author: e.author() }).collect()
}

/// The old box packed on; the restored one knew less, adopted the order and cancelled it.
fn a_restore() -> (Chain, Chain) {
    let mut old = begin(placed());
    follow(&mut old, &[body("received"), accepted()]);
    let mut new = old.clone();
    follow(&mut old, &[body("packing"), packed(&[]), body("out_for_delivery")]);
    for body in [body("adopted"), body("cancelled")] {
        let minute = new.len() as u64;
        new.append(2, at(minute), &body, &node_key(2)).expect("it fits");
    }
    (old, new)
}

fn labels(merged: &Merged) -> Vec<&'static str> {
    merged.chain.entries().iter().map(|entry| entry.body().label()).collect()
}

#[test]
fn p1_of_two_branches_the_higher_generation_wins_however_short_it_is() {
    let (old, new) = a_restore();
    let merged = merge(&old, entries(&new));
    assert_eq!(merged, merge(&new, entries(&old)));
    assert_eq!(labels(&merged), ["placed", "received", "accepted", "adopted", "cancelled"]);
    let lost: Vec<_> = merged.lost.iter().map(|l| l.entry.hash()).collect();
    assert_eq!(lost, old.entries()[3..].iter().map(|e| e.hash()).collect::<Vec<_>>());
    assert_eq!((merged.waiting.len(), merged.refused.len(), &merged.stopped), (0, 0, &None));
}

#[test]
fn equal_generations_stop_the_chain_until_a_new_generation_settles_it() {
    let (mut one, mut two) = (begin(placed()), begin(placed()));
    follow(&mut one, &[body("received"), accepted()]);
    two.append(1, at(1), &body("declined"), &node_key(9)).expect("it fits");
    let merged = merge(&one, entries(&two));
    assert_eq!(labels(&merged), ["placed"]);
    let stopped = merged.stopped.clone().expect("two writers");
    let mut signers = vec![node_key(1).id(), node_key(9).id()];
    signers.sort();
    assert_eq!((stopped.seq, stopped.generation, stopped.signers), (1, 1, signers));
    assert_eq!(merged.lost.len(), 3);
    let mut three = begin(placed());
    three.append(2, at(2), &body("adopted"), &node_key(2)).expect("it fits");
    let settled = merge(&merged.chain, merged.lost.into_iter().chain(entries(&three)));
    assert_eq!(labels(&settled), ["placed", "adopted"]);
    assert_eq!((settled.stopped, settled.lost.len()), (None, 3));
}

#[test]
fn what_came_too_early_waits_and_what_cannot_be_is_returned() {
    let (old, _) = a_restore();
    let mut bag = entries(&old);
    bag.remove(1);
    let merged = from_bag(first(), bag).expect("it begins");
    assert_eq!((labels(&merged), merged.waiting.len()), (vec!["placed"], 4));
    let mut entry = entries(&old)[1].clone();
    entry.author = Author::customer(customer());
    let merged = from_bag(first(), [entry]).expect("it begins");
    assert_eq!((labels(&merged), merged.refused.len()), (vec!["placed"], 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn p1_any_order_and_any_repetition_of_entries_gives_one_state(
        picks in proptest::collection::vec(0_usize..64, 0..24),
        split in 0_usize..24,
    ) {
        let (old, new) = a_restore();
        let all: Vec<Authored> = entries(&old).into_iter().chain(entries(&new)).collect();
        let whole = from_bag(first(), all.clone()).expect("it begins");
        let mut bag: Vec<Authored> = picks.iter().map(|n| all[n % all.len()].clone()).collect();
        let at = split.min(bag.len());
        // Everything comes at least once, in the middle of what was picked.
        let tail = bag.split_off(at);
        bag.extend(all.iter().rev().cloned());
        bag.extend(tail);
        prop_assert_eq!(&from_bag(first(), bag.clone()).expect("it begins"), &whole);

        // One by one, keeping whatever could not be used yet, it comes to the same.
        let mut chain = begin(placed());
        let mut kept: Vec<Authored> = Vec::new();
        for entry in bag {
            let step = merge(&chain, kept.into_iter().chain([entry]));
            chain = step.chain;
            kept = step.lost.into_iter().chain(step.waiting).collect();
        }
        prop_assert_eq!(chain.head(), whole.chain.head());
        prop_assert_eq!(chain.order(), whole.chain.order());
    }
}
