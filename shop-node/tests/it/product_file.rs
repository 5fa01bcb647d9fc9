//! The shelf as a file: what is exported comes in again as it was, here and at another shop.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{init, kirana};

/// Goods as shops have them: loose, in sizes, in two scripts, with a name that is a formula, a name
/// that is markup, and a text over two lines.
const GOODS: &str = "\
handle,sku,gtin,name,name.hi,label,brand,category,description,synonyms,unit,price,price_per,step,min,tax_bp,stock
rice,R1,,Sona Masoori rice,सोना मसूरी चावल,,,Staples,\"Old crop, \"\"soft\"\"\nFrom Raichur\",chawal|akki,g,68.50,1000,50,250,500,120000
milk,M1,8901262010016,Milk,दूध,500 ml,Nandini,Dairy,,doodh,piece,27.00,,,,0,40
milk,M2,8901262010023,,,1 l,,,,,piece,52.00,,,,0,30
,F1,,=cmd()|calc,,,@brand,-Odds,,,piece,5,,,,1800,3
,B1,,<script>alert(1)</script>,,,,,,,piece,,,,,0,
";

struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        init(folder.path());
        Self(folder)
    }

    fn data(&self) -> &Path {
        self.0.path()
    }

    fn import(&self, file: &Path) -> Value {
        let file = file.to_str().expect("a path");
        let done = kirana(&["import", file, "--format", "csv"], self.data());
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("a report")
    }

    fn export(&self, name: &str, format: &str) -> PathBuf {
        let path = self.data().join(name);
        let file = path.to_str().expect("a path");
        let done = kirana(&["export", file, "--format", format], self.data());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let written: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        assert_eq!((&written["products"], &written["lines"]), (&4.into(), &5.into()));
        path
    }

    fn stocked() -> Self {
        let shop = Self::new();
        let file = shop.data().join("goods.csv");
        std::fs::write(&file, GOODS).expect("written");
        assert_eq!(shop.import(&file)["products_added"], 4);
        shop
    }
}

fn cells(path: &Path) -> Vec<Vec<String>> {
    let mut file = csv::ReaderBuilder::new().has_headers(false).from_path(path).expect("a file");
    let rows = file.records().map(|row| row.expect("CSV").iter().map(str::to_owned).collect());
    rows.collect()
}

#[test]
fn what_is_exported_changes_nothing_where_it_came_from() {
    let shop = Shop::stocked();
    let report = shop.import(&shop.export("shelf.csv", "csv"));
    assert_eq!(report["unchanged"], 4, "{report}");
    assert_eq!((&report["products_added"], &report["products_changed"]), (&0.into(), &0.into()));
}

#[test]
fn another_shop_gets_the_same_shelf_from_it() {
    let (here, there) = (Shop::stocked(), Shop::new());
    let first = here.export("shelf.csv", "csv");
    assert_eq!(there.import(&first)["products_added"], 4);
    let (first, second) = (cells(&first), cells(&there.export("shelf.csv", "csv")));
    let but_the_ids = |rows: &[Vec<String>]| {
        let variant = rows[0].iter().position(|head| head == "variant").expect("a column");
        let kept = |row: &Vec<String>| {
            let cells = row.iter().enumerate().filter(|(at, _)| ![0, variant].contains(at));
            cells.map(|(_, cell)| cell.clone()).collect::<Vec<_>>()
        };
        let mut rows: Vec<_> = rows.iter().map(kept).collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(but_the_ids(&first), but_the_ids(&second), "stock and Hindi names too");
    assert!(first[0].contains(&"name.hi".to_owned()), "{:?}", first[0]);
}

#[test]
fn no_cell_of_a_file_is_a_formula() {
    let shop = Shop::stocked();
    for (name, format) in [("shelf.csv", "csv"), ("shopify.csv", "shopify")] {
        let rows = cells(&shop.export(name, format));
        let bad = rows.iter().flatten().filter(|cell| cell.starts_with(['=', '+', '-', '@']));
        assert_eq!(bad.collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(rows.iter().flatten().any(|cell| cell == "'=cmd()|calc"));
    }
}

#[test]
fn a_shopify_file_has_a_line_for_each_size_and_escapes_markup() {
    let shop = Shop::stocked();
    let rows = cells(&shop.export("shopify.csv", "shopify"));
    let column = |name: &str| rows[0].iter().position(|head| head == name).expect("a column");
    let (title, option) = (column("Title"), column("Option1 Value"));
    let (price, grams) = (column("Variant Price"), column("Variant Grams"));
    let of = |sku: &str| {
        let sku_at = column("Variant SKU");
        rows.iter().find(|row| row[sku_at] == sku).expect("its line")
    };
    assert_eq!([&of("M1")[option], &of("M2")[option]], ["500 ml", "1 l"]);
    assert_eq!(of("M1")[column("Handle")], of("M2")[column("Handle")]);
    assert_eq!([&of("R1")[price], &of("R1")[grams]], ["68.50", "1000"]);
    assert_eq!(of("R1")[column("Variant Inventory Qty")], "120", "kilograms, as it is sold there");
    assert!(of("R1")[column("Body (HTML)")].contains("<br>"));
    assert_eq!(of("B1")[title], "<script>alert(1)</script>", "a title is text");
}

#[test]
fn a_file_that_cannot_be_written_and_a_format_that_is_none_are_said() {
    let shop = Shop::stocked();
    let gone = shop.data().join("nowhere").join("shelf.csv");
    let done = kirana(&["export", gone.to_str().expect("a path")], shop.data());
    assert_eq!(done.status.code(), Some(1));
    let done = kirana(&["export", "shelf.csv", "--format", "xml"], shop.data());
    assert_eq!(done.status.code(), Some(2), "{}", String::from_utf8_lossy(&done.stderr));
}
