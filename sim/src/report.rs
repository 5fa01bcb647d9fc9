//! Writes what a run over many seeds found, in the form that outsiders rely on.

use std::collections::BTreeMap;

use kirana_core::hash::Hash;
use serde::Serialize;

use crate::{
    fault::Faults,
    sometimes::{ENOUGH_SEEDS, Met},
};

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// The seed to replay it with.
    pub seed: u64,
    /// Which promise: `P1` to `P8`.
    pub promise: &'static str,
    /// What was seen.
    pub what: String,
}

/// What one seed yields.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Virtual time that passed, in milliseconds.
    pub simulated_ms: u64,
    /// Orders that shops decided, counted from the households' chains.
    pub orders_decided: u64,
    /// What was injected.
    pub faults: Faults,
    /// What was met.
    pub met: Met,
    /// What broke.
    pub violations: Vec<Violation>,
    /// The digest of deliveries and databases.
    pub trace: Hash,
}

/// What a run over many seeds yields; field names are fixed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How many seeds ran.
    pub seeds: u64,
    /// Virtual hours over all seeds.
    pub simulated_hours: u64,
    /// Orders that shops decided.
    pub orders_decided: u64,
    /// Faults that struck where an order was under way.
    pub faults_on_inflight: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<String, u64>,
    /// What broke, and in which seed.
    pub violations: Vec<Violation>,
    /// The digest over all seeds, in the order of the seeds.
    pub trace_sha256: String,
    /// How often each situation was met.
    pub sometimes: BTreeMap<String, u64>,
    /// Situations that so many seeds should have met and did not.
    pub never: Vec<&'static str>,
}

impl Report {
    /// Sums up outcomes, which must be in the order of their seeds.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let (mut faults, mut met) = (Faults::default(), Met::default());
        for outcome in outcomes {
            faults.add(&outcome.faults);
            met.add(&outcome.met);
        }
        let traces: Vec<&[u8]> = outcomes.iter().map(|o| o.trace.as_bytes().as_slice()).collect();
        let seeds = outcomes.len() as u64;
        let simulated_ms: u64 = outcomes.iter().map(|o| o.simulated_ms).sum();
        Self {
            seeds,
            simulated_hours: simulated_ms / (60 * 60 * 1000),
            orders_decided: outcomes.iter().map(|o| o.orders_decided).sum(),
            faults_on_inflight: faults.on_inflight(),
            faults: faults.by_name(),
            violations: outcomes.iter().flat_map(|o| o.violations.clone()).collect(),
            trace_sha256: Hash::of_parts(&traces).to_string(),
            sometimes: met.by_name(),
            never: if seeds >= ENOUGH_SEEDS { met.never() } else { Vec::new() },
        }
    }

    /// Whether every promise held and every situation that should have been met was.
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.never.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sometimes::Situation;

    fn outcome(seed: u64) -> Outcome {
        Outcome {
            seed,
            simulated_ms: 3_600_000,
            orders_decided: 2,
            faults: Faults::default(),
            met: Met::default(),
            violations: Vec::new(),
            trace: Hash::of(&seed.to_be_bytes()),
        }
    }

    #[test]
    fn a_long_run_that_never_met_a_situation_is_not_good_and_a_short_one_is() {
        let few: Vec<_> = (0..ENOUGH_SEEDS - 1).map(outcome).collect();
        assert!(Report::of(&few).is_good());
        let many: Vec<_> = (0..ENOUGH_SEEDS).map(outcome).collect();
        let report = Report::of(&many);
        assert!(!report.is_good());
        assert_eq!(report.never.len(), Situation::ALL.len());
        assert_eq!(report.simulated_hours, ENOUGH_SEEDS);
    }

    #[test]
    fn the_digest_names_the_seeds_and_their_order() {
        let digest = |seeds: &[u64]| {
            let outcomes: Vec<_> = seeds.iter().copied().map(outcome).collect();
            Report::of(&outcomes).trace_sha256
        };
        assert_eq!(digest(&[1, 2]), digest(&[1, 2]));
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        assert_ne!(digest(&[1, 2]), digest(&[1, 3]));
    }
}
