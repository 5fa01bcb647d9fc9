//! Categories: a tree that comes with kirana and that a shop extends, searched and counted by.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        BucketNo,
        batch::Batch,
        category::CategoryId,
        conflict::Value as Held,
        document::{Author, Bucket},
        edit::Edit,
        product::Language,
    },
    certificate::StaffRole,
};
use kirana_migrations::catalogue::{Filter, chunks, search::Query};
use kirana_shop::app::{
    Shop,
    categories::{CategoryAmendment, NewCategory},
};
use serde_json::{Value, json};

use crate::{
    catalogue::{amendment, owner, pull, staff},
    desk::{Desk, said, text},
    neighbour::{NOW, Neighbourhood, rng},
};

fn id(text: &str) -> CategoryId {
    text.parse().expect("an id")
}

fn shelve(shop: &Shop, name: &str, category: &str) {
    let what = amendment(json!({
        "name": name, "category": category, "counted": false,
        "variants": [{ "price": { "minor": 100 } }],
    }));
    let mut rng = rng(name.bytes().fold(0, u8::wrapping_add));
    shop.add_product(&what, owner(shop), NOW, &mut rng).expect("a product");
}

fn add(shop: &Shop, node: &str, parent: Option<&str>, seed: u8) {
    let new: NewCategory = serde_json::from_value(json!({
        "id": node, "parent": parent, "names": { "en": node, "hi": "नया" },
    }))
    .expect("a category");
    shop.add_category(new, owner(shop), NOW, &mut rng(seed)).expect("it is added");
}

/// The names that are found on a shelf, and how many stand on each of the shelves there.
fn on(shop: &Shop, category: &str, words: &str) -> (Vec<String>, BTreeMap<String, u32>) {
    let filter = Filter { category: Some(category.to_owned()), ..Filter::default() };
    let question = words.parse().expect("a question");
    let query = Query { question, filter, limit: 100, facets: true, ..Query::default() };
    let page = shop.shelf(&query, NOW).expect("a page");
    let mut names: Vec<String> = page
        .items
        .iter()
        .map(|item| {
            let seen = shop.product(item.ready.id).expect("read").expect("a product");
            seen.shelved.product.name(Language::ENGLISH).to_owned()
        })
        .collect();
    names.sort();
    (names, page.facets.expect("counts").categories)
}

fn stocked() -> Neighbourhood {
    let street = Neighbourhood::new();
    for (name, category) in [
        ("Fresh milk", "dairy/milk/fresh"),
        ("Milk powder", "dairy/milk"),
        ("Curd", "dairy/curd"),
        ("Soap", "personal-care/soap"),
        ("Odd milk", "Odd things"),
    ] {
        shelve(&street.shop, name, category);
    }
    street
}

#[test]
fn a_category_finds_and_counts_all_that_stands_below_it_each_once() {
    let street = stocked();
    let shop = &street.shop;
    let counts = |all: &[(&str, u32)]| {
        all.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect::<BTreeMap<_, _>>()
    };
    for words in ["", "c m"] {
        let (names, _) = on(shop, "dairy", words);
        assert_eq!(
            names,
            if words.is_empty() { vec!["Curd", "Fresh milk", "Milk powder"] } else { vec![] }
        );
    }
    let (_, listed) = on(shop, "dairy", "");
    let below = [("dairy", 3), ("dairy/curd", 1), ("dairy/milk", 2), ("dairy/milk/fresh", 1)];
    assert_eq!(listed, counts(&below));
    let (names, searched) = on(shop, "dairy/milk", "milk");
    assert_eq!(names, ["Fresh milk", "Milk powder"]);
    assert_eq!(searched, counts(&[("dairy", 2), ("dairy/milk", 2), ("dairy/milk/fresh", 1)]));
    // A word of no tree goes on as a shelf of its own, and the middle of an id is none.
    assert_eq!(on(shop, "Odd things", "").0, ["Odd milk"]);
    for other in ["dair", "milk", "Dairy", "dairy/mil", "\n", ""] {
        assert_eq!(on(shop, other, "").0, Vec::<String>::new(), "{other:?}");
    }
    let listed = shop.categories(false).expect("read");
    let of = |node: &str| listed.iter().find(|category| category.id == node).map(|c| c.products);
    assert_eq!((of("dairy"), of("dairy/milk"), of("Odd things")), (Some(3), Some(2), Some(1)));
    assert_eq!((of("fruit"), of("nothing")), (Some(0), None));
}

