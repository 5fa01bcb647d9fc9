//! Payments by card as the shop's books see them: whatever the provider says, money moves once.

use kirana_core::{
    id::{OrderId, VariantId},
    money::Money,
    order::{
        Order,
        axes::{Payment, Stage},
        facts::{CancelReason, CardFailure, Means, Packing, VoidReason, WeighedLine},
        placed::{Method, Placed},
        totals::Totals,
    },
    quantity::{Quantity, Unit},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::Abort;
use kirana_shop::{
    app::{
        cards::{Answered, BadEvent, GivenAccount, Intent, Job, NotByCard, Status, signature},
        handing::Handing,
        orders::{Deed, NotDone, Which},
        till::Kind,
    },
    store::{
        cards::{Charge, State, What},
        offers,
    },
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

const WEBHOOK: &str = "whsec_corner";

/// A shop that takes cards and sells fish by the gram, at two paise each.
pub struct Case {
    pub street: Neighbourhood,
    fish: VariantId,
}

fn account(on: bool) -> GivenAccount {
    GivenAccount {
        on,
        base: Some("https://provider.example".to_owned()),
        publishable: "pk_test_corner".to_owned(),
        page: Some("https://corner.example/pay".to_owned()),
        secret: Some("sk_test_corner".to_owned()),
        webhook: Some(WEBHOOK.to_owned()),
    }
}

pub fn which(n: u8) -> Which {
    Which { id: OrderId::new(NOW, [n; 10]), customer: None }
}

pub fn money(minor: i64) -> Money {
    Money::new(minor, rupees())
}

impl Case {
    pub fn new() -> Self {
        let case = Self::without_cards();
        let set = case.street.shop.set_cards(account(true), false, &mut rng(1));
        set.expect("it is set");
        case
    }

    fn without_cards() -> Self {
        let street = Neighbourhood::new();
        let fish = street.stock(1, 2, 50_000);
        let put = street.shop.database().writer.write(move |tx| -> Result<(), Abort<()>> {
            let mut shelf = offers::get(tx, fish)?.expect("it is on the shelf");
            shelf.unit = Unit::Gram;
            Ok(offers::put(tx, &shelf)?)
        });
        put.expect("it is stored");
        Self { street, fish }
    }

    /// A kilogram of fish, ten percent more or less: ₹20.00, ₹22.00 at most.
    pub fn order(&self, n: u8, payment: Method) {
        let who = Customer::new(&self.street, n);
        let mut wanted: Placed = who.wants(&[(self.fish, 1, 2)]);
        wanted.lines[0].tolerance_bp = 1_000;
        wanted.lines[0].quantity = Quantity::new(1_000, Unit::Gram).expect("a quantity");
        wanted.payment = payment;
        let signed = who.sign(n, wanted);
        let mail = who.mail(&self.street, &who.parcel(&[&signed]));
        self.street.deliver(&mail).expect("it is taken in");
    }

    pub fn seen(&self, n: u8) -> Order {
        self.street.shop.order(which(n)).expect("it is there").order
    }

    pub fn payment(&self, n: u8) -> &'static str {
        self.seen(n).payment.label()
    }

    pub fn act(&self, n: u8, deed: Deed) -> Result<Order, NotDone> {
        let view = self.street.shop.act(which(n), deed, NOW, &mut rng(4))?;
        Ok(view.order)
    }

    pub fn hand_over(&self, n: u8, grams: u64) {
        for deed in [
            Deed::Pack(Packing::default()),
            Deed::Packed(0, vec![WeighedLine { line: 0, amount: grams }]),
            Deed::Ready(0),
            Deed::Collected(0, Handing::default()),
        ] {
            self.act(n, deed).expect("it is done");
        }
    }

    pub fn advance(&self, now: UnixMs) {
        self.street.shop.advance_cards(now, &mut rng(5)).expect("it is stored");
    }

    /// The call that is to be made now.
    pub fn job(&self, now: UnixMs) -> Option<Job> {
        self.street.shop.begin_card_call(now, &mut rng(6)).expect("it is stored")
    }

    pub fn answer(&self, job: &Job, came: Answered, now: UnixMs) {
        self.street.shop.end_card_call(job.call.n, came, now, &mut rng(7)).expect("it is stored");
    }

    /// The customer is asked for the order: the provider made a payment of this name.
    pub fn asked(&self, n: u8, intent: &str) {
        self.order(n, Method::Card);
        let job = self.job(NOW).expect("the provider is to be told");
        assert_eq!((job.call.what, job.call.minor), (What::Create, 2_200), "the heaviest");
        self.answer(&job, Answered::Intent(said(intent, Status::Open)), NOW);
    }

    pub fn held(&self, n: u8, intent: &str) {
        self.asked(n, intent);
        self.hears(intent, &said(intent, Status::Held), NOW);
        assert_eq!(self.payment(n), "authorised");
    }

    /// The provider is asked how a payment stands, and says this.
    pub fn hears(&self, intent: &str, says: &Intent, now: UnixMs) {
        let shop = &self.street.shop;
        let later = now.plus_ms(DAY_MS);
        let all = shop.cards_to_look_at(later).expect("they are read");
        let (n, _) = all.into_iter().find(|(_, of)| of == intent).expect("it is asked about");
        shop.saw_card(n, Some(says.clone()), now, &mut rng(8)).expect("it is stored");
    }

    /// What came in and went back by card, in minor units.
    pub fn by_card(&self) -> Vec<i64> {
        let takings = self.street.shop.takings(None, None, NOW).expect("they are read");
        let rows = takings.rows.iter().map(|row| &row.taking);
        let rows = rows.filter(|t| matches!(t.kind, Kind::Payment | Kind::Refund));
        rows.filter(|t| t.means == Means::Card).map(|taking| taking.minor).collect()
    }

    pub fn state(&self, n: u8) -> Option<State> {
        self.street.shop.card_of(which(n)).expect("it is there").state
    }

    pub fn is_sound(&self) {
        let faults = self.street.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

pub fn said(intent: &str, status: Status) -> Intent {
    Intent {
        id: intent.to_owned(),
        status,
        minor: 2_200,
        currency: "inr".to_owned(),
        held_minor: None,
        taken_minor: None,
        secret: Some(format!("{intent}_secret_x")),
        failure: None,
        until: None,
    }
}

pub fn taken(intent: &str, minor: i64) -> Answered {
    Answered::Intent(Intent { taken_minor: Some(minor), ..said(intent, Status::Taken) })
}

fn later(why: &str) -> Answered {
    Answered::Later { why: why.to_owned(), retry_after_s: None }
}

#[test]
fn the_heaviest_is_held_what_was_weighed_is_taken_and_a_part_goes_back_once_each() {
    let case = Case::new();
    case.held(1, "pi_1");
    let view = case.street.shop.card_of(which(1)).expect("it is there");
    let asked = view.asked.expect("the customer was asked");
    assert_eq!(asked.secret, "pi_1_secret_x");
    let link = "https://corner.example/pay#key=pk_test_corner&secret=pi_1_secret_x";
    assert_eq!(asked.link().as_deref(), Some(link));
    case.advance(NOW);
    assert!(case.job(NOW).is_none(), "nothing is taken before the goods change hands");
    case.hand_over(1, 950);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    assert_eq!((job.call.what, job.call.minor), (What::Capture, 1_900));
    assert!(matches!(case.seen(1).stage, Stage::Accepted { .. }), "not before the provider said");
    case.answer(&job, taken("pi_1", 1_900), NOW);
    let order = case.seen(1);
    assert!(matches!(order.stage, Stage::Completed { .. }));
    assert_eq!(order.payment, Payment::Captured { paid: money(1_900) });
    // The same said again, by whatever way, moves nothing.
    case.answer(&job, taken("pi_1", 1_900), NOW);
    case.advance(NOW);
    assert!(case.job(NOW).is_none());
    assert_eq!(case.by_card(), [1_900]);
    let refund = |minor| case.act(1, Deed::Refund(money(minor), Means::Card));
    refund(500).expect("it goes back when the provider has answered");
    assert_eq!(case.payment(1), "captured", "nothing went back yet");
    let beyond = refund(1_401).expect_err("900 and 500 are too much");
    let NotDone::Card(why) = beyond else { panic!("{beyond}") };
    assert!(matches!(*why, NotByCard::BackBeyond(left) if left.minor == 1_400));
    let cash = case.act(1, Deed::Refund(money(1_401), Means::Cash));
    assert!(matches!(cash, Err(NotDone::Card(_))), "nor by hand beside it");
    let job = case.job(NOW).expect("the provider is to be told");
    assert_eq!((job.call.what, job.call.minor), (What::Refund, 500));
    case.answer(&job, Answered::Refunded { minor: 500 }, NOW);
    case.answer(&job, Answered::Refunded { minor: 500 }, NOW);
    assert_eq!((case.payment(1), case.by_card()), ("partly_refunded", vec![1_900, -500]));
    let notes = case.street.shop.documents(which(1)).expect("they are read");
    assert_eq!(notes.len(), 2, "an invoice and a credit note");
    case.is_sound();
}

#[test]
fn p1_a_call_whose_answer_was_lost_is_made_again_under_its_key() {
    let case = Case::new();
    case.order(1, Method::Card);
    let first = case.job(NOW).expect("it is to be made");
    assert!(case.job(NOW).is_none(), "it is under way");
    // The process ended before the answer: the next one makes it again.
    case.street.shop.wake_card_calls(NOW).expect("it is stored");
    let again = case.job(NOW).expect("it is made again");
    assert_eq!((&again.call.key, again.call.attempts), (&first.call.key, 2));
    case.answer(&again, later("the server did not answer in time"), NOW);
    let wait = |times: u64| NOW.plus_ms(times * 60_000);
    assert!(case.job(NOW).is_none(), "not at once");
    let third = case.job(wait(1)).expect("after a while");
    assert_eq!((&third.call.key, third.call.attempts), (&first.call.key, 3));
    case.answer(&third, Answered::Intent(said("pi_1", Status::Open)), wait(1));
    assert_eq!(case.seen(1).card.map(|asked| asked.attempt), Some(1));
    case.is_sound();
}

#[test]
fn a_sum_that_was_taken_though_its_answer_was_lost_is_taken_in_once() {
    let case = Case::new();
    case.held(1, "pi_1");
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, later("the connection broke"), NOW);
    // A look finds it before the call is made again.
    let Answered::Intent(says) = taken("pi_1", 2_000) else { panic!("an intent") };
    case.hears("pi_1", &says, NOW);
    assert_eq!(case.by_card(), [2_000]);
    assert!(case.job(NOW.plus_ms(DAY_MS)).is_none(), "nothing is left to be told");
    case.is_sound();
}

#[test]
fn while_a_card_is_waited_for_cash_is_taken_and_the_card_let_go() {
    let case = Case::new();
    case.asked(1, "pi_1");
    case.act(1, Deed::Pay(money(2_000), Means::Cash)).expect("in cash");
    case.advance(NOW);
    let job = case.job(NOW).expect("the provider is to be told");
    assert_eq!(job.call.what, What::Cancel);
    case.answer(&job, Answered::Intent(said("pi_1", Status::CalledOff)), NOW);
    assert_eq!((case.state(1), case.payment(1)), (Some(State::Released), "paid"));
    // A sum that is held is first let go.
    case.held(2, "pi_2");
    let cash = case.act(2, Deed::Pay(money(2_000), Means::Cash));
    assert!(matches!(cash, Err(NotDone::Chain(_))), "{cash:?}");
    let order = case.act(2, Deed::LetCardGo).expect("it is let go");
    assert_eq!(order.payment, Payment::Voided { why: VoidReason::PaidOtherwise });
    case.act(2, Deed::Pay(money(2_000), Means::Cash)).expect("in cash");
    case.advance(NOW);
    let job = case.job(NOW).expect("the provider is to be told");
    assert_eq!(job.call.what, What::Cancel);
    // Who captured it there by hand took money without an order: a person has to look.
    case.answer(&job, taken("pi_2", 2_200), NOW);
    assert_eq!((case.payment(2), case.by_card()), ("paid", vec![]));
    let list = case.street.shop.reconciliation(NOW).expect("it is read").cards;
    assert!(list.troubles[0].says.contains("give it back"), "{:?}", list.troubles);
    case.is_sound();
}

#[test]
fn a_card_that_is_declined_leaves_the_order_to_be_paid_otherwise_or_again() {
    let case = Case::new();
    case.asked(1, "pi_1");
    let failure = Some(CardFailure::InsufficientFunds);
    let declined = Intent { failure, ..said("pi_1", Status::Open) };
    for _ in 0..3 {
        case.hears("pi_1", &declined, NOW);
    }
    let order = case.seen(1);
    let failed = Payment::Failed { at: NOW, why: CardFailure::InsufficientFunds };
    assert_eq!(order.payment, failed);
    let kinds = |n| {
        let entries = case.street.shop.order(which(n)).expect("it is there").entries;
        entries.iter().map(|entry| entry.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(1), ["placed", "accepted", "card_asked", "card_failed"], "said once");
    // Another card, at the same payment.
    case.hears("pi_1", &said("pi_1", Status::Held), NOW);
    assert_eq!(case.payment(1), "authorised");
    // One that is over is asked for anew, ten times at most.
    case.asked(2, "pi_2");
    case.hears("pi_2", &said("pi_2", Status::CalledOff), NOW);
    assert_eq!((case.payment(2), case.state(2)), ("failed", Some(State::Failed)));
    let shop = &case.street.shop;
    for attempt in 2..=10 {
        shop.ask_for_card(which(2), NOW, &mut rng(9)).expect("once more");
        let twice = shop.ask_for_card(which(2), NOW, &mut rng(9));
        assert!(matches!(twice, Err(NotByCard::NotNow)), "{twice:?}");
        let job = case.job(NOW).expect("it is to be made");
        case.answer(&job, Answered::Refused("no".to_owned()), NOW);
        assert_eq!(case.state(2), Some(State::Failed), "{attempt}");
    }
    let more = shop.ask_for_card(which(2), NOW, &mut rng(9));
    assert!(matches!(more, Err(NotByCard::TooOften)), "{more:?}");
    case.act(2, Deed::Pay(money(2_000), Means::Cash)).expect("in cash");
    case.is_sound();
}

#[test]
fn what_is_called_off_is_let_go_and_what_was_not_taken_in_a_week_is_due_again() {
    let case = Case::new();
    case.held(1, "pi_1");
    case.act(1, Deed::Cancel(CancelReason::ByShop)).expect("it is called off");
    case.advance(NOW);
    assert_eq!(case.seen(1).payment, Payment::Voided { why: VoidReason::NotNeeded });
    assert_eq!(case.job(NOW).map(|job| job.call.what), Some(What::Cancel));
    // Without the internet nothing is taken for a week.
    case.held(2, "pi_2");
    let listed = case.street.shop.reconciliation(NOW).expect("it is read").cards.held;
    assert_eq!(listed.iter().map(|held| held.minor).collect::<Vec<_>>(), [2_200]);
    case.advance(NOW.plus_ms(7 * DAY_MS - 1));
    assert_eq!(case.payment(2), "authorised");
    let after = NOW.plus_ms(7 * DAY_MS + 1);
    case.advance(after);
    assert_eq!(case.seen(2).payment, Payment::Voided { why: VoidReason::Expired });
    let due = Totals::of(&case.seen(2)).expect("it fits").due;
    assert_eq!(due, money(2_000), "it is due again");
    // Where it may have been taken, the provider alone knows.
    case.held(3, "pi_3");
    case.hand_over(3, 1_000);
    case.advance(NOW);
    let jobs: Vec<Job> = std::iter::from_fn(|| case.job(after)).collect();
    let job = jobs.iter().find(|job| job.call.what == What::Capture).expect("it is to be taken");
    case.answer(job, later("the connection broke"), after);
    case.advance(after.plus_ms(DAY_MS));
    assert_eq!(case.payment(3), "authorised");
    let go = case.act(3, Deed::LetCardGo).expect_err("it may have been taken");
    assert!(matches!(go, NotDone::Card(why) if matches!(*why, NotByCard::Taking)));
    case.hears("pi_3", &said("pi_3", Status::CalledOff), after.plus_ms(DAY_MS));
    assert_eq!(case.seen(3).payment, Payment::Voided { why: VoidReason::Expired });
    case.is_sound();
}

#[test]
fn another_sum_or_currency_at_the_provider_moves_nothing_and_is_listed() {
    let case = Case::new();
    for (n, wrong) in [
        (1, Intent { minor: 22, ..said("pi_1", Status::Held) }),
        (2, Intent { currency: "eur".to_owned(), ..said("pi_2", Status::Held) }),
    ] {
        let intent = format!("pi_{n}");
        case.asked(n, &intent);
        case.hears(&intent, &wrong, NOW);
        assert_eq!(case.payment(n), "due");
    }
    let troubles = case.street.shop.reconciliation(NOW).expect("it is read").cards.troubles;
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    // Less was taken than was said: what came in counts, and a person hears of it.
    case.held(3, "pi_3");
    case.hand_over(3, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, taken("pi_3", 1_500), NOW);
    assert_eq!((case.payment(3), case.by_card()), ("partly_paid", vec![1_500]));
    case.act(3, Deed::Pay(money(500), Means::Cash)).expect("the rest in cash");
    assert!(matches!(case.seen(3).stage, Stage::Completed { .. }));
    case.is_sound();
}

#[test]
fn a_shop_takes_cards_and_upi_only_where_its_owner_said_so() {
    let case = Case::without_cards();
    let stage = |n| case.seen(n).stage.label();
    case.order(1, Method::Card);
    case.order(2, Method::Upi);
    assert_eq!([stage(1), stage(2)], ["declined", "declined"]);
    let shop = &case.street.shop;
    let set = |given| shop.set_cards(given, false, &mut rng(2));
    let no_key = set(GivenAccount { secret: None, ..account(true) });
    assert!(matches!(no_key, Err(NotByCard::Account(_))), "{no_key:?}");
    for bad in [
        GivenAccount { publishable: "sk_live_1".to_owned(), ..account(true) },
        GivenAccount { secret: Some("pk_live_1".to_owned()), ..account(true) },
        GivenAccount { secret: Some("sk live".to_owned()), ..account(true) },
        GivenAccount { secret: Some("s".repeat(256)), ..account(true) },
        GivenAccount { page: Some("http://corner.example".to_owned()), ..account(true) },
        GivenAccount { page: Some("https://corner.example/#x".to_owned()), ..account(true) },
        GivenAccount { base: Some("http://127.0.0.1:1".to_owned()), ..account(true) },
        GivenAccount { base: Some("http://api.stripe.com".to_owned()), ..account(true) },
        GivenAccount { base: Some("https://a.example/?x=1".to_owned()), ..account(true) },
    ] {
        assert!(set(bad.clone()).is_err(), "{:?} {:?}", bad.base, bad.page);
    }
    assert!(shop.cards().expect("it is read").is_none(), "nothing was changed");
    set(account(true)).expect("it is set");
    let kept = set(GivenAccount { secret: None, webhook: None, ..account(true) });
    assert!(kept.expect("it is set").secret.is_some(), "what was given stays");
    let elsewhere = Some("https://other.example".to_owned());
    let moved = GivenAccount { base: elsewhere, secret: None, ..account(true) };
    assert!(set(moved).is_err(), "a secret is for the place that it was given for");
    case.order(3, Method::Card);
    assert_eq!(stage(3), "accepted");
    set(account(false)).expect("it is turned off");
    case.order(4, Method::Card);
    assert_eq!(stage(4), "declined");
}

#[test]
fn an_order_by_upi_waits_for_its_money_and_is_paid_by_it() {
    let case = Case::without_cards();
    let upi = kirana_core::upi::Payee { address: "corner@okbank".into(), name: "Corner".into() };
    let terms = kirana_core::terms::Terms { upi: Some(upi), ..Default::default() };
    case.street.shop.set_terms(terms, NOW).expect("they are set");
    case.order(1, Method::Upi);
    assert_eq!(case.payment(1), "due");
    let link = case.street.shop.upi_link(which(1)).expect("it is paid so").expect("it is due");
    assert!(link.contains("am=20.00"), "{link}");
    case.act(1, Deed::Pay(money(2_000), Means::Upi)).expect("it came");
    case.hand_over(1, 1_000);
    assert!(matches!(case.seen(1).stage, Stage::Completed { .. }));
    case.is_sound();
}

#[test]
fn a_webhook_is_a_hint_that_counts_once_and_only_when_signed_in_time() {
    let case = Case::new();
    case.asked(1, "pi_1");
    let shop = &case.street.shop;
    let event = |id: &str, intent: &str| {
        format!(
            r#"{{"id":"{id}","type":"payment_intent.succeeded",
            "data":{{"object":{{"id":"{intent}","status":"succeeded","amount":2200}}}}}}"#
        )
    };
    let hear = |body: &str, at_s: u64, secret: &str| {
        let signed = signature(secret.as_bytes(), at_s, body.as_bytes());
        shop.hear_card_event(body.as_bytes(), &signed, NOW)
    };
    let now_s = NOW.get() / 1_000;
    let first = event("evt_1", "pi_1");
    assert!(matches!(hear(&first, now_s, WEBHOOK), Ok(true)));
    assert!(matches!(hear(&first, now_s + 1, WEBHOOK), Ok(false)), "replayed: no second effect");
    assert_eq!(case.payment(1), "due", "nothing that it says of money is believed");
    assert!(matches!(hear(&event("evt_2", "pi_9"), now_s, WEBHOOK), Ok(false)), "another's");
    assert!(matches!(hear(&event("evt_3", "pi_1"), now_s - 300, WEBHOOK), Ok(true)));
    for at_s in [now_s - 301, now_s + 301] {
        let late = hear(&event("evt_4", "pi_1"), at_s, WEBHOOK);
        assert!(matches!(late, Err(BadEvent::Late)), "{late:?}");
    }
    let forged = hear(&event("evt_5", "pi_1"), now_s, "whsec_other");
    assert!(matches!(forged, Err(BadEvent::Forged)), "{forged:?}");
    let changed = shop.hear_card_event(
        event("evt_6", "pi_1").as_bytes(),
        &signature(WEBHOOK.as_bytes(), now_s, first.as_bytes()),
        NOW,
    );
    assert!(matches!(changed, Err(BadEvent::Forged)), "{changed:?}");
    for bad in [
        "",
        "{}",
        "[1]",
        r#"{"id":"","data":{"object":{}}}"#,
        r#"{"id":"a/b","data":{"object":{}}}"#,
    ] {
        assert!(matches!(hear(bad, now_s, WEBHOOK), Err(BadEvent::Malformed)), "{bad}");
    }
    let long = "x".repeat(kirana_shop::app::cards::EVENT_BYTES_MAX + 1);
    assert!(matches!(hear(&long, now_s, WEBHOOK), Err(BadEvent::TooLong)));
    let other = Case::without_cards();
    let unset = other.street.shop.hear_card_event(b"{}", "t=1,v1=0", NOW);
    assert!(matches!(unset, Err(BadEvent::Unexpected)));
}

#[test]
fn money_at_the_provider_without_an_order_and_the_reverse_is_listed() {
    let case = Case::new();
    case.held(1, "pi_1");
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, taken("pi_1", 2_000), NOW);
    let charge = |id: &str, intent: &str, minor| Charge {
        id: id.to_owned(),
        intent: Some(intent.to_owned()),
        at: NOW,
        currency: "inr".to_owned(),
        minor,
        captured: true,
        refunded_minor: 0,
    };
    let shop = &case.street.shop;
    let (later, list) = (NOW.plus_ms(60_000), || shop.cards_reconciled().expect("it is read"));
    shop.note_charges(vec![charge("ch_9", "pi_9", 700)], later).expect("it is stored");
    let seen = list();
    assert_eq!(seen.strangers.iter().map(|c| c.minor).collect::<Vec<_>>(), [700]);
    assert!(seen.troubles[0].says.contains("does not show pi_1"), "{:?}", seen.troubles);
    let both = vec![charge("ch_9", "pi_9", 700), charge("ch_1", "pi_1", 2_000)];
    shop.note_charges(both, later).expect("it is stored");
    assert_eq!(list().troubles, []);
    shop.note_charges(vec![charge("ch_1", "pi_1", 1_999)], later).expect("it is stored");
    assert!(list().troubles[0].says.contains("took 1999"), "{:?}", list().troubles);
    assert!(matches!(shop.set_charge_aside("ch_9", " "), Err(NotByCard::Words)));
    shop.set_charge_aside("ch_9", "the web shop's").expect("it is set aside");
    assert!(matches!(shop.set_charge_aside("ch_9", "again"), Err(NotByCard::NoSuchCharge)));
    assert_eq!(list().strangers, []);
}

#[test]
fn more_that_is_wanted_is_asked_for_anew_before_anything_is_held() {
    use kirana_core::order::{
        placed::{Alteration, NewAmount},
        wish::{Change, Wish},
    };
    let case = Case::new();
    case.asked(1, "pi_1");
    let who = Customer::new(&case.street, 1);
    let amounts = vec![NewAmount { line: 0, amount: 2_000 }];
    let alteration = Alteration { amounts, ..Alteration::default() };
    let wish = who.wish(1, &Wish::Change(Change { alteration, head: None, anchors: Vec::new() }));
    case.street.deliver(&who.mail(&case.street, &who.parcel(&[&wish]))).expect("it is heard");
    case.advance(NOW);
    let jobs: Vec<Job> = std::iter::from_fn(|| case.job(NOW)).collect();
    let told: Vec<_> = jobs.iter().map(|job| (job.call.what, job.call.minor)).collect();
    assert_eq!(told, [(What::Cancel, 2_200), (What::Create, 4_400)]);
    case.is_sound();
}
