//! Stores the numbered chunks of catalogues and reads documents back from them.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Bucket, Heads},
        head::{Extent, Head, SignedHead, UnverifiedHead},
    },
    hash::Hash,
    id::{ProductId, ShopId},
    key::{KeyId, PublicKey},
    time::UnixMs,
};
use rusqlite::{Connection, OptionalExtension};

use super::{categories, int, projection};
use crate::{StoreError, Tx};

/// Chunks after the base at which the base is written anew.
pub const CHUNKS_AFTER_BASE_MAX: u64 = 64;
/// Chunks that are kept for readers beyond the base; who is further behind takes a snapshot.
pub const CHUNKS_KEPT_MAX: u64 = 256;

/// How far one document is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The generation in which the last chunk was signed.
    pub generation: u64,
    /// The number of the last chunk.
    pub n: u64,
    /// How many products it holds, delisted ones too.
    pub products: u64,
}

/// How far each document of a shop's catalogue is stored.
///
/// # Errors
/// [`StoreError`].
pub fn reached(c: &Connection, shop: ShopId) -> Result<BTreeMap<BucketNo, Reached>, StoreError> {
    let sql = "SELECT bucket, generation, n, products FROM catalogue_bucket WHERE shop = ?1";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([shop.as_bytes()], |row| {
        let (generation, n): (i64, i64) = (row.get(1)?, row.get(2)?);
        let products: i64 = row.get(3)?;
        let (generation, n) = (generation.unsigned_abs(), n.unsigned_abs());
        let reached = Reached { generation, n, products: products.unsigned_abs() };
        Ok((BucketNo::new(row.get(0)?), reached))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads a document back and the number it stands at; an empty one at 0 if there is none.
///
/// # Errors
/// [`StoreError::Damaged`] when what was stored cannot be read any more.
pub fn load(c: &Connection, shop: ShopId, bucket: BucketNo) -> Result<(Bucket, u64), StoreError> {
    let damaged = || StoreError::damaged("the catalogue document", bucket);
    let keys = (shop.as_bytes(), bucket.get());
    let sql = "SELECT n FROM catalogue_bucket WHERE shop = ?1 AND bucket = ?2";
    let n: Option<i64> = c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    let Some(n) = n else { return Ok((Bucket::new(shop, bucket), 0)) };
    let sql = "SELECT n, document FROM catalogue_base WHERE shop = ?1 AND bucket = ?2";
    let base: Option<(i64, Vec<u8>)> =
        c.prepare_cached(sql)?.query_row(keys, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (mut document, base_n) = match base {
        Some((n, base)) => (Bucket::load(shop, bucket, &base).map_err(|_| damaged())?, n),
        None => (Bucket::new(shop, bucket), 0),
    };
    let sql = "SELECT content FROM catalogue_chunk
               WHERE shop = ?1 AND bucket = ?2 AND n > ?3 ORDER BY n";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((shop.as_bytes(), bucket.get(), base_n))?;
    let mut together = Vec::new();
    while let Some(row) = rows.next()? {
        together.extend_from_slice(row.get_ref(0)?.as_blob().map_err(|_| damaged())?);
    }
    if !together.is_empty() {
        document.apply(&together).map_err(|_| damaged())?;
    }
    Ok((document, n.unsigned_abs()))
}

/// Stores a chunk, or a snapshot in place of all before it, and projects what it changes.
///
/// `document` is the document with the bytes in it, and `changed` names the products that differ;
/// with a snapshot every product is written anew. Whether the head follows what is stored is for
/// the caller: see [`Head::after`].
///
/// # Errors
/// [`StoreError`].
pub fn store<'a>(
    c: &Tx<'_>,
    head: &SignedHead,
    content: &[u8],
    document: &Bucket,
    changed: impl IntoIterator<Item = &'a ProductId>,
) -> Result<(), StoreError> {
    let at = head.head();
    match at.extent {
        Extent::Snapshot => {
            projection::clear(c, at.shop, Some(at.bucket))?;
            let all = "DELETE FROM catalogue_chunk WHERE shop = ?1 AND bucket = ?2";
            c.prepare_cached(all)?.execute((at.shop.as_bytes(), at.bucket.get()))?;
            reach(c, &at.into(), document)?;
            put_base(c, &at.into(), content)?;
            for product in document.products() {
                projection::put(c, at.shop, at.bucket, &product)?;
            }
            if at.bucket == BucketNo::INDEX {
                categories::put(c, at.shop, document)?;
            }
        }
        Extent::Chunk => {
            let sql = "INSERT INTO catalogue_chunk (shop, bucket, n, generation, head, content)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            c.prepare_cached(sql)?.execute((
                at.shop.as_bytes(),
                at.bucket.get(),
                int(at.n),
                int(at.generation),
                head.bytes(),
                content,
            ))?;
            reach(c, &at.into(), document)?;
            keep(c, at, document)?;
            if at.bucket == BucketNo::INDEX {
                return categories::put(c, at.shop, document);
            }
            for id in changed {
                match document.product(*id) {
                    Some(product) => projection::put(c, at.shop, at.bucket, &product)?,
                    None => projection::remove(c, at.shop, *id)?,
                }
            }
        }
    }
    Ok(())
}

/// Moves the base forward now and then, and drops chunks that only a snapshot replaces.
fn keep(c: &Connection, at: &Head, document: &Bucket) -> Result<(), StoreError> {
    let sql = "SELECT n FROM catalogue_base WHERE shop = ?1 AND bucket = ?2";
    let keys = (at.shop.as_bytes(), at.bucket.get());
    let base_n: Option<i64> =
        c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    if at.n.saturating_sub(base_n.unwrap_or(0).unsigned_abs()) < CHUNKS_AFTER_BASE_MAX {
        return Ok(());
    }
    put_base(c, &at.into(), &document.save())?;
    let sql = "DELETE FROM catalogue_chunk WHERE shop = ?1 AND bucket = ?2 AND n <= ?3";
    let last = int(at.n.saturating_sub(CHUNKS_KEPT_MAX));
    c.prepare_cached(sql)?.execute((at.shop.as_bytes(), at.bucket.get(), last))?;
    Ok(())
}

/// Stores a document that began anew with the products of the one before, so that no row changes.
/// Who has only some of its chunks takes a snapshot.
///
/// # Errors
/// [`StoreError`].
pub fn renew(
    c: &Tx<'_>,
    document: &Bucket,
    generation: u64,
    n: u64,
    at: UnixMs,
) -> Result<(), StoreError> {
    let (shop, bucket) = (document.shop(), document.number());
    forget_document(c, shop, bucket)?;
    let place = Place { shop, bucket, generation, n, at };
    reach(c, &place, document)?;
    put_base(c, &place, &document.save())
}

/// Where in the history of a document something is stored.
#[derive(Debug, Clone, Copy)]
struct Place {
    shop: ShopId,
    bucket: BucketNo,
    generation: u64,
    n: u64,
    at: UnixMs,
}

impl From<&Head> for Place {
    fn from(head: &Head) -> Self {
        let Head { shop, bucket, generation, n, at, .. } = *head;
        Self { shop, bucket, generation, n, at }
    }
}

fn put_base(c: &Connection, at: &Place, document: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO catalogue_base (shop, bucket, n, document, signed_at)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (shop, bucket) DO UPDATE SET
                 n = excluded.n, document = excluded.document, signed_at = excluded.signed_at";
    let keys = (at.shop.as_bytes(), at.bucket.get());
    c.prepare_cached(sql)?.execute((keys.0, keys.1, int(at.n), document, int(at.at.get())))?;
    Ok(())
}

fn reach(c: &Connection, at: &Place, document: &Bucket) -> Result<(), StoreError> {
    let sql = "INSERT INTO catalogue_bucket (shop, bucket, generation, n, products)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (shop, bucket) DO UPDATE SET
                 generation = excluded.generation, n = excluded.n, products = excluded.products";
    c.prepare_cached(sql)?.execute((
        at.shop.as_bytes(),
        at.bucket.get(),
        int(at.generation),
        int(at.n),
        int(document.len() as u64),
    ))?;
    Ok(())
}

/// A stored chunk: its signed head and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number.
    pub n: u64,
    /// The signed head.
    pub head: Vec<u8>,
    /// The bytes that the head names.
    pub content: Vec<u8>,
}

