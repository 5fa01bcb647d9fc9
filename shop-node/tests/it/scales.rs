//! Scale codes at a real shop's door: what was weighed is found, sold and counted by its label.

use kirana_core::gtin::check_digit;
use serde_json::{Value, json};

use crate::desk::{Desk, said, text};

fn printed(body: &str) -> String {
    format!("{body}{}", check_digit(body.parse().expect("digits")))
}

fn layouts() -> Value {
    json!({ "layouts": [
        { "prefix": "21", "item_digits": 5, "carries": "weight" },
        { "prefix": "27", "item_digits": 4, "carries": "price", "verifier": true },
        { "prefix": "28", "item_digits": 5, "carries": "price" },
    ]})
}

/// A shop with 10 kg of paneer at 400.00 a kilogram (SKU 42) and 20 soaps with a barcode.
fn open() -> Desk {
    let desk = Desk::open();
    let paneer = json!({ "name": "Paneer", "variants": [{
        "sku": "42", "unit": "g", "price": { "minor": 40_000, "per": 1_000 } }] });
    let soap = json!({ "name": "Soap", "variants": [{
        "gtin": "6291041500213", "price": { "minor": 3_500 } }] });
    for (product, amount) in [(paneer, 10_000), (soap, 20)] {
        let (status, made) = desk.as_owner("POST", "/v1/catalogue/products", &product);
        assert_eq!(status, 201, "{made}");
        let body =
            json!({ "variant_id": made["variants"][0]["id"], "kind": "receipt", "amount": amount });
        assert_eq!(desk.as_owner("POST", "/v1/stock/movements", &body).0, 201);
    }
    assert_eq!(desk.as_owner("PUT", "/v1/scale-layouts", &layouts()).0, 204);
    desk
}

fn scan(desk: &Desk, lines: Value) -> (u16, Value) {
    desk.as_owner("POST", "/v1/sales", &json!({ "lines": lines }))
}

fn refused(desk: &Desk, code: &str) -> String {
    let (status, refused) = scan(desk, json!([{ "barcode": code }]));
    assert!(status >= 400, "{refused}");
    text(&refused, "type").trim_start_matches("urn:kirana:").to_owned()
}

fn paneer(desk: &Desk) -> Value {
    let (_, found) = desk.as_owner("GET", "/v1/products?q=paneer", &Value::Null);
    found["items"][0].clone()
}

fn codes(sold: &Value) -> Vec<&str> {
    let warnings = sold["warnings"].as_array().expect("a list").iter();
    warnings.map(|warning| text(warning, "code")).collect()
}

#[test]
fn p2_a_weight_label_takes_its_weight_out_of_the_stock_and_costs_by_the_shelfs_price() {
    let desk = open();
    let (status, sold) = scan(&desk, json!([{ "barcode": printed("210004200750") }]));
    assert_eq!(status, 201, "{sold}");
    assert_eq!(sold["sold"][0]["quantity"], json!({ "amount": 750, "unit": "g" }));
    assert_eq!(sold["sold"][0]["sum"], json!({ "minor": 30_000, "currency": "INR" }));
    assert_eq!(sold["balances"][0]["on_hand"], 9_250);
    assert_eq!(codes(&sold["sold"][0]), Vec::<&str>::new());
}

#[test]
fn p2_a_price_label_costs_what_it_says_and_the_books_say_the_same() {
    let desk = open();
    // 12.34 of goods that cost 0.40 a gram are 30.85 g: 31 g leave the stock, 12.34 come in.
    let (status, sold) = scan(&desk, json!([{ "barcode": printed("280004201234") }]));
    assert_eq!(status, 201, "{sold}");
    assert_eq!(sold["sold"][0]["quantity"]["amount"], 31);
    assert_eq!(sold["sold"][0]["sum"]["minor"], 1_234);
    let (_, movements) = desk.as_owner("GET", "/v1/stock/movements?cursor=2", &Value::Null);
    let sale = &movements["items"][0];
    assert_eq!(
        (&sale["earned"]["sum"]["minor"], &sale["change"]["amount"]),
        (&json!(1_234), &json!(31)),
        "{movements}"
    );
    let (code, found) = said(desk.folder.path(), &["verify"]);
    assert_eq!(code, 0, "{found}");
}

