//! Accounts: a login, a password's hash, roles. What names the person is one sealed column.

use std::collections::BTreeSet;

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, Tx, WriteError,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{
    Never, Store, audit,
    audit::Act,
    code::account_id,
    from_sql, idempotency,
    idempotency::{Mismatch, Once},
    letter::{self, Letter},
    reset::{self, Codes},
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
    /// Since when the account is closed for the time being.
    pub suspended_at: Option<UnixMs>,
    /// The person's own key, sealed; none for accounts of before there were any.
    pub person_key: Option<Vec<u8>>,
}

/// What a profile becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What names the person, sealed.
    pub personal: Vec<u8>,
    /// The language to speak.
    pub language: String,
    /// Who is told.
    pub letter: Option<Letter>,
    /// Who did it, where it was not the person.
    pub act: Option<Act>,
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

/// Why an account was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// There is none of this id.
    #[error("there is no such account")]
    Unknown,
    /// Nobody could administer the hub any more.
    #[error("this is the only administrator who can sign in; make another one first")]
    LastAdmin,
}

const COLUMNS: &str = "id, login_digest, personal, language, password_hash, roles, created_at,
                       suspended_at, person_key";

impl Store {
    /// Creates an account, or finds the one that the same request created before.
    ///
    /// # Errors
    /// [`NotCreated`], or that nothing could be written.
    pub async fn create_account(
        &self,
        account: Stored,
        printed: Codes,
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
            reset::replace(tx, &printed)?;
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
            let rows = statement.query_map(params![after, limit], |row| Ok(stored(row)))?;
            rows.map(|row| row?).collect()
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
        changed: Changed,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let Changed { personal, language, letter, act } = &changed;
            tx.execute(
                "UPDATE account SET personal = ?2, language = ?3, changed_at = ?4 WHERE id = ?1",
                params![id.as_bytes(), personal, language, to_sql(now)],
            )?;
            letter::queue(tx, letter.as_ref())?;
            if let Some(act) = act {
                audit::append(tx, act)?;
            }
            Ok(())
        })
        .await
    }

    /// Gives an account another login.
    ///
    /// # Errors
    /// [`NotCreated::Taken`], or that nothing could be written.
    pub async fn set_login(
        &self,
        id: AccountId,
        digest: [u8; 32],
        personal: Vec<u8>,
        now: UnixMs,
    ) -> Result<(), WriteError<NotCreated>> {
        self.write(move |tx| {
            if by_digest(tx, &digest)?.is_some_and(|other| other.id != id) {
                return Err(Abort::Refused(NotCreated::Taken));
            }
            tx.execute(
                "UPDATE account SET login_digest = ?2, personal = ?3, changed_at = ?4
                 WHERE id = ?1",
                params![id.as_bytes(), digest, personal, to_sql(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// Gives an account other roles and writes that down. Sessions stay: what they may do is
    /// looked up each time.
    ///
    /// # Errors
    /// [`NotChanged`], or that nothing could be written.
    pub async fn set_roles(
        &self,
        id: AccountId,
        roles: String,
        act: Act,
    ) -> Result<(), WriteError<NotChanged>> {
        self.write(move |tx| {
            if !is_admin(&roles) {
                spare_last_admin(tx, id)?;
            }
            let roles = params![id.as_bytes(), roles];
            if tx.execute("UPDATE account SET roles = ?2 WHERE id = ?1", roles)? == 0 {
                return Err(Abort::Refused(NotChanged::Unknown));
            }
            // Who gets a role back later does not get an old sign-in back with it.
            super::console::close_all(tx, id)?;
            Ok(audit::append(tx, &act)?)
        })
        .await
    }

    /// Suspends an account, which ends its sessions, or opens it again.
    ///
    /// # Errors
    /// [`NotChanged`], or that nothing could be written.
    pub async fn suspend(
        &self,
        id: AccountId,
        suspended: bool,
        act: Act,
    ) -> Result<(), WriteError<NotChanged>> {
        self.write(move |tx| {
            if suspended {
                spare_last_admin(tx, id)?;
                super::session::revoke_all(tx, id, None, act.at)?;
            }
            let since = suspended.then(|| to_sql(act.at));
            let sql = "UPDATE account SET suspended_at = ?2 WHERE id = ?1";
            if tx.execute(sql, params![id.as_bytes(), since])? == 0 {
                return Err(Abort::Refused(NotChanged::Unknown));
            }
            Ok(audit::append(tx, &act)?)
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
            reset::forget_links(tx, id)?;
            super::session::revoke_all(tx, id, keep, now)?;
            Ok(())
        })
        .await
    }

    /// Stores another hash of the same password, unless the password was changed meanwhile.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn rehash(
        &self,
        id: AccountId,
        old: String,
        new: String,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE account SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2";
            tx.execute(sql, params![id.as_bytes(), old, new])?;
            Ok(())
        })
        .await
    }

    /// Erases an account with its sessions, revokes its devices, and remembers only the id, so
    /// that it stays erased after a restore.
    ///
    /// # Errors
    /// [`NotChanged`], or that nothing could be written.
    pub async fn erase_account(
        &self,
        id: AccountId,
        act: Act,
    ) -> Result<(), WriteError<NotChanged>> {
        self.write(move |tx| {
            let at = to_sql(act.at);
            spare_last_admin(tx, id)?;
            if tx.execute("DELETE FROM account WHERE id = ?1", [id.as_bytes()])? == 0 {
                return Err(Abort::Refused(NotChanged::Unknown));
            }
            remember(tx, id, at)?;
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

impl Store {
    /// All who were ever erased here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn erased(&self) -> Result<BTreeSet<AccountId>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached("SELECT id FROM erased")?;
            let ids = statement.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
            ids.map(|id| account_id(&id?)).collect()
        })
        .await
    }

    /// Remembers somebody as erased whom this database never had.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remember_erased(
        &self,
        id: AccountId,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| Ok(remember(tx, id, to_sql(now))?)).await
    }
}

fn remember(tx: &Tx<'_>, id: AccountId, at: i64) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO erased (id, at) VALUES (?1, ?2)";
    tx.execute(sql, params![id.as_bytes(), at])?;
    Ok(())
}

fn is_admin(roles: &str) -> bool {
    roles.split(' ').any(|role| role == "admin")
}

/// Refuses to go on when this is the only administrator who can sign in.
fn spare_last_admin(tx: &Tx<'_>, id: AccountId) -> Result<(), Abort<NotChanged>> {
    if !by_id(tx, id)?.is_some_and(|account| is_admin(&account.roles)) {
        return Ok(());
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE id <> ?1 AND suspended_at IS NULL
               AND ' ' || roles || ' ' LIKE '% admin %')";
    match tx.query_row(sql, [id.as_bytes()], |row| row.get(0))? {
        true => Ok(()),
        false => Err(Abort::Refused(NotChanged::LastAdmin)),
    }
}

fn by_digest(c: &Connection, digest: &[u8; 32]) -> Result<Option<Stored>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE login_digest = ?1");
    c.prepare_cached(&sql)?.query_row([digest], |row| Ok(stored(row))).optional()?.transpose()
}

pub(super) fn by_id(c: &Connection, id: AccountId) -> Result<Option<Stored>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account WHERE id = ?1");
    let by = [id.as_bytes()];
    c.prepare_cached(&sql)?.query_row(by, |row| Ok(stored(row))).optional()?.transpose()
}

fn insert(c: &Connection, account: &Stored) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO account ({COLUMNS}, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)"
    );
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
            account.person_key,
            at
        ],
    )?;
    Ok(())
}

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let id: [u8; 16] = row.get(0)?;
    let suspended_at: Option<i64> = row.get(7)?;
    Ok(Stored {
        id: AccountId::from_slice(&id).ok_or_else(|| StoreError::damaged("an account", "id"))?,
        login_digest: row.get(1)?,
        personal: row.get(2)?,
        language: row.get(3)?,
        password_hash: row.get(4)?,
        roles: row.get(5)?,
        created_at: from_sql(row.get(6)?),
        suspended_at: suspended_at.map(from_sql),
        person_key: row.get(8)?,
    })
}
