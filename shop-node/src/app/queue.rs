//! What is to be packed: accepted orders by their span of time, and what they need in the order of
//! the shelves.
//!
//! **Invariant:** it is read from the orders' entries each time; nobody ticks anything off here that
//! the chain does not know.

use std::{cmp::Reverse, collections::BTreeMap, sync::PoisonError};

use kirana_core::{
    catalogue::{category::Tree, product::Language},
    id::{OrderId, ProductId, VariantId},
    money::Money,
    order::{
        Order,
        axes::{Fulfilment, Line},
        placed::{Slot, Substitution},
        totals::Totals,
    },
    quantity::Quantity,
    stock::walk::Slot as BatchSlot,
    terms::{Terms, Way},
    time::UnixMs,
};
use kirana_migrations::{
    StoreError,
    catalogue::{self, categories},
    rusqlite::Connection,
};
use serde::Serialize;

use super::Shop;
use crate::store::{batches, orders};

/// Orders that are looked at.
const LOOKED_AT_MAX: u32 = 2_000;

/// An accepted order that is not handed over.
#[derive(Debug, Clone, Serialize)]
pub struct Queued {
    /// Its id.
    pub id: OrderId,
    /// Its short number.
    pub number: String,
    /// Brought or collected.
    pub way: Way,
    /// The span of time, by the clock on the shop's wall; nothing where none was chosen.
    pub when: Option<String>,
    /// The same, for programs.
    pub slot: Option<Slot>,
    /// How far each of its groups is.
    pub groups: Vec<Fulfilment>,
    /// How many of its lines come.
    pub lines: usize,
    /// What is to pay.
    pub due: Money,
    /// Whether nothing may be added until its customer was heard.
    pub waits_for_customer: bool,
}

/// Something to be taken from a shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pick {
    /// The shelves that it stands on, from the top down, as they are called.
    pub shelves: Vec<String>,
    /// The product.
    pub product_id: ProductId,
    /// The size or pack.
    pub variant_id: VariantId,
    /// What it is called.
    pub name: String,
    /// The size or pack, as it is called.
    pub label: Option<String>,
    /// The code on it.
    pub gtin: Option<String>,
    /// How much for all of them.
    pub amount: u64,
    /// In which unit.
    pub unit: &'static str,
    /// What goes off first, of what lies there.
    pub best_before: Option<kirana_core::day::Day>,
    /// For whom how much.
    pub orders: Vec<PickFor>,
}

/// What of it one order needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PickFor {
    /// The order's short number.
    pub number: String,
    /// Its id.
    pub id: OrderId,
    /// The line.
    pub line: u16,
    /// How much.
    pub amount: u64,
    /// What may come in its place.
    pub substitution: Substitution,
}

