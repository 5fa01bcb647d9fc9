//! What shops said is in stock, and how old that knowledge is.
//!
//! **Invariant:** of two snapshots the one of the higher generation, then of the higher number,
//! stands, in whatever order they come and whoever brings them.

use std::collections::{BTreeMap, btree_map::Entry};

use kirana_core::{
    availability::{Availability, Level, SignedAvailability},
    catalogue::{BucketNo, product::Product},
    id::{ShopId, VariantId},
    time::UnixMs,
};
use kirana_migrations::{
    Abort, Tx,
    catalogue::{Shelved, availability, saved},
};

use super::{Household, HouseholdError, write};
use crate::store::shops;

/// What is known of a product's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The best of its variants.
    pub level: Level,
    /// Each variant.
    pub variants: BTreeMap<VariantId, Level>,
    /// When the shop said so.
    pub at: UnixMs,
}

impl Household {
    /// Saves what a shop's node says is in stock; how many of the snapshots were news.
    ///
    /// # Errors
    /// [`HouseholdError::UnknownShop`] for a shop that was not chosen, or when nothing could be
    /// stored.
    pub fn save_availability(
        &self,
        shop: ShopId,
        snapshots: Vec<SignedAvailability>,
    ) -> Result<usize, HouseholdError> {
        write(&self.db, move |tx| {
            let mut news = 0;
            for snapshot in snapshots.iter().filter(|one| one.said().shop == shop) {
                news += usize::from(store(tx, shop, snapshot)?);
            }
            Ok(news)
        })
    }

    /// What is known of the stock of each of these products, in their order; `None` where the shop
    /// never said.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn stock(&self, products: &[Shelved]) -> Result<Vec<Option<Stock>>, HouseholdError> {
        self.db.reader.read(|reader| {
            let mut said: BTreeMap<(ShopId, BucketNo), Option<Availability>> = BTreeMap::new();
            for shelved in products {
                let key = (shelved.shop, shelved.bucket);
                if let Entry::Vacant(fresh) = said.entry(key) {
                    fresh.insert(availability::get(reader, key.0, key.1)?);
                }
            }
            let of = |shelved: &Shelved| {
                let said = said.get(&(shelved.shop, shelved.bucket))?.as_ref()?;
                Stock::of(&shelved.product, said)
            };
            Ok(products.iter().map(of).collect())
        })
    }
}

impl Stock {
    fn of(product: &Product, said: &Availability) -> Option<Self> {
        let variants: BTreeMap<VariantId, Level> =
            product.variants.keys().map(|variant| (*variant, said.level(*variant))).collect();
        let level = variants.values().copied().max_by_key(|level| rank(*level))?;
        Some(Self { level, variants, at: said.at })
    }
}

/// What a person would rather hear of a product with several variants.
fn rank(level: Level) -> u8 {
    match level {
        Level::None => 0,
        Level::NotCounted => 1,
        Level::Few => 2,
        Level::Enough => 3,
    }
}

fn store(
    tx: &Tx<'_>,
    shop: ShopId,
    snapshot: &SignedAvailability,
) -> Result<bool, Abort<HouseholdError>> {
    let said = snapshot.said();
    let known_shop = shops::get(tx, shop)?.ok_or(HouseholdError::UnknownShop)?;
    let is_current = said.generation >= known_shop.generation;
    Ok(is_current && saved::keep_availability(tx, snapshot)?)
}
