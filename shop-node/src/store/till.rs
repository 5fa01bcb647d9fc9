//! Money that changed hands, row by row, and the till's days from float to count.
//!
//! **Invariant:** an entry of an order that moves money has one row, made in the transaction that
//! writes the entry; rows are never changed.

use kirana_core::{
    hash::Hash, id::TillDayId, key::KeyId, order::facts::Means, statement::Party, time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{hash_of, int, party_of, uint};

/// What kind of money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody bought at the counter.
    Sale,
    /// An order was paid, in full or part.
    Payment,
    /// Money of an order went back.
    Refund,
    /// Somebody put money into the till.
    PaidIn,
    /// Somebody took money out of the till.
    PaidOut,
    /// A khata was paid, in full or part.
    KhataPayment,
    /// Money that the shop owed by a khata went back.
    KhataRefund,
}

impl Kind {
    /// The stored word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::PaidIn => "paid_in",
            Self::PaidOut => "paid_out",
            Self::KhataPayment => "khata_payment",
            Self::KhataRefund => "khata_refund",
        }
    }

    fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Sale,
            Self::Payment,
            Self::Refund,
            Self::PaidIn,
            Self::PaidOut,
            Self::KhataPayment,
            Self::KhataRefund,
        ];
        all.into_iter().find(|kind| kind.label() == word)
    }
}

/// Money that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taking {
    /// When.
    pub at: UnixMs,
    /// Why.
    pub kind: Kind,
    /// In what form.
    pub means: Means,
    /// How much, in minor units; below zero where it goes out.
    pub minor: i64,
    /// For which order, by its number here, and the entry that says so.
    pub order: Option<(i64, Hash)>,
    /// By the first movement of which sale.
    pub movement: Option<u64>,
    /// Who had it done.
    pub who: Option<KeyId>,
    /// What else to say.
    pub note: String,
}

/// A row as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What moved.
    pub taking: Taking,
    /// The order's short number.
    pub number: Option<String>,
    /// The order's customer.
    pub customer: Option<Party>,
}

/// A till from float to count; money in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TillDay {
    /// Its name.
    pub id: TillDayId,
    /// Since when.
    pub opened: UnixMs,
    /// By whom.
    pub opened_by: KeyId,
    /// What lay in it.
    pub float_minor: i64,
    /// How it was closed.
    pub closed: Option<Closed>,
}

/// How a till was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: UnixMs,
    /// Who signed it off.
    pub by: KeyId,
    /// What should have lain in it.
    pub expected_minor: i64,
    /// What was counted.
    pub counted_minor: i64,
    /// What else to say.
    pub note: String,
}

/// Writes a row.
pub fn put(tx: &Tx<'_>, taking: &Taking) -> Result<(), StoreError> {
    let sql = "INSERT INTO takings (at_ms, kind, means, minor, order_n, entry, movement, who, note)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![
        int(taking.at.get()),
        taking.kind.label(),
        taking.means.label(),
        taking.minor,
        taking.order.map(|(n, _)| n),
        taking.order.as_ref().map(|(_, entry)| entry.as_bytes()),
        taking.movement.map(int),
        taking.who.as_ref().map(|who| who.as_bytes().to_vec()),
        taking.note,
    ])?;
    Ok(())
}

/// Writes a row for an entry of a khata, once.
pub fn put_of_khata(tx: &Tx<'_>, taking: &Taking, entry: Hash) -> Result<(), StoreError> {
    let sql = "INSERT INTO takings (at_ms, kind, means, minor, entry, who, note)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![
        int(taking.at.get()),
        taking.kind.label(),
        taking.means.label(),
        taking.minor,
        entry.as_bytes(),
        taking.who.as_ref().map(|who| who.as_bytes().to_vec()),
        taking.note,
    ])?;
    Ok(())
}

/// What the till has for an entry of a khata.
pub fn of_khata_entry(c: &Connection, entry: Hash) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT minor FROM takings WHERE entry = ?1 AND order_n IS NULL";
    Ok(c.prepare_cached(sql)?.query_row([entry.as_bytes()], |row| row.get(0)).optional()?)
}

/// How many rows there are of khatas.
pub fn count_of_khatas(c: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM takings WHERE kind IN ('khata_payment', 'khata_refund')";
    uint("a count", c.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// The rows of a time, oldest first: from `begin` to before `end`.
pub fn between(c: &Connection, begin: UnixMs, end: UnixMs) -> Result<Vec<Shown>, StoreError> {
    let sql = "SELECT t.at_ms, t.kind, t.means, t.minor, t.order_n, t.entry, t.movement, t.who,
                      t.note, o.number, o.customer
               FROM takings t LEFT JOIN customer_order o ON o.n = t.order_n
               WHERE t.at_ms >= ?1 AND t.at_ms < ?2 ORDER BY t.at_ms, t.n";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([int(begin.get()), int(end.get())])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// The sum of what an order's rows say, and how many there are.
pub fn of_order(c: &Connection, n: i64) -> Result<Vec<(Hash, i64)>, StoreError> {
    let sql =
        "SELECT entry, minor FROM takings WHERE order_n = ?1 AND entry IS NOT NULL ORDER BY n";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([n])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((hash_of("an entry", &row.get::<_, Vec<u8>>(0)?)?, row.get(1)?));
    }
    Ok(all)
}

/// Cash that moved since a time.
pub fn cash_since(c: &Connection, begin: UnixMs) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(minor), 0) FROM takings WHERE means = 'cash' AND at_ms >= ?1";
    Ok(c.prepare_cached(sql)?.query_row([int(begin.get())], |row| row.get(0))?)
}

