//! The full-text index: under which number a product stands there, and the words that find it.
//!
//! A product's number is its place in the order of every search: in stock first, then the shortest
//! name. Where every word of a question must match, what is left of bm25 is little more than the
//! length, and the shortest name that has all words is the one that was typed. So the index gives
//! its first matches first, and a search may stop after as many as it wants.
//!
//! **Invariant:** when a job ends, the index has each listed product once, under `product.rank`,
//! and no other number. Numbers go in ascending: FTS5 writes a segment for each step backwards.

use std::collections::BTreeSet;

use kirana_core::{catalogue::product::Product, text};
use rusqlite::{Connection, OptionalExtension};

use super::decoded;
use crate::{StoreError, Tx};

/// The place of a product in the order of searches, and its number in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(i64);

impl Rank {
    /// `twins` counts how many of the same name stand before it: each makes the name count as a
    /// letter longer, so that many of one name do not fill a page.
    fn of(row: i64, in_stock: bool, folded: &str, twins: i64) -> Self {
        let shortest = folded.lines().map(|name| name.chars().count()).min().unwrap_or_default();
        let chars = i64::try_from(shortest).unwrap_or(CHARS_MAX);
        let chars = chars.saturating_add(twins).min(CHARS_MAX);
        Self(i64::from(!in_stock) << OUT_SHIFT | chars << CHARS_SHIFT | row & ROW_MASK)
    }

    /// As the database has it.
    pub(super) fn from_number(number: i64) -> Self {
        Self(number)
    }

    pub(super) fn row(self) -> i64 {
        self.0 & ROW_MASK
    }

    pub(super) fn is_out(self) -> bool {
        self.0 >> OUT_SHIFT != 0
    }

    /// All products of one length and state are together.
    pub(super) fn length(self) -> i64 {
        self.0 >> CHARS_SHIFT
    }

    /// Characters of the shortest name.
    pub(super) fn chars(self) -> i64 {
        self.0 >> CHARS_SHIFT & CHARS_MAX
    }
}

/// A product's row has so many bits of its number; that is more products than SQLite holds well.
const CHARS_SHIFT: u32 = 32;
const ROW_MASK: i64 = (1 << CHARS_SHIFT) - 1;
/// Names are no longer than 300 characters, but some letters unfold to two.
const CHARS_MAX: i64 = 1023;
const OUT_SHIFT: u32 = CHARS_SHIFT + 10;
/// The first number of what is out of stock.
pub(super) const OUT: i64 = 1 << OUT_SHIFT;

/// Brings the index in line with the products that a job changed: once, at the end of the job.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn settle(tx: &Tx<'_>) -> Result<(), StoreError> {
    let rows = tx.take_unindexed();
    if rows.is_empty() { Ok(()) } else { write(tx, &rows) }
}

/// Indexes every product that there is: after a migration that left the index empty.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn fill(c: &Connection) -> Result<(), StoreError> {
    let mut statement = c.prepare("SELECT row FROM product")?;
    let rows = statement.query_map([], |row| row.get(0))?.collect::<Result<BTreeSet<i64>, _>>()?;
    write(c, &rows)
}

/// Writes some of the index's pieces into one, if there are many; whether something is left to do.
/// Each job that changed products left a piece, and a search looks into each.
///
/// # Errors
/// [`StoreError`].
pub fn gather(tx: &Tx<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT count(DISTINCT segid) FROM product_fts_idx";
    let pieces: i64 = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    if pieces <= PIECES_FEW {
        return Ok(false);
    }
    let before = tx.total_changes();
    // Below zero: all pieces are to become one, so many pages of it now.
    let sql = "INSERT INTO product_fts (product_fts, rank) VALUES ('merge', ?1)";
    tx.prepare_cached(sql)?.execute([-PAGES_AT_ONCE])?;
    // FTS5 counts one change where there was nothing to do.
    Ok(tx.total_changes() - before > 1)
}

/// So many pieces cost a search little.
const PIECES_FEW: i64 = 4;
/// About a megabyte: others who write do not wait for long.
const PAGES_AT_ONCE: i64 = 250;

