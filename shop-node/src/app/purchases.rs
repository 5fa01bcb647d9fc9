//! Purchases: an order to a supplier, what comes of it in one or more deliveries, or calling it off.
//!
//! **Invariant:** what came is receipts in the ledger, each a batch that names the purchase; how much
//! of a line came is their sum, written in the same transaction, and `verify` compares.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    day::Day,
    id::{LocationId, PurchaseId, SupplierId, VariantId},
    key::KeyId,
    money::Price,
    quantity::Quantity,
    stock::{NOTE_BYTES_MAX, batch::Lot},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{
    Once, Shop,
    counter::{Entered, Entry, NotEntered, What},
    desk::Desk,
    locations,
    once::request_hash,
};
pub use crate::store::purchases::{Line, Purchase};
use crate::store::{offers, purchases};

/// Lines that a purchase or a delivery may have.
pub const LINES_MAX: usize = 200;

/// What is to be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of whom.
    pub supplier: SupplierId,
    /// Where the goods are to go; where the shop sells if not given.
    pub location: Option<LocationId>,
    /// What, each variant once.
    pub lines: Vec<WantedLine>,
    /// When they should come; by the supplier's usual days if not given.
    pub expected: Option<Day>,
    /// What the shop notes about it; may be empty.
    pub note: String,
}

/// One thing to be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedLine {
    /// What.
    pub variant: VariantId,
    /// How much, in base units.
    pub amount: u64,
    /// For how much, tax left out; what the supplier usually asks if not given.
    pub cost: Option<Price>,
}

/// What came of a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Of which.
    pub purchase: PurchaseId,
    /// Where it was put; where it was to go if not given.
    pub location: Option<LocationId>,
    /// What came; of one variant there may be several lots.
    pub lines: Vec<DeliveredLine>,
    /// Whether the rest is no longer awaited.
    pub closes: bool,
}

/// One lot that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredLine {
    /// What.
    pub variant: VariantId,
    /// How much, in base units; it may be more than was ordered.
    pub amount: u64,
    /// What is known of it; what was agreed counts where no cost is said.
    pub lot: Lot,
}

/// Where a purchase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing has come.
    Ordered,
    /// A part has come, and the rest is awaited.
    PartlyReceived,
    /// All of it has come.
    Received,
    /// A part has come, and the rest is no longer awaited.
    Closed,
    /// It was called off before anything came.
    Cancelled,
}

impl Purchase {
    /// Where it stands.
    pub fn state(&self) -> State {
        let is_all = self.lines.iter().all(|line| line.received >= line.amount);
        let is_some = self.lines.iter().any(|line| line.received > 0);
        match (is_all, is_some, self.ended.is_some()) {
            (true, _, _) => State::Received,
            (_, true, true) => State::Closed,
            (_, true, false) => State::PartlyReceived,
            (_, false, true) => State::Cancelled,
            (_, false, false) => State::Ordered,
        }
    }
}

/// The answer to a purchase: its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ordered {
    /// The id.
    #[n(0)]
    pub id: PurchaseId,
}

impl Shop {
    /// A page of the purchases, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn purchases(
        &self,
        open_only: bool,
        before: Option<PurchaseId>,
        limit: u32,
    ) -> Result<Vec<Purchase>, StoreError> {
        self.reader().read(|c| purchases::page(c, open_only, before, limit))
    }

    /// One purchase, if there is one of that id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn purchase(&self, id: PurchaseId) -> Result<Option<Purchase>, StoreError> {
        self.reader().read(|c| purchases::get(c, id))
    }

    /// Notes what is ordered of a supplier.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn order_of_supplier(
        &self,
        once: Option<Once>,
        wanted: Wanted,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<PurchaseId, NotEntered> {
        let request = request_hash(&("purchase", &wanted));
        let ordered = self.at_the_counter(once, request, now, rng, move |desk| {
            desk.order_of_supplier(&wanted, by)
        });
        Ok(ordered?.id)
    }

    /// Takes in what came of a purchase, in full or in part.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn receive_purchase(
        &self,
        once: Option<Once>,
        delivery: Delivery,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Entered, NotEntered> {
        let request = request_hash(&("delivery", &delivery));
        self.at_the_counter(once, request, now, rng, move |desk| {
            desk.receive_purchase(&delivery, by)
        })
    }

    /// Awaits nothing more of a purchase.
    ///
    /// # Errors
    /// [`NotEntered`]; nothing was changed.
    pub fn cancel_purchase(
        &self,
        id: PurchaseId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let request = request_hash(&("cancel purchase", id));
        let cancelled = self.at_the_counter(None, request, now, rng, move |desk| {
            desk.open_purchase(id)?;
            purchases::end(desk.tx, id, desk.now.at)?;
            Ok(Ordered { id })
        });
        cancelled.map(|_| ())
    }
}

