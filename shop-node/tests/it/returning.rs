//! A household that stays in touch with a shop of many products: what it takes to hear what is new.

use std::collections::BTreeMap;

use kirana_core::{key::KeyPair, trust::Trust};
use kirana_shop::app::Shop;
use kirana_sync::pull::{Effect, Pull};
use serde_json::json;

use crate::{
    catalogue::{amendment, import, owner},
    neighbour::{NOW, Neighbourhood, rng},
};

/// Bytes before each message on the wire.
const LENGTH_BYTES: usize = 4;

/// One round of a reader who has loaded what came before: the bytes both ways, and the loads.
fn round(shop: &Shop, trust: &Trust, pull: &mut Pull) -> (usize, usize) {
    let reader = KeyPair::from_seed([50; 64]).signing.public();
    let now = shop.known_now(NOW).expect("a time");
    let (mut bytes, mut loads) = (0, 0);
    let mut effects = vec![pull.start()];
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Ask(request) => {
                bytes += request.to_frame().len() + LENGTH_BYTES;
                let answer = shop.answer(reader, request, NOW, &mut rng(6));
                bytes += answer.to_frame().len() + LENGTH_BYTES;
                effects.extend(pull.answer(now, trust, answer).into_iter().rev());
            }
            Effect::Load(load) => {
                loads += 1;
                effects.extend(pull.loaded(load.head.head()).into_iter().rev());
            }
            Effect::Current | Effect::Availability(_) | Effect::Terms(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (bytes, loads)
}

#[test]
fn a_price_reaches_a_reader_who_stays_in_touch_in_less_than_a_kilobyte() {
    let shop = Neighbourhood::new().shop;
    let lines: String = (0..1_200).map(|n| format!("Rice of kind {n},11.00,5\n")).collect();
    let taken = import(&shop, &format!("name,price,stock\n{lines}"), false);
    assert_eq!(taken.products_added, 1_200, "three documents of the catalogue");
    let trust = shop.trust().expect("read");
    let mut pull = Pull::new(shop.id(), BTreeMap::new());
    let (whole, loads) = round(&shop, &trust, &mut pull);
    assert!(whole > 50_000 && loads >= 3, "{whole} bytes in {loads} loads");
    let (nothing, loads) = round(&shop, &trust, &mut pull);
    assert!(nothing < 256 && loads == 0, "{nothing} bytes for nothing new");

    let rice = shop
        .products(&kirana_migrations::catalogue::search::Query { limit: 1, ..Default::default() });
    let rice = rice.expect("read").remove(0);
    let variant = *rice.variants.keys().next().expect("a variant");
    let what = amendment(json!({ "variants": [{ "id": variant, "price": { "minor": 1_250 } }] }));
    shop.amend_product(rice.id, what, owner(&shop), None, NOW, &mut rng(3)).expect("an edit");
    let (bytes, loads) = round(&shop, &trust, &mut pull);
    assert!(bytes < 1_000 && loads == 1, "{bytes} bytes for one price");

    // Somebody whose last answer nobody remembers, or who did not take it in whole, gets all of it.
    let mut other = Pull::new(shop.id(), pull.known().clone());
    let (again, loads) = round(&shop, &trust, &mut other);
    assert!(again > bytes && loads == 0, "{again} bytes for who comes anew");
}
