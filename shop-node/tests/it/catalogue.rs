//! A shop's catalogue: edited by people, by staff devices and by files, pulled by households.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        BucketNo,
        batch::Batch,
        conflict::{Field, Value},
        document::{Author, Bucket, Heads},
        edit::Edit,
        head::Extent,
        product::{Language, Product},
    },
    certificate::{Certificate, Holder, StaffRole, Standing},
    id::ProductId,
    key::{KeyId, KeyPair},
    money::Price,
    order::axes::Stage,
    time::DAY_MS,
    trust::Trust,
};
use kirana_migrations::catalogue::{Filter, chunks, place::Sort, search::Query};
use kirana_shop::app::{
    Shop,
    catalogue::{NotEdited, amendment::Amendment},
    counter::What,
    import::{Format, Order, Report, draw_id},
    shelf::Item,
};
use kirana_sync::pull::{Effect, Pull};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

pub fn owner(shop: &Shop) -> KeyId {
    shop.keys().node.id()
}

pub fn amendment(json: serde_json::Value) -> Amendment {
    serde_json::from_value(json).expect("an amendment")
}

pub fn add(shop: &Shop, name: &str, minor: i64) -> ProductId {
    let what = amendment(serde_json::json!({
        "name": name, "variants": [{"price": {"minor": minor}}],
    }));
    shop.add_product(&what, owner(shop), NOW, &mut rng(name.as_bytes()[0])).expect("a product")
}

pub fn product(shop: &Shop, id: ProductId) -> Product {
    shop.product(id).expect("read").expect("a product").shelved.product
}

/// What is found, and how much of it is free to sell.
pub fn found(shop: &Shop, question: &str) -> Vec<(Product, Option<u64>)> {
    let question = question.parse().expect("a question");
    let page =
        shop.shelf(&Query { question, limit: 100, ..Query::default() }, NOW).expect("a page");
    let seen = |item: &Item| shop.product(item.ready.id).expect("read").expect("a product");
    page.items.iter().map(|item| (seen(item).shelved.product, item.available)).collect()
}

fn names(shop: &Shop, question: &str) -> Vec<String> {
    let english = kirana_core::catalogue::product::Language::ENGLISH;
    let found = found(shop, question).into_iter();
    found.map(|(product, _)| product.name(english).to_owned()).collect()
}

#[test]
fn what_is_put_on_the_shelf_is_found_until_it_is_taken_off() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Basmati rice", 11_000);
    add(&shop, "Atta", 5_000);
    assert_eq!(names(&shop, "ric"), ["Basmati rice"]);
    let delist = vec![Edit::Delist { product: rice }];
    shop.edit_catalogue(delist, owner(&shop), None, NOW, &mut rng(9)).expect("an edit");
    assert_eq!(names(&shop, ""), ["Atta"]);
}

#[test]
fn p2_a_planned_price_and_a_deal_count_from_their_moment_in_the_list_and_in_the_decision() {
    let street = Neighbourhood::new();
    let shop = &street.shop;
    let soap = add(shop, "Soap", 1_000);
    let variant = *product(shop, soap).variants.keys().next().expect("a variant");
    street.enter(variant, What::Receipt(20));
    let (asha, tomorrow) = (Customer::new(&street, 5), NOW.plus_ms(DAY_MS));
    let what = amendment(serde_json::json!({"variants": [{
        "id": variant, "safety": 2,
        "planned": [{"price": {"minor": 1_200}, "from": tomorrow}],
        "deals": [{"deal": {"kind": "x_for_y", "take": 3, "pay": 2}, "from": NOW, "until": tomorrow}],
    }]}));
    shop.amend_product(soap, what, owner(shop), None, NOW, &mut rng(4)).expect("an edit");
    let soap = product(shop, soap).variants[&variant].clone();
    assert_eq!(soap.price_at(NOW).map(|price| price.minor), Some(1_000));
    assert_eq!(soap.price_at(tomorrow).map(|price| price.minor), Some(1_200));

    let order = |n, amount, minor| {
        let signed = asha.sign(n, asha.wants(&[(variant, amount, minor)]));
        let parcel = asha.parcel(&[&signed]);
        let taken = street.deliver(&asha.mail(&street, &parcel)).expect("it is taken");
        asha.read(&street, &taken.reply.expect("a reply")).1
    };
    let three = order(1, 3, 1_000);
    let charged = three.lines[0].charge.expect("it is granted").price;
    assert_eq!(charged.of(3).map(|sum| sum.minor), Ok(2_000), "three for the price of two");
    let rest = order(2, 16, 1_000).stage;
    assert!(matches!(rest, Stage::Declined { .. }), "two are never promised: {rest:?}");
}

