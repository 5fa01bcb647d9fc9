//! What runs low and what goes off: the two lists that a grocer looks at in the morning.

use kirana_core::{day::Day, id::VariantId, time::UnixMs};
use kirana_migrations::{Abort, StoreError};

use super::{
    Shop,
    batches::{After, Lying},
    counter::NotEntered,
};
pub use crate::store::reorder::Low;
use crate::store::{
    offers, reorder,
    settings::{self, Setting},
};

/// For how many days ahead somebody may ask: ten years.
pub const WITHIN_DAYS_MAX: u32 = 3_650;

/// A page of what goes off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// The batches, the oldest date first.
    pub rows: Vec<Lying>,
    /// The day at the shop.
    pub today: Day,
    /// Whether the box's own clock is in doubt: the day may be older than today then.
    pub in_doubt: bool,
}

impl Shop {
    /// A page of what is below its level, or gone, by variant.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn low(
        &self,
        after: Option<VariantId>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Vec<Low>, StoreError> {
        self.reader().read(|c| reorder::low(c, self.inner.today(c, now)?, after, limit))
    }

    /// A page of the batches whose date has passed or passes within so many days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn expiring(
        &self,
        within_days: u32,
        after: Option<After>,
        limit: u32,
        now: UnixMs,
    ) -> Result<Expiring, StoreError> {
        let today = self.today(now)?;
        let until = today.plus(within_days.min(WITHIN_DAYS_MAX));
        let rows = self.batches(None, Some(until), after, limit)?;
        Ok(Expiring { rows, today, in_doubt: self.known_now(now)?.expiry_suspended })
    }

    /// Sets from when on a variant is ordered again, and up to how much; `None` leaves it to the
    /// safety stock of the catalogue.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn set_reorder(
        &self,
        variant: VariantId,
        rule: Option<(u64, u64)>,
    ) -> Result<(), NotEntered> {
        if rule.is_some_and(|(level, up_to)| up_to < level || up_to > LEVEL_MAX) {
            return Err(NotEntered::Level);
        }
        let stored = self.writer().write(move |tx| -> Result<(), Abort<NotEntered>> {
            if let Some(why) = settings::get(tx, Setting::ReadOnly)? {
                return Err(Abort::Refused(NotEntered::ReadOnly(why)));
            }
            if offers::get(tx, variant)?.is_none() {
                return Err(Abort::Refused(NotEntered::NotSold(variant)));
            }
            match rule {
                Some((level, up_to)) => reorder::put(tx, variant, level, up_to)?,
                None => {
                    reorder::remove(tx, variant)?;
                }
            }
            Ok(())
        });
        Ok(stored?)
    }
}

/// The highest level, in base units.
pub const LEVEL_MAX: u64 = kirana_core::quantity::Quantity::MAX;
