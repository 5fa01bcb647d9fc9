//! Buying and earning at a real shop's door: suppliers, purchases in parts, and what is left of a sale.

use kirana_core::id::VariantId;
use kirana_migrations::Abort;
use serde_json::{Value, json};

use crate::{
    batches::{in_days, move_stock, open},
    desk::{Desk, said, text},
    neighbour::Neighbourhood,
    program::opened,
};

fn supplier(desk: &Desk, name: &str) -> String {
    let body = json!({ "name": name, "contact": "98450 11111", "lead_days": 2 });
    let (status, made) = desk.as_owner("POST", "/v1/suppliers", &body);
    assert_eq!(status, 201, "{made}");
    text(&made, "id").to_owned()
}

fn rupees(minor: i64, per: u64) -> Value {
    json!({ "minor": minor, "per": per, "currency": "INR" })
}

/// Twelve packs a carton, for 240.00.
fn article(desk: &Desk, supplier: &str, milk: VariantId) {
    let path = format!("/v1/suppliers/{supplier}/articles/{milk}");
    let body = json!({ "code": "AM-1", "pack": 12, "cost": rupees(24_000, 12) });
    assert_eq!(desk.as_owner("PUT", &path, &body).0, 204);
}

fn ordered(desk: &Desk, supplier: &str, milk: VariantId, amount: u64) -> Value {
    let lines = json!([{ "variant_id": milk, "amount": amount }]);
    let body = json!({ "supplier_id": supplier, "lines": lines });
    let (status, made) = desk.as_owner("POST", "/v1/purchases", &body);
    assert_eq!(status, 201, "{made}");
    made
}

fn came(desk: &Desk, token: &str, id: &str, milk: VariantId, amount: u64) -> (u16, Value) {
    let lot = json!({ "best_before": in_days(5), "code": "L1" });
    let body = json!({ "lines": [{ "variant_id": milk, "amount": amount, "lot": lot }] });
    desk.ask(token, "POST", &format!("/v1/purchases/{id}/receipts"), &body)
}

fn state(desk: &Desk, id: &str) -> String {
    let (_, found) = desk.as_owner("GET", &format!("/v1/purchases/{id}"), &Value::Null);
    text(&found, "state").to_owned()
}

fn verified(desk: &Desk) {
    let (code, found) = said(desk.folder.path(), &["verify"]);
    assert_eq!(code, 0, "{found}");
}

#[test]
fn a_purchase_comes_in_parts_as_batches_and_what_is_coming_is_not_ordered_again() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    article(&desk, &dairy, milk);
    let rule = json!({ "level": 20, "up_to": 40 });
    assert_eq!(desk.as_owner("PUT", &format!("/v1/stock/reorder/{milk}"), &rule).0, 204);
    let low = || desk.as_owner("GET", "/v1/stock/low", &Value::Null).1["items"][0].clone();
    assert_eq!((&low()["order"], text(&low(), "supplier_id")), (&json!(36), dairy.as_str()));
    let purchase = ordered(&desk, &dairy, milk, 36);
    let id = text(&purchase, "id");
    assert_eq!(purchase["lines"][0]["cost"], rupees(24_000, 12), "as the supplier usually asks");
    assert_eq!(text(&purchase, "expected"), in_days(2));
    assert_eq!((&low()["order"], &low()["coming"]), (&json!(0), &json!(36)));
    let (status, entered) = came(&desk, &desk.owner, id, milk, 6);
    assert_eq!((status, &entered["balances"][0]["on_hand"]), (201, &json!(16)), "{entered}");
    assert_eq!((state(&desk, id), &low()["coming"]), ("partly_received".to_owned(), &json!(30)));
    assert_eq!(came(&desk, &desk.owner, id, milk, 31).0, 201, "one more than was ordered");
    assert_eq!(state(&desk, id), "received");
    let (_, batches) = desk.as_owner("GET", "/v1/stock/batches", &Value::Null);
    let batch = &batches["items"][0];
    assert_eq!((text(batch, "supplier_id"), text(batch, "purchase_id")), (dairy.as_str(), id));
    assert_eq!(batch["cost"], rupees(24_000, 12));
    let (status, ended) = came(&desk, &desk.owner, id, milk, 1);
    assert_eq!((status, text(&ended, "type")), (409, "urn:kirana:purchase-ended"));
    let open = desk.as_owner("GET", "/v1/purchases?open=true", &Value::Null).1;
    assert_eq!(open["items"], json!([]));
    verified(&desk);
}

