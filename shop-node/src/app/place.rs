//! Takes in an order and decides it: dedupe, decide, reserve, append, queue the reply.
//!
//! **Invariant (P1, P2):** all of it happens in the caller's one transaction, and an order that is
//! there already gets its own entries again, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    envelope::Parcel,
    id::VariantId,
    order::{
        chain::{Author, Chain},
        decide::{self, Decision, Judge, Offer},
        entry::Body,
        facts::Declined,
        placed::Placed,
        wish::{Answer, HeadsReply, RefusalCode, Said},
    },
    planted::{Bug, is_planted},
    spoken::ShortNumber,
    statement::{Party, SignedStatement},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{
    Inner, Shop, Undeliverable, closing,
    deliver::Outcome,
    desk::{Desk, Visit},
    moving::heard_from,
    reading::{By, Device, Read, Reading},
    terms::OnTerms,
};
use crate::store::{
    batches, damage,
    offers::{self, Shelf},
    orders::{self, OrderRow},
    outgoing,
};

/// Orders that a guest may have open at once.
pub const OPEN_ORDERS_OF_GUEST_MAX: u64 = 20;
/// Orders that an account may have open at once.
pub const OPEN_ORDERS_OF_ACCOUNT_MAX: u64 = 200;

impl Desk<'_, '_> {
    /// Takes in a customer's order.
    pub(crate) fn place(
        &mut self,
        read: &Read,
        device: &Device,
        (placed, parcel): (&Placed, &Parcel),
    ) -> Result<Vec<Outcome>, Abort<Undeliverable>> {
        let signed = &read.signed;
        let author = match is_planted(Bug::AcceptForgedAuthor) {
            true => placed.customer,
            false => device.party,
        };
        let chain = Chain::begin(signed.clone(), Author::customer(author));
        let chain = chain.map_err(|e| Abort::Refused(Undeliverable::Chain(e)))?;
        if let Some(row) = orders::find(self.tx, &author, chain.order().id)? {
            if is_planted(Bug::NoDedupe) {
                orders::rename(self.tx, row.n)?;
            } else {
                return self.place_again(&row, signed, device);
            }
        }
        if let Some(before) = outgoing::answer_to(self.tx, signed.hash())? {
            return Ok(vec![Outcome::Answered { bytes: before }]);
        }
        match self.why_not(&chain)? {
            Some(code) => {
                let refusal = self.refuse(signed, author, device.certified.key().id(), code)?;
                Ok(vec![Outcome::Answered { bytes: refusal.bytes().to_vec() }])
            }
            None => self.take_in(chain, signed, (device, parcel)),
        }
    }

    /// The order is here already: the same entries again, or a refusal of another under its id.
    fn place_again(
        &mut self,
        row: &OrderRow,
        signed: &SignedStatement,
        device: &Device,
    ) -> Result<Vec<Outcome>, Abort<Undeliverable>> {
        if row.placed != signed.hash() {
            let (party, key) = (device.party, device.certified.key().id());
            if let Some(before) = outgoing::answer_to(self.tx, signed.hash())? {
                return Ok(vec![Outcome::Answered { bytes: before }]);
            }
            let refusal = self.refuse(signed, party, key, RefusalCode::IdTaken)?;
            return Ok(vec![Outcome::Answered { bytes: refusal.bytes().to_vec() }]);
        }
        if is_planted(Bug::DecideAgainOnRetry) {
            self.decide_anew(row)?;
        }
        // What is damaged here is not said again: the customer is asked for its copy.
        if damage::is_marked(self.tx, row.n)? {
            return Ok(vec![self.ask_for(row, signed, device)?]);
        }
        // Whoever sends it again has not heard the answer, whatever was delivered before.
        outgoing::waits_again(self.tx, device.certified.key().id(), row.n)?;
        let here = Outcome::Order { n: row.n, id: row.id, new: false };
        match row.waits_for_heads {
            true => Ok(vec![here, self.ask_for(row, signed, device)?]),
            false => Ok(vec![here]),
        }
    }

