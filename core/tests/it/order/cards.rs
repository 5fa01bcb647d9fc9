//! A payment by card: asked for, held, taken at the final weight, let go, given back; money moves once.

use kirana_core::{
    khata::exposure,
    order::{
        Order,
        axes::{Payment, Stage},
        entry::{BodyError, Kind},
        facts::{PAGE_BYTES_MAX, PROVIDER_TEXT_BYTES_MAX},
        step::{Misstep, step},
        totals::Totals,
    },
};
use proptest::prelude::*;

use super::*;

fn by_card() -> Chain {
    begin(Placed { payment: Method::Card, handover: Handover::Pickup { slot: None }, ..placed() })
}

/// Packed with so many grams of onions, fetched, and what was asked for is held.
fn fetched(grams: u64) -> Chain {
    let mut chain = by_card();
    let out = [
        accepted(),
        Body::CardAsked(card_asked(1, 8_375)),
        authorised(1, 8_375),
        body("packing"),
        packed(&[(1, grams)]),
        body("ready_for_pickup"),
        body("collected"),
    ];
    follow(&mut chain, &out);
    chain
}

fn due(order: &Order) -> i64 {
    Totals::of(order).expect("it fits").due.minor
}

#[test]
fn the_heaviest_is_held_the_real_weight_is_taken_and_a_part_goes_back() {
    let mut chain = by_card();
    follow(&mut chain, &[accepted()]);
    assert_eq!(chain.order().payment, Payment::Due);
    assert_eq!(exposure(chain.order()), Ok(rupees(8_375)), "550 g is the heaviest");
    let chain = fetched(480);
    let order = chain.order();
    assert!(matches!(order.payment, Payment::Authorised { .. }));
    assert_eq!(due(order), 8_060, "nothing came in yet");
    assert!(matches!(step(order, at(30), &body("completed")), Err(Misstep::NotSettled { .. })));
    let order = step(order, at(30), &captured(1, 8_060)).expect("it is taken");
    assert_eq!((order.payment, due(&order)), (Payment::Captured { paid: rupees(8_060) }, 0));
    let order = step(&order, at(31), &body("completed")).expect("it is paid");
    let back = |minor| Body::Refunded(Refunded { amount: rupees(minor), means: Means::Card });
    let order = step(&order, at(32), &back(1_000)).expect("a part goes back");
    assert_eq!(order.payment.label(), "partly_refunded");
    assert!(step(&order, at(33), &back(7_061)).is_err(), "more than came in");
    let order = step(&order, at(33), &back(7_060)).expect("the rest goes back");
    assert_eq!(order.payment.label(), "refunded");
}

#[test]
fn nobody_takes_money_twice() {
    let order = fetched(500).order().clone();
    // While it is held, cash is refused: first it is let go.
    assert!(matches!(step(&order, at(30), &paid(8_150)), Err(Misstep::NotNow { .. })));
    assert!(matches!(step(&order, at(30), &on_khata(8_150)), Err(Misstep::NotNow { .. })));
    let taken = step(&order, at(30), &captured(1, 8_150)).expect("it is taken");
    for again in [captured(1, 8_150), authorised(1, 8_150), paid(1), voided(VoidReason::Expired)] {
        assert!(step(&taken, at(31), &again).is_err(), "{again:?}");
    }
    let free = step(&order, at(30), &voided(VoidReason::PaidOtherwise)).expect("it is let go");
    let cash = step(&free, at(31), &paid(8_150)).expect("in cash");
    assert!(step(&cash, at(32), &captured(1, 8_150)).is_err());
    assert!(step(&cash, at(32), &authorised(1, 8_150)).is_err());
}

#[test]
fn only_what_was_asked_for_is_held_and_taken() {
    let mut chain = by_card();
    follow(&mut chain, &[accepted()]);
    let order = chain.order();
    assert_eq!(step(order, at(5), &authorised(1, 8_375)), Err(Misstep::NotAsked));
    let order = step(order, at(5), &Body::CardAsked(card_asked(1, 8_375))).expect("asked");
    let beyond = Misstep::PaidBeyond { sum: rupees(8_375) };
    assert_eq!(step(&order, at(6), &authorised(1, 8_376)), Err(beyond));
    assert_eq!(step(&order, at(6), &authorised(2, 8_375)), Err(Misstep::NotAsked));
    assert_eq!(step(&order, at(6), &authorised(1, 0)), Err(Misstep::NoMoney));
    assert!(step(&order, at(6), &Body::CardAsked(card_asked(1, 8_375))).is_err(), "a new number");
    let failed = step(&order, at(6), &card_failed(1)).expect("the bank says no");
    assert_eq!(failed.payment.label(), "failed");
    let cash = step(&failed, at(7), &paid(8_150)).expect("it is paid otherwise");
    assert_eq!(due(&cash), 0);
    let again = step(&failed, at(7), &Body::CardAsked(card_asked(2, 8_375))).expect("once more");
    assert_eq!(again.payment, Payment::Due);
    assert!(step(&again, at(8), &card_failed(1)).is_err(), "the first attempt is over");
    let held = step(&again, at(8), &authorised(2, 8_375)).expect("it is held");
    assert_eq!(step(&held, at(9), &captured(1, 100)), Err(Misstep::NotAsked));
}

