//! Something else in place of what was ordered, and who may say so.

use kirana_core::order::{
    axes::{Fulfilment, LineState},
    placed::{Substitution, WantedLine},
    step::Misstep,
    totals::Totals,
};

use super::*;

fn packing(substitution: Substitution, substitutes: Vec<VariantId>) -> Chain {
    let mut placed = placed();
    placed.lines[0] = WantedLine { substitution, substitutes, ..placed.lines[0].clone() };
    let mut chain = begin(placed);
    follow(&mut chain, &[accepted(), body("packing")]);
    chain
}

fn refused(chain: &Chain, minute: u64, body: &Body) -> Misstep {
    kirana_core::order::step::step(chain.order(), at(minute), body).expect_err("refused")
}

fn substituted(replacement: Replacement) -> Body {
    Body::Substituted(Substituted { lines: vec![replacement], ledger: ledger() })
}

fn answered(taken: Vec<u16>, request: Option<Hash>) -> Body {
    Body::Answered(Answered { group: 0, taken, request, ledger: ledger() })
}

#[test]
fn what_a_customer_allowed_comes_in_the_place_of_a_line_and_is_charged() {
    let allowed =
        [(Substitution::Similar, vec![]), (Substitution::Listed, vec![variant(3), variant(7)])];
    for (substitution, substitutes) in allowed {
        let mut chain = packing(substitution, substitutes);
        follow(&mut chain, &[substituted(instead(0, 2, 2_900)), packed(&[])]);
        let line = &chain.order().lines[0];
        assert_eq!(line.variant(), variant(7));
        assert_eq!(line.state, LineState::Reserved { amount: 2 });
        assert_eq!(Totals::of(chain.order()).expect("it fits").sum, rupees(2 * 2_900 + 2_250));
    }
}

#[test]
fn nothing_comes_in_the_place_of_a_line_that_the_customer_did_not_allow() {
    let not_allowed = [
        (Substitution::LeaveOut, vec![variant(7)]),
        (Substitution::Ask, vec![variant(7)]),
        (Substitution::Listed, vec![variant(3)]),
    ];
    for (substitution, substitutes) in not_allowed {
        let chain = packing(substitution, substitutes);
        let why = refused(&chain, 5, &substituted(instead(0, 2, 2_900)));
        assert_eq!(why, Misstep::NotAllowedInstead { line: 0 });
    }
    let chain = packing(Substitution::Similar, vec![]);
    let dearer = refused(&chain, 5, &substituted(instead(0, 2, 2_951)));
    assert_eq!(dearer, Misstep::NotAllowedInstead { line: 0 });
    let twice = Body::Substituted(Substituted {
        lines: vec![instead(0, 1, 100), instead(0, 1, 100)],
        ledger: ledger(),
    });
    assert_eq!(refused(&chain, 5, &twice), Misstep::LineTwice { line: 0 });
}

#[test]
fn a_question_holds_the_packing_up_until_the_customer_has_answered() {
    let mut chain = packing(Substitution::Ask, vec![]);
    follow(&mut chain, &[question(at(60))]);
    let order = chain.order();
    assert_eq!(order.groups[0].stage, Fulfilment::AwaitingAnswer { deadline: at(60) });
    assert_eq!(order.lines[0].state, LineState::Proposed { reserved: 2 });
    assert_eq!(Totals::of(order).expect("it fits").sum, rupees(2_250), "nothing is charged yet");
    assert!(matches!(refused(&chain, 5, &packed(&[])), Misstep::NotNow { .. }));
    let request = Some(Hash::of(b"a signed answer"));

    // The customer may agree to more than was signed before.
    let mut taken = chain.clone();
    follow(&mut taken, &[answered(vec![0], request), packed(&[])]);
    assert_eq!(Totals::of(taken.order()).expect("it fits").sum, rupees(2 * 3_100 + 2_250));

    follow(&mut chain, &[answered(vec![], request), packed(&[])]);
    let why = LineRefusal::NoSubstitute;
    assert_eq!(chain.order().lines[0].state, LineState::Cancelled { why });
    assert_eq!(chain.order().lines[0].substitute, None);
}

#[test]
fn without_an_answer_in_time_only_what_was_allowed_beforehand_comes() {
    let mut chain = packing(Substitution::Ask, vec![]);
    follow(&mut chain, &[question(at(60))]);
    assert_eq!(refused(&chain, 59, &answered(vec![], None)), Misstep::TooEarly);
    let why = refused(&chain, 60, &answered(vec![0], None));
    assert_eq!(why, Misstep::NotAllowedInstead { line: 0 });
    chain.append(1, at(60), &answered(vec![], None), &node_key(1)).expect("the time is over");
    assert_eq!(chain.order().groups[0].stage, Fulfilment::Packing { since: at(60) });
}

#[test]
fn an_answer_names_only_lines_that_were_asked_about() {
    let mut chain = packing(Substitution::Ask, vec![]);
    let early = refused(&chain, 5, &answered(vec![0], None));
    assert!(matches!(early, Misstep::NotNow { .. }), "nobody asked");
    follow(&mut chain, &[question(at(60))]);
    let request = Some(Hash::of(b"a signed answer"));
    let other = refused(&chain, 5, &answered(vec![0, 1], request));
    assert_eq!(other, Misstep::NoSuchLine { line: 1 });
}

#[test]
fn p2_what_a_shortage_took_of_a_proposal_is_not_promised_by_the_answer() {
    let asked = || {
        let mut chain = packing(Substitution::Similar, vec![]);
        follow(&mut chain, &[question(at(60))]);
        chain
    };
    let request = Some(Hash::of(b"a signed answer"));
    let mut gone = asked();
    assert_eq!(gone.order().held_variant(0), Some(variant(7)));
    follow(&mut gone, &[shortage(0, 0), answered(vec![0], request)]);
    let why = LineRefusal::Shortage;
    assert_eq!(gone.order().lines[0].state, LineState::Cancelled { why });
    assert_eq!(gone.order().reserved().map(|(line, _)| line).collect::<Vec<_>>(), [1]);

    let mut less = asked();
    follow(&mut less, &[shortage(0, 1)]);
    assert_eq!(less.order().lines[0].state, LineState::Proposed { reserved: 1 });
    follow(&mut less, &[answered(vec![0], request)]);
    assert_eq!(less.order().lines[0].state, LineState::Reserved { amount: 1 });
}
