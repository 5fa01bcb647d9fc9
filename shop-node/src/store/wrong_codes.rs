//! How often a wrong code was told when goods changed hands, order by order.

use kirana_core::time::UnixMs;
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

use super::int;

/// How often, for one order.
pub fn count(c: &Connection, order_n: i64) -> Result<u32, StoreError> {
    let sql = "SELECT count FROM wrong_code WHERE order_n = ?1";
    let count = c.prepare_cached(sql)?.query_row([order_n], |row| row.get(0)).optional()?;
    Ok(count.unwrap_or(0))
}

/// Once more.
pub fn add(tx: &Tx<'_>, order_n: i64, at: UnixMs) -> Result<(), StoreError> {
    let sql = "INSERT INTO wrong_code (order_n, count, last_ms) VALUES (?1, 1, ?2)
               ON CONFLICT (order_n) DO UPDATE SET count = count + 1, last_ms = ?2";
    tx.prepare_cached(sql)?.execute((order_n, int(at.get())))?;
    Ok(())
}
