//! The blind mailbox: sealed pieces by recipient, until they are deleted or their time is over.
//!
//! **Invariant (P4):** a row holds for whom, from which device, how big, until when, and the sealed
//! bytes; nothing else about a person comes near these tables.

use kirana_core::{
    cbor,
    hash::Hash,
    key::KeyId,
    known_time::KnownNow,
    mail::{Address, Mail},
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, WriteError,
    rusqlite::{Connection, params},
};
use kirana_sync::{
    mailbox::{Accepted, Limits, Usage},
    wire::{Refused, limit},
};

use super::{Never, Store, past, to_sql};

impl Store {
    /// Stores a piece, unless it is there, its time is over, or a quota is full.
    ///
    /// # Errors
    /// [`Refused`] with a quota; or that nothing could be written.
    pub async fn put_mail(
        &self,
        mail: Mail,
        accepted: Accepted,
        limits: Limits,
        now: UnixMs,
    ) -> Result<(), WriteError<Refused>> {
        self.write(move |tx| {
            let to = cbor::to_vec(&accepted.to);
            let mut there =
                tx.prepare_cached("SELECT 1 FROM mail WHERE recipient = ?1 AND id = ?2")?;
            if there.exists(params![to, accepted.id.as_bytes()])? {
                return Ok(());
            }
            let sender = usage(tx, "sender", accepted.sender.as_bytes())?;
            let recipient = usage(tx, "recipient", &to)?;
            accepted.fits(&limits, sender, recipient).map_err(Abort::Refused)?;
            tx.execute(
                "INSERT INTO mail (id, recipient, sender, size, until, stored_at, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    accepted.id.as_bytes(),
                    to,
                    accepted.sender.as_bytes(),
                    i64::try_from(accepted.bytes).unwrap_or(i64::MAX),
                    to_sql(accepted.until),
                    to_sql(now),
                    cbor::to_vec(&mail)
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
            let mut mails = Vec::new();
            for row in rows {
                let (cursor, bytes) = row?;
                let mail = cbor::from_slice("stored mail", &bytes, MAIL_BYTES_MAX)
                    .map_err(|_| StoreError::damaged("mail at cursor", cursor))?;
                mails.push((cursor.unsigned_abs(), mail));
            }
            Ok(mails)
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

fn usage(c: &Connection, column: &'static str, of: &[u8]) -> Result<Usage, StoreError> {
    let sql = format!("SELECT count(*), coalesce(sum(size), 0) FROM mail WHERE {column} = ?1");
    Ok(c.prepare_cached(&sql)?.query_row([of], |row| {
        let (pieces, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Usage { pieces: pieces.unsigned_abs(), bytes: bytes.unsigned_abs() })
    })?)
}
