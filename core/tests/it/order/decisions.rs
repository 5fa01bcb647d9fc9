//! The shop's decision: no more than there is, no dearer than was signed, every line once.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::pricing::Deal,
    id::VariantId,
    order::{
        decide::{Decision, Judge, Offer, decide},
        placed::{Placed, WantedLine},
        step::step,
    },
};
use proptest::prelude::*;

use super::*;

fn offer(minor: i64, per: u64, unit: Unit, available: u64) -> Offer {
    let (price, deals) = (price(minor, per), Vec::new());
    Offer { price, deals, tax_bp: 500, unit, available, counted: true, age_min: None }
}

fn offers() -> BTreeMap<VariantId, Offer> {
    BTreeMap::from([
        (variant(1), offer(2_950, 1, Unit::Piece, 10)),
        (variant(2), offer(4_500, 1_000, Unit::Gram, 10_000)),
    ])
}

fn changed(n: u8, change: impl FnOnce(&mut Offer)) -> BTreeMap<VariantId, Offer> {
    let mut offers = offers();
    change(offers.get_mut(&variant(n)).expect("it is offered"));
    offers
}

fn outcome(placed: &Placed, offers: &BTreeMap<VariantId, Offer>) -> (Vec<u64>, Vec<LineRefusal>) {
    match decide(placed, &BTreeSet::new(), offers, Judge::Program) {
        Decision::Accept { lines, refused } => (
            lines.iter().map(|line| line.granted).collect(),
            refused.iter().map(|line| line.why).collect(),
        ),
        Decision::Decline(declined) => {
            (vec![], declined.lines.iter().map(|line| line.why).collect())
        }
        Decision::Wait => panic!("it is counted"),
    }
}

#[test]
fn what_is_there_at_the_price_seen_is_granted() {
    assert_eq!(outcome(&placed(), &offers()), (vec![2, 500], vec![]));
}

#[test]
fn p2_a_deal_is_charged_for_what_is_granted_and_never_above_what_was_agreed_to() {
    let deal = Deal::XForY { take: 2, pay: 1 };
    let on_offer = |available| {
        changed(1, |offer| {
            offer.deals = vec![deal];
            offer.available = available;
        })
    };
    let Decision::Accept { lines, .. } =
        decide(&placed(), &BTreeSet::new(), &on_offer(10), Judge::Program)
    else {
        panic!("it is there");
    };
    assert_eq!(lines[0].price, price(2_950, 2), "two for the price of one");
    // Somebody who saw the deal does not get one alone at the whole price.
    let mut saw_it = placed();
    saw_it.lines[0].seen = price(2_950, 2);
    saw_it.partial_ok = true;
    assert_eq!(outcome(&saw_it, &on_offer(10)), (vec![2, 500], vec![]));
    assert_eq!(outcome(&saw_it, &on_offer(1)), (vec![500], vec![LineRefusal::NotEnough]));
    assert_eq!(outcome(&saw_it, &offers()), (vec![500], vec![LineRefusal::PriceChanged]));
}

#[test]
fn a_lower_price_is_charged_and_a_higher_one_refuses_the_line() {
    let cheaper = changed(1, |offer| offer.price.minor = 2_900);
    let Decision::Accept { lines, .. } =
        decide(&placed(), &BTreeSet::new(), &cheaper, Judge::Program)
    else {
        panic!("it is there");
    };
    assert_eq!(lines[0].price, price(2_900, 1));
    let dearer = changed(1, |offer| offer.price.minor = 2_951);
    assert_eq!(outcome(&placed(), &dearer), (vec![500], vec![LineRefusal::PriceChanged]));
    let mut capped = placed();
    capped.lines[0].cap = Some(price(3_000, 1));
    assert_eq!(outcome(&capped, &dearer), (vec![2, 500], vec![]));
    // The same price for another base quantity is the same price.
    let by_pound = changed(2, |offer| offer.price = price(450, 100));
    assert_eq!(outcome(&placed(), &by_pound), (vec![2, 500], vec![]));
}

#[test]
fn p2_too_little_refuses_the_line_unless_a_part_is_welcome() {
    let scarce = changed(1, |offer| offer.available = 1);
    assert_eq!(outcome(&placed(), &scarce), (vec![500], vec![LineRefusal::NotEnough]));
    let partial = Placed { partial_ok: true, ..placed() };
    assert_eq!(outcome(&partial, &scarce), (vec![1, 500], vec![]));
    let none = changed(1, |offer| offer.available = 0);
    assert_eq!(outcome(&partial, &none), (vec![500], vec![LineRefusal::NotEnough]));
}