#[test]
fn a_label_older_than_its_price_is_told_of_and_one_that_is_weighed_again_costs_its_label() {
    let desk = open();
    let label = printed("280004201234");
    let sold = scan(&desk, json!([{ "barcode": label }])).1;
    assert_eq!(codes(&sold["sold"][0]), ["priced-lately"], "the price is a moment old");
    let again = json!([{ "barcode": label, "quantity": { "amount": 33, "unit": "g" } }]);
    let sold = scan(&desk, again).1;
    assert_eq!(sold["sold"][0]["quantity"]["amount"], 33);
    assert_eq!(sold["sold"][0]["sum"]["minor"], 1_234, "what the customer was told");
    assert_eq!(codes(&sold["sold"][0]), ["price-changed"]);
    let deal =
        json!([{ "from": "2020-01-01T00:00:00Z", "deal": { "kind": "percent", "bp": 1_000 } }]);
    let item = paneer(&desk);
    let path = format!("/v1/catalogue/products/{}", text(&item, "id"));
    let patch = json!({ "variants": [{ "id": item["variants"][0]["id"], "deals": deal }] });
    let (status, patched) = desk.as_owner("PATCH", &path, &patch);
    assert_eq!(status, 200, "{patched}");
    let sold = scan(&desk, json!([{ "barcode": label }])).1;
    assert_eq!(codes(&sold["sold"][0]), ["deal-not-taken", "priced-lately"]);
    assert_eq!(sold["sold"][0]["quantity"]["amount"], 31, "the scale knew no deal");
}

#[test]
fn a_packs_barcode_is_one_piece_or_as_many_as_somebody_says() {
    let desk = open();
    let three = json!({ "amount": 3, "unit": "piece" });
    let lines =
        json!([{ "barcode": "6291041500213" }, { "barcode": "6291041500213", "quantity": three }]);
    let (status, sold) = scan(&desk, lines);
    assert_eq!(status, 201, "{sold}");
    assert_eq!(sold["balances"][1]["on_hand"], 16);
    assert_eq!(sold["sold"][1]["sum"]["minor"], 10_500);
}

#[test]
fn what_cannot_be_sold_by_its_label_is_refused_by_name_and_nothing_is_sold() {
    let desk = open();
    assert_eq!(refused(&desk, "2100042007509"), "wrong-check-digit");
    assert_eq!(refused(&desk, &printed("270042600685")), "wrong-check-digit");
    assert_eq!(refused(&desk, &printed("220004200750")), "unknown-layout");
    assert_eq!(refused(&desk, &printed("210004200000")), "label-of-nothing");
    assert_eq!(refused(&desk, &printed("210004300750")), "no-article");
    assert_eq!(refused(&desk, "paneer"), "no-article");
    assert_eq!(refused(&desk, "4006381333931"), "no-article");
    let twice =
        json!([{ "barcode": printed("210004200750"), "quantity": { "amount": 1, "unit": "g" } }]);
    assert_eq!(scan(&desk, twice).0, 400);
    let both =
        json!([{ "barcode": "6291041500213", "variant_id": paneer(&desk)["variants"][0]["id"] }]);
    assert_eq!(scan(&desk, both).0, 400);
    assert_eq!(scan(&desk, json!([{ "barcode": "1".repeat(65) }])).0, 400);
    let (_, stock) = desk.as_owner("GET", "/v1/stock", &Value::Null);
    let on_hand = stock["items"].as_array().expect("rows").iter().map(|row| &row["on_hand"]);
    assert_eq!(on_hand.collect::<Vec<_>>(), [&json!(10_000), &json!(20)]);
}

