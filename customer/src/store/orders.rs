//! The household's copy of its orders: every signed entry, byte for byte.

use kirana_core::{
    envelope::PersonalPart,
    hash::Hash,
    id::{OrderId, ShopId},
    planted::{Bug, is_planted},
    statement::{Position, SignedStatement},
    time::UnixMs,
};
use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension};

use super::{hash, order_id, signed, unsigned};

/// An order's row; what became of it is in its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// Which order.
    pub id: OrderId,
    /// At which shop.
    pub shop: ShopId,
    /// When it was placed.
    pub placed_at: UnixMs,
    /// Whether it is still to be followed.
    pub open: bool,
}

impl StoredOrder {
    /// Whether the shop is told of it when heads are compared: always, but for a planted bug, by
    /// which what nobody answered is taken for sent.
    pub fn is_mentioned(&self, reader: &Connection) -> bool {
        let forgets = is_planted(Bug::ForgetTheOutbox) || is_planted(Bug::TrustTheRelay);
        !forgets || entries(reader, self.id).is_ok_and(|entries| entries.len() > 1)
    }
}

/// Adds an order that is being placed.
pub fn add(
    tx: &Tx<'_>,
    order: &StoredOrder,
    personal: Option<&PersonalPart>,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO customer_order (order_id, shop_id, placed_at, open, personal_salt, personal)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        order.id.as_bytes(),
        order.shop.as_bytes(),
        signed(order.placed_at.get()),
        order.open,
        personal.map(|part| part.salt),
        personal.map(|part| &part.bytes),
    ))?;
    Ok(())
}

/// One order.
pub fn get(reader: &Connection, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, shop_id, placed_at, open FROM customer_order WHERE order_id = ?1",
    )?;
    let mut rows = select.query([id.as_bytes()])?;
    rows.next()?.map(read).transpose()
}

/// All orders, newest first.
pub fn all(reader: &Connection) -> Result<Vec<StoredOrder>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, shop_id, placed_at, open FROM customer_order ORDER BY placed_at DESC, order_id",
    )?;
    collect(select.query([])?)
}

/// The orders at a shop that are still to be followed.
pub fn open_at(reader: &Connection, shop: ShopId) -> Result<Vec<StoredOrder>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, shop_id, placed_at, open FROM customer_order
         WHERE shop_id = ?1 AND open = 1 ORDER BY placed_at, order_id",
    )?;
    collect(select.query([shop.as_bytes()])?)
}

/// Closed orders that a shop which came back from a backup was not asked about yet, newest first.
pub fn unconfirmed_at(
    reader: &Connection,
    shop: ShopId,
    limit: u32,
) -> Result<Vec<StoredOrder>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, shop_id, placed_at, open FROM customer_order
         WHERE shop_id = ?1 AND open = 0 AND unconfirmed = 1
         ORDER BY placed_at DESC, order_id LIMIT ?2",
    )?;
    collect(select.query((shop.as_bytes(), limit))?)
}

/// The shop came back from a backup: whether it still has what it closed is not known any more.
/// What it refused has no entry of its, and is nobody's business now.
pub fn unconfirm_closed(tx: &Tx<'_>, shop: ShopId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE customer_order SET unconfirmed = 1 WHERE shop_id = ?1 AND open = 0 AND EXISTS
           (SELECT 1 FROM entry AS e
            WHERE e.order_id = customer_order.order_id AND e.seq = 1 AND e.lost = 0)",
    )?
    .execute([shop.as_bytes()])?;
    Ok(())
}

/// An order was closed by a box that is not the newest any more.
pub fn unconfirm(tx: &Tx<'_>, id: OrderId) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE customer_order SET unconfirmed = 1 WHERE order_id = ?1")?
        .execute([id.as_bytes()])?;
    Ok(())
}

/// The shop has all of this order.
pub fn confirm(tx: &Tx<'_>, shop: ShopId, id: OrderId) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE customer_order SET unconfirmed = 0 WHERE order_id = ?1 AND shop_id = ?2",
    )?
    .execute((id.as_bytes(), shop.as_bytes()))?;
    Ok(())
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<StoredOrder>, StoreError> {
    let mut orders = Vec::new();
    while let Some(row) = rows.next()? {
        orders.push(read(row)?);
    }
    Ok(orders)
}

fn read(row: &rusqlite::Row<'_>) -> Result<StoredOrder, StoreError> {
    let shop: Vec<u8> = row.get(1)?;
    Ok(StoredOrder {
        id: order_id(&row.get::<_, Vec<u8>>(0)?)?,
        shop: ShopId::from_slice(&shop)
            .ok_or_else(|| StoreError::damaged("a shop id", shop.len()))?,
        placed_at: UnixMs::new(unsigned(row.get(2)?)),
        open: row.get(3)?,
    })
}