#[test]
fn products_follow_when_their_category_is_moved_hidden_and_shown_again() {
    let street = stocked();
    let shop = &street.shop;
    add(shop, "village", None, 1);
    add(shop, "village/lassi", Some("village"), 2);
    shelve(shop, "Lassi", "village/lassi");
    assert_eq!(on(shop, "village", "").0, ["Lassi"]);
    let amend = |node: &str, amendment: CategoryAmendment| {
        shop.amend_category(&id(node), amendment, owner(shop), NOW, &mut rng(3)).expect("an edit");
    };
    let below = CategoryAmendment { parent: Some(Some(id("dairy/milk"))), ..Default::default() };
    amend("village/lassi", below);
    assert_eq!(on(shop, "village", "").0, Vec::<String>::new());
    assert_eq!(on(shop, "dairy/milk", "").0, ["Fresh milk", "Lassi", "Milk powder"]);
    let hide = |hidden| CategoryAmendment { hidden: Some(hidden), ..Default::default() };
    amend("dairy/milk", hide(true));
    assert_eq!(on(shop, "dairy/milk", "").0, Vec::<String>::new(), "nobody sees it");
    assert_eq!(on(shop, "dairy", "").0.len(), 4, "its products stand above it");
    assert!(!shop.categories(false).expect("read").iter().any(|c| c.id == "dairy/milk"));
    amend("dairy/milk", hide(false));
    assert_eq!(on(shop, "dairy/milk", "").0.len(), 3);
}

/// The index document as a staff device has it.
fn index(shop: &Shop) -> Bucket {
    let read = shop.database().reader.read(|c| chunks::load(c, shop.id(), BucketNo::INDEX));
    read.expect("a document").0
}

#[test]
fn p5_a_category_that_two_devices_name_apart_shows_both_names_until_somebody_picks() {
    let shop = Neighbourhood::new().shop;
    add(&shop, "village", None, 1);
    shelve(&shop, "Lassi", "village");
    let asha = staff(&shop, StaffRole::Staff);
    let seen = index(&shop);
    let mut changed = seen.categories()[0].clone();
    let entry = changed.entry;
    for (incarnation, name, order) in [(5, "Hamlet", None), (6, "Our village", Some(7))] {
        let (mut mine, author) = (seen.clone(), Author { key: asha.keys.id(), incarnation });
        changed.names.insert(Language::ENGLISH, name.to_owned());
        changed.order = order;
        mine.edit(&author, &Edit::PutCategory(Box::new(changed.clone())), NOW).expect("an edit");
        let batch = Batch::sign(&asha.keys.signing, &author, &mine, &seen.heads(), Vec::new(), NOW);
        let bytes = batch.expect("something to send").to_vec();
        shop.admit_batch(&bytes, &asha.chain, NOW, &mut rng(8)).expect("it is admitted");
    }
    let clashes = shop.conflicts().expect("read");
    let [clash] = clashes.as_slice() else { panic!("one clash, not {clashes:?}") };
    let mut names: Vec<_> = clash.values.iter().map(|claim| claim.value.clone()).collect();
    names.sort_by_key(|name| format!("{name:?}"));
    assert_eq!(names, ["Hamlet", "Our village"].map(|name| Held::Text(name.to_owned())));
    let pick = Edit::Settle {
        product: entry,
        variant: None,
        field: clash.field.clone(),
        value: Held::Text("Hamlet".to_owned()),
    };
    // It survives that the document begins anew, and so does the rest of what was said.
    shop.close_epoch(BucketNo::INDEX, NOW, &mut rng(9)).expect("it ends");
    assert_eq!(shop.conflicts().expect("read").len(), 1);
    shop.edit_catalogue(vec![pick], owner(&shop), None, NOW, &mut rng(5)).expect("an edit");
    assert_eq!(shop.conflicts().expect("read"), []);
    let village = shop.category(&id("village")).expect("read").expect("it");
    assert_eq!((village.name(Language::ENGLISH), village.products), ("Hamlet", 1));
    assert_eq!(index(&shop).categories()[0].order, Some(7), "what nobody else said apart holds");
    // A household gets it with the catalogue; products go where products go.
    let documents = pull(&shop, &shop.trust().expect("read"));
    assert_eq!(documents[&BucketNo::INDEX].categories(), index(&shop).categories());
    assert_eq!(documents[&BucketNo::FIRST].products().len(), 1);
    assert!(shop.verify().expect("it is read").faults.is_empty());
}

