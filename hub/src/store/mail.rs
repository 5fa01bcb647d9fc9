//! The blind mailbox: sealed pieces by recipient, until they are deleted or their time is over.
//!
//! **Invariant (P4):** a row holds for whom, from which device, how big, until when, and the sealed
//! bytes; nothing else about a person comes near these tables.

use kirana_core::{
    cbor,
    hash::Hash,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    mail::{Address, Mail},
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, Tx, WriteError,
    rusqlite::{self, Connection, Row, params},
};
use kirana_sync::{
    mailbox::{Accepted, Limits, Usage},
    wire::{Refused, limit},
};

use super::{Never, Store, from_sql, past, route, to_sql};

/// What waits for one recipient; a piece that another hub has by now does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// For whom.
    pub to: Address,
    /// What waits.
    pub waiting: Waiting,
}

/// So much mail waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many pieces.
    pub pieces: u64,
    /// Their size.
    pub bytes: u64,
    /// When the oldest came, unless there is none.
    pub oldest_at: Option<UnixMs>,
}

/// Who handed a piece over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// A device or a shop, by its key.
    Peer(KeyId),
    /// Another hub.
    Hub {
        /// Which.
        hub: PublicKey,
        /// How many hubs had it before this one.
        hops: u8,
    },
}

impl Store {
    /// Stores a piece, unless it is there, its time is over, or a quota is full.
    ///
    /// # Errors
    /// [`Refused`] with a quota; or that nothing could be written.
    pub async fn put_mail(
        &self,
        mail: Mail,
        accepted: Accepted,
        from: Giver,
        limits: Limits,
        now: UnixMs,
    ) -> Result<(), WriteError<Refused>> {
        self.write(move |tx| {
            let to = cbor::to_vec(&accepted.to);
            route::learn(tx, &accepted, from, now)?;
            let hops = match from {
                Giver::Peer(_) => 0,
                Giver::Hub { hops, .. } => hops,
            };
            if is_there(tx, &to, &accepted, hops)? {
                return Ok(());
            }
            make_room(tx, &to, &accepted, &limits)?;
            tx.execute(
                "INSERT INTO mail (id, recipient, sender, size, until, stored_at, bytes, hops)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    accepted.id.as_bytes(),
                    to,
                    accepted.sender.as_bytes(),
                    i64::try_from(accepted.bytes).unwrap_or(i64::MAX),
                    to_sql(accepted.until),
                    to_sql(now),
                    cbor::to_vec(&mail),
                    hops
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Pieces for an address after a cursor whose time is not over, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail(
        &self,
        address: &Address,
        after: u64,
        limit: u16,
        now: KnownNow,
    ) -> Result<Vec<(u64, Mail)>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let to = cbor::to_vec(address);
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT cursor, bytes FROM mail WHERE recipient = ?1 AND cursor > ?2 AND until > ?3
                 ORDER BY cursor LIMIT ?4",
            )?;
            let most = usize::from(limit).min(limit::MAILS_MAX) + 1;
            let args = params![to, after, past(now), most as i64];
            let rows = statement
                .query_map(args, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
            rows.map(|row| {
                let (cursor, bytes) = row?;
                Ok((cursor.unsigned_abs(), parse(cursor, &bytes)?))
            })
            .collect()
        })
        .await
    }

    /// Deletes pieces of these addresses.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn delete_mail(
        &self,
        addresses: Vec<Address>,
        ids: Vec<Hash>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let mut delete =
                tx.prepare_cached("DELETE FROM mail WHERE recipient = ?1 AND id = ?2")?;
            for address in &addresses {
                let to = cbor::to_vec(address);
                for id in &ids {
                    delete.execute(params![to, id.as_bytes()])?;
                }
            }
            Ok(())
        })
        .await
    }

    /// How many pieces and bytes are kept in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_usage(&self) -> Result<Usage, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached("SELECT count(*), total(size) FROM mail")?;
            Ok(statement.query_row([], |row| {
                let (pieces, bytes) = (row.get::<_, i64>(0)?, row.get::<_, f64>(1)?);
                Ok(Usage { pieces: pieces.unsigned_abs(), bytes: bytes as u64 })
            })?)
        })
        .await
    }

    /// What waits for anybody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting_in_all(&self) -> Result<Waiting, StoreError> {
        self.read(|c| {
            let sql = "SELECT count(*), total(size), min(stored_at) FROM mail WHERE passed = 0";
            Ok(c.prepare_cached(sql)?.query_row([], |row| waiting(row, 0))?)
        })
        .await
    }

    /// The queues after an address, in the order in which addresses are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn queues(
        &self,
        after: Option<Address>,
        limit: u32,
    ) -> Result<Vec<Queue>, StoreError> {
        let after = after.map_or(Vec::new(), |address| cbor::to_vec(&address));
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT recipient, count(*), total(size), min(stored_at) FROM mail
                 WHERE recipient > ?1 AND passed = 0 GROUP BY recipient ORDER BY recipient LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, limit], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, waiting(row, 1)?))
            })?;
            rows.map(|row| {
                let (to, waiting) = row?;
                let to = cbor::from_slice("a recipient", &to, ADDRESS_BYTES_MAX)
                    .map_err(|e| StoreError::damaged("a recipient of mail", e))?;
                Ok(Queue { to, waiting })
            })
            .collect()
        })
        .await
    }

    /// Who sent what is kept, for tests of what a relay knows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_senders(&self) -> Result<Vec<KeyId>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached("SELECT DISTINCT sender FROM mail")?;
            let rows = statement.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
            rows.map(|row| {
                KeyId::from_slice(&row?).ok_or_else(|| StoreError::damaged("mail's", "sender"))
            })
            .collect()
        })
        .await
    }
}

