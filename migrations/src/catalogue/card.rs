//! The few columns of a product that lists filter, sort and count by, and the filter itself.
//!
//! **Invariant:** a filter means the same whether SQL or [`Filter::lets`] applies it.

use std::collections::BTreeSet;

use kirana_core::id::ShopId;
use rusqlite::{CachedStatement, Connection, Row};

use super::{
    categories,
    place::{Key, NAME_CHARS_MAX, Sort},
};
use crate::StoreError;

/// Which products may be listed at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one shop only.
    pub shop: Option<ShopId>,
    /// Of these shops only.
    pub shops: Option<BTreeSet<ShopId>>,
    /// On one shelf: of this category, or of one below it.
    pub category: Option<String>,
    /// Suiting a diet, as the shop wrote it.
    pub diet: Option<String>,
    /// Costing at most so much, in minor units.
    pub price_max: Option<i64>,
    /// In stock, or not counted.
    pub in_stock: bool,
}

/// What lists know of a product.
#[derive(Debug, Clone)]
pub(super) struct Card {
    pub(super) shop: ShopId,
    pub(super) in_stock: bool,
    pub(super) price: i64,
    pub(super) unit_price: i64,
    pub(super) folded: String,
    pub(super) shelves: Option<String>,
    pub(super) diets: Option<String>,
}

impl Card {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let shop: [u8; 16] = row.get(0)?;
        Ok(Self {
            shop: ShopId::from_slice(&shop)
                .ok_or_else(|| StoreError::damaged("a product", "of the catalogue"))?,
            in_stock: row.get(1)?,
            price: row.get(2)?,
            unit_price: row.get(3)?,
            folded: row.get(4)?,
            shelves: row.get(5)?,
            diets: row.get(6)?,
        })
    }

    /// What it is sorted by; nothing where that is not written on the card.
    pub(super) fn key(&self, sort: Sort) -> Option<Key> {
        match sort {
            Sort::Relevance => None,
            Sort::Price => Some(Key::Price(self.price)),
            Sort::UnitPrice => Some(Key::UnitPrice(self.unit_price)),
            Sort::Name => Some(Key::Name(self.beginning().to_owned())),
        }
    }

    fn beginning(&self) -> &str {
        let end = self.folded.char_indices().nth(NAME_CHARS_MAX);
        end.map_or(self.folded.as_str(), |(end, _)| &self.folded[..end])
    }
}

impl Filter {
    /// Whether the card must be read to know.
    pub(super) fn needs_cards(&self) -> bool {
        let Self { shop, shops, category, diet, price_max, in_stock: _ } = self;
        shop.is_some()
            || shops.is_some()
            || category.is_some()
            || diet.is_some()
            || price_max.is_some()
    }

    pub(super) fn lets(&self, card: &Card) -> bool {
        let (diet, category) = (self.diet_mark(), self.category_mark());
        let has = |marks: &Option<String>, mark: &String| {
            marks.as_ref().is_some_and(|own| own.contains(mark))
        };
        self.shop.is_none_or(|shop| shop == card.shop)
            && self.shops.as_ref().is_none_or(|shops| shops.contains(&card.shop))
            && category.is_none_or(|category| has(&card.shelves, &category))
            && diet.is_none_or(|diet| has(&card.diets, &diet))
            && self.price_max.is_none_or(|most| card.price <= most && card.price != i64::MAX)
            && (card.in_stock || !self.in_stock)
    }

    /// The shops as SQL looks for one of them: in hexadecimal digits, with commas between them.
    pub(super) fn shop_list(&self) -> Option<String> {
        let digits = |shop: &ShopId| -> String {
            shop.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
        };
        let shops = self.shops.as_ref()?;
        Some(shops.iter().map(digits).collect::<Vec<_>>().join(","))
    }

    /// As shelves stand in the database.
    pub(super) fn category_mark(&self) -> Option<String> {
        self.category.as_deref().map(categories::mark)
    }

    /// As diets stand in the database.
    pub(super) fn diet_mark(&self) -> Option<String> {
        self.diet.as_ref().map(|diet| format!("|{diet}|"))
    }
}

/// Reads cards by row.
pub(super) struct Cards<'c> {
    select: CachedStatement<'c>,
}

impl<'c> Cards<'c> {
    pub(super) fn of(c: &'c Connection) -> Result<Self, StoreError> {
        let sql = "SELECT shop, in_stock, price, unit_price, folded, shelves, diets
                   FROM product WHERE row = ?1";
        Ok(Self { select: c.prepare_cached(sql)? })
    }

    pub(super) fn read(&mut self, row: i64) -> Result<Card, StoreError> {
        let mut rows = self.select.query([row])?;
        let none = || StoreError::damaged("the index", "of the catalogue");
        Card::read(rows.next()?.ok_or_else(none)?)
    }
}
