//! Who may write what, where, and what two copies of an order come to.

use kirana_core::{
    key::KeyId,
    order::{
        ENTRIES_MAX, Order,
        chain::{ChainFault, Pushed},
        merge::{Comparison, Winner, compare},
        step::Misstep,
        wish::Head,
    },
    statement::{Position, Statement},
};

use super::*;

fn next(chain: &Chain, generation: u64, body: &Body) -> SignedStatement {
    let minute = chain.len() as u64;
    chain.next(generation, at(minute), body, &node_key(generation)).expect("it fits")
}

fn push(chain: &mut Chain, entry: &SignedStatement, generation: u64) -> Result<Pushed, ChainFault> {
    chain.push(entry.clone(), Author::node(shop(), generation))
}

/// An entry as a hostile box would sign it, unchecked.
fn forge(entry: &SignedStatement, change: impl FnOnce(&mut Statement)) -> SignedStatement {
    let mut statement = entry.statement().clone();
    change(&mut statement);
    statement.sign(&node_key(1))
}

#[test]
fn p1_an_entry_that_comes_many_times_has_one_effect() {
    let mut chain = begin(placed());
    let entry = next(&chain, 1, &accepted());
    assert_eq!(push(&mut chain, &entry, 1), Ok(Pushed::Added));
    let once = chain.clone();
    for _ in 0..50 {
        assert_eq!(push(&mut chain, &entry, 1), Ok(Pushed::Already));
    }
    assert_eq!(chain, once);
    assert_eq!(chain.intake().map(|entry| entry.hash()), Some(entry.hash()));
}

#[test]
fn p6_only_the_customer_begins_and_only_the_shop_goes_on() {
    let first = sign(placed());
    let stranger = Party::Guest(KeyId::of(&[9; 32]));
    for author in [Author::customer(stranger), Author::node(shop(), 0), Author::node(shop(), 1)] {
        assert_eq!(Chain::begin(first.clone(), author), Err(ChainFault::WrongAuthor));
    }
    let mut chain = begin(placed());
    let entry = next(&chain, 1, &accepted());
    let other_shop = ShopId::new(at(0), [8; 10]);
    for author in
        [Author::customer(customer()), Author::node(other_shop, 1), Author::node(shop(), 2)]
    {
        assert_eq!(chain.push(entry.clone(), author), Err(ChainFault::WrongAuthor));
    }
    assert_eq!(chain.len(), 1);
}

#[test]
fn p6_an_entry_for_somebody_else_or_about_another_order_is_refused() {
    let mut chain = begin(placed());
    let entry = next(&chain, 1, &accepted());
    let stranger = Party::Guest(KeyId::of(&[9; 32]));
    let to_stranger = forge(&entry, |statement| statement.to = stranger);
    let refused = push(&mut chain, &to_stranger, 1);
    assert_eq!(refused, Err(ChainFault::WrongRecipient { to: stranger }));
    let elsewhere = forge(&entry, |statement| statement.order = OrderId::new(at(1), [1; 10]));
    assert_eq!(push(&mut chain, &elsewhere, 1), Err(ChainFault::WrongOrder));
    let request = forge(&entry, |s| s.position = Position::Request { id: [1; 16] });
    assert_eq!(push(&mut chain, &request, 1), Err(ChainFault::NotAnEntry));
    let to_customer = sign(placed()).statement().clone();
    let to_customer = Statement { to: customer(), ..to_customer }.sign(&customer_key());
    let refused = Chain::begin(to_customer, Author::customer(customer()));
    assert_eq!(refused, Err(ChainFault::WrongRecipient { to: customer() }));
    assert_eq!(Chain::begin(entry, Author::customer(customer())), Err(ChainFault::NotAFirstEntry));
}

#[test]
fn a_gap_and_a_fork_are_told_apart() {
    let mut ours = begin(placed());
    let mut theirs = ours.clone();
    follow(&mut theirs, &[body("received"), accepted()]);
    let third = theirs.last().signed().clone();
    assert_eq!(push(&mut ours, &third, 1), Err(ChainFault::Gap { have: 1, got: 2 }));
    follow(&mut ours, &[body("declined")]);
    let second = theirs.entries()[1].signed().clone();
    assert_eq!(push(&mut ours, &second, 1), Err(ChainFault::Forks { seq: 1 }));
    assert_eq!(push(&mut ours, &third, 1), Err(ChainFault::Forks { seq: 2 }));
}

#[test]
fn a_generation_never_goes_back_and_has_one_key() {
    let mut chain = begin(placed());
    let entry = next(&chain, 2, &accepted());
    let _ = push(&mut chain, &entry, 2).expect("it fits");
    let back = chain.next(1, at(3), &body("packing"), &node_key(1));
    assert_eq!(back, Err(ChainFault::GenerationFell { from: 2, to: 1 }));
    let second = chain.next(2, at(3), &body("packing"), &node_key(9));
    assert_eq!(second, Err(ChainFault::TwoWriters { generation: 2 }));
    assert!(chain.next(3, at(3), &body("adopted"), &node_key(3)).is_ok());
}

