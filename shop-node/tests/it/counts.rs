//! Counting while selling goes on: what was sold meanwhile is no error of the count.

use kirana_core::id::VariantId;
use serde_json::{Value, json};

use crate::{
    batches::{move_stock, open},
    desk::{Desk, said, text},
};

fn count(desk: &Desk) -> String {
    let (status, opened) = desk.as_owner("POST", "/v1/stock/counts", &json!({}));
    assert_eq!(status, 201, "{opened}");
    text(&opened, "id").to_owned()
}

fn look(desk: &Desk, count: &str, milk: VariantId) -> u16 {
    let path = format!("/v1/stock/counts/{count}/looks");
    desk.as_owner("POST", &path, &json!({ "variant_id": milk })).0
}

fn found(desk: &Desk, count: &str, milk: VariantId, amount: u64) -> (u16, Value) {
    let path = format!("/v1/stock/counts/{count}/lines");
    desk.as_owner("POST", &path, &json!({ "variant_id": milk, "amount": amount }))
}

fn sell(desk: &Desk, milk: VariantId, amount: u64) {
    let quantity = json!({ "amount": amount, "unit": "piece" });
    let lines = json!({ "lines": [{ "variant_id": milk, "quantity": quantity }] });
    assert_eq!(desk.as_owner("POST", "/v1/sales", &lines).0, 201);
}

fn on_hand(desk: &Desk) -> u64 {
    let (_, stock) = desk.as_owner("GET", "/v1/stock", &Value::Null);
    stock["items"][0]["on_hand"].as_u64().expect("a number")
}

#[test]
fn p2_what_is_sold_between_counting_and_writing_down_is_no_error_of_the_count() {
    let (desk, milk) = open();
    let id = count(&desk);
    assert_eq!(look(&desk, &id, milk), 204);
    // Somebody finds 9 of 10; before it is written down, two are sold and five come in.
    sell(&desk, milk, 2);
    let more = json!({ "variant_id": milk, "kind": "receipt", "amount": 5 });
    assert_eq!(move_stock(&desk, &more).0, 201);
    let (status, entered) = found(&desk, &id, milk, 9);
    assert_eq!((status, on_hand(&desk)), (201, 12), "{entered}");
    let path = format!("/v1/stock/counts/{id}");
    let (_, standing) = desk.as_owner("GET", &path, &Value::Null);
    let line = &standing["lines"][0];
    assert_eq!(
        (&line["book"], &line["counted"], &line["difference"]),
        (&json!(10), &json!(9), &json!(-1))
    );
    assert_eq!((&line["movement"], &standing["position"]), (&entered["movements"][0], &json!(1)));
    assert_eq!(standing["not_counted"], json!([]));
    // Entered without a look, it is compared with what the ledger says now.
    assert_eq!((found(&desk, &id, milk, 11).0, on_hand(&desk)), (201, 11));
    let end = || desk.as_owner("POST", &format!("{path}/end"), &Value::Null).0;
    assert_eq!([end(), end()], [204, 409]);
    assert_eq!(text(&found(&desk, &id, milk, 11).1, "type"), "urn:kirana:count-ended");
    let (code, verified) = said(desk.folder.path(), &["verify"]);
    assert_eq!(code, 0, "{verified}");
}

#[test]
fn people_without_a_till_count_by_the_command_line() {
    let (desk, milk) = open();
    let (data, product) = (desk.folder.path(), milk.to_string());
    let (code, opened) = said(data, &["counts", "open"]);
    assert_eq!((code, &opened["not_counted"]), (0, &json!([milk])), "{opened}");
    let id = text(&opened, "id");
    let (code, looked) = said(data, &["counts", "look", id, &product]);
    assert_eq!((code, &looked["lines"][0]["counted"]), (0, &Value::Null), "{looked}");
    sell(&desk, milk, 1);
    let (code, entered) = said(data, &["counts", "enter", id, &product, "12"]);
    assert_eq!((code, &entered["balances"][0]["on_hand"]), (0, &json!(11)), "{entered}");
    let (code, ended) = said(data, &["counts", "end", id]);
    assert_eq!((code, &ended["lines"][0]["difference"]), (0, &json!(2)), "{ended}");
    assert_eq!(said(data, &["counts", "look", id, &product]).0, 1);
    assert_eq!(said(data, &["counts", "show", &product]).0, 1);
}

#[test]
fn a_look_that_another_count_has_overtaken_counts_for_nothing() {
    let (desk, milk) = open();
    let (mine, other) = (count(&desk), count(&desk));
    assert_eq!([look(&desk, &mine, milk), look(&desk, &other, milk)], [204, 204]);
    assert_eq!(found(&desk, &other, milk, 8).0, 201);
    let (status, again) = found(&desk, &mine, milk, 8);
    assert_eq!((status, text(&again, "type"), on_hand(&desk)), (409, "urn:kirana:stock", 8));
    assert_eq!(look(&desk, &mine, milk), 204);
    assert_eq!((found(&desk, &mine, milk, 7).0, on_hand(&desk)), (201, 7));
    let (_, list) = desk.as_owner("GET", "/v1/stock/counts?limit=1", &Value::Null);
    assert_eq!(text(&list["items"][0], "id"), other);
    let next = format!("/v1/stock/counts?cursor={}", text(&list, "next_cursor"));
    assert_eq!(desk.as_owner("GET", &next, &Value::Null).1["items"][0]["id"], json!(mine));
}

#[test]
fn p6_staff_count_and_others_do_not() {
    let (desk, milk) = open();
    let id = count(&desk);
    let (till, courier) = (desk.working(9, "staff"), desk.working(8, "courier"));
    let everybody = [till.as_str(), &courier, ""];
    let path = format!("/v1/stock/counts/{id}");
    let found = json!({ "variant_id": milk, "amount": 10 });
    let seen = json!({ "variant_id": milk });
    let ask = |method: &str, path: &str, body: &Value| {
        everybody.map(|token| desk.ask(token, method, path, body).0)
    };
    assert_eq!(ask("POST", "/v1/stock/counts", &json!({})), [201, 403, 401]);
    assert_eq!(ask("GET", "/v1/stock/counts", &Value::Null), [200, 403, 401]);
    assert_eq!(ask("GET", &path, &Value::Null), [200, 403, 401]);
    assert_eq!(ask("POST", &format!("{path}/looks"), &seen), [204, 403, 401]);
    assert_eq!(ask("POST", &format!("{path}/lines"), &found), [201, 403, 401]);
    assert_eq!(ask("POST", &format!("{path}/end"), &Value::Null), [204, 403, 401]);
    let unknown = format!("/v1/stock/counts/{milk}/lines");
    let (status, problem) = desk.as_owner("POST", &unknown, &found);
    assert_eq!((status, text(&problem, "type")), (404, "urn:kirana:no-count"));
    let attic = json!({ "location_id": milk });
    assert_eq!(desk.as_owner("POST", "/v1/stock/counts", &attic).0, 404);
}
