//! Places where the shop keeps stock beside the one from which it sells.

use kirana_core::{id::LocationId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

use super::int;

/// Whether there is a place of this id.
pub fn exists(c: &Connection, id: LocationId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM stock_location WHERE id = ?1";
    Ok(c.prepare_cached(sql)?.query_row([id.as_bytes()], |_| Ok(())).optional()?.is_some())
}

/// The id of a place by its name, in capitals or small letters.
pub fn by_name(c: &Connection, name: &str) -> Result<Option<LocationId>, StoreError> {
    let sql = "SELECT id FROM stock_location WHERE name = ?1";
    let id: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
    id.map(|id| id_of(&id)).transpose()
}

/// All of them, the oldest first.
pub fn all(c: &Connection) -> Result<Vec<(LocationId, String)>, StoreError> {
    let mut statement = c.prepare_cached("SELECT id, name FROM stock_location ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((id_of(&row.get::<_, Vec<u8>>(0)?)?, row.get(1)?));
    }
    Ok(all)
}

/// Names a place, or names it otherwise.
pub fn put(tx: &Tx<'_>, id: LocationId, name: &str, now: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO stock_location (id, name, since_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    tx.prepare_cached(sql)?.execute((id.as_bytes(), name, int(now.get())))?;
    Ok(())
}

fn id_of(bytes: &[u8]) -> Result<LocationId, StoreError> {
    LocationId::from_slice(bytes)
        .ok_or_else(|| StoreError::damaged("a place for stock", "by its id"))
}
