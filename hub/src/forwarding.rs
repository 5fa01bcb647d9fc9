//! Carries mail to the hubs where its recipients read, and records to the hubs of the roster.
//!
//! **Invariant:** what is tried is decided by [`Forwarder`]; a piece is noted as passed on only
//! after the other hub's acknowledgement, so that this can stop at any moment.

use std::{collections::BTreeSet, time::Duration};

use kirana_core::{id::ShopId, key::PublicKey, mail::Address, record::HubContact};
use kirana_sync::{
    driver::{Event, NodeHandle, RequestError},
    forward::{Effect, Failure, Forwarder, HOPS_MAX, Input, Verdict},
    wire::{Request, Response},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};

use crate::{
    app::{self, Hub},
    clock,
};

/// What the door tells whoever passes things on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Mail was stored.
    Mail,
    /// A shop published its record.
    Record(Vec<u8>),
}

/// How much news may wait; mail that was missed is seen at the next look.
pub const NEWS_MAX: usize = 256;
/// How often waiting mail is looked at when nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often partners are connected with again: a hub behind a router cannot be called itself.
const TOUCH_EVERY: Duration = Duration::from_secs(20);
/// How long one request may take.
const REQUEST_TIME: Duration = Duration::from_secs(15);

/// Passes on what is to be passed on, for as long as the program runs.
pub async fn run(hub: Hub, node: NodeHandle, mut news: mpsc::Receiver<News>) {
    let mut events = node.events();
    let (mut forwarder, mut passing) = (Forwarder::new(), JoinSet::new());
    let mut touching = JoinSet::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut touch = tokio::time::interval(TOUCH_EVERY);
    loop {
        let input = tokio::select! {
            _ = look.tick() => None,
            _ = touch.tick() => {
                touching.spawn(keep_in_touch(hub.clone(), node.clone()));
                None
            }
            event = events.recv() => match event {
                Ok(Event::Connected { peer, .. }) => Some(Input::Up { hub: peer.id() }),
                Err(broadcast::error::RecvError::Closed) => return,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
            },
            Some(news) = news.recv() => match news {
                News::Mail => None,
                News::Record(record) => {
                    touching.spawn(spread(hub.clone(), node.clone(), record));
                    continue;
                }
            },
            Some(Ok(input)) = passing.join_next() => Some(input),
            Some(_) = touching.join_next() => continue,
        };
        let (now, mut effects) = (clock::now(), Vec::new());
        effects.extend(input.into_iter().flat_map(|input| forwarder.handle(now, input)));
        let found = match hub.to_pass(now).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(error = %error, "waiting mail could not be looked at");
                app::forward::ToPass::default()
            }
        };
        let waiting = Input::Waiting { ways: found.ways, guides: found.guides };
        effects.extend(forwarder.handle(now, waiting));
        for effect in effects {
            let (Effect::Pass { hub: to_hub, .. } | Effect::Look { hub: to_hub, .. }) = effect;
            let contact = found.contacts.get(&to_hub).cloned();
            passing.spawn(perform(hub.clone(), node.clone(), effect, contact));
        }
    }
}

async fn perform(hub: Hub, node: NodeHandle, effect: Effect, contact: Option<HubContact>) -> Input {
    let (Effect::Pass { hub: other, .. } | Effect::Look { hub: other, .. }) = effect;
    let to = match effect {
        Effect::Pass { to, .. } => to,
        Effect::Look { shop, .. } => Address::Shop(shop),
    };
    let unreached = Input::Failed { to, hub: other, why: Failure::Unreached };
    // A roster or a record that has changed since names nobody to go to.
    let Some(contact) = contact else { return unreached };
    if know(&node, &contact).await.is_err() {
        return unreached;
    }
    let line = Line { hub, node, contact };
    match effect {
        Effect::Look { shop, .. } => match line.look(shop).await {
            Some(()) => Input::Told { shop, hub: other },
            None => unreached,
        },
        Effect::Pass { .. } => match line.pass(to).await {
            Ok(()) => Input::Passed { to, hub: other },
            Err(why) => Input::Failed { to, hub: other, why },
        },
    }
}

async fn know(node: &NodeHandle, contact: &HubContact) -> Result<(), RequestError> {
    let addresses = contact.addresses.iter().filter_map(|address| address.parse().ok());
    node.know(&contact.key, addresses.collect()).await
}

/// Another hub, as this one speaks with it.
struct Line {
    hub: Hub,
    node: NodeHandle,
    contact: HubContact,
}

impl Line {
    async fn ask(&self, request: Request) -> Option<Response> {
        let name = request.name();
        match self.node.request(&self.contact.key, request, REQUEST_TIME).await {
            Ok(response) => {
                if let Response::Refused(refused) = &response {
                    let (hub, reason) = (self.contact.key.id(), &refused.reason);
                    tracing::debug!(hub.id = %hub, request = name, reason, "a hub refused");
                }
                Some(response)
            }
            Err(error) => {
                tracing::debug!(%error, hub.id = %self.contact.key.id(), "a hub did not answer");
                None
            }
        }
    }

