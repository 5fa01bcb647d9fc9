//! What an import said about lines of its file.

use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, params},
};

use super::Id;
use crate::store::{int, uint};

/// Something said about a line, or about a product that stood on it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// The physical line where the record starts, from 1 on.
    pub line: u64,
    /// A stable word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// Keeps notes of a kind, as long as there are fewer than `max` of it.
pub fn add_notes(
    tx: &Tx<'_>,
    id: &Id,
    kind: &str,
    notes: &[Note],
    max: usize,
) -> Result<(), StoreError> {
    if notes.is_empty() {
        return Ok(());
    }
    let sql = "SELECT count(*) FROM import_note WHERE import = ?1 AND kind = ?2";
    let kept: i64 = tx.prepare_cached(sql)?.query_row(params![id, kind], |row| row.get(0))?;
    let room = max.saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
    let sql = "INSERT INTO import_note (import, kind, line, code, message)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = tx.prepare_cached(sql)?;
    for note in notes.iter().take(room) {
        statement.execute(params![id, kind, int(note.line), note.code, note.message])?;
    }
    Ok(())
}

/// Forgets the notes of a kind.
pub fn clear_notes(tx: &Tx<'_>, id: &Id, kind: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM import_note WHERE import = ?1 AND kind = ?2";
    tx.prepare_cached(sql)?.execute(params![id, kind])?;
    Ok(())
}

/// The notes of a kind, by line.
pub fn notes(c: &Connection, id: &Id, kind: &str) -> Result<Vec<Note>, StoreError> {
    let sql = "SELECT line, code, message FROM import_note
               WHERE import = ?1 AND kind = ?2 ORDER BY line, n";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![id, kind])?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        let line = uint("a note", row.get(0)?)?;
        notes.push(Note { line, code: row.get(1)?, message: row.get(2)? });
    }
    Ok(notes)
}
