//! Remembers what was asked under an `Idempotency-Key` and what came of it, for a day.
//!
//! **Invariant:** what came of it is remembered in the transaction that made it.

use kirana_core::{hash::Hash, time::UnixMs};
use kirana_migrations::{
    StoreError,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::to_sql;

/// How long a request is remembered, in milliseconds.
pub const REMEMBERED_MS: u64 = 24 * 60 * 60 * 1000;

/// One request, by the key its sender chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The sender, the endpoint and the chosen key.
    pub key: Hash,
    /// What is asked; nothing secret goes in here.
    pub request: Hash,
}

/// The key came with another request before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this Idempotency-Key was used for another request; take a fresh one")]
pub struct Mismatch;

/// What came of the same request earlier, if it was made.
pub(super) fn seen(
    c: &Connection,
    once: &Once,
) -> Result<Result<Option<Vec<u8>>, Mismatch>, StoreError> {
    let found: Option<([u8; 32], Vec<u8>)> = c
        .prepare_cached("SELECT request, subject FROM idempotency WHERE key = ?1")?
        .query_row([once.key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Ok(None),
        Some((request, subject)) if request == *once.request.as_bytes() => Ok(Some(subject)),
        Some(_) => Err(Mismatch),
    })
}

/// Remembers what came of it.
pub(super) fn remember(
    c: &Connection,
    once: &Once,
    subject: &[u8],
    now: UnixMs,
) -> Result<(), StoreError> {
    c.execute(
        "INSERT INTO idempotency (key, request, subject, at) VALUES (?1, ?2, ?3, ?4)",
        params![once.key.as_bytes(), once.request.as_bytes(), subject, to_sql(now)],
    )?;
    Ok(())
}
