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

use super::{
    html,
    numbers::{self, Locale, NotANumber},
};

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// What rows of one product have in common: each row is a variant of it.
    Handle,
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
    /// The same in HTML, of which the text is kept.
    Html,
    /// What tells a variant from its siblings.
    Label,
    /// What tells a variant from its siblings in one respect, such as its colour: 1 to 4.
    Option(u8),
    /// `active`, or a word for what is not on sale: `draft`, `archived`, `unlisted`.
    Status,
    /// Whether it is a gift card, which no shelf holds.
    GiftCard,
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
            "handle" => Self::Handle,
            "gtin" => Self::Gtin,
            "sku" => Self::Sku,
            "name" => Self::Name(Language::ENGLISH),
            "synonyms" => Self::Synonyms,
            "brand" => Self::Brand,
            "category" => Self::Category,
            "description" => Self::Description,
            "html" => Self::Html,
            "option1" => Self::Option(1),
            "option2" => Self::Option(2),
            "option3" => Self::Option(3),
            "option4" => Self::Option(4),
            "status" => Self::Status,
            "gift_card" => Self::GiftCard,
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
    pub(super) handle: Option<String>,
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
    /// Whether the file says that it is not on sale.
    pub(super) is_off: bool,
}

impl Row {
    /// Whether it says anything that a variant has: rows with one handle may be about pictures only.
    pub(super) fn is_variant(&self) -> bool {
        self.handle.is_none()
            || self.gtin.is_some()
            || self.sku.is_some()
            || self.label.is_some()
            || self.price.is_some()
            || self.stock.is_some()
    }
}

pub use crate::store::imports::Note;

impl Note {
    pub(super) fn new(line: u64, code: &str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // It may quote a cell, and cells may be as long as books.
        if let Some((cut, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(cut);
            message.push('…');
        }
        Self { line, code: code.to_owned(), message }
    }
}

const MESSAGE_CHARS_MAX: usize = 300;

/// How cells are read.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub(super) locale: Locale,
    /// Whether stock below zero means none: where others sell what they have to get first.
    pub(super) oversells: bool,
    pub(super) currency: Currency,
}

/// A row as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    pub(super) row: Row,
    /// The note about the first cell for which the line is refused: no variant comes of the row, but
    /// what it says of its product counts for the other rows of that.
    pub(super) refused: Option<Note>,
    /// What is odd but harmless.
    pub(super) warnings: Vec<Note>,
    /// Whether an earlier group of rows had the same handle: what that said of the product stays.
    pub(super) is_later: bool,
}

impl Read {
    /// A row of which nothing could be read.
    pub(super) fn refused(line: u64, note: Note) -> Self {
        let row = Row { line, ..Row::default() };
        Self { row, refused: Some(note), ..Self::default() }
    }
}

/// A cell without the apostrophe that keeps spreadsheets from reading it as a formula.
fn meant(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.starts_with(['=', '+', '-', '@']) => text,
        _ => cell,
    }
}

/// Reads a record.
pub fn read(line: u64, cells: &[String], columns: &Columns, manner: Manner) -> Read {
    let read = Read { row: Row { line, ..Row::default() }, ..Read::default() };
    let mut reading = Reading {
        line,
        manner,
        read,
        minor: None,
        measure: None,
        amounts: BTreeMap::new(),
        options: Vec::new(),
    };
    for (field, column) in columns {
        let cell = cells.get(*column).map_or("", |cell| meant(cell.trim()));
        let taken = match cell {
            "" => Ok(()),
            cell if cell.contains('\0') => {
                Err(Note::new(line, "nul", "the line holds a NUL character"))
            }
            cell => reading.take(*field, cell),
        };
        reading.refuse(taken);
    }
    reading.finish()
}

struct Reading<'c> {
    line: u64,
    manner: Manner,
    read: Read,
    minor: Option<i64>,
    measure: Option<Measure>,
    /// Read at the end, when the row's unit is known.
    amounts: BTreeMap<Field, &'c str>,
    options: Vec<&'c str>,
}

impl<'c> Reading<'c> {
    fn refuse(&mut self, taken: Result<(), Note>) {
        if let Err(note) = taken {
            self.read.refused.get_or_insert(note);
        }
    }

