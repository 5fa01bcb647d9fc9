//! The shelf as anybody may look at it: lists, searches and single products, ready to be shown.
//!
//! **Invariant:** how much is free to sell is read in the same state of the database as the list,
//! and only for what is shown.

use kirana_core::{catalogue::product::Product, id::ProductId, time::UnixMs};
use kirana_migrations::{
    StoreError,
    catalogue::{
        self,
        facets::Facets,
        place::Place,
        search::{Count, Query, search},
    },
};

use super::Shop;
pub use crate::store::shelf::Item;
use crate::store::shelf::{self, Items, Moment};

/// A page of the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// Best first.
    pub items: Vec<Item>,
    /// How many there are on all pages.
    pub count: Count,
    /// What they have, if that was asked.
    pub facets: Option<Facets>,
    /// Where the next page begins.
    pub next: Option<Place>,
}

impl Shop {
    /// Looks for products. A shelf is public, so nobody is asked who they are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn shelf(&self, query: &Query, now: UnixMs) -> Result<Shelf, StoreError> {
        self.reader().read(|c| {
            let page = search(c, query)?;
            let moment = Moment { now, today: self.inner.today(c, now)? };
            let mut items = Items::of(c, moment)?;
            let items = page.rows.iter().map(|row| items.at(*row));
            Ok(Shelf {
                items: items.collect::<Result<_, StoreError>>()?,
                count: page.count,
                facets: page.facets,
                next: page.next,
            })
        })
    }

    /// [`Shop::shelf`], for what somebody typed or scanned: where nothing is found, a scale's code
    /// finds what was weighed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn looked_for(&self, typed: &str, query: &Query, now: UnixMs) -> Result<Shelf, StoreError> {
        let found = self.shelf(query, now)?;
        if !found.items.is_empty() || query.after.is_some() {
            return Ok(found);
        }
        let Some(variant) = self.of_a_scale(typed)? else { return Ok(found) };
        let product = self.product_of(variant)?.map(|product| product.id);
        let item = product.map(|id| self.on_the_shelf(id, now)).transpose()?.flatten();
        let count = Count { at_least: usize::from(item.is_some()), more: false };
        Ok(Shelf { items: item.into_iter().collect(), count, ..found })
    }

    /// The products that are found, for those who need more of them than is shown.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn products(&self, query: &Query) -> Result<Vec<Product>, StoreError> {
        self.reader().read(|c| {
            let page = search(c, query)?;
            let read = |row: &i64| Ok(catalogue::shelved_at(c, *row)?.product);
            page.rows.iter().map(read).collect()
        })
    }

    /// One product that is on the shelf.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn on_the_shelf(&self, id: ProductId, now: UnixMs) -> Result<Option<Item>, StoreError> {
        self.reader().read(|c| {
            let moment = Moment { now, today: self.inner.today(c, now)? };
            shelf::item_of(c, self.id(), id, moment)
        })
    }
}
