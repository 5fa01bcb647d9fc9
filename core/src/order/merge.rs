//! How two copies of one order agree, in whatever order and however often entries arrive.
//!
//! **Invariant:** the outcome depends on the set of entries alone. Of two children of one entry
//! the higher generation wins; equal generations stop the chain there until a person settles it.
//! No entry is thrown away: the losing branch is returned, to be kept and shown.

use std::collections::BTreeMap;

use super::chain::{Authored, Chain, ChainFault, Pushed};
use crate::{hash::Hash, key::KeyId, statement::Position};

/// How another copy of an order stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same.
    Same,
    /// They have what we have, and more.
    OursIsPrefix,
    /// We have what they have, and more.
    TheirsIsPrefix,
    /// Two entries follow one.
    Fork {
        /// The place of the two.
        seq: u32,
        /// Whose is right.
        winner: Winner,
    },
    /// They begin with different entries: these are two orders.
    Unrelated,
}

/// Whose branch of a fork is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// Ours, by its higher generation.
    Ours,
    /// Theirs, by its higher generation.
    Theirs,
    /// Neither: both are of one generation, and both stop.
    Neither {
        /// Whether two boxes wrote with a key each; otherwise one box contradicts itself.
        two_keys: bool,
    },
}

/// Compares two copies of an order.
pub fn compare(ours: &Chain, theirs: &Chain) -> Comparison {
    if ours.first().hash() != theirs.first().hash() {
        return Comparison::Unrelated;
    }
    let pairs = ours.entries().iter().zip(theirs.entries());
    if let Some((our, their)) = pairs.into_iter().find(|(o, t)| o.hash() != t.hash()) {
        let winner = match our.generation().cmp(&their.generation()) {
            std::cmp::Ordering::Greater => Winner::Ours,
            std::cmp::Ordering::Less => Winner::Theirs,
            std::cmp::Ordering::Equal => {
                Winner::Neither { two_keys: our.signer() != their.signer() }
            }
        };
        return Comparison::Fork { seq: our.seq(), winner };
    }
    match ours.len().cmp(&theirs.len()) {
        std::cmp::Ordering::Less => Comparison::OursIsPrefix,
        std::cmp::Ordering::Equal => Comparison::Same,
        std::cmp::Ordering::Greater => Comparison::TheirsIsPrefix,
    }
}

/// What became of a bag of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The chain that counts.
    pub chain: Chain,
    /// Entries on branches that lost or stopped, with all that builds on them.
    pub lost: Vec<Authored>,
    /// Entries whose predecessors have not come, or were refused.
    pub waiting: Vec<Authored>,
    /// Entries that can never stand where they say.
    pub refused: Vec<(Authored, ChainFault)>,
    /// Where the chain stopped, if two entries of one generation follow its head.
    pub stopped: Option<Stopped>,
}

/// Two entries of one generation follow one entry: nothing more is believed until a new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The place of the two.
    pub seq: u32,
    /// Their generation.
    pub generation: u64,
    /// Who signed them, each once.
    pub signers: Vec<KeyId>,
}

/// Starts from the customer's first entry and takes in a bag of entries.
///
/// # Errors
/// [`ChainFault`] when the first entry is none; the others can do no harm.
pub fn from_bag(
    placed: Authored,
    bag: impl IntoIterator<Item = Authored>,
) -> Result<Merged, ChainFault> {
    Ok(merge(&Chain::begin(placed.entry, placed.author)?, bag))
}

/// Takes a bag of entries into a chain: in any order, any number of times, one outcome.
///
/// `ours` counts like any other copy: where it lost a fork, its own branch is in `lost`.
pub fn merge(ours: &Chain, bag: impl IntoIterator<Item = Authored>) -> Merged {
    let first = ours.first();
    let chain = Chain::begin(first.signed().clone(), first.author());
    let mut chain = chain.expect("it was the beginning of a chain before");
    let own = ours.entries().iter().skip(1);
    let own = own.map(|e| Authored { entry: e.signed().clone(), author: e.author() });
    let mut pool: BTreeMap<Hash, Authored> =
        bag.into_iter().chain(own).map(|authored| (authored.entry.hash(), authored)).collect();
    pool.remove(&chain.head());

    let (mut lost, mut refused, mut stopped) = (Vec::new(), Vec::new(), None);
    loop {
        let mut children = Vec::new();
        for child in children_of(chain.head(), &mut pool) {
            let mut longer = chain.clone();
            match longer.push(child.entry.clone(), child.author) {
                Ok(Pushed::Added) => children.push((longer, child)),
                Ok(Pushed::Already) => {}
                Err(fault) => refused.push((child, fault)),
            }
        }
        let Some(highest) = children.iter().map(|(longer, _)| longer.generation()).max() else {
            break;
        };
        let (mut best, rest): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|(longer, _)| longer.generation() == highest);
        lost.extend(rest.into_iter().map(|(_, child)| child));
        if best.len() > 1 {
            let mut signers: Vec<_> = best.iter().map(|(_, child)| child.entry.signer()).collect();
            signers.sort();
            signers.dedup();
            stopped = Some(Stopped { seq: chain.len() as u32, generation: highest, signers });
            lost.extend(best.into_iter().map(|(_, child)| child));
            break;
        }
        match best.pop() {
            Some((longer, _)) => chain = longer,
            None => break,
        }
    }
    let mut next = 0;
    while let Some(branch) = lost.get(next) {
        let more = children_of(branch.entry.hash(), &mut pool);
        lost.extend(more);
        next += 1;
    }
    Merged { chain, lost, waiting: pool.into_values().collect(), refused, stopped }
}

/// Takes the entries that follow `parent` out of the pool.
fn children_of(parent: Hash, pool: &mut BTreeMap<Hash, Authored>) -> Vec<Authored> {
    let follows = |authored: &Authored| {
        matches!(
            authored.entry.statement().position,
            Position::Entry { prev: Some(prev), .. } if prev == parent
        )
    };
    pool.extract_if(.., |_, authored| follows(authored)).map(|(_, authored)| authored).collect()
}
