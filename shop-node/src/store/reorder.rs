//! What runs low, worked out from offers, balances and batches; and the levels that people set.

use kirana_core::{
    day::Day,
    id::{ProductId, SupplierId, VariantId},
    quantity::Unit,
    stock::reorder::{Rule, Standing},
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, Row, params},
};

use super::{int, uint};

/// Something of which there is too little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Low {
    /// What.
    pub variant: VariantId,
    /// Of which product.
    pub product: ProductId,
    /// In which unit it is counted.
    pub unit: Unit,
    /// What is there, and what is coming.
    pub standing: Standing,
    /// From when on it is low.
    pub rule: Rule,
    /// Of whom it is bought, where that is known: the supplier who was noted first.
    pub supplier: Option<SupplierId>,
    /// How many base units are in one pack there.
    pub pack: u64,
}

impl Low {
    /// How much to order; `None` where nobody ever said how much there should be.
    pub fn order(&self) -> Option<u64> {
        self.rule.order(self.standing, self.pack)
    }
}

/// A page of what is low, by variant.
pub fn low(
    c: &Connection,
    today: Day,
    after: Option<VariantId>,
    limit: u32,
) -> Result<Vec<Low>, StoreError> {
    let sql = "SELECT * FROM (
                 SELECT o.variant, o.product, o.unit, ifnull(r.level, o.safety) AS level, r.up_to,
                   ifnull((SELECT sum(max(0, b.on_hand - b.reserved - ifnull(
                       (SELECT sum(s.amount) FROM batch_stock s JOIN batch t ON t.n = s.batch
                        WHERE s.variant = b.variant AND s.location = b.location
                          AND t.best_before < ?1), 0)))
                     FROM stock_balance b WHERE b.variant = o.variant), 0) AS free,
                   ifnull((SELECT sum(l.amount - l.received) FROM purchase_line l
                     JOIN purchase p ON p.id = l.purchase WHERE l.variant = o.variant
                       AND l.received < l.amount AND p.ended_ms IS NULL), 0),
                   a.supplier, ifnull(a.pack, 1)
                 FROM offer o LEFT JOIN reorder_rule r ON r.variant = o.variant
                 LEFT JOIN supplier_article a ON a.variant = o.variant AND a.supplier =
                   (SELECT min(supplier) FROM supplier_article WHERE variant = o.variant)
                 WHERE o.counted = 1 AND (?2 IS NULL OR o.variant > ?2))
               WHERE free = 0 OR free < level ORDER BY variant LIMIT ?3";
    let after = after.map(|variant| *variant.as_bytes());
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![today.get(), after, limit])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// Sets from when on a variant is ordered again.
pub fn put(tx: &Tx<'_>, variant: VariantId, level: u64, up_to: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO reorder_rule (variant, level, up_to) VALUES (?1, ?2, ?3)
               ON CONFLICT (variant) DO UPDATE SET level = excluded.level, up_to = excluded.up_to";
    tx.prepare_cached(sql)?.execute((variant.as_bytes(), int(level), int(up_to)))?;
    Ok(())
}

/// Forgets it: the safety stock of the catalogue counts again. Says whether there was one.
pub fn remove(tx: &Tx<'_>, variant: VariantId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM reorder_rule WHERE variant = ?1";
    Ok(tx.prepare_cached(sql)?.execute([variant.as_bytes()])? > 0)
}

fn read(row: &Row<'_>) -> Result<Low, StoreError> {
    let damaged = || StoreError::damaged("the offer", "of a variant");
    let up_to: Option<i64> = row.get(4)?;
    Ok(Low {
        variant: VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?,
        product: ProductId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?,
        unit: row.get::<_, String>(2)?.parse().map_err(|_| damaged())?,
        standing: Standing {
            free: uint("a balance", row.get(5)?)?,
            coming: uint("a purchase", row.get(6)?)?,
        },
        rule: Rule {
            level: uint("a level", row.get(3)?)?,
            up_to: up_to.map(|up_to| uint("a level", up_to)).transpose()?,
        },
        supplier: match row.get::<_, Option<Vec<u8>>>(7)? {
            Some(id) => Some(SupplierId::from_slice(&id).ok_or_else(damaged)?),
            None => None,
        },
        pack: uint("a pack", row.get(8)?)?,
    })
}
