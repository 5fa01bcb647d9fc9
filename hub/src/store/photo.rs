//! Pictures of shops, each kept once and named by its digest.
//!
//! **Invariant:** a picture is there as long as a shop names it, and no longer.

use kirana_core::{hash::Hash, id::ShopId};
use kirana_migrations::{
    Abort, StoreError, Tx, WriteError,
    rusqlite::{OptionalExtension, params},
};

use super::{
    Store,
    audit::{self, Act},
    shop::{NotTaken, Shop, by_id},
    to_sql,
};

impl Store {
    /// Gives a shop a picture, or takes it away; `act` says who does.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] when there is no such shop.
    pub async fn set_photo(
        &self,
        shop: ShopId,
        jpeg: Option<Vec<u8>>,
        act: Act,
    ) -> Result<Shop, WriteError<NotTaken>> {
        self.write(move |tx| {
            let unknown = || Abort::Refused(NotTaken::Unknown);
            let before = by_id(tx, shop)?.ok_or_else(unknown)?.photo;
            let hash = jpeg.as_deref().map(Hash::of);
            if let (Some(hash), Some(jpeg)) = (hash, &jpeg) {
                let sql = "INSERT INTO picture (hash, jpeg) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                tx.execute(sql, params![hash.as_bytes(), jpeg])?;
            }
            tx.execute(
                "UPDATE shop SET photo = ?2, changed_at = ?3 WHERE id = ?1",
                params![shop.as_bytes(), hash.as_ref().map(Hash::as_bytes), to_sql(act.at)],
            )?;
            if let Some(before) = before {
                forget_unnamed(tx, before)?;
            }
            audit::append(tx, &act)?;
            by_id(tx, shop)?.ok_or_else(unknown)
        })
        .await
    }

    /// A picture.
    ///
    /// # Errors
    /// When the database cannot be read, or what it holds has another digest.
    pub async fn picture(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|c| {
            let sql = "SELECT jpeg FROM picture WHERE hash = ?1";
            let row = c.prepare_cached(sql)?.query_row([hash.as_bytes()], |row| row.get(0));
            let jpeg: Option<Vec<u8>> = row.optional()?;
            match jpeg {
                Some(jpeg) if Hash::of(&jpeg) != hash => {
                    Err(StoreError::damaged("the picture", hash))
                }
                jpeg => Ok(jpeg),
            }
        })
        .await
    }
}

fn forget_unnamed(tx: &Tx<'_>, hash: Hash) -> Result<(), StoreError> {
    let sql = "DELETE FROM picture WHERE hash = ?1
               AND NOT EXISTS (SELECT 1 FROM shop WHERE photo = ?1)";
    tx.execute(sql, [hash.as_bytes()])?;
    Ok(())
}
