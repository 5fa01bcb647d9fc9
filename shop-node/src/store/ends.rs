//! Where everything ends that a shop has said: what tells a copy that is whole from one that is old.

use kirana_core::{farewell::Ends, hash::Hash, id::ShopId};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::stock;

/// The ends of the ledger, of all orders, of all credit books and of the catalogue.
pub fn read(c: &Connection, shop: ShopId) -> Result<Ends, StoreError> {
    Ok(Ends {
        ledger: stock::head(c, shop)?.hash,
        orders: digest(c, "SELECT customer, id, head FROM customer_order ORDER BY customer, id")?,
        khata: digest(c, "SELECT id, head, head FROM khata ORDER BY id")?,
        catalogue: digest(
            c,
            "SELECT shop, CAST(bucket AS BLOB), CAST(generation || ' ' || n AS BLOB)
             FROM catalogue_bucket ORDER BY shop, bucket",
        )?,
    })
}

/// A hash over rows of three blobs; each row counts with its length, so that no two lists say the same.
fn digest(c: &Connection, sql: &str) -> Result<Hash, StoreError> {
    let mut statement = c.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut so_far = Hash::of(b"kirana ends 1");
    while let Some(row) = rows.next()? {
        let parts: [Vec<u8>; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let [first, second, third] = parts.each_ref().map(|part| Hash::of(part));
        let parts = [so_far, first, second, third];
        so_far = Hash::of(&parts.map(|part| *part.as_bytes()).concat());
    }
    Ok(so_far)
}
