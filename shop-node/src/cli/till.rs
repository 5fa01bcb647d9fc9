//! `till` and `takings`: the day's float and count, and what came in, for people without a screen.

use kirana_core::{day::Day, id::TillDayId, money::Money};
use serde_json::json;

use super::{Data, Done, Failure, counter::amount};
use crate::{
    app::{
        Shop,
        import::{Locale, price},
        margin::SoldOf,
        till::Kind,
    },
    clock,
    home::Home,
    http::{
        reports,
        till::{of_day, shown},
    },
};

/// The till: its float, what goes in and out, its count.
#[derive(clap::Args)]
pub struct Till {
    #[command(subcommand)]
    what: TillCommand,
}

#[derive(clap::Subcommand)]
enum TillCommand {
    /// Opens the till with what lies in it, such as `500.00`.
    Open {
        #[command(flatten)]
        data: Data,
        /// What lies in it.
        float: String,
    },
    /// Closes the till with what was counted; the difference is written down.
    Close {
        #[command(flatten)]
        data: Data,
        /// What was counted.
        counted: String,
        /// Why it differs, or what else to say.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Somebody puts money into the till that is no sale.
    In(Move),
    /// Somebody takes money out of the till that is no sale.
    Out(Move),
    /// Shows the till's days, the newest first.
    Show {
        #[command(flatten)]
        data: Data,
    },
}

/// Money that is no sale.
#[derive(clap::Args)]
struct Move {
    #[command(flatten)]
    data: Data,
    /// How much, such as `100.00`.
    amount: String,
    /// What for.
    #[arg(long, default_value = "")]
    note: String,
}

/// What came in and went out.
#[derive(clap::Args)]
pub struct Takings {
    #[command(flatten)]
    data: Data,
    /// The first day, such as `2026-11-01`; 30 days with the last if left out.
    #[arg(long)]
    from: Option<Day>,
    /// The last day; today if left out.
    #[arg(long)]
    until: Option<Day>,
    /// By product instead: how much was sold and came back, and what that brought in, tax left out.
    #[arg(long)]
    by_product: bool,
}

impl Till {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let (now, rng) = (clock::now(), &mut clock::rng());
        match self.what {
            TillCommand::Open { data, float } => {
                let shop = with(data).shop()?;
                let (float, by) = (money(&shop, &float)?, shop.keys().node.id());
                let id = shop.open_till(None, float, by, now, rng)?;
                Ok(Done::new(format!("The till is open with {float}."), json!({ "id": id })))
            }
            TillCommand::Close { data, counted, note } => {
                let shop = with(data).shop()?;
                let (counted, by) = (money(&shop, &counted)?, shop.keys().node.id());
                let id = open_one(&shop)?;
                shop.close_till(None, (id, counted, note), by, now, rng)?;
                days(&shop)
            }
            TillCommand::In(of) => moved(Kind::PaidIn, of, with),
            TillCommand::Out(of) => moved(Kind::PaidOut, of, with),
            TillCommand::Show { data } => days(&with(data).shop()?),
        }
    }
}

impl Takings {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        if self.by_product {
            return by_product(&shop.sold(self.from, self.until, clock::now())?);
        }
        let taken = shop.takings(self.from, self.until, clock::now())?;
        let currency = shop.identity().currency;
        let money = |minor: i64| Money::new(minor, currency);
        let mut says: Vec<String> = taken
            .means
            .iter()
            .map(|((means, kind), minor)| format!("{means} {}: {}", kind.label(), money(*minor)))
            .collect();
        says.extend(taken.days.iter().map(|(day, minor)| format!("{day}: {}", money(*minor))));
        if says.is_empty() {
            says.push("Nothing was taken.".to_owned());
        }
        Ok(Done::new(says.join("\n"), shown(&taken, &money)))
    }
}

fn by_product(sold: &SoldOf) -> Result<Done, Failure> {
    let says = sold.rows.iter().map(|row| {
        let said = |much: u64| row.unit.map_or(much.to_string(), |unit| amount(much, unit));
        let back = match row.returned {
            0 => String::new(),
            back => format!(", {} came back", said(back)),
        };
        format!("{}: {}{back}, for {} in the end", row.name, said(row.amount), row.sales)
    });
    let says = says.collect::<Vec<_>>();
    let none = || "Nothing that is counted was sold.".to_owned();
    let says = if says.is_empty() { none() } else { says.join("\n") };
    Ok(Done::new(says, reports::sold_of(sold)))
}

fn moved(kind: Kind, of: Move, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
    let shop = with(of.data).shop()?;
    let (amount, by) = (money(&shop, &of.amount)?, shop.keys().node.id());
    let (now, rng) = (clock::now(), &mut clock::rng());
    shop.move_cash(None, (kind, amount, of.note), by, now, rng)?;
    let word = kind.label().replace('_', " ");
    Ok(Done::new(format!("{amount} {word}."), json!({ "kind": kind, "amount": amount })))
}

fn open_one(shop: &Shop) -> Result<TillDayId, Failure> {
    let open = shop.till_days()?.into_iter().find(|(day, _)| day.closed.is_none());
    open.map(|(day, _)| day.id).ok_or_else(|| Failure::of("no till is open".to_owned()))
}

fn days(shop: &Shop) -> Result<Done, Failure> {
    let (days, currency) = (shop.till_days()?, shop.identity().currency);
    let money = |minor: i64| Money::new(minor, currency);
    let says = days.iter().map(|(day, expected)| match &day.closed {
        None => format!("open since {}: {} should lie in it", day.opened, money(*expected)),
        Some(closed) => format!(
            "{}: counted {}, expected {}, difference {}",
            closed.at,
            money(closed.counted_minor),
            money(*expected),
            money(closed.counted_minor.saturating_sub(*expected)),
        ),
    });
    let mut says: Vec<String> = says.collect();
    if says.is_empty() {
        says.push("No till was opened yet.".to_owned());
    }
    let items: Vec<_> = days.iter().map(|(day, sum)| of_day(day, *sum, &money)).collect();
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}

fn money(shop: &Shop, text: &str) -> Result<Money, Failure> {
    let currency = shop.identity().currency;
    let minor = price(text, Locale::INDIAN, currency);
    let minor = minor.map_err(|_| Failure::usage(format!("«{text}» is no amount of money")))?;
    Ok(Money::new(minor, currency))
}