    fn take(&mut self, field: Field, cell: &'c str) -> Result<(), Note> {
        let (line, row) = (self.line, &mut self.read.row);
        let warnings = &mut self.read.warnings;
        match field {
            Field::Handle => row.handle = Some(text(line, "handle", cell, NAME_CHARS_MAX)?),
            Field::Gtin => match cell.parse() {
                Ok(gtin) => row.gtin = Some(gtin),
                Err(why) => warnings.push(Note::new(line, "gtin", format!("{cell}: {why}"))),
            },
            Field::Sku => row.sku = Some(text(line, "sku", cell, TEXT_CHARS_MAX)?),
            Field::Name(language) => {
                row.names.insert(language, text(line, "name", cell, NAME_CHARS_MAX)?);
            }
            Field::Synonyms => {
                for word in cell.split('|').map(str::trim).filter(|word| !word.is_empty()) {
                    row.synonyms.push(text(line, "synonyms", word, TEXT_CHARS_MAX)?);
                }
            }
            Field::Brand => row.brand = Some(text(line, "brand", cell, TEXT_CHARS_MAX)?),
            Field::Category => row.category = Some(text(line, "category", cell, TEXT_CHARS_MAX)?),
            Field::Description => row.description = Some(cut(line, cell, warnings)),
            Field::Html => {
                let text = html::text_of(cell);
                row.description = (!text.is_empty()).then(|| cut(line, &text, warnings));
            }
            // Shopify's word for a product without options.
            Field::Option(_) if cell == "Default Title" => {}
            Field::Option(_) => self.options.push(cell),
            Field::Status => row.is_off = !cell.eq_ignore_ascii_case("active"),
            Field::GiftCard if cell.eq_ignore_ascii_case("true") => {
                let message = "a gift card is nothing that lies on a shelf";
                return Err(Note::new(line, "gift-card", message));
            }
            Field::GiftCard => {}
            Field::Label => row.label = Some(text(line, "label", cell, NAME_CHARS_MAX)?),
            Field::Price => self.minor = Some(price(line, cell, self.manner)?),
            Field::Unit => {
                let measure = Measure::named(cell).ok_or_else(|| {
                    let message = format!("{cell}: a unit is one of: piece, g, kg, ml, l");
                    Note::new(line, "unit", message)
                })?;
                row.unit = Some(measure.base);
                self.measure = Some(measure);
            }
            Field::Stock if self.manner.oversells && cell.starts_with('-') => {
                let message = format!("{cell}: there cannot be less than nothing");
                warnings.push(Note::new(line, "stock-negative", message));
            }
            Field::PricePer | Field::Step | Field::Min | Field::Stock => {
                self.amounts.insert(field, cell);
            }
            Field::TaxBp => row.tax_bp = Some(tax(line, cell, self.manner, 0)?),
            Field::TaxPercent => row.tax_bp = Some(tax(line, cell, self.manner, 2)?),
        }
        Ok(())
    }

    fn amount(&self, field: Field, code: &str, least: u64) -> Result<Option<u64>, Note> {
        let measure = self.measure.unwrap_or(Measure::PIECE);
        let read =
            |cell: &&str| amount(self.line, code, cell, (measure, least), self.manner.locale);
        self.amounts.get(&field).map(read).transpose()
    }

    fn in_base_units(&mut self) -> Result<(), Note> {
        let measure = self.measure.unwrap_or(Measure::PIECE);
        let step = self.amount(Field::Step, "step", 1)?;
        let min = self.amount(Field::Min, "min", 1)?;
        let stock = self.amount(Field::Stock, "stock", 0)?;
        let per = self.amount(Field::PricePer, "price_per", 1)?.unwrap_or(measure.one());
        let (row, currency) = (&mut self.read.row, self.manner.currency);
        (row.step, row.min, row.stock) = (step, min, stock);
        row.price = self.minor.map(|minor| Price { minor, per, currency });
        Ok(())
    }

    fn label(&mut self) -> Result<(), Note> {
        if self.read.row.label.is_none() && !self.options.is_empty() {
            let label = self.options.join(" / ");
            self.read.row.label = Some(text(self.line, "label", &label, NAME_CHARS_MAX)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Read {
        let taken = self.label();
        self.refuse(taken);
        let taken = self.in_base_units();
        self.refuse(taken);
        self.read
    }
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