impl Desk<'_, '_> {
    fn order_of_supplier(
        &mut self,
        wanted: &Wanted,
        by: KeyId,
    ) -> Result<Ordered, Abort<NotEntered>> {
        let supplier = self.known_supplier(wanted.supplier)?;
        let location = wanted.location.unwrap_or(self.shop.identity.location);
        locations::check(self.tx, &self.shop.identity, location)?;
        if !(1..=LINES_MAX).contains(&wanted.lines.len()) {
            return Err(Abort::Refused(NotEntered::Lines));
        }
        if wanted.note.len() > NOTE_BYTES_MAX {
            return Err(Abort::Refused(NotEntered::About));
        }
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for WantedLine { variant, amount, cost } in wanted.lines.iter().copied() {
            if offers::get(self.tx, variant)?.is_none() {
                return Err(Abort::Refused(NotEntered::NotSold(variant)));
            }
            if !seen.insert(variant) || !(1..=Quantity::MAX).contains(&amount) {
                return Err(Abort::Refused(NotEntered::Line(variant)));
            }
            let cost = match cost {
                Some(cost) => Some(cost),
                None => self.usual_cost(supplier.id, variant)?,
            };
            self.lot(&Lot { cost, ..Lot::default() })?;
            lines.push(Line { variant, amount, cost, received: 0 });
        }
        let usual = supplier.lead_days.map(|days| self.today().plus(days));
        let id = PurchaseId::new(self.now.at, self.draws.bytes());
        purchases::put(
            self.tx,
            &Purchase {
                id,
                supplier: supplier.id,
                location,
                ordered: self.now.at,
                who: by,
                note: wanted.note.clone(),
                expected: wanted.expected.or(usual),
                ended: None,
                lines,
            },
        )?;
        Ok(Ordered { id })
    }

    fn receive_purchase(
        &mut self,
        delivery: &Delivery,
        by: KeyId,
    ) -> Result<Entered, Abort<NotEntered>> {
        let purchase = self.open_purchase(delivery.purchase)?;
        if delivery.lines.is_empty() && !delivery.closes || delivery.lines.len() > LINES_MAX {
            return Err(Abort::Refused(NotEntered::Lines));
        }
        let location = delivery.location.unwrap_or(purchase.location);
        let mut all = Entered::default();
        for DeliveredLine { variant, amount, lot } in &delivery.lines {
            let line = purchase.lines.iter().find(|line| line.variant == *variant);
            let line = line.ok_or(Abort::Refused(NotEntered::NotOrdered(*variant)))?;
            let lot = Lot {
                cost: lot.cost.or(line.cost),
                supplier: Some(purchase.supplier),
                purchase: Some(purchase.id),
                ..lot.clone()
            };
            let what = What::Batch(*amount, lot);
            let location = Some(location);
            let entry = Entry { variant: *variant, location, what, note: String::new() };
            let entered = self.enter(&entry, by)?;
            purchases::receive(self.tx, purchase.id, *variant, *amount)?;
            all.movements.extend(entered.movements);
            all.balances.extend(entered.balances);
            all.shortened.extend(entered.shortened);
        }
        let left = purchases::get(self.tx, purchase.id)?;
        let is_all = left.is_some_and(|purchase| purchase.state() == State::Received);
        if delivery.closes || is_all {
            purchases::end(self.tx, purchase.id, self.now.at)?;
        }
        Ok(all)
    }

    fn open_purchase(&self, id: PurchaseId) -> Result<Purchase, Abort<NotEntered>> {
        let found = purchases::get(self.tx, id)?;
        let found = found.ok_or(Abort::Refused(NotEntered::NoPurchase(id)))?;
        match found.ended {
            None => Ok(found),
            Some(_) => Err(Abort::Refused(NotEntered::PurchaseEnded(id))),
        }
    }
}

/// One sentence for each line of a purchase of which another amount came than its row says.
pub(crate) fn faults(
    c: &Connection,
    came: &BTreeMap<(PurchaseId, VariantId), u64>,
) -> Result<Vec<String>, StoreError> {
    let stored = purchases::received(c)?;
    let lines: BTreeSet<_> = stored.keys().chain(came.keys()).collect();
    let differ = lines.into_iter().filter(|line| stored.get(line) != came.get(line));
    let told = |(purchase, variant): &(PurchaseId, VariantId)| {
        format!("purchase {purchase}: what came of {variant} is not what the ledger received")
    };
    Ok(differ.map(told).collect())
}
