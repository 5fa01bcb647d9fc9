//! Pictures of products that were fetched from elsewhere, as many as there is room for.
//!
//! **Invariants:** only a [`Picture`], whose bytes have the digest that names it, is kept; the least
//! recently used go first, so that all together stay within the room that they were given.

use kirana_core::{
    hash::Hash,
    id::{ProductId, ShopId},
    time::UnixMs,
};
use rusqlite::{Connection, OptionalExtension};

use super::int;
use crate::{StoreError, Tx};

/// The longest picture, in bytes: shops encode them no longer.
pub const PICTURE_BYTES_MAX: usize = 200_000;
/// What every JPEG begins with (ITU-T T.81, a start of image and the next marker).
const JPEG_BEGINS: [u8; 3] = [0xFF, 0xD8, 0xFF];
/// A look is noted once in so many milliseconds: a list that is scrolled writes nothing.
const NOTED_EVERY_MS: u64 = 60_000;

/// A picture with the digest by which a product names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    hash: Hash,
    jpeg: Vec<u8>,
}

/// What is not the picture that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotThePicture {
    /// Longer than [`PICTURE_BYTES_MAX`].
    #[error("what came has {0} bytes; a picture has at most {PICTURE_BYTES_MAX}")]
    TooLong(usize),
    /// It has another digest: cut, damaged, or another's.
    #[error("what came is not the picture {0}: it has another digest")]
    OtherBytes(Hash),
    /// The shop named what is no picture.
    #[error("what {0} names is no JPEG")]
    NoPicture(Hash),
}

impl Picture {
    /// Checks that bytes are the picture of this digest.
    ///
    /// # Errors
    /// [`NotThePicture`].
    pub fn check(hash: Hash, bytes: Vec<u8>) -> Result<Self, NotThePicture> {
        if bytes.len() > PICTURE_BYTES_MAX {
            return Err(NotThePicture::TooLong(bytes.len()));
        }
        if Hash::of(&bytes) != hash {
            return Err(NotThePicture::OtherBytes(hash));
        }
        if !bytes.starts_with(&JPEG_BEGINS) {
            return Err(NotThePicture::NoPicture(hash));
        }
        Ok(Self { hash, jpeg: bytes })
    }

    /// The digest that names it.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The JPEG.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// The JPEG.
    pub fn into_jpeg(self) -> Vec<u8> {
        self.jpeg
    }
}

/// Keeps a picture, and makes room for it; one that is alone too long for the room is not kept.
///
/// # Errors
/// [`StoreError`].
pub fn keep(tx: &Tx<'_>, picture: &Picture, now: UnixMs, bytes_max: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO kept_picture (hash, bytes, used_ms, jpeg) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (hash) DO UPDATE SET
                 used_ms = excluded.used_ms, jpeg = excluded.jpeg, bytes = excluded.bytes";
    let (hash, bytes) = (picture.hash.as_bytes(), int(picture.jpeg.len() as u64));
    tx.prepare_cached(sql)?.execute((hash, bytes, int(now.get()), &picture.jpeg))?;
    make_room(tx, bytes_max)
}

/// Throws away what was used longest ago, until the rest has room.
///
/// # Errors
/// [`StoreError`].
pub fn make_room(tx: &Tx<'_>, bytes_max: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM kept_picture WHERE rowid IN (
                 SELECT id FROM (SELECT rowid AS id, sum(bytes) OVER (
                   ORDER BY used_ms DESC, rowid DESC) AS with_newer FROM kept_picture)
                 WHERE with_newer > ?1)";
    if held(tx)?.1 > bytes_max {
        tx.prepare_cached(sql)?.execute([int(bytes_max)])?;
    }
    Ok(())
}

/// How many pictures are kept, and how many bytes they have.
///
/// # Errors
/// [`StoreError`].
pub fn held(c: &Connection) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT count(*), ifnull(sum(bytes), 0) FROM kept_picture";
    let (count, bytes): (i64, i64) =
        c.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count.unsigned_abs(), bytes.unsigned_abs()))
}

/// A picture that is kept. One whose bytes were damaged here counts as not kept, since it can be
/// had again.
///
/// # Errors
/// [`StoreError`].
pub fn get(c: &Connection, hash: Hash) -> Result<Option<Picture>, StoreError> {
    let sql = "SELECT jpeg FROM kept_picture WHERE hash = ?1";
    let jpeg: Option<Vec<u8>> =
        c.prepare_cached(sql)?.query_row([hash.as_bytes()], |row| row.get(0)).optional()?;
    Ok(jpeg.and_then(|jpeg| Picture::check(hash, jpeg).ok()))
}

/// Whether a picture is kept.
///
/// # Errors
/// [`StoreError`].
pub fn is_kept(c: &Connection, hash: Hash) -> Result<bool, StoreError> {
    Ok(c.prepare_cached("SELECT 1 FROM kept_picture WHERE hash = ?1")?.exists([hash.as_bytes()])?)
}

/// Whether that somebody looked at a picture now is worth noting.
///
/// # Errors
/// [`StoreError`].
pub fn is_worth_noting(c: &Connection, hash: Hash, now: UnixMs) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM kept_picture WHERE hash = ?1 AND used_ms < ?2";
    let before = int(now.get().saturating_sub(NOTED_EVERY_MS));
    Ok(c.prepare_cached(sql)?.exists((hash.as_bytes(), before))?)
}

/// Notes that somebody looked at a picture.
///
/// # Errors
/// [`StoreError`].
pub fn note_used(tx: &Tx<'_>, hash: Hash, now: UnixMs) -> Result<(), StoreError> {
    let sql = "UPDATE kept_picture SET used_ms = max(used_ms, ?2) WHERE hash = ?1";
    tx.prepare_cached(sql)?.execute((hash.as_bytes(), int(now.get())))?;
    Ok(())
}

/// The shops of which a product names this picture.
///
/// # Errors
/// [`StoreError`].
pub fn named_by(c: &Connection, hash: Hash) -> Result<Vec<ShopId>, StoreError> {
    let sql = "SELECT DISTINCT shop FROM product WHERE image = ?1 ORDER BY shop";
    let mut select = c.prepare_cached(sql)?;
    let shops = select.query_map([hash.as_bytes()], |row| row.get::<_, [u8; 16]>(0))?;
    let damaged = || StoreError::damaged("a product", "of the catalogue");
    shops.map(|shop| ShopId::from_slice(&shop?).ok_or_else(damaged)).collect()
}

/// The picture that a product names, if it names one.
///
/// # Errors
/// [`StoreError`].
pub fn of_product(
    c: &Connection,
    shop: ShopId,
    product: ProductId,
) -> Result<Option<Hash>, StoreError> {
    let sql = "SELECT image FROM product WHERE shop = ?1 AND id = ?2";
    let keys = (shop.as_bytes(), product.as_bytes());
    let image: Option<Option<Vec<u8>>> =
        c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    Ok(image.flatten().and_then(|image| Hash::from_slice(&image)))
}
