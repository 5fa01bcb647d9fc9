//! Price labels: what they say, whose prices they are, and who may print them.

use kirana_core::{
    catalogue::product::Language,
    id::{ProductId, VariantId},
    time::{DAY_MS, UnixMs},
};
use kirana_paper::labels::{Code, Label};
use kirana_shop::app::{
    Shop,
    labels::{Chosen, NotChosen, Wanted, Which},
};
use serde_json::{Value, json};

use crate::{
    catalogue::{amendment, owner, product},
    desk::{Desk, said, text},
    neighbour::{NOW, Neighbourhood, rng},
};

fn put(shop: &Shop, n: u8, what: Value) -> ProductId {
    shop.add_product(&amendment(what), owner(shop), NOW, &mut rng(n)).expect("a product")
}

fn change(shop: &Shop, id: ProductId, of_variant: Value, at: UnixMs) {
    let variant: VariantId = *product(shop, id).variants.keys().next().expect("a variant");
    let mut of_variant = of_variant;
    of_variant["id"] = json!(variant);
    let what = amendment(json!({ "variants": [of_variant] }));
    shop.amend_product(id, what, owner(shop), None, at, &mut rng(77)).expect("an edit");
}

fn whole_shelf() -> Wanted {
    Wanted {
        of: Which::Found { question: "".parse().expect("a question"), category: None },
        changed_since: None,
        language: Language::ENGLISH,
        copies: 1,
        limit: 100,
    }
}

fn chosen(shop: &Shop, wanted: &Wanted, at: UnixMs) -> Chosen {
    shop.labels(wanted, at).expect("labels")
}

fn label(shop: &Shop, id: ProductId, at: UnixMs) -> Label {
    let wanted = Wanted { of: Which::Named(vec![id]), ..whole_shelf() };
    chosen(shop, &wanted, at).labels.remove(0)
}

fn milk() -> Value {
    json!({ "name": "Milk", "names": { "hi": "दूध" }, "brand": "Nandini", "category": "Dairy",
        "variants": [{ "label": "500 ml", "gtin": "8901262010016", "price": { "minor": 2_700 },
            "content": { "amount": 500, "unit": "ml" }, "max_price": 3_000, "deposit": 200 }] })
}

#[test]
fn a_label_says_price_unit_price_legal_maximum_and_deposit() {
    let shop = Neighbourhood::new().shop;
    let milk = put(&shop, 1, milk());
    let told = label(&shop, milk, NOW);
    assert_eq!((told.name.as_str(), told.about.as_deref()), ("Milk", Some("Nandini · 500 ml")));
    assert_eq!((told.price.as_str(), told.per, told.offer), ("₹27.00", None, Vec::new()));
    // Without the deposit, which is no price of the milk.
    assert_eq!(told.notes, ["₹50.00 / l", "MRP ₹30.00", "incl. ₹2.00 deposit"]);
    assert_eq!(told.code, Some(Code::Gtin("8901262010016".parse().expect("a number"))));
    let wanted = Wanted { language: Language::HINDI, ..whole_shelf() };
    let told = chosen(&shop, &wanted, NOW).labels.remove(0);
    assert_eq!(told.name, "दूध");
    assert_eq!(told.notes, ["₹50.00 / ली.", "MRP ₹30.00", "₹2.00 जमा सहित"]);
}

#[test]
fn loose_goods_are_priced_by_the_kilogram_and_have_the_shops_own_number() {
    let shop = Neighbourhood::new().shop;
    let price = json!({ "minor": 1_250, "per": 100 });
    let nuts = put(
        &shop,
        1,
        json!({ "name": "Cashews", "variants": [{ "unit": "g", "sku": "N-7",
        "price": price, "max_price": 1_500 }] }),
    );
    let told = label(&shop, nuts, NOW);
    assert_eq!((told.price.as_str(), told.per.as_deref()), ("₹125.00", Some("/ kg")));
    assert_eq!(told.notes, ["MRP ₹150.00 / kg"]);
    assert_eq!(told.code, Some(Code::Own("N-7".to_owned())));
    let bare =
        put(&shop, 2, json!({ "name": "Dates", "variants": [{ "price": { "minor": 100 } }] }));
    let variant = *product(&shop, bare).variants.keys().next().expect("a variant");
    assert_eq!(label(&shop, bare, NOW).code, Some(Code::Own(variant.to_string())));
}

