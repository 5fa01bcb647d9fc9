//! Brings the shelves in line with the catalogue: offers that decisions read, and what is in stock.
//!
//! Chunks, product rows and the search are shared with households: see
//! [`kirana_migrations::catalogue`].

use std::collections::BTreeSet;

use kirana_core::{
    catalogue::{BucketNo, head::UnverifiedHead, pricing::Schedule, product::Product},
    gtin::Gtin,
    id::{ProductId, ShopId, VariantId},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    catalogue::{categories, projection},
    rusqlite::{Connection, OptionalExtension},
};

use super::offers::{self, Shelf};

/// In which document a product, or what is said of a category, lives, if it is known.
pub fn bucket_of(
    c: &Connection,
    shop: ShopId,
    product: ProductId,
) -> Result<Option<BucketNo>, StoreError> {
    let sql = "SELECT bucket FROM product WHERE shop = ?1 AND id = ?2";
    let keys = (shop.as_bytes(), product.as_bytes());
    let bucket = c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    match bucket {
        Some(bucket) => Ok(Some(BucketNo::new(bucket))),
        None => categories::bucket_of(c, shop, product),
    }
}

/// The product of a barcode.
pub fn by_gtin(c: &Connection, shop: ShopId, gtin: Gtin) -> Result<Option<ProductId>, StoreError> {
    let sql = "SELECT p.id FROM variant v JOIN product p ON p.row = v.product
               WHERE v.gtin = ?2 AND v.shop = ?1 ORDER BY p.row LIMIT 1";
    found(c, sql, shop, &super::int(gtin.to_number()))
}

/// The product of one of the shop's own numbers.
pub fn by_sku(c: &Connection, shop: ShopId, sku: &str) -> Result<Option<ProductId>, StoreError> {
    let sql = "SELECT p.id FROM variant v JOIN product p ON p.row = v.product
               WHERE v.shop = ?1 AND v.sku = ?2 ORDER BY p.row LIMIT 1";
    found(c, sql, shop, &sku)
}

/// The variants with a barcode that are for sale.
pub fn variants_by_gtin(
    c: &Connection,
    shop: ShopId,
    gtin: Gtin,
) -> Result<Vec<VariantId>, StoreError> {
    let sql = "SELECT v.id FROM variant v JOIN offer o ON o.variant = v.id
               WHERE v.gtin = ?2 AND v.shop = ?1 ORDER BY v.id LIMIT 2";
    variants(c, sql, shop, &super::int(gtin.to_number()))
}

/// The variants with one of the shop's own numbers that are for sale.
pub fn variants_by_sku(
    c: &Connection,
    shop: ShopId,
    sku: &str,
) -> Result<Vec<VariantId>, StoreError> {
    let sql = "SELECT v.id FROM variant v JOIN offer o ON o.variant = v.id
               WHERE v.shop = ?1 AND v.sku = ?2 ORDER BY v.id LIMIT 2";
    variants(c, sql, shop, &sku)
}

fn variants(
    c: &Connection,
    sql: &str,
    shop: ShopId,
    key: &dyn kirana_migrations::rusqlite::ToSql,
) -> Result<Vec<VariantId>, StoreError> {
    let mut select = c.prepare_cached(sql)?;
    let ids = select.query_map((shop.as_bytes(), key), |row| row.get(0))?;
    let ids = ids.collect::<Result<Vec<Vec<u8>>, _>>()?;
    let read = |id: &Vec<u8>| {
        VariantId::from_slice(id).ok_or_else(|| StoreError::damaged("a variant", "id"))
    };
    ids.iter().map(read).collect()
}

/// When the usual price of a variant, or what is planned for it, was said last, where that is still
/// known.
pub fn priced_at(
    c: &Connection,
    shop: ShopId,
    shelf: &Shelf,
) -> Result<Option<UnixMs>, StoreError> {
    let Some(bucket) = bucket_of(c, shop, shelf.product)? else { return Ok(None) };
    let sql = "SELECT head FROM catalogue_chunk WHERE shop = ?1 AND bucket = ?2 AND n = ?3";
    let keys = (shop.as_bytes(), bucket.get(), super::int(shelf.version));
    let head: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    let Some(head) = head else { return Ok(None) };
    let head = UnverifiedHead::parse(&head);
    let head = head.map_err(|_| StoreError::damaged("a catalogue head of part", bucket))?;
    Ok(Some(head.claimed().at))
}

