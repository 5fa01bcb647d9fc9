//! What a row of a product file says: each column has a meaning, each cell is read or refused.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        category::Tree,
        pricing::{Deal, Terms},
        product::{
            DESCRIPTION_CHARS_MAX, Language, NAME_CHARS_MAX, PRICE_MINOR_MAX, TAX_BP_MAX,
            TEXT_CHARS_MAX,
        },
    },
    gtin::Gtin,
    money::{Currency, Price},
    quantity::{Measure, Quantity, Unit},
    time::UnixMs,
};

use super::{
    html, marks,
    numbers::{self, Locale, NotANumber},
};
use crate::app::cells;

pub use super::fields::{Columns, Field};

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
    /// Words that may be nodes of the tree, from the widest to the narrowest.
    pub(super) nodes: Vec<String>,
    pub(super) description: Option<String>,
    pub(super) label: Option<String>,
    pub(super) price: Option<Price>,
    pub(super) unit: Option<Unit>,
    pub(super) step: Option<u64>,
    pub(super) min: Option<u64>,
    pub(super) tax_bp: Option<u32>,
    pub(super) stock: Option<u64>,
    pub(super) variant: Option<String>,
    pub(super) ingredients: Option<String>,
    pub(super) diets: Vec<String>,
    pub(super) allergens: Vec<String>,
    pub(super) age_min: Option<u8>,
    pub(super) storage: Option<String>,
    pub(super) hsn: Option<String>,
    pub(super) counted: Option<bool>,
    pub(super) product_tax_bp: Option<u32>,
    pub(super) content: Option<Quantity>,
    pub(super) deposit: Option<u64>,
    pub(super) max_price: Option<u64>,
    pub(super) tolerance_bp: Option<u32>,
    pub(super) safety: Option<u64>,
    pub(super) planned: Option<BTreeMap<UnixMs, Terms<Price>>>,
    pub(super) deals: Option<BTreeMap<UnixMs, Terms<Deal>>>,
    /// Whether the file names a picture of it.
    pub(super) has_picture: bool,
    /// Whether the file says that it is not on sale.
    pub(super) is_off: bool,
}

impl Row {
    /// Puts it on the narrowest shelf that it names and that the tree has.
    pub(super) fn shelve(&mut self, tree: &Tree) {
        let known = self.nodes.iter().rev().find_map(|word| tree.meant(word));
        let fits = |word: &&String| word.chars().count() <= TEXT_CHARS_MAX;
        let last = || self.nodes.last().filter(fits).cloned();
        let shelf = known.map(|id| id.as_str().to_owned()).or_else(last);
        self.category = shelf.or(self.category.take());
    }

