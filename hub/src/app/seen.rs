//! Remembers tokens whose signature held, and sessions as they stood.
//!
//! **Invariant:** nothing is remembered beyond a commit, by whatever process: a revocation empties
//! what is kept of sessions before the next request is let in. What a signature covers never
//! changes, so tokens stay until they end.

use std::{collections::BTreeMap, sync::Arc};

use kirana_core::{hash::Hash, time::UnixMs, token::Genuine};

use super::{Error, Hub, lock};
use crate::store::session::{Refreshable, SessionId};

/// What is remembered.
#[derive(Default)]
pub(super) struct Seen {
    tokens: BTreeMap<Hash, Arc<Genuine>>,
    /// As of this version of the database.
    version: Option<i64>,
    sessions: BTreeMap<SessionId, Arc<Refreshable>>,
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

    /// The session with its account, if it is neither revoked nor over.
    pub(super) async fn session_now(
        &self,
        id: SessionId,
        now: UnixMs,
    ) -> Result<Option<Arc<Refreshable>>, Error> {
        // Asked before reading: a commit between the two makes the next request read again.
        let version = self.store().version()?;
        if version.is_some() {
            let mut seen = lock(&self.0.seen);
            if seen.version != version {
                seen.sessions.clear();
                seen.version = version;
            }
            if let Some(found) = seen.sessions.get(&id) {
                return Ok(Some(found.clone()).filter(|found| found.session.is_open(now)));
            }
        }
        let found = self.store().session(id, now).await?.map(Arc::new);
        let mut seen = lock(&self.0.seen);
        if let Some(found) = &found
            && version.is_some()
            && seen.version == version
        {
            if seen.sessions.len() >= SEEN_MAX {
                seen.sessions.clear();
            }
            seen.sessions.insert(id, found.clone());
        }
        Ok(found)
    }
}
