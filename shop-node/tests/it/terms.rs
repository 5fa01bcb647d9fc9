//! On which terms goods are handed over: fees, distances, spans of time, ages and codes.

use kirana_core::{
    id::OrderId,
    money::Money,
    order::{
        Order,
        axes::Stage,
        entry::Body,
        facts::{CancelReason, DeclineReason, Fee, LineRefusal, Packing, Proof},
        handing::HandoverCode,
        personal::Personal,
        placed::{Alteration, NewAmount, Placed, Slot},
        totals::Totals,
        wish::{Change, RefusalCode, Wish},
    },
    terms::{Delivery, Terms, Unsound, UnverifiedTerms, Way, Window},
    time::UnixMs,
};
use kirana_shop::app::{
    Outcome,
    handing::{Handing, WRONG_CODES_MAX},
    orders::{Deed, NotDone, Which},
    terms::NotSet,
};
use kirana_sync::wire::{Request, Response};

use crate::{
    changes::refusal,
    neighbour::{Customer, NOW, Neighbourhood, rng, rupees},
};

fn money(minor: i64) -> Money {
    Money::new(minor, rupees())
}

/// Within two kilometres, from ₹50 on, for ₹20, free from ₹200 on; two orders in each of two spans a
/// day, the last one taken an hour before.
fn terms() -> Terms {
    let window = |from_min| Window {
        way: Way::Delivery,
        days: "Mo-Su".parse().expect("days"),
        from_min,
        until_min: from_min + 120,
        capacity: 2,
        last_call_min: 60,
    };
    Terms {
        zone: Some("Asia/Kolkata".to_owned()),
        delivery: Some(Delivery {
            radius_m: None,
            minimum: Some(money(5_000)),
            fee: Some(money(2_000)),
            free_from: Some(money(20_000)),
            tax_bp: 1_800,
        }),
        windows: vec![window(600), window(1_080)],
        ..Terms::default()
    }
}

struct Counter {
    street: Neighbourhood,
    milk: kirana_core::id::VariantId,
}

impl Counter {
    /// A hundred milks at ₹30.
    fn with(terms: Terms) -> Self {
        let street = Neighbourhood::in_bengaluru();
        let milk = street.stock(10, 3_000, 100);
        street.shop.set_terms(terms, NOW).expect("they are sound");
        Self { street, milk }
    }

    fn slot(&self) -> Slot {
        let slots = self.street.shop.slots(Way::Delivery, NOW, 2).expect("they are read");
        slots[1].offered.slot
    }

    fn wants(&self, who: &Customer, packs: u64, fee: Option<i64>) -> Placed {
        let fee = fee.map(money);
        let handover = Way::Delivery.at(None);
        Placed { handover, fee, ..who.wants(&[(self.milk, packs, 3_000)]) }
    }

    fn place(&self, n: u8, wants: impl FnOnce(&Customer) -> Placed) -> Order {
        self.place_at(n, NOW, None, wants)
    }

    fn place_at(
        &self,
        n: u8,
        now: UnixMs,
        person: Option<Personal>,
        wants: impl FnOnce(&Customer) -> Placed,
    ) -> Order {
        let who = Customer::new(&self.street, n);
        let part = person.map(|person| person.part(&mut rng(n)));
        let personal = part.as_ref().map(|part| part.hash());
        let signed = who.sign(n, Placed { personal, ..wants(&who) });
        let mut parcel = who.parcel(&[&signed]);
        parcel.personal.extend(part);
        let mail = who.mail(&self.street, &parcel);
        self.street.shop.deliver(&mail, now, &mut rng(3)).expect("it is taken in");
        self.order(n)
    }

    fn which(n: u8) -> Which {
        Which { id: OrderId::new(NOW, [n; 10]), customer: None }
    }

    fn order(&self, n: u8) -> Order {
        self.street.shop.order(Self::which(n)).expect("it is there").order
    }

    fn act(&self, n: u8, deed: Deed) -> Result<Order, NotDone> {
        Ok(self.street.shop.act(Self::which(n), deed, NOW, &mut rng(4))?.order)
    }

