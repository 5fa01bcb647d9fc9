//! Takes product files in: every line is in, or refused with its number and reason.
//!
//! **Invariants:** the same file again changes nothing; after a crash an import goes on behind its
//! last commit; memory does not grow with the file.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek},
    ops::ControlFlow,
};

use kirana_core::{catalogue::category::Tree, key::KeyId, money::Currency, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError,
    catalogue::{categories, gather},
};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{
    Shop,
    catalogue::{NotEdited, may_edit},
};
use crate::store::imports::{self, Run, Seen};

mod examine;
mod feed;
mod fields;
mod formats;
mod groups;
mod html;
mod intake;
mod mappings;
mod marks;
mod numbers;
mod plan;
mod records;
mod report;
mod resume;
mod rows;
mod table;
mod undo;

use examine::Examined;
use groups::Groups;
use intake::Intake;
use records::Broken;
use rows::{Columns, Field, Manner, Read as RowRead};

pub use crate::store::imports::{Counts, State};
pub(super) use formats::own_column;
pub use numbers::{Locale, price};
pub use report::Report;
pub use rows::Note;

/// The longest file unless somebody says otherwise, in bytes.
pub const IMPORT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// The most notes that a report lists of each kind.
pub const NOTES_MAX: usize = 10_000;
/// Steps in which the index is put together at most: enough for a million products.
const STEPS_MAX: usize = 200;

/// A small table of text with its header, in whatever encoding and with whatever separators.
pub(crate) fn text_table(
    mut file: impl Read + Seek,
    bytes_max: u64,
) -> Result<(Vec<String>, Vec<records::Numbered>), NotImported> {
    let examined = examine::examine(&mut file, bytes_max)?;
    let (header, mut table) = table::open(file, &examined, Format::Csv)?;
    let mut rows = Vec::new();
    while let Some(row) = table.next().map_err(NotImported::Unreadable)? {
        rows.push(row);
    }
    Ok((header, rows))
}

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// Any CSV, by a map from columns to fields.
    #[serde(rename = "csv")]
    Csv,
    /// The CSV of Open Food Facts.
    #[serde(rename = "off")]
    OpenFoodFacts,
    /// Shopify's product CSV.
    #[serde(rename = "shopify")]
    Shopify,
    /// A feed for Google Merchant Center: RSS or Atom in XML, or a table with tabs.
    #[serde(rename = "google")]
    Google,
}

impl std::str::FromStr for Format {
    type Err = NotImported;
    fn from_str(name: &str) -> Result<Self, NotImported> {
        match name {
            "csv" => Ok(Self::Csv),
            "off" => Ok(Self::OpenFoodFacts),
            "shopify" => Ok(Self::Shopify),
            "google" => Ok(Self::Google),
            other => Err(NotImported::Format(other.to_owned())),
        }
    }
}

/// How a file is to be taken in.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its kind.
    pub format: Format,
    /// Which column means what; if not given, the map that was given last, else columns that
    /// have the names of fields.
    pub map: Option<BTreeMap<String, String>>,
    /// The supplier whose mapping is used where no map is given.
    pub mapping: Option<String>,
    /// How numbers are written.
    pub locale: Locale,
    /// Only say what would happen.
    pub dry_run: bool,
    /// The longest file, in bytes.
    pub bytes_max: u64,
    /// Where the file lies, so that the import goes on by itself after a crash.
    pub file: Option<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            format: Format::Csv,
            map: None,
            mapping: None,
            locale: Locale::INDIAN,
            dry_run: false,
            bytes_max: IMPORT_BYTES_MAX,
            file: None,
        }
    }
}

/// What of an order is kept, and must be the same where an import goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    format: Format,
    map: BTreeMap<String, String>,
    locale: Locale,
    dry_run: bool,
}

impl Settings {
    fn manner(&self, currency: Currency) -> Manner {
        // Formats of programs write numbers in one way, wherever the shop is.
        let locale = match self.format {
            Format::Csv => self.locale,
            Format::OpenFoodFacts | Format::Shopify | Format::Google => Locale::INDIAN,
        };
        Manner { locale, is_shopify: self.format == Format::Shopify, currency }
    }
}

/// A file that was looked through and can be taken in.
#[derive(Debug, Clone)]
pub struct Prepared {
    settings: Settings,
    examined: Examined,
    columns: Columns,
    width: usize,
    /// The shop's categories, where a column may name them.
    tree: Tree,
    file: Option<String>,
    /// Whether the map was given, and so is remembered.
    is_given: bool,
}

