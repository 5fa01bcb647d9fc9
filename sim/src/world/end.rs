//! The end of a run: everything is mended, people finish what they began, and the promises are
//! checked from outside.

use std::collections::BTreeSet;

use kirana_core::{
    hash::Hash,
    order::wish::{Answer, Said},
    statement::UnverifiedStatement,
    time::UnixMs,
};
use kirana_migrations::Database;

use super::{Event, World};
use crate::{
    check::Evidence,
    claim::Claim,
    node::NodeId,
    plan::{Doing, HOUR_MS},
    view::{DeviceView, ShopView, read},
};

/// How long everybody gets to settle, in milliseconds.
const SETTLE_MS: u64 = 40 * HOUR_MS;
/// How often it is looked whether everything is settled, in milliseconds.
const LOOK_MS: u64 = 4 * HOUR_MS;

impl World {
    /// Mends everything, lets everybody settle, and checks.
    pub fn heal_and_check(&mut self) {
        self.heal();
        let end = self.now().plus_ms(SETTLE_MS);
        loop {
            self.finish_work();
            let look = self.now().plus_ms(LOOK_MS).min(end);
            self.run_until(look);
            let broken = self.evidence();
            if broken.is_empty() || look == end {
                broken.into_iter().for_each(|(promise, what)| self.broke(promise, what));
                break;
            }
        }
        self.look_at_situations();
        self.flip_a_byte();
    }

    fn heal(&mut self) {
        self.healed = true;
        self.network.heal();
        self.mischief.values_mut().for_each(|mischief| {
            (mischief.drops_until, mischief.mutates_until) = (UnixMs::default(), UnixMs::default());
            mischief.replays = 0;
        });
        for node in self.all_nodes() {
            self.fill_disk(node, false);
            self.set_clock(node, None);
            self.disarm(node);
            if !self.is_on(node) {
                self.power_on(node);
            }
        }
        self.drain();
        let devices: Vec<NodeId> = self.devices.keys().copied().collect();
        devices.into_iter().for_each(|device| self.dial_now(device));
    }

    /// People decide what waits for them, and count once more.
    fn finish_work(&mut self) {
        for shop in self.shops.keys().copied().collect::<Vec<_>>() {
            self.does(Doing::DecideByHand(shop));
            self.does(Doing::Stocktake(shop));
            self.does(Doing::Settle(shop));
        }
    }

    pub(super) fn all_nodes(&self) -> Vec<NodeId> {
        let hubs = self.hubs.keys();
        hubs.chain(self.shops.keys()).chain(self.devices.keys()).copied().collect()
    }

    fn evidence(&mut self) -> Vec<crate::check::Broken> {
        let (mut devices, mut shops, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        for (node, machine) in &self.devices {
            let orders = match read::device_orders(&machine.database) {
                Ok(orders) => orders,
                Err(e) => {
                    broken.push(("P8", format!("{node}: {e}")));
                    continue;
                }
            };
            let faults = machine.program.as_ref().map_or_else(Vec::new, |p| p.verify());
            let refused = self.refused(&machine.database);
            devices.push(DeviceView { node: *node, orders, refused, faults });
        }
        for (node, machine) in &self.shops {
            let Some(shop) = self.shop_id(*node) else { continue };
            let read = read::shop_orders(&machine.database)
                .and_then(|orders| Ok((orders, read::movements(&machine.database)?)));
            match read {
                Ok((orders, movements)) => {
                    let faults = machine.program.as_ref().map_or_else(Vec::new, |p| p.verify());
                    shops.push(ShopView { node: *node, shop, orders, movements, faults });
                }
                Err(e) => broken.push(("P8", format!("{node}: {e}"))),
            }
        }
        let evidence = Evidence { journal: &self.journal, devices: &devices, shops: &shops };
        broken.extend(evidence.broken());
        broken.extend(self.hubs_lost());
        broken.extend(self.prices_hidden());
        broken
    }

    /// What shops refused to a device, as far as they truly signed it.
    fn refused(&self, database: &Database) -> BTreeSet<Hash> {
        let mut refused = BTreeSet::new();
        for bytes in read::refusals(database) {
            let Ok(statement) = UnverifiedStatement::parse(&bytes) else { continue };
            let Some(key) = self.town.boxes.get(&statement.signer()) else { continue };
            let Ok(signed) = statement.verify(key) else { continue };
            if let Ok(Said::Answer(Answer::Refusal(refusal))) = Said::of(signed.statement()) {
                refused.insert(refusal.answers);
            }
        }
        refused
    }

    /// P7: mail that a hub said it stored, that nobody deleted and whose time has not passed.
    fn hubs_lost(&self) -> Vec<crate::check::Broken> {
        let now = self.schedule.now();
        let mut broken = Vec::new();
        for (hub, kept) in &self.journal.kept_by {
            let Some(machine) = self.hubs.get(hub) else { continue };
            for (id, kept) in kept.iter().filter(|(_, kept)| kept.until > now) {
                if !read::hub_keeps(&machine.database, *id) {
                    let to = kept.to;
                    broken.push((
                        "P7",
                        format!("{hub}: mail {id} for {to:?} was stored and is gone"),
                    ));
                }
            }
        }
        broken
    }

    /// The digest of what every database holds goes into the trace.
    pub fn digest_databases(&mut self) {
        for node in self.all_nodes() {
            match self.database_of(node).map(|database| database.image()) {
                Some(Ok(image)) => self.trace.database(node, Hash::of(&image)),
                Some(Err(e)) => {
                    self.broke("P8", format!("{node}: the database is unreadable: {e}"))
                }
                None => {}
            }
        }
    }

    /// Orders that shops decided, by the households' own chains.
    pub fn orders_decided(&self) -> u64 {
        let orders = self.devices.values().filter_map(|m| read::device_orders(&m.database).ok());
        let claims = orders.flatten().filter_map(|(_, held)| Claim::read(&held.chain).ok());
        claims.filter(Claim::is_decided).count() as u64
    }

    pub(super) fn power_on(&mut self, node: NodeId) {
        if self.is_on(node) {
            return;
        }
        match node {
            NodeId::Hub(_) => self.start_hub(node),
            NodeId::Shop(_) => self.start_shop(node),
            NodeId::Device(_) => self.start_device(node),
            NodeId::Staff(_) => {}
        }
        let life = self.life_of(node);
        self.schedule.after(1, Event::Dial(node, life));
    }
}
