//! The simulation's command line: `cargo xtask sim` forwards to it.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use kirana_core::planted::Bug;
use kirana_sim::{
    many::{self, Plan},
    report::{Outcome, Report},
};

/// Lets shops, households and hubs trade in virtual time, breaks things, and checks the promises.
#[derive(Debug, Parser)]
#[command(name = "kirana-sim")]
struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Plants this bug, to see whether a checker catches it.
    #[arg(long)]
    mutant: Option<String>,
    /// Lists the bugs that can be planted, one name a line.
    #[arg(long)]
    mutants: bool,
    /// Tells what happens line by line, on standard error: for one seed.
    #[arg(long)]
    story: bool,
    /// Where to write the report (JSON).
    #[arg(long)]
    report: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.mutants {
        Bug::ALL.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    let bug = match &options.mutant {
        None => None,
        Some(name) => match Bug::ALL.iter().find(|(known, _)| known == name) {
            Some((_, bug)) => Some(*bug),
            None => {
                eprintln!("there is no mutant `{name}`: `--mutants` lists them");
                return Ok(ExitCode::from(2));
            }
        },
    };
    let plan = Plan {
        from: options.from,
        seeds: options.seeds,
        bug,
        stop_at_first: bug.is_some(),
        tells: options.story,
    };
    let outcomes = many::run(plan, &tell);
    let report = Report::of(&outcomes);
    if let Some(path) = &options.report {
        let json = serde_json::to_vec_pretty(&report).context("the report cannot be written")?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(verdict(&options, &report))
}

fn tell(outcome: &Outcome) {
    for violation in &outcome.violations {
        eprintln!("seed {}: {} broken: {}", violation.seed, violation.promise, violation.what);
    }
    if !outcome.violations.is_empty() {
        eprintln!("replay: cargo xtask sim --from {} --seeds 1 --report replay.json", outcome.seed);
    }
}

fn verdict(options: &Options, report: &Report) -> ExitCode {
    println!(
        "{} seeds, {} simulated hours, {} orders decided, {} faults while an order was under way",
        report.seeds, report.simulated_hours, report.orders_decided, report.faults_on_inflight
    );
    println!("trace_sha256 {}", report.trace_sha256);
    if let Some(mutant) = &options.mutant {
        return match report.violations.first() {
            Some(seen) => {
                println!("mutant `{mutant}` caught in seed {} by {}", seen.seed, seen.promise);
                ExitCode::FAILURE
            }
            None => {
                println!("mutant `{mutant}` was NOT caught in {} seeds", report.seeds);
                ExitCode::SUCCESS
            }
        };
    }
    for situation in &report.never {
        eprintln!("never met: {situation}");
    }
    println!("{} violations", report.violations.len());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
