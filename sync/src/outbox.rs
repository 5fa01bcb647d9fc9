//! What a device or a shop still has to say, until the recipient itself has answered.
//!
//! **Invariant (P1):** an item leaves the outbox only when the recipient's signed intake settled it
//! or when its deadline passed by the known time; no acknowledgement of a relay ends the sending.
//!
//! The rows are the caller's: it stores an item before it says [`Input::Queued`], and deletes the
//! row at [`Effect::Forget`]. What is tried when is soft and starts anew after [`Outbox::load`].
//!
//! ```
//! use kirana_core::{hash::Hash, id::ShopId, key::KeyId, mail::Address, time::UnixMs};
//! use kirana_sync::{outbox::{Effect, Input, Item, Outbox}, peer::Role};
//! let (now, hub) = (UnixMs::new(1_000), KeyId::of(&[9; 32]));
//! let to = Address::Shop(ShopId::new(now, [1; 10]));
//! let item = Item { id: Hash::of(b"an order"), to, until: now.plus_ms(86_400_000) };
//! let mut outbox = Outbox::load(7, [item]);
//! let sent = outbox.handle(now, Input::Up { peer: hub, role: Role::Hub });
//! assert_eq!(sent, [Effect::Send { item: item.id, to, peer: hub }]);
//! outbox.handle(now, Input::Stored { item: item.id, peer: hub });
//! assert!(outbox.holds(&item.id), "a relay's word settles nothing");
//! ```

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    key::KeyId,
    known_time::KnownNow,
    mail::Address,
    planted::{Bug, is_planted},
    time::UnixMs,
};

use crate::peer::{Path, Role};

/// The wait after the first failure, in milliseconds; it doubles with each further one.
pub const RETRY_MS: u64 = 1_000;
/// The longest wait after a failure, in milliseconds.
pub const RETRY_MS_MAX: u64 = 5 * 60_000;
/// How long a first acknowledgement is given to turn into an intake, in milliseconds; it doubles
/// with each further one, and then the next path gets a copy too.
pub const SETTLE_MS: u64 = 8_000;
/// The longest wait for an intake after an acknowledgement, in milliseconds.
pub const SETTLE_MS_MAX: u64 = 60 * 60_000;
/// How many sends may be under way to one peer.
pub const UNDER_WAY_MAX: usize = 16;

/// One thing to say: a row that the caller keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The hash of the signed statement, which is sealed anew when it is sent.
    pub id: Hash,
    /// For whom.
    pub to: Address,
    /// When it is no longer worth saying.
    pub until: UnixMs,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// An item is durable in the caller's store and shall be sent.
    Queued(Item),
    /// A peer can be reached.
    Up {
        /// Which.
        peer: KeyId,
        /// What it is to us.
        role: Role,
    },
    /// A peer can no longer be reached; what was under way to it has failed.
    Down {
        /// Which.
        peer: KeyId,
    },
    /// A peer says that it has stored the item.
    Stored {
        /// Which item.
        item: Hash,
        /// Who says so.
        peer: KeyId,
    },
    /// A send did not succeed.
    Failed {
        /// Which item.
        item: Hash,
        /// To whom.
        peer: KeyId,
        /// How long the peer asked to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The recipient's own signed answer is durable here.
    Settled {
        /// Which item it answers.
        item: Hash,
    },
    /// What time it is by all that is known; the own clock alone lets nothing expire.
    Known(KnownNow),
    /// Time has passed.
    Tick,
}

/// What the caller has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Seal the item to its recipient and put it to this peer; then say `Stored` or `Failed`.
    Send {
        /// Which item.
        item: Hash,
        /// For whom it is.
        to: Address,
        /// Through whom.
        peer: KeyId,
    },
    /// The item has come as far as this peer: for the screen, nothing more.
    Reached {
        /// Which item.
        item: Hash,
        /// Who stored it.
        peer: KeyId,
        /// The way it took.
        path: Path,
    },
    /// Delete the row.
    Forget {
        /// Which item.
        item: Hash,
        /// Why it need not be sent any more.
        why: Why,
    },
}

/// Why an item left the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The recipient answered.
    Settled,
    /// Its deadline passed.
    Expired,
}

