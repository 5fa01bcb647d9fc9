//! From whom the shop buys, and how they sell what the shop sells.

use kirana_core::{
    cbor,
    id::{SupplierId, VariantId},
    money::Price,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{feeds, int, uint};

/// Somebody from whom the shop buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplier {
    /// Its name for ever.
    pub id: SupplierId,
    /// What people call it.
    pub name: String,
    /// How it is reached, sealed.
    pub contact: Vec<u8>,
    /// How many days goods need after they were ordered, where that is known.
    pub lead_days: Option<u32>,
    /// Since when the shop no longer buys there, if so.
    pub retired: Option<UnixMs>,
}

/// How a supplier sells a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Of the shop.
    pub variant: VariantId,
    /// The supplier's own number for it.
    pub code: Option<String>,
    /// How many base units are in one pack.
    pub pack: u64,
    /// What it usually costs, tax left out.
    pub cost: Option<Price>,
}

/// Reads one.
pub fn get(c: &Connection, id: SupplierId) -> Result<Option<Supplier>, StoreError> {
    let sql = "SELECT id, name, contact, lead_days, retired_ms FROM supplier WHERE id = ?1";
    let mut statement = c.prepare_cached(sql)?;
    statement.query_row([id.as_bytes()], |row| Ok(supplier(row))).optional()?.transpose()
}

/// The one of this name, in capitals or small letters.
pub fn by_name(c: &Connection, name: &str) -> Result<Option<Supplier>, StoreError> {
    let sql = "SELECT id, name, contact, lead_days, retired_ms FROM supplier WHERE name = ?1";
    let mut statement = c.prepare_cached(sql)?;
    statement.query_row([name], |row| Ok(supplier(row))).optional()?.transpose()
}

/// A page of those from whom the shop buys, the oldest first.
pub fn page(
    c: &Connection,
    after: Option<SupplierId>,
    limit: u32,
) -> Result<Vec<Supplier>, StoreError> {
    let sql = "SELECT id, name, contact, lead_days, retired_ms FROM supplier
               WHERE (?1 IS NULL OR id > ?1) AND retired_ms IS NULL ORDER BY id LIMIT ?2";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![after.map(|id| *id.as_bytes()), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(supplier(row)?);
    }
    Ok(all)
}

/// Writes one.
pub fn put(tx: &Tx<'_>, one: &Supplier, now: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO supplier (id, name, contact, lead_days, since_ms)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, contact = excluded.contact, lead_days = excluded.lead_days,
                 retired_ms = NULL";
    let row = (one.id.as_bytes(), &one.name, &one.contact, one.lead_days, int(now.get()));
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Whether goods are awaited from one, or a feed of theirs is fetched.
pub fn supplies(c: &Connection, id: SupplierId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM purchase WHERE supplier = ?1 AND ended_ms IS NULL)";
    let awaited: bool = c.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?;
    Ok(awaited || feeds::all(c)?.iter().any(|feed| feed.terms.supplier == Some(id.to_string())))
}

/// The shop no longer buys there: what they sell and how they are reached goes, and all of them where
/// nothing was ever bought. `contact` is an empty one, sealed.
pub fn retire(tx: &Tx<'_>, id: SupplierId, contact: &[u8], now: UnixMs) -> Result<(), StoreError> {
    let id = id.as_bytes();
    tx.prepare_cached("DELETE FROM supplier_article WHERE supplier = ?1")?.execute([id])?;
    let sql = "DELETE FROM supplier WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM purchase WHERE supplier = ?1)";
    if tx.prepare_cached(sql)?.execute([id])? == 0 {
        let sql = "UPDATE supplier SET contact = ?2, retired_ms = ?3 WHERE id = ?1";
        tx.prepare_cached(sql)?.execute((id, contact, int(now.get())))?;
    }
    Ok(())
}

/// How a supplier sells what the shop sells, by variant.
pub fn articles(c: &Connection, id: SupplierId) -> Result<Vec<Article>, StoreError> {
    let sql = "SELECT variant, code, pack, cost FROM supplier_article WHERE supplier = ?1
               ORDER BY variant";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(article(row)?);
    }
    Ok(all)
}

/// How a supplier sells one variant.
pub fn article_of(
    c: &Connection,
    id: SupplierId,
    variant: VariantId,
) -> Result<Option<Article>, StoreError> {
    let sql = "SELECT variant, code, pack, cost FROM supplier_article
               WHERE supplier = ?1 AND variant = ?2";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (id.as_bytes(), variant.as_bytes());
    statement.query_row(keys, |row| Ok(article(row))).optional()?.transpose()
}

/// Says how a supplier sells a variant.
pub fn put_article(tx: &Tx<'_>, id: SupplierId, one: &Article) -> Result<(), StoreError> {
    let sql = "INSERT INTO supplier_article (supplier, variant, code, pack, cost)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (supplier, variant) DO UPDATE SET
                 code = excluded.code, pack = excluded.pack, cost = excluded.cost";
    let cost = one.cost.map(|cost| cbor::to_vec(&cost));
    let keys = (id.as_bytes(), one.variant.as_bytes());
    tx.prepare_cached(sql)?.execute((keys.0, keys.1, &one.code, int(one.pack), cost))?;
    Ok(())
}

/// A supplier no longer sells a variant; says whether it did.
pub fn remove_article(tx: &Tx<'_>, id: SupplierId, variant: VariantId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM supplier_article WHERE supplier = ?1 AND variant = ?2";
    Ok(tx.prepare_cached(sql)?.execute((id.as_bytes(), variant.as_bytes()))? > 0)
}

/// A stored price.
pub(super) fn price(bytes: Option<Vec<u8>>) -> Result<Option<Price>, StoreError> {
    let read = |bytes: Vec<u8>| cbor::from_slice("a cost", &bytes, COST_BYTES_MAX);
    bytes.map(read).transpose().map_err(|e| StoreError::damaged("a cost", e))
}

fn supplier(row: &Row<'_>) -> Result<Supplier, StoreError> {
    let damaged = || StoreError::damaged("a supplier", "by its id");
    Ok(Supplier {
        id: SupplierId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        name: row.get(1)?,
        contact: row.get(2)?,
        lead_days: row.get(3)?,
        retired: row
            .get::<_, Option<i64>>(4)?
            .map(|at| uint("a supplier", at).map(UnixMs::new))
            .transpose()?,
    })
}

fn article(row: &Row<'_>) -> Result<Article, StoreError> {
    let damaged = || StoreError::damaged("a supplier's article", "by its variant");
    Ok(Article {
        variant: VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        code: row.get(1)?,
        pack: uint("a pack", row.get(2)?)?,
        cost: price(row.get(3)?)?,
    })
}

const COST_BYTES_MAX: usize = 64;
