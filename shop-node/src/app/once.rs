//! Writes that may be repeated because their answer was lost: an `Idempotency-Key` of the sender.
//!
//! **Invariant:** what was done and what was answered are remembered in one transaction, so the same
//! key with the same request has one effect, whatever crashed in between.

use kirana_core::{hash::Hash, key::KeyId};
use kirana_migrations::StoreError;

use super::{
    Shop,
    desk::Desk,
    orders::{Deed, NotDone, OrderView, Which, one, plain, view, whole},
};
use crate::store::once;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// The sender's own name for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    device: KeyId,
    key: String,
}

impl Once {
    /// A key as a device sent it; `None` when it is empty, too long or not plain text.
    pub fn new(device: KeyId, key: &str) -> Option<Self> {
        let plain = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let fits = !key.is_empty() && key.len() <= KEY_BYTES_MAX && plain;
        fits.then(|| Self { device, key: key.to_owned() })
    }

    /// Whose key it is, and the key.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        (self.device.as_bytes(), self.key.as_bytes())
    }
}

/// What is known of a key.
pub(crate) enum Before {
    /// Nothing: do it.
    New,
    /// It was done, with this answer.
    Done(Vec<u8>),
    /// It was used for something else.
    Other,
}

impl Desk<'_, '_> {
    pub(crate) fn before(&self, once: Option<&Once>, request: Hash) -> Result<Before, StoreError> {
        let Some(Once { device, key }) = once else { return Ok(Before::New) };
        Ok(match once::get(self.tx, *device, key)? {
            None => Before::New,
            Some((asked, answer)) if asked == request => Before::Done(answer),
            Some(_) => Before::Other,
        })
    }

    pub(crate) fn remember(
        &self,
        once: Option<&Once>,
        request: Hash,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        match once {
            Some(Once { device, key }) => {
                once::put(self.tx, *device, key, request, answer, self.now.at)
            }
            None => Ok(()),
        }
    }
}

impl Shop {
    /// What came of a deed that this very device had done under this key; nothing where it did not.
    /// So whoever may no longer see an order still hears that it is done.
    ///
    /// # Errors
    /// [`NotDone`] when the order is not there any more.
    pub fn done_before(
        &self,
        once: &Once,
        which: Which,
        deed: &Deed,
    ) -> Result<Option<OrderView>, NotDone> {
        let request = request_hash(&("act", which, deed));
        self.reader().read(|c| {
            let Once { device, key } = once;
            let before = once::get(c, *device, key)?;
            if before.is_none_or(|(asked, _)| asked != request) {
                return Ok(None);
            }
            let row = one(c, which).map_err(plain)?;
            Ok(Some(view(&row, &whole(c, &row).map_err(plain)?)?))
        })
    }
}

/// Names what was asked, by how the program reads it.
pub(crate) fn request_hash(what: &impl std::fmt::Debug) -> Hash {
    Hash::of(format!("{what:?}").as_bytes())
}
