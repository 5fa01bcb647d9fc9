//! The counter, the store room and the orders from the command line, as a small shop uses them.

use std::{path::Path, process::Command};

use kirana_core::{key::SigningKey, order::personal::Personal, quantity::Unit};
use kirana_shop::{clock, home::Home};
use serde_json::{Value, json};

use crate::neighbour::{Customer, Neighbourhood};

const GOODS: &str = "sku,name,unit,price,step,stock
R1,Basmati rice,kg,90.00,0.05,5
D1,Toor dal,kg,140.00,0.05,20
U1,Urad dal,kg,150.00,0.05,8
M1,Milk,piece,28.00,,40
";

/// Exit code, and what was said: the result, or the problem.
fn shop(data: &Path, words: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let done = command.args(words).arg("--data").arg(data).arg("--json").output();
    let done = done.expect("the program runs");
    let said = if done.status.success() { &done.stdout } else { &done.stderr };
    let last = said.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    let last = serde_json::from_slice(last.expect("a line")).expect("JSON");
    (done.status.code().expect("it ended by itself"), last)
}

fn founded(data: &Path) {
    assert_eq!(shop(data, &["init", "--name", "Corner"]).0, 0);
    let file = data.join("goods.csv");
    std::fs::write(&file, GOODS).expect("a file");
    assert_eq!(shop(data, &["import", file.to_str().expect("a path")]).1["products_added"], 4);
}

#[test]
fn p2_sales_counts_and_losses_go_through_one_ledger() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    founded(data);
    let (_, sold) = shop(data, &["sell", "milk=2", "toor=1.5kg"]);
    let after = |on_hand: u64| json!({ "on_hand": on_hand, "reserved": 0 });
    assert_eq!(sold["balances"], json!([after(38), after(18_500)]));
    let (code, refused) = shop(data, &["sell", "toor=1kg", "milk=39"]);
    assert_eq!((code, &refused["type"]), (1, &json!("urn:kirana:not-entered")));
    let (_, counted) = shop(data, &["stock", "count", "basmati", "0"]);
    assert_eq!(counted["balances"], json!([after(0)]));
    shop(data, &["stock", "receive", "R1", "2kg"]);
    shop(data, &["stock", "waste", "milk", "3", "--note", "spilt"]);
    let (_, stock) = shop(data, &["stock", "list"]);
    let mut there: Vec<(&str, u64)> = Vec::new();
    for row in stock["items"].as_array().expect("a list") {
        there.push((row["name"].as_str().unwrap(), row["on_hand"].as_u64().unwrap()));
    }
    there.sort_unstable();
    assert_eq!(
        there,
        [("Basmati rice", 2_000), ("Milk", 35), ("Toor dal", 18_500), ("Urad dal", 8_000)]
    );
    assert_eq!(shop(data, &["verify"]).0, 0);
}

#[test]
fn what_is_meant_is_asked_for_when_words_find_several() {
    let folder = tempfile::tempdir().expect("a folder");
    founded(folder.path());
    for (words, code, says) in [
        (["sell", "dal=1kg"], 2, "may be several"),
        (["sell", "caviar=1"], 1, "has no «caviar»"),
        (["sell", "milk"], 2, "WHAT=AMOUNT"),
        (["sell", "milk=1kg"], 2, "sold by piece"),
        (["sell", "milk=-1"], 2, "write an amount"),
        (["sell", "toor=99999999999kg"], 2, "«99999999999kg»"),
    ] {
        let (ended, problem) = shop(folder.path(), &words);
        let title = problem["title"].as_str().expect("a title");
        assert!(ended == code && title.contains(says), "{words:?}: {ended}, {title}");
    }
}

#[test]
fn an_order_is_found_by_its_number_read_brought_and_paid() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path();
    founded(data);
    let opened = Home::at(data, None).shop().expect("it opens");
    let street = Neighbourhood { shop: opened, hub: SigningKey::from_seed([40; 32]) };
    let rice = street.stock(1, 9_000, 10);
    let mut guest = Customer::guest(&street, 30);
    guest.now = clock::now();
    let person =
        Personal { name: "Meera".into(), note: "ring\u{7} twice".into(), ..Personal::default() };
    let part = person.part(&mut clock::rng());
    let mut placed = guest.wants(&[(rice, 2, 9_000)]);
    placed.personal = Some(part.hash());
    let placed = guest.sign(1, placed);
    let mut parcel = guest.parcel(&[&placed]);
    parcel.personal = vec![part];
    let mail = guest.mail(&street, &parcel);
    street.shop.deliver(&mail, guest.now, &mut clock::rng()).expect("it is taken in");
    let (_, orders) = shop(data, &["orders", "list"]);
    let number = orders["orders"][0]["number"].as_str().expect("a number").to_owned();
    let (_, order) = shop(data, &["orders", "show", &number]);
    assert_eq!(order["personal"], json!(person));
    assert_eq!(order["order"]["lines"][0]["wanted"]["quantity"]["unit"], json!(Unit::Piece));
    for step in ["packing", "packed", "ready", "collected"] {
        assert_eq!(shop(data, &["orders", "mark", &number, step]).0, 0, "{step}");
    }
    assert_eq!(shop(data, &["orders", "pay", &number, "180.00"]).1["stage"]["stage"], "completed");
    let (code, refused) = shop(data, &["orders", "mark", &number, "accepted"]);
    assert_eq!((code, &refused["type"]), (1, &json!("urn:kirana:not-done")));
    assert_eq!(shop(data, &["orders", "list"]).1["orders"], json!([]));
    assert_eq!(shop(data, &["orders", "show", "QQ 0000-0"]).0, 2);
    assert_eq!(shop(data, &["verify"]).0, 0);
}
