//! What waits for the customers' devices: chains of orders and answers, sealed when they are sent.

use kirana_core::{hash::Hash, key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// One thing that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Grows with every change, so that a device asks for what came after.
    pub n: u64,
    /// For which device.
    pub device: KeyId,
    /// What.
    pub what: What,
}

/// What waits for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The chain of an order, by its number in this database.
    Order(i64),
    /// A signed answer to a request.
    Answer(Vec<u8>),
    /// Some entries of a khata.
    Khata {
        /// By its number in this database.
        n: i64,
        /// Which page of entries.
        page: u32,
    },
}

/// An order changed: its device shall hear, and what waited of it before is replaced.
pub fn order_changed(tx: &Tx<'_>, device: KeyId, order_n: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM outgoing WHERE device = ?1 AND order_n = ?2";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), order_n])?;
    // Whoever has no device waits for nothing: the shop keeps that key itself.
    let sql = "INSERT INTO outgoing (device, order_n)
               SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM caller WHERE device = ?1)";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), order_n])?;
    Ok(())
}

/// Notes that the order's chain waits for a device, unless it does already.
pub fn waits_again(tx: &Tx<'_>, device: KeyId, order_n: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO outgoing (device, order_n) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), order_n])?;
    Ok(())
}

/// Keeps an answer to a request, and lets it wait for the device.
pub fn put_answer(
    tx: &Tx<'_>,
    device: KeyId,
    request: Hash,
    bytes: &[u8],
    at: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO answer (request, bytes, at_ms) VALUES (?1, ?2, ?3)";
    tx.prepare_cached(sql)?.execute(params![request.as_bytes(), bytes, int(at.get())])?;
    let sql = "INSERT INTO outgoing (device, answer) VALUES (?1, ?2)";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), request.as_bytes()])?;
    Ok(())
}

/// What was answered to a request before.
pub fn answer_to(c: &Connection, request: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT bytes FROM answer WHERE request = ?1";
    Ok(c.prepare_cached(sql)?.query_row([request.as_bytes()], |row| row.get(0)).optional()?)
}

/// What waits for a device after `after`, oldest first.
pub fn for_device(
    c: &Connection,
    device: KeyId,
    after: u64,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    let sql = "SELECT o.n, o.device, o.order_n, a.bytes, o.khata_n, o.khata_page
               FROM outgoing o LEFT JOIN answer a ON a.request = o.answer
               WHERE o.device = ?1 AND o.n > ?2 ORDER BY o.n LIMIT ?3";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![device.as_bytes(), int(after), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// What no hub keeps yet, oldest first.
pub fn to_post(c: &Connection, limit: u32) -> Result<Vec<Waiting>, StoreError> {
    let sql = "SELECT o.n, o.device, o.order_n, a.bytes, o.khata_n, o.khata_page
               FROM outgoing o LEFT JOIN answer a ON a.request = o.answer
               WHERE o.posted = 0 ORDER BY o.n LIMIT ?1";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// A hub keeps it now.
pub fn posted(tx: &Tx<'_>, n: u64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE outgoing SET posted = 1 WHERE n = ?1")?.execute([int(n)])?;
    Ok(())
}

/// The device has stored it.
pub fn forget(tx: &Tx<'_>, device: KeyId, n: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM outgoing WHERE device = ?1 AND n = ?2";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), int(n)])?;
    Ok(())
}

/// The device has all of this order, so nothing waits.
pub fn heard(tx: &Tx<'_>, device: KeyId, order_n: i64) -> Result<(), StoreError> {
    let sql = "UPDATE outgoing SET posted = 1 WHERE device = ?1 AND order_n = ?2";
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), order_n])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Waiting, StoreError> {
    let n = uint("an outgoing number", row.get(0)?)?;
    let damaged = || StoreError::damaged("what waits for a device, number", n);
    let khata = (row.get::<_, Option<i64>>(4)?, row.get::<_, Option<u32>>(5)?);
    let what = match (row.get::<_, Option<i64>>(2)?, row.get::<_, Option<Vec<u8>>>(3)?, khata) {
        (Some(order), ..) => What::Order(order),
        (None, Some(bytes), _) => What::Answer(bytes),
        (None, None, (Some(n), Some(page))) => What::Khata { n, page },
        (None, None, _) => return Err(damaged()),
    };
    let device = KeyId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?;
    Ok(Waiting { n, device, what })
}
