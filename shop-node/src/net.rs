//! Carries what the shop says and hears over libp2p: answers peers, and keeps in touch with hubs.
//!
//! **Invariant:** nothing is decided here; requests go to [`Shop::answer`], and the courier says
//! what to send. All of it can stop at any moment and start again.

use std::{sync::Arc, time::Duration};

use kirana_core::{
    key::PublicKey,
    record::{HubContact, ShopRecord},
    time::{DAY_MS, UnixMs},
};
use kirana_sync::{
    client::{Input, Settings},
    driver::{
        self, BoxFuture, Carrier, CarrierHandle, Config as NodeConfig, Event, Handler, Multiaddr,
        Node, NodeHandle, Peer, SpawnError, key_of,
    },
    peer::Role,
    wire::{Code, Request, Response},
};
use minicbor::bytes::ByteVec;
use tokio::{sync::broadcast, task::JoinSet};

use crate::{
    app::{
        Shop,
        courier::{Call, Courier},
    },
    clock,
    config::Config,
};

/// How long a hub has to answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How often the courier is looked at when nothing happens.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often the directory record is published again.
const PUBLISH_EVERY: Duration = Duration::from_secs(10 * 60);
/// How long until a hub that did not take the record is asked again.
const PUBLISH_AGAIN: Duration = Duration::from_secs(5);
/// How long the directory may keep a record.
const LEASE_MS: u64 = DAY_MS;
/// How often orders past their time, and damaged ones, are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// How often orders are looked for that nobody came for.
const RELEASE_EVERY: Duration = Duration::from_secs(60);
/// How often is looked whether a part of the catalogue has gone on for a year.
const CLOSE_EPOCHS_EVERY: Duration = Duration::from_secs(60 * 60);
/// How many orders are looked at for damage then: ten thousand are walked in an hour.
const LOOKED_AT_ONCE: u32 = 16;

struct Answering(Shop);

impl Handler for Answering {
    fn answer(&self, peer: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        let shop = self.0.clone();
        Box::pin(async move {
            let job = move || shop.answer(peer, request, clock::now(), &mut clock::rng());
            match tokio::task::spawn_blocking(job).await {
                Ok(response) => response,
                Err(_) => Response::refused(Code::Busy, "the shop failed inside; try again"),
            }
        })
    }
}

/// Starts the node: it answers from now on.
///
/// # Errors
/// [`SpawnError`] says which address cannot be used.
pub async fn start(shop: &Shop, config: &Config) -> Result<NodeHandle, NetError> {
    let address: Multiaddr =
        config.p2p.parse().map_err(|_| NetError::Address(config.p2p.clone()))?;
    let mut node = NodeConfig::new(shop.keys().node.signing.to_seed()).listening_on(address);
    if config.announce {
        node = node.with_mdns();
    }
    Ok(Node::spawn(node, Arc::new(Answering(shop.clone()))).await?)
}

/// Why the shop's node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// It is no multiaddr.
    #[error("{0:?} is not an address such as /ip4/0.0.0.0/tcp/4001")]
    Address(String),
    /// It cannot listen.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}

/// Keeps in touch with hubs for as long as it is let: fetches mail, leaves replies, publishes where
/// the shop is, and ends orders past their time.
pub async fn run(shop: Shop, node: NodeHandle, config: Config) {
    let hubs: Vec<Multiaddr> = config.hubs.iter().filter_map(|hub| parsed(hub)).collect();
    let mut settings = Settings::of([]);
    settings.seed = clock::now().get();
    let courier = ShopCourier { courier: Courier::new(&shop, settings), shop: shop.clone() };
    let mut carrier = Carrier::new(node.clone(), courier);
    let mut tasks = JoinSet::new();
    for hub in &hubs {
        let Some(key) = key_of(hub) else { continue };
        carrier.meet(Peer { key, role: Role::Hub, addresses: vec![hub.clone()] }).await;
        tasks.spawn(publish(shop.clone(), node.clone(), hubs.clone(), key));
    }
    tasks.spawn(expire(shop.clone()));
    if config.release_unclaimed {
        tasks.spawn(release_unclaimed(shop.clone(), config.held_ms));
    }
    tasks.spawn(turn_prices(shop.clone()));
    tasks.spawn(close_old_epochs(shop.clone()));
    tasks.spawn(look_for_damage(shop));
    tasks.spawn(look_again(carrier.handle()));
    carrier.run(|_| false).await;
}

