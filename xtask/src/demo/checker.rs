//! Counts what was lost, doubled or promised twice, from what outsiders hold.
//!
//! **Invariant:** it believes the households' journals and their copies of signed entries, the
//! opening stock, and the answers that walk-in customers saw. A program's own counters are no
//! evidence. A shop's published stock is only ever compared with what the evidence says.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Orders;

pub mod journal;

/// A place where units of one thing lie: a shop and a variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    pub shop: String,
    pub variant: String,
}

/// How the first acknowledgement of an order came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    Direct,
    Hub,
    Community,
    File,
}

impl Path {
    pub const ALL: [Self; 4] = [Self::Direct, Self::Hub, Self::Community, Self::File];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hub => "hub",
            Self::Community => "community",
            Self::File => "file",
        }
    }
}

/// What the shop decided, by the entries that a household holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Declined,
    Withdrawn,
    Expired,
}

/// One order as its household knows it.
#[derive(Debug, Clone)]
pub struct OrderSeen {
    pub id: String,
    pub household: String,
    pub shop: String,
    /// How its first acknowledgement came, if one did.
    pub path: Option<Path>,
    /// Whether a signed entry of the shop arrived.
    pub taken_in: bool,
    /// Whether the shop's signed refusal to take it in at all arrived.
    pub turned_away: bool,
    /// Every verdict in the chain that holds; one is right.
    pub verdicts: Vec<Verdict>,
    pub completed: bool,
    /// Units that the shop promised and has not released again, by variant.
    pub promised: BTreeMap<String, u64>,
    /// Units of those that were handed over.
    pub handed_over: BTreeMap<String, u64>,
}

/// What a shop publishes about a shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    pub on_hand: u64,
    pub reserved: u64,
}

/// All that outsiders saw.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Ids of the orders that a household's screen showed as placed, as the story read them.
    pub shown_placed: BTreeSet<String>,
    /// What the households' journals hold.
    pub journals: Vec<OrderSeen>,
    /// What lay there when the shops opened, and what came in later.
    pub brought_in: BTreeMap<Shelf, u64>,
    /// What walk-in customers took, by the answers at the counter.
    pub walked_out: BTreeMap<Shelf, u64>,
    /// The order ids that each shop lists, each as often as it lists it.
    pub listed: BTreeMap<String, Vec<String>>,
    /// What the shops publish at the end, for the shelves that anybody touched.
    pub published: BTreeMap<Shelf, Published>,
}

/// What the evidence says.
#[derive(Debug, Default)]
pub struct Findings {
    pub orders: Orders,
    pub oversold: u64,
    pub paths: BTreeMap<&'static str, Vec<String>>,
    /// Every broken promise, as a sentence.
    pub faults: Vec<String>,
}

impl OrderSeen {
    /// Whether its household still waits for a word of the shop.
    pub fn is_open(&self) -> bool {
        self.verdicts.is_empty() && !self.turned_away
    }
}

impl Evidence {
    /// Notes units that came in.
    pub fn bring_in(&mut self, shelf: Shelf, units: u64) {
        *self.brought_in.entry(shelf).or_default() += units;
    }

    /// Notes units that a walk-in customer took.
    pub fn walk_out(&mut self, shelf: Shelf, units: u64) {
        *self.walked_out.entry(shelf).or_default() += units;
    }

    /// Counts.
    pub fn examine(&self) -> Findings {
        let mut findings = Findings {
            paths: Path::ALL.iter().map(|path| (path.name(), Vec::new())).collect(),
            ..Findings::default()
        };
        self.examine_orders(&mut findings);
        self.examine_lists(&mut findings);
        self.examine_shelves(&mut findings);
        findings
    }