#[test]
fn a_price_of_pieces_is_a_whole_number_of_them_or_refused() {
    let desk = open();
    let bun = json!({ "name": "Bun", "counted": false, "variants": [{ "sku": "77", "price": { "minor": 1_500 } }] });
    assert_eq!(desk.as_owner("POST", "/v1/catalogue/products", &bun).0, 201);
    let (status, sold) = scan(&desk, json!([{ "barcode": printed("280007706000") }]));
    assert_eq!(status, 201, "{sold}");
    assert_eq!(sold["sold"][0]["quantity"], json!({ "amount": 4, "unit": "piece" }));
    assert_eq!(refused(&desk, &printed("280007706100")), "price-changed");
    assert_eq!(refused(&desk, &printed("210007706000")), "other-unit");
}

#[test]
fn a_scales_code_finds_its_article_by_the_code_with_zeros_before_the_sku() {
    let desk = open();
    let find = |code: &str| {
        let (status, found) = desk.ask("", "GET", &format!("/v1/products?q={code}"), &Value::Null);
        assert_eq!(status, 200, "{found}");
        found["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| text(item, "name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(find(&printed("210004200750")), ["Paneer"]);
    assert_eq!(find(&printed("280004201234")), ["Paneer"]);
    assert!(find(&printed("220004201234")).is_empty());
    let cheese = json!({ "name": "Cheese", "variants": [{ "gtin": printed("210004200000"), "unit": "g",
        "price": { "minor": 90_000, "per": 1_000 } }] });
    assert_eq!(desk.as_owner("POST", "/v1/catalogue/products", &cheese).0, 201);
    assert_eq!(find(&printed("210004200750")), ["Cheese"]);
    assert_eq!(find(&printed("280004201234")), ["Paneer"], "another prefix, another number");
}

#[test]
fn p6_only_owners_say_how_labels_are_read_and_bad_layouts_are_refused() {
    let desk = open();
    let till = desk.working(9, "staff");
    assert_eq!(desk.ask(&till, "PUT", "/v1/scale-layouts", &layouts()).0, 403);
    assert_eq!(desk.ask(&till, "GET", "/v1/scale-layouts", &Value::Null).0, 200);
    assert_eq!(desk.ask("", "GET", "/v1/scale-layouts", &Value::Null).0, 401);
    let alike = json!({ "layouts": [
        { "prefix": "21", "item_digits": 5, "carries": "weight" },
        { "prefix": "210", "item_digits": 5, "carries": "price" } ]});
    let (status, refused) = desk.as_owner("PUT", "/v1/scale-layouts", &alike);
    assert_eq!((status, text(&refused, "type")), (422, "urn:kirana:layout"));
    let (_, kept) = desk.as_owner("GET", "/v1/scale-layouts", &Value::Null);
    assert_eq!(kept["layouts"].as_array().map(Vec::len), Some(3), "as before");
}

#[test]
fn the_command_line_sells_what_is_scanned_and_keeps_layouts() {
    let desk = open();
    let folder = desk.folder.path();
    let file = folder.join("layouts.json");
    std::fs::write(&file, layouts()["layouts"].to_string()).expect("a file");
    let (code, set) = said(folder, &["scale-layouts", "set", file.to_str().expect("a path")]);
    assert_eq!((code, set["layouts"].as_array().map(Vec::len)), (0, Some(3)), "{set}");
    let (code, sold) = said(folder, &["sell", &printed("210004200500"), "soap=2"]);
    assert_eq!(code, 0, "{sold}");
    assert_eq!(sold["sold"][0]["sum"]["minor"], 20_000);
    assert_eq!(sold["balances"][0]["on_hand"], 9_500);
    let (code, refused) = said(folder, &["sell", &printed("990004200500")]);
    assert_eq!(code, 1, "{refused}");
}
