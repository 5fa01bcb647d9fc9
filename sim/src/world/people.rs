//! What people do: households order and change their minds, walk-ins buy, staff count and pack.
//!
//! **Invariant:** what a person was told is noted only when a program said so; what lies on the
//! shelf changes only by hands.

use kirana_core::{
    id::OrderId,
    money::Currency,
    order::{
        axes::Fulfilment,
        facts::{CancelReason, Packing},
        placed::{Handover, Method, WantedLine},
    },
    quantity::Quantity,
    time::DAY_MS,
};
use kirana_customer::app::place::NewOrder;
use kirana_shop::app::{
    counter::{Entry, SaleLine, What},
    handing::Handing,
    orders::{Deed, OrderView, Which},
};
use kirana_sync::client::Input;

use super::World;
use crate::{
    fault::Fault,
    goods::Good,
    journal::Told,
    node::NodeId,
    plan::{Doing, HOUR_MS},
    sometimes::Situation,
};

impl World {
    pub(super) fn does(&mut self, doing: Doing) {
        match doing {
            Doing::Place(device) => self.place(device),
            Doing::Withdraw(device) => self.ask_back(device, true),
            Doing::CallOff(device) => self.ask_back(device, false),
            Doing::CarryFile(device) => self.carry_file(device),
            Doing::Pull(device) => self.look_at_prices(device),
            Doing::WalkIn(shop) => self.walk_in(shop),
            Doing::Shrink(shop) => self.shrink(shop),
            Doing::Stocktake(shop) => self.stocktake(shop),
            Doing::Receipt(shop) => self.receipt(shop),
            Doing::DecideByHand(shop) => self.decide_by_hand(shop),
            Doing::HandOver(shop) => self.hand_over(shop),
            Doing::CancelByShop(shop) => self.cancel_by_shop(shop),
            Doing::EditApart(shop) => self.edit_apart(shop),
            Doing::Settle(shop) => self.settle_clashes(shop),
        }
    }

    fn place(&mut self, device: NodeId) {
        let Some(node) = self.pick_shop(device) else { return };
        let Some(shop) = self.shop_id(node) else { return };
        let lines = self.wanted_lines(device, node);
        // Some are in a hurry; the others wait for longer than anything here stays broken.
        let answer_ms = match self.people.permille(300) {
            true => self.people.between(HOUR_MS / 2, 24 * HOUR_MS),
            false => self.people.between(8 * DAY_MS, 12 * DAY_MS),
        };
        let partial_ok = self.people.permille(300);
        let truth = self.now();
        let Some(machine) = self.devices.get_mut(&device) else { return };
        let now = machine.clock.read(truth);
        let Some(program) = machine.program.as_mut() else { return };
        let order = NewOrder {
            shop,
            currency: Currency::INR,
            lines,
            handover: Handover::Pickup { slot: None },
            payment: Method::OnDelivery,
            partial_ok,
            personal: None,
            answer_by: program.household.known_now(now).at.plus_ms(answer_ms),
            fee: None,
            of_age: None,
        };
        let rng = machine.dice.source();
        let Ok(placed) = program.household.place(order, now, rng) else {
            self.bury_the_dead(device);
            return;
        };
        // From here on the screen says that it is placed.
        let customer = program.household.party();
        let calls = program.courier.queue(&program.household, placed.entry, now, rng);
        let told = Told { device, customer, shop, at: truth, patient: answer_ms > DAY_MS };
        self.journal.told_placed(placed.id, told);
        self.story.line(truth, || format!("{device} placed {} at {node}", placed.id));
        let calls = calls.unwrap_or_default().into_iter().map(super::device_call).collect();
        self.carry_all(device, calls);
        if self.is_on(device) {
            self.dial_now(device);
        }
    }

    fn pick_shop(&mut self, device: NodeId) -> Option<NodeId> {
        let shops = self.shops_of(device);
        self.people.pick(&shops).copied()
    }

    /// One to three goods, a few of each, at the prices seen last.
    fn wanted_lines(&mut self, device: NodeId, shop: NodeId) -> Vec<WantedLine> {
        let goods = self.goods(shop);
        let count = self.people.between(1, 3);
        let first = self.people.below(goods.len() as u64);
        let mut lines = Vec::new();
        for n in 0..count {
            let index = usize::try_from((first + n) % goods.len().max(1) as u64);
            let Some(good) = index.ok().and_then(|index| goods.get(index)) else { continue };
            let price = self.price_seen(device, shop, good);
            let amount = self.people.between(1, 3);
            let Ok(quantity) = Quantity::new(amount, Good::UNIT) else { continue };
            lines.push(WantedLine::new(good.product, good.variant, quantity, price));
        }
        lines
    }

    pub(super) fn goods(&self, shop: NodeId) -> Vec<Good> {
        let NodeId::Shop(n) = shop else { return Vec::new() };
        self.town.shops.get(usize::from(n)).map_or_else(Vec::new, |seat| seat.goods.clone())
    }

