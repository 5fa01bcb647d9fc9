//! Imports as they go on, what they touched, and which column of a file means what.
//!
//! **Invariant:** how far an import has come is written with what it led to, in one transaction.

use kirana_core::{hash::Hash, key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

mod maps;
mod notes;
mod seen;
mod touched;

pub use maps::{
    Map, map, put_map, put_supplier_map, remove_supplier_map, supplier_map, supplier_maps,
};
pub use notes::{Note, add_notes, clear_notes, notes};
pub use seen::Seen;
pub use touched::{Touched, set_undone, touch, touched, undone_as};

/// An import's id as it is stored.
pub type Id = [u8; 16];

/// How an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on; after a crash somebody has to go on with it.
    Running,
    /// Everything that could be taken in is in.
    Done,
    /// It ended before its file did; it can be gone on with.
    Failed,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

impl State {
    const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Undoing, Self::Undone];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }
}

/// How far an import has come, and what it led to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of which all that they led to is stored.
    pub rows: u64,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Products that were not on the shelf before.
    pub added: u64,
    /// Products that are different now.
    pub changed: u64,
    /// Products that were as the file says.
    pub unchanged: u64,
    /// Lines that are not in.
    pub refused: u64,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: Id,
    /// How it stands.
    pub state: State,
    /// Who began it.
    pub who: KeyId,
    /// When.
    pub begun: UnixMs,
    /// How the file is to be read: JSON.
    pub settings: String,
    /// Where the file lies, if it lies anywhere.
    pub file: Option<String>,
    /// The digest of the file.
    pub digest: Hash,
    /// How long the file is.
    pub bytes_total: u64,
    /// How far it has come.
    pub counts: Counts,
    /// Products that were put back when it was undone.
    pub restored: u64,
    /// Why it failed.
    pub problem: Option<String>,
}

const COLUMNS: &str = "id, state, who, begun_ms, settings, file, digest, bytes_total, bytes_done,
                       rows_done, added, changed, unchanged, refused, restored, problem";

fn run_of(row: &Row<'_>) -> Result<Run, StoreError> {
    let damaged = |why: &'static str| StoreError::damaged("an import", why);
    let number = |at| uint("an import", row.get(at)?);
    let (state, who): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let state = State::ALL.into_iter().find(|known| known.word() == state);
    Ok(Run {
        id: row.get(0)?,
        state: state.ok_or_else(|| damaged("of an unknown state"))?,
        who: KeyId::from_slice(&who).ok_or_else(|| damaged("of nobody"))?,
        begun: UnixMs::new(number(3)?),
        settings: row.get(4)?,
        file: row.get(5)?,
        digest: super::hash_of("an import", &row.get::<_, Vec<u8>>(6)?)?,
        bytes_total: number(7)?,
        counts: Counts {
            bytes: number(8)?,
            rows: number(9)?,
            added: number(10)?,
            changed: number(11)?,
            unchanged: number(12)?,
            refused: number(13)?,
        },
        restored: number(14)?,
        problem: row.get(15)?,
    })
}

/// Notes that an import begins.
pub fn begin(tx: &Tx<'_>, run: &Run) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO import_run (id, state, who, begun_ms, settings, file, digest, bytes_total)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    tx.prepare_cached(sql)?.execute(params![
        run.id,
        run.state.word(),
        run.who.as_bytes(),
        int(run.begun.get()),
        run.settings,
        run.file,
        run.digest.as_bytes(),
        int(run.bytes_total),
    ])?;
    Ok(())
}

/// The import of this name.
pub fn run(c: &Connection, id: &Id) -> Result<Option<Run>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM import_run WHERE id = ?1");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(run_of).transpose()
}

/// The import of the same file in the same manner that did not come to its end.
pub fn unfinished(c: &Connection, digest: Hash, settings: &str) -> Result<Option<Run>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM import_run
         WHERE digest = ?1 AND settings = ?2 AND state IN ('running', 'failed')
         ORDER BY id DESC LIMIT 1"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![digest.as_bytes(), settings])?;
    rows.next()?.map(run_of).transpose()
}

/// Imports and undoings that did not come to their end, the oldest first.
pub fn interrupted(c: &Connection) -> Result<Vec<Run>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM import_run WHERE state IN ('running', 'undoing') ORDER BY id"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(run_of(row)?);
    }
    Ok(runs)
}

/// Notes that an import that did not come to its end goes on, and where its file lies now.
pub fn go_on(tx: &Tx<'_>, id: &Id, file: Option<&str>) -> Result<(), StoreError> {
    let sql = "UPDATE import_run SET state = 'running', problem = NULL, ended_ms = NULL,
                 file = ifnull(?2, file) WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![id, file])?;
    Ok(())
}

/// The imports that began last, newest first.
pub fn latest(c: &Connection, limit: u32) -> Result<Vec<Run>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM import_run ORDER BY id DESC LIMIT ?1");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([limit])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(run_of(row)?);
    }
    Ok(runs)
}

/// Writes how far an import has come.
pub fn advance(tx: &Tx<'_>, id: &Id, counts: &Counts) -> Result<(), StoreError> {
    let sql = "UPDATE import_run SET bytes_done = ?2, rows_done = ?3, added = ?4, changed = ?5,
                 unchanged = ?6, refused = ?7 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![
        id,
        int(counts.bytes),
        int(counts.rows),
        int(counts.added),
        int(counts.changed),
        int(counts.unchanged),
        int(counts.refused),
    ])?;
    Ok(())
}

/// Notes that an import stands otherwise now, and why, where it failed.
pub fn set_state(
    tx: &Tx<'_>,
    id: &Id,
    state: State,
    problem: Option<&str>,
    now: UnixMs,
) -> Result<(), StoreError> {
    let sql = "UPDATE import_run SET state = ?2, problem = ?3, ended_ms = ?4 WHERE id = ?1";
    let ended = match state {
        State::Running | State::Undoing => None,
        State::Done | State::Failed | State::Undone => Some(int(now.get())),
    };
    tx.prepare_cached(sql)?.execute(params![id, state.word(), problem, ended])?;
    Ok(())
}

/// Notes how many more products were put back.
pub fn restored(tx: &Tx<'_>, id: &Id, more: u64) -> Result<(), StoreError> {
    let sql = "UPDATE import_run SET restored = restored + ?2 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![id, int(more)])?;
    Ok(())
}

/// Reads the report of an import of an earlier version.
pub fn old_report(c: &Connection, id: &Id) -> Result<Option<String>, StoreError> {
    let sql = "SELECT report FROM import WHERE id = ?1";
    Ok(c.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}
