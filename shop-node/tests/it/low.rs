//! The lists of the morning and the rooms, at a real shop's door and at its command line.

use serde_json::{Value, json};

use crate::{
    batches::{in_days, move_stock, open},
    desk::{Desk, said, text},
};

fn low(desk: &Desk) -> Vec<Value> {
    let (status, page) = desk.as_owner("GET", "/v1/stock/low", &Value::Null);
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().expect("a list").clone()
}

#[test]
fn what_falls_below_its_level_is_listed_with_how_much_to_order() {
    let (desk, milk) = open();
    let path = format!("/v1/stock/reorder/{milk}");
    assert_eq!(low(&desk), [] as [Value; 0]);
    assert_eq!(desk.as_owner("PUT", &path, &json!({ "level": 8, "up_to": 30 })).0, 204);
    let waste = json!({ "variant_id": milk, "kind": "wastage", "amount": 3 });
    assert_eq!((low(&desk).len(), move_stock(&desk, &waste).0), (0, 201));
    let row = &low(&desk)[0];
    assert_eq!(text(row, "variant_id"), milk.to_string());
    assert_eq!([&row["free"], &row["level"], &row["order"]], [&json!(7), &json!(8), &json!(23)]);
    // What has passed its date is no help.
    let lot = json!({ "best_before": in_days(-1) });
    let old = json!({ "variant_id": milk, "kind": "receipt", "amount": 50, "lot": lot });
    assert_eq!(move_stock(&desk, &old).0, 201);
    assert_eq!(low(&desk)[0]["free"], 7);
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(low(&desk), [] as [Value; 0]);
    let data = desk.folder.path();
    let id = milk.to_string();
    assert_eq!(said(data, &["stock", "reorder", &id, "60", "100"]).0, 0);
    let (code, list) = said(data, &["stock", "low"]);
    assert_eq!((code, &list["items"][0]["order"]), (0, &json!(93)));
    assert_eq!(text(&list["items"][0], "name"), "Milk");
}

#[test]
fn p6_levels_are_set_by_staff_and_lists_are_for_those_who_see_stock() {
    let (desk, milk) = open();
    let (till, courier) = (desk.working(9, "staff"), desk.working(8, "courier"));
    let path = format!("/v1/stock/reorder/{milk}");
    let rule = json!({ "level": 8, "up_to": 30 });
    let set = |token: &str| desk.ask(token, "PUT", &path, &rule).0;
    assert_eq!([set(&till), set(&courier), set("")], [204, 403, 401]);
    for list in ["low", "expiring", "locations"] {
        let path = format!("/v1/stock/{list}");
        let look = |token: &str| desk.ask(token, "GET", &path, &Value::Null).0;
        assert_eq!([look(&till), look(&courier), look("")], [200, 403, 401], "{list}");
    }
    assert_eq!(desk.as_owner("PUT", &path, &json!({ "level": 8, "up_to": 7 })).0, 400);
    let nothing = format!("/v1/stock/reorder/{}", desk.shop);
    let (status, problem) = desk.as_owner("PUT", &nothing, &rule);
    assert_eq!((status, text(&problem, "type")), (409, "urn:kirana:not-sold"));
    assert_eq!(desk.as_owner("GET", "/v1/stock/low?cursor=x", &Value::Null).0, 400);
    assert_eq!(desk.as_owner("GET", "/v1/stock/expiring?within=3651", &Value::Null).0, 400);
}

#[test]
fn what_goes_off_is_listed_by_its_day_what_has_gone_off_first() {
    let (desk, milk) = open();
    for days in [9, 7, 0, -3] {
        let lot = json!({ "best_before": in_days(days) });
        let body = json!({ "variant_id": milk, "kind": "receipt", "amount": 2, "lot": lot });
        assert_eq!(move_stock(&desk, &body).0, 201);
    }
    let left = |query: &str| -> Vec<i64> {
        let path = format!("/v1/stock/expiring{query}");
        let (status, page) = desk.as_owner("GET", &path, &Value::Null);
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().expect("a list").iter();
        items.map(|item| item["days_left"].as_i64().expect("a number")).collect()
    };
    assert_eq!(left(""), [-3, 0, 7]);
    assert_eq!(left("?within=0"), [-3, 0]);
    assert_eq!(left("?within=30"), [-3, 0, 7, 9]);
    let (_, first) = desk.as_owner("GET", "/v1/stock/expiring?limit=2", &Value::Null);
    assert_eq!(first["items"][0]["clock_in_doubt"], false);
    let next = format!("?limit=2&cursor={}", text(&first, "next_cursor"));
    assert_eq!(left(&next), [7]);
    let (code, list) = said(desk.folder.path(), &["stock", "expiring", "--within", "8"]);
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (0, Some(3)));
}

#[test]
fn goods_go_to_rooms_that_somebody_named_and_to_no_others() {
    let (desk, milk) = open();
    let named = |token: &str, name: &str| {
        desk.ask(token, "POST", "/v1/stock/locations", &json!({ "name": name }))
    };
    let (status, made) = named(&desk.owner, " Back room ");
    assert_eq!((status, text(&made, "name")), (201, "Back room"));
    assert_eq!(text(&named(&desk.owner, "BACK ROOM").1, "type"), "urn:kirana:name-taken");
    assert_eq!(named(&desk.owner, "").0, 400);
    assert_eq!(named(&desk.working(9, "staff"), "Cellar").0, 403);
    let back = text(&made, "id");
    let to = |to: &str| {
        let body =
            json!({ "variant_id": milk, "kind": "transfer", "amount": 4, "to_location_id": to });
        let (status, said) = move_stock(&desk, &body);
        (status, said["type"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(to(back).0, 201);
    assert_eq!(to(&milk.to_string()), (404, "urn:kirana:no-location".to_owned()));
    let path = format!("/v1/stock/locations/{back}");
    assert_eq!(desk.as_owner("PATCH", &path, &json!({ "name": "Cellar" })).0, 204);
    let data = desk.folder.path();
    let (code, places) = said(data, &["stock", "places"]);
    assert_eq!((code, text(&places["items"][1], "name")), (0, "Cellar"));
    let id = milk.to_string();
    assert_eq!(said(data, &["stock", "move", &id, "1", "--to", "cellar"]).0, 0);
    let (code, count) = said(data, &["stock", "count", &id, "5", "--at", "Cellar"]);
    assert_eq!((code, &count["balances"][0]["on_hand"]), (0, &json!(5)));
    assert_eq!(said(data, &["stock", "move", &id, "1", "--to", "attic"]).0, 2);
    let (code, found) = said(data, &["verify"]);
    assert_eq!(code, 0, "{found}");
}
