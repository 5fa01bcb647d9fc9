//! How copies of one book agree, in whatever order and however often entries arrive.
//!
//! **Invariant:** the outcome depends on the set of entries alone. Of two children of one entry the
//! higher generation wins; equal generations stop the book there. No entry is thrown away.

use std::collections::BTreeMap;

use super::chain::Khata;
use crate::{
    hash::Hash,
    order::chain::{Authored, Pushed},
    statement::Position,
};

/// What became of a bag of entries.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// The book that counts; nothing where its opening has not come.
    pub khata: Option<Khata>,
    /// Entries on branches that lost or stopped, with all that builds on them.
    pub lost: Vec<Authored>,
    /// Entries whose predecessors have not come, or were refused.
    pub waiting: Vec<Authored>,
    /// Entries that can never stand where they say, with the reason.
    pub refused: Vec<(Authored, String)>,
    /// Where two entries of one generation follow one: nothing more is believed from there on.
    pub stopped: Option<u32>,
}

/// Takes a bag of entries of one book: in any order, any number of times, one outcome.
pub fn merge(bag: impl IntoIterator<Item = Authored>) -> Merged {
    let mut pool: BTreeMap<Hash, Authored> =
        bag.into_iter().map(|authored| (authored.entry.hash(), authored)).collect();
    let mut merged = Merged::default();
    loop {
        let children = children_of(merged.khata.as_ref().map(Khata::head), &mut pool);
        let mut fitting = Vec::new();
        for child in children {
            match fits(merged.khata.as_ref(), &child) {
                Ok(()) => fitting.push(child),
                Err(why) => merged.refused.push((child, why)),
            }
        }
        let Some(highest) = fitting.iter().map(generation_of).max() else { break };
        let (mut best, rest): (Vec<_>, Vec<_>) =
            fitting.into_iter().partition(|child| generation_of(child) == highest);
        merged.lost.extend(rest);
        if best.len() > 1 {
            merged.stopped = Some(merged.khata.as_ref().map_or(0, |khata| khata.len() as u32));
            merged.lost.extend(best);
            break;
        }
        let Some(next) = best.pop() else { break };
        if !grow(&mut merged.khata, next) {
            break;
        }
    }
    let mut next = 0;
    while let Some(branch) = merged.lost.get(next) {
        let more = children_of(Some(branch.entry.hash()), &mut pool);
        merged.lost.extend(more);
        next += 1;
    }
    merged.waiting = pool.into_values().collect();
    merged
}

/// Whether an entry could stand next; only where several want to is the whole book looked at twice.
fn fits(khata: Option<&Khata>, child: &Authored) -> Result<(), String> {
    let (entry, author) = (child.entry.clone(), child.author);
    let end = match khata {
        None => Khata::begin(entry, author).map(|_| ()),
        Some(khata) => khata.could_push(&entry, author),
    };
    end.map_err(|fault| fault.to_string())
}

fn grow(khata: &mut Option<Khata>, next: Authored) -> bool {
    match khata {
        None => {
            *khata = Khata::begin(next.entry, next.author).ok();
            khata.is_some()
        }
        Some(khata) => matches!(khata.push(next.entry, next.author), Ok(Pushed::Added)),
    }
}

fn generation_of(authored: &Authored) -> u64 {
    match authored.entry.statement().position {
        Position::Entry { generation, .. } => generation,
        Position::Request { .. } => 0,
    }
}

/// Takes the entries that follow `parent` out of the pool.
fn children_of(parent: Option<Hash>, pool: &mut BTreeMap<Hash, Authored>) -> Vec<Authored> {
    let follows = |authored: &Authored| match authored.entry.statement().position {
        Position::Entry { prev, .. } => prev == parent,
        Position::Request { .. } => false,
    };
    pool.extract_if(.., |_, authored| follows(authored)).map(|(_, authored)| authored).collect()
}
