//! Writes the shelf as a file: for `import` here or at another shop, or for other programs.
//!
//! **Invariants:** no cell is a formula, whatever somebody typed; what `import` reads back from a
//! CSV is what was written: products on the shelf, and of them all that the columns name.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use kirana_core::{
    catalogue::product::{Language, Product, Variant},
    id::VariantId,
    money::Price,
    quantity::Unit,
};
use kirana_migrations::{
    StoreError,
    catalogue::{
        self,
        search::{PAGE_MAX, Query, search},
    },
    rusqlite::Connection,
};

use super::{Shop, export::defused};
use crate::store::stock;

/// For whom a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For `import --format csv`: each column has the name of a field.
    Csv,
    /// For shops on Shopify, by the names of columns that its product CSV always had.
    Shopify,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "csv" => Ok(Self::Csv),
            "shopify" => Ok(Self::Shopify),
            other => Err(format!("there is no format {other:?} to export: use csv or shopify")),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Products.
    pub products: u64,
    /// Lines below the header: one for each variant.
    pub lines: u64,
}

/// Why no file came of it.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Csv(#[from] csv::Error),
    /// Its last bytes cannot.
    #[error("the file cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Shop {
    /// Writes every product on the shelf, one variant to a line, in one state of the database.
    ///
    /// # Errors
    /// [`NotWritten`].
    pub fn write_products(&self, kind: Kind, file: impl Write) -> Result<Written, NotWritten> {
        let mut file = csv::Writer::from_writer(file);
        let mut written = Written::default();
        self.reader().read(|c| -> Result<(), NotWritten> {
            let mut languages = BTreeSet::new();
            if kind == Kind::Csv {
                each_product(c, &mut |product| {
                    languages.extend(product.names.keys().copied());
                    Ok(())
                })?;
                languages.remove(&Language::ENGLISH);
            }
            let columns = Columns { kind, languages };
            write(c, &columns, &mut file, &mut written)
        })?;
        file.flush()?;
        Ok(written)
    }
}

fn write(
    c: &Connection,
    columns: &Columns,
    file: &mut csv::Writer<impl Write>,
    written: &mut Written,
) -> Result<(), NotWritten> {
    file.write_record(columns.header())?;
    each_product(c, &mut |product| {
        written.products += 1;
        for (n, (id, variant)) in product.variants.iter().enumerate() {
            let row = Row { product, id: *id, variant, is_first: n == 0 };
            let on_hand = stock::total(c, *id)?.on_hand;
            file.write_record(columns.cells(&row, on_hand).into_iter().map(defused))?;
            written.lines += 1;
        }
        Ok(())
    })
}

/// Hands over each product on the shelf.
fn each_product(
    c: &Connection,
    take: &mut dyn FnMut(&Product) -> Result<(), NotWritten>,
) -> Result<(), NotWritten> {
    let mut query = Query { limit: PAGE_MAX, ..Query::default() };
    loop {
        let page = search(c, &query)?;
        for row in &page.rows {
            take(&catalogue::shelved_at(c, *row)?.product)?;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// A variant on its way into a line.
struct Row<'p> {
    product: &'p Product,
    id: VariantId,
    variant: &'p Variant,
    is_first: bool,
}

impl Row<'_> {
    fn name(&self) -> &str {
        let names = &self.product.names;
        names.get(&Language::ENGLISH).or(names.values().next()).map_or("", String::as_str)
    }

    fn tax_bp(&self) -> u32 {
        self.variant.tax_bp.unwrap_or(self.product.tax_bp)
    }

    /// What tells it from its siblings, also where nobody said so.
    fn option(&self) -> String {
        match (&self.variant.label, self.product.variants.len()) {
            (Some(label), _) => label.clone(),
            (None, 1) => "Default Title".to_owned(),
            (None, _) => self.variant.sku.clone().unwrap_or_else(|| self.id.to_string()),
        }
    }
}

/// The columns of a file.
struct Columns {
    kind: Kind,
    languages: BTreeSet<Language>,
}

const CSV: [&str; 15] = [
    "handle",
    "sku",
    "gtin",
    "name",
    "label",
    "brand",
    "category",
    "description",
    "synonyms",
    "unit",
    "price",
    "price_per",
    "step",
    "min",
    "tax_bp",
];

const SHOPIFY: [&str; 20] = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Fulfillment Service",
    "Variant Price",
    "Variant Requires Shipping",
    "Variant Taxable",
    "Variant Barcode",
    "Status",
];