/// Why nothing was taken in, or not all.
#[derive(Debug, thiserror::Error)]
pub enum NotImported {
    /// No such format.
    #[error("there is no format {0:?}: use csv, shopify, google or off")]
    Format(String),
    /// Longer than allowed.
    #[error("the file is longer than {bytes_max} bytes: split it into several files")]
    TooLong {
        /// The limit.
        bytes_max: u64,
    },
    /// Plainly of another kind.
    #[error("this is {0}, not a CSV: take the table out of it, or save it as CSV, and import that")]
    OtherKind(&'static str),
    /// Full of bytes that no text has.
    #[error("the file is no table of text: save it as CSV in UTF-8, then import that")]
    NotText,
    /// Neither UTF-8, UTF-16 nor Windows-1252.
    #[error("the file is damaged: its bytes are not the text that its first bytes announce")]
    Encoding,
    /// There is no first line.
    #[error("the file is empty")]
    Empty,
    /// The first line is no list of columns.
    #[error("the first line cannot be read: {0}")]
    Header(#[from] Broken),
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
    /// Nothing is kept for this supplier.
    #[error("no mapping is kept for {0:?}: kirana-shop mapping set keeps one")]
    NoSuchMapping(String),
    /// It is no name, or too large.
    #[error("a mapping has a name of 1 to 120 plain characters and at most 2,000 columns")]
    MappingName,
    /// No room for one more.
    #[error("a shop keeps at most 1,000 mappings: remove one first")]
    TooManyMappings,
    /// No column is a name.
    #[error("no column holds the name: give a map such as {{\"title\":\"name\"}}")]
    NoName,
    /// The file cannot be read, or not to its end.
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    /// There is no such import.
    #[error("there is no import {0}")]
    NoSuchImport(uuid::Uuid),
    /// It is another file than the one that the import began with.
    #[error("this is not the file that the import began with: import it anew")]
    OtherFile,
    /// The shop closes.
    #[error("the shop closes: the import goes on when it is open again")]
    Paused,
    /// It has come to its end.
    #[error("the import is {}: there is nothing to go on with", .0.word())]
    Ended(State),
    /// The catalogue did not take it.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Shop {
    /// Takes a file in, in several commits; safe to repeat. Where the same file in the same manner
    /// did not come to its end before, that import goes on.
    ///
    /// # Errors
    /// [`NotImported`] when nothing could be read, or when storing failed on the way: what the
    /// commits before took in stays, and the same file again goes on behind it.
    pub fn import<F: Read + Seek>(
        &self,
        order: &Order,
        mut file: F,
        id: uuid::Uuid,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Report, NotImported> {
        let prepared = self.prepare_import(order, &mut file)?;
        let id = match order.dry_run {
            true => id,
            false => self.begin_import(&prepared, id, by, now)?,
        };
        self.run_import(&prepared, file, id, by, now, rng, &mut |_, _| ControlFlow::Continue(()))
    }

    /// Looks a file through: what it is, and which of its columns mean what. Nothing is stored.
    ///
    /// # Errors
    /// [`NotImported`] when nothing of it can be taken in.
    pub fn prepare_import<F: Read + Seek>(
        &self,
        order: &Order,
        file: &mut F,
    ) -> Result<Prepared, NotImported> {
        let examined = examine::examine(file, order.bytes_max)?;
        let (header, _) = table::open(file, &examined, order.format)?;
        // Text whose encoding is not marked, and what is no text at all, is full of these.
        if header.iter().any(|cell| cell.contains('\0')) {
            return Err(NotImported::NotText);
        }
        let map = self.map_of(order, &header)?;
        let columns = columns_of(&map, &header)?;
        let (format, locale, dry_run) = (order.format, order.locale, order.dry_run);
        Ok(Prepared {
            settings: Settings { format, map, locale, dry_run },
            examined,
            columns,
            width: header.len(),
            tree: self.reader().read(|c| categories::tree(c, self.id()))?,
            file: order.file.clone(),
            is_given: order.map.is_some(),
        })
    }

    /// Notes that an import begins, and gives back its name: the one of an earlier import of the same
    /// file in the same manner, if that did not come to its end.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn begin_import(
        &self,
        prepared: &Prepared,
        id: uuid::Uuid,
        by: KeyId,
        now: UnixMs,
    ) -> Result<uuid::Uuid, NotImported> {
        let settings = serde_json::to_string(&prepared.settings);
        let run = Run {
            id: *id.as_bytes(),
            state: State::Running,
            who: by,
            begun: now,
            settings: settings.map_err(|e| StoreError::damaged("an import", e))?,
            file: prepared.file.clone(),
            digest: prepared.examined.digest,
            bytes_total: prepared.examined.bytes,
            counts: Counts::default(),
            restored: 0,
            problem: None,
        };
        let map = prepared.is_given.then(|| prepared.settings.map.clone());
        let begun = self.writer().write(move |tx| -> Result<imports::Id, Abort<NotEdited>> {
            may_edit(tx)?;
            if let Some(map) = &map {
                imports::put_map(tx, "csv", map)?;
            }
            match imports::unfinished(tx, run.digest, &run.settings)? {
                Some(before) => {
                    imports::go_on(tx, &before.id, run.file.as_deref())?;
                    Ok(before.id)
                }
                None => {
                    imports::begin(tx, &run)?;
                    Ok(run.id)
                }
            }
        });
        Ok(uuid::Uuid::from_bytes(begun.map_err(NotEdited::from)?))
    }

    /// Takes in what is not in yet, commit by commit. Nobody else may work at the same import
    /// meanwhile. `heard` is told how far it has come after each commit.
    ///
    /// # Errors
    /// [`NotImported`]; the import is noted as failed, if that can be noted.
    #[expect(clippy::too_many_arguments, reason = "each is of another kind")]
    pub fn run_import<F: Read + Seek>(
        &self,
        prepared: &Prepared,
        file: F,
        id: uuid::Uuid,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        heard: &mut dyn FnMut(&Counts, u64) -> ControlFlow<()>,
    ) -> Result<Report, NotImported> {
        let run = self.reader().read(|c| imports::run(c, id.as_bytes()))?;
        let before = match &run {
            Some(run) if run.state != State::Running => return self.report_of(id),
            Some(run) => run.counts,
            None if prepared.settings.dry_run => Counts::default(),
            None => return Err(NotImported::NoSuchImport(id)),
        };
        let kept = run.map(|run| run.id);
        let who = (by, prepared.settings.dry_run, now);
        let mut intake = Intake::new(self, kept, before, who);
        let taken = self.take_rows(prepared, file, &mut intake, rng, heard);
        let Some(kept) = kept else {
            taken?;
            return Ok(Report::of_dry_run(id, prepared.examined.bytes, intake));
        };
        let (state, problem) = match &taken {
            Ok(()) => (State::Done, None),
            Err(NotImported::Paused) => return taken.and_then(|()| self.report_of(id)),
            Err(why) => (State::Failed, Some(why.to_string())),
        };
        if state == State::Done {
            // Before the end is noted: who waits for it may send the next file at once.
            self.gather_words();
        }
        let ended = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            Ok(imports::set_state(tx, &kept, state, problem.as_deref(), now)?)
        });
        taken?;
        ended.map_err(NotEdited::from)?;
        self.report_of(id)
    }

