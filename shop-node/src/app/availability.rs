//! Says in small signed snapshots what is in stock, for everybody who pulls the catalogue.
//!
//! **Invariant:** no two different snapshots of one box have the same number, also after a crash or
//! with a clock that was set back: the number is stored before anything is signed under it.

use std::sync::{Mutex, PoisonError};

use kirana_core::{
    availability::{Availability, SignedAvailability},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use kirana_sync::wire::limit::{AVAILABILITY_BYTES_MAX, HEADS_MAX};

use super::Shop;
use crate::store::{
    settings::{self, Setting},
    stock,
};

/// How long the same snapshots are served before the stock is looked at again, in milliseconds.
pub const HELD_MS: u64 = 10_000;

/// The snapshots that were signed last, and when.
#[derive(Default)]
pub(crate) struct Published {
    held: Mutex<Option<(UnixMs, Vec<SignedAvailability>)>>,
}

impl Shop {
    /// What is in stock, one signed snapshot for each document of the catalogue, as many as fit an
    /// answer: of a very large catalogue each answer begins with another document.
    ///
    /// Where the number cannot be stored, or another box speaks for the shop, nothing is said: the catalogue is served all the same.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn availability(&self, now: UnixMs) -> Result<Vec<SignedAvailability>, StoreError> {
        let mut held = self.inner.published.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, snapshots)) = held.as_ref()
            && *at <= now
            && now.since(*at) < HELD_MS
        {
            return Ok(snapshots.clone());
        }
        let known = self.known_now(now)?.at.get();
        let numbered = self.writer().write(move |tx| -> Result<u64, Abort<()>> {
            if settings::get::<String>(tx, Setting::ReadOnly)?.is_some() {
                return Err(Abort::Refused(()));
            }
            let last: Option<u64> = settings::get(tx, Setting::Availability)?;
            let n = last.map_or(known, |last| known.max(last + 1));
            settings::put(tx, Setting::Availability, &n)?;
            Ok(n)
        });
        let Ok(n) = numbered else { return Ok(Vec::new()) };
        let snapshots = self.signed(n, now)?;
        *held = Some((now, snapshots.clone()));
        Ok(snapshots)
    }

    fn signed(&self, n: u64, now: UnixMs) -> Result<Vec<SignedAvailability>, StoreError> {
        let (of, place) = ((self.id(), self.generation()), self.identity().location);
        let levels = self.reader().read(|c| {
            let today = self.inner.today(c, now)?;
            stock::levels(c, self.id(), place, today)
        })?;
        let mut all: Vec<SignedAvailability> = levels
            .iter()
            .map(|(bucket, levels)| Availability::new(of, *bucket, n, now, levels))
            .map(|said| said.sign(&self.keys().node.signing))
            .collect();
        let first = usize::try_from((n / HELD_MS) % all.len().max(1) as u64).unwrap_or(0);
        let whole: usize = all.iter().map(|one| one.bytes().len()).sum();
        if whole > AVAILABILITY_BYTES_MAX || all.len() > HEADS_MAX {
            all.rotate_left(first);
        }
        let mut bytes = 0;
        all.retain(|one| {
            bytes += one.bytes().len();
            bytes <= AVAILABILITY_BYTES_MAX
        });
        all.truncate(HEADS_MAX);
        Ok(all)
    }
}
