//! Devices that signed in at an account before, and who tried to sign in.
//!
//! **Invariant:** of each account at most [`DEVICES_MAX`] devices are kept, and at most
//! [`TRIES_MAX`] sign-ins and as many refusals: who guesses does not push out who came in.

use kirana_core::{
    id::AccountId,
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{Connection, params},
};

use super::{
    Never, Store, from_sql,
    letter::{self, Letter},
    to_sql,
};

/// Devices of one account that are kept: those that were here last.
pub const DEVICES_MAX: u32 = 50;
/// Sign-ins of one account that are kept, and refusals: the newest.
pub const TRIES_MAX: u32 = 100;
/// How long they are kept, in milliseconds.
pub const TRIES_KEPT_MS: u64 = 90 * DAY_MS;

/// A try to sign in, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Its id.
    pub id: [u8; 16],
    /// At which account.
    pub account: AccountId,
    /// When.
    pub at: UnixMs,
    /// Whether somebody was refused.
    pub refused: bool,
    /// From where and with what, sealed.
    pub sealed: Vec<u8>,
}

/// Somebody signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The digest of the device's token.
    pub device: [u8; 32],
    /// Whether a second factor was shown.
    pub factor: bool,
    /// At which account, when, from where.
    pub noted: Try,
    /// Tells the owner, unless this is the account's first device.
    pub letter: Option<Letter>,
}

impl Store {
    /// Whether this device signed in before at the account with this login.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_known_device(
        &self,
        login_digest: [u8; 32],
        device: [u8; 32],
    ) -> Result<bool, StoreError> {
        self.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM account JOIN known_device ON account = id
                       WHERE login_digest = ?1 AND digest = ?2)";
            let mut statement = c.prepare_cached(sql)?;
            Ok(statement.query_row(params![login_digest, device], |row| row.get(0))?)
        })
        .await
    }

    /// Keeps who was refused; whose account is gone meanwhile is passed over.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note_tries(&self, tries: Vec<Try>) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            for one in &tries {
                note(tx, one)?;
            }
            Ok(())
        })
        .await
    }

    /// Who tried to sign in at an account, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sign_ins(&self, account: AccountId) -> Result<Vec<Try>, StoreError> {
        self.read(|c| {
            let sql = "SELECT id, at, refused, sealed FROM sign_in WHERE account = ?1
                       ORDER BY at DESC, id DESC";
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map([account.as_bytes()], |row| {
                let (id, at, refused) = (row.get(0)?, from_sql(row.get(1)?), row.get(2)?);
                Ok(Try { id, account, at, refused, sealed: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Keeps who came, in the transaction that lets them in.
pub(super) fn arrive(c: &Connection, arrival: &Arrival) -> Result<(), StoreError> {
    let Arrival { device, noted, letter, .. } = arrival;
    let account = noted.account.as_bytes();
    let sql = "SELECT EXISTS (SELECT 1 FROM known_device WHERE account = ?1)";
    if c.prepare_cached(sql)?.query_row([account], |row| row.get(0))? {
        letter::queue(c, letter.as_ref())?;
    }
    let mut statement = c.prepare_cached(
        "INSERT INTO known_device (account, digest, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
    )?;
    statement.execute(params![account, device, to_sql(noted.at)])?;
    let mut statement = c.prepare_cached(
        "DELETE FROM known_device WHERE account = ?1 AND digest NOT IN
           (SELECT digest FROM known_device WHERE account = ?1 ORDER BY seen_at DESC LIMIT ?2)",
    )?;
    statement.execute(params![account, DEVICES_MAX])?;
    note(c, noted)
}

fn note(c: &Connection, noted: &Try) -> Result<(), StoreError> {
    let Try { id, account, at, refused, sealed } = noted;
    let mut statement = c.prepare_cached(
        "INSERT INTO sign_in (id, account, at, refused, sealed)
         SELECT ?1, id, ?3, ?4, ?5 FROM account WHERE id = ?2",
    )?;
    statement.execute(params![id, account.as_bytes(), to_sql(*at), refused, sealed])?;
    let mut statement = c.prepare_cached(
        "DELETE FROM sign_in WHERE account = ?1 AND refused = ?2 AND id <=
           (SELECT id FROM sign_in WHERE account = ?1 AND refused = ?2
            ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )?;
    statement.execute(params![account.as_bytes(), refused, TRIES_MAX])?;
    Ok(())
}