#[test]
fn what_does_not_come_is_called_off() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    let cancel = |id: &str| {
        desk.as_owner("POST", &format!("/v1/purchases/{id}/cancellation"), &Value::Null).0
    };
    let first = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    assert_eq!([cancel(&first), cancel(&first)], [204, 409]);
    assert_eq!(state(&desk, &first), "cancelled");
    let second = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    assert_eq!(came(&desk, &desk.owner, &second, milk, 4).0, 201);
    let rest = json!({ "lines": [], "closes": true });
    let path = format!("/v1/purchases/{second}/receipts");
    assert_eq!(desk.as_owner("POST", &path, &rest).0, 201);
    assert_eq!(state(&desk, &second), "closed");
}

#[test]
fn p6_staff_receive_and_see_no_cost_and_only_buyers_order_and_see_the_margin() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    article(&desk, &dairy, milk);
    let id = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    let (till, courier) = (desk.working(9, "staff"), desk.working(8, "courier"));
    let role = json!({ "permissions": ["purchase.view", "purchase.edit", "margin.view"] });
    assert_eq!(desk.as_owner("PUT", "/v1/staff/roles/buyer", &role).0, 204);
    let buyer = desk.working(7, "buyer");
    let everybody = [buyer.as_str(), &till, &courier, ""];
    for path in ["/v1/suppliers", "/v1/purchases", &format!("/v1/purchases/{id}")] {
        let look = |token| desk.ask(token, "GET", path, &Value::Null).0;
        assert_eq!(everybody.map(look), [200, 200, 403, 401], "{path}");
    }
    let seen = |token: &str, path: &str, list: &str| {
        desk.ask(token, "GET", path, &Value::Null).1[list][0].get("cost").is_some()
    };
    let (purchase, articles) = (format!("/v1/purchases/{id}"), format!("/v1/suppliers/{dairy}"));
    let costs = |token| [seen(token, &purchase, "lines"), seen(token, &articles, "articles")];
    assert_eq!([costs(&buyer), costs(&till)], [[true, true], [false, false]]);
    let new = |token| desk.ask(token, "POST", "/v1/suppliers", &json!({ "name": token })).0;
    assert_eq!([till.as_str(), &courier, ""].map(new), [403, 403, 401]);
    let lines = json!([{ "variant_id": milk, "amount": 1 }]);
    let body = json!({ "supplier_id": dairy, "lines": lines });
    let order = |token| desk.ask(token, "POST", "/v1/purchases", &body).0;
    assert_eq!(everybody.map(order), [201, 403, 403, 401]);
    let margin = |token| desk.ask(token, "GET", "/v1/reports/margin", &Value::Null).0;
    assert_eq!(everybody.map(margin), [200, 403, 403, 401]);
    let receive = |token| came(&desk, token, &id, milk, 1).0;
    assert_eq!(everybody.map(receive), [403, 201, 403, 401], "a buyer does not stand at the door");
    let cancel = format!("/v1/purchases/{id}/cancellation");
    assert_eq!(desk.ask(&till, "POST", &cancel, &Value::Null).0, 403);
}

