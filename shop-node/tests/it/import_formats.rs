//! Files as other programs write them: exports of Shopify, feeds for Google, rows that go on with a
//! product.

use std::{collections::BTreeMap, io::Cursor};

use kirana_core::catalogue::product::{Language, Product};
use kirana_migrations::{StoreError, catalogue::chunks};
use kirana_shop::app::{
    Shop,
    import::{Format, NotImported, Order, Report, draw_id},
};

use crate::neighbour::{NOW, Neighbourhood, rng};

fn attempt(shop: &Shop, format: Format, text: &str) -> Result<Report, NotImported> {
    let begun = NOW.plus_ms(shop.imports(100).expect("read").len() as u64);
    let (order, mut rng) = (Order { format, ..Order::default() }, rng(11));
    let (id, by) = (draw_id(begun, &mut rng), shop.keys().node.id());
    shop.import(&order, Cursor::new(text), id, by, NOW, &mut rng)
}

fn import(shop: &Shop, format: Format, text: &str) -> Report {
    attempt(shop, format, text).expect("a report")
}

fn products(shop: &Shop) -> BTreeMap<String, Product> {
    let all = shop.database().reader.read(|c| -> Result<Vec<Product>, StoreError> {
        let mut products = Vec::new();
        for bucket in chunks::reached(c, shop.id())?.keys() {
            products.extend(chunks::load(c, shop.id(), *bucket)?.0.products());
        }
        Ok(products)
    });
    let named = |product: Product| (product.name(Language::ENGLISH).to_owned(), product);
    all.expect("read").into_iter().map(named).collect()
}

/// Variants by label and number, with their prices in minor units.
fn variants(product: &Product) -> BTreeMap<(&str, &str), Option<i64>> {
    let shown = product.variants.values().map(|variant| {
        let (label, sku) = (variant.label.as_deref(), variant.sku.as_deref());
        let price = variant.price.map(|price| price.minor);
        ((label.unwrap_or_default(), sku.unwrap_or_default()), price)
    });
    shown.collect()
}

fn refused(report: &Report) -> Vec<(u64, &str)> {
    report.refused.iter().map(|note| (note.line, note.code.as_str())).collect()
}

fn warned(report: &Report) -> Vec<(u64, &str)> {
    report.warnings.iter().map(|note| (note.line, note.code.as_str())).collect()
}

fn on_hand(shop: &Shop) -> u64 {
    shop.stock(None, 5_000, NOW).expect("read").iter().map(|row| row.balance.on_hand).sum()
}

const OLD: &str = "\
Handle,Title,Body (HTML),Vendor,Product Category,Type,Option1 Name,Option1 Value,Option2 Value,\
Variant SKU,Variant Inventory Qty,Variant Price,Variant Barcode,Image Src,Gift Card,Status
tea,Assam tea,\"<p>Strong &amp; <b>malty</b></p><script>alert(1)</script>
<ul><li>Loose</li></ul>\",Asha,Food > Tea,Tea,Size,100 g,Tin,T1,5,120.00,4006381333931,a.jpg,false,active
tea,,,,,,,250 g,Tin,T2,-2,260.50,,b.jpg,,
tea,,,,,,,,,,,,,c.jpg,,
salt,Salt,plain,,,,Title,Default Title,,S1,9,20,,,false,active
card,Gift card,,,,,Title,Default Title,,,,500,,,true,active
cake,Cake,,,,,Title,Default Title,,C1,,300,,,false,draft
evil,<script>alert(1)</script>,,,,,Title,Default Title,,E1,,=cmd(),,,false,active
rice,Rice,,,,,Size,1 kg,,R1,,-5,,,false,active
rice,,,,,,,5 kg,,R5,,400,4006381333932,,,
rice,,,,,,,5 kg,,R5,,400,,,,
";

