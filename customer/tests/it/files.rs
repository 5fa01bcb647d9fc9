//! Orders carried by hand, as files.

use kirana_core::{
    cbor,
    mail::{Address, Mail},
    order::chain::Chain,
    time::UnixMs,
};
use kirana_customer::{
    app::{Household, HouseholdError, file::FILE_BYTES_MAX, status::Whereabouts},
    store::journal::Route,
};

use crate::neighbour::{NOW, Neighbour, household, placed_at, rng};

/// The file that a shop would make for this device after it accepted.
fn answer(shop: &Neighbour, chain: &mut Chain, to: &Household) -> Vec<u8> {
    let accepted = shop.accept(chain);
    let mail = shop.post(&[&accepted], &to.keys().sealing.public(), 3);
    cbor::to_vec(&Mail { to: to.address(), ..mail })
}

#[test]
fn p1_an_order_goes_out_and_its_answer_comes_back_as_files() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, entry, mut chain) = placed_at(&shop, &meena);

    let file = meena.export(order, NOW, &mut rng(5)).unwrap();
    let carried: Mail = cbor::from_slice("a file", &file, FILE_BYTES_MAX).unwrap();
    assert_eq!(carried.to, Address::Shop(shop.id));
    assert_eq!(shop.open(&carried, &meena).first().hash(), entry);
    assert_eq!(meena.waiting().unwrap().len(), 1, "a file in a pocket settles nothing");

    let received = meena.receive_file(&answer(&shop, &mut chain, &meena), NOW).unwrap();
    assert_eq!(received.changed, [order]);
    assert_eq!(meena.order_status(order, NOW).unwrap().whereabouts, Whereabouts::Decided);
    assert_eq!(meena.journal().unwrap()[0].first_route, Some(Route::File));
}

#[test]
fn the_first_way_that_acknowledged_stays_in_the_journal() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (_, entry, mut chain) = placed_at(&shop, &meena);
    meena.acknowledged(entry, Route::Community, NOW).unwrap();
    meena.receive_file(&answer(&shop, &mut chain, &meena), NOW).unwrap();
    assert_eq!(meena.journal().unwrap()[0].first_route, Some(Route::Community));
}

#[test]
fn p6_a_file_for_another_device_is_refused() {
    let (shop, meena, ravi) = (Neighbour::new(), household(1), household(2));
    shop.introduce_to(&meena);
    let (_, _, mut chain) = placed_at(&shop, &meena);
    let file = answer(&shop, &mut chain, &meena);
    let refused = ravi.receive_file(&file, NOW);
    assert!(matches!(refused, Err(HouseholdError::ForSomebodyElse)), "{refused:?}");
}

#[test]
fn a_file_that_was_cut_or_changed_on_the_way_changes_nothing() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let file = answer(&shop, &mut chain, &meena);
    for len in (0..file.len()).step_by(97) {
        assert!(meena.receive_file(&file[..len], NOW).is_err(), "the first {len} bytes");
    }
    let mut long = file.clone();
    long.resize(FILE_BYTES_MAX + 1, 0);
    assert!(matches!(meena.receive_file(&long, NOW), Err(HouseholdError::Malformed(_))));
    assert_eq!(meena.order_status(order, NOW).unwrap().whereabouts, Whereabouts::SavedHere);
}

#[test]
fn an_order_that_is_decided_is_exported_with_all_its_entries() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    meena.receive_file(&answer(&shop, &mut chain, &meena), NOW).unwrap();
    let later: UnixMs = NOW.plus_ms(1);
    let file = meena.export(order, later, &mut rng(6)).unwrap();
    let mail: Mail = cbor::from_slice("a file", &file, FILE_BYTES_MAX).unwrap();
    let secret = std::slice::from_ref(&shop.node.sealing);
    let parcel = kirana_core::envelope::open(&mail.sealed, secret).unwrap();
    assert_eq!(parcel.statements.len(), 3, "two entries, and that these are all");
}
