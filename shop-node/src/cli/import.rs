//! Product files from the command line.

use std::{collections::BTreeMap, io::Read, path::PathBuf};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::import::{Format, IMPORT_BYTES_MAX, Locale, NotImported, Note, Order, Report, draw_id},
    clock,
    home::Home,
};

/// Takes a file of products in; exit 3 when some of its lines were refused.
#[derive(clap::Args)]
pub struct Import {
    #[command(flatten)]
    data: Data,
    /// The file.
    #[arg(required_unless_present_any = ["undo", "resume"])]
    file: Option<PathBuf>,
    /// `csv`, or `off` for the CSV of Open Food Facts.
    #[arg(long, default_value = "csv")]
    format: String,
    /// JSON that says which column means what: `{"column":"field"}`; it is remembered.
    #[arg(long, value_name = "FILE.json")]
    map: Option<PathBuf>,
    /// How numbers are written.
    #[arg(long, default_value = "en-IN")]
    locale: String,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Takes an import back (not part of this version).
    #[arg(long, value_name = "ID", hide = true)]
    undo: Option<String>,
    /// Goes on with an import (not needed: run the same import again).
    #[arg(long, value_name = "ID", hide = true)]
    resume: Option<String>,
}

impl Import {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let later = |says: &str| Failure { code: 2, name: "not-yet", says: says.to_owned() };
        let Some(file) = self.file.filter(|_| self.undo.is_none() && self.resume.is_none()) else {
            return Err(later(
                "--undo and --resume are not part of this version yet; the same import again \
                 completes one that was interrupted",
            ));
        };
        let format: Format = self.format.parse().map_err(|why: NotImported| match why {
            NotImported::Later(_) => later(&why.to_string()),
            _ => Failure { code: 2, name: "usage", says: why.to_string() },
        })?;
        let order = Order {
            bytes: read(&file)?,
            format,
            map: self.map.as_ref().map(map).transpose()?,
            locale: Locale::named(&self.locale),
            dry_run: self.dry_run,
        };
        let shop = with(self.data).shop()?;
        let mut rng = clock::rng();
        let (now, by) = (clock::now(), shop.keys().node.id());
        let report = shop.import(&order, draw_id(now, &mut rng), by, now, &mut rng);
        let report =
            report.map_err(|why| Failure { code: 1, name: "import", says: why.to_string() })?;
        Ok(Done { says: told(&report), shown: Some(json!(report)), code: report.exit_code() })
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    let cannot = |why: std::io::Error| Failure {
        code: 1,
        name: "unreadable",
        says: format!("{} cannot be read: {why}", path.display()),
    };
    let file = std::fs::File::open(path).map_err(cannot)?;
    let len = file.metadata().map_err(cannot)?.len();
    if len > IMPORT_BYTES_MAX as u64 {
        let says = NotImported::TooLong(len).to_string();
        return Err(Failure { code: 1, name: "import", says });
    }
    let mut bytes = Vec::new();
    // It may grow while it is read: one byte past the limit is enough to know that it is too long.
    file.take(IMPORT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

fn map(path: &PathBuf) -> Result<BTreeMap<String, String>, Failure> {
    serde_json::from_slice(&read(path)?).map_err(|why| Failure {
        code: 2,
        name: "usage",
        says: format!("{} is no map like {{\"column\":\"field\"}}: {why}", path.display()),
    })
}

fn told(report: &Report) -> String {
    let would = if report.dry_run { "Nothing was written; this would happen. " } else { "" };
    let mut says = format!(
        "{would}{} lines read: {} products added, {} changed, {} as they were, {} lines refused.",
        report.rows_read,
        report.products_added,
        report.products_changed,
        report.unchanged,
        report.refused_lines,
    );
    let line = |kind: &str, note: &Note| format!("\n{kind} line {}: {}", note.line, note.message);
    says.extend(report.refused.iter().take(SHOWN_MAX).map(|note| line("refused", note)));
    says.extend(report.warnings.iter().take(SHOWN_MAX).map(|note| line("note on", note)));
    says
}

/// Notes of each kind that people are shown; programs get all.
const SHOWN_MAX: usize = 50;
