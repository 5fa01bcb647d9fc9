//! Finds products by words in any order, the beginnings of words, synonyms, or a barcode.
//!
//! **Invariant:** the order is total (in stock, rank, row), so a cursor continues right after the
//! last item of its page, whatever the page's length.

use kirana_core::{gtin::Gtin, id::ShopId, text};
use rusqlite::{Connection, Row, ToSql};

use super::{Shelved, shelved};
use crate::StoreError;

/// The most items of one page.
pub const PAGE_MAX: u16 = 100;
/// The longest question, in characters; the rest is not looked at.
pub const QUESTION_CHARS_MAX: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// In one shop's catalogue only.
    pub shop: Option<ShopId>,
    /// Words or a barcode; nothing lists everything.
    pub question: String,
    /// How many items at most, up to [`PAGE_MAX`].
    pub limit: u16,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

/// The place of an item in the order of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cursor {
    in_stock: bool,
    rank: f64,
    row: i64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:x}-{:x}", u8::from(self.in_stock), self.rank.to_bits(), self.row)
    }
}

impl std::str::FromStr for Cursor {
    type Err = NotACursor;
    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotACursor);
        let in_stock = match next()? {
            "0" => false,
            "1" => true,
            _ => return Err(NotACursor),
        };
        let rank = u64::from_str_radix(next()?, 16).map_err(|_| NotACursor)?;
        let row = i64::from_str_radix(next()?, 16).map_err(|_| NotACursor)?;
        let rank = f64::from_bits(rank);
        let whole = parts.next().is_none() && rank.is_finite();
        if whole { Ok(Self { in_stock, rank, row }) } else { Err(NotACursor) }
    }
}

/// The text did not come from a page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that a page before gave")]
pub struct NotACursor;

/// Some items, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The products.
    pub items: Vec<Shelved>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// Looks for products.
///
/// # Errors
/// [`StoreError`].
pub fn search(c: &Connection, query: &Query) -> Result<Page, StoreError> {
    let question: String = query.question.chars().take(QUESTION_CHARS_MAX).collect();
    let shop = query.shop.map(|shop| *shop.as_bytes());
    let limit = i64::from(query.limit.clamp(1, PAGE_MAX));
    let after = query.after.unwrap_or(FIRST);
    let (in_stock, rank, row, more) = (after.in_stock, after.rank, after.row, limit + 1);
    let key: Box<dyn ToSql> = match (question.parse::<Gtin>(), text::match_expression(&question)) {
        (Ok(gtin), _) => Box::new(super::int(gtin.to_number())),
        (Err(_), Some(words)) => Box::new(words),
        // Only punctuation: that is found nowhere, while nothing at all lists everything.
        (Err(_), None) if !question.trim().is_empty() => {
            return Ok(Page { items: Vec::new(), next: None });
        }
        (Err(_), None) => Box::new(rusqlite::types::Null),
    };
    let sql = match (question.parse::<Gtin>(), question.trim().is_empty()) {
        (Ok(_), _) => BY_GTIN,
        (Err(_), false) => BY_WORDS,
        (Err(_), true) => ALL,
    };
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((key, shop, in_stock, rank, row, more))?;
    let mut items = Vec::new();
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        ends.push(end(row)?);
        items.push(shelved(row)?);
    }
    let limit = usize::from(query.limit.clamp(1, PAGE_MAX));
    let next = if items.len() > limit { ends.get(limit - 1).copied() } else { None };
    items.truncate(limit);
    Ok(Page { items, next })
}

fn end(row: &Row<'_>) -> Result<Cursor, StoreError> {
    Ok(Cursor { in_stock: row.get(2)?, rank: row.get(4)?, row: row.get(5)? })
}

/// Before everything.
const FIRST: Cursor = Cursor { in_stock: true, rank: f64::MIN, row: i64::MIN };

/// Only the page's rows are joined with their values: the sorter sees narrow rows.
const BY_WORDS: &str = "
  SELECT p.shop, p.bucket, p.in_stock, v.value, p.rank, p.row FROM (
    SELECT q.row, q.shop, q.bucket, q.in_stock, f.rank AS rank
    FROM product_fts f CROSS JOIN product q ON q.row = f.rowid
    WHERE f.product_fts MATCH ?1 AND (?2 IS NULL OR q.shop = ?2)
      AND (q.in_stock < ?3 OR q.in_stock = ?3 AND (f.rank, q.row) > (?4, ?5))
    ORDER BY q.in_stock DESC, f.rank, q.row LIMIT ?6
  ) p JOIN product_value v ON v.row = p.row
  ORDER BY p.in_stock DESC, p.rank, p.row";

const BY_GTIN: &str = "
  SELECT p.shop, p.bucket, p.in_stock, v.value, 0.0, p.row
  FROM product p JOIN product_value v ON v.row = p.row
  WHERE p.row IN (SELECT product FROM variant WHERE gtin = ?1)
    AND p.listed = 1 AND (?2 IS NULL OR p.shop = ?2)
    AND (p.in_stock < ?3 OR p.in_stock = ?3 AND (0.0, p.row) > (?4, ?5))
  ORDER BY p.in_stock DESC, p.row LIMIT ?6";

const ALL: &str = "
  SELECT p.shop, p.bucket, p.in_stock, v.value, 0.0, p.row
  FROM product p JOIN product_value v ON v.row = p.row
  WHERE p.listed = 1 AND ?1 IS NULL AND (?2 IS NULL OR p.shop = ?2)
    AND (p.in_stock < ?3 OR p.in_stock = ?3 AND (0.0, p.row) > (?4, ?5))
  ORDER BY p.in_stock DESC, p.row LIMIT ?6";
