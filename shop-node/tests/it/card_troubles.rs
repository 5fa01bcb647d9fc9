//! Payments by card that go wrong: refused, told of by halves, failed over and over, brought back.

use kirana_core::{
    order::{
        axes::{Payment, Stage},
        facts::{CardFailure, Means, VoidReason},
        placed::Method,
    },
    time::DAY_MS,
};
use kirana_migrations::{Database, Location, Schema};
use kirana_shop::{
    app::{
        Shop,
        cards::{Answered, Intent, Status},
        orders::Deed,
    },
    store::{
        cards::{Charge, State, What},
        orders,
    },
};

use crate::{
    cards::{Case, money, said, taken, which},
    neighbour::{Customer, NOW, rng},
};

/// The shop comes back as it was in a copy, and the customer brings what the order said last.
fn restore(case: &mut Case, n: u8, image: Vec<u8>) {
    let (party, id) = (Customer::new(&case.street, n).party, which(n).id);
    let chain = case.street.shop.database().reader.read(|c| {
        let row = orders::find(c, &party, id)?.expect("it is there");
        orders::chain(c, &row)
    });
    let chain = chain.expect("it is read");
    let bytes = chain.entries().iter().map(|entry| entry.signed().bytes().to_vec());
    let old = case.street.shop.chain().expect("its certificates");
    let database = Database::open(Schema::Shop, Location::Image(image)).expect("it opens");
    let shop = Shop::restore(database, case.street.shop.keys(), 0, NOW, &mut rng(50));
    case.street.shop = shop.expect("it is restored");
    let who = Customer::new(&case.street, n);
    let mut parcel = who.parcel(&[]);
    parcel.statements = bytes.map(Into::into).collect();
    parcel.certificates.extend(old.into_iter().map(Into::into));
    case.street.deliver(&who.mail(&case.street, &parcel)).expect("it is adopted");
}

#[test]
fn p1_a_customer_who_tries_card_after_card_fills_no_order_and_stops_nobody() {
    let case = Case::new();
    case.asked(1, "pi_1");
    for _ in 0..30 {
        for why in [CardFailure::Declined, CardFailure::ExpiredCard] {
            let declined = Intent { failure: Some(why), ..said("pi_1", Status::Open) };
            case.hears("pi_1", &declined, NOW);
        }
    }
    let entries = case.street.shop.order(which(1)).expect("it is there").entries;
    let failed = entries.iter().filter(|entry| entry.kind == "card_failed").count();
    assert_eq!((failed, case.payment(1)), (10, "failed"));
    case.held(2, "pi_2");
    case.hears("pi_1", &said("pi_1", Status::Held), NOW);
    assert_eq!(case.payment(1), "authorised", "the next card may be a good one");
    case.is_sound();
}

#[test]
fn a_hold_that_ends_at_the_provider_after_the_shop_let_it_go_is_no_misfit() {
    let case = Case::new();
    case.held(1, "pi_1");
    case.act(1, Deed::LetCardGo).expect("it is let go");
    case.hears("pi_1", &said("pi_1", Status::CalledOff), NOW);
    assert_eq!(case.state(1), Some(State::Released));
    assert_eq!(case.seen(1).payment, Payment::Voided { why: VoidReason::PaidOtherwise });
    let list = case.street.shop.cards_reconciled().expect("it is read");
    assert_eq!(list.troubles, []);
    case.is_sound();
}

#[test]
fn what_the_provider_refuses_to_take_is_let_go_and_paid_otherwise() {
    let case = Case::new();
    case.asked(1, "pi_1");
    // Less is held than was asked for: no more than that is taken.
    let less = Intent { held_minor: Some(1_500), ..said("pi_1", Status::Held) };
    case.hears("pi_1", &less, NOW);
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    assert_eq!((job.call.what, job.call.minor), (What::Capture, 1_500));
    case.answer(&job, Answered::Refused("the provider answered 400".to_owned()), NOW);
    assert_eq!(case.payment(1), "authorised");
    let list = case.street.shop.cards_reconciled().expect("it is read");
    assert!(list.troubles[0].says.contains("1500 was not taken"), "{:?}", list.troubles);
    case.act(1, Deed::LetCardGo).expect("nobody is taking it");
    let order = case.act(1, Deed::Pay(money(2_000), Means::Cash)).expect("in cash");
    assert!(matches!(order.stage, Stage::Completed { .. }));
    case.advance(NOW);
    assert_eq!(case.job(NOW).map(|job| job.call.what), Some(What::Cancel));
    // Where nobody does anything, it is due again when the time is over.
    case.held(2, "pi_2");
    case.hand_over(2, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, Answered::Refused("the provider answered 400".to_owned()), NOW);
    // A clock that jumps a week at once would be doubted.
    case.hears("pi_2", &said("pi_2", Status::Held), NOW.plus_ms(4 * DAY_MS));
    case.advance(NOW.plus_ms(7 * DAY_MS + 1));
    assert_eq!(case.seen(2).payment, Payment::Voided { why: VoidReason::Expired });
    case.is_sound();
}