#[test]
fn a_shopify_export_comes_in_with_variants_text_and_what_is_not_on_sale() {
    let shop = Neighbourhood::new().shop;
    let report = import(&shop, Format::Shopify, OLD);
    assert_eq!(
        refused(&report),
        [(7, "gift-card"), (9, "price"), (10, "price-negative"), (12, "sku-twice")]
    );
    let warnings = [(2, "pictures"), (4, "stock-negative"), (8, "not-on-sale"), (11, "gtin")];
    assert_eq!(warned(&report), warnings);
    assert_eq!((report.rows_read, report.products_added), (10, 4));
    let shelf = products(&shop);
    let tea = &shelf["Assam tea"];
    let expected = [(("100 g / Tin", "T1"), Some(12_000)), (("250 g / Tin", "T2"), Some(26_050))];
    assert_eq!(variants(tea), expected.into());
    assert_eq!(tea.description.as_deref(), Some("Strong & malty\nLoose"));
    assert_eq!((tea.brand.as_deref(), tea.category.as_deref()), (Some("Asha"), Some("Tea")));
    assert_eq!(variants(&shelf["Salt"]), [(("", "S1"), Some(2_000))].into());
    assert_eq!(variants(&shelf["Rice"]), [(("5 kg", "R5"), Some(40_000))].into());
    assert!(shelf["Cake"].delisted && !tea.delisted);
    assert_eq!(on_hand(&shop), 14);
}

#[test]
fn a_shopify_export_repeated_changes_nothing_and_a_new_variant_is_added() {
    let shop = Neighbourhood::new().shop;
    import(&shop, Format::Shopify, OLD);
    let before = products(&shop);
    let again = import(&shop, Format::Shopify, OLD);
    assert_eq!((again.products_added, again.products_changed, again.unchanged), (0, 0, 4));
    assert_eq!(products(&shop), before);
    let more = "tea,,,,,,,1 kg,Bag,T3,4,900,,,,\nsalt,";
    let grown = import(&shop, Format::Shopify, &OLD.replacen("salt,", more, 1));
    assert_eq!((grown.products_added, grown.products_changed), (0, 1));
    let (tea, tea_before) = (&products(&shop)["Assam tea"], &before["Assam tea"]);
    assert_eq!(tea.variants.len(), 3);
    assert!(tea_before.variants.keys().all(|id| tea.variants.contains_key(id)), "ids stay");
    assert_eq!(on_hand(&shop), 18, "what is new comes with its stock");
}

#[test]
fn shopifys_new_column_names_give_the_same_shelf() {
    let new = [
        ("Handle", "URL handle"),
        ("Body (HTML)", "Description"),
        ("Product Category", "Product category"),
        ("Option1 Name,Option1 Value,Option2 Value", "Option1 name,Option1 value,Option2 value"),
        ("Variant SKU", "SKU"),
        ("Variant Inventory Qty", "Inventory quantity"),
        ("Variant Price", "Price"),
        ("Variant Barcode", "Barcode"),
        ("Image Src", "Product image URL"),
        ("Gift Card", "Gift card"),
    ];
    let renamed = new.iter().fold(OLD.to_owned(), |text, (old, new)| text.replacen(old, new, 1));
    let (old_shop, new_shop) = (Neighbourhood::new().shop, Neighbourhood::new().shop);
    let old = import(&old_shop, Format::Shopify, OLD);
    let new = import(&new_shop, Format::Shopify, &renamed);
    assert_eq!((old.refused, old.warnings), (new.refused, new.warnings));
    assert_eq!(products(&old_shop), products(&new_shop));
}

#[test]
fn rows_of_any_csv_with_one_handle_are_variants_of_one_product() {
    let shop = Neighbourhood::new().shop;
    let text = "handle,name,label,price,tax_percent\noil,Oil,1 l,150,5\noil,,5 l,700,12\n\
                oil,,1 l,160,\n,Salt,,20,\nghee,,1 l,5,\n";
    let report = import(&shop, Format::Csv, text);
    assert_eq!(refused(&report), [(4, "variant-twice"), (6, "name")]);
    let oil = &products(&shop)["Oil"];
    assert_eq!(variants(oil), [(("1 l", ""), Some(15_000)), (("5 l", ""), Some(70_000))].into());
    let taxes: Vec<_> = oil.variants.values().map(|variant| variant.tax_bp).collect();
    assert!(taxes.contains(&Some(1_200)) && taxes.contains(&None) && oil.tax_bp == 500);
    let again = import(&shop, Format::Csv, text);
    assert_eq!((again.products_added, again.products_changed, again.unchanged), (0, 0, 2));
}

#[test]
fn a_variant_that_another_product_has_is_not_taken_from_it() {
    let shop = Neighbourhood::new().shop;
    import(&shop, Format::Csv, "sku,name,price\nA1,Rice,45\n");
    import(&shop, Format::Csv, "handle,name,sku,price\ntea,Tea,T1,10\n");
    let report = import(&shop, Format::Csv, "handle,name,sku,price\ntea,Tea,T1,11\ntea,,A1,12\n");
    assert_eq!(refused(&report), [(3, "other-product")]);
    assert_eq!(variants(&products(&shop)["Rice"]), [(("", "A1"), Some(4_500))].into());
    assert_eq!(variants(&products(&shop)["Tea"]), [(("", "T1"), Some(1_100))].into());
}

