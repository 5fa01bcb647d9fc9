//! `cargo xtask bench`: raw floors and the product side by side in one release run.
//!
//! What is measured lives with the shop, in `shop-node/benches/floors`: it needs the shop's library,
//! and this tool stays quick to build without it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::build::cargo;

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
    /// When something could not be measured; never because something was slow.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = tempfile::tempdir()?;
        let part = folder.path().join("shop.json");
        println!("Building for release; the first time this takes several minutes.");
        let mut command = cargo(["bench", "-p", "kirana-shop", "--bench", "floors", "--"]);
        command.arg("--report").arg(&part);
        if self.quick {
            command.arg("--quick");
        }
        if !command.status().context("cargo could not be started")?.success() {
            bail!("the measurements did not come to an end; they say why above");
        }
        let bytes = std::fs::read(&part).context("the measurements left no report")?;
        let rows: Vec<Value> = serde_json::from_slice(&bytes).context("the measured rows")?;
        std::fs::write(&self.report, serde_json::to_vec_pretty(&rows)?)
            .with_context(|| format!("{} could not be written", self.report.display()))?;
        rows.iter().for_each(tell);
        println!("The report is in {}.", self.report.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Says in one line how the product stands beside its floor.
fn tell(row: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    println!(
        "{:16} {:10.1} {:4} p50 {:7.2} ms, p99 {:7.2} ms, processor {:6.3} ms each; \
         {} {:.1} ({:.3} ms each), ratio {:.2}",
        text(&row["name"]),
        number(&row["value"]),
        text(&row["unit"]),
        number(&row["p50_ms"]),
        number(&row["p99_ms"]),
        number(&row["cpu_ms"]),
        text(&row["floor"]["name"]),
        number(&row["floor"]["value"]),
        number(&row["floor"]["cpu_ms"]),
        number(&row["ratio"]),
    );
}
