//! Pictures of products on the shelves: fetched from their shop when somebody first asks, kept as
//! long as there is room, and handed on also while the shop is dark.
//!
//! **Invariant:** nobody makes the hub fetch what no product on its shelves names, and what came is
//! kept and handed on only under the digest that its bytes have.

use std::{sync::OnceLock, time::Duration};

use kirana_core::{hash::Hash, id::ShopId, time::UnixMs};
use kirana_migrations::catalogue::pictures::Picture;
use kirana_sync::{
    driver::NodeHandle,
    wire::{Code, Refused, Request, Response},
};
use tokio::sync::Semaphore;

use super::{Error, Hub, relay::Answer};

/// How many pictures are fetched at once; who asks for more is told to come again.
const FETCHED_AT_ONCE: usize = 8;
/// How long a shop may take for one.
const FETCH_TIME: Duration = Duration::from_secs(8);

/// Where pictures are fetched from.
pub(super) struct Fetching {
    node: OnceLock<NodeHandle>,
    places: Semaphore,
}

impl Default for Fetching {
    fn default() -> Self {
        Self { node: OnceLock::new(), places: Semaphore::new(FETCHED_AT_ONCE) }
    }
}

impl Hub {
    /// Gives the hub a way to shops, to fetch pictures by; before that it has those that it kept.
    pub fn fetch_through(&self, node: NodeHandle) {
        // A second one would be the same node.
        let _ = self.0.fetching.node.set(node);
    }

    /// A picture that a product on the shelves names.
    ///
    /// # Errors
    /// [`Error::NotFound`] where none names it; [`Error::Unavailable`] where it is not kept and its
    /// shop does not give it.
    pub async fn picture(&self, hash: Hash, now: UnixMs) -> Result<Picture, Error> {
        let shelves = self.shelves()?;
        if let Some(kept) = shelves.picture(hash, now).await? {
            return Ok(kept);
        }
        let shops = shelves.naming(hash)?;
        if shops.is_empty() {
            return Err(Error::NotFound { what: "picture" });
        }
        let busy = |_| Error::Unavailable("other pictures are being fetched".to_owned());
        let _place = self.0.fetching.places.try_acquire().map_err(busy)?;
        for shop in shops {
            match self.fetched(shop, hash, now).await? {
                Ok(picture) => {
                    shelves.keep_picture(picture.clone(), now).await?;
                    return Ok(picture);
                }
                Err(why) => {
                    tracing::debug!(shop.id = %shop, error = %why, "a picture was not fetched");
                }
            }
        }
        Err(Error::Unavailable("its shop does not give the picture now".to_owned()))
    }

    /// What a shop gives for a picture, or why that comes to nothing.
    async fn fetched(
        &self,
        shop: ShopId,
        hash: Hash,
        now: UnixMs,
    ) -> Result<Result<Picture, String>, Error> {
        let Some(node) = self.0.fetching.node.get() else {
            return Ok(Err("this hub has no way to shops yet".to_owned()));
        };
        let Some(record) = self.record_to_gather(shop, now).await? else {
            return Ok(Err("the shop's record is over".to_owned()));
        };
        let (key, said) = (record.node().key(), record.record());
        let addresses = said.addresses.iter().filter_map(|address| address.parse().ok());
        if let Err(why) = node.know(key, addresses.collect()).await {
            return Ok(Err(why.to_string()));
        }
        Ok(match node.request(key, Request::Image { shop, image: hash }, FETCH_TIME).await {
            Ok(Response::Image { jpeg }) => {
                Picture::check(hash, jpeg.into()).map_err(|why| why.to_string())
            }
            Ok(Response::Refused(no)) => Err(no.reason),
            Ok(_) => Err("the shop answered something else".to_owned()),
            Err(why) => Err(why.to_string()),
        })
    }

    /// Answers a household that asks for a picture.
    pub(super) async fn hand_out(&self, image: Hash, now: UnixMs) -> Answer {
        match self.picture(image, now).await {
            Ok(picture) => Ok(Response::Image { jpeg: picture.into_jpeg().into() }),
            Err(Error::NotFound { .. } | Error::Unavailable(_)) => {
                let reason = "this hub does not have the picture; ask the shop";
                Err(Refused::new(Code::NotHere, reason).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
