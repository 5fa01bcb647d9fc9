//! Saved catalogues: what a shop signed, stored once, searched without any network.
//!
//! **Invariant:** bytes are loaded only under a head that covers them, and the rows that people
//! search change in the transaction that stores the bytes.

use kirana_core::{
    id::{ShopId, VariantId},
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, Tx,
    catalogue::{
        self, Shelved,
        categories::{
            self,
            listed::{self, Listed},
        },
        chunks,
        place::Place,
        projection, saved,
        search::{Count, Query},
    },
};
use kirana_sync::pull::{Known, Load};

use super::{Household, HouseholdError, write};
use crate::store::shops;

/// What a search found in the saved catalogues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Best first.
    pub items: Vec<Shelved>,
    /// When the shop signed what is known of each of them, in their order.
    pub signed_at: Vec<UnixMs>,
    /// How many there are on all pages.
    pub count: Count,
    /// Where the next page begins.
    pub next: Option<Place>,
}

impl Household {
    /// How far each document of a shop's catalogue is saved.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn catalogue_known(&self, shop: ShopId) -> Result<Known, HouseholdError> {
        let reached = self.db.reader.read(|reader| chunks::reached(reader, shop))?;
        Ok(reached.into_iter().map(|(bucket, at)| (bucket, (at.generation, at.n))).collect())
    }

    /// Saves a chunk or a snapshot whose head was checked; whether it was news.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownShop`] for a shop that was not chosen, and when the bytes do not
    /// load or could not be stored: nothing is changed then.
    pub fn save_catalogue(&self, load: &Load) -> Result<bool, HouseholdError> {
        let load = load.clone();
        write(&self.db, move |tx| store(tx, &load))
    }

    /// Sorts saved products by the planned prices that began or ended: before a search.
    ///
    /// # Errors
    /// When nothing can be read or stored.
    pub fn turn_prices(&self, now: UnixMs) -> Result<(), HouseholdError> {
        let now = self.known_now(now).at;
        while self.db.reader.read(|c| projection::is_due(c, now))? {
            write(&self.db, move |tx| Ok(projection::turn(tx, now)?))?;
        }
        Ok(())
    }

    /// Looks for products in the saved catalogues.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn search(&self, query: &Query) -> Result<Found, HouseholdError> {
        self.db.reader.read(|reader| {
            let page = catalogue::search::search(reader, query)?;
            let items = page.rows.iter().map(|row| catalogue::shelved_at(reader, *row));
            let items = items.collect::<Result<Vec<Shelved>, StoreError>>()?;
            let signed_at =
                items.iter().map(|item| chunks::signed_at(reader, item.shop, item.bucket));
            let signed_at = signed_at.collect::<Result<_, StoreError>>()?;
            Ok(Found { items, signed_at, count: page.count, next: page.next })
        })
    }

    /// The categories of a shop, or of all whose catalogues are saved; where that is one only, as
    /// it calls them.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn categories(&self, shop: Option<ShopId>) -> Result<Vec<Listed>, HouseholdError> {
        self.db.reader.read(|reader| {
            let saved = saved::shops(reader)?;
            let only = shop.or(Some(&saved).filter(|all| all.len() == 1).map(|all| all[0]));
            Ok(match only {
                Some(shop) => {
                    let mut all = listed::of_shop(reader, shop)?;
                    all.retain(|category| !category.hidden);
                    all
                }
                None => listed::of_all(reader)?,
            })
        })
    }

    /// The category that somebody means by its id or its name in some language; else what they
    /// said, which may be a word of products.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn category_meant(
        &self,
        shop: Option<ShopId>,
        said: &str,
    ) -> Result<String, HouseholdError> {
        self.db.reader.read(|reader| {
            for shop in shop.map_or_else(|| saved::shops(reader), |shop| Ok(vec![shop]))? {
                if let Some(id) = categories::tree(reader, shop)?.meant(said) {
                    return Ok(id.as_str().to_owned());
                }
            }
            Ok(said.to_owned())
        })
    }

    /// The product of a variant in a saved catalogue, with the number of the chunk that it was
    /// read from.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn on_the_shelf(
        &self,
        shop: ShopId,
        variant: VariantId,
    ) -> Result<Option<(Shelved, u64)>, HouseholdError> {
        self.db.reader.read(|reader| {
            let Some(found) = catalogue::by_variant(reader, shop, variant)? else {
                return Ok(None);
            };
            let reached = chunks::reached(reader, shop)?;
            let n = reached.get(&found.bucket).map_or(0, |at| at.n);
            Ok(Some((found, n)))
        })
    }
}

impl Household {
    /// How many products of a shop are saved.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn products_saved(&self, shop: ShopId) -> Result<u64, HouseholdError> {
        self.db.reader.read(|reader| Ok(catalogue::listed(reader, shop)?))
    }
}

fn store(tx: &Tx<'_>, load: &Load) -> Result<bool, Abort<HouseholdError>> {
    let head = load.head.head();
    if shops::get(tx, head.shop)?.is_none() {
        return Err(HouseholdError::UnknownShop.into());
    }
    saved::keep(tx, &load.head, &load.bytes).map_err(|no| match no {
        Abort::Refused(refusal) => Abort::Refused(refusal.into()),
        Abort::Store(error) => Abort::Store(error),
    })
}
