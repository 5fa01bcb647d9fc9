//! What the shop earns with what it sells: what sales brought in, less what those goods had cost.
//!
//! Tax is left out on both sides. Money is in minor units of the shop's currency.

use kirana_core::{
    day::Day,
    stock::{Movement, margin::Out},
    time::UnixMs,
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{Shop, desk::Desk};
pub use crate::store::margin::Sum;
use crate::store::{batches, margin};

/// What was earned from one day to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earnings {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub until: Day,
    /// By variant.
    pub rows: Vec<Sum>,
}

/// How many days a report goes back where nobody says it.
pub const USUAL_DAYS: u32 = 30;

impl Shop {
    /// What was earned from the beginning of one day to the end of another; of the last
    /// [`USUAL_DAYS`] where nothing is said.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn earnings(
        &self,
        from: Option<Day>,
        until: Option<Day>,
        now: UnixMs,
    ) -> Result<Earnings, StoreError> {
        self.reader().read(|c| {
            let until = match until {
                Some(until) => until,
                None => self.inner.today(c, now)?,
            };
            let usual = Day::new(until.get().saturating_sub(USUAL_DAYS - 1));
            let from = from.unwrap_or(usual);
            let (begin, end) = (self.inner.begin_of(from), self.inner.begin_of(until.plus(1)));
            Ok(Earnings { from, until, rows: margin::sums(c, begin, end)? })
        })
    }
}

impl Desk<'_, '_> {
    /// Keeps what a movement brought in and had cost, where it says so.
    pub(crate) fn note_margin(&self, movement: &Movement) -> Result<(), StoreError> {
        match out_of(self.tx, movement)? {
            Some(out) => margin::put(self.tx, movement, &out),
            None => Ok(()),
        }
    }
}

/// What a movement says, with the costs of its batches.
pub(crate) fn out_of(c: &Connection, movement: &Movement) -> Result<Option<Out>, StoreError> {
    let mut costs = std::collections::BTreeMap::new();
    for part in movement.parts() {
        costs.insert(part.batch, batches::cost(c, part.batch)?);
    }
    Ok(Out::of(movement, |batch| costs.get(&batch).copied().flatten()))
}
