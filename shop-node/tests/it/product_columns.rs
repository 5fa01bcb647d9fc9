//! Every part of a product goes through a file: out of one shop and into another.

use std::{collections::BTreeMap, io::Cursor};

use kirana_core::{
    catalogue::{
        edit::Edit,
        pricing::{Deal, Terms},
        product::{Language, Product, Variant},
    },
    gtin::Gtin,
    id::{ProductId, VariantId},
    money::Price,
    quantity::{Quantity, Unit},
    time::UnixMs,
};
use kirana_migrations::{StoreError, catalogue::chunks};
use kirana_shop::app::{
    Shop,
    import::{Format, Order, Report, draw_id},
    product_file::Kind,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    neighbour::{NOW, Neighbourhood, rng, rupees},
};

fn import(shop: &Shop, format: Format, file: &[u8]) -> Report {
    let begun = NOW.plus_ms(shop.imports(100).expect("read").len() as u64);
    let (order, mut rng) = (Order { format, ..Order::default() }, rng(11));
    let (id, by) = (draw_id(begun, &mut rng), shop.keys().node.id());
    shop.import(&order, Cursor::new(file), id, by, NOW, &mut rng).expect("a report")
}

fn export(shop: &Shop, kind: Kind) -> Vec<u8> {
    let mut file = Vec::new();
    shop.write_products(kind, &mut file).expect("written");
    file
}

fn products(shop: &Shop) -> Vec<Product> {
    let all = shop.database().reader.read(|c| -> Result<Vec<Product>, StoreError> {
        let mut products = Vec::new();
        for bucket in chunks::reached(c, shop.id())?.keys() {
            products.extend(chunks::load(c, shop.id(), *bucket)?.0.products());
        }
        Ok(products)
    });
    all.expect("read")
}

/// Products by what they say, whatever ids they and their variants have.
fn said(mut all: Vec<Product>) -> Vec<(Value, Vec<String>)> {
    let (id, variant) = (ProductId::new(NOW, [0; 10]), VariantId::new(NOW, [0; 10]));
    let mut said = Vec::new();
    for product in &mut all {
        product.id = id;
        let tax = product.tax_bp;
        let variants = std::mem::take(&mut product.variants).into_values().map(|mut variant| {
            // A tax of its own that is the product's is none of its own.
            variant.tax_bp = variant.tax_bp.filter(|own| *own != tax);
            format!("{variant:?}")
        });
        let mut variants: Vec<String> = variants.collect();
        variants.sort_unstable();
        product.variants = BTreeMap::from([(variant, Variant::default())]);
        said.push((json!(product), variants));
    }
    said.sort_by_key(|(product, variants)| (product.to_string(), variants.clone()));
    said
}

fn text() -> impl Strategy<Value = String> {
    // What spreadsheets, tables and lists give a meaning to stands in front and in between.
    r#"[=+@'a-zA-Zé\-दू0-9][ ,"|\\;'a-zé<&]{0,6}[a-zA-Z.|\\'"]"#
}

fn words() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
    proptest::collection::btree_set(text(), 0..3)
}

fn price() -> impl Strategy<Value = Price> {
    (100_i64..1_000_000, 1_u64..2_000).prop_map(|(minor, per)| Price {
        minor,
        per,
        currency: rupees(),
    })
}

fn span() -> impl Strategy<Value = (UnixMs, Option<u64>)> {
    (0..4_000_000_000_000_u64, proptest::option::of(1..1_000_000_000_u64))
        .prop_map(|(from, lasts)| (UnixMs::new(from), lasts))
}

fn filed<T: std::fmt::Debug + Clone>(
    what: impl Strategy<Value = T>,
) -> impl Strategy<Value = BTreeMap<UnixMs, Terms<T>>> {
    proptest::collection::vec((span(), what), 0..3).prop_map(|all| {
        let terms = |((from, lasts), what): ((UnixMs, Option<u64>), T)| {
            (from, Terms { what, until: lasts.map(|ms| from.plus_ms(ms)) })
        };
        all.into_iter().map(terms).collect()
    })
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![Just(Unit::Piece), Just(Unit::Gram), Just(Unit::Millilitre)]
}

