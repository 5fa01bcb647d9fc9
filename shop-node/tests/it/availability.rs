//! What a shop says is in stock: signed, numbered, and no more than anybody needs to know.

use kirana_core::{
    availability::{Level, SignedAvailability},
    id::{ProductId, VariantId},
    time::UnixMs,
};
use kirana_migrations::Abort;
use kirana_shop::{
    app::{Shop, availability::HELD_MS, catalogue::amendment::Amendment, counter::What},
    store::settings::{self, Setting},
};
use kirana_sync::wire::{Request, Response};

use crate::neighbour::{NOW, Neighbourhood, rng};

fn add(shop: &Shop, name: &str, counted: bool) -> (ProductId, VariantId) {
    let what: Amendment = serde_json::from_value(serde_json::json!({
        "name": name, "counted": counted, "variants": [{"price": {"minor": 4_500}}],
    }))
    .expect("an amendment");
    let by = shop.keys().node.id();
    let id = shop.add_product(&what, by, NOW, &mut rng(name.as_bytes()[0])).expect("a product");
    let seen = shop.product(id).expect("read").expect("a product");
    (id, *seen.shelved.product.variants.keys().next().expect("a variant"))
}

fn says(shop: &Shop, now: UnixMs) -> SignedAvailability {
    shop.availability(now).expect("read").remove(0)
}

/// Late enough that the stock is looked at again.
fn later(n: u64) -> UnixMs {
    NOW.plus_ms(n * HELD_MS)
}

#[test]
fn each_variant_is_said_to_be_there_few_gone_or_not_counted() {
    let neighbourhood = Neighbourhood::new();
    let shop = &neighbourhood.shop;
    let (_, rice) = add(shop, "Rice", true);
    let (_, milk) = add(shop, "Milk", true);
    let (_, onions) = add(shop, "Onions", false);
    neighbourhood.enter(rice, What::Receipt(3));
    let signed = says(shop, NOW);
    let level = |variant| signed.said().level(variant);
    assert_eq!(level(rice), Level::Few);
    assert_eq!((level(milk), level(onions)), (Level::None, Level::NotCounted));
    neighbourhood.enter(rice, What::Receipt(30));
    assert_eq!(says(shop, NOW), signed, "the same for a moment, so that many may ask");
    assert_eq!(says(shop, later(1)).said().level(rice), Level::Enough);
}

#[test]
fn the_number_goes_up_although_the_clock_goes_back_or_the_box_restarts() {
    let shop = Neighbourhood::new().shop;
    add(&shop, "Rice", true);
    let mut last = says(&shop, later(5)).said().n;
    for now in [later(6), later(3), NOW, later(7)] {
        let again = Shop::open(shop.database().restart(), shop.keys().clone()).expect("it opens");
        let n = says(&again, now).said().n;
        assert!(n > last, "{n} after {last}");
        last = n;
    }
}

#[test]
fn a_box_that_no_longer_speaks_for_the_shop_says_nothing_about_its_stock() {
    let shop = Neighbourhood::new().shop;
    add(&shop, "Rice", true);
    let why = "box 2 speaks for the shop now".to_owned();
    let met = shop.database().writer.write(move |tx| -> Result<(), Abort<()>> {
        Ok(settings::put(tx, Setting::ReadOnly, &why)?)
    });
    met.expect("it is stored");
    assert_eq!(shop.availability(NOW).expect("read"), []);
    let heads = Request::Heads { shop: shop.id(), seen: None };
    let served = shop.serve_pull(heads, NOW).expect("read");
    let Response::Heads { heads, availability, .. } = served else { panic!("{served:?}") };
    assert_eq!((heads.len(), availability.len()), (1, 0));
}
