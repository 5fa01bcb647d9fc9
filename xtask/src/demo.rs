//! `cargo xtask demo`: a neighbourhood of real programs, with or without a person watching.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

mod checker;
mod door;
mod process;
mod report;
mod story;
mod wait;

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
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("no threads to run on")?.block_on(self.play())
    }

    async fn play(self) -> anyhow::Result<ExitCode> {
        anyhow::bail!("not there yet: {self:?}")
    }
}