/// The chunks after a number, at most `limit`; `None` when the first of them is not kept any more,
/// so that the reader has to take a snapshot.
///
/// # Errors
/// [`StoreError`].
pub fn after(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
    n: u64,
    limit: u16,
) -> Result<Option<Vec<Chunk>>, StoreError> {
    let sql = "SELECT n, head, content FROM catalogue_chunk
               WHERE shop = ?1 AND bucket = ?2 AND n > ?3 ORDER BY n LIMIT ?4";
    let mut statement = c.prepare_cached(sql)?;
    let keys = (shop.as_bytes(), bucket.get(), int(n), limit);
    let chunks = statement
        .query_map(keys, |row| {
            let n: i64 = row.get(0)?;
            Ok(Chunk { n: n.unsigned_abs(), head: row.get(1)?, content: row.get(2)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let complete = match chunks.first() {
        Some(first) => first.n == n.saturating_add(1),
        None => reached(c, shop)?.get(&bucket).is_none_or(|reached| reached.n <= n),
    };
    Ok(complete.then_some(chunks))
}

/// What became of a check of stored chunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many were looked at.
    pub chunks: u64,
    /// One sentence for each fault.
    pub faults: Vec<String>,
}

/// Checks a shop's stored chunks against their signed heads, and that the documents they make are
/// the ones that were signed. `key_of` knows the shop's nodes; where it does not know one, the
/// signature was checked when the chunk came and only the content is compared now.
///
/// # Errors
/// [`StoreError`] when the rows cannot be read.
pub fn check(
    c: &Connection,
    shop: ShopId,
    key_of: impl Fn(KeyId) -> Result<Option<PublicKey>, StoreError>,
) -> Result<Checked, StoreError> {
    let sql = "SELECT bucket, n, generation, head, content FROM catalogue_chunk
               WHERE shop = ?1 ORDER BY bucket, n";
    let (mut checked, mut last) = (Checked::default(), BTreeMap::new());
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([shop.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let (n, generation): (i64, i64) = (row.get(1)?, row.get(2)?);
        let at = (BucketNo::new(row.get(0)?), n.unsigned_abs());
        let (head, content): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        checked.chunks += 1;
        match signed_as(&head, &key_of)?.filter(|head| head.content == Hash::of(&content)) {
            Some(head)
                if (head.shop, head.bucket, head.n) == (shop, at.0, at.1)
                    && head.generation == generation.unsigned_abs() =>
            {
                last.insert(at.0, (at.1, head.heads));
            }
            _ => checked.faults.push(format!(
                "the saved catalogue of shop {shop}: piece {} of part {} is not what was signed",
                at.1, at.0
            )),
        }
    }
    for bucket in reached(c, shop)?.into_keys() {
        let is_right = match (load(c, shop, bucket), last.get(&bucket)) {
            (Ok((document, n)), Some((last_n, heads))) if n == *last_n => {
                Heads::new(document.heads().hashes()) == Heads::new(heads.clone())
            }
            (loaded, _) => loaded.is_ok(),
        };
        if !is_right {
            let what = format!("the saved catalogue of shop {shop}: part {bucket} is damaged");
            checked.faults.push(what);
        }
    }
    Ok(checked)
}

/// What a stored head says, if it is by the key that it names.
fn signed_as(
    bytes: &[u8],
    key_of: impl Fn(KeyId) -> Result<Option<PublicKey>, StoreError>,
) -> Result<Option<Head>, StoreError> {
    let Ok(read) = UnverifiedHead::parse(bytes) else { return Ok(None) };
    Ok(match key_of(read.signer())? {
        Some(key) => read.verify(&key).ok().map(|signed| signed.head().clone()),
        None => Some(read.claimed().clone()),
    })
}

/// When what is stored here of a document was signed last.
///
/// # Errors
/// [`StoreError`].
pub fn signed_at(c: &Connection, shop: ShopId, bucket: BucketNo) -> Result<UnixMs, StoreError> {
    let sql = "SELECT head FROM catalogue_chunk WHERE shop = ?1 AND bucket = ?2
               ORDER BY n DESC LIMIT 1";
    let keys = (shop.as_bytes(), bucket.get());
    let head: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    let Some(head) = head else {
        let sql = "SELECT signed_at FROM catalogue_base WHERE shop = ?1 AND bucket = ?2";
        let at: Option<i64> =
            c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
        return Ok(UnixMs::new(at.unwrap_or(0).unsigned_abs()));
    };
    let head = UnverifiedHead::parse(&head);
    let head = head.map_err(|_| StoreError::damaged("a catalogue head of part", bucket))?;
    Ok(head.claimed().at)
}

/// In which state a document was at a moment, by what was signed until then; `None` where that is
/// not kept any more.
///
/// # Errors
/// [`StoreError`].
pub fn heads_at(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
    moment: UnixMs,
) -> Result<Option<Heads>, StoreError> {
    let sql = "SELECT head FROM catalogue_chunk WHERE shop = ?1 AND bucket = ?2 ORDER BY n DESC";
    let keys = (shop.as_bytes(), bucket.get());
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(keys)?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let head = UnverifiedHead::parse(&row.get::<_, Vec<u8>>(0)?);
        let head = head.map_err(|_| StoreError::damaged("a catalogue head of part", bucket))?;
        let head = head.claimed();
        if head.at <= moment {
            return Ok(Some(Heads::new(head.heads.iter().copied())));
        }
        first = Some(head.n);
    }
    // Before its first chunk there was nothing; before the first that is kept there was something.
    Ok((first == Some(1)).then(Heads::default))
}

/// Forgets one document of a shop's catalogue, so that it is taken from its beginning again. Until
/// then people go on searching in what was read from it.
///
/// # Errors
/// [`StoreError`].
pub fn forget_document(c: &Connection, shop: ShopId, bucket: BucketNo) -> Result<(), StoreError> {
    for table in ["catalogue_chunk", "catalogue_base", "catalogue_bucket"] {
        let sql = format!("DELETE FROM {table} WHERE shop = ?1 AND bucket = ?2");
        c.execute(&sql, (shop.as_bytes(), bucket.get()))?;
    }
    Ok(())
}

/// Forgets a shop's catalogue.
///
/// # Errors
/// [`StoreError`].
pub fn forget(c: &Tx<'_>, shop: ShopId) -> Result<(), StoreError> {
    projection::clear(c, shop, None)?;
    for table in ["catalogue_chunk", "catalogue_base", "catalogue_bucket"] {
        c.execute(&format!("DELETE FROM {table} WHERE shop = ?1"), [shop.as_bytes()])?;
    }
    Ok(())
}
