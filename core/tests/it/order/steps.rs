//! Every stage with every step, and what the lines and sums come to.

use kirana_core::order::{
    Order,
    axes::{LineState, Payment, Stage},
    placed::{Handover, Placed},
    step::{Misstep, step},
    totals::Totals,
};
use proptest::prelude::*;
use std::fmt::Write;

use super::*;

fn after(mut chain: Chain, bodies: &[Body]) -> Order {
    follow(&mut chain, bodies);
    chain.order().clone()
}

/// One order for each place that an order can stand at.
fn stages() -> Vec<(&'static str, Order)> {
    let delivery = |labels: &[&str]| {
        let bodies: Vec<_> = labels.iter().map(|label| body(label)).collect();
        after(begin(placed()), &bodies)
    };
    let pickup = |labels: &[&str]| {
        let bodies: Vec<_> = labels.iter().map(|label| body(label)).collect();
        after(begin(Placed { handover: Handover::Pickup { slot: None }, ..placed() }), &bodies)
    };
    let out = ["accepted", "packing", "packed", "out_for_delivery"];
    let failed = [&out[..], &["delivery_failed"]].concat();
    let ready = ["accepted", "packing", "packed", "ready_for_pickup"];
    let delivered = [&out[..], &["delivered"]].concat();
    let held = ["accepted", "card_asked", "authorised"];
    let settled = [
        accepted(),
        body("packing"),
        packed(&[]),
        body("out_for_delivery"),
        body("delivered"),
        paid(8_150),
    ];
    let completed = [&settled[..], &[body("completed")]].concat();
    vec![
        ("placed", delivery(&[])),
        ("received", delivery(&["received"])),
        ("accepted, pending", delivery(&["accepted"])),
        ("accepted, packing", delivery(&["accepted", "packing"])),
        ("accepted, packed", delivery(&["accepted", "packing", "packed"])),
        ("accepted, packed for pickup", pickup(&["accepted", "packing", "packed"])),
        ("accepted, ready", pickup(&ready)),
        ("accepted, collected", pickup(&[&ready[..], &["collected"]].concat())),
        ("accepted, on its way", delivery(&out)),
        ("accepted, failed", delivery(&failed)),
        ("accepted, returned", delivery(&[&failed[..], &["returned_to_shop"]].concat())),
        ("accepted, delivered", delivery(&delivered)),
        ("accepted, delivered and paid", after(begin(placed()), &settled)),
        (
            "accepted, delivered and on khata",
            after(begin(placed()), &[&settled[..5], &[on_khata(8_150)]].concat()),
        ),
        ("accepted, asked for a card", delivery(&["accepted", "card_asked"])),
        ("accepted, card failed", delivery(&["accepted", "card_asked", "card_failed"])),
        ("accepted, authorised", delivery(&held)),
        ("accepted, voided", delivery(&[&held[..], &["voided"]].concat())),
        (
            "accepted, delivered and authorised",
            delivery(&[&held[..], &out[1..], &["delivered"]].concat()),
        ),
        (
            "accepted, delivered and captured",
            delivery(&[&held[..], &out[1..], &["delivered", "captured"]].concat()),
        ),
        ("cancelled when authorised", delivery(&[&held[..], &["cancelled"]].concat())),
        ("declined", delivery(&["declined"])),
        ("withdrawn", delivery(&["withdrawn"])),
        ("expired", delivery(&["expired"])),
        ("cancelled", delivery(&["accepted", "cancelled"])),
        ("cancelled when paid", delivery(&["accepted", "paid", "cancelled"])),
        ("completed", after(begin(placed()), &completed)),
    ]
}

fn standing(order: &Order) -> String {
    let groups: Vec<_> = order.groups.iter().map(|group| group.stage.label()).collect();
    let (stage, payment) = (order.stage.label(), order.payment.label());
    format!("{stage} [{}] {payment}", groups.join(" "))
}

