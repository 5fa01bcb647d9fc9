//! Sessions and their chains of refresh tokens.
//!
//! **Invariant:** of all uses of one refresh token, exactly one transaction sees it unused.

use kirana_core::{id::AccountId, key::KeyId, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{
    Never, Store, account, code, from_sql,
    sign_in::{self, Arrival},
    to_sql,
};

/// Within which time a repeated refresh gets the answer it missed, in milliseconds.
pub const RETRY_MS: u64 = 60_000;

/// After how long without a refresh a session is over, in milliseconds; the password opens the next.
pub const IDLE_MS: u64 = 45 * kirana_core::time::DAY_MS;

/// Neither revoked nor over (?2 is now) nor idle for too long (?3 is when that began).
const ALIVE: &str = "revoked_at IS NULL AND ends_at > ?2 AND used_at > ?3";

/// The sixteen bytes of a session's id.
pub type SessionId = [u8; 16];

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id: the `sid` of its access tokens.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// The program that it gives tokens to; none is one of our own.
    pub client: Option<String>,
    /// What its tokens may be used for, parted by spaces.
    pub scope: String,
    /// Whether a second factor was shown.
    pub factor: bool,
    /// The device that it belongs to, once that is known: it ends when the device is shut out.
    pub device: Option<KeyId>,
    /// Whether that device's key opened it, and no password was shown.
    pub by_key: bool,
    /// When the person signed in.
    pub created_at: UnixMs,
    /// When it was last refreshed.
    pub used_at: UnixMs,
    /// When it ends, whatever is refreshed.
    pub ends_at: UnixMs,
}

impl Session {
    /// Whether it is neither over nor idle for too long; whether it was revoked, the database says.
    pub fn is_open(&self, now: UnixMs) -> bool {
        self.ends_at > now && self.used_at > now.minus_ms(IDLE_MS)
    }
}

/// A refresh token's row with its session and account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshable {
    /// The session.
    pub session: Session,
    /// The account.
    pub account: account::Stored,
}

/// One use of a refresh token.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The digest of the token that came.
    pub old: [u8; 32],
    /// The digest of the one to give.
    pub new: [u8; 32],
    /// The answer to give, sealed for whoever holds the old one.
    pub answer: Vec<u8>,
    /// Which try it is, when the client says so.
    pub retry_id: Option<[u8; 16]>,
    /// The session it must belong to.
    pub session: SessionId,
}

/// What a use of a refresh token came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotated {
    /// The new token is valid.
    Fresh,
    /// The same try was answered before: with this.
    Again(Vec<u8>),
    /// The token had been used: the session is revoked now.
    Reused,
    /// No such token, or its session is over.
    Unknown,
}

const SESSION: &str = "session.id, session.account, session.scope, session.created_at,
                       session.used_at, session.ends_at, session.client, session.factor,
                       session.device, session.by_key";

impl Store {
    /// Opens a session with its first refresh token.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn open_session(
        &self,
        session: Session,
        refresh: [u8; 32],
        arrival: Arrival,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            insert(tx, &session, refresh)?;
            Ok(sign_in::arrive(tx, &arrival)?)
        })
        .await
    }

    /// The session with its account, if it is neither revoked nor over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session(
        &self,
        id: SessionId,
        now: UnixMs,
    ) -> Result<Option<Refreshable>, StoreError> {
        self.read(|c| with_account(c, alive(c, id, now)?)).await
    }

    /// The session that a refresh token belongs to, whether or not the token was used.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn session_of_refresh(
        &self,
        digest: [u8; 32],
        now: UnixMs,
    ) -> Result<Option<Refreshable>, StoreError> {
        self.read(|c| {
            let id = session_of(c, digest)?;
            let session = id.map(|id| alive(c, id, now)).transpose()?.flatten();
            with_account(c, session)
        })
        .await
    }

    /// Uses a refresh token.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn rotate(
        &self,
        rotation: Rotation,
        now: UnixMs,
    ) -> Result<Rotated, WriteError<Never>> {
        self.write(move |tx| rotate(tx, &rotation, now)).await
    }

    /// An account's sessions that are neither revoked nor over, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(
        &self,
        account: AccountId,
        now: UnixMs,
    ) -> Result<Vec<Session>, StoreError> {
        self.read(|c| {
            let sql = format!(
                "SELECT {SESSION} FROM session WHERE account = ?1 AND {ALIVE}
                 ORDER BY id DESC LIMIT 1000"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let moments = params![account.as_bytes(), to_sql(now), to_sql(now.minus_ms(IDLE_MS))];
            let rows = statement.query_map(moments, |row| Ok(session(row)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// Notes that a second factor was shown in this session.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note_factor(&self, id: SessionId) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("UPDATE session SET factor = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Whether a refresh token was exchanged already.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_refresh_used(&self, digest: [u8; 32]) -> Result<bool, StoreError> {
        self.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM refresh WHERE digest = ?1 AND used_at > 0)";
            Ok(c.prepare_cached(sql)?.query_row([digest], |row| row.get(0))?)
        })
        .await
    }

    /// Revokes all sessions of an account.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_sessions(
        &self,
        account: AccountId,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| Ok(revoke_all(tx, account, None, now)?)).await
    }
}

