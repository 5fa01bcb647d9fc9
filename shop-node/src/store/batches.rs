//! What is known of each batch, and how much of it lies where: worked out from the ledger.
//!
//! **Invariant:** written in the transaction that writes the movement; `verify` compares it with
//! what the movements add up to.

use std::collections::BTreeMap;

use kirana_core::{
    cbor,
    day::Day,
    id::{LocationId, VariantId},
    money::Price,
    stock::{
        Movement,
        batch::{Batches, Lot, Open},
        walk::Slot,
    },
    time::UnixMs,
};
use kirana_migrations::{
    StoreError, Tx,
    rusqlite::{Connection, OptionalExtension, Row, params},
};

use super::{int, uint};

/// A batch that lies somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lying {
    /// Its number: the place of its receipt in the ledger.
    pub batch: u64,
    /// Of what, and where.
    pub slot: Slot,
    /// How much of it is left there, in base units.
    pub amount: u64,
    /// When it came in.
    pub received: UnixMs,
    /// What was said of it then.
    pub lot: Lot,
}

impl Lying {
    /// Its place in lists.
    pub fn place(&self) -> After {
        let day = self.lot.best_before.unwrap_or(Day::MAX);
        After { day, batch: self.batch, location: self.slot.location }
    }
}

/// After which batch a page goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Its date; the last of all days where it has none.
    pub day: Day,
    /// Its number.
    pub batch: u64,
    /// Where it lies.
    pub location: LocationId,
}

/// The batches of one variant at one location.
pub fn open(c: &Connection, slot: Slot) -> Result<Vec<Open>, StoreError> {
    let sql = "SELECT s.batch, b.best_before, s.amount FROM batch_stock s
               JOIN batch b ON b.n = s.batch
               WHERE s.variant = ?1 AND s.location = ?2 ORDER BY s.batch";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query((slot.variant.as_bytes(), slot.location.as_bytes()))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let best_before: Option<u32> = row.get(1)?;
        all.push(Open {
            batch: uint("a batch", row.get(0)?)?,
            best_before: best_before.map(Day::new),
            amount: uint("a batch", row.get(2)?)?,
        });
    }
    Ok(all)
}

/// How much of one variant at one location has passed its date.
pub fn past(
    c: &Connection,
    variant: VariantId,
    location: LocationId,
    today: Day,
) -> Result<u64, StoreError> {
    let sql = "SELECT ifnull(sum(s.amount), 0) FROM batch_stock s JOIN batch b ON b.n = s.batch
               WHERE s.variant = ?1 AND s.location = ?2 AND b.best_before < ?3";
    let row = (variant.as_bytes(), location.as_bytes(), today.get());
    uint("a batch", c.prepare_cached(sql)?.query_row(row, |row| row.get(0))?)
}

/// Of which variant a batch is; `None` when there never was one of that number.
pub fn variant(c: &Connection, batch: u64) -> Result<Option<VariantId>, StoreError> {
    let sql = "SELECT variant FROM batch WHERE n = ?1";
    let found = c.prepare_cached(sql)?.query_row([int(batch)], |row| row.get::<_, Vec<u8>>(0));
    let damaged = || StoreError::damaged("a batch", batch);
    found.optional()?.map(|id| VariantId::from_slice(&id).ok_or_else(damaged)).transpose()
}

/// What a batch cost, where that was said.
pub fn cost(c: &Connection, batch: u64) -> Result<Option<Price>, StoreError> {
    let sql = "SELECT lot FROM batch WHERE n = ?1";
    let found = c.prepare_cached(sql)?.query_row([int(batch)], |row| row.get::<_, Vec<u8>>(0));
    let lot = found.optional()?.map(|lot| lot_of(batch, &lot)).transpose()?;
    Ok(lot.and_then(|lot| lot.cost))
}

/// Keeps what a receipt says of the batch that it opens.
pub fn put_lot(tx: &Tx<'_>, movement: &Movement, lot: &Lot) -> Result<(), StoreError> {
    let sql = "INSERT INTO batch (n, variant, received_ms, best_before, lot)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.prepare_cached(sql)?.execute(params![
        int(movement.seq),
        movement.variant.as_bytes(),
        int(movement.at.get()),
        lot.best_before.map(Day::get),
        cbor::to_vec(lot),
    ])?;
    Ok(())
}

