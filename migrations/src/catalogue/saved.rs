//! Keeps the catalogue of a shop that lives elsewhere: what its node signed, and no other byte.
//!
//! **Invariant:** bytes are loaded only under a head that covers them, and the rows that people
//! search change in the transaction that stores the bytes. Whether the head is that shop's is for
//! the caller: a [`SignedHead`] was verified.

use kirana_core::{
    availability::SignedAvailability,
    catalogue::{
        document::{Bucket, NotABucket},
        head::{Extent, SignedHead, Step},
    },
    id::ShopId,
};

use super::{availability, chunks};
use crate::{Abort, StoreError, Tx};

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// They are not what the head names.
    #[error("these are not the bytes that the shop signed")]
    OtherBytes,
    /// The shop signed what is no catalogue.
    #[error(transparent)]
    Unreadable(#[from] NotABucket),
}

impl From<NotKept> for Abort<NotKept> {
    fn from(refusal: NotKept) -> Self {
        Self::Refused(refusal)
    }
}

/// Keeps a chunk or a snapshot; whether it was news.
///
/// # Errors
/// [`NotKept`], or when the database failed: nothing is changed then.
pub fn keep(tx: &Tx<'_>, signed: &SignedHead, bytes: &[u8]) -> Result<bool, Abort<NotKept>> {
    let head = signed.head();
    if !signed.covers(bytes) {
        return Err(NotKept::OtherBytes.into());
    }
    let known = chunks::reached(tx, head.shop)?.get(&head.bucket).copied();
    let wanted = matches!(
        (head.after(known.map(|at| (at.generation, at.n))), head.extent),
        (Step::Apply, Extent::Chunk) | (Step::Load, Extent::Snapshot)
    );
    if !wanted {
        return Ok(false);
    }
    let (document, changed) = match head.extent {
        Extent::Chunk => {
            let mut document = match chunks::load(tx, head.shop, head.bucket) {
                Ok((document, _)) => document,
                // Nothing can be added to what is damaged: the next start takes it from its beginning.
                Err(StoreError::Damaged { .. }) => {
                    chunks::forget_document(tx, head.shop, head.bucket)?;
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
            let changed = document.apply(bytes).map_err(NotKept::from)?;
            (document, changed)
        }
        Extent::Snapshot => {
            let loaded = Bucket::load(head.shop, head.bucket, bytes);
            (loaded.map_err(NotKept::from)?, Default::default())
        }
    };
    chunks::store(tx, signed, bytes, &document, &changed)?;
    if let Some(said) = availability::get(tx, head.shop, head.bucket)? {
        availability::mark(tx, &said)?;
    }
    Ok(true)
}

/// Keeps what a shop said is in stock, unless something newer is here; whether it was news.
///
/// # Errors
/// [`StoreError`].
pub fn keep_availability(tx: &Tx<'_>, signed: &SignedAvailability) -> Result<bool, StoreError> {
    let said = signed.said();
    let known = availability::get(tx, said.shop, said.bucket)?;
    let is_news = said.is_news_after(known.map(|known| (known.generation, known.n)));
    if is_news {
        availability::put(tx, signed)?;
        availability::mark(tx, said)?;
    }
    Ok(is_news)
}

/// Throws away all that is kept of a shop.
///
/// # Errors
/// [`StoreError`].
pub fn forget(tx: &Tx<'_>, shop: ShopId) -> Result<(), StoreError> {
    chunks::forget(tx, shop)?;
    for sql in
        ["DELETE FROM availability WHERE shop = ?1", "DELETE FROM shop_terms WHERE shop = ?1"]
    {
        tx.prepare_cached(sql)?.execute([shop.as_bytes()])?;
    }
    Ok(())
}

/// The shops of which something is kept.
///
/// # Errors
/// [`StoreError`].
pub fn shops(c: &rusqlite::Connection) -> Result<Vec<ShopId>, StoreError> {
    let mut select =
        c.prepare_cached("SELECT DISTINCT shop FROM catalogue_bucket ORDER BY shop")?;
    let rows = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    rows.map(|row| {
        ShopId::from_slice(&row?).ok_or_else(|| StoreError::damaged("a catalogue's", "shop"))
    })
    .collect()
}
