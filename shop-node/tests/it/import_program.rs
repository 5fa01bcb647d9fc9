//! Imports by the real program: killed in the middle, started again, taken back, repeated.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use kirana_shop::app::import::State;
use serde_json::{Value, json};

use crate::{
    desk::{Desk, said, text},
    program::{Served, init, kirana, opened},
};

/// So many products, with a price below zero among each hundred.
fn table(products: u32) -> String {
    let lines = (0..products).map(|n| match n % 100 {
        50 => format!("S{n},Tea {n},-1,1\n"),
        _ => format!("S{n},Tea {n},{},2\n", 10 + n),
    });
    std::iter::once("sku,name,price,stock\n".to_owned()).chain(lines).collect()
}

fn import(desk: &Desk, token: &str, query: &str, file: &[u8]) -> Option<(u16, Value)> {
    let bearer = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let path = format!("/v1/imports{query}");
    let (status, _, body) = desk.served.ask_with(&bearer, "POST", &path, "text/csv", file)?;
    Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// Asks until an import is as it is waited for; a test that waits in vain is ended by its time.
fn until(desk: &Desk, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let (_, list) = desk.as_owner("GET", "/v1/imports", &Value::Null);
        let newest = list["items"].get(0).cloned().unwrap_or(Value::Null);
        if wanted(&newest) {
            let path = format!("/v1/imports/{}", text(&newest, "import_id"));
            return desk.as_owner("GET", &path, &Value::Null).1;
        }
    }
}

fn is_in_the_middle(import: &Value) -> bool {
    import["state"] == "running" && import["rows_read"].as_u64() >= Some(400)
}

fn shelf(data: &Path) -> usize {
    let shop = opened(data);
    let listed = |c: &_| kirana_migrations::catalogue::listed(c, shop.id());
    usize::try_from(shop.database().reader.read(listed).expect("read")).expect("few")
}

fn waiting_files(data: &Path) -> usize {
    std::fs::read_dir(data.join("imports")).map_or(0, Iterator::count)
}

#[test]
fn p7_an_import_over_http_that_was_killed_goes_on_by_itself() {
    let (desk, file) = (Desk::open(), table(1_500));
    let seen = std::thread::scope(|scope| {
        let sending = scope.spawn(|| import(&desk, &desk.owner, "", file.as_bytes()));
        let seen = until(&desk, is_in_the_middle);
        desk.served.signal("-KILL");
        assert_eq!(sending.join().expect("it ends"), None, "nobody heard that it was done");
        seen
    });
    assert!(seen["rows_read"].as_u64() < Some(1_500), "{seen}");
    assert!(seen["bytes_read"].as_u64() <= seen["bytes_total"].as_u64());
    assert_eq!(seen["bytes_total"], file.len());
    let Desk { folder, served, .. } = desk;
    drop(served);
    assert_eq!(waiting_files(folder.path()), 1);
    let desk = Desk::at(folder);
    let done = until(&desk, |import| import["state"] == "done");
    assert_eq!(done["import_id"], seen["import_id"]);
    assert_eq!(
        (done["rows_read"].as_u64(), done["products_added"].as_u64()),
        (Some(1_500), Some(1_485))
    );
    let lines: Vec<_> = done["refused"].as_array().expect("a list").iter().collect();
    assert_eq!(
        (lines.len(), &lines[0]["line"], &lines[0]["code"]),
        (15, &json!(52), &json!("price-negative"))
    );
    let (status, again) = import(&desk, &desk.owner, "", file.as_bytes()).expect("an answer");
    assert_eq!((status, again["unchanged"].as_u64()), (200, Some(1_485)), "{again}");
    assert_eq!((&again["products_added"], &again["products_changed"]), (&json!(0), &json!(0)));
    assert_eq!(waiting_files(desk.folder.path()), 0, "what is in is not kept");
    let undo = format!("/v1/imports/{}/undo", text(&done, "import_id"));
    let (status, undone) = desk.as_owner("POST", &undo, &Value::Null);
    assert!(matches!(status, 200 | 202), "{undone}");
    let id = done["import_id"].clone();
    let path = format!("/v1/imports/{}", id.as_str().expect("an id"));
    let undone = loop {
        let (_, report) = desk.as_owner("GET", &path, &Value::Null);
        if report["state"] == "undone" {
            break report;
        }
    };
    assert_eq!((&undone["restored"], &undone["left"]), (&json!(1_485), &json!([])));
    assert_eq!(shelf(desk.folder.path()), 0);
    let (status, twice) = desk.as_owner("POST", &undo, &Value::Null);
    assert_eq!((status, &twice["type"]), (409, &json!("urn:kirana:import-ended")));
    assert_eq!(kirana(&["verify"], desk.folder.path()).status.code(), Some(0));
}