#[test]
fn a_list_is_sorted_by_the_planned_price_while_it_holds() {
    let street = Neighbourhood::new();
    let shop = &street.shop;
    let soap = add(shop, "Soap", 1_000);
    add(shop, "Rice", 1_100);
    let variant = *product(shop, soap).variants.keys().next().expect("a variant");
    let (tomorrow, after) = (NOW.plus_ms(DAY_MS), NOW.plus_ms(2 * DAY_MS));
    let what = amendment(serde_json::json!({"variants": [{
        "id": variant,
        "planned": [{"price": {"minor": 1_200}, "from": tomorrow, "until": after}],
    }]}));
    shop.amend_product(soap, what, owner(shop), None, NOW, &mut rng(4)).expect("an edit");
    let by_price = |cheaper_than: Option<i64>| {
        let filter = Filter { price_max: cheaper_than, ..Filter::default() };
        let query = Query { sort: Sort::Price, filter, limit: 10, ..Query::default() };
        let found = shop.products(&query).expect("read");
        found.iter().map(|p| p.name(Language::ENGLISH).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by_price(None), ["Soap", "Rice"]);
    assert_eq!(shop.turn_prices(tomorrow.minus_ms(1)).expect("stored"), 0, "nothing has begun");
    assert_eq!(shop.turn_prices(tomorrow).expect("stored"), 1);
    assert_eq!(by_price(None), ["Rice", "Soap"]);
    assert_eq!(by_price(Some(1_150)), ["Rice"], "and filtered by it");
    assert_eq!(shop.turn_prices(after).expect("stored"), 1);
    assert_eq!(
        (by_price(None), shop.turn_prices(after).expect("stored")),
        (vec!["Soap".to_owned(), "Rice".to_owned()], 0)
    );
    // One that holds when it is written counts at once.
    let what = amendment(serde_json::json!({"variants": [{
        "id": variant, "planned": [{"price": {"minor": 1_300}, "from": NOW}],
    }]}));
    shop.amend_product(soap, what, owner(shop), None, NOW, &mut rng(5)).expect("an edit");
    assert_eq!(by_price(None), ["Rice", "Soap"]);
}

#[test]
fn p5_two_prices_set_upon_the_same_heads_are_both_shown() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    let seen = shop.product(rice).expect("read").expect("a product");
    let variant = *seen.shelved.product.variants.keys().next().expect("a variant");
    for (minor, seed) in [(4_600, 3), (4_900, 4)] {
        let what = amendment(serde_json::json!({
            "variants": [{"id": variant, "price": {"minor": minor}}],
        }));
        let upon = Some(seen.heads.clone());
        shop.amend_product(rice, what, owner(&shop), upon, NOW, &mut rng(seed)).expect("an edit");
    }
    let clashes = shop.conflicts().expect("read");
    let prices: Vec<_> = clashes[0].values.iter().map(|claim| claim.value.clone()).collect();
    let of = |minor| Value::Price(Price { minor, per: 1, currency: rupees() });
    assert!(prices.contains(&of(4_600)) && prices.contains(&of(4_900)), "{prices:?}");
    // A file settles nothing.
    let gtin = "name,price\nRice,50\n";
    assert_eq!(import(&shop, gtin, false).products_added, 1);
    assert_eq!(shop.conflicts().expect("read").len(), 1);
    let (product, variant, field) = (rice, Some(variant), Field::price());
    let pick = Edit::Settle { product, variant, field, value: of(4_600) };
    shop.edit_catalogue(vec![pick], owner(&shop), None, NOW, &mut rng(5)).expect("an edit");
    assert_eq!(shop.conflicts().expect("read"), []);
}

/// Pulls the shop's catalogue as a household does, and gives back its documents.
pub fn pull(shop: &Shop, trust: &Trust) -> BTreeMap<BucketNo, Bucket> {
    let reader = KeyPair::from_seed([50; 64]).signing.public();
    let now = shop.known_now(NOW).expect("a time");
    let mut pull = Pull::new(shop.id(), BTreeMap::new());
    let mut documents = BTreeMap::new();
    let mut effects = vec![pull.start()];
    while let Some(effect) = effects.pop() {
        match effect {
            Effect::Ask(request) => {
                let answer = shop.answer(reader, request, NOW, &mut rng(6));
                effects.extend(pull.answer(now, trust, answer).into_iter().rev());
            }
            Effect::Load(load) => {
                let head = load.head.head();
                let document = match head.extent {
                    Extent::Snapshot => Bucket::load(shop.id(), head.bucket, &load.bytes),
                    Extent::Chunk => {
                        let empty = || Bucket::new(shop.id(), head.bucket);
                        let mut known = documents.remove(&head.bucket).unwrap_or_else(empty);
                        known.apply(&load.bytes).map(|_| known)
                    }
                };
                documents.insert(head.bucket, document.expect("it loads"));
                effects.extend(pull.loaded(load.head.head()).into_iter().rev());
            }
            Effect::Current | Effect::Availability(_) => {}
            other => panic!("{other:?}"),
        }
    }
    documents
}

