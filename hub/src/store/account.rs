//! Accounts: a login, a password's hash, roles. What names the person is one sealed column.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{
    Never, Store, audit,
    audit::Act,
    from_sql, idempotency,
    idempotency::{Mismatch, Once},
    to_sql,
};

/// An account as it is stored; `personal` is sealed for the account's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose it is.
    pub id: AccountId,
    /// Finds the login.
    pub login_digest: [u8; 32],
    /// Login, email and name, sealed.
    pub personal: Vec<u8>,
    /// The language to speak, as BCP 47 names it.
    pub language: String,
    /// A PHC string.
    pub password_hash: String,
    /// Role names, parted by spaces.
    pub roles: String,
    /// When the person registered.
    pub created_at: UnixMs,
}

/// Why an account was not created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCreated {
    /// Somebody has this login.
    #[error("that login is taken")]
    Taken,
    /// The Idempotency-Key was used for something else.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

const COLUMNS: &str = "id, login_digest, personal, language, password_hash, roles, created_at";

impl Store {
    /// Creates an account, or finds the one that the same request created before.
    ///
    /// # Errors
    /// [`NotCreated`], or that nothing could be written.
    pub async fn create_account(
        &self,
        account: Stored,
        once: Option<Once>,
        act: Option<Act>,
    ) -> Result<AccountId, WriteError<NotCreated>> {
        self.write(move |tx| {
            if let Some(once) = &once {
                let seen = idempotency::seen(tx, once)?;
                if let Some(id) = seen.map_err(|e| Abort::Refused(e.into()))? {
                    return AccountId::from_slice(&id)
                        .ok_or_else(|| StoreError::damaged("a request", "its account").into());
                }
            }
            if by_digest(tx, &account.login_digest)?.is_some() {
                return Err(Abort::Refused(NotCreated::Taken));
            }
            insert(tx, &account)?;
            if let Some(once) = &once {
                idempotency::remember(tx, once, account.id.as_bytes(), account.created_at)?;
            }
            if let Some(act) = &act {
                audit::append(tx, act)?;
            }
            Ok(account.id)
        })
        .await
    }

    /// The account with this login.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account_by_digest(&self, digest: [u8; 32]) -> Result<Option<Stored>, StoreError> {
        self.read(|c| by_digest(c, &digest)).await
    }

    /// The account with this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn account(&self, id: AccountId) -> Result<Option<Stored>, StoreError> {
        self.read(|c| by_id(c, id)).await
    }

    /// Accounts in the order of their ids, after a cursor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounts(
        &self,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        self.read(|c| {
            let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
            let sql = format!("SELECT {COLUMNS} FROM account WHERE id > ?1 ORDER BY id LIMIT ?2");
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, limit], raw)?;
            rows.map(|row| stored(row?)).collect()
        })
        .await
    }

    /// Changes what names the person, and the language.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn change_account(
        &self,
        id: AccountId,
        personal: Vec<u8>,
        language: String,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE account SET personal = ?2, language = ?3, changed_at = ?4 WHERE id = ?1",
                params![id.as_bytes(), personal, language, to_sql(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// Gives an account other roles and writes that down.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn set_roles(
        &self,
        id: AccountId,
        roles: String,
        act: Act,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let roles = params![id.as_bytes(), roles];
            tx.execute("UPDATE account SET roles = ?2 WHERE id = ?1", roles)?;
            audit::append(tx, &act)?;
            Ok(())
        })
        .await
    }

    /// Sets a new password and ends all sessions but one.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn set_password(
        &self,
        id: AccountId,
        hash: String,
        keep: Option<[u8; 16]>,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE account SET password_hash = ?2, changed_at = ?3 WHERE id = ?1",
                params![id.as_bytes(), hash, to_sql(now)],
            )?;
            super::session::revoke_all(tx, id, keep, now)?;
            Ok(())
        })
        .await
    }

    /// Erases an account with its sessions, revokes its devices, and remembers only the id, so
    /// that it stays erased after a restore.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn erase_account(&self, id: AccountId, act: Act) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let at = to_sql(act.at);
            tx.execute("DELETE FROM account WHERE id = ?1", [id.as_bytes()])?;
            tx.execute(
                "INSERT OR IGNORE INTO erased (id, at) VALUES (?1, ?2)",
                params![id.as_bytes(), at],
            )?;
            tx.execute(
                "UPDATE certificate SET revoked_at = ?2 WHERE account = ?1 AND revoked_at IS NULL",
                params![id.as_bytes(), at],
            )?;
            audit::append(tx, &act)?;
            Ok(())
        })
        .await
    }
}

fn by_digest(c: &Connection, digest: &[u8; 32]) -> Result<Option<Stored>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE login_digest = ?1");
    c.prepare_cached(&sql)?.query_row([digest], raw).optional()?.map(stored).transpose()
}

pub(super) fn by_id(c: &Connection, id: AccountId) -> Result<Option<Stored>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id = ?1");
    c.prepare_cached(&sql)?.query_row([id.as_bytes()], raw).optional()?.map(stored).transpose()
}

fn insert(c: &Connection, account: &Stored) -> Result<(), StoreError> {
    let sql =
        format!("INSERT INTO account ({COLUMNS}, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    let at = to_sql(account.created_at);
    c.execute(
        &sql,
        params![
            account.id.as_bytes(),
            account.login_digest,
            account.personal,
            account.language,
            account.password_hash,
            account.roles,
            at,
            at
        ],
    )?;
    Ok(())
}

type Raw = ([u8; 16], [u8; 32], Vec<u8>, String, String, String, i64);

fn raw(row: &Row<'_>) -> Result<Raw, kirana_migrations::rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
}

fn stored(raw: Raw) -> Result<Stored, StoreError> {
    let (id, login_digest, personal, language, password_hash, roles, created_at) = raw;
    let id = AccountId::from_slice(&id).ok_or_else(|| StoreError::damaged("an account", "id"))?;
    let created_at = from_sql(created_at);
    Ok(Stored { id, login_digest, personal, language, password_hash, roles, created_at })
}
