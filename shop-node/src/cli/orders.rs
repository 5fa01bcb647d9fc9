//! `orders`: what the shop has to do, and what was done, for people without a till.

use kirana_core::{
    catalogue::product::Language,
    money::Money,
    order::{
        axes::{Line, LineState},
        facts::{CancelReason, DeclineReason, FailReason, Means, Packing, Proof},
        personal::Personal,
        placed::Handover,
    },
    quantity::Quantity,
    spoken::ShortNumber,
    terms::Way,
};
use serde_json::{Value, json};

use super::{
    Data, Done, Failure,
    afterwards::Afterwards,
    handover::{HandOver, TakeOver},
};
use crate::{
    app::{
        Shop,
        handing::Handing,
        import::{Locale, price},
        orders::{Deed, NotDone, OrderView, Which},
    },
    clock,
    home::Home,
    http::orders::shown,
};

/// Orders are looked up by number among so many of the newest.
const LOOKED_AT_MAX: u32 = 5_000;

/// Orders: what is to be done, and what was done.
#[derive(clap::Args)]
pub struct Orders {
    #[command(subcommand)]
    what: OrdersCommand,
}

/// What was seen when goods changed hands.
#[derive(clap::Args)]
struct Seen {
    /// The six digits that the customer told.
    #[arg(long)]
    code: Option<String>,
    /// What else shows that they are in the right hands: `neighbour`, `left` or `known`.
    #[arg(long)]
    proof: Option<String>,
    /// Somebody looked how old the customer is.
    #[arg(long)]
    age_checked: bool,
}

impl Seen {
    fn handing(self) -> Result<Handing, Failure> {
        let proof = self.proof.map(|proof| known(Some(&proof), Proof::from_label, Proof::Known));
        let (code, age_checked) = (self.code, self.age_checked);
        Ok(Handing { code, proof: proof.transpose()?, age_checked, by_staff: true })
    }
}

#[derive(clap::Subcommand)]
enum OrdersCommand {
    /// The orders, newest first.
    List {
        #[command(flatten)]
        data: Data,
        /// Those that are finished too.
        #[arg(long)]
        all: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// One order: what was ordered, for whom, where it goes, what it costs.
    Show {
        #[command(flatten)]
        data: Data,
        /// Its short number, such as `KR 4271-3`, or its id.
        order: String,
    },
    /// Writes down what was done with an order; its customer is told.
    Mark {
        #[command(flatten)]
        data: Data,
        /// Its short number, such as `KR 4271-3`, or its id.
        order: String,
        /// What was done.
        step: Step,
        /// Why, where a reason belongs to it, such as `nobody_there`.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        seen: Seen,
    },
    /// Writes down that money came in.
    Pay {
        #[command(flatten)]
        data: Data,
        /// Its short number, such as `KR 4271-3`, or its id.
        order: String,
        /// How much, such as `180.00`.
        amount: String,
        /// `cash`, `upi` or `card`.
        #[arg(long, default_value = "cash")]
        by: String,
    },
    #[command(flatten)]
    Afterwards(Afterwards),
    /// At an older box of the shop: writes its open orders to a file for the newer one.
    HandOver(HandOver),
    /// At the newer box: takes in what an older one handed over.
    TakeOver(TakeOver),
}

/// What can be done with an order.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Step {
    /// It waited for a person, who takes it.
    Accepted,
    /// It is not taken.
    Declined,
    /// Somebody begins to pack it.
    Packing,
    /// It is packed as ordered.
    Packed,
    /// It waits in the shop for its customer.
    Ready,
    /// Its customer has fetched it.
    Collected,
    /// It leaves for its customer.
    Dispatched,
    /// Its customer has got it.
    Delivered,
    /// It could not be handed over.
    NotDelivered,
    /// It came back to the shop.
    Returned,
    /// It is called off.
    Cancelled,
    /// After a restore: go on without having heard its customer.
    GoOn,
}

