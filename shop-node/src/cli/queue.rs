//! `queue`, `picking` and `deliveries`: what is to be packed, taken from the shelves, and brought.

use kirana_core::{catalogue::product::Language, money::Money, terms::Way};
use serde_json::json;

use super::{Data, Done, Failure, orders::find};
use crate::{
    app::{
        deliveries::Stop,
        import::{Locale, price},
        queue::{Pick, Queued},
    },
    clock,
    home::Home,
};

/// Accepted orders by their span of time.
#[derive(clap::Args)]
pub struct Queue {
    #[command(flatten)]
    data: Data,
    /// Only what is collected.
    #[arg(long, conflicts_with = "delivery")]
    pickup: bool,
    /// Only what is brought.
    #[arg(long)]
    delivery: bool,
}

/// What is to be taken from the shelves, in their order.
#[derive(clap::Args)]
pub struct Picking {
    #[command(flatten)]
    data: Data,
    /// For these orders only: their short numbers or ids.
    orders: Vec<String>,
    /// The language of names.
    #[arg(long, default_value = "en")]
    language: String,
}

/// What is out for delivery, and the cash that comes back.
#[derive(clap::Args)]
pub struct Deliveries {
    #[command(flatten)]
    data: Data,
    /// Cash that people took and have not handed in, rather than what is out.
    #[arg(long)]
    cash: bool,
    /// Somebody hands their cash in: the name of their key, as `--cash` shows it.
    #[arg(long, value_name = "KEY", requires = "counted")]
    hand_in: Option<String>,
    /// What was counted, such as `740.00`.
    #[arg(long, requires = "hand_in")]
    counted: Option<String>,
    /// Why it differs, or what else to say.
    #[arg(long, default_value = "")]
    note: String,
}

impl Queue {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let way = match (self.pickup, self.delivery) {
            (true, _) => Some(Way::Pickup),
            (_, true) => Some(Way::Delivery),
            _ => None,
        };
        let queue = with(self.data).shop()?.queue(way)?;
        let line = |queued: &Queued| {
            let when = queued.when.as_deref().unwrap_or("any time");
            let stages: Vec<_> = queued.groups.iter().map(|stage| stage.label()).collect();
            let (number, lines, due) = (&queued.number, queued.lines, queued.due);
            format!("{when}  {number}  {lines} lines, {due} to pay: {}", stages.join(", "))
        };
        let says: Vec<_> = queue.iter().map(line).collect();
        let says = if says.is_empty() { "Nothing waits.".to_owned() } else { says.join("\n") };
        Ok(Done::new(says, json!({ "items": queue })))
    }
}

impl Picking {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let ids: Result<Vec<_>, Failure> =
            self.orders.iter().map(|name| Ok(find(&shop, name)?.id)).collect();
        let language: Language = self
            .language
            .parse()
            .map_err(|_| Failure::usage("a language is a code such as en or hi"))?;
        let picks = shop.picking(&ids?, None, language)?;
        let (mut says, mut shelf) = (Vec::new(), None);
        for pick in &picks {
            let here = pick.shelves.join(" / ");
            if shelf.as_ref() != Some(&here) {
                says.push(if here.is_empty() { "On no shelf:".to_owned() } else { here.clone() });
                shelf = Some(here);
            }
            says.push(taken(pick));
        }
        if says.is_empty() {
            says.push("Nothing is to be taken from the shelves.".to_owned());
        }
        Ok(Done::new(says.join("\n"), json!({ "items": picks })))
    }
}

fn taken(pick: &Pick) -> String {
    let label = pick.label.as_deref().map(|label| format!(" ({label})")).unwrap_or_default();
    let first = pick.best_before.map(|day| format!(", best before {day} first"));
    let orders: Vec<_> = pick.orders.iter().map(|of| of.number.as_str()).collect();
    let (amount, name) = (pick.written(), &pick.name);
    format!("  {amount}  {name}{label}{}: {}", first.unwrap_or_default(), orders.join(", "))
}

impl Deliveries {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let currency = shop.identity().currency;
        if let (Some(courier), Some(counted)) = (self.hand_in, self.counted) {
            let unfit = || Failure::usage(format!("«{counted}» is no amount of money"));
            let minor = price(&counted, Locale::INDIAN, currency).map_err(|_| unfit())?;
            let courier = courier.parse().map_err(|_| Failure::usage("that is no key's name"))?;
            let (counted, by) = (Money::new(minor, currency), shop.keys().node.id());
            let what = (courier, counted, self.note);
            let expected = shop.hand_in(None, what, by, clock::now(), &mut clock::rng())?;
            let says = format!("{counted} was counted, {expected} was taken.");
            return Ok(Done::new(says, json!({ "expected": expected, "counted": counted })));
        }
        if self.cash {
            let outside = shop.cash_outside()?;
            let line = |one: &crate::store::hand_ins::Outstanding| {
                format!("{}  {}", one.courier, Money::new(one.minor, currency))
            };
            let says: Vec<_> = outside.iter().map(line).collect();
            return Ok(Done::new(says.join("\n"), json!({ "outside": outside })));
        }
        let stops = shop.stops()?;
        let mut says: Vec<_> = stops.iter().flat_map(told).collect();
        if says.is_empty() {
            says.push("Nothing is out.".to_owned());
        }
        Ok(Done::new(says.join("\n"), json!({ "items": stops })))
    }
}

fn told(stop: &Stop) -> Vec<String> {
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let when = stop.when.as_deref().unwrap_or("any time");
    let mut says = vec![format!("{when}  {}  {} to pay", stop.number, stop.due)];
    let parts =
        [("for", &stop.name), ("to", &stop.address), ("call", &stop.phone), ("note", &stop.note)];
    let given = parts.into_iter().filter(|(_, text)| !text.is_empty());
    says.extend(given.map(|(what, text)| -> String {
        let text: String = plain(text);
        format!("  {what}: {text}")
    }));
    says.extend(stop.age.map(|age| format!("  look at the age: from {age} years on")));
    says.extend(stop.failed.map(|why| format!("  not delivered: {why}")));
    says
}
