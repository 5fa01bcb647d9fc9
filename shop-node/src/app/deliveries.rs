//! What a courier has to bring: the stops that are out, with all that is needed there, so that a
//! phone may keep them before it leaves the shop's Wi-Fi; and the cash that comes back.
//!
//! **Invariant:** a courier sees what is out for delivery and nothing else; cash that was handed in
//! is counted against what the till says that courier took, once.

use std::sync::PoisonError;

use kirana_core::{
    geohash::Place,
    id::OrderId,
    key::KeyId,
    money::Money,
    order::{axes::Fulfilment, facts::FailReason, handing::HandoverCode, totals::Totals},
    statement::Party,
    terms::Way,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use serde::Serialize;

use super::{
    Once, Shop,
    counter::NotEntered,
    handing::WRONG_CODES_MAX,
    once::request_hash,
    orders::{Listed, view},
    till::check_note,
};
use crate::store::{
    hand_ins::{self, HandIn, Outstanding},
    orders::{self, OrderRow},
    wrong_codes,
};

/// Orders that are looked at.
const LOOKED_AT_MAX: u32 = 2_000;
/// The hand-ins that are shown at most.
const HAND_INS_MAX: u32 = 100;

/// Somebody who waits for goods.
#[derive(Debug, Clone, Serialize)]
pub struct Stop {
    /// The order.
    pub id: OrderId,
    /// Whose.
    #[serde(skip)]
    pub customer: Party,
    /// Its short number.
    pub number: String,
    /// Which of its groups of lines.
    pub group: u8,
    /// Since when it is out.
    pub since: UnixMs,
    /// Which attempt this is.
    pub attempt: u16,
    /// Why the last one did not succeed; it is out no longer then.
    pub failed: Option<FailReason>,
    /// When it is expected, by the clock on the shop's wall.
    pub when: Option<String>,
    /// For whom.
    pub name: String,
    /// Where to.
    pub address: String,
    /// Where that is on the map.
    pub place: Option<Place>,
    /// Whom to call.
    pub phone: String,
    /// What else to know.
    pub note: String,
    /// What is to be paid.
    pub due: Money,
    /// From which age on the goods are sold: to be looked at.
    pub age: Option<u8>,
    /// Whether a wrong code was told so often that only the shop's staff hand it over.
    pub code_locked: bool,
    /// What a code that is told is compared with where there is no network: see
    /// [`HandoverCode::hint_for`].
    pub code_hint: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Counted {
    #[n(0)]
    expected: i64,
}

impl Shop {
    /// A page of orders that are brought and wait, or were completed since then; newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn brought(
        &self,
        since: UnixMs,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Listed, StoreError> {
        self.reader().read(|c| {
            let rows = orders::brought(c, since, before.unwrap_or(i64::MAX), limit)?;
            self.listed(c, &rows, limit)
        })
    }

    /// Rows of a page as they stand, and where the next page goes on.
    pub(super) fn listed(
        &self,
        c: &Connection,
        rows: &[OrderRow],
        limit: u32,
    ) -> Result<Listed, StoreError> {
        let next = if rows.len() == limit as usize { rows.last().map(|r| r.n) } else { None };
        let (mut views, mut damaged) = (Vec::new(), Vec::new());
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            match orders::chain_seen(c, row, &mut seen).and_then(|chain| view(row, &chain)) {
                Ok(view) => views.push(view),
                Err(StoreError::Damaged { .. }) => damaged.push(row.id),
                Err(error) => return Err(error),
            }
        }
        Ok(Listed { views, damaged, next })
    }

    /// What is out now, by its span of time, then by how long.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stops(&self) -> Result<Vec<Stop>, StoreError> {
        let terms = self.terms()?.map(|said| said.terms).unwrap_or_default();
        let mut stops = Vec::new();
        for row in self.reader().read(|c| orders::accepted(c, LOOKED_AT_MAX))? {
            let chain = match self.reader().read(|c| orders::chain(c, &row)) {
                Ok(chain) => chain,
                Err(StoreError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let order = chain.order();
            let out = order.groups.iter().enumerate().filter_map(|(at, group)| match group.stage {
                Fulfilment::OutForDelivery { since, attempt } => Some((at, since, attempt, None)),
                Fulfilment::DeliveryFailed { at: since, attempt, reason } => {
                    Some((at, since, attempt, Some(reason)))
                }
                _ => None,
            });
            let out: Vec<_> = out.collect();
            if out.is_empty() {
                continue;
            }
            let (person, age) = (self.person(order)?.unwrap_or_default(), self.age_for(order)?);
            let due =
                Totals::of(order).map_err(|e| StoreError::damaged("the sums of order", e))?.due;
            let (_, slot) = Way::of(order.placed.handover);
            let code_hint = HandoverCode::of(&chain).hint();
            let wrong = self.reader().read(|c| wrong_codes::count(c, row.n))?;
            let code_locked = wrong >= WRONG_CODES_MAX;
            for (group, since, attempt, failed) in out {
                let person = person.clone();
                let stop = Stop {
                    id: row.id,
                    customer: row.customer,
                    number: row.number.clone(),
                    group: u8::try_from(group).unwrap_or(u8::MAX),
                    since,
                    attempt,
                    failed,
                    when: slot.map(|slot| terms.written(slot)),
                    name: person.name,
                    address: person.address,
                    place: person.place,
                    phone: person.phone,
                    note: person.note,
                    due,
                    age,
                    code_locked,
                    code_hint,
                };
                stops.push((slot.map(|slot| slot.from), stop));
            }
        }
        stops.sort_by_key(|(from, stop)| (from.is_none(), *from, stop.since));
        Ok(stops.into_iter().map(|(_, stop)| stop).collect())
    }

    /// Cash that people took for orders and have not handed in, by who took it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cash_outside(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.reader().read(hand_ins::outstanding)
    }

    /// Cash that was handed in, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn hand_ins(&self) -> Result<Vec<HandIn>, StoreError> {
        self.reader().read(|c| hand_ins::page(c, HAND_INS_MAX))
    }

    /// Somebody hands in the cash that they took; what was counted is kept beside what the till says
    /// it should be, which is given back. Once for each key.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn hand_in(
        &self,
        once: Option<Once>,
        (courier, counted, note): (KeyId, Money, String),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Money, NotEntered> {
        let counted_minor = self.minor(counted, 0)?;
        check_note(&note)?;
        let request = request_hash(&("hand in", courier, counted_minor, &note));
        let entered = self.at_the_counter(once, request, now, rng, move |desk| {
            let expected = hand_ins::take_over(desk.tx, courier)?;
            let row = HandIn {
                courier,
                at: desk.now.at,
                by,
                expected_minor: expected.minor,
                counted_minor,
                until: expected.until,
                note: note.clone(),
            };
            hand_ins::put(desk.tx, &row)?;
            Ok::<_, Abort<NotEntered>>(Counted { expected: expected.minor })
        })?;
        Ok(Money::new(entered.expected, counted.currency))
    }
}
