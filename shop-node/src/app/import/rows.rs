//! What a row of a product file says: each column has a meaning, each cell is read or refused.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::product::{
        DESCRIPTION_CHARS_MAX, Language, NAME_CHARS_MAX, PRICE_MINOR_MAX, TAX_BP_MAX,
        TEXT_CHARS_MAX,
    },
    gtin::Gtin,
    money::{Currency, Price},
    quantity::{Measure, Quantity, Unit},
};

use super::numbers::{self, Locale, NotANumber};

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The number under the barcode.
    Gtin,
    /// The shop's own number.
    Sku,
    /// A name, in one language.
    Name(Language),
    /// Words that should find it too, with `|` between them.
    Synonyms,
    /// Who makes it.
    Brand,
    /// The shelf.
    Category,
    /// Ingredients or a sentence.
    Description,
    /// What tells a variant from its siblings.
    Label,
    /// The price, as people write it.
    Price,
    /// For how much of the row's unit the price is; one of it if left out.
    PricePer,
    /// `piece`, `g`, `kg`, `ml` or `l`: what the row's amounts and its price are in.
    Unit,
    /// Quantities are multiples of this, in the row's unit.
    Step,
    /// The least that is sold, in the row's unit.
    Min,
    /// Tax in basis points.
    TaxBp,
    /// Tax in per cent.
    TaxPercent,
    /// What lies in the shop when a product comes in for the first time, in the row's unit.
    Stock,
}

impl Field {
    /// The field of a name in a map: `gtin`, `name`, `name.hi`, `price`…
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gtin" => Self::Gtin,
            "sku" => Self::Sku,
            "name" => Self::Name(Language::ENGLISH),
            "synonyms" => Self::Synonyms,
            "brand" => Self::Brand,
            "category" => Self::Category,
            "description" => Self::Description,
            "label" => Self::Label,
            "price" => Self::Price,
            "price_per" => Self::PricePer,
            "unit" => Self::Unit,
            "step" => Self::Step,
            "min" => Self::Min,
            "tax_bp" => Self::TaxBp,
            "tax_percent" => Self::TaxPercent,
            "stock" => Self::Stock,
            other => Self::Name(other.strip_prefix("name.")?.parse().ok()?),
        })
    }
}

/// Where each field stands in a record.
pub type Columns = BTreeMap<Field, usize>;

/// What one row says; a field without a column or with an empty cell is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    pub(super) line: u64,
    pub(super) gtin: Option<Gtin>,
    pub(super) sku: Option<String>,
    pub(super) names: BTreeMap<Language, String>,
    pub(super) synonyms: Vec<String>,
    pub(super) brand: Option<String>,
    pub(super) category: Option<String>,
    pub(super) description: Option<String>,
    pub(super) label: Option<String>,
    pub(super) price: Option<Price>,
    pub(super) unit: Option<Unit>,
    pub(super) step: Option<u64>,
    pub(super) min: Option<u64>,
    pub(super) tax_bp: Option<u32>,
    pub(super) stock: Option<u64>,
}

/// A line that something is said about.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// The physical line where the record starts, from 1 on.
    pub line: u64,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl Note {
    pub(super) fn new(line: u64, code: &str, message: impl Into<String>) -> Self {
        Self { line, code: code.to_owned(), message: message.into() }
    }
}

/// How cells are read.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub(super) locale: Locale,
    pub(super) currency: Currency,
}

