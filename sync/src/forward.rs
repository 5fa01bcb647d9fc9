//! Decides which hub gets waiting mail next: one that the shop's record names, two hubs in all.
//!
//! The caller keeps the mail and says what waits; who was tried when is soft and starts anew.
//!
//! **Invariants:** mail that another hub handed over is handed on to nobody, so that no piece
//! travels in a circle; and a piece counts as passed on only when the other hub has stored it.
//!
//! ```
//! use kirana_core::{id::ShopId, key::KeyId, mail::Address, time::UnixMs};
//! use kirana_sync::forward::{Effect, Forwarder, Input, Way};
//! let (now, hub) = (UnixMs::new(1_000), KeyId::of(&[9; 32]));
//! let to = Address::Shop(ShopId::new(now, [1; 10]));
//! let mut forwarder = Forwarder::new();
//! let ways = [(to, Way::To(vec![hub]))].into();
//! let todo = forwarder.handle(now, Input::Waiting { ways, guides: vec![] });
//! assert_eq!(todo, [Effect::Pass { to, hub }]);
//! ```

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash, id::ShopId, key::KeyId, mail::Address, record::ShopRecord, time::UnixMs,
};

use crate::wire::{Code, Refused, Response};

/// How many hubs a piece goes through at most: the sender's, and one that the recipient reads at.
pub const HOPS_MAX: u8 = 2;
/// The wait after the first failure, in milliseconds; it doubles with each further one.
pub const RETRY_MS: u64 = 1_000;
/// The longest wait for a hub that is out of reach, in milliseconds.
pub const RETRY_MS_MAX: u64 = 30_000;
/// The longest wait after a refusal, in milliseconds.
pub const REFUSED_MS_MAX: u64 = 60 * 60_000;
/// How long until a hub that knew no better way is asked again, in milliseconds.
pub const LOOK_AGAIN_MS: u64 = 60_000;
/// How many recipients are served at a time.
pub const UNDER_WAY_MAX: usize = 16;

/// Whether a hub may hand on a piece that this many hubs had before it.
pub const fn may_go_on(hops: u8) -> bool {
    hops.saturating_add(1) < HOPS_MAX
}

/// Where the mail of one recipient goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Nowhere: it is fetched here.
    Here,
    /// To one of these hubs, the best first.
    To(Vec<KeyId>),
    /// No record of the shop is known here.
    Unknown,
}

impl Way {
    /// The way of a shop's mail, as seen from the hub `own`.
    pub fn to_shop(own: KeyId, record: Option<&ShopRecord>) -> Self {
        let Some(record) = record else { return Self::Unknown };
        let keepers: Vec<KeyId> = record.hubs.iter().map(|hub| hub.key.id()).collect();
        match keepers.is_empty() || keepers.contains(&own) {
            true => Self::Here,
            false => Self::To(keepers),
        }
    }
}

/// Whether the hub `own` takes a piece that another hub hands on; `record` is the shop's newest.
///
/// # Errors
/// [`Refused`]: `Malformed` for a piece that came too far, `NotHere` for the mail of a shop that
/// does not name this hub.
pub fn check(
    own: KeyId,
    to: &Address,
    hops: u8,
    record: Option<&ShopRecord>,
) -> Result<(), Refused> {
    if hops == 0 || hops >= HOPS_MAX {
        let reason = format!("mail goes through {HOPS_MAX} hubs at most");
        return Err(Refused::new(Code::Malformed, reason));
    }
    let names_this = |record: &ShopRecord| record.hubs.iter().any(|hub| hub.key.id() == own);
    match to {
        Address::Device(_) => Ok(()),
        Address::Shop(_) if record.is_some_and(names_this) => Ok(()),
        Address::Shop(_) => {
            Err(Refused::new(Code::NotHere, "the shop does not fetch its mail at this hub"))
        }
    }
}

/// What a hub's answer to one piece means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is durable there.
    Stored,
    /// It will never be taken there: its sender may come again, this hub need not.
    Hopeless,
    /// There is no room for this sender's mail; others' may fit.
    NoRoom(Refused),
    /// The hub wants to know first who calls.
    Greet,
    /// Nothing more can be passed on to that hub now.
    Stop(Failure),
}

impl Verdict {
    /// Judges the answer to the piece of this name; `None` when there was none.
    pub fn of(id: Hash, answer: Option<Response>) -> Self {
        match answer {
            Some(Response::Stored { id: stored }) if stored == id => Self::Stored,
            Some(Response::Refused(refused)) => match refused.code {
                Code::HelloFirst => Self::Greet,
                Code::Malformed | Code::NotCertified | Code::Expired | Code::TooLate => {
                    Self::Hopeless
                }
                Code::Quota => Self::NoRoom(refused),
                _ => Self::Stop(Failure::Refused(refused)),
            },
            _ => Self::Stop(Failure::Unreached),
        }
    }
}

