//! The demonstration's lists are what their README says.

use std::collections::BTreeSet;
use std::path::Path;

use kirana_core::gtin::Gtin;

#[test]
fn every_staple_has_a_hindi_name_a_price_and_a_number_of_its_own() {
    let rows = rows("staples.csv");
    assert!(rows.len() >= 300);
    let mut numbers = BTreeSet::new();
    for row in &rows {
        let [sku, english, hindi, synonyms, _, unit, price, per, tax_bp, step, stock] =
            row.as_slice()
        else {
            panic!("{row:?}")
        };
        assert!(numbers.insert(sku), "{sku} stands twice");
        assert!(!english.is_empty() && !synonyms.is_empty(), "{row:?}");
        assert!(hindi.chars().any(|c| ('\u{900}'..='\u{97f}').contains(&c)), "{hindi}");
        assert!(["g", "ml", "piece"].contains(&unit.as_str()), "{unit}");
        assert!(price.ends_with(".00") && per.parse::<u64>().is_ok(), "{row:?}");
        assert!(tax_bp.parse::<u32>().is_ok_and(|tax| tax <= 2_800), "{tax_bp}");
        assert!(step.parse::<u64>().is_ok() && stock.parse::<u64>().is_ok(), "{row:?}");
    }
}

#[test]
fn the_two_shops_hold_two_thousand_products_with_true_barcodes() {
    let mut all = BTreeSet::new();
    for file in ["products_corner.csv", "products_lane.csv"] {
        let rows = rows(file);
        assert!(rows.len() > 1_000);
        let barcodes: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
        assert_eq!(barcodes.len(), rows.len(), "a barcode stands twice in {file}");
        all.extend(barcodes);
    }
    assert_eq!(all.len(), 2_000);
    for barcode in all {
        barcode.parse::<Gtin>().unwrap_or_else(|error| panic!("{barcode}: {error}"));
    }
}

#[test]
fn the_notices_of_the_product_names_stand_beside_them() {
    for file in ["README.md", "LICENSE-ODbL"] {
        let text = read(file).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("Contains data from Open Food Facts, openfoodfacts.org, available under the Open Database License"));
    }
    assert!(read("products_corner.csv").lines().next().unwrap().contains("made_up_price"));
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file);
    std::fs::read_to_string(path).expect("the list is part of the repository")
}

/// The records after the header; a quoted field may hold commas.
fn rows(file: &str) -> Vec<Vec<String>> {
    read(file).lines().skip(1).map(fields).collect()
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is always one").push(c),
        }
    }
    fields
}
