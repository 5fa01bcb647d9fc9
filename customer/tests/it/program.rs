//! The `kirana` program as people and scripts meet it.

use std::{
    path::Path,
    process::{Command, Output},
};

use kirana_core::catalogue::{BucketNo, document::Bucket};
use kirana_customer::{app::Household, home::Home};

use crate::{neighbour::Neighbour, shelf::chunk};

pub fn kirana(home: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kirana"))
        .arg("--home")
        .arg(home)
        .args(words)
        .env_remove("KIRANA_PASSPHRASE")
        .output()
        .unwrap()
}

pub fn json(bytes: &[u8]) -> serde_json::Value {
    let text = String::from_utf8_lossy(bytes);
    serde_json::from_slice(bytes).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn init_makes_a_household_once_and_says_that_open_keys_do_not_stop_a_thief() {
    let home = tempfile::tempdir().unwrap();
    let made = kirana(home.path(), &["init", "--name", "Meena"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).contains("KIRANA_PASSPHRASE"));
    let again = kirana(home.path(), &["--json", "init"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(json(&again.stderr)["type"], "urn:kirana:problem:already-set-up");
}

#[test]
fn nothing_works_before_init_and_the_message_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    for words in [&["shops"][..], &["search", "rice"], &["sync"], &["order", "list"]] {
        let refused = kirana(&home.path().join("nowhere"), words);
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("kirana init"), "{words:?}");
    }
}

#[test]
fn what_cannot_be_asked_about_an_order_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    assert!(kirana(home.path(), &["init"]).status.success());
    let none = "01890000-0000-7000-8000-000000000001";
    for words in [&["change", none, "--remove", "1"][..], &["approve", none], &["complain", none]] {
        let refused = kirana(home.path(), &[&["--json", "order"], words].concat());
        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        let problem = json(&refused.stderr);
        assert_eq!(problem["type"], "urn:kirana:problem:unknown-order", "{words:?}");
    }
}

#[test]
fn results_are_json_on_stdout_and_nothing_else_is() {
    let home = tempfile::tempdir().unwrap();
    assert!(kirana(home.path(), &["init"]).status.success());
    for (words, key) in [
        (&["--json", "shops"][..], "items"),
        (&["--json", "search", "rice"], "items"),
        (&["--json", "cart"], "items"),
        (&["--json", "address", "add", "home", "14 Second Cross"], "items"),
        (&["--json", "order", "list"], "orders"),
        (&["--json", "journal"], "orders"),
        (&["--json", "sync"], "paths"),
    ] {
        let done = kirana(home.path(), words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        assert!(json(&done.stdout)[key].is_array(), "{words:?}");
    }
}

#[test]
fn a_household_has_as_many_carts_as_it_likes() {
    let home = tempfile::tempdir().unwrap();
    assert!(kirana(home.path(), &["init"]).status.success());
    let names = |words: &[&str]| -> Vec<String> {
        let done = kirana(home.path(), &[&["--json", "cart"], words].concat());
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        let carts = json(&done.stdout)["items"].as_array().unwrap().clone();
        carts.iter().map(|cart| cart["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["list"]), ["cart"]);
    assert_eq!(names(&["new", "party"]), ["cart", "party"]);
    assert_eq!(names(&["rename", "party", "wedding"]), ["cart", "wedding"]);
    let shown = json(&kirana(home.path(), &["--json", "cart", "--cart", "wedding"]).stdout);
    assert_eq!((&shown["name"], &shown["items"]), (&"wedding".into(), &serde_json::json!([])));
    for words in [&["cart", "--cart", "party"][..], &["order", "place", "--cart", "party"]] {
        let refused = kirana(home.path(), words);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no such cart"), "{words:?}");
    }
    let twice = kirana(home.path(), &["cart", "new", "wedding"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("already"));
    assert_eq!(names(&["drop", "wedding"]), ["cart"]);
    assert!(kirana(home.path(), &["cart", "clear", "--cart", "cart"]).status.success());
}

#[test]
fn the_words_of_the_workshop_stay_out_of_what_people_read() {
    let home = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for words in [
        &["init"][..],
        &["shops"],
        &["search", "rice"],
        &["cart"],
        &["cart", "list"],
        &["address"],
        &["order", "list"],
        &["order", "place"],
        &["sync"],
        &["journal"],
    ] {
        let done = kirana(home.path(), words);
        said.push_str(&String::from_utf8_lossy(&done.stdout).to_lowercase());
        said.push_str(&String::from_utf8_lossy(&done.stderr).to_lowercase());
    }
    let folder = home.path().display().to_string().to_lowercase();
    let said = said.replace(&folder, "");
    for word in ["hub", "node", "replica", "outbox", "envelope", "durable"] {
        assert!(!said.contains(word), "«{word}» in: {said}");
    }
}

#[test]
fn a_foreign_file_is_refused_with_a_reason() {
    let home = tempfile::tempdir().unwrap();
    assert!(kirana(home.path(), &["init"]).status.success());
    let file = home.path().join("holiday.jpg");
    std::fs::write(&file, [0xff; 4000]).unwrap();
    let refused = kirana(home.path(), &["--json", "order", "receive", &file.to_string_lossy()]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(json(&refused.stderr)["type"], "urn:kirana:problem:malformed");
}

#[test]
fn p8_verify_says_what_holds_and_ends_with_one_where_something_does_not() {
    let home = tempfile::tempdir().unwrap();
    assert!(kirana(home.path(), &["init", "--name", "Meena"]).status.success());
    let sound = kirana(home.path(), &["--json", "verify"]);
    assert_eq!((sound.status.code(), &json(&sound.stdout)["ok"]), (Some(0), &true.into()));
    let database = rusqlite::Connection::open(home.path().join("household.db")).unwrap();
    let sql = "UPDATE sealed_setting SET value = x'00'";
    assert_eq!(database.execute(sql, []).unwrap(), 1);
    drop(database);
    let damaged = kirana(home.path(), &["verify"]);
    assert_eq!(damaged.status.code(), Some(1));
    let said = String::from_utf8_lossy(&damaged.stdout).into_owned();
    assert!(said.contains("carts and addresses") && said.contains("1 fault."), "{said}");
}

#[test]
fn a_shop_is_named_as_people_name_it_and_a_product_by_words_that_find_only_it() {
    let folder = tempfile::tempdir().unwrap();
    assert!(kirana(folder.path(), &["init"]).status.success());
    let (home, shop) = (Home::at(folder.path()), Neighbour::new());
    let household = Household::open(home.database().unwrap(), home.keys(None).unwrap()).unwrap();
    shop.introduce_to(&household);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    household.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap();
    for words in [
        &["--json", "cart", "add", "asha", "rice", "1kg"][..],
        &["--json", "search", "rice", "--shop", "Asha General"],
        &["--json", "order", "place", "--shop", "asha", "--item", "rice=500g"],
    ] {
        let done = kirana(folder.path(), words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    for (words, says) in [
        (["cart", "add", "ravi", "rice", "1kg"], "none of your shops"),
        (["cart", "add", "asha", "caviar", "1kg"], "has no «caviar»"),
    ] {
        let refused = kirana(folder.path(), &words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(says), "{words:?}: {said}");
    }
}
