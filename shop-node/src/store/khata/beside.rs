//! What stands beside the entries of credit books: what is reserved for orders, what is personal, and
//! what customers signed.
//!
//! **Invariant:** parts come here encrypted, and what a customer signed is kept as it came.

use kirana_core::{hash::Hash, key::PublicKey};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

/// Reserves what an order may still take on credit; nothing frees it.
pub fn hold(tx: &Tx<'_>, order_n: i64, khata_n: i64, minor: i64) -> Result<(), StoreError> {
    if minor <= 0 {
        tx.prepare_cached("DELETE FROM khata_hold WHERE order_n = ?1")?.execute([order_n])?;
        return Ok(());
    }
    let sql = "INSERT INTO khata_hold (order_n, khata_n, minor) VALUES (?1, ?2, ?3)
               ON CONFLICT (order_n) DO UPDATE SET khata_n = ?2, minor = ?3";
    tx.prepare_cached(sql)?.execute((order_n, khata_n, minor))?;
    Ok(())
}

/// What is reserved for one order: in which book, how much.
pub fn held_for(c: &Connection, order_n: i64) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT khata_n, minor FROM khata_hold WHERE order_n = ?1";
    let row = c.prepare_cached(sql)?.query_row([order_n], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

/// What is reserved in a book for all orders but one.
pub fn held_in(c: &Connection, khata_n: i64, but: Option<i64>) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(sum(minor), 0) FROM khata_hold
               WHERE khata_n = ?1 AND order_n IS NOT ?2";
    Ok(c.prepare_cached(sql)?.query_row((khata_n, but), |row| row.get(0))?)
}

/// All that is reserved: order and book by their numbers, and how much.
pub fn all_holds(c: &Connection) -> Result<Vec<(i64, i64, i64)>, StoreError> {
    let sql = "SELECT order_n, khata_n, minor FROM khata_hold ORDER BY order_n";
    let mut select = c.prepare_cached(sql)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is reserved in one book for orders is reserved in another from now on.
pub fn move_holds(tx: &Tx<'_>, from: i64, to: i64) -> Result<(), StoreError> {
    let sql = "UPDATE khata_hold SET khata_n = ?2 WHERE khata_n = ?1";
    tx.prepare_cached(sql)?.execute((from, to))?;
    Ok(())
}

/// Stores a part that is encrypted already.
pub fn put_part(tx: &Tx<'_>, n: i64, hash: Hash, sealed: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO khata_part (hash, khata_n, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT (hash) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![hash.as_bytes(), n, sealed])?;
    Ok(())
}

/// Reads an encrypted part of a book; one of another book, under that one's key, is none of it.
pub fn part(c: &Connection, n: i64, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed FROM khata_part WHERE hash = ?1 AND khata_n = ?2";
    Ok(c.prepare_cached(sql)?.query_row((hash.as_bytes(), n), |row| row.get(0)).optional()?)
}

/// Forgets the person behind a book: parts and key. The sums stay.
pub fn erase(tx: &Tx<'_>, n: i64) -> Result<(), StoreError> {
    tx.execute("DELETE FROM khata_part WHERE khata_n = ?1", [n])?;
    tx.execute("UPDATE khata SET wrapped_key = NULL WHERE n = ?1", [n])?;
    Ok(())
}

/// Keeps what a customer signed about a book.
pub fn put_request(
    tx: &Tx<'_>,
    n: i64,
    hash: Hash,
    signer: &PublicKey,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO khata_request (hash, khata_n, signer, bytes) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (hash) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![hash.as_bytes(), n, signer.as_bytes(), bytes])?;
    Ok(())
}

/// What a customer signed, with the key that it was signed by.
pub fn request(c: &Connection, hash: Hash) -> Result<Option<(PublicKey, Vec<u8>)>, StoreError> {
    let sql = "SELECT signer, bytes FROM khata_request WHERE hash = ?1";
    let row: Option<([u8; 32], Vec<u8>)> = c
        .prepare_cached(sql)?
        .query_row([hash.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((key, bytes)) = row else { return Ok(None) };
    let key = PublicKey::from_bytes(&key);
    Ok(Some((key.map_err(|_| StoreError::damaged("a countersignature", hash))?, bytes)))
}
