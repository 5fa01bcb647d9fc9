//! A round of sending and fetching over every way in reach, by one courier.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use kirana_core::{
    id::OrderId,
    key::{KeyId, PublicKey},
    time::UnixMs,
};
use kirana_sync::{
    client::{Input, Settings},
    driver::{Multiaddr, NodeHandle, RequestError},
    peer::{Path, Role},
    wire::Response,
};
use serde::Serialize;

use super::{ANSWER_MS, DIAL_MS, NetError};
use crate::{
    app::{
        Household, HouseholdError,
        courier::{Call, Courier},
    },
    clock,
    store::journal::JournalLine,
};

/// Somebody who may be in reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: Multiaddr,
    /// As what.
    pub role: Role,
}

/// How long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Until nothing is under way any more.
    Once,
    /// Until this moment.
    Until(UnixMs),
}

/// What came of a round.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Who was tried.
    pub paths: Vec<Tried>,
    /// Orders about which something new is known.
    pub changed: Vec<OrderId>,
    /// Statements that no shop has answered yet.
    pub waiting: usize,
    /// Sentences about what was not believed.
    pub notes: Vec<String>,
}

/// One way that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// Which way.
    pub path: &'static str,
    /// Where.
    pub address: String,
    /// Whether somebody answered.
    pub reached: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The household's database failed.
    #[error(transparent)]
    Household(#[from] HouseholdError),
    /// The network could not be started.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// Tries every target, and sends and fetches over those in reach.
///
/// # Errors
/// [`RoundError`]; that somebody is out of reach is none.
pub async fn go(
    household: &Household,
    targets: Vec<Target>,
    length: Length,
) -> Result<Report, RoundError> {
    let before = household.journal()?;
    let node = super::start(household.keys()).await?;
    let mut settings = Settings::of([household.address()]);
    settings.timeout_ms = ANSWER_MS + 1_000;
    let mut round = Round {
        household,
        courier: Courier::new(household, settings)?,
        node: node.clone(),
        keys: BTreeMap::new(),
        asking: FuturesUnordered::new(),
        tried: Vec::new(),
    };
    for shop in household.known_shops()? {
        let known = household.catalogue_known(shop.id)?;
        round.take(Input::Follow { shop: shop.id, known })?;
    }
    let done = round.run(targets, length).await;
    let peers: Vec<(PublicKey, Role)> = round.reached();
    let (tried, mut notes) = (round.tried, round.courier.take_notes());
    // Orders went and came first: pictures are for later, and for when nobody is in reach.
    let ahead = super::pictures::ahead(household, &node, &peers).await;
    node.shutdown().await;
    done?;
    notes.extend(ahead?);
    Ok(Report {
        paths: tried,
        changed: changed(&before, &household.journal()?),
        waiting: household.waiting()?.len(),
        notes,
    })
}

fn changed(before: &[JournalLine], after: &[JournalLine]) -> Vec<OrderId> {
    let before: BTreeMap<OrderId, &JournalLine> =
        before.iter().map(|line| (line.order, line)).collect();
    let news = after.iter().filter(|line| before.get(&line.order) != Some(line));
    news.map(|line| line.order).collect()
}

type Answered = (u64, Result<Response, RequestError>);

struct Round<'a> {
    household: &'a Household,
    courier: Courier,
    node: NodeHandle,
    keys: BTreeMap<KeyId, PublicKey>,
    asking: FuturesUnordered<BoxFuture<'static, Answered>>,
    tried: Vec<Tried>,
}

