//! Devices that signed in at an account before.
//!
//! **Invariant:** of each account at most [`DEVICES_MAX`] devices are kept.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    StoreError,
    rusqlite::{Connection, params},
};

use super::{Store, to_sql};

/// Devices of one account that are kept: those that were here last.
pub const DEVICES_MAX: u32 = 50;

/// Somebody signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// At which account.
    pub account: AccountId,
    /// Whether a second factor was shown.
    pub factor: bool,
    /// The digest of the device's token.
    pub device: [u8; 32],
    /// When.
    pub at: UnixMs,
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
            let found =
                c.prepare_cached(sql)?.query_row(params![login_digest, device], |row| row.get(0));
            Ok(found?)
        })
        .await
    }
}

/// Keeps who came, in the transaction that lets them in.
pub(super) fn arrive(c: &Connection, arrival: &Arrival) -> Result<(), StoreError> {
    let Arrival { account, device, at, .. } = arrival;
    c.execute(
        "INSERT INTO known_device (account, digest, seen_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
        params![account.as_bytes(), device, to_sql(*at)],
    )?;
    c.execute(
        "DELETE FROM known_device WHERE account = ?1 AND digest NOT IN
           (SELECT digest FROM known_device WHERE account = ?1 ORDER BY seen_at DESC LIMIT ?2)",
        params![account.as_bytes(), DEVICES_MAX],
    )?;
    Ok(())
}