#[test]
fn what_was_taken_without_a_word_how_much_is_asked_about_again() {
    let case = Case::new();
    case.asked(1, "pi_1");
    case.hears("pi_1", &said("pi_1", Status::Taken), NOW);
    assert_eq!((case.state(1), case.payment(1)), (Some(State::Asked), "due"));
    case.hears("pi_1", &said("pi_1", Status::Held), NOW);
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    for sum in [None, Some(0)] {
        let vague = Intent { taken_minor: sum, ..said("pi_1", Status::Taken) };
        case.answer(&job, Answered::Intent(vague.clone()), NOW);
        case.hears("pi_1", &vague, NOW);
        assert_eq!((case.state(1), case.payment(1)), (Some(State::Authorised), "authorised"));
    }
    let job = case.job(NOW.plus_ms(60_000)).expect("it is told again");
    assert_eq!((job.call.what, job.call.attempts), (What::Capture, 2));
    case.answer(&job, taken("pi_1", 2_000), NOW);
    assert_eq!((case.payment(1), case.by_card()), ("captured", vec![2_000]));
    case.is_sound();
}

#[test]
fn p2_a_hold_that_is_younger_than_the_backup_is_taken_all_the_same() {
    let mut case = Case::new();
    case.order(1, Method::Card);
    let image = case.street.shop.database().image().expect("an image");
    let job = case.job(NOW).expect("the provider is to be told");
    case.answer(&job, Answered::Intent(said("pi_1", Status::Open)), NOW);
    case.hears("pi_1", &said("pi_1", Status::Held), NOW);
    case.hand_over(1, 1_000);
    restore(&mut case, 1, image);
    assert_eq!((case.state(1), case.payment(1)), (Some(State::Authorised), "authorised"));
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    assert_eq!((job.call.what, job.intent.as_deref()), (What::Capture, Some("pi_1")));
    case.answer(&job, taken("pi_1", 2_000), NOW);
    assert_eq!((case.payment(1), case.by_card()), ("captured", vec![2_000]));
    assert!(case.job(NOW).is_none(), "nothing is asked for anew");
}

#[test]
fn p2_what_goes_back_after_a_restore_is_not_what_went_back_before() {
    let mut case = Case::new();
    case.held(1, "pi_1");
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, taken("pi_1", 2_000), NOW);
    let image = case.street.shop.database().image().expect("an image");
    let refund = |case: &Case, key: &str| {
        case.act(1, Deed::Refund(money(500), Means::Card)).expect("it goes back");
        let job = case.job(NOW).expect("the provider is to be told");
        assert!(job.call.key.ends_with(key), "{}", job.call.key);
        case.answer(&job, Answered::Refunded { minor: 500 }, NOW);
    };
    refund(&case, "-refund-1");
    restore(&mut case, 1, image);
    assert_eq!(case.by_card(), [2_000, -500]);
    refund(&case, "-refund-2");
    assert_eq!((case.payment(1), case.by_card()), ("partly_refunded", vec![2_000, -500, -500]));
}

#[test]
fn what_went_back_at_the_provider_alone_is_listed_and_what_is_settled_there_is_not() {
    let case = Case::new();
    case.held(1, "pi_1");
    case.hand_over(1, 1_000);
    case.advance(NOW);
    let job = case.job(NOW).expect("it is to be taken");
    case.answer(&job, taken("pi_1", 2_000), NOW);
    case.act(1, Deed::Refund(money(500), Means::Card)).expect("it goes back");
    let shop = &case.street.shop;
    let shows = |minutes: u64, intent: &str, minor, refunded_minor| {
        let charge = Charge {
            id: format!("ch_{intent}"),
            intent: Some(intent.to_owned()),
            at: NOW,
            currency: "inr".to_owned(),
            minor,
            captured: true,
            refunded_minor,
        };
        shop.note_charges(vec![charge], NOW.plus_ms(minutes * 60_000)).expect("it is stored");
        let troubles = shop.cards_reconciled().expect("it is read").troubles;
        troubles.into_iter().map(|trouble| trouble.says).collect::<Vec<_>>()
    };
    assert_eq!(shows(1, "pi_1", 2_000, 0), [""; 0], "it is on its way");
    let job = case.job(NOW).expect("the provider is to be told");
    case.answer(&job, Answered::Refunded { minor: 500 }, NOW);
    assert_eq!(shows(2, "pi_1", 2_000, 500), [""; 0]);
    let says = "the provider gave back 700 of pi_1, the order says 500 (minor units)";
    assert_eq!(shows(3, "pi_1", 2_000, 700), [says]);
    assert_eq!(shows(4, "pi_1", 2_200, 700), [""; 0], "too much was taken, and is given back");
    // Taken by hand for an order that is paid otherwise: until it is given back.
    case.held(2, "pi_2");
    case.act(2, Deed::LetCardGo).expect("it is let go");
    case.act(2, Deed::Pay(money(2_000), Means::Cash)).expect("in cash");
    case.advance(NOW);
    let job = case.job(NOW).expect("the provider is to be told");
    case.answer(&job, taken("pi_2", 2_200), NOW);
    assert_eq!(shows(5, "pi_2", 2_200, 2_000).len(), 2);
    assert_eq!(shows(6, "pi_2", 2_200, 2_200), [""; 0]);
    case.is_sound();
}
