//! `stock` and `sell`: the store room and the counter, for people without a till.

use kirana_core::{
    catalogue::product::{Language, Product, Variant},
    day::Day,
    id::VariantId,
    money::{Currency, Price},
    order::facts::Means,
    quantity::{Quantity, Unit},
    stock::{batch::Lot, walk::Slot},
};
use kirana_migrations::catalogue::{question::NotAQuestion, search::Query};
use serde_json::json;

use super::{Data, Done, Failure, lists};
use crate::{
    app::{
        Shop,
        batches::Lying,
        counter::{Entered, Entry, NotEntered, OfBatch, SaleLine, What},
        import::{Locale, price},
        scan::Rung,
    },
    clock,
    home::Home,
    http::{batches::shown as shown_batch, stock::shown},
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
    /// Goods came in; what is said of them makes them a batch.
    Receive(Received),
    /// Shows the batches that lie in the shop, the oldest date first.
    Batches {
        #[command(flatten)]
        data: Data,
    },
    /// So many lie here now; what is kept for orders and is not there is released by rule.
    Count(Movement),
    /// Goods are spoilt, broken or stolen: the oldest, or of the batch that is named.
    Waste(Batched),
    /// A customer brought goods back that can be sold again.
    Return(Returned),
    /// Goods go to another place of the shop.
    Move(Moved),
    /// Shows what is below its level or gone, with how much to order.
    Low {
        #[command(flatten)]
        data: Data,
    },
    /// Shows goods whose best-before date has passed or passes soon.
    Expiring {
        #[command(flatten)]
        data: Data,
        /// Within so many days.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        within: u32,
    },
    /// Says from when on something is ordered again, and up to how much.
    Reorder(lists::Reorder),
    /// Shows the places where stock is kept, or names another one.
    Places(lists::Places),
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
    /// Where: the name of a place or its id; where the shop sells if left out.
    #[arg(long, value_name = "PLACE")]
    at: Option<String>,
}

/// Goods that came in.
#[derive(clap::Args)]
struct Received {
    #[command(flatten)]
    movement: Movement,
    #[command(flatten)]
    said: Said,
}

/// What is known of goods that came in.
#[derive(clap::Args)]
struct Said {
    /// The lot code on the packs.
    #[arg(long, value_name = "CODE")]
    lot: Option<String>,
    /// The last day on which they are as they should be, such as 2026-11-27.
    #[arg(long, value_name = "DAY")]
    best_before: Option<Day>,
    /// What they cost altogether, tax left out, such as 450.00.
    #[arg(long, value_name = "MONEY")]
    cost: Option<String>,
}

impl Said {
    fn what(&self, currency: Currency, amount: u64) -> Result<What, Failure> {
        let cost: Option<Result<Price, Failure>> = self.cost.as_deref().map(|cost| {
            let minor = price(cost, Locale::INDIAN, currency)
                .map_err(|_| Failure::usage(format!("«{cost}» is no amount of money")))?;
            Ok(Price { minor, per: amount, currency })
        });
        let (code, best_before) = (self.lot.clone(), self.best_before);
        let lot = Lot { code, best_before, cost: cost.transpose()?, ..Lot::default() };
        Ok(if lot.is_empty() { What::Receipt(amount) } else { What::Batch(amount, lot) })
    }
}

/// Goods that go somewhere else.
#[derive(clap::Args)]
struct Moved {
    #[command(flatten)]
    given: Batched,
    /// Where to: the name of the place or its id, see `stock places`.
    #[arg(long, value_name = "PLACE")]
    to: String,
}

/// Goods that come back.
#[derive(clap::Args)]
struct Returned {
    #[command(flatten)]
    given: Batched,
    /// The number of the movement with which they were sold: what came back is taken off the margin.
    #[arg(long, value_name = "NUMBER")]
    sale: Option<u64>,
}

/// Goods of any batch, or of one.
#[derive(clap::Args)]
struct Batched {
    #[command(flatten)]
    movement: Movement,
    /// The number of their batch, see `stock batches`.
    #[arg(long, value_name = "NUMBER")]
    batch: Option<u64>,
}

