//! Writes the rows that people search from: one product at a time, as the document now has it.
//!
//! **Invariant:** whose words, place or stock changed is noted, so that the job's end indexes it
//! anew; a new price alone leaves the index as it is. What is planned is sorted by once [`turn`] was told
//! that its moment came.

use kirana_core::{
    catalogue::{BucketNo, product::Product, shown::Shown},
    cbor,
    id::{ProductId, ShopId, VariantId},
    time::UnixMs,
};
use rusqlite::{Connection, OptionalExtension};

use super::{categories, decoded, index};
use crate::{StoreError, Tx};

/// Puts a product's rows in place of what was there. A new product counts as in stock only if
/// nobody counts it; [`set_in_stock`] says more.
///
/// # Errors
/// [`StoreError`].
pub fn put(
    tx: &Tx<'_>,
    shop: ShopId,
    bucket: BucketNo,
    product: &Product,
) -> Result<(), StoreError> {
    let row = put_row(tx, shop, bucket, product)?;
    let category = product.category.as_deref();
    let shelves = category.map(|category| categories::of(tx, shop, category)).transpose()?;
    let sql = "UPDATE product SET shelves = ?2, image = ?3, turns_ms = ?4
               WHERE row = ?1 AND (shelves IS NOT ?2 OR image IS NOT ?3 OR turns_ms IS NOT ?4)";
    let image = product.image.map(|image| *image.as_bytes());
    // Whoever knows the time says which price holds.
    let turns = is_planned(product).then_some(0);
    tx.prepare_cached(sql)?.execute((row, shelves.flatten(), image, turns))?;
    let sql = "INSERT INTO product_value (row, value, shown) VALUES (?1, ?2, ?3)
               ON CONFLICT (row) DO UPDATE SET value = excluded.value, shown = excluded.shown";
    tx.prepare_cached(sql)?.execute((row, cbor::to_vec(product), shown(product)?))?;
    tx.prepare_cached("DELETE FROM variant WHERE product = ?1")?.execute([row])?;
    let sql = "INSERT INTO variant (shop, id, product, gtin, sku) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (shop, id) DO UPDATE SET
                 product = excluded.product, gtin = excluded.gtin, sku = excluded.sku";
    let mut statement = tx.prepare_cached(sql)?;
    for (id, variant) in &product.variants {
        // A GTIN has at most 14 digits, so it fits.
        let gtin = variant.gtin.map(|gtin| super::int(gtin.to_number()));
        statement.execute((shop.as_bytes(), id.as_bytes(), row, gtin, &variant.sku))?;
    }
    Ok(())
}

/// What was there of a product before it is put.
struct Known {
    row: i64,
    in_stock: bool,
    value: Vec<u8>,
}

fn put_row(
    tx: &Tx<'_>,
    shop: ShopId,
    bucket: BucketNo,
    product: &Product,
) -> Result<i64, StoreError> {
    let known = known(tx, shop, product.id)?;
    let in_stock = known.as_ref().is_some_and(|known| known.in_stock) || !product.counted;
    let is_found_alike = match &known {
        Some(known) => {
            known.in_stock == in_stock && is_found_alike(&decoded(&known.value)?, product)
        }
        None => false,
    };
    let row = match known {
        Some(known) => {
            let sql = "UPDATE product SET bucket = ?2, listed = ?3, in_stock = ?4 WHERE row = ?1";
            let values = (known.row, bucket.get(), !product.delisted, in_stock);
            tx.prepare_cached(sql)?.execute(values)?;
            known.row
        }
        None => {
            let sql = "INSERT INTO product (shop, id, bucket, listed, in_stock)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let ids = (shop.as_bytes(), product.id.as_bytes());
            let values = (ids.0, ids.1, bucket.get(), !product.delisted, in_stock);
            tx.prepare_cached(sql)?.execute(values)?;
            tx.last_insert_rowid()
        }
    };
    put_marks(tx, row, product)?;
    if !is_found_alike {
        tx.note_unindexed(row);
    }
    Ok(row)
}

