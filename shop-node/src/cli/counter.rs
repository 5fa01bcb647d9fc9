//! `stock` and `sell`: the store room and the counter, for people without a till.

use kirana_core::{
    catalogue::product::{Language, Product, Variant},
    id::VariantId,
    quantity::{Quantity, Unit},
    stock::walk::Slot,
};
use kirana_migrations::catalogue::{question::NotAQuestion, search::Query};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::{
        Shop,
        counter::{Entered, Entry, NotEntered, SaleLine, What},
    },
    clock,
    home::Home,
    http::stock::shown,
};

/// How many products a search may bring before somebody has to say which.
const OFFERED_MAX: u16 = 10;

/// What lies in the shop.
#[derive(clap::Args)]
pub struct Stock {
    #[command(subcommand)]
    what: StockCommand,
}

#[derive(clap::Subcommand)]
enum StockCommand {
    /// Shows what is there, and how much of it is kept for orders.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Goods came in.
    Receive(Movement),
    /// So many lie here now; what is kept for orders and is not there is released by rule.
    Count(Movement),
    /// Goods are spoilt, broken or stolen.
    Waste(Movement),
    /// A customer brought goods back that can be sold again.
    Return(Movement),
    /// Somebody looked, and it is as the ledger says: opens sale again after a restore.
    Confirm {
        #[command(flatten)]
        data: Data,
    },
}

/// One thing that moved.
#[derive(clap::Args)]
struct Movement {
    #[command(flatten)]
    data: Data,
    /// What: its id, its barcode, or words that find only it.
    product: String,
    /// How much: `2`, `500g`, `1.5kg`, `750ml`, `2l`.
    amount: String,
    /// Why, in your own words.
    #[arg(long, default_value = "")]
    note: String,
}

/// Sells at the counter; all of it or nothing.
#[derive(clap::Args)]
pub struct Sell {
    #[command(flatten)]
    data: Data,
    /// What and how much: `WHAT=AMOUNT`, where WHAT is an id, a barcode, or words that find only it.
    #[arg(required = true, value_name = "WHAT=AMOUNT")]
    lines: Vec<String>,
}

impl Stock {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let enter = |given: Movement, what: fn(u64) -> What| {
            let shop = with(given.data).shop()?;
            let (variant, product, amount) = wanted(&shop, &given.product, &given.amount)?;
            let entry = Entry { variant, location: None, what: what(amount), note: given.note };
            let by = shop.keys().node.id();
            told(&[product], &shop.enter(entry, by, clock::now(), &mut clock::rng())?)
        };
        match self.what {
            StockCommand::List { data } => list(&with(data).shop()?),
            StockCommand::Receive(given) => enter(given, What::Receipt),
            StockCommand::Count(given) => enter(given, What::Counted),
            StockCommand::Waste(given) => enter(given, What::Wastage),
            StockCommand::Return(given) => enter(given, What::Return),
            StockCommand::Confirm { data } => {
                with(data).shop()?.confirm_stock()?;
                Ok(Done::new("Everything is open for sale again.", json!({ "confirmed": true })))
            }
        }
    }
}

impl Sell {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let (mut names, mut lines) = (Vec::new(), Vec::new());
        for text in &self.lines {
            let split = text.rsplit_once('=');
            let (what, amount) =
                split.ok_or_else(|| Failure::usage(format!("«{text}» is not WHAT=AMOUNT")))?;
            let (variant, sold, amount) = wanted(&shop, what, amount)?;
            lines.push(SaleLine { variant, amount, unit: sold.unit });
            names.push(sold);
        }
        let by = shop.keys().node.id();
        told(&names, &shop.sell(lines, by, clock::now(), &mut clock::rng())?)
    }
}

/// A variant as the command line names it.
struct Named {
    name: String,
    unit: Unit,
}

/// Which variant somebody means, and how much of it.
fn wanted(shop: &Shop, what: &str, amount: &str) -> Result<(VariantId, Named, u64), Failure> {
    let (id, named) = find(shop, what)?;
    // A count may find nothing, which is no quantity that anybody could buy.
    let amount = match amount.trim() {
        "0" => 0,
        amount => Quantity::read(amount, named.unit)
            .map_err(|why| Failure::usage(format!("«{amount}»: {why}")))?
            .amount(),
    };
    Ok((id, named, amount))
}

