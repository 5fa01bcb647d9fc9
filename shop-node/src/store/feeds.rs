//! Suppliers' lists on the web: where they are, how they stand, and which products they listed.

use kirana_core::{
    id::{FeedId, ProductId},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row},
};
use serde::{Deserialize, Serialize};

use super::{imports, int, uint};

/// A list on the web, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name for ever.
    pub id: FeedId,
    /// What people call it.
    pub name: String,
    /// Where it is, and by what secret, sealed.
    pub address: Vec<u8>,
    /// How it is read, and how often it is fetched.
    pub terms: Terms,
    /// What came of it.
    pub state: State,
    /// When it is fetched next.
    pub next: UnixMs,
    /// Which import takes it in, or did last.
    pub import: Option<imports::Id>,
}

/// How a list is read, and how often it is fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose it is.
    pub supplier: Option<String>,
    /// Of which kind: `csv`, `shopify`, `google` or `off`.
    pub format: String,
    /// The supplier whose kept mapping is used.
    pub mapping: Option<String>,
    /// How numbers are written, by a language.
    pub locale: Option<String>,
    /// After how many hours it is fetched again.
    pub every_hours: u32,
}

/// What came of a list, and what its server said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The server's word for what was taken in last (RFC 9110, section 8.8.3).
    pub etag: Option<String>,
    /// When the server says it was changed last.
    pub last_modified: Option<String>,
    /// The digest of what was taken in last, in hexadecimal digits.
    pub digest: Option<String>,
    /// The import that took it in to its end last.
    pub complete: Option<uuid::Uuid>,
    /// How often in a row it could not be fetched or taken in.
    pub failures: u32,
    /// What came of it last.
    pub last: Option<Last>,
}

/// What came of a list when it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When, in milliseconds.
    pub at: u64,
    /// What.
    pub outcome: Outcome,
    /// Which import took it in, where one did.
    pub import: Option<uuid::Uuid>,
    /// What was wrong.
    pub problem: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it was: nothing was done.
    Unchanged,
    /// It was taken in.
    Imported,
    /// It could not be fetched, or not be taken in.
    Failed,
}

const COLUMNS: &str = "id, name, address, terms, state, next_ms, import";

/// All of them, by name.
pub fn all(c: &Connection) -> Result<Vec<Feed>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM feed ORDER BY name, id");
    let mut select = c.prepare_cached(&sql)?;
    let rows = select.query_map([], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

/// One.
pub fn get(c: &Connection, id: FeedId) -> Result<Option<Feed>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM feed WHERE id = ?1");
    let mut select = c.prepare_cached(&sql)?;
    select.query_row([id.as_bytes()], |row| Ok(read(row))).optional()?.transpose()
}

/// The one of this name, in capitals or small letters.
pub fn by_name(c: &Connection, name: &str) -> Result<Option<FeedId>, StoreError> {
    let sql = "SELECT id FROM feed WHERE name = ?1";
    let id: Option<Vec<u8>> = c.prepare_cached(sql)?.query_row([name], |r| r.get(0)).optional()?;
    id.map(|id| id_of(&id)).transpose()
}

/// The one that is taken in by this import, if it is one of a feed.
pub fn of_import(c: &Connection, import: &imports::Id) -> Result<Option<FeedId>, StoreError> {
    let sql = "SELECT id FROM feed WHERE import = ?1";
    let id: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([import], |r| r.get(0)).optional()?;
    id.map(|id| id_of(&id)).transpose()
}

/// The one that waits longest since it was to be fetched.
pub fn due(c: &Connection, now: UnixMs) -> Result<Option<FeedId>, StoreError> {
    let sql = "SELECT id FROM feed WHERE next_ms <= ?1 ORDER BY next_ms, id LIMIT 1";
    let mut select = c.prepare_cached(sql)?;
    let id: Option<Vec<u8>> = select.query_row([int(now.get())], |row| row.get(0)).optional()?;
    id.map(|id| id_of(&id)).transpose()
}