#[test]
fn what_cannot_be_bought_is_refused_by_name() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    let named = |name: &str| {
        let (status, said) = desk.as_owner("POST", "/v1/suppliers", &json!({ "name": name }));
        (status, said["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(named("DAIRY"), (409, "urn:kirana:name-taken".to_owned()));
    assert_eq!([named(" ").0, named(&"x".repeat(61)).0], [400, 400]);
    let order = |supplier: &str, lines: Value| {
        let body = json!({ "supplier_id": supplier, "lines": lines });
        let (status, said) = desk.as_owner("POST", "/v1/purchases", &body);
        (
            status,
            said["type"].as_str().unwrap_or_default().trim_start_matches("urn:kirana:").to_owned(),
        )
    };
    let line = |amount: u64| json!({ "variant_id": milk, "amount": amount });
    let strange = milk.to_string();
    assert_eq!(order(&strange, json!([line(1)])), (404, "no-supplier".to_owned()));
    assert_eq!(order(&dairy, json!([])), (400, "malformed".to_owned()));
    assert_eq!(order(&dairy, json!([line(1), line(2)])), (400, "malformed".to_owned()));
    assert_eq!(order(&dairy, json!([line(0)])), (400, "malformed".to_owned()));
    let unknown = json!([{ "variant_id": dairy, "amount": 1 }]);
    assert_eq!(order(&dairy, unknown), (409, "not-sold".to_owned()));
    let euros = json!({ "minor": 1, "per": 1, "currency": "EUR" });
    let euros = json!([{ "variant_id": milk, "amount": 1, "cost": euros }]);
    assert_eq!(order(&dairy, euros), (409, "other-currency".to_owned()));
    let id = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    let other: VariantId = dairy.parse().expect("an id");
    let (status, odd) = came(&desk, &desk.owner, &id, other, 1);
    assert_eq!((status, text(&odd, "type")), (409, "urn:kirana:not-ordered"));
    assert_eq!(came(&desk, &desk.owner, &strange, milk, 1).0, 404);
    let path = format!("/v1/suppliers/{dairy}/articles/{milk}");
    assert_eq!(desk.as_owner("PUT", &path, &json!({ "pack": 0 })).0, 400);
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
}

#[test]
fn p1_a_delivery_that_is_sent_twice_under_a_key_comes_in_once() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    let id = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    let path = format!("/v1/purchases/{id}/receipts");
    let body = json!({ "lines": [{ "variant_id": milk, "amount": 10 }] });
    let send = || desk.ask_with(&desk.owner, "idempotency-key: van\r\n", "POST", &path, &body);
    let first = send();
    assert_eq!(first.0, 201, "{}", first.1);
    assert_eq!(send(), first);
    let (_, stock) = desk.as_owner("GET", "/v1/stock", &Value::Null);
    assert_eq!(stock["items"][0]["on_hand"], 20);
}

#[test]
fn the_margin_is_what_sales_brought_in_less_what_those_very_goods_had_cost() {
    let (desk, milk) = open();
    let receive = |days, minor| {
        let lot = json!({ "best_before": in_days(days), "cost": rupees(minor, 1) });
        let body = json!({ "variant_id": milk, "kind": "receipt", "amount": 10, "lot": lot });
        assert_eq!(move_stock(&desk, &body).0, 201);
    };
    receive(9, 2_500);
    receive(3, 2_000);
    let sell = |amount: u64| {
        let quantity = json!({ "amount": amount, "unit": "piece" });
        let lines = json!({ "lines": [{ "variant_id": milk, "quantity": quantity }] });
        assert_eq!(desk.as_owner("POST", "/v1/sales", &lines).0, 201);
    };
    // Ten that are soon over for 20.00 and two of the others for 25.00, each sold for 30.00.
    sell(12);
    let waste = json!({ "variant_id": milk, "kind": "wastage", "amount": 1 });
    assert_eq!(move_stock(&desk, &waste).0, 201);
    let report = |query: &str| {
        let path = format!("/v1/reports/margin{query}");
        let (status, report) = desk.as_owner("GET", &path, &Value::Null);
        assert_eq!(status, 200, "{report}");
        report
    };
    let minor = |value: &Value, name: &str| value[name]["minor"].as_i64().expect("money");
    let total = report("")["total"].clone();
    assert_eq!((minor(&total, "sales"), minor(&total, "cost")), (36_000, 25_000));
    assert_eq!((minor(&total, "margin"), minor(&total, "cost_of_wasted")), (11_000, 2_500));
    // Seven more of the batch, and three of those whose cost nobody entered.
    sell(10);
    let item = report("")["items"][0].clone();
    assert_eq!((&item["amount"], &item["amount_without_cost"]), (&json!(22), &json!(3)));
    assert_eq!((minor(&item, "sales"), minor(&item, "sales_with_known_cost")), (66_000, 57_000));
    assert_eq!(minor(&item, "margin"), 57_000 - 25_000 - 7 * 2_500);
    let before = format!("?from={}&until={}", in_days(-9), in_days(-2));
    assert_eq!(report(&before)["items"], json!([]));
    assert_eq!(desk.as_owner("GET", "/v1/reports/margin?from=x", &Value::Null).0, 400);
    let (code, told) = said(desk.folder.path(), &["margin"]);
    assert_eq!((code, minor(&told["items"][0], "sales")), (0, 66_000));
    verified(&desk);
}

#[test]
fn what_comes_back_is_taken_off_the_margin_and_no_more_of_a_sale_comes_back_than_was_sold() {
    let (desk, milk) = open();
    let lot = json!({ "best_before": in_days(9), "cost": rupees(2_000, 1) });
    let body = json!({ "variant_id": milk, "kind": "receipt", "amount": 10, "lot": lot });
    assert_eq!(move_stock(&desk, &body).0, 201);
    let quantity = json!({ "amount": 4, "unit": "piece" });
    let lines = json!({ "lines": [{ "variant_id": milk, "quantity": quantity }] });
    let (status, sold) = desk.as_owner("POST", "/v1/sales", &lines);
    assert_eq!(status, 201, "{sold}");
    let sale = sold["movements"][0].clone();
    let back = |amount: u64, of: &Value| {
        let body = json!({ "variant_id": milk, "kind": "return", "amount": amount, "of_sale": of });
        move_stock(&desk, &body)
    };
    assert_eq!(back(1, &sale).0, 201);
    let (status, refused) = back(4, &sale);
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:more-than-sold"), "{refused}");
    for no_sale in [json!(1), json!(0), json!(99), json!(u64::MAX)] {
        let (status, refused) = back(1, &no_sale);
        assert_eq!((status, text(&refused, "type")), (404, "urn:kirana:no-sale"), "{refused}");
    }
    let receipt = json!({ "variant_id": milk, "kind": "receipt", "amount": 1, "of_sale": sale });
    assert_eq!(move_stock(&desk, &receipt).0, 400, "only a return is of a sale");
    // Of four for 30.00 each, three stayed sold; each had cost 20.00.
    let (_, report) = desk.as_owner("GET", "/v1/reports/margin", &Value::Null);
    let minor = |name: &str| report["total"][name]["minor"].as_i64().expect("money");
    assert_eq!((minor("sales"), minor("given_back")), (9_000, 3_000));
    assert_eq!((minor("cost"), minor("margin")), (6_000, 3_000));
    let item = &report["items"][0];
    assert_eq!((&item["amount"], &item["returned"]), (&json!(4), &json!(1)));
    // Whoever may not see costs sees what is sold of which product, also as a file.
    let (_, by_product) = desk.as_owner("GET", "/v1/reports/products", &Value::Null);
    let item = &by_product["items"][0];
    assert_eq!(
        (text(item, "name"), &item["amount"], &item["returned"]),
        ("Milk", &json!(4), &json!(1))
    );
    assert_eq!((&item["sales"]["minor"], item.get("cost")), (&json!(9_000), None));
    let (code, told) = said(desk.folder.path(), &["takings", "--by-product"]);
    assert_eq!((code, &told["items"][0]["unit"]), (0, &json!("piece")), "{told}");
    verified(&desk);
}

#[test]
fn a_supplier_is_given_up_once_nothing_is_awaited_and_comes_back_by_its_name() {
    let (desk, milk) = open();
    let (dairy, nobody) = (supplier(&desk, "Dairy"), supplier(&desk, "Nobody"));
    article(&desk, &dairy, milk);
    let purchase = text(&ordered(&desk, &dairy, milk, 12), "id").to_owned();
    let at = |id: &str| format!("/v1/suppliers/{id}");
    let give_up = |id: &str| desk.as_owner("DELETE", &at(id), &Value::Null);
    let (status, refused) = give_up(&dairy);
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:still-supplies"), "{refused}");
    assert_eq!(came(&desk, &desk.owner, &purchase, milk, 12).0, 201);
    assert_eq!([give_up(&dairy).0, give_up(&dairy).0, give_up(&nobody).0], [204, 404, 204]);
    let listed = || desk.as_owner("GET", "/v1/suppliers", &Value::Null).1["items"].clone();
    assert_eq!(listed(), json!([]));
    // What was bought there still says where; how they are reached is gone.
    let (status, one) = desk.as_owner("GET", &at(&dairy), &Value::Null);
    assert_eq!((status, text(&one, "name"), text(&one, "contact")), (200, "Dairy", ""));
    assert!(one["retired_at"].is_string() && one["articles"] == json!([]), "{one}");
    assert_eq!(desk.as_owner("GET", &at(&nobody), &Value::Null).0, 404);
    let lines = json!([{ "variant_id": milk, "amount": 1 }]);
    let order = json!({ "supplier_id": dairy, "lines": lines });
    assert_eq!(desk.as_owner("POST", "/v1/purchases", &order).0, 404);
    assert_eq!(supplier(&desk, "Dairy"), dairy, "the same one");
    assert_eq!(listed()[0]["retired_at"], Value::Null);
    let (code, _) = said(desk.folder.path(), &["suppliers", "remove", "dairy"]);
    assert_eq!((code, listed()), (0, json!([])));
}

#[test]
fn p8_a_margin_or_a_purchase_that_was_changed_is_found() {
    let (desk, milk) = open();
    let dairy = supplier(&desk, "Dairy");
    let id = text(&ordered(&desk, &dairy, milk, 10), "id").to_owned();
    assert_eq!(came(&desk, &desk.owner, &id, milk, 4).0, 201);
    let waste = json!({ "variant_id": milk, "kind": "wastage", "amount": 1 });
    assert_eq!(move_stock(&desk, &waste).0, 201);
    let Desk { folder, served, .. } = desk;
    drop(served);
    let shop = opened(folder.path());
    let street = Neighbourhood { shop, hub: kirana_core::key::SigningKey::from_seed([40; 32]) };
    let change = |sql: &'static str| {
        let database = street.shop.database();
        let done = database
            .writer
            .write(move |tx| -> Result<usize, Abort<()>> { Ok(tx.execute(sql, [])?) });
        assert_eq!(done.expect("it is stored"), 1, "{sql}");
        street.shop.verify().expect("read").faults.len()
    };
    assert_eq!(change("UPDATE purchase_line SET received = 5"), 1);
    assert_eq!(change("UPDATE purchase_line SET received = 4"), 0);
    assert_eq!(change("UPDATE goods_out SET amount = 2"), 1);
    assert_eq!(change("DELETE FROM goods_out"), 2, "its margin is gone, and one is missing");
}

