//! Credit books as their shops signed them, entry by entry.
//!
//! **Invariant:** an entry's row is named by the digest of its bytes; what came damaged or was altered
//! here is replaced when the same entry comes again.

use kirana_core::{
    hash::Hash,
    id::{KhataId, ShopId},
    time::UnixMs,
};
use kirana_migrations::{Head, StoreError, Tx};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{hash, signed, unsigned};

/// A book that is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKhata {
    /// Its name.
    pub id: KhataId,
    /// Whose shop it is in.
    pub shop: ShopId,
    /// The place of the last entry that counts.
    pub seq: u32,
    /// Its hash.
    pub head: Hash,
    /// When the shop was heard about it last.
    pub heard_at: UnixMs,
    /// How far the shop said that its own copy goes.
    pub shop_seq: Option<u32>,
}

/// What an entry counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It stands in the book.
    Counts = 0,
    /// It lost to one of a later box.
    Lost = 1,
    /// It came before the one that it follows.
    Early = 2,
}

const SELECT: &str = "SELECT khata_id, shop_id, seq, head, heard_at, shop_seq FROM khata";

/// All books.
pub fn all(reader: &Connection) -> Result<Vec<StoredKhata>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} ORDER BY shop_id, khata_id"))?;
    let rows = select.query_map([], raw)?;
    rows.map(|row| parse(row?)).collect()
}

/// One book.
pub fn get(reader: &Connection, id: KhataId) -> Result<Option<StoredKhata>, StoreError> {
    let mut select = reader.prepare_cached(&format!("{SELECT} WHERE khata_id = ?1"))?;
    select.query_row([id.as_bytes()], raw).optional()?.map(parse).transpose()
}

/// Notes how far a book has come, and that its shop was heard.
pub fn put(tx: &Tx<'_>, row: &StoredKhata) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO khata (khata_id, shop_id, seq, head, heard_at, shop_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (khata_id) DO UPDATE SET seq = ?3, head = ?4, heard_at = ?5",
    )?
    .execute((
        row.id.as_bytes(),
        row.shop.as_bytes(),
        row.seq,
        row.head.as_bytes(),
        signed(row.heard_at.get()),
        row.shop_seq,
    ))?;
    let chain = format!("khata:{}", row.id);
    tx.note_head(Head { chain, n: row.seq.into(), hash: *row.head.as_bytes() });
    Ok(())
}

/// The shop said how far its copy of a book goes, or that it has none: it was heard about it. Whether
/// that is another end than it said before.
pub fn heard(
    tx: &Tx<'_>,
    id: KhataId,
    shop_seq: Option<u32>,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM khata WHERE khata_id = ?1 AND shop_seq IS NOT ?2";
    let mut select = tx.prepare_cached(sql)?;
    let moved = select.query_row((id.as_bytes(), shop_seq), |_| Ok(())).optional()?.is_some();
    let sql = "UPDATE khata SET shop_seq = ?2, heard_at = max(heard_at, ?3) WHERE khata_id = ?1";
    tx.prepare_cached(sql)?.execute((id.as_bytes(), shop_seq, signed(now.get())))?;
    Ok(moved)
}

/// Keeps an entry in its place.
pub fn put_entry(
    tx: &Tx<'_>,
    id: KhataId,
    (name, seq, place): (Hash, u32, Place),
    bytes: &[u8],
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO khata_entry (khata_id, hash, seq, bytes, place) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (khata_id, hash) DO UPDATE SET seq = ?3, bytes = ?4, place = ?5
         WHERE place <> ?5 OR bytes <> ?4 OR seq <> ?3",
    )?
    .execute((id.as_bytes(), name.as_bytes(), seq, bytes, place as u8))?;
    Ok(())
}

/// What is stored of a book, whatever it counts for: name and bytes.
pub fn entries(reader: &Connection, id: KhataId) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
    let sql = "SELECT hash, bytes FROM khata_entry WHERE khata_id = ?1 ORDER BY seq, hash";
    let mut select = reader.prepare_cached(sql)?;
    let rows = select.query_map([id.as_bytes()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    rows.map(|row| {
        let (name, bytes) = row?;
        Ok((hash(&name)?, bytes))
    })
    .collect()
}

/// The entries that count, first to last: place, name and bytes.
pub fn counting(reader: &Connection, id: KhataId) -> Result<Vec<(u32, Hash, Vec<u8>)>, StoreError> {
    let sql = "SELECT seq, hash, bytes FROM khata_entry WHERE khata_id = ?1 AND place = 0
               ORDER BY seq, hash";
    let mut select = reader.prepare_cached(sql)?;
    let mut rows = select.query([id.as_bytes()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push((row.get(0)?, hash(&row.get::<_, Vec<u8>>(1)?)?, row.get(2)?));
    }
    Ok(all)
}

/// What is stored under an entry's name.
pub fn entry(
    reader: &Connection,
    id: KhataId,
    name: Hash,
) -> Result<Option<(u32, Vec<u8>)>, StoreError> {
    let sql = "SELECT place, bytes FROM khata_entry WHERE khata_id = ?1 AND hash = ?2";
    let mut select = reader.prepare_cached(sql)?;
    let found = select.query_row((id.as_bytes(), name.as_bytes()), |r| Ok((r.get(0)?, r.get(1)?)));
    Ok(found.optional()?)
}

/// How many entries wait for one before them.
pub fn count_early(reader: &Connection, id: KhataId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM khata_entry WHERE khata_id = ?1 AND place = 2";
    Ok(unsigned(reader.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?))
}

/// Whether an entry is stored under this name.
pub fn has_entry(reader: &Connection, id: KhataId, name: &[u8]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM khata_entry WHERE khata_id = ?1 AND hash = ?2";
    let mut select = reader.prepare_cached(sql)?;
    Ok(select.query_row((id.as_bytes(), name), |_| Ok(())).optional()?.is_some())
}

/// How many entries count.
pub fn count(reader: &Connection, id: KhataId) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM khata_entry WHERE khata_id = ?1 AND place = 0";
    Ok(unsigned(reader.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?))
}

type Raw = (Vec<u8>, Vec<u8>, u32, Vec<u8>, i64, Option<u32>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn parse((id, shop, seq, head, heard_at, shop_seq): Raw) -> Result<StoredKhata, StoreError> {
    let damaged = || StoreError::damaged("a khata", id.len());
    Ok(StoredKhata {
        id: KhataId::from_slice(&id).ok_or_else(damaged)?,
        shop: ShopId::from_slice(&shop).ok_or_else(damaged)?,
        seq,
        head: hash(&head)?,
        heard_at: UnixMs::new(unsigned(heard_at)),
        shop_seq,
    })
}
