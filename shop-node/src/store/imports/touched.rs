//! Each product that an import made or changed, as it was before, so that it can be put back.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::product::Product,
    cbor,
    hash::Hash,
    id::{ProductId, VariantId},
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::Id;
use crate::store::{hash_of, int, uint};

/// A product that an import touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub product: ProductId,
    /// The line that first said something of it.
    pub line: u64,
    /// Whether the import put it on the shelf.
    pub added: bool,
    /// As it was before; none where there was no such product.
    pub former: Option<Product>,
    /// The digest of what it became.
    pub became: Hash,
    /// Opening stock that came in with it, in base units.
    pub received: BTreeMap<VariantId, u64>,
}

/// The longest stored product, in bytes: far beyond what the limits of its parts allow.
const PRODUCT_BYTES_MAX: usize = 1024 * 1024;
/// The longest stored list of opening stock: one amount for each variant.
const RECEIVED_BYTES_MAX: usize = 16 * 1024;

/// Notes that an import touched a product. The second time only adds to what the first noted.
pub fn touch(tx: &Tx<'_>, id: &Id, touched: &Touched) -> Result<(), StoreError> {
    let mut received = touched.received.clone();
    let sql = "SELECT received FROM import_product WHERE import = ?1 AND product = ?2";
    let keys = params![id, touched.product.as_bytes()];
    let before: Option<Vec<u8>> =
        tx.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    for (variant, amount) in before.as_deref().map(received_of).transpose()?.unwrap_or_default() {
        *received.entry(variant).or_default() += amount;
    }
    let sql = "INSERT INTO import_product (import, product, line, added, former, became, received)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (import, product) DO UPDATE SET
                 became = excluded.became, received = excluded.received";
    tx.prepare_cached(sql)?.execute(params![
        id,
        touched.product.as_bytes(),
        int(touched.line),
        touched.added,
        touched.former.as_ref().map(cbor::to_vec),
        touched.became.as_bytes(),
        cbor::to_vec(&received),
    ])?;
    Ok(())
}

/// Products that an import touched and that were not put back yet, after `after`.
pub fn touched(
    c: &Connection,
    id: &Id,
    after: Option<ProductId>,
    limit: u32,
) -> Result<Vec<Touched>, StoreError> {
    let sql = "SELECT product, line, added, former, became, received FROM import_product
               WHERE import = ?1 AND undone IS NULL AND (?2 IS NULL OR product > ?2)
               ORDER BY product LIMIT ?3";
    let damaged = |why| StoreError::damaged("a product of an import", why);
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![id, after.map(|id| *id.as_bytes()), limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let product = ProductId::from_slice(&row.get::<_, Vec<u8>>(0)?);
        let former: Option<Vec<u8>> = row.get(3)?;
        let former = former.map(|bytes| cbor::from_slice("a product", &bytes, PRODUCT_BYTES_MAX));
        all.push(Touched {
            product: product.ok_or_else(|| damaged("its id".to_owned()))?,
            line: uint("a product of an import", row.get(1)?)?,
            added: row.get(2)?,
            former: former.transpose().map_err(|why| damaged(why.to_string()))?,
            became: hash_of("a product of an import", &row.get::<_, Vec<u8>>(4)?)?,
            received: received_of(&row.get::<_, Vec<u8>>(5)?)?,
        });
    }
    Ok(all)
}

fn received_of(bytes: &[u8]) -> Result<BTreeMap<VariantId, u64>, StoreError> {
    let read = cbor::from_slice("opening stock", bytes, RECEIVED_BYTES_MAX);
    read.map_err(|why| StoreError::damaged("opening stock of an import", why))
}

/// Notes what a product is after it was put back.
pub fn set_undone(
    tx: &Tx<'_>,
    id: &Id,
    product: ProductId,
    digest: Hash,
) -> Result<(), StoreError> {
    let sql = "UPDATE import_product SET undone = ?3 WHERE import = ?1 AND product = ?2";
    tx.prepare_cached(sql)?.execute(params![id, product.as_bytes(), digest.as_bytes()])?;
    Ok(())
}

/// What a product became when the last import that had put it on the shelf was undone.
pub fn undone_as(c: &Connection, product: ProductId) -> Result<Option<Hash>, StoreError> {
    let sql = "SELECT undone FROM import_product WHERE product = ?1 AND added = 1
               ORDER BY import DESC LIMIT 1";
    let digest: Option<Option<Vec<u8>>> =
        c.prepare_cached(sql)?.query_row([product.as_bytes()], |row| row.get(0)).optional()?;
    digest.flatten().map(|digest| hash_of("an undone product", &digest)).transpose()
}