    fn change(&self, n: u8, alteration: Alteration) -> Result<Order, RefusalCode> {
        let who = Customer::new(&self.street, n);
        let wish = Wish::Change(Change { alteration, head: None, anchors: Vec::new() });
        let signed = who.wish(n, &wish);
        let mail = who.mail(&self.street, &who.parcel(&[&signed]));
        let delivered = self.street.deliver(&mail).expect("it is taken in");
        match delivered.outcomes.into_iter().next().expect("an outcome") {
            Outcome::Answered { bytes } => Err(refusal(&bytes)),
            _ => Ok(self.order(n)),
        }
    }

    fn is_sound(&self) {
        let faults = self.street.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

fn declined(order: &Order) -> Option<DeclineReason> {
    match order.stage {
        Stage::Declined { reason, .. } => Some(reason),
        _ => None,
    }
}

fn sum(order: &Order) -> i64 {
    Totals::of(order).expect("it fits").sum.minor
}

#[test]
fn bringing_it_costs_what_the_shop_says_and_no_more_than_was_agreed_to() {
    let counter = Counter::with(terms());
    let agreed = counter.place(1, |who| counter.wants(who, 3, Some(2_000)));
    assert_eq!(agreed.fee, Some(Fee { amount: money(2_000), tax_bp: 1_800 }));
    assert_eq!(sum(&agreed), 11_000);
    let generous = counter.place(2, |who| counter.wants(who, 3, Some(9_000)));
    assert_eq!(sum(&generous), 11_000, "what is agreed to is the most, not the price");
    for too_little in [None, Some(1_999)] {
        let n = if too_little.is_some() { 3 } else { 4 };
        let order = counter.place(n, |who| counter.wants(who, 3, too_little));
        assert_eq!(declined(&order), Some(DeclineReason::FeeChanged));
    }
    let free = counter.place(5, |who| counter.wants(who, 7, None));
    assert_eq!((free.fee, sum(&free)), (None, 21_000));
    let small = counter.place(6, |who| counter.wants(who, 1, Some(2_000)));
    assert_eq!(declined(&small), Some(DeclineReason::BelowMinimum));
    let fetched = counter.place(7, |who| who.wants(&[(counter.milk, 1, 3_000)]));
    assert_eq!((fetched.fee, sum(&fetched)), (None, 3_000));
    counter.is_sound();
}

#[test]
fn a_price_that_nobody_asks_makes_no_order_large_enough() {
    let counter = Counter::with(terms());
    let boasted = counter.place(1, |who| {
        let mut placed = counter.wants(who, 1, None);
        placed.lines[0].seen.minor = 900_000;
        placed
    });
    assert_eq!(declined(&boasted), Some(DeclineReason::BelowMinimum));
    // What the shop has too little of counts all the same.
    let partly =
        counter.place(2, |who| Placed { partial_ok: true, ..counter.wants(who, 150, None) });
    assert_eq!((partly.fee, sum(&partly)), (None, 300_000));
}

#[test]
fn p2_a_span_of_time_takes_no_more_orders_than_fit_in() {
    let counter = Counter::with(terms());
    let slot = counter.slot();
    let wants = |who: &Customer| Placed {
        handover: Way::Delivery.at(Some(slot)),
        ..counter.wants(who, 2, Some(2_000))
    };
    let left = || {
        let slots = counter.street.shop.slots(Way::Delivery, NOW, 2).expect("they are read");
        slots.iter().find(|open| open.offered.slot == slot).map(|open| open.left)
    };
    let reasons: Vec<_> = (1..=5).map(|n| declined(&counter.place(n, wants))).collect();
    let full = Some(DeclineReason::SlotFull);
    assert_eq!(reasons, [None, None, full, full, full]);
    assert_eq!(left(), Some(0));
    // Who goes makes room.
    counter.act(1, Deed::Cancel(CancelReason::ByShop)).expect("it is called off");
    assert_eq!(left(), Some(1));
    assert_eq!(declined(&counter.place(6, wants)), None);
    assert_eq!(declined(&counter.place(7, wants)), full);
    let other = Slot { from: slot.from.plus_ms(60_000), ..slot };
    let odd =
        counter.place(8, |who| Placed { handover: Way::Delivery.at(Some(other)), ..wants(who) });
    assert_eq!(declined(&odd), Some(DeclineReason::NoSuchSlot));
    counter.is_sound();
}

#[test]
fn an_order_that_arrives_after_the_last_call_is_declined_and_says_so() {
    let counter = Counter::with(terms());
    let slot = counter.slot();
    let wants = |who: &Customer| Placed {
        handover: Way::Delivery.at(Some(slot)),
        ..counter.wants(who, 2, Some(2_000))
    };
    let last_call = slot.from.minus_ms(60 * 60_000);
    assert_eq!(declined(&counter.place_at(1, last_call, None, wants)), None);
    let late = counter.place_at(2, last_call.plus_ms(1), None, wants);
    assert_eq!(declined(&late), Some(DeclineReason::SlotPassed));
}

#[test]
fn what_is_too_far_is_declined_and_what_may_be_is_looked_at_by_a_person() {
    let mut near = terms();
    near.delivery.as_mut().expect("it brings").radius_m = Some(2_000);
    let counter = Counter::with(near);
    let at = |place: &str| {
        Some(Personal { place: Some(place.parse().expect("a place")), ..Personal::default() })
    };
    let wants = |who: &Customer| counter.wants(who, 3, Some(2_000));
    let around = counter.place_at(1, NOW, at("12.98,77.59"), wants);
    assert_eq!((declined(&around), around.fee.is_some()), (None, true));
    let far = counter.place_at(2, NOW, at("13.20,77.59"), wants);
    assert_eq!(declined(&far), Some(DeclineReason::NoDelivery));
    let unclear = counter.place_at(3, NOW, Some(Personal::default()), wants);
    assert!(unclear.stage.is_undecided(), "{:?}", unclear.stage);
    let accepted = counter.act(3, Deed::Accept).expect("a person knows the street");
    assert_eq!(accepted.fee.map(|fee| fee.amount), Some(money(2_000)));
    counter.is_sound();
}

#[test]
fn a_change_pays_what_the_smaller_order_costs_to_bring_or_is_refused() {
    let counter = Counter::with(terms());
    let free = counter.place(1, |who| counter.wants(who, 7, None));
    assert_eq!(free.fee, None);
    let fewer = |amount, fee: Option<i64>| Alteration {
        amounts: vec![NewAmount { line: 0, amount }],
        fee: fee.map(money),
        ..Alteration::default()
    };
    let refused = counter.change(1, fewer(3, None)).expect_err("nobody agreed to a fee");
    assert_eq!(refused, RefusalCode::CannotGrant);
    let refused = counter.change(1, fewer(1, Some(2_000))).expect_err("it is too small");
    assert_eq!(refused, RefusalCode::CannotGrant);
    let agreed = counter.change(1, fewer(3, Some(2_000))).expect("it is granted");
    assert_eq!((agreed.fee.map(|fee| fee.amount.minor), sum(&agreed)), (Some(2_000), 11_000));
    let more = counter.change(1, fewer(8, None)).expect("it is granted");
    assert_eq!((more.fee, sum(&more)), (None, 24_000));
    let fetched = Alteration { handover: Some(Way::Pickup.at(None)), ..Alteration::default() };
    let fetched = counter.change(1, fetched).expect("it is granted");
    assert_eq!((fetched.fee, sum(&fetched)), (None, 24_000));
    // An order of nothing is called off, not refused.
    let nothing = counter.change(1, fewer(0, None)).expect("it is granted");
    assert!(matches!(nothing.stage, Stage::Cancelled { .. }));
    counter.is_sound();
}

#[test]
fn p2_a_change_to_a_span_that_is_full_is_refused_and_keeps_the_one_it_has() {
    let counter = Counter::with(terms());
    let slots = counter.street.shop.slots(Way::Delivery, NOW, 2).expect("they are read");
    let (first, second) = (slots[1].offered.slot, slots[2].offered.slot);
    let wants = |slot| {
        let counter = &counter;
        move |who: &Customer| Placed {
            handover: Way::Delivery.at(Some(slot)),
            ..counter.wants(who, 2, Some(2_000))
        }
    };
    for n in [1, 2] {
        assert_eq!(declined(&counter.place(n, wants(first))), None);
    }
    assert_eq!(declined(&counter.place(3, wants(second))), None);
    let to =
        |slot| Alteration { handover: Some(Way::Delivery.at(Some(slot))), ..Default::default() };
    assert_eq!(counter.change(3, to(first)).expect_err("full"), RefusalCode::CannotGrant);
    // Wanting more of something does not cost the place that one has.
    let more =
        Alteration { amounts: vec![NewAmount { line: 0, amount: 3 }], ..Alteration::default() };
    counter.change(1, more).expect("it is granted");
    counter.change(1, to(second)).expect("there is room");
    // The same request again would get the same refusal: this is another one.
    let and_more = Alteration { amounts: vec![NewAmount { line: 0, amount: 4 }], ..to(first) };
    counter.change(3, and_more).expect("there is room now");
    counter.is_sound();
}

#[test]
fn what_is_sold_from_an_age_on_needs_the_word_of_the_customer_and_of_whoever_hands_it_over() {
    let counter = Counter::with(Terms::default());
    let beer = counter.street.stock_from_age(12, 9_000, 10, 18);
    let wants = |of_age| move |who: &Customer| Placed { of_age, ..who.wants(&[(beer, 1, 9_000)]) };
    for (n, too_young) in [(1, None), (2, Some(17))] {
        let order = counter.place(n, wants(too_young));
        assert_eq!(declined(&order), Some(DeclineReason::NothingLeft));
        let chain = counter.street.shop.order(Counter::which(n)).expect("it is there");
        let last = chain.entries.last().expect("an entry");
        assert_eq!(last.kind, "declined");
    }
    let order = counter.place(3, |who| {
        let mut placed = who.wants(&[(beer, 1, 9_000), (counter.milk, 1, 3_000)]);
        placed.of_age = Some(17);
        placed
    });
    let refused = order.lines[0].state;
    let why = LineRefusal::AgeLimit;
    assert_eq!(refused, kirana_core::order::axes::LineState::Cancelled { why });
    counter.place(4, wants(Some(18)));
    for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
        counter.act(4, deed).expect("it goes on");
    }
    let unseen = counter.act(4, Deed::Collected(0, Handing::default()));
    assert!(matches!(unseen, Err(NotDone::AgeNotChecked(18))), "{unseen:?}");
    let seen = Handing { age_checked: true, ..Handing::default() };
    counter.act(4, Deed::Collected(0, seen)).expect("somebody looked");
    counter.is_sound();
}

#[test]
fn the_customers_code_works_out_alike_on_both_sides_and_a_wrong_one_hands_nothing_over() {
    let counter = Counter::with(Terms::default());
    counter.place(1, |who| who.wants(&[(counter.milk, 1, 3_000)]));
    for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
        counter.act(1, deed).expect("it goes on");
    }
    let who = Customer::new(&counter.street, 1);
    let signed = who.sign(1, who.wants(&[(counter.milk, 1, 3_000)]));
    let author = kirana_core::order::chain::Author::customer(who.party);
    let own = kirana_core::order::chain::Chain::begin(signed, author).expect("an order");
    let code = HandoverCode::of(&own).to_string();
    let with = |code: &str| Handing { code: Some(code.to_owned()), ..Handing::default() };
    let wrong = if code.starts_with('0') { "111 111" } else { "000 000" };
    let refused = counter.act(1, Deed::Collected(0, with(wrong)));
    assert!(matches!(refused, Err(NotDone::WrongCode(_))), "{refused:?}");
    let hint = counter.street.shop.code_hint(Counter::which(1)).expect("it is there");
    assert_eq!(HandoverCode::hint_for(&code), Some(hint));
    counter.act(1, Deed::Collected(0, with(&code))).expect("it is the code");
    let entries = counter.street.shop.entries(Counter::which(1)).expect("they are read");
    let last = kirana_core::statement::UnverifiedStatement::parse(entries.last().expect("one"));
    let said = kirana_core::order::wish::Said::of(last.expect("parses").claimed());
    let Ok(kirana_core::order::wish::Said::Entry(Body::Collected(handed))) = said else {
        panic!("{said:?}")
    };
    assert_eq!(handed.proof, Some(Proof::Code));
    // Whoever claims the code without telling it has no proof.
    let boast = Handing { proof: Some(Proof::Code), ..Handing::default() };
    counter.place(2, |who| who.wants(&[(counter.milk, 1, 3_000)]));
    for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
        counter.act(2, deed).expect("it goes on");
    }
    counter.act(2, Deed::Collected(0, boast)).expect("it is fetched");
}