#[test]
fn p2_prices_for_a_time_and_deals_stand_on_a_label_while_a_till_asks_them() {
    let shop = Neighbourhood::new().shop;
    let (tomorrow, later) = (NOW.plus_ms(DAY_MS), NOW.plus_ms(3 * DAY_MS));
    let soap =
        put(&shop, 1, json!({ "name": "Soap", "variants": [{ "price": { "minor": 4_000 } }] }));
    change(
        &shop,
        soap,
        json!({
            "planned": [{ "price": { "minor": 3_500 }, "from": tomorrow, "until": later }],
        }),
        NOW,
    );
    let tea =
        put(&shop, 2, json!({ "name": "Tea", "variants": [{ "price": { "minor": 10_000 } }] }));
    change(
        &shop,
        tea,
        json!({ "deals": [
        { "deal": { "kind": "percent", "bp": 1_000 }, "from": tomorrow, "until": later },
        { "deal": { "kind": "x_for_y", "take": 3, "pay": 2 }, "from": tomorrow.minus_ms(1) },
    ] }),
        NOW,
    );
    for (id, at) in [(soap, NOW), (soap, tomorrow), (soap, later), (tea, NOW), (tea, tomorrow)] {
        let told = label(&shop, id, at);
        let variant = product(&shop, id).variants.into_values().next().expect("a variant");
        let asked = variant.price_of(1, at).and_then(|price| price.of(1).ok()).expect("a price");
        assert_eq!(told.price, kirana_paper::amounts::written(asked), "{} at {at}", told.name);
    }
    assert!(label(&shop, soap, NOW).offer.is_empty());
    let offer = label(&shop, soap, tomorrow).offer;
    assert_eq!(offer, ["Offer", "until 24 Sep 2026", "usually ₹40.00"]);
    assert!(label(&shop, soap, later).offer.is_empty());
    let offer = label(&shop, tea, tomorrow).offer;
    assert_eq!(offer, ["3 for 2", "10% off", "until 24 Sep 2026", "usually ₹100.00"]);
    assert_eq!(label(&shop, tea, later).offer, ["3 for 2"]);
}

#[test]
fn labels_are_chosen_by_id_words_category_and_by_what_has_changed_since() {
    let shop = Neighbourhood::new().shop;
    put(&shop, 1, milk());
    let soap =
        put(&shop, 2, json!({ "name": "Soap", "variants": [{ "price": { "minor": 4_000 } }] }));
    put(&shop, 3, json!({ "name": "Not priced yet", "variants": [{}] }));
    let names = |wanted: &Wanted, at| {
        let chosen = chosen(&shop, wanted, at);
        chosen.labels.into_iter().map(|label| label.name).collect::<Vec<_>>()
    };
    let found = |words: &str, category: Option<&str>| {
        let question = words.parse().expect("a question");
        Wanted {
            of: Which::Found { question, category: category.map(str::to_owned) },
            ..whole_shelf()
        }
    };
    assert_eq!(names(&found("doodh", None), NOW), ["Milk"]);
    assert_eq!(names(&found("", Some("Dairy")), NOW), ["Milk"]);
    assert_eq!(names(&Wanted { copies: 3, ..found("soap", None) }, NOW), ["Soap"; 3]);
    let all = chosen(&shop, &whole_shelf(), NOW);
    assert_eq!((all.labels.len(), all.without_price), (2, 1));

    let (later, after) = (NOW.plus_ms(1_000), NOW.plus_ms(2_000));
    let since = |moment| Wanted { changed_since: Some(moment), ..whole_shelf() };
    assert_eq!(names(&since(NOW), later), Vec::<String>::new());
    assert_eq!(names(&since(NOW.minus_ms(1)), later).len(), 2, "there were none before");
    change(&shop, soap, json!({ "price": { "minor": 4_200 } }), after);
    assert_eq!(names(&since(later), after), ["Soap"]);
    assert_eq!(names(&since(after), after), Vec::<String>::new());
    // Nobody edits anything when the day of a planned price has come.
    let tomorrow = NOW.plus_ms(DAY_MS);
    change(
        &shop,
        soap,
        json!({ "planned": [{ "price": { "minor": 3_900 }, "from": tomorrow }] }),
        after,
    );
    assert_eq!(names(&since(after), after), Vec::<String>::new());
    assert_eq!(names(&since(after), tomorrow), ["Soap"]);
}

#[test]
fn what_is_not_there_and_more_than_is_wanted_are_refused() {
    let shop = Neighbourhood::new().shop;
    let soap =
        put(&shop, 2, json!({ "name": "Soap", "variants": [{ "price": { "minor": 4_000 } }] }));
    let unknown = ProductId::new(NOW, [9; 10]);
    let wanted = Wanted { of: Which::Named(vec![soap, unknown]), ..whole_shelf() };
    assert!(matches!(shop.labels(&wanted, NOW), Err(NotChosen::NoProduct(id)) if id == unknown));
    let most = Wanted { copies: 100, ..whole_shelf() };
    assert_eq!(chosen(&shop, &most, NOW).labels.len(), 100);
    let refused = shop.labels(&Wanted { copies: 101, ..most }, NOW);
    assert!(matches!(refused, Err(NotChosen::TooMany { limit: 100 })));
}

