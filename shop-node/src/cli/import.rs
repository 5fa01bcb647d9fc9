//! Product files from the command line.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{IsTerminal, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::{
        Shop,
        import::{
            Counts, Format, IMPORT_BYTES_MAX, Locale, NotImported, Note, Order, Report, State,
            draw_id,
        },
    },
    clock,
    home::Home,
    imports::{Imports, wait_for_turn},
};

/// Takes a file of products in; exit 3 when some of its lines were refused. The same file again goes
/// on where an import was interrupted, and changes nothing where it was not.
#[derive(clap::Args)]
pub struct Import {
    #[command(flatten)]
    data: Data,
    /// The file.
    #[arg(required_unless_present_any = ["undo", "resume", "show"])]
    file: Option<PathBuf>,
    /// `csv`, `shopify`, `google` (XML or tabs), or `off` for the CSV of Open Food Facts.
    #[arg(long, default_value = "csv")]
    format: String,
    /// JSON that says which column means what: `{"column":"field"}`; it is remembered.
    ///
    /// The fields are the columns that `export` writes. Lists have | between their words. Planned
    /// prices are like "45.00 per 1000 from 2026-12-01T00:00:00Z until 2026-12-08T00:00:00Z", deals
    /// like "3 for 2 from 2026-12-01T00:00:00Z" or "12.5% off from 2026-12-01T00:00:00Z", several
    /// with | between them. A column of "category_node" names categories of the shop's tree by their
    /// ids, or by their names in any language.
    #[arg(long, value_name = "FILE.json")]
    map: Option<PathBuf>,
    /// The supplier whose mapping is used; with --map, that one is kept under this name.
    #[arg(long, value_name = "SUPPLIER")]
    mapping: Option<String>,
    /// How numbers are written.
    #[arg(long, default_value = "en-IN")]
    locale: String,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// The longest file, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = IMPORT_BYTES_MAX / MIB)]
    mib_max: u64,
    /// Takes an import back: products are as they were before, where nobody changed them since.
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    undo: Option<uuid::Uuid>,
    /// Goes on with an import that did not come to its end, from the file where it lay, or from FILE.
    #[arg(long, value_name = "ID", conflicts_with = "undo")]
    resume: Option<uuid::Uuid>,
    /// Shows how an import stands and what was said about its lines.
    #[arg(long, value_name = "ID", conflicts_with_all = ["undo", "resume", "file"])]
    show: Option<uuid::Uuid>,
}

const MIB: u64 = 1024 * 1024;

impl Import {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        if let Some(id) = self.undo {
            return undo(&with(self.data), id);
        }
        let order = self.order()?;
        let home = with(self.data);
        let report = match (self.show, self.resume, self.file) {
            (Some(id), ..) => home.shop()?.import_report(id)?.ok_or_else(|| {
                let says = NotImported::NoSuchImport(id).to_string();
                Failure { code: 1, name: "import", says }
            })?,
            (None, Some(id), file) => resume(&home, id, file.as_deref())?,
            (None, None, Some(file)) => take_in(&home, order, &file)?,
            (None, None, None) => return Err(Failure::usage("name a file")),
        };
        Ok(Done { says: told(&report), shown: Some(json!(report)), code: report.exit_code() })
    }

    fn order(&self) -> Result<Order, Failure> {
        let format: Result<Format, NotImported> = self.format.parse();
        let format = format.map_err(|why| Failure::usage(why.to_string()))?;
        Ok(Order {
            format,
            map: self.map.as_deref().map(map).transpose()?,
            mapping: self.mapping.clone(),
            locale: Locale::named(&self.locale),
            dry_run: self.dry_run,
            bytes_max: self.mib_max.saturating_mul(MIB),
            file: None,
        })
    }
}

pub(super) fn not_imported(why: NotImported) -> Failure {
    Failure { code: 1, name: "import", says: why.to_string() }
}

fn take_in(home: &Home, mut order: Order, path: &Path) -> Result<Report, Failure> {
    let mut file = opened(path)?;
    let whole = std::path::absolute(path).map_err(Failure::of)?;
    order.file = Some(whole.to_string_lossy().into_owned());
    let shop = home.shop()?;
    let prepared = shop.prepare_import(&order, &mut file).map_err(not_imported)?;
    if let (Some(supplier), Some(map), false) = (&order.mapping, &order.map, order.dry_run) {
        shop.set_mapping(supplier, map.clone()).map_err(not_imported)?;
    }
    let (now, mut rng, by) = (clock::now(), clock::rng(), shop.keys().node.id());
    let drawn = draw_id(now, &mut rng);
    if order.dry_run {
        let report = shop.run_import(&prepared, file, drawn, by, now, &mut rng, &mut progress());
        return report.map_err(not_imported);
    }
    let _turn = wait_for_turn(home.folder()).map_err(Failure::of)?;
    let id = shop.begin_import(&prepared, drawn, by, now).map_err(not_imported)?;
    let report = shop.run_import(&prepared, file, id, by, now, &mut rng, &mut progress());
    report.map_err(not_imported)
}

