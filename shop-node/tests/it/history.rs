//! The history of a product: every change, by whom and when, over HTTP.

use serde_json::{Value, json};

use crate::desk::{Desk, text};

fn history(desk: &Desk, path: &str) -> (Vec<Value>, Option<String>) {
    let (status, page) = desk.as_owner("GET", path, &Value::Null);
    assert_eq!(status, 200, "{page}");
    let items = page["items"].as_array().expect("items").clone();
    (items, page["next_cursor"].as_str().map(str::to_owned))
}

fn changed<'a>(change: &'a Value, field: &str) -> &'a Value {
    let mut fields = change["fields"].as_array().expect("fields").iter();
    fields.find(|one| one["field"] == field).unwrap_or_else(|| panic!("no {field} in {change}"))
}

#[test]
fn p5_a_product_tells_what_was_changed_by_whom_and_when() {
    let desk = Desk::open();
    let tea = json!({ "name": "Tea", "variants": [{ "price": { "minor": 9000 } }] });
    let (status, tea) = desk.as_owner("POST", "/v1/catalogue/products", &tea);
    assert_eq!(status, 201, "{tea}");
    let (id, variant) = (text(&tea, "id").to_owned(), text(&tea["variants"][0], "id").to_owned());
    let salt = json!({ "name": "Salt", "variants": [{ "price": { "minor": 2000 } }] });
    desk.as_owner("POST", "/v1/catalogue/products", &salt);
    let path = format!("/v1/catalogue/products/{id}");
    let dearer = json!({ "variants": [{ "id": variant, "price": { "minor": 9500 } }] });
    for patch in [dearer, json!({ "brand": "Wagh Bakri" }), json!({ "brand": "Wagh Bakri" })] {
        let (status, seen) = desk.as_owner("PATCH", &path, &patch);
        assert_eq!(status, 200, "{seen}");
    }
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);

    let (all, next) = history(&desk, &format!("{path}/history"));
    assert_eq!((all.len(), next), (4, None), "the salt and a change of nothing are not in it");
    let off = changed(&all[0], "delisted");
    assert_eq!(off["after"], true);
    let brand = changed(&all[1], "brand");
    assert_eq!((&brand["before"], &brand["after"]), (&Value::Null, &json!("Wagh Bakri")));
    let price = changed(&all[2], "price");
    assert_eq!((&price["before"]["minor"], &price["after"]["minor"]), (&9000.into(), &9500.into()));
    assert_eq!(text(price, "variant_id"), variant);
    assert_eq!(changed(&all[3], "name:en")["after"], "Tea");
    assert!(all.iter().all(|one| one["by"].is_string() && one["at"].is_string()), "{all:?}");

    let (newest, next) = history(&desk, &format!("{path}/history?limit=3"));
    assert_eq!(newest, all[..3]);
    let next = next.expect("one is left");
    assert_eq!(history(&desk, &format!("{path}/history?cursor={next}")).0, all[3..]);
    let unknown = "/v1/catalogue/products/01890000-0000-7000-8000-000000000001/history";
    assert_eq!(desk.as_owner("GET", unknown, &Value::Null).0, 404);
    assert_eq!(desk.ask("", "GET", &format!("{path}/history"), &Value::Null).0, 401);
}
