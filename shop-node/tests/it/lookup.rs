//! Barcodes looked up in an open product database: a draft, its licence, and nothing saved.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{
    desk::{Desk, said, text},
    program::{Served, init},
    supplier::{Says, Supplier},
};

const GTIN: &str = "3017620422003";

fn known() -> Says {
    let body = json!({ "code": GTIN, "status": 1, "product": {
        "lang": "en", "product_name": "Hazelnut spread", "brands": "Ferrero", "quantity": "400 g",
        "ingredients_text": "sugar, palm oil", "allergens_tags": ["en:milk", "en:nuts"],
        "labels_tags": ["en:vegetarian"], "categories_tags": ["en:spreads"] } });
    Says::list(&body.to_string(), "")
}

fn unknown() -> Says {
    let body = json!({ "code": GTIN, "status": 0, "status_verbose": "product not found" });
    Says { head: "404 Not Found\r\n".to_owned(), body: body.to_string().into_bytes() }
}

/// A shop that asks this database.
fn open(says: Says) -> (Desk, Supplier) {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    let ca = folder.path().join("database.pem");
    let database = Supplier::open(&ca, says);
    let url = format!("https://localhost:{}", database.port);
    let ca = ca.to_str().expect("a path").to_owned();
    let more = ["--outside-allow-private", "--outside-ca", &ca, "--lookup-url", &url];
    let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let served = Served::run_with(program, folder.path(), Stdio::null(), &more);
    (Desk::of(folder, served.expect("the ready line")), database)
}

fn look_up(desk: &Desk, gtin: &str) -> (u16, Value) {
    desk.as_owner("GET", &format!("/v1/catalogue/lookup/{gtin}"), &Value::Null)
}

#[test]
fn a_known_barcode_is_a_draft_with_its_licence_that_a_person_can_save() {
    let (desk, database) = open(known());
    let (status, found) = look_up(&desk, GTIN);
    assert_eq!(status, 200, "{found}");
    assert!(text(&found, "licence").contains("ODbL"));
    assert_eq!((&found["source"], &found["saved"]), (&json!("localhost"), &json!(false)));
    let asked = database.visits().remove(0);
    assert!(asked.starts_with(&format!("get /api/v2/product/{GTIN}.json?fields=")), "{asked}");
    assert!(asked.contains(concat!("user-agent: kirana-shop/", env!("CARGO_PKG_VERSION"))));
    let (_, shelf) = desk.as_owner("GET", "/v1/products", &Value::Null);
    assert_eq!(shelf["found"]["count"], 0, "nothing is saved by itself");
    let mut draft = found["draft"].clone();
    draft["variants"][0]["price"] = json!({ "minor": 39_900 });
    let (status, made) = desk.as_owner("POST", "/v1/catalogue/products", &draft);
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["allergens"], json!(["milk", "nuts"]));
    assert_eq!(made["variants"][0]["content"], json!({ "amount": 400, "unit": "g" }));
}

#[test]
fn an_unknown_barcode_is_asked_for_once_a_day() {
    let (desk, database) = open(unknown());
    for _ in 0..3 {
        let (status, refused) = look_up(&desk, GTIN);
        assert_eq!((status, text(&refused, "type")), (404, "urn:kirana:barcode-unknown"));
    }
    assert_eq!(database.visits().len(), 1);
}

#[test]
fn a_database_that_is_ill_is_told_of_and_asked_again() {
    let (desk, database) = open(Says::nothing("500 Ill"));
    assert_eq!(text(&look_up(&desk, GTIN).1, "type"), "urn:kirana:not-fetched");
    database.say(Says::list("<html>", ""));
    assert_eq!(text(&look_up(&desk, GTIN).1, "type"), "urn:kirana:lookup-shape");
    database.say(Says::list(&"x".repeat(512 * 1024 + 1), ""));
    assert_eq!(look_up(&desk, GTIN).0, 502);
    database.say(known());
    assert_eq!(look_up(&desk, GTIN).0, 200);
    assert_eq!(look_up(&desk, "3017620422004").0, 404, "a wrong digit is asked of nobody");
    assert_eq!(database.visits().len(), 4);
}

#[test]
fn p6_looking_up_is_off_unless_an_owner_turns_it_on_and_for_those_who_edit() {
    let desk = Desk::open();
    let (status, refused) = look_up(&desk, GTIN);
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:lookup-off"));
    assert!(text(&refused, "title").contains("--lookup-url"), "{refused}");
    let courier = desk.working(8, "courier");
    let path = format!("/v1/catalogue/lookup/{GTIN}");
    assert_eq!(desk.ask(&courier, "GET", &path, &Value::Null).0, 403);
    assert_eq!(desk.ask("", "GET", &path, &Value::Null).0, 401);
    let (code, refused) = said(desk.folder.path(), &["lookup", GTIN]);
    assert_eq!((code, text(&refused, "type")), (1, "urn:kirana:lookup-off"));
    let database = Supplier::open(&desk.folder.path().join("ca.pem"), known());
    let url = format!("https://localhost:{}", database.port);
    let ca = desk.folder.path().join("ca.pem");
    let mut words = vec!["lookup", GTIN, "--lookup-url", &url];
    words.extend(["--outside-ca", ca.to_str().expect("a path")]);
    let (code, refused) = said(desk.folder.path(), &words);
    assert_eq!((code, text(&refused, "type")), (1, "urn:kirana:not-fetched"), "a private address");
    assert!(text(&refused, "title").contains("private network"));
    words.push("--outside-allow-private");
    let (code, found) = said(desk.folder.path(), &words);
    assert_eq!((code, &found["draft"]["brand"]), (0, &json!("Ferrero")), "{found}");
}
