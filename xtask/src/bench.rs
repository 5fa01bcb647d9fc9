//! `cargo xtask bench`: raw floors and the product side by side in one release run.
//!
//! What is measured lives with the shop, in `shop-node/benches/floors`: it needs the shop's library,
//! and this tool stays quick to build without it. How to read a row is told there.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

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
        // The simulation stays out of this build: it turns on the planted bugs.
        let arguments = ["bench", "--workspace", "--exclude", "kirana-sim", "--bench", "floors"];
        let mut command = cargo(arguments);
        command.arg("--").arg("--report").arg(&part);
        if self.quick {
            command.arg("--quick");
        }
        if !command.status().context("cargo could not be started")?.success() {
            bail!("the measurements did not come to an end; they say why above");
        }
        let bytes = std::fs::read(&part).context("the measurements left no report")?;
        let rows = read(&bytes)?;
        std::fs::write(&self.report, serde_json::to_vec_pretty(&rows)?)
            .with_context(|| format!("{} could not be written", self.report.display()))?;
        println!("The report is in {}.", self.report.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// One thing that was measured, beside its floor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    value: f64,
    unit: String,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    floor: Floor,
    ratio: f64,
}

/// What the same promise costs without the program around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    name: String,
    value: f64,
}

/// What is measured, by the names that others rely on.
const NAMES: [&str; 4] = ["place_order_c1", "place_order_c32", "search_10k", "ready_ms"];

/// Reads a report and looks whether it is whole.
fn read(bytes: &[u8]) -> anyhow::Result<Vec<Row>> {
    let rows: Vec<Row> = serde_json::from_slice(bytes).context("the measured rows")?;
    for name in NAMES {
        let count = rows.iter().filter(|row| row.name == name).count();
        ensure!(count == 1, "{name} was measured {count} times, not once");
    }
    for row in &rows {
        let figures = [row.value, row.p50_ms, row.p99_ms, row.floor.value, row.ratio];
        ensure!(figures.iter().all(|figure| *figure > 0.0), "{} has an empty figure", row.name);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(name: &str) -> Value {
        json!({ "name": name, "value": 1500.5, "unit": "1/s", "p50_ms": 12.0, "p99_ms": 20.0,
                "cpu_ms": 0.6, "floor": { "name": "raw", "value": 3001.0 }, "ratio": 0.5 })
    }

    fn whole() -> Vec<Value> {
        NAMES.into_iter().map(row).collect()
    }

    fn said(rows: &[Value]) -> String {
        let bytes = serde_json::to_vec(rows).expect("JSON");
        read(&bytes).map_or_else(|error| format!("{error:#}"), |_| "whole".to_owned())
    }

    #[test]
    fn a_whole_report_is_written_as_it_was_read() {
        let bytes = serde_json::to_vec(&whole()).expect("JSON");
        let rows = read(&bytes).expect("a whole report");
        let again: Vec<Value> =
            serde_json::from_value(serde_json::to_value(rows).expect("JSON")).expect("JSON");
        assert_eq!(again, whole());
    }

    #[test]
    fn a_report_without_one_of_the_promised_names_is_refused() {
        for missing in NAMES {
            let mut rows = whole();
            rows.retain(|row| row["name"] != missing);
            assert_eq!(said(&rows), format!("{missing} was measured 0 times, not once"));
        }
    }

    #[test]
    fn a_row_has_the_fields_of_the_contract_and_no_others() {
        let (mut more, mut less) = (whole(), whole());
        more[0]["floor"]["cpu_ms"] = json!(1.0);
        assert!(said(&more).contains("cpu_ms"), "{}", said(&more));
        less[0].as_object_mut().expect("an object").remove("ratio");
        assert!(said(&less).contains("ratio"), "{}", said(&less));
    }

    #[test]
    fn a_figure_that_was_not_measured_is_refused() {
        let mut rows = whole();
        rows[2]["value"] = json!(0.0);
        assert_eq!(said(&rows), "search_10k has an empty figure");
    }
}