/// Sells at the counter; all of it or nothing.
#[derive(clap::Args)]
pub struct Sell {
    #[command(flatten)]
    data: Data,
    /// What and how much: `WHAT=AMOUNT`, where WHAT is an id, a barcode, or words that find only it; or
    /// a scan alone: the barcode of a pack, or a scale's code with its weight or price.
    #[arg(required = true, value_name = "WHAT=AMOUNT|SCAN")]
    lines: Vec<String>,
}

impl Stock {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        type Meant<'a> = &'a dyn Fn(&Shop, u64) -> Result<What, Failure>;
        let enter = |given: Movement, what: Meant<'_>| {
            let shop = with(given.data).shop()?;
            let (variant, product, amount) = wanted(&shop, &given.product, &given.amount)?;
            let what = what(&shop, amount)?;
            let location = given.at.as_deref().map(|at| lists::place(&shop, at)).transpose()?;
            let entry = Entry { variant, location, what, note: given.note };
            let by = shop.keys().node.id();
            told_of(&[product], &shop.enter(entry, by, clock::now(), &mut clock::rng())?)
        };
        match self.what {
            StockCommand::List { data } => list(&with(data).shop()?),
            StockCommand::Receive(Received { movement, said }) => {
                enter(movement, &|shop, amount| said.what(shop.identity().currency, amount))
            }
            StockCommand::Batches { data } => batches(&with(data).shop()?),
            StockCommand::Count(given) => enter(given, &|_, amount| Ok(What::Counted(amount))),
            StockCommand::Waste(Batched { movement, batch }) => enter(movement, &|_, amount| {
                let of = |batch| What::Of(batch, OfBatch::Wastage(amount));
                Ok(batch.map_or(What::Wastage(amount), of))
            }),
            StockCommand::Return(Returned { given: Batched { movement, batch }, sale }) => {
                enter(movement, &|_, amount| match (batch, sale) {
                    (None, None) => Ok(What::Return(amount)),
                    (Some(batch), None) => Ok(What::Of(batch, OfBatch::Return(amount))),
                    (None, Some(sale)) => Ok(What::ReturnOf(sale, amount)),
                    (Some(_), Some(_)) => Err(Failure::usage("say --batch or --sale, not both")),
                })
            }
            StockCommand::Move(Moved { given: Batched { movement, batch }, to }) => {
                enter(movement, &|shop, amount| {
                    let to = lists::place(shop, &to)?;
                    let of = |batch| What::Of(batch, OfBatch::Transfer(amount, to));
                    Ok(batch.map_or(What::Transfer(amount, to), of))
                })
            }
            StockCommand::Low { data } => lists::low(&with(data).shop()?),
            StockCommand::Expiring { data, within } => lists::expiring(&with(data).shop()?, within),
            StockCommand::Reorder(reorder) => reorder.run(with),
            StockCommand::Places(places) => places.run(with),
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
        let rung = rung(&shop, &self.lines)?;
        let by = shop.keys().node.id();
        let entered =
            shop.ring_up(None, (rung, Means::Cash), by, clock::now(), &mut clock::rng())?;
        receipt(&shop, &entered)
    }
}

/// What is rung up: chosen by word, or scanned.
pub(super) fn rung(shop: &Shop, lines: &[String]) -> Result<Vec<Rung>, Failure> {
    let mut rung = Vec::new();
    for text in lines {
        rung.push(match text.rsplit_once('=') {
            Some((what, amount)) => {
                let (variant, sold, amount) = wanted(shop, what, amount)?;
                Rung::Chosen(SaleLine { variant, amount, unit: sold.unit, batch: None })
            }
            None if is_scan(text) => {
                Rung::Scanned { code: text.clone(), quantity: None, batch: None }
            }
            None => return Err(Failure::usage(format!("«{text}» is not WHAT=AMOUNT"))),
        });
    }
    Ok(rung)
}

