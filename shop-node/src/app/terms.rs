//! On which terms the shop hands goods over: set by its owner, signed for everybody, applied to each
//! order in the transaction that decides it.
//!
//! **Invariant:** of one span of time no more orders are accepted by the program than its capacity;
//! a person may take one more.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    geohash::Place,
    id::VariantId,
    money::Money,
    order::{
        Order,
        decide::{self, Judge, Offer},
        facts::{DeclineReason, Fee},
        personal::Personal,
        placed::{Placed, WantedLine},
    },
    terms::{Offered, Published, SignedTerms, Terms, Unsound, Way},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{Inner, Shop, desk::Desk, refusal::NotStored};
use crate::store::{
    orders::{self, OrderRow},
    settings::{self, Setting},
};

/// A span of time that may be chosen, and how many more orders fit in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Open {
    /// The span.
    #[serde(flatten)]
    pub offered: Offered,
    /// How many more orders are taken for it.
    pub left: u32,
}

/// Why terms are not set; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    /// They cannot be.
    #[error(transparent)]
    Unsound(#[from] Unsound),
    /// Nobody could know how far something is brought.
    #[error(
        "the shop does not say where it stands, so a radius means nothing: give its place first"
    )]
    NoPlace,
    /// This box changes nothing any more.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the terms say about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnTerms {
    /// It may be taken, and this is charged for bringing it.
    Takes(Option<Fee>),
    /// It may not.
    Declines(DeclineReason),
    /// A person has to look how far it is.
    Asks,
}

impl Shop {
    /// What holds now; nothing where the owner never set anything.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn terms(&self) -> Result<Option<Published>, StoreError> {
        self.reader().read(|c| settings::get(c, Setting::Terms))
    }

    /// Sets what holds from now on; orders that were accepted stay as they are.
    ///
    /// # Errors
    /// [`NotSet`]; nothing was changed.
    pub fn set_terms(&self, terms: Terms, now: UnixMs) -> Result<Published, NotSet> {
        terms.check(self.identity().currency)?;
        if terms.asks_where(Way::Delivery) && self.inner.place().is_none() {
            return Err(NotSet::NoPlace);
        }
        let (shop, generation, place) = (self.id(), self.generation(), self.inner.place());
        let known = self.known_now(now)?.at;
        let stored = self.writer().write(move |tx| {
            if let Some(why) = settings::get(tx, Setting::ReadOnly)? {
                return Err(Abort::Refused(NotSet::ReadOnly(why)));
            }
            let before: Option<Published> = settings::get(tx, Setting::Terms)?;
            let n = before.map_or(known.get(), |before| known.get().max(before.n + 1));
            let published =
                Published { shop, generation, n, at: known, terms: terms.clone(), place };
            settings::put(tx, Setting::Terms, &published)?;
            Ok(published)
        });
        Ok(stored?)
    }

    /// What is offered from now on within so many days, and how much room is left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn slots(&self, way: Way, now: UnixMs, days: u16) -> Result<Vec<Open>, StoreError> {
        let now = self.known_now(now)?.at;
        self.reader().read(|c| {
            let Some(published) = settings::get::<Published>(c, Setting::Terms)? else {
                return Ok(Vec::new());
            };
            let open = |offered: Offered| {
                let taken = orders::count_in_slot(c, (way, offered.slot), None)?;
                let left = u32::from(offered.capacity).saturating_sub(taken);
                Ok(Open { offered, left })
            };
            published.terms.slots(way, now, days).into_iter().map(open).collect()
        })
    }
}

impl Inner {
    /// The newest terms, signed by this box.
    pub(crate) fn signed_terms(&self, c: &Connection) -> Result<Option<SignedTerms>, StoreError> {
        let published: Option<Published> = settings::get(c, Setting::Terms)?;
        // A box that came after the one where they were set says the same in its own name.
        let own = |said: Published| Published { generation: self.generation, ..said };
        Ok(published.map(|said| own(said).sign(&self.keys.node.signing)))
    }

    fn place(&self) -> Option<Place> {
        self.identity.place.as_deref().and_then(|place| place.parse().ok())
    }
}

