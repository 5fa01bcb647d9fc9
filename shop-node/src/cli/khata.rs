//! `khata`: the credit books, for whoever keeps the shop without a screen.

use std::path::PathBuf;

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    id::AccountId,
    key::KeyId,
    money::{Currency, Money},
    order::facts::Means,
    statement::Party,
};
use kirana_paper::fonts::Fonts;
use serde_json::json;

use super::{Data, Done, Failure, counter, orders};
use crate::{
    app::{
        Shop,
        import::{Locale, price},
        khata::{KhataView, NewKhata, NotPrinted, NotWritten, OnCredit, Writing},
        orders::Deed,
    },
    clock,
    home::Home,
    http::khata::{all, of_due, shown, with_entries},
};

/// Khata, the credit books.
#[derive(clap::Args)]
pub struct Khata {
    #[command(subcommand)]
    what: KhataCommand,
}

#[derive(clap::Subcommand)]
enum KhataCommand {
    /// Who owes what, since when, and who owes more than they may.
    List {
        #[command(flatten)]
        data: Data,
    },
    /// Opens a book for somebody, with what the notebook says is owed.
    Open {
        #[command(flatten)]
        data: Data,
        /// What may be owed at most, such as `2000`.
        #[arg(long)]
        limit: String,
        /// What is owed already.
        #[arg(long, default_value = "0", allow_hyphen_values = true)]
        opening: String,
        /// What the person is called; needed where there is no device.
        #[arg(long, default_value = "")]
        name: String,
        /// The person's phone number.
        #[arg(long, default_value = "")]
        phone: String,
        /// The customer's account, or the key of a guest's device.
        #[arg(long)]
        holder: Option<String>,
    },
    /// Shows a book with its entries.
    Show(One),
    /// Writes down what somebody takes on credit.
    Charge {
        #[command(flatten)]
        of: Sum,
        /// What it is.
        words: String,
        /// Let the balance pass the limit.
        #[arg(long)]
        over_limit: bool,
    },
    /// Takes a payment; it lies in the till.
    Pay {
        #[command(flatten)]
        of: Sum,
        /// `cash`, `upi` or `card`.
        #[arg(long, default_value = "cash")]
        by: String,
    },
    /// Pays back what the shop owes.
    PayOut {
        #[command(flatten)]
        of: Sum,
        /// `cash`, `upi` or `card`.
        #[arg(long, default_value = "cash")]
        by: String,
    },
    /// Takes something off what is owed.
    Credit {
        #[command(flatten)]
        of: Sum,
        /// Why.
        words: String,
    },
    /// Gives up a part of what is owed.
    WriteOff {
        #[command(flatten)]
        of: Sum,
        /// Why.
        words: String,
    },
    /// Says what may be owed from now on.
    Limit(Sum),
    /// Puts what is due of an order into its customer's book, or another one.
    Order {
        #[command(flatten)]
        data: Data,
        /// The order: its id or its short number.
        order: String,
        /// Another book than the customer's own.
        #[arg(long)]
        khata: Option<String>,
        /// A part of it only.
        #[arg(long)]
        amount: Option<String>,
        /// Let the balance pass the limit.
        #[arg(long)]
        over_limit: bool,
    },
    /// Sells at the counter into a book.
    Sell {
        #[command(flatten)]
        data: Data,
        /// Which book.
        khata: String,
        /// What: `WHAT=AMOUNT`, as for `sell`.
        #[arg(required = true)]
        lines: Vec<String>,
        /// Let the balance pass the limit.
        #[arg(long)]
        over_limit: bool,
    },
    /// Links a device to the book of a person who had none.
    Link {
        #[command(flatten)]
        one: One,
        /// The customer's account, or the key of a guest's device.
        holder: String,
    },
    /// Closes a book of which nothing is owed.
    Close(One),
    /// After a restore: goes on without having heard the holder's device.
    GoOn(One),
    /// Brings what stands in a second book of one customer into the first: after a restore.
    Join(One),
    /// Forgets name, phone and words; the sums stay.
    Forget(One),
    /// Who should be reminded, with the words.
    Due {
        #[command(flatten)]
        data: Data,
        /// Whoever owes something for more days than this.
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// The language of the words.
        #[arg(long, default_value = "en")]
        language: Language,
    },
    /// Reminds somebody: their device hears it; else the words are to be read or sent by hand.
    Remind {
        #[command(flatten)]
        one: One,
        /// What to say; the usual words if left out.
        #[arg(long, default_value = "")]
        words: String,
        /// The language of the usual words.
        #[arg(long, default_value = "en")]
        language: Language,
    },
    /// Writes the statement of a book as a PDF, or as a `.csv` file.
    Statement {
        #[command(flatten)]
        one: One,
        /// Where to.
        file: PathBuf,
        /// The first day, such as `2026-11-01`; from the beginning if left out.
        #[arg(long)]
        from: Option<Day>,
        /// The last day.
        #[arg(long)]
        until: Option<Day>,
        /// The language of the words on it.
        #[arg(long, default_value = "en")]
        language: Language,
    },
}

