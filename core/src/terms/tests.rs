//! Terms are evaluated alike by everybody: fees, slots within opening hours, last calls.

use super::*;
use crate::{id::ShopId, key::KeyPair, order::placed::Slot};

fn rupees(n: i64) -> Money {
    Money::new(n * 100, Currency::INR)
}

fn at(text: &str) -> UnixMs {
    text.parse().expect("a time")
}

/// A shop in Bengaluru: clocks stand five and a half hours after those of Greenwich.
fn terms() -> Terms {
    let window = |way, days: &str, from_min, until_min| Window {
        way,
        days: days.parse().expect("days"),
        from_min,
        until_min,
        capacity: 2,
        last_call_min: 60,
    };
    Terms {
        zone: Some("Asia/Kolkata".to_owned()),
        opens: Some("Mo-Sa 08:00-21:00; Su 09:00-13:00".to_owned()),
        closed_on: vec!["2026-12-25".parse().expect("a day")],
        delivery: Some(Delivery {
            radius_m: Some(2_000),
            minimum: Some(rupees(100)),
            fee: Some(rupees(20)),
            free_from: Some(rupees(500)),
            tax_bp: 500,
        }),
        windows: vec![
            window(Way::Delivery, "Mo-Su", 10 * 60, 12 * 60),
            window(Way::Delivery, "Mo-Su", 18 * 60, 20 * 60),
            window(Way::Pickup, "Sa-Mo", 9 * 60, 10 * 60),
        ],
        only_in_windows: true,
        ..Terms::default()
    }
}

#[test]
fn bringing_goods_costs_what_the_terms_say() {
    let fee =
        |goods, far| terms().fee(Way::Delivery, rupees(goods), far).map(|f| f.map(|f| f.amount));
    assert_eq!(fee(99, Some(10)), Err(DeclineReason::BelowMinimum));
    assert_eq!(fee(100, Some(2_000)), Ok(Some(rupees(20))));
    assert_eq!(fee(499, None), Ok(Some(rupees(20))));
    assert_eq!(fee(500, Some(10)), Ok(None));
    assert_eq!(fee(500, Some(2_001)), Err(DeclineReason::NoDelivery));
    assert_eq!(terms().fee(Way::Pickup, rupees(1), None), Ok(None));
    let only_brings = Terms { pickup: false, ..terms() };
    assert_eq!(only_brings.fee(Way::Pickup, rupees(1), None), Err(DeclineReason::NoPickup));
    let only_fetched = Terms { delivery: None, ..terms() };
    assert_eq!(only_fetched.fee(Way::Delivery, rupees(900), None), Err(DeclineReason::NoDelivery));
}

#[test]
fn slots_lie_within_the_opening_hours_by_the_clock_on_the_shops_wall() {
    // A Saturday, nine in the morning in Bengaluru.
    let now = at("2026-11-28T03:30:00Z");
    let slots = terms().slots(Way::Delivery, now, 1);
    let from: Vec<_> = slots.iter().map(|offered| offered.slot.from.to_string()).collect();
    // On Sunday evening the shop is closed.
    let expected = ["2026-11-28T04:30:00Z", "2026-11-28T12:30:00Z", "2026-11-29T04:30:00Z"];
    assert_eq!(from.iter().map(|at| at.replace(".000Z", "Z")).collect::<Vec<_>>(), expected);
    // The last call for the first one is over a moment later.
    assert_eq!(terms().slots(Way::Delivery, now.plus_ms(1), 1).len(), 2);
    assert_eq!(slots[0].last_call, now);
    assert_eq!(terms().written(slots[0].slot), "Sa 2026-11-28 10:00-12:00");
    // `Sa-Mo` goes over the end of the week; on Tuesday nobody collects in a window.
    assert_eq!(terms().slots(Way::Pickup, at("2026-11-30T18:40:00Z"), 0), []);
    assert_eq!(terms().slots(Way::Pickup, at("2026-11-29T18:40:00Z"), 0).len(), 1);
}

#[test]
fn a_day_on_which_the_shop_is_closed_has_no_slots() {
    let christmas = at("2026-12-24T19:00:00Z");
    assert_eq!(terms().slots(Way::Delivery, christmas, 0), []);
    assert_eq!(terms().is_open(at("2026-12-25T05:00:00Z")), Some(false));
    assert_eq!(terms().is_open(at("2026-12-26T05:00:00Z")), Some(true));
    assert_eq!(Terms::default().is_open(christmas), None);
}