#[test]
fn p2_two_lines_of_one_variant_share_what_is_there() {
    let mut twice = placed();
    twice.lines.push(twice.lines[0].clone());
    let three = changed(1, |offer| offer.available = 3);
    assert_eq!(outcome(&twice, &three), (vec![2, 500], vec![LineRefusal::NotEnough]));
    let partial = Placed { partial_ok: true, ..twice };
    assert_eq!(outcome(&partial, &three), (vec![2, 500, 1], vec![]));
}

#[test]
fn what_is_not_sold_or_sold_otherwise_is_refused_by_name() {
    let mut offers = offers();
    offers.remove(&variant(1));
    let (_, refused) = outcome(&placed(), &offers);
    assert_eq!(refused, [LineRefusal::NotSold]);
    let by_weight = changed(1, |offer| offer.unit = Unit::Gram);
    assert_eq!(outcome(&placed(), &by_weight).1, [LineRefusal::WrongUnit]);
    let broken = changed(1, |offer| offer.price.per = 0);
    assert_eq!(outcome(&placed(), &broken).1, [LineRefusal::NotSold]);
}

#[test]
fn however_it_is_paid_an_order_is_decided_like_any_other_and_the_money_has_its_say_apart() {
    for payment in [Method::OnKhata, Method::Card, Method::Upi] {
        let otherwise = Placed { payment, ..placed() };
        let decision = decide(&otherwise, &BTreeSet::new(), &offers(), Judge::Program);
        assert_eq!(decision, decide(&placed(), &BTreeSet::new(), &offers(), Judge::Program));
    }
}

#[test]
fn an_order_of_which_nothing_is_left_is_declined_with_every_reason() {
    let decision = decide(&placed(), &BTreeSet::new(), &BTreeMap::new(), Judge::Program);
    let Decision::Decline(declined) = decision.clone() else { panic!("nothing is sold") };
    assert_eq!((declined.reason, declined.lines.len()), (DeclineReason::NothingLeft, 2));
    let order = step(begin(placed()).order(), at(1), &decision.into_body(ledger(), None));
    assert_eq!(order.map(|order| order.stage.label()), Ok("declined"));
    let unheard_of = Placed { payment: Method::Other(9), ..placed() };
    let decision = decide(&unheard_of, &BTreeSet::new(), &offers(), Judge::Program);
    let Decision::Decline(declined) = decision else { panic!("a later version knows it") };
    assert_eq!(declined.reason, DeclineReason::NoSuchPayment);
}

#[test]
fn what_is_not_counted_waits_for_a_person() {
    let uncounted = changed(1, |offer| (offer.counted, offer.available) = (false, 0));
    assert_eq!(decide(&placed(), &BTreeSet::new(), &uncounted, Judge::Program), Decision::Wait);
    let Decision::Accept { lines, .. } =
        decide(&placed(), &BTreeSet::new(), &uncounted, Judge::Person)
    else {
        panic!("the person saw it");
    };
    assert_eq!(lines.len(), 2);
    // Where the line cannot be granted anyway, nobody has to look.
    let dearer = changed(1, |offer| (offer.counted, offer.price.minor) = (false, 9_999));
    assert_eq!(outcome(&placed(), &dearer).0, [500]);
}

proptest! {
    #[test]
    fn p2_a_decision_grants_no_more_than_there_is_and_always_fits_the_order(
        lines in proptest::collection::vec((1_u8..5, 1_u64..400, 1_i64..200), 1..20),
        stock in proptest::collection::vec((0_u64..600, 1_i64..200), 4),
        partial_ok in any::<bool>(),
    ) {
        let wanted = |(n, amount, seen): &(u8, u64, i64)| -> WantedLine {
            super::wanted(*n, *amount, Unit::Gram, price(*seen, 10))
        };
        let placed =
            Placed { lines: lines.iter().map(wanted).collect(), partial_ok, ..placed() };
        let offers: BTreeMap<_, _> = stock
            .iter()
            .enumerate()
            .map(|(n, (there, now))| (variant(n as u8 + 1), offer(*now, 10, Unit::Gram, *there)))
            .collect();
        let decision = decide(&placed, &BTreeSet::new(), &offers, Judge::Program);
        if let Decision::Accept { lines: granted, refused } = &decision {
            prop_assert_eq!(granted.len() + refused.len(), lines.len());
            for (variant, offer) in &offers {
                let sum: u64 = granted
                    .iter()
                    .filter(|line| placed.lines[usize::from(line.line)].variant == *variant)
                    .map(|line| line.granted)
                    .sum();
                prop_assert!(sum <= offer.available);
            }
        }
        let body = decision.into_body(ledger(), None);
        prop_assert!(step(begin(placed).order(), at(1), &body).is_ok());
    }
}
