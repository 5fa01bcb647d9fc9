//! Invoices and credit notes as they were issued.
//!
//! **Invariant:** numbers of one kind and generation begin at 1 and have no gaps: the next one is
//! taken in the transaction that needs it, and rows are never removed.

use kirana_core::{hash::Hash, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// Which of the two series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// What was sold.
    Invoice,
    /// What was taken back of it, or taken off.
    CreditNote,
}

impl Series {
    const fn word(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
        }
    }
}

/// The number of a document: its series, the shop's generation, and a count without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// Which series.
    pub series: Series,
    /// Of which generation of the shop.
    pub generation: u64,
    /// From 1.
    pub n: u64,
}

impl std::fmt::Display for Number {
    /// At most sixteen characters, as the rules for tax invoices in India want: `I1-000042`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = match self.series {
            Series::Invoice => 'I',
            Series::CreditNote => 'C',
        };
        write!(f, "{letter}{}-{:06}", self.generation, self.n)
    }
}

impl std::str::FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (series, rest) = match text.split_at_checked(1).ok_or(NotANumber)? {
            ("I", rest) => (Series::Invoice, rest),
            ("C", rest) => (Series::CreditNote, rest),
            _ => return Err(NotANumber),
        };
        let (generation, n) = rest.split_once('-').ok_or(NotANumber)?;
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| NotANumber);
        Ok(Self { series, generation: number(generation)?, n: number(n)? })
    }
}

/// A text that is no number of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a document is numbered like I1-000042")]
pub struct NotANumber;

/// A document as it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its number.
    pub number: Number,
    /// For which order, by its number here.
    pub order_n: i64,
    /// When.
    pub at: UnixMs,
    /// What stands on it, as JSON.
    pub facts: String,
}

/// Issues a document under the next number of its series.
pub fn issue(
    tx: &Tx<'_>,
    (series, generation): (Series, u64),
    (order_n, entry): (i64, Hash),
    at: UnixMs,
    facts: &str,
) -> Result<Number, StoreError> {
    let sql = "SELECT coalesce(max(n), 0) + 1 FROM invoice WHERE kind = ?1 AND generation = ?2";
    let next: i64 =
        tx.prepare_cached(sql)?.query_row((series.word(), int(generation)), |row| row.get(0))?;
    let sql = "INSERT INTO invoice (kind, generation, n, order_n, entry, at_ms, facts)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        series.word(),
        int(generation),
        next,
        order_n,
        entry.as_bytes(),
        int(at.get()),
        facts,
    ])?;
    Ok(Number { series, generation, n: uint("a number", next)? })
}

const COLUMNS: &str = "kind, generation, n, order_n, at_ms, facts";

/// One document.
pub fn get(c: &Connection, number: Number) -> Result<Option<Issued>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM invoice WHERE kind = ?1 AND generation = ?2 AND n = ?3");
    let keys = (number.series.word(), int(number.generation), int(number.n));
    let mut select = c.prepare_cached(&sql)?;
    select.query_row(keys, |row| Ok(read(row))).optional()?.transpose()
}

/// The documents of an order, oldest first.
pub fn of_order(c: &Connection, order_n: i64) -> Result<Vec<Issued>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM invoice WHERE order_n = ?1 ORDER BY at_ms, kind DESC, n");
    many(c, &sql, params![order_n])
}

/// The documents of a time, in the order of their numbers: from `begin` to before `end`.
pub fn between(c: &Connection, begin: UnixMs, end: UnixMs) -> Result<Vec<Issued>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM invoice WHERE at_ms >= ?1 AND at_ms < ?2
         ORDER BY kind DESC, generation, n"
    );
    many(c, &sql, params![int(begin.get()), int(end.get())])
}

/// How many documents of each series there are, and what the highest number is.
pub fn series(c: &Connection) -> Result<Vec<(String, u64, u64, u64)>, StoreError> {
    let sql = "SELECT kind, generation, count(*), max(n) FROM invoice GROUP BY kind, generation";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let numbers = [row.get(1)?, row.get(2)?, row.get(3)?].map(|n| uint("a number", n));
        let [generation, count, last] = numbers;
        all.push((row.get(0)?, generation?, count?, last?));
    }
    Ok(all)
}

fn many(
    c: &Connection,
    sql: &str,
    params: impl kirana_migrations::rusqlite::Params,
) -> Result<Vec<Issued>, StoreError> {
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<Issued, StoreError> {
    let kind: String = row.get(0)?;
    let series = if kind == "invoice" { Series::Invoice } else { Series::CreditNote };
    let number = Number {
        series,
        generation: uint("a generation", row.get(1)?)?,
        n: uint("a number", row.get(2)?)?,
    };
    Ok(Issued {
        number,
        order_n: row.get(3)?,
        at: UnixMs::new(uint("a time", row.get(4)?)?),
        facts: row.get(5)?,
    })
}
