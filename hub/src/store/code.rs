//! Authorization codes, and the browsers in which people agree to them.
//!
//! **Invariant:** of all uses of one code, exactly one transaction sees it unused; any later one
//! ends what the first gave.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{
    Never, Store, account, console, from_sql,
    session::{self, Session, SessionId},
    sign_in::{self, Arrival},
    to_sql,
};

/// A code as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Finds it.
    pub digest: [u8; 32],
    /// Whom it was given to.
    pub client: String,
    /// Whose account it opens.
    pub account: AccountId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// The S256 challenge that the verifier must meet.
    pub challenge: String,
    /// What the person agreed to, parted by spaces.
    pub scope: String,
    /// What the client wants to find again in the ID token.
    pub nonce: Option<String>,
    /// When the person signed in.
    pub signed_in: UnixMs,
    /// Whether a second factor was shown then.
    pub factor: bool,
    /// When it ends.
    pub expires_at: UnixMs,
}

/// What a use of a code came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The session is open.
    Fresh,
    /// The code had been used: what it gave is revoked now.
    Reused,
    /// No such code, or it is over.
    Unknown,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser {
    /// Whose it is.
    pub account: account::Stored,
    /// When the person signed in.
    pub signed_in: UnixMs,
    /// When it was last used.
    pub used_at: UnixMs,
    /// Whether a second factor was shown.
    pub factor: bool,
}

impl Store {
    /// Keeps a code, and counts the browser as used.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_code(
        &self,
        code: Code,
        browser: [u8; 32],
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            // A client that was removed a moment ago gets a code that opens nothing.
            tx.execute(
                "INSERT INTO code (digest, client, account, redirect_uri, challenge, scope, nonce,
                                   signed_in, expires_at, factor)
                 SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM client WHERE id = ?2",
                params![
                    code.digest,
                    code.client,
                    code.account.as_bytes(),
                    code.redirect_uri,
                    code.challenge,
                    code.scope,
                    code.nonce,
                    to_sql(code.signed_in),
                    to_sql(code.expires_at),
                    code.factor
                ],
            )?;
            tx.execute(
                "UPDATE browser SET used_at = ?2 WHERE digest = ?1",
                params![browser, to_sql(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// The code with this digest, used or not, with its account.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn code(
        &self,
        digest: [u8; 32],
    ) -> Result<Option<(Code, account::Stored)>, StoreError> {
        self.read(|c| {
            let Some(code) = by_digest(c, digest)? else { return Ok(None) };
            Ok(account::by_id(c, code.account)?.map(|account| (code, account)))
        })
        .await
    }

    /// Whether the code was used; if so, what it gave is revoked.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_if_used(
        &self,
        digest: [u8; 32],
        now: UnixMs,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let Some(Some(given)) = given(tx, digest)? else { return Ok(false) };
            session::revoke(tx, given, now)?;
            Ok(true)
        })
        .await
    }

    /// Uses a code: opens its session with a first refresh token.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn redeem(
        &self,
        digest: [u8; 32],
        opened: Session,
        refresh: [u8; 32],
    ) -> Result<Redeemed, WriteError<Never>> {
        self.write(move |tx| {
            let now = opened.created_at;
            match given(tx, digest)? {
                None => return Ok(Redeemed::Unknown),
                Some(Some(given)) => {
                    session::revoke(tx, given, now)?;
                    return Ok(Redeemed::Reused);
                }
                Some(None) => {}
            }
            let used = tx.execute(
                "UPDATE code SET session = ?2 WHERE digest = ?1 AND expires_at > ?3",
                params![digest, opened.id, to_sql(now)],
            )?;
            if used == 0 {
                return Ok(Redeemed::Unknown);
            }
            session::insert(tx, &opened, refresh)?;
            Ok(Redeemed::Fresh)
        })
        .await
    }

    /// Signs a browser in, in place of whom it was before.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_browser(
        &self,
        digest: [u8; 32],
        before: Option<[u8; 32]>,
        arrival: Arrival,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let Arrival { factor, noted, .. } = &arrival;
            tx.execute("DELETE FROM browser WHERE digest = ?1", params![before])?;
            tx.execute(
                "INSERT INTO browser (digest, account, signed_in, used_at, factor)
                 VALUES (?1, ?2, ?3, ?3, ?4)",
                params![digest, noted.account.as_bytes(), to_sql(noted.at), factor],
            )?;
            Ok(sign_in::arrive(tx, &arrival)?)
        })
        .await
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remove_browser(&self, digest: [u8; 32]) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("DELETE FROM browser WHERE digest = ?1", [digest])?;
            Ok(())
        })
        .await
    }

    /// The browser with this digest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn browser(&self, digest: [u8; 32]) -> Result<Option<Browser>, StoreError> {
        self.read(|c| {
            let sql = "SELECT account, signed_in, used_at, factor FROM browser WHERE digest = ?1";
            let found: Option<([u8; 16], i64, i64, bool)> = c
                .prepare_cached(sql)?
                .query_row([digest], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
                .optional()?;
            let Some((account, signed_in, used_at, factor)) = found else { return Ok(None) };
            let account = account_id(&account)?;
            let (signed_in, used_at) = (from_sql(signed_in), from_sql(used_at));
            let account = account::by_id(c, account)?;
            Ok(account.map(|account| Browser { account, signed_in, used_at, factor }))
        })
        .await
    }
}

/// The session that a code gave; the outer `None` when there is no such code.
fn given(c: &Connection, digest: [u8; 32]) -> Result<Option<Option<SessionId>>, StoreError> {
    let mut statement = c.prepare_cached("SELECT session FROM code WHERE digest = ?1")?;
    Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
}

fn by_digest(c: &Connection, digest: [u8; 32]) -> Result<Option<Code>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT client, account, redirect_uri, challenge, scope, nonce, signed_in, expires_at,
                factor
         FROM code WHERE digest = ?1",
    )?;
    let found = statement.query_row([digest], |row| {
        let account: [u8; 16] = row.get(1)?;
        let read = |account| -> Result<Code, kirana_migrations::rusqlite::Error> {
            Ok(Code {
                digest,
                client: row.get(0)?,
                account,
                redirect_uri: row.get(2)?,
                challenge: row.get(3)?,
                scope: row.get(4)?,
                nonce: row.get(5)?,
                signed_in: from_sql(row.get(6)?),
                expires_at: from_sql(row.get(7)?),
                factor: row.get(8)?,
            })
        };
        account_id(&account).map(read).ok().transpose()
    });
    Ok(found.optional()?.flatten())
}

pub(super) fn account_id(bytes: &[u8]) -> Result<AccountId, StoreError> {
    AccountId::from_slice(bytes).ok_or_else(|| StoreError::damaged("a sign-in's", "account"))
}

pub(super) fn sign_browsers_out(c: &Connection, account: AccountId) -> Result<(), StoreError> {
    c.execute("DELETE FROM browser WHERE account = ?1", [account.as_bytes()])?;
    c.execute("DELETE FROM code WHERE account = ?1", [account.as_bytes()])?;
    console::close_all(c, account)
}
