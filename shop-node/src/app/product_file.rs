//! Writes the shelf as a file: for `import` here or at another shop, or for other programs.
//!
//! **Invariants:** no cell is a formula, whatever somebody typed; what `import` reads back from a
//! CSV is what was written: products on the shelf, with all that a product has but its picture. A
//! Shopify file has the same in columns of our own; what it cannot carry is named at [`shopify`].

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use kirana_core::{
    catalogue::product::{Language, Product, Variant},
    id::VariantId,
    money::Currency,
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

use super::{
    Shop,
    cells::{self, defused},
    import::own_column,
};
use crate::store::stock;

/// For whom a file is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExportFormat)]
pub enum Kind {
    /// For `import --format csv`: each column has the name of a field.
    #[default]
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
            each_product(c, &mut |product| {
                languages.extend(product.names.keys().copied());
                Ok(())
            })?;
            languages.remove(&Language::ENGLISH);
            let columns = Columns { kind, languages, currency: self.identity().currency };
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

    fn money(&self, minor: Option<u64>, usual: Currency) -> String {
        let currency = self.variant.price.map_or(usual, |price| price.currency);
        minor.map(|minor| cells::amount(minor, currency)).unwrap_or_default()
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
    currency: Currency,
}

/// The columns of a CSV that Shopify's file has columns for.
const CSV: [&str; 10] = [
    "handle",
    "sku",
    "gtin",
    "name",
    "label",
    "brand",
    "category",
    "description",
    "price",
    "stock",
];

/// Those that it has none for: of the product, then of the variant.
const OF_PRODUCT: [&str; 9] = [
    "synonyms",
    "ingredients",
    "diets",
    "allergens",
    "age_min",
    "storage",
    "hsn",
    "counted",
    "product_tax_bp",
];
const OF_VARIANT: [&str; 13] = [
    "variant",
    "unit",
    "price_per",
    "step",
    "min",
    "content",
    "tax_bp",
    "deposit",
    "max_price",
    "tolerance_bp",
    "safety",
    "planned",
    "deals",
];

const SHOPIFY: [&str; 24] = [
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
    "Unit Price Total Measure",
    "Unit Price Total Measure Unit",
    "Unit Price Base Measure",
    "Unit Price Base Measure Unit",
];

impl Columns {
    fn header(&self) -> Vec<String> {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut header: Vec<String> = match self.kind {
            Kind::Csv => named(&CSV),
            Kind::Shopify => named(&SHOPIFY),
        };
        let ours = OF_PRODUCT.iter().chain(&OF_VARIANT).map(|name| (*name).to_owned());
        let ours = ours.chain(self.languages.iter().map(|language| format!("name.{language}")));
        header.extend(ours.map(|name| match self.kind {
            Kind::Csv => name,
            Kind::Shopify => own_column(&name),
        }));
        header
    }

    fn cells(&self, row: &Row<'_>, on_hand: u64) -> Vec<String> {
        // Of a product, Shopify wants its first line to speak only.
        let is_told = self.kind == Kind::Csv || row.is_first;
        let only_told = |cell: String| if is_told { cell } else { String::new() };
        let mut cells = match self.kind {
            Kind::Csv => csv(row, on_hand),
            Kind::Shopify => shopify(row, on_hand),
        };
        cells.extend(of_product(row.product).map(only_told));
        cells.extend(self.of_variant(row));
        let names = self.languages.iter().map(|language| row.product.names.get(language));
        cells.extend(names.map(|name| only_told(name.cloned().unwrap_or_default())));
        cells
    }

    fn of_variant(&self, row: &Row<'_>) -> [String; OF_VARIANT.len()] {
        let variant = row.variant;
        let content =
            variant.content.map(|content| format!("{} {}", content.amount(), content.unit()));
        [
            row.id.to_string(),
            variant.unit.to_string(),
            variant.price.map(|price| price.per.to_string()).unwrap_or_default(),
            variant.step.to_string(),
            variant.min.to_string(),
            content.unwrap_or_default(),
            row.tax_bp().to_string(),
            row.money(variant.deposit, self.currency),
            row.money(variant.max_price, self.currency),
            variant.tolerance_bp.to_string(),
            variant.safety.to_string(),
            cells::planned(&variant.planned),
            cells::deals(&variant.deals),
        ]
    }
}

fn csv(row: &Row<'_>, on_hand: u64) -> Vec<String> {
    let (product, variant) = (row.product, row.variant);
    vec![
        product.id.to_string(),
        text(&variant.sku),
        variant.gtin.map(|gtin| gtin.to_string()).unwrap_or_default(),
        product.names.get(&Language::ENGLISH).cloned().unwrap_or_default(),
        text(&variant.label),
        text(&product.brand),
        text(&product.category),
        text(&product.description),
        variant.price.map(cells::price).unwrap_or_default(),
        on_hand.to_string(),
    ]
}

fn of_product(product: &Product) -> impl Iterator<Item = String> {
    let cells: [String; OF_PRODUCT.len()] = [
        cells::list(&product.synonyms),
        text(&product.ingredients),
        cells::list(&product.diets),
        cells::list(&product.allergens),
        product.age_min.map(|age| age.to_string()).unwrap_or_default(),
        text(&product.storage),
        text(&product.hsn),
        product.counted.to_string(),
        product.tax_bp.to_string(),
    ];
    cells.into_iter()
}

/// What Shopify's own columns say of a variant. Shopify counts pieces, so loose goods are sold there
/// by what their price is for, such as 1,000 g, and a stock that is no multiple of it is rounded
/// down; of a description the blank lines are lost, and a name that is not English comes back as the
/// English one too. Pictures are not in it.
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
    let mut cells = vec![
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
        variant.price.map(cells::price).unwrap_or_default(),
        "true".to_owned(),
        if row.tax_bp() > 0 { "true" } else { "false" }.to_owned(),
        variant.gtin.map(|gtin| gtin.to_string()).unwrap_or_default(),
        only_first("active".to_owned()),
    ];
    cells.extend(unit_price(variant, per));
    cells
}

/// How much a price is for, and how much it is compared by, as Shopify shows unit prices.
fn unit_price(variant: &Variant, per: u64) -> [String; 4] {
    let measured = match (variant.unit, variant.content) {
        (Unit::Piece, Some(content)) if content.unit() != Unit::Piece => {
            Some((content.amount(), content.unit()))
        }
        (Unit::Piece, _) => None,
        (loose, _) => Some((per, loose)),
    };
    let Some((amount, unit)) = measured else { return Default::default() };
    let base = if unit == Unit::Gram { "kg" } else { "l" };
    [amount.to_string(), unit.to_string(), "1".to_owned(), base.to_owned()]
}

fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_default()
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>\n")
}
