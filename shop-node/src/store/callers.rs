//! People without a device for whom the shop's staff take orders.
//!
//! **Invariant:** nothing about a person stands here readable.

use kirana_core::{key::KeyId, statement::Party, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{int, party_key, till::key_of};

/// What is sealed about one, if there is one who was not erased.
pub fn sealed(c: &Connection, device: KeyId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed FROM caller WHERE device = ?1";
    let row = c.prepare_cached(sql)?.query_row([device.as_bytes()], |row| row.get(0));
    Ok(row.optional()?.flatten())
}

/// All that were not erased.
pub fn all(c: &Connection, limit: u32) -> Result<Vec<(KeyId, Vec<u8>)>, StoreError> {
    let sql = "SELECT device, sealed FROM caller WHERE sealed IS NOT NULL
               ORDER BY since_ms DESC LIMIT ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((key_of(&row.get::<_, Vec<u8>>(0)?)?, row.get(1)?));
    }
    Ok(all)
}

/// Writes down what is sealed about one.
pub fn put(tx: &Tx<'_>, device: KeyId, sealed: &[u8], at: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO caller (device, sealed, since_ms, party) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (device) DO UPDATE SET sealed = ?2";
    let party = party_key(&Party::Guest(device));
    let row = params![device.as_bytes(), sealed, int(at.get()), party];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Forgets who one is; that there was one stays, so that nothing is sent to a device that is none.
pub fn erase(tx: &Tx<'_>, device: KeyId) -> Result<bool, StoreError> {
    let sql = "UPDATE caller SET sealed = NULL WHERE device = ?1 AND sealed IS NOT NULL";
    Ok(tx.prepare_cached(sql)?.execute([device.as_bytes()])? == 1)
}
