//! What came into the shop's bank account, and which payment of an order each line is.
//!
//! **Invariant:** a line is one payment at most, and a payment is one line at most: unique indices
//! say so.

use kirana_core::{
    day::Day,
    hash::Hash,
    id::{KhataId, OrderId},
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// A line about money that came in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// The bank's own number for it, or a digest of the line.
    pub reference: String,
    /// When it was booked.
    pub day: Day,
    /// How much, in minor units.
    pub minor: i64,
    /// What the payer or the bank wrote.
    pub text: String,
}

/// A line as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// Its number here.
    pub n: i64,
    /// What the bank said.
    #[serde(flatten)]
    pub line: Line,
    /// The short number of the order that it paid.
    pub number: Option<String>,
    /// The khata that it was paid towards.
    pub khata: Option<KhataId>,
    /// Whether nobody has said yet what it is.
    pub open: bool,
    /// Why it pays nothing here.
    pub aside: Option<String>,
}

/// A payment by UPI that no line of a statement shows yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unseen {
    /// The order's short number.
    pub number: Option<String>,
    /// The khata that it was paid towards, where it is for no order.
    pub khata: Option<KhataId>,
    /// When somebody said that it was paid.
    pub at: UnixMs,
    /// How much, in minor units.
    pub minor: i64,
}

/// Keeps a line; nothing where it was kept before.
pub fn keep(tx: &Tx<'_>, line: &Line, at: UnixMs) -> Result<Option<i64>, StoreError> {
    let sql = "INSERT INTO bank_line (reference, day, minor, text, read_ms)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    let row = params![line.reference, line.day.get(), line.minor, line.text, int(at.get())];
    let is_new = tx.prepare_cached(sql)?.execute(row)? == 1;
    Ok(is_new.then(|| tx.last_insert_rowid()))
}

const COLUMNS: &str = "b.n, b.reference, b.day, b.minor, b.text, b.aside, o.number, k.id, b.taking
                       FROM bank_line b LEFT JOIN takings t ON t.n = b.taking
                       LEFT JOIN customer_order o ON o.n = t.order_n
                       LEFT JOIN khata_entry e ON e.hash = t.entry AND e.lost = 0
                                                  AND t.order_n IS NULL
                       LEFT JOIN khata k ON k.n = e.khata_n";

/// Lines, the newest first: those that nobody accounted for, or all.
pub fn page(
    c: &Connection,
    open_only: bool,
    before: i64,
    limit: u32,
) -> Result<Vec<Kept>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} WHERE b.n < ?1 AND (NOT ?2 OR (b.taking IS NULL AND b.aside IS NULL))
         ORDER BY b.n DESC LIMIT ?3"
    );
    let mut select = c.prepare_cached(&sql)?;
    let mut rows = select.query((before, open_only, limit))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// One line.
pub fn get(c: &Connection, n: i64) -> Result<Option<Kept>, StoreError> {
    let sql = format!("SELECT {COLUMNS} WHERE b.n = ?1");
    let mut select = c.prepare_cached(&sql)?;
    select.query_row([n], |row| Ok(read(row))).optional()?.transpose()
}

/// Says which payment a line is.
pub fn assign(tx: &Tx<'_>, n: i64, taking: i64, who: Option<KeyId>) -> Result<(), StoreError> {
    let sql = "UPDATE bank_line SET taking = ?2, who = ?3 WHERE n = ?1 AND taking IS NULL";
    let who = who.map(|who| who.as_bytes().to_vec());
    tx.prepare_cached(sql)?.execute(params![n, taking, who])?;
    Ok(())
}

