//! Gives the programs on devices and shops what happens to them, and looks after their data.

use kirana_core::{id::ShopId, key::PublicKey};
use kirana_migrations::{Database, Location, Schema};
use kirana_sync::{
    client::Input,
    wire::{Request, Response},
};

use super::{World, transport::Call};
use crate::{
    books::Books, claim::Claim, fault::Fault, node::NodeId, plan::HOUR_MS, shop::Shop,
    sometimes::Situation, view::read,
};

/// A device's call as the transport takes it.
pub(super) fn device_call(call: kirana_customer::app::courier::Call) -> Call {
    Call { id: call.id, peer: call.peer, request: call.request }
}

fn shop_call(call: kirana_shop::app::courier::Call) -> Call {
    Call { id: call.id, peer: call.peer, request: call.request }
}

impl World {
    pub(super) fn feed_device(&mut self, node: NodeId, input: Input) -> Vec<Call> {
        let truth = self.now();
        let Some(machine) = self.devices.get_mut(&node) else { return Vec::new() };
        let now = machine.clock.read(truth);
        let Some(program) = machine.program.as_mut() else { return Vec::new() };
        let rng = machine.dice.source();
        let calls = program.courier.handle(&program.household, now, rng, input);
        let notes = program.courier.take_notes();
        if let Err(error) = &calls {
            self.tell(|| format!("{node}: {error}"));
        }
        notes.into_iter().for_each(|note| self.tell(|| format!("{node} notes: {note}")));
        calls.unwrap_or_default().into_iter().map(device_call).collect()
    }

    pub(super) fn feed_shop(&mut self, node: NodeId, from: Situation, input: Input) -> Vec<Call> {
        let truth = self.now();
        let Some(machine) = self.shops.get_mut(&node) else { return Vec::new() };
        let now = machine.clock.read(truth);
        let Some(program) = machine.program.as_mut() else { return Vec::new() };
        let rng = machine.dice.source();
        let has_mail = matches!(
            &input,
            Input::Response { response: Response::Mails { items, .. }, .. } if !items.is_empty()
        );
        let calls = program.courier.handle(&program.shop, now, rng, input);
        let notes = program.courier.take_notes();
        if let Err(error) = &calls {
            self.tell(|| format!("{node}: {error}"));
        }
        notes.into_iter().for_each(|note| self.tell(|| format!("{node} notes: {note}")));
        if has_mail {
            self.look_at_new_orders(node, from);
        }
        calls.unwrap_or_default().into_iter().map(shop_call).collect()
    }

    pub(super) fn shop_answers(
        &mut self,
        node: NodeId,
        peer: &PublicKey,
        request: Request,
    ) -> Option<Response> {
        let truth = self.now();
        let mail = match &request {
            Request::Put { mail } => Some(mail.id()),
            _ => None,
        };
        let machine = self.shops.get_mut(&node)?;
        let now = machine.clock.read(truth);
        let program = machine.program.as_ref()?;
        let response = program.shop.answer(*peer, request, now, machine.dice.source());
        if let (Some(id), Response::Stored { .. }) = (mail, &response) {
            if !self.journal.taken_in.insert((node, id)) {
                self.met(Situation::DuplicateAbsorbed);
            }
            self.look_at_new_orders(node, Situation::TakenInDirectly);
        }
        if mail.is_some() && self.shops.get(&node).is_some_and(|machine| machine.is_dying()) {
            self.met(Situation::ReplyLostInCrash);
        }
        Some(response)
    }

    /// Notes which orders a shop has now that it did not have before, and by which way they came.
    pub(super) fn look_at_new_orders(&mut self, node: NodeId, way: Situation) {
        let Some(machine) = self.shops.get(&node) else { return };
        let here = read::order_ids(&machine.database);
        let now = self.now();
        for order in here {
            if !self.journal.arrived.insert((node, order)) {
                continue;
            }
            self.met(way);
            let told = self.journal.told.get(&order);
            let is_late = told.is_some_and(|told| now.since(told.at) > HOUR_MS);
            if is_late && way != Situation::TakenInDirectly && way != Situation::TakenInByFile {
                self.met(Situation::WaitedAtRelay);
            }
            if self.journal.dropped_orders.contains(&order) {
                self.met(Situation::DropSurvived);
            }
            if self.journal.died_with.contains(&order) {
                self.met(Situation::DeviceCrashSurvived);
            }
        }
    }

