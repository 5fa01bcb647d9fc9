//! An order from the tap to the shop's decision, also after everything went wrong in between.

use kirana_core::{
    mail::Mail,
    order::{
        entry::Body,
        facts::{HandedOver, OfGroup, Packed, Packing},
    },
    time::DAY_MS,
};
use kirana_customer::{
    app::{Household, HouseholdError, status::Whereabouts},
    store::journal::Route,
};
use kirana_migrations::Fault;

use crate::neighbour::{self, NOW, Neighbour, household, placed_at, rng, two_kilos_of_rice};

#[test]
fn p1_an_order_that_is_shown_as_placed_survives_a_restart() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, entry, _) = placed_at(&shop, &meena);

    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!(again.waiting().unwrap().len(), 1);
    assert_eq!(again.waiting().unwrap()[0].hash, entry);
    assert_eq!(again.order_status(order, NOW).unwrap().whereabouts, Whereabouts::SavedHere);
}

#[test]
fn p1_an_order_whose_commit_failed_is_not_shown_as_placed() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    meena.database().writer.inject(Some(Fault::CrashBeforeCommit(0)));
    assert!(meena.place(two_kilos_of_rice(shop.id), NOW, &mut rng(1)).is_err());

    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!(again.order_ids().unwrap(), []);
    assert_eq!(again.waiting().unwrap(), []);
}

#[test]
fn p1_only_the_shops_own_entry_ends_the_sending() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, entry, mut chain) = placed_at(&shop, &meena);

    meena.acknowledged(entry, Route::Hub, NOW).unwrap();
    assert_eq!(meena.waiting().unwrap().len(), 1, "a hub's word settles nothing");
    let status = meena.order_status(order, NOW).unwrap();
    assert_eq!(status.whereabouts, Whereabouts::OnItsWay { via: Route::Hub });

    let accepted = shop.accept(&mut chain);
    let mail = shop.post(&[&accepted], &meena.keys().sealing.public(), 3);
    let received = meena.receive(&mail, NOW).unwrap();
    assert_eq!((received.settled, received.changed), (vec![entry], vec![order]));
    assert_eq!(meena.waiting().unwrap(), []);
    let status = meena.order_status(order, NOW).unwrap();
    assert_eq!((status.whereabouts, status.stage), (Whereabouts::Decided, "accepted"));
    assert_eq!(status.total.unwrap().minor, 13_600);
}

#[test]
fn p1_fifty_deliveries_have_one_effect() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let accepted = shop.accept(&mut chain);
    for seed in 0..50 {
        let mail = shop.post(&[&accepted], &meena.keys().sealing.public(), seed);
        let received = meena.receive(&mail, NOW.plus_ms(seed)).unwrap();
        assert_eq!(received.changed.len(), usize::from(seed == 0));
    }
    assert_eq!(meena.order_chain(order).unwrap(), chain);
}

#[test]
fn entries_that_come_in_the_wrong_order_wait_for_the_one_before() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let mut sent = vec![shop.accept(&mut chain)];
    let steps = [
        Body::Packing(Packing::default()),
        Body::Packed(Packed::default()),
        Body::ReadyForPickup(OfGroup::default()),
        Body::Collected(HandedOver::default()),
    ];
    for body in steps {
        let at = NOW.plus_ms(10_000);
        sent.push(chain.append(shop.generation, at, &body, &shop.node.signing).unwrap());
    }
    for (seed, entry) in sent.iter().rev().enumerate() {
        let mail = shop.post(&[entry], &meena.keys().sealing.public(), seed as u64);
        meena.receive(&mail, NOW).unwrap();
    }
    assert_eq!(meena.order_chain(order).unwrap(), chain);
}

#[test]
fn p6_an_entry_by_somebody_else_is_not_believed() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let mut impostor = Neighbour::new();
    impostor.node = kirana_core::key::KeyPair::from_seed([99; 64]);
    let forged = impostor.accept(&mut chain);
    let mail = impostor.post(&[&forged], &meena.keys().sealing.public(), 3);
    let received = meena.receive(&mail, NOW).unwrap();
    assert_eq!(received.doubted.len(), 1);
    assert_eq!(meena.order_status(order, NOW).unwrap().stage, "placed");
}

