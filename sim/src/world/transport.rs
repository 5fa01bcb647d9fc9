//! Carries requests and answers between boxes, through the network's moods.
//!
//! **Invariant:** a server knows the key of the box that asks, as a Noise handshake would prove it;
//! what an earlier life of a box asked for is answered to nobody.

use kirana_core::key::KeyId;
use kirana_sync::{
    client::Input,
    wire::{Request, Response},
};

use super::{Event, World};
use crate::{fault::Fault, node::NodeId, sometimes::Situation, story};

/// A request under way.
#[derive(Debug, Clone)]
pub struct Exchange {
    client: NodeId,
    life: u32,
    server: NodeId,
    /// The client's own name for it.
    id: u64,
    frame: Vec<u8>,
}

/// A request as a program hands it to the transport.
#[derive(Debug, Clone)]
pub struct Call {
    /// The client's own name for it.
    pub id: u64,
    /// To whom.
    pub peer: KeyId,
    /// What.
    pub request: Request,
}

/// How long a transport waits before it says that there is no answer, in milliseconds.
const PATIENCE_MS: u64 = 30_000;
/// How soon a box hears that nobody is there, in milliseconds.
const REFUSED_MS: u64 = 50;

impl World {
    pub(super) fn carry(&mut self, client: NodeId, call: Call) {
        let number = self.next_exchange;
        self.next_exchange += 1;
        self.look_at_request(client, &call.request);
        let server = self.node_of(call.peer);
        let exchange = Exchange {
            client,
            life: self.life_of(client),
            server: server.unwrap_or(client),
            id: call.id,
            frame: call.request.to_frame(),
        };
        self.tell(|| {
            let to = server.map_or("nobody".to_owned(), |server| server.to_string());
            let what = story::of_request(&call.request, &self.openers());
            format!("{client} -> {to} #{number}: {what}")
        });
        self.exchanges.insert(number, exchange);
        // A box that changed its key in a restore is not where the old key points.
        let Some(server) = server else {
            self.schedule.after(REFUSED_MS, Event::GivenUp(number));
            return;
        };
        for ms in self.fate(client, server) {
            self.schedule.after(ms, Event::Asked(number));
        }
        self.schedule.after(PATIENCE_MS, Event::GivenUp(number));
    }

    /// Every key that opens mail in this town: only the story reads with them.
    fn openers(&self) -> Vec<kirana_core::key::SealingSecret> {
        let shops = self.town.shops.iter().flat_map(|seat| seat.keys.openers());
        let devices = self.town.devices.values().map(|seat| seat.keys.sealing.clone());
        shops.chain(devices).collect()
    }

    fn fate(&mut self, from: NodeId, to: NodeId) -> Vec<u64> {
        let fate = self.network.fate(from, to, self.schedule.now());
        for fault in fate.faults {
            self.struck(fault, if matches!(from, NodeId::Hub(_)) { to } else { from });
        }
        fate.arrivals_ms
    }

    pub(super) fn asked(&mut self, number: u64) {
        let Some(exchange) = self.exchanges.get(&number).cloned() else { return };
        let Exchange { client, server, frame, .. } = exchange;
        if !self.is_on(server) {
            self.schedule.after(REFUSED_MS, Event::GivenUp(number));
            return;
        }
        let Some(peer) = self.key_of(client) else { return };
        self.trace.delivered(self.schedule.now(), client, server, &frame);
        let response = match Request::read(&frame) {
            Ok(request) => self.serve(server, &peer, request),
            Err(wrong) => Some(Response::Refused((&wrong).into())),
        };
        let Some(response) = response else { return };
        self.tell(|| {
            let what = story::of_response(&response, &self.openers());
            format!("{server} answers {client} #{number}: {what}")
        });
        for ms in self.fate(server, client) {
            self.schedule.after(ms, Event::Answered(number, response.to_frame()));
        }
    }

    /// What a box answers; `None` when it died over it.
    pub(super) fn serve(
        &mut self,
        server: NodeId,
        peer: &kirana_core::key::PublicKey,
        request: Request,
    ) -> Option<Response> {
        let response = match server {
            NodeId::Hub(_) => self.hub_answers(server, peer, request)?,
            NodeId::Shop(_) => self.shop_answers(server, peer, request)?,
            NodeId::Device(_) | NodeId::Staff(_) => return None,
        };
        // What a dying box says is heard only where it claims that something was done.
        let died = self.bury_the_dead(server);
        match response {
            Response::Refused(_) if died => None,
            response => Some(response),
        }
    }

    pub(super) fn answered(&mut self, number: u64, frame: &[u8]) {
        let Some(exchange) = self.exchanges.remove(&number) else { return };
        let Exchange { client, life, server, id, .. } = exchange;
        if !self.is_on(client) || self.life_of(client) != life {
            return;
        }
        self.trace.delivered(self.schedule.now(), server, client, frame);
        let input = match Response::read(frame) {
            Ok(response) => {
                self.look_at_response(client, &response);
                Input::Response { id, response }
            }
            Err(_) => Input::Failed { id },
        };
        self.way = match server {
            NodeId::Hub(0) => Situation::TakenInByHub,
            _ => Situation::TakenInByCommunity,
        };
        self.feed(client, input);
    }

    pub(super) fn given_up(&mut self, number: u64) {
        let Some(exchange) = self.exchanges.remove(&number) else { return };
        let Exchange { client, life, server, id, .. } = exchange;
        if !self.is_on(client) || self.life_of(client) != life {
            return;
        }
        self.tell(|| format!("{client} hears nothing from {server} #{number}"));
        self.feed(client, Input::Failed { id });
        // A transport that hears nothing closes the connection, and somebody dials again later.
        self.hang_up(client, server);
    }

    /// Gives a program an input and carries what it wants to send.
    pub(super) fn feed(&mut self, node: NodeId, input: Input) {
        let calls = match node {
            NodeId::Device(_) => self.feed_device(node, input),
            NodeId::Shop(_) => self.feed_shop(node, self.way, input),
            NodeId::Hub(_) | NodeId::Staff(_) => Vec::new(),
        };
        // What was sent before the power failed is on its way, whatever became of the sender.
        self.carry_all(node, calls);
    }

    pub(super) fn carry_all(&mut self, node: NodeId, calls: Vec<Call>) {
        for call in calls {
            self.carry(node, call);
        }
        if !self.bury_the_dead(node) {
            self.plan_wake(node);
        }
    }

    /// Switches a box off whose writer was stopped by a crash in a commit; says whether it was.
    pub(super) fn bury_the_dead(&mut self, node: NodeId) -> bool {
        let is_dying = match node {
            NodeId::Hub(_) => self.hubs.get(&node).is_some_and(|m| m.is_dying()),
            NodeId::Shop(_) => self.shops.get(&node).is_some_and(|m| m.is_dying()),
            NodeId::Device(_) => self.devices.get(&node).is_some_and(|m| m.is_dying()),
            NodeId::Staff(_) => false,
        };
        if is_dying {
            let off_ms = self.people.between(1_000, 20 * 60_000);
            self.struck(Fault::Crash, node);
            self.power_off(node, off_ms);
        }
        is_dying
    }
}
