//! Who wants letters about orders, and what they were told.

use std::collections::BTreeMap;

use kirana_core::{
    cbor,
    id::{AccountId, OrderId},
    key::KeyId,
    mail::Address,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{OptionalExtension, params},
};

use super::{Never, Store, code::account_id, from_sql, letter, letter::Letter, to_sql};

impl Store {
    /// When an account that wants letters was last told that something waits; `None` for one that wants
    /// none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn notice(&self, account: AccountId) -> Result<Option<UnixMs>, StoreError> {
        self.read(|c| {
            let sql = "SELECT waiting_told FROM notice WHERE account = ?1";
            let mut select = c.prepare_cached(sql)?;
            Ok(select.query_row([account.as_bytes()], |row| row.get(0)).optional()?.map(from_sql))
        })
        .await
    }

    /// The accounts that want letters and were told of no mail since a moment, and when they were told last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn noticed(&self, since: UnixMs) -> Result<Vec<(AccountId, UnixMs)>, StoreError> {
        self.read(|c| {
            let sql = "SELECT account, waiting_told FROM notice WHERE waiting_told <= ?1";
            let mut select = c.prepare_cached(sql)?;
            let rows = select.query_map([to_sql(since)], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, from_sql(row.get(1)?)))
            })?;
            let mut all = Vec::new();
            for row in rows {
                let (id, told) = row?;
                all.push((account_id(&id)?, told));
            }
            Ok(all)
        })
        .await
    }

    /// Turns letters on, with what is known of orders already, or off.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn set_notice(
        &self,
        account: AccountId,
        known: Option<BTreeMap<OrderId, &'static str>>,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let Some(known) = &known else {
                tx.execute("DELETE FROM notice WHERE account = ?1", [account.as_bytes()])?;
                return Ok(());
            };
            let sql = "INSERT INTO notice (account, waiting_told) VALUES (?1, ?2)
                       ON CONFLICT (account) DO NOTHING";
            if tx.execute(sql, params![account.as_bytes(), to_sql(now)])? == 0 {
                return Ok(());
            }
            let sql = "INSERT INTO order_told (account, id, news) VALUES (?1, ?2, ?3)";
            let mut insert = tx.prepare_cached(sql)?;
            for (id, news) in known {
                insert.execute(params![account.as_bytes(), id.as_bytes(), news])?;
            }
            Ok(())
        })
        .await
    }

    /// What an account was last told of each order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn orders_told(
        &self,
        account: AccountId,
    ) -> Result<BTreeMap<OrderId, String>, StoreError> {
        self.read(|c| {
            let sql = "SELECT id, news FROM order_told WHERE account = ?1";
            let mut select = c.prepare_cached(sql)?;
            let rows = select.query_map([account.as_bytes()], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?))
            })?;
            rows.map(|row| {
                let (id, news) = row?;
                let id = OrderId::from_slice(&id);
                Ok((id.ok_or_else(|| StoreError::damaged("an order that was told of", ""))?, news))
            })
            .collect()
        })
        .await
    }

    /// Notes what an account is told of an order, and queues the letter; nothing where letters were turned
    /// off meanwhile.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn tell_of_order(
        &self,
        account: AccountId,
        order: OrderId,
        news: &'static str,
        letter: Option<Letter>,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "INSERT INTO order_told (account, id, news)
                       SELECT ?1, ?2, ?3 FROM notice WHERE account = ?1
                       ON CONFLICT (account, id) DO UPDATE SET news = excluded.news";
            let told = tx.execute(sql, params![account.as_bytes(), order.as_bytes(), news])?;
            letter::queue(tx, letter.as_ref().filter(|_| told > 0))
                .map_err(kirana_migrations::Abort::from)
        })
        .await
    }

    /// Whether mail came to one of these devices between two moments and still lies here, from anybody but
    /// them: what a person's devices tell each other is no news.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_rests(
        &self,
        devices: &[KeyId],
        after: UnixMs,
        before: UnixMs,
    ) -> Result<bool, StoreError> {
        self.read(|c| {
            let sql = "SELECT DISTINCT sender FROM mail
                       WHERE recipient = ?1 AND stored_at > ?2 AND stored_at <= ?3";
            let mut select = c.prepare_cached(sql)?;
            for device in devices {
                let address = cbor::to_vec(&Address::Device(*device));
                let keys = params![address, to_sql(after), to_sql(before)];
                let senders = select.query_map(keys, |row| row.get::<_, [u8; 16]>(0))?;
                for sender in senders {
                    let sender = KeyId::from_slice(&sender?);
                    if sender.is_none_or(|sender| !devices.contains(&sender)) {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        })
        .await
    }

    /// Notes that an account is told that something waits, and queues the letter.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn tell_of_mail(
        &self,
        account: AccountId,
        letter: Option<Letter>,
        now: UnixMs,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let sql = "UPDATE notice SET waiting_told = ?2 WHERE account = ?1";
            let told = tx.execute(sql, params![account.as_bytes(), to_sql(now)])?;
            letter::queue(tx, letter.as_ref().filter(|_| told > 0))
                .map_err(kirana_migrations::Abort::from)
        })
        .await
    }
}