const FEED: &str = "<?xml version=\"1.0\"?>
<rss version=\"2.0\" xmlns:g=\"http://base.google.com/ns/1.0\"><channel><title>Asha</title>
<item><g:id>T1</g:id><g:title>Tea 100 g</g:title><g:price>120.00 INR</g:price>
<g:item_group_id>tea</g:item_group_id><g:size>100 g</g:size><g:gtin>4006381333931</g:gtin>
<g:description>&lt;p&gt;Strong&lt;/p&gt;</g:description>
<g:shipping><g:price>50 INR</g:price></g:shipping></item>
<item><g:id>S1</g:id><title><![CDATA[Salt & more]]></title><g:price>INR 20</g:price></item>
<item><g:id>T2</g:id><g:title>Tea 250 g</g:title><g:price>260.50 INR</g:price>
<g:item_group_id>tea</g:item_group_id><g:size>250 g</g:size></item>
<item><g:id>X1</g:id><g:title>Imported</g:title><g:price>9.99 USD</g:price></item>
<item><g:id>N1</g:id><g:price>1 INR</g:price></item>
</channel></rss>
";

#[test]
fn a_google_feed_comes_in_with_its_groups_wherever_their_items_stand() {
    let shop = Neighbourhood::new().shop;
    let report = import(&shop, Format::Google, FEED);
    assert_eq!(refused(&report), [(10, "price"), (11, "name")]);
    let shelf = products(&shop);
    assert_eq!(shelf.keys().collect::<Vec<_>>(), ["Salt & more", "Tea 100 g"]);
    let tea = &shelf["Tea 100 g"];
    let expected = [(("100 g", "T1"), Some(12_000)), (("250 g", "T2"), Some(26_050))];
    assert_eq!(variants(tea), expected.into());
    assert_eq!(tea.description.as_deref(), Some("Strong"));
    let again = import(&shop, Format::Google, FEED);
    assert_eq!((again.products_added, again.products_changed), (0, 0));
    assert_eq!(products(&shop), shelf);
}

#[test]
fn a_google_feed_with_tabs_means_the_same() {
    let shop = Neighbourhood::new().shop;
    let text = "id\ttitle\tprice\titem group id\tsize\tgtin\tdescription\n\
                T1\tTea 100 g\t120.00 INR\ttea\t100 g\t4006381333931\t<p>Strong</p>\n\
                S1\tSalt & more\tINR 20\t\t\t\t\n\
                T2\tTea 250 g\t260.50 INR\ttea\t250 g\t\t\n";
    import(&shop, Format::Google, text);
    let other = Neighbourhood::new().shop;
    import(&other, Format::Google, FEED);
    assert_eq!(products(&shop), products(&other));
}

#[test]
fn a_feed_that_is_no_xml_to_its_end_keeps_what_came_before_and_says_so() {
    let shop = Neighbourhood::new().shop;
    let cut = FEED.split("<item><g:id>T2").next().expect("a part").to_owned() + "<item><g:id>T2";
    let refused = attempt(&shop, Format::Google, &cut).expect_err("it is cut");
    assert!(refused.to_string().contains("inside an item"), "{refused}");
    let report = shop.imports(1).expect("read").pop().expect("an import");
    assert!(report.problem.expect("why").contains("inside an item"));
    let page = "<!DOCTYPE html><html><body>no table</body></html>";
    for format in [Format::Csv, Format::Shopify] {
        let refused = attempt(&shop, format, page).expect_err("a page").to_string();
        assert!(refused.contains("a web page"), "{refused}");
    }
}

#[test]
fn open_food_facts_dump_has_tabs_and_no_quotes() {
    let shop = Neighbourhood::new().shop;
    let text = "code\tproduct_name\tbrands\tquantity\n4006381333931\t\"Fine\" tea\tAsha\t100 g\n\
                4006381333948\t\"Open\tAsha\t\n";
    let report = import(&shop, Format::OpenFoodFacts, text);
    assert_eq!((report.products_added, report.refused_lines), (2, 0));
    assert!(products(&shop).contains_key("\"Open"));
}
