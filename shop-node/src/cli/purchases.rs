//! `suppliers`, `purchases` and `margin`: buying, for the owner at the box.

use kirana_core::{
    day::Day,
    id::{PurchaseId, SupplierId, VariantId},
    money::{Money, Price},
    stock::batch::Lot,
};
use serde_json::json;

use super::{
    Data, Done, Failure,
    counter::{amount, name_of, told_of, wanted},
};
use crate::{
    app::{
        Shop,
        import::{Locale, price},
        purchases::{DeliveredLine, Delivery, Purchase, Wanted, WantedLine},
        suppliers::{About, Article},
    },
    clock,
    home::Home,
    http::{purchases::shown, reports, suppliers::shown as shown_supplier},
};

/// From whom the shop buys.
#[derive(clap::Args)]
pub struct Suppliers {
    #[command(subcommand)]
    what: SuppliersCommand,
}

#[derive(clap::Subcommand)]
enum SuppliersCommand {
    /// Shows them.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Notes one, or something else about the one of that name.
    Put {
        #[command(flatten)]
        data: Data,
        /// What people call it.
        name: String,
        /// How it is reached.
        #[arg(long, default_value = "")]
        contact: String,
        /// How many days goods need.
        #[arg(long, value_name = "DAYS")]
        lead_days: Option<u32>,
    },
    /// The shop no longer buys there: contact and prices go, the name stays beside what was bought.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Its name or id.
        supplier: String,
    },
    /// Says how a supplier sells something.
    Article {
        #[command(flatten)]
        data: Data,
        /// Its name or id.
        supplier: String,
        /// What: its id, its barcode, or words that find only it.
        product: String,
        /// How much is in one pack: `12`, `5kg`.
        pack: String,
        /// The supplier's own number for it.
        #[arg(long)]
        code: Option<String>,
        /// What a pack costs, tax left out, such as 450.00.
        #[arg(long, value_name = "MONEY")]
        cost: Option<String>,
    },
}

impl Suppliers {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            SuppliersCommand::List { data } => suppliers(&with(data).shop()?),
            SuppliersCommand::Put { data, name, contact, lead_days } => {
                let shop = with(data).shop()?;
                let known = shop.supplier_named(&name)?.map(|known| known.id);
                let about = About { name, contact, lead_days };
                let put = shop.put_supplier(known, about, clock::now(), &mut clock::rng())?;
                Ok(Done::new(format!("{}  {}", put.id, put.name), shown_supplier(&put)))
            }
            SuppliersCommand::Remove { data, supplier } => {
                let shop = with(data).shop()?;
                let id = supplier_of(&shop, &supplier)?;
                shop.retire_supplier(id, clock::now(), &mut clock::rng())?;
                Ok(Done::new(format!("{supplier} is no supplier any more."), json!({ "id": id })))
            }
            SuppliersCommand::Article { data, supplier, product, pack, code, cost } => {
                let shop = with(data).shop()?;
                let id = supplier_of(&shop, &supplier)?;
                let (variant, named, pack) = wanted(&shop, &product, &pack)?;
                let cost = cost.map(|cost| cost_of(&shop, &cost, pack)).transpose()?;
                let article = Some(Article { variant, code, pack, cost });
                shop.set_article(id, variant, article, clock::now(), &mut clock::rng())?;
                let says = format!("{}: packs of {}", named.name, amount(pack, named.unit));
                Ok(Done::new(says, json!({ "supplier_id": id, "variant_id": variant })))
            }
        }
    }
}

fn suppliers(shop: &Shop) -> Result<Done, Failure> {
    let (mut says, mut items, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let rows = shop.suppliers(after, 100)?;
        says.extend(rows.iter().map(|row| format!("{}  {}  {}", row.id, row.name, row.contact)));
        items.extend(rows.iter().map(shown_supplier));
        after = rows.last().map(|row| row.id);
        if rows.len() < 100 {
            return Ok(Done::new(says.join("\n"), json!({ "items": items })));
        }
    }
}

