//! Orders that staff take for people who have no device.

use kirana_core::{
    id::VariantId,
    key::KeyId,
    order::{
        axes::Stage,
        facts::{DeclineReason, Packing},
        personal::Personal,
        placed::Substitution,
    },
    terms::{Delivery, Terms, Way},
};
use kirana_migrations::{Database, Fault, Location, Schema};
use kirana_shop::app::{
    Once, Shop,
    access::By,
    callers::{Call, NotTaken},
    erased::Forgotten,
    handing::Handing,
    khata::Writing,
    orders::{Deed, NotDone, OrderView, Which},
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

fn asha() -> Personal {
    Personal {
        name: "Asha".into(),
        phone: "98450 11111".into(),
        address: "3 Temple Street".into(),
        note: "the dog is harmless".into(),
        ..Personal::default()
    }
}

fn call(milk: VariantId, packs: u64) -> Call {
    Call {
        caller: None,
        person: asha(),
        lines: vec![(milk, packs)],
        way: Way::Delivery,
        slot: None,
        partial_ok: false,
        substitution: Substitution::LeaveOut,
        of_age: None,
    }
}

fn take(
    street: &Neighbourhood,
    key: Option<&str>,
    call: Call,
) -> Result<(KeyId, OrderView), NotTaken> {
    let who = street.shop.keys().node.id();
    let once = key.map(|key| Once::new(who, key).expect("a key"));
    // Another draw for another call.
    let packs = call.lines.iter().map(|(_, amount)| *amount as u8).sum::<u8>();
    street.shop.take_call(once, call, By { who, till: None }, NOW, &mut rng(100 + packs))
}

fn is_sound(street: &Neighbourhood) {
    let faults = street.shop.verify().expect("it is read").faults;
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn somebody_who_calls_is_served_like_anybody_else_and_known_the_next_time() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 10);
    let (who, view) = take(&street, None, call(milk, 2)).expect("it is taken");
    assert!(matches!(view.order.stage, Stage::Accepted { .. }), "{:?}", view.order.stage);
    assert_eq!(street.balance(milk), (10, 2));
    let person = street.shop.person(&view.order).expect("it is read").expect("it is there");
    assert_eq!(person, asha());
    assert_eq!(street.shop.done_by(&view).expect("it is read").len(), 1, "who took it is known");
    let found = street.shop.callers("asha 98450").expect("they are read");
    assert_eq!(found.iter().map(|caller| caller.id).collect::<Vec<_>>(), [who]);
    assert_eq!(found[0].person.note, "", "what belongs to one order is not kept of the person");
    assert!(street.shop.callers("meena").expect("they are read").is_empty());
    let again = Call { caller: Some(who), ..call(milk, 1) };
    let (same, second) = take(&street, None, again).expect("it is taken");
    assert_eq!((same, second.order.customer), (who, view.order.customer));
    let which = Which { id: view.order.id, customer: None };
    for deed in [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, vec![]),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
    ] {
        street.shop.act(which, deed, NOW, &mut rng(4)).expect("it goes on");
    }
    is_sound(&street);
}

#[test]
fn p2_a_call_takes_no_more_than_there_is_and_the_shops_own_terms_hold() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 3);
    let (_, much) = take(&street, None, call(milk, 4)).expect("it is answered");
    assert!(matches!(much.order.stage, Stage::Declined { .. }));
    let money = |minor| Some(kirana_core::money::Money::new(minor, rupees()));
    let delivery = Delivery { minimum: money(5_000), fee: money(1_500), ..Delivery::default() };
    let terms = Terms { delivery: Some(delivery), ..Terms::default() };
    street.shop.set_terms(terms, NOW).expect("they are sound");
    let small = take(&street, None, call(milk, 1));
    assert!(matches!(small, Err(NotTaken::Terms(DeclineReason::BelowMinimum))), "{small:?}");
    let (_, view) = take(&street, None, call(milk, 2)).expect("it is taken");
    assert_eq!(view.totals.sum.minor, 7_500);
    is_sound(&street);
}

#[test]
fn p1_the_same_call_again_is_one_order_of_one_person() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 10);
    let (who, first) = take(&street, Some("monday"), call(milk, 2)).expect("it is taken");
    let (same, again) = take(&street, Some("monday"), call(milk, 2)).expect("it is taken");
    assert_eq!((who, first.order.id), (same, again.order.id));
    assert_eq!(street.balance(milk), (10, 2));
    assert_eq!(street.shop.callers("").expect("they are read").len(), 1);
    let other = take(&street, Some("monday"), call(milk, 3));
    assert!(matches!(other, Err(NotTaken::Order(NotDone::KeyReused))), "{other:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_and_who_is_forgotten_leaves_no_name() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 10);
    let nobody = Call { person: Personal::default(), ..call(milk, 1) };
    assert!(matches!(take(&street, None, nobody), Err(NotTaken::Nameless)));
    let unknown = Call { caller: Some(KeyId::of(&[7; 32])), ..call(milk, 1) };
    assert!(matches!(take(&street, None, unknown), Err(NotTaken::UnknownCaller)));
    assert!(matches!(take(&street, None, call(milk, 0)), Err(NotTaken::NotSold(_))));
    let nothing = Call { lines: vec![], ..call(milk, 1) };
    assert!(matches!(take(&street, None, nothing), Err(NotTaken::Invalid(_))));
    let long = Personal { note: "x".repeat(5_000), ..asha() };
    assert!(matches!(
        take(&street, None, Call { person: long, ..call(milk, 1) }),
        Err(NotTaken::TooLong)
    ));
    assert!(street.shop.callers("").expect("they are read").is_empty(), "nothing was kept");

    let (who, view) = take(&street, None, call(milk, 1)).expect("it is taken");
    street.shop.forget_caller(who).expect("it is known");
    assert_eq!(street.shop.person(&view.order).expect("it is read"), None);
    assert!(street.shop.callers("").expect("they are read").is_empty());
    assert!(matches!(street.shop.forget_caller(who), Err(NotTaken::UnknownCaller)));
    let again = Call { caller: Some(who), ..call(milk, 1) };
    assert!(matches!(take(&street, None, again), Err(NotTaken::UnknownCaller)));
    is_sound(&street);
}