fn variant() -> impl Strategy<Value = Variant> {
    let numbers = (1_u64..500, 1_u64..500, 0_u32..5_000, 0_u64..90);
    let money =
        (0_u64..100, proptest::option::of(0_u64..1_000), proptest::option::of(0_u32..2_800));
    let terms = (filed(price()), filed(1_u32..10_000), filed((1_u64..9, 1_u64..9)));
    let content = proptest::option::of((1_u64..5_000, unit()));
    let about = (proptest::option::of(text()), proptest::option::of(price()), unit(), content);
    (about, numbers, money, terms).prop_map(|(about, numbers, money, terms)| {
        let (label, price, unit, content) = about;
        let (step, min, tolerance_bp, safety) = numbers;
        let (deposit, above, tax_bp) = money;
        let (mut planned, percents, pieces) = terms;
        planned.values_mut().for_each(|terms| terms.what.per = price.map_or(1, |price| price.per));
        let percent = |(from, terms): (UnixMs, Terms<u32>)| {
            (from, Terms { what: Deal::Percent { bp: terms.what }, until: terms.until })
        };
        let x_for_y = |(from, terms): (UnixMs, Terms<(u64, u64)>)| {
            let (pay, free) = terms.what;
            (from, Terms { what: Deal::XForY { take: pay + free, pay }, until: terms.until })
        };
        let deals = percents.into_iter().map(percent).chain(pieces.into_iter().map(x_for_y));
        let deals = deals.filter(|(_, terms)| terms.what.fits(unit)).collect();
        let dearest = price.iter().chain(planned.values().map(|terms| &terms.what));
        let dearest = dearest.map(|price| price.minor.unsigned_abs()).max();
        let max_price = dearest.zip(above).map(|(dearest, above)| dearest + above);
        let content = content.and_then(|(amount, unit)| Quantity::new(amount, unit).ok());
        Variant {
            label,
            price,
            unit,
            step,
            min,
            tax_bp,
            deposit: Some(deposit).filter(|deposit| *deposit > 0),
            max_price,
            tolerance_bp,
            content,
            safety,
            planned,
            deals,
            ..Variant::default()
        }
    })
}

fn product() -> impl Strategy<Value = Product> {
    let texts = (
        text(),
        proptest::option::of(text()),
        proptest::array::uniform5(proptest::option::of(text())),
    );
    let marks = (words(), words(), words());
    let numbers = (
        0_u32..2_800,
        any::<bool>(),
        proptest::option::of(1_u8..99),
        proptest::option::of("[0-9]{4,8}"),
    );
    (texts, marks, numbers, proptest::collection::vec(variant(), 1..4)).prop_map(
        |((name, hindi, texts), marks, numbers, variants)| {
            let (product, first) = (ProductId::new(NOW, [0; 10]), VariantId::new(NOW, [0; 10]));
            let mut product = Product::new(product, Language::ENGLISH, &name, first);
            product.names.extend(hindi.map(|name| (Language::HINDI, name)));
            [
                product.brand,
                product.category,
                product.description,
                product.ingredients,
                product.storage,
            ] = texts;
            (product.synonyms, product.diets, product.allergens) = marks;
            (product.tax_bp, product.counted, product.age_min, product.hsn) = numbers;
            product.variants = variants
                .into_iter()
                .zip(0..)
                .map(|(variant, n)| (VariantId::new(NOW, [n; 10]), variant))
                .collect();
            product
        },
    )
}