#[test]
fn every_stage_with_every_step_is_as_reviewed() {
    let mut table = String::new();
    for (name, order) in stages() {
        writeln!(table, "{name}: {}", standing(&order)).expect("memory");
        let mut refused = Vec::new();
        for body in bodies() {
            match step(&order, at(30), &body) {
                Ok(next) => {
                    let line = format!("  {:17} -> {}", body.label(), standing(&next));
                    writeln!(table, "{line}").expect("memory");
                }
                Err(Misstep::NotNow { .. }) => refused.push(body.label()),
                Err(other) => writeln!(table, "  {:17} !! {other}", body.label()).expect("memory"),
            }
        }
        writeln!(table, "  not now: {}", refused.join(" ")).expect("memory");
    }
    expect_test::expect_file!["steps.txt"].assert_eq(&table);
}

#[test]
fn what_stands_in_a_khata_is_owed_there_and_what_comes_back_is_taken_off_it() {
    let out = [body("packing"), packed(&[]), body("out_for_delivery"), body("delivered")];
    let bodies = [&[accepted()][..], &out].concat();
    let order = after(begin(placed()), &bodies);
    let due = |order: &Order| Totals::of(order).expect("it fits").due;
    let step = |order: &Order, body: &Body| step(order, at(30), body);
    // A part is paid in the hand, the rest goes into the book.
    let order = step(&order, &paid(3_000)).expect("a part is paid");
    let too_much = step(&order, &on_khata(5_151));
    assert_eq!(too_much, Err(Misstep::PaidBeyond { sum: rupees(8_150) }));
    let order = step(&order, &on_khata(5_150)).expect("the rest is written down");
    assert_eq!(due(&order), rupees(0));
    let (owed, paid, refunded) = (rupees(5_150), rupees(3_000), rupees(0));
    assert_eq!(order.payment, Payment::OnKhata { owed, paid, refunded });
    let order = step(&order, &body("completed")).expect("it is settled");
    // One pack comes back: first what stands in the book is taken off.
    let order = step(&order, &given_back(0, 1)).expect("it comes back");
    assert_eq!(due(&order), rupees(-2_950));
    let back = |minor, means| Body::Refunded(Refunded { amount: rupees(minor), means });
    assert!(step(&order, &back(5_151, Means::Khata)).is_err(), "more than stands there");
    assert!(step(&order, &back(3_001, Means::Cash)).is_err(), "more than was paid in the hand");
    let order = step(&order, &back(2_950, Means::Khata)).expect("it is taken off");
    assert_eq!(due(&order), rupees(0));
    assert_eq!(Totals::of(&order).expect("it fits").on_khata, rupees(2_200));
}

#[test]
fn a_step_that_is_refused_changes_nothing_and_says_why() {
    let order = begin(placed()).order().clone();
    let refused = step(&order, at(1), &body("delivered"));
    assert_eq!(refused, Err(Misstep::NotNow { stage: "placed", step: "delivered" }));
    let said = refused.expect_err("refused").to_string();
    assert_eq!(said, "an order that is \"placed\" cannot become \"delivered\"");
}

#[test]
fn a_shop_cannot_grant_what_the_customer_did_not_sign() {
    let accept = |lines: Vec<GrantedLine>, refused: Vec<RefusedLine>| {
        let body = Body::Accepted(Accepted { lines, refused, ledger: ledger(), fee: None });
        step(begin(placed()).order(), at(1), &body).map(|order| order.stage.label())
    };
    let (milk, onions) = (granted(0, 2, price(2_950, 1)), granted(1, 500, price(4_500, 1_000)));
    let without = |line| RefusedLine { line, why: LineRefusal::NotEnough };
    assert_eq!(accept(vec![milk, onions], vec![]), Ok("accepted"));
    assert_eq!(accept(vec![milk], vec![without(1)]), Ok("accepted"));
    assert_eq!(accept(vec![milk], vec![]), Err(Misstep::LineLeft { line: 1 }));
    assert_eq!(accept(vec![milk, milk], vec![]), Err(Misstep::LineTwice { line: 0 }));
    let twice = accept(vec![milk, onions], vec![without(1)]);
    assert_eq!(twice, Err(Misstep::LineTwice { line: 1 }));
    assert_eq!(accept(vec![], vec![without(0), without(1)]), Err(Misstep::NothingGranted));
    let elsewhere = granted(2, 1, price(1, 1));
    let unknown = accept(vec![milk, onions, elsewhere], vec![]);
    assert_eq!(unknown, Err(Misstep::NoSuchLine { line: 2 }));
    let dearer = granted(0, 2, price(2_951, 1));
    assert_eq!(accept(vec![dearer, onions], vec![]), Err(Misstep::PriceTooHigh { line: 0 }));
    let more = granted(0, 3, price(2_950, 1));
    assert_eq!(accept(vec![more, onions], vec![]), Err(Misstep::GrantedBeyond { line: 0 }));
    let part = granted(0, 1, price(2_950, 1));
    assert_eq!(accept(vec![part, onions], vec![]), Err(Misstep::GrantedInPart { line: 0 }));
}

