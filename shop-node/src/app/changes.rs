//! What customers want otherwise in orders that were placed, and what comes back from them.
//!
//! **Invariant (P2):** a change is granted whole or refused; what more is granted is reserved in the
//! transaction that says so.

use std::collections::BTreeSet;

use kirana_core::{
    hash::Hash,
    order::{
        Order,
        axes::{Fulfilment, LineState, Stage},
        chain::Chain,
        decide::{self, Decision, Judge},
        entry::Body,
        facts::{
            BackLine, CancelReason, Cancelled, Changed, Fee, GivenBack, GrantedLine, LineRefusal,
            RefusedLine, ReturnReason, Side,
        },
        placed::{Alteration, Placed},
        step::Misstep,
        wish::RefusalCode,
    },
    stock::{Change, Draft, OrderLink, batch::Earned},
};
use kirana_migrations::{Abort, StoreError};

use super::{
    desk::{AppendError, Desk},
    orders::NotDone,
    place::offers_for,
};
use crate::store::{margin, offers, orders::OrderRow, stock};

/// What lines get that were asked about, and those that are taken out.
type GrantedAnew = (Vec<GrantedLine>, Vec<RefusedLine>);

impl Desk<'_, '_> {
    /// Grants what a customer wants otherwise, or says why not.
    pub(super) fn change(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        request: Hash,
        asked: &Alteration,
    ) -> Result<Option<RefusalCode>, StoreError> {
        let order = chain.order();
        let early = |stage| matches!(stage, Fulfilment::Pending | Fulfilment::Packing { .. });
        let in_time = match order.stage {
            Stage::Placed | Stage::Received { .. } => true,
            Stage::Accepted { .. } => order.groups.iter().all(|group| early(group.stage)),
            _ => false,
        };
        if !in_time {
            return Ok(Some(RefusalCode::TooLate));
        }
        let Ok(placed) = asked.apply(&order.placed) else { return Ok(Some(RefusalCode::NotNow)) };
        let is_granted = |line: u16| order.groups.iter().any(|group| group.lines.contains(&line));
        let is_decided = !order.stage.is_undecided();
        // A line that the decision refused is in no group: it is wanted anew, as another line.
        if is_decided && asked.amounts.iter().any(|new| !is_granted(new.line)) {
            return Ok(Some(RefusalCode::NotNow));
        }
        if !self.may_change_paid_so(row, order, (asked, &placed))? {
            return Ok(Some(RefusalCode::KhataLimit));
        }
        let (mut lines, mut refused, mut fee) = (Vec::new(), Vec::new(), None);
        if is_decided {
            match self.fee_when_changed(row, order, &placed, asked)? {
                Some(allowed) => fee = allowed,
                None => return Ok(Some(RefusalCode::CannotGrant)),
            }
            match self.grant_anew(row, chain, &placed, asked)? {
                Some(granted) => (lines, refused) = granted,
                None => return Ok(Some(RefusalCode::CannotGrant)),
            }
        }
        let (ledger, asked) = (self.ledger()?.hash, Some(asked.clone()));
        let body =
            Body::Changed(Changed { lines, refused, request: Some(request), ledger, asked, fee });
        self.append(row, chain, &body).map_err(|e| e.into_fault(row))?;
        let by_customer = Cancelled {
            by: Side::Customer,
            reason: CancelReason::NotWanted,
            borne_by: Side::Customer,
            request: Some(request),
        };
        self.call_off_if_empty(row, chain, by_customer)?;
        Ok(None)
    }

    /// What bringing it costs once it is changed; nothing where the terms do not allow that.
    fn fee_when_changed(
        &self,
        row: &OrderRow,
        before: &Order,
        placed: &Placed,
        asked: &Alteration,
    ) -> Result<Option<Option<Fee>>, StoreError> {
        let mut out = before.cancelled();
        out.extend(asked.amounts.iter().filter(|new| new.amount == 0).map(|new| new.line));
        for new in asked.amounts.iter().filter(|new| new.amount > 0) {
            out.remove(&new.line);
        }
        // An order of which nothing is left is called off, whatever the terms say.
        if out.len() >= placed.lines.len() {
            return Ok(Some(None));
        }
        let offers = offers_for(self.tx, placed, self.shop, self.now.at)?;
        self.fee_anew(row, before, (placed, &out), &offers)
    }

