//! A cart over weeks: what it says once prices, stock and the shelf have changed, with no network.

use std::path::Path;

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Author, Bucket},
        edit::Edit,
        head::{Extent, Head},
    },
    hash::Hash,
};
use kirana_customer::{app::Household, home::Home};
use kirana_sync::pull::Load;
use serde_json::{Value, json};

use crate::{
    neighbour::{NOW, Neighbour, rng},
    program::{json, kirana},
    shelf::{chunk, product_id, variant_id},
};

struct Kitchen {
    folder: tempfile::TempDir,
    shop: Neighbour,
    household: Household,
    document: Bucket,
}

impl Kitchen {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (home, shop) = (Home::at(folder.path()), Neighbour::new());
        let keys = home.make_keys(None, &mut rng(1)).unwrap();
        let household =
            Household::create(home.database().unwrap(), keys, NOW, &mut rng(2)).unwrap();
        shop.introduce_to(&household);
        let document = Bucket::new(shop.id, BucketNo::FIRST);
        let mut kitchen = Self { folder, shop, household, document };
        kitchen.costs(1, 6_800);
        kitchen
    }

    /// The shop says what a kilogram of its rice costs.
    fn costs(&mut self, n: u64, minor: i64) {
        let load = chunk(&self.shop, &mut self.document, n, minor);
        assert!(self.household.save_catalogue(&load).unwrap());
    }

    /// The shop takes its rice off the shelf.
    fn delists(&mut self, n: u64) {
        let author = Author { key: self.shop.node.id(), incarnation: n };
        let before = self.document.heads();
        let edit = Edit::Delist { product: product_id() };
        self.document.edit(&author, &edit, NOW.plus_ms(n)).unwrap();
        let bytes = self.document.since(&before);
        let head = Head {
            shop: self.shop.id,
            generation: self.shop.generation,
            bucket: BucketNo::FIRST,
            n,
            extent: Extent::Chunk,
            content: Hash::of(&bytes),
            heads: self.document.heads().hashes(),
            at: NOW,
        };
        let load = Load { head: head.sign(&self.shop.node.signing), bytes };
        assert!(self.household.save_catalogue(&load).unwrap());
    }

    fn says(&self, words: &[&str]) -> Value {
        said(self.folder.path(), words)
    }
}

fn said(folder: &Path, words: &[&str]) -> Value {
    let done = kirana(folder, &[&["--json"], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    json(&done.stdout)
}

#[test]
fn p3_a_cart_says_what_became_dearer_and_what_is_gone_since_it_was_put_in() {
    let mut kitchen = Kitchen::new();
    let (shop, rice) = (kitchen.shop.id.to_string(), variant_id().to_string());
    kitchen.says(&["cart", "add", &shop, &rice, "500g"]);
    let item = |seen: &Value| seen["items"][0].clone();
    let fresh = kitchen.says(&["cart"]);
    assert_eq!(item(&fresh)["sum"], json!({"minor": 3_400, "currency": "INR"}), "{fresh}");
    assert_eq!((&item(&fresh)["was"], &item(&fresh)["hurdle"]), (&Value::Null, &Value::Null));
    kitchen.costs(2, 7_600);
    let dearer = kitchen.says(&["cart"]);
    assert_eq!(item(&dearer)["sum"]["minor"], 3_800, "{dearer}");
    assert_eq!(item(&dearer)["was"]["minor"], 3_400, "{dearer}");
    assert_eq!(dearer["shops"][0]["sum"]["minor"], 3_800, "{dearer}");
    let plain = kirana(kitchen.folder.path(), &["cart"]);
    let plain = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(plain.contains("dearer: it was 34.00 INR"), "{plain}");
    // More of it is put in at the price of now, which counts from then on.
    kitchen.says(&["cart", "add", &shop, &rice, "500g"]);
    assert_eq!(item(&kitchen.says(&["cart"]))["was"], Value::Null);
    kitchen.delists(3);
    let gone = kitchen.says(&["cart"]);
    assert_eq!(item(&gone)["hurdle"], "gone", "{gone}");
}

#[test]
fn a_cart_is_shared_as_text_that_names_no_ids() {
    let kitchen = Kitchen::new();
    let (shop, rice) = (kitchen.shop.id.to_string(), variant_id().to_string());
    kitchen.says(&["cart", "add", &shop, &rice, "1kg"]);
    let shared = kitchen.says(&["cart", "share"]);
    let text = shared["text"].as_str().unwrap();
    assert!(text.contains("- 1 kg Sona Masoori rice"), "{text}");
    assert!(!text.contains(&rice) && !text.contains(&shop), "{text}");
}

#[test]
fn what_was_ordered_before_comes_into_the_cart_as_far_as_it_is_sold() {
    let mut kitchen = Kitchen::new();
    let (shop, rice) = (kitchen.shop.id.to_string(), variant_id().to_string());
    let order = |amount: &str| {
        let item = format!("{rice}={amount}");
        let words = ["order", "place", "--shop", &shop, "--item", &item, "--pickup"];
        let placed = kitchen.says(&words);
        placed["orders"][0]["id"].as_str().unwrap_or_else(|| panic!("{placed}")).to_owned()
    };
    let first = order("1kg");
    let once = kirana(kitchen.folder.path(), &["--json", "cart", "usual"]);
    assert_eq!(once.status.code(), Some(1), "once is not usual");
    order("2kg");
    let again = kitchen.says(&["cart", "again", &first]);
    assert_eq!(again["items"][0]["quantity"]["amount"], 1_000, "{again}");
    let usual = kitchen.says(&["cart", "usual"]);
    assert_eq!(usual["items"][0]["quantity"]["amount"], 3_000, "two of the newest more: {usual}");
    kitchen.delists(2);
    let left = kitchen.says(&["cart", "again", &first]);
    let why = left["left_out"][0].as_str().unwrap_or_else(|| panic!("{left}"));
    assert!(why.contains("no longer sells"), "{why}");
    assert_eq!(left["items"][0]["quantity"]["amount"], 3_000, "nothing more of it: {left}");
}
