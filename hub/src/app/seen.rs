//! Remembers tokens whose signature held, and sessions and profiles as they stood.
//!
//! **Invariant:** nothing is remembered beyond a commit, by whatever process: a revocation empties
//! what is kept of people before the next request is let in. What a signature covers never
//! changes, so tokens stay until they end.

use std::{collections::BTreeMap, sync::Arc};

use kirana_core::{hash::Hash, id::AccountId, time::UnixMs, token::Genuine};

use super::{Error, Hub, account::Profile, lock};
use crate::store::session::{Refreshable, SessionId};

/// The state of the database that something was found out from. Where it cannot be told, as in
/// memory, it is no state at all, and nothing counts as being of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsOf(Option<i64>);

/// What is remembered.
#[derive(Default)]
pub(super) struct Seen {
    tokens: BTreeMap<Hash, Arc<Genuine>>,
    /// As of this version of the database.
    version: Option<i64>,
    sessions: BTreeMap<SessionId, Arc<Refreshable>>,
    profiles: BTreeMap<AccountId, Arc<Profile>>,
}

/// Tokens and sessions that are remembered; beyond that all are forgotten.
const SEEN_MAX: usize = 10_000;

impl Hub {
    /// Forgets all of it: each token is checked again from the beginning.
    pub fn forget_seen(&self) {
        *lock(&self.0.seen) = Seen::default();
    }

    /// The token of this digest, if its signature was checked before.
    pub(super) fn seen_token(&self, digest: &Hash) -> Option<Arc<Genuine>> {
        lock(&self.0.seen).tokens.get(digest).cloned()
    }

    /// Remembers a token whose signature held.
    pub(super) fn remember_token(&self, digest: Hash, genuine: Genuine) {
        let mut seen = lock(&self.0.seen);
        if seen.tokens.len() >= SEEN_MAX {
            seen.tokens.clear();
        }
        seen.tokens.insert(digest, Arc::new(genuine));
    }

    /// The session with its account, if it is neither revoked nor over, and as of when.
    pub(super) async fn session_now(
        &self,
        id: SessionId,
        now: UnixMs,
    ) -> Result<Option<(Arc<Refreshable>, AsOf)>, Error> {
        // Asked before reading: a commit between the two makes the next request read again.
        let version = self.store().version()?;
        let as_of = AsOf(version);
        if version.is_some() {
            let mut seen = lock(&self.0.seen);
            if seen.version != version {
                seen.sessions.clear();
                seen.profiles.clear();
                seen.version = version;
            }
            if let Some(found) = seen.sessions.get(&id) {
                let open = Some(found.clone()).filter(|found| found.session.is_open(now));
                return Ok(open.map(|found| (found, as_of)));
            }
        }
        let found = self.store().session(id, now).await?.map(Arc::new);
        let mut seen = lock(&self.0.seen);
        if let Some(found) = &found
            && seen.is_of(as_of)
        {
            if seen.sessions.len() >= SEEN_MAX {
                seen.sessions.clear();
            }
            seen.sessions.insert(id, found.clone());
        }
        Ok(found.map(|found| (found, as_of)))
    }

    /// The profile of an account, if it was read in this state of the database.
    pub(super) fn seen_profile(&self, id: AccountId, as_of: AsOf) -> Option<Arc<Profile>> {
        let seen = lock(&self.0.seen);
        seen.profiles.get(&id).filter(|_| seen.is_of(as_of)).cloned()
    }

    /// Remembers a profile that was read in this state of the database, or after it: whoever asks
    /// in a later one finds that out before.
    pub(super) fn remember_profile(&self, profile: Arc<Profile>, as_of: AsOf) {
        let mut seen = lock(&self.0.seen);
        if seen.is_of(as_of) {
            if seen.profiles.len() >= SEEN_MAX {
                seen.profiles.clear();
            }
            seen.profiles.insert(profile.id, profile);
        }
    }
}

impl Seen {
    fn is_of(&self, AsOf(version): AsOf) -> bool {
        version.is_some() && self.version == version
    }
}