fn known(c: &Connection, shop: ShopId, id: ProductId) -> Result<Option<Known>, StoreError> {
    let sql = "SELECT p.row, p.in_stock, v.value FROM product p JOIN product_value v USING (row)
               WHERE p.shop = ?1 AND p.id = ?2";
    let mut select = c.prepare_cached(sql)?;
    let known = select.query_row((shop.as_bytes(), id.as_bytes()), |row| {
        Ok(Known { row: row.get(0)?, in_stock: row.get(1)?, value: row.get(2)? })
    });
    Ok(known.optional()?)
}

fn is_found_alike(before: &Product, after: &Product) -> bool {
    let of = |product: &Product| (index::folded(product), index::words(product), product.delisted);
    of(before) == of(after)
}

/// What lists are sorted and filtered by.
fn put_marks(c: &Connection, row: i64, product: &Product) -> Result<(), StoreError> {
    let (price, unit_price) = prices(product, UnixMs::default());
    let diets = product.diets.iter().map(|diet| format!("|{diet}")).collect::<String>();
    let diets = Some(diets + "|").filter(|diets| diets.len() > 1);
    let sql = "UPDATE product SET price = ?2, unit_price = ?3, folded = ?4, category = ?5,
                 diets = ?6, counted = ?7 WHERE row = ?1";
    let folded = index::folded(product);
    let values = (row, price, unit_price, folded, &product.category, diets, product.counted);
    c.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The product as it is always shown; empty where a price is planned, so that it is made anew for
/// the moment.
fn shown(product: &Product) -> Result<String, StoreError> {
    match is_planned(product) {
        true => Ok(String::new()),
        false => super::json(product, UnixMs::default()),
    }
}

fn is_planned(product: &Product) -> bool {
    product.variants.values().any(|variant| !variant.planned.is_empty())
}

/// What a product is sorted by at a moment, in minor units; what has no price comes last.
fn prices(product: &Product, now: UnixMs) -> (i64, i64) {
    let shown = Shown::of(product, now);
    let price = shown.price().map_or(i64::MAX, |price| price.minor);
    (price, shown.unit_price_minor().unwrap_or(i64::MAX))
}

/// Whether a planned price began or ended that lists are not sorted by yet.
///
/// # Errors
/// [`StoreError`].
pub fn is_due(c: &Connection, now: UnixMs) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM product WHERE turns_ms <= ?1)";
    Ok(c.prepare_cached(sql)?.query_row([super::int(now.get())], |row| row.get(0))?)
}

/// Sorts by the prices that hold at a moment, some hundred products at a time; how many those were.
///
/// # Errors
/// [`StoreError`].
pub fn turn(tx: &Tx<'_>, now: UnixMs) -> Result<usize, StoreError> {
    let sql = "SELECT row, value FROM product JOIN product_value USING (row)
               WHERE turns_ms <= ?1 LIMIT ?2";
    let mut select = tx.prepare_cached(sql)?;
    let due = select.query_map((super::int(now.get()), TURNED_AT_ONCE), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let due = due.collect::<Result<Vec<_>, _>>()?;
    let sql = "UPDATE product SET price = ?2, unit_price = ?3, turns_ms = ?4 WHERE row = ?1";
    for (row, value) in &due {
        let product = decoded(value)?;
        let (price, unit_price) = prices(&product, now);
        let next = product.variants.values().filter_map(|variant| variant.next_change(now)).min();
        let next = next.map(|at| super::int(at.get()));
        tx.prepare_cached(sql)?.execute((row, price, unit_price, next))?;
    }
    Ok(due.len())
}

/// So that others who write do not wait for the first of January.
const TURNED_AT_ONCE: u32 = 500;

/// Writes anew what older versions did not keep of each product, and indexes all.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn refresh(c: &Connection) -> Result<(), StoreError> {
    let mut rows = c.prepare("SELECT row FROM product_value")?;
    let rows = rows.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let mut select = c.prepare("SELECT value FROM product_value WHERE row = ?1")?;
    let mut update = c.prepare("UPDATE product_value SET shown = ?2 WHERE row = ?1")?;
    for row in rows {
        let value: Vec<u8> = select.query_row([row], |found| found.get(0))?;
        let product = decoded(&value)?;
        put_marks(c, row, &product)?;
        update.execute((row, shown(&product)?))?;
    }
    index::fill(c)
}

