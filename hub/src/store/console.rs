//! Browsers in which an operator is signed in at the console.
//!
//! **Invariant:** what is stored opens nothing: of the cookie there is a digest alone.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{self, Connection, OptionalExtension, Row, params},
};

use super::{
    Never, Store, account, audit,
    audit::Act,
    code::account_id,
    factor::FactorId,
    from_sql,
    session::SessionId,
    sign_in::{self, Arrival},
    to_sql,
};

/// A browser that is signed in at the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Names the session.
    pub id: SessionId,
    /// Whose it is.
    pub account: account::Stored,
    /// Whether a second factor was shown.
    pub proved: bool,
    /// The second factor that was begun in it.
    pub factor: Option<FactorId>,
    /// When the person signed in.
    pub signed_in: UnixMs,
    /// When it was last used.
    pub used_at: UnixMs,
}

impl Store {
    /// Signs a browser in, in place of whom it was before, and writes that down.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn open_console(
        &self,
        digest: [u8; 32],
        before: [u8; 32],
        visit: Visit,
        (act, arrival): (Act, Arrival),
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let Visit { id, account, proved, factor, signed_in, used_at } = &visit;
            tx.execute("DELETE FROM console WHERE digest = ?1", [before])?;
            tx.execute(
                "INSERT INTO console (digest, id, account, proved, signed_in, used_at, factor)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    digest,
                    id,
                    account.id.as_bytes(),
                    proved,
                    to_sql(*signed_in),
                    to_sql(*used_at),
                    factor
                ],
            )?;
            audit::append(tx, &act)?;
            Ok(sign_in::arrive(tx, &arrival)?)
        })
        .await
    }

    /// The browser with this digest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn console(&self, digest: [u8; 32]) -> Result<Option<Visit>, StoreError> {
        self.read(|c| {
            let sql = "SELECT id, account, proved, factor, signed_in, used_at FROM console
                       WHERE digest = ?1";
            type Raw = (SessionId, [u8; 16], bool, Option<FactorId>, i64, i64);
            let raw = |row: &Row<'_>| -> Result<Raw, rusqlite::Error> {
                let (id, account, proved) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((id, account, proved, row.get(3)?, row.get(4)?, row.get(5)?))
            };
            let found = c.prepare_cached(sql)?.query_row([digest], raw).optional()?;
            let Some((id, account, proved, factor, signed_in, used_at)) = found else {
                return Ok(None);
            };
            let account = account::by_id(c, account_id(&account)?)?;
            let (signed_in, used_at) = (from_sql(signed_in), from_sql(used_at));
            Ok(account.map(|account| Visit { id, account, proved, factor, signed_in, used_at }))
        })
        .await
    }

    /// Remembers which second factor was begun in a browser.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn begin_console_factor(
        &self,
        id: SessionId,
        factor: FactorId,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("UPDATE console SET factor = ?2 WHERE id = ?1", params![id, factor])?;
            Ok(())
        })
        .await
    }

    /// Counts a browser as used.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn touch_console(
        &self,
        digest: [u8; 32],
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE console SET used_at = ?2 WHERE digest = ?1";
            tx.execute(sql, params![digest, to_sql(now)])?;
            Ok(())
        })
        .await
    }

    /// Gives a browser that showed its first second factor a new cookie; one that was signed out
    /// meanwhile stays so.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn prove_console(
        &self,
        before: [u8; 32],
        digest: [u8; 32],
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE console SET digest = ?2, proved = 1, used_at = ?3 WHERE digest = ?1";
            tx.execute(sql, params![before, digest, to_sql(now)])?;
            Ok(())
        })
        .await
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn close_console(&self, digest: [u8; 32]) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("DELETE FROM console WHERE digest = ?1", [digest])?;
            Ok(())
        })
        .await
    }
}

/// Signs all browsers of an account out.
pub(super) fn close_all(c: &Connection, account: AccountId) -> Result<(), StoreError> {
    c.execute("DELETE FROM console WHERE account = ?1", [account.as_bytes()])?;
    Ok(())
}
