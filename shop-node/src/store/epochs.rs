//! The epochs of the catalogue's documents: which one is open since when, and the closed ones.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Bucket, Heads},
    },
    hash::Hash,
    id::ShopId,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row},
};

use super::int;

/// The epoch in which a document is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// 1 for the first.
    pub epoch: u32,
    /// When it began.
    pub opened: UnixMs,
    /// The state with all products and no field; empty in a first epoch.
    pub skeleton: Heads,
    /// The state with all that it began with; empty in a first epoch.
    pub begun: Heads,
}

/// A document as it was in an epoch that has ended.
#[derive(Debug, Clone)]
pub struct Closed {
    /// 1 for the first.
    pub epoch: u32,
    /// What it began with.
    pub begun: Heads,
    /// Where it ended.
    pub closed: Heads,
    /// The document, with what came after its end.
    pub document: Bucket,
}

/// The open epoch of each document that has one noted.
pub fn open(c: &Connection) -> Result<BTreeMap<BucketNo, Open>, StoreError> {
    let sql = "SELECT bucket, epoch, opened_ms, skeleton, begun FROM catalogue_epoch
               WHERE closed_ms IS NULL ORDER BY bucket";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let opened: i64 = row.get(2)?;
        let open = Open {
            epoch: row.get(1)?,
            opened: UnixMs::new(opened.unsigned_abs()),
            skeleton: heads(row, 3)?,
            begun: heads(row, 4)?,
        };
        all.insert(BucketNo::new(row.get(0)?), open);
    }
    Ok(all)
}

/// Notes that a document's first epoch was seen at a moment.
pub fn note(tx: &Tx<'_>, bucket: BucketNo, at: UnixMs) -> Result<(), StoreError> {
    let first = Open { epoch: 1, opened: at, skeleton: Heads::default(), begun: Heads::default() };
    begin(tx, bucket, &first)
}

/// Begins an epoch.
pub fn begin(tx: &Tx<'_>, bucket: BucketNo, open: &Open) -> Result<(), StoreError> {
    let sql = "INSERT INTO catalogue_epoch (bucket, epoch, opened_ms, skeleton, begun)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.prepare_cached(sql)?.execute((
        bucket.get(),
        open.epoch,
        int(open.opened.get()),
        bytes(&open.skeleton),
        bytes(&open.begun),
    ))?;
    Ok(())
}

/// Ends the open epoch of a document.
pub fn end(tx: &Tx<'_>, document: &Bucket, epoch: u32, at: UnixMs) -> Result<(), StoreError> {
    let saved = document.save();
    let sql = "UPDATE catalogue_epoch SET closed_ms = ?3, closed = ?4, document = ?5, digest = ?6
               WHERE bucket = ?1 AND epoch = ?2";
    let (bucket, digest) = (document.number().get(), Hash::of(&saved));
    let heads = bytes(&document.heads());
    let values = (bucket, epoch, int(at.get()), heads, &saved, digest.as_bytes());
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Keeps what came late for a closed document.
pub fn keep_late(tx: &Tx<'_>, document: &Bucket, epoch: u32) -> Result<(), StoreError> {
    let saved = document.save();
    let sql = "UPDATE catalogue_epoch SET document = ?3, digest = ?4
               WHERE bucket = ?1 AND epoch = ?2";
    let values = (document.number().get(), epoch, &saved, *Hash::of(&saved).as_bytes());
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The numbers of a document's closed epochs, the newest first.
pub fn closed(c: &Connection, bucket: BucketNo) -> Result<Vec<u32>, StoreError> {
    let sql = "SELECT epoch FROM catalogue_epoch WHERE bucket = ?1 AND closed_ms IS NOT NULL
               ORDER BY epoch DESC";
    let mut statement = c.prepare_cached(sql)?;
    let rows = statement.query_map([bucket.get()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A document as it was in an epoch that has ended.
pub fn get(
    c: &Connection,
    shop: ShopId,
    bucket: BucketNo,
    epoch: u32,
) -> Result<Option<Closed>, StoreError> {
    let sql = "SELECT begun, closed, document, digest FROM catalogue_epoch
               WHERE bucket = ?1 AND epoch = ?2 AND closed_ms IS NOT NULL";
    let mut statement = c.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok(read(row, shop, bucket, epoch));
    statement.query_row((bucket.get(), epoch), read).optional()?.transpose()
}

fn read(row: &Row<'_>, shop: ShopId, bucket: BucketNo, epoch: u32) -> Result<Closed, StoreError> {
    let damaged = || StoreError::damaged("a closed document of the catalogue, part", bucket);
    let (saved, digest): (Vec<u8>, [u8; 32]) = (row.get(2)?, row.get(3)?);
    if *Hash::of(&saved).as_bytes() != digest {
        return Err(damaged());
    }
    let document = Bucket::load(shop, bucket, &saved).map_err(|_| damaged())?;
    Ok(Closed { epoch, begun: heads(row, 0)?, closed: heads(row, 1)?, document })
}

fn heads(row: &Row<'_>, column: usize) -> Result<Heads, StoreError> {
    let bytes: Vec<u8> = row.get(column)?;
    Ok(Heads::new(bytes.chunks(32).filter_map(Hash::from_slice)))
}

fn bytes(heads: &Heads) -> Vec<u8> {
    heads.hashes().iter().flat_map(|hash| *hash.as_bytes()).collect()
}
