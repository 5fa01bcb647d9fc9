//! Letters that wait to be sent.
//!
//! **Invariant:** a letter goes only once it was sent, or its time is over.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{Connection, params},
};

use super::{Never, Store, from_sql, to_sql};

/// A letter as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its id: the name of its file, and of its message.
    pub id: [u8; 16],
    /// To whom.
    pub account: AccountId,
    /// Address, subject and text, sealed.
    pub sealed: Vec<u8>,
    /// When it is tried next.
    pub due_at: UnixMs,
    /// After which time nobody needs it.
    pub until: UnixMs,
    /// How often it could not be sent.
    pub tries: u32,
}

impl Store {
    /// Letters that are to be tried now, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn due_letters(&self, now: UnixMs, limit: u32) -> Result<Vec<Letter>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT id, account, sealed, due_at, until, tries FROM letter
                 WHERE due_at <= ?1 AND until > ?1 ORDER BY due_at, id LIMIT ?2",
            )?;
            let rows = statement.query_map(params![to_sql(now), limit], |row| {
                let (account, due_at, until) = (row.get(1)?, from_sql(row.get(3)?), row.get(4)?);
                let (id, sealed, tries) = (row.get(0)?, row.get(2)?, row.get(5)?);
                let until = from_sql(until);
                Ok((account, move |account| Letter { id, account, sealed, due_at, until, tries }))
            })?;
            rows.map(|row| {
                let (account, letter): ([u8; 16], _) = row?;
                let account = AccountId::from_slice(&account);
                Ok(letter(account.ok_or_else(|| StoreError::damaged("a letter's", "account"))?))
            })
            .collect()
        })
        .await
    }

    /// Removes a letter.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remove_letter(&self, id: [u8; 16]) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("DELETE FROM letter WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }

    /// Has a letter tried again later.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn postpone_letter(
        &self,
        id: [u8; 16],
        due_at: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE letter SET due_at = ?2, tries = tries + 1 WHERE id = ?1";
            tx.execute(sql, params![id, to_sql(due_at)])?;
            Ok(())
        })
        .await
    }
}

/// Queues a letter, in the transaction that it tells of.
pub(super) fn queue(c: &Connection, letter: Option<&Letter>) -> Result<(), StoreError> {
    let Some(letter) = letter else { return Ok(()) };
    c.execute(
        "INSERT INTO letter (id, account, sealed, due_at, until, tries)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            letter.id,
            letter.account.as_bytes(),
            letter.sealed,
            to_sql(letter.due_at),
            to_sql(letter.until),
            letter.tries
        ],
    )?;
    Ok(())
}
