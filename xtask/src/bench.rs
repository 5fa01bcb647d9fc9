//! `cargo xtask bench`: raw floors and the product side by side in one release run.
//!
//! What is measured lives with the programs, in `shop-node/benches/floors` and `hub/benches/floors`:
//! it needs their libraries, and this tool stays quick to build without them. How to read a row is
//! told there.

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
        println!("Building for release; the first time this takes several minutes.");
        // The simulation stays out of this build: it turns on the planted bugs.
        let arguments = ["bench", "--workspace", "--exclude", "kirana-sim", "--bench", "floors"];
        let mut command = cargo(arguments);
        command.arg("--").arg("--reports").arg(folder.path());
        if self.quick {
            command.arg("--quick");
        }
        if !command.status().context("cargo could not be started")?.success() {
            bail!("the measurements did not come to an end; they say why above");
        }
        let mut rows = Vec::new();
        for part in PARTS {
            let bytes = std::fs::read(folder.path().join(part));
            let bytes = bytes.with_context(|| format!("the measurements left no {part}"))?;
            let part: Vec<Row> = serde_json::from_slice(&bytes).context("the measured rows")?;
            rows.extend(part);
        }
        check(&rows)?;
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
const NAMES: [&str; 19] = [
    "place_order_c1",
    "place_order_c32",
    "checkout_c32",
    "add_to_cart",
    "search_10k",
    "search_10k_again",
    "facets_10k",
    "search_100k",
    "category_100k",
    "category_rare_100k",
    "list",
    "product",
    "ready_ms",
    "ready_ms_10k",
    "rest_memory_100k",
    "import_100k",
    "import_memory_100k",
    "login",
    "token_check",
];
/// What each program's measurements write.
const PARTS: [&str; 2] = ["shop.json", "hub.json"];

/// Looks whether a report is whole.
fn check(rows: &[Row]) -> anyhow::Result<()> {
    for name in NAMES {
        let count = rows.iter().filter(|row| row.name == name).count();
        ensure!(count == 1, "{name} was measured {count} times, not once");
    }
    for row in rows {
        let figures = [row.value, row.p50_ms, row.p99_ms, row.floor.value, row.ratio];
        ensure!(figures.iter().all(|figure| *figure > 0.0), "{} has an empty figure", row.name);
    }
    Ok(())
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
        match serde_json::from_value::<Vec<Row>>(json!(rows)) {
            Ok(rows) => check(&rows).map_or_else(|no| format!("{no:#}"), |()| "whole".to_owned()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_whole_report_is_written_as_it_was_read() {
        let rows: Vec<Row> = serde_json::from_value(json!(whole())).expect("rows");
        check(&rows).expect("a whole report");
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
        let search = rows.iter_mut().find(|row| row["name"] == "search_10k").expect("a row");
        search["value"] = json!(0.0);
        assert_eq!(said(&rows), "search_10k has an empty figure");
    }
}
