//! What sales brought in and what the goods had cost: a row for each movement that says so.
//!
//! **Invariant:** worked out from the ledger in the transaction that writes it; `verify` compares.

use kirana_core::{
    id::VariantId,
    stock::{Movement, margin::Out},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension},
};

use super::{int, uint};

/// What was sold and thrown away of one variant in a time; money is in minor units, tax left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Of what.
    pub variant: VariantId,
    /// What was sold.
    pub sold: Out,
    /// What was thrown away.
    pub wasted: Out,
}

/// Keeps what a movement says.
pub fn put(tx: &Tx<'_>, movement: &Movement, out: &Out) -> Result<(), StoreError> {
    let sql = "INSERT INTO goods_out
                 (n, at_ms, variant, wasted, amount, net, costed, net_costed, cost)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    tx.prepare_cached(sql)?.execute((
        int(movement.seq),
        int(movement.at.get()),
        movement.variant.as_bytes(),
        out.wasted,
        int(out.amount),
        out.net,
        int(out.costed),
        out.net_costed,
        out.cost,
    ))?;
    Ok(())
}

/// What was kept of a movement.
pub fn get(c: &Connection, n: u64) -> Result<Option<Out>, StoreError> {
    let sql = "SELECT wasted, amount, net, costed, net_costed, cost FROM goods_out WHERE n = ?1";
    let row = c.prepare_cached(sql)?.query_row([int(n)], |row| {
        let (amount, costed): (i64, i64) = (row.get(1)?, row.get(3)?);
        let out = Out {
            wasted: row.get(0)?,
            net: row.get(2)?,
            net_costed: row.get(4)?,
            cost: row.get(5)?,
            ..Out::default()
        };
        Ok((out, amount, costed))
    });
    let Some((out, amount, costed)) = row.optional()? else { return Ok(None) };
    let (amount, costed) = (uint("a sale", amount)?, uint("a sale", costed)?);
    Ok(Some(Out { amount, costed, ..out }))
}

/// How many movements say something.
pub fn count(c: &Connection) -> Result<u64, StoreError> {
    uint("a count", c.query_row("SELECT count(*) FROM goods_out", [], |row| row.get(0))?)
}

/// The sums of each variant from a moment until before another, by variant.
pub fn sums(c: &Connection, from: UnixMs, until: UnixMs) -> Result<Vec<Sum>, StoreError> {
    let sql =
        "SELECT variant, wasted, sum(amount), sum(net), sum(costed), sum(net_costed), sum(cost)
               FROM goods_out WHERE at_ms >= ?1 AND at_ms < ?2
               GROUP BY variant, wasted ORDER BY variant, wasted";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((int(from.get()), int(until.get())))?;
    let mut all: Vec<Sum> = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = || StoreError::damaged("a sale", "of a variant");
        let variant = VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?;
        let out = Out {
            wasted: row.get(1)?,
            amount: uint("a sale", row.get(2)?)?,
            net: row.get(3)?,
            costed: uint("a sale", row.get(4)?)?,
            net_costed: row.get(5)?,
            cost: row.get(6)?,
        };
        if all.last().is_none_or(|sum| sum.variant != variant) {
            all.push(Sum { variant, sold: Out::default(), wasted: Out::default() });
        }
        if let Some(sum) = all.last_mut() {
            *(if out.wasted { &mut sum.wasted } else { &mut sum.sold }) = out;
        }
    }
    Ok(all)
}