    /// A household wants the last order of this device back: withdrawn or called off.
    fn ask_back(&mut self, device: NodeId, withdraw: bool) {
        let told = self.journal.told.iter().filter(|(_, told)| told.device == device);
        let last = told.max_by_key(|(_, told)| told.at).map(|(order, _)| *order);
        let Some(order) = last else { return };
        let truth = self.now();
        let Some(machine) = self.devices.get_mut(&device) else { return };
        let now = machine.clock.read(truth);
        let Some(program) = machine.program.as_mut() else { return };
        let rng = machine.dice.source();
        // Written down before: a request that dies in the commit may yet be sent.
        self.journal.asked_back.insert(order);
        let asked = match withdraw {
            true => program.household.withdraw(order, now, rng),
            false => program.household.cancel(order, now, rng),
        };
        let calls = match asked {
            Ok(request) => program.courier.queue(&program.household, request, now, rng),
            Err(e) => Err(e),
        };
        let calls = calls.unwrap_or_default().into_iter().map(super::device_call).collect();
        self.carry_all(device, calls);
    }

    fn carry_file(&mut self, device: NodeId) {
        let Some(machine) = self.devices.get_mut(&device) else { return };
        let Some(program) = machine.program.as_mut() else { return };
        let Ok(waiting) = program.household.waiting() else { return };
        let mut files = Vec::new();
        for item in waiting.iter().take(3) {
            if let Ok(Some(mail)) = program.household.mail_for(item.hash, machine.dice.source()) {
                files.push((item.shop, mail));
            }
        }
        for (shop, mail) in files {
            let Some(shop) = self.shop_node(shop) else { continue };
            let walk_ms = self.people.between(5 * 60_000, HOUR_MS);
            let bytes = kirana_core::cbor::to_vec(&mail);
            self.schedule.after(walk_ms, super::Event::FileArrives { shop, bytes });
        }
    }

    fn pick_counted(&mut self, shop: NodeId) -> Option<Good> {
        let goods: Vec<Good> = self.goods(shop).into_iter().filter(|g| g.is_counted).collect();
        self.people.pick(&goods).cloned()
    }

    fn walk_in(&mut self, node: NodeId) {
        let (Some(shop), Some(good)) = (self.shop_id(node), self.pick_counted(node)) else {
            return;
        };
        let there = *self.journal.shelf_of(shop, good.variant);
        let amount = self.people.between(1, 4).min(there);
        if amount == 0 {
            return;
        }
        let line = SaleLine { variant: good.variant, amount, unit: Good::UNIT, batch: None };
        let sold = self.at_the_counter(node, |shop, by, now, rng| {
            shop.sell(vec![line], by, now, rng).map(|_| ()).map_err(|e| e.to_string())
        });
        match sold {
            Some(Ok(())) => *self.journal.shelf_of(shop, good.variant) -= amount,
            Some(Err(_)) => self.met(Situation::CounterRefused),
            None => {}
        }
    }

    fn shrink(&mut self, node: NodeId) {
        let (Some(shop), Some(good)) = (self.shop_id(node), self.pick_counted(node)) else {
            return;
        };
        let there = *self.journal.shelf_of(shop, good.variant);
        let gone = self.people.between(1, 5).min(there);
        *self.journal.shelf_of(shop, good.variant) -= gone;
        self.struck(Fault::Shrinkage, node);
    }

    /// Somebody counts every shelf and writes down what is there.
    fn stocktake(&mut self, node: NodeId) {
        let Some(shop) = self.shop_id(node) else { return };
        for good in self.goods(node).into_iter().filter(|good| good.is_counted) {
            let counted = *self.journal.shelf_of(shop, good.variant);
            let counted = self.enter(node, &good, What::Counted(counted));
            if let Some(Ok(shortened)) = counted {
                (0..shortened).for_each(|_| self.met(Situation::ShortageReleased));
            }
        }
    }

    fn receipt(&mut self, node: NodeId) {
        let (Some(shop), Some(good)) = (self.shop_id(node), self.pick_counted(node)) else {
            return;
        };
        let amount = self.people.between(1, 6);
        *self.journal.shelf_of(shop, good.variant) += amount;
        self.enter(node, &good, What::Receipt(amount));
    }

    fn enter(&mut self, node: NodeId, good: &Good, what: What) -> Option<Result<usize, String>> {
        let entry = Entry { variant: good.variant, location: None, what, note: String::new() };
        self.at_the_counter(node, |shop, by, now, rng| {
            let entered = shop.enter(entry, by, now, rng).map_err(|e| e.to_string())?;
            Ok(entered.shortened.len())
        })
    }

