//! The report of the scripted story, as outsiders read it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

/// Everything that the story showed.
#[derive(Debug, Serialize)]
pub struct Report {
    pub orders: Orders,
    /// Units promised beyond what there was.
    pub oversold: u64,
    /// Orders by the way their first acknowledgement came.
    pub paths: BTreeMap<&'static str, Vec<String>>,
    pub steps: Vec<Step>,
    pub ok: bool,
}

/// What became of the orders.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Orders {
    pub placed: u64,
    pub accepted: u64,
    pub declined: u64,
    pub completed: u64,
    pub lost: u64,
    pub doubled: u64,
}

/// One step of the story.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub ok: bool,
    pub ms: u64,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Report {
    /// Writes it where the reader asked for it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("the report could not be written to {}", file.display()))
    }
}
