//! `bank`: statements are read, their lines led back to orders, and what is left over is shown.

use std::{collections::BTreeMap, path::PathBuf};

use kirana_core::money::Money;
use serde_json::json;

use super::{Data, Done, Failure, orders::find};
use crate::{
    app::{
        Shop,
        bank::{NotReconciled, Owed},
        import::Locale,
    },
    clock,
    home::Home,
};

/// What the bank says about payments.
#[derive(clap::Args)]
pub struct Bank {
    #[command(subcommand)]
    what: BankCommand,
}

#[derive(clap::Subcommand)]
enum BankCommand {
    /// Reads a statement (CSV): lines that name an order pay it. The same again changes nothing.
    Read {
        #[command(flatten)]
        data: Data,
        /// The statement.
        file: PathBuf,
        /// What a column holds, where its name does not tell: `"Buchungstag=date"`, several times.
        /// Columns are date, credit, amount, sign, text and reference.
        #[arg(long = "column", value_name = "NAME=WHAT")]
        columns: Vec<String>,
        /// How numbers are written.
        #[arg(long, default_value = "en-IN")]
        locale: String,
    },
    /// Shows what does not fit together: money without an order, and the reverse.
    Check {
        #[command(flatten)]
        data: Data,
    },
    /// Says which order a line paid, or towards which khata.
    Assign {
        #[command(flatten)]
        data: Data,
        /// The line's number, as `check` shows it.
        line: i64,
        /// The order's short number, such as `KR 4271-3`, or its id.
        #[arg(required_unless_present = "khata", conflicts_with = "khata")]
        order: Option<String>,
        /// The khata: its id, its holder, or a name that only one person has.
        #[arg(long)]
        khata: Option<String>,
    },
    /// Says that a line pays no order.
    SetAside {
        #[command(flatten)]
        data: Data,
        /// The line's number, as `check` shows it.
        line: i64,
        /// What it is instead.
        why: String,
    },
}

impl Bank {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            BankCommand::Read { data, file, columns, locale } => {
                let bytes = std::fs::read(&file)
                    .map_err(|why| Failure::usage(format!("{}: {why}", file.display())))?;
                let pair = |text: &String| {
                    let (name, what) = text.rsplit_once('=')?;
                    Some((name.to_owned(), what.to_owned()))
                };
                let map: Option<BTreeMap<_, _>> = columns.iter().map(pair).collect();
                let map = map.ok_or_else(|| Failure::usage("--column is NAME=WHAT"))?;
                read(&with(data).shop()?, &bytes, &map, Locale::named(&locale))
            }
            BankCommand::Check { data } => check(&with(data).shop()?),
            BankCommand::Assign { data, line, order, khata } => {
                let shop = with(data).shop()?;
                let by = shop.keys().node.id();
                if let Some(named) = khata {
                    let id = super::khata::find(&shop, &named)?;
                    shop.assign_line_to_khata(line, id, by, clock::now(), &mut clock::rng())?;
                    let says = format!("Line {line} was paid towards khata {id}.");
                    return Ok(Done::new(says, json!({ "line": line, "khata": id })));
                }
                let which = find(&shop, order.as_deref().unwrap_or_default())?;
                let view = shop.assign_line(line, which, by, clock::now(), &mut clock::rng())?;
                let says = format!("Line {line} paid order {}.", view.number);
                Ok(Done::new(says, json!({ "line": line, "order": view.order.id })))
            }
            BankCommand::SetAside { data, line, why } => {
                let shop = with(data).shop()?;
                shop.set_line_aside(line, &why, shop.keys().node.id())?;
                Ok(Done::new(format!("Line {line} is set aside."), json!({ "line": line })))
            }
        }
    }
}

fn read(
    shop: &Shop,
    bytes: &[u8],
    map: &BTreeMap<String, String>,
    locale: Locale,
) -> Result<Done, Failure> {
    let report = shop.take_statement(bytes, map, locale, clock::now(), &mut clock::rng())?;
    let mut says = vec![format!(
        "{} lines: {} known before, {} confirm what was written down, {} pay an order, {} wait \
         (`bank check`).",
        report.lines, report.known, report.confirmed, report.paid, report.open
    )];
    says.extend(report.refused.iter().map(|(line, why)| format!("line {line}: {why}")));
    let code = if report.refused.is_empty() { 0 } else { 3 };
    Ok(Done { says: says.join("\n"), shown: Some(json!(report)), code })
}

fn check(shop: &Shop) -> Result<Done, Failure> {
    let list = shop.reconciliation(clock::now())?;
    let sum = |minor| Money::new(minor, shop.identity().currency);
    let mut says = Vec::new();
    for line in &list.open_lines {
        let (of, n) = (&line.line, line.n);
        says.push(format!("line {n}: {} on {}, «{}»: no order", sum(of.minor), of.day, of.text));
    }
    for unseen in &list.unseen {
        let khata = unseen.khata.map(|id| format!("khata {id}")).unwrap_or_default();
        let (minor, number) = (sum(unseen.minor), unseen.number.as_ref().unwrap_or(&khata));
        says.push(format!("{number}: {minor} by UPI at {}, not seen by the bank", unseen.at));
    }
    let owed = |what: &'static str| {
        move |Owed { number, minor, .. }: &Owed| format!("{number}: {} {what}", sum(*minor))
    };
    says.extend(list.unpaid.iter().map(owed("to pay, and the goods are gone")));
    says.extend(list.to_give_back.iter().map(owed("to give back")));
    says.extend(super::cards::told(shop, &list.cards));
    if says.is_empty() {
        says.push("All of it fits together.".to_owned());
    }
    Ok(Done::new(says.join("\n"), json!(list)))
}

impl From<NotReconciled> for Failure {
    fn from(why: NotReconciled) -> Self {
        Self { code: 1, name: "not-reconciled", says: why.to_string() }
    }
}
