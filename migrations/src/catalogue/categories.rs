//! Trees of categories: what shops say of them, on which shelves each product stands, and how many
//! there are on each.
//!
//! **Invariant:** the shelves of a product are written with the product, and again when the shop's
//! tree changes; nobody who searches walks a tree.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    catalogue::{
        BucketNo,
        category::{Category, Tree},
        document::Bucket,
    },
    cbor,
    id::{ProductId, ShopId},
};
use rusqlite::{Connection, OptionalExtension};

use crate::{StoreError, Tx};

pub mod listed;

/// The longest stored category, in bytes: far beyond what the limits of its parts allow.
const CATEGORY_BYTES_MAX: usize = 256 * 1024;
/// What stands before and after each shelf: no name holds it.
const END: char = '\n';

/// Writes what a shop's index document says, and puts its products on the shelves anew.
///
/// # Errors
/// [`StoreError`].
pub(super) fn put(tx: &Tx<'_>, shop: ShopId, document: &Bucket) -> Result<(), StoreError> {
    clear(tx, shop)?;
    let said = document.categories();
    let sql = "INSERT INTO category (shop, entry, value) VALUES (?1, ?2, ?3)";
    for category in &said {
        let keys = (shop.as_bytes(), category.entry.as_bytes());
        tx.prepare_cached(sql)?.execute((keys.0, keys.1, cbor::to_vec(category)))?;
    }
    let tree = Tree::of(said);
    let sql = "INSERT INTO category_shelves (shop, id, shelves) VALUES (?1, ?2, ?3)";
    for id in tree.differing() {
        let shelves = joined(&tree.shelves(id.as_str()));
        tx.prepare_cached(sql)?.execute((shop.as_bytes(), id.as_str(), shelves))?;
    }
    shelve(tx, shop)
}

/// Forgets what a shop says.
///
/// # Errors
/// [`StoreError`].
pub(super) fn clear(c: &Connection, shop: ShopId) -> Result<(), StoreError> {
    for sql in
        ["DELETE FROM category WHERE shop = ?1", "DELETE FROM category_shelves WHERE shop = ?1"]
    {
        c.prepare_cached(sql)?.execute([shop.as_bytes()])?;
    }
    Ok(())
}

/// Writes the shelves of all products of a shop that stand on others now.
fn shelve(c: &Connection, shop: ShopId) -> Result<(), StoreError> {
    let sql = "SELECT row, category, shelves FROM product WHERE shop = ?1";
    let mut select = c.prepare_cached(sql)?;
    let mut rows = select.query([shop.as_bytes()])?;
    let (mut known, mut moved) = (BTreeMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (number, category): (i64, Option<String>) = (row.get(0)?, row.get(1)?);
        let Some(category) = category else { continue };
        if !known.contains_key(&category) {
            known.insert(category.clone(), of(c, shop, &category)?);
        }
        let (before, now): (Option<String>, _) = (row.get(2)?, &known[&category]);
        if before != *now {
            moved.push((number, now.clone()));
        }
    }
    drop(rows);
    let mut update = c.prepare_cached("UPDATE product SET shelves = ?2 WHERE row = ?1")?;
    moved.iter().try_for_each(|moved| update.execute((moved.0, &moved.1)).map(drop))?;
    Ok(())
}

/// Writes the shelves of all products: after a migration.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn shelve_all(c: &Connection) -> Result<(), StoreError> {
    let mut shops = c.prepare("SELECT DISTINCT shop FROM product")?;
    let shops = shops.query_map([], |row| row.get(0))?.collect::<Result<Vec<[u8; 16]>, _>>()?;
    let damaged = || StoreError::damaged("a product", "of the catalogue");
    shops.iter().try_for_each(|shop| shelve(c, ShopId::from_slice(shop).ok_or_else(damaged)?))
}

/// The shelves of a category of a shop, as a product has them.
///
/// # Errors
/// [`StoreError`].
pub(super) fn of(
    c: &Connection,
    shop: ShopId,
    category: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT shelves FROM category_shelves WHERE shop = ?1 AND id = ?2";
    let keys = (shop.as_bytes(), category);
    let own: Option<String> =
        c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    let shelves = own.unwrap_or_else(|| joined(&Tree::built_in().shelves(category)));
    Ok(Some(shelves).filter(|shelves| !shelves.is_empty()))
}

fn joined(shelves: &[&str]) -> String {
    let mut all = String::new();
    for shelf in shelves {
        all.push(END);
        // A name of two lines is a shelf of one.
        all.extend(shelf.chars().map(|c| if c == END { ' ' } else { c }));
    }
    if !shelves.is_empty() {
        all.push(END);
    }
    all
}

/// A shelf as it stands among those of a product.
pub(super) fn mark(category: &str) -> String {
    joined(&[category])
}