#[test]
fn a_span_that_is_not_offered_or_full_or_too_near_is_refused_by_name() {
    let now = at("2026-11-28T00:00:00Z");
    let slot = terms().slots(Way::Delivery, now, 0)[0].slot;
    let takes = |slot, taken, now| terms().takes((Way::Delivery, slot), taken, now);
    assert_eq!(takes(Some(slot), 1, now), Ok(()));
    assert_eq!(takes(Some(slot), 2, now), Err(DeclineReason::SlotFull));
    let late = slot.from.minus_ms(59 * 60_000);
    assert_eq!(takes(Some(slot), 0, late), Err(DeclineReason::SlotPassed));
    let other = Slot { until: slot.until.plus_ms(60_000), ..slot };
    assert_eq!(takes(Some(other), 0, now), Err(DeclineReason::NoSuchSlot));
    assert_eq!(terms().takes((Way::Pickup, Some(slot)), 0, now), Err(DeclineReason::NoSuchSlot));
    assert_eq!(takes(None, 0, now), Err(DeclineReason::SlotNeeded));
    let easy = Terms { only_in_windows: false, ..terms() };
    assert_eq!(easy.takes((Way::Delivery, None), 9, now), Ok(()));
    assert_eq!(Terms::default().takes((Way::Delivery, Some(slot)), 9, now), Ok(()));
    let over = Terms::default().takes((Way::Delivery, Some(slot)), 0, slot.until);
    assert_eq!(over, Err(DeclineReason::SlotPassed));
}

#[test]
fn a_span_that_the_clocks_change_swallows_is_not_offered() {
    let mut berlin = terms();
    berlin.zone = Some("Europe/Berlin".to_owned());
    berlin.opens = None;
    berlin.windows[0] =
        Window { from_min: 2 * 60 + 15, until_min: 2 * 60 + 45, ..berlin.windows[0].clone() };
    let on = |day: &str| berlin.slots(Way::Delivery, at(&format!("{day}T00:00:00Z")), 0).len();
    // In the night to 29 March 2026 no clock shows half past two, in that to 25 October two do.
    assert_eq!(on("2026-03-28"), 2);
    assert_eq!(on("2026-03-29"), 1);
    assert_eq!(on("2026-10-25"), 1);
}

#[test]
fn terms_that_nobody_could_evaluate_are_refused_one_past_each_limit() {
    let check = |change: &dyn Fn(&mut Terms)| {
        let mut changed = terms();
        change(&mut changed);
        changed.check(Currency::INR)
    };
    let delivery = |change: &dyn Fn(&mut Delivery)| {
        check(&|terms| change(terms.delivery.as_mut().expect("it brings")))
    };
    assert_eq!(check(&|_| {}), Ok(()));
    assert_eq!(check(&|t| t.zone = Some("Asia/Nowhere".into())), Err(Unsound::Zone));
    assert_eq!(check(&|t| t.opens = Some("whenever".into())), Err(Unsound::Opens));
    assert_eq!(check(&|t| t.closed_on = vec![Day::MAX; 101]), Err(Unsound::ClosedDays));
    assert_eq!(check(&|t| t.windows = vec![t.windows[0].clone(); 64]), Ok(()));
    assert_eq!(check(&|t| t.windows = vec![t.windows[0].clone(); 65]), Err(Unsound::Windows));
    assert_eq!(check(&|t| t.windows[0].until_min = 600), Err(Unsound::Windows));
    assert_eq!(check(&|t| t.windows[0].until_min = 1441), Err(Unsound::Windows));
    assert_eq!(check(&|t| t.windows[0].capacity = 0), Err(Unsound::Windows));
    let nobody = |t: &mut Terms| (t.pickup, t.delivery) = (false, None);
    assert_eq!(check(&nobody), Err(Unsound::NoWay));
    assert_eq!(delivery(&|d| d.radius_m = Some(200_001)), Err(Unsound::Radius));
    assert_eq!(delivery(&|d| d.fee = Some(Money::new(-1, Currency::INR))), Err(Unsound::Sums));
    let euros = Money::new(1, "EUR".parse().expect("a currency"));
    assert_eq!(delivery(&|d| d.minimum = Some(euros)), Err(Unsound::Sums));
    assert_eq!(delivery(&|d| d.tax_bp = 10_001), Err(Unsound::Sums));
    for days in ["", "Mo-", "Mo;Tu", "mo", "Monday"] {
        assert!(days.parse::<Weekdays>().is_err(), "{days}");
    }
    assert_eq!("Sa-Mo".parse::<Weekdays>().expect("days").to_string(), "Mo,Sa,Su");
}

#[test]
fn published_terms_count_with_their_signature_only() {
    let (node, thief) = (KeyPair::from_seed([1; 64]), KeyPair::from_seed([2; 64]));
    let shop = ShopId::new(UnixMs::new(1), [1; 10]);
    let said =
        Published { shop, generation: 1, n: 7, at: UnixMs::new(5), terms: terms(), place: None };
    let signed = said.sign(&node.signing);
    let read = UnverifiedTerms::parse(signed.bytes()).expect("terms");
    assert_eq!(read.clone().verify(&node.signing.public()).expect("genuine"), signed);
    assert!(read.verify(&thief.signing.public()).is_err());
    let mut unsound = said.clone();
    unsound.terms.windows[0].capacity = 0;
    assert!(UnverifiedTerms::parse(unsound.sign(&node.signing).bytes()).is_err());
    assert!(said.is_news_after(Some((1, 6))) && !said.is_news_after(Some((1, 7))));
    assert!(!said.is_news_after(Some((2, 1))));
}
