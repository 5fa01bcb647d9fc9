//! What a customer may still change, and what the shop then grants.

use kirana_core::order::{
    Order,
    axes::LineState,
    facts::Fee,
    placed::{Alteration, Invalid, NewAmount},
    step::{Misstep, step},
    totals::Totals,
};

use super::*;

fn asked() -> Alteration {
    Alteration {
        amounts: vec![NewAmount { line: 0, amount: 3 }, NewAmount { line: 1, amount: 0 }],
        added: vec![wanted(3, 4, Unit::Piece, price(1_000, 1))],
        ..Alteration::default()
    }
}

fn changed(asked: Alteration, lines: Vec<GrantedLine>, refused: Vec<u16>) -> Body {
    let why = LineRefusal::LeftOut;
    Body::Changed(Changed {
        lines,
        refused: refused.into_iter().map(|line| RefusedLine { line, why }).collect(),
        request: Some(Hash::of(b"a signed request")),
        ledger: ledger(),
        asked: Some(asked),
        fee: None,
    })
}

fn after(bodies: &[Body]) -> Order {
    let mut chain = begin(placed());
    follow(&mut chain, bodies);
    chain.order().clone()
}

#[test]
fn more_less_and_other_goods_are_granted_before_anything_is_packed() {
    let order = after(&[accepted(), body("packing")]);
    let lines = vec![granted(0, 3, price(2_950, 1)), granted(2, 4, price(1_000, 1))];
    let order = step(&order, at(5), &changed(asked(), lines, vec![1])).expect("it fits");
    let why = LineRefusal::LeftOut;
    assert_eq!(order.lines[0].state, LineState::Reserved { amount: 3 });
    assert_eq!(order.lines[1].state, LineState::Cancelled { why });
    assert_eq!(order.lines[2].state, LineState::Reserved { amount: 4 });
    assert_eq!(order.groups[0].lines, [0, 1, 2], "what is new is packed with the rest");
    assert_eq!(Totals::of(&order).expect("it fits").sum, rupees(3 * 2_950 + 4_000));
    assert!(!order.is_partly_granted() || order.lines[1].state.charged_amount().is_none());
}

#[test]
fn a_change_is_granted_whole_or_not_at_all() {
    let order = after(&[accepted()]);
    let milk = granted(0, 3, price(2_950, 1));
    let added = granted(2, 4, price(1_000, 1));
    let left = |lines, refused| step(&order, at(5), &changed(asked(), lines, refused));
    assert_eq!(left(vec![milk], vec![1]), Err(Misstep::LineLeft { line: 2 }));
    assert_eq!(left(vec![milk, added], vec![]), Err(Misstep::LineLeft { line: 1 }));
    assert_eq!(left(vec![added], vec![1]), Err(Misstep::LineLeft { line: 0 }));
    let more = GrantedLine { granted: 4, ..milk };
    assert_eq!(left(vec![more, added], vec![1]), Err(Misstep::GrantedBeyond { line: 0 }));
}

#[test]
fn what_is_packed_is_not_changed_any_more() {
    let order = after(&[accepted(), body("packing"), packed(&[])]);
    let lines = vec![granted(0, 3, price(2_950, 1)), granted(2, 4, price(1_000, 1))];
    let late = step(&order, at(5), &changed(asked(), lines, vec![1]));
    assert_eq!(late, Err(Misstep::NotNow { stage: "packed", step: "changed" }));
}

#[test]
fn before_the_decision_only_what_is_wanted_changes() {
    let order = after(&[body("received")]);
    let order = step(&order, at(5), &changed(asked(), vec![], vec![])).expect("it fits");
    assert_eq!(order.lines[0].wanted.quantity.amount(), 3);
    assert_eq!(order.cancelled().into_iter().collect::<Vec<_>>(), [1]);
    assert_eq!(order.lines[2].state, LineState::Ordered);
    assert_eq!(Totals::of(&order).expect("it fits").sum, rupees(3 * 2_950 + 4_000));
    let granted = vec![granted(0, 3, price(2_950, 1)), granted(2, 4, price(1_000, 1))];
    let accepted = Accepted { lines: granted, refused: vec![], ledger: ledger(), fee: None };
    step(&order, at(6), &Body::Accepted(accepted))
        .expect("the line that was taken out is answered");
}