fn write(c: &Connection, rows: &BTreeSet<i64>) -> Result<(), StoreError> {
    let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
    let sql = "SELECT rank, listed, in_stock, folded FROM product WHERE row = ?1";
    let mut select = c.prepare_cached(sql)?;
    for row in rows {
        let mut found = select.query([row])?;
        let Some(found) = found.next()? else { continue };
        gone.extend(found.get::<_, Option<i64>>(0)?);
        if found.get(1)? {
            let folded = found.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
            let in_stock = found.get(2)?;
            come.insert(Rank::of(*row, in_stock, folded, twins(c, *row, in_stock, folded)?));
        }
    }
    let mut delete = c.prepare_cached("DELETE FROM product_fts WHERE rowid = ?1")?;
    gone.iter().try_for_each(|rank| delete.execute([rank]).map(drop))?;
    for row in rows {
        c.prepare_cached("UPDATE product SET rank = NULL WHERE row = ?1")?.execute([row])?;
    }
    come.iter().try_for_each(|rank| insert(c, *rank))
}

/// How many products of the same name and state stand before this one, as far as that matters.
fn twins(c: &Connection, row: i64, in_stock: bool, folded: &str) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM (
                 SELECT 1 FROM product WHERE listed = 1 AND in_stock = ?1
                   AND substr(folded, 1, 60) = substr(?2, 1, 60) AND row < ?3
                   AND shop = (SELECT shop FROM product WHERE row = ?3) LIMIT ?4)";
    let values = (in_stock, folded, row, TWINS_MAX);
    Ok(c.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
}

/// Further ones of a name count no longer.
const TWINS_MAX: i64 = 16;

fn insert(c: &Connection, rank: Rank) -> Result<(), StoreError> {
    let sql = "SELECT value FROM product_value WHERE row = ?1";
    let value: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([rank.row()], |row| row.get(0)).optional()?;
    let damaged = || StoreError::damaged("a product", "of the catalogue");
    let product = decoded(&value.ok_or_else(damaged)?)?;
    let (name, words) = (folded(&product).replace('\n', " "), words(&product));
    let sql = "INSERT INTO product_fts (rowid, name, words) VALUES (?1, ?2, ?3)";
    c.prepare_cached(sql)?.execute((rank.0, &name, &words))?;
    let sql = "UPDATE product SET rank = ?2 WHERE row = ?1";
    c.prepare_cached(sql)?.execute((rank.row(), rank.0))?;
    learn(c, name.split(' ').chain(words.split(' ')))
}

/// Remembers words, so that others which are nearly the same can be understood.
fn learn<'a>(c: &Connection, words: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
    let sql = "INSERT INTO word (word, reversed, sound) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut insert = c.prepare_cached(sql)?;
    for word in words.filter(|word| is_spelled(word)) {
        insert.execute((word, reversed(word), text::sound::key(word)))?;
    }
    Ok(())
}

/// Whether a word has letters that may be mistyped: numbers and sizes mean what they say.
pub(super) fn is_spelled(word: &str) -> bool {
    word.chars().nth(1).is_some() && word.chars().all(|c| !c.is_numeric())
}

/// The letters from the last to the first.
fn reversed(word: &str) -> String {
    word.chars().rev().collect()
}

/// The folded names, one a line, the one that is shown first.
pub(super) fn folded(product: &Product) -> String {
    let shown = product.name(kirana_core::catalogue::product::Language::ENGLISH);
    let others = product.names.values().map(String::as_str).filter(|name| *name != shown);
    let all: Vec<String> =
        std::iter::once(shown).chain(others).map(|name| text::searchable([name])).collect();
    all.join("\n")
}

/// What else finds a product beside its names.
pub(super) fn words(product: &Product) -> String {
    let own = product.synonyms.iter().chain(&product.brand).chain(&product.category);
    let marks = product.diets.iter().chain(&product.allergens);
    let variants = product.variants.values();
    let variants = variants.flat_map(|v| v.label.iter().chain(&v.sku));
    text::searchable(own.chain(marks).chain(variants).map(String::as_str))
}