/// A book.
#[derive(clap::Args)]
struct One {
    #[command(flatten)]
    data: Data,
    /// Which: its id, its holder's account or key, or a name that only one person has.
    khata: String,
}

/// A book and a sum.
#[derive(clap::Args)]
struct Sum {
    #[command(flatten)]
    one: One,
    /// How much, such as `100.00`.
    amount: String,
}

impl Khata {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        match self.what {
            KhataCommand::List { data } => list(&with(data).shop()?),
            KhataCommand::Open { data, limit, opening, name, phone, holder } => {
                let shop = with(data).shop()?;
                let (limit, opening) = (money(&shop, &limit)?, money(&shop, &opening)?);
                let holder = holder.as_deref().map(party).transpose()?;
                let new = NewKhata { holder, name, phone, limit, opening };
                let view = shop.open_khata(None, new, None, clock::now(), &mut clock::rng())?;
                Ok(done(&shop, &view))
            }
            KhataCommand::Show(One { data, khata }) => show(&with(data).shop()?, &khata),
            KhataCommand::Order { data, order, khata, amount, over_limit: beyond } => {
                let shop = with(data).shop()?;
                let khata = khata.map(|named| find(&shop, &named)).transpose()?;
                let amount = amount.map(|text| money(&shop, &text)).transpose()?;
                orders::act(&shop, &order, Deed::OnKhata(OnCredit { khata, amount, beyond }))
            }
            KhataCommand::Sell { data, khata, lines, over_limit } => {
                let shop = with(data).shop()?;
                let (rung, id) = (counter::rung(&shop, &lines)?, find(&shop, &khata)?);
                let by = shop.keys().node.id();
                let (now, rng) = (clock::now(), &mut clock::rng());
                let sold = shop.ring_up_on_khata(None, (rung, id, over_limit), by, now, rng)?;
                counter::receipt(&shop, &sold)
            }
            KhataCommand::Due { data, days, language } => {
                due(&with(data).shop()?, (days, language))
            }
            KhataCommand::Remind { one, words, language } => remind(one, words, language, with),
            KhataCommand::Statement { one, file, from, until, language } => {
                statement(one, &file, ((from, until), language), with)
            }
            writing => write(writing, with),
        }
    }
}

