//! What sales brought in and what the goods had cost: a row for each movement that says so.
//!
//! **Invariant:** worked out from the ledger in the transaction that writes it; `verify` compares.

use kirana_core::{
    cbor,
    id::VariantId,
    stock::{
        Movement, OrderLink,
        margin::{Out, Way},
    },
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
    /// What came back.
    pub returned: Out,
}

const fn number(way: Way) -> i64 {
    match way {
        Way::Sold => 0,
        Way::Wasted => 1,
        Way::Returned => 2,
    }
}

fn way(number: i64) -> Result<Way, StoreError> {
    let ways = [Way::Sold, Way::Wasted, Way::Returned];
    let found = ways.into_iter().find(|way| self::number(*way) == number);
    found.ok_or_else(|| StoreError::damaged("a sale", "of no known way"))
}

/// Keeps what a movement says.
pub fn put(tx: &Tx<'_>, movement: &Movement, out: &Out) -> Result<(), StoreError> {
    let sql = "INSERT INTO goods_out
                 (n, at_ms, variant, way, amount, net, costed, net_costed, cost, sale, link)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    tx.prepare_cached(sql)?.execute((
        int(movement.seq),
        int(movement.at.get()),
        movement.variant.as_bytes(),
        number(out.way),
        int(out.amount),
        out.net,
        int(out.costed),
        out.net_costed,
        out.cost,
        movement.of_sale.map(int),
        movement.order.map(|link| cbor::to_vec(&link)),
    ))?;
    Ok(())
}

/// What was kept of a movement.
pub fn get(c: &Connection, n: u64) -> Result<Option<Out>, StoreError> {
    let sql = "SELECT way, amount, net, costed, net_costed, cost FROM goods_out WHERE n = ?1";
    let row = c.prepare_cached(sql)?.query_row([int(n)], |row| {
        let (amount, costed, way): (i64, i64, i64) = (row.get(1)?, row.get(3)?, row.get(0)?);
        let out =
            Out { net: row.get(2)?, net_costed: row.get(4)?, cost: row.get(5)?, ..Out::default() };
        Ok((out, amount, costed, way))
    });
    let Some((out, amount, costed, went)) = row.optional()? else { return Ok(None) };
    let (amount, costed) = (uint("a sale", amount)?, uint("a sale", costed)?);
    Ok(Some(Out { way: way(went)?, amount, costed, ..out }))
}

/// The last sale for a line of an order, and what it said.
pub fn sale_for(c: &Connection, link: OrderLink) -> Result<Option<(u64, Out)>, StoreError> {
    let sql = "SELECT n FROM goods_out WHERE link = ?1 AND way = 0 ORDER BY n DESC LIMIT 1";
    let n = c.prepare_cached(sql)?.query_row([cbor::to_vec(&link)], |row| row.get(0)).optional()?;
    let Some(n) = n.map(|n| uint("a sale", n)).transpose()? else { return Ok(None) };
    Ok(get(c, n)?.map(|out| (n, out)))
}

/// How much of a sale came back so far.
pub fn returned_of(c: &Connection, sale: u64) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(sum(amount), 0) FROM goods_out WHERE sale = ?1 AND way = 2";
    uint("a sum", c.prepare_cached(sql)?.query_row([int(sale)], |row| row.get(0))?)
}

/// How many movements say something.
pub fn count(c: &Connection) -> Result<u64, StoreError> {
    uint("a count", c.query_row("SELECT count(*) FROM goods_out", [], |row| row.get(0))?)
}

/// The sums of each variant from a moment until before another, by variant.
pub fn sums(c: &Connection, from: UnixMs, until: UnixMs) -> Result<Vec<Sum>, StoreError> {
    let sql = "SELECT variant, way, sum(amount), sum(net), sum(costed), sum(net_costed), sum(cost)
               FROM goods_out WHERE at_ms >= ?1 AND at_ms < ?2
               GROUP BY variant, way ORDER BY variant, way";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((int(from.get()), int(until.get())))?;
    let mut all: Vec<Sum> = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = || StoreError::damaged("a sale", "of a variant");
        let variant = VariantId::from_slice(&row.get::<_, Vec<u8>>(0)?).ok_or_else(damaged)?;
        let out = Out {
            way: way(row.get(1)?)?,
            amount: uint("a sale", row.get(2)?)?,
            net: row.get(3)?,
            costed: uint("a sale", row.get(4)?)?,
            net_costed: row.get(5)?,
            cost: row.get(6)?,
        };
        if all.last().is_none_or(|sum| sum.variant != variant) {
            let none = Out::default();
            all.push(Sum { variant, sold: none, wasted: none, returned: none });
        }
        if let Some(sum) = all.last_mut() {
            match out.way {
                Way::Sold => sum.sold = out,
                Way::Wasted => sum.wasted = out,
                Way::Returned => sum.returned = out,
            }
        }
    }
    Ok(all)
}
