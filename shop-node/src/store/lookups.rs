//! Barcodes that nobody knew when they were looked up.

use kirana_core::{gtin::Gtin, time::UnixMs};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

use super::int;

/// Whether a barcode was unknown a short time ago.
pub fn is_missed(c: &Connection, gtin: Gtin, now: UnixMs) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM lookup_miss WHERE gtin = ?1 AND until_ms > ?2";
    let keys = (int(gtin.to_number()), int(now.get()));
    Ok(c.prepare_cached(sql)?.query_row(keys, |_| Ok(())).optional()?.is_some())
}

/// Notes that a barcode is unknown, and forgets what was noted long ago.
pub fn miss(tx: &Tx<'_>, gtin: Gtin, now: UnixMs, until: UnixMs) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM lookup_miss WHERE until_ms <= ?1")?.execute([int(now.get())])?;
    let sql = "INSERT INTO lookup_miss (gtin, until_ms) VALUES (?1, ?2)
               ON CONFLICT (gtin) DO UPDATE SET until_ms = excluded.until_ms";
    tx.prepare_cached(sql)?.execute((int(gtin.to_number()), int(until.get())))?;
    Ok(())
}
