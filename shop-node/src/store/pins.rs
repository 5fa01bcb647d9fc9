//! Devices of accounts that this shop knows, so that a hub alone can add none to them.
//!
//! **Invariant:** a device becomes known by the first order of its account, by another known device
//! that countersigned it, or by a person in the shop; a hub's word makes none known beside another.

use kirana_core::{
    id::AccountId,
    key::{KeyId, PublicKey},
    time::UnixMs,
    trust::Pins,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::int;

/// The known devices of an account, for a check.
pub fn of(c: &Connection, account: AccountId) -> Result<Pins, StoreError> {
    let mut pins = Pins::default();
    keys_of(c, account)?.into_iter().for_each(|key| pins.add(account, key));
    Ok(pins)
}

/// The keys of an account's known devices.
pub fn keys_of(c: &Connection, account: AccountId) -> Result<Vec<PublicKey>, StoreError> {
    let sql = "SELECT key FROM pinned_device WHERE account = ?1 AND known = 1";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([account.as_bytes()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key: [u8; 32] = row.get(0)?;
        let key = PublicKey::from_bytes(&key)
            .map_err(|_| StoreError::damaged("a known device of", account))?;
        keys.push(key);
    }
    Ok(keys)
}

/// Whether a device is known; nothing when the shop never heard of it.
pub fn is_known(c: &Connection, device: KeyId) -> Result<Option<bool>, StoreError> {
    let sql = "SELECT known FROM pinned_device WHERE device = ?1";
    Ok(c.prepare_cached(sql)?.query_row([device.as_bytes()], |row| row.get(0)).optional()?)
}

/// Whether another device of the account is known.
pub fn knows_other(c: &Connection, account: AccountId, but: KeyId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM pinned_device WHERE account = ?1 AND known = 1 AND device <> ?2";
    let found = c.prepare_cached(sql)?.query_row([account.as_bytes(), but.as_bytes()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Remembers a device; one that is known stays known.
pub fn put(
    tx: &Tx<'_>,
    account: AccountId,
    device: &PublicKey,
    known: bool,
    now: UnixMs,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO pinned_device (device, account, key, known, since_ms)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (device) DO UPDATE SET known = max(known, excluded.known)
               WHERE account = excluded.account";
    let (id, at) = (device.id(), int(now.get()));
    tx.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        account.as_bytes(),
        device.as_bytes(),
        known,
        at
    ])?;
    Ok(())
}