#[test]
fn p7_a_shop_that_is_told_to_close_ends_cleanly_in_an_import_and_goes_on_with_it() {
    let (desk, file) = (Desk::open(), table(1_200));
    let seen = std::thread::scope(|scope| {
        let sending = scope.spawn(|| import(&desk, &desk.owner, "", file.as_bytes()));
        let seen = until(&desk, is_in_the_middle);
        desk.served.signal("-TERM");
        let (status, problem) = sending.join().expect("it ends").expect("an answer");
        assert_eq!((status, &problem["type"]), (503, &json!("urn:kirana:closing")), "{problem}");
        seen
    });
    let Desk { folder, mut served, .. } = desk;
    assert_eq!(served.child.wait().expect("it ends").code(), Some(0));
    let desk = Desk::at(folder);
    let done = until(&desk, |import| import["state"] == "done");
    assert_eq!((&done["import_id"], &done["products_added"]), (&seen["import_id"], &json!(1_188)));
}

/// An import by the command line that is killed once it has committed something.
fn killed_in_the_middle(data: &Path, file: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    command.args(["import", "--json", "--data"]).arg(data).arg(file);
    let mut child: Child = command.stdout(Stdio::null()).spawn().expect("it starts");
    let shop = opened(data);
    let has_begun = || {
        let newest = shop.imports(1).expect("read").pop();
        newest.is_some_and(|import| import.state == State::Running && import.rows_read >= 400)
    };
    while !has_begun() {
        assert_eq!(child.try_wait().expect("it is asked"), None, "it ended too early");
    }
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
}

#[test]
fn p7_an_import_by_the_command_line_goes_on_by_the_same_file_or_when_the_shop_opens() {
    let (folder, files) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().unwrap());
    init(folder.path());
    let file = files.path().join("goods.csv");
    std::fs::write(&file, table(1_200)).expect("written");
    killed_in_the_middle(folder.path(), &file);
    let name = file.to_str().expect("a path");
    let (code, done) = said(folder.path(), &["import", name]);
    let report: Value = done.clone();
    assert_eq!(code, 3, "{report}");
    let shop = opened(folder.path());
    let reports = shop.imports(10).expect("read");
    assert_eq!((reports.len(), reports[0].rows_read, reports[0].products_added), (1, 1_200, 1_188));
    let id = reports[0].import_id.to_string();
    assert_eq!(said(folder.path(), &["import", "--undo", &id]).0, 0);
    assert_eq!(shelf(folder.path()), 0);
    assert_eq!(said(folder.path(), &["import", "--undo", &id]).0, 1);
    let (_, shown) = said(folder.path(), &["import", "--show", &id]);
    drop(shown);

    killed_in_the_middle(folder.path(), &file);
    let desk = Desk::at(folder);
    let done = until(&desk, |import| import["state"] == "done");
    assert_eq!(
        (&done["products_added"], &done["unchanged"]),
        (&json!(1_188), &json!(0)),
        "put back"
    );
    assert!(file.exists(), "a file of the shopkeeper's own is never deleted");
}

#[test]
fn p6_imports_over_http_are_for_those_who_may_and_refused_by_name() {
    let desk = Desk::open();
    let courier = desk.working(2, "courier");
    let nothing = "/v1/imports/01890a5d-ac96-774b-bcce-b302099a8057";
    for (token, expected) in [("", 401), (courier.as_str(), 403)] {
        assert_eq!(
            import(&desk, token, "", b"name,price\nTea,1\n").expect("an answer").0,
            expected
        );
        assert_eq!(desk.ask(token, "GET", "/v1/imports", &Value::Null).0, expected);
        assert_eq!(desk.ask(token, "GET", nothing, &Value::Null).0, expected);
        let undo = format!("{nothing}/undo");
        assert_eq!(desk.ask(token, "POST", &undo, &Value::Null).0, expected);
    }
    assert_eq!(waiting_files(desk.folder.path()), 0, "nothing of it came to the disk");
    assert_eq!(desk.as_owner("GET", nothing, &Value::Null).0, 404);
    assert_eq!(desk.as_owner("POST", &format!("{nothing}/undo"), &Value::Null).0, 404);
    let cases: [(&str, &[u8], u16, &str); 5] = [
        ("", b"PK\x03\x04products", 422, "zip archive"),
        ("", b"", 422, "empty"),
        ("", b"barcode,cost\n1,2\n", 422, "no column holds the name"),
        ("?format=xls", b"name\nTea\n", 422, "no format"),
        ("?map=%7B", b"name\nTea\n", 400, "cannot be read"),
    ];
    for (query, file, expected, says) in cases {
        let (status, problem) = import(&desk, &desk.owner, query, file).expect("an answer");
        assert_eq!(status, expected, "{problem}");
        assert!(text(&problem, "title").contains(says), "{problem}");
    }
    assert_eq!(waiting_files(desk.folder.path()), 0);
    assert_eq!(desk.as_owner("GET", "/v1/imports", &Value::Null).1["items"], json!([]));
}

