//! The outsider's notebook: what households were told, what lay on the shelves, what was seen on
//! the wire.
//!
//! **Invariant:** nothing in it comes from a program's own counters.

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId, VariantId},
    mail::Address,
    order::entry::Kind,
    statement::Party,
    time::UnixMs,
};

use crate::{claim::Entry, node::NodeId};

/// An order that somebody was told is placed.
#[derive(Debug, Clone)]
pub struct Told {
    /// On which device.
    pub device: NodeId,
    /// Who buys.
    pub customer: Party,
    /// At which shop.
    pub shop: ShopId,
    /// When.
    pub at: UnixMs,
    /// Whether its household waits for an answer for longer than anything stays broken.
    pub patient: bool,
}

/// All that was noted in a run.
#[derive(Debug, Default)]
pub struct Journal {
    /// Orders that were shown as placed.
    pub told: BTreeMap<OrderId, Told>,
    /// Orders that the household took back or called off.
    pub asked_back: BTreeSet<OrderId>,
    /// What truly lies on each shop's shelves, in base units.
    pub shelf: BTreeMap<(ShopId, VariantId), u64>,
    /// Orders whose goods were carried out of the shop.
    pub handed_out: BTreeSet<(NodeId, OrderId)>,
    /// Mail that a relay said it had stored and that nobody has taken since.
    pub kept_by: BTreeMap<NodeId, BTreeMap<Hash, Kept>>,
    /// Households whose device was stolen.
    pub stolen: BTreeSet<Party>,
    /// Mail that shops took in straight from devices.
    pub taken_in: BTreeSet<(NodeId, Hash)>,
    /// Orders that are known to have reached their shop.
    pub arrived: BTreeSet<(NodeId, OrderId)>,
    /// Orders that were under way when a relay threw mail of their device away.
    pub dropped_orders: BTreeSet<OrderId>,
    /// Orders that were under way when their device died.
    pub died_with: BTreeSet<OrderId>,
    /// Which entries were in a piece of mail that a device was handed.
    pub handed_to: BTreeMap<(NodeId, Hash), Vec<(OrderId, Hash)>>,
    /// Orders that were over for their household when their shop burnt, with their last entry.
    pub over: BTreeMap<OrderId, Hash>,
    /// How often each shop came back from a backup.
    pub restores: BTreeMap<ShopId, u64>,
    /// The newest box of a shop that showed itself to a device, by its generation.
    pub heard: BTreeMap<(NodeId, ShopId), u64>,
    entries: BTreeMap<Place, Hash>,
    undecided: BTreeSet<OrderId>,
}

/// Mail that a relay owes to its recipient.
#[derive(Debug, Clone)]
pub struct Kept {
    /// For whom.
    pub to: Address,
    /// Until when.
    pub until: UnixMs,
}

/// One place in one order's chain in one generation: there may be one entry there.
type Place = (OrderId, Hash, u64, u32);

impl Journal {
    /// A household was told that its order is placed.
    pub fn told_placed(&mut self, order: OrderId, told: Told) {
        self.undecided.insert(order);
        self.told.insert(order, told);
    }

    /// The orders of this device that no shop has decided, as far as was seen.
    pub fn under_way_of(&self, device: NodeId) -> Vec<OrderId> {
        let undecided = self.undecided.iter().copied();
        let own = |order: &OrderId| self.told.get(order).is_some_and(|t| t.device == device);
        undecided.filter(own).collect()
    }

    /// Whether an order of this box is on its way.
    pub fn is_inflight_at(&self, node: NodeId, shop: Option<ShopId>) -> bool {
        self.undecided.iter().filter_map(|order| self.told.get(order)).any(|told| {
            told.device == node || Some(told.shop) == shop || matches!(node, NodeId::Hub(_))
        })
    }

    /// Whether a device heard of its shop since that came back from a backup: before, neither can
    /// know that the shop forgot what it had closed.
    pub fn has_met_newest(&self, device: NodeId, shop: ShopId) -> bool {
        let restores = self.restores.get(&shop).copied().unwrap_or_default();
        let heard = self.heard.get(&(device, shop)).copied().unwrap_or(1);
        heard > restores
    }

    /// A shop's entry was seen on the wire; says whether it was seen before.
    ///
    /// Entries are told apart by the entry before too, since after a restore two branches may meet.
    ///
    /// # Errors
    /// When another one was seen in its place.
    pub fn saw(&mut self, entry: &Entry) -> Result<bool, String> {
        let order = entry.statement.order;
        let first = entry.statement.kind == Kind::Placed.number();
        if matches!(Kind::from_number(entry.statement.kind), Some(k) if decides(k)) {
            self.undecided.remove(&order);
        }
        let Some(prev) = entry.prev.filter(|_| !first) else { return Ok(false) };
        let place = (order, prev, entry.generation, entry.seq);
        match self.entries.insert(place, entry.hash) {
            None => Ok(false),
            Some(known) if known == entry.hash => Ok(true),
            Some(known) => Err(format!(
                "order {order}: two entries at place {} of generation {}: {known} and {}",
                entry.seq, entry.generation, entry.hash
            )),
        }
    }

    /// Goods came or went by hand.
    pub fn shelf_of(&mut self, shop: ShopId, variant: VariantId) -> &mut u64 {
        self.shelf.entry((shop, variant)).or_default()
    }
}

fn decides(kind: Kind) -> bool {
    matches!(kind, Kind::Accepted | Kind::Declined | Kind::Withdrawn | Kind::Expired)
}
