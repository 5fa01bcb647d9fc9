//! The repository's own tool: tests, simulation, demonstration and benchmark behind one command.
//!
//! **Invariant:** it drives the programs from outside, as a stranger would: by their command lines,
//! their HTTP doors and signals. It ends only processes that it started itself.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod bench;
pub mod build;
mod clock;
pub mod demo;
pub mod prove;
pub mod sim;
pub mod test;

/// Tests, simulates, shows and measures kirana.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, arg_required_else_help = true)]
pub struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every test, or one part of them.
    Test(test::Test),
    /// Sets up a neighbourhood of real programs on this machine.
    Demo(demo::Demo),
    /// Runs the deterministic simulation.
    Sim(sim::Sim),
    /// Measures the programs beside their raw floors.
    Bench(bench::Bench),
    /// Tries faults and enemies on the real programs.
    Prove(prove::Prove),
}

impl Xtask {
    /// Does what was asked.
    ///
    /// # Errors
    /// When the task could not be carried out at all; a task that ran and found something wrong
    /// says so itself and answers with a failing exit code.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.task {
            Task::Test(test) => test.run(),
            Task::Demo(demo) => demo.run(),
            Task::Sim(sim) => sim.run(),
            Task::Bench(bench) => bench.run(),
            Task::Prove(prove) => prove.run(),
        }
    }
}
