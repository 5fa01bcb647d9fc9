//! Runs one seed.

use kirana_core::time::UnixMs;

use crate::{fault::Faults, report::Outcome, schedule::Schedule, sometimes::Met, trace::Trace};

/// Runs a seed to its end and checks it.
pub fn run(seed: u64) -> Outcome {
    let schedule = Schedule::<()>::new(START);
    Outcome {
        seed,
        simulated_ms: schedule.now().get() - START.get(),
        orders_decided: 0,
        faults: Faults::default(),
        met: Met::default(),
        violations: Vec::new(),
        trace: Trace::default().finish(),
    }
}

/// Where virtual time begins: a Sunday night in November.
const START: UnixMs = UnixMs::new(1_795_312_800_000);