fn find(shop: &Shop, what: &str) -> Result<(VariantId, Named), Failure> {
    let missing = || Failure::of(format!("the shop has no «{what}»"));
    if let Ok(id) = what.parse::<VariantId>() {
        let product = shop.product_of(id)?.ok_or_else(missing)?;
        let variant = product.variants.get(&id).ok_or_else(missing)?;
        return Ok((id, named(&product, variant)));
    }
    // Nothing is sold by a word that was mistyped.
    let question = what.parse().map_err(|why: NotAQuestion| Failure::usage(why.to_string()))?;
    let query = Query { question, limit: OFFERED_MAX, ..Query::default() };
    let products = shop.products(&query)?;
    let found: Vec<(VariantId, Named)> = products
        .iter()
        .flat_map(|product| product.variants.iter().map(move |(id, v)| (*id, named(product, v))))
        .collect();
    match found.len() {
        0 => Err(missing()),
        1 => found.into_iter().next().ok_or_else(missing),
        _ => {
            let offered = found.iter().map(|(id, named)| format!("\n  {id}  {}", named.name));
            let offered: String = offered.collect();
            Err(Failure::usage(format!("«{what}» may be several; say which by its id:{offered}")))
        }
    }
}

fn named(product: &Product, variant: &Variant) -> Named {
    let label = variant.label.as_ref().map_or(String::new(), |label| format!(", {label}"));
    Named { name: format!("{}{label}", product.name(Language::ENGLISH)), unit: variant.unit }
}

fn told(names: &[Named], entered: &Entered) -> Result<Done, Failure> {
    let balances = names.iter().zip(&entered.balances);
    let mut says: Vec<String> = balances
        .map(|(named, after)| {
            let (there, kept) = (amount(after.on_hand, named.unit), after.reserved);
            let kept = match kept {
                0 => String::new(),
                kept => format!(", {} of it kept for orders", amount(kept, named.unit)),
            };
            format!("{}: {there} now{kept}", named.name)
        })
        .collect();
    says.extend(entered.shortened.iter().map(|order| format!("order {order} gets less of it")));
    Ok(Done::new(says.join("\n"), shown(entered)))
}

fn amount(base_units: u64, unit: Unit) -> String {
    Quantity::new(base_units, unit).map_or_else(|_| "none".to_owned(), |some| some.to_string())
}

fn list(shop: &Shop) -> Result<Done, Failure> {
    let (mut says, mut items) = (Vec::new(), Vec::new());
    let mut after: Option<Slot> = None;
    loop {
        let rows = shop.stock(after, 100)?;
        for row in &rows {
            let product = shop.product_of(row.slot.variant)?;
            let variant = product.as_ref().and_then(|p| p.variants.get(&row.slot.variant));
            let named = product.as_ref().zip(variant).map(|(p, v)| named(p, v));
            let named = named
                .unwrap_or_else(|| Named { name: row.slot.variant.to_string(), unit: Unit::Piece });
            let there = amount(row.balance.on_hand, named.unit);
            let kept = amount(row.balance.reserved, named.unit);
            let closed = if row.closed { ", closed until counted" } else { "" };
            says.push(format!("{}: {there}, kept for orders: {kept}{closed}", named.name));
            items.push(json!({
                "variant_id": row.slot.variant, "location_id": row.slot.location,
                "name": named.name, "unit": named.unit, "on_hand": row.balance.on_hand,
                "reserved": row.balance.reserved, "available": row.available,
                "closed": row.closed,
            }));
        }
        after = rows.last().map(|row| row.slot);
        if rows.len() < 100 {
            break;
        }
    }
    if says.is_empty() {
        says.push("Nothing was counted yet.".to_owned());
    }
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}

impl From<NotEntered> for Failure {
    fn from(why: NotEntered) -> Self {
        Self { code: 1, name: "not-entered", says: why.to_string() }
    }
}