fn found(
    c: &Connection,
    sql: &str,
    shop: ShopId,
    key: &dyn kirana_migrations::rusqlite::ToSql,
) -> Result<Option<ProductId>, StoreError> {
    let id: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row((shop.as_bytes(), key), |row| row.get(0)).optional()?;
    let read = |id: Vec<u8>| {
        ProductId::from_slice(&id).ok_or_else(|| StoreError::damaged("a product", "id"))
    };
    id.map(read).transpose()
}

/// Offers each priced variant of a listed product, and no others; `version` is the number of the
/// chunk, so that an order can say which price it saw.
pub fn offer(tx: &Tx<'_>, shop: ShopId, product: &Product, version: u64) -> Result<(), StoreError> {
    let mut offered = BTreeSet::new();
    for (id, variant) in &product.variants {
        let Some(price) = variant.price.filter(|_| !product.delisted) else { continue };
        let before = offers::get(tx, *id)?;
        let schedule = Schedule::of(variant);
        let is_same = |shelf: &&Shelf| shelf.price == price && shelf.schedule == schedule;
        let same = before.as_ref().filter(is_same);
        let version = same.map_or(version, |shelf| shelf.version);
        let shelf = Shelf {
            variant: *id,
            product: product.id,
            price,
            schedule,
            tax_bp: variant.tax_bp.unwrap_or(product.tax_bp),
            unit: variant.unit,
            counted: product.counted,
            safety: variant.safety,
            version,
            closed: false,
            age_min: product.age_min,
        };
        offers::put(tx, &shelf)?;
        offered.insert(*id);
    }
    let sql = "SELECT variant FROM offer WHERE product = ?1";
    let mut statement = tx.prepare_cached(sql)?;
    let before = statement
        .query_map([product.id.as_bytes()], |row| row.get(0))?
        .collect::<Result<Vec<Vec<u8>>, _>>()?;
    for variant in before.iter().filter_map(|id| VariantId::from_slice(id)) {
        if !offered.contains(&variant) {
            offers::remove(tx, variant)?;
        }
    }
    mark_in_stock(tx, shop, product)
}

/// Marks a product as in stock if somebody who orders it now could get some.
fn mark_in_stock(tx: &Tx<'_>, shop: ShopId, product: &Product) -> Result<(), StoreError> {
    let mut in_stock = !product.counted;
    for (id, variant) in &product.variants {
        in_stock = in_stock || is_there(tx, *id, variant.safety)?;
    }
    match product.variants.keys().next() {
        Some(variant) => projection::set_in_stock(tx, shop, *variant, in_stock),
        None => Ok(()),
    }
}

fn is_there(c: &Connection, variant: VariantId, safety: u64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM stock_balance WHERE variant = ?1
                              AND on_hand > reserved + ?2)";
    let keys = (variant.as_bytes(), super::int(safety));
    Ok(c.prepare_cached(sql)?.query_row(keys, |row| row.get(0))?)
}

/// After a movement: whether any of the variant's product can still be had.
pub fn stock_changed(tx: &Tx<'_>, shop: ShopId, variant: VariantId) -> Result<(), StoreError> {
    let sql = "SELECT NOT o.counted OR EXISTS (
                 SELECT 1 FROM offer s JOIN stock_balance b ON b.variant = s.variant
                 WHERE s.product = o.product AND b.on_hand > b.reserved + s.safety)
               FROM offer o WHERE o.variant = ?1";
    let in_stock: Option<bool> =
        tx.prepare_cached(sql)?.query_row([variant.as_bytes()], |row| row.get(0)).optional()?;
    match in_stock {
        Some(in_stock) => projection::set_in_stock(tx, shop, variant, in_stock),
        None => Ok(()),
    }
}
