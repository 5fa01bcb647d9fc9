//! Batches as lists show them, and whether what is stored of them is what the ledger says.

use std::collections::BTreeSet;

use kirana_core::{day::Day, id::VariantId, stock::walk::Walk};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::Shop;
use crate::store::batches;
pub use crate::store::batches::{After, Lying};

impl Shop {
    /// A page of the batches that lie somewhere, the oldest date first and those without one last;
    /// with `until`, only those with a date up to then.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn batches(
        &self,
        variant: Option<VariantId>,
        until: Option<Day>,
        after: Option<After>,
        limit: u32,
    ) -> Result<Vec<Lying>, StoreError> {
        self.reader().read(|c| batches::lying(c, variant, until, after, limit))
    }
}

/// One sentence for each batch that is stored otherwise than the ledger says.
pub(crate) fn faults(c: &Connection, walk: &Walk) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    match batches::lots(c) {
        Ok(stored) => {
            let numbers: BTreeSet<_> = stored.keys().chain(walk.lots().keys()).collect();
            let differ = numbers.into_iter().filter(|n| stored.get(n) != walk.lots().get(n));
            faults
                .extend(differ.map(|n| format!("batch {n}: its row says other than its receipt")));
        }
        Err(damaged @ StoreError::Damaged { .. }) => faults.push(damaged.to_string()),
        Err(error) => return Err(error),
    }
    let stored = batches::all(c)?;
    let slots: BTreeSet<_> = stored.keys().chain(walk.batches().keys()).copied().collect();
    for slot in slots {
        let (stored, true_one) = (stored.get(&slot), walk.batches().get(&slot));
        let stored = stored.cloned().unwrap_or_default();
        if stored != true_one.cloned().unwrap_or_default() {
            faults.push(format!(
                "batches of {} at {}: the amounts stored are not what the movements add up to",
                slot.variant, slot.location
            ));
        }
    }
    Ok(faults)
}
