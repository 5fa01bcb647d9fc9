//! Gathers the catalogues of shops, so that they can be searched here and had while a shop is away.
//!
//! **Invariant:** what a shop must do for it is answer; what does not verify is not kept, and a shop
//! that is out of reach is asked more and more seldom until it is heard of again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use kirana_core::{id::ShopId, key::KeyId, record::SignedRecord, time::UnixMs};
use kirana_sync::{
    driver::{Event, NodeHandle},
    pull::{Effect, Pull},
};
use tokio::{sync::broadcast, task::JoinSet};

use crate::{
    app::{self, Hub, shelves::Gathering},
    clock,
    store::{record::Rank, shelves::KnownShop},
};

/// How often it is looked whom to ask.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How long a shop that answered is left alone, in milliseconds.
const PAUSE_MS: u64 = 60_000;
/// How long, at most, a shop that did not answer is left alone, in milliseconds.
const PAUSE_MS_MAX: u64 = 30 * 60_000;
/// How many shops are asked at once.
const AT_ONCE: usize = 4;
/// How long one request may take.
const REQUEST_TIME: Duration = Duration::from_secs(15);

/// When a shop is asked next.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    rank: Rank,
    asked: UnixMs,
    pause_ms: u64,
    node: Option<KeyId>,
    is_under_way: bool,
}

impl Turn {
    fn is_due(&self, rank: Rank, now: UnixMs) -> bool {
        // A clock that was set back makes nobody wait for the time that it lost.
        let is_rested = now.since(self.asked) >= self.pause_ms || now < self.asked;
        !self.is_under_way && (self.rank != rank || is_rested)
    }

    fn begin(&mut self, rank: Rank, now: UnixMs) {
        (self.rank, self.asked, self.is_under_way) = (rank, now, true);
    }

    fn end(&mut self, answered: Option<KeyId>) {
        self.is_under_way = false;
        self.pause_ms = match answered {
            Some(_) => PAUSE_MS,
            None => (self.pause_ms * 2).clamp(PAUSE_MS / 4, PAUSE_MS_MAX),
        };
        self.node = answered.or(self.node);
    }
}

/// Gathers for as long as the program runs.
pub async fn run(hub: Hub, node: NodeHandle) {
    let mut events = node.events();
    let mut look = tokio::time::interval(LOOK_EVERY);
    let (mut turns, mut asking) = (BTreeMap::<ShopId, Turn>::new(), JoinSet::new());
    let mut kept = None;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            event = events.recv() => match event {
                Ok(Event::Connected { peer, .. }) => {
                    let its = turns.values_mut().filter(|turn| turn.node == Some(peer.id()));
                    its.for_each(|turn| turn.pause_ms = 0);
                    continue;
                }
                Err(broadcast::error::RecvError::Closed) => return,
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
            },
            Some(ended) = asking.join_next() => {
                if let Ok((shop, answered)) = ended
                    && let Some(turn) = turns.get_mut(&shop)
                {
                    turn.end(answered);
                }
            }
        }
        let now = clock::now();
        if let Err(error) = turn_prices(&hub, now).await {
            tracing::warn!(error = %error, "planned prices wait");
        }
        let wanted = match wanted(&hub, &mut kept, now).await {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::warn!(error = %error, "whose catalogues to gather could not be read");
                continue;
            }
        };
        turns.retain(|shop, _| wanted.contains_key(shop));
        for (shop, rank) in wanted {
            let turn = turns.entry(shop).or_default();
            if asking.len() < AT_ONCE && turn.is_due(rank, now) {
                turn.begin(rank, now);
                asking.spawn(ask(hub.clone(), node.clone(), shop));
            }
        }
    }
}

/// Sorts what was gathered by prices whose moment came.
async fn turn_prices(hub: &Hub, now: UnixMs) -> Result<(), app::Error> {
    let known = hub.known_now(now).await?.at;
    Ok(hub.shelves()?.turn_prices(known).await?)
}

/// The shops to be asked; what is kept of others than those that stay is thrown away.
async fn wanted(
    hub: &Hub,
    kept: &mut Option<BTreeSet<ShopId>>,
    now: UnixMs,
) -> Result<BTreeMap<ShopId, Rank>, app::Error> {
    let Gathering { ask, keep } = hub.to_gather(now).await?;
    if kept.as_ref() != Some(&keep) {
        let gone = hub.shelves()?.keep_only(keep.clone()).await?;
        if gone > 0 {
            tracing::info!(shops = gone, "catalogues of shops that are here no more were dropped");
        }
        *kept = Some(keep);
    }
    Ok(ask)
}