impl Round<'_> {
    async fn run(&mut self, targets: Vec<Target>, length: Length) -> Result<(), HouseholdError> {
        let mut dialling = FuturesUnordered::new();
        for target in targets {
            dialling.push(dial(self.node.clone(), target));
        }
        let mut polls = 0;
        loop {
            let nothing_under_way =
                dialling.is_empty() && self.asking.is_empty() && self.courier.client().is_idle();
            match length {
                Length::Until(end) if clock::now() >= end => return Ok(()),
                Length::Once if nothing_under_way => {
                    // Whoever decided while we listed has its answer ready by the next look.
                    if polls >= self.polls_wanted() {
                        return Ok(());
                    }
                    polls += 1;
                    clock::until(clock::now().plus_ms(POLL_MS)).await;
                    self.take(Input::Poll)?;
                }
                Length::Once | Length::Until(_) => {}
            }
            let wakes_at = self.wakes_at(length);
            tokio::select! {
                Some((target, dialled)) = dialling.next() => self.dialled(&target, dialled)?,
                Some((id, answer)) = self.asking.next() => self.answered(id, answer)?,
                () = clock::until(wakes_at) => self.take(Input::Tick)?,
            }
        }
    }

    /// Who answers, and as what.
    fn reached(&self) -> Vec<(PublicKey, Role)> {
        let peers = self.courier.client().peers();
        peers.filter_map(|(peer, role)| Some((*self.keys.get(&peer)?, role))).collect()
    }

    /// One look after everything was sent; more while a shop in reach still owes an answer.
    fn polls_wanted(&self) -> u32 {
        let client = self.courier.client();
        let owed = !client.outbox().is_empty();
        let ways: Vec<Path> = client.peers().map(|(_, role)| role.path()).collect();
        match ways.is_empty() {
            true => 0,
            false if owed && ways.contains(&Path::Direct) => POLLS_MAX,
            false => 1,
        }
    }

    fn wakes_at(&self, length: Length) -> UnixMs {
        let soon = clock::now().plus_ms(POLL_MS);
        let wakes = self.courier.wakes_at().unwrap_or(soon).min(soon);
        match length {
            Length::Once => wakes,
            Length::Until(end) => wakes.min(end),
        }
    }

    fn dialled(
        &mut self,
        target: &Target,
        dialled: Result<PublicKey, RequestError>,
    ) -> Result<(), HouseholdError> {
        let path = target.role.path().name();
        let address = target.address.to_string();
        let why = dialled.as_ref().err().map(ToString::to_string);
        self.tried.push(Tried { path, address, reached: dialled.is_ok(), why });
        let Ok(key) = dialled else { return Ok(()) };
        self.keys.insert(key.id(), key);
        self.take(Input::Connected { peer: key.id(), role: target.role })
    }

    fn answered(
        &mut self,
        id: u64,
        answer: Result<Response, RequestError>,
    ) -> Result<(), HouseholdError> {
        match answer {
            Ok(response) => self.take(Input::Response { id, response }),
            Err(_) => self.take(Input::Failed { id }),
        }
    }

    fn take(&mut self, input: Input) -> Result<(), HouseholdError> {
        let now = clock::now();
        let calls = self.courier.handle(self.household, now, &mut clock::rng(), input)?;
        for call in calls {
            self.send(call);
        }
        Ok(())
    }

    fn send(&mut self, call: Call) {
        let Some(key) = self.keys.get(&call.peer).copied() else { return };
        let node = self.node.clone();
        self.asking.push(Box::pin(async move {
            let within = Duration::from_millis(ANSWER_MS);
            (call.id, node.request(&key, call.request, within).await)
        }));
    }
}

async fn dial(node: NodeHandle, target: Target) -> (Target, Result<PublicKey, RequestError>) {
    let dialled = node.dial(target.address.clone(), Duration::from_millis(DIAL_MS)).await;
    (target, dialled)
}

/// Everybody whom this household may reach: the shops themselves, and whoever carries mail.
///
/// # Errors
/// When stored data cannot be read.
pub fn targets(household: &Household, only: Option<Path>) -> Result<Vec<Target>, HouseholdError> {
    let mut targets = Vec::new();
    for shop in household.known_shops()? {
        let addresses = shop.addresses.iter().filter_map(|text| text.parse().ok());
        targets.extend(addresses.map(|address| Target { address, role: Role::Shop(shop.id) }));
    }
    for carrier in household.carriers()? {
        let role = if carrier.community { Role::Community } else { Role::Hub };
        targets.extend(carrier.address.parse().ok().map(|address| Target { address, role }));
    }
    targets.retain(|target| only.is_none_or(|path| target.role.path() == path));
    targets.dedup();
    Ok(targets)
}

const POLL_MS: u64 = 250;
const POLLS_MAX: u32 = 8;
