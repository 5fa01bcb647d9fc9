//! Pictures of products, each kept once and named by its digest.
//!
//! **Invariant:** a picture is there as long as a product names it, and no longer.

use kirana_core::{catalogue::product::Product, hash::Hash, id::ProductId};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

/// Keeps a picture; whoever names it does so in the same transaction.
pub fn put(tx: &Tx<'_>, jpeg: &[u8]) -> Result<Hash, StoreError> {
    let hash = Hash::of(jpeg);
    let sql = "INSERT INTO image (hash, jpeg) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute((hash.as_bytes(), jpeg))?;
    Ok(hash)
}

/// Notes which picture a product names now, and throws the one before away if none names it.
pub fn name(tx: &Tx<'_>, product: &Product) -> Result<(), StoreError> {
    let before = named_by(tx, product.id)?;
    if before == product.image {
        return Ok(());
    }
    match product.image {
        Some(hash) => {
            let sql = "INSERT INTO product_image (product, hash) VALUES (?1, ?2)
                       ON CONFLICT (product) DO UPDATE SET hash = excluded.hash";
            tx.prepare_cached(sql)?.execute((product.id.as_bytes(), hash.as_bytes()))?;
        }
        None => {
            let sql = "DELETE FROM product_image WHERE product = ?1";
            tx.prepare_cached(sql)?.execute([product.id.as_bytes()])?;
        }
    }
    if let Some(before) = before {
        let sql = "DELETE FROM image WHERE hash = ?1
                   AND NOT EXISTS (SELECT 1 FROM product_image WHERE hash = ?1)";
        tx.prepare_cached(sql)?.execute([before.as_bytes()])?;
    }
    Ok(())
}

fn named_by(c: &Connection, product: ProductId) -> Result<Option<Hash>, StoreError> {
    let sql = "SELECT hash FROM product_image WHERE product = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let hash: Option<Vec<u8>> =
        statement.query_row([product.as_bytes()], |row| row.get(0)).optional()?;
    hash.map(digest).transpose()
}

/// A picture; an error where its bytes have another digest.
pub fn get(c: &Connection, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT jpeg FROM image WHERE hash = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let jpeg: Option<Vec<u8>> =
        statement.query_row([hash.as_bytes()], |row| row.get(0)).optional()?;
    match jpeg {
        Some(jpeg) if Hash::of(&jpeg) != hash => Err(StoreError::damaged("the picture", hash)),
        jpeg => Ok(jpeg),
    }
}

/// Every picture that is kept or named, and whether a product names it.
pub fn all(c: &Connection) -> Result<Vec<(Hash, bool)>, StoreError> {
    let sql = "SELECT hash, EXISTS (SELECT 1 FROM product_image p WHERE p.hash = i.hash)
               FROM image i
               UNION SELECT hash, 1 FROM product_image ORDER BY hash";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((digest(row.get(0)?)?, row.get(1)?));
    }
    Ok(all)
}

fn digest(bytes: Vec<u8>) -> Result<Hash, StoreError> {
    Hash::from_slice(&bytes).ok_or_else(|| StoreError::damaged("a picture", "digest"))
}
