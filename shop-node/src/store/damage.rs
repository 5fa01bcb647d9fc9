//! Orders whose stored entries are no longer what was signed, and what was found in their place.
//!
//! **Invariant (P8):** damaged bytes are put aside when good ones take their place, never dropped.

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId},
    order::chain::{Author, Authored},
    statement::{Party, Position, UnverifiedStatement},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{
    hash_of, int, known,
    orders::{OrderRow, generation_of},
    party_key, uint,
};

/// One stored entry, looked at by itself.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its place.
    pub seq: u32,
    /// What is there.
    pub bytes: Vec<u8>,
    /// The entry, if it is still what was signed.
    pub entry: Option<Authored>,
}

/// The stored entries of an order, each looked at by itself: one that is damaged hides no other.
pub fn entries(c: &Connection, row: &OrderRow, shop: ShopId) -> Result<Vec<Stored>, StoreError> {
    let sql = "SELECT seq, hash, bytes FROM order_entry WHERE order_n = ?1 AND lost = 0
               ORDER BY seq, hash";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([row.n])?;
    let mut all = Vec::new();
    while let Some(stored) = rows.next()? {
        let (seq, bytes): (u32, Vec<u8>) = (stored.get(0)?, stored.get(2)?);
        let noted = hash_of("an entry", &stored.get::<_, Vec<u8>>(1)?)?;
        let entry = sound(c, row, shop, &bytes)?;
        let entry = entry.filter(|authored| is_at(authored, seq) && authored.entry.hash() == noted);
        all.push(Stored { seq, bytes, entry });
    }
    Ok(all)
}

/// The entry, if the customer's device or a box of the shop signed these very bytes.
fn sound(
    c: &Connection,
    row: &OrderRow,
    shop: ShopId,
    bytes: &[u8],
) -> Result<Option<Authored>, StoreError> {
    let Ok(read) = UnverifiedStatement::parse(bytes) else { return Ok(None) };
    let (key, author) = match generation_of(&read) {
        None => return Ok(None),
        Some(0) => (Some(row.device), Author::customer(row.customer)),
        Some(generation) => (known::node_of(c, generation)?, Author::node(shop, generation)),
    };
    let entry = key.and_then(|key| read.verify(&key).ok());
    Ok(entry.map(|entry| Authored { entry, author }))
}

fn is_at(authored: &Authored, place: u32) -> bool {
    matches!(authored.entry.statement().position, Position::Entry { seq, .. } if seq == place)
}

/// Notes that an order is damaged; `false` when that was known.
pub fn mark(tx: &Tx<'_>, order_n: i64, at: UnixMs) -> Result<bool, StoreError> {
    let sql = "INSERT INTO damaged_order (order_n, found_ms) VALUES (?1, ?2)
               ON CONFLICT DO NOTHING";
    Ok(tx.prepare_cached(sql)?.execute((order_n, int(at.get())))? == 1)
}

/// Notes that a shortage took of the goods of a damaged order.
pub fn released(tx: &Tx<'_>, order_n: i64) -> Result<(), StoreError> {
    let sql = "UPDATE damaged_order SET released = 1 WHERE order_n = ?1";
    tx.prepare_cached(sql)?.execute([order_n])?;
    Ok(())
}

/// Whether an order is known to be damaged.
pub fn is_marked(c: &Connection, order_n: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM damaged_order WHERE order_n = ?1";
    Ok(c.prepare_cached(sql)?.query_row([order_n], |_| Ok(())).optional()?.is_some())
}

/// The order is whole again; says whether a shortage took of its goods meanwhile.
pub fn clear(tx: &Tx<'_>, order_n: i64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM damaged_order WHERE order_n = ?1 RETURNING released";
    Ok(tx.prepare_cached(sql)?.query_row([order_n], |row| row.get(0)).optional()?.unwrap_or(false))
}

/// The damaged orders of a customer, oldest first.
pub fn of_customer(c: &Connection, customer: &Party) -> Result<Vec<OrderId>, StoreError> {
    let sql = "SELECT o.id FROM damaged_order d JOIN customer_order o ON o.n = d.order_n
               WHERE o.customer = ?1 ORDER BY o.n";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([party_key(customer)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(0)?;
        all.push(OrderId::from_slice(&id).ok_or_else(|| StoreError::damaged("an order", "id"))?);
    }
    Ok(all)
}

/// Puts the bytes that were found in the place of an entry aside.
pub fn put_aside(
    tx: &Tx<'_>,
    order_n: i64,
    seq: u32,
    bytes: &[u8],
    at: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO damaged_entry (order_n, seq, mended_ms, bytes) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![order_n, seq, int(at.get()), bytes])?;
    let sql = "DELETE FROM order_entry
               WHERE order_n = ?1 AND lost = 0 AND seq = ?2 AND bytes = ?3";
    tx.prepare_cached(sql)?.execute(params![order_n, seq, bytes])?;
    Ok(())
}

/// An entry that was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The number of its order in this database.
    pub order_n: i64,
    /// Its place.
    pub seq: u32,
    /// When.
    pub at: UnixMs,
    /// What was found there; empty where nothing was.
    pub bytes: Vec<u8>,
}

/// All entries that were ever mended.
pub fn mended(c: &Connection) -> Result<Vec<Mended>, StoreError> {
    let sql =
        "SELECT order_n, seq, mended_ms, bytes FROM damaged_entry ORDER BY mended_ms, order_n, seq";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let at = UnixMs::new(uint("a time", row.get(2)?)?);
        all.push(Mended { order_n: row.get(0)?, seq: row.get(1)?, at, bytes: row.get(3)? });
    }
    Ok(all)
}

/// Whether an entry stands in its place with this digest.
pub fn holds(c: &Connection, order_n: i64, seq: u32, hash: Hash) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM order_entry
               WHERE order_n = ?1 AND lost = 0 AND seq = ?2 AND hash = ?3";
    let row = c.prepare_cached(sql)?.query_row(params![order_n, seq, hash.as_bytes()], |_| Ok(()));
    Ok(row.optional()?.is_some())
}
