//! The certificates that this hub signed, community hubs, and revocation lists.
//!
//! **Invariant:** the number of this hub's own list only grows, also after a restore.

use std::collections::BTreeSet;

use kirana_core::{
    certificate::{Serial, SignedCertificate},
    id::{AccountId, ShopId},
    key::{KeyId, SigningKey},
    revocation::RevocationList,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{Connection, OptionalExtension, params},
};

use super::{Never, Store, audit, audit::Act, from_sql, to_sql};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A device of an account.
    Device,
    /// A shop's owner.
    Shop,
    /// A community hub.
    Hub,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Shop => "shop",
            Self::Hub => "hub",
        }
    }
}

/// A certified device as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The short name of its signing key.
    pub key: KeyId,
    /// The newest certificate, a CWT.
    pub certificate: Vec<u8>,
    /// When it was issued.
    pub issued_at: UnixMs,
    /// When it ends.
    pub expires_at: UnixMs,
}

/// A certificate of a shop or a hub that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The short name of its key.
    pub key: KeyId,
    /// The shop that it is for, by its id and name; none is a community hub's.
    pub shop: Option<(ShopId, String)>,
    /// When it ends.
    pub expires_at: UnixMs,
}

impl Store {
    /// Keeps the certificate of a community hub.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_hub(
        &self,
        certificate: SignedCertificate,
        act: Act,
    ) -> Result<Vec<u8>, WriteError<Never>> {
        self.write(move |tx| {
            insert(tx, Kind::Hub, &certificate, None)?;
            audit::append(tx, &act)?;
            Ok(certificate.bytes().to_vec())
        })
        .await
    }

    /// The devices of an account that count now, each with its newest certificate.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn devices(
        &self,
        account: AccountId,
        now: UnixMs,
    ) -> Result<Vec<Device>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT key_id, bytes, issued_at, max(expires_at) FROM certificate
                 WHERE account = ?1 AND kind = 'device' AND revoked_at IS NULL AND expires_at > ?2
                 GROUP BY key_id ORDER BY key_id LIMIT 1000",
            )?;
            let rows = statement.query_map(params![account.as_bytes(), to_sql(now)], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.map(|row| {
                let (key, certificate, issued_at, expires_at) = row?;
                let key = KeyId::from_slice(&key)
                    .ok_or_else(|| StoreError::damaged("a device's", "key"))?;
                let (issued_at, expires_at) = (from_sql(issued_at), from_sql(expires_at));
                Ok(Device { key, certificate, issued_at, expires_at })
            })
            .collect()
        })
        .await
    }

    /// Whether an account has a device of its own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_device(&self, account: AccountId) -> Result<bool, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM certificate
                 WHERE account = ?1 AND kind = 'device' AND revoked_at IS NULL)",
            )?;
            Ok(statement.query_row([account.as_bytes()], |row| row.get(0))?)
        })
        .await
    }

    /// Signs and keeps the next list of what this hub revoked.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn next_revocation_list(
        &self,
        issuer: SigningKey,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let revoked = revoked(tx, now)?;
            let last = list_number(tx, issuer.id())?;
            // Beyond the limit the newest are listed: what is left out is refused by the store's
            // own rows, and the certificates end by themselves.
            let list = RevocationList::next(last, now, revoked)
                .map_err(|_| StoreError::damaged("the list of", "revoked certificates"))?;
            put_list(tx, issuer.id(), list.number, list.sign(&issuer).bytes())?;
            Ok(())
        })
        .await
    }

    /// Keeps a list of another issuer, unless a newer one is here.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn keep_list(
        &self,
        issuer: KeyId,
        number: u64,
        bytes: Vec<u8>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            if number > list_number(tx, issuer)? {
                put_list(tx, issuer, number, &bytes)?;
            }
            Ok(())
        })
        .await
    }

    /// The newest list of every issuer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lists(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(|c| {
            let mut statement =
                c.prepare_cached("SELECT bytes FROM revocation_list ORDER BY issuer LIMIT 1000")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Shops and hubs whose newest certificate ends between two moments, soonest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn certificates_ending(
        &self,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<Vec<Ending>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT certificate.key_id, max(certificate.expires_at) AS ends, shop.id, shop.name
                 FROM certificate LEFT JOIN shop
                   ON certificate.kind = 'shop' AND shop.owner_key = certificate.key
                 WHERE certificate.kind <> 'device' AND certificate.revoked_at IS NULL
                 GROUP BY certificate.key_id, shop.id HAVING ends BETWEEN ?1 AND ?2
                 ORDER BY ends LIMIT 100",
            )?;
            let rows = statement.query_map(params![to_sql(from), to_sql(to)], |row| {
                let shop: Option<[u8; 16]> = row.get(2)?;
                Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, shop, row.get::<_, Option<_>>(3)?))
            })?;
            rows.map(|row| {
                let (key, expires_at, shop, name) = row?;
                let damaged = || StoreError::damaged("a certificate's", "key or shop");
                let key = KeyId::from_slice(&key).ok_or_else(damaged)?;
                let shop =
                    shop.map(|id| ShopId::from_slice(&id).ok_or_else(damaged)).transpose()?;
                Ok(Ending { key, shop: shop.zip(name), expires_at: from_sql(expires_at) })
            })
            .collect()
        })
        .await
    }

    /// Revokes all certificates of a community hub; tells whether there were any.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_hub(&self, key: KeyId, act: Act) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let revoked = tx.execute(
                "UPDATE certificate SET revoked_at = ?2
                 WHERE key_id = ?1 AND kind = 'hub' AND revoked_at IS NULL",
                params![key.as_bytes(), to_sql(act.at)],
            )?;
            if revoked > 0 {
                audit::append(tx, &act)?;
            }
            Ok(revoked > 0)
        })
        .await
    }

    /// Whether the newest certificate of this hub's key was revoked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_hub_revoked(&self, key: KeyId) -> Result<bool, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT revoked_at IS NOT NULL FROM certificate WHERE kind = 'hub' AND key_id = ?1
                 ORDER BY issued_at DESC, expires_at DESC LIMIT 1",
            )?;
            let revoked = statement.query_row([key.as_bytes()], |row| row.get(0)).optional()?;
            Ok(revoked.unwrap_or(false))
        })
        .await
    }

    /// The newest certificate of a community hub.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn community_hubs(&self, now: UnixMs) -> Result<Vec<Vec<u8>>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT bytes, max(expires_at) FROM certificate WHERE kind = 'hub'
                 AND revoked_at IS NULL AND expires_at > ?1 GROUP BY key_id LIMIT 100",
            )?;
            let rows = statement.query_map([to_sql(now)], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

pub(super) fn insert(
    c: &Connection,
    kind: Kind,
    signed: &SignedCertificate,
    account: Option<AccountId>,
) -> Result<(), StoreError> {
    let certificate = signed.certificate();
    c.execute(
        "INSERT INTO certificate
         (cti, kind, key, key_id, sealing, account, bytes, issued_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            certificate.serial.as_bytes(),
            kind.name(),
            certificate.key.as_bytes(),
            certificate.key.id().as_bytes(),
            certificate.sealing.as_bytes(),
            account.map(|id| id.as_bytes().to_vec()),
            signed.bytes(),
            to_sql(certificate.not_before),
            to_sql(certificate.expires)
        ],
    )?;
    Ok(())
}

fn revoked(c: &Connection, now: UnixMs) -> Result<BTreeSet<Serial>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT cti FROM certificate WHERE revoked_at IS NOT NULL AND expires_at > ?1
         ORDER BY revoked_at DESC LIMIT ?2",
    )?;
    let most = kirana_core::revocation::REVOKED_MAX as i64;
    let rows = statement.query_map(params![to_sql(now), most], |row| row.get::<_, [u8; 16]>(0))?;
    rows.map(|row| {
        Serial::from_slice(&row?).ok_or_else(|| StoreError::damaged("a certificate's", "serial"))
    })
    .collect()
}

fn list_number(c: &Connection, issuer: KeyId) -> Result<u64, StoreError> {
    let mut statement = c.prepare_cached("SELECT number FROM revocation_list WHERE issuer = ?1")?;
    let number: Option<i64> =
        statement.query_row([issuer.as_bytes()], |row| row.get(0)).optional()?;
    Ok(number.map_or(0, i64::unsigned_abs))
}

fn put_list(c: &Connection, issuer: KeyId, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    c.execute(
        "INSERT INTO revocation_list (issuer, number, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, bytes = excluded.bytes",
        params![issuer.as_bytes(), number, bytes],
    )?;
    Ok(())
}
