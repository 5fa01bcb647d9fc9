//! `cargo xtask prove`: faults and enemies against the real programs, judged from outside.
//!
//! **Invariants:** a row tells what an outsider saw at the programs' doors; what could not be tried
//! is named as skipped, never as proved; each judge has to refuse a planted fault in the same run.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::build::Programs;

mod sign_in;

/// Tries faults and enemies on the real programs.
#[derive(Debug, Args)]
pub struct Prove {
    /// Fewer tries.
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// More tries.
    #[arg(long)]
    long: bool,
    /// Where the report goes.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Programs that lie in this folder already; without it they are built.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// What was proved.
#[derive(Debug, Default, Serialize)]
struct Report {
    rows: Vec<Row>,
    /// Planted faults, and what caught each.
    planted: BTreeMap<String, String>,
    ok: bool,
}

/// One line of the standards under one kind of attack.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    /// How often something was done to the programs.
    faults: u64,
    /// What they promised meanwhile.
    acknowledged: u64,
    lost: u64,
    doubled: u64,
    oversold: u64,
    /// Times that they did not answer, or not as they must.
    silent: u64,
    /// Why it was not tried.
    skipped: Option<String>,
    ok: bool,
}

impl Prove {
    /// Runs it and writes the report.
    ///
    /// # Errors
    /// When the programs could not be built or started.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let report = runtime.context("no threads to run on")?.block_on(self.prove())?;
        std::fs::write(&self.report, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("{} could not be written", self.report.display()))?;
        println!("The report is in {}.", self.report.display());
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn prove(&self) -> anyhow::Result<Report> {
        let programs = match &self.programs {
            Some(folder) => Programs::within(folder),
            None => {
                println!("Building the programs; the first time this takes minutes.");
                Programs::build()?
            }
        };
        let times = match (self.quick, self.long) {
            (true, _) => 1,
            (_, true) => 10,
            _ => 3,
        };
        let mut report = Report::default();
        sign_in::prove(&programs, times, &mut report).await?;
        // A fault that nobody caught stands in the report without a word of what caught it.
        report.ok = report.rows.iter().all(|row| row.ok || row.skipped.is_some())
            && report.planted.values().all(|caught| !caught.is_empty());
        Ok(report)
    }
}
