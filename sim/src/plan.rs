//! Draws from a seed who lives in the neighbourhood, what people do there, and what goes wrong.
//!
//! **Invariant:** the plan is made before the run begins, so nothing that the programs do changes
//! what people want or what breaks.

use kirana_core::time::DAY_MS;

use crate::{dice::Dice, node::NodeId};

/// How big a seed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Shops.
    pub shops: u16,
    /// Devices of households and guests.
    pub devices: u16,
    /// Hubs; the first is the central one, the others serve communities.
    pub hubs: u16,
    /// Orders of each device.
    pub orders: u64,
    /// How long people trade, in milliseconds.
    pub busy_ms: u64,
}

impl Scale {
    /// About three shops; every fiftieth seed a hundred.
    pub fn of(seed: u64, dice: &mut Dice) -> Self {
        if seed.is_multiple_of(50) {
            return Self { shops: 100, devices: 40, hubs: 2, orders: 3, busy_ms: DAY_MS };
        }
        Self {
            shops: small(dice.between(2, 4)),
            devices: small(dice.between(5, 8)),
            hubs: 2,
            orders: dice.between(4, 7),
            busy_ms: dice.between(DAY_MS, 3 * DAY_MS),
        }
    }
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A household orders.
    Place(NodeId),
    /// A household takes an order back that is not decided.
    Withdraw(NodeId),
    /// A household calls an accepted order off.
    CallOff(NodeId),
    /// A household carries its waiting orders to the shop as a file.
    CarryFile(NodeId),
    /// A household looks at the shop's newest prices.
    Pull(NodeId),
    /// Somebody walks in and buys at the counter.
    WalkIn(NodeId),
    /// Goods go missing.
    Shrink(NodeId),
    /// Somebody counts the shelves.
    Stocktake(NodeId),
    /// New goods arrive.
    Receipt(NodeId),
    /// Somebody decides what waits for a person.
    DecideByHand(NodeId),
    /// Somebody packs and hands over what is accepted.
    HandOver(NodeId),
    /// Somebody cancels an accepted order.
    CancelByShop(NodeId),
    /// Two of the staff edit one price apart.
    EditApart(NodeId),
    /// The owner settles what clashes.
    Settle(NodeId),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// A node dies and comes back.
    Crash {
        /// Which.
        node: NodeId,
        /// How long it is off, in milliseconds.
        off_ms: u64,
    },
    /// A node dies at one of its next commits.
    CrashAtCommit {
        /// Which.
        node: NodeId,
        /// After so many more commits.
        commits: u32,
        /// Whether that commit itself still succeeds.
        after: bool,
    },
    /// A link is dead both ways.
    Cut {
        /// One end.
        a: NodeId,
        /// The other.
        b: NodeId,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// One end is not heard.
    OneWay {
        /// Who is not heard.
        from: NodeId,
        /// By whom.
        to: NodeId,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// A clock jumps.
    ClockJump {
        /// Whose.
        node: NodeId,
        /// When it is set right, in milliseconds from then.
        ms: u64,
    },
    /// A disk is full.
    FullDisk {
        /// Whose.
        node: NodeId,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Somebody makes the daily backup.
    Backup {
        /// Of which shop.
        shop: NodeId,
    },
    /// A shop goes on from its last backup.
    Restore {
        /// Which.
        shop: NodeId,
    },
    /// A relay forgets some of the mail that it said it has.
    RelayDrop {
        /// Which.
        hub: NodeId,
    },
    /// A relay changes what it hands out.
    RelayMutate {
        /// Which.
        hub: NodeId,
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// A relay hands out again what was taken and deleted.
    RelayReplay {
        /// Which.
        hub: NodeId,
    },
    /// A device fills its share of a hub.
    Flood {
        /// Of which hub.
        hub: NodeId,
    },
    /// An enemy speaks in the name of a household or of a shop.
    Forge {
        /// To which shop.
        shop: NodeId,
    },
    /// A household's device is stolen: its certificate is revoked, and it is used on.
    Steal {
        /// Which.
        device: NodeId,
    },
}

/// One entry of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// A person.
    Does(Doing),
    /// A fault.
    Strikes(Strike),
}

/// The whole plan: what happens how many milliseconds after the start.
pub fn draw(scale: Scale, dice: &mut Dice) -> Vec<(u64, Planned)> {
    let mut plan = Vec::new();
    for n in 0..scale.devices {
        household(NodeId::Device(n), scale, dice, &mut plan);
    }
    for n in 0..scale.shops {
        shop(NodeId::Shop(n), scale, dice, &mut plan);
    }
    for n in 0..scale.hubs {
        hub(NodeId::Hub(n), scale, dice, &mut plan);
    }
    links(scale, dice, &mut plan);
    plan
}

type Plan = Vec<(u64, Planned)>;

fn does(plan: &mut Plan, at: u64, doing: Doing) {
    plan.push((at, Planned::Does(doing)));
}

fn strikes(plan: &mut Plan, at: u64, strike: Strike) {
    plan.push((at, Planned::Strikes(strike)));
}

fn household(node: NodeId, scale: Scale, dice: &mut Dice, plan: &mut Plan) {
    // Two rush hours, in which many want the same few goods.
    let rush = [scale.busy_ms / 5, scale.busy_ms * 3 / 5];
    for _ in 0..scale.orders {
        let at = match dice.pick(&rush) {
            Some(hour) if dice.permille(600) => hour + dice.below(30 * MINUTE_MS),
            _ => dice.below(scale.busy_ms),
        };
        does(plan, at, Doing::Place(node));
        if dice.permille(250) {
            does(plan, at + dice.below(10 * MINUTE_MS), Doing::Withdraw(node));
        }
        if dice.permille(150) {
            does(plan, at + dice.between(MINUTE_MS, 2 * HOUR_MS), Doing::CallOff(node));
        }
        if dice.permille(250) {
            does(plan, at + dice.between(MINUTE_MS, HOUR_MS), Doing::CarryFile(node));
        }
    }
    for _ in 0..4 {
        does(plan, dice.below(scale.busy_ms), Doing::Pull(node));
    }
    if dice.permille(700) {
        let after = dice.permille(500);
        let commits = small_u32(dice.below(6));
        let at = dice.below(scale.busy_ms);
        strikes(plan, at, Strike::CrashAtCommit { node, commits, after });
    }
    for _ in 0..dice.below(3) {
        let off_ms = dice.between(MINUTE_MS, 2 * HOUR_MS);
        let at = match dice.pick(&rush) {
            Some(hour) => hour + dice.below(40 * MINUTE_MS),
            None => 0,
        };
        strikes(plan, at, Strike::Crash { node, off_ms });
    }
    if dice.permille(250) {
        strikes(plan, dice.below(scale.busy_ms), Strike::ClockJump { node, ms: far(dice) });
    }
    if dice.permille(200) {
        strikes(plan, dice.below(scale.busy_ms), Strike::FullDisk { node, ms: far(dice) });
    }
    if dice.permille(60) {
        strikes(plan, dice.below(scale.busy_ms), Strike::Steal { device: node });
    }
}

fn shop(node: NodeId, scale: Scale, dice: &mut Dice, plan: &mut Plan) {
    let days = (scale.busy_ms / DAY_MS).max(1);
    let times = |dice: &mut Dice, most: u64| dice.below(most * days) + 1;
    for doing in [
        Doing::WalkIn(node),
        Doing::WalkIn(node),
        Doing::WalkIn(node),
        Doing::DecideByHand(node),
        Doing::HandOver(node),
        Doing::HandOver(node),
        Doing::Stocktake(node),
        Doing::Receipt(node),
        Doing::CancelByShop(node),
        Doing::EditApart(node),
        Doing::Settle(node),
    ] {
        for _ in 0..times(dice, 3) {
            does(plan, dice.below(scale.busy_ms), doing);
        }
    }
    for _ in 0..times(dice, 2) {
        let at = dice.below(scale.busy_ms);
        does(plan, at, Doing::Shrink(node));
        does(plan, at + dice.below(3 * HOUR_MS), Doing::Stocktake(node));
    }
    for _ in 0..times(dice, 4) {
        let (after, commits) = (dice.permille(600), small_u32(dice.below(8)));
        let at = dice.below(scale.busy_ms);
        strikes(plan, at, Strike::CrashAtCommit { node, commits, after });
    }
    for _ in 0..times(dice, 2) {
        let off_ms = dice.between(5 * MINUTE_MS, 6 * HOUR_MS);
        strikes(plan, dice.below(scale.busy_ms), Strike::Crash { node, off_ms });
    }
    if dice.permille(400) {
        strikes(plan, dice.below(scale.busy_ms), Strike::FullDisk { node, ms: far(dice) });
    }
    if dice.permille(300) {
        strikes(plan, dice.below(scale.busy_ms), Strike::ClockJump { node, ms: far(dice) });
    }
    if dice.permille(500) {
        let backup = dice.below(scale.busy_ms / 2);
        strikes(plan, backup, Strike::Backup { shop: node });
        let restore = backup + dice.between(HOUR_MS, scale.busy_ms / 2);
        strikes(plan, restore, Strike::Restore { shop: node });
    }
    for _ in 0..times(dice, 3) {
        strikes(plan, dice.below(scale.busy_ms), Strike::Forge { shop: node });
    }
}

fn hub(node: NodeId, scale: Scale, dice: &mut Dice, plan: &mut Plan) {
    let at = |dice: &mut Dice| dice.below(scale.busy_ms);
    for _ in 0..dice.between(1, 3) {
        let off_ms = dice.between(10 * MINUTE_MS, 8 * HOUR_MS);
        strikes(plan, at(dice), Strike::Crash { node, off_ms });
    }
    for _ in 0..dice.between(1, 3) {
        let (after, commits) = (dice.permille(500), small_u32(dice.below(10)));
        strikes(plan, at(dice), Strike::CrashAtCommit { node, commits, after });
    }
    for _ in 0..dice.between(1, 4) {
        strikes(plan, at(dice), Strike::RelayDrop { hub: node });
        strikes(plan, at(dice), Strike::RelayReplay { hub: node });
        let ms = dice.between(5 * MINUTE_MS, HOUR_MS);
        strikes(plan, at(dice), Strike::RelayMutate { hub: node, ms });
    }
    if dice.permille(300) {
        strikes(plan, at(dice), Strike::FullDisk { node, ms: far(dice) });
    }
    if dice.permille(150) {
        strikes(plan, at(dice), Strike::Flood { hub: node });
    }
}

fn links(scale: Scale, dice: &mut Dice, plan: &mut Plan) {
    for _ in 0..u64::from(scale.shops) * 4 {
        let shop = NodeId::Shop(small(dice.below(scale.shops.into())));
        let device = NodeId::Device(small(dice.below(scale.devices.into())));
        let hub = NodeId::Hub(small(dice.below(scale.hubs.into())));
        let (a, b) = match dice.below(3) {
            0 => (shop, device),
            1 => (shop, hub),
            _ => (hub, device),
        };
        let (at, ms) = (dice.below(scale.busy_ms), far(dice));
        let strike = match dice.below(4) {
            0 => Strike::OneWay { from: a, to: b, ms },
            1 => Strike::OneWay { from: b, to: a, ms },
            _ => Strike::Cut { a, b, ms },
        };
        strikes(plan, at, strike);
    }
}

/// From minutes to hours.
fn far(dice: &mut Dice) -> u64 {
    dice.between(5 * MINUTE_MS, 10 * HOUR_MS)
}

fn small(n: u64) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn small_u32(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// One minute in milliseconds.
pub const MINUTE_MS: u64 = 60_000;
/// One hour in milliseconds.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fiftieth_seed_has_a_hundred_shops_and_the_others_about_three() {
        for seed in 1..=100 {
            let scale = Scale::of(seed, &mut Dice::new(seed, "scale"));
            let expected = if seed % 50 == 0 { 100..=100 } else { 2..=4 };
            assert!(expected.contains(&scale.shops), "seed {seed} has {} shops", scale.shops);
        }
    }

    #[test]
    fn one_seed_has_one_plan() {
        let plan = |seed| {
            let scale = Scale::of(seed, &mut Dice::new(seed, "scale"));
            draw(scale, &mut Dice::new(seed, "plan"))
        };
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }
}
