//! The carts and the addresses of this household, kept in the document that its devices share.
//!
//! **Invariant:** each edit is read, made and stored in one transaction, so that a crash loses all
//! of it or nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kirana_core::{
    at_rest::DiskKey,
    catalogue::document::Author,
    hash::Hash,
    household::{HOUSEHOLD_BYTES_MAX, Household as Document, HouseholdError as Refusal},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx};
use rand_core::CryptoRng;
use rusqlite::Connection;

use super::{Household, HouseholdError, person, write};
use crate::store::once;

impl Household {
    /// The shared document as it is stored: the carts, the addresses, the household's name.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn document(&self) -> Result<Document, HouseholdError> {
        // Nothing is written with this author.
        let reading = Author { key: self.keys.id(), incarnation: 0 };
        self.db.reader.read(|reader| self.lists.read(reader, &self.disk, reading))
    }

    /// Changes the shared document and stores it.
    ///
    /// # Errors
    /// When the document does not take the change, or nothing could be stored: it is then as before.
    pub fn edit_document(
        &self,
        rng: &mut dyn CryptoRng,
        edit: impl Fn(&mut Document) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), HouseholdError> {
        self.edit_document_once(None, rng, edit)
    }

    /// [`Household::edit_document`], once for each key: the same key again within a day changes
    /// nothing.
    ///
    /// # Errors
    /// As there.
    pub fn edit_document_once(
        &self,
        once: Option<(Hash, UnixMs)>,
        rng: &mut dyn CryptoRng,
        edit: impl Fn(&mut Document) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(), HouseholdError> {
        let pen = self.pen(rng);
        write(&self.db, move |tx| match once {
            Some((key, now)) if !once::note(tx, key, now)? => Ok(()),
            _ => pen.edit(tx, &edit),
        })
    }

    /// What changes the shared document, once, as a writer that nobody was before.
    pub(super) fn pen(&self, rng: &mut dyn CryptoRng) -> Pen {
        let mut incarnation = [0; 8];
        rng.fill_bytes(&mut incarnation);
        let incarnation = u64::from_be_bytes(incarnation);
        let author = Author { key: self.keys.id(), incarnation };
        Pen { author, disk: self.disk.clone(), lists: self.lists.clone() }
    }
}

/// Changes the shared document within a transaction.
pub(super) struct Pen {
    author: Author,
    disk: DiskKey,
    lists: Lists,
}

impl Pen {
    pub(super) fn edit(
        &self,
        tx: &Tx<'_>,
        edit: impl Fn(&mut Document) -> Result<(), Refusal>,
    ) -> Result<(), Abort<HouseholdError>> {
        let mut document = self.lists.read(tx, &self.disk, self.author)?;
        edit(&mut document).map_err(HouseholdError::from)?;
        let bytes = document.save();
        if bytes.len() > HOUSEHOLD_BYTES_MAX {
            // Stored, it could not be read again.
            return Err(HouseholdError::from(Refusal::TooLong { len: bytes.len() }).into());
        }
        let sealed = person::put_document(tx, &self.disk, &bytes)?;
        self.lists.keep(&sealed, document);
        Ok(())
    }
}

/// The document as it was read or stored last, so that the same bytes are not read again.
///
/// Kept beside the digest of the stored bytes that it stands for: what another process stored, what
/// a transaction took back and what was damaged has another digest, and is read from the disk.
#[derive(Clone, Default)]
pub(super) struct Lists(Arc<Mutex<Option<(Hash, Document)>>>);

impl Lists {
    fn read(
        &self,
        reader: &Connection,
        disk: &DiskKey,
        author: Author,
    ) -> Result<Document, HouseholdError> {
        let Some(sealed) = person::sealed_document(reader)? else {
            return Ok(Document::new(author));
        };
        let digest = Hash::of(&sealed);
        if let Some((of, kept)) = &*self.kept()
            && *of == digest
        {
            return Ok(kept.clone().written_by(author));
        }
        let damaged = |_| StoreError::damaged("the household's", "shared lists");
        let document = Document::load(&person::open_document(disk, &sealed)?, author);
        let document = document.map_err(damaged)?;
        *self.kept() = Some((digest, document.clone()));
        Ok(document)
    }

    fn keep(&self, sealed: &[u8], document: Document) {
        *self.kept() = Some((Hash::of(sealed), document));
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Hash, Document)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