/// The shop's courier as the carrier drives it.
struct ShopCourier {
    shop: Shop,
    courier: Courier,
}

impl driver::Courier for ShopCourier {
    fn handle(&mut self, input: Input) -> Vec<driver::Call> {
        let handled = self.courier.handle(&self.shop, clock::now(), &mut clock::rng(), input);
        for note in self.courier.take_notes() {
            tracing::info!(note, "the courier noted something");
        }
        match handled {
            Ok(calls) => {
                let carried = calls.into_iter();
                carried
                    .map(|Call { id, peer, request }| driver::Call { id, peer, request })
                    .collect()
            }
            Err(error) => {
                tracing::error!(error = %error, "the courier could not read the shop");
                Vec::new()
            }
        }
    }

    fn wakes_in(&self) -> Option<Duration> {
        let at = self.courier.wakes_at()?;
        Some(Duration::from_millis(at.since(clock::now())))
    }
}

fn parsed(hub: &str) -> Option<Multiaddr> {
    let address: Option<Multiaddr> = hub.parse().ok();
    match &address {
        Some(address) if key_of(address).is_some() => {}
        _ => tracing::error!(
            hub.address = hub,
            "a hub's address is left out: it must end in /p2p/ and the hub's peer id"
        ),
    }
    address.filter(|address| key_of(address).is_some())
}

/// Orders change by other doors and other processes: the courier looks for what is to be posted.
async fn look_again(courier: CarrierHandle) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        if courier.give(Input::Tick).await.is_err() {
            return;
        }
    }
}

/// Tells a hub's directory where the shop is, at each contact and then regularly.
async fn publish(shop: Shop, node: NodeHandle, hubs: Vec<Multiaddr>, hub: PublicKey) {
    let mut events = node.events();
    loop {
        let closing = shop.closing_since().ok();
        let published = match record(&shop, &node, &hubs, clock::now()) {
            Ok(record) => tell(&node, &hub, record).await,
            Err(error) => {
                tracing::error!(error = %error, "the shop's record cannot be made");
                false
            }
        };
        let wait = if published { PUBLISH_EVERY } else { PUBLISH_AGAIN };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = until_met(&mut events, &hub) => {}
            () = until_closing_differs(&shop, closing) => {}
        }
    }
}

async fn tell(node: &NodeHandle, hub: &PublicKey, record: ByteVec) -> bool {
    match node.request(hub, Request::Publish { record }, ANSWER_TIME).await {
        Ok(Response::Published) => true,
        Ok(Response::Refused(refused)) => {
            tracing::warn!(reason = %refused.reason, "a hub did not take the shop's record");
            false
        }
        Ok(_) | Err(_) => false,
    }
}

/// Waits until the shop closes down or opens again, by its door or by another process; forever where
/// it could not be read what was told before.
async fn until_closing_differs(shop: &Shop, told: Option<Option<UnixMs>>) {
    let Some(told) = told else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        // A database that cannot be read is told of by the next record, which comes anyway.
        if shop.closing_since().is_ok_and(|since| since != told) {
            return;
        }
    }
}

