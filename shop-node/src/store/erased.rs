//! Who was forgotten, by names that say nothing of anybody.

use std::collections::BTreeSet;

use kirana_migrations::{StoreError, Tx, rusqlite::Connection};

/// Notes that somebody was forgotten.
pub fn put(tx: &Tx<'_>, name: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO erased (name) VALUES (?1) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute([name])?;
    Ok(())
}

/// Whether somebody was.
pub fn has(c: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM erased WHERE name = ?1)";
    Ok(c.prepare_cached(sql)?.query_row([name], |row| row.get(0))?)
}

/// All who were.
pub fn all(c: &Connection) -> Result<BTreeSet<String>, StoreError> {
    let mut select = c.prepare_cached("SELECT name FROM erased")?;
    Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
