//! Takes product files in: every line is in, or refused with its number and reason.
//!
//! **Invariant:** the same file again changes nothing; a crash in between leaves whole products
//! only, and running the import again completes it.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{gtin::Gtin, key::KeyId, time::UnixMs};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{
    Shop,
    catalogue::{NotEdited, may_edit},
};
use crate::store::imports;

mod decode;
mod intake;
mod numbers;
mod records;
mod rows;

use intake::{Intake, Told};
use records::Records;
use rows::{Columns, Field, Manner};

pub use numbers::{Locale, price};
pub use rows::Note;

/// The longest file, in bytes.
pub const IMPORT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most notes that a report lists of each kind.
pub const NOTES_MAX: usize = 10_000;

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Any CSV, by a map from columns to fields.
    Csv,
    /// The CSV of Open Food Facts.
    OpenFoodFacts,
}

impl std::str::FromStr for Format {
    type Err = NotImported;
    fn from_str(name: &str) -> Result<Self, NotImported> {
        match name {
            "csv" => Ok(Self::Csv),
            "off" => Ok(Self::OpenFoodFacts),
            "shopify" => Err(NotImported::Later("a Shopify export")),
            "google" => Err(NotImported::Later("a Google Merchant feed")),
            other => Err(NotImported::Format(other.to_owned())),
        }
    }
}

/// What is to be taken in, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its kind.
    pub format: Format,
    /// Which column means what; if not given, the map that was given last, else columns that
    /// have the names of fields.
    pub map: Option<BTreeMap<String, String>>,
    /// How numbers are written.
    pub locale: Locale,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The import's id.
    pub import_id: uuid::Uuid,
    /// Whether it only said what would happen.
    pub dry_run: bool,
    /// Records of the file, without its header.
    pub rows_read: u64,
    /// Products that were not there before.
    pub products_added: u64,
    /// Products that are different now.
    pub products_changed: u64,
    /// Products that were as the file says.
    pub unchanged: u64,
    /// How many lines are not in.
    pub refused_lines: u64,
    /// Lines that are not in, the first [`NOTES_MAX`] of them.
    pub refused: Vec<Note>,
    /// What was odd about lines that are in, the first [`NOTES_MAX`] of them.
    pub warnings: Vec<Note>,
}