#[test]
fn a_file_over_http_past_the_limit_is_refused_before_it_is_sent() {
    let desk = Desk::open();
    let served: &Served = &desk.served;
    let mut stream = TcpStream::connect(&served.http).expect("it is open");
    let head = format!(
        "POST /v1/imports HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nexpect: 100-continue\r\n\
         authorization: Bearer {}\r\ncontent-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        desk.owner,
        256 * 1024 * 1024 + 1
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("urn:kirana:too-large") && answer.contains("268435456"), "{answer}");
}

#[test]
fn a_mapping_is_kept_by_supplier_and_used_for_its_files() {
    let desk = Desk::open();
    let mapping = json!({"map": {"Artikel": "name", "EAN": "gtin", "Preis": "price"}});
    let path = "/v1/import-mappings/Meyer%20%26%20Sons";
    let courier = desk.working(2, "courier");
    for (token, expected) in [("", 401), (courier.as_str(), 403)] {
        for (method, body) in [("GET", &Value::Null), ("PUT", &mapping), ("DELETE", &Value::Null)] {
            assert_eq!(desk.ask(token, method, path, body).0, expected, "{method}");
        }
        assert_eq!(desk.ask(token, "GET", "/v1/import-mappings", &Value::Null).0, expected);
    }
    assert_eq!(desk.as_owner("GET", path, &Value::Null).0, 404);
    assert_eq!(desk.as_owner("PUT", path, &mapping).0, 201);
    assert_eq!(desk.as_owner("PUT", path, &mapping).0, 204);
    assert_eq!(desk.as_owner("GET", path, &Value::Null).1, mapping);
    let (_, kept) = desk.as_owner("GET", "/v1/import-mappings", &Value::Null);
    assert_eq!(kept["items"][0]["id"], "Meyer & Sons");
    for map in [json!({"A": "colour of the sky"}), json!({"A": "gtin"}), json!({})] {
        let (status, problem) = desk.as_owner("PUT", path, &json!({ "map": map }));
        assert_eq!(status, 422, "{problem}");
    }
    let file = "Artikel;EAN;Preis\nTee;4006381333931;\"3,50\"\n".as_bytes();
    let query = "?locale=de&mapping=Meyer%20%26%20Sons";
    let (status, done) = import(&desk, &desk.owner, query, file).expect("an answer");
    assert_eq!((status, &done["products_added"]), (200, &json!(1)), "{done}");
    let (status, problem) = import(&desk, &desk.owner, "?mapping=Nobody", file).expect("an answer");
    assert_eq!(status, 404, "{problem}");
    assert_eq!(desk.as_owner("DELETE", path, &Value::Null).0, 204);
    assert_eq!(desk.as_owner("DELETE", path, &Value::Null).0, 404);
}

#[test]
fn a_mapping_is_kept_by_the_command_line() {
    let (folder, files) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().unwrap());
    init(folder.path());
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let map = write("map.json", "{\"Item\": \"name\", \"MRP\": \"price\"}");
    let goods = write("goods.csv", "Item,MRP\nTea,45\n");
    assert_eq!(said(folder.path(), &["mapping", "set", "Asha Foods", &map]).0, 0);
    let (_, kept) = said(folder.path(), &["mapping", "list"]);
    assert_eq!(
        kept["items"],
        json!([{"id": "Asha Foods", "map": {"Item": "name", "MRP": "price"}}])
    );
    let (code, done) = said(folder.path(), &["import", &goods, "--mapping", "Asha Foods"]);
    assert_eq!((code, &done["products_added"]), (0, &json!(1)), "{done}");
    assert_eq!(said(folder.path(), &["mapping", "remove", "Asha Foods"]).0, 0);
    assert_eq!(said(folder.path(), &["mapping", "show", "Asha Foods"]).0, 1);
    let (code, refused) = said(folder.path(), &["import", &goods, "--mapping", "Asha Foods"]);
    assert_eq!(code, 1, "{refused}");
    assert!(text(&refused, "title").contains("no mapping is kept"), "{refused}");
    let both = ["import", &goods, "--mapping", "Asha Foods", "--map", &map];
    assert_eq!(said(folder.path(), &both).0, 0, "the map is kept under the name");
    assert_eq!(said(folder.path(), &["mapping", "show", "Asha Foods"]).0, 0);
}
