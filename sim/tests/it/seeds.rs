//! What must hold of runs without any planted bug.

use kirana_sim::{
    many::{self, Plan},
    report::Report,
};

fn run(from: u64, seeds: u64) -> Report {
    let plan = Plan { from, seeds, bug: None, stop_at_first: false, tells: false };
    Report::of(&many::run(plan, &|_| {}))
}

#[test]
fn p1_p2_p5_p8_hold_in_clean_seeds_and_the_faults_strike_orders_under_way() {
    let report = run(1, 12);
    assert_eq!(report.violations, []);
    assert!(report.orders_decided > 100, "{} orders decided", report.orders_decided);
    assert!(report.faults_on_inflight > 1_000, "{} faults", report.faults_on_inflight);
    let idle: Vec<_> = report.faults.iter().filter(|(_, count)| **count == 0).collect();
    assert!(idle.is_empty(), "these never struck: {idle:?}");
}

#[test]
fn one_seed_replays_to_the_byte_and_another_does_not() {
    let trace = |from| run(from, 1).trace_sha256;
    let first = trace(3);
    assert_eq!(first, trace(3));
    assert_ne!(first, trace(4));
}

#[test]
fn the_hash_of_several_seeds_does_not_depend_on_which_thread_ran_them() {
    let together = run(5, 2);
    assert_eq!(together.trace_sha256, run(5, 2).trace_sha256);
}