impl Desk<'_, '_> {
    /// What the terms say about an order that is to be decided.
    pub(super) fn on_terms(
        &self,
        row: &OrderRow,
        (placed, out): (&Placed, &BTreeSet<u16>),
        offers: &BTreeMap<VariantId, Offer>,
        judge: Judge,
    ) -> Result<OnTerms, StoreError> {
        let Some(published) = settings::get::<Published>(self.tx, Setting::Terms)? else {
            return Ok(OnTerms::Takes(None));
        };
        let terms = &published.terms;
        let goods = decide::goods(placed, out, |_, wanted| {
            offers.get(&wanted.variant).and_then(|offer| decide::price_for(placed, wanted, offer))
        });
        let distance_m = self.distance_m(terms, row, placed)?;
        let taken = self.taken(row, placed)?;
        let said = decide::hand_over(placed, goods, terms, (distance_m, taken), self.now.at);
        let is_unclear = terms.asks_where(Way::of(placed.handover).0) && distance_m.is_none();
        Ok(match (said, judge) {
            (Ok(_), Judge::Program) if is_unclear => OnTerms::Asks,
            (Ok(fee), _) => OnTerms::Takes(fee),
            (Err(reason), Judge::Program) => OnTerms::Declines(reason),
            // A person knows why it is taken all the same; what was agreed to is charged.
            (Err(_), Judge::Person) => OnTerms::Takes(agreed(terms, placed, goods)),
        })
    }

    /// What is charged for bringing an accepted order once it was changed; nothing where the terms
    /// do not allow the change.
    pub(super) fn fee_anew(
        &self,
        row: &OrderRow,
        before: &Order,
        (placed, out): (&Placed, &BTreeSet<u16>),
        offers: &BTreeMap<VariantId, Offer>,
    ) -> Result<Option<Option<Fee>>, StoreError> {
        let Some(published) = settings::get::<Published>(self.tx, Setting::Terms)? else {
            return Ok(Some(before.fee.filter(|_| placed.is_brought())));
        };
        let price = |line: u16, wanted: &WantedLine| {
            let charged = before.lines.get(usize::from(line)).and_then(|line| line.charge);
            let offered = || decide::price_for(placed, wanted, offers.get(&wanted.variant)?);
            charged.map(|charge| charge.price).or_else(offered)
        };
        let goods = decide::goods(placed, out, price);
        let terms = &published.terms;
        let distance_m = self.distance_m(terms, row, placed)?;
        let is_same = before.placed.handover == placed.handover;
        // A person has to look how far it is, and here there is only yes or no.
        if !is_same && distance_m.is_none() && terms.asks_where(Way::of(placed.handover).0) {
            return Ok(None);
        }
        // Who keeps the time that was agreed on does not lose it by wanting a loaf more.
        let at = if is_same { Way::of(placed.handover).0.at(None) } else { placed.handover };
        let terms = Terms { only_in_windows: terms.only_in_windows && !is_same, ..terms.clone() };
        let asked = Placed { handover: at, ..placed.clone() };
        let taken = self.taken(row, placed)?;
        let said = decide::hand_over(&asked, goods, &terms, (distance_m, taken), self.now.at);
        Ok(said.ok())
    }

    fn taken(&self, row: &OrderRow, placed: &Placed) -> Result<u32, StoreError> {
        match Way::of(placed.handover) {
            (way, Some(slot)) => orders::count_in_slot(self.tx, (way, slot), Some(row.n)),
            (_, None) => Ok(0),
        }
    }

    /// How far it has to be brought, where that matters and the customer said where.
    fn distance_m(
        &self,
        terms: &Terms,
        row: &OrderRow,
        placed: &Placed,
    ) -> Result<Option<u32>, StoreError> {
        if !terms.asks_where(Way::of(placed.handover).0) {
            return Ok(None);
        }
        let Some(hash) = placed.personal else { return Ok(None) };
        let part = self.shop.personal_part(self.tx, &row.customer, hash)?;
        let person = part.and_then(|bytes| Personal::read(&bytes).ok());
        let (there, here) = (person.and_then(|person| person.place), self.shop.place());
        Ok(there.zip(here).map(|(there, here)| here.distance_m(there)))
    }
}

/// What is charged for bringing what the terms would not allow: what they ask, and no more than the
/// customer agreed to.
fn agreed(terms: &Terms, placed: &Placed, goods: Money) -> Option<Fee> {
    let delivery = terms.delivery.as_ref().filter(|_| placed.is_brought())?;
    let is_free = delivery.free_from.is_some_and(|from| goods.minor >= from.minor);
    let asked = delivery.fee.filter(|_| !is_free)?;
    let minor = asked.minor.min(placed.fee.map_or(0, |fee| fee.minor));
    let amount = Money::new(minor, placed.currency);
    (minor > 0).then_some(Fee { amount, tax_bp: delivery.tax_bp })
}
