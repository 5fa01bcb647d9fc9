//! What shops say is in stock: believed when it is theirs and newer, and shown first.

use std::collections::BTreeMap;

use kirana_core::{
    availability::{Availability, Level, SignedAvailability},
    catalogue::{BucketNo, document::Bucket},
    id::ShopId,
};
use kirana_customer::app::{Household, HouseholdError};
use kirana_migrations::{Fault, catalogue::search::Query};

use crate::{
    neighbour::{NOW, Neighbour, household},
    shelf::{chunk, variant_id},
};

fn says(shop: &Neighbour, n: u64, level: Level) -> SignedAvailability {
    let levels = BTreeMap::from([(variant_id(), level)]);
    let of = (shop.id, shop.generation);
    let at = NOW.plus_ms(n);
    Availability::new(of, BucketNo::FIRST, n, at, &levels).sign(&shop.node.signing)
}

/// What a person is told of the rice, when it was so, and whether searches show it first.
fn told(household: &Household) -> Option<(Level, u64, bool)> {
    let query = Query { question: "rice".parse().unwrap(), limit: 10, ..Query::default() };
    let found = household.search(&query).unwrap().items;
    let stock = household.stock(&found).unwrap().remove(0)?;
    Some((stock.level, stock.at.since(NOW), found[0].in_stock))
}

fn with_rice() -> (Neighbour, Household) {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    assert!(meena.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap());
    (shop, meena)
}

fn save(household: &Household, shop: ShopId, snapshot: SignedAvailability) -> usize {
    household.save_availability(shop, vec![snapshot]).unwrap()
}

#[test]
fn what_a_shop_says_is_in_stock_is_shown_with_its_age() {
    let (shop, meena) = with_rice();
    assert_eq!(told(&meena), None, "nobody has said yet");
    for (n, level) in [Level::Enough, Level::Few, Level::None, Level::NotCounted].iter().enumerate()
    {
        let n = n as u64 + 1;
        assert_eq!(save(&meena, shop.id, says(&shop, n, *level)), 1);
        assert_eq!(told(&meena), Some((*level, n, *level != Level::None)));
    }
}

#[test]
fn an_older_snapshot_that_is_played_again_changes_nothing() {
    let (shop, meena) = with_rice();
    let old = says(&shop, 1, Level::Enough);
    assert_eq!(save(&meena, shop.id, old.clone()), 1);
    assert_eq!(save(&meena, shop.id, says(&shop, 2, Level::None)), 1);
    assert_eq!(save(&meena, shop.id, old), 0);
    assert_eq!(save(&meena, shop.id, says(&shop, 2, Level::Enough)), 0, "nor the same number");
    assert_eq!(told(&meena), Some((Level::None, 2, false)));
}

#[test]
fn a_restored_shop_begins_its_numbers_anew_and_its_lost_box_is_not_heard_any_more() {
    let (mut shop, meena) = with_rice();
    assert_eq!(save(&meena, shop.id, says(&shop, 9, Level::None)), 1);
    let lost_box = says(&shop, 10, Level::None);
    shop.next_generation(72);
    assert_eq!(save(&meena, shop.id, says(&shop, 1, Level::Few)), 1);
    assert_eq!(save(&meena, shop.id, lost_box), 0);
    assert_eq!(told(&meena), Some((Level::Few, 1, true)));
    // Also where the lost box speaks first, once the newer one was met.
    let (mut shop, ravi) = with_rice();
    let lost_box = says(&shop, 10, Level::None);
    shop.next_generation(72);
    shop.introduce_to(&ravi);
    assert_eq!(save(&ravi, shop.id, lost_box), 0);
}

#[test]
fn what_is_said_of_another_shop_or_by_one_that_was_not_chosen_is_not_kept() {
    let (shop, meena) = with_rice();
    let other = ShopId::new(NOW, [8; 10]);
    assert_eq!(save(&meena, other, says(&shop, 1, Level::Enough)), 0);
    let stranger = household(2);
    let refused = stranger.save_availability(shop.id, vec![says(&shop, 1, Level::Enough)]);
    assert!(matches!(refused, Err(HouseholdError::UnknownShop)), "{refused:?}");
    assert_eq!(told(&meena), None);
}

#[test]
fn stock_that_is_known_before_the_products_are_counts_once_they_come() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    assert_eq!(save(&meena, shop.id, says(&shop, 1, Level::Few)), 1);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    assert!(meena.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap());
    assert_eq!(told(&meena), Some((Level::Few, 1, true)));
}

#[test]
fn p7_what_is_in_stock_survives_a_crash_or_was_never_saved() {
    let (shop, meena) = with_rice();
    save(&meena, shop.id, says(&shop, 1, Level::Few));
    meena.database().writer.inject(Some(Fault::CrashBeforeCommit(0)));
    let lost = meena.save_availability(shop.id, vec![says(&shop, 2, Level::None)]);
    assert!(lost.is_err());
    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!(told(&again), Some((Level::Few, 1, true)));
}