/// Writes one.
pub fn put(tx: &Tx<'_>, feed: &Feed) -> Result<(), StoreError> {
    let sql = "INSERT INTO feed (id, name, address, terms, state, next_ms, import)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET
                 name = excluded.name, address = excluded.address, terms = excluded.terms,
                 state = excluded.state, next_ms = excluded.next_ms, import = excluded.import";
    let json = |written: serde_json::Result<String>| {
        written.map_err(|why| StoreError::damaged("a feed", why))
    };
    tx.prepare_cached(sql)?.execute((
        feed.id.as_bytes(),
        &feed.name,
        &feed.address,
        json(serde_json::to_string(&feed.terms))?,
        json(serde_json::to_string(&feed.state))?,
        int(feed.next.get()),
        feed.import,
    ))?;
    Ok(())
}

/// Forgets one, and what it listed; whether there was one.
pub fn remove(tx: &Tx<'_>, id: FeedId) -> Result<bool, StoreError> {
    tx.prepare_cached("DELETE FROM feed_product WHERE feed = ?1")?.execute([id.as_bytes()])?;
    Ok(tx.prepare_cached("DELETE FROM feed WHERE id = ?1")?.execute([id.as_bytes()])? == 1)
}

/// Notes that a feed lists a product.
pub fn lists(
    tx: &Tx<'_>,
    feed: FeedId,
    product: ProductId,
    import: &imports::Id,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO feed_product (feed, product, import) VALUES (?1, ?2, ?3)
               ON CONFLICT (feed, product) DO UPDATE SET import = excluded.import";
    tx.prepare_cached(sql)?.execute((feed.as_bytes(), product.as_bytes(), import))?;
    Ok(())
}

/// Products on the shelf that a feed listed once, and did not when it was taken in to its end last; at
/// most `limit` of them behind `after`. The ids of imports grow with time.
pub fn missing(
    c: &Connection,
    feed: &Feed,
    after: Option<ProductId>,
    limit: u32,
) -> Result<Vec<ProductId>, StoreError> {
    let sql = "SELECT f.product FROM feed_product f JOIN product p ON p.id = f.product
               WHERE f.feed = ?1 AND f.import < ?2 AND p.listed = 1
                 AND (?3 IS NULL OR f.product > ?3) ORDER BY f.product LIMIT ?4";
    let complete = feed.state.complete.map(uuid::Uuid::into_bytes);
    let mut select = c.prepare_cached(sql)?;
    let keys = (feed.id.as_bytes(), complete, after.map(|id| *id.as_bytes()), limit);
    let ids = select.query_map(keys, |row| row.get(0))?.collect::<Result<Vec<Vec<u8>>, _>>()?;
    let read = |id: &Vec<u8>| {
        ProductId::from_slice(id).ok_or_else(|| StoreError::damaged("a product", "id"))
    };
    ids.iter().map(read).collect()
}

/// How many of them there are.
pub fn missing_count(c: &Connection, feed: &Feed) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM feed_product f JOIN product p ON p.id = f.product
               WHERE f.feed = ?1 AND f.import < ?2 AND p.listed = 1";
    let complete = feed.state.complete.map(uuid::Uuid::into_bytes);
    let keys = (feed.id.as_bytes(), complete);
    uint("a count", c.prepare_cached(sql)?.query_row(keys, |row| row.get(0))?)
}

fn id_of(bytes: &[u8]) -> Result<FeedId, StoreError> {
    FeedId::from_slice(bytes).ok_or_else(|| StoreError::damaged("a feed", "id"))
}

fn read(row: &Row<'_>) -> Result<Feed, StoreError> {
    let damaged = |why: serde_json::Error| StoreError::damaged("a feed", why);
    let (terms, state): (String, String) = (row.get(3)?, row.get(4)?);
    Ok(Feed {
        id: id_of(&row.get::<_, Vec<u8>>(0)?)?,
        name: row.get(1)?,
        address: row.get(2)?,
        terms: serde_json::from_str(&terms).map_err(damaged)?,
        state: serde_json::from_str(&state).map_err(damaged)?,
        next: UnixMs::new(uint("a feed", row.get(5)?)?),
        import: row.get(6)?,
    })
}