/// Writes which picture each product names, which older versions did not keep beside it.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn refresh_images(c: &Connection) -> Result<(), StoreError> {
    let mut select = c.prepare("SELECT row, value FROM product_value")?;
    let mut rows = select.query([])?;
    let mut update = c.prepare("UPDATE product SET image = ?2 WHERE row = ?1")?;
    while let Some(row) = rows.next()? {
        let (row, value): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if let Some(image) = decoded(&value)?.image {
            update.execute((row, image.as_bytes()))?;
        }
    }
    Ok(())
}

/// Notes at the offers of all products from which age on they are sold: after a migration of a
/// shop's database, which alone has offers.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn refresh_ages(c: &Connection) -> Result<(), StoreError> {
    let mut select = c.prepare("SELECT value FROM product_value")?;
    let mut rows = select.query([])?;
    let mut update = c.prepare("UPDATE offer SET age_min = ?2 WHERE product = ?1")?;
    while let Some(row) = rows.next()? {
        let product = decoded(&row.get::<_, Vec<u8>>(0)?)?;
        if let Some(age) = product.age_min {
            update.execute((product.id.as_bytes(), age))?;
        }
    }
    Ok(())
}

/// Takes a product's rows away.
///
/// # Errors
/// [`StoreError`].
pub fn remove(tx: &Tx<'_>, shop: ShopId, id: ProductId) -> Result<(), StoreError> {
    let sql = "DELETE FROM product WHERE shop = ?1 AND id = ?2 RETURNING rank";
    let keys = (shop.as_bytes(), id.as_bytes());
    let rank: Option<Option<i64>> =
        tx.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    if let Some(rank) = rank.flatten() {
        tx.prepare_cached("DELETE FROM product_fts WHERE rowid = ?1")?.execute([rank])?;
    }
    Ok(())
}

/// Takes all rows of one bucket, or of a whole shop, away: before a snapshot is projected, or when
/// a household drops a shop.
///
/// # Errors
/// [`StoreError`].
pub fn clear(tx: &Tx<'_>, shop: ShopId, bucket: Option<BucketNo>) -> Result<(), StoreError> {
    let bucket = bucket.map(BucketNo::get);
    let of = "shop = ?1 AND bucket = ifnull(?2, bucket)";
    let ranks = format!("SELECT rank FROM product WHERE {of} AND rank IS NOT NULL");
    let sql = format!("DELETE FROM product_fts WHERE rowid IN ({ranks})");
    tx.prepare_cached(&sql)?.execute((shop.as_bytes(), bucket))?;
    let sql = format!("DELETE FROM product WHERE {of}");
    tx.prepare_cached(&sql)?.execute((shop.as_bytes(), bucket))?;
    if bucket.is_none() {
        categories::clear(tx, shop)?;
    }
    Ok(())
}

/// Says whether any of a product is in stock, so that searches show it before what is not.
///
/// # Errors
/// [`StoreError`].
pub fn set_in_stock(
    tx: &Tx<'_>,
    shop: ShopId,
    variant: VariantId,
    in_stock: bool,
) -> Result<(), StoreError> {
    let sql = "SELECT product FROM variant WHERE shop = ?1 AND id = ?2";
    let keys = (shop.as_bytes(), variant.as_bytes());
    let row = tx.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    row.map_or(Ok(()), |row| mark(tx, row, in_stock))
}

/// The same for a product's row.
///
/// # Errors
/// [`StoreError`].
pub fn mark(tx: &Tx<'_>, row: i64, in_stock: bool) -> Result<(), StoreError> {
    let sql = "UPDATE product SET in_stock = ?2 WHERE row = ?1 AND in_stock <> ?2";
    if tx.prepare_cached(sql)?.execute((row, in_stock))? > 0 {
        tx.note_unindexed(row);
    }
    Ok(())
}
