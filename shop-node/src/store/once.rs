//! What was done once under a device's own key, and what was answered.

use kirana_core::{
    hash::Hash,
    key::KeyId,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{hash_of, int};

/// How long it is remembered, in milliseconds.
pub const KEPT_MS: u64 = 7 * DAY_MS;

/// What was asked and answered under a key.
pub fn get(
    c: &Connection,
    device: KeyId,
    key: &str,
) -> Result<Option<(Hash, Vec<u8>)>, StoreError> {
    let sql = "SELECT request, answer FROM done_once WHERE device = ?1 AND key = ?2";
    let row = c
        .prepare_cached(sql)?
        .query_row(params![device.as_bytes(), key], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
        })
        .optional()?;
    row.map(|(request, answer)| Ok((hash_of("a repeated request", &request)?, answer))).transpose()
}

/// Remembers what was asked and answered; what is old is forgotten.
pub fn put(
    tx: &Tx<'_>,
    device: KeyId,
    key: &str,
    request: Hash,
    answer: &[u8],
    now: UnixMs,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM done_once WHERE device = ?1 AND at_ms < ?2";
    let old = now.minus_ms(KEPT_MS);
    tx.prepare_cached(sql)?.execute(params![device.as_bytes(), int(old.get())])?;
    let sql = "INSERT INTO done_once (device, key, request, answer, at_ms)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![device.as_bytes(), key, request.as_bytes(), answer, int(now.get())];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}