#[test]
fn a_household_pulls_the_same_products() {
    let shop = Neighbourhood::new().shop;
    for n in 0..70 {
        add(&shop, &format!("{} rice", char::from(b'!' + n)), 100);
    }
    let documents = pull(&shop, &shop.trust().expect("read"));
    let found = documents[&BucketNo::FIRST].products();
    assert_eq!(found.len(), 70);
    let (own, n) = shop
        .database()
        .reader
        .read(|c| chunks::load(c, shop.id(), BucketNo::FIRST))
        .expect("a document");
    assert_eq!((own.heads(), n), (documents[&BucketNo::FIRST].heads(), 70));
}

pub struct Staff {
    pub keys: KeyPair,
    pub chain: Vec<Vec<u8>>,
}

pub fn staff(shop: &Shop, role: StaffRole) -> Staff {
    let keys = KeyPair::from_seed([60; 64]);
    let standing = Standing::Staff { shop: shop.id(), role, account: None, label: "Asha".into() };
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let holder = Holder { key, sealing, standing };
    let owner = shop.keys().owner.clone().expect("the owner's key");
    let certificate = Certificate::issue(&owner, &holder, NOW, &mut rng(7));
    let above = shop.chain().expect("read").into_iter().skip(1);
    Staff { chain: std::iter::once(certificate.bytes().to_vec()).chain(above).collect(), keys }
}

pub fn batch(shop: &Shop, staff: &Staff, product: ProductId, minor: i64) -> Vec<u8> {
    let (mut mine, _) = shop
        .database()
        .reader
        .read(|c| chunks::load(c, shop.id(), BucketNo::FIRST))
        .expect("a document");
    let known: Heads = mine.heads();
    let variant = *mine.product(product).expect("it").variants.keys().next().expect("a variant");
    let author = Author { key: staff.keys.id(), incarnation: 5 };
    let price = Some(Price { minor, per: 1, currency: rupees() });
    mine.edit(&author, &Edit::SetPrice { product, variant, price }, NOW).expect("an edit");
    let batch = Batch::sign(&staff.keys.signing, &author, &mine, &known, Vec::new(), NOW);
    batch.expect("something to send").to_vec()
}

#[test]
fn p6_staff_may_send_batches_and_couriers_may_not() {
    let shop = Neighbourhood::new().shop;
    let rice = add(&shop, "Rice", 4_500);
    let courier = staff(&shop, StaffRole::Courier);
    let bytes = batch(&shop, &courier, rice, 1);
    let refused = shop.admit_batch(&bytes, &courier.chain, NOW, &mut rng(8));
    assert!(matches!(refused, Err(NotEdited::Forbidden)));
    let asha = staff(&shop, StaffRole::Staff);
    let bytes = batch(&shop, &asha, rice, 4_700);
    for _ in 0..2 {
        shop.admit_batch(&bytes, &asha.chain, NOW, &mut rng(8)).expect("it is admitted");
    }
    let product = shop.product(rice).expect("read").expect("it").shelved.product;
    let price = product.variants.values().next().and_then(|variant| variant.price);
    assert_eq!(price.map(|price| price.minor), Some(4_700));
    let reached = shop.database().reader.read(|c| chunks::reached(c, shop.id())).expect("read");
    assert_eq!(reached[&BucketNo::FIRST].n, 2);
}

pub fn import(shop: &Shop, text: &str, dry_run: bool) -> Report {
    let (order, mut rng) = (Order { dry_run, ..Order::default() }, rng(11));
    let id = draw_id(NOW.plus_ms(shop.imports(100).expect("read").len() as u64), &mut rng);
    let file = std::io::Cursor::new(text);
    shop.import(&order, file, id, owner(shop), NOW, &mut rng).expect("a report")
}

const FILE: &str = "gtin,sku,name,price,stock
6291041500213,,Dates,\"1,299.00\",5
,R1,\"Rice
in a bag\",₹45,
6291041500214,R2,Wrong digit,10,
6291041500213,,Dates again,10,
,,No price,,
,,Negative,-5,
,,Scientific,1e3,
,,Decimals,1.234,
,,\0Nul,1,
,,,1,
,,Too,many,cells,here
";

