//! Edits that were made under a key of their sender's, for a day.

use kirana_core::{
    hash::Hash,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{StoreError, Tx};

use super::signed;

/// Notes a key, unless it was noted in the last day; whether it is new.
pub fn note(tx: &Tx<'_>, key: Hash, now: UnixMs) -> Result<bool, StoreError> {
    let old = signed(now.minus_ms(DAY_MS).get());
    tx.prepare_cached("DELETE FROM edited_once WHERE at_ms < ?1")?.execute([old])?;
    let sql = "INSERT INTO edited_once (key, at_ms) VALUES (?1, ?2) ON CONFLICT (key) DO NOTHING";
    let noted = tx.prepare_cached(sql)?.execute((key.as_bytes(), signed(now.get())))?;
    Ok(noted == 1)
}
