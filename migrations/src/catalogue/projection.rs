//! Writes the rows that people search from: one product at a time, as the document now has it.

use kirana_core::{
    catalogue::{BucketNo, product::Product},
    cbor,
    id::{ProductId, ShopId, VariantId},
    text,
};
use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;

/// Puts a product's rows in place of what was there. A new product counts as in stock only if
/// nobody counts it; [`set_in_stock`] says more.
///
/// # Errors
/// [`StoreError`].
pub fn put(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
    product: &Product,
) -> Result<(), StoreError> {
    let row = put_row(c, shop, bucket, product)?;
    let sql = "INSERT INTO product_value (row, value) VALUES (?1, ?2)
               ON CONFLICT (row) DO UPDATE SET value = excluded.value";
    c.prepare_cached(sql)?.execute((row, cbor::to_vec(product)))?;
    c.prepare_cached("DELETE FROM variant WHERE product = ?1")?.execute([row])?;
    let sql = "INSERT INTO variant (shop, id, product, gtin, sku) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (shop, id) DO UPDATE SET
                 product = excluded.product, gtin = excluded.gtin, sku = excluded.sku";
    let mut statement = c.prepare_cached(sql)?;
    for (id, variant) in &product.variants {
        // A GTIN has at most 14 digits, so it fits.
        let gtin = variant.gtin.map(|gtin| super::int(gtin.to_number()));
        statement.execute((shop.as_bytes(), id.as_bytes(), row, gtin, &variant.sku))?;
    }
    Ok(())
}

fn put_row(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
    product: &Product,
) -> Result<i64, StoreError> {
    let known = "SELECT row, in_stock FROM product WHERE shop = ?1 AND id = ?2";
    let keys = (shop.as_bytes(), product.id.as_bytes());
    let known: Option<(i64, bool)> = c
        .prepare_cached(known)?
        .query_row(keys, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let row = match known {
        Some((row, in_stock)) => {
            let sql = "UPDATE product SET bucket = ?2, listed = ?3, in_stock = ?4 WHERE row = ?1";
            let in_stock = in_stock || !product.counted;
            c.prepare_cached(sql)?.execute((row, bucket.get(), !product.delisted, in_stock))?;
            c.prepare_cached("DELETE FROM product_fts WHERE rowid = ?1")?.execute([row])?;
            row
        }
        None => {
            let sql = "INSERT INTO product (shop, id, bucket, listed, in_stock)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            c.prepare_cached(sql)?.execute((
                shop.as_bytes(),
                product.id.as_bytes(),
                bucket.get(),
                !product.delisted,
                !product.counted,
            ))?;
            c.last_insert_rowid()
        }
    };
    if !product.delisted {
        let sql = "INSERT INTO product_fts (rowid, name, words) VALUES (?1, ?2, ?3)";
        let name = text::searchable(product.names.values().map(String::as_str));
        c.prepare_cached(sql)?.execute((row, name, words(product)))?;
    }
    Ok(row)
}

/// What else finds a product beside its names.
fn words(product: &Product) -> String {
    let own = product.synonyms.iter().chain(&product.brand).chain(&product.category);
    let marks = product.diets.iter().chain(&product.allergens);
    let variants = product.variants.values();
    let variants = variants.flat_map(|v| v.label.iter().chain(&v.sku));
    text::searchable(own.chain(marks).chain(variants).map(String::as_str))
}

/// Takes a product's rows away.
///
/// # Errors
/// [`StoreError`].
pub fn remove(c: &Connection, shop: ShopId, id: ProductId) -> Result<(), StoreError> {
    let sql = "DELETE FROM product WHERE shop = ?1 AND id = ?2 RETURNING row";
    let keys = (shop.as_bytes(), id.as_bytes());
    let row: Option<i64> = c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    if let Some(row) = row {
        c.prepare_cached("DELETE FROM product_fts WHERE rowid = ?1")?.execute([row])?;
    }
    Ok(())
}

/// Takes all rows of one bucket, or of a whole shop, away: before a snapshot is projected, or when
/// a household drops a shop.
///
/// # Errors
/// [`StoreError`].
pub fn clear(c: &Connection, shop: ShopId, bucket: Option<BucketNo>) -> Result<(), StoreError> {
    let bucket = bucket.map(BucketNo::get);
    let of = "shop = ?1 AND bucket = ifnull(?2, bucket)";
    let sql =
        format!("DELETE FROM product_fts WHERE rowid IN (SELECT row FROM product WHERE {of})");
    c.prepare_cached(&sql)?.execute((shop.as_bytes(), bucket))?;
    c.prepare_cached(&format!("DELETE FROM product WHERE {of}"))?
        .execute((shop.as_bytes(), bucket))?;
    Ok(())
}

/// Says whether any of a product is in stock, so that searches show it before what is not.
///
/// # Errors
/// [`StoreError`].
pub fn set_in_stock(
    c: &Connection,
    shop: ShopId,
    variant: VariantId,
    in_stock: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE product SET in_stock = ?3 WHERE in_stock <> ?3
               AND row = (SELECT product FROM variant WHERE shop = ?1 AND id = ?2)";
    c.prepare_cached(sql)?.execute((shop.as_bytes(), variant.as_bytes(), in_stock))?;
    Ok(())
}
