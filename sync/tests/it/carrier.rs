//! The client machine over real sockets.

use std::{sync::Arc, time::Duration};

use kirana_core::{
    hash::Hash,
    id::ShopId,
    key::{KeyId, PublicKey},
    known_time::KnownNow,
    mail::{Address, Mail},
    time::UnixMs,
    trust::Trust,
};
use kirana_sync::{
    client::{Client, Effect, Input, Settings},
    driver::{
        BoxFuture, Call, Carrier, Config, Courier, Handler, Multiaddr, Node, NodeHandle, Peer,
    },
    outbox::Item,
    peer::Role,
    wire::{Code, Request, Response},
};

use crate::neighbours::{PATIENCE, asking, loopback};

const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

/// A courier that sends one order, with a clock that ticks with each input.
struct Sender {
    client: Client,
    trust: Trust,
    now: UnixMs,
    reached: Vec<KeyId>,
}

impl Sender {
    fn new(item: Item) -> Self {
        let client = Client::new(Settings::of([Address::Device(KeyId::of(&[1; 32]))]), [item]);
        Self { client, trust: Trust::new(), now: NOW, reached: Vec::new() }
    }
}

impl Courier for Sender {
    fn handle(&mut self, input: Input) -> Vec<Call> {
        self.now = self.now.plus_ms(50);
        let clock = (self.now, KnownNow::from(self.now));
        let mut calls = Vec::new();
        for effect in self.client.handle(clock, &self.trust, input) {
            match effect {
                Effect::Request { id, peer, request } => calls.push(Call { id, peer, request }),
                Effect::Greet { id, peer } => {
                    let request = Request::Hello { certificates: vec![], lists: vec![] };
                    calls.push(Call { id, peer, request });
                }
                Effect::Put { id, peer, item, to } => {
                    let sealed = item.as_bytes().to_vec();
                    let (stamp, certificates) = (vec![], vec![]);
                    let mail = Mail { to, until: NOW, sealed, stamp, certificates };
                    calls.push(Call { id, peer, request: Request::Put { mail } });
                }
                Effect::Reached { peer, .. } => self.reached.push(peer),
                _ => {}
            }
        }
        calls
    }

    fn wakes_in(&self) -> Option<Duration> {
        Some(Duration::from_millis(50))
    }
}

/// Stores everything and knows nothing.
struct Keeper;

impl Handler for Keeper {
    fn answer(&self, _: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            match request {
                Request::Hello { .. } => {
                    let (certificates, lists) = (vec![], vec![]);
                    Response::Welcome { certificates, lists, roster: None }
                }
                Request::Put { mail } => Response::Stored { id: mail.id() },
                Request::List { .. } => Response::Mails { items: vec![], more: false },
                _ => Response::refused(Code::Unknown, "this is a test"),
            }
        })
    }
}

async fn hub(seed: u8, at: Multiaddr) -> NodeHandle {
    let config = Config::new([seed; 32]).listening_on(at);
    Node::spawn(config, Arc::new(Keeper)).await.expect("it starts")
}

fn order() -> Item {
    let to = Address::Shop(ShopId::new(NOW, [1; 10]));
    Item { id: Hash::of(b"an order"), to, until: NOW.plus_ms(86_400_000) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_reaches_a_hub_that_is_down_at_first_and_again_after_it_came_back() {
    let first = hub(60, loopback()).await;
    let (key, at) = (first.key(), first.addresses().remove(0));
    let bare: Multiaddr = at.iter().take(2).collect();
    first.shutdown().await;
    let mut carrier = Carrier::new(asking(61).await, Sender::new(order()));
    carrier.meet(Peer { key, role: Role::Hub, addresses: vec![at] }).await;
    let short = Duration::from_millis(700);
    let waited = tokio::time::timeout(short, carrier.run(|sender| !sender.reached.is_empty()));
    assert!(waited.await.is_err(), "nobody is there yet");
    for times in 1..=2 {
        let back = hub(60, bare.clone()).await;
        let reached = carrier.run(|sender| sender.reached.len() >= times);
        tokio::time::timeout(PATIENCE, reached).await.expect("it is reached");
        back.shutdown().await;
        let gone = carrier.run(|sender| sender.client.peers().count() == 0);
        tokio::time::timeout(PATIENCE, gone).await.expect("it is missed");
    }
    assert!(carrier.courier().client.outbox().holds(&order().id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_from_outside_reaches_the_courier() {
    let hub = hub(62, loopback()).await;
    let other = Item { id: Hash::of(b"another"), ..order() };
    let mut carrier = Carrier::new(asking(63).await, Sender::new(order()));
    let outside = carrier.handle();
    let (key, addresses) = (hub.key(), hub.addresses());
    outside.meet(Peer { key, role: Role::Hub, addresses }).await.expect("it listens");
    outside.give(Input::Queued(other)).await.expect("it listens");
    // As a server does: on a task of its own.
    let both = tokio::spawn(async move {
        carrier.run(|sender| sender.reached.len() >= 2).await;
    });
    tokio::time::timeout(PATIENCE, both).await.expect("both are sent").expect("no panic");
}
