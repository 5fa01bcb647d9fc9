//! Saved catalogues and the cart: shopping with no network at all.

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Author, Bucket},
        edit::Edit,
        head::{Extent, Head},
        product::{Language, Product},
    },
    hash::Hash,
    household::{Item, usual_cart},
    id::{ProductId, VariantId},
    money::{Currency, Price},
    quantity::{Quantity, Unit},
};
use kirana_customer::app::{Household, HouseholdError};
use kirana_migrations::{
    Fault,
    catalogue::{saved::NotKept, search::Query},
};
use kirana_sync::pull::Load;

use crate::neighbour::{NOW, Neighbour, household, rng};

pub fn product_id() -> ProductId {
    ProductId::new(NOW, [1; 10])
}

pub fn variant_id() -> VariantId {
    VariantId::new(NOW, [2; 10])
}

fn rice(minor: i64) -> Product {
    let mut rice = Product::new(product_id(), Language::ENGLISH, "Sona Masoori rice", variant_id());
    rice.names.insert(Language::HINDI, "सोना मसूरी चावल".to_owned());
    rice.synonyms.insert("chawal".to_owned());
    let variant = rice.variants.get_mut(&variant_id()).unwrap();
    variant.unit = Unit::Gram;
    variant.price = Some(Price { minor, per: 1_000, currency: Currency::INR });
    rice
}

/// The chunk with which a shop says what its rice costs.
pub fn chunk(shop: &Neighbour, document: &mut Bucket, n: u64, minor: i64) -> Load {
    let author = Author { key: shop.node.id(), incarnation: n };
    let before = document.heads();
    let edit = Edit::PutProduct(Box::new(rice(minor)));
    document.edit(&author, &edit, NOW.plus_ms(n)).unwrap();
    let bytes = document.since(&before);
    let head = Head {
        shop: shop.id,
        generation: shop.generation,
        bucket: BucketNo::FIRST,
        n,
        extent: Extent::Chunk,
        content: Hash::of(&bytes),
        heads: document.heads().hashes(),
        at: NOW,
    };
    Load { head: head.sign(&shop.node.signing), bytes }
}

fn found(household: &Household, words: &str) -> usize {
    let query = Query { question: words.parse().unwrap(), limit: 10, ..Query::default() };
    household.search(&query).unwrap().items.len()
}

#[test]
fn p3_a_saved_catalogue_is_searched_in_any_language_without_a_network() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    assert!(meena.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap());
    for words in ["rice", "sona mas", "chawal", "चावल"] {
        assert_eq!(found(&meena, words), 1, "{words}");
    }
    assert_eq!(found(&meena, "atta"), 0);
    let query = Query { question: "rice".parse().unwrap(), limit: 10, ..Query::default() };
    let told = meena.search(&query).unwrap();
    assert_eq!(told.signed_at, [NOW], "the age of what it knows can be shown");
    assert_eq!(meena.products_saved(shop.id).unwrap(), 1);
}

#[test]
fn a_newer_chunk_changes_the_price_and_an_older_one_comes_to_nothing() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let (first, second) =
        (chunk(&shop, &mut document, 1, 6_800), chunk(&shop, &mut document, 2, 7_000));
    assert!(!meena.save_catalogue(&second).unwrap(), "a gap is not jumped over");
    assert!(meena.save_catalogue(&first).unwrap());
    assert!(meena.save_catalogue(&second).unwrap());
    assert!(!meena.save_catalogue(&first).unwrap());
    let (shelved, n) = meena.on_the_shelf(shop.id, variant_id()).unwrap().unwrap();
    let price = shelved.product.variants[&variant_id()].price.unwrap();
    assert_eq!((price.minor, n), (7_000, 2));
    let known = meena.catalogue_known(shop.id).unwrap();
    assert_eq!(known.get(&BucketNo::FIRST), Some(&(shop.generation, 2)));
}

#[test]
fn p6_bytes_that_the_shop_did_not_sign_are_not_loaded() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let mut load = chunk(&shop, &mut document, 1, 6_800);
    load.bytes.push(0);
    let refused = meena.save_catalogue(&load);
    assert!(matches!(refused, Err(HouseholdError::Catalogue(NotKept::OtherBytes))), "{refused:?}");
    assert_eq!(found(&meena, "rice"), 0);
}

