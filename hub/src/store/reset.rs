//! Requests for another password, and the codes that set one or confirm an address.
//!
//! **Invariant:** of all uses of one code, exactly one transaction sees it unused.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{
    Never, Store,
    audit::{self, Act},
    letter::{self, Letter},
    session, to_sql,
};

/// Requests that wait at most.
pub const REQUESTS_MAX: i64 = 10_000;

/// Too many requests wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many people ask for a new password at this moment; try again soon")]
pub struct Crowded;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A link that was sent by mail.
    Link,
    /// A code that an administrator handed over.
    Handed,
    /// One of those that were printed.
    Printed,
    /// Confirms an address; it sets no password.
    Email,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Handed => "handed",
            Self::Printed => "printed",
            Self::Email => "email",
        }
    }
}

/// Codes of one kind, which replace the account's earlier ones of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// Whose.
    pub account: AccountId,
    /// What for.
    pub kind: Kind,
    /// Their digests.
    pub digests: Vec<[u8; 32]>,
    /// When they end.
    pub expires_at: Option<UnixMs>,
}

impl Store {
    /// Notes that somebody asks for a link.
    ///
    /// # Errors
    /// [`Crowded`], or that nothing could be written.
    pub async fn ask_reset(
        &self,
        login_digest: [u8; 32],
        now: UnixMs,
    ) -> Result<(), WriteError<Crowded>> {
        self.write(move |tx| {
            let sql = "SELECT count(*) FROM reset_request";
            let waiting: i64 = tx.query_row(sql, [], |row| row.get(0))?;
            if waiting >= REQUESTS_MAX {
                return Err(Abort::Refused(Crowded));
            }
            tx.execute(
                "INSERT INTO reset_request (login_digest, at) VALUES (?1, ?2)",
                params![login_digest, to_sql(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// The oldest request that waits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reset_request(&self) -> Result<Option<(i64, [u8; 32])>, StoreError> {
        self.read(|c| {
            let sql = "SELECT seq, login_digest FROM reset_request ORDER BY seq LIMIT 1";
            let found = c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            Ok(found)
        })
        .await
    }

    /// Answers a request: with a code in a letter, or not at all.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn answer_reset(
        &self,
        seq: i64,
        answer: Option<(Codes, Letter)>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let taken = tx.execute("DELETE FROM reset_request WHERE seq = ?1", [seq])?;
            if let Some((codes, letter)) = answer.as_ref().filter(|_| taken == 1) {
                replace(tx, codes)?;
                letter::queue(tx, Some(letter))?;
            }
            Ok(())
        })
        .await
    }

    /// Gives an account other codes of a kind, and writes down and tells who did it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn replace_codes(
        &self,
        codes: Codes,
        letter: Option<Letter>,
        act: Option<Act>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            replace(tx, &codes)?;
            letter::queue(tx, letter.as_ref())?;
            if let Some(act) = &act {
                audit::append(tx, act)?;
            }
            Ok(())
        })
        .await
    }

    /// Whose password a code sets, if it still counts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account_of_code(
        &self,
        digest: [u8; 32],
        now: UnixMs,
    ) -> Result<Option<AccountId>, StoreError> {
        self.read(|c| {
            let sql = "SELECT account FROM one_time_code WHERE digest = ?1 AND kind <> 'email'
                       AND (expires_at IS NULL OR expires_at > ?2)";
            let mut statement = c.prepare_cached(sql)?;
            let found: Option<[u8; 16]> =
                statement.query_row(params![digest, to_sql(now)], |row| row.get(0)).optional()?;
            let damaged = || StoreError::damaged("a code's", "account");
            found.map(|id| AccountId::from_slice(&id).ok_or_else(damaged)).transpose()
        })
        .await
    }

    /// Uses a code: sets the password, signs out everywhere, and forgets every device and every
    /// other link. `false` when the code does not count any more.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn reset_password(
        &self,
        account: AccountId,
        digest: [u8; 32],
        hash: String,
        letter: Option<Letter>,
        now: UnixMs,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            if !take(tx, account, digest, now)? {
                return Ok(false);
            }
            tx.execute(
                "UPDATE account SET password_hash = ?2, changed_at = ?3 WHERE id = ?1",
                params![account.as_bytes(), hash, to_sql(now)],
            )?;
            forget_links(tx, account)?;
            tx.execute("DELETE FROM known_device WHERE account = ?1", [account.as_bytes()])?;
            session::revoke_all(tx, account, None, now)?;
            letter::queue(tx, letter.as_ref())?;
            Ok(true)
        })
        .await
    }

    /// Uses the code that confirms an address. `false` when it does not count.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn confirm_email(
        &self,
        account: AccountId,
        digest: [u8; 32],
        personal: Vec<u8>,
        now: UnixMs,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let taken = take(tx, account, digest, now)?;
            if taken {
                tx.execute(
                    "UPDATE account SET personal = ?2, changed_at = ?3 WHERE id = ?1",
                    params![account.as_bytes(), personal, to_sql(now)],
                )?;
            }
            Ok(taken)
        })
        .await
    }
}

fn take(
    c: &Connection,
    account: AccountId,
    digest: [u8; 32],
    now: UnixMs,
) -> Result<bool, StoreError> {
    let taken = c.execute(
        "DELETE FROM one_time_code WHERE digest = ?1 AND account = ?2
         AND (expires_at IS NULL OR expires_at > ?3)",
        params![digest, account.as_bytes(), to_sql(now)],
    )?;
    Ok(taken == 1)
}

/// Links and handed codes end when the password changes, whoever changed it.
pub(super) fn forget_links(c: &Connection, account: AccountId) -> Result<(), StoreError> {
    let sql = "DELETE FROM one_time_code WHERE account = ?1 AND kind IN ('link', 'handed')";
    c.execute(sql, [account.as_bytes()])?;
    Ok(())
}

pub(super) fn replace(c: &Connection, codes: &Codes) -> Result<(), StoreError> {
    let (account, kind) = (codes.account.as_bytes(), codes.kind.name());
    let sql = "DELETE FROM one_time_code WHERE account = ?1 AND kind = ?2";
    c.execute(sql, params![account, kind])?;
    for digest in &codes.digests {
        c.execute(
            "INSERT INTO one_time_code (digest, account, kind, expires_at) VALUES (?1, ?2, ?3, ?4)",
            params![digest, account, kind, codes.expires_at.map(to_sql)],
        )?;
    }
    Ok(())
}