#[test]
fn a_category_that_two_devices_made_apart_is_one_and_the_later_made_holds() {
    let shop = Neighbourhood::new().shop;
    add(&shop, "village", None, 1);
    let asha = staff(&shop, StaffRole::Staff);
    let seen = index(&shop);
    let mut twin = seen.categories()[0].clone();
    twin.entry = shop.draw_ids(NOW.plus_ms(5), &mut rng(77)).0;
    twin.names.insert(Language::ENGLISH, "Twin".to_owned());
    let (mut mine, author) = (seen.clone(), Author { key: asha.keys.id(), incarnation: 5 });
    mine.edit(&author, &Edit::PutCategory(Box::new(twin)), NOW).expect("an edit");
    let batch = Batch::sign(&asha.keys.signing, &author, &mine, &seen.heads(), Vec::new(), NOW);
    let bytes = batch.expect("something to send").to_vec();
    shop.admit_batch(&bytes, &asha.chain, NOW, &mut rng(8)).expect("it is admitted");
    let all = shop.categories(true).expect("read");
    let villages: Vec<_> = all.iter().filter(|category| category.id == "village").collect();
    assert_eq!(villages.len(), 1);
    assert_eq!(villages[0].name(Language::ENGLISH), "Twin");
    // No batch carries a product among the categories.
    let ware = Edit::Delist { product: shop.draw_ids(NOW, &mut rng(78)).0 };
    assert!(mine.edit(&author, &ware, NOW).is_err());
}

#[test]
fn the_tree_is_extended_and_read_over_http_in_the_readers_language() {
    let desk = Desk::open();
    let at = "/v1/catalogue/categories";
    let sweets =
        json!({ "names": { "en": "Village sweets", "hi": "गाँव की मिठाई" }, "parent": "sweets" });
    let (status, made) = desk.as_owner("POST", at, &sweets);
    assert_eq!((status, text(&made, "id")), (201, "sweets/village-sweets"), "{made}");
    let one = format!("{at}/sweets%2Fvillage-sweets");
    let (status, hindi) = desk.as_owner("POST", at, &json!({ "names": { "hi": "घरेलू" } }));
    assert_eq!((status, text(&hindi, "name")), (201, "घरेलू"));
    let ware = json!({ "name": "Barfi", "category": "sweets/village-sweets",
        "variants": [{ "price": { "minor": 100 } }] });
    let (status, barfi) = desk.as_owner("POST", "/v1/catalogue/products", &ware);
    assert_eq!(status, 201, "{barfi}");

    let (_, all) = desk.ask("", "GET", "/v1/categories?language=hi", &Value::Null);
    let of = |all: &Value, id: &str| {
        let items = all["items"].as_array().expect("a list").clone();
        items.into_iter().find(|item| item["id"] == id).unwrap_or(Value::Null)
    };
    let own = of(&all, "sweets/village-sweets");
    assert_eq!((text(&own, "name"), &own["own"]), ("गाँव की मिठाई", &json!(true)));
    assert_eq!((text(&own, "parent"), &own["products"]), ("sweets", &json!(1)));
    assert_eq!(
        (text(&of(&all, "sweets"), "name"), &of(&all, "sweets")["products"]),
        ("मिठाई और चॉकलेट", &json!(1))
    );
    let more = "accept-language: hi-IN,hi;q=0.9\r\n";
    let (_, all) = desk.ask_with("", more, "GET", "/v1/categories", &Value::Null);
    assert_eq!(text(&of(&all, "dairy/milk"), "name"), "दूध");
    let (_, found) = desk.ask("", "GET", "/v1/products?category=sweets&facets=true", &Value::Null);
    assert_eq!(found["facets"]["categories"]["sweets/village-sweets"], 1, "{found}");

    let rename = json!({ "names": { "en": "Mithai of ours" }, "order": 5 });
    assert_eq!(text(&desk.as_owner("PATCH", &one, &rename).1, "name"), "Mithai of ours");
    let milk = format!("{at}/dairy%2Fmilk");
    let (status, milk) = desk.as_owner("PATCH", &milk, &json!({ "names": { "en": "Doodh" } }));
    assert_eq!((status, text(&milk, "name"), &milk["own"]), (200, "Doodh", &json!(false)));
    let (status, problem) = desk.as_owner("DELETE", &one, &Value::Null);
    assert_eq!((status, text(&problem, "type")), (409, "urn:kirana:category-in-use"));
    let path = format!("/v1/catalogue/products/{}", text(&barfi, "id"));
    assert_eq!(desk.as_owner("PATCH", &path, &json!({ "category": "sweets" })).0, 200);
    assert_eq!(desk.as_owner("DELETE", &one, &Value::Null).0, 204);
    assert_eq!(desk.as_owner("DELETE", &one, &Value::Null).0, 404);
    assert_eq!(desk.as_owner("POST", at, &sweets).0, 201, "it may come back");
}