    /// Brings together what many commits wrote into the index of words, one step after the other.
    /// Searches are faster then, and find the same.
    fn gather_words(&self) {
        let step = || self.writer().write(|tx| -> Result<_, Abort<()>> { Ok(gather(tx)?) });
        for _ in 0..STEPS_MAX {
            match step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => {
                    return tracing::warn!(error = ?why, "the index of words stays in pieces");
                }
            }
        }
    }

    fn take_rows<F: Read + Seek>(
        &self,
        prepared: &Prepared,
        file: F,
        intake: &mut Intake<'_>,
        rng: &mut dyn CryptoRng,
        heard: &mut dyn FnMut(&Counts, u64) -> ControlFlow<()>,
    ) -> Result<(), NotImported> {
        let (settings, examined) = (&prepared.settings, &prepared.examined);
        let (_, mut table) = table::open(file, examined, settings.format)?;
        let manner = settings.manner(self.identity().currency);
        let (mut last_handle, mut pictures_told) = (None, false);
        let (seen, mut groups, mut rows) = (Seen::new()?, Groups::default(), 0u64);
        let stored = intake.counts.rows;
        if stored == 0 && examined.is_guessed {
            let message = "the file is not UTF-8; it was read as Windows-1252";
            intake.notes().warn([Note::new(1, "encoding", message)]);
        }
        while let Some((line, cells)) = table.next().map_err(NotImported::Unreadable)? {
            rows += 1;
            let mut read = read_row(line, cells, prepared, manner);
            if read.row.handle.is_some() && read.row.handle != last_handle {
                let handle = read.row.handle.clone().unwrap_or_default();
                read.is_later = !seen.insert(&format!("product:{handle}"))?;
            }
            last_handle.clone_from(&read.row.handle);
            note_seen(&seen, &mut read)?;
            // What was stored before a crash is only looked at again: lines after it may repeat it.
            if rows <= stored {
                pictures_told |= read.row.has_picture;
                continue;
            }
            if let Some(group) = groups.take(&mut read)
                && intake.take(group, rows - 1)
            {
                intake.commit((rows - 1, table.taken()), rng)?;
                if heard(&intake.counts, examined.bytes).is_break() {
                    return Err(NotImported::Paused);
                }
            }
            if read.row.has_picture && !std::mem::replace(&mut pictures_told, true) {
                let message = "the file names pictures on the web, from here on: none is fetched; \
                               catalogue image puts one in";
                intake.notes().warn([Note::new(line, "pictures", message)]);
            }
            if let Some(note) = read.refused {
                intake.notes().refuse(note);
            } else {
                intake.notes().warn(read.warnings);
            }
        }
        if let Some(group) = groups.finish() {
            intake.take(group, rows);
        }
        intake.commit((rows, examined.bytes), rng)?;
        // There is nothing left that could wait.
        let _ = heard(&intake.counts, examined.bytes);
        Ok(())
    }

    /// The map that was given, or the one of the last file if all its columns are here, else columns
    /// that are named like fields.
    fn map_of(
        &self,
        order: &Order,
        header: &[String],
    ) -> Result<BTreeMap<String, String>, NotImported> {
        let has = |column: &str| header.iter().any(|h| h.trim() == column.trim());
        match (order.format, &order.map) {
            (Format::OpenFoodFacts, _) => Ok(formats::known(formats::OPEN_FOOD_FACTS, header)),
            (Format::Shopify, _) => Ok(formats::known(formats::SHOPIFY, header)),
            (Format::Google, _) => Ok(formats::known(formats::GOOGLE, header)),
            (Format::Csv, Some(map)) => Ok(map.clone()),
            (Format::Csv, None) => {
                if let Some(supplier) = &order.mapping {
                    return self.mapping(supplier);
                }
                let last = self.reader().read(|c| imports::map(c, "csv"))?;
                if let Some(map) = last.filter(|map| map.keys().all(|column| has(column))) {
                    return Ok(map);
                }
                let named = header.iter().map(|h| h.trim()).filter(|h| Field::named(h).is_some());
                Ok(named.map(|name| (name.to_owned(), name.to_owned())).collect())
            }
        }
    }
}

