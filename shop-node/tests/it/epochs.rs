//! The catalogue's documents begin anew once a year, and people come back who have the old ones.

use kirana_core::{
    catalogue::{
        BucketNo,
        conflict::{Field, Value},
        document::Heads,
        edit::Edit,
    },
    certificate::StaffRole,
    id::ProductId,
    key::KeyId,
    money::Price,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::catalogue::chunks;
use kirana_shop::app::{Shop, catalogue::epochs::EPOCH_MS};

use crate::{
    catalogue::{add, amendment, batch, found, owner, product, pull, staff},
    neighbour::{NOW, Neighbourhood, rng, rupees},
};

fn prices(shop: &Shop) -> Vec<(i64, Option<KeyId>)> {
    let clashes = shop.conflicts().expect("read");
    let [clash] = clashes.as_slice() else { return Vec::new() };
    let of = |value: &Value| match value {
        Value::Price(price) => price.minor,
        other => panic!("a price, not {other:?}"),
    };
    clash.values.iter().map(|claim| (of(&claim.value), claim.author)).collect()
}

fn price(shop: &Shop, id: ProductId) -> Option<i64> {
    let product = product(shop, id);
    product.variants.values().next().and_then(|variant| variant.price).map(|price| price.minor)
}

fn close(shop: &Shop, at: UnixMs) {
    shop.close_epoch(BucketNo::FIRST, at, &mut rng(40)).expect("it ends");
}

fn dearer(shop: &Shop, id: ProductId, minor: i64, upon: Option<Heads>, seed: u8) {
    let variant = *product(shop, id).variants.keys().next().expect("a variant");
    let what = amendment(serde_json::json!({
        "variants": [{"id": variant, "price": {"minor": minor}}],
    }));
    shop.amend_product(id, what, owner(shop), upon, NOW, &mut rng(seed)).expect("an edit");
}

#[test]
fn a_year_after_it_was_first_seen_a_document_begins_anew_and_nobody_notices() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    dearer(&shop, rice, 4_600, None, 1);
    let shown = found(&shop, "rice");
    assert_eq!(shop.close_old_epochs(NOW, &mut rng(2)).expect("noted"), 0);
    let (mut at, mut ended) = (NOW, 0);
    while at < NOW.plus_ms(EPOCH_MS) {
        at = at.plus_ms(5 * DAY_MS);
        ended += shop.close_old_epochs(at, &mut rng(2)).expect("looked at");
    }
    assert_eq!(ended, 1, "once, and only when the year was over");
    assert_eq!(shop.close_old_epochs(at, &mut rng(2)).expect("looked at"), 0);
    let epochs = shop.epochs().expect("read");
    assert_eq!((epochs[0].epoch, epochs[0].since), (2, Some(at)));
    assert_eq!(found(&shop, "rice"), shown);
    assert!(shop.verify().expect("walked").faults.is_empty());
    let changes = shop.history(rice).expect("read").expect("rice");
    let told: Vec<usize> = changes.iter().map(|change| change.fields.len()).collect();
    assert_eq!(told.len(), 2, "its history goes on and does not begin anew: {changes:?}");
    dearer(&shop, rice, 4_700, None, 3);
    assert_eq!(shop.history(rice).expect("read").expect("rice").len(), 3);
}

#[test]
fn while_the_clock_is_in_doubt_no_document_begins_anew() {
    let shop = Neighbourhood::new().shop;
    add(&shop, "Rice", 4_500);
    shop.close_old_epochs(NOW, &mut rng(2)).expect("noted");
    let jumped = NOW.plus_ms(2 * EPOCH_MS);
    assert_eq!(shop.close_old_epochs(jumped, &mut rng(2)).expect("looked at"), 0);
    assert_eq!(shop.epochs().expect("read")[0].epoch, 1);
}

#[test]
fn a_household_takes_the_new_document_whole_and_then_piece_by_piece() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    close(&shop, NOW);
    let trust = shop.trust().expect("read");
    let documents = pull(&shop, &trust);
    assert_eq!(documents[&BucketNo::FIRST].product(rice), Some(product(&shop, rice)));
    dearer(&shop, rice, 4_600, None, 1);
    let later = pull(&shop, &trust);
    assert_eq!(later[&BucketNo::FIRST].product(rice), Some(product(&shop, rice)));
    let reached = shop.database().reader.read(|c| chunks::reached(c, shop.id())).expect("read");
    assert_eq!(reached[&BucketNo::FIRST].n, 3, "its numbers go on");
}

#[test]
fn p5_a_batch_upon_a_closed_document_becomes_a_clash_and_is_never_lost() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    let asha = staff(&shop, StaffRole::Staff);
    let bytes = batch(&shop, &asha, rice, 4_700);
    close(&shop, NOW);
    dearer(&shop, rice, 4_600, None, 1);
    close(&shop, NOW);
    for _ in 0..2 {
        shop.admit_batch(&bytes, &asha.chain, NOW, &mut rng(8)).expect("it is admitted");
        assert_eq!(price(&shop, rice), Some(4_600), "what held goes on holding");
        assert_eq!(prices(&shop), [(4_700, Some(asha.keys.id())), (4_600, Some(owner(&shop)))]);
    }
    close(&shop, NOW);
    assert_eq!(prices(&shop).len(), 2, "it waits through the next year too");
    let variant = product(&shop, rice).variants.keys().next().copied();
    let value = Value::Price(Price { minor: 4_700, per: 1, currency: rupees() });
    let pick = Edit::Settle { product: rice, variant, field: Field::price(), value };
    shop.edit_catalogue(vec![pick], owner(&shop), None, NOW, &mut rng(5)).expect("an edit");
    assert_eq!((prices(&shop).len(), price(&shop, rice)), (0, Some(4_700)));
    assert!(shop.verify().expect("walked").faults.is_empty());
}

#[test]
fn p5_an_edit_upon_heads_that_somebody_saw_last_year_is_a_clash_too() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    let upon = shop.product(rice).expect("read").expect("rice").heads;
    close(&shop, NOW);
    dearer(&shop, rice, 4_600, None, 1);
    dearer(&shop, rice, 4_900, Some(upon), 2);
    let minors: Vec<i64> = prices(&shop).into_iter().map(|(minor, _)| minor).collect();
    assert_eq!((minors, price(&shop, rice)), (vec![4_900, 4_600], Some(4_600)));
}