    async fn greet(&self) -> Option<()> {
        let greeting = self.hub.greeting(clock::now()).await;
        let greeting = greeting.inspect_err(|error| {
            tracing::warn!(error = %error, "this hub cannot say who it is");
        });
        self.ask(greeting.ok()?).await.map(drop)
    }

    async fn look(&self, shop: ShopId) -> Option<()> {
        let answer = self.ask(Request::Look { shop }).await?;
        self.hub.told(answer, clock::now()).await;
        Some(())
    }

    /// Leaves there what waits for a recipient, oldest first.
    async fn pass(&self, to: Address) -> Result<(), Failure> {
        let (mut after, mut full, mut no_room) = (0, BTreeSet::new(), None);
        loop {
            let pieces = self.hub.waiting(&to, after, clock::now()).await.map_err(own_fault)?;
            let Some(last) = pieces.last() else { break };
            after = last.cursor;
            for piece in pieces {
                if full.contains(&piece.sender) {
                    continue;
                }
                let id = piece.mail.id();
                let taken = match self.hand_over(piece.mail).await {
                    Verdict::Stored => Some(self.contact.clone()),
                    Verdict::Hopeless => None,
                    Verdict::NoRoom(refused) => {
                        full.insert(piece.sender);
                        no_room = Some(refused);
                        continue;
                    }
                    Verdict::Stop(why) => return Err(why),
                    Verdict::Greet => return Err(Failure::Unreached),
                };
                let outcome = if taken.is_some() { "stored" } else { "refused" };
                metrics::counter!("mail_forwarded_total", "outcome" => outcome).increment(1);
                self.hub.passed_on(to, id, taken, clock::now()).await.map_err(own_fault)?;
            }
        }
        no_room.map_or(Ok(()), |refused| Err(Failure::Refused(refused)))
    }

    /// Hands one piece over; where the other hub does not know this one, it greets first.
    async fn hand_over(&self, mail: kirana_core::mail::Mail) -> Verdict {
        let id = mail.id();
        let request = Request::Forward { mail, hops: HOPS_MAX - 1 };
        match Verdict::of(id, self.ask(request.clone()).await) {
            Verdict::Greet => match self.greet().await {
                Some(()) => Verdict::of(id, self.ask(request).await),
                None => Verdict::Stop(Failure::Unreached),
            },
            verdict => verdict,
        }
    }
}

/// This hub's own disk or database is what failed; it is tried again like a hub out of reach.
fn own_fault(error: app::Error) -> Failure {
    tracing::warn!(error = %error, "mail could not be passed on");
    Failure::Unreached
}

/// Stays connected with the hubs from which replies come.
async fn keep_in_touch(hub: Hub, node: NodeHandle) {
    let partners = match hub.partners(clock::now()).await {
        Ok(partners) => partners,
        Err(error) => {
            tracing::warn!(error = %error, "the partner hubs could not be read");
            return;
        }
    };
    let mut calls = JoinSet::new();
    for contact in partners {
        let node = node.clone();
        calls.spawn(async move {
            // One that is out of reach is called again in a while.
            if know(&node, &contact).await.is_ok() {
                let _ = node.connect(&contact.key, REQUEST_TIME).await;
            }
        });
    }
    while calls.join_next().await.is_some() {}
}

/// Gives a shop's record to the hubs of the roster, which give it to nobody.
async fn spread(hub: Hub, node: NodeHandle, record: Vec<u8>) {
    let guides = match hub.guides(clock::now()).await {
        Ok(guides) => guides,
        Err(error) => {
            tracing::warn!(error = %error, "the hubs of the roster could not be read");
            return;
        }
    };
    for contact in guides {
        if know(&node, &contact).await.is_ok() {
            let line = Line { hub: hub.clone(), node: node.clone(), contact };
            // The shop publishes again within minutes.
            let _ = line.ask(Request::Publish { record: record.clone().into() }).await;
        }
    }
}

impl News {
    /// What a request may be news of, before it is answered.
    pub fn of(request: &Request) -> Option<Self> {
        match request {
            Request::Put { .. } | Request::Forward { .. } => Some(Self::Mail),
            Request::Publish { record } => Some(Self::Record(record.to_vec())),
            _ => None,
        }
    }

    /// Whether it concerns other hubs: a hub that publishes a record tells all that it knows itself.
    pub async fn is_for_others(&self, hub: &Hub, peer: &PublicKey) -> bool {
        match self {
            Self::Mail => true,
            Self::Record(_) => matches!(hub.is_hub(peer, clock::now()).await, Ok(false)),
        }
    }
}