/// How one peer has done with one item.
#[derive(Debug, Clone, Copy, Default)]
struct Try {
    failures: u32,
    stored: u32,
    under_way: bool,
    not_before: UnixMs,
}

impl Try {
    /// Whether it is time; a moment further away than any wait comes from a clock that jumped.
    fn is_due(&self, now: UnixMs) -> bool {
        self.not_before <= now || self.not_before > now.plus_ms(2 * SETTLE_MS_MAX)
    }
}

#[derive(Debug, Clone)]
struct Sending {
    item: Item,
    tries: BTreeMap<KeyId, Try>,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Outbox {
    seed: u64,
    next: u64,
    /// Oldest first.
    queue: BTreeMap<u64, Sending>,
    index: BTreeMap<Hash, u64>,
    peers: BTreeMap<KeyId, Role>,
}

impl Outbox {
    /// The outbox after a start: `rows` are all items that the caller's store holds, oldest first.
    ///
    /// `seed` spreads the retries of many devices; any number will do.
    pub fn load(seed: u64, rows: impl IntoIterator<Item = Item>) -> Self {
        let (queue, index, peers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut outbox = Self { seed, next: 0, queue, index, peers };
        if !is_planted(Bug::ForgetTheOutbox) {
            rows.into_iter().for_each(|item| outbox.insert(item));
        }
        outbox
    }

    /// Whether the item is still to be sent.
    pub fn holds(&self, item: &Hash) -> bool {
        self.index.contains_key(item)
    }

    /// How many items are still to be sent.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// When `Tick` has something to do, if nothing else happens before.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        let waiting = self.queue.values().flat_map(|sending| &sending.tries);
        let reachable = waiting.filter(|(peer, at)| self.peers.contains_key(peer) && !at.under_way);
        reachable.map(|(_, at)| at.not_before).min()
    }

    /// Takes one input at the caller's own time `now` and says what to do, in order.
    pub fn handle(&mut self, now: UnixMs, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Queued(item) => self.insert(item),
            Input::Up { peer, role } => self.up(now, peer, role),
            Input::Down { peer } => {
                self.peers.remove(&peer);
                self.tries_of(peer).for_each(|at| at.under_way = false);
            }
            Input::Stored { item, peer } => effects.extend(self.stored(now, item, peer)),
            Input::Failed { item, peer, retry_after_ms } => {
                self.failed(now, item, peer, retry_after_ms);
            }
            Input::Settled { item } => effects.extend(self.forget(item, Why::Settled)),
            Input::Known(known) => {
                let passed = self.queue.values();
                let passed = passed.filter(|sending| known.is_past(sending.item.until));
                let passed: Vec<Hash> = passed.map(|sending| sending.item.id).collect();
                effects.extend(passed.into_iter().filter_map(|id| self.forget(id, Why::Expired)));
            }
            Input::Tick => {}
        }
        self.send_what_is_due(now, &mut effects);
        effects
    }

    fn insert(&mut self, item: Item) {
        if self.holds(&item.id) {
            return;
        }
        self.index.insert(item.id, self.next);
        self.queue.insert(self.next, Sending { item, tries: BTreeMap::new() });
        self.next += 1;
    }

    fn tries_of(&mut self, peer: KeyId) -> impl Iterator<Item = &mut Try> {
        self.queue.values_mut().filter_map(move |sending| sending.tries.get_mut(&peer))
    }

    fn one_try(&mut self, item: Hash, peer: KeyId) -> Option<&mut Try> {
        let place = self.index.get(&item)?;
        self.queue.get_mut(place)?.tries.get_mut(&peer)
    }

    fn up(&mut self, now: UnixMs, peer: KeyId, role: Role) {
        self.peers.insert(peer, role);
        // A shop that comes back may be a restored one that has forgotten what it acknowledged; a
        // relay's acknowledgement need not be asked for again because its line flaps.
        let again = |at: &&mut Try| at.stored == 0 || role.path() == Path::Direct;
        self.tries_of(peer).filter(again).for_each(|at| at.not_before = now);
    }