#[test]
fn loose_goods_cost_what_the_scales_say_within_the_tolerance() {
    let weigh = |amount| {
        let order = after(begin(placed()), &[accepted(), body("packing")]);
        step(&order, at(9), &packed(&[(1, amount)]))
    };
    let sum = |order: &Order| Totals::of(order).expect("it fits").sum;
    assert_eq!(weigh(550).map(|o| sum(&o)), Ok(rupees(5_900 + 2_475)));
    assert_eq!(weigh(450).map(|o| sum(&o)), Ok(rupees(5_900 + 2_025)));
    for amount in [0, 449, 551] {
        assert_eq!(weigh(amount).err(), Some(Misstep::WeightOff { line: 1 }));
    }
    let order = after(begin(placed()), &[accepted(), body("packing")]);
    let milk = step(&order, at(9), &packed(&[(0, 2)]));
    assert_eq!(milk.err(), Some(Misstep::LineNotHeld { line: 0 }));
}

#[test]
fn p2_a_shortage_takes_only_what_has_not_left_the_shop() {
    let pending = after(begin(placed()), &[accepted()]);
    let short = step(&pending, at(9), &shortage(1, 0)).expect("it fits");
    let why = LineRefusal::Shortage;
    assert_eq!(short.lines[1].state, LineState::Cancelled { why });
    assert_eq!(short.holds().collect::<Vec<_>>(), [(0, 2)]);
    assert_eq!(Totals::of(&short).expect("it fits").sum, rupees(5_900));
    assert!(short.is_partly_granted());
    let gone = after(
        begin(placed()),
        &[accepted(), body("packing"), body("packed"), body("out_for_delivery")],
    );
    assert_eq!(gone.holds().count(), 0);
    assert_eq!(gone.reserved().collect::<Vec<_>>(), [(0, 2), (1, 500)]);
    let refused = step(&gone, at(9), &shortage(1, 0));
    assert_eq!(refused.err(), Some(Misstep::LineNotHeld { line: 1 }));
    let more = step(&pending, at(9), &shortage(1, 500));
    assert_eq!(more.err(), Some(Misstep::GrantedBeyond { line: 1 }));
}

#[test]
fn lines_can_be_packed_apart_and_handed_over_in_two_groups() {
    let only_milk = Body::Packing(Packing { group: 0, lines: vec![0] });
    let order = after(begin(placed()), &[accepted(), only_milk]);
    assert_eq!(standing(&order), "accepted [pending packing] on_delivery");
    let (first, second) = (OfGroup { group: 0 }, OfGroup { group: 1 });
    let handed = |group| HandedOver { group, proof: None };
    let order = after(
        begin(placed()),
        &[
            accepted(),
            Body::Packing(Packing { group: 0, lines: vec![0] }),
            Body::Packed(Packed { group: 1, weighed: vec![] }),
            Body::OutForDelivery(second),
            Body::Delivered(handed(1)),
            paid(5_900),
        ],
    );
    assert_eq!(step(&order, at(9), &body("completed")).err(), Some(Misstep::NotHandedOver));
    let bodies =
        [body("packing"), packed(&[]), Body::OutForDelivery(first), Body::Delivered(handed(0))];
    let order = bodies.iter().fold(order, |order, body| step(&order, at(9), body).expect("fits"));
    let due = rupees(2_250);
    assert_eq!(step(&order, at(9), &body("completed")).err(), Some(Misstep::NotSettled { due }));
    let order = step(&order, at(9), &paid(2_250)).expect("fits");
    let order = step(&order, at(9), &body("completed")).expect("fits");
    assert!(matches!(order.stage, Stage::Completed { .. }));
    assert!(order.lines.iter().all(|l| matches!(l.state, LineState::HandedOver { .. })));
    let elsewhere = Body::Delivered(handed(7));
    let pending = after(begin(placed()), &[accepted()]);
    assert_eq!(step(&pending, at(9), &elsewhere).err(), Some(Misstep::NoSuchGroup(7)));
}

