//! Writes the stock ledger: reservations of orders, what the counter does, and shortages.
//!
//! **Invariant (P2):** a movement that leaves less than is reserved releases, by rule and in the
//! same transaction, what can no longer be kept, and tells the orders that it hits.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId, VariantId},
    key::KeyId,
    order::{
        axes::Stage,
        chain::Chain,
        entry::Body,
        facts::{CancelReason, Cancelled, ShortLine, Shortage, Side},
    },
    stock::{
        Balance, Change, Draft, Head, Movement, OrderLink, StockError, Written,
        batch::{Batches, Earned, Open, Part, Pick},
        shortage::{Hold, release},
        walk::Slot,
    },
};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::desk::Desk;
use crate::store::{
    batches, catalogue, damage,
    orders::{self, OrderRow},
    stock::{self, Reserved},
};

/// Why a movement was not written.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// It cannot have happened.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotMoved {
    /// For movements that the program works out itself, where a misfit is a fault of its own.
    fn into_fault(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Stock(error) => StoreError::damaged("the stock ledger", error),
        }
    }
}

/// Nothing of an order is there any more.
pub(crate) const NOTHING_LEFT: Cancelled = Cancelled {
    by: Side::Shop,
    reason: CancelReason::Shortage,
    borne_by: Side::Shop,
    request: None,
};

impl Desk<'_, '_> {
    /// Writes a movement with the balances after it; goods go out of the batches that should go
    /// first.
    pub(crate) fn move_stock(&self, draft: Draft) -> Result<Written, NotMoved> {
        self.move_of(draft, None)
    }

    /// [`Desk::move_stock`], of a batch that somebody names.
    pub(crate) fn move_of(
        &self,
        mut draft: Draft,
        named: Option<u64>,
    ) -> Result<Written, NotMoved> {
        let slot = Slot { variant: draft.variant, location: draft.location };
        let before = stock::balance(self.tx, slot.variant, slot.location)?;
        let is_of_batches = match draft.change {
            Change::Reservation { .. } | Change::Release { .. } => false,
            Change::Receipt { .. } => draft.lot.is_some(),
            _ => true,
        };
        let open = if is_of_batches { batches::open(self.tx, slot)? } else { Vec::new() };
        let balance = before.after(draft.change, draft.location)?;
        draft.parts = self.parts(&draft, named, before, &open)?;
        let written = self.ledger()?.write(self.shop.generation, self.now.at, draft)?;
        let movement = &written.movement;
        let mut after = vec![(slot, balance)];
        let mut turned = (before.free() > 0) != (balance.free() > 0);
        if let (Some(there), Change::Transfer { amount, .. }) =
            (stock::arrival(movement), movement.change)
        {
            let before = stock::balance(self.tx, there.variant, there.location)?;
            let arrived = before.arrive(amount)?;
            turned |= (before.free() > 0) != (arrived.free() > 0);
            after.push((there, arrived));
        }
        let moved = match is_of_batches {
            true => self.batches_moved(movement, &open, &after)?,
            false => Vec::new(),
        };
        stock::put(self.tx, &written, &after)?;
        if let Some(lot) = &movement.lot {
            batches::put_lot(self.tx, movement, lot)?;
        }
        self.note_margin(movement)?;
        for (slot, before, after) in &moved {
            batches::put(self.tx, *slot, before, after)?;
        }
        self.ledger.set(Some(written.head));
        // The shelf says only whether there is any: most movements change nothing about that.
        if turned {
            catalogue::stock_changed(self.tx, self.shop.identity.shop, slot.variant)?;
        }
        Ok(written)
    }

    /// Out of or into which batches a movement goes.
    fn parts(
        &self,
        draft: &Draft,
        named: Option<u64>,
        before: Balance,
        open: &[Open],
    ) -> Result<Vec<Part>, NotMoved> {
        let today = self.today();
        let (amount, pick) = match draft.change {
            Change::Return { amount } => return self.returned(draft.variant, amount, named),
            Change::Sale { amount, .. } if draft.order.is_some() => {
                (amount, Pick::FirstExpired { today })
            }
            Change::Sale { amount, .. } => {
                (amount, Pick::Unexpired { today, kept: before.reserved })
            }
            Change::Transfer { amount, .. } => (amount, Pick::FirstExpired { today }),
            Change::Wastage { amount } => (amount, Pick::Oldest),
            Change::Stocktake { before, counted } => (before.saturating_sub(counted), Pick::Oldest),
            Change::Receipt { .. } | Change::Reservation { .. } | Change::Release { .. } => {
                return Ok(Vec::new());
            }
        };
        // What came back is loose, and so is what is thrown away of it.
        let is_back = draft.of_sale.is_some();
        if amount == 0 || is_back || open.is_empty() && named.is_none() {
            return Ok(Vec::new());
        }
        Ok(named.map_or(pick, Pick::Named).parts(amount, before.on_hand, open)?)
    }

