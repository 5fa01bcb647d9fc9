//! Keeps what is personal encrypted: the personal parts of orders, and the document with the names,
//! addresses and carts.
//!
//! **Invariant:** nothing personal is stored readable, and what an earlier version stored so is
//! encrypted when the database is opened, before anything else is done.

use kirana_core::{at_rest::DiskKey, cbor, envelope::PersonalPart, id::OrderId};
use kirana_migrations::{Abort, Database, StoreError, Tx};
use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{HouseholdError, write};
use crate::store::{
    orders,
    settings::{self, Setting},
};

/// The household's document as it lies on the disk.
pub fn sealed_document(reader: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    settings::sealed(reader, DOCUMENT)
}

/// The household's document as it was saved, out of what lay on the disk.
pub fn open_document(disk: &DiskKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let damaged = || StoreError::damaged("the household's", "shared lists");
    disk.open(DOCUMENT, sealed).ok_or_else(damaged)
}

/// Stores the household's document; gives what lies on the disk now.
pub fn put_document(tx: &Tx<'_>, disk: &DiskKey, document: &[u8]) -> Result<Vec<u8>, StoreError> {
    let sealed = disk.seal(DOCUMENT, document);
    settings::put_sealed(tx, DOCUMENT, &sealed)?;
    Ok(sealed)
}

/// The personal part of an order, as it goes to the shop.
///
/// # Errors
/// [`StoreError::Damaged`] when it is no longer what was stored.
pub fn part(
    reader: &Connection,
    disk: &DiskKey,
    order: OrderId,
) -> Result<Option<PersonalPart>, StoreError> {
    let Some(sealed) = orders::sealed_personal(reader, order)? else { return Ok(None) };
    let damaged = || StoreError::damaged("the name and address of order", order);
    let plain = disk.open(&place(order), &sealed).ok_or_else(damaged)?;
    cbor::from_slice("a personal part", &plain, PART_BYTES_MAX).map(Some).map_err(|_| damaged())
}

/// Encrypts a personal part, with the salt: whoever had it could guess addresses until one fits.
pub fn seal_part(disk: &DiskKey, order: OrderId, part: &PersonalPart) -> Vec<u8> {
    disk.seal(&place(order), &cbor::to_vec(part))
}

/// Encrypts what an earlier version stored readable, and writes the file anew, so that it cannot be
/// read out of pages that are no longer used either.
pub(super) fn encrypt_all(db: &Database, disk: &DiskKey) -> Result<(), HouseholdError> {
    let (lies_open, unscoured) = db.reader.read(|reader| {
        let lies_open =
            orders::has_open_parts(reader)? || settings::get(reader, Setting::Household)?.is_some();
        let unscoured = settings::get(reader, Setting::Unscoured)?.is_some();
        Ok::<_, StoreError>((lies_open, unscoured))
    })?;
    if lies_open {
        let disk = disk.clone();
        write(db, move |tx| encrypt(tx, &disk))?;
    }
    // Another program may be reading just now: then the next start does it.
    if (lies_open || unscoured) && db.scour().is_ok() {
        write(db, |tx| Ok(settings::forget(tx, Setting::Unscoured)?))?;
    }
    Ok(())
}

fn encrypt(tx: &Tx<'_>, disk: &DiskKey) -> Result<(), Abort<HouseholdError>> {
    for (order, part) in orders::open_parts(tx)? {
        orders::seal_personal(tx, order, &seal_part(disk, order, &part))?;
    }
    if let Some(document) = settings::get(tx, Setting::Household)? {
        put_document(tx, disk, &document)?;
        settings::forget(tx, Setting::Household)?;
    }
    Ok(settings::set(tx, Setting::Unscoured, &[1])?)
}

fn place(order: OrderId) -> String {
    format!("the personal part of {order}")
}

const DOCUMENT: &str = "household";
/// The longest stored part, in bytes: far beyond what may be sent.
const PART_BYTES_MAX: usize = 64 * 1024;