    fn stored(&mut self, now: UnixMs, item: Hash, peer: KeyId) -> Vec<Effect> {
        let Some(role) = self.peers.get(&peer).copied() else { return Vec::new() };
        let seed = self.seed;
        let Some(at) = self.one_try(item, peer) else { return Vec::new() };
        let wait = doubled(SETTLE_MS, at.stored, SETTLE_MS_MAX);
        at.stored = at.stored.saturating_add(1);
        at.not_before = now.plus_ms(spread(seed, item, peer, at.stored, wait));
        (at.under_way, at.failures) = (false, 0);
        let mut effects = vec![Effect::Reached { item, peer, path: role.path() }];
        if is_planted(Bug::TrustTheRelay) && role.path() != Path::Direct {
            effects.extend(self.forget(item, Why::Settled));
        }
        effects
    }

    fn failed(&mut self, now: UnixMs, item: Hash, peer: KeyId, retry_after_ms: Option<u64>) {
        let seed = self.seed;
        let Some(at) = self.one_try(item, peer) else { return };
        let wait = doubled(RETRY_MS, at.failures, RETRY_MS_MAX);
        at.failures = at.failures.saturating_add(1);
        let asked = retry_after_ms.unwrap_or(0).min(SETTLE_MS_MAX);
        at.not_before = now.plus_ms(spread(seed, item, peer, at.failures, wait).max(asked));
        at.under_way = false;
    }

    fn forget(&mut self, item: Hash, why: Why) -> Option<Effect> {
        let place = self.index.remove(&item)?;
        self.queue.remove(&place);
        Some(Effect::Forget { item, why })
    }

    fn send_what_is_due(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let mut room: BTreeMap<KeyId, usize> =
            self.peers.keys().map(|peer| (*peer, UNDER_WAY_MAX)).collect();
        for (peer, at) in self.queue.values().flat_map(|sending| &sending.tries) {
            if let Some(room) = room.get_mut(peer).filter(|_| at.under_way) {
                *room = room.saturating_sub(1);
            }
        }
        let mut ways: Vec<(Role, KeyId)> = self.peers.iter().map(|(k, r)| (*r, *k)).collect();
        ways.sort_unstable_by_key(|(role, peer)| (role.path(), *peer));
        for sending in self.queue.values_mut() {
            if room.values().all(|room| *room == 0) {
                return;
            }
            let Some(peer) = sending.next(now, &ways) else { continue };
            let Some(room) = room.get_mut(&peer).filter(|room| **room > 0) else { continue };
            *room -= 1;
            sending.tries.entry(peer).or_default().under_way = true;
            effects.push(Effect::Send { item: sending.item.id, to: sending.item.to, peer });
        }
    }
}

impl Sending {
    /// The best peer to try now, if any; `ways` is sorted, best first.
    fn next(&self, now: UnixMs, ways: &[(Role, KeyId)]) -> Option<KeyId> {
        if self.tries.values().any(|at| at.under_way) {
            return None;
        }
        let mut again = None;
        for (_, peer) in ways.iter().filter(|(role, _)| role.takes(&self.item.to)) {
            match self.tries.get(peer) {
                Some(at) if at.is_due(now) && at.stored > 0 => again = again.or(Some(*peer)),
                // Somebody has it since a moment ago: give the intake time to come back.
                Some(at) if !at.is_due(now) && at.stored > 0 && at.failures == 0 => return None,
                Some(at) if !at.is_due(now) => {}
                _ => return Some(*peer),
            }
        }
        again
    }
}

/// `base` doubled `times` times, at most `max`.
fn doubled(base: u64, times: u32, max: u64) -> u64 {
    base.saturating_mul(1u64.checked_shl(times).unwrap_or(u64::MAX)).min(max)
}

/// Between three quarters and the whole of `wait`, the same for the same arguments.
fn spread(seed: u64, item: Hash, peer: KeyId, count: u32, wait: u64) -> u64 {
    let (seed, count) = (seed.to_be_bytes(), count.to_be_bytes());
    let digest = Hash::of_parts(&[&seed, item.as_bytes(), peer.as_bytes(), &count]);
    let mut word = [0; 8];
    word.copy_from_slice(&digest.as_bytes()[..8]);
    wait - wait / 4 + u64::from_be_bytes(word) % (wait / 4 + 1)
}

#[cfg(test)]
mod tests;
