//! Single values by name: the roster, the root's key, sealed keys of this hub.

use kirana_core::{cbor, known_time::KnownTime, time::UnixMs};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{Never, Store};
use crate::config::Role;

impl Store {
    /// The value of this name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setting(&self, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| get(c, name)).await
    }

    /// Sets the value of a name.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn set(&self, name: &'static str, value: Vec<u8>) -> Result<(), WriteError<Never>> {
        self.write(move |tx| Ok(put(tx, name, &value)?)).await
    }

    /// Sets the value of a name unless it has one, and tells which one counts: of two programs
    /// that start at once one wins.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn set_once(
        &self,
        name: &'static str,
        value: Vec<u8>,
    ) -> Result<Vec<u8>, WriteError<Never>> {
        self.write(move |tx| {
            if let Some(earlier) = get(tx, name)? {
                return Ok(earlier);
            }
            put(tx, name, &value).map_err(Abort::from)?;
            Ok(value.clone())
        })
        .await
    }

    /// The role in which this hub was last served, if it ever was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn role(&self) -> Result<Option<Role>, StoreError> {
        Ok(match self.setting(ROLE).await?.as_deref() {
            None => None,
            Some(CENTRAL) => Some(Role::Central),
            Some(COMMUNITY) => Some(Role::Community),
            Some(_) => return Err(StoreError::damaged("the hub's", ROLE)),
        })
    }

    /// Notes the role in which this hub is served.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note_role(&self, role: Role) -> Result<(), WriteError<Never>> {
        let name = match role {
            Role::Central => CENTRAL,
            Role::Community => COMMUNITY,
        };
        self.set(ROLE, name.to_vec()).await
    }

    /// When this hub was last backed up, if ever.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backed_up_at(&self) -> Result<Option<UnixMs>, StoreError> {
        let Some(bytes) = self.setting(BACKUP).await? else { return Ok(None) };
        let bytes = bytes.try_into().map_err(|_| StoreError::damaged("the hub's", BACKUP))?;
        Ok(Some(UnixMs::new(u64::from_be_bytes(bytes))))
    }

    /// Notes that a backup was made.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn note_backup(&self, now: UnixMs) -> Result<(), WriteError<Never>> {
        self.set(BACKUP, now.get().to_be_bytes().to_vec()).await
    }

    /// What is known about the time.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn known_time(&self) -> Result<KnownTime, StoreError> {
        self.read(known_time).await
    }

    /// Changes what is known about the time, upon what stands there by then.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn change_known_time(
        &self,
        change: impl Fn(&mut KnownTime) + Send + 'static,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let mut known = known_time(tx)?;
            change(&mut known);
            Ok(put(tx, KNOWN_TIME, &cbor::to_vec(&known))?)
        })
        .await
    }
}

const ROLE: &str = "role";
const CENTRAL: &[u8] = b"central";
const COMMUNITY: &[u8] = b"community";
const BACKUP: &str = "last backup";
const KNOWN_TIME: &str = "known time";
const KNOWN_TIME_BYTES_MAX: usize = 256;

fn known_time(c: &Connection) -> Result<KnownTime, StoreError> {
    let Some(bytes) = get(c, KNOWN_TIME)? else { return Ok(KnownTime::default()) };
    cbor::from_slice("the known time", &bytes, KNOWN_TIME_BYTES_MAX)
        .map_err(|_| StoreError::damaged("the hub's", KNOWN_TIME))
}

pub(super) fn get(c: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = c.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn put(c: &Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO setting (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    c.execute(sql, params![name, value])?;
    Ok(())
}
