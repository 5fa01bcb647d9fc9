//! `cargo xtask bench`: raw floors and the product side by side in one release run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Measures the programs beside their raw floors.
#[derive(Debug, Args)]
pub struct Bench {
    /// Fewer rounds, for a machine that is busy.
    #[arg(long)]
    quick: bool,
    /// Where the report goes.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
}

impl Bench {
    /// Runs it and writes the report.
    ///
    /// # Errors
    /// Until the measurements are there, always.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!(
            "nothing can be measured yet (quick: {}, report: {})",
            self.quick,
            self.report.display()
        )
    }
}
