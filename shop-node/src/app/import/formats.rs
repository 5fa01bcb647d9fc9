//! Formats of others: which of their columns mean what, by the names that they have and had.

use super::rows::Field;

/// Columns of a format in small letters, each with the field that it is. Of two columns with one
/// field the one that stands first here counts.
type Columns = [(&'static str, &'static str)];

/// Open Food Facts' dump, and the cuttings of it that are handed around.
pub(super) const OPEN_FOOD_FACTS: &Columns = &[
    ("gtin", "gtin"),
    ("code", "gtin"),
    ("name", "name"),
    ("product_name", "name"),
    ("brands", "brand"),
    ("quantity", "label"),
    ("generic_name", "synonym"),
    ("ingredients", "ingredients"),
    ("ingredients_text", "ingredients"),
    ("allergens", "allergen_tags"),
    ("labels_tags", "label_tags"),
    ("labels_en", "label_tags"),
    ("labels", "label_tags"),
    ("main_category_en", "category_path"),
    ("categories_en", "category_path"),
    ("categories", "category_path"),
    ("image_url", "picture"),
];

/// Shopify's product CSV, as it is since 2025 and as it was before:
/// help.shopify.com/manual/products/import-export/using-csv.
pub(super) const SHOPIFY: &Columns = &[
    ("url handle", "handle"),
    ("handle", "handle"),
    ("title", "name"),
    ("description", "html"),
    ("body (html)", "html"),
    ("vendor", "brand"),
    ("type", "category"),
    ("product category", "category"),
    ("status", "status"),
    ("gift card", "gift_card"),
    ("option1 value", "option1"),
    ("option2 value", "option2"),
    ("option3 value", "option3"),
    ("sku", "sku"),
    ("variant sku", "sku"),
    ("barcode", "gtin"),
    ("variant barcode", "gtin"),
    ("price", "price"),
    ("variant price", "price"),
    ("inventory quantity", "stock"),
    ("variant inventory qty", "stock"),
    ("tags", "tags"),
    ("image src", "picture"),
    ("product image url", "picture"),
    ("unit price total measure", "measure"),
    ("unit price total measure unit", "measure_unit"),
];

/// What Shopify's file has no column for stands in columns of this kind, as fields of products that
/// a shop made up itself are called there. Shopify keeps those that it was told of, of a product as
/// a whole; others it passes over.
pub(super) const OWN: (&str, &str) = ("(product.metafields.kirana.", ")");

/// The name of such a column of ours.
pub(in crate::app) fn own_column(field: &str) -> String {
    // A point has a meaning of its own there.
    format!("{field} {}{}{}", OWN.0, field.replace('.', "_"), OWN.1)
}

fn own_field(column: &str) -> Option<String> {
    let (_, name) = column.trim().strip_suffix(OWN.1)?.split_once(OWN.0)?;
    let name = match name.strip_prefix("name_") {
        Some(language) => format!("name.{language}"),
        None => name.to_owned(),
    };
    Field::named(&name).map(|_| name)
}

/// Google's product data: support.google.com/merchants/answer/7052112. Spaces may stand for the
/// underscores, and `g:` before a name.
pub(super) const GOOGLE: &Columns = &[
    ("id", "sku"),
    ("title", "name"),
    ("description", "html"),
    ("price", "price"),
    ("gtin", "gtin"),
    ("brand", "brand"),
    ("product_type", "category"),
    ("google_product_category", "category"),
    ("item_group_id", "handle"),
    ("color", "option1"),
    ("size", "option2"),
    ("pattern", "option3"),
    ("material", "option4"),
];

/// The columns of a file that a format knows, by the names that they have in the file.
pub(super) fn known(
    columns: &Columns,
    header: &[String],
) -> std::collections::BTreeMap<String, String> {
    let plain = |name: &str| {
        let name = name.trim().to_lowercase();
        name.strip_prefix("g:").map_or(name.clone(), str::to_owned)
    };
    let is =
        |name: &str, known: &str| plain(name) == known || plain(name).replace(' ', "_") == known;
    let mut map = std::collections::BTreeMap::new();
    for column in header {
        if let Some(field) = own_field(column) {
            map.insert(column.trim().to_owned(), field);
        }
    }
    // Our own file says in full what its tags say in part.
    let is_own = map.values().any(|field| field == "synonyms");
    for (known, field) in columns {
        debug_assert!(Field::named(field).is_some(), "{field}");
        let found = header.iter().find(|name| is(name, known));
        let is_said = map.values().any(|taken| taken == field) || is_own && *field == "tags";
        if let Some(column) = found.filter(|_| !is_said) {
            map.insert(column.trim().to_owned(), (*field).to_owned());
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(columns: &Columns, header: &str) -> Vec<(String, String)> {
        let header: Vec<String> = header.split(',').map(str::to_owned).collect();
        known(columns, &header).into_iter().collect()
    }

    #[test]
    fn shopifys_old_and_new_names_mean_the_same() {
        let new = "Title,URL handle,Description,SKU,Barcode,Option1 value,Price,Inventory quantity";
        let old = "Handle,Title,Body (HTML),Option1 Value,Variant SKU,Variant Price,\
                   Variant Barcode,Variant Inventory Qty";
        let means = |header| {
            let mut fields: Vec<_> = fields(SHOPIFY, header).into_iter().map(|(_, f)| f).collect();
            fields.sort();
            fields
        };
        assert_eq!(means(new), means(old));
        assert_eq!(means(new).len(), 8);
    }

    #[test]
    fn a_second_column_of_one_field_is_passed_over() {
        let found = fields(SHOPIFY, "Title,Product category,Type");
        assert_eq!(found[1], ("Type".to_owned(), "category".to_owned()));
        assert_eq!(found.len(), 2);
        assert_eq!(fields(GOOGLE, "g:item group id")[0].1, "handle");
    }
}
