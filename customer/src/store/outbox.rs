//! Statements on their way to a shop; a row leaves only when the shop itself has answered.

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId},
    time::UnixMs,
};
use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{hash, order_id, signed, unsigned};

/// One statement that a shop has not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The statement's name.
    pub hash: Hash,
    /// For which shop.
    pub shop: ShopId,
    /// About which order.
    pub order: OrderId,
    /// The statement, as signed.
    pub bytes: Vec<u8>,
    /// When sending it makes no more sense.
    pub until: UnixMs,
    /// When it was written.
    pub queued_at: UnixMs,
}

/// Queues a statement.
pub fn put(tx: &Tx<'_>, item: &Waiting) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO outbox (hash, shop_id, order_id, bytes, until, queued_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (hash) DO NOTHING",
    )?
    .execute((
        item.hash.as_bytes(),
        item.shop.as_bytes(),
        item.order.as_bytes(),
        &item.bytes,
        signed(item.until.get()),
        signed(item.queued_at.get()),
    ))?;
    Ok(())
}

/// Takes a statement out because its shop answered it; whether it was still there.
pub fn settle(tx: &Tx<'_>, statement: Hash) -> Result<bool, StoreError> {
    let mut delete = tx.prepare_cached("DELETE FROM outbox WHERE hash = ?1")?;
    Ok(delete.execute([statement.as_bytes()])? > 0)
}

/// What waits about an order, besides the order itself.
pub fn of_order(reader: &Connection, order: OrderId) -> Result<Vec<Hash>, StoreError> {
    let mut select = reader.prepare_cached("SELECT hash FROM outbox WHERE order_id = ?1")?;
    let rows = select.query_map([order.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|name| hash(&name?)).collect()
}

/// One waiting statement.
pub fn get(reader: &Connection, statement: Hash) -> Result<Option<Waiting>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} WHERE hash = ?1"))?;
    let raw = select.query_row([statement.as_bytes()], read).optional()?;
    raw.map(parse).transpose()
}

/// All that waits, oldest first.
pub fn all(reader: &Connection) -> Result<Vec<Waiting>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} ORDER BY queued_at, hash"))?;
    let rows = select.query_map([], read)?;
    rows.map(|raw| parse(raw?)).collect()
}

const SELECT: &str = "SELECT hash, shop_id, order_id, bytes, until, queued_at FROM outbox";

type Raw = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, i64, i64);

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn parse((name, shop, order, bytes, until, queued_at): Raw) -> Result<Waiting, StoreError> {
    let damaged = || StoreError::damaged("a shop id", shop.len());
    Ok(Waiting {
        hash: hash(&name)?,
        shop: ShopId::from_slice(&shop).ok_or_else(damaged)?,
        order: order_id(&order)?,
        bytes,
        until: UnixMs::new(unsigned(until)),
        queued_at: UnixMs::new(unsigned(queued_at)),
    })
}