const DAY_COLUMNS: &str = "id, opened_ms, opened_by, float_minor, closed_ms, closed_by, \
                           expected_minor, counted_minor, note";

/// The till's days, the newest first.
pub fn days(c: &Connection, limit: u32) -> Result<Vec<TillDay>, StoreError> {
    let sql = format!("SELECT {DAY_COLUMNS} FROM till_day ORDER BY opened_ms DESC LIMIT ?1");
    let mut select = c.prepare_cached(&sql)?;
    let mut rows = select.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read_day(row)?);
    }
    Ok(all)
}

/// One of the till's days.
pub fn day(c: &Connection, id: TillDayId) -> Result<Option<TillDay>, StoreError> {
    let sql = format!("SELECT {DAY_COLUMNS} FROM till_day WHERE id = ?1");
    let mut select = c.prepare_cached(&sql)?;
    select.query_row([id.as_bytes()], |row| Ok(read_day(row))).optional()?.transpose()
}

/// Opens a till, unless one is open; whether it did.
pub fn open(tx: &Tx<'_>, day: &TillDay) -> Result<bool, StoreError> {
    let sql = "INSERT INTO till_day (id, opened_ms, opened_by, float_minor)
               SELECT ?1, ?2, ?3, ?4
               WHERE NOT EXISTS (SELECT 1 FROM till_day WHERE closed_ms IS NULL)";
    let opened = int(day.opened.get());
    let row = params![day.id.as_bytes(), opened, day.opened_by.as_bytes(), day.float_minor];
    Ok(tx.prepare_cached(sql)?.execute(row)? == 1)
}

/// Writes down how a till was closed.
pub fn close(tx: &Tx<'_>, id: TillDayId, closed: &Closed) -> Result<(), StoreError> {
    let sql = "UPDATE till_day SET closed_ms = ?2, closed_by = ?3, expected_minor = ?4,
                      counted_minor = ?5, note = ?6
               WHERE id = ?1 AND closed_ms IS NULL";
    tx.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        int(closed.at.get()),
        closed.by.as_bytes(),
        closed.expected_minor,
        closed.counted_minor,
        closed.note,
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Shown, StoreError> {
    let damaged = || StoreError::damaged("a row", "of the takings");
    let (kind, means): (String, String) = (row.get(1)?, row.get(2)?);
    let order: Option<i64> = row.get(4)?;
    let entry: Option<Vec<u8>> = row.get(5)?;
    let entry = entry.map(|entry| hash_of("an entry", &entry)).transpose()?;
    let movement: Option<i64> = row.get(6)?;
    let who: Option<Vec<u8>> = row.get(7)?;
    let customer: Option<Vec<u8>> = row.get(10)?;
    let taking = Taking {
        at: UnixMs::new(uint("a time", row.get(0)?)?),
        kind: Kind::named(&kind).ok_or_else(damaged)?,
        means: Means::from_label(&means).ok_or_else(damaged)?,
        minor: row.get(3)?,
        order: order.zip(entry),
        movement: movement.map(|n| uint("a movement", n)).transpose()?,
        who: who.map(|who| key_of(&who)).transpose()?,
        note: row.get(8)?,
    };
    let customer = customer.map(|party| party_of(&party)).transpose()?;
    Ok(Shown { taking, number: row.get(9)?, customer })
}

fn read_day(row: &Row<'_>) -> Result<TillDay, StoreError> {
    let damaged = || StoreError::damaged("a day", "of the till");
    let closed: Option<i64> = row.get(4)?;
    let closed = match closed {
        None => None,
        Some(at) => Some(Closed {
            at: UnixMs::new(uint("a time", at)?),
            by: key_of(&row.get::<_, Vec<u8>>(5)?)?,
            expected_minor: row.get(6)?,
            counted_minor: row.get(7)?,
            note: row.get(8)?,
        }),
    };
    Ok(TillDay {
        id: TillDayId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        opened: UnixMs::new(uint("a time", row.get(1)?)?),
        opened_by: key_of(&row.get::<_, Vec<u8>>(2)?)?,
        float_minor: row.get(3)?,
        closed,
    })
}

pub(super) fn key_of(bytes: &[u8]) -> Result<KeyId, StoreError> {
    let damaged = |_| StoreError::damaged("the name of a key", "of the takings");
    Ok(KeyId::from_bytes(bytes.try_into().map_err(damaged)?))
}