#[test]
fn terms_are_signed_for_everybody_who_pulls_and_nonsense_is_never_set() {
    let counter = Counter::with(terms());
    let shop = &counter.street.shop;
    let asked = Request::Heads { shop: shop.id(), seen: None };
    let heads = shop.serve_pull(asked, NOW).expect("it answers");
    let Response::Heads { terms: Some(bytes), .. } = heads else { panic!("{heads:?}") };
    let read = UnverifiedTerms::parse(&bytes).expect("terms");
    let signed = read.verify(&shop.keys().node.signing.public()).expect("the node's");
    assert_eq!(signed.said().terms, terms());
    let before = signed.said().n;
    assert!(shop.set_terms(terms(), NOW).expect("they are sound").n > before);
    let unsound = Terms { zone: Some("Mars/Olympus".to_owned()), ..terms() };
    let refused = shop.set_terms(unsound, NOW);
    assert!(matches!(refused, Err(NotSet::Unsound(Unsound::Zone))), "{refused:?}");
    let nowhere = Neighbourhood::new();
    let mut near = terms();
    near.delivery.as_mut().expect("it brings").radius_m = Some(1_000);
    assert!(matches!(nowhere.shop.set_terms(near, NOW), Err(NotSet::NoPlace)));
}

#[test]
fn p6_guesses_at_a_code_at_once_are_compared_no_more_often_than_one_after_the_other() {
    let counter = Counter::with(Terms::default());
    counter.place(1, |who| who.wants(&[(counter.milk, 1, 3_000)]));
    for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
        counter.act(1, deed).expect("it goes on");
    }
    let shop = &counter.street.shop;
    let guess = |n: u8| {
        let seen = Handing { code: Some(format!("guess {n}")), ..Handing::default() };
        shop.act(Counter::which(1), Deed::Collected(0, seen), NOW, &mut rng(n))
    };
    let wrong = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..20_u8).map(|n| scope.spawn(move || guess(n))).collect();
        let said = guesses.into_iter().map(|guess| guess.join().expect("it ends"));
        said.filter(|said| matches!(said, Err(NotDone::WrongCode(_)))).count()
    });
    assert_eq!(wrong, WRONG_CODES_MAX as usize);
    assert_eq!(shop.wrong_codes(Counter::which(1)).expect("it is read"), WRONG_CODES_MAX);
}