/// What is written into one book.
fn write(what: KhataCommand, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
    type Make = Box<dyn FnOnce(&Shop) -> Result<Writing, Failure>>;
    let (one, make): (One, Make) = match what {
        KhataCommand::Charge { of: Sum { one, amount }, words, over_limit: beyond } => {
            let make = move |shop: &Shop| {
                Ok(Writing::Charge { amount: money(shop, &amount)?, words, beyond })
            };
            (one, Box::new(make))
        }
        KhataCommand::Pay { of: Sum { one, amount }, by } => {
            let make = move |shop: &Shop| {
                Ok(Writing::Pay(money(shop, &amount)?, means(&by)?, String::new()))
            };
            (one, Box::new(make))
        }
        KhataCommand::PayOut { of: Sum { one, amount }, by } => {
            let make = move |shop: &Shop| {
                Ok(Writing::PayOut(money(shop, &amount)?, means(&by)?, String::new()))
            };
            (one, Box::new(make))
        }
        KhataCommand::Credit { of: Sum { one, amount }, words } => {
            (one, Box::new(move |shop| Ok(Writing::Credit(money(shop, &amount)?, words))))
        }
        KhataCommand::WriteOff { of: Sum { one, amount }, words } => {
            (one, Box::new(move |shop| Ok(Writing::WriteOff(money(shop, &amount)?, words))))
        }
        KhataCommand::Limit(Sum { one, amount }) => {
            (one, Box::new(move |shop| Ok(Writing::Limit(money(shop, &amount)?))))
        }
        KhataCommand::Link { one, holder } => {
            (one, Box::new(move |_| Ok(Writing::Claim(party(&holder)?))))
        }
        KhataCommand::Close(one) => (one, Box::new(|_| Ok(Writing::Close))),
        KhataCommand::GoOn(one) => (one, Box::new(|_| Ok(Writing::GoOn))),
        KhataCommand::Join(one) => (one, Box::new(|_| Ok(Writing::Join))),
        KhataCommand::Forget(one) => (one, Box::new(|_| Ok(Writing::Forget))),
        _ => return Err(Failure::usage("nothing is to be written")),
    };
    let shop = with(one.data).shop()?;
    let (id, writing) = (find(&shop, &one.khata)?, make(&shop)?);
    let (now, rng) = (clock::now(), &mut clock::rng());
    let view = shop.write_khata(None, (id, writing), None, now, rng)?;
    Ok(done(&shop, &view))
}

fn list(shop: &Shop) -> Result<Done, Failure> {
    let (views, currency) = (shop.khatas()?, shop.identity().currency);
    let mut says: Vec<String> = views.iter().map(|view| line(view, currency)).collect();
    if says.is_empty() {
        says.push("There is no khata yet: see `kirana-shop khata open --help`.".to_owned());
    }
    Ok(Done::new(says.join("\n"), all(&views, currency)))
}

fn show(shop: &Shop, named: &str) -> Result<Done, Failure> {
    let book = shop.khata(find(shop, named)?)?;
    let currency = shop.identity().currency;
    let mut says = vec![line(&book.view, currency)];
    for entry in &book.entries {
        let words = entry.words.as_deref().map(plain).unwrap_or_default();
        let shown = &entry.shown;
        says.push(format!("  {} {} {} → {}", shown.at, shown.kind, words, shown.balance));
    }
    if book.lost > 0 {
        says.push(format!("  {} entries of an older box do not count any more.", book.lost));
    }
    Ok(Done::new(says.join("\n"), with_entries(&book, currency)))
}

fn due(shop: &Shop, (days, language): (u32, Language)) -> Result<Done, Failure> {
    let due = shop.khata_dues(days, language, clock::now())?;
    let mut says: Vec<String> = due.iter().map(|due| plain(&due.says)).collect();
    if says.is_empty() {
        says.push("Nobody has to be reminded.".to_owned());
    }
    Ok(Done::new(says.join("\n"), of_due(&due, shop.identity().currency)))
}

fn remind(
    one: One,
    words: String,
    language: Language,
    with: impl Fn(Data) -> Home,
) -> Result<Done, Failure> {
    let shop = with(one.data).shop()?;
    let id = find(&shop, &one.khata)?;
    let (now, rng) = (clock::now(), &mut clock::rng());
    let (view, says) = shop.remind_khata(None, (id, &words, language), None, now, rng)?;
    let by_device = view.by_device;
    let how = if by_device { "Their device will hear:" } else { "To be read or sent by hand:" };
    let mut item = shown(&view, shop.identity().currency);
    item["says"] = json!(says);
    item["by_device"] = json!(by_device);
    Ok(Done::new(format!("{how} {}", plain(&says)), item))
}

type Days = (Option<Day>, Option<Day>);

