//! The list of everyday articles: ticked over HTTP and by a few keys at the command line.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    desk::Desk,
    program::{init, opened},
};

/// What somebody types for everyday goods, and what is on the shelf then.
const TYPED: [(&str, &str, i64, u64); 12] = [
    ("aloo 30\n", "Potato", 3_000, 1_000),
    ("onion 42\n", "Onion", 4_200, 1_000),
    ("tamat 38.5\n", "Tomato", 3_850, 1_000),
    ("toor 160\n", "Toor dal, loose", 16_000, 1_000),
    ("basm 120\n", "Basmati rice, loose", 12_000, 1_000),
    ("salt 28\n1\n", "Salt 1 kg", 2_800, 1),
    ("sunfl 145\n", "Sunflower oil 1 l", 14_500, 1),
    ("haldi 240\n", "Turmeric powder", 24_000, 1_000),
    ("चाय 140\n1\n", "Tea 250 g", 14_000, 1),
    ("jeera 360\n", "Cumin seeds", 36_000, 1_000),
    ("paneer 420\n", "Paneer", 42_000, 1_000),
    ("shamp 99\n", "Shampoo", 9_900, 1),
];

/// The answer of the real prompt to these keys.
fn typed(data: &Path, keys: &str) -> (Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    command.args(["starter", "--json", "--data"]).arg(data);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().expect("it starts");
    let mut stdin = program.stdin.take().expect("it is piped");
    stdin.write_all(keys.as_bytes()).expect("it is read");
    drop(stdin);
    let done = program.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let screen = String::from_utf8_lossy(&done.stderr).into_owned();
    (serde_json::from_slice(&done.stdout).expect("JSON"), screen)
}

/// Name, price and what it is for, of every product on the shelf.
fn shelf(data: &Path) -> Vec<(String, i64, u64)> {
    let shop = opened(data);
    let mut file = Vec::new();
    let kind = kirana_shop::app::product_file::Kind::Csv;
    shop.write_products(kind, &mut file).expect("written");
    let mut table = csv::Reader::from_reader(file.as_slice());
    let header = table.headers().expect("a header").clone();
    let rows = table.records().map(|row| {
        let row = row.expect("a row");
        let cell = |name: &str| {
            let at = header.iter().position(|head| head == name).expect("a column");
            row[at].to_owned()
        };
        let minor = cell("price").replace('.', "").parse().expect("a price");
        (cell("name"), minor, cell("price_per").parse().expect("a number"))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows
}

#[test]
fn everyday_goods_are_on_the_shelf_with_at_most_twelve_keys_each() {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    for (keys, name, ..) in TYPED {
        let count = keys.chars().count();
        assert!(count <= 12, "{count} keys for {name}");
    }
    let keys: String = TYPED.iter().map(|(keys, ..)| *keys).collect();
    let (told, screen) = typed(folder.path(), &keys);
    assert_eq!(told["ticked"], 12, "{screen}");
    let mut expected: Vec<_> =
        TYPED.iter().map(|(_, name, minor, per)| ((*name).to_owned(), *minor, *per)).collect();
    expected.sort_unstable();
    assert_eq!(shelf(folder.path()), expected, "{screen}");
    typed(folder.path(), &keys);
    assert_eq!(shelf(folder.path()), expected, "the same keys again change nothing");
}

#[test]
fn what_fits_nothing_and_what_is_no_price_is_said_and_takes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    let (told, screen) = typed(folder.path(), "screwdriver 5\npotato -3\npotato\nsalt 3\n9\n");
    assert_eq!(told["ticked"], 0);
    for says in ["Nothing was taken.", "-3 is no price.", "Like this: aloo 30", "Which number?"] {
        assert!(screen.contains(says), "{screen}");
    }
    assert_eq!(shelf(folder.path()), []);
}

#[test]
fn articles_are_ticked_over_http_several_at_once_and_once_only() {
    let desk = Desk::open();
    let (status, list) = desk.ask("", "GET", "/v1/catalogue/starter?q=dal", &Value::Null);
    assert_eq!(status, 200);
    assert!(list["items"].as_array().expect("a list").len() > 3, "{list}");
    let long = format!("/v1/catalogue/starter?q={}", "x".repeat(301));
    assert_eq!(desk.ask("", "GET", &long, &Value::Null).0, 422);
    let path = "/v1/catalogue/starter";
    let tick = |items: Value| desk.as_owner("POST", path, &json!({ "items": items }));
    let both =
        json!([{ "slug": "toor-dal", "minor": 16_000 }, { "slug": "milk-1l", "minor": 6_800 }]);
    let (status, ticked) = tick(both.clone());
    assert_eq!((status, &ticked["added"]), (200, &2.into()), "{ticked}");
    assert_eq!(tick(both).1["unchanged"], 2);
    let (_, dearer) = tick(json!([{ "slug": "toor-dal", "minor": 17_000 }]));
    assert_eq!((&dearer["repriced"], &dearer["added"]), (&1.into(), &0.into()));
    let id = dearer["products"][0].as_str().expect("an id");
    let (_, dal) = desk.ask("", "GET", &format!("/v1/products/{id}"), &Value::Null);
    assert_eq!((&dal["price"]["minor"], &dal["price"]["per"]), (&17_000.into(), &1_000.into()));
    assert_eq!((&dal["names"]["hi"], &dal["hsn"]), (&"अरहर दाल".into(), &"0713".into()));
    for bad in [
        json!([]),
        json!([{ "slug": "gold", "minor": 1 }]),
        json!([{ "slug": "rusk", "minor": -1 }]),
        json!([{ "slug": "rusk", "minor": 1 }, { "slug": "rusk", "minor": 2 }]),
    ] {
        assert_eq!(tick(bad.clone()).0, 422, "{bad}");
    }
    let courier = desk.working(7, "courier");
    let one = json!({ "items": [{ "slug": "rusk", "minor": 1 }] });
    assert_eq!(desk.ask(&courier, "POST", path, &one).0, 403);
}
