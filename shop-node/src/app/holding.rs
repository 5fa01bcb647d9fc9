//! Accepted orders that nobody comes for: how long their goods are kept, and what then becomes of
//! them.
//!
//! **Invariant (P2):** an order is called off and what was kept for it is free again in one
//! transaction; while the clock is in doubt, or the customer was not heard since a restore, nothing
//! is called off.

use std::sync::PoisonError;

use kirana_core::{
    id::OrderId,
    order::{
        Order,
        axes::{Fulfilment, Stage},
        chain::Chain,
        entry::Body,
        facts::{CancelReason, Cancelled, Side},
        placed::Handover,
        totals::Totals,
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{
    Shop,
    desk::{Desk, Visit},
    orders::{Listed, NotDone, view},
};
use crate::store::orders::{self, OrderRow};

/// An hour, in milliseconds.
pub const HOUR_MS: u64 = 60 * 60 * 1000;

/// How long goods are kept unless the shop says otherwise, in milliseconds.
pub const HELD_MS_DEFAULT: u64 = 48 * HOUR_MS;

/// Orders that are called off in one transaction.
const RELEASED_AT_ONCE_MAX: usize = 100;

/// Accepted orders that are looked at, the oldest ones.
const LOOKED_AT_MAX: u32 = 2000;

/// Until when the goods of an order are kept for a customer who was to fetch them: so long after it
/// was accepted, after the agreed time, and after the goods were ready, whichever comes last.
/// `None` for orders that are not accepted, that the shop brings, or that have left it.
pub fn held_until(order: &Order, held_ms: u64) -> Option<UnixMs> {
    let (Stage::Accepted { at }, Handover::Pickup { slot }) = (order.stage, order.placed.handover)
    else {
        return None;
    };
    let gone = |stage: Fulfilment| stage.is_handed_over() || stage.is_outside();
    if order.groups.iter().any(|group| gone(group.stage)) {
        return None;
    }
    let ready = order.groups.iter().filter_map(|group| match group.stage {
        Fulfilment::ReadyForPickup { since } => Some(since),
        _ => None,
    });
    let agreed = slot.map(|slot| slot.until);
    let last = ready.chain(agreed).fold(at, |last, at| last.max(at));
    Some(last.plus_ms(held_ms))
}

/// Orders whose goods were kept for long enough.
type Due = Vec<(OrderRow, Chain)>;

impl Shop {
    /// Orders whose goods were kept for long enough, oldest first: somebody calls the customer, or
    /// calls them off as [`CancelReason::NotCollected`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn unclaimed(&self, now: UnixMs, held_ms: u64) -> Result<Listed, StoreError> {
        let (due, damaged) = self.due(now, held_ms)?;
        let views = due.iter().map(|(row, chain)| view(row, chain)).collect::<Result<_, _>>()?;
        Ok(Listed { views, damaged, next: None })
    }

    fn due(&self, now: UnixMs, held_ms: u64) -> Result<(Due, Vec<OrderId>), StoreError> {
        let known = self.known_now(now)?;
        let (mut due, mut damaged) = (Vec::new(), Vec::new());
        self.reader().read(|c| {
            let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for row in orders::accepted(c, LOOKED_AT_MAX)? {
                match orders::chain_seen(c, &row, &mut seen) {
                    Ok(chain) if is_due(chain.order(), held_ms, known.at) => {
                        due.push((row, chain));
                    }
                    Ok(_) => {}
                    Err(StoreError::Damaged { .. }) => damaged.push(row.id),
                    Err(error) => return Err(error),
                }
            }
            Ok((due, damaged))
        })
    }

    /// Calls off what nobody came for; what was paid for already is left to a person. Says how many.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn release_unclaimed(
        &self,
        now: UnixMs,
        held_ms: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<usize, NotDone> {
        let due = self.due(now, held_ms)?.0;
        let free =
            due.iter().filter(|(row, chain)| !row.waits_for_heads && is_unpaid(chain.order()));
        let due: Vec<i64> = free.take(RELEASED_AT_ONCE_MAX).map(|(row, _)| row.n).collect();
        if due.is_empty() {
            return Ok(0);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let released = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.now.expiry_suspended || desk.read_only()?.is_some() {
                return Ok(0);
            }
            let mut count = 0;
            for n in &due {
                let row = orders::by_number(tx, *n)?;
                count += usize::from(desk.release_if_due(&row, held_ms)?);
            }
            Ok::<_, Abort<NotDone>>(count)
        });
        Ok(released?)
    }
}

impl Desk<'_, '_> {
    fn release_if_due(&mut self, row: &OrderRow, held_ms: u64) -> Result<bool, Abort<NotDone>> {
        if row.waits_for_heads {
            return Ok(false);
        }
        let Some(mut chain) = self.whole(row)? else { return Ok(false) };
        if !is_unpaid(chain.order()) || !is_due(chain.order(), held_ms, self.now.at) {
            return Ok(false);
        }
        let body = Body::Cancelled(Cancelled {
            by: Side::Shop,
            reason: CancelReason::NotCollected,
            borne_by: Side::Shop,
            request: None,
        });
        self.append(row, &mut chain, &body)?;
        self.release_all(row)?;
        Ok(true)
    }
}

/// Whether no money would have to go back.
fn is_unpaid(order: &Order) -> bool {
    Totals::of(order).is_ok_and(|totals| totals.paid.minor == 0)
}

fn is_due(order: &Order, held_ms: u64, at: UnixMs) -> bool {
    held_until(order, held_ms).is_some_and(|until| until < at)
}
