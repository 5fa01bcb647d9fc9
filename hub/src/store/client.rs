//! Programs of others: who they are, and where their codes may go.

use kirana_core::time::UnixMs;
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{self, Connection, OptionalExtension, Row, params},
};

use super::{Never, Store, audit, audit::Act, from_sql, to_sql};

/// A client as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// The digest of its secret, where it can keep one.
    pub secret: Option<[u8; 32]>,
    /// When it was added.
    pub created_at: UnixMs,
}

/// There is a client of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is a client of this id already; `kirana-hub client remove` takes it away")]
pub struct Exists;

const COLUMNS: &str = "id, redirect_uris, secret, created_at";

impl Store {
    /// Adds a client.
    ///
    /// # Errors
    /// [`Exists`], or that nothing could be written.
    pub async fn add_client(&self, client: Client, act: Act) -> Result<(), WriteError<Exists>> {
        self.write(move |tx| {
            if by_id(tx, &client.id)?.is_some() {
                return Err(Abort::Refused(Exists));
            }
            tx.execute(
                &format!("INSERT INTO client ({COLUMNS}) VALUES (?1, ?2, ?3, ?4)"),
                params![
                    client.id,
                    client.redirect_uris.join("\n"),
                    client.secret,
                    to_sql(client.created_at)
                ],
            )?;
            Ok(audit::append(tx, &act)?)
        })
        .await
    }

    /// Removes a client with its codes, sessions and tokens; tells whether there was one.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remove_client(&self, id: String, act: Act) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let removed = tx.execute("DELETE FROM client WHERE id = ?1", [&id])? > 0;
            if removed {
                audit::append(tx, &act)?;
            }
            Ok(removed)
        })
        .await
    }

    /// The client of this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        self.read(|c| by_id(c, id)).await
    }

    /// All clients, by their ids.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        self.read(|c| {
            let sql = format!("SELECT {COLUMNS} FROM client ORDER BY id");
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map([], client)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Remembers a token that stands for a service.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_service_token(
        &self,
        id: [u8; 16],
        client: String,
        expires_at: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            // A client that was removed a moment ago gets a token that does not count.
            tx.execute(
                "INSERT INTO service_token (id, client, expires_at)
                 SELECT ?1, id, ?3 FROM client WHERE id = ?2",
                params![id, client, to_sql(expires_at)],
            )?;
            Ok(())
        })
        .await
    }

    /// Whether a service's token was neither revoked nor lost its client.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_service_token(&self, id: [u8; 16]) -> Result<bool, StoreError> {
        self.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM service_token WHERE id = ?1)";
            Ok(c.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
        })
        .await
    }

    /// Revokes a service's token.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_service_token(&self, id: [u8; 16]) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute("DELETE FROM service_token WHERE id = ?1", [id])?;
            Ok(())
        })
        .await
    }
}

fn by_id(c: &Connection, id: &str) -> Result<Option<Client>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM client WHERE id = ?1");
    Ok(c.prepare_cached(&sql)?.query_row([id], client).optional()?)
}

fn client(row: &Row<'_>) -> Result<Client, rusqlite::Error> {
    let uris: String = row.get(1)?;
    Ok(Client {
        id: row.get(0)?,
        redirect_uris: uris.lines().map(str::to_owned).collect(),
        secret: row.get(2)?,
        created_at: from_sql(row.get(3)?),
    })
}
