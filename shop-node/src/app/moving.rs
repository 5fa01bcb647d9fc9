//! Moves a shop to another box: the old one says its last words, and the new one goes on from there.
//!
//! **Invariant (P1, P2):** from the transaction that says the last words on the old box writes nothing, so a
//! copy that ends where they say is all there is; a copy that does not is a backup, and waits as one.

use kirana_core::{farewell::Farewell, key::PublicKey, time::UnixMs};
use kirana_migrations::{Abort, StoreError, WriteError, rusqlite::Connection};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{Desk, Visit},
};
use crate::store::{
    ends,
    settings::{self, Setting},
};

/// What everybody is told who asks the old box for something.
const MOVED: &str = "the shop moves to another box: ask that one";

impl Shop {
    /// Ends this box: it writes no more, and a backup made of it from now on opens as the shop that
    /// moved. Said again, its week begins anew.
    ///
    /// # Errors
    /// [`NoMove`]; the box goes on as it was.
    pub fn say_farewell(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<(), NoMove> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let said = self.writer().write(move |tx| -> Result<(), Abort<NoMove>> {
            let desk = Desk::open(&inner, tx, &visit)?;
            let is_moving = settings::get::<ByteVec>(tx, Setting::Farewell)?.is_some();
            let is_followed = settings::get::<ByteVec>(tx, Setting::NewerBox)?.is_some();
            if let Some(why) = desk.read_only()?.filter(|_| !is_moving || is_followed) {
                return Err(Abort::Refused(NoMove::ReadOnly(why)));
            }
            let shop = inner.identity.shop;
            let ends = ends::read(tx, shop)?;
            let words = Farewell { shop, generation: inner.generation, at: desk.now.at, ends };
            let signed: ByteVec = words.sign(&inner.keys.node.signing).into();
            settings::put(tx, Setting::Farewell, &signed)?;
            Ok(settings::put(tx, Setting::ReadOnly, &MOVED.to_owned())?)
        });
        said.map_err(NoMove::from)
    }

    /// Whether this box is where the shop moved to, and not one that was restored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_moved(&self) -> Result<bool, StoreError> {
        Ok(self.reader().read(heard_from)?.is_some())
    }
}

/// The first of the boxes of which all is here that they and those after them ever said.
pub(super) fn heard_from(c: &Connection) -> Result<Option<u64>, StoreError> {
    settings::get(c, Setting::HeardFrom)
}

/// Whether a copy of the box with this key is the shop as it moved: its last words are in it, recent, and
/// name the ends that it has.
pub(super) fn is_moved(
    c: &Connection,
    shop: &Shop,
    key: &PublicKey,
    now: UnixMs,
) -> Result<bool, StoreError> {
    // What a newer box said since is not in it.
    if settings::get::<ByteVec>(c, Setting::NewerBox)?.is_some() {
        return Ok(false);
    }
    let Some(signed) = settings::get::<ByteVec>(c, Setting::Farewell)? else { return Ok(false) };
    let said = match Farewell::verify(&signed, key) {
        Ok(said) => said,
        Err(why) => {
            tracing::warn!(%why, "the last words in this copy do not count");
            return Ok(false);
        }
    };
    Ok(said.holds(shop.id(), shop.generation(), &ends::read(c, shop.id())?, now))
}

/// Why a shop did not move.
#[derive(Debug, thiserror::Error)]
pub enum NoMove {
    /// The box does not speak for the shop any more.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// Nothing could be stored.
    #[error("nothing could be stored: {0}")]
    Write(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WriteError<Self>> for NoMove {
    fn from(error: WriteError<Self>) -> Self {
        match error {
            WriteError::Refused(why) => why,
            other => Self::Write(other.map(|_| "refused".to_owned()).to_string()),
        }
    }
}