/// A fresh id for an import.
pub fn draw_id(now: UnixMs, rng: &mut dyn CryptoRng) -> uuid::Uuid {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    uuid::Builder::from_unix_timestamp_millis(now.get(), &random).into_uuid()
}

fn columns_of(map: &BTreeMap<String, String>, header: &[String]) -> Result<Columns, NotImported> {
    let mut columns = Columns::new();
    for (column, name) in map {
        let field = Field::named(name).ok_or_else(|| NotImported::NoSuchField {
            column: column.clone(),
            field: name.clone(),
        })?;
        let at = header.iter().position(|h| h.trim() == column.trim());
        let at = at.ok_or_else(|| NotImported::NoSuchColumn(column.clone()))?;
        columns.insert(field, at);
    }
    match columns.keys().any(|field| matches!(field, Field::Name(_))) {
        true => Ok(columns),
        false => Err(NotImported::NoName),
    }
}

fn read_row(
    line: u64,
    cells: Result<Vec<String>, Broken>,
    prepared: &Prepared,
    manner: Manner,
) -> RowRead {
    let note = match cells {
        Ok(cells) if cells.len() == prepared.width => {
            let mut read = rows::read(line, &cells, &prepared.columns, manner);
            read.row.shelve(&prepared.tree);
            return read;
        }
        Ok(cells) => {
            let message = format!("{} cells instead of {}", cells.len(), prepared.width);
            Note::new(line, "columns", message)
        }
        Err(why) => Note::new(line, why.code(), why.to_string()),
    };
    rows::Read::refused(line, note)
}

/// Refuses a row that is about what an earlier line was about: each thing comes once.
fn note_seen(seen: &Seen, read: &mut RowRead) -> Result<(), StoreError> {
    let (row, line) = (&read.row, read.row.line);
    if read.refused.is_some() || !row.is_variant() {
        return Ok(());
    }
    if let Some(gtin) = row.gtin
        && !seen.insert(&format!("gtin:{gtin}"))?
    {
        let message = "an earlier line has the same barcode";
        read.refused = Some(Note::new(line, "gtin-twice", message));
        return Ok(());
    }
    let (code, word) = match (&row.gtin, &row.sku, &row.handle) {
        (None, None, Some(handle)) if row.variant.is_some() => {
            let name = row.variant.as_deref().unwrap_or_default();
            ("variant-twice", format!("handle:{handle}\0variant:{name}"))
        }
        (_, Some(sku), _) => ("sku-twice", format!("sku:{sku}")),
        (Some(_), None, _) => return Ok(()),
        (None, None, Some(handle)) => {
            ("variant-twice", format!("handle:{handle}\0{}", row.label.as_deref().unwrap_or("")))
        }
        (None, None, None) if row.names.is_empty() => return Ok(()),
        (None, None, None) => ("name-twice", format!("name:{}", plan::folded_name(row))),
    };
    if !seen.insert(&word)? {
        let message = "an earlier line is about the same product";
        read.refused = Some(Note::new(line, code, message));
    }
    Ok(())
}
