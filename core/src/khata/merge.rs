//! How copies of one book agree, in whatever order and however often entries arrive.
//!
//! **Invariant:** the outcome depends on the set of entries alone. Of two children of one entry the
//! higher generation wins; equal generations stop the book there. No entry is thrown away.

use std::collections::BTreeMap;

use super::chain::Khata;
use crate::{hash::Hash, order::chain::Authored, statement::Position};

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

/// Takes a bag of entries of one book: in any order, any number of times, one outcome. The time that
/// it takes grows with the number of entries, not with its square.
pub fn merge(bag: impl IntoIterator<Item = Authored>) -> Merged {
    let mut pool = Pool::of(bag);
    let mut merged = Merged::default();
    loop {
        let children = pool.children_of(merged.khata.as_ref().map(Khata::head));
        let mut fitting = Vec::new();
        // An only child is looked at once, when it is added.
        if children.len() == 1 {
            fitting = children;
        } else {
            for child in children {
                match fits(merged.khata.as_ref(), &child) {
                    Ok(()) => fitting.push(child),
                    Err(why) => merged.refused.push((child, why)),
                }
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
        if let Err(why) = grow(&mut merged.khata, &next) {
            merged.refused.push((next, why));
            break;
        }
    }
    let mut next = 0;
    while let Some(branch) = merged.lost.get(next) {
        let more = pool.children_of(Some(branch.entry.hash()));
        merged.lost.extend(more);
        next += 1;
    }
    merged.waiting = pool.rest();
    merged
}

/// Entries by the one that they follow, each once.
#[derive(Default)]
struct Pool {
    children: BTreeMap<Option<Hash>, BTreeMap<Hash, Authored>>,
    /// What is no entry.
    strays: BTreeMap<Hash, Authored>,
}

impl Pool {
    fn of(bag: impl IntoIterator<Item = Authored>) -> Self {
        let mut pool = Self::default();
        for authored in bag {
            let among = match authored.entry.statement().position {
                Position::Entry { prev, .. } => pool.children.entry(prev).or_default(),
                Position::Request { .. } => &mut pool.strays,
            };
            among.insert(authored.entry.hash(), authored);
        }
        pool
    }

    /// Takes the entries that follow `parent` out.
    fn children_of(&mut self, parent: Option<Hash>) -> Vec<Authored> {
        self.children.remove(&parent).unwrap_or_default().into_values().collect()
    }

    fn rest(self) -> Vec<Authored> {
        let children = self.children.into_values().flat_map(BTreeMap::into_values);
        children.chain(self.strays.into_values()).collect()
    }
}

/// Whether an entry could stand next.
fn fits(khata: Option<&Khata>, child: &Authored) -> Result<(), String> {
    let author = child.author;
    let end = match khata {
        None => Khata::begin(child.entry.clone(), author).map(|_| ()),
        Some(khata) => khata.could_push(&child.entry, author),
    };
    end.map_err(|fault| fault.to_string())
}

fn grow(khata: &mut Option<Khata>, next: &Authored) -> Result<(), String> {
    let (entry, author) = (next.entry.clone(), next.author);
    let grown = match khata {
        None => Khata::begin(entry, author).map(|begun| *khata = Some(begun)),
        Some(khata) => khata.push(entry, author).map(drop),
    };
    grown.map_err(|fault| fault.to_string())
}

fn generation_of(authored: &Authored) -> u64 {
    match authored.entry.statement().position {
        Position::Entry { generation, .. } => generation,
        Position::Request { .. } => 0,
    }
}