/// Lines that are said to be payments which the till does not have so: their numbers.
pub fn astray(c: &Connection) -> Result<Vec<i64>, StoreError> {
    let sql = "SELECT b.n FROM bank_line b LEFT JOIN takings t ON t.n = b.taking
               WHERE b.taking IS NOT NULL
                 AND (t.n IS NULL OR t.minor <> b.minor OR t.means <> 'upi'
                      OR t.kind NOT IN ('payment', 'khata_payment'))
               ORDER BY b.n";
    Ok(c.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Says why a line pays nothing here.
pub fn set_aside(tx: &Tx<'_>, n: i64, why: &str, who: KeyId) -> Result<bool, StoreError> {
    let sql = "UPDATE bank_line SET aside = ?2, who = ?3 WHERE n = ?1 AND taking IS NULL";
    let row = params![n, why, who.as_bytes()];
    Ok(tx.prepare_cached(sql)?.execute(row)? == 1)
}

/// A payment of an order by UPI over such a sum that no line is yet; the oldest of several.
pub fn unseen_of(c: &Connection, order_n: i64, minor: i64) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT t.n FROM takings t
               WHERE t.order_n = ?1 AND t.minor = ?2 AND t.kind = 'payment' AND t.means = 'upi'
                 AND NOT EXISTS (SELECT 1 FROM bank_line WHERE taking = t.n)
               ORDER BY t.n LIMIT 1";
    Ok(c.prepare_cached(sql)?.query_row((order_n, minor), |row| row.get(0)).optional()?)
}

/// A payment towards a khata by UPI over such a sum that no line is yet; the oldest of several.
pub fn unseen_of_khata(
    c: &Connection,
    khata_n: i64,
    minor: i64,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT t.n FROM takings t JOIN khata_entry e ON e.hash = t.entry AND e.lost = 0
               WHERE e.khata_n = ?1 AND t.minor = ?2 AND t.kind = 'khata_payment'
                 AND t.means = 'upi' AND NOT EXISTS (SELECT 1 FROM bank_line WHERE taking = t.n)
               ORDER BY t.n LIMIT 1";
    Ok(c.prepare_cached(sql)?.query_row((khata_n, minor), |row| row.get(0)).optional()?)
}

/// The row of the till that an entry made.
pub fn taking_of(c: &Connection, entry: Hash) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT n FROM takings WHERE entry = ?1";
    Ok(c.prepare_cached(sql)?.query_row([entry.as_bytes()], |row| row.get(0)).optional()?)
}

/// Payments by UPI that no line shows, from before `until`, oldest first.
pub fn unseen(c: &Connection, until: UnixMs, limit: u32) -> Result<Vec<Unseen>, StoreError> {
    let sql = "SELECT o.number, t.at_ms, t.minor, k.id
               FROM takings t LEFT JOIN customer_order o ON o.n = t.order_n
                 LEFT JOIN khata_entry e ON t.kind = 'khata_payment' AND e.hash = t.entry
                                            AND e.lost = 0
                 LEFT JOIN khata k ON k.n = e.khata_n
               WHERE t.kind IN ('payment', 'khata_payment') AND t.means = 'upi' AND t.at_ms < ?1
                 AND NOT EXISTS (SELECT 1 FROM bank_line WHERE taking = t.n)
               ORDER BY t.n LIMIT ?2";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query((int(until.get()), limit))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let at = UnixMs::new(uint("a time", row.get(1)?)?);
        let khata = khata_of(row.get(3)?)?;
        all.push(Unseen { number: row.get(0)?, khata, at, minor: row.get(2)? });
    }
    Ok(all)
}

/// Orders that came to nothing and of which money was kept: number, id, how much.
pub fn kept_for_nothing(
    c: &Connection,
    limit: u32,
) -> Result<Vec<(String, OrderId, i64)>, StoreError> {
    let sql = "SELECT o.number, o.id, sum(t.minor)
               FROM customer_order o JOIN takings t ON t.order_n = o.n
               WHERE o.stage IN ('cancelled', 'declined', 'withdrawn', 'expired')
               GROUP BY o.n HAVING sum(t.minor) > 0 ORDER BY o.n LIMIT ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(1)?;
        let id = OrderId::from_slice(&id).ok_or_else(|| StoreError::damaged("an order", "id"))?;
        all.push((row.get(0)?, id, row.get(2)?));
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<Kept, StoreError> {
    let line = Line {
        reference: row.get(1)?,
        day: Day::new(row.get(2)?),
        minor: row.get(3)?,
        text: row.get(4)?,
    };
    let (aside, taking): (Option<String>, Option<i64>) = (row.get(5)?, row.get(8)?);
    let (khata, open) = (khata_of(row.get(7)?)?, aside.is_none() && taking.is_none());
    Ok(Kept { n: row.get(0)?, line, aside, number: row.get(6)?, khata, open })
}

fn khata_of(id: Option<Vec<u8>>) -> Result<Option<KhataId>, StoreError> {
    let read = |id: Vec<u8>| {
        KhataId::from_slice(&id).ok_or_else(|| StoreError::damaged("a khata", "its id"))
    };
    id.map(read).transpose()
}