#[test]
fn what_is_no_category_is_refused_by_type_and_so_is_who_may_not_edit() {
    let desk = Desk::open();
    let at = "/v1/catalogue/categories";
    let named = |more: Value| {
        let mut new = json!({ "names": { "en": "Village" } });
        new.as_object_mut().expect("it").extend(more.as_object().expect("it").clone());
        new
    };
    assert_eq!(desk.as_owner("POST", at, &named(json!({ "id": "a" }))).0, 201);
    assert_eq!(desk.as_owner("POST", at, &named(json!({ "id": "a/b", "parent": "a" }))).0, 201);
    let long = "x".repeat(301);
    for (new, status, name) in [
        (named(json!({ "id": "a" })), 409, "category-known"),
        (named(json!({ "id": "dairy" })), 409, "category-known"),
        (named(json!({ "id": "c", "parent": "nowhere" })), 404, "not-found"),
        (named(json!({ "id": "<script>" })), 400, "malformed"),
        (named(json!({ "id": "C" })), 400, "malformed"),
        (named(json!({ "id": long })), 400, "malformed"),
        (named(json!({ "more": 1 })), 400, "malformed"),
        (json!({ "names": {} }), 422, "category"),
        (json!({ "names": { "en": long } }), 422, "category"),
        (json!({ "names": { "en": "a\u{0}b" } }), 422, "category"),
        (json!({ "names": { "en": "  " } }), 422, "category"),
        (named(json!({ "id": "c", "order": 1_000_001 })), 422, "category"),
    ] {
        let (got, problem) = desk.as_owner("POST", at, &new);
        let kind = format!("urn:kirana:{name}");
        assert_eq!((got, text(&problem, "type")), (status, kind.as_str()), "{new}: {problem}");
    }
    for (node, change, status) in [
        ("a", json!({ "parent": "a/b" }), 422),
        ("a", json!({ "parent": "a" }), 422),
        ("dairy", json!({ "parent": "a" }), 422),
        ("nowhere", json!({ "hidden": true }), 404),
        ("%3Cscript%3E", json!({ "hidden": true }), 404),
        ("a%2Fb", json!({ "names": { "en": null } }), 422),
    ] {
        let (got, problem) = desk.as_owner("PATCH", &format!("{at}/{node}"), &change);
        assert_eq!(got, status, "{node} {change}: {problem}");
    }
    assert_eq!(desk.as_owner("DELETE", &format!("{at}/dairy"), &Value::Null).0, 422);
    assert_eq!(desk.as_owner("DELETE", &format!("{at}/a"), &Value::Null).0, 409, "b is below");
    // A name is a text, whatever it says; it comes back as JSON and nothing else.
    let (status, odd) =
        desk.as_owner("POST", at, &json!({ "names": { "en": "<script>x</script>" } }));
    assert_eq!((status, text(&odd, "name")), (201, "<script>x</script>"));
    let courier = desk.working(9, "courier");
    assert_eq!(desk.ask(&courier, "POST", at, &named(json!({}))).0, 403);
    assert_eq!(desk.ask("", "POST", at, &named(json!({}))).0, 401);
    assert_eq!(desk.ask("", "GET", "/v1/categories?language=Hindi", &Value::Null).0, 400);
}

#[test]
fn the_command_line_extends_the_tree_and_an_import_maps_words_of_any_language_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let add = ["catalogue", "category", "add", "Village", "hi=गाँव", "--parent", "sweets"];
    let (code, made) = said(folder.path(), &add);
    assert_eq!((code, text(&made, "id")), (0, "sweets/village"), "{made}");
    let goods = "Name,Kind\nAmul Taaza,दूध\nBarfi,गाँव\nJuice,\"en:beverages,en:fruit-juices\"\n\
                 Nail,Screws\n";
    let file = folder.path().join("goods.csv");
    std::fs::write(&file, goods).expect("a file");
    let file = file.to_str().expect("a path");
    let map = folder.path().join("map.json");
    std::fs::write(&map, r#"{"Name":"name","Kind":"category_node"}"#).expect("a file");
    let map = map.to_str().expect("a path");
    let done = crate::program::kirana(&["import", file, "--map", map], folder.path());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (_, listed) = said(folder.path(), &["catalogue", "category", "list"]);
    let items = listed["items"].as_array().expect("a list");
    let found: BTreeMap<&str, u64> = items
        .iter()
        .map(|item| (text(item, "id"), item["products"].as_u64().expect("a count")))
        .collect();
    let expected = [
        ("Screws", 1),
        ("dairy", 1),
        ("dairy/milk", 1),
        ("drinks", 1),
        ("drinks/juice", 1),
        ("sweets", 1),
        ("sweets/village", 1),
    ];
    assert_eq!(found, BTreeMap::from(expected));
    let set = ["catalogue", "category", "set", "sweets/village", "--top", "--hide"];
    assert_eq!(said(folder.path(), &set).0, 0);
    let (code, _) = said(folder.path(), &["catalogue", "category", "remove", "sweets/village"]);
    assert_ne!(code, 0, "a product stands there");
}