impl Orders {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            OrdersCommand::Afterwards(afterwards) => afterwards.run(with),
            OrdersCommand::HandOver(hand_over) => hand_over.run(with),
            OrdersCommand::TakeOver(take_over) => take_over.run(with),
            OrdersCommand::List { data, all, limit } => list(&with(data).shop()?, all, limit),
            OrdersCommand::Show { data, order } => {
                let shop = with(data).shop()?;
                let view = shop.order(find(&shop, &order)?)?;
                told(&shop, &view)
            }
            OrdersCommand::Mark { data, order, step, reason, seen } => {
                let shop = with(data).shop()?;
                let deed = deed(step, reason.as_deref(), seen)?;
                act(&shop, &order, deed)
            }
            OrdersCommand::Pay { data, order, amount, by } => {
                let shop = with(data).shop()?;
                let means = known(Some(&by), Means::from_label, Means::Cash)?;
                let currency = shop.identity().currency;
                let minor = price(&amount, Locale::INDIAN, currency)
                    .map_err(|_| Failure::usage(format!("«{amount}» is no amount of money")))?;
                act(&shop, &order, Deed::Pay(Money::new(minor, currency), means))
            }
        }
    }
}

pub(super) fn act(shop: &Shop, order: &str, deed: Deed) -> Result<Done, Failure> {
    let which = find(shop, order)?;
    let view = shop.act(which, deed, clock::now(), &mut clock::rng())?;
    Ok(Done::new(line(&view), shown(&view)))
}

fn deed(step: Step, reason: Option<&str>, seen: Seen) -> Result<Deed, Failure> {
    // Without splitting, an order is one group, and that is group 0.
    const WHOLE: u8 = 0;
    let why_not = || known(reason, DeclineReason::from_label, DeclineReason::ByShop);
    let failed = || known(reason, FailReason::from_label, FailReason::NobodyThere);
    let called_off = || known(reason, CancelReason::from_label, CancelReason::ByShop);
    Ok(match step {
        Step::Accepted => Deed::Accept,
        Step::Declined => Deed::Decline(why_not()?),
        Step::Packing => Deed::Pack(Packing { group: WHOLE, lines: Vec::new() }),
        Step::Packed => Deed::Packed(WHOLE, Vec::new()),
        Step::Ready => Deed::Ready(WHOLE),
        Step::Collected => Deed::Collected(WHOLE, seen.handing()?),
        Step::Dispatched => Deed::Dispatch(WHOLE),
        Step::Delivered => Deed::Delivered(WHOLE, seen.handing()?),
        Step::NotDelivered => Deed::DeliveryFailed(WHOLE, failed()?),
        Step::Returned => Deed::Returned(WHOLE),
        Step::Cancelled => Deed::Cancel(called_off()?),
        Step::GoOn => Deed::GoOn,
    })
}

pub(super) fn known<T>(
    label: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    otherwise: T,
) -> Result<T, Failure> {
    let Some(label) = label else { return Ok(otherwise) };
    parse(label).ok_or_else(|| Failure::usage(format!("«{label}» is not one of the words for it")))
}