    /// Asks a customer for all that it has of an order, which an earlier box may have decided.
    fn ask_for(
        &mut self,
        row: &OrderRow,
        placed: &SignedStatement,
        device: &Device,
    ) -> Result<Outcome, StoreError> {
        if let Some(bytes) = outgoing::answer_to(self.tx, placed.hash())? {
            return Ok(Outcome::Answered { bytes });
        }
        let (answers, wanted) = (placed.hash(), vec![row.id]);
        let reply = HeadsReply { answers, heads: Vec::new(), wanted, same: Vec::new() };
        let signed = self.sign_answer(placed, device.party, &Answer::HeadsReply(reply));
        let (key, bytes) = (device.certified.key().id(), signed.bytes());
        outgoing::put_answer(self.tx, key, placed.hash(), bytes, self.now.at)?;
        Ok(Outcome::Answered { bytes: bytes.to_vec() })
    }

    fn why_not(&self, chain: &Chain) -> Result<Option<RefusalCode>, StoreError> {
        let order = chain.order();
        if order.answer_by.is_some_and(|by| self.now.is_past(by)) {
            return Ok(Some(RefusalCode::Overdue));
        }
        let max = match order.customer {
            Party::Account(_) => OPEN_ORDERS_OF_ACCOUNT_MAX,
            _ => OPEN_ORDERS_OF_GUEST_MAX,
        };
        let open = orders::count_open(self.tx, &order.customer)?;
        Ok((open >= max).then_some(RefusalCode::TooManyOpen))
    }

    fn take_in(
        &mut self,
        mut chain: Chain,
        signed: &SignedStatement,
        (device, parcel): (&Device, &Parcel),
    ) -> Result<Vec<Outcome>, Abort<Undeliverable>> {
        let order = chain.order();
        let (customer, id) = (order.customer, order.id);
        self.remember_customer(&customer)?;
        // Kept before the decision, which may depend on how far it is to be brought.
        let named = order.placed.personal;
        if let Some((hash, part)) = named.and_then(|hash| Some((hash, parcel.personal_part(hash)?)))
        {
            self.keep_personal_part(&customer, hash, part)?;
        }
        let number = ShortNumber::of(self.shop.identity.shop, id).to_string();
        let n = orders::insert(self.tx, &chain, device.certified.key(), &number)?;
        let row = orders::by_number(self.tx, n)?;
        let here = Outcome::Order { n, id, new: true };
        // An earlier box of this shop may have decided it already, and only the customer knows.
        let met = chain.order().placed.generation;
        let unheard =
            met < self.shop.generation && heard_from(self.tx)?.is_none_or(|from| met < from);
        if unheard && !is_planted(Bug::DecideUnheard) {
            orders::start_waiting(self.tx, n)?;
            return Ok(vec![here, self.ask_for(&row, signed, device)?]);
        }
        self.meet(&device.certified)?;
        self.decide(&row, &mut chain, Judge::Program)?;
        self.taken.push((row, chain));
        Ok(vec![here])
    }

    /// Decides an undecided order: reserves, and appends the entry that says so.
    pub(crate) fn decide(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        judge: Judge,
    ) -> Result<(), StoreError> {
        let (placed, out) = (&chain.order().placed, chain.order().cancelled());
        let offers = offers_for(self.tx, placed, self.shop, self.now.at)?;
        let apart = self.decided_apart.remove(&row.placed);
        let reserves = apart.is_none();
        // A device that only a hub added to a known account: somebody in the shop looks first.
        let asks = judge == Judge::Program && self.is_asked_about(row)?;
        let closed = match judge {
            Judge::Program => closing::declines(self.tx)?,
            // A person goes through what waited when the shop closed.
            Judge::Person => None,
        };
        let on_terms = self.on_terms(row, (placed, &out), &offers, judge)?;
        let decision = match (closed, on_terms, asks) {
            (Some(declined), ..) => declined,
            (None, OnTerms::Declines(reason), _) => {
                Decision::Decline(Declined { reason, lines: Vec::new() })
            }
            (None, OnTerms::Asks, _) | (None, _, true) => Decision::Wait,
            (None, OnTerms::Takes(_), false) => {
                apart.unwrap_or_else(|| decide::decide(placed, &out, &offers, judge))
            }
        };
        let fee = if let OnTerms::Takes(fee) = on_terms { fee } else { None };
        let decision = self.may_be_paid(row, chain, (decision, fee), judge)?;
        let placed = &chain.order().placed;
        if let Decision::Accept { lines, .. } = &decision {
            for granted in lines.iter().filter(|_| reserves) {
                let variant = placed.lines[usize::from(granted.line)].variant;
                if offers.get(&variant).is_some_and(|offer| offer.counted) {
                    self.reserve(row, granted.line, variant, granted.granted)?;
                }
            }
        }
        let waits = decision == Decision::Wait;
        let ledger = self.ledger()?;
        let (ledger_n, ledger_head) = (ledger.seq, ledger.hash);
        let body = decision.into_body(ledger_head, fee);
        self.append(row, chain, &body).map_err(|e| e.into_fault(row))?;
        if !waits {
            orders::decided(self.tx, row.n, ledger_n)?;
            self.begin_payment(row, chain)?;
        }
        Ok(())
    }