/// Reads a record; what is odd but harmless goes to `warnings`.
///
/// # Errors
/// The note about the first cell for which the line is refused.
pub fn read(
    line: u64,
    record: &csv::StringRecord,
    columns: &Columns,
    manner: Manner,
    warnings: &mut Vec<Note>,
) -> Result<Row, Note> {
    let mut row = Row { line, ..Row::default() };
    let mut minor = None;
    let mut measure = Measure::PIECE;
    let mut amounts = BTreeMap::new();
    for (field, column) in columns {
        let cell = record.get(*column).unwrap_or_default().trim();
        if cell.contains('\0') {
            return Err(Note::new(line, "nul", "the line holds a NUL character"));
        }
        if cell.is_empty() {
            continue;
        }
        match field {
            Field::Gtin => match cell.parse() {
                Ok(gtin) => row.gtin = Some(gtin),
                Err(why) => warnings.push(Note::new(line, "gtin", format!("{cell}: {why}"))),
            },
            Field::Sku => row.sku = Some(text(line, "sku", cell, TEXT_CHARS_MAX)?),
            Field::Name(language) => {
                row.names.insert(*language, text(line, "name", cell, NAME_CHARS_MAX)?);
            }
            Field::Synonyms => {
                for word in cell.split('|').map(str::trim).filter(|word| !word.is_empty()) {
                    row.synonyms.push(text(line, "synonyms", word, TEXT_CHARS_MAX)?);
                }
            }
            Field::Brand => row.brand = Some(text(line, "brand", cell, TEXT_CHARS_MAX)?),
            Field::Category => row.category = Some(text(line, "category", cell, TEXT_CHARS_MAX)?),
            Field::Description => row.description = Some(cut(line, cell, warnings)),
            Field::Label => row.label = Some(text(line, "label", cell, NAME_CHARS_MAX)?),
            Field::Price => minor = Some(price(line, cell, manner)?),
            Field::Unit => {
                measure = Measure::named(cell).ok_or_else(|| {
                    let message = format!("{cell}: a unit is one of: piece, g, kg, ml, l");
                    Note::new(line, "unit", message)
                })?;
                row.unit = Some(measure.base);
            }
            // Read below, when the row's unit is known.
            Field::PricePer | Field::Step | Field::Min | Field::Stock => {
                amounts.insert(*field, cell);
            }
            Field::TaxBp => row.tax_bp = Some(tax(line, cell, manner, 0)?),
            Field::TaxPercent => row.tax_bp = Some(tax(line, cell, manner, 2)?),
        }
    }
    let in_base = |field, code, least| {
        let cell = amounts.get(&field);
        let read = |cell: &&str| amount(line, code, cell, (measure, least), manner.locale);
        cell.map(read).transpose()
    };
    row.step = in_base(Field::Step, "step", 1)?;
    row.min = in_base(Field::Min, "min", 1)?;
    row.stock = in_base(Field::Stock, "stock", 0)?;
    let per = in_base(Field::PricePer, "price_per", 1)?.unwrap_or(measure.one());
    row.price = minor.map(|minor| Price { minor, per, currency: manner.currency });
    if row.names.is_empty() {
        return Err(Note::new(line, "name", "the line has no name"));
    }
    Ok(row)
}

fn text(line: u64, code: &str, cell: &str, max: usize) -> Result<String, Note> {
    // Line breaks inside a cell are layout, not part of a name.
    let flat: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if flat.chars().count() > max {
        let message = format!("the {code} is longer than {max} characters");
        return Err(Note::new(line, &format!("{code}-too-long"), message));
    }
    Ok(flat)
}

fn cut(line: u64, cell: &str, warnings: &mut Vec<Note>) -> String {
    let plain = cell.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
    let kept: String = plain.take(DESCRIPTION_CHARS_MAX).collect();
    if cell.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("the description was cut after {DESCRIPTION_CHARS_MAX} characters");
        warnings.push(Note::new(line, "description-cut", message));
    }
    kept
}

fn price(line: u64, cell: &str, manner: Manner) -> Result<i64, Note> {
    let read = numbers::price(cell, manner.locale, manner.currency);
    let read =
        read.and_then(
            |minor| {
                if minor > PRICE_MINOR_MAX { Err(NotANumber::TooLarge) } else { Ok(minor) }
            },
        );
    read.map_err(|why| match why {
        NotANumber::Negative => Note::new(line, "price-negative", "a price cannot be below zero"),
        NotANumber::Decimals => {
            let message = format!("{cell}: too many digits after the point");
            Note::new(line, "price-decimals", message)
        }
        NotANumber::TooLarge => Note::new(line, "price-too-large", format!("{cell} is no price")),
        NotANumber::Unreadable => Note::new(line, "price", format!("{cell} is no price")),
    })
}

fn tax(line: u64, cell: &str, manner: Manner, decimals: u32) -> Result<u32, Note> {
    let cell = cell.trim_end_matches('%');
    let read = numbers::decimal(cell, manner.locale, decimals).ok();
    let read = read.and_then(|bp| u32::try_from(bp).ok()).filter(|bp| *bp <= TAX_BP_MAX);
    read.ok_or_else(|| Note::new(line, "tax", format!("{cell} is no tax of at most 100%")))
}

/// An amount in the row's unit, in base units.
fn amount(
    line: u64,
    code: &str,
    cell: &str,
    (measure, least): (Measure, u64),
    locale: Locale,
) -> Result<u64, Note> {
    let read = numbers::decimal(cell, locale, measure.digits).ok();
    let read = read.and_then(|amount| u64::try_from(amount).ok());
    read.filter(|amount| (least..=Quantity::MAX).contains(amount)).ok_or_else(|| {
        let kind = if measure.digits == 0 { "whole number" } else { "number" };
        let range = if least == 0 { "from 0 on" } else { "above 0" };
        Note::new(line, code, format!("{cell} is no {kind} {range}"))
    })
}