    pub(super) fn claim_at_shop(
        &self,
        node: NodeId,
        order: kirana_core::id::OrderId,
    ) -> Option<Claim> {
        let orders = read::shop_orders(&self.shops.get(&node)?.database).ok()?;
        let held = orders.into_iter().find(|held| held.order == order)?;
        Claim::read(&held.chain).ok()
    }

    pub(super) fn database_of(&self, node: NodeId) -> Option<Database> {
        match node {
            NodeId::Hub(_) => self.hubs.get(&node).map(|m| m.database.clone()),
            NodeId::Shop(_) => self.shops.get(&node).map(|m| m.database.clone()),
            NodeId::Device(_) => self.devices.get(&node).map(|m| m.database.clone()),
            NodeId::Staff(_) => None,
        }
    }

    pub(super) fn disarm(&mut self, node: NodeId) {
        if let Some(database) = self.database_of(node) {
            database.writer.inject(None);
        }
    }

    pub(super) fn back_up(&mut self, node: NodeId) {
        let (NodeId::Shop(n), Some(machine)) = (node, self.shops.get(&node)) else { return };
        let image = machine.database.image().ok();
        if let Some(seat) = self.town.shops.get_mut(usize::from(n)) {
            seat.backup = image;
        }
    }

    /// Notes which orders at a shop are over for those who hold them: no later box may change that.
    fn note_what_is_over(&mut self, shop: ShopId) {
        let devices = self.devices.values();
        let orders = devices.filter_map(|machine| read::device_orders(&machine.database).ok());
        for (_, held) in orders.flatten().filter(|(at, _)| *at == shop) {
            if let Some(claim) = Claim::read(&held.chain).ok().filter(Claim::is_over) {
                self.journal.over.insert(held.order, claim.head);
            }
        }
    }

    /// The box burns; a new one goes on from yesterday's copy.
    pub(super) fn restore(&mut self, node: NodeId) {
        let NodeId::Shop(n) = node else { return };
        let Some(seat) = self.town.shops.get_mut(usize::from(n)) else { return };
        let Some(image) = seat.backup.take() else { return };
        let (shop_id, keys) = (seat.shop, seat.keys.clone());
        self.struck(Fault::Restore, node);
        self.note_what_is_over(shop_id);
        // Its key changes with it, so nobody's connection survives.
        for device in self.devices.keys().copied().collect::<Vec<_>>() {
            self.hang_up(device, node);
        }
        let truth = self.now();
        let Some(machine) = self.shops.get_mut(&node) else { return };
        machine.crash();
        let now = machine.clock.read(truth);
        let Ok(database) = Database::open(Schema::Shop, Location::Image(image)) else { return };
        let rng = machine.dice.source();
        let restored = kirana_shop::app::Shop::restore(database.clone(), &keys, 0, now, rng);
        match restored {
            Ok(shop) => {
                let keys = shop.keys().clone();
                let key = keys.node.signing.public();
                machine.database = database;
                machine.key = key;
                machine.start(Shop::of(shop));
                let life = machine.life;
                self.books.get_mut(&node).into_iter().for_each(Books::forget);
                *self.journal.restores.entry(shop_id).or_default() += 1;
                self.town.boxes.insert(key.id(), key);
                if let Some(seat) = self.town.shops.get_mut(usize::from(n)) {
                    seat.keys = keys;
                }
                self.schedule.after(1, super::Event::Dial(node, life));
                // Somebody counts what is there before anything is sold again.
                self.does(crate::plan::Doing::Stocktake(node));
            }
            Err(e) => self.broke("P7", format!("{node} cannot be restored: {e}")),
        }
    }
}
