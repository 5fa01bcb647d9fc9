//! Breaks things as planned.

use kirana_migrations::Fault as CommitFault;

use super::{Event, World};
use crate::{
    clocks::NodeClock,
    fault::Fault,
    node::NodeId,
    plan::{HOUR_MS, Strike},
    sometimes::Situation,
};

impl World {
    pub(super) fn strikes(&mut self, strike: Strike) {
        if self.healed {
            return;
        }
        let now = self.schedule.now();
        match strike {
            Strike::Crash { node, off_ms } => self.crash(node, off_ms),
            Strike::CrashAtCommit { node, commits, after } => self.arm(node, commits, after),
            Strike::Cut { a, b, ms } => {
                self.network.cut(a, b, now.plus_ms(ms));
                self.struck(Fault::Cut, a);
            }
            Strike::OneWay { from, to, ms } => {
                self.network.cut_one_way(from, to, now.plus_ms(ms));
                self.struck(Fault::OneWay, from);
            }
            Strike::ClockJump { node, ms } => {
                let mut clock = NodeClock::default();
                clock.jump(&mut self.people);
                self.set_clock(node, Some(clock));
                self.struck(Fault::Clock, node);
                self.schedule.after(ms, Event::ClockRight(node));
            }
            Strike::FullDisk { node, ms } => {
                self.fill_disk(node, true);
                self.struck(Fault::DiskFull, node);
                self.schedule.after(ms, Event::DiskFree(node));
            }
            Strike::Backup { shop } => self.back_up(shop),
            Strike::Restore { shop } => self.restore(shop),
            Strike::RelayDrop { hub } => {
                self.mischief.entry(hub).or_default().drops_until = now.plus_ms(HOUR_MS);
            }
            Strike::RelayMutate { hub, ms } => {
                self.mischief.entry(hub).or_default().mutates_until = now.plus_ms(ms);
            }
            Strike::RelayReplay { hub } => self.mischief.entry(hub).or_default().replays += 4,
            Strike::Forge { shop } => self.forge(shop),
            Strike::Steal { device } => self.steal(device),
            Strike::Flood { hub } => self.flood(hub),
        }
    }

    fn crash(&mut self, node: NodeId, off_ms: u64) {
        if !self.is_on(node) {
            return;
        }
        let fault = match node {
            NodeId::Hub(_) => Fault::HubDown,
            NodeId::Shop(_) => Fault::ShopDown,
            NodeId::Device(_) | NodeId::Staff(_) => Fault::Crash,
        };
        self.struck(fault, node);
        self.power_off(node, off_ms);
    }

    fn arm(&mut self, node: NodeId, commits: u32, after: bool) {
        let (fault, counted) = match after {
            true => (CommitFault::CrashAfterCommit(commits), Fault::CrashAfterCommit),
            false => (CommitFault::CrashBeforeCommit(commits), Fault::CrashBeforeCommit),
        };
        if let Some(database) = self.database_of(node) {
            database.writer.inject(Some(fault));
            self.struck(counted, node);
        }
    }

    /// Switches a box off; it comes back after a while.
    pub(super) fn power_off(&mut self, node: NodeId, off_ms: u64) {
        self.tell(|| format!("{node}: off for {} s", off_ms / 1000));
        let orders = self.journal.under_way_of(node);
        self.journal.died_with.extend(orders);
        match node {
            NodeId::Hub(_) => self.hubs.get_mut(&node).into_iter().for_each(|m| m.crash()),
            NodeId::Shop(_) => self.shops.get_mut(&node).into_iter().for_each(|m| m.crash()),
            NodeId::Device(_) => self.devices.get_mut(&node).into_iter().for_each(|m| m.crash()),
            NodeId::Staff(_) => {}
        }
        self.schedule.after(off_ms, Event::PowerOn(node));
    }

    pub(super) fn set_clock(&mut self, node: NodeId, clock: Option<NodeClock>) {
        let clock = clock.unwrap_or_default();
        match node {
            NodeId::Hub(_) => {
                self.hubs.get_mut(&node).into_iter().for_each(|m| m.clock = clock);
            }
            NodeId::Shop(_) => {
                self.shops.get_mut(&node).into_iter().for_each(|m| m.clock = clock);
            }
            NodeId::Device(_) => {
                self.devices.get_mut(&node).into_iter().for_each(|m| m.clock = clock);
            }
            NodeId::Staff(_) => {}
        }
    }

    pub(super) fn fill_disk(&mut self, node: NodeId, full: bool) {
        let Some(database) = self.database_of(node) else { return };
        let was_full = database.writer.is_full();
        if let Err(e) = database.writer.fill_disk(full) {
            self.broke("P7", format!("{node}: the disk could not be filled or freed: {e}"));
        }
        if !full && was_full {
            self.met(Situation::FullDiskHealed);
        }
    }
}
