//! What happens after goods changed hands: returns, refunds, complaints.

use kirana_core::order::{
    Order,
    axes::{Complaint, LineState},
    step::{Misstep, step},
    totals::Totals,
};
use proptest::prelude::*;

use super::*;

fn delivered() -> Chain {
    let mut chain = begin(placed());
    let way = [accepted(), body("packing"), packed(&[(1, 510)]), body("out_for_delivery")];
    follow(&mut chain, &way);
    follow(&mut chain, &[body("delivered")]);
    chain
}

fn completed() -> Chain {
    let mut chain = delivered();
    let sum = Totals::of(chain.order()).expect("it fits").sum;
    follow(&mut chain, &[paid(sum.minor), body("completed")]);
    chain
}

fn due(order: &Order) -> i64 {
    Totals::of(order).expect("it fits").due.minor
}

#[test]
fn what_comes_back_is_not_charged_and_its_money_can_go_back() {
    let order = completed().order().clone();
    let order = step(&order, at(9), &given_back(0, 1)).expect("one pack");
    assert_eq!(order.lines[0].state, LineState::HandedOver { reserved: 2, amount: 2, back: 1 });
    assert_eq!(due(&order), -2_950);
    let order = step(&order, at(10), &refunded(2_950)).expect("the money goes back");
    assert_eq!(due(&order), 0);
    let order = step(&order, at(11), &given_back(0, 1)).expect("the other pack");
    assert_eq!(due(&order), -2_950);
    let more = step(&order, at(12), &given_back(0, 1));
    assert_eq!(more, Err(Misstep::GrantedBeyond { line: 0 }));
    let nothing = step(&order, at(12), &given_back(1, 0));
    assert_eq!(nothing, Err(Misstep::GrantedBeyond { line: 1 }));
}

#[test]
fn what_was_not_handed_over_cannot_come_back() {
    let mut chain = begin(placed());
    follow(&mut chain, &[accepted()]);
    let early = step(chain.order(), at(9), &given_back(0, 1));
    assert_eq!(early, Err(Misstep::LineNotHeld { line: 0 }));
    let none = step(delivered().order(), at(9), &given_back(9, 1));
    assert_eq!(none, Err(Misstep::NoSuchLine { line: 9 }));
}

fn says(label: &str) -> Body {
    body(label)
}

fn settled(by: Side, settlement: Settlement, request: Option<Hash>) -> Body {
    Body::ComplaintSettled(ComplaintSettled { settlement, by, request, message: None })
}

#[test]
fn a_complaint_is_answered_and_ends_with_the_offer_that_the_customer_accepts() {
    let mut chain = completed();
    follow(&mut chain, &[says("complaint_opened"), says("complaint_answered")]);
    let order = chain.order();
    let request = Some(Hash::of(b"a signed request"));
    let other = Settlement { remedy: Remedy::ClearedUp, amount: None };
    for (settlement, request) in [(other, request), (offer(), None)] {
        let wrong = step(order, at(9), &settled(Side::Customer, settlement, request));
        assert!(matches!(wrong, Err(Misstep::NotNow { .. })), "{settlement:?}");
    }
    let order = step(order, at(9), &settled(Side::Customer, offer(), request)).expect("accepted");
    let (at, settlement) = (at(9), offer());
    assert_eq!(order.complaint, Complaint::Settled { at, settlement, by: Side::Customer });
    assert!(step(&order, at, &says("complaint_escalated")).is_err(), "it is over");
    step(&order, at, &says("complaint_opened")).expect("about something else");
}

#[test]
fn a_complaint_goes_to_the_hub_only_when_the_shop_had_its_time_or_said_its_word() {
    let mut chain = completed();
    follow(&mut chain, &[says("complaint_opened")]);
    let early = step(chain.order(), at(119), &says("complaint_escalated"));
    assert_eq!(early, Err(Misstep::TooEarly));
    step(chain.order(), at(120), &says("complaint_escalated")).expect("nobody answered");
    let rejected = Settlement { remedy: Remedy::Rejected, amount: None };
    let order = step(chain.order(), at(20), &settled(Side::Shop, rejected, None));
    let order = order.expect("the shop's word");
    let order = step(&order, at(21), &says("complaint_escalated")).expect("not the last word");
    assert_eq!(order.complaint, Complaint::Escalated { at: at(21) });
    assert!(order.complaint.is_open());
    let order = step(&order, at(22), &says("complaint_answered")).expect("the shop may still");
    assert!(matches!(order.complaint, Complaint::Answered { .. }));
}

#[test]
fn nobody_complains_about_an_order_that_was_not_decided() {
    let early = step(begin(placed()).order(), at(1), &says("complaint_opened"));
    assert!(matches!(early, Err(Misstep::NotNow { .. })));
    let nothing = step(completed().order(), at(9), &says("complaint_answered"));
    assert!(matches!(nothing, Err(Misstep::NotNow { .. })));
}

#[test]
fn what_was_taken_off_the_sum_stays_off_whatever_is_said_later() {
    let mut chain = completed();
    let opened = [says("complaint_opened"), settled(Side::Shop, offer(), None)];
    follow(&mut chain, &opened);
    let sum = Totals::of(chain.order()).expect("it fits").sum;
    follow(&mut chain, &[refunded(2_250)]);
    assert_eq!(due(chain.order()), 0);
    for again in ["complaint_escalated", "complaint_answered"] {
        follow(&mut chain, &[says(again)]);
        assert_eq!((Totals::of(chain.order()).expect("it fits").sum, due(chain.order())), (sum, 0));
    }
    follow(&mut chain, &[settled(Side::Shop, offer(), None)]);
    assert_eq!(due(chain.order()), -2_250, "a second time is taken off beside the first");
}

proptest! {
    #[test]
    fn whatever_comes_back_the_sums_agree_and_no_more_money_goes_back_than_came_in(
        steps in proptest::collection::vec((0_u16..2, 1_u64..300, 1_i64..4_000), 0..12),
    ) {
        let mut order = completed().order().clone();
        let paid_in = Totals::of(&order).expect("it fits").paid.minor;
        for (line, amount, minor) in steps {
            order = step(&order, at(9), &given_back(line, amount)).unwrap_or(order);
            order = step(&order, at(9), &refunded(minor)).unwrap_or(order);
            let totals = Totals::of(&order).expect("it fits");
            let by_line: i64 = totals.lines.iter().map(|line| line.sum.minor).sum();
            prop_assert_eq!(by_line, totals.sum.minor);
            prop_assert!(totals.refunded.minor <= paid_in);
            prop_assert_eq!(totals.due.minor, totals.sum.minor - paid_in + totals.refunded.minor);
        }
    }
}