/// Why mail was not passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The hub did not answer, or not as a hub does.
    Unreached,
    /// The hub said no.
    Refused(Refused),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// All that waits here now, and the hubs that may know where a shop reads its mail.
    Waiting {
        /// Each recipient with the way of its mail.
        ways: BTreeMap<Address, Way>,
        /// Hubs of the roster, this one left out.
        guides: Vec<KeyId>,
    },
    /// What waited for a recipient is at a hub.
    Passed {
        /// For whom.
        to: Address,
        /// Where.
        hub: KeyId,
    },
    /// Not all that waited for a recipient could be left at a hub.
    Failed {
        /// For whom.
        to: Address,
        /// Where.
        hub: KeyId,
        /// Why.
        why: Failure,
    },
    /// A hub was asked for a shop's record, and what it told was stored.
    Told {
        /// Which shop.
        shop: ShopId,
        /// Who was asked.
        hub: KeyId,
    },
    /// A connection with a hub begins.
    Up {
        /// Which.
        hub: KeyId,
    },
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave what waits for a recipient at a hub, then say `Passed` or `Failed`.
    Pass {
        /// For whom.
        to: Address,
        /// Where.
        hub: KeyId,
    },
    /// Ask a hub for a shop's record and store it, then say `Told` or `Failed`.
    Look {
        /// Which shop.
        shop: ShopId,
        /// Whom.
        hub: KeyId,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Try {
    failures: u32,
    under_way: bool,
    not_before: UnixMs,
}

impl Try {
    fn is_due(&self, now: UnixMs) -> bool {
        !is_ahead(self.not_before, now)
    }
}

/// Whether a moment is still to come; one further away than any wait is of a clock that jumped.
fn is_ahead(at: UnixMs, now: UnixMs) -> bool {
    at > now && at <= now.plus_ms(2 * REFUSED_MS_MAX)
}

/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Forwarder {
    ways: BTreeMap<Address, Way>,
    guides: Vec<KeyId>,
    /// By hub, and by recipient where only its mail was refused.
    tries: BTreeMap<(KeyId, Option<Address>), Try>,
    /// When a hub is asked for a shop's record again.
    looks: BTreeMap<(KeyId, Address), UnixMs>,
}

impl Forwarder {
    /// One that has tried nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input at the caller's own time `now` and says what to do.
    pub fn handle(&mut self, now: UnixMs, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Waiting { ways, guides } => {
                (self.ways, self.guides) = (ways, guides);
                let ways = &self.ways;
                self.tries.retain(|(_, to), at| {
                    at.under_way || to.is_none_or(|to| ways.contains_key(&to))
                });
                self.looks.retain(|(_, to), _| ways.contains_key(to));
            }
            Input::Passed { to, hub } => {
                self.settle(to, hub);
                self.tries.remove(&(hub, None));
                self.tries.remove(&(hub, Some(to)));
            }
            Input::Told { shop, hub } => {
                let to = Address::Shop(shop);
                self.settle(to, hub);
                self.looks.insert((hub, to), now.plus_ms(LOOK_AGAIN_MS));
            }
            Input::Failed { to, hub, why } => effects.extend(self.failed(now, to, hub, why)),
            Input::Up { hub } => {
                let of_hub = |(at, _): &(&(KeyId, Option<Address>), &mut Try)| at.0 == hub;
                self.tries.iter_mut().filter(of_hub).for_each(|(_, at)| at.not_before = now);
            }
        }
        self.go_on(now, &mut effects);
        effects
    }

    fn at(&mut self, hub: KeyId, to: Option<Address>) -> &mut Try {
        self.tries.entry((hub, to)).or_default()
    }

    /// What was done for a recipient is done; what waits for it is only known at the next look.
    fn settle(&mut self, to: Address, hub: KeyId) {
        self.ways.remove(&to);
        self.at(hub, Some(to)).under_way = false;
    }

    fn failed(&mut self, now: UnixMs, to: Address, hub: KeyId, why: Failure) -> Option<Effect> {
        self.at(hub, Some(to)).under_way = false;
        let refused = match why {
            Failure::Unreached => {
                let at = self.at(hub, None);
                at.not_before = now.plus_ms(doubled(RETRY_MS, at.failures, RETRY_MS_MAX));
                at.failures = at.failures.saturating_add(1);
                return None;
            }
            Failure::Refused(refused) => refused,
        };
        let at = self.at(hub, Some(to));
        let wait = doubled(RETRY_MS, at.failures, REFUSED_MS_MAX);
        at.failures = at.failures.saturating_add(1);
        let asked = refused.retry_after_ms.unwrap_or(0).min(REFUSED_MS_MAX);
        at.not_before = now.plus_ms(wait.max(asked));
        match (refused.code, to) {
            // Whoever says that the shop has moved knows where it went.
            (Code::NotHere, Address::Shop(shop)) => {
                at.under_way = true;
                Some(Effect::Look { shop, hub })
            }
            _ => None,
        }
    }

    fn go_on(&mut self, now: UnixMs, effects: &mut Vec<Effect>) {
        let mut room =
            UNDER_WAY_MAX.saturating_sub(self.tries.values().filter(|at| at.under_way).count());
        let (tries, looks) = (&mut self.tries, &self.looks);
        for (to, way) in &self.ways {
            let (hubs, is_look) = match way {
                Way::Here => continue,
                Way::To(hubs) => (hubs, false),
                Way::Unknown => (&self.guides, true),
            };
            let busy = tries.iter().any(|((_, at), t)| *at == Some(*to) && t.under_way);
            if room == 0 || busy {
                continue;
            }
            let is_due = |key| tries.get(&key).is_none_or(|at: &Try| at.is_due(now));
            let asked = |hub| looks.get(&(hub, *to)).is_some_and(|at| is_ahead(*at, now));
            let due = |hub: &&KeyId| {
                let may = is_due((**hub, None)) && is_due((**hub, Some(*to)));
                may && !(is_look && asked(**hub))
            };
            let Some(hub) = hubs.iter().find(due).copied() else { continue };
            let effect = match (is_look, to) {
                (false, to) => Effect::Pass { to: *to, hub },
                (true, Address::Shop(shop)) => Effect::Look { shop: *shop, hub },
                (true, Address::Device(_)) => continue,
            };
            tries.entry((hub, Some(*to))).or_default().under_way = true;
            room -= 1;
            effects.push(effect);
        }
    }
}

/// `base` doubled `times` times, at most `max`.
fn doubled(base: u64, times: u32, max: u64) -> u64 {
    base.saturating_mul(1u64.checked_shl(times).unwrap_or(u64::MAX)).min(max)
}

#[cfg(test)]
mod tests;
