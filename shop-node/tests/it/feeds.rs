//! Suppliers' lists on the web: fetched, taken in as imports, and never from where they should not.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    desk::{Desk, said, text},
    program::{Served, init},
    supplier::{Says, Supplier},
};

const LIST: &str = "sku,name,price\nA,Apples,10.00\nB,Bananas,5.00\n";

/// A shop that trusts the supplier's certificate and may reach this machine, or may not.
fn open(may_reach: bool, says: Says) -> (Desk, Supplier) {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    let ca = folder.path().join("supplier.pem");
    let supplier = Supplier::open(&ca, says);
    (served(folder, may_reach), supplier)
}

fn served(folder: TempDir, may_reach: bool) -> Desk {
    let config = folder.path().join("shop.toml");
    let ca = folder.path().join("supplier.pem");
    let settings = format!("outside-allow-private = {may_reach}\noutside-ca = {ca:?}\n");
    std::fs::write(&config, settings).expect("a file");
    let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let more = ["--config", config.to_str().expect("a path")];
    let served = Served::run_with(program, folder.path(), Stdio::null(), &more);
    Desk::of(folder, served.expect("the ready line"))
}

fn add(desk: &Desk, more: &Value) -> (u16, Value) {
    let mut feed = json!({ "name": "Greens", "every_hours": 6 });
    for (name, value) in more.as_object().expect("an object") {
        feed[name] = value.clone();
    }
    desk.as_owner("POST", "/v1/feeds", &feed)
}

fn fetch(desk: &Desk, feed: &Value) -> Value {
    let path = format!("/v1/feeds/{}/fetch", text(feed, "id"));
    let (status, fetched) = desk.as_owner("POST", &path, &Value::Null);
    assert_eq!(status, 200, "{fetched}");
    fetched
}

/// Asks until the schedule has fetched; a test that waits in vain is ended by its time.
fn until_fetched(desk: &Desk, feed: &Value) -> Value {
    let path = format!("/v1/feeds/{}", text(feed, "id"));
    loop {
        let (_, seen) = desk.as_owner("GET", &path, &Value::Null);
        if !seen["last"].is_null() {
            return seen;
        }
    }
}

fn names(desk: &Desk) -> Vec<String> {
    let (_, page) = desk.ask("", "GET", "/v1/products?sort=name", &Value::Null);
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| text(item, "name").to_owned()).collect()
}

#[test]
fn a_list_is_fetched_by_the_schedule_and_an_import_tells_of_it() {
    let (desk, supplier) = open(true, Says::list(LIST, "etag: \"1\"\r\n"));
    let (status, feed) = add(&desk, &json!({ "url": supplier.url("list.csv") }));
    assert_eq!(status, 201, "{feed}");
    let seen = until_fetched(&desk, &feed);
    assert_eq!(seen["last"]["outcome"], "imported", "{seen}");
    assert_eq!(names(&desk), ["Apples", "Bananas"]);
    let path = format!("/v1/imports/{}", text(&seen["last"], "import_id"));
    let (_, report) = desk.as_owner("GET", &path, &Value::Null);
    assert_eq!((&report["state"], &report["products_added"]), (&json!("done"), &json!(2)));
    let visits = supplier.visits();
    assert!(visits[0].contains(concat!("user-agent: kirana-shop/", env!("CARGO_PKG_VERSION"))));
    // What is as it was is not taken in again, by the server's word or by its bytes.
    supplier.say(Says::nothing("304 Not Modified"));
    assert_eq!(fetch(&desk, &feed)["last"]["outcome"], "unchanged");
    assert!(supplier.visits()[0].contains("if-none-match: \"1\""));
    supplier.say(Says::list(LIST, ""));
    assert_eq!(fetch(&desk, &feed)["last"]["outcome"], "unchanged");
    let (_, imports) = desk.as_owner("GET", "/v1/imports", &Value::Null);
    assert_eq!(imports["items"].as_array().map(Vec::len), Some(1));
    let (status, undone) = desk.as_owner("POST", &format!("{path}/undo"), &Value::Null);
    assert_eq!((status, names(&desk).len()), (200, 0), "{undone}");
}