    /// Somebody at the shop does something; `None` when the shop is off.
    pub(super) fn at_the_counter<T>(
        &mut self,
        node: NodeId,
        deed: impl FnOnce(
            &kirana_shop::app::Shop,
            kirana_core::key::KeyId,
            kirana_core::time::UnixMs,
            &mut rand_chacha::ChaCha20Rng,
        ) -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        let truth = self.now();
        let machine = self.shops.get_mut(&node)?;
        let now = machine.clock.read(truth);
        let program = machine.program.as_ref()?;
        let by = program.shop.keys().node.id();
        let done = deed(&program.shop, by, now, machine.dice.source());
        // What changed is told to devices by way of the hubs.
        self.feed(node, Input::Tick);
        Some(done)
    }

    fn open_orders(&self, node: NodeId) -> Vec<OrderView> {
        let program = self.shops.get(&node).and_then(|machine| machine.program.as_ref());
        let orders = program.map(|program| program.shop.orders(None, true, None, 200));
        orders.and_then(Result::ok).map_or_else(Vec::new, |listed| listed.views)
    }

    fn deed(&mut self, node: NodeId, view: &OrderView, deed: Deed) -> bool {
        let which = Which { id: view.order.id, customer: Some(view.order.customer) };
        let done = self.at_the_counter(node, |shop, _, now, rng| {
            shop.act(which, deed, now, rng).map(|_| ()).map_err(|e| e.to_string())
        });
        done.is_some_and(|done| done.is_ok())
    }

    fn decide_by_hand(&mut self, node: NodeId) {
        for view in self.open_orders(node) {
            if view.order.stage.is_undecided() {
                let takes = self.healed || self.people.permille(800);
                let no = kirana_core::order::facts::DeclineReason::ByShop;
                self.deed(node, &view, if takes { Deed::Accept } else { Deed::Decline(no) });
            }
        }
        self.at_the_counter(node, |shop, _, now, rng| {
            shop.expire(now, rng).map_err(|e| e.to_string())
        });
    }

    /// Packs and hands over some of what is accepted; the goods leave the shelf by hand.
    fn hand_over(&mut self, node: NodeId) {
        for view in self.open_orders(node) {
            let pending = view.order.groups.first().map(|group| group.stage);
            let is_ready = matches!(pending, Some(Fulfilment::Pending)) && !view.waits_for_heads;
            if !is_ready || !self.people.permille(300) {
                continue;
            }
            // A lost box and lost mail may have been all that knew of it, besides the people who
            // have eaten the goods: they do not come for them again.
            if self.journal.handed_out.contains(&(node, view.order.id)) {
                continue;
            }
            if !self.is_on_the_shelf(node, view.order.id) {
                // Whoever packs stands before an empty place, and counts.
                self.stocktake(node);
                continue;
            }
            let packing = Packing { group: 0, lines: Vec::new() };
            let steps = [
                Deed::Pack(packing),
                Deed::Packed(0, Vec::new()),
                Deed::Ready(0),
                Deed::Collected(0, Handing::default()),
            ];
            if steps.into_iter().all(|deed| self.deed(node, &view, deed)) {
                self.take_home(node, view.order.id);
            }
        }
    }

    fn is_on_the_shelf(&mut self, node: NodeId, order: OrderId) -> bool {
        let Some(shop) = self.shop_id(node) else { return false };
        let promised = self.claim_at_shop(node, order).map(|claim| claim.reserved());
        promised.unwrap_or_default().into_iter().all(|(variant, amount)| {
            self.journal.shelf.get(&(shop, variant)).is_none_or(|there| *there >= amount)
        })
    }

    fn take_home(&mut self, node: NodeId, order: OrderId) {
        let Some(shop) = self.shop_id(node) else { return };
        self.journal.handed_out.insert((node, order));
        let taken = self.claim_at_shop(node, order).map(|claim| claim.taken_home());
        for (variant, amount) in taken.unwrap_or_default() {
            if let Some(there) = self.journal.shelf.get_mut(&(shop, variant)) {
                if *there < amount {
                    let what = format!("{node}: order {order} takes {amount}, {there} there");
                    self.broken.push(("P2", what));
                }
                *there = there.saturating_sub(amount);
            }
        }
    }

    fn cancel_by_shop(&mut self, node: NodeId) {
        let accepted = self.open_orders(node).into_iter();
        let accepted: Vec<_> = accepted.filter(|view| !view.order.stage.is_undecided()).collect();
        if let Some(view) = self.people.pick(&accepted).cloned() {
            self.deed(node, &view, Deed::Cancel(CancelReason::ByShop));
        }
    }

    pub(super) fn file_arrives(&mut self, node: NodeId, bytes: &[u8]) {
        let mail = kirana_core::cbor::from_slice("a file", bytes, bytes.len());
        let Ok(mail) = mail else { return };
        self.at_the_counter(node, |shop, _, now, rng| {
            shop.deliver(&mail, now, rng).map(|_| ()).map_err(|e| e.to_string())
        });
        self.look_at_new_orders(node, Situation::TakenInByFile);
    }
}
