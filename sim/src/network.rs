//! Decides what becomes of each message: when it arrives, how often, or that it is lost.
//!
//! **Invariant:** links are directed, so that a partition can be one-way; a healed network loses,
//! doubles and reorders nothing.

use std::collections::BTreeMap;

use kirana_core::time::UnixMs;

use crate::{dice::Dice, fault::Fault, node::NodeId};

/// How rough the network is in a seed, in cases of a thousand.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Messages that vanish.
    pub loss: u64,
    /// Messages that come twice.
    pub duplicate: u64,
    /// Messages that dawdle, and are overtaken.
    pub dawdle: u64,
}

impl Weather {
    /// Drawn for a seed: from calm to stormy.
    pub fn draw(dice: &mut Dice) -> Self {
        let roughness = dice.between(0, 3);
        Self { loss: 15 * roughness, duplicate: 20 * roughness, dawdle: 30 * roughness }
    }

    /// Everything arrives once and in order.
    pub const CALM: Self = Self { loss: 0, duplicate: 0, dawdle: 0 };
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// After how many milliseconds it arrives, once per arrival; empty when it is lost.
    pub arrivals_ms: Vec<u64>,
    /// What went wrong with it.
    pub faults: Vec<Fault>,
}

/// The links between the nodes.
pub struct Network {
    weather: Weather,
    cut_until: BTreeMap<(NodeId, NodeId), UnixMs>,
    dice: Dice,
}

impl Network {
    /// All links whole.
    pub fn new(weather: Weather, dice: Dice) -> Self {
        Self { weather, cut_until: BTreeMap::new(), dice }
    }

    /// Cuts the link both ways.
    pub fn cut(&mut self, a: NodeId, b: NodeId, until: UnixMs) {
        self.cut_one_way(a, b, until);
        self.cut_one_way(b, a, until);
    }

    /// Cuts the link one way: `from` is not heard at `to`.
    pub fn cut_one_way(&mut self, from: NodeId, to: NodeId, until: UnixMs) {
        let end = self.cut_until.entry((from, to)).or_default();
        *end = until.max(*end);
    }

    /// Whether what `from` sends now can be heard at `to`.
    pub fn carries(&self, from: NodeId, to: NodeId, now: UnixMs) -> bool {
        self.cut_until.get(&(from, to)).is_none_or(|until| *until <= now)
    }

    /// From now on every message arrives once and in order.
    pub fn heal(&mut self) {
        self.weather = Weather::CALM;
        self.cut_until.clear();
    }

    /// What becomes of a message sent now.
    pub fn fate(&mut self, from: NodeId, to: NodeId, now: UnixMs) -> Fate {
        if !self.carries(from, to, now) {
            return Fate { arrivals_ms: Vec::new(), faults: Vec::new() };
        }
        if self.dice.permille(self.weather.loss) {
            return Fate { arrivals_ms: Vec::new(), faults: vec![Fault::Loss] };
        }
        let mut faults = Vec::new();
        let mut first = self.dice.between(DELAY_MS_MIN, DELAY_MS_MAX);
        if self.dice.permille(self.weather.dawdle) {
            first += self.dice.between(DELAY_MS_MAX, DAWDLE_MS_MAX);
            faults.push(Fault::Reorder);
        }
        let mut arrivals_ms = vec![first];
        if self.dice.permille(self.weather.duplicate) {
            arrivals_ms.push(first + self.dice.between(1, DAWDLE_MS_MAX));
            faults.push(Fault::Duplicate);
        }
        Fate { arrivals_ms, faults }
    }
}

const DELAY_MS_MIN: u64 = 5;
const DELAY_MS_MAX: u64 = 400;
/// Shorter than any client waits, so that what dawdles is late and not lost.
const DAWDLE_MS_MAX: u64 = 8_000;

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId::Shop(0);
    const B: NodeId = NodeId::Device(0);

    fn stormy() -> Network {
        let weather = Weather { loss: 100, duplicate: 100, dawdle: 100 };
        Network::new(weather, Dice::new(1, "network"))
    }

    #[test]
    fn a_one_way_cut_leaves_the_other_way_open_and_ends() {
        let mut network = stormy();
        network.cut_one_way(A, B, UnixMs::new(100));
        assert!(!network.carries(A, B, UnixMs::new(99)));
        assert!(network.carries(B, A, UnixMs::new(99)));
        assert!(network.carries(A, B, UnixMs::new(100)));
    }

    #[test]
    fn a_storm_loses_doubles_and_reorders_and_a_healed_network_does_not() {
        let mut network = stormy();
        let fates = |network: &mut Network| {
            (0..300).map(|_| network.fate(A, B, UnixMs::new(0))).collect::<Vec<_>>()
        };
        let storm = fates(&mut network);
        for fault in [Fault::Loss, Fault::Duplicate, Fault::Reorder] {
            assert!(
                storm.iter().any(|fate| fate.faults.contains(&fault)),
                "{fault:?} never struck"
            );
        }
        network.cut(A, B, UnixMs::MAX);
        network.heal();
        let calm = fates(&mut network);
        assert!(calm.iter().all(|fate| fate.arrivals_ms.len() == 1 && fate.faults.is_empty()));
    }
}