#[test]
fn what_a_list_no_longer_names_stays_on_the_shelf_and_is_told_of() {
    let (desk, supplier) = open(true, Says::list(LIST, ""));
    let feed = add(&desk, &json!({ "url": supplier.url("list.csv") })).1;
    until_fetched(&desk, &feed);
    supplier.say(Says::list("sku,name,price\nB,Bananas,6.00\n", ""));
    let fetched = fetch(&desk, &feed);
    assert_eq!((&fetched["last"]["outcome"], &fetched["missing"]), (&json!("imported"), &json!(1)));
    assert_eq!(names(&desk), ["Apples", "Bananas"], "nothing is delisted by itself");
    let path = format!("/v1/feeds/{}/missing", text(&feed, "id"));
    let (_, missing) = desk.as_owner("GET", &path, &Value::Null);
    let id = text(&missing["items"][0], "product_id").to_owned();
    let (_, apples) = desk.as_owner("GET", &format!("/v1/catalogue/products/{id}"), &Value::Null);
    assert_eq!(apples["name"], "Apples", "{apples}");
    desk.as_owner("DELETE", &format!("/v1/catalogue/products/{id}"), &Value::Null);
    let seen = desk.as_owner("GET", "/v1/feeds", &Value::Null).1["items"][0].clone();
    assert_eq!(seen["missing"], 0, "somebody saw to it");
}

#[test]
fn failures_are_told_wait_longer_each_time_and_as_long_as_the_server_says() {
    let (desk, supplier) = open(true, Says::nothing("503 Busy\r\nretry-after: 86400"));
    let feed = add(&desk, &json!({ "url": supplier.url("list.csv") })).1;
    let seen = until_fetched(&desk, &feed);
    assert_eq!((&seen["last"]["outcome"], &seen["failures"]), (&json!("failed"), &json!(1)));
    assert_eq!(text(&seen["last"], "problem"), "the server answered 503");
    assert!(text(&seen, "next_at") > text(&seen["last"], "at"), "{seen}");
    supplier.say(Says::list("no,columns\n1,2\n", "etag: \"bad\"\r\n"));
    let seen = fetch(&desk, &feed);
    assert_eq!(
        (&seen["last"]["outcome"], &seen["failures"]),
        (&json!("failed"), &json!(2)),
        "{seen}"
    );
    supplier.visits();
    supplier.say(Says::list(LIST, ""));
    let seen = fetch(&desk, &feed);
    assert_eq!((&seen["last"]["outcome"], &seen["failures"]), (&json!("imported"), &json!(0)));
    assert!(!supplier.visits()[0].contains("if-none-match"), "what failed is fetched again");
}

#[test]
fn p4_secrets_go_to_their_server_alone_are_never_shown_and_lie_sealed() {
    let (desk, supplier) = open(true, Says::list(LIST, ""));
    let secret = json!({ "kind": "bearer", "token": "s3cret-t0ken" });
    let url = supplier.url("list.csv?key=qu3ry");
    let (status, feed) = add(&desk, &json!({ "url": url, "secret": secret }));
    assert_eq!(status, 201, "{feed}");
    until_fetched(&desk, &feed);
    assert!(supplier.visits()[0].contains("authorization: bearer s3cret-t0ken"));
    let (_, seen) = desk.as_owner("GET", "/v1/feeds", &Value::Null);
    assert_eq!(seen["items"][0]["secret"], "bearer");
    assert!(!seen.to_string().contains("s3cret") && !seen.to_string().contains("qu3ry"), "{seen}");
    // A server elsewhere, though on the same machine, learns nothing.
    let other = Supplier::open(&desk.folder.path().join("other.pem"), Says::list(LIST, ""));
    supplier.say(Says::nothing(&format!("302 Found\r\nlocation: {}", other.url("x"))));
    let seen = fetch(&desk, &feed);
    assert_eq!(seen["last"]["outcome"], "failed", "its certificate is trusted by nobody");
    assert_eq!(other.visits(), Vec::<String>::new());
    let elsewhere = format!("https://127.0.0.1:{}/list.csv", supplier.port);
    supplier.say(Says::nothing(&format!("307 Sent\r\nlocation: {elsewhere}")));
    supplier.visits();
    fetch(&desk, &feed);
    let visits = supplier.visits();
    assert!(visits[0].contains("s3cret") && !visits[1].contains("authorization"), "{visits:?}");
    assert_eq!(visits.len(), 6, "five times further, and no more");
    for file in ["shop.db", "shop.db-wal"] {
        let raw = std::fs::read(desk.folder.path().join(file)).expect("a file");
        let holds = |word: &[u8]| raw.windows(word.len()).any(|window| window == word);
        assert!(holds(b"Greens") || file == "shop.db", "it is there");
        assert!(!holds(b"s3cret-t0ken") && !holds(b"qu3ry"), "{file}");
    }
}

