//! What belongs to a device of an account: its certificates, its sessions, and who speaks for it.
//!
//! **Invariant:** whoever shuts a device out shuts out the devices that it speaks for as well, and
//! ends the sessions of all of them, in one commit.

use kirana_core::{
    certificate::SignedCertificate,
    challenge::{NONCE_LIFETIME_MS, Nonce},
    id::AccountId,
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, params},
};

use super::{
    Never, Store, audit,
    audit::Act,
    certificate::{self, Kind},
    idempotency::{self, Mismatch, Once},
    session::{self, Session, SessionId},
    sign_in::{self, Arrival},
    to_sql,
};

/// To whom a certificate is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Belongs {
    /// The account.
    pub account: AccountId,
    /// The session that asks: it belongs to the device from then on, unless to another one already.
    pub session: SessionId,
    /// Whether the person vouches for the device, so that no other device has to speak for it.
    pub stands_alone: bool,
}

/// What opens a session instead of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyShown {
    /// The question that was answered.
    pub nonce: Nonce,
    /// The device that answered.
    pub device: KeyId,
    /// The device that this hub certified: the same, or the one that speaks for it.
    pub root: KeyId,
}

/// Why a key opens no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The answer was used.
    #[error("this answer was used before; ask for a new question")]
    Again,
    /// The device is shut out, or none of this account.
    #[error("this device is none of the account, or was shut out; sign in with the password")]
    Withdrawn,
}

impl Store {
    /// Keeps a device's certificate, and that the asking session belongs to the device; the same
    /// request gets the one it got before.
    ///
    /// # Errors
    /// [`Mismatch`] when the Idempotency-Key was used for something else.
    pub async fn keep_device(
        &self,
        signed: SignedCertificate,
        belongs: Belongs,
        once: Option<Once>,
    ) -> Result<Vec<u8>, WriteError<Mismatch>> {
        self.write(move |tx| {
            if let Some(once) = &once {
                let seen = idempotency::seen(tx, once)?.map_err(Abort::Refused)?;
                if let Some(bytes) = seen {
                    return Ok(bytes);
                }
                let at = signed.certificate().not_before;
                idempotency::remember(tx, once, signed.bytes(), at)?;
            }
            let Belongs { account, session, stands_alone } = belongs;
            certificate::insert(tx, Kind::Device, &signed, Some(account))?;
            let key = signed.certificate().key.id();
            tx.prepare_cached("UPDATE session SET device = ?2 WHERE id = ?1 AND device IS NULL")?
                .execute(params![session, key.as_bytes()])?;
            if stands_alone {
                tx.prepare_cached("DELETE FROM countersigned WHERE account = ?1 AND device = ?2")?
                    .execute(params![account.as_bytes(), key.as_bytes()])?;
            }
            Ok(signed.bytes().to_vec())
        })
        .await
    }

    /// Opens a session for whoever answered with a device's key.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub async fn open_session_by_key(
        &self,
        session: Session,
        refresh: [u8; 32],
        arrival: Arrival,
        shown: KeyShown,
    ) -> Result<(), WriteError<NotOpened>> {
        self.write(move |tx| {
            let (account, now) = (session.account, session.created_at);
            let KeyShown { nonce, device, root } = shown;
            let until = to_sql(now.plus_ms(2 * NONCE_LIFETIME_MS));
            let sql = "INSERT INTO answered (nonce, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            if tx.prepare_cached(sql)?.execute(params![nonce, until])? == 0 {
                return Err(Abort::Refused(NotOpened::Again));
            }
            let is_alone = counts(tx, account, device, now)?;
            if !counts(tx, account, root, now)? || (!is_alone && was_revoked(tx, account, device)?)
            {
                return Err(Abort::Refused(NotOpened::Withdrawn));
            }
            if !is_alone {
                let sql = "INSERT OR REPLACE INTO countersigned (device, account, by)
                           VALUES (?1, ?2, ?3)";
                let row = params![device.as_bytes(), account.as_bytes(), root.as_bytes()];
                tx.prepare_cached(sql)?.execute(row)?;
            }
            session::insert(tx, &session, refresh)?;
            Ok(sign_in::arrive(tx, &arrival)?)
        })
        .await
    }

    /// Shuts out one device of an account with those that it speaks for; tells whether this hub
    /// had certified it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_device(
        &self,
        account: AccountId,
        key: KeyId,
        act: Act,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            if !counts_or_ended(tx, account, key)? {
                return Ok(false);
            }
            let row = params![account.as_bytes(), key.as_bytes(), to_sql(act.at)];
            tx.execute(
                &format!(
                    "{SPOKEN_FOR} UPDATE certificate SET revoked_at = ?3
                     WHERE account = ?1 AND kind = 'device' AND revoked_at IS NULL
                     AND key_id IN (SELECT key FROM gone)"
                ),
                row,
            )?;
            tx.execute(
                &format!(
                    "{SPOKEN_FOR} UPDATE session SET revoked_at = ?3
                     WHERE account = ?1 AND revoked_at IS NULL
                     AND device IN (SELECT key FROM gone)"
                ),
                row,
            )?;
            audit::append(tx, &act)?;
            Ok(true)
        })
        .await
    }
}

/// A device (?2 of account ?1) and all those that it speaks for, however many stand between.
const SPOKEN_FOR: &str = "WITH RECURSIVE gone (key) AS (
    SELECT ?2 UNION
    SELECT device FROM countersigned JOIN gone ON countersigned.by = gone.key WHERE account = ?1)";

/// Whether this hub's own certificate of a device counts.
fn counts(c: &Connection, account: AccountId, key: KeyId, now: UnixMs) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM certificate WHERE account = ?1 AND key_id = ?2
               AND kind = 'device' AND revoked_at IS NULL AND expires_at > ?3)";
    let row = params![account.as_bytes(), key.as_bytes(), to_sql(now)];
    Ok(c.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

/// Whether there is a certificate of a device that was not revoked, be it over or not.
fn counts_or_ended(c: &Connection, account: AccountId, key: KeyId) -> Result<bool, StoreError> {
    counts(c, account, key, UnixMs::new(0))
}

fn was_revoked(c: &Connection, account: AccountId, key: KeyId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM certificate WHERE account = ?1 AND key_id = ?2
               AND kind = 'device' AND revoked_at IS NOT NULL)";
    let row = params![account.as_bytes(), key.as_bytes()];
    Ok(c.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}