#[test]
fn p8_a_restored_shop_wins_over_the_branch_of_its_lost_box() {
    let (mut shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, chain) = placed_at(&shop, &meena);
    let (mut old, mut new) = (chain.clone(), chain);
    let accepted = shop.accept(&mut old);
    let to = meena.keys().sealing.public();
    meena.receive(&shop.post(&[&accepted], &to, 3), NOW).unwrap();

    shop.next_generation(72);
    let accepted_again = shop.accept(&mut new);
    meena.receive(&shop.post(&[&accepted_again], &to, 4), NOW).unwrap();
    assert_eq!(meena.order_chain(order).unwrap(), new);
    assert_eq!(meena.known_shop(shop.id).unwrap().unwrap().generation, 2);

    meena.receive(&shop.post(&[&accepted], &to, 5), NOW).unwrap();
    assert_eq!(meena.order_chain(order).unwrap(), new, "the losing branch stays lost");
}

#[test]
fn p4_the_mail_shows_neither_the_person_nor_the_goods() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let placed = meena.place(two_kilos_of_rice(shop.id), NOW, &mut rng(1)).unwrap();
    let mail: Mail = meena.mail_for(placed.entry, &mut rng(2)).unwrap().unwrap();
    let bytes = kirana_core::cbor::to_vec(&mail);
    assert!(!bytes.windows(5).any(|window| window == b"Meena"));
    assert!(!bytes.windows(16).any(|window| window == placed.id.as_bytes()));
}

#[test]
fn a_deadline_in_the_past_is_refused() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let late = meena.place(two_kilos_of_rice(shop.id), NOW.plus_ms(DAY_MS), &mut rng(1));
    assert!(matches!(late, Err(HouseholdError::TooLate)));
}

#[test]
fn an_order_at_a_shop_that_was_never_chosen_is_refused() {
    let (shop, meena) = (Neighbour::new(), household(1));
    assert!(neighbour::is_guest(meena.party()));
    let refused = meena.place(two_kilos_of_rice(shop.id), NOW, &mut rng(1));
    assert!(matches!(refused, Err(HouseholdError::UnknownShop)));
}

#[test]
fn p3_a_clock_that_jumped_while_the_device_was_off_runs_nothing_out() {
    let meena = household(1);
    assert!(!meena.known_now(NOW).expiry_suspended);
    let restarted = |meena: &Household| {
        Household::open(meena.database().restart(), meena.keys().clone()).unwrap()
    };
    let a_year_on = NOW.plus_ms(365 * DAY_MS);
    let again = restarted(&meena);
    assert!(again.known_now(a_year_on).expiry_suspended);
    let again = restarted(&again);
    assert!(again.known_now(a_year_on).expiry_suspended, "the doubt is remembered");
    again.confirm_clock().unwrap();
    let again = restarted(&again);
    assert_eq!(again.known_now(a_year_on).at, a_year_on);
    assert!(!again.known_now(a_year_on).expiry_suspended);
}

#[test]
fn an_order_that_nobody_answered_in_time_says_so_and_a_late_answer_still_counts() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let deadline = NOW.plus_ms(DAY_MS);
    let before = meena.order_status(order, NOW.plus_ms(DAY_MS - 1)).unwrap();
    assert_eq!(before.whereabouts, Whereabouts::SavedHere);
    let late = meena.order_status(order, deadline).unwrap();
    assert_eq!(late.whereabouts, Whereabouts::NobodyAnswered);
    assert!(late.says.contains("may still be decided"), "{}", late.says);
    // Only the shop says that an order has expired.
    assert_eq!((late.stage, late.entries.len()), ("placed", 1));

    let accepted = shop.accept(&mut chain);
    let mail = shop.post(&[&accepted], &meena.keys().sealing.public(), 3);
    meena.receive(&mail, deadline).unwrap();
    let decided = meena.order_status(order, deadline.plus_ms(1)).unwrap();
    assert_eq!(decided.whereabouts, Whereabouts::Decided);
}

#[test]
fn p3_while_the_own_clock_is_in_doubt_no_order_runs_out() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, _) = placed_at(&shop, &meena);
    meena.known_now(NOW);
    let a_year_on = NOW.plus_ms(365 * DAY_MS);
    let status = meena.order_status(order, a_year_on).unwrap();
    assert_eq!(status.whereabouts, Whereabouts::SavedHere);
    meena.confirm_clock().unwrap();
    let status = meena.order_status(order, a_year_on).unwrap();
    assert_eq!(status.whereabouts, Whereabouts::NobodyAnswered);
}
