//! What a shop looks like: one picture, shown to whoever may see the shop.
//!
//! **Invariants:** what was sent is never stored, only what was encoded here; decoding keeps no
//! request waiting that is about something else, and few pictures are decoded at once.

use std::sync::Arc;

use kirana_core::{hash::Hash, id::ShopId, time::UnixMs};
use kirana_picture::{Picture, Unfit, reencode, reencode_for_mail};
use tokio::sync::Semaphore;

use crate::{
    app::{
        Error, Hub,
        password::Busy,
        policy::{Action, Actor},
    },
    store::shop::{Shop, State},
};

const NO_PHOTO: Error = Error::NotFound { what: "photo" };

/// How many pictures are decoded at once: each takes up to 300 MB.
const DECODING_MAX: usize = 1;
/// How many wait for that at most, each with its file in memory.
const WAITING_MAX: usize = 8;

/// Where pictures are decoded.
pub(in crate::app) struct Studio {
    decoding: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Studio {
    fn default() -> Self {
        let places = |places| Arc::new(Semaphore::new(places));
        Self { decoding: places(DECODING_MAX), waiting: places(DECODING_MAX + WAITING_MAX) }
    }
}

impl Studio {
    async fn reencode(&self, file: impl AsRef<[u8]> + Send + 'static) -> Result<Picture, Error> {
        self.made(file, reencode).await
    }

    /// A picture that goes along with a piece of mail.
    pub(in crate::app) async fn for_mail(&self, file: Vec<u8>) -> Result<Picture, Error> {
        self.made(file, reencode_for_mail).await
    }

    async fn made(
        &self,
        file: impl AsRef<[u8]> + Send + 'static,
        make: fn(&[u8]) -> Result<Picture, Unfit>,
    ) -> Result<Picture, Error> {
        let queued = self.waiting.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.decoding.clone().acquire_owned().await.map_err(|_| Busy)?;
        let work = move || {
            let made = make(file.as_ref());
            drop((queued, turn));
            made
        };
        // A file by which a decoder falls over is not one that anybody sees elsewhere.
        let made = tokio::task::spawn_blocking(work).await.map_err(|_| Unfit::Damaged)?;
        Ok(made?)
    }
}

impl Hub {
    /// Gives a shop the picture that is in a file, in place of the one that it had.
    ///
    /// # Errors
    /// [`Error::Unfit`] says what is wrong with the file; [`Error::NotFound`] for a shop that is
    /// not one's own; [`Error::Busy`].
    pub async fn set_shop_photo(
        &self,
        actor: &Actor,
        id: ShopId,
        file: impl AsRef<[u8]> + Send + 'static,
        now: UnixMs,
    ) -> Result<Shop, Error> {
        self.own_shop(actor, id, now).await?;
        let Picture { jpeg, .. } = self.0.studio.reencode(file).await?;
        let act = actor.act(Action::OwnShop, &id.to_string(), "photo set", now);
        Ok(self.store().set_photo(id, Some(jpeg), act).await?)
    }

    /// Takes the picture of a shop away.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a shop that is not one's own, or that has none.
    pub async fn remove_shop_photo(
        &self,
        actor: &Actor,
        id: ShopId,
        now: UnixMs,
    ) -> Result<(), Error> {
        let shop = self.own_shop(actor, id, now).await?;
        shop.photo.ok_or(NO_PHOTO)?;
        let act = actor.act(Action::OwnShop, &id.to_string(), "photo removed", now);
        self.store().set_photo(id, None, act).await?;
        Ok(())
    }

    /// The picture of a shop with this digest, and whether everybody may see it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a shop that this person does not see, or that looks otherwise now.
    pub async fn shop_photo(
        &self,
        actor: Option<&Actor>,
        id: ShopId,
        hash: Hash,
        now: UnixMs,
    ) -> Result<(Vec<u8>, bool), Error> {
        let shop = self.shop(actor, id, now).await?;
        let is_public = shop.state == State::Approved;
        Ok((self.photo_of(&shop, hash).await?, is_public))
    }

    /// [`Hub::shop_photo`], for whoever decides on applications.
    ///
    /// # Errors
    /// As there.
    pub async fn application_photo(
        &self,
        actor: &Actor,
        id: ShopId,
        hash: Hash,
        now: UnixMs,
    ) -> Result<Vec<u8>, Error> {
        self.authorise(actor, Action::ReviewShops, &id.to_string(), now).await?;
        let shop = self.store().shop(id).await?.ok_or(NO_PHOTO)?;
        self.photo_of(&shop, hash).await
    }

    async fn photo_of(&self, shop: &Shop, hash: Hash) -> Result<Vec<u8>, Error> {
        match shop.photo {
            Some(named) if named == hash => self.store().picture(hash).await?.ok_or(NO_PHOTO),
            _ => Err(NO_PHOTO),
        }
    }
}