#[test]
fn the_owner_buys_by_the_command_line() {
    let (desk, milk) = open();
    let (data, id) = (desk.folder.path(), milk.to_string());
    let (code, made) = said(data, &["suppliers", "put", "Dairy", "--lead-days", "1"]);
    assert_eq!(code, 0, "{made}");
    let article = ["suppliers", "article", "dairy", &id, "12", "--cost", "240"];
    assert_eq!(said(data, &article).0, 0);
    let (code, purchase) = said(data, &["purchases", "order", "Dairy", &format!("{id}=24")]);
    assert_eq!((code, &purchase["lines"][0]["cost"]), (0, &rupees(24_000, 12)), "{purchase}");
    let number = text(&purchase, "id");
    let some = ["purchases", "receive", number, &format!("{id}=10"), "--lot", "A1"];
    let (code, entered) = said(data, &some);
    assert_eq!((code, &entered["balances"][0]["on_hand"]), (0, &json!(20)), "{entered}");
    let day = in_days(9);
    assert_eq!(said(data, &["purchases", "receive", number, "--best-before", &day]).0, 0);
    let (_, list) = said(data, &["purchases", "list", "--all"]);
    let line = &list["items"][0]["lines"][0];
    assert_eq!((text(&list["items"][0], "state"), &line["received"]), ("received", &json!(24)));
    assert_eq!(said(data, &["purchases", "cancel", number]).0, 1);
    assert_eq!(said(data, &["purchases", "order", "Nobody", &format!("{id}=24")]).0, 1);
    assert_eq!(said(data, &["suppliers", "list"]).1["items"][0]["name"], "Dairy");
}