#[test]
fn changes_that_make_no_order_are_refused() {
    let order = after(&[accepted()]);
    let of = |asked| step(&order, at(5), &changed(asked, vec![], vec![]));
    assert_eq!(of(Alteration::default()), Err(Misstep::Invalid(Invalid::NothingChanges)));
    let twice = vec![NewAmount { line: 0, amount: 1 }; 2];
    let twice = Alteration { amounts: twice, ..Alteration::default() };
    assert_eq!(of(twice), Err(Misstep::Invalid(Invalid::NoSuchLine(0))));
    for amount in [Quantity::MAX + 1, u64::MAX] {
        let amounts = vec![NewAmount { line: 0, amount }];
        let huge = Alteration { amounts, ..Alteration::default() };
        assert_eq!(of(huge), Err(Misstep::Invalid(Invalid::NoSuchLine(0))));
    }
    let many = vec![wanted(3, 1, Unit::Piece, price(1, 1)); 199];
    let many = Alteration { added: many, ..Alteration::default() };
    assert_eq!(of(many), Err(Misstep::Invalid(Invalid::TooManyLines(201))));
}

#[test]
fn bringing_an_order_costs_no_more_than_was_signed_and_is_part_of_the_sum() {
    let fee = |minor| Fee { amount: rupees(minor), tax_bp: 1_800 };
    let accepted = |fee| {
        let lines = vec![granted(0, 2, price(2_950, 1)), granted(1, 500, price(4_500, 1_000))];
        Body::Accepted(Accepted { lines, refused: vec![], ledger: ledger(), fee })
    };
    let chain = begin(Placed { fee: Some(rupees(3_000)), ..placed() });
    let estimate = Totals::of(chain.order()).expect("it fits");
    assert_eq!((estimate.fee, estimate.sum), (Some(rupees(3_000)), rupees(8_150 + 3_000)));
    let order = step(chain.order(), at(1), &accepted(Some(fee(2_500)))).expect("it fits");
    let totals = Totals::of(&order).expect("it fits");
    assert_eq!((totals.fee, totals.sum), (Some(rupees(2_500)), rupees(8_150 + 2_500)));
    let gross: i64 = totals.taxes.iter().map(|rate| rate.gross.minor).sum();
    assert_eq!(gross, totals.sum.minor, "the tax inside the fee is told too");
    let dearer = step(chain.order(), at(1), &accepted(Some(fee(3_001))));
    assert_eq!(dearer, Err(Misstep::FeeTooHigh));
    let unsigned = step(begin(placed()).order(), at(1), &accepted(Some(fee(1))));
    assert_eq!(unsigned, Err(Misstep::FeeTooHigh));
    let cancelled = step(&order, at(2), &body("cancelled")).expect("it fits");
    assert_eq!(Totals::of(&cancelled).expect("it fits").sum, rupees(0));
}

#[test]
fn what_is_wanted_after_it_was_paid_can_be_paid_too() {
    let order = after(&[accepted(), paid(8_150)]);
    let added = vec![wanted(3, 1, Unit::Piece, price(1_000, 1))];
    let asked = Alteration { added, ..Alteration::default() };
    let lines = vec![granted(2, 1, price(1_000, 1))];
    let order = step(&order, at(5), &changed(asked, lines, vec![])).expect("it is granted");
    assert_eq!(Totals::of(&order).expect("it fits").due, rupees(1_000));
    let more = step(&order, at(6), &paid(1_001));
    assert!(matches!(more, Err(Misstep::PaidBeyond { .. })), "{more:?}");
    let order = step(&order, at(6), &paid(1_000)).expect("the rest");
    assert_eq!(Totals::of(&order).expect("it fits").due, rupees(0));
    let order = step(&order, at(7), &refunded(500)).expect("some goes back");
    let order = step(&order, at(8), &paid(500)).expect("and is paid again");
    assert_eq!(Totals::of(&order).expect("it fits").due, rupees(0));
}

#[test]
fn what_was_taken_out_before_the_decision_may_be_wanted_again() {
    let order = after(&[body("received")]);
    let of = |amount| {
        let amounts = vec![NewAmount { line: 1, amount }];
        changed(Alteration { amounts, ..Alteration::default() }, vec![], vec![])
    };
    let order = step(&order, at(5), &of(0)).expect("it is taken out");
    let order = step(&order, at(6), &of(250)).expect("it is wanted again");
    assert_eq!(order.lines[1].state, LineState::Ordered);
    assert_eq!(order.lines[1].wanted.quantity.amount(), 250);
}
