//! Stocktakes: who counts where, what they looked at and what they found.

use kirana_core::{
    id::{CountId, LocationId, VariantId},
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// A stocktake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name for ever.
    pub id: CountId,
    /// Where is counted.
    pub location: LocationId,
    /// The ledger's number when it began.
    pub position: u64,
    /// When it began.
    pub opened: UnixMs,
    /// Who began it.
    pub who: KeyId,
    /// When it ended, if it did.
    pub ended: Option<UnixMs>,
}

/// One thing that is counted, or was; amounts are base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// What.
    pub variant: VariantId,
    /// The ledger's number when somebody looked.
    pub looked: u64,
    /// What was on hand by the ledger then.
    pub book: u64,
    /// What of that was on its way to customers, so that nobody finds it in the shop.
    pub outside: u64,
    /// What was found; `None` while somebody still counts.
    pub counted: Option<u64>,
    /// The movement that it led to.
    pub movement: Option<u64>,
    /// Who counts.
    pub who: KeyId,
}

/// Reads one.
pub fn get(c: &Connection, id: CountId) -> Result<Option<Count>, StoreError> {
    let sql = "SELECT id, location, position, opened_ms, who, ended_ms FROM stock_count
               WHERE id = ?1";
    let mut statement = c.prepare_cached(sql)?;
    statement.query_row([id.as_bytes()], |row| Ok(count(row))).optional()?.transpose()
}

/// A page of them, the newest first.
pub fn page(c: &Connection, before: Option<CountId>, limit: u32) -> Result<Vec<Count>, StoreError> {
    let sql = "SELECT id, location, position, opened_ms, who, ended_ms FROM stock_count
               WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![before.map(|id| *id.as_bytes()), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(count(row)?);
    }
    Ok(all)
}

/// Writes a new one.
pub fn put(tx: &Tx<'_>, one: &Count) -> Result<(), StoreError> {
    let sql = "INSERT INTO stock_count (id, location, position, opened_ms, who)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.prepare_cached(sql)?.execute((
        one.id.as_bytes(),
        one.location.as_bytes(),
        int(one.position),
        int(one.opened.get()),
        one.who.as_bytes(),
    ))?;
    Ok(())
}

/// Ends one.
pub fn end(tx: &Tx<'_>, id: CountId, now: UnixMs) -> Result<(), StoreError> {
    let sql = "UPDATE stock_count SET ended_ms = ?2 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute((id.as_bytes(), int(now.get())))?;
    Ok(())
}

/// What of one variant was looked at or counted.
pub fn look(c: &Connection, id: CountId, variant: VariantId) -> Result<Option<Look>, StoreError> {
    let sql = "SELECT variant, looked, book, outside, counted, movement, who
               FROM stock_count_line WHERE count = ?1 AND variant = ?2";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (id.as_bytes(), variant.as_bytes());
    statement.query_row(keys, |row| Ok(line(row))).optional()?.transpose()
}

/// All that was looked at or counted, by variant.
pub fn looks(c: &Connection, id: CountId) -> Result<Vec<Look>, StoreError> {
    let sql = "SELECT variant, looked, book, outside, counted, movement, who
               FROM stock_count_line WHERE count = ?1 ORDER BY variant";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(line(row)?);
    }
    Ok(all)
}

/// Notes a look, or what came of it.
pub fn put_look(tx: &Tx<'_>, id: CountId, one: &Look) -> Result<(), StoreError> {
    let sql = "INSERT INTO stock_count_line
                 (count, variant, looked, book, outside, counted, movement, who)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (count, variant) DO UPDATE SET
                 looked = excluded.looked, book = excluded.book, outside = excluded.outside,
                 counted = excluded.counted, movement = excluded.movement, who = excluded.who";
    tx.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        one.variant.as_bytes(),
        int(one.looked),
        int(one.book),
        int(one.outside),
        one.counted.map(int),
        one.movement.map(int),
        one.who.as_bytes(),
    ])?;
    Ok(())
}

/// What lies in the place by the ledger and nobody has counted yet, by variant.
pub fn not_counted(c: &Connection, one: &Count, limit: u32) -> Result<Vec<VariantId>, StoreError> {
    let sql = "SELECT b.variant FROM stock_balance b
               WHERE b.location = ?1 AND b.on_hand > 0 AND NOT EXISTS (
                 SELECT 1 FROM stock_count_line l
                 WHERE l.count = ?2 AND l.variant = b.variant AND l.counted NOT NULL)
               ORDER BY b.variant LIMIT ?3";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (one.location.as_bytes(), one.id.as_bytes(), limit);
    let ids = statement.query_map(keys, |row| row.get::<_, Vec<u8>>(0))?;
    let damaged = || StoreError::damaged("a balance", "by its variant");
    ids.map(|id| VariantId::from_slice(&id?).ok_or_else(damaged)).collect()
}

fn count(row: &Row<'_>) -> Result<Count, StoreError> {
    let damaged = || StoreError::damaged("a stocktake", "by one of its ids");
    let ended: Option<i64> = row.get(5)?;
    let ended = ended.map(|ms| uint("a stocktake", ms)).transpose()?;
    Ok(Count {
        id: CountId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        location: LocationId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?,
        position: uint("a stocktake", row.get(2)?)?,
        opened: UnixMs::new(uint("a stocktake", row.get(3)?)?),
        who: KeyId::from_slice(&row.get::<_, Vec<u8>>(4)?).ok_or_else(damaged)?,
        ended: ended.map(UnixMs::new),
    })
}

fn line(row: &Row<'_>) -> Result<Look, StoreError> {
    let damaged = || StoreError::damaged("a stocktake", "by one of its ids");
    let number = |at: usize| -> Result<Option<u64>, StoreError> {
        row.get::<_, Option<i64>>(at)?.map(|number| uint("a stocktake", number)).transpose()
    };
    Ok(Look {
        variant: VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        looked: number(1)?.ok_or_else(damaged)?,
        book: number(2)?.ok_or_else(damaged)?,
        outside: number(3)?.ok_or_else(damaged)?,
        counted: number(4)?,
        movement: number(5)?,
        who: KeyId::from_slice(&row.get::<_, Vec<u8>>(6)?).ok_or_else(damaged)?,
    })
}