fn statement(
    one: One,
    file: &std::path::Path,
    (days, language): (Days, Language),
    with: impl Fn(Data) -> Home,
) -> Result<Done, Failure> {
    let shop = with(one.data).shop()?;
    let id = find(&shop, &one.khata)?;
    let is_table = file.extension().is_some_and(|ending| ending == "csv");
    let bytes = match is_table {
        true => shop.khata_file(id, days)?,
        false => shop.print_khata(id, days, language, &Fonts::built_in())?.pdf,
    };
    std::fs::write(file, bytes)
        .map_err(|why| Failure::of(format!("{} cannot be written: {why}", file.display())))?;
    Ok(Done::new(format!("Written to {}.", file.display()), json!({ "file": file })))
}

fn done(shop: &Shop, view: &KhataView) -> Done {
    let currency = shop.identity().currency;
    Done::new(line(view, currency), shown(view, currency))
}

fn line(view: &KhataView, currency: Currency) -> String {
    let (row, money) = (&view.row, |minor| Money::new(minor, currency));
    let name = view.person.as_ref().map(|person| plain(&person.name)).unwrap_or_default();
    let name = match (name.is_empty(), row.holder) {
        (false, _) => name,
        (true, Some(holder)) => holder.to_string(),
        (true, None) => "(forgotten)".to_owned(),
    };
    let mut says = format!("{}  {name}: {} of {}", row.id, money(row.balance), money(row.limit));
    let notes = [
        (!row.is_open).then(|| "closed".to_owned()),
        view.is_over().then(|| "over the limit".to_owned()),
        (view.held > 0).then(|| format!("{} kept for orders", money(view.held))),
        row.dues.oldest().map(|at| format!("oldest of {at}")),
        row.signed.map(|(at, ..)| format!("countersigned at {at}")),
        row.disputed_at.map(|at| format!("not agreed at {at}")),
        row.waits_for_heads.then(|| "waits for its holder's device".to_owned()),
        row.aside.then(|| "a second one of this customer: `khata join`".to_owned()),
    ];
    for note in notes.into_iter().flatten() {
        says.push_str(", ");
        says.push_str(&note);
    }
    says
}

/// A book by its id or holder, or by a name that only one person has.
pub(super) fn find(shop: &Shop, named: &str) -> Result<kirana_core::id::KhataId, Failure> {
    match shop.find_khata(named) {
        Err(NotWritten::Unknown) => {}
        found => return Ok(found?),
    }
    let views = shop.khatas()?.into_iter().filter(|view| {
        let name = view.person.as_ref().map(|person| person.name.to_lowercase());
        view.row.is_open && name.is_some_and(|name| name == named.trim().to_lowercase())
    });
    match &views.collect::<Vec<_>>()[..] {
        [one] => Ok(one.row.id),
        [] => Err(NotWritten::Unknown.into()),
        _ => Err(Failure::of(format!("several people are called «{named}»: name the khata's id"))),
    }
}

fn party(text: &str) -> Result<Party, Failure> {
    let account = text.parse::<AccountId>().ok().map(Party::Account);
    let holder = account.or_else(|| text.parse::<KeyId>().ok().map(Party::Guest));
    holder.ok_or_else(|| Failure::usage(format!("«{text}» is no account and no device's key")))
}

fn means(text: &str) -> Result<Means, Failure> {
    let means = Means::from_label(text).filter(|means| *means != Means::Khata);
    means.ok_or_else(|| Failure::usage(format!("«{text}» is none of cash, upi, card")))
}

fn money(shop: &Shop, text: &str) -> Result<Money, Failure> {
    let currency = shop.identity().currency;
    let (text, sign) = match text.strip_prefix('-') {
        Some(rest) => (rest, -1),
        None => (text, 1),
    };
    let minor = price(text, Locale::INDIAN, currency);
    let minor = minor.map_err(|_| Failure::usage(format!("«{text}» is no amount of money")))?;
    Ok(Money::new(sign * minor, currency))
}

/// What somebody wrote, without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<NotWritten> for Failure {
    fn from(why: NotWritten) -> Self {
        Self { code: 1, name: "not-written", says: why.to_string() }
    }
}

impl From<NotPrinted> for Failure {
    fn from(why: NotPrinted) -> Self {
        Self { code: 1, name: "not-printed", says: why.to_string() }
    }
}
