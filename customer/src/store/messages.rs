//! What was written about orders, encrypted, under the hash that entries and requests name.

use kirana_core::{hash::Hash, id::OrderId};
use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension};

/// Keeps an encrypted message; one that is kept already stays.
pub fn put(tx: &Tx<'_>, hash: Hash, order: OrderId, sealed: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO message (hash, order_id, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT (hash) DO NOTHING";
    tx.prepare_cached(sql)?.execute((hash.as_bytes(), order.as_bytes(), sealed))?;
    Ok(())
}

/// An encrypted message.
pub fn get(reader: &Connection, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed FROM message WHERE hash = ?1";
    let mut select = reader.prepare_cached(sql)?;
    Ok(select.query_row([hash.as_bytes()], |row| row.get(0)).optional()?)
}