    /// What the lines get that the customer named; nothing where one of them cannot be granted.
    fn grant_anew(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        placed: &Placed,
        asked: &Alteration,
    ) -> Result<Option<GrantedAnew>, StoreError> {
        let new = chain.order().lines.len()..placed.lines.len();
        let named = asked.amounts.iter().filter(|new| new.amount > 0).map(|new| new.line);
        let wanted: BTreeSet<u16> = named.chain(new.map(|line| line as u16)).collect();
        let all = 0..placed.lines.len() as u16;
        let others: BTreeSet<u16> = all.filter(|line| !wanted.contains(line)).collect();
        let mut offers = offers_for(self.tx, placed, self.shop, self.now.at)?;
        // What is kept for a line may be kept for it again.
        for held in stock::reserved_for(self.tx, row.n)? {
            let again = wanted.contains(&held.line);
            let again = again || asked.amounts.iter().any(|new| new.line == held.line);
            if let Some(offer) = offers.get_mut(&held.variant).filter(|_| again) {
                offer.available = offer.available.saturating_add(held.amount);
            }
        }
        let why = LineRefusal::LeftOut;
        let out = asked.amounts.iter().filter(|new| new.amount == 0);
        let out: Vec<_> = out.map(|new| RefusedLine { line: new.line, why }).collect();
        let lines = match decide::decide(placed, &others, &offers, Judge::Program) {
            Decision::Accept { lines, refused } if refused.is_empty() => lines,
            _ if wanted.is_empty() => Vec::new(),
            _ => return Ok(None),
        };
        let is_whole = |granted: &GrantedLine| {
            granted.granted == placed.lines[usize::from(granted.line)].quantity.amount()
        };
        if !lines.iter().all(is_whole) {
            return Ok(None);
        }
        for line in lines.iter().map(|l| l.line).chain(out.iter().map(|l| l.line)) {
            self.release_line(row, line)?;
        }
        for granted in &lines {
            let variant = placed.lines[usize::from(granted.line)].variant;
            if offers.get(&variant).is_some_and(|offer| offer.counted) {
                self.reserve(row, granted.line, variant, granted.granted)?;
            }
        }
        Ok(Some((lines, out)))
    }

    /// The customer brings goods back; what can be sold again is put away.
    pub(super) fn take_back(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        lines: &[BackLine],
        reason: ReturnReason,
    ) -> Result<(), Abort<NotDone>> {
        for BackLine { line, amount, sellable } in lines.iter().copied() {
            let of = chain.order().lines.get(usize::from(line));
            let of = of.ok_or_else(|| {
                Abort::from(AppendError::Chain(Misstep::NoSuchLine { line }.into()))
            })?;
            let variant = of.variant();
            let counted = offers::get(self.tx, variant)?.is_some_and(|shelf| shelf.counted);
            if !counted {
                continue;
            }
            let link = OrderLink { customer: row.customer, order: row.id, line };
            let of_sale = margin::sale_for(self.tx, link)?.map(|(sale, _)| sale);
            // The sums of an order always fit: see `Totals::of`.
            let before = match of.state {
                LineState::HandedOver { back, .. } => back,
                _ => 0,
            };
            let earned = of.charge.and_then(|charge| {
                let whole = charge.price.of(before + amount).ok()?;
                let sum = whole.checked_sub(charge.price.of(before).ok()?).ok()?;
                Some(Earned { sum, tax_bp: charge.tax_bp })
            });
            let (location, by) = (self.shop.identity.location, self.node_id());
            let new = |change| Draft {
                order: Some(link),
                note: reason.label().to_owned(),
                of_sale,
                ..Draft::new(variant, location, change, by)
            };
            match (sellable, of_sale) {
                (true, _) => {
                    self.move_stock(Draft { earned, ..new(Change::Return { amount }) })?;
                }
                // It came back and is thrown away: sold no more, and lost.
                (false, Some(_)) => {
                    self.move_stock(Draft { earned, ..new(Change::Return { amount }) })?;
                    self.move_stock(new(Change::Wastage { amount }))?;
                }
                // Nobody knows what it had cost, so that there is nothing to tell.
                (false, None) => {}
            }
        }
        let (lines, ledger) = (lines.to_vec(), self.ledger()?.hash);
        self.append(row, chain, &Body::GivenBack(GivenBack { lines, reason, ledger }))?;
        Ok(self.complete_if_done(row, chain)?)
    }
}
