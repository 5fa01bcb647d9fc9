//! Reports of imports, and which column of a file means what.

use std::collections::BTreeMap;

use kirana_core::time::UnixMs;
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

/// Keeps a report, or the newer one of the same import.
pub fn put(tx: &Tx<'_>, id: &[u8; 16], at: UnixMs, report: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO import (id, at_ms, report) VALUES (?1, ?2, ?3)
               ON CONFLICT (id) DO UPDATE SET report = excluded.report";
    tx.prepare_cached(sql)?.execute((id, super::int(at.get()), report))?;
    Ok(())
}

/// Reads a report.
pub fn get(c: &Connection, id: &[u8; 16]) -> Result<Option<String>, StoreError> {
    let sql = "SELECT report FROM import WHERE id = ?1";
    Ok(c.prepare_cached(sql)?.query_row([id], |row| row.get(0)).optional()?)
}

/// Remembers which column means what in files of a format.
pub fn put_map(
    tx: &Tx<'_>,
    format: &str,
    map: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO import_map (format, map) VALUES (?1, ?2)
               ON CONFLICT (format) DO UPDATE SET map = excluded.map";
    let map = serde_json::to_string(map).map_err(|e| StoreError::damaged("a map", e))?;
    tx.prepare_cached(sql)?.execute((format, map))?;
    Ok(())
}

/// The map that was remembered last.
pub fn map(c: &Connection, format: &str) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    let sql = "SELECT map FROM import_map WHERE format = ?1";
    let text: Option<String> =
        c.prepare_cached(sql)?.query_row([format], |row| row.get(0)).optional()?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|e| StoreError::damaged("the map of a file", e))
    };
    text.map(read).transpose()
}