#[test]
fn what_does_not_fit_is_neither_signed_nor_taken() {
    let mut chain = begin(placed());
    let misstep = ChainFault::Misstep(Misstep::NotNow { stage: "placed", step: "packing" });
    let refused = chain.next(1, at(1), &body("packing"), &node_key(1));
    assert_eq!(refused, Err(misstep.clone()));
    let packing = body("packing");
    let forged = forge(&next(&chain, 1, &accepted()), |statement| {
        statement.kind = packing.kind();
        statement.body = packing.encode();
    });
    assert_eq!(push(&mut chain, &forged, 1), Err(misstep));
    let second_start = forge(&next(&chain, 1, &accepted()), |statement| {
        statement.kind = body("placed").kind();
        statement.body = body("placed").encode();
    });
    assert!(push(&mut chain, &second_start, 1).is_err());
    let unknown = Body::Unknown { number: 999, bytes: vec![] };
    let kind = "unknown";
    let refused = chain.next(1, at(1), &unknown, &node_key(1));
    assert_eq!(refused, Err(ChainFault::NotWrittenYet { kind }));
}

#[test]
fn a_kind_of_a_later_version_is_kept_shown_and_never_acted_on() {
    let mut chain = begin(placed());
    follow(&mut chain, &[accepted(), body("packing")]);
    let before = chain.order().clone();
    for kind in [60, 999] {
        let newer = forge(&next(&chain, 1, &packed(&[])), |statement| {
            statement.kind = kind;
            statement.body = b"of the future".to_vec();
        });
        assert_eq!(push(&mut chain, &newer, 1), Ok(Pushed::Added));
    }
    let shown: Vec<_> = chain.entries().iter().map(|e| (e.shown().kind, e.is_acted_on())).collect();
    assert_eq!(shown[3..], [("moved", false), ("unknown", false)]);
    assert_eq!(chain.order(), &Order { newer: true, ..before });
    // What the later version did next may not follow from what we understood.
    let delivered = body("delivered");
    let entry = forge(&next(&chain, 1, &packed(&[])), |statement| {
        statement.kind = delivered.kind();
        statement.body = delivered.encode();
    });
    assert_eq!(push(&mut chain, &entry, 1), Ok(Pushed::Added));
    assert!(!chain.last().is_acted_on());
}

#[test]
fn the_longest_chain_takes_no_entry_more() {
    let mut chain = begin(placed());
    follow(&mut chain, &[accepted(), body("packing"), packed(&[]), body("out_for_delivery")]);
    while chain.len() < ENTRIES_MAX {
        let try_again = chain.len().is_multiple_of(2);
        let step = if try_again { "out_for_delivery" } else { "delivery_failed" };
        follow(&mut chain, &[body(step)]);
    }
    let past = chain.next(1, at(1), &body("adopted"), &node_key(1));
    assert_eq!(past, Err(ChainFault::TooManyEntries));
}

#[test]
fn p8_two_copies_are_compared_by_their_heads() {
    let mut ours = begin(placed());
    let mut theirs = ours.clone();
    assert_eq!(compare(&ours, &theirs), Comparison::Same);
    follow(&mut theirs, &[body("received")]);
    assert_eq!(compare(&ours, &theirs), Comparison::OursIsPrefix);
    assert_eq!(compare(&theirs, &ours), Comparison::TheirsIsPrefix);
    let head = Head::of(&theirs);
    assert_eq!((head.seq, head.hash), (1, theirs.head()));
    let entry = next(&ours, 2, &accepted());
    let _ = push(&mut ours, &entry, 2).expect("it fits");
    let fork = |winner| Comparison::Fork { seq: 1, winner };
    assert_eq!(compare(&ours, &theirs), fork(Winner::Ours));
    assert_eq!(compare(&theirs, &ours), fork(Winner::Theirs));
    let mut unrelated = placed();
    unrelated.partial_ok = true;
    assert_eq!(compare(&ours, &begin(unrelated)), Comparison::Unrelated);
}

#[test]
fn equal_generations_both_stop_whether_of_one_key_or_two() {
    let (mut one, mut same) = (begin(placed()), begin(placed()));
    follow(&mut one, &[body("received")]);
    follow(&mut same, &[body("declined")]);
    let stop = |two_keys| Comparison::Fork { seq: 1, winner: Winner::Neither { two_keys } };
    assert_eq!(compare(&one, &same), stop(false));
    let mut other = begin(placed());
    other.append(1, at(1), &accepted(), &node_key(9)).expect("it fits");
    assert_eq!(compare(&one, &other), stop(true));
}