/// Asks one shop for what is new; gives its node where it answered.
async fn ask(hub: Hub, node: NodeHandle, shop: ShopId) -> (ShopId, Option<KeyId>) {
    let now = clock::now();
    let record = match hub.record_to_gather(shop, now).await {
        Ok(Some(record)) => record,
        Ok(None) => return (shop, None),
        Err(error) => {
            tracing::warn!(error = %error, shop.id = %shop, "a shop's record could not be read");
            return (shop, None);
        }
    };
    let outcome = pull(&hub, &node, &record, now).await;
    let name = match &outcome {
        Ok(()) => "current",
        Err(NotGathered::Out(_)) => "unreached",
        Err(_) => "refused",
    };
    metrics::counter!("catalogues_pulled_total", "outcome" => name).increment(1);
    if let Err(why) = &outcome {
        tracing::debug!(error = %why, shop.id = %shop, "a shop's catalogue was not gathered");
    }
    (shop, outcome.is_ok().then(|| record.node().key().id()))
}

/// Why a catalogue is not as new as it could be.
#[derive(Debug, thiserror::Error)]
enum NotGathered {
    #[error("the shop did not answer: {0}")]
    Out(#[from] kirana_sync::driver::RequestError),
    #[error("the shop served nothing that counts: {0}")]
    Bad(&'static str),
    #[error(transparent)]
    Own(#[from] app::Error),
    #[error("what came was not kept: {0}")]
    NotKept(#[from] kirana_migrations::WriteError<kirana_migrations::catalogue::saved::NotKept>),
}

async fn pull(
    hub: &Hub,
    node: &NodeHandle,
    record: &SignedRecord,
    now: UnixMs,
) -> Result<(), NotGathered> {
    let (shelves, said) = (hub.shelves()?, record.record());
    let (trust, known) = (hub.trust(now).await?, hub.known_now(now).await?);
    let key = record.node().key();
    let addresses = said.addresses.iter().filter_map(|address| address.parse().ok());
    node.know(key, addresses.collect()).await?;
    let name = said.name.clone();
    let shop = KnownShop { id: said.shop, name, place: said.place, heard_at: known.at };
    let certificates = record.certificates().to_vec();
    let mut pull = Pull::new(said.shop, shelves.known(said.shop).map_err(app::Error::from)?);
    let mut effects = VecDeque::from([pull.start()]);
    shelves.put_shop(shop, certificates).await.map_err(app::Error::from)?;
    while let Some(effect) = effects.pop_front() {
        match effect {
            Effect::Ask(request) => {
                let response = node.request(key, request, REQUEST_TIME).await?;
                effects.extend(pull.answer(known, &trust, response));
            }
            Effect::Load(load) => {
                let head = load.head.head().clone();
                shelves.keep(load.head, load.bytes).await?;
                effects.extend(pull.loaded(&head));
            }
            Effect::Availability(snapshots) => {
                shelves.keep_availability(snapshots).await.map_err(app::Error::from)?;
            }
            Effect::Terms(terms) => {
                shelves.keep_terms(*terms).await.map_err(app::Error::from)?;
            }
            Effect::Current => {}
            Effect::Missing => return Err(NotGathered::Bad("it refused")),
            Effect::Bad(why) => return Err(NotGathered::Bad(why)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    #[test]
    fn a_shop_out_of_reach_is_asked_more_and_more_seldom_until_it_is_heard_of() {
        let (mut turn, rank) = (Turn::default(), (1, 1));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            turn.begin(rank, NOW);
            assert!(!turn.is_due(rank, NOW.plus_ms(PAUSE_MS_MAX)), "it is asked already");
            turn.end(None);
            pauses.push(turn.pause_ms);
        }
        assert_eq!(pauses[..3], [PAUSE_MS / 4, PAUSE_MS / 2, PAUSE_MS]);
        assert_eq!(pauses.last(), Some(&PAUSE_MS_MAX));
        assert!(!turn.is_due(rank, NOW.plus_ms(PAUSE_MS)));
        assert!(turn.is_due((1, 2), NOW), "it published another record");
        assert!(turn.is_due(rank, NOW.minus_ms(1)), "the clock was set back");
    }
}