#[test]
fn what_the_provider_took_counts_though_the_order_comes_to_less_or_was_let_go() {
    let mut chain = fetched(500);
    let about = body("complaint_opened");
    let settled = Body::ComplaintSettled(ComplaintSettled {
        settlement: Settlement { remedy: Remedy::Refund, amount: Some(rupees(1_000)) },
        by: Side::Shop,
        request: None,
        message: None,
    });
    follow(&mut chain, &[about, settled]);
    let taken = step(chain.order(), at(30), &captured(1, 8_150)).expect("the provider took it");
    assert_eq!(due(&taken), -1_000, "it is to go back");
    let free = step(chain.order(), at(30), &voided(VoidReason::Expired)).expect("let go");
    let late = step(&free, at(31), &captured(1, 7_150)).expect("it was taken all the same");
    assert_eq!(due(&late), 0);
    let mut called_off = by_card();
    let bodies = [accepted(), Body::CardAsked(card_asked(1, 8_375)), authorised(1, 8_375)];
    follow(&mut called_off, &bodies);
    follow(&mut called_off, &[body("cancelled"), voided(VoidReason::NotNeeded)]);
    assert!(matches!(called_off.order().stage, Stage::Cancelled { .. }));
}

#[test]
fn what_nobody_could_confirm_is_not_read_and_secrets_are_not_shown() {
    let asked = card_asked(1, 8_375);
    for unsound in [
        CardAsked { attempt: 0, ..asked.clone() },
        CardAsked { attempt: 11, ..asked.clone() },
        CardAsked { amount: rupees(0), ..asked.clone() },
        CardAsked { intent: String::new(), ..asked.clone() },
        CardAsked { intent: "pi 1".to_owned(), ..asked.clone() },
        CardAsked { secret: "s".repeat(PROVIDER_TEXT_BYTES_MAX + 1), ..asked.clone() },
        CardAsked { page: Some("p".repeat(PAGE_BYTES_MAX + 1)), ..asked.clone() },
        CardAsked { page: Some(String::new()), ..asked.clone() },
    ] {
        let bytes = Body::CardAsked(unsound).encode();
        assert_eq!(Body::decode(37, &bytes), Err(BodyError::UnsoundCard));
    }
    let mut chain = by_card();
    follow(&mut chain, &[accepted(), Body::CardAsked(asked)]);
    let shown = serde_json::to_string(chain.order()).expect("memory");
    assert!(shown.contains("pi_1") && !shown.contains("secret_7"), "{shown}");
    let confirm = chain.order().to_confirm().expect("the customer is asked");
    assert_eq!(confirm.client_secret, "pi_1_secret_7");
    follow(&mut chain, &[authorised(1, 8_375)]);
    assert_eq!(chain.order().to_confirm(), None, "it is confirmed");
}

/// The bytes on the wire: whoever changes them changes what older copies mean.
#[test]
fn the_entries_of_cards_are_these_bytes() {
    let hex = |body: &Body| {
        let bytes = body.encode();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} {digits}", body.kind())
    };
    let page = Some("https://a.example/p".to_owned());
    let all = [
        Body::CardAsked(CardAsked { page, ..card_asked(1, 8_375) }),
        authorised(1, 8_375),
        captured(1, 8_150),
        voided(VoidReason::Expired),
        card_failed(2),
    ];
    let written: Vec<String> = all.iter().map(hex).collect();
    expect_test::expect_file!["cards.txt"].assert_eq(&(written.join("\n") + "\n"));
    let numbers =
        [Kind::Authorised, Kind::Captured, Kind::Voided, Kind::CardAsked, Kind::CardFailed];
    assert_eq!(numbers.map(Kind::number), [33, 34, 35, 37, 38]);
}

proptest! {
    /// Whatever is tried in whatever order, what came in is what was paid and captured, and it is
    /// never more than the order comes to unless the provider took it so.
    #[test]
    fn sums_agree_whatever_becomes_of_a_card(
        grams in 450_u64..=550,
        tried in proptest::collection::vec((0_u8..9, 1_i64..9_000), 1..40),
    ) {
        let mut order = fetched(grams).order().clone();
        let (mut came, mut back, mut attempt) = (0_i64, 0_i64, 1_u8);
        for (what, minor) in tried {
            let body = match what {
                0 => paid(minor),
                1 => captured(attempt, minor),
                2 => voided(VoidReason::PaidOtherwise),
                3 => authorised(attempt, minor),
                4 => card_failed(attempt),
                5 => Body::Refunded(Refunded { amount: rupees(minor), means: Means::Card }),
                6 => { attempt = (attempt + 1).min(10); Body::CardAsked(card_asked(attempt, minor)) }
                7 => body("completed"),
                _ => given_back(0, 1),
            };
            let before = order.payment;
            let Ok(next) = step(&order, at(60), &body) else { continue };
            match &body {
                Body::Paid(_) | Body::Captured(_) => came += minor,
                Body::Refunded(_) => back += minor,
                _ => {}
            }
            if let Body::Captured(_) = body {
                let was_held = matches!(before, Payment::Authorised { .. } | Payment::Voided { .. });
                prop_assert!(was_held);
            }
            let totals = Totals::of(&next).expect("it fits");
            prop_assert_eq!((totals.paid.minor, totals.refunded.minor), (came, back));
            prop_assert_eq!(totals.due.minor, totals.sum.minor - came + back);
            prop_assert!(back <= came);
            if let Stage::Completed { .. } = next.stage && let Body::Completed(_) = body {
                prop_assert_eq!(totals.due.minor, 0);
            }
            order = next;
        }
    }
}