    fn examine_orders(&self, findings: &mut Findings) {
        let kept: BTreeSet<&String> = self.journals.iter().map(|order| &order.id).collect();
        for id in self.shown_placed.iter().filter(|id| !kept.contains(id)) {
            findings.orders.placed += 1;
            findings.lose(format!("order {id} was shown as placed and no journal holds it"));
        }
        for order in &self.journals {
            findings.orders.placed += 1;
            if let Some(path) = order.path {
                findings.paths.entry(path.name()).or_default().push(order.id.clone());
            }
            if order.turned_away && !order.taken_in {
                findings.orders.declined += 1;
            } else if !order.taken_in {
                findings.lose(format!(
                    "order {} of {} never reached its shop",
                    order.id, order.household
                ));
            }
            match order.verdicts.as_slice() {
                [] => {}
                [one] => findings.count(*one),
                many => {
                    let text = format!("order {} was decided {} times", order.id, many.len());
                    findings.double(text);
                }
            }
            findings.orders.completed += u64::from(order.completed);
        }
    }

    /// A shop lists each order of its households once.
    fn examine_lists(&self, findings: &mut Findings) {
        for (shop, ids) in &self.listed {
            let mut times: BTreeMap<&String, u64> = BTreeMap::new();
            ids.iter().for_each(|id| *times.entry(id).or_default() += 1);
            for (id, times) in times.iter().filter(|(_, times)| **times > 1) {
                findings.double(format!("{shop} lists order {id} {times} times"));
            }
            let taken = self.journals.iter().filter(|order| &order.shop == shop && order.taken_in);
            for order in taken.filter(|order| !times.contains_key(&order.id)) {
                findings.lose(format!("{shop} signed for order {} and knows it no more", order.id));
            }
        }
    }

    fn examine_shelves(&self, findings: &mut Findings) {
        let mut promised: BTreeMap<Shelf, u64> = BTreeMap::new();
        let mut handed_over: BTreeMap<Shelf, u64> = BTreeMap::new();
        for order in &self.journals {
            let shelf =
                |variant: &String| Shelf { shop: order.shop.clone(), variant: variant.clone() };
            for (variant, units) in &order.promised {
                *promised.entry(shelf(variant)).or_default() += units;
            }
            for (variant, units) in &order.handed_over {
                *handed_over.entry(shelf(variant)).or_default() += units;
            }
        }
        let shelves: BTreeSet<&Shelf> = promised.keys().chain(self.walked_out.keys()).collect();
        for shelf in shelves {
            let at = |map: &BTreeMap<Shelf, u64>| map.get(shelf).copied().unwrap_or_default();
            let there = at(&self.brought_in);
            let gone = at(&promised) + at(&self.walked_out);
            if gone > there {
                findings.oversold += gone - there;
                findings.faults.push(format!(
                    "{} promised {gone} of {} and had {there}",
                    shelf.shop, shelf.variant
                ));
                continue;
            }
            let out = at(&handed_over) + at(&self.walked_out);
            let right =
                Published { on_hand: there - out, reserved: at(&promised) - at(&handed_over) };
            let Some(published) = self.published.get(shelf).filter(|stated| **stated != right)
            else {
                continue;
            };
            let text = format!(
                "{} states {published:?} of {} where the households' papers say {right:?}",
                shelf.shop, shelf.variant
            );
            // Less on the shelf, or more kept back, than anybody was promised: an effect came twice.
            if published.on_hand < right.on_hand || published.reserved > right.reserved {
                findings.double(text);
            } else {
                findings.faults.push(text);
            }
        }
    }
}

impl Findings {
    /// Whether every promise was kept.
    pub fn are_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accepted => self.orders.accepted += 1,
            Verdict::Declined => self.orders.declined += 1,
            Verdict::Withdrawn | Verdict::Expired => {}
        }
    }

    fn lose(&mut self, fault: String) {
        self.orders.lost += 1;
        self.faults.push(fault);
    }

    fn double(&mut self, fault: String) {
        self.orders.doubled += 1;
        self.faults.push(fault);
    }
}

#[cfg(test)]
mod tests;