/// Gives everything ids and numbers that nothing else has.
fn numbered(mut all: Vec<Product>) -> Vec<Product> {
    let mut count = 0_u8;
    for product in &mut all {
        count += 1;
        product.id = ProductId::new(NOW, [count; 10]);
        let variants = std::mem::take(&mut product.variants).into_values();
        for mut variant in variants {
            count += 1;
            if count.is_multiple_of(2) {
                variant.sku = Some(format!("S{count}"));
            }
            if count.is_multiple_of(3) {
                let digits = format!("890126201{count:03}");
                variant.gtin = (0..10).find_map(|n| format!("{digits}{n}").parse::<Gtin>().ok());
            }
            product.variants.insert(VariantId::new(NOW, [count; 10]), variant);
        }
    }
    all
}

fn stocked(all: &[Product]) -> Shop {
    let shop = Neighbourhood::new().shop;
    let edits = all.iter().cloned().map(|product| Edit::PutProduct(Box::new(product))).collect();
    let by = shop.keys().node.id();
    shop.edit_catalogue(edits, by, None, NOW, &mut rng(4)).expect("they keep the limits");
    shop
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn another_shop_gets_every_part_of_every_product(
        all in proptest::collection::vec(product(), 1..6),
    ) {
        let all = numbered(all);
        let (here, there) = (stocked(&all), Neighbourhood::new().shop);
        let file = export(&here, Kind::Csv);
        let report = import(&there, Format::Csv, &file);
        prop_assert_eq!(&report.refused, &[], "{}", String::from_utf8_lossy(&file));
        prop_assert_eq!(said(products(&there)), said(all.clone()));
        let again = import(&there, Format::Csv, &file);
        prop_assert_eq!((again.products_changed, again.unchanged), (0, all.len() as u64));
        let home = import(&here, Format::Csv, &file);
        prop_assert_eq!((home.products_added, home.products_changed), (0, 0));
    }

    #[test]
    fn a_shopify_file_brings_every_part_back_too(
        all in proptest::collection::vec(product(), 1..6),
    ) {
        let mut all = numbered(all);
        for product in &mut all {
            // Browsers see no blanks at the ends of lines and one of several.
            let flat = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
            product.description = product.description.take().map(flat);
            for variant in product.variants.values_mut() {
                variant.label = variant.label.take().filter(|_| variant.sku.is_none());
            }
        }
        let (here, there) = (stocked(&all), Neighbourhood::new().shop);
        let file = export(&here, Kind::Shopify);
        let report = import(&there, Format::Shopify, &file);
        prop_assert_eq!(&report.refused, &[], "{}", String::from_utf8_lossy(&file));
        prop_assert_eq!(said(products(&there)), said(all));
    }
}

#[test]
fn a_cell_that_is_no_plan_no_deal_or_no_content_costs_its_line_and_says_how_it_is_written() {
    let shop = Neighbourhood::new().shop;
    let text = "name,price,planned,deals,content,age_min,counted,deposit\n\
                A,10,9 from tomorrow,,,,,\n\
                B,10,,two for one,,,,\n\
                C,10,,,500,,,\n\
                D,10,,,,old,,\n\
                E,10,,,,,maybe,\n\
                F,10,,,,,,20\n\
                G,10,9.50 from 2026-12-01T00:00:00Z,10% off from 2026-12-01T00:00:00Z,500 g,18,no,2\n";
    let report = import(&shop, Format::Csv, text.as_bytes());
    let refused: Vec<_> =
        report.refused.iter().map(|note| (note.line, note.code.as_str())).collect();
    let expected = [(2, "planned"), (3, "deals"), (4, "content"), (5, "age_min"), (6, "counted")];
    assert_eq!(refused[..5], expected);
    assert_eq!(refused[5..], [(7, "product")], "a deposit is a part of the price");
    assert!(report.refused[0].message.contains("45.00 from 2026-12-01T00:00:00Z until"));
    let all = products(&shop);
    let variant = all[0].variants.values().next().expect("one");
    assert_eq!((all.len(), all[0].age_min, all[0].counted), (1, Some(18), false));
    assert_eq!((variant.deposit, variant.planned.len(), variant.deals.len()), (Some(200), 1, 1));
}