fn resume(home: &Home, id: uuid::Uuid, file: Option<&Path>) -> Result<Report, Failure> {
    let shop: Shop = home.shop()?;
    let _turn = wait_for_turn(home.folder()).map_err(Failure::of)?;
    let imports = Imports::at(home.folder(), IMPORT_BYTES_MAX);
    imports.resume(&shop, id, file, &mut progress()).map_err(not_imported)
}

/// Exit 3 when some products were left as they are.
fn undo(home: &Home, id: uuid::Uuid) -> Result<Done, Failure> {
    let shop: Shop = home.shop()?;
    let _turn = wait_for_turn(home.folder()).map_err(Failure::of)?;
    let (by, heard) = (shop.keys().node.id(), &mut |_| ControlFlow::Continue(()));
    let report = shop.undo_import(id, by, clock::now(), &mut clock::rng(), heard);
    let report = report.map_err(not_imported)?;
    let mut says = format!(
        "{} products are as they were before; {} were left as they are.",
        report.restored,
        report.left.len(),
    );
    let line = |note: &Note| format!("\nleft, of line {}: {}", note.line, note.message);
    says.extend(report.left.iter().take(SHOWN_MAX).map(line));
    let code = if report.left.is_empty() { 0 } else { 3 };
    Ok(Done { says, shown: Some(json!(report)), code })
}

/// Tells people at a terminal how far it has come.
fn progress() -> impl FnMut(&Counts, u64) -> ControlFlow<()> {
    let is_seen = std::io::stderr().is_terminal();
    move |counts, bytes_total| {
        if is_seen {
            let percent = counts.bytes.saturating_mul(100) / bytes_total.max(1);
            let end = if counts.bytes >= bytes_total { "\n" } else { "" };
            let mut stderr = std::io::stderr();
            // A terminal that went away does not stop the import.
            let _ = write!(stderr, "\r{percent}% of the file, {} lines{end}", counts.rows);
        }
        ControlFlow::Continue(())
    }
}

fn unreadable(path: &Path, why: &std::io::Error) -> Failure {
    let says = format!("{} cannot be read: {why}", path.display());
    Failure { code: 1, name: "unreadable", says }
}

fn opened(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|why| unreadable(path, &why))?;
    let about = file.metadata().map_err(|why| unreadable(path, &why))?;
    match about.is_dir() {
        true => Err(unreadable(path, &std::io::ErrorKind::IsADirectory.into())),
        false => Ok(file),
    }
}

pub(super) fn map(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read(path).map_err(|why| unreadable(path, &why))?;
    serde_json::from_slice(&text).map_err(|why| Failure {
        code: 2,
        name: "usage",
        says: format!("{} is no map like {{\"column\":\"field\"}}: {why}", path.display()),
    })
}

fn told(report: &Report) -> String {
    let mut says = match (report.dry_run, report.state) {
        (true, _) => "Nothing was written; this would happen. ".to_owned(),
        (false, State::Done) => String::new(),
        (false, state) => format!("The import is {}. ", state.word()),
    };
    says += &format!(
        "{} lines read: {} products added, {} changed, {} as they were, {} lines refused.",
        report.rows_read,
        report.products_added,
        report.products_changed,
        report.unchanged,
        report.refused_lines,
    );
    if let Some(problem) = &report.problem {
        says += &format!("\nIt did not come to its end: {problem}");
    }
    if !report.dry_run && report.state == State::Done && report.restored == 0 {
        says += &format!("\nTo take it back: kirana-shop import --undo {}", report.import_id);
    }
    let line = |kind: &str, note: &Note| format!("\n{kind} line {}: {}", note.line, note.message);
    says.extend(report.refused.iter().take(SHOWN_MAX).map(|note| line("refused", note)));
    says.extend(report.warnings.iter().take(SHOWN_MAX).map(|note| line("note on", note)));
    says
}

/// Notes of each kind that people are shown; programs get all.
const SHOWN_MAX: usize = 50;
