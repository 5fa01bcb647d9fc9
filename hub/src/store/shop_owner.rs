//! Who keeps a shop's profile, and how a shop ends.

use kirana_core::{
    id::{AccountId, ShopId},
    key::PublicKey,
};
use kirana_migrations::{
    Abort, StoreError, Tx, WriteError,
    rusqlite::{Connection, params},
};

use super::{
    Never, Store, audit,
    audit::Act,
    from_sql,
    shop::{NotTaken, Owner, Shop, by_id, put},
    to_sql,
};

impl Store {
    /// Who keeps a shop, the one who answers for it first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn owners(&self, shop: ShopId) -> Result<Vec<Owner>, StoreError> {
        self.read(|c| owners(c, shop)).await
    }

    /// Adds somebody who keeps a shop; once more changes nothing.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn add_owner(
        &self,
        shop: ShopId,
        account: AccountId,
        act: Act,
    ) -> Result<(), WriteError<Never>> {
        self.write(move |tx| {
            let added = tx.execute(
                "INSERT OR IGNORE INTO shop_owner (shop, account, since)
                 SELECT id, ?2, ?3 FROM shop WHERE id = ?1 AND account <> ?2",
                params![shop.as_bytes(), account.as_bytes(), to_sql(act.at)],
            )?;
            if added > 0 {
                audit::append(tx, &act)?;
            }
            Ok(())
        })
        .await
    }

    /// Removes somebody who keeps a shop; tells whether there was one.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn remove_owner(
        &self,
        shop: ShopId,
        account: AccountId,
        act: Act,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let removed = forget(tx, shop, account)?;
            if removed {
                audit::append(tx, &act)?;
            }
            Ok(removed)
        })
        .await
    }

    /// Has somebody who keeps the shop answer for it; the one before keeps it from then on.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] for a shop or an owner that is not there.
    pub async fn hand_over(
        &self,
        shop: ShopId,
        to: AccountId,
        act: Act,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let unknown = || Abort::Refused(NotTaken::Unknown);
            let before = by_id(tx, shop)?.ok_or_else(unknown)?.account;
            if !forget(tx, shop, to)? {
                return Err(unknown());
            }
            let sql = "UPDATE shop SET account = ?2, changed_at = ?3 WHERE id = ?1";
            tx.execute(sql, params![shop.as_bytes(), to.as_bytes(), to_sql(act.at)])?;
            tx.execute(
                "INSERT INTO shop_owner (shop, account, since) SELECT ?1, id, ?3 FROM account
                 WHERE id = ?2",
                params![shop.as_bytes(), before.as_bytes(), to_sql(act.at)],
            )?;
            audit::append(tx, &act)?;
            by_id(tx, shop)?.ok_or_else(unknown)
        })
        .await
    }

    /// Makes a shop another owner's, who has another key: whoever kept it for the owner before keeps
    /// it no more, and that owner's certificates are revoked.
    ///
    /// # Errors
    /// [`NotTaken::Other`] when it went to somebody else meanwhile.
    pub async fn follow_shop(
        &self,
        shop: Shop,
        before: PublicKey,
        act: Act,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let there = by_id(tx, shop.id)?.filter(|there| there.owner == before);
            let there = there.ok_or(Abort::Refused(NotTaken::Other))?;
            put(tx, &shop.clone().over(&there), false, act.at)?;
            tx.execute("DELETE FROM shop_owner WHERE shop = ?1", [shop.id.as_bytes()])?;
            tx.execute(
                "UPDATE certificate SET revoked_at = ?2
                 WHERE key_id = ?1 AND kind = 'shop' AND revoked_at IS NULL",
                params![before.id().as_bytes(), to_sql(act.at)],
            )?;
            let sql = "UPDATE shop SET certificate = NULL WHERE id = ?1";
            tx.execute(sql, [shop.id.as_bytes()])?;
            audit::append(tx, &act)?;
            by_id(tx, shop.id)?.ok_or(Abort::Refused(NotTaken::Unknown))
        })
        .await
    }

    /// Closes a shop down; once more changes nothing.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`].
    pub async fn close_shop(&self, shop: ShopId, act: Act) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let sql = "UPDATE shop SET closed_at = ?2 WHERE id = ?1 AND closed_at IS NULL";
            if tx.execute(sql, params![shop.as_bytes(), to_sql(act.at)])? > 0 {
                audit::append(tx, &act)?;
            }
            by_id(tx, shop)?.ok_or(Abort::Refused(NotTaken::Unknown))
        })
        .await
    }
}

fn forget(tx: &Tx<'_>, shop: ShopId, account: AccountId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM shop_owner WHERE shop = ?1 AND account = ?2";
    Ok(tx.execute(sql, params![shop.as_bytes(), account.as_bytes()])? > 0)
}

fn owners(c: &Connection, shop: ShopId) -> Result<Vec<Owner>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT account, 1, created_at FROM shop WHERE id = ?1
         UNION ALL SELECT account, 0, since FROM shop_owner WHERE shop = ?1
         ORDER BY 2 DESC, 3, 1",
    )?;
    let rows = statement.query_map([shop.as_bytes()], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, from_sql(row.get(2)?)))
    })?;
    rows.map(|row| {
        let (account, first, since) = row?;
        let account = AccountId::from_slice(&account)
            .ok_or_else(|| StoreError::damaged("the owner of the shop", shop))?;
        Ok(Owner { account, first, since })
    })
    .collect()
}
