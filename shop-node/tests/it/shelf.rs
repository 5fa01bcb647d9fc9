//! The public shelf at the real program's door: lists, searches, counts, and what it refuses.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::{Served, init, kirana};

const GOODS: &str = "name,price,stock,category,brand,gtin
Milk,30.00,5,Dairy,Amul,0078264033102
Milk chocolate,90.00,5,Sweets,,
Basmati rice,120.00,0,Grains,,
Crème fraîche,60.00,3,Dairy,,
चावल,80.00,2,Grains,,
<script>alert(1)</script>,10.00,1,,,
";

fn shop() -> (tempfile::TempDir, Served) {
    let data = tempfile::tempdir().expect("a folder");
    init(data.path());
    let file = data.path().join("goods.csv");
    std::fs::write(&file, GOODS).expect("a file");
    let file = file.to_str().expect("a path");
    let done = kirana(&["import", file, "--format", "csv"], data.path());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let served = Served::at(data.path());
    (data, served)
}

fn get(served: &Served, query: &str) -> (u16, String, Value) {
    let path = format!("/v1/products{query}");
    let (status, kind, body) = served.ask("GET", &path, "text/plain", b"").expect("an answer");
    (status, kind, serde_json::from_slice(&body).expect("JSON"))
}

fn names(served: &Served, query: &str) -> Vec<String> {
    let (status, _, page) = get(served, query);
    assert_eq!(status, 200, "{query}: {page}");
    let items = page["items"].as_array().expect("a list").iter();
    items.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn p3_the_shelf_is_searched_filtered_and_sorted() {
    let (_data, served) = shop();
    assert_eq!(names(&served, "?q=milk"), ["Milk", "Milk chocolate"]);
    assert_eq!(names(&served, "?q=doodh"), ["Milk", "Milk chocolate"]);
    assert_eq!(names(&served, "?q=chocolate%20mi"), ["Milk chocolate"]);
    assert_eq!(names(&served, "?q=chocolatte"), ["Milk chocolate"], "one letter too many");
    assert_eq!(names(&served, "?q=CREME"), ["Crème fraîche"]);
    assert_eq!(names(&served, "?q=amul"), ["Milk"]);
    assert_eq!(names(&served, "?q=78264033102"), ["Milk"]);
    assert_eq!(names(&served, "?q=00782640"), ["Milk"]);
    // What is out of stock comes last, however well it fits.
    assert_eq!(names(&served, "?q=chawal"), ["चावल", "Basmati rice"]);
    assert_eq!(names(&served, "?q=chawal&in_stock=true"), ["चावल"]);
    assert_eq!(names(&served, "?category=Dairy&sort=price"), ["Milk", "Crème fraîche"]);
    assert_eq!(names(&served, "?q=milk&max_price=3000"), ["Milk"]);
    let cheapest = names(&served, "?sort=price&in_stock=true");
    assert_eq!(cheapest[0], "<script>alert(1)</script>");
    assert_eq!(cheapest.len(), 5);
}

#[test]
fn the_found_are_counted_and_pages_show_each_once() {
    let (_data, served) = shop();
    let (_, _, page) = get(&served, "?facets=true");
    assert_eq!(page["found"], serde_json::json!({"count": 6, "more": false}));
    assert_eq!(page["facets"]["categories"]["Dairy"], 2);
    assert_eq!(
        (&page["facets"]["in_stock"], &page["facets"]["out_of_stock"]),
        (&5.into(), &1.into())
    );
    for order in ["relevance", "price", "unit_price", "name"] {
        let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
        for _ in 0..6 {
            let (status, _, page) = get(&served, &format!("?sort={order}&limit=1{cursor}"));
            assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(1)), "{page}");
            assert!(seen.insert(page["items"][0]["id"].to_string()));
            cursor =
                page["next_cursor"].as_str().map(|c| format!("&cursor={c}")).unwrap_or_default();
        }
        assert_eq!(cursor, "", "nothing comes after the last");
    }
}

#[test]
fn a_product_is_shown_to_anybody_by_its_id() {
    let (_data, served) = shop();
    let (_, _, page) = get(&served, "?q=milk&limit=1");
    let item = &page["items"][0];
    let path = format!("/{}", item["id"].as_str().expect("an id"));
    assert_eq!(get(&served, &path).2, *item);
    assert_eq!((item["available"].as_u64(), &item["in_stock"]), (Some(5), &Value::Bool(true)));
    let (status, kind, _) = get(&served, "/00000000-0000-0000-0000-000000000000");
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"));
}

#[test]
fn what_nobody_can_have_typed_is_refused_by_type() {
    let (_data, served) = shop();
    let (longest, too_long) = ("x".repeat(300), "x".repeat(301));
    let (_, _, page) = get(&served, "?sort=price&limit=1");
    let of_price = page["next_cursor"].as_str().expect("a cursor");
    assert_eq!(get(&served, &format!("?q={longest}")).0, 200);
    for (query, status, name) in [
        (format!("?q={too_long}"), 422, "urn:kirana:question"),
        ("?q=a%00b".to_owned(), 422, "urn:kirana:question"),
        ("?limit=0".to_owned(), 422, "urn:kirana:limit"),
        ("?limit=101".to_owned(), 422, "urn:kirana:limit"),
        ("?limit=-1".to_owned(), 400, "urn:kirana:malformed"),
        ("?cursor=r0-0".to_owned(), 400, "urn:kirana:malformed"),
        (format!("?cursor={of_price}"), 400, "urn:kirana:malformed"),
        ("?sort=magic".to_owned(), 400, "urn:kirana:malformed"),
        ("?max_price=-5".to_owned(), 400, "urn:kirana:malformed"),
    ] {
        let (got, kind, problem) = get(&served, &query);
        assert_eq!((got, problem["type"].as_str()), (status, Some(name)), "{query}: {problem}");
        assert_eq!(kind, "application/problem+json");
    }
    let (status, kind, page) = get(&served, "?q=%3Cscript%3E");
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    assert_eq!(page["items"][0]["name"], "<script>alert(1)</script>");
}