#[test]
fn nobody_pays_more_than_the_sum_or_gets_back_more_than_was_paid() {
    let order = after(begin(placed()), &[accepted(), paid(8_000)]);
    assert_eq!(order.payment, Payment::PartlyPaid { paid: rupees(8_000) });
    let beyond = Misstep::PaidBeyond { sum: rupees(8_150) };
    assert_eq!(step(&order, at(9), &paid(151)).err(), Some(beyond));
    assert_eq!(step(&order, at(9), &paid(0)).err(), Some(Misstep::NoMoney));
    assert_eq!(step(&order, at(9), &paid(-5)).err(), Some(Misstep::NoMoney));
    let order = step(&order, at(9), &paid(150)).expect("fits");
    assert_eq!(order.payment, Payment::Paid { paid: rupees(8_150) });
    let order = step(&order, at(9), &refunded(150)).expect("fits");
    assert_eq!(Totals::of(&order).expect("fits").due, rupees(150));
    let beyond = Misstep::RefundedBeyond { paid: rupees(8_150) };
    assert_eq!(step(&order, at(9), &refunded(8_001)).err(), Some(beyond));
    let order = step(&order, at(9), &refunded(8_000)).expect("fits");
    assert_eq!(order.payment, Payment::Refunded { paid: rupees(8_150) });
}

#[test]
fn a_failed_delivery_is_tried_again_and_counted() {
    let out = body("out_for_delivery");
    let failed = body("delivery_failed");
    let order = after(
        begin(placed()),
        &[accepted(), body("packing"), packed(&[]), out.clone(), failed.clone(), out, failed],
    );
    let json = serde_json::to_value(&order.groups[0]).expect("memory");
    assert_eq!(json["attempt"], 2);
    assert_eq!(json["reason"], "nobody_there");
}

proptest! {
    #[test]
    fn sums_of_lines_taxes_and_payments_always_agree(
        lines in proptest::collection::vec((1_u64..5_000, 0_i64..1_000_000, 1_u64..1_001, 0_u32..2_900), 1..30),
        share in 0_u64..=100,
    ) {
        let placed = Placed {
            lines: lines.iter().map(|(amount, minor, per, _)| wanted(1, *amount, Unit::Gram, price(*minor, *per))).collect(),
            ..placed()
        };
        let chain = begin(placed);
        let estimate = Totals::of(chain.order()).expect("it fits");
        let grant = lines.iter().enumerate().map(|(index, (amount, minor, per, tax_bp))| GrantedLine {
            line: index as u16, granted: *amount, price: price(*minor, *per), tax_bp: *tax_bp,
        });
        let body = Body::Accepted(Accepted { lines: grant.collect(), refused: vec![], ledger: ledger(), fee: None });
        let order = step(chain.order(), at(1), &body).expect("it fits");
        let totals = Totals::of(&order).expect("it fits");
        let by_line: i64 = totals.lines.iter().map(|line| line.sum.minor).sum();
        let by_rate: i64 = totals.taxes.iter().map(|rate| rate.gross.minor).sum();
        prop_assert_eq!((by_line, by_rate), (totals.sum.minor, totals.sum.minor));
        prop_assert_eq!(estimate.sum, totals.sum);
        prop_assert!(estimate.estimated && !totals.estimated);
        for rate in &totals.taxes {
            prop_assert!(rate.tax.minor >= 0 && rate.tax.minor <= rate.gross.minor);
        }
        let part = totals.sum.minor * share as i64 / 100;
        if part > 0 {
            let order = step(&order, at(2), &paid(part)).expect("it fits");
            let after = Totals::of(&order).expect("it fits");
            prop_assert_eq!(after.due.minor, totals.sum.minor - part);
        }
    }
}
