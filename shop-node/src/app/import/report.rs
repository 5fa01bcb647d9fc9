//! What an import came to, as people and programs are told.

use kirana_migrations::StoreError;
use serde::{Deserialize, Serialize};

use super::{NotImported, Settings, intake::Intake, rows::Note};
use crate::{
    app::Shop,
    store::imports::{self, Counts, Run, State},
};

/// What came of an import, or what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportReport)]
pub struct Report {
    /// The import's id.
    pub import_id: uuid::Uuid,
    /// `running`, `done`, `failed`, `undoing` or `undone`.
    #[serde(default = "done")]
    #[schema(value_type = String)]
    pub state: State,
    /// Whether it only said what would happen.
    pub dry_run: bool,
    /// Bytes of the file that were read.
    #[serde(default)]
    pub bytes_read: u64,
    /// Bytes that the file has.
    #[serde(default)]
    pub bytes_total: u64,
    /// Records of the file, without its header.
    pub rows_read: u64,
    /// Products that were not there before.
    pub products_added: u64,
    /// Products that are different now.
    pub products_changed: u64,
    /// Products that were as the file says.
    pub unchanged: u64,
    /// How many lines are not in.
    pub refused_lines: u64,
    /// Lines that are not in, the first 10,000 of them.
    #[schema(value_type = Vec<Object>)]
    pub refused: Vec<Note>,
    /// What was odd about lines that are in, the first 10,000 of them.
    #[schema(value_type = Vec<Object>)]
    pub warnings: Vec<Note>,
    /// Why it failed; the same file again, or `--resume`, goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Products that were put back when it was undone.
    #[serde(default)]
    pub restored: u64,
    /// Products that were not put back, and why.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub left: Vec<Note>,
}

fn done() -> State {
    State::Done
}

impl Report {
    /// The exit code of the command: 0 all in, 3 some lines refused, 1 nothing could be read.
    pub fn exit_code(&self) -> u8 {
        let taken = self.products_added + self.products_changed + self.unchanged;
        match (taken, self.refused_lines) {
            (_, 0) => 0,
            (0, _) => 1,
            _ => 3,
        }
    }

    /// Of a dry run, which is kept nowhere.
    pub(super) fn of_dry_run(import_id: uuid::Uuid, bytes_total: u64, intake: Intake<'_>) -> Self {
        let mut report = Self::of(import_id, State::Done, true, bytes_total, &intake.counts);
        let told = intake.told;
        (report.refused, report.warnings) = (told.refused, told.warnings);
        report.refused.sort_by_key(|note| note.line);
        report.warnings.sort_by_key(|note| note.line);
        report
    }

    fn of(
        import_id: uuid::Uuid,
        state: State,
        dry_run: bool,
        bytes_total: u64,
        counts: &Counts,
    ) -> Self {
        Self {
            import_id,
            state,
            dry_run,
            bytes_read: counts.bytes,
            bytes_total,
            rows_read: counts.rows,
            products_added: counts.added,
            products_changed: counts.changed,
            unchanged: counts.unchanged,
            refused_lines: counts.refused,
            refused: Vec::new(),
            warnings: Vec::new(),
            problem: None,
            restored: 0,
            left: Vec::new(),
        }
    }

    fn of_run(run: Run) -> Result<Self, StoreError> {
        let settings: Settings = serde_json::from_str(&run.settings)
            .map_err(|e| StoreError::damaged("an import's settings", e))?;
        let id = uuid::Uuid::from_bytes(run.id);
        let mut report = Self::of(id, run.state, settings.dry_run, run.bytes_total, &run.counts);
        (report.problem, report.restored) = (run.problem, run.restored);
        Ok(report)
    }
}

impl Shop {
    /// How an import stands, or what came of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn import_report(&self, id: uuid::Uuid) -> Result<Option<Report>, StoreError> {
        self.reader().read(|c| {
            let id = id.as_bytes();
            let Some(run) = imports::run(c, id)? else {
                let read = |text: String| {
                    let read = serde_json::from_str(&text);
                    read.map_err(|e| StoreError::damaged("an import's report", e))
                };
                return imports::old_report(c, id)?.map(read).transpose();
            };
            let mut report = Report::of_run(run)?;
            report.refused = imports::notes(c, id, "refused")?;
            report.warnings = imports::notes(c, id, "warning")?;
            report.left = imports::notes(c, id, "left")?;
            Ok(Some(report))
        })
    }

    /// The imports that began last, newest first, without what was said about their lines.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn imports(&self, limit: u32) -> Result<Vec<Report>, StoreError> {
        let runs = self.reader().read(|c| imports::latest(c, limit))?;
        runs.into_iter().map(Report::of_run).collect()
    }

    pub(super) fn report_of(&self, id: uuid::Uuid) -> Result<Report, NotImported> {
        self.import_report(id)?.ok_or(NotImported::NoSuchImport(id))
    }
}