fn supplier_of(shop: &Shop, text: &str) -> Result<SupplierId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let found = shop.supplier_named(text)?.map(|found| found.id);
    found.ok_or_else(|| Failure::of(format!("there is no supplier «{text}»")))
}

/// What so many base units cost altogether.
fn cost_of(shop: &Shop, cost: &str, amount: u64) -> Result<Price, Failure> {
    let currency = shop.identity().currency;
    let minor = price(cost, Locale::INDIAN, currency)
        .map_err(|_| Failure::usage(format!("«{cost}» is no amount of money")))?;
    Ok(Price { minor, per: amount.max(1), currency })
}

/// What the shop orders of its suppliers.
#[derive(clap::Args)]
pub struct Purchases {
    #[command(subcommand)]
    what: PurchasesCommand,
}

#[derive(clap::Subcommand)]
enum PurchasesCommand {
    /// Shows those of which something is awaited.
    List {
        #[command(flatten)]
        data: Data,
        /// All of them.
        #[arg(long)]
        all: bool,
    },
    /// Notes what is ordered of a supplier.
    Order {
        #[command(flatten)]
        data: Data,
        /// Its name or id.
        supplier: String,
        /// What, how much, and for how much altogether: `WHAT=AMOUNT` or `WHAT=AMOUNT@MONEY`.
        #[arg(required = true, value_name = "WHAT=AMOUNT[@MONEY]")]
        lines: Vec<String>,
        /// What the shop notes about it.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Takes in what came; what is said of it counts for all lines.
    Receive {
        #[command(flatten)]
        data: Data,
        /// The purchase.
        id: PurchaseId,
        /// What and how much; all that is awaited if left out.
        #[arg(value_name = "WHAT=AMOUNT")]
        lines: Vec<String>,
        /// The lot code on the packs.
        #[arg(long, value_name = "CODE")]
        lot: Option<String>,
        /// The last day on which the goods are as they should be, such as 2026-11-27.
        #[arg(long, value_name = "DAY")]
        best_before: Option<Day>,
        /// The rest is no longer awaited.
        #[arg(long)]
        close: bool,
    },
    /// Awaits nothing more of a purchase.
    Cancel {
        #[command(flatten)]
        data: Data,
        /// The purchase.
        id: PurchaseId,
    },
}

impl Purchases {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            PurchasesCommand::List { data, all } => purchases(&with(data).shop()?, !all),
            PurchasesCommand::Order { data, supplier, lines, note } => {
                order(&with(data).shop()?, &supplier, &lines, note)
            }
            PurchasesCommand::Receive { data, id, lines, lot: code, best_before, close } => {
                let lot = Lot { code, best_before, ..Lot::default() };
                receive(&with(data).shop()?, id, &lines, &lot, close)
            }
            PurchasesCommand::Cancel { data, id } => {
                let shop = with(data).shop()?;
                shop.cancel_purchase(id, clock::now(), &mut clock::rng())?;
                told(&shop, id)
            }
        }
    }
}

fn purchases(shop: &Shop, open_only: bool) -> Result<Done, Failure> {
    let (mut says, mut items, mut before) = (Vec::new(), Vec::new(), None);
    loop {
        let rows = shop.purchases(open_only, before, 100)?;
        for row in &rows {
            says.push(sentence(shop, row)?);
            items.push(shown(row, true));
        }
        before = rows.last().map(|row| row.id);
        if rows.len() < 100 {
            return Ok(Done::new(says.join("\n"), json!({ "items": items })));
        }
    }
}

fn sentence(shop: &Shop, row: &Purchase) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for line in &row.lines {
        let named = name_of(shop, line.variant)?;
        let (of, came) = (amount(line.amount, named.unit), amount(line.received, named.unit));
        lines.push(format!("  {}: {of} ordered, {came} came", named.name));
    }
    let expected = row.expected.map_or(String::new(), |day| format!(", expected {day}"));
    Ok(format!("{}  {:?}{expected}\n{}", row.id, row.state(), lines.join("\n")))
}

