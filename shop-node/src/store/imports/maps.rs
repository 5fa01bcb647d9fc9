//! Which column of a file means what: as given last, and by the names of suppliers.

use std::collections::BTreeMap;

use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

/// Columns with the names of the fields that they are.
pub type Map = BTreeMap<String, String>;

/// What stands before the name of a supplier; names of formats have no such mark.
const SUPPLIER: &str = "supplier:";

/// Remembers which column means what in files of a format.
pub fn put_map(tx: &Tx<'_>, format: &str, map: &Map) -> Result<(), StoreError> {
    let sql = "INSERT INTO import_map (format, map) VALUES (?1, ?2)
               ON CONFLICT (format) DO UPDATE SET map = excluded.map";
    let map = serde_json::to_string(map).map_err(|e| StoreError::damaged("a map", e))?;
    tx.prepare_cached(sql)?.execute((format, map))?;
    Ok(())
}

/// The map that was remembered last.
pub fn map(c: &Connection, format: &str) -> Result<Option<Map>, StoreError> {
    let sql = "SELECT map FROM import_map WHERE format = ?1";
    let text: Option<String> =
        c.prepare_cached(sql)?.query_row([format], |row| row.get(0)).optional()?;
    text.as_deref().map(read).transpose()
}

fn read(text: &str) -> Result<Map, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::damaged("the map of a file", e))
}

/// Keeps the map of a supplier's files.
pub fn put_supplier_map(tx: &Tx<'_>, supplier: &str, map: &Map) -> Result<(), StoreError> {
    put_map(tx, &format!("{SUPPLIER}{supplier}"), map)
}

/// The map of a supplier's files.
pub fn supplier_map(c: &Connection, supplier: &str) -> Result<Option<Map>, StoreError> {
    map(c, &format!("{SUPPLIER}{supplier}"))
}

/// The maps of all suppliers' files, by name.
pub fn supplier_maps(c: &Connection) -> Result<BTreeMap<String, Map>, StoreError> {
    let sql = "SELECT format, map FROM import_map WHERE format GLOB 'supplier:*'";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut maps = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let name = name.strip_prefix(SUPPLIER).unwrap_or_default().to_owned();
        maps.insert(name, read(&row.get::<_, String>(1)?)?);
    }
    Ok(maps)
}

/// Forgets the map of a supplier's files; whether there was one.
pub fn remove_supplier_map(tx: &Tx<'_>, supplier: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM import_map WHERE format = ?1";
    Ok(tx.prepare_cached(sql)?.execute([format!("{SUPPLIER}{supplier}")])? == 1)
}
