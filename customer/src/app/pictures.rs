//! Pictures of products: fetched once, checked by the digest that the shop signed, kept as long as
//! there is room, and shown without a network.
//!
//! **Invariant:** all of them can be had again, so that no file for another device holds any, and
//! room is made by throwing away those that nobody looked at for longest.

use std::collections::BTreeSet;

use kirana_core::{
    hash::Hash,
    id::{ProductId, ShopId},
    time::UnixMs,
};
use kirana_migrations::catalogue::{
    pictures::{self, Picture},
    saved,
};

use super::{Household, HouseholdError, write};
use crate::store::{
    orders,
    settings::{self, Setting},
};

/// How many bytes pictures may have together, unless somebody says otherwise.
pub const PICTURES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many pictures are fetched ahead in one round, at most.
pub const AHEAD_MAX: usize = 32;

impl Household {
    /// A picture that is kept here; that somebody looked at it is noted.
    ///
    /// # Errors
    /// When stored data cannot be read or written.
    pub fn picture(&self, hash: Hash, now: UnixMs) -> Result<Option<Picture>, HouseholdError> {
        let read = self.db.reader.read(|reader| {
            let picture = pictures::get(reader, hash)?;
            let is_news = picture.is_some() && pictures::is_worth_noting(reader, hash, now)?;
            Ok::<_, HouseholdError>((picture, is_news))
        });
        let (picture, is_news) = read?;
        if is_news {
            write(&self.db, move |tx| Ok(pictures::note_used(tx, hash, now)?))?;
        }
        Ok(picture)
    }

    /// Whether a picture is kept here.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn has_picture(&self, hash: Hash) -> Result<bool, HouseholdError> {
        self.db.reader.read(|reader| Ok(pictures::is_kept(reader, hash)?))
    }

    /// Keeps a picture, and makes room for it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn keep_picture(&self, picture: Picture, now: UnixMs) -> Result<(), HouseholdError> {
        let bytes_max = self.pictures_bytes_max()?;
        write(&self.db, move |tx| Ok(pictures::keep(tx, &picture, now, bytes_max)?))
    }

    /// The picture that a product in a saved catalogue names.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn picture_of(&self, product: ProductId) -> Result<Option<Hash>, HouseholdError> {
        self.db.reader.read(|reader| {
            for shop in saved::shops(reader)? {
                if let Some(image) = pictures::of_product(reader, shop, product)? {
                    return Ok(Some(image));
                }
            }
            Ok(None)
        })
    }

    /// The shops of which a product in a saved catalogue names this picture.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn naming_picture(&self, hash: Hash) -> Result<Vec<ShopId>, HouseholdError> {
        self.db.reader.read(|reader| Ok(pictures::named_by(reader, hash)?))
    }

    /// The pictures of what stands in carts and in open orders that are not kept here yet.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn pictures_wanted(&self) -> Result<BTreeSet<(ShopId, Hash)>, HouseholdError> {
        let mut products: Vec<(ShopId, ProductId)> = Vec::new();
        let document = self.document()?;
        for cart in document.carts() {
            let lines = document.lines(cart.id).into_iter();
            products.extend(lines.map(|line| (line.item.shop, line.item.product)));
        }
        let stored = self.db.reader.read(|reader| Ok::<_, HouseholdError>(orders::all(reader)?))?;
        for order in stored.into_iter().filter(|order| order.open) {
            // One that is damaged is told of elsewhere, and needs no picture.
            let Ok(chain) = self.order_chain(order.id) else { continue };
            let lines = chain.order().placed.lines.iter();
            products.extend(lines.map(|line| (order.shop, line.product)));
        }
        self.db.reader.read(|reader| {
            let mut wanted = BTreeSet::new();
            for (shop, product) in products {
                let Some(hash) = pictures::of_product(reader, shop, product)? else { continue };
                if wanted.len() < AHEAD_MAX && !pictures::is_kept(reader, hash)? {
                    wanted.insert((shop, hash));
                }
            }
            Ok(wanted)
        })
    }

    /// How many bytes pictures may have together.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn pictures_bytes_max(&self) -> Result<u64, HouseholdError> {
        self.db.reader.read(|reader| {
            let set = settings::get(reader, Setting::PicturesBytesMax)?;
            let set = set.and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
            Ok(set.unwrap_or(PICTURES_BYTES_MAX))
        })
    }

    /// Says how many bytes pictures may have together; what has no room is thrown away at once.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn set_pictures_bytes_max(&self, bytes_max: u64) -> Result<(), HouseholdError> {
        write(&self.db, move |tx| {
            settings::set(tx, Setting::PicturesBytesMax, &bytes_max.to_be_bytes())?;
            Ok(pictures::make_room(tx, bytes_max)?)
        })
    }

    /// How many pictures are kept, and how many bytes they have.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn pictures_held(&self) -> Result<(u64, u64), HouseholdError> {
        self.db.reader.read(|reader| Ok(pictures::held(reader)?))
    }
}