#[test]
fn p6_no_private_address_is_reached_whatever_name_or_redirect_leads_there() {
    let (desk, supplier) = open(false, Says::list(LIST, ""));
    for (n, host) in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"].iter().enumerate() {
        let url = format!("https://{host}:{}/list.csv", supplier.port);
        let (status, feed) = add(&desk, &json!({ "name": format!("feed {n}"), "url": url }));
        assert_eq!(status, 201, "{feed}");
        let seen = until_fetched(&desk, &feed);
        let problem = text(&seen["last"], "problem");
        assert!(problem.contains("private network"), "{host}: {problem}");
    }
    assert_eq!(supplier.visits(), Vec::<String>::new(), "nobody came");
}

#[test]
fn a_feed_that_was_changed_is_fetched_anew_and_keeps_its_secret_for_its_own_server_only() {
    let (desk, supplier) = open(true, Says::list(LIST, "etag: \"1\"\r\n"));
    let secret = json!({ "kind": "basic", "name": "shop", "password": "w0rd" });
    let about = json!({ "url": supplier.url("list.csv"), "secret": secret });
    let feed = add(&desk, &about).1;
    until_fetched(&desk, &feed);
    supplier.visits();
    let path = format!("/v1/feeds/{}", text(&feed, "id"));
    let change = |url: String| {
        let body = json!({ "name": "Greens", "url": url, "every_hours": 12 });
        let (status, changed) = desk.as_owner("PUT", &path, &body);
        assert_eq!(status, 200, "{changed}");
        text(&changed, "secret").to_owned()
    };
    assert_eq!(change(supplier.url("other.csv")), "basic");
    fetch(&desk, &feed);
    let visits = supplier.visits();
    assert!(visits.iter().all(|visit| visit.starts_with("get /other.csv")), "{visits:?}");
    assert!(visits[0].contains("authorization: basic") && !visits[0].contains("if-none-match"));
    assert_eq!(change(format!("https://127.0.0.1:{}/list.csv", supplier.port)), "none");
}

#[test]
fn bad_feeds_and_plain_http_are_refused_and_only_who_may_import_sees_them() {
    let (desk, supplier) =
        open(true, Says::nothing("302 Found\r\nlocation: http://localhost/list.csv"));
    let refused = |more: Value| {
        let (status, refused) = add(&desk, &more);
        (status, text(&refused, "type").trim_start_matches("urn:kirana:").to_owned())
    };
    let url = supplier.url("list.csv");
    let is = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused(json!({ "url": "http://localhost/list.csv" })), is(422, "url"));
    assert_eq!(refused(json!({ "url": "https://a:b@localhost/" })), is(422, "url"));
    assert_eq!(refused(json!({ "url": url, "every_hours": 0 })), is(422, "feed"));
    assert_eq!(refused(json!({ "url": url, "name": " " })), is(422, "feed"));
    assert_eq!(refused(json!({ "url": url, "format": "xlsx" })), is(422, "import"));
    let supplier_id = "01890a5d-ac96-774b-bcce-b302099a8057";
    assert_eq!(refused(json!({ "url": url, "supplier_id": supplier_id })), is(404, "no-supplier"));
    let (status, feed) = add(&desk, &json!({ "url": url }));
    assert_eq!(status, 201, "{feed}");
    assert_eq!(refused(json!({ "url": url })), is(409, "name-taken"));
    let seen = until_fetched(&desk, &feed);
    assert!(text(&seen["last"], "problem").contains("only https"), "{seen}");
    let till = desk.working(9, "staff");
    assert_eq!(desk.ask(&till, "GET", "/v1/feeds", &Value::Null).0, 403);
    assert_eq!(desk.ask("", "GET", "/v1/feeds", &Value::Null).0, 401);
    let path = format!("/v1/feeds/{}", text(&feed, "id"));
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 404);
    let (code, list) = said(desk.folder.path(), &["feeds", "list"]);
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (0, Some(0)));
}

#[test]
fn the_command_line_keeps_feeds_and_fetches_one() {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    let ca = folder.path().join("supplier.pem");
    let supplier = Supplier::open(&ca, Says::list(LIST, ""));
    let (code, added) = said(folder.path(), &["feeds", "add", "Greens", &supplier.url("a.csv")]);
    assert_eq!(code, 0, "{added}");
    let ca = ca.to_str().expect("a path");
    let fetch = ["feeds", "fetch", "greens", "--outside-ca", ca, "--outside-allow-private"];
    let (code, fetched) = said(folder.path(), &fetch);
    assert_eq!((code, &fetched["last"]["outcome"]), (0, &json!("imported")), "{fetched}");
    assert_eq!(said(folder.path(), &["feeds", "remove", "Greens"]).0, 0);
    assert_eq!(said(folder.path(), &["feeds", "fetch", "Greens"]).0, 1);
    let served = Served::at(folder.path());
    assert_eq!(names(&Desk::of(folder, served)), ["Apples", "Bananas"]);
}
