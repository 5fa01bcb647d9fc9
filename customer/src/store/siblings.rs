//! Keys of the account's other devices whose orders were taken in; those are read again by them.

use kirana_core::{
    cbor,
    key::{KeyId, PublicKey},
};
use kirana_migrations::{StoreError, Tx};
use rusqlite::Connection;

use super::settings::{self, Setting};

/// The most of them: an account has fifty devices at a time.
const SIBLINGS_MAX: usize = 500;

/// The device with this key. A damaged list knows none, until shops show their certificates again.
pub fn get(reader: &Connection, key: KeyId) -> Result<Option<PublicKey>, StoreError> {
    Ok(all(reader)?.into_iter().find(|known| known.id() == key))
}

/// Remembers a device.
pub fn put(tx: &Tx<'_>, key: &PublicKey) -> Result<(), StoreError> {
    let mut known = all(tx)?;
    if known.contains(key) || known.len() >= SIBLINGS_MAX {
        return Ok(());
    }
    known.push(*key);
    settings::set(tx, Setting::Siblings, &cbor::to_vec(&known))
}

fn all(reader: &Connection) -> Result<Vec<PublicKey>, StoreError> {
    let Some(bytes) = settings::get(reader, Setting::Siblings)? else { return Ok(Vec::new()) };
    Ok(cbor::from_slice("the account's devices", &bytes, LIST_BYTES_MAX).unwrap_or_default())
}

const LIST_BYTES_MAX: usize = 64 * 1024;
