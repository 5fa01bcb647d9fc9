//! What the shop ordered of its suppliers, and how much of it came.

use std::collections::BTreeMap;

use kirana_core::{
    cbor,
    day::Day,
    id::{LocationId, PurchaseId, SupplierId, VariantId},
    key::KeyId,
    money::Price,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, suppliers, uint};

/// An order to a supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// Its name for ever.
    pub id: PurchaseId,
    /// Of whom.
    pub supplier: SupplierId,
    /// Where the goods are to go.
    pub location: LocationId,
    /// When it was ordered.
    pub ordered: UnixMs,
    /// Who ordered it.
    pub who: KeyId,
    /// What the shop notes about it.
    pub note: String,
    /// When the goods should come, where that is known.
    pub expected: Option<Day>,
    /// When nothing more was awaited, if so.
    pub ended: Option<UnixMs>,
    /// What was ordered, by variant.
    pub lines: Vec<Line>,
}

/// One thing that was ordered; amounts are base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub variant: VariantId,
    /// How much was ordered.
    pub amount: u64,
    /// What it is to cost, tax left out, where that was agreed.
    pub cost: Option<Price>,
    /// How much has come.
    pub received: u64,
}

/// Reads one.
pub fn get(c: &Connection, id: PurchaseId) -> Result<Option<Purchase>, StoreError> {
    let sql = "SELECT id, supplier, location, ordered_ms, who, note, expected, ended_ms
               FROM purchase WHERE id = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let found = statement.query_row([id.as_bytes()], |row| Ok(purchase(c, row)));
    found.optional()?.transpose()
}

/// A page of them, the newest first.
pub fn page(
    c: &Connection,
    open_only: bool,
    before: Option<PurchaseId>,
    limit: u32,
) -> Result<Vec<Purchase>, StoreError> {
    let sql = "SELECT id, supplier, location, ordered_ms, who, note, expected, ended_ms
               FROM purchase WHERE (?1 IS NULL OR id < ?1) AND (NOT ?2 OR ended_ms IS NULL)
               ORDER BY id DESC LIMIT ?3";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![before.map(|id| *id.as_bytes()), open_only, limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(purchase(c, row)?);
    }
    Ok(all)
}

/// Writes a new one.
pub fn put(tx: &Tx<'_>, one: &Purchase) -> Result<(), StoreError> {
    let sql = "INSERT INTO purchase (id, supplier, location, ordered_ms, who, note, expected)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    tx.prepare_cached(sql)?.execute(params![
        one.id.as_bytes(),
        one.supplier.as_bytes(),
        one.location.as_bytes(),
        int(one.ordered.get()),
        one.who.as_bytes(),
        one.note,
        one.expected.map(Day::get),
    ])?;
    let sql = "INSERT INTO purchase_line (purchase, variant, amount, cost) VALUES (?1, ?2, ?3, ?4)";
    for line in &one.lines {
        let cost = line.cost.map(|cost| cbor::to_vec(&cost));
        let keys = (one.id.as_bytes(), line.variant.as_bytes());
        tx.prepare_cached(sql)?.execute((keys.0, keys.1, int(line.amount), cost))?;
    }
    Ok(())
}

/// Notes that so much more of a variant has come.
pub fn receive(
    tx: &Tx<'_>,
    id: PurchaseId,
    variant: VariantId,
    amount: u64,
) -> Result<(), StoreError> {
    let sql = "UPDATE purchase_line SET received = received + ?3
               WHERE purchase = ?1 AND variant = ?2";
    tx.prepare_cached(sql)?.execute((id.as_bytes(), variant.as_bytes(), int(amount)))?;
    Ok(())
}

/// Notes that nothing more is awaited.
pub fn end(tx: &Tx<'_>, id: PurchaseId, now: UnixMs) -> Result<(), StoreError> {
    let sql = "UPDATE purchase SET ended_ms = ?2 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute((id.as_bytes(), int(now.get())))?;
    Ok(())
}

/// How much came with each purchase of each variant, for `verify`.
pub fn received(c: &Connection) -> Result<BTreeMap<(PurchaseId, VariantId), u64>, StoreError> {
    let mut statement =
        c.prepare("SELECT purchase, variant, received FROM purchase_line WHERE received > 0")?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let damaged = || StoreError::damaged("a purchase", "by its id");
        let id = PurchaseId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?;
        let variant = VariantId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?;
        all.insert((id, variant), uint("a purchase", row.get(2)?)?);
    }
    Ok(all)
}

fn purchase(c: &Connection, row: &Row<'_>) -> Result<Purchase, StoreError> {
    let damaged = || StoreError::damaged("a purchase", "by one of its ids");
    let id = PurchaseId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?;
    let ended: Option<i64> = row.get(7)?;
    let ended = ended.map(|ms| uint("a purchase", ms)).transpose()?;
    Ok(Purchase {
        id,
        supplier: SupplierId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?,
        location: LocationId::from_slice(&row.get::<_, Vec<u8>>(2)?).ok_or_else(damaged)?,
        ordered: UnixMs::new(uint("a purchase", row.get(3)?)?),
        who: KeyId::from_slice(&row.get::<_, Vec<u8>>(4)?).ok_or_else(damaged)?,
        note: row.get(5)?,
        expected: row.get::<_, Option<u32>>(6)?.map(Day::new),
        ended: ended.map(UnixMs::new),
        lines: lines(c, id)?,
    })
}

fn lines(c: &Connection, id: PurchaseId) -> Result<Vec<Line>, StoreError> {
    let sql = "SELECT variant, amount, cost, received FROM purchase_line WHERE purchase = ?1
               ORDER BY variant";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = || StoreError::damaged("a purchase", id);
        all.push(Line {
            variant: VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
            amount: uint("a purchase", row.get(1)?)?,
            cost: suppliers::price(row.get(2)?)?,
            received: uint("a purchase", row.get(3)?)?,
        });
    }
    Ok(all)
}