/// All ways down on which listed products of a shop, or of any, stand and that come by a category.
/// The ways are few and the products many, so the index is asked for one way after the other.
pub(super) fn below(
    c: &Connection,
    shop: Option<ShopId>,
    category: &str,
) -> Result<Vec<(ShopId, String)>, StoreError> {
    let sql = "WITH RECURSIVE way (shelves) AS (
                 SELECT (SELECT shelves FROM product WHERE listed = 1 AND shop = ?1
                         AND shelves > '' ORDER BY shelves LIMIT 1)
                 UNION ALL
                 SELECT (SELECT shelves FROM product WHERE listed = 1 AND shop = ?1
                         AND shelves > way.shelves ORDER BY shelves LIMIT 1)
                 FROM way WHERE way.shelves IS NOT NULL)
               SELECT shelves FROM way WHERE instr(shelves, ?2) > 0";
    let (mut select, mark, mut all) = (c.prepare_cached(sql)?, mark(category), Vec::new());
    for shop in shop.map_or_else(|| selling(c), |shop| Ok(vec![shop]))? {
        let ways = select.query_map((shop.as_bytes(), &mark), |row| row.get(0))?;
        for way in ways {
            all.push((shop, way?));
        }
    }
    Ok(all)
}

/// The shops of which products are listed.
fn selling(c: &Connection) -> Result<Vec<ShopId>, StoreError> {
    let sql = "SELECT shop FROM product WHERE listed = 1 AND shop > ?1 ORDER BY shop LIMIT 1";
    let (mut select, mut all, mut last) = (c.prepare_cached(sql)?, Vec::new(), Vec::new());
    let damaged = || StoreError::damaged("a product", "of the catalogue");
    while let Some(shop) = select.query_row([&last], |row| row.get::<_, Vec<u8>>(0)).optional()? {
        all.push(ShopId::from_slice(&shop).ok_or_else(damaged)?);
        last = shop;
    }
    Ok(all)
}

/// Each shelf of a product, from the top down.
pub(super) fn each(shelves: &str) -> impl Iterator<Item = &str> {
    shelves.split(END).filter(|shelf| !shelf.is_empty())
}

/// What a shop says of the tree.
///
/// # Errors
/// [`StoreError`].
pub fn said(c: &Connection, shop: ShopId) -> Result<Vec<Category>, StoreError> {
    let sql = "SELECT value FROM category WHERE shop = ?1 ORDER BY entry";
    let mut select = c.prepare_cached(sql)?;
    let values = select.query_map([shop.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    let damaged = |_| StoreError::damaged("a category", "of the catalogue");
    let read = |value: Vec<u8>| {
        cbor::from_slice("a category", &value, CATEGORY_BYTES_MAX).map_err(damaged)
    };
    values.map(|value| read(value?)).collect()
}

/// The tree of a shop.
///
/// # Errors
/// [`StoreError`].
pub fn tree(c: &Connection, shop: ShopId) -> Result<Tree, StoreError> {
    Ok(Tree::of(said(c, shop)?))
}

/// The document that holds an entry about a category, if there is one.
///
/// # Errors
/// [`StoreError`].
pub fn bucket_of(
    c: &Connection,
    shop: ShopId,
    entry: ProductId,
) -> Result<Option<BucketNo>, StoreError> {
    let sql = "SELECT 1 FROM category WHERE shop = ?1 AND entry = ?2";
    let keys = (shop.as_bytes(), entry.as_bytes());
    Ok(c.prepare_cached(sql)?.exists(keys)?.then_some(BucketNo::INDEX))
}

/// The shops that say something of the tree.
///
/// # Errors
/// [`StoreError`].
pub fn shops(c: &Connection) -> Result<BTreeSet<ShopId>, StoreError> {
    let mut select = c.prepare_cached("SELECT DISTINCT shop FROM category")?;
    let shops = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    let damaged = || StoreError::damaged("a category", "of the catalogue");
    shops.map(|shop| ShopId::from_slice(&shop?).ok_or_else(damaged)).collect()
}

/// How many listed products stand on each shelf of a shop, or of all: each once, wherever below the
/// shelf it stands.
///
/// # Errors
/// [`StoreError`].
pub fn counts(c: &Connection, shop: Option<ShopId>) -> Result<BTreeMap<String, u32>, StoreError> {
    let (all, of_shop) = (
        "SELECT shelves, count(*) FROM product WHERE listed = 1 GROUP BY shop, shelves",
        "SELECT shelves, count(*) FROM product WHERE listed = 1 AND shop = ?1 GROUP BY shelves",
    );
    let mut select = c.prepare_cached(if shop.is_some() { of_shop } else { all })?;
    let keys: Vec<&[u8]> = shop.iter().map(|shop| shop.as_bytes().as_slice()).collect();
    let mut rows = select.query(rusqlite::params_from_iter(keys))?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let Some(shelves) = row.get::<_, Option<String>>(0)? else { continue };
        add(&mut counts, &shelves, row.get(1)?);
    }
    Ok(counts)
}

/// Counts so many products on each of these shelves.
pub(super) fn add(counts: &mut BTreeMap<String, u32>, shelves: &str, count: u32) {
    for shelf in each(shelves) {
        match counts.get_mut(shelf) {
            Some(known) => *known += count,
            None => drop(counts.insert(shelf.to_owned(), count)),
        }
    }
}

/// How many products of a shop name exactly this category, listed or not.
///
/// # Errors
/// [`StoreError`].
pub fn named(c: &Connection, shop: ShopId, category: &str) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM product WHERE shop = ?1 AND category = ?2 AND listed = 1";
    let keys = (shop.as_bytes(), category);
    Ok(c.prepare_cached(sql)?.query_row(keys, |row| row.get(0))?)
}
