//! `cargo xtask test`: what every change must pass, from formatting to the documentation's examples.
//!
//! **Invariant:** every part runs even when an earlier one failed, and one failure fails the whole.

use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};

use crate::build::{cargo, has_subcommand};
use crate::clock::Stopwatch;

/// Runs every test, or one part of them.
#[derive(Debug, Args)]
pub struct Test {
    /// Only this part.
    part: Option<Part>,
}

/// One part of the tests, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// rustfmt finds nothing to change.
    Format,
    /// clippy finds nothing to complain about.
    Lint,
    /// Licences and banned crates, where cargo-deny is installed.
    Licences,
    /// Unit and integration tests, by nextest where it is installed.
    Unit,
    /// The examples in the documentation.
    Docs,
    /// The demonstration, played by real programs.
    Demo,
    /// The simulation: clean seeds, replay, and every planted bug.
    Sim,
}

/// How a part ended.
enum Outcome {
    Passed,
    Failed,
    Skipped(&'static str),
}

impl Test {
    /// Runs the parts and says how each ended.
    ///
    /// # Errors
    /// Never for a failing test: that is a failing exit code.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let parts = self.part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
        let whole = Stopwatch::start();
        let mut failed = Vec::new();
        for part in parts {
            println!("== {} ==", part.title());
            let watch = Stopwatch::start();
            match part.run() {
                Outcome::Passed => {
                    println!("== {}: passed in {} s ==", part.title(), seconds(&watch))
                }
                Outcome::Skipped(why) => println!("== {}: skipped, {why} ==", part.title()),
                Outcome::Failed => {
                    println!("== {}: FAILED after {} s ==", part.title(), seconds(&watch));
                    failed.push(part.title());
                }
            }
        }
        if failed.is_empty() {
            println!("All tests passed in {} s.", seconds(&whole));
            return Ok(ExitCode::SUCCESS);
        }
        println!("Failed after {} s: {}.", seconds(&whole), failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

impl Part {
    const fn title(self) -> &'static str {
        match self {
            Self::Format => "formatting",
            Self::Lint => "lints",
            Self::Licences => "licences",
            Self::Unit => "unit and integration tests",
            Self::Docs => "examples in the documentation",
            Self::Demo => "demonstration",
            Self::Sim => "simulation",
        }
    }

    fn run(self) -> Outcome {
        match self {
            Self::Format if !has_subcommand("fmt") => Outcome::Skipped("rustfmt is not installed"),
            Self::Format => passes(&mut cargo(["fmt", "--all", "--check"])),
            Self::Lint if !has_subcommand("clippy") => Outcome::Skipped("clippy is not installed"),
            Self::Lint => passes(&mut cargo(["clippy", "--workspace", "--all-targets", "--quiet"])),
            Self::Licences if !has_subcommand("deny") => {
                Outcome::Skipped("cargo-deny is not installed")
            }
            Self::Licences => passes(&mut cargo(["deny", "check", "licenses", "bans", "sources"])),
            Self::Unit => passes(&mut tests("not package(kirana-sim)")),
            Self::Docs => passes(&mut cargo(["test", "--workspace", "--doc", "--quiet"])),
            Self::Demo => passes(&mut cargo(["xtask", "demo", "--scripted"])),
            Self::Sim if !has_subcommand("nextest") => {
                Outcome::Skipped("without cargo-nextest it ran with the other tests")
            }
            Self::Sim => passes(&mut tests("package(kirana-sim)")),
        }
    }
}

/// nextest runs each test in a process of its own and says at the end how many passed; a machine
/// without it is served by cargo's own runner, which runs them all at once. The filter leaves the
/// features those of the whole workspace, so that nothing is built twice.
fn tests(filter: &str) -> Command {
    if has_subcommand("nextest") {
        let run = ["nextest", "run", "--workspace", "--no-fail-fast", "--hide-progress-bar", "-E"];
        cargo(run.into_iter().chain([filter]))
    } else {
        cargo(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"])
    }
}

fn passes(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(_) => Outcome::Failed,
        Err(error) => {
            println!("could not be started: {error}");
            Outcome::Failed
        }
    }
}

fn seconds(watch: &Stopwatch) -> u64 {
    watch.elapsed().as_secs()
}
