//! The few columns of a product that lists filter, sort and count by, and the filter itself.
//!
//! **Invariant:** a filter means the same whether SQL or a [`Sieve`] applies it.

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

/// What lists know of a product, as it stands in its row.
#[derive(Debug, Clone)]
pub(super) struct Card<'r> {
    pub(super) shop: ShopId,
    pub(super) in_stock: bool,
    pub(super) price: i64,
    pub(super) unit_price: i64,
    pub(super) folded: &'r str,
    pub(super) shelves: Option<&'r str>,
    pub(super) diets: Option<&'r str>,
}

impl<'r> Card<'r> {
    fn read(row: &'r Row<'_>) -> Result<Self, StoreError> {
        let shop: [u8; 16] = row.get(0)?;
        let text = |column| -> rusqlite::Result<Option<&'r str>> {
            Ok(row.get_ref(column)?.as_str_or_null()?)
        };
        Ok(Self {
            shop: ShopId::from_slice(&shop)
                .ok_or_else(|| StoreError::damaged("a product", "of the catalogue"))?,
            in_stock: row.get(1)?,
            price: row.get(2)?,
            unit_price: row.get(3)?,
            folded: text(4)?.unwrap_or_default(),
            shelves: text(5)?,
            diets: text(6)?,
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
        end.map_or(self.folded, |(end, _)| &self.folded[..end])
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

    /// The filter as it is held against many cards.
    pub(super) fn sieve(&self) -> Sieve<'_> {
        Sieve { filter: self, shelf: self.category_mark(), diet: self.diet_mark() }
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

/// A filter, and what it looks for on a card.
pub(super) struct Sieve<'f> {
    filter: &'f Filter,
    shelf: Option<String>,
    diet: Option<String>,
}

impl Sieve<'_> {
    pub(super) fn lets(&self, card: &Card<'_>) -> bool {
        let Self { filter, shelf, diet } = self;
        let has = |marks: Option<&str>, mark: &str| marks.is_some_and(|own| own.contains(mark));
        filter.shop.is_none_or(|shop| shop == card.shop)
            && filter.shops.as_ref().is_none_or(|shops| shops.contains(&card.shop))
            && shelf.as_ref().is_none_or(|shelf| has(card.shelves, shelf))
            && diet.as_ref().is_none_or(|diet| has(card.diets, diet))
            && filter.price_max.is_none_or(|most| card.price <= most && card.price != i64::MAX)
            && (card.in_stock || !filter.in_stock)
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

    pub(super) fn read<T>(
        &mut self,
        row: i64,
        look: impl FnOnce(&Card<'_>) -> T,
    ) -> Result<T, StoreError> {
        let mut rows = self.select.query([row])?;
        let none = || StoreError::damaged("the index", "of the catalogue");
        Ok(look(&Card::read(rows.next()?.ok_or_else(none)?)?))
    }
}