/// The personal part that the order's first entry names by its hash.
pub fn personal(reader: &Connection, id: OrderId) -> Result<Option<PersonalPart>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT personal_salt, personal FROM customer_order
         WHERE order_id = ?1 AND personal IS NOT NULL",
    )?;
    let part = select
        .query_row([id.as_bytes()], |row| {
            Ok(PersonalPart { salt: row.get(0)?, bytes: row.get(1)? })
        })
        .optional()?;
    Ok(part)
}

/// Marks whether the order is still to be followed.
pub fn set_open(tx: &Tx<'_>, id: OrderId, open: bool) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE customer_order SET open = ?2 WHERE order_id = ?1")?
        .execute((id.as_bytes(), open))?;
    Ok(())
}

/// The entries of the chain that holds, first to last, byte for byte.
pub fn entries(reader: &Connection, id: OrderId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut select = reader
        .prepare_cached("SELECT bytes FROM entry WHERE order_id = ?1 AND lost = 0 ORDER BY seq")?;
    let rows = select.query_map([id.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The entries of branches that lost, byte for byte.
pub fn lost_entries(reader: &Connection, id: OrderId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT bytes FROM entry WHERE order_id = ?1 AND lost = 1 ORDER BY seq, hash",
    )?;
    let rows = select.query_map([id.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Stores an entry; `lost` says that it stands on a branch that lost.
pub fn put_entry(tx: &Tx<'_>, entry: &SignedStatement, lost: bool) -> Result<(), StoreError> {
    let statement = entry.statement();
    let Position::Entry { generation, seq, .. } = statement.position else {
        return Err(StoreError::damaged("an entry without a place", entry.hash()));
    };
    tx.prepare_cached(
        "INSERT INTO entry (order_id, seq, hash, kind, generation, bytes, lost)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (order_id, hash) DO UPDATE SET lost = ?7",
    )?
    .execute((
        statement.order.as_bytes(),
        seq,
        entry.hash().as_bytes(),
        statement.kind,
        signed(generation),
        entry.bytes(),
        lost,
    ))?;
    Ok(())
}

/// Marks an entry as standing on a branch that lost.
pub fn mark_lost(tx: &Tx<'_>, id: OrderId, entry: Hash) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE entry SET lost = 1 WHERE order_id = ?1 AND hash = ?2")?
        .execute((id.as_bytes(), entry.as_bytes()))?;
    Ok(())
}

/// Keeps an entry that came before the one that it follows.
pub fn put_early(tx: &Tx<'_>, id: OrderId, entry: Hash, bytes: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO early_entry (order_id, hash, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (order_id, hash) DO NOTHING",
    )?
    .execute((id.as_bytes(), entry.as_bytes(), bytes))?;
    Ok(())
}

/// The entries that came early.
pub fn early(reader: &Connection, id: OrderId) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
    let mut select = reader
        .prepare_cached("SELECT hash, bytes FROM early_entry WHERE order_id = ?1 ORDER BY hash")?;
    let rows = select.query_map([id.as_bytes()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    rows.map(|row| {
        row.map_err(StoreError::from).and_then(|(name, bytes)| Ok((hash(&name)?, bytes)))
    })
    .collect()
}

/// Forgets an entry that came early, because it now stands in its chain.
pub fn forget_early(tx: &Tx<'_>, id: OrderId, entry: Hash) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM early_entry WHERE order_id = ?1 AND hash = ?2")?
        .execute((id.as_bytes(), entry.as_bytes()))?;
    Ok(())
}

/// Stores the shop's refusal of a request.
pub fn put_refusal(tx: &Tx<'_>, refusal: &SignedStatement, code: u16) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO refusal (hash, order_id, code, at, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (hash) DO NOTHING",
    )?
    .execute((
        refusal.hash().as_bytes(),
        refusal.statement().order.as_bytes(),
        code,
        signed(refusal.statement().at.get()),
        refusal.bytes(),
    ))?;
    Ok(())
}

/// The codes of the refusals of requests about an order, oldest first.
pub fn refusals(reader: &Connection, id: OrderId) -> Result<Vec<u16>, StoreError> {
    let mut select =
        reader.prepare_cached("SELECT code FROM refusal WHERE order_id = ?1 ORDER BY at, hash")?;
    let rows = select.query_map([id.as_bytes()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
