//! Products as the shelf shows them: one look for what is said of each and what is left of it, which
//! the database works out whenever it changes (`shelf_stock`).
//!
//! **Invariant:** what is left is never more than what can be sold today: without what is promised,
//! past its date, or kept for safety.

use kirana_core::{
    day::Day,
    id::{ProductId, ShopId},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError,
    catalogue::{self, Ready},
    rusqlite::{CachedStatement, Connection, OptionalExtension, Row},
};

/// A product that is shown, and how much of it is free to sell; `None` where nobody counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// As it is shown.
    pub ready: Ready,
    /// In base units.
    pub available: Option<u64>,
}

/// When somebody looks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Planned prices begin by it.
    pub now: UnixMs,
    /// Batches end by it.
    pub today: Day,
}

/// Reads products as they are shown, by the rows that a search found.
pub struct Items<'c> {
    c: &'c Connection,
    select: CachedStatement<'c>,
    moment: Moment,
}

impl<'c> Items<'c> {
    /// Ready to read.
    pub fn of(c: &'c Connection, moment: Moment) -> Result<Self, StoreError> {
        let sql = "SELECT p.id, p.in_stock, p.counted, v.shown,
                     CASE v.shown WHEN '' THEN v.value END, s.available, s.first_day
                   FROM product p JOIN product_value v USING (row)
                   LEFT JOIN shelf_stock s ON s.product = p.id WHERE p.row = ?1";
        Ok(Self { c, select: c.prepare_cached(sql)?, moment })
    }

    /// The product of a row.
    pub fn at(&mut self, row: i64) -> Result<Item, StoreError> {
        let read = |row: &Row<'_>| {
            let ready = catalogue::ready(row, self.moment.now);
            Ok((ready, row.get(5)?, row.get(6)?))
        };
        let found = self.select.query_row([row], read)?;
        let (ready, available, first): (_, Option<i64>, Option<i64>) = found;
        let ready = ready?;
        let is_past = first.is_some_and(|day| day < i64::from(self.moment.today.get()));
        let available = match ready.counted {
            false => None,
            true if is_past => Some(fresh(self.c, ready.id, self.moment.today)?),
            true => Some(available.unwrap_or_default()),
        };
        let available = available.map(|amount| super::uint("a balance", amount)).transpose()?;
        Ok(Item { ready, available })
    }
}

/// What is free to sell of a product of which some is past its date.
fn fresh(c: &Connection, product: ProductId, today: Day) -> Result<i64, StoreError> {
    let sql = "SELECT ifnull(sum(max(0, b.on_hand - b.reserved - o.safety - ifnull(
                 (SELECT sum(s.amount) FROM batch_stock s JOIN batch t ON t.n = s.batch
                  WHERE s.variant = b.variant AND s.location = b.location
                    AND t.best_before < ?2), 0))), 0)
               FROM offer o JOIN stock_balance b ON b.variant = o.variant
               WHERE o.product = ?1 AND o.closed = 0";
    let mut select = c.prepare_cached(sql)?;
    Ok(select.query_row((product.as_bytes(), today.get()), |row| row.get(0))?)
}

/// The products of which the shelf shows another amount than the ledger leaves, one sentence each.
pub fn faults(c: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT s.product FROM shelf_stock s WHERE s.available <> (
                 SELECT ifnull(sum(max(0, b.on_hand - b.reserved - o.safety)), 0)
                 FROM offer o JOIN stock_balance b ON b.variant = o.variant
                 WHERE o.product = s.product AND o.closed = 0)";
    let mut select = c.prepare(sql)?;
    let products = select.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    let told = |id: [u8; 16]| {
        let id =
            ProductId::from_slice(&id).ok_or_else(|| StoreError::damaged("a product", "id"))?;
        Ok(format!("product {id}: the shelf shows another amount than the ledger leaves"))
    };
    products.map(|id| told(id?)).collect()
}

/// One product that is listed.
pub fn item_of(
    c: &Connection,
    shop: ShopId,
    id: ProductId,
    moment: Moment,
) -> Result<Option<Item>, StoreError> {
    let sql = "SELECT row FROM product WHERE shop = ?1 AND id = ?2 AND listed = 1";
    let keys = (shop.as_bytes(), id.as_bytes());
    let row = c.prepare_cached(sql)?.query_row(keys, |row| row.get(0)).optional()?;
    row.map(|row| Items::of(c, moment)?.at(row)).transpose()
}