#[test]
fn p7_a_crash_while_a_call_is_taken_leaves_all_of_it_or_nothing() {
    for fault in [Fault::CrashBeforeCommit(0), Fault::CrashAfterCommit(0)] {
        let mut street = Neighbourhood::new();
        let milk = street.stock(10, 3_000, 10);
        street.shop.database().writer.inject(Some(fault));
        assert!(take(&street, Some("monday"), call(milk, 2)).is_err(), "the power is gone");
        let (database, keys) = (street.shop.database().restart(), street.shop.keys().clone());
        street.shop = Shop::open(database, keys).expect("it opens again");
        let is_kept = fault == Fault::CrashAfterCommit(0);
        let there = || street.shop.callers("").expect("they are read").len();
        let orders = || street.shop.orders(None, false, None, 10).expect("they are read").views;
        assert_eq!((there(), orders().len()), (usize::from(is_kept), usize::from(is_kept)));
        for view in orders() {
            assert_eq!(street.shop.done_by(&view).expect("it is read").len(), 1, "who took it");
        }
        take(&street, Some("monday"), call(milk, 2)).expect("the same again");
        assert_eq!((there(), orders().len()), (1, 1));
        is_sound(&street);
    }
}

#[test]
fn an_order_that_staff_took_is_marked_in_lists() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 10);
    let (_, view) = take(&street, None, call(milk, 2)).expect("it is taken");
    assert!(view.by_phone);
    let own = Customer::new(&street, 20);
    let signed = own.sign(1, own.wants(&[(milk, 1, 3_000)]));
    street.deliver(&own.mail(&street, &own.parcel(&[&signed]))).expect("it is taken in");
    let listed = street.shop.orders(None, false, None, 10).expect("they are read").views;
    assert_eq!(listed.iter().map(|view| view.by_phone).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn p4_whoever_was_forgotten_stays_so_when_an_older_copy_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.db");
    let (street, who, khata) = {
        let street = Neighbourhood::at(Location::File(path.clone()));
        let milk = street.stock(10, 3_000, 10);
        let (who, _) = take(&street, None, call(milk, 2)).expect("it is taken");
        let khata = crate::khata::open(&street, None, 1_000).expect("it is opened").row.id;
        (street, who, khata)
    };
    let put_back = tempfile::tempdir().expect("a folder");
    let older = put_back.path().join("shop.db");
    kirana_migrations::backup::copy(&path, &older).expect("a copy");
    street.shop.forget_caller(who).expect("forgotten");
    crate::khata::write(&street.shop, khata, Writing::Forget).expect("forgotten");
    let listed = std::fs::read_to_string(folder.path().join("erased.txt")).expect("a list");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(!listed.contains("Asha"), "{listed}");
    let keys = street.shop.keys().clone();
    drop(street);
    let location = Location::File(older);
    let database = Database::open(Schema::Shop, location).expect("it opens");
    let shop = Shop::open_unchecked(database, keys).expect("it opens");
    assert_eq!(shop.callers("").expect("they are read").len(), 1, "the older copy knows her");
    let list = folder.path().join("erased.txt");
    let lost = Forgotten::of_file(&list).expect("it is read");
    for _ in 0..2 {
        shop.agree_on_erased(Some(&lost)).expect("they agree");
        assert!(shop.callers("").expect("they are read").is_empty());
        assert_eq!(shop.khata(khata).expect("it holds").view.person, None);
    }
    let here = std::fs::read_to_string(put_back.path().join("erased.txt")).expect("a list");
    assert_eq!(here.lines().count(), 2);
    std::fs::write(&list, "khata\n").expect("it is spoiled");
    assert!(Forgotten::of_file(&list).is_err(), "a list that cannot be read is said so");
    let mistyped = folder.path().join("erased.text");
    assert!(Forgotten::of_file(&mistyped).is_err(), "a list that is not there forgets nobody");
    let own = put_back.path().join("erased.txt");
    std::fs::write(&own, &here[..here.len() - 3]).expect("the last line is torn");
    shop.agree_on_erased(None).expect("a torn last line keeps no shop closed");
    assert_eq!(std::fs::read_to_string(&own).expect("a list"), here, "it is whole again");
}
