//! Cash on its way between a customer's door and the till: what each courier took, and handed in.
//!
//! **Invariant:** a row of the takings is in one hand-in of its courier at most: each begins behind
//! the one before.

use kirana_core::{key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, params},
};
use serde::Serialize;

use super::{int, till::key_of, uint};

/// Cash that somebody handed in; money in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandIn {
    /// Who had taken it.
    pub courier: KeyId,
    /// When it was handed in.
    pub at: UnixMs,
    /// Who counted it.
    pub by: KeyId,
    /// What they had taken, by the till.
    pub expected_minor: i64,
    /// What was counted.
    pub counted_minor: i64,
    /// The last row of the takings that is in it.
    #[serde(skip)]
    pub until: i64,
    /// What else to say.
    pub note: String,
}

/// Cash that somebody took and did not hand in yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outstanding {
    /// Who.
    pub courier: KeyId,
    /// How much, in minor units.
    pub minor: i64,
    /// By how many payments and refunds.
    pub count: u32,
    /// The last row of the takings that is in it.
    #[serde(skip)]
    pub until: i64,
}

/// Cash that people took for orders since they handed in last.
pub fn outstanding(c: &Connection) -> Result<Vec<Outstanding>, StoreError> {
    // What is paid at the counter lies in the till already.
    let sql = "SELECT t.who, sum(t.minor), count(*), max(t.n)
               FROM takings t JOIN customer_order o ON o.n = t.order_n AND o.slot_way = 1
               WHERE t.means = 'cash' AND t.kind IN ('payment', 'refund') AND t.who IS NOT NULL
                 AND t.n > coalesce((SELECT max(h.until) FROM hand_in h WHERE h.courier = t.who), 0)
               GROUP BY t.who ORDER BY t.who";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let courier = key_of(&row.get::<_, Vec<u8>>(0)?)?;
        let (minor, count, until) = (row.get(1)?, row.get(2)?, row.get(3)?);
        all.push(Outstanding { courier, minor, count, until });
    }
    Ok(all)
}

/// What one of them has to hand in now.
pub fn take_over(tx: &Tx<'_>, courier: KeyId) -> Result<Outstanding, StoreError> {
    let own = outstanding(tx)?.into_iter().find(|one| one.courier == courier);
    let last = "SELECT coalesce(max(until), 0) FROM hand_in WHERE courier = ?1";
    let until = tx.prepare_cached(last)?.query_row([courier.as_bytes()], |row| row.get(0))?;
    Ok(own.unwrap_or(Outstanding { courier, minor: 0, count: 0, until }))
}

/// Hand-ins whose noted sum is not what the till says that was taken until then: number, noted, taken.
pub fn astray(c: &Connection) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let sql = "SELECT n, expected_minor, taken FROM
                 (SELECT h.n, h.expected_minor,
                         (SELECT coalesce(sum(t.minor), 0)
                          FROM takings t JOIN customer_order o ON o.n = t.order_n AND o.slot_way = 1
                          WHERE t.means = 'cash' AND t.kind IN ('payment', 'refund')
                            AND t.who = h.courier AND t.n <= h.until
                            AND t.n > coalesce((SELECT max(p.until) FROM hand_in p
                                                WHERE p.courier = h.courier AND p.n < h.n), 0)) taken
                  FROM hand_in h)
               WHERE taken <> expected_minor ORDER BY n";
    let mut select = c.prepare_cached(sql)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes a hand-in down.
pub fn put(tx: &Tx<'_>, row: &HandIn) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO hand_in (courier, at_ms, who, expected_minor, counted_minor, until, note)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        row.courier.as_bytes(),
        int(row.at.get()),
        row.by.as_bytes(),
        row.expected_minor,
        row.counted_minor,
        row.until,
        row.note,
    ])?;
    Ok(())
}

/// What was handed in, the newest first.
pub fn page(c: &Connection, limit: u32) -> Result<Vec<HandIn>, StoreError> {
    let sql = "SELECT courier, at_ms, who, expected_minor, counted_minor, until, note
               FROM hand_in ORDER BY n DESC LIMIT ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(HandIn {
            courier: key_of(&row.get::<_, Vec<u8>>(0)?)?,
            at: UnixMs::new(uint("a time", row.get(1)?)?),
            by: key_of(&row.get::<_, Vec<u8>>(2)?)?,
            expected_minor: row.get(3)?,
            counted_minor: row.get(4)?,
            until: row.get(5)?,
            note: row.get(6)?,
        });
    }
    Ok(all)
}