    /// Only a planted bug asks for this: the reply is made again, at another time.
    fn decide_anew(&mut self, row: &OrderRow) -> Result<(), StoreError> {
        let chain = orders::chain(self.tx, row)?;
        let [first, second] = chain.entries() else { return Ok(()) };
        let (body, device): (&Body, _) = (second.body(), row.device.id());
        let again = Chain::begin(first.signed().clone(), first.author());
        let mut again = again.map_err(|e| StoreError::damaged("a chain", e))?;
        let (generation, key) = (self.shop.generation, &self.shop.keys.node.signing);
        let signed = again.append(generation, self.now.at, body, key);
        signed.map_err(|e| StoreError::damaged("a chain", e))?;
        orders::lose_entries(self.tx, row.n, 1)?;
        orders::extend(self.tx, row.n, &again, 1)?;
        outgoing::order_changed(self.tx, device, row.n)
    }
}

impl Shop {
    /// Only a planted bug asks for this: decides and reserves in a transaction of its own.
    pub(crate) fn reserve_apart(
        &self,
        reading: &Reading,
        visit: &mut Visit,
    ) -> Result<(), Undeliverable> {
        let (inner, from, seen) = (self.inner.clone(), visit.clone(), reading.clone());
        visit.decided_apart = self.writer().write(move |tx| {
            let desk = Desk::open(&inner, tx, &from)?;
            let mut decided = BTreeMap::new();
            for read in &seen.statements {
                let (Said::Entry(Body::Placed(placed)), By::Customer(device)) =
                    (&read.said, &read.by)
                else {
                    continue;
                };
                let id = read.signed.statement().order;
                if orders::find(tx, &device.party, id)?.is_some() {
                    continue;
                }
                let offers = offers_for(tx, placed, &inner, desk.now.at)?;
                let decision = decide::decide(placed, &BTreeSet::new(), &offers, Judge::Program);
                if let Decision::Accept { lines, .. } = &decision {
                    for granted in lines {
                        let variant = placed.lines[usize::from(granted.line)].variant;
                        desk.reserve_for_nobody(variant, granted.granted)?;
                    }
                }
                decided.insert(read.signed.hash(), decision);
            }
            Ok::<_, Abort<Undeliverable>>(decided)
        })?;
        Ok(())
    }
}

/// What the shop offers now for the lines of an order.
pub(crate) fn offers_for(
    c: &Connection,
    placed: &Placed,
    shop: &Inner,
    now: UnixMs,
) -> Result<BTreeMap<VariantId, Offer>, StoreError> {
    let mut offers = BTreeMap::new();
    for line in &placed.lines {
        let Some(shelf) = offers::get(c, line.variant)? else { continue };
        offers.insert(line.variant, offer_of(c, &shelf, shop, now)?);
    }
    Ok(offers)
}

/// What the shop offers now of one size or pack.
pub(crate) fn offer_of(
    c: &Connection,
    shelf: &Shelf,
    shop: &Inner,
    now: UnixMs,
) -> Result<Offer, StoreError> {
    let location = shop.identity.location;
    let balance = crate::store::stock::balance(c, shelf.variant, location)?;
    // What has passed its date is promised to nobody.
    let past = batches::past(c, shelf.variant, location, shop.day_of(now))?;
    Ok(Offer {
        price: shelf.schedule.price_at(shelf.price, now),
        deals: shelf.schedule.deals_at(shelf.unit, now),
        tax_bp: shelf.tax_bp,
        unit: shelf.unit,
        available: balance.available(shelf.safety.saturating_add(past)),
        // What may be wrong is not promised by the program: a person looks first.
        counted: shelf.counted && !shelf.closed,
        age_min: shelf.age_min,
    })
}