#[test]
fn the_catalogue_of_a_shop_that_was_not_chosen_is_not_kept() {
    let (shop, meena) = (Neighbour::new(), household(1));
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let refused = meena.save_catalogue(&chunk(&shop, &mut document, 1, 6_800));
    assert!(matches!(refused, Err(HouseholdError::UnknownShop)), "{refused:?}");
}

#[test]
fn p7_a_crash_leaves_the_whole_chunk_or_none_of_it() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let load = chunk(&shop, &mut document, 1, 6_800);
    meena.database().writer.inject(Some(Fault::CrashBeforeCommit(0)));
    assert!(meena.save_catalogue(&load).is_err());
    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!((found(&again, "rice"), again.catalogue_known(shop.id).unwrap().len()), (0, 0));
    assert!(again.save_catalogue(&load).unwrap());
    assert_eq!(found(&again, "rice"), 1);
}

#[test]
fn p7_the_cart_survives_a_restart_and_an_edit_that_failed_leaves_it_as_it_was() {
    let (shop, meena) = (Neighbour::new(), household(1));
    let item = Item { shop: shop.id, product: product_id(), variant: variant_id() };
    let half_a_kilo = Quantity::new(500, Unit::Gram).unwrap();
    let add = move |household: &Household, seed| {
        household
            .edit_document(&mut rng(seed), move |d| d.add(usual_cart(), item, half_a_kilo, NOW))
    };
    add(&meena, 1).unwrap();
    add(&meena, 2).unwrap();
    meena.database().writer.inject(Some(Fault::CrashBeforeCommit(0)));
    assert!(add(&meena, 3).is_err());
    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    let cart = again.document().unwrap().lines(usual_cart());
    assert_eq!(cart.len(), 1);
    assert_eq!(cart[0].quantity.amount(), 1_000);
}

#[test]
fn p7_the_lists_are_never_shown_as_they_were_read_before_where_the_disk_holds_others() {
    let meena = household(1);
    let item = Item { shop: Neighbour::new().id, product: product_id(), variant: variant_id() };
    let half_a_kilo = Quantity::new(500, Unit::Gram).unwrap();
    let add = move |household: &Household, seed| {
        household
            .edit_document(&mut rng(seed), move |d| d.add(usual_cart(), item, half_a_kilo, NOW))
    };
    let grams = |household: &Household| {
        household.document().map(|lists| lists.lines(usual_cart())[0].quantity.amount())
    };
    add(&meena, 1).unwrap();
    // Another program of the same household, such as a command beside a running sync.
    let beside = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!(grams(&beside).unwrap(), 500);
    add(&beside, 2).unwrap();
    assert_eq!(grams(&meena).unwrap(), 1_000);

    meena.database().writer.inject(Some(Fault::CrashBeforeCommit(0)));
    assert!(add(&meena, 3).is_err());
    assert_eq!(grams(&meena).unwrap(), 1_000, "what was not stored is not shown");

    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    assert_eq!(grams(&again).unwrap(), 1_000);
    crate::verify::flip(&again, "sealed_setting", "value", "name = 'household'");
    assert!(grams(&again).is_err(), "nor is what can no longer be read");
}

#[test]
fn p8_a_damaged_catalogue_is_taken_from_its_beginning_again() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let chunks: Vec<Load> = (1..=3).map(|n| chunk(&shop, &mut document, n, 6_800)).collect();
    assert!(meena.save_catalogue(&chunks[0]).unwrap());
    assert!(meena.save_catalogue(&chunks[1]).unwrap());
    crate::verify::flip(&meena, "catalogue_chunk", "content", "n = 1");
    assert!(!meena.save_catalogue(&chunks[2]).unwrap(), "nothing is added to what is damaged");
    assert_eq!(meena.catalogue_known(shop.id).unwrap().len(), 0);
    assert_eq!(found(&meena, "rice"), 1, "what was read before is still there to be searched");
    for load in &chunks {
        assert!(meena.save_catalogue(load).unwrap());
    }
    assert_eq!((found(&meena, "rice"), meena.verify().faults.len()), (1, 0));
}
