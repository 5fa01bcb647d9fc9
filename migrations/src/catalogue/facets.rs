//! How many of the products that were found have what: categories, diets, prices, shops, stock.
//!
//! **Invariant:** each product that was found counts once in each facet that says something of it.

use std::collections::BTreeMap;

use kirana_core::id::ShopId;

use super::{card::Card, categories};

/// Counts of what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By category; each counts what stands below it too. Those without one are in none.
    pub categories: BTreeMap<String, u32>,
    /// By diet; a product may suit several.
    pub diets: BTreeMap<String, u32>,
    /// By price; those without one are in none.
    pub prices: BTreeMap<Band, u32>,
    /// By shop.
    pub shops: BTreeMap<ShopId, u32>,
    /// In stock, or not counted.
    pub in_stock: u32,
    /// All others.
    pub out_of_stock: u32,
}

/// Prices from an amount up to, not with, another, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Band {
    /// The least of it.
    pub from: i64,
    /// The least of the next one; nothing above the last.
    pub below: Option<i64>,
}

impl Band {
    fn of(price: i64) -> Self {
        let above = STEPS.iter().position(|step| price < *step).unwrap_or(STEPS.len());
        let from = above.checked_sub(1).map_or(0, |below| STEPS[below]);
        Self { from, below: STEPS.get(above).copied() }
    }
}

/// Where a band ends and the next begins: 1, 2, 5, 10 … of the main unit where it has 100.
const STEPS: [i64; 12] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000];

impl Facets {
    /// Gives each shelf what stands on it and below: counted are whole ways down, since there are
    /// few of them and many products.
    pub(super) fn settle(&mut self) {
        for (shelves, count) in std::mem::take(&mut self.categories) {
            categories::add(&mut self.categories, &shelves, count);
        }
    }

    /// Counts a product; [`Facets::settle`] comes after the last.
    pub(super) fn count(&mut self, card: &Card<'_>) {
        let once_more = |counts: &mut BTreeMap<String, u32>, what: &str| match counts.get_mut(what)
        {
            Some(known) => *known += 1,
            None => drop(counts.insert(what.to_owned(), 1)),
        };
        if let Some(shelves) = card.shelves {
            once_more(&mut self.categories, shelves);
        }
        let diets = card.diets.into_iter().flat_map(|diets| diets.split('|'));
        diets.filter(|diet| !diet.is_empty()).for_each(|diet| once_more(&mut self.diets, diet));
        if card.price != i64::MAX {
            *self.prices.entry(Band::of(card.price)).or_default() += 1;
        }
        *self.shops.entry(card.shop).or_default() += 1;
        match card.in_stock {
            true => self.in_stock += 1,
            false => self.out_of_stock += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_is_in_one_band() {
        assert_eq!(Band::of(0), Band { from: 0, below: Some(100) });
        assert_eq!(Band::of(99), Band { from: 0, below: Some(100) });
        assert_eq!(Band::of(100), Band { from: 100, below: Some(200) });
        assert_eq!(Band::of(500_000), Band { from: 500_000, below: None });
    }
}
