//! `cargo xtask demo`: a neighbourhood of real programs, with or without a person watching.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Sets up a neighbourhood of real programs on this machine.
#[derive(Debug, Args)]
pub struct Demo {
    /// Plays the main job without a person and tells it as a story.
    #[arg(long)]
    scripted: bool,
    /// Where the scripted story's report goes.
    #[arg(long, value_name = "FILE", requires = "scripted")]
    report: Option<PathBuf>,
}

impl Demo {
    /// Starts it.
    ///
    /// # Errors
    /// When the neighbourhood could not be set up.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not there yet: {self:?}")
    }
}