#[test]
fn shopifys_unit_prices_say_what_is_in_a_pack_and_its_tags_what_finds_it() {
    let shop = Neighbourhood::new().shop;
    let text = "Handle,Title,Variant Price,Image Src,Tags,Unit Price Total Measure,\
                Unit Price Total Measure Unit\n\
                dal,Toor dal,120,,\"vegan, arhar\",500,g\n\
                oil,Oil,200,https://cdn.example/oil.jpg,,12,floz\n\
                tea,Tea,90,https://cdn.example/tea.jpg,,,\n";
    let report = import(&shop, Format::Shopify, text.as_bytes());
    let warned: Vec<_> =
        report.warnings.iter().map(|note| (note.line, note.code.as_str())).collect();
    assert_eq!(warned, [(3, "pictures"), (3, "measure-unit")], "pictures are named once");
    let all = products(&shop);
    let dal = all.iter().find(|product| product.name(Language::ENGLISH) == "Toor dal");
    let dal = dal.expect("it is in");
    assert_eq!(dal.diets.iter().collect::<Vec<_>>(), ["vegan"]);
    assert_eq!(dal.synonyms.iter().collect::<Vec<_>>(), ["arhar"]);
    let content = dal.variants.values().next().expect("one").content;
    assert_eq!(content, Quantity::new(500, Unit::Gram).ok());
}

#[test]
fn open_food_facts_fills_ingredients_allergens_diets_and_categories() {
    let shop = Neighbourhood::new().shop;
    let text = "code\tproduct_name\tgeneric_name\tingredients_text\tallergens\tlabels\tcategories\n\
                4006381333931\tNutti\tHazelnut spread\tSugar, nuts\ten:milk,en:nuts\t\
                Organic,en:vegetarian,Sans gluten\tSpreads, Sweet spreads, en:hazelnut-spreads\n";
    let report = import(&shop, Format::OpenFoodFacts, text.as_bytes());
    assert_eq!((report.products_added, report.refused_lines), (1, 0));
    let all = products(&shop);
    let joined = |words: &std::collections::BTreeSet<String>| {
        words.iter().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(all[0].ingredients.as_deref(), Some("Sugar, nuts"));
    assert_eq!(all[0].category.as_deref(), Some("hazelnut spreads"));
    assert_eq!(joined(&all[0].allergens), "milk nuts");
    assert_eq!(joined(&all[0].diets), "gluten-free vegetarian");
    assert_eq!(joined(&all[0].synonyms), "Hazelnut spread");
}

#[test]
fn the_shelf_goes_out_over_http_for_those_who_edit_it_and_see_its_stock() {
    let desk = Desk::open();
    let body = json!({ "name": "=cmd()", "variants": [{ "price": { "minor": 4500 } }] });
    assert_eq!(desk.as_owner("POST", "/v1/catalogue/products", &body).0, 201);
    let ask = |token: &str, path: &str| {
        let bearer = format!("authorization: Bearer {token}\r\n");
        let answer = desk.served.ask_with(&bearer, "GET", path, "", b"").expect("an answer");
        (answer.0, answer.1, String::from_utf8(answer.2).expect("text"))
    };
    let (status, kind, csv) = ask(&desk.owner, "/v1/catalogue/export");
    assert_eq!((status, kind.starts_with("text/csv")), (200, true));
    assert!(csv.starts_with("handle,") && csv.contains(",'=cmd(),") && csv.contains(",45.00,"));
    let (status, _, shopify) = ask(&desk.owner, "/v1/catalogue/export?format=shopify");
    assert_eq!((status, shopify.starts_with("Handle,Title,")), (200, true));
    assert_eq!(ask(&desk.owner, "/v1/catalogue/export?format=xml").0, 400);
    assert_eq!(desk.ask("", "GET", "/v1/catalogue/export", &Value::Null).0, 401);
    let courier = desk.working(7, "courier");
    assert_eq!(ask(&courier, "/v1/catalogue/export").0, 403);
    let left = desk.folder.path().join("imports");
    assert_eq!(std::fs::read_dir(left).expect("a folder").count(), 0, "nothing stays of it");
}
