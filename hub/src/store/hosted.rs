//! The devices that the hub keeps for accounts without one of their own.
//!
//! **Invariant (P4):** keys come here sealed; what such a device holds is in a database of its own.

use std::path::Path;

use kirana_core::{cbor, id::AccountId, mail::Address, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{self, Connection, OptionalExtension, params},
};

use super::{
    Never, Store,
    code::account_id,
    idempotency::{self, Mismatch, Once},
};

impl Store {
    /// The sealed keys of an account's hosted device, if it has one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn hosted_keys(&self, account: AccountId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| {
            let sql = "SELECT keys FROM hosted WHERE account = ?1";
            let mut select = c.prepare_cached(sql)?;
            Ok(select.query_row([account.as_bytes()], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Keeps the sealed keys of a hosted device, unless the account has one; those that count then.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_hosted(
        &self,
        account: AccountId,
        keys: Vec<u8>,
        address: Address,
    ) -> Result<Vec<u8>, WriteError<Never>> {
        let address = cbor::to_vec(&address);
        self.write(move |tx| {
            let sql = "INSERT INTO hosted (account, keys, address) VALUES (?1, ?2, ?3)
                       ON CONFLICT (account) DO NOTHING";
            tx.prepare_cached(sql)?.execute(params![account.as_bytes(), keys, address])?;
            let sql = "SELECT keys FROM hosted WHERE account = ?1";
            Ok(tx.prepare_cached(sql)?.query_row([account.as_bytes()], |row| row.get(0))?)
        })
        .await
    }

    /// Notes whether something of a hosted device is under way.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn hosted_waits(
        &self,
        account: AccountId,
        waits: bool,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE hosted SET waits = ?2 WHERE account = ?1 AND waits != ?2";
            tx.prepare_cached(sql)?.execute(params![account.as_bytes(), waits])?;
            Ok(())
        })
        .await
    }

    /// The accounts whose hosted devices have something under way, or mail.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn hosted_busy(&self) -> Result<Vec<AccountId>, StoreError> {
        self.read(|c| {
            let sql = "SELECT account FROM hosted WHERE waits = 1
                       OR EXISTS (SELECT 1 FROM mail WHERE recipient = hosted.address)";
            let mut select = c.prepare_cached(sql)?;
            let ids = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
            ids.map(|id| account_id(&id?)).collect()
        })
        .await
    }

    /// The accounts that are gone and still have a hosted device.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn hosted_of_nobody(&self) -> Result<Vec<AccountId>, StoreError> {
        self.read(|c| {
            let sql = "SELECT account FROM hosted WHERE account NOT IN (SELECT id FROM account)";
            let mut select = c.prepare_cached(sql)?;
            let ids = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
            ids.map(|id| account_id(&id?)).collect()
        })
        .await
    }

    /// Forgets a hosted device.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn forget_hosted(&self, account: AccountId) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "DELETE FROM hosted WHERE account = ?1";
            tx.prepare_cached(sql)?.execute([account.as_bytes()])?;
            Ok(())
        })
        .await
    }

    /// What was noted under a key for the same request before.
    ///
    /// # Errors
    /// [`Mismatch`] where it was another request; or when the database cannot be read.
    pub async fn noted(
        &self,
        once: &Once,
    ) -> Result<Result<Option<Vec<u8>>, Mismatch>, StoreError> {
        self.read(|c| idempotency::seen(c, once)).await
    }

    /// Notes what a request is about to make, unless that was done: what counts then.
    ///
    /// # Errors
    /// [`Mismatch`] where the key came with another request; or when nothing could be written.
    pub async fn note_once(
        &self,
        once: Once,
        subject: Vec<u8>,
        now: UnixMs,
    ) -> Result<Vec<u8>, WriteError<Mismatch>> {
        self.write(move |tx| {
            let before = idempotency::seen(tx, &once)?;
            match before.map_err(kirana_migrations::Abort::Refused)? {
                Some(before) => Ok(before),
                None => {
                    idempotency::remember(tx, &once, &subject, now)?;
                    Ok(subject.clone())
                }
            }
        })
        .await
    }
}

/// Puts a hosted household into the copy of the hub's database that a backup is made of.
///
/// # Errors
/// When the copy cannot be written.
pub fn lay_into(copy: &Path, account: AccountId, bytes: &[u8]) -> rusqlite::Result<()> {
    let database = Connection::open(copy)?;
    let sql = "SELECT 1 FROM hosted WHERE account = ?1";
    if database.query_row(sql, [account.as_bytes()], |_| Ok(())).optional()?.is_none() {
        // It was made after the copy, which has no keys for it.
        return Ok(());
    }
    let sql = "CREATE TABLE IF NOT EXISTS hosted_home (name TEXT PRIMARY KEY, bytes BLOB) STRICT";
    database.execute_batch(sql)?;
    let sql = "INSERT INTO hosted_home (name, bytes) VALUES (?1, ?2)";
    database.execute(sql, (account.to_string(), bytes)).map(drop)
}

/// Takes hosted households out of a database that came from a backup, one after the other.
///
/// # Errors
/// When the database cannot be read or written, or one of them does not settle.
pub fn take_out<E: From<rusqlite::Error>>(
    database: &Path,
    mut settle: impl FnMut(&str, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let database = Connection::open(database)?;
    let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'hosted_home'";
    if database.query_row(sql, [], |_| Ok(())).optional()?.is_none() {
        // The backup holds none.
        return Ok(());
    }
    let mut select = database.prepare("SELECT name, bytes FROM hosted_home")?;
    let mut homes = select.query([])?;
    while let Some(home) = homes.next()? {
        let (name, bytes): (String, Vec<u8>) = (home.get(0)?, home.get(1)?);
        settle(&name, &bytes)?;
    }
    drop(homes);
    drop(select);
    Ok(database.execute_batch("DROP TABLE hosted_home; VACUUM")?)
}