/// The order of a short number or an id.
pub(super) fn find(shop: &Shop, name: &str) -> Result<Which, Failure> {
    if let Ok(id) = name.parse() {
        return Ok(Which { id, customer: None });
    }
    let number: ShortNumber =
        name.parse().map_err(|why| Failure::usage(format!("«{name}»: {why}")))?;
    let (number, mut before, mut looked_at) = (number.to_string(), None, 0);
    let mut found = Vec::new();
    while looked_at < LOOKED_AT_MAX {
        let page = shop.orders(None, false, before, 100)?;
        looked_at += 100;
        let here = page.views.iter().filter(|view| view.number == number);
        found.extend(here.map(|view| (view.order.is_open(), view.order.id, view.order.customer)));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    // Numbers are for open orders; a finished one counts while no open one has it.
    let open: Vec<_> = found.iter().filter(|(is_open, ..)| *is_open).collect();
    match (open.as_slice(), found.as_slice()) {
        ([(_, id, customer)], _) | ([], [(_, id, customer)]) => {
            Ok(Which { id: *id, customer: Some(*customer) })
        }
        ([], []) => Err(Failure::of(format!("there is no order {number} here"))),
        _ => Err(Failure::of(format!("several orders are {number}: name one by its id"))),
    }
}

fn list(shop: &Shop, all: bool, limit: u32) -> Result<Done, Failure> {
    let (mut views, mut damaged, mut before) = (Vec::new(), Vec::new(), None);
    while views.len() < limit as usize {
        let page = shop.orders(None, !all, before, (limit - views.len() as u32).min(100))?;
        views.extend(page.views);
        damaged.extend(page.damaged);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let mut says: Vec<String> = views.iter().map(line).collect();
    says.extend(damaged.iter().map(|id| format!("{id}: damaged, see `kirana-shop verify`")));
    if says.is_empty() {
        says.push("There are no orders.".to_owned());
    }
    let shown: Vec<Value> = views.iter().map(shown).collect();
    Ok(Done::new(says.join("\n"), json!({ "orders": shown, "damaged": damaged })))
}

fn line(view: &OrderView) -> String {
    let order = &view.order;
    let group = order.groups.first();
    let group = group.map(|group| format!(", {}", group.stage.label().replace('_', " ")));
    let group = group.filter(|_| order.is_open()).unwrap_or_default();
    let handover = handover(view);
    let stage = order.stage.label();
    let waits = if view.waits_for_heads { ", waits for its customer's device" } else { "" };
    let waits = if view.by_phone { format!(", by phone{waits}") } else { waits.to_owned() };
    format!(
        "{}  {}: {stage}{group}{waits} ({handover})  [{}]",
        view.number, view.totals.sum, order.id
    )
}

fn handover(view: &OrderView) -> &'static str {
    match view.order.placed.handover {
        Handover::Pickup { .. } => "comes to collect it",
        Handover::Delivery { .. } => "to be brought",
    }
}

fn told(shop: &Shop, view: &OrderView) -> Result<Done, Failure> {
    let person = shop.person(&view.order)?;
    let mut says = vec![line(view)];
    for ordered in &view.order.lines {
        says.push(format!("  {}", of_line(shop, ordered)?));
    }
    says.push(format!("  in all {}, paid {}", view.totals.sum, view.totals.paid));
    let (_, slot) = Way::of(view.order.placed.handover);
    let terms = shop.terms()?.map(|said| said.terms).unwrap_or_default();
    says.extend(slot.map(|slot| format!("  when: {}", terms.written(slot))));
    let age = shop.age_for(&view.order)?;
    says.extend(age.map(|age| format!("  look at the age: from {age} years on")));
    says.extend(person.iter().flat_map(of_person));
    let mut shown = shown(view);
    shown["personal"] = json!(person);
    Ok(Done::new(says.join("\n"), shown))
}

fn of_line(shop: &Shop, line: &Line) -> Result<String, Failure> {
    let wanted = &line.wanted;
    let product = shop.product(wanted.product)?;
    let name = product.map(|seen| seen.shelved.product.name(Language::ENGLISH).to_owned());
    let name = name.unwrap_or_else(|| wanted.variant.to_string());
    let unit = wanted.quantity.unit();
    let amount = |amount| Quantity::new(amount, unit).map_or("none".to_owned(), |q| q.to_string());
    let state = match line.state {
        LineState::Ordered => String::new(),
        LineState::Cancelled { why } => format!(": does not come ({})", why.label()),
        state => state
            .charged_amount()
            .filter(|granted| *granted != wanted.quantity.amount())
            .map_or_else(String::new, |granted| format!(": {} of it", amount(granted))),
    };
    Ok(format!("{}  {name}{state}", wanted.quantity))
}

fn of_person(person: &Personal) -> Vec<String> {
    let Personal { name, address, phone, note, .. } = person;
    let parts = [("for", name), ("to", address), ("call", phone), ("note", note)];
    let given = parts.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(what, text)| format!("  {what}: {}", plain(text))).collect()
}

/// What a customer wrote, without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<NotDone> for Failure {
    fn from(why: NotDone) -> Self {
        Self { code: 1, name: "not-done", says: why.to_string() }
    }
}