    /// What a customer brings back is loose, unless somebody reads on it of which batch it is.
    fn returned(
        &self,
        variant: VariantId,
        amount: u64,
        named: Option<u64>,
    ) -> Result<Vec<Part>, NotMoved> {
        let Some(batch) = named else { return Ok(Vec::new()) };
        if batches::variant(self.tx, batch)? != Some(variant) {
            return Err(StockError::NotInBatch { batch, wanted: amount, there: 0 }.into());
        }
        Ok(vec![Part { batch, amount }])
    }

    /// What lies of which batch before and after a movement, here and where goods arrive.
    fn batches_moved(
        &self,
        movement: &Movement,
        open: &[Open],
        after: &[(Slot, Balance)],
    ) -> Result<Vec<(Slot, Batches, Batches)>, NotMoved> {
        let amounts =
            |open: &[Open]| Batches::new(open.iter().map(|o| (o.batch, o.amount)).collect());
        let mut moved = Vec::new();
        for (slot, balance) in after {
            let is_here = slot.location == movement.location;
            let before = match is_here {
                true => amounts(open),
                false => amounts(&batches::open(self.tx, *slot)?),
            };
            let after = match is_here {
                true => before.apply(movement, *balance)?,
                false => before.arrive(movement.parts(), *balance)?,
            };
            moved.push((*slot, before, after));
        }
        Ok(moved)
    }

    /// The end of the ledger.
    pub(crate) fn ledger(&self) -> Result<Head, StoreError> {
        if let Some(head) = self.ledger.get() {
            return Ok(head);
        }
        let head = stock::head(self.tx, self.shop.identity.shop)?;
        self.ledger.set(Some(head));
        Ok(head)
    }

    /// Keeps goods for a line of an order.
    pub(crate) fn reserve(
        &self,
        row: &OrderRow,
        line: u16,
        variant: VariantId,
        amount: u64,
    ) -> Result<(), StoreError> {
        let location = self.shop.identity.location;
        let reserved = Reserved { order_n: row.n, line, variant, location, amount, seq: 0 };
        let draft = self.draft_for(row, &reserved, Change::Reservation { amount });
        let written = self.move_stock(draft).map_err(NotMoved::into_fault)?;
        stock::set_reserved(self.tx, &Reserved { seq: written.movement.seq, ..reserved })
    }

    /// Only a planted bug asks for this: a reservation that no order knows of.
    pub(crate) fn reserve_for_nobody(
        &self,
        variant: VariantId,
        amount: u64,
    ) -> Result<(), StoreError> {
        let (location, by) = (self.shop.identity.location, self.node_id());
        let change = Change::Reservation { amount };
        let draft = Draft::new(variant, location, change, by);
        self.move_stock(draft).map(|_| ()).map_err(NotMoved::into_fault)
    }

    /// Keeps nothing for an order any more.
    pub(crate) fn release_all(&self, row: &OrderRow) -> Result<(), StoreError> {
        for reserved in stock::reserved_for(self.tx, row.n)? {
            self.release(row, &reserved, reserved.amount)?;
        }
        Ok(())
    }

    /// Keeps nothing for one line of an order any more.
    pub(crate) fn release_line(&self, row: &OrderRow, line: u16) -> Result<(), StoreError> {
        let held = stock::reserved_for(self.tx, row.n)?;
        match held.into_iter().find(|held| held.line == line) {
            Some(held) => self.release(row, &held, held.amount),
            None => Ok(()),
        }
    }

    /// Keeps less for a line of an order.
    pub(crate) fn release(
        &self,
        row: &OrderRow,
        reserved: &Reserved,
        amount: u64,
    ) -> Result<(), StoreError> {
        let draft = self.draft_for(row, reserved, Change::Release { amount });
        self.move_stock(draft).map_err(NotMoved::into_fault)?;
        let amount = reserved.amount.saturating_sub(amount);
        stock::set_reserved(self.tx, &Reserved { amount, ..*reserved })
    }

