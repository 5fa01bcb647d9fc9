//! Customers and their personal parts, each encrypted with a key of that customer.
//!
//! **Invariant:** a customer's key is stored only wrapped by the box's key; forgetting it erases
//! the person for good, and no chain breaks, for entries hold salted hashes only.

use kirana_core::{hash::Hash, statement::Party, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{int, party_key};

/// The wrapped key of a customer, if the customer is known and was not erased.
pub fn wrapped_key(c: &Connection, customer: &Party) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT wrapped_key FROM customer WHERE party = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let key: Option<Option<Vec<u8>>> =
        statement.query_row([party_key(customer)], |row| row.get(0)).optional()?;
    Ok(key.flatten())
}

/// Remembers a customer, without a key where they were erased; one who is known stays as they are.
pub fn remember(
    tx: &Tx<'_>,
    customer: &Party,
    wrapped_key: Option<&[u8]>,
    now: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO customer (party, wrapped_key, since_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT (party) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![party_key(customer), wrapped_key, int(now.get())])?;
    Ok(())
}

/// Stores a personal part that is encrypted already.
pub fn put_part(
    tx: &Tx<'_>,
    hash: Hash,
    customer: &Party,
    sealed: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO personal_part (hash, customer, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT (hash) DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![hash.as_bytes(), party_key(customer), sealed])?;
    Ok(())
}

/// Reads an encrypted personal part.
pub fn part(c: &Connection, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed FROM personal_part WHERE hash = ?1";
    Ok(c.prepare_cached(sql)?.query_row([hash.as_bytes()], |row| row.get(0)).optional()?)
}

/// Forgets the person: parts and key.
pub fn erase(tx: &Tx<'_>, customer: &Party) -> Result<(), StoreError> {
    let key = party_key(customer);
    tx.execute("DELETE FROM personal_part WHERE customer = ?1", [&key])?;
    tx.execute("UPDATE customer SET wrapped_key = NULL WHERE party = ?1", [&key])?;
    for book in super::khata::all_of(tx, customer)? {
        super::khata::erase(tx, book.n)?;
    }
    Ok(())
}
