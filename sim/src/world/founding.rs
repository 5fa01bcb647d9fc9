//! Makes the world of a seed: hubs, shops with goods on their shelves, households.

use std::collections::BTreeMap;

use kirana_core::{id::ShopId, key::KeyPair, money::Currency, time::UnixMs};
use kirana_customer::app::{Household, shop::Introduced};
use kirana_hub::{app::roster::Published, config::Role};
use kirana_migrations::{Database, Location, Schema};
use kirana_shop::app::Keys;
use minicbor::bytes::ByteVec;

use super::{Event, World};
use crate::{
    books::Books,
    clocks::NodeClock,
    device::Device,
    dice::Dice,
    fault::Faults,
    goods::Good,
    hub::Hub,
    journal::Journal,
    machine::Machine,
    network::{Network, Weather},
    node::NodeId,
    plan::{Planned, Scale},
    schedule::Schedule,
    shop::{Shop, stock_up},
    sometimes::{Met, Situation},
    story::Story,
    town::{ShopSeat, Town},
    trace::Trace,
};

impl World {
    /// Founds the world of a seed at `start`, with everything planned.
    pub fn found(seed: u64, scale: Scale, plan: Vec<(u64, Planned)>, start: UnixMs) -> Self {
        let mut dice = Dice::new(seed, "town");
        let mut hubs = BTreeMap::new();
        let mut secrets = Vec::new();
        for n in 0..scale.hubs {
            secrets.push(dice.bytes());
            hubs.insert(NodeId::Hub(n), found_hub(seed, n, secrets[usize::from(n)], start));
        }
        let keys: Vec<_> =
            hubs.values().filter_map(|m| m.program.as_ref().map(Hub::keys)).collect();
        let mut town = Town::of_hubs(&keys, start, &mut dice);
        town.hub_secrets = secrets;
        town.settle(scale, start, &mut dice);
        let mut weather = Dice::new(seed, "weather");
        let mut world = Self {
            schedule: Schedule::new(start),
            network: Network::new(Weather::draw(&mut weather), weather),
            town,
            people: Dice::new(seed, "people"),
            hubs,
            shops: BTreeMap::new(),
            devices: BTreeMap::new(),
            journal: Journal::default(),
            faults: Faults::default(),
            met: Met::default(),
            books: BTreeMap::new(),
            trace: Trace::default(),
            broken: Vec::new(),
            exchanges: BTreeMap::new(),
            next_exchange: 0,
            mischief: BTreeMap::new(),
            way: Situation::TakenInByHub,
            healed: false,
            story: Story::SILENT,
        };
        world.hubs_learn_the_roster();
        (0..scale.shops).for_each(|n| world.found_shop(seed, n, &mut dice));
        (0..scale.devices).for_each(|n| world.found_device(seed, n));
        for node in world.all_nodes() {
            let life = world.life_of(node);
            let spread = world.people.below(60_000);
            world.schedule.after(spread, Event::Dial(node, life));
        }
        for (ms, planned) in plan {
            world.schedule.after(ms, Event::Planned(planned));
        }
        world
    }

    fn hubs_learn_the_roster(&mut self) {
        use kirana_core::roster::SignedRoster;
        let root = self.town.root.public();
        let signed = SignedRoster::verify(&self.town.roster, &root).expect("it was just signed");
        let published = Published::new(&root, &signed);
        for machine in self.hubs.values() {
            let believed = machine.program.as_ref().is_some_and(|hub| hub.trust(&published));
            assert!(believed, "a new hub believes the first roster it is given");
        }
    }

    fn found_shop(&mut self, seed: u64, n: u16, dice: &mut Dice) {
        let node = NodeId::Shop(n);
        let start = self.now();
        let database = memory(Schema::Shop);
        let mut own = Dice::new(seed, &node.to_string());
        let keys = Keys::draw(own.source());
        let made = Shop::found(database.clone(), keys.clone(), start, own.source());
        let made = made.expect("an empty database takes a shop");
        let identity = made.identity().clone();
        let vouched = self.town.vouch(identity.shop, identity.owner, start, dice);
        made.vouched_by(vouched.to_vec()).expect("the certificate is this owner's");
        let trusted = made.trust_hubs(self.town.root.public(), self.town.roster.clone());
        trusted.expect("the roster is by the root");
        let goods = Good::draw_all(Currency::INR, start, dice);
        stock_up(&made, &goods, start, own.source()).expect("an empty shelf takes goods");
        for good in goods.iter().filter(|good| good.is_counted) {
            *self.journal.shelf_of(identity.shop, good.variant) = good.opening;
        }
        let staff = [KeyPair::from_seed(own.bytes()), KeyPair::from_seed(own.bytes())];
        let books = Books::open(&made, staff, start, own.source());
        self.books.insert(node, books.expect("an owner takes people on"));
        let key = keys.node.signing.public();
        self.town.boxes.insert(key.id(), key);
        let seat = ShopSeat {
            shop: identity.shop,
            location: identity.location,
            keys,
            goods,
            backup: None,
        };
        self.town.shops.push(seat);
        let clock = NodeClock::roughly_right(&mut own);
        let mut machine = Machine::new(database, key, clock, own);
        machine.start(Shop::of(made));
        self.shops.insert(node, machine);
    }

