//! Looks into the database afterwards: what was counted must be there.

use std::path::Path;

use anyhow::ensure;
use kirana_migrations::rusqlite::Connection;
use kirana_shop::home::DATABASE;

/// Whether exactly so many orders are stored as accepted, each with its customer's and the shop's
/// entry, something reserved for it and a reply that waits.
///
/// # Errors
/// When they are not: then the figures mean nothing.
pub fn check(folder: &Path, orders: usize) -> anyhow::Result<()> {
    let orders = i64::try_from(orders)?;
    let connection = Connection::open(folder.join(DATABASE))?;
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let (all, whole) = (count("SELECT count(*) FROM customer_order")?, count(WHOLE)?);
    ensure!(
        (all, whole) == (orders, orders),
        "{orders} orders were counted, but {all} are in the database, {whole} of them accepted"
    );
    Ok(())
}

const WHOLE: &str = "
  SELECT count(*) FROM customer_order o
  WHERE o.stage = 'accepted' AND o.decided IS NOT NULL AND o.seq = 1
    AND (SELECT count(*) FROM order_entry e WHERE e.order_n = o.n AND e.lost = 0) = 2
    AND EXISTS (SELECT 1 FROM reservation r WHERE r.order_n = o.n)
    AND EXISTS (SELECT 1 FROM outgoing w WHERE w.order_n = o.n)";
