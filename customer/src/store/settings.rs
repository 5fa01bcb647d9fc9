//! Single facts by name: certificates, root, roster, revocation lists, the newest signed time.

use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension};

/// The name of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The device's own certificates, leaf first: a CBOR list.
    Certificates,
    /// The public key of the roster's signer.
    Root,
    /// The roster of hubs, as signed.
    Roster,
    /// Revocation lists, as signed: a CBOR list.
    Lists,
    /// The readings behind known time.
    KnownTime,
    /// The household document, as an earlier version stored it: readable.
    Household,
    /// What was readable is encrypted, but may still lie in pages that are no longer used.
    Unscoured,
    /// The hub that this device signed in at: JSON.
    Hub,
    /// Hubs that relay mail for this household: JSON list of multiaddrs.
    Relays,
    /// Keys of the account's other devices: a CBOR list.
    Siblings,
    /// How many bytes pictures of products may have together: eight bytes.
    PicturesBytesMax,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Certificates => "certificates",
            Self::Root => "root",
            Self::Roster => "roster",
            Self::Lists => "lists",
            Self::KnownTime => "known_time",
            Self::Household => "household",
            Self::Unscoured => "unscoured",
            Self::Hub => "hub",
            Self::Relays => "relays",
            Self::Siblings => "siblings",
            Self::PicturesBytesMax => "pictures_bytes_max",
        }
    }
}

/// A fact, if it was ever noted.
pub fn get(reader: &Connection, setting: Setting) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = reader.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([setting.name()], |row| row.get(0)).optional()?)
}

/// Forgets a fact.
pub fn forget(tx: &Tx<'_>, setting: Setting) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([setting.name()])?;
    Ok(())
}

/// A fact that is stored encrypted, as it lies there.
pub fn sealed(reader: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut select = reader.prepare_cached("SELECT value FROM sealed_setting WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

/// Notes a fact that was encrypted.
pub fn put_sealed(tx: &Tx<'_>, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO sealed_setting (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = ?2",
    )?
    .execute((name, sealed))?;
    Ok(())
}

/// Notes a fact.
pub fn set(tx: &Tx<'_>, setting: Setting, value: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute((setting.name(), value))?;
    Ok(())
}
