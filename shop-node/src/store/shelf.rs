//! Products as the shelf shows them: one look for what is said of each and what is left of it.
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
    rusqlite::{Connection, OptionalExtension, Row},
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

/// The product of a row that a search found.
pub fn item_at(c: &Connection, row: i64, moment: Moment) -> Result<Item, StoreError> {
    let sql = "SELECT p.id, p.in_stock, p.counted, v.shown, CASE v.shown WHEN '' THEN v.value END,
                 CASE p.counted WHEN 1 THEN
                   (SELECT ifnull(sum(max(0, b.on_hand - b.reserved - o.safety - ifnull(
                      (SELECT sum(s.amount) FROM batch_stock s JOIN batch t ON t.n = s.batch
                       WHERE s.variant = b.variant AND s.location = b.location
                         AND t.best_before < ?2), 0))), 0)
                    FROM offer o JOIN stock_balance b ON b.variant = o.variant
                    WHERE o.product = p.id AND o.closed = 0) END
               FROM product p JOIN product_value v USING (row) WHERE p.row = ?1";
    let mut select = c.prepare_cached(sql)?;
    select.query_row((row, moment.today.get()), |row| Ok(item(row, moment)))?
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
    row.map(|row| item_at(c, row, moment)).transpose()
}

fn item(row: &Row<'_>, moment: Moment) -> Result<Item, StoreError> {
    let available: Option<i64> = row.get(5)?;
    let available = available.map(|amount| super::uint("a balance", amount)).transpose()?;
    Ok(Item { ready: catalogue::ready(row, moment.now)?, available })
}
