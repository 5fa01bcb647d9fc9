//! Second factors and recovery codes.
//!
//! **Invariant:** of all uses of one step's code, or of one recovery code, exactly one transaction
//! sees it unused.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, Tx, WriteError,
    rusqlite::{OptionalExtension, Row, params},
};

use super::{Never, Store, from_sql, to_sql};

/// The sixteen bytes of a factor's id.
pub type FactorId = [u8; 16];

/// A factor as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: FactorId,
    /// Whose.
    pub account: AccountId,
    /// What the authenticator shares, sealed.
    pub secret: Vec<u8>,
    /// When it was begun.
    pub created_at: UnixMs,
    /// When a code proved that the authenticator has it; before that it does not count.
    pub confirmed_at: Option<UnixMs>,
}

const FACTOR: &str = "id, account, secret, created_at, confirmed_at";

impl Store {
    /// Begins a factor; others of the account that were never confirmed go.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn begin_factor(&self, factor: Stored) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let account = factor.account.as_bytes();
            tx.execute(
                "DELETE FROM factor WHERE account = ?1 AND confirmed_at IS NULL",
                [account],
            )?;
            let sql =
                "INSERT INTO factor (id, account, secret, created_at) VALUES (?1, ?2, ?3, ?4)";
            let created_at = to_sql(factor.created_at);
            tx.execute(sql, params![factor.id, account, factor.secret, created_at])?;
            Ok(())
        })
        .await
    }

    /// All factors of an account, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn factors(&self, account: AccountId) -> Result<Vec<Stored>, StoreError> {
        self.read(|c| {
            let sql = format!("SELECT {FACTOR} FROM factor WHERE account = ?1 ORDER BY id");
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map([account.as_bytes()], |row| Ok(stored(row)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// Takes the code of a step, unless one of it or of a later one was taken; the first confirms
    /// the factor, and `codes` become the account's recovery codes where it had no factor before.
    /// Says whether it was taken, and whether the codes count now.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn confirm_factor(
        &self,
        factor: Stored,
        step: u64,
        codes: Vec<[u8; 32]>,
        now: UnixMs,
    ) -> Result<(bool, bool), WriteError<Never>> {
        self.write(move |tx| {
            let account = factor.account.as_bytes();
            let sql = "SELECT count(*) FROM factor WHERE account = ?1 AND confirmed_at IS NOT NULL";
            let had: i64 = tx.query_row(sql, [account], |row| row.get(0))?;
            if !take_step(tx, factor.id, step)? {
                return Ok((false, false));
            }
            let sql = "UPDATE factor SET confirmed_at = ?2 WHERE id = ?1 AND confirmed_at IS NULL";
            tx.execute(sql, params![factor.id, to_sql(now)])?;
            if had > 0 {
                return Ok((true, false));
            }
            tx.execute("DELETE FROM recovery_code WHERE account = ?1", [account])?;
            for code in &codes {
                let sql = "INSERT INTO recovery_code (account, digest) VALUES (?1, ?2)";
                tx.execute(sql, params![account, code])?;
            }
            Ok((true, true))
        })
        .await
    }

    /// Takes the code of a step for a sign-in; `false` when one of it or of a later one was taken.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn use_step(&self, factor: FactorId, step: u64) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| take_step(tx, factor, step)).await
    }

    /// Takes a recovery code; `false` when the account has none of this digest.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn use_recovery_code(
        &self,
        account: AccountId,
        digest: [u8; 32],
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let sql = "DELETE FROM recovery_code WHERE account = ?1 AND digest = ?2";
            Ok(tx.execute(sql, params![account.as_bytes(), digest])? == 1)
        })
        .await
    }

    /// Removes a factor; the recovery codes go with the last one. `false` when there is none.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remove_factor(
        &self,
        account: AccountId,
        factor: FactorId,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let account = account.as_bytes();
            let sql = "DELETE FROM factor WHERE account = ?1 AND id = ?2";
            if tx.execute(sql, params![account, factor])? == 0 {
                return Ok(false);
            }
            let sql = "DELETE FROM recovery_code WHERE account = ?1 AND NOT EXISTS
                         (SELECT 1 FROM factor WHERE account = ?1 AND confirmed_at IS NOT NULL)";
            tx.execute(sql, [account])?;
            Ok(true)
        })
        .await
    }
}

fn take_step(tx: &Tx<'_>, factor: FactorId, step: u64) -> Result<bool, Abort<Never>> {
    let sql = "UPDATE factor SET last_step = ?2 WHERE id = ?1 AND last_step < ?2 RETURNING 1";
    let taken = tx
        .query_row(sql, params![factor, i64::try_from(step).unwrap_or(i64::MAX)], |_| Ok(()))
        .optional()?;
    Ok(taken.is_some())
}

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let account: [u8; 16] = row.get(1)?;
    let confirmed_at: Option<i64> = row.get(4)?;
    Ok(Stored {
        id: row.get(0)?,
        account: AccountId::from_slice(&account)
            .ok_or_else(|| StoreError::damaged("the account of", "a factor"))?,
        secret: row.get(2)?,
        created_at: from_sql(row.get(3)?),
        confirmed_at: confirmed_at.map(from_sql),
    })
}
