//! Catalogues in SQL: the stored chunks, the projected products, and the search over them.
//!
//! It stands here because a shop and a household keep the same tables and ask the same questions,
//! and neither may depend on the other. **Invariant:** product rows change in the transaction that
//! stores the chunk they come from, and in no other way.

use kirana_core::{
    catalogue::{BucketNo, product::Product, shown::Shown},
    id::{ProductId, ShopId, VariantId},
    time::UnixMs,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::StoreError;

pub mod availability;
mod card;
pub mod categories;
pub mod chunks;
pub mod facets;
pub(crate) mod index;
mod listing;
pub mod pictures;
pub mod place;
pub mod projection;
pub mod question;
pub mod saved;
pub mod search;
pub mod terms;

pub use card::Filter;
pub use index::gather;

/// A product as the catalogue has it, and whether any of it can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Whose.
    pub shop: ShopId,
    /// In which document it lives.
    pub bucket: BucketNo,
    /// The product.
    pub product: Product,
    /// Whether any of it is in stock, or nobody counts it.
    pub in_stock: bool,
}

/// One product.
///
/// # Errors
/// [`StoreError`].
pub fn product(c: &Connection, shop: ShopId, id: ProductId) -> Result<Option<Shelved>, StoreError> {
    let sql = "SELECT p.shop, p.bucket, p.in_stock, v.value FROM product p
               JOIN product_value v USING (row) WHERE p.shop = ?1 AND p.id = ?2";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (shop.as_bytes(), id.as_bytes());
    statement.query_row(keys, |row| Ok(shelved(row))).optional()?.transpose()
}

/// The product of a variant.
///
/// # Errors
/// [`StoreError`].
pub fn by_variant(
    c: &Connection,
    shop: ShopId,
    variant: VariantId,
) -> Result<Option<Shelved>, StoreError> {
    let sql = "SELECT p.shop, p.bucket, p.in_stock, v.value FROM variant t
               JOIN product p ON p.row = t.product JOIN product_value v ON v.row = p.row
               WHERE t.shop = ?1 AND t.id = ?2";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (shop.as_bytes(), variant.as_bytes());
    statement.query_row(keys, |row| Ok(shelved(row))).optional()?.transpose()
}

/// The product of a row that a search found.
///
/// # Errors
/// [`StoreError`].
pub fn shelved_at(c: &Connection, row: i64) -> Result<Shelved, StoreError> {
    let sql = "SELECT p.shop, p.bucket, p.in_stock, v.value FROM product p
               JOIN product_value v USING (row) WHERE p.row = ?1";
    c.prepare_cached(sql)?.query_row([row], |row| Ok(shelved(row)))?
}

/// A product in JSON, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The product.
    pub id: ProductId,
    /// Whether any of it is in stock, or nobody counts it.
    pub in_stock: bool,
    /// Whether its stock is counted.
    pub counted: bool,
    /// Its object (see [`kirana_core::catalogue::shown::Shown`]) but for the last brace.
    pub json: String,
}

/// The product of a row that a search found, as it is shown.
///
/// # Errors
/// [`StoreError`].
pub fn shown_at(c: &Connection, row: i64, now: UnixMs) -> Result<Ready, StoreError> {
    let sql = "SELECT p.id, p.in_stock, p.counted, v.shown, CASE v.shown WHEN '' THEN v.value END FROM product p
               JOIN product_value v USING (row) WHERE p.row = ?1";
    c.prepare_cached(sql)?.query_row([row], |row| Ok(ready(row, now)))?
}

/// A product as it is shown, of a row with `id`, `in_stock` and `counted` of `product`, `shown` of
/// `product_value`, and its `value` where that is empty, in this order.
///
/// # Errors
/// [`StoreError`].
pub fn ready(row: &Row<'_>, now: UnixMs) -> Result<Ready, StoreError> {
    let id: [u8; 16] = row.get(0)?;
    let id = ProductId::from_slice(&id).ok_or_else(|| StoreError::damaged("a product", "id"))?;
    let json = match row.get::<_, Option<Vec<u8>>>(4)? {
        Some(value) => json(&decoded(&value)?, now)?,
        None => row.get(3)?,
    };
    Ok(Ready { id, in_stock: row.get(1)?, counted: row.get(2)?, json })
}

/// The product in JSON without its last brace, so that the stock of the moment can follow.
fn json(product: &Product, now: UnixMs) -> Result<String, StoreError> {
    let unshown = |_| StoreError::damaged("a product", product.id);
    let mut json = serde_json::to_string(&Shown::of(product, now)).map_err(unshown)?;
    json.pop();
    Ok(json)
}

/// How many products of a shop are listed.
///
/// # Errors
/// [`StoreError`].
pub fn listed(c: &Connection, shop: ShopId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM product WHERE shop = ?1 AND listed = 1";
    let count: i64 = c.prepare_cached(sql)?.query_row([shop.as_bytes()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Reads shop, bucket, in_stock and value, in this order.
fn shelved(row: &Row<'_>) -> Result<Shelved, StoreError> {
    let damaged = || StoreError::damaged("a product", "of the catalogue");
    let shop: [u8; 16] = row.get(0)?;
    let value = row.get_ref(3)?.as_blob().map_err(|_| damaged())?;
    Ok(Shelved {
        shop: ShopId::from_slice(&shop).ok_or_else(damaged)?,
        bucket: BucketNo::new(row.get(1)?),
        product: decoded(value)?,
        in_stock: row.get(2)?,
    })
}

/// A product as it is stored.
fn decoded(value: &[u8]) -> Result<Product, StoreError> {
    let product = kirana_core::cbor::from_slice("a product", value, PRODUCT_BYTES_MAX);
    product.map_err(|_| StoreError::damaged("a product", "of the catalogue"))
}

/// The longest stored product, in bytes: far beyond what the limits of its parts allow.
const PRODUCT_BYTES_MAX: usize = 1024 * 1024;

/// SQLite's integers are signed; numbers of chunks and generations never come near the limit.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
