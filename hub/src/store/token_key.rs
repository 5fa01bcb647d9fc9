//! The keys that sign access tokens; their secrets are sealed.

use kirana_core::time::UnixMs;
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, params},
};

use super::{Never, Store, audit, audit::Act, from_sql, to_sql};

/// A key as it is stored; `secret` is sealed for the kid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name in the header of tokens.
    pub kid: String,
    /// The seed, sealed.
    pub secret: Vec<u8>,
    /// What others verify with.
    pub public: [u8; 32],
    /// When it was made, and so published.
    pub created_at: UnixMs,
    /// From when on it signs, until the next one does.
    pub signs_from: UnixMs,
}

impl Store {
    /// All keys, the one that signs from latest last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token_keys(&self) -> Result<Vec<Stored>, StoreError> {
        self.read(all).await
    }

    /// Adds the first key, unless there is one.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_first_token_key(&self, key: Stored) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            if all(tx)?.is_empty() {
                insert(tx, &key)?;
            }
            Ok(())
        })
        .await
    }

    /// Adds the next key and forgets those that nothing valid was signed with since `forgotten`.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_token_key(
        &self,
        key: Stored,
        forgotten: UnixMs,
        act: Act,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            insert(tx, &key)?;
            // A key signed until its follower began.
            let sql = "DELETE FROM token_key WHERE EXISTS (SELECT 1 FROM token_key AS later
                       WHERE later.signs_from > token_key.signs_from AND later.signs_from < ?1)";
            tx.execute(sql, [to_sql(forgotten)])?;
            audit::append(tx, &act).map_err(Abort::from)
        })
        .await
    }
}

fn all(c: &Connection) -> Result<Vec<Stored>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT kid, secret, public, created_at, signs_from FROM token_key ORDER BY signs_from, kid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Stored {
            kid: row.get(0)?,
            secret: row.get(1)?,
            public: row.get(2)?,
            created_at: from_sql(row.get(3)?),
            signs_from: from_sql(row.get(4)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn insert(c: &Connection, key: &Stored) -> Result<(), StoreError> {
    c.execute(
        "INSERT INTO token_key (kid, secret, public, created_at, signs_from)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![key.kid, key.secret, key.public, to_sql(key.created_at), to_sql(key.signs_from)],
    )?;
    Ok(())
}
