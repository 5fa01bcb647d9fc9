//! Mail on its way to other hubs: what waits, where it goes, and which hubs to keep in touch with.
//!
//! **Invariant (P4):** a route says through which hub a device was last heard, and nothing else.

use kirana_core::{
    cbor,
    hash::Hash,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    mail::{Address, Mail},
    record::{ADDRESSES_MAX, HubContact, TEXT_BYTES_MAX},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{
    StoreError, Tx, WriteError,
    rusqlite::{OptionalExtension, params},
};
use kirana_sync::mailbox::Accepted;

use super::{
    Never, Store,
    mail::{Giver, parse},
    past, to_sql,
};

/// How long a route and a partner are remembered: as long as a shop lets relays keep its replies.
const REMEMBERED_MS: u64 = 60 * DAY_MS;

/// A piece that is to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the mailbox.
    pub cursor: u64,
    /// Whose stamp it carries.
    pub sender: KeyId,
    /// The mail.
    pub mail: Mail,
}

impl Store {
    /// The recipients of mail that no other hub handed over and that was not passed on yet; of a
    /// device also the hub through which it was heard, and only where there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recipients_waiting(
        &self,
        now: KnownNow,
    ) -> Result<Vec<(Address, Option<PublicKey>)>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT DISTINCT m.recipient, r.hub FROM mail m LEFT JOIN route r USING (recipient)
                 WHERE m.passed = 0 AND m.hops = 0 AND m.until > ?1 ORDER BY m.recipient",
            )?;
            let rows = statement.query_map([past(now)], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<[u8; 32]>>(1)?))
            })?;
            let mut waiting = Vec::new();
            for row in rows {
                let (to, hub) = row?;
                let to = cbor::from_slice("an address", &to, ADDRESS_BYTES_MAX)
                    .map_err(|e| StoreError::damaged("a recipient", e))?;
                match (to, hub.map(key).transpose()?) {
                    (Address::Device(_), None) => {}
                    (to, hub) => waiting.push((to, hub)),
                }
            }
            Ok(waiting)
        })
        .await
    }

    /// What is to be passed on for a recipient after a cursor, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting(
        &self,
        to: &Address,
        after: u64,
        limit: u32,
        now: KnownNow,
    ) -> Result<Vec<Waiting>, StoreError> {
        let (to, after) = (cbor::to_vec(to), i64::try_from(after).unwrap_or(i64::MAX));
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT cursor, sender, bytes FROM mail WHERE recipient = ?1 AND cursor > ?2
                 AND passed = 0 AND hops = 0 AND until > ?3 ORDER BY cursor LIMIT ?4",
            )?;
            let rows = statement.query_map(params![to, after, past(now), limit], |row| {
                Ok((row.get(0)?, row.get::<_, [u8; 16]>(1)?, row.get::<_, Vec<u8>>(2)?))
            })?;
            rows.map(|row| {
                let (cursor, sender, bytes): (i64, _, _) = row?;
                let sender = KeyId::from_slice(&sender);
                let sender = sender.ok_or_else(|| StoreError::damaged("mail's", "sender"))?;
                let mail = parse(cursor, &bytes)?;
                Ok(Waiting { cursor: cursor.unsigned_abs(), sender, mail })
            })
            .collect()
        })
        .await
    }

    /// Marks a piece as passed on, and remembers the hub that has it now, if one took it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn passed_on(
        &self,
        to: Address,
        id: Hash,
        hub: Option<HubContact>,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            tx.execute(
                "UPDATE mail SET passed = 1 WHERE recipient = ?1 AND id = ?2",
                params![cbor::to_vec(&to), id.as_bytes()],
            )?;
            if let Some(hub) = &hub {
                let until = to_sql(now.plus_ms(REMEMBERED_MS));
                tx.execute(
                    "INSERT OR REPLACE INTO partner (hub, contact, until) VALUES (?1, ?2, ?3)",
                    params![hub.key.as_bytes(), cbor::to_vec(hub), until],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// The hubs from which replies may come.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn partners(&self, now: KnownNow) -> Result<Vec<HubContact>, StoreError> {
        self.read(|c| {
            let mut statement =
                c.prepare_cached("SELECT contact FROM partner WHERE until > ?1 ORDER BY hub")?;
            let rows = statement.query_map([past(now)], |row| row.get::<_, Vec<u8>>(0))?;
            rows.map(|row| {
                cbor::from_slice("a partner", &row?, CONTACT_BYTES_MAX)
                    .map_err(|e| StoreError::damaged("a partner hub", e))
            })
            .collect()
        })
        .await
    }

    /// Forgets the route to a device, which was heard here itself.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn heard_here(&self, device: KeyId) -> Result<(), WriteError<Never>> {
        let to = cbor::to_vec(&Address::Device(device));
        let known = self.read(|c| {
            let mut route = c.prepare_cached("SELECT 1 FROM route WHERE recipient = ?1")?;
            Ok(route.query_row([&to], |_| Ok(())).optional()?.is_some())
        });
        // A device asks often, and almost never is there anything to forget.
        if !known.await.map_err(WriteError::Store)? {
            return Ok(());
        }
        self.write(move |tx| {
            tx.execute("DELETE FROM route WHERE recipient = ?1", [&to])?;
            Ok(())
        })
        .await
    }
}

/// Remembers where the sender of an order is heard: through a hub, or here.
pub(super) fn learn(
    tx: &Tx<'_>,
    piece: &Accepted,
    from: Giver,
    now: UnixMs,
) -> Result<(), StoreError> {
    let sender = cbor::to_vec(&Address::Device(piece.sender));
    match (from, piece.to) {
        (Giver::Hub { hub, .. }, Address::Shop(_)) => {
            let until = to_sql(now.plus_ms(REMEMBERED_MS));
            tx.prepare_cached(
                "INSERT OR REPLACE INTO route (recipient, hub, until) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![sender, hub.as_bytes(), until])?;
        }
        (Giver::Peer(peer), _) if peer == piece.sender => {
            tx.prepare_cached("DELETE FROM route WHERE recipient = ?1")?.execute([sender])?;
        }
        _ => {}
    }
    Ok(())
}

fn key(bytes: [u8; 32]) -> Result<PublicKey, StoreError> {
    PublicKey::from_bytes(&bytes).map_err(|_| StoreError::damaged("a route's", "hub"))
}

const ADDRESS_BYTES_MAX: usize = 64;
const CONTACT_BYTES_MAX: usize = ADDRESSES_MAX * (TEXT_BYTES_MAX + 8) + 64;
