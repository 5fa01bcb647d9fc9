//! What lies in the shop, as lists show it: balances with what is free to sell, and the ledger.

use kirana_core::{
    id::ProductId,
    stock::{Balance, Movement, walk::Slot},
    time::UnixMs,
};
use kirana_migrations::StoreError;

use super::Shop;
use crate::store::{batches, offers, stock};

/// What is there of one variant at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shelved {
    /// Which variant, where.
    pub slot: Slot,
    /// Its product, while it is for sale.
    pub product: Option<ProductId>,
    /// On hand and reserved, in base units.
    pub balance: Balance,
    /// Free to sell: on hand less reserved, held back for safety, and past its date.
    pub available: u64,
    /// What of it has passed its best-before date, in base units.
    pub past: u64,
    /// Not sold until counted or confirmed.
    pub closed: bool,
}

impl Shop {
    /// A page of the balances, by variant and place.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stock(
        &self,
        after: Option<Slot>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Shelved>, StoreError> {
        self.reader().read(|c| {
            let today = self.inner.today(c, now)?;
            let mut rows = Vec::new();
            for (slot, balance) in stock::balances(c, after, limit)? {
                let shelf = offers::get(c, slot.variant)?;
                let safety = shelf.as_ref().map_or(0, |shelf| shelf.safety);
                let past = batches::past(c, slot.variant, slot.location, today)?;
                rows.push(Shelved {
                    slot,
                    product: shelf.as_ref().map(|shelf| shelf.product),
                    balance,
                    available: balance.available(safety.saturating_add(past)),
                    past,
                    closed: shelf.is_some_and(|shelf| shelf.closed),
                });
            }
            Ok(rows)
        })
    }

    /// A page of the ledger, after a movement's number.
    ///
    /// # Errors
    /// When the database cannot be read or a movement in it is damaged.
    pub fn stock_movements(&self, after: u64, limit: u32) -> Result<Vec<Movement>, StoreError> {
        self.reader().read(|c| {
            let rows = stock::movements(c, after, limit)?;
            rows.iter().map(|(n, bytes)| stock::parse(*n as i64, bytes)).collect()
        })
    }
}