impl Shop {
    /// Accepted orders of which something is still to be handed over: those with a span of time
    /// first, the soonest first, then the oldest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn queue(&self, way: Option<Way>) -> Result<Vec<Queued>, StoreError> {
        let terms = self.terms()?.map(|said| said.terms).unwrap_or_default();
        let mut queue = self.reader().read(|c| {
            let mut queue = Vec::new();
            self.each_accepted(c, |row, order| {
                queue.extend(queued(&terms, row, order));
                Ok(())
            })?;
            Ok::<_, StoreError>(queue)
        })?;
        queue.retain(|queued| way.is_none_or(|way| queued.way == way));
        // Rows come oldest first, and sorting keeps that among equals.
        queue.sort_by_key(|queued| (queued.slot.is_none(), queued.slot.map(|slot| slot.from)));
        Ok(queue)
    }

    /// What is still to be taken from the shelves, in their order: for these orders, or for all
    /// whose span of time begins before `until`, those without one among them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn picking(
        &self,
        only: &[OrderId],
        until: Option<UnixMs>,
        language: Language,
    ) -> Result<Vec<Pick>, StoreError> {
        self.reader().read(|c| {
            let tree = categories::tree(c, self.id())?;
            let mut picks: BTreeMap<VariantId, Pick> = BTreeMap::new();
            self.each_accepted(c, |row, order| {
                let (_, slot) = Way::of(order.placed.handover);
                let is_later = slot.zip(until).is_some_and(|(slot, until)| slot.from >= until);
                let is_meant = if only.is_empty() { !is_later } else { only.contains(&row.id) };
                if !is_meant {
                    return Ok(());
                }
                for (at, line) in to_pick(order) {
                    let amount = line.state.reserved_amount();
                    let pick = match picks.entry(line.variant()) {
                        std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
                        std::collections::btree_map::Entry::Vacant(free) => {
                            free.insert(self.pick(c, &tree, line, language)?)
                        }
                    };
                    pick.amount = pick.amount.saturating_add(amount);
                    pick.orders.push(PickFor {
                        number: row.number.clone(),
                        id: row.id,
                        line: at,
                        amount,
                        substitution: line.wanted.substitution,
                    });
                }
                Ok(())
            })?;
            let places: BTreeMap<String, usize> = tree
                .nodes()
                .into_iter()
                .enumerate()
                .map(|(at, (_, node))| (node.name(language).to_owned(), at))
                .collect();
            let mut picks: Vec<Pick> = picks.into_values().collect();
            picks.sort_by_cached_key(|pick| {
                let place = pick.shelves.last().and_then(|shelf| places.get(shelf));
                // What stands on no shelf of the tree comes last.
                (Reverse(place.map(|place| Reverse(*place))), pick.name.clone(), pick.variant_id)
            });
            Ok(picks)
        })
    }

    fn each_accepted(
        &self,
        c: &Connection,
        mut each: impl FnMut(&orders::OrderRow, &Order) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut seen = self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for row in orders::accepted(c, LOOKED_AT_MAX)? {
            match orders::chain_seen(c, &row, &mut seen) {
                Ok(chain) => each(&row, chain.order())?,
                // `verify` names it; the others shall not wait for it.
                Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn pick(
        &self,
        c: &Connection,
        tree: &Tree,
        line: &Line,
        language: Language,
    ) -> Result<Pick, StoreError> {
        let (product_id, variant_id) = (line.product(), line.variant());
        let product = catalogue::by_variant(c, self.id(), variant_id)?.map(|found| found.product);
        let category = product.as_ref().and_then(|product| product.category.as_deref());
        let shelves = category.map(|category| tree.shelves(category)).unwrap_or_default();
        let called = |shelf: &str| {
            let node = tree.node(shelf);
            node.map_or(shelf.to_owned(), |node| node.name(language).to_owned())
        };
        let variant = product.as_ref().and_then(|product| product.variants.get(&variant_id));
        let name = product.as_ref().map(|product| product.name(language).to_owned());
        let place = self.identity().location;
        let lying = batches::open(c, BatchSlot { variant: variant_id, location: place })?;
        let first = lying.iter().filter_map(|batch| batch.best_before).min();
        Ok(Pick {
            shelves: shelves.into_iter().map(called).collect(),
            product_id,
            variant_id,
            name: name.unwrap_or_else(|| variant_id.to_string()),
            label: variant.and_then(|variant| variant.label.clone()),
            gtin: variant.and_then(|variant| variant.gtin).map(|gtin| gtin.to_string()),
            amount: 0,
            unit: line.quantity().unit().as_str(),
            best_before: first,
            orders: Vec::new(),
        })
    }
}

/// The lines that are reserved and not packed.
fn to_pick(order: &Order) -> impl Iterator<Item = (u16, &Line)> {
    let open = order
        .groups
        .iter()
        .filter(|group| matches!(group.stage, Fulfilment::Pending | Fulfilment::Packing { .. }));
    let lines = open.flat_map(|group| &group.lines);
    let line = |at: &u16| Some((*at, order.lines.get(usize::from(*at))?));
    lines.filter_map(line).filter(|(_, line)| line.state.reserved_amount() > 0)
}

fn queued(terms: &Terms, row: &orders::OrderRow, order: &Order) -> Option<Queued> {
    let waits = order.groups.iter().any(|group| !group.stage.is_final());
    let totals = Totals::of(order).ok().filter(|_| waits)?;
    let (way, slot) = Way::of(order.placed.handover);
    Some(Queued {
        id: row.id,
        number: row.number.clone(),
        way,
        when: slot.map(|slot| terms.written(slot)),
        slot,
        groups: order.groups.iter().map(|group| group.stage).collect(),
        lines: order.lines.iter().filter(|line| line.state.charged_amount().is_some()).count(),
        due: totals.due,
        waits_for_customer: row.waits_for_heads,
    })
}

impl Pick {
    /// How much, as people read it.
    pub fn written(&self) -> String {
        let unit = self.unit.parse().ok();
        let quantity = unit.and_then(|unit| Quantity::new(self.amount, unit).ok());
        quantity.map_or_else(|| self.amount.to_string(), |quantity| quantity.to_string())
    }
}
