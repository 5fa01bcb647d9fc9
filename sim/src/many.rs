//! Runs many seeds on all processors and keeps the outcomes in the order of the seeds.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use kirana_core::planted::{self, Bug};

use crate::{report::Outcome, seed};

/// Which seeds to run, and with which bug.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// The bug that is planted, if any.
    pub bug: Option<Bug>,
    /// Whether a violation ends the run.
    pub stop_at_first: bool,
    /// Whether what happens is told line by line.
    pub tells: bool,
}

/// Runs the plan; `seen` is told each outcome as it comes, in no particular order.
///
/// With `stop_at_first`, seeds after the first violation may be missing.
pub fn run(plan: Plan, seen: &(dyn Fn(&Outcome) + Sync)) -> Vec<Outcome> {
    let next = AtomicU64::new(plan.from);
    let stop = AtomicBool::new(false);
    let outcomes = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                planted::plant(plan.bug);
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= plan.from.saturating_add(plan.seeds) {
                        break;
                    }
                    let outcome = seed::run(seed, plan.tells);
                    seen(&outcome);
                    if plan.stop_at_first && !outcome.violations.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                    outcomes.insert(seed, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// More would only fight over memory.
const THREADS_MAX: usize = 16;