#[test]
fn p6_whoever_guesses_at_a_code_is_stopped_and_staff_still_hand_the_goods_over() {
    let counter = Counter::with(Terms::default());
    counter.place(1, |who| who.wants(&[(counter.milk, 1, 3_000)]));
    for deed in [Deed::Pack(Packing::default()), Deed::Packed(0, vec![]), Deed::Ready(0)] {
        counter.act(1, deed).expect("it goes on");
    }
    let who = Customer::new(&counter.street, 1);
    let signed = who.sign(1, who.wants(&[(counter.milk, 1, 3_000)]));
    let author = kirana_core::order::chain::Author::customer(who.party);
    let own = kirana_core::order::chain::Chain::begin(signed, author).expect("an order");
    let code = HandoverCode::of(&own).to_string();
    let with = |code: &str| Handing { code: Some(code.to_owned()), ..Handing::default() };
    let wrong = if code.starts_with('0') { "111 111" } else { "000 000" };
    let shop = &counter.street.shop;
    for n in 1..=WRONG_CODES_MAX {
        let refused = counter.act(1, Deed::Collected(0, with(wrong)));
        assert!(matches!(refused, Err(NotDone::WrongCode(_))), "{refused:?}");
        assert_eq!(shop.wrong_codes(Counter::which(1)).expect("it is read"), n);
    }
    for seen in [with(&code), Handing { proof: Some(Proof::Known), ..Handing::default() }] {
        let refused = counter.act(1, Deed::Collected(0, seen));
        assert!(matches!(refused, Err(NotDone::CodeLocked(_))), "{refused:?}");
    }
    assert_eq!(shop.wrong_codes(Counter::which(1)).expect("it is read"), WRONG_CODES_MAX);
    let by_staff = Handing { by_staff: true, ..with(&code) };
    counter.act(1, Deed::Collected(0, by_staff)).expect("staff may");
    assert_eq!(shop.verify().expect("it is read").faults, Vec::<String>::new());
}
