//! What products look like: one picture each, seen by whoever sees the shelf.
//!
//! **Invariants:** what was sent is never stored, only what was encoded here; the picture and the
//! product that names it are one transaction; a picture that no product names is gone.

use kirana_core::{
    catalogue::{
        document::Author,
        edit::{Edit, EditError},
    },
    hash::Hash,
    id::ProductId,
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, catalogue::chunks};
use kirana_picture::{Picture, Unfit, reencode};
use rand_core::CryptoRng;

use super::{
    Shop,
    catalogue::{Editing, NotEdited, Written, may_edit},
    desk::Visit,
};
use crate::store::{catalogue as shelves, images};

/// Why a product did not get a picture; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotPictured {
    /// The file is none that pictures are made of.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The catalogue did not take it.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
}

impl Shop {
    /// Gives a product the picture that is in a file, in place of the one that it had. Takes up to
    /// some seconds and 300 MB: do few at once.
    ///
    /// # Errors
    /// [`NotPictured`]; nothing was changed.
    pub fn set_image(
        &self,
        product: ProductId,
        file: &[u8],
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Hash, NotPictured> {
        let Picture { jpeg, .. } = reencode(file)?;
        let hash = Hash::of(&jpeg);
        self.put_image(product, Some(jpeg), by, now, rng)?;
        Ok(hash)
    }

    /// Takes the picture of a product away.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn remove_image(
        &self,
        product: ProductId,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        self.put_image(product, None, by, now, rng)
    }

    /// The picture with this digest, if a product names it.
    ///
    /// # Errors
    /// When the database cannot be read, or what it holds has another digest.
    pub fn image(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader().read(|c| images::get(c, hash))
    }

    fn put_image(
        &self,
        id: ProductId,
        jpeg: Option<Vec<u8>>,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        let author = Author { key: by, incarnation: self.inner.documents.incarnation(rng) };
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let written =
            self.writer().write(move |tx| -> Result<Option<Written>, Abort<NotEdited>> {
                may_edit(tx)?;
                let (shop, none) =
                    (inner.identity.shop, || NotEdited::Edit(EditError::NoSuchProduct(id)));
                let bucket = shelves::bucket_of(tx, shop, id)?.ok_or_else(none)?;
                let reached = chunks::reached(tx, shop)?;
                let at = reached.get(&bucket);
                let document = inner.documents.load(tx, shop, bucket, at)?;
                let mut product = document.product(id).ok_or_else(none)?;
                product.image = jpeg.as_deref().map(|jpeg| images::put(tx, jpeg)).transpose()?;
                let edits = [Edit::PutProduct(Box::new(product))];
                let editing = Editing { inner: &inner, tx, author, now: visit.now, upon: None };
                Ok(editing.make(bucket, at, &edits)?)
            })?;
        self.inner.documents.keep(written);
        Ok(())
    }
}