#[test]
fn every_line_of_a_file_is_in_or_refused_by_its_number() {
    let shop = Neighbourhood::new().shop;
    let dry = import(&shop, FILE, true);
    assert_eq!(names(&shop, "").len(), 0);
    let done = import(&shop, FILE, false);
    assert_eq!((dry.products_added, &dry.refused), (done.products_added, &done.refused));
    assert_eq!((done.rows_read, done.products_added, done.exit_code()), (11, 4, 3));
    let refused: Vec<_> = done.refused.iter().map(|n| (n.line, n.code.as_str())).collect();
    let expected = [
        (6, "gtin-twice"),
        (8, "price-negative"),
        (9, "price"),
        (10, "price-decimals"),
        (11, "nul"),
        (12, "name"),
        (13, "columns"),
    ];
    assert_eq!(refused, expected);
    let warnings: Vec<_> = done.warnings.iter().map(|n| (n.line, n.code.as_str())).collect();
    assert_eq!(warnings, [(5, "gtin")]);
    assert_eq!(shop.import_report(done.import_id).expect("read"), Some(done));
    assert_eq!(found(&shop, "dates")[0].1, Some(5));
}

#[test]
fn the_same_file_again_changes_nothing() {
    let shop = Neighbourhood::new().shop;
    let first = import(&shop, FILE, false);
    let again = import(&shop, FILE, false);
    assert_eq!((again.products_added, again.products_changed), (0, 0));
    assert_eq!(again.unchanged, first.products_added);
    let stock = shop.stock(None, 10, NOW).expect("read");
    assert_eq!(stock.iter().map(|row| row.balance.on_hand).collect::<Vec<_>>(), [5]);
    let dearer = import(&shop, "sku,name,price\nR1,Rice in a bag,46\n", false);
    assert_eq!((dearer.products_added, dearer.products_changed), (0, 1));
}

#[test]
fn a_file_puts_nothing_back_that_a_person_took_off_the_shelf() {
    let shop = Neighbourhood::new().shop;
    let text = "sku,name,price,step\nR1,Rice,45,50\n";
    import(&shop, text, false);
    let rice = found(&shop, "rice")[0].0.id;
    let variant = *product(&shop, rice).variants.keys().next().expect("a variant");
    let least = amendment(serde_json::json!({"variants": [{"id": variant, "min": 200}]}));
    shop.amend_product(rice, least, owner(&shop), None, NOW, &mut rng(5)).expect("an edit");
    let delist = vec![Edit::Delist { product: rice }];
    shop.edit_catalogue(delist, owner(&shop), None, NOW, &mut rng(9)).expect("an edit");
    let again = import(&shop, text, false);
    assert_eq!((again.products_changed, again.unchanged), (0, 1));
    assert_eq!(again.warnings[0].code, "off-the-shelf");
    let rice = product(&shop, rice);
    assert!(rice.delisted);
    assert_eq!(rice.variants[&variant].min, 200);
}

#[test]
fn goods_by_weight_are_read_in_kilograms_as_in_grams() {
    let shop = Neighbourhood::new().shop;
    let head = "sku,name,unit,price,price_per,step,stock";
    let kilograms = "R1,Rice,kg,90.00,,0.25,12.5\nO1,Oil,Ltr,150,,,30";
    let grams = "R2,Rice by the gram,g,90.00,1000,250,12500\nX,Too fine,kg,1,,0.0005,1";
    let report = import(&shop, &format!("{head}\n{kilograms}\n{grams}\n"), false);
    let refused: Vec<_> = report.refused.iter().map(|n| (n.line, n.code.as_str())).collect();
    assert_eq!((report.products_added, refused), (3, vec![(5, "step")]));
    let rice = found(&shop, "rice");
    let sold = |product: &Product| {
        let variant = product.variants.values().next().expect("a variant");
        (variant.price, variant.unit, variant.step)
    };
    let [first, second] = rice.as_slice() else { panic!("two kinds of rice") };
    assert_eq!(sold(&first.0), sold(&second.0));
    assert_eq!((first.1, second.1), (Some(12_500), Some(12_500)));
}

#[test]
fn a_large_file_goes_into_several_commits_and_buckets() {
    let shop = Neighbourhood::new().shop;
    let rows: String = (0..1_100).map(|n| format!("S{n},Product number {n},{n}\n")).collect();
    let report = import(&shop, &format!("sku,name,price\n{rows}"), false);
    assert_eq!((report.products_added, report.refused_lines), (1_100, 0));
    let reached = shop.database().reader.read(|c| chunks::reached(c, shop.id())).expect("read");
    let sizes: Vec<_> = reached.values().map(|reached| reached.products).collect();
    assert_eq!(sizes, [500, 500, 100]);
    assert_eq!(found(&shop, "number 77").len(), 11);
    assert_eq!(pull(&shop, &shop.trust().expect("read")).len(), 3);
}

#[test]
fn a_format_that_there_is_not_is_refused_by_name() {
    let refused = "xlsx".parse::<Format>().expect_err("there is none").to_string();
    assert!(refused.contains("xlsx") && refused.contains("shopify"), "{refused}");
}
