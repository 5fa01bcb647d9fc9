//! The neighbourhood of one seed: its boxes, its network, its people, and what an outsider notes.
//!
//! **Invariant:** everything that happens comes out of the schedule, one event after the other.

use std::collections::BTreeMap;

use kirana_core::{
    id::ShopId,
    key::{KeyId, PublicKey},
    time::UnixMs,
};

use crate::{
    books::Books,
    check::Broken,
    device::Device,
    dice::Dice,
    fault::{Fault, Faults},
    hub::Hub,
    journal::Journal,
    machine::Machine,
    network::Network,
    node::NodeId,
    plan::Planned,
    schedule::Schedule,
    shop::Shop,
    sometimes::{Met, Situation},
    story::Story,
    town::Town,
    trace::Trace,
};

mod boxes;
mod dial;
mod end;
mod enemies;
mod founding;
mod people;
mod prices;
mod relay;
mod situations;
mod strike;
mod transport;

use boxes::device_call;
use relay::Mischief;
use transport::Exchange;

/// What happens next.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something that was planned.
    Planned(Planned),
    /// A request arrives at its server.
    Asked(u64),
    /// An answer arrives at the client that asked.
    Answered(u64, Vec<u8>),
    /// A client has waited long enough.
    GivenUp(u64),
    /// A box looks whom it can reach.
    Dial(NodeId, u32),
    /// A program's timer is due.
    Wake(NodeId, u32),
    /// A box is switched on again.
    PowerOn(NodeId),
    /// A disk has room again.
    DiskFree(NodeId),
    /// A clock is set right.
    ClockRight(NodeId),
    /// A clerk's batch of edits arrives at the shop.
    BatchArrives {
        /// At which shop.
        shop: NodeId,
        /// Whose.
        clerk: usize,
    },
    /// A file that a household wrote arrives at the shop.
    FileArrives {
        /// At which shop.
        shop: NodeId,
        /// The file.
        bytes: Vec<u8>,
    },
}

/// One seed's world.
pub struct World {
    pub(crate) schedule: Schedule<Event>,
    pub(crate) network: Network,
    pub(crate) town: Town,
    pub(crate) people: Dice,
    pub(crate) hubs: BTreeMap<NodeId, Machine<Hub>>,
    pub(crate) shops: BTreeMap<NodeId, Machine<Shop>>,
    pub(crate) devices: BTreeMap<NodeId, Machine<Device>>,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) met: Met,
    pub(crate) books: BTreeMap<NodeId, Books>,
    pub(crate) trace: Trace,
    pub(crate) broken: Vec<Broken>,
    exchanges: BTreeMap<u64, Exchange>,
    next_exchange: u64,
    mischief: BTreeMap<NodeId, Mischief>,
    /// By which way the mail comes that is being handed over.
    way: Situation,
    healed: bool,
    pub(crate) story: Story,
}

impl World {
    /// Lets everything happen that is planned before `end`.
    pub fn run_until(&mut self, end: UnixMs) {
        while let Some(event) = self.schedule.next_before(end) {
            self.happen(event);
        }
        self.schedule.rest_until(end);
    }

    fn happen(&mut self, event: Event) {
        match &event {
            Event::Planned(planned) => self.tell(|| format!("-- {planned:?}")),
            Event::PowerOn(node) => self.tell(|| format!("{node}: power on")),
            _ => {}
        }
        match event {
            Event::Planned(Planned::Does(doing)) => self.does(doing),
            Event::Planned(Planned::Strikes(strike)) => self.strikes(strike),
            Event::Asked(exchange) => self.asked(exchange),
            Event::Answered(exchange, frame) => self.answered(exchange, &frame),
            Event::GivenUp(exchange) => self.given_up(exchange),
            Event::Dial(node, life) => self.dial(node, life),
            Event::Wake(node, life) => self.wake(node, life),
            Event::PowerOn(node) => self.power_on(node),
            Event::DiskFree(node) => self.fill_disk(node, false),
            Event::ClockRight(node) => self.set_clock(node, None),
            Event::BatchArrives { shop, clerk } => self.batch_arrives(shop, clerk),
            Event::FileArrives { shop, bytes } => self.file_arrives(shop, &bytes),
        }
    }

    /// Tells a line of the story, where somebody listens.
    pub(crate) fn tell(&self, words: impl FnOnce() -> String) {
        self.story.line(self.schedule.now(), words);
    }

    pub(crate) fn now(&self) -> UnixMs {
        self.schedule.now()
    }

    pub(crate) fn shop_id(&self, node: NodeId) -> Option<ShopId> {
        match node {
            NodeId::Shop(n) => self.town.shops.get(usize::from(n)).map(|seat| seat.shop),
            _ => None,
        }
    }

    pub(crate) fn shop_node(&self, shop: ShopId) -> Option<NodeId> {
        let index = self.town.shops.iter().position(|seat| seat.shop == shop)?;
        u16::try_from(index).ok().map(NodeId::Shop)
    }

    /// The key by which the transport knows a box now.
    pub(crate) fn key_of(&self, node: NodeId) -> Option<PublicKey> {
        match node {
            NodeId::Hub(_) => self.hubs.get(&node).map(|machine| machine.key),
            NodeId::Shop(_) => self.shops.get(&node).map(|machine| machine.key),
            NodeId::Device(_) => self.devices.get(&node).map(|machine| machine.key),
            NodeId::Staff(_) => None,
        }
    }

    /// The box with this key.
    pub(crate) fn node_of(&self, key: KeyId) -> Option<NodeId> {
        let hubs = self.hubs.iter().map(|(node, machine)| (*node, machine.key_id()));
        let shops = self.shops.iter().map(|(node, machine)| (*node, machine.key_id()));
        let devices = self.devices.iter().map(|(node, machine)| (*node, machine.key_id()));
        hubs.chain(shops).chain(devices).find(|(_, id)| *id == key).map(|(node, _)| node)
    }

    pub(crate) fn is_on(&self, node: NodeId) -> bool {
        match node {
            NodeId::Hub(_) => self.hubs.get(&node).is_some_and(Machine::is_on),
            NodeId::Shop(_) => self.shops.get(&node).is_some_and(Machine::is_on),
            NodeId::Device(_) => self.devices.get(&node).is_some_and(Machine::is_on),
            NodeId::Staff(_) => false,
        }
    }

    pub(crate) fn life_of(&self, node: NodeId) -> u32 {
        match node {
            NodeId::Hub(_) => self.hubs.get(&node).map_or(0, |machine| machine.life),
            NodeId::Shop(_) => self.shops.get(&node).map_or(0, |machine| machine.life),
            NodeId::Device(_) => self.devices.get(&node).map_or(0, |machine| machine.life),
            NodeId::Staff(_) => 0,
        }
    }

    /// Counts a fault that struck a box.
    pub(crate) fn struck(&mut self, fault: Fault, node: NodeId) {
        let inflight = self.journal.is_inflight_at(node, self.shop_id(node));
        self.faults.count(fault, inflight);
    }

    pub(crate) fn met(&mut self, situation: Situation) {
        self.met.count(situation);
    }

    pub(crate) fn broke(&mut self, promise: &'static str, what: String) {
        if self.broken.len() < BROKEN_MAX {
            self.broken.push((promise, what));
        }
    }
}

/// More would say nothing new about one seed.
const BROKEN_MAX: usize = 50;
