//! The household's copy of its orders: every signed entry, byte for byte.

use std::collections::BTreeSet;

use kirana_core::{
    envelope::PersonalPart,
    hash::Hash,
    id::{OrderId, ShopId},
    order::Order,
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

/// Adds an order that is being placed, with its encrypted personal part.
pub fn add(tx: &Tx<'_>, order: &StoredOrder, personal: Option<&[u8]>) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO customer_order (order_id, shop_id, placed_at, open, sealed_personal)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        order.id.as_bytes(),
        order.shop.as_bytes(),
        signed(order.placed_at.get()),
        order.open,
        personal,
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

/// Closed orders at a shop that are damaged, as far as the noted digests of their entries show.
/// What the shop refused before it took it in has no copy there.
pub fn altered_at(reader: &Connection, shop: ShopId) -> Result<BTreeSet<OrderId>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT c.order_id, e.hash, e.bytes FROM customer_order AS c
         JOIN entry AS e ON e.order_id = c.order_id AND e.lost = 0
         WHERE c.shop_id = ?1 AND c.open = 0 AND EXISTS
           (SELECT 1 FROM entry AS s WHERE s.order_id = c.order_id AND s.lost = 0 AND s.seq > 0)",
    )?;
    let mut rows = select.query([shop.as_bytes()])?;
    let mut altered = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (order, name): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        if Hash::of(bytes) != hash(&name)? {
            altered.insert(order_id(&order)?);
        }
    }
    Ok(altered)
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

/// The encrypted personal part that the order's first entry names by its hash.
pub fn sealed_personal(reader: &Connection, id: OrderId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed_personal FROM customer_order WHERE order_id = ?1";
    let mut select = reader.prepare_cached(sql)?;
    let part: Option<Option<Vec<u8>>> =
        select.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    Ok(part.flatten())
}

/// Stores a personal part encrypted, in place of a readable one.
pub fn seal_personal(tx: &Tx<'_>, id: OrderId, sealed: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE customer_order SET sealed_personal = ?2, personal = NULL, personal_salt = NULL
         WHERE order_id = ?1",
    )?
    .execute((id.as_bytes(), sealed))?;
    Ok(())
}

/// Whether an earlier version left readable personal parts.
pub fn has_open_parts(reader: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM customer_order WHERE personal IS NOT NULL)";
    Ok(reader.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// The personal parts that an earlier version left readable.
pub fn open_parts(reader: &Connection) -> Result<Vec<(OrderId, PersonalPart)>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, personal_salt, personal FROM customer_order WHERE personal IS NOT NULL",
    )?;
    let mut rows = select.query([])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let part = PersonalPart { salt: row.get(1)?, bytes: row.get(2)? };
        parts.push((order_id(&row.get::<_, Vec<u8>>(0)?)?, part));
    }
    Ok(parts)
}

/// Makes the order's row say what its entries say.
pub fn put_right(tx: &Tx<'_>, order: &Order) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE customer_order SET shop_id = ?2, placed_at = ?3, open = ?4 WHERE order_id = ?1",
    )?
    .execute((
        order.id.as_bytes(),
        order.shop.as_bytes(),
        signed(order.placed_at.get()),
        order.is_open(),
    ))?;
    Ok(())
}

/// Marks whether the order is still to be followed.
pub fn set_open(tx: &Tx<'_>, id: OrderId, open: bool) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE customer_order SET open = ?2 WHERE order_id = ?1")?
        .execute((id.as_bytes(), open))?;
    Ok(())
}

/// An entry of the chain that holds, as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its noted place.
    pub seq: u32,
    /// The digest that was noted when it was stored.
    pub hash: Hash,
    /// Its noted kind.
    pub kind: u16,
    /// Its noted generation.
    pub generation: u64,
    /// The signed bytes.
    pub bytes: Vec<u8>,
    /// The copy of them that waits to be sent, if there is one.
    pub waiting: Option<Vec<u8>>,
}

/// The entries of the chain that holds, first to last, byte for byte.
pub fn entries(reader: &Connection, id: OrderId) -> Result<Vec<StoredEntry>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT e.seq, e.hash, e.kind, e.generation, e.bytes, o.bytes
         FROM entry AS e LEFT JOIN outbox AS o ON o.hash = e.hash
         WHERE e.order_id = ?1 AND e.lost = 0 ORDER BY e.seq",
    )?;
    let mut rows = select.query([id.as_bytes()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(StoredEntry {
            seq: row.get(0)?,
            hash: hash(&row.get::<_, Vec<u8>>(1)?)?,
            kind: row.get(2)?,
            generation: unsigned(row.get(3)?),
            bytes: row.get(4)?,
            waiting: row.get(5)?,
        });
    }
    Ok(entries)
}

/// Whether an entry of this digest was stored for the order, on whichever branch.
pub fn has_entry(reader: &Connection, id: OrderId, entry: &[u8; 32]) -> Result<bool, StoreError> {
    let mut select = reader
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE order_id = ?1 AND hash = ?2)")?;
    Ok(select.query_row((id.as_bytes(), entry), |row| row.get(0))?)
}

/// The bytes that were stored under this name, whole or not.
pub fn entry_bytes(reader: &Connection, entry: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select = reader.prepare_cached("SELECT bytes FROM entry WHERE hash = ?1")?;
    Ok(select.query_row([entry.as_bytes()], |row| row.get(0)).optional()?)
}

/// Signed bytes that stand beside the chains, with the digests that were noted for them: of
/// branches that lost, of entries that came early, and of refusals.
pub fn beside_chains(reader: &Connection) -> Result<Vec<(OrderId, Hash, Vec<u8>)>, StoreError> {
    let mut select = reader.prepare_cached(
        "SELECT order_id, hash, bytes FROM entry WHERE lost = 1
         UNION ALL SELECT order_id, hash, bytes FROM early_entry
         UNION ALL SELECT order_id, hash, bytes FROM refusal ORDER BY 1, 2",
    )?;
    let mut rows = select.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (order, name): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        all.push((order_id(&order)?, hash(&name)?, row.get(2)?));
    }
    Ok(all)
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
    if !lost {
        // Where something else stands, it is no entry: what loses a fork was marked before.
        let sql = "DELETE FROM entry WHERE order_id = ?1 AND seq = ?2 AND hash <> ?3 AND lost = 0";
        let place = (statement.order.as_bytes(), seq, entry.hash());
        tx.prepare_cached(sql)?.execute((place.0, place.1, place.2.as_bytes()))?;
    }
    tx.prepare_cached(
        "INSERT INTO entry (order_id, seq, hash, kind, generation, bytes, lost)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (order_id, hash)
           DO UPDATE SET seq = ?2, kind = ?4, generation = ?5, bytes = ?6, lost = ?7",
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

/// Drops what lies damaged beyond the end of a chain that a later box of the shop goes on with.
pub fn drop_overtaken(
    tx: &Tx<'_>,
    id: OrderId,
    len: usize,
    generation: u64,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM entry
               WHERE order_id = ?1 AND seq >= ?2 AND generation < ?3 AND lost = 0";
    let from = signed(len as u64);
    tx.prepare_cached(sql)?.execute((id.as_bytes(), from, signed(generation)))?;
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