const GOODS: &str = "\
sku,gtin,name,name.hi,category,unit,price,price_per
R1,,Sona Masoori rice,सोना मसूरी चावल,Staples,g,68.50,1000
,8901262010016,Milk,दूध,Dairy,piece,27.00,
,,<script>alert(1)</script> 🍚,,Odds,piece,5.00,
,,Bag,,Odds,piece,,
";

fn stocked() -> Desk {
    let desk = Desk::open();
    let file = desk.folder.path().join("goods.csv");
    std::fs::write(&file, GOODS).expect("written");
    let file = file.to_str().expect("a path");
    let (code, done) = said(desk.folder.path(), &["import", file, "--format", "csv"]);
    assert_eq!(code, 0, "{done}");
    desk
}

#[test]
fn the_command_line_writes_a_pdf_and_says_what_is_not_on_it() {
    let desk = stocked();
    let file = desk.folder.path().join("labels.pdf");
    let path = file.to_str().expect("a path").to_owned();
    let print =
        |words: &[&str]| said(desk.folder.path(), &[&["labels", path.as_str()], words].concat());
    let (code, done) = print(&["--all", "--layout", "2x7", "--begin", "14", "--language", "hi"]);
    assert_eq!(code, 0, "{done}");
    assert_eq!((&done["labels"], &done["pages"]), (&json!(3), &json!(2)));
    assert_eq!((&done["left_out"], &done["without_price"]), (&json!(["🍚"]), &json!(1)));
    assert_eq!(done["without_barcode"], json!(["<script>alert(1)</script> 🍚"]));
    assert!(std::fs::read(&file).expect("a file").starts_with(b"%PDF-"));
    let tomorrow = kirana_core::day::Day::at(kirana_shop::clock::now(), 0).plus(2).to_string();
    let (code, done) = print(&["--changed-since", &tomorrow]);
    assert_eq!((code, &done["labels"]), (0, &json!(0)), "{done}");
    for words in [
        &[][..],
        &["--all", "--search", "milk"],
        &["--all", "--layout", "9x9"],
        &["--all", "--layout", "2x7", "--label", "58x40"],
        &["--all", "--copies", "0"],
        &["--all", "--font", "/nowhere.ttf"],
    ] {
        assert_eq!(print(words).0, 2, "{words:?}");
    }
    assert_eq!(print(&["--all", "--layout", "roll", "--begin", "2"]).0, 1);
}

#[test]
fn p6_labels_are_printed_over_http_by_who_edits_the_catalogue_and_never_too_many() {
    let desk = stocked();
    let ask = |token: &str, query: &str| {
        desk.ask(token, "GET", &format!("/v1/catalogue/labels{query}"), &Value::Null)
    };
    assert_eq!(ask("", "?all=true").0, 401);
    let courier = desk.working(3, "courier");
    assert_eq!(ask(&courier, "?all=true").0, 403);
    let head = format!("authorization: Bearer {}\r\n", desk.owner);
    let path = "/v1/catalogue/labels?q=milk&layout=roll&language=hi";
    let (status, kind, body) =
        desk.served.ask_with(&head, "GET", path, "application/json", b"").expect("an answer");
    assert_eq!((status, kind.as_str()), (200, "application/pdf"));
    assert!(body.windows(5).any(|five| five == b"%PDF-"));
    for (query, status, name) in [
        ("", 400, "malformed"),
        ("?all=true&copies=0", 400, "malformed"),
        ("?all=true&begin=25", 400, "malformed"),
        ("?all=true&layout=9x9", 400, "malformed"),
        ("?all=true&shape=round", 400, "malformed"),
        ("?product=x", 400, "malformed"),
        ("?product=00000000-0000-0000-0000-000000000000", 404, "not-found"),
        ("?q=milk&copies=1000", 200, ""),
        ("?category=Odds&copies=1000", 422, "no-font"),
        ("?all=true&copies=1000", 422, "too-many-labels"),
        ("?q=bag", 422, "no-labels"),
        ("?all=true", 422, "no-font"),
        ("?all=true&leave_out=true", 200, ""),
    ] {
        let (got, problem) = ask(&desk.owner, query);
        assert_eq!(got, status, "{query}: {problem}");
        if status != 200 {
            assert_eq!(text(&problem, "type"), format!("urn:kirana:{name}"), "{query}: {problem}");
        }
    }
}