    /// Whether it says anything that a variant has: rows with one handle may be about pictures only.
    pub(super) fn is_variant(&self) -> bool {
        self.handle.is_none()
            || self.gtin.is_some()
            || self.sku.is_some()
            || self.label.is_some()
            || self.price.is_some()
            || self.stock.is_some()
            || self.variant.is_some()
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
    /// Whether it is Shopify's file: stock below zero means none there, where others sell what they
    /// have to get first, and loose goods are counted in what their price is for.
    pub(super) is_shopify: bool,
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

/// Reads a record.
pub fn read(line: u64, cells: &[String], columns: &Columns, manner: Manner) -> Read {
    let read = Read { row: Row { line, ..Row::default() }, ..Read::default() };
    let mut reading = Reading {
        line,
        manner,
        read,
        minor: None,
        unit: None,
        size: (None, None),
        amounts: BTreeMap::new(),
        options: Vec::new(),
    };
    for (field, column) in columns {
        let cell = cells.get(*column).map_or("", |cell| cells::meant(cell.trim()));
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
    unit: Option<Measure>,
    /// A bare number and its unit, as Shopify has them apart.
    size: (Option<&'c str>, Option<Measure>),
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
            Field::Variant => row.variant = Some(text(line, "variant", cell, TEXT_CHARS_MAX)?),
            Field::Gtin => match cell.parse() {
                Ok(gtin) => row.gtin = Some(gtin),
                Err(why) => warnings.push(Note::new(line, "gtin", format!("{cell}: {why}"))),
            },
            Field::Sku => row.sku = Some(text(line, "sku", cell, TEXT_CHARS_MAX)?),
            Field::Name(language) => {
                row.names.insert(language, text(line, "name", cell, NAME_CHARS_MAX)?);
            }
            Field::Brand => row.brand = Some(text(line, "brand", cell, TEXT_CHARS_MAX)?),
            Field::Category => row.category = Some(text(line, "category", cell, TEXT_CHARS_MAX)?),
            Field::CategoryPath => {
                let last = cell.rsplit(',').map(marks::without_language).find(|it| !it.is_empty());
                // Whatever a longer one is, it is not worth a whole product.
                row.category = last
                    .filter(|it| it.chars().count() <= TEXT_CHARS_MAX)
                    .map(|last| last.replace('-', " "));
            }
            Field::CategoryNode => {
                let words = cell.split([',', '>']).map(marks::without_language);
                let words = words.filter(|it| !it.is_empty()).map(|word| word.to_owned());
                row.nodes = words.collect();
            }
            Field::Description => row.description = Some(cut(line, "description", cell, warnings)),
            Field::Html => {
                let text = html::text_of(cell);
                row.description =
                    (!text.is_empty()).then(|| cut(line, "description", &text, warnings));
            }
            Field::Ingredients => row.ingredients = Some(cut(line, "ingredients", cell, warnings)),
            // Shopify's word for a product without options.
            Field::Option(_) if cell == "Default Title" => {}
            Field::Option(_) => self.options.push(cell),
            Field::Status => row.is_off = !cell.eq_ignore_ascii_case("active"),
            Field::GiftCard if cell.eq_ignore_ascii_case("true") => {
                let message = "a gift card is nothing that lies on a shelf";
                return Err(Note::new(line, "gift-card", message));
            }
            Field::GiftCard => {}
            Field::Picture => row.has_picture = true,
            Field::Label => row.label = Some(text(line, "label", cell, NAME_CHARS_MAX)?),
            Field::Storage => row.storage = Some(text(line, "storage", cell, TEXT_CHARS_MAX)?),
            Field::Hsn => row.hsn = Some(text(line, "hsn", cell, TEXT_CHARS_MAX)?),
            Field::AgeMin => {
                let age = cell.trim_end_matches('+').parse().ok();
                let wrong = || Note::new(line, "age_min", format!("{cell} is no age in years"));
                row.age_min = Some(age.ok_or_else(wrong)?);
            }
            Field::Counted => row.counted = Some(flag(line, "counted", cell)?),
            Field::Synonyms
            | Field::Synonym
            | Field::Diets
            | Field::Allergens
            | Field::AllergenTags
            | Field::LabelTags
            | Field::Tags => self.take_words(field, cell)?,
            _ => self.take_number(field, cell)?,
        }
        Ok(())
    }

    /// Words, of which a cell holds several.
    fn take_words(&mut self, field: Field, cell: &str) -> Result<(), Note> {
        let (line, row) = (self.line, &mut self.read.row);
        let tags = cell.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let each = |code: &str, words: Vec<String>| -> Result<Vec<String>, Note> {
            words.iter().map(|word| text(line, code, word, TEXT_CHARS_MAX)).collect()
        };
        match field {
            Field::Synonyms => row.synonyms.extend(each("synonyms", cells::words(cell))?),
            Field::Synonym if cell.chars().count() <= TEXT_CHARS_MAX => {
                row.synonyms.push(text(line, "synonym", cell, TEXT_CHARS_MAX)?);
            }
            Field::Diets => row.diets.extend(each("diets", cells::words(cell))?),
            Field::Allergens => row.allergens.extend(each("allergens", cells::words(cell))?),
            Field::AllergenTags => row.allergens.extend(tags.filter_map(marks::allergen)),
            Field::LabelTags => {
                row.diets.extend(tags.filter_map(marks::diet).map(str::to_owned));
            }
            Field::Tags => {
                let mut left = 0;
                for tag in tags {
                    match marks::diet(tag) {
                        Some(diet) => row.diets.push(diet.to_owned()),
                        None if tag.chars().count() > TEXT_CHARS_MAX => left += 1,
                        None if row.synonyms.len() >= TAGS_MAX => left += 1,
                        None => row.synonyms.push(text(line, "tags", tag, TEXT_CHARS_MAX)?),
                    }
                }
                if left > 0 {
                    let message = format!("{left} tags are left out: too long, or too many");
                    self.read.warnings.push(Note::new(line, "tags", message));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Prices, amounts and what holds for a time.
    fn take_number(&mut self, field: Field, cell: &'c str) -> Result<(), Note> {
        let (line, manner, row) = (self.line, self.manner, &mut self.read.row);
        let warnings = &mut self.read.warnings;
        let money = |cell| price(line, cell, manner).map(|minor| u64::try_from(minor).ok());
        match field {
            Field::Price => self.minor = Some(price(line, cell, manner)?),
            Field::Deposit => row.deposit = money(cell)?,
            Field::MaxPrice => row.max_price = money(cell)?,
            Field::Unit => {
                let measure = Measure::named(cell).ok_or_else(|| {
                    let message = format!("{cell}: a unit is one of: piece, g, kg, ml, l");
                    Note::new(line, "unit", message)
                })?;
                row.unit = Some(measure.base);
                self.unit = Some(measure);
            }
            Field::Content => {
                let units = [Unit::Gram, Unit::Millilitre, Unit::Piece];
                let is_whole = cell.contains(char::is_alphabetic);
                let read = units.iter().find_map(|unit| Quantity::read(cell, *unit).ok());
                let read = read.filter(|_| is_whole);
                let read = read.ok_or_else(|| {
                    let message = format!("{cell}: a content is like 500 g, 1.5 l or 6 pieces");
                    Note::new(line, "content", message)
                })?;
                row.content = Some(read);
            }
            Field::Measure => self.size.0 = Some(cell),
            Field::MeasureUnit => match Measure::named(cell) {
                Some(measure) => self.size.1 = Some(measure),
                None => {
                    let message = format!("{cell} is no unit here: what it measures is left out");
                    warnings.push(Note::new(line, "measure-unit", message));
                }
            },
            Field::Stock if manner.is_shopify && cell.starts_with('-') => {
                let message = format!("{cell}: there cannot be less than nothing");
                warnings.push(Note::new(line, "stock-negative", message));
            }
            Field::PricePer
            | Field::Step
            | Field::Min
            | Field::Safety
            | Field::Stock
            | Field::Planned => {
                self.amounts.insert(field, cell);
            }
            Field::TaxBp => row.tax_bp = Some(tax(line, cell, manner, 0)?),
            Field::TaxPercent => row.tax_bp = Some(tax(line, cell, manner, 2)?),
            Field::ProductTaxBp => row.product_tax_bp = Some(tax(line, cell, manner, 0)?),
            Field::ToleranceBp => {
                let wrong = |_| {
                    let message = format!("{cell} is no tolerance in basis points");
                    Note::new(line, "tolerance_bp", message)
                };
                row.tolerance_bp = Some(tax(line, cell, manner, 0).map_err(wrong)?);
            }
            Field::Deals => row.deals = Some(deals(line, cell, manner)?),
            _ => {}
        }
        Ok(())
    }

    fn amount(&self, field: Field, code: &str, least: u64) -> Result<Option<u64>, Note> {
        let measure = self.unit.unwrap_or(Measure::PIECE);
        let read =
            |cell: &&str| amount(self.line, code, cell, (measure, least), self.manner.locale);
        self.amounts.get(&field).map(read).transpose()
    }

    fn in_base_units(&mut self) -> Result<(), Note> {
        let unit = self.unit.unwrap_or(Measure::PIECE);
        let step = self.amount(Field::Step, "step", 1)?;
        let min = self.amount(Field::Min, "min", 1)?;
        let stock = self.amount(Field::Stock, "stock", 0)?;
        let safety = self.amount(Field::Safety, "safety", 0)?;
        let size = self.measured();
        // Of loose goods a measure says what the price is for, of packs what is in them.
        let loose = size.filter(|size| unit.base != Unit::Piece && size.unit() == unit.base);
        let per = self.amount(Field::PricePer, "price_per", 1)?;
        let per = per.or(loose.map(Quantity::amount)).unwrap_or(unit.one());
        let planned = self.planned(per)?;
        let (row, currency) = (&mut self.read.row, self.manner.currency);
        let is_counted_per = self.manner.is_shopify && unit.base != Unit::Piece;
        let times = if is_counted_per { per } else { 1 };
        (row.step, row.min, row.safety, row.planned) = (step, min, safety, planned);
        row.stock = stock.map(|stock| stock.saturating_mul(times).min(Quantity::MAX));
        row.price = self.minor.map(|minor| Price { minor, per, currency });
        if unit.base == Unit::Piece {
            row.content = row.content.or(size);
        }
        Ok(())
    }

    /// A number and a unit that stand in cells of their own.
    fn measured(&self) -> Option<Quantity> {
        let (Some(number), Some(measure)) = self.size else { return None };
        let read = numbers::decimal(number, self.manner.locale, measure.digits).ok()?;
        Quantity::new(u64::try_from(read).ok()?, measure.base).ok()
    }

    fn planned(&self, usual: u64) -> Result<Option<BTreeMap<UnixMs, Terms<Price>>>, Note> {
        let Some(cell) = self.amounts.get(&Field::Planned) else { return Ok(None) };
        let (unit, manner, line) = (self.unit.unwrap_or(Measure::PIECE), self.manner, self.line);
        let read = |amount_of: &str, per: Option<&str>| {
            let minor = price(line, amount_of, manner).ok()?;
            let per = per.map(|per| amount(line, "planned", per, (unit, 1), manner.locale));
            let per = per.transpose().ok()?.unwrap_or(usual);
            Some(Price { minor, per, currency: manner.currency })
        };
        let message = || {
            let like = "45.00 from 2026-12-01T00:00:00Z until 2026-12-08T00:00:00Z";
            format!(
                "{cell}: planned prices are like \"{like}\", with | between them, no two from \
                     one moment"
            )
        };
        let planned = cells::planned_in(cell, read);
        planned.map(Some).ok_or_else(|| Note::new(line, "planned", message()))
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
        self.forget_what_stood_in()
    }

    /// Shopify wants an option of every variant: what our own files put there for want of a label is
    /// none.
    fn forget_what_stood_in(mut self) -> Read {
        let row = &mut self.read.row;
        if self.manner.is_shopify && row.variant.is_some() {
            let per = row.price.map_or(1, |price| price.per);
            let loose = row.unit.filter(|unit| *unit != Unit::Piece);
            let stand_in =
                [row.sku.clone(), row.variant.clone(), loose.map(|unit| format!("{per} {unit}"))];
            row.label = row.label.take().filter(|label| !stand_in.contains(&Some(label.clone())));
        }
        self.read
    }
}

/// So many of a file's tags become words to find a product by; a product has few more.
const TAGS_MAX: usize = 40;

fn deals(line: u64, cell: &str, manner: Manner) -> Result<BTreeMap<UnixMs, Terms<Deal>>, Note> {
    let percent = |cell: &str| tax(line, cell, manner, 2).ok();
    cells::deals_in(cell, percent).ok_or_else(|| {
        let message = format!(
            "{cell}: deals are like \"3 for 2 from 2026-12-01T00:00:00Z\" or \"12.5% off from \
             2026-12-01T00:00:00Z until 2026-12-08T00:00:00Z\", with | between them, no two from \
             one moment"
        );
        Note::new(line, "deals", message)
    })
}

fn flag(line: u64, code: &str, cell: &str) -> Result<bool, Note> {
    match cell.to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(Note::new(line, code, format!("{cell} is neither true nor false"))),
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

fn cut(line: u64, part: &str, cell: &str, warnings: &mut Vec<Note>) -> String {
    let plain = cell.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
    let kept: String = plain.take(DESCRIPTION_CHARS_MAX).collect();
    if cell.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("the {part} was cut after {DESCRIPTION_CHARS_MAX} characters");
        warnings.push(Note::new(line, &format!("{part}-cut"), message));
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