fn told(shop: &Shop, id: PurchaseId) -> Result<Done, Failure> {
    let found = shop.purchase(id)?;
    let found = found.ok_or_else(|| Failure::of(format!("there is no purchase {id}")))?;
    Ok(Done::new(sentence(shop, &found)?, shown(&found, true)))
}

fn order(shop: &Shop, supplier: &str, texts: &[String], note: String) -> Result<Done, Failure> {
    let supplier = supplier_of(shop, supplier)?;
    let mut lines = Vec::new();
    for text in texts {
        let (text, cost) = match text.rsplit_once('@') {
            Some((text, cost)) => (text, Some(cost)),
            None => (text.as_str(), None),
        };
        let (variant, amount) = line(shop, text)?;
        let cost = cost.map(|cost| cost_of(shop, cost, amount)).transpose()?;
        lines.push(WantedLine { variant, amount, cost });
    }
    let wanted = Wanted { supplier, location: None, lines, expected: None, note };
    let by = shop.keys().node.id();
    let id = shop.order_of_supplier(None, wanted, by, clock::now(), &mut clock::rng())?;
    told(shop, id)
}

fn line(shop: &Shop, text: &str) -> Result<(VariantId, u64), Failure> {
    let split = text.rsplit_once('=');
    let (what, amount) =
        split.ok_or_else(|| Failure::usage(format!("«{text}» is not WHAT=AMOUNT")))?;
    let (variant, _, amount) = wanted(shop, what, amount)?;
    Ok((variant, amount))
}

fn receive(
    shop: &Shop,
    purchase: PurchaseId,
    texts: &[String],
    lot: &Lot,
    closes: bool,
) -> Result<Done, Failure> {
    let mut came: Vec<(VariantId, u64)> =
        texts.iter().map(|text| line(shop, text)).collect::<Result<_, _>>()?;
    if came.is_empty() && !closes {
        let found = shop.purchase(purchase)?;
        let found = found.ok_or_else(|| Failure::of(format!("there is no purchase {purchase}")))?;
        let left = found.lines.iter().map(|l| (l.variant, l.amount.saturating_sub(l.received)));
        came = left.filter(|(_, amount)| *amount > 0).collect();
    }
    let mut names = Vec::new();
    for (variant, _) in &came {
        names.push(name_of(shop, *variant)?);
    }
    let line = |(variant, amount)| DeliveredLine { variant, amount, lot: lot.clone() };
    let lines = came.into_iter().map(line).collect();
    let delivery = Delivery { purchase, location: None, lines, closes };
    let by = shop.keys().node.id();
    let entered = shop.receive_purchase(None, delivery, by, clock::now(), &mut clock::rng())?;
    told_of(&names, &entered)
}

/// What the shop earns with what it sells, tax left out.
#[derive(clap::Args)]
pub struct Margin {
    #[command(flatten)]
    data: Data,
    /// The first day; 30 days with the last if left out.
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// The last day; today if left out.
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
}

impl Margin {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let earned = shop.earnings(self.from, self.until, clock::now())?;
        let currency = shop.identity().currency;
        let mut says = vec![format!("From {} until {}:", earned.from, earned.until)];
        for row in &earned.rows {
            let named = name_of(&shop, row.variant)?;
            let money = |minor| Money::new(minor, currency);
            let kept = row.sold.less(&row.returned);
            let back = match row.returned.amount {
                0 => String::new(),
                back => format!(", {} of it came back", amount(back, named.unit)),
            };
            let unknown = match kept.amount.saturating_sub(kept.costed) {
                0 => String::new(),
                left => format!(", {} of it at a cost nobody entered", amount(left, named.unit)),
            };
            says.push(format!(
                "{}: {} sold for {}{back}, margin {}{unknown}",
                named.name,
                amount(row.sold.amount, named.unit),
                money(row.sold.net),
                money(kept.net_costed.saturating_sub(kept.cost)),
            ));
        }
        Ok(Done::new(says.join("\n"), reports::shown(&earned, currency)))
    }
}