/// A stored piece: what is sealed, the stamp and a chain of certificates, with room to spare.
const MAIL_BYTES_MAX: usize = 256 * 1024;

/// An address: a word and sixteen bytes.
const ADDRESS_BYTES_MAX: usize = 64;

fn waiting(row: &Row<'_>, first: usize) -> Result<Waiting, rusqlite::Error> {
    let (pieces, bytes): (i64, f64) = (row.get(first)?, row.get(first + 1)?);
    let oldest_at: Option<i64> = row.get(first + 2)?;
    let oldest_at = oldest_at.map(from_sql);
    Ok(Waiting { pieces: pieces.unsigned_abs(), bytes: bytes as u64, oldest_at })
}

pub(super) fn parse(cursor: i64, bytes: &[u8]) -> Result<Mail, StoreError> {
    cbor::from_slice("stored mail", bytes, MAIL_BYTES_MAX)
        .map_err(|_| StoreError::damaged("mail at cursor", cursor))
}

/// Whether the piece is here. Who brings it once more has not heard of its recipient: it is passed
/// on once more too.
fn is_there(tx: &Tx<'_>, to: &[u8], piece: &Accepted, hops: u8) -> Result<bool, StoreError> {
    let mut again = tx.prepare_cached(
        "UPDATE mail SET hops = min(hops, ?3), passed = passed AND ?3 > 0
         WHERE recipient = ?1 AND id = ?2",
    )?;
    Ok(again.execute(params![to, piece.id.as_bytes(), hops])? > 0)
}

/// Throws spare copies away where a quota is full otherwise.
fn make_room(
    tx: &Tx<'_>,
    to: &[u8],
    piece: &Accepted,
    limits: &Limits,
) -> Result<(), Abort<Refused>> {
    let fits = || {
        let sender = usage(tx, "sender", piece.sender.as_bytes())?;
        Ok::<_, StoreError>(piece.fits(limits, sender, usage(tx, "recipient", to)?))
    };
    if fits()?.is_ok() {
        return Ok(());
    }
    tx.execute(
        "DELETE FROM mail WHERE passed = 1 AND (sender = ?1 OR recipient = ?2)",
        params![piece.sender.as_bytes(), to],
    )?;
    fits()?.map_err(Abort::Refused)
}

fn usage(c: &Connection, column: &'static str, of: &[u8]) -> Result<Usage, StoreError> {
    let sql = format!("SELECT count(*), coalesce(sum(size), 0) FROM mail WHERE {column} = ?1");
    Ok(c.prepare_cached(&sql)?.query_row([of], |row| {
        let (pieces, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Usage { pieces: pieces.unsigned_abs(), bytes: bytes.unsigned_abs() })
    })?)
}
