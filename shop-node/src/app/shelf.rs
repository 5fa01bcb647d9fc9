//! The shelf as anybody may look at it: lists, searches and single products, ready to be shown.
//!
//! **Invariant:** how much is free to sell is read in the same state of the database as the list,
//! and only for what is shown.

use kirana_core::{catalogue::product::Product, day::Day, id::ProductId, time::UnixMs};
use kirana_migrations::{
    StoreError,
    catalogue::{
        self, Ready,
        facets::Facets,
        place::Place,
        search::{Count, Query, search},
    },
};

use super::Shop;
use crate::store::catalogue as shelves;

/// A product that is shown, and how much of it is free to sell; `None` where nobody counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As it is shown.
    pub ready: Ready,
    /// In base units.
    pub available: Option<u64>,
}

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
            let today = self.inner.today(c, now)?;
            let shown = |row: &i64| item(c, catalogue::shown_at(c, *row, now)?, today);
            let items = page.rows.iter().map(shown);
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
        self.reader().read(|c| match catalogue::shown(c, self.id(), id, now)? {
            Some(ready) => item(c, ready, self.inner.today(c, now)?).map(Some),
            None => Ok(None),
        })
    }
}

fn item(
    c: &kirana_migrations::rusqlite::Connection,
    ready: Ready,
    today: Day,
) -> Result<Item, StoreError> {
    let available = match ready.counted {
        true => Some(shelves::available(c, ready.id, today)?),
        false => None,
    };
    Ok(Item { ready, available })
}
