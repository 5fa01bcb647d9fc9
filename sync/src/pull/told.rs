//! Remembers which heads were answered lately, so that whoever comes back gets what is new: of many
//! documents a changed price is one, and all their heads and stock are many times as long.
//!
//! **Invariant:** an answer is named by its content, so a name stands for the same whoever gave it;
//! what is not remembered is answered in full.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use kirana_core::hash::Hash;

use crate::wire::Response;

/// Answers that are remembered; those who ask less often get everything.
const ANSWERS_MAX: usize = 8;

/// What was answered lately about one shop.
#[derive(Debug, Default)]
pub struct Told(Mutex<VecDeque<(Hash, BTreeSet<Hash>)>>);

impl Told {
    /// Names a whole answer, and leaves out of it what an earlier one with this name had too.
    pub fn news(&self, whole: Response, seen: Option<Hash>) -> Response {
        let Response::Heads { mut heads, mut certificates, mut availability, mut terms, .. } =
            whole
        else {
            return whole;
        };
        let all = heads.iter().chain(&certificates).chain(&availability).chain(&terms);
        let all: BTreeSet<Hash> = all.map(|bytes| Hash::of(bytes)).collect();
        let parts: Vec<&[u8]> = all.iter().map(|hash| &hash.as_bytes()[..]).collect();
        let name = Hash::of_parts(&parts);
        if let Some(before) = self.remember(name, all, seen) {
            heads.retain(|head| !before.contains(&Hash::of(head)));
            availability.retain(|stock| !before.contains(&Hash::of(stock)));
            terms = terms.filter(|terms| !before.contains(&Hash::of(terms)));
            if certificates.iter().all(|one| before.contains(&Hash::of(one))) {
                certificates.clear();
            }
        }
        Response::Heads { heads, certificates, availability, terms, name: Some(name) }
    }

    /// Remembers an answer; gives what the one had that was seen, if that is remembered too.
    fn remember(
        &self,
        name: Hash,
        all: BTreeSet<Hash>,
        seen: Option<Hash>,
    ) -> Option<BTreeSet<Hash>> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.and_then(|seen| answers.iter().find(|(name, _)| *name == seen));
        let before = before.map(|(_, all)| all.clone());
        if answers.iter().all(|(known, _)| *known != name) {
            answers.push_front((name, all));
            answers.truncate(ANSWERS_MAX);
        }
        before
    }
}