fn is_scan(text: &str) -> bool {
    let digits = text.chars().filter(|c| !matches!(c, ' ' | '-'));
    digits.clone().count() >= 8 && digits.clone().all(|c| c.is_ascii_digit())
}

/// What was sold for how much, and what is left.
pub(super) fn receipt(shop: &Shop, entered: &Entered) -> Result<Done, Failure> {
    let (mut says, mut names) = (Vec::new(), Vec::new());
    for sold in &entered.sold {
        let named = name_of(shop, sold.variant)?;
        says.push(format!("{}: {}, {}", named.name, amount(sold.amount, sold.unit), sold.sum));
        says.extend(sold.warnings.iter().map(|warned| format!("  look: {warned}")));
        let counted = shop.product_of(sold.variant)?.is_some_and(|product| product.counted);
        names.extend(counted.then_some(named));
    }
    let left = told_of(&names, entered)?;
    says.extend((!left.says.is_empty()).then_some(left.says));
    Ok(Done::new(says.join("\n"), shown(entered)))
}

/// A variant as the command line names it.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) unit: Unit,
}

/// Which variant somebody means, and how much of it.
pub(super) fn wanted(
    shop: &Shop,
    what: &str,
    amount: &str,
) -> Result<(VariantId, Named, u64), Failure> {
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

pub(super) fn find(shop: &Shop, what: &str) -> Result<(VariantId, Named), Failure> {
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

pub(super) fn told_of(names: &[Named], entered: &Entered) -> Result<Done, Failure> {
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

pub(super) fn amount(base_units: u64, unit: Unit) -> String {
    Quantity::new(base_units, unit).map_or_else(|_| "none".to_owned(), |some| some.to_string())
}

/// What a variant is called; its id where it is no longer for sale.
pub(super) fn name_of(shop: &Shop, id: VariantId) -> Result<Named, Failure> {
    let product = shop.product_of(id)?;
    let variant = product.as_ref().and_then(|product| product.variants.get(&id));
    let named = product.as_ref().zip(variant).map(|(product, variant)| named(product, variant));
    Ok(named.unwrap_or_else(|| Named { name: id.to_string(), unit: Unit::Piece }))
}

fn batches(shop: &Shop) -> Result<Done, Failure> {
    let (mut says, mut items, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let rows = shop.batches(None, None, after, 100)?;
        for row in &rows {
            says.push(batch(shop, row)?);
            items.push(shown_batch(row, true));
        }
        after = rows.last().map(Lying::place);
        if rows.len() < 100 {
            break;
        }
    }
    if says.is_empty() {
        says.push("There are no batches: nothing was said of goods when they came in.".to_owned());
    }
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}

/// One line about a batch.
pub(super) fn batch(shop: &Shop, row: &Lying) -> Result<String, Failure> {
    let named = name_of(shop, row.slot.variant)?;
    let until = row.lot.best_before.map_or(String::new(), |day| format!(", best before {day}"));
    let code = row.lot.code.as_ref().map_or(String::new(), |code| format!(", lot {code}"));
    let there = amount(row.amount, named.unit);
    Ok(format!("{}  {}: {there}{until}{code}", row.batch, named.name))
}

fn list(shop: &Shop) -> Result<Done, Failure> {
    let (mut says, mut items) = (Vec::new(), Vec::new());
    let mut after: Option<Slot> = None;
    loop {
        let rows = shop.stock(after, 100, clock::now())?;
        for row in &rows {
            let named = name_of(shop, row.slot.variant)?;
            let there = amount(row.balance.on_hand, named.unit);
            let kept = amount(row.balance.reserved, named.unit);
            let closed = if row.closed { ", closed until counted" } else { "" };
            says.push(format!("{}: {there}, kept for orders: {kept}{closed}", named.name));
            items.push(json!({
                "variant_id": row.slot.variant, "location_id": row.slot.location,
                "name": named.name, "unit": named.unit, "on_hand": row.balance.on_hand,
                "reserved": row.balance.reserved, "available": row.available,
                "past_best_before": row.past, "closed": row.closed,
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