/// Keeps what lies of the batches of a slot, where it was otherwise before.
pub fn put(tx: &Tx<'_>, slot: Slot, before: &Batches, after: &Batches) -> Result<(), StoreError> {
    let (variant, location) = (slot.variant.as_bytes(), slot.location.as_bytes());
    let sql = "DELETE FROM batch_stock WHERE variant = ?1 AND location = ?2 AND batch = ?3";
    for batch in before.amounts().keys().filter(|batch| !after.amounts().contains_key(batch)) {
        tx.prepare_cached(sql)?.execute((variant, location, int(*batch)))?;
    }
    let sql = "INSERT INTO batch_stock (variant, location, batch, amount) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (variant, location, batch) DO UPDATE SET amount = excluded.amount";
    for (batch, amount) in after.amounts() {
        if before.amounts().get(batch) != Some(amount) {
            tx.prepare_cached(sql)?.execute((variant, location, int(*batch), int(*amount)))?;
        }
    }
    Ok(())
}

/// Batches that lie somewhere, the oldest date first and those without one last; `until` leaves out
/// later ones and those without a date, `after` continues a page.
pub fn lying(
    c: &Connection,
    variant: Option<VariantId>,
    until: Option<Day>,
    after: Option<After>,
    limit: u32,
) -> Result<Vec<Lying>, StoreError> {
    let sql = "SELECT s.batch, s.variant, s.location, s.amount, b.received_ms, b.lot
               FROM batch_stock s JOIN batch b ON b.n = s.batch
               WHERE (?1 IS NULL OR s.variant = ?1) AND (?2 IS NULL OR b.best_before <= ?2)
                 AND (?3 IS NULL OR (ifnull(b.best_before, ?6), s.batch, s.location) > (?3, ?4, ?5))
               ORDER BY ifnull(b.best_before, ?6), s.batch, s.location LIMIT ?7";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params![
        variant.map(|variant| *variant.as_bytes()),
        until.map(Day::get),
        after.map(|after| after.day.get()),
        after.map(|after| int(after.batch)),
        after.map(|after| *after.location.as_bytes()),
        Day::MAX.get(),
        limit,
    ])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(lying_of(row)?);
    }
    Ok(all)
}

/// Everything that lies of batches, by slot.
pub fn all(c: &Connection) -> Result<BTreeMap<Slot, Batches>, StoreError> {
    let mut statement =
        c.prepare("SELECT variant, location, batch, amount FROM batch_stock ORDER BY 1, 2, 3")?;
    let mut rows = statement.query([])?;
    let mut all: BTreeMap<Slot, BTreeMap<u64, u64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let slot = super::stock::slot_of(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, Vec<u8>>(1)?)?;
        let (batch, amount) = (uint("a batch", row.get(2)?)?, uint("a batch", row.get(3)?)?);
        all.entry(slot).or_default().insert(batch, amount);
    }
    Ok(all.into_iter().map(|(slot, amounts)| (slot, Batches::new(amounts))).collect())
}

/// What was said of each batch, by its number, and of which variant it is.
pub fn lots(c: &Connection) -> Result<BTreeMap<u64, (VariantId, Lot)>, StoreError> {
    let mut statement = c.prepare("SELECT n, variant, best_before, lot FROM batch ORDER BY n")?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let n = uint("a batch", row.get(0)?)?;
        let damaged = || StoreError::damaged("a batch", n);
        let variant = VariantId::from_slice(&row.get::<_, Vec<u8>>(1)?).ok_or_else(damaged)?;
        let (best_before, lot): (Option<u32>, Lot) =
            (row.get(2)?, lot_of(n, &row.get::<_, Vec<u8>>(3)?)?);
        // The date stands twice: what is sorted by it has to be what is shown.
        if lot.best_before.map(Day::get) != best_before {
            return Err(damaged());
        }
        all.insert(n, (variant, lot));
    }
    Ok(all)
}

fn lying_of(row: &Row<'_>) -> Result<Lying, StoreError> {
    let batch = uint("a batch", row.get(0)?)?;
    Ok(Lying {
        batch,
        slot: super::stock::slot_of(&row.get::<_, Vec<u8>>(1)?, &row.get::<_, Vec<u8>>(2)?)?,
        amount: uint("a batch", row.get(3)?)?,
        received: UnixMs::new(uint("a batch", row.get(4)?)?),
        lot: lot_of(batch, &row.get::<_, Vec<u8>>(5)?)?,
    })
}

fn lot_of(batch: u64, bytes: &[u8]) -> Result<Lot, StoreError> {
    cbor::from_slice("a batch", bytes, LOT_BYTES_MAX)
        .map_err(|e| StoreError::damaged("batch", format!("{batch}: {e}")))
}

/// A code of the longest kind, a date, a cost and two ids.
const LOT_BYTES_MAX: usize = 256;