    /// Goods of an order change hands: what was kept for them ends, what was weighed is sold.
    pub(crate) fn hand_over(
        &self,
        row: &OrderRow,
        lines: &BTreeMap<u16, (u64, Option<Earned>)>,
    ) -> Result<(), NotMoved> {
        for reserved in stock::reserved_for(self.tx, row.n)? {
            let Some((amount, earned)) = lines.get(&reserved.line).copied() else { continue };
            let change = Change::Sale { amount, reserved: reserved.amount };
            self.move_stock(Draft { earned, ..self.draft_for(row, &reserved, change) })?;
            stock::set_reserved(self.tx, &Reserved { amount: 0, ..reserved })?;
        }
        Ok(())
    }

    /// Releases what is kept of a slot beyond what is there, the last accepted order first.
    pub(crate) fn settle_shortage(&mut self, slot: Slot) -> Result<Vec<OrderId>, StoreError> {
        let short = stock::balance(self.tx, slot.variant, slot.location)?.short();
        if short == 0 {
            return Ok(Vec::new());
        }
        let reserved = stock::reserved_of(self.tx, slot)?;
        let mut holds = Vec::new();
        let mut rows = BTreeMap::new();
        for held in &reserved {
            let row = orders::by_number(self.tx, held.order_n)?;
            let (is_here, partial_ok) = match self.whole(&row)? {
                // What has left the shop cannot be taken back by a count.
                Some(chain) => (
                    chain.order().holds().any(|(line, _)| line == held.line),
                    chain.order().placed.partial_ok,
                ),
                None => (true, true),
            };
            if is_here {
                let link = link(&row, held.line);
                let (amount, reserved_seq) = (held.amount, held.seq);
                holds.push(Hold { link, amount, reserved_seq, partial_ok });
                rows.insert(link, (row, *held));
            }
        }
        let mut by_order: BTreeMap<i64, (OrderRow, Vec<ShortLine>)> = BTreeMap::new();
        for lost in release(short, &holds) {
            let Some((row, held)) = rows.get(&lost.link) else { continue };
            self.release(row, held, lost.amount)?;
            let short = ShortLine { line: held.line, granted: lost.left };
            by_order.entry(row.n).or_insert((row.clone(), Vec::new())).1.push(short);
        }
        let mut hit = Vec::new();
        for (row, lines) in by_order.into_values() {
            // After a restore nothing is added before the customer was heard: what is left is
            // reserved, and told, then.
            if row.waits_for_heads {
                continue;
            }
            // Nothing can be added to a damaged order: it is told when it was mended.
            if damage::is_marked(self.tx, row.n)? {
                damage::released(self.tx, row.n)?;
                continue;
            }
            hit.push(row.id);
            self.tell_shortage(&row, lines)?;
        }
        Ok(hit)
    }

    /// Tells an order what it no longer gets; one that gets nothing more is called off.
    pub(crate) fn tell_shortage(
        &mut self,
        row: &OrderRow,
        lines: Vec<ShortLine>,
    ) -> Result<(), StoreError> {
        let mut chain = orders::chain(self.tx, row)?;
        let ledger = self.ledger()?.hash;
        let body = Body::Shortage(Shortage { lines, ledger });
        self.append(row, &mut chain, &body).map_err(|e| e.into_fault(row))?;
        self.call_off_if_empty(row, &mut chain, NOTHING_LEFT)
    }

    /// Calls an accepted order off of which nothing comes any more.
    pub(crate) fn call_off_if_empty(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        why: Cancelled,
    ) -> Result<(), StoreError> {
        let is_accepted = matches!(chain.order().stage, Stage::Accepted { .. });
        if is_accepted && chain.order().cancelled().len() == chain.order().lines.len() {
            let body = Body::Cancelled(why);
            self.append(row, chain, &body).map_err(|e| e.into_fault(row))?;
        }
        Ok(())
    }

    fn draft_for(&self, row: &OrderRow, reserved: &Reserved, change: Change) -> Draft {
        let order = Some(link(row, reserved.line));
        let Reserved { variant, location, .. } = *reserved;
        Draft { order, ..Draft::new(variant, location, change, self.node_id()) }
    }

    /// The box itself, as the one who entered a movement.
    pub(crate) fn node_id(&self) -> KeyId {
        self.shop.keys.node.id()
    }
}

fn link(row: &OrderRow, line: u16) -> OrderLink {
    OrderLink { customer: row.customer, order: row.id, line }
}

/// The ledger's number and digest, as orders' entries tell them.
pub(crate) fn head(c: &Connection, shop: ShopId) -> Result<(u64, Hash), StoreError> {
    let head = stock::head(c, shop)?;
    Ok((head.seq, head.hash))
}

/// Whether the ledger holds a movement that the list of heads names.
pub(crate) fn holds(c: &Connection, head: &kirana_migrations::Head) -> Result<bool, StoreError> {
    stock::has(c, head.n, &head.hash)
}