/// Waits until a connection with the hub begins; forever once the node has stopped.
async fn until_met(events: &mut broadcast::Receiver<Event>, hub: &PublicKey) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match events.recv().await {
            Ok(Event::Connected { peer, .. }) if peer == *hub => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

fn record(
    shop: &Shop,
    node: &NodeHandle,
    hubs: &[Multiaddr],
    now: UnixMs,
) -> Result<ByteVec, RecordFault> {
    let identity = shop.identity();
    let contact = |hub: &Multiaddr| {
        let key = key_of(hub)?;
        Some(HubContact { key, addresses: vec![hub.to_string()] })
    };
    let place = identity.place.as_deref().and_then(|hash| hash.parse().ok());
    let record = ShopRecord {
        shop: shop.id(),
        number: now.get(),
        until: now.plus_ms(LEASE_MS),
        name: identity.name.clone(),
        place,
        addresses: node.addresses().iter().map(ToString::to_string).collect(),
        hubs: hubs.iter().filter_map(contact).collect(),
        languages: Vec::new(),
        hours: None,
        closing_since: shop.closing_since()?,
    };
    let chain = shop.chain()?.into_iter().map(ByteVec::from).collect();
    Ok(record.sign(&shop.keys().node.signing, chain)?.into())
}

/// Why a record could not be made.
#[derive(Debug, thiserror::Error)]
enum RecordFault {
    #[error(transparent)]
    Store(#[from] kirana_migrations::StoreError),
    #[error(transparent)]
    Record(#[from] kirana_core::record::RecordError),
}

async fn expire(shop: Shop) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        let shop = shop.clone();
        let ended = tokio::task::spawn_blocking(move || {
            let (now, rng) = (clock::now(), &mut clock::rng());
            Ok::<_, crate::app::orders::NotDone>((
                shop.expire(now, rng)?,
                shop.lapse_questions(now, rng)?,
            ))
        });
        match ended.await {
            Ok(Ok((0, 0))) => {}
            Ok(Ok((ended, lapsed))) => {
                tracing::info!(ended, lapsed, "orders and questions past their time were ended");
            }
            Ok(Err(error)) => tracing::warn!(error = %error, "orders past their time wait"),
            Err(_) => return,
        }
    }
}

/// Calls off what nobody came for.
async fn release_unclaimed(shop: Shop, held_ms: u64) {
    loop {
        let looking = shop.clone();
        let release = move || looking.release_unclaimed(clock::now(), held_ms, &mut clock::rng());
        match tokio::task::spawn_blocking(release).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "orders that nobody came for were called off"),
            Ok(Err(error)) => tracing::warn!(error = %error, "orders that nobody came for wait"),
            Err(_) => return,
        }
        tokio::time::sleep(RELEASE_EVERY).await;
    }
}

/// Sorts the shelf by prices whose moment came.
async fn turn_prices(shop: Shop) {
    loop {
        let looking = shop.clone();
        let turn = move || looking.turn_prices(clock::now());
        match tokio::task::spawn_blocking(turn).await {
            // There may be more than one turn takes.
            Ok(Ok(count)) if count > 0 => continue,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "planned prices wait"),
            Err(_) => return,
        }
        tokio::time::sleep(EXPIRE_EVERY).await;
    }
}

/// Lets documents of the catalogue begin anew when their year is over.
async fn close_old_epochs(shop: Shop) {
    loop {
        let looking = shop.clone();
        let close = move || looking.close_old_epochs(clock::now(), &mut clock::rng());
        match tokio::task::spawn_blocking(close).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "parts of the catalogue began anew"),
            Ok(Err(error)) => tracing::warn!(error = %error, "the catalogue goes on as it is"),
            Err(_) => return,
        }
        tokio::time::sleep(CLOSE_EPOCHS_EVERY).await;
    }
}

/// Walks all orders again and again: what a disk has spoilt is found while its customer still has
/// a good copy.
async fn look_for_damage(shop: Shop) {
    let mut after = 0;
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        let shop = shop.clone();
        let look =
            move || shop.look_for_damage(after, LOOKED_AT_ONCE, clock::now(), &mut clock::rng());
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(looked)) => {
                if looked.damaged > 0 {
                    tracing::error!(
                        count = looked.damaged,
                        "orders are damaged on the disk: their customers are asked for their copies"
                    );
                }
                after = looked.next.unwrap_or_default();
            }
            Ok(Err(error)) => tracing::warn!(error = %error, "orders could not be looked at"),
            Err(_) => return,
        }
    }
}
