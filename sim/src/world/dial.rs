//! Who can reach whom: boxes look for their contacts now and then, and notice when one is gone.

use kirana_sync::{client::Input, peer::Role};

use super::{Event, World};
use crate::node::NodeId;

/// How often a box looks for contacts, in milliseconds.
const DIAL_MS: u64 = 5 * 60_000;
/// No timer is shorter than this, in milliseconds, so that no run spins in place.
const WAKE_MS_MIN: u64 = 200;

impl World {
    /// Looks for contacts now, and again in a while.
    pub(super) fn dial(&mut self, node: NodeId, life: u32) {
        if !self.is_on(node) || self.life_of(node) != life {
            return;
        }
        self.follow_shops(node);
        self.dial_now(node);
        let spread = self.people.below(DIAL_MS / 4);
        self.schedule.after(DIAL_MS + spread, Event::Dial(node, life));
    }

    /// Has a program that was just started keep the catalogues of the household's shops.
    fn follow_shops(&mut self, node: NodeId) {
        let program = self.devices.get_mut(&node).and_then(|machine| machine.program.as_mut());
        let Some(program) = program.filter(|program| !program.follows) else { return };
        program.follows = true;
        let shops = program.household.known_shops().unwrap_or_default();
        let known = shops
            .into_iter()
            .filter_map(|shop| Some((shop.id, program.household.catalogue_known(shop.id).ok()?)));
        for (shop, known) in known.collect::<Vec<_>>() {
            self.feed(node, Input::Follow { shop, known });
        }
    }

    /// Connects to every contact that can be reached.
    pub(super) fn dial_now(&mut self, node: NodeId) {
        for (contact, role) in self.contacts(node) {
            let now = self.schedule.now();
            let reachable = self.network.carries(node, contact, now)
                && self.network.carries(contact, node, now)
                && self.is_on(contact);
            if reachable
                && self.connect(node, contact)
                && let Some(key) = self.key_of(contact)
            {
                self.feed(node, Input::Connected { peer: key.id(), role });
            }
        }
    }

    fn contacts(&self, node: NodeId) -> Vec<(NodeId, Role)> {
        let hubs = self.hubs.keys().map(|hub| match hub {
            NodeId::Hub(0) => (*hub, Role::Hub),
            hub => (*hub, Role::Community),
        });
        match node {
            NodeId::Shop(_) => hubs.collect(),
            NodeId::Device(_) => {
                let Some(seat) = self.town.devices.get(&node) else { return Vec::new() };
                let near = self.shops_of(node).into_iter().filter(|_| seat.is_near);
                let near = near.filter_map(|shop| Some((shop, Role::Shop(self.shop_id(shop)?))));
                near.chain(hubs.filter(|_| seat.is_online)).collect()
            }
            NodeId::Hub(_) | NodeId::Staff(_) => Vec::new(),
        }
    }

    /// Notes a connection; says whether it is a new one.
    fn connect(&mut self, node: NodeId, contact: NodeId) -> bool {
        match node {
            NodeId::Device(_) => {
                let program = self.devices.get_mut(&node).and_then(|m| m.program.as_mut());
                program.is_some_and(|program| program.connected.insert(contact))
            }
            NodeId::Shop(_) => {
                let program = self.shops.get_mut(&node).and_then(|m| m.program.as_mut());
                program.is_some_and(|program| program.connected.insert(contact))
            }
            NodeId::Hub(_) | NodeId::Staff(_) => false,
        }
    }

    /// Closes a connection, if it was open.
    pub(super) fn hang_up(&mut self, node: NodeId, contact: NodeId) {
        let was_open = match node {
            NodeId::Device(_) => {
                let program = self.devices.get_mut(&node).and_then(|m| m.program.as_mut());
                program.is_some_and(|program| program.connected.remove(&contact))
            }
            NodeId::Shop(_) => {
                let program = self.shops.get_mut(&node).and_then(|m| m.program.as_mut());
                program.is_some_and(|program| program.connected.remove(&contact))
            }
            NodeId::Hub(_) | NodeId::Staff(_) => false,
        };
        if was_open && let Some(key) = self.key_of(contact) {
            self.feed(node, Input::Disconnected { peer: key.id() });
        }
    }

    pub(super) fn wake(&mut self, node: NodeId, life: u32) {
        if !self.is_on(node) || self.life_of(node) != life {
            return;
        }
        let now = self.schedule.now();
        let planned = match node {
            NodeId::Device(_) => self.devices.get_mut(&node).map(|m| &mut m.wake_at),
            NodeId::Shop(_) => self.shops.get_mut(&node).map(|m| &mut m.wake_at),
            NodeId::Hub(_) | NodeId::Staff(_) => None,
        };
        let Some(planned) = planned.filter(|planned| **planned == Some(now)) else { return };
        *planned = None;
        self.feed(node, Input::Tick);
    }

    /// Plans the next tick of a program, unless an earlier one is planned already.
    pub(super) fn plan_wake(&mut self, node: NodeId) {
        let truth = self.schedule.now();
        let (wakes_at, own, planned, life) = match node {
            NodeId::Device(_) => {
                let Some(machine) = self.devices.get_mut(&node) else { return };
                let wakes_at = machine.program.as_ref().and_then(|p| p.wakes_at());
                (wakes_at, machine.clock.read(truth), &mut machine.wake_at, machine.life)
            }
            NodeId::Shop(_) => {
                let Some(machine) = self.shops.get_mut(&node) else { return };
                let wakes_at = machine.program.as_ref().and_then(|p| p.wakes_at());
                (wakes_at, machine.clock.read(truth), &mut machine.wake_at, machine.life)
            }
            NodeId::Hub(_) | NodeId::Staff(_) => return,
        };
        let Some(wakes_at) = wakes_at else { return };
        let wait_ms = wakes_at.get().saturating_sub(own.get()).clamp(WAKE_MS_MIN, DIAL_MS);
        let at = truth.plus_ms(wait_ms);
        if planned.is_none_or(|planned| planned <= truth || at < planned) {
            *planned = Some(at);
            self.schedule.at(at, Event::Wake(node, life));
        }
    }
}