impl Columns {
    fn header(&self) -> Vec<String> {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut header: Vec<String> = match self.kind {
            Kind::Csv => named(&CSV),
            Kind::Shopify => named(&SHOPIFY),
        };
        if self.kind == Kind::Csv {
            header.push("stock".to_owned());
            header.extend(self.languages.iter().map(|language| format!("name.{language}")));
        }
        header
    }

    fn cells(&self, row: &Row<'_>, on_hand: u64) -> Vec<String> {
        match self.kind {
            Kind::Csv => self.csv(row, on_hand),
            Kind::Shopify => shopify(row, on_hand),
        }
    }

    fn csv(&self, row: &Row<'_>, on_hand: u64) -> Vec<String> {
        let (product, variant) = (row.product, row.variant);
        let synonyms: Vec<&str> = product.synonyms.iter().map(String::as_str).collect();
        let price = variant.price;
        let mut cells = vec![
            product.id.to_string(),
            text(&variant.sku),
            variant.gtin.map(|gtin| gtin.to_string()).unwrap_or_default(),
            product.names.get(&Language::ENGLISH).cloned().unwrap_or_default(),
            text(&variant.label),
            text(&product.brand),
            text(&product.category),
            text(&product.description),
            synonyms.join("|"),
            variant.unit.to_string(),
            price.map(amount).unwrap_or_default(),
            price.map(|price| price.per.to_string()).unwrap_or_default(),
            variant.step.to_string(),
            variant.min.to_string(),
            row.tax_bp().to_string(),
            on_hand.to_string(),
        ];
        let names = self.languages.iter().map(|language| product.names.get(language));
        cells.extend(names.map(|name| name.cloned().unwrap_or_default()));
        cells
    }
}

/// One line of a Shopify file. Shopify counts pieces, so loose goods are sold there by what their
/// price is for, such as 1,000 g.
fn shopify(row: &Row<'_>, on_hand: u64) -> Vec<String> {
    let (product, variant) = (row.product, row.variant);
    let only_first = |cell: String| if row.is_first { cell } else { String::new() };
    let per = variant.price.map_or(1, |price| price.per.max(1));
    let grams = if variant.unit == Unit::Gram { per } else { 0 };
    let option = match variant.unit {
        Unit::Piece => row.option(),
        unit => match &variant.label {
            Some(label) => label.clone(),
            None => format!("{per} {unit}"),
        },
    };
    let name = if option == "Default Title" { "Title" } else { "Size" };
    let tags: BTreeMap<&str, ()> =
        product.synonyms.iter().chain(&product.diets).map(|tag| (tag.as_str(), ())).collect();
    vec![
        product.id.to_string(),
        only_first(row.name().to_owned()),
        only_first(escaped(product.description.as_deref().unwrap_or_default())),
        only_first(text(&product.brand)),
        only_first(text(&product.category)),
        only_first(tags.into_keys().collect::<Vec<_>>().join(", ")),
        only_first("true".to_owned()),
        only_first(name.to_owned()),
        option,
        text(&variant.sku),
        grams.to_string(),
        if product.counted { "shopify".to_owned() } else { String::new() },
        if product.counted { (on_hand / per).to_string() } else { String::new() },
        if product.counted { "deny" } else { "continue" }.to_owned(),
        "manual".to_owned(),
        variant.price.map(amount).unwrap_or_default(),
        "true".to_owned(),
        if row.tax_bp() > 0 { "true" } else { "false" }.to_owned(),
        variant.gtin.map(|gtin| gtin.to_string()).unwrap_or_default(),
        only_first("active".to_owned()),
    ]
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

/// A price in whole units and hundredths, or what its currency has, with a point.
fn amount(price: Price) -> String {
    let decimals = price.currency.decimals();
    let (scale, minor) = (10_u64.pow(decimals), price.minor.unsigned_abs());
    match decimals {
        0 => minor.to_string(),
        digits => format!("{}.{:02$}", minor / scale, minor % scale, digits as usize),
    }
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>\n")
}