fn rotate(c: &Connection, r: &Rotation, now: UnixMs) -> Result<Rotated, Abort<Never>> {
    if alive(c, r.session, now)?.is_none() || session_of(c, r.old)? != Some(r.session) {
        return Ok(Rotated::Unknown);
    }
    type Used = (Option<i64>, Option<[u8; 16]>, Option<Vec<u8>>);
    let (used_at, retry_id, answer): Used = c
        .prepare_cached("SELECT used_at, retry_id, answer FROM refresh WHERE digest = ?1")?
        .query_row([r.old], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Some(used_at) = used_at.map(from_sql) else {
        insert_refresh(c, r.new, r.session, now)?;
        c.execute(
            "UPDATE refresh SET used_at = ?2, retry_id = ?3, answer = ?4 WHERE digest = ?1",
            params![r.old, to_sql(now), r.retry_id, r.retry_id.map(|_| &r.answer)],
        )?;
        c.execute(
            "UPDATE session SET used_at = ?2 WHERE id = ?1",
            params![r.session, to_sql(now)],
        )?;
        return Ok(Rotated::Fresh);
    };
    match answer {
        Some(answer)
            if r.retry_id.is_some() && r.retry_id == retry_id && now.since(used_at) <= RETRY_MS =>
        {
            Ok(Rotated::Again(answer))
        }
        _ => {
            revoke(c, r.session, now)?;
            Ok(Rotated::Reused)
        }
    }
}

pub(super) fn insert(
    c: &Connection,
    session: &Session,
    refresh: [u8; 32],
) -> Result<(), StoreError> {
    let mut statement = c.prepare_cached(
        "INSERT INTO session (id, account, scope, created_at, used_at, ends_at, client, factor,
                              device, by_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.execute(params![
        session.id,
        session.account.as_bytes(),
        session.scope,
        to_sql(session.created_at),
        to_sql(session.used_at),
        to_sql(session.ends_at),
        session.client,
        session.factor,
        session.device.as_ref().map(KeyId::as_bytes),
        session.by_key
    ])?;
    insert_refresh(c, refresh, session.id, session.created_at)
}

fn insert_refresh(
    c: &Connection,
    digest: [u8; 32],
    session: SessionId,
    now: UnixMs,
) -> Result<(), StoreError> {
    let mut statement =
        c.prepare_cached("INSERT INTO refresh (digest, session, issued_at) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![digest, session, to_sql(now)])?;
    Ok(())
}

pub(super) fn revoke(c: &Connection, id: SessionId, now: UnixMs) -> Result<(), StoreError> {
    c.execute(
        "UPDATE session SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![id, to_sql(now)],
    )?;
    Ok(())
}

pub(super) fn revoke_all(
    c: &Connection,
    account: AccountId,
    keep: Option<SessionId>,
    now: UnixMs,
) -> Result<(), StoreError> {
    c.execute(
        "UPDATE session SET revoked_at = ?3
         WHERE account = ?1 AND revoked_at IS NULL AND id IS NOT ?2",
        params![account.as_bytes(), keep, to_sql(now)],
    )?;
    code::sign_browsers_out(c, account)
}

fn session_of(c: &Connection, digest: [u8; 32]) -> Result<Option<SessionId>, StoreError> {
    let mut statement = c.prepare_cached("SELECT session FROM refresh WHERE digest = ?1")?;
    Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
}

fn alive(c: &Connection, id: SessionId, now: UnixMs) -> Result<Option<Session>, StoreError> {
    let sql = format!("SELECT {SESSION} FROM session WHERE id = ?1 AND {ALIVE}");
    let moments = [to_sql(now), to_sql(now.minus_ms(IDLE_MS))];
    let moments = params![id, moments[0], moments[1]];
    let mut statement = c.prepare_cached(&sql)?;
    statement.query_row(moments, |row| Ok(session(row))).optional()?.transpose()
}

fn with_account(
    c: &Connection,
    session: Option<Session>,
) -> Result<Option<Refreshable>, StoreError> {
    let Some(session) = session else { return Ok(None) };
    Ok(account::by_id(c, session.account)?.map(|account| Refreshable { session, account }))
}

fn session(row: &Row<'_>) -> Result<Session, StoreError> {
    let account: [u8; 16] = row.get(1)?;
    let device: Option<[u8; 16]> = row.get(8)?;
    let damaged = || StoreError::damaged("a session's", "account or device");
    Ok(Session {
        id: row.get(0)?,
        account: AccountId::from_slice(&account).ok_or_else(damaged)?,
        device: device.map(|key| KeyId::from_slice(&key).ok_or_else(damaged)).transpose()?,
        by_key: row.get(9)?,
        scope: row.get(2)?,
        created_at: from_sql(row.get(3)?),
        used_at: from_sql(row.get(4)?),
        ends_at: from_sql(row.get(5)?),
        client: row.get(6)?,
        factor: row.get(7)?,
    })
}