impl Report {
    fn new(import_id: uuid::Uuid, dry_run: bool) -> Self {
        Self {
            import_id,
            dry_run,
            rows_read: 0,
            products_added: 0,
            products_changed: 0,
            unchanged: 0,
            refused_lines: 0,
            refused: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The exit code of the command: 0 all in, 3 some lines refused, 1 nothing could be read.
    pub fn exit_code(&self) -> u8 {
        let taken = self.products_added + self.products_changed + self.unchanged;
        match (taken, self.refused_lines) {
            (_, 0) => 0,
            (0, _) => 1,
            _ => 3,
        }
    }

    fn refuse(&mut self, note: Note) {
        self.refused_lines += 1;
        if self.refused.len() < NOTES_MAX {
            self.refused.push(note);
        }
    }

    fn warn(&mut self, notes: impl IntoIterator<Item = Note>) {
        let room = NOTES_MAX.saturating_sub(self.warnings.len());
        self.warnings.extend(notes.into_iter().take(room));
    }

    fn tell(&mut self, told: Told) {
        self.products_added += told.added;
        self.products_changed += told.changed;
        self.unchanged += told.unchanged;
        self.warn(told.warnings);
        told.refused.into_iter().for_each(|note| self.refuse(note));
    }
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// Known by name and not part of this version.
    #[error("{0} is not part of this version yet: use --format csv or off")]
    Later(&'static str),
    /// No such format.
    #[error("there is no format {0:?}: use csv or off")]
    Format(String),
    /// Longer than [`IMPORT_BYTES_MAX`].
    #[error(
        "the file has {0} bytes; at most {max} are read: split it into several files",
        max = IMPORT_BYTES_MAX
    )]
    TooLong(u64),
    /// An archive, a spreadsheet, a picture.
    #[error("the file is no table of text: save it as CSV in UTF-8, then import that")]
    NotText,
    /// Neither UTF-8, UTF-16 nor Windows-1252.
    #[error("the file is damaged: its bytes are not the text that its first bytes announce")]
    Encoding,
    /// There is no first line.
    #[error("the file is empty")]
    Empty,
    /// The map names a field that there is not.
    #[error("the map gives column {column:?} the meaning {field:?}, which there is not")]
    NoSuchField {
        /// The column.
        column: String,
        /// Its alleged meaning.
        field: String,
    },
    /// The map names a column that the file does not have.
    #[error("the file has no column {0:?} that the map names")]
    NoSuchColumn(String),
    /// No column is a name.
    #[error("no column holds the name: give a map such as {{\"title\":\"name\"}}")]
    NoName,
    /// The catalogue did not take it.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Shop {
    /// Takes a file in, in several commits; safe to repeat.
    ///
    /// # Errors
    /// [`NotImported`] when nothing could be read, or when storing failed on the way: what the
    /// commits before took in stays, and running it again completes it.
    pub fn import(
        &self,
        order: &Order,
        id: uuid::Uuid,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Report, NotImported> {
        let mut report = Report::new(id, order.dry_run);
        if order.bytes.len() > IMPORT_BYTES_MAX {
            return Err(NotImported::TooLong(order.bytes.len() as u64));
        }
        let text = decode::decode(&order.bytes).ok_or(NotImported::Encoding)?;
        if text.is_guessed {
            let message = "the file is not UTF-8; it was read as Windows-1252";
            report.warn([Note::new(1, "encoding", message)]);
        }
        let mut records = Records::new(&text.text);
        let header = records.next().and_then(|(_, header)| header).ok_or(NotImported::Empty)?;
        // Text whose encoding is not marked, and what is no text at all, is full of these.
        if header.iter().any(|cell| cell.contains('\0')) {
            return Err(NotImported::NotText);
        }
        let columns = self.columns(order, &header)?;
        let width = header.len();
        let manner = Manner { locale: order.locale, currency: self.identity().currency };
        let mut intake = Intake::new(self, by, order.dry_run, now);
        let mut seen = Seen::default();
        for (line, record) in records {
            report.rows_read += 1;
            let mut warnings = Vec::new();
            let row = match record {
                Some(record) if record.len() == width => {
                    rows::read(line, &record, &columns, manner, &mut warnings)
                }
                Some(record) => {
                    let message = format!("{} cells instead of {width}", record.len());
                    Err(Note::new(line, "columns", message))
                }
                None => Err(Note::new(line, "csv", "the line is no CSV")),
            };
            match row.and_then(|row| seen.note(row)) {
                Ok(row) => {
                    report.warn(warnings);
                    report.tell(intake.take(row, rng)?);
                }
                Err(note) => report.refuse(note),
            }
        }
        report.tell(intake.finish(rng)?);
        report.refused.sort_by_key(|note| note.line);
        report.warnings.sort_by_key(|note| note.line);
        self.keep_report(order, &report, now)?;
        Ok(report)
    }

    /// The report of an earlier import.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn import_report(&self, id: uuid::Uuid) -> Result<Option<Report>, StoreError> {
        let text = self.reader().read(|c| imports::get(c, id.as_bytes()))?;
        let read = |text: String| {
            serde_json::from_str(&text).map_err(|e| StoreError::damaged("an import's report", e))
        };
        text.map(read).transpose()
    }

    fn columns(&self, order: &Order, header: &csv::StringRecord) -> Result<Columns, NotImported> {
        let map = match (order.format, &order.map) {
            (Format::OpenFoodFacts, _) => OPEN_FOOD_FACTS
                .iter()
                .filter(|(column, _)| header.iter().any(|h| h.trim() == *column))
                .map(|(column, field)| ((*column).to_owned(), (*field).to_owned()))
                .collect(),
            (Format::Csv, Some(map)) => map.clone(),
            (Format::Csv, None) => self.remembered(header)?,
        };
        let mut columns = Columns::new();
        for (column, name) in &map {
            let field = Field::named(name).ok_or_else(|| NotImported::NoSuchField {
                column: column.clone(),
                field: name.clone(),
            })?;
            let at = header.iter().position(|h| h.trim() == column.trim());
            let at = at.ok_or_else(|| NotImported::NoSuchColumn(column.clone()))?;
            columns.insert(field, at);
        }
        if columns.keys().any(|field| matches!(field, Field::Name(_))) {
            Ok(columns)
        } else {
            Err(NotImported::NoName)
        }
    }

    /// The map of the last file if all its columns are here, else columns named like fields.
    fn remembered(
        &self,
        header: &csv::StringRecord,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let has = |column: &str| header.iter().any(|h| h.trim() == column.trim());
        let last = self.reader().read(|c| imports::map(c, "csv"))?;
        if let Some(map) = last.filter(|map| map.keys().all(|column| has(column))) {
            return Ok(map);
        }
        let named = header.iter().map(str::trim).filter(|name| Field::named(name).is_some());
        Ok(named.map(|name| (name.to_owned(), name.to_owned())).collect())
    }

    fn keep_report(&self, order: &Order, report: &Report, now: UnixMs) -> Result<(), NotImported> {
        if order.dry_run {
            return Ok(());
        }
        let text = serde_json::to_string(report).map_err(|e| StoreError::damaged("a report", e))?;
        let (id, map) = (report.import_id, order.map.clone());
        let kept = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            may_edit(tx)?;
            imports::put(tx, id.as_bytes(), now, &text)?;
            if let Some(map) = &map {
                imports::put_map(tx, "csv", map)?;
            }
            Ok(())
        });
        Ok(kept.map_err(NotEdited::from)?)
    }
}

/// A fresh id for an import.
pub fn draw_id(now: UnixMs, rng: &mut dyn CryptoRng) -> uuid::Uuid {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    uuid::Builder::from_unix_timestamp_millis(now.get(), &random).into_uuid()
}

/// What earlier lines of the file were about: each thing comes once.
#[derive(Default)]
struct Seen {
    gtins: BTreeSet<Gtin>,
    others: BTreeSet<String>,
}

impl Seen {
    fn note(&mut self, row: rows::Row) -> Result<rows::Row, Note> {
        let line = row.line;
        if row.gtin.is_some_and(|gtin| !self.gtins.insert(gtin)) {
            return Err(Note::new(line, "gtin-twice", "an earlier line has the same barcode"));
        }
        let (code, key) = match (&row.gtin, &row.sku) {
            (_, Some(sku)) => ("sku-twice", format!("sku:{sku}")),
            (Some(_), None) => return Ok(row),
            (None, None) => ("name-twice", format!("name:{}", intake::folded_name(&row))),
        };
        if self.others.insert(key) {
            return Ok(row);
        }
        Err(Note::new(line, code, "an earlier line is about the same product"))
    }
}

const OPEN_FOOD_FACTS: &[(&str, &str)] = &[
    ("gtin", "gtin"),
    ("code", "gtin"),
    ("name", "name"),
    ("product_name", "name"),
    ("brands", "brand"),
    ("quantity", "label"),
    ("ingredients", "description"),
];
