//! The log of administrative acts and refusals, each line holding the hash of the one before.
//!
//! **Invariant:** lines are only ever added; the table itself refuses anything else.

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{self, Connection, OptionalExtension, Row, params},
};

use super::{Never, Store, from_sql, to_sql};

/// What somebody did, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: UnixMs,
    /// An account's id, or the command line.
    pub actor: String,
    /// What, by a dotted name.
    pub action: &'static str,
    /// Upon which thing, by its id.
    pub subject: String,
    /// `done`, or why not.
    pub outcome: &'static str,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place, from 1.
    pub seq: u64,
    /// When.
    pub at: UnixMs,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// Upon what.
    pub subject: String,
    /// With which outcome.
    pub outcome: String,
    /// The hash of the line before.
    pub prev: Hash,
    /// The hash of this line.
    pub hash: Hash,
}

impl Store {
    /// Adds a line.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note(&self, act: Act) -> Result<(), WriteError<Never>> {
        self.write(move |tx| Ok(append(tx, &act)?)).await
    }

    /// Lines after a place, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, after: u64, limit: u32) -> Result<Vec<Line>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.read(|c| {
            let sql = format!("SELECT {LINE} FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2");
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, limit], line)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The newest lines by or upon an account, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_about(&self, id: AccountId, limit: u32) -> Result<Vec<Line>, StoreError> {
        let id = id.to_string();
        self.read(|c| {
            let sql = format!(
                "SELECT {LINE} FROM audit WHERE actor = ?1 OR subject = ?1
                 ORDER BY seq DESC LIMIT ?2"
            );
            let mut statement = c.prepare_cached(&sql)?;
            let rows = statement.query_map(params![id, limit], line)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

impl Store {
    /// Whether somebody gave this account other roles since then.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn had_roles_set(&self, id: AccountId, since: UnixMs) -> Result<bool, StoreError> {
        self.read(|c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM audit WHERE subject = ?1 AND outcome = ?2
                       AND at > ?3)";
            let given = params![id.to_string(), ROLES_SET, to_sql(since)];
            Ok(c.prepare_cached(sql)?.query_row(given, |row| row.get(0))?)
        })
        .await
    }
}

/// The outcome of giving an account other roles.
pub const ROLES_SET: &str = "roles set";

const LINE: &str = "seq, at, actor, action, subject, outcome, prev, hash";

fn line(row: &Row<'_>) -> Result<Line, rusqlite::Error> {
    Ok(Line {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: from_sql(row.get(1)?),
        actor: row.get(2)?,
        action: row.get(3)?,
        subject: row.get(4)?,
        outcome: row.get(5)?,
        prev: hash_of(&row.get::<_, [u8; 32]>(6)?),
        hash: hash_of(&row.get::<_, [u8; 32]>(7)?),
    })
}

impl Store {
    /// The place of the newest line; 0 where there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_end(&self) -> Result<u64, StoreError> {
        self.read(|c| {
            let sql = "SELECT coalesce(max(seq), 0) FROM audit";
            let end: i64 = c.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(end.unsigned_abs())
        })
        .await
    }
}

pub(super) fn append(c: &Connection, act: &Act) -> Result<(), StoreError> {
    let last: Option<[u8; 32]> = c
        .prepare_cached("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let prev = last.unwrap_or_default();
    let hash = link(&prev, act.at, [&act.actor, act.action, &act.subject, act.outcome]);
    c.execute(
        "INSERT INTO audit (at, actor, action, subject, outcome, prev, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            to_sql(act.at),
            act.actor,
            act.action,
            act.subject,
            act.outcome,
            prev,
            hash.as_bytes()
        ],
    )?;
    Ok(())
}

/// The hash of a line: over the hash before it and all that it says.
fn link(prev: &[u8; 32], at: UnixMs, [actor, action, subject, outcome]: [&str; 4]) -> Hash {
    Hash::of_parts(&[
        prev,
        &at.get().to_be_bytes(),
        actor.as_bytes(),
        action.as_bytes(),
        subject.as_bytes(),
        outcome.as_bytes(),
    ])
}

/// The place of the first line that does not follow from the one before it.
pub fn first_break(lines: &[Line]) -> Option<u64> {
    let mut prev = lines.first().map(|line| line.prev)?;
    for line in lines {
        let texts = [&*line.actor, &*line.action, &*line.subject, &*line.outcome];
        if line.prev != prev || link(prev.as_bytes(), line.at, texts) != line.hash {
            return Some(line.seq);
        }
        prev = line.hash;
    }
    None
}

fn hash_of(bytes: &[u8; 32]) -> Hash {
    Hash::from_slice(bytes).expect("32 bytes are a digest")
}
