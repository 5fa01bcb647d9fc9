//! `cargo xtask sim`: builds the simulation and hands it its arguments unchanged.

use std::process::{Command, ExitCode};

use clap::Args;

use crate::build::cargo;

/// Runs the deterministic simulation.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Sim {
    /// What the simulation is told, e.g. `--seeds 200 --report s.json`; `--help` lists all.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    arguments: Vec<String>,
}

impl Sim {
    /// Runs it and ends as it ends.
    ///
    /// # Errors
    /// When cargo could not be started.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // Reports are written where the caller stands, not at the top of the repository.
        let status = command(&self.arguments).current_dir(std::env::current_dir()?).status()?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn command(arguments: &[String]) -> Command {
    let mut command = cargo(["run", "--bin", "kirana-sim", "--"]);
    command.args(arguments);
    command
}
