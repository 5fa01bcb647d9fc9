//! What shops said is in stock, as they signed it, and the marks that a search sorts by.
//!
//! **Invariant:** only what was verified is put here, and the number only goes up.

use kirana_core::{
    availability::{Availability, SignedAvailability, UnverifiedAvailability},
    catalogue::BucketNo,
    id::{ShopId, VariantId},
};
use rusqlite::{Connection, OptionalExtension};

use super::{int, projection};
use crate::{StoreError, Tx};

/// What was said last of a document, if anything.
///
/// # Errors
/// [`StoreError`].
pub fn get(
    reader: &Connection,
    shop: ShopId,
    bucket: BucketNo,
) -> Result<Option<Availability>, StoreError> {
    let bytes = signed(reader, shop, bucket)?;
    let read = |bytes: Vec<u8>| match UnverifiedAvailability::parse(&bytes) {
        Ok(read) => Ok(read.claimed().clone()),
        Err(_) => Err(StoreError::damaged("what is in stock at", shop)),
    };
    bytes.map(read).transpose()
}

/// What was said last of a document, as it was signed, to be handed on.
///
/// # Errors
/// [`StoreError`].
pub fn signed(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT signed FROM availability WHERE shop = ?1 AND bucket = ?2";
    let mut select = c.prepare_cached(sql)?;
    Ok(select.query_row((shop.as_bytes(), bucket.get()), |row| row.get(0)).optional()?)
}

/// Puts a snapshot in place of what was said before.
///
/// # Errors
/// [`StoreError`].
pub fn put(tx: &Tx<'_>, snapshot: &SignedAvailability) -> Result<(), StoreError> {
    let said = snapshot.said();
    tx.prepare_cached(
        "INSERT INTO availability (shop, bucket, generation, n, signed)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (shop, bucket) DO UPDATE SET generation = ?3, n = ?4, signed = ?5",
    )?
    .execute((
        said.shop.as_bytes(),
        said.bucket.get(),
        int(said.generation),
        int(said.n),
        snapshot.bytes(),
    ))?;
    Ok(())
}

/// Marks the document's products as in stock or not, so that a search shows first what is there.
///
/// # Errors
/// [`StoreError`].
pub fn mark(tx: &Tx<'_>, said: &Availability) -> Result<(), StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT p.row, p.in_stock, v.id FROM product p JOIN variant v ON v.product = p.row
         WHERE p.shop = ?1 AND p.bucket = ?2 ORDER BY p.row",
    )?;
    let mut rows = select.query((said.shop.as_bytes(), said.bucket.get()))?;
    let mut marks: Vec<(i64, bool, bool)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (product, before): (i64, bool) = (row.get(0)?, row.get(1)?);
        let variant: Vec<u8> = row.get(2)?;
        let variant = VariantId::from_slice(&variant)
            .ok_or_else(|| StoreError::damaged("a variant of shop", said.shop))?;
        let there = said.level(variant).can_be_had();
        match marks.last_mut().filter(|mark| mark.0 == product) {
            Some(mark) => mark.2 |= there,
            None => marks.push((product, before, there)),
        }
    }
    let changed = marks.into_iter().filter(|(_, before, there)| before != there);
    for (product, _, there) in changed {
        projection::mark(tx, product, there)?;
    }
    Ok(())
}