    fn found_device(&mut self, seed: u64, n: u16) {
        let node = NodeId::Device(n);
        let start = self.now();
        let database = memory(Schema::Customer);
        let mut own = Dice::new(seed, &node.to_string());
        let introduced = self.introductions(node);
        let Some(seat) = self.town.devices.get_mut(&node) else { return };
        let keys = seat.keys.clone();
        let made = Household::create(database.clone(), keys.clone(), start, own.source());
        let household = made.expect("an empty database takes a household");
        if !seat.chain.is_empty() {
            let certified = household.certify(seat.chain.clone());
            certified.expect("the hub certified this very key");
        }
        let trusted = household.trust_roster(self.town.root.public(), &self.town.roster);
        trusted.expect("the roster is by the root");
        for (_, shop) in introduced {
            household.choose_shop(shop, start).expect("the shop's certificates hold together");
        }
        let key = keys.signing.public();
        let clock = NodeClock::roughly_right(&mut own);
        let mut machine = Machine::new(database, key, clock, own);
        let spread = machine.dice.below(u64::MAX);
        let program = Device::start(machine.database.clone(), keys, spread);
        machine.start(program.expect("what was just made can be opened"));
        self.devices.insert(node, machine);
    }

    /// What the shops of a device tell about themselves, with their first prices.
    fn introductions(&mut self, device: NodeId) -> Vec<(ShopId, Introduced)> {
        let shops = self.shops_of(device);
        let mut introduced = Vec::new();
        for node in shops {
            let Some(machine) = self.shops.get(&node) else { continue };
            let Some(program) = machine.program.as_ref() else { continue };
            let chain = program.shop.chain().expect("the database can be read");
            let certificates = chain.into_iter().map(ByteVec::from).collect();
            let shop = Introduced {
                name: node.to_string(),
                certificates,
                addresses: Vec::new(),
                hubs: Vec::new(),
            };
            introduced.push((program.shop.id(), shop));
        }
        introduced
    }

    pub(super) fn shops_of(&self, device: NodeId) -> Vec<NodeId> {
        self.town.devices.get(&device).map_or_else(Vec::new, |seat| seat.shops.clone())
    }

    pub(super) fn start_hub(&mut self, node: NodeId) {
        let NodeId::Hub(n) = node else { return };
        let truth = self.now();
        let Some(machine) = self.hubs.get_mut(&node) else { return };
        let secret = self.town.hub_secrets.get(usize::from(n)).copied().unwrap_or_default();
        let (now, database) = (machine.clock.read(truth), machine.database.clone());
        match Hub::start(database, role(n), secret, now, machine.dice.source()) {
            Ok(program) => {
                program.sweep(now);
                machine.start(program);
            }
            Err(e) => self.did_not_start(node, &e.to_string()),
        }
    }

    /// What a program writes at its start may hit the next crash or a full disk: it is started
    /// again later. Anything else is a broken promise.
    fn did_not_start(&mut self, node: NodeId, why: &str) {
        let writer = self.database_of(node).map(|database| database.writer);
        let is_unlucky = writer.is_some_and(|writer| writer.is_stopped() || writer.is_full());
        if is_unlucky && !self.healed {
            let off_ms = self.people.between(60_000, 20 * 60_000);
            self.power_off(node, off_ms);
        } else {
            self.broke("P7", format!("{node} does not start again: {why}"));
        }
    }

    pub(super) fn start_shop(&mut self, node: NodeId) {
        let NodeId::Shop(n) = node else { return };
        let Some(machine) = self.shops.get_mut(&node) else { return };
        let Some(seat) = self.town.shops.get(usize::from(n)) else { return };
        match Shop::start(machine.database.clone(), seat.keys.clone()) {
            Ok(program) => machine.start(program),
            Err(e) => self.did_not_start(node, &e.to_string()),
        }
    }

    pub(super) fn start_device(&mut self, node: NodeId) {
        let Some(machine) = self.devices.get_mut(&node) else { return };
        let Some(seat) = self.town.devices.get(&node) else { return };
        let spread = machine.dice.below(u64::MAX);
        match Device::start(machine.database.clone(), seat.keys.clone(), spread) {
            Ok(program) => machine.start(program),
            Err(e) => self.did_not_start(node, &e.to_string()),
        }
    }
}

fn found_hub(seed: u64, n: u16, secret: [u8; 32], start: UnixMs) -> Machine<Hub> {
    let mut own = Dice::new(seed, &NodeId::Hub(n).to_string());
    let database = memory(Schema::Hub);
    let hub = Hub::start(database.clone(), role(n), secret, start, own.source());
    let hub = hub.expect("an empty database takes a hub");
    let key = hub.keys().signing.public();
    let clock = NodeClock::roughly_right(&mut own);
    let mut machine = Machine::new(database, key, clock, own);
    machine.start(hub);
    machine
}

fn role(n: u16) -> Role {
    if n == 0 { Role::Central } else { Role::Community }
}

fn memory(schema: Schema) -> Database {
    Database::open(schema, Location::Memory).expect("memory takes a new database")
}
