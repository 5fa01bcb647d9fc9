//! `orders`, what may still become of one: something else in a line's place, a question, less on the shelf,
//! goods and money that come back, a complaint's answer, and its invoices.

use std::path::PathBuf;

use kirana_core::{
    catalogue::product::Language,
    money::Money,
    order::facts::{BackLine, Means, Remedy, ReturnReason, Settlement},
};
use kirana_paper::fonts::Fonts;
use serde_json::json;

use super::{
    Data, Done, Failure, counter,
    orders::{act, find, known},
};
use crate::{
    app::{
        Shop,
        import::{Locale, price},
        orders::Deed,
        packing::{ANSWER_MINUTES, Swap},
    },
    home::Home,
};

/// An order.
#[derive(clap::Args)]
pub(super) struct Of {
    #[command(flatten)]
    data: Data,
    /// Its short number, such as `KR 4271-3`, or its id.
    order: String,
}

#[derive(clap::Subcommand)]
pub(super) enum Afterwards {
    /// Something else comes in the place of lines, as the customer allowed.
    Substitute {
        #[command(flatten)]
        of: Of,
        /// What comes: `LINE:WHAT=AMOUNT`, the line by its place from 0, the rest as for `sell`.
        #[arg(required = true)]
        swaps: Vec<String>,
    },
    /// Asks the customer whether something else may come.
    Ask {
        #[command(flatten)]
        of: Of,
        /// What could come: `LINE:WHAT=AMOUNT`, the line by its place from 0, the rest as for `sell`.
        #[arg(required = true)]
        swaps: Vec<String>,
        /// How long the customer has to answer.
        #[arg(long, default_value_t = ANSWER_MINUTES)]
        minutes: u32,
    },
    /// Less of a line is on the shelf than is kept for it.
    Short {
        #[command(flatten)]
        of: Of,
        /// Which line, by its place from 0.
        line: u16,
        /// How much was found, in base units.
        #[arg(long, default_value_t = 0)]
        found: u64,
    },
    /// The customer brings goods back.
    TakeBack {
        #[command(flatten)]
        of: Of,
        /// What: `LINE=AMOUNT`, the line by its place from 0, the amount in base units.
        #[arg(required = true)]
        lines: Vec<String>,
        /// Why, such as `faulty`.
        #[arg(long, default_value = "faulty")]
        reason: String,
        /// It can be sold again.
        #[arg(long)]
        sellable: bool,
    },
    /// Gives money back.
    Refund {
        #[command(flatten)]
        of: Of,
        /// How much, such as `180.00`.
        amount: String,
        /// `cash`, `upi` or `card`, or `khata` where the order stands there.
        #[arg(long, default_value = "cash")]
        by: String,
    },
    /// Answers a complaint, with an offer or without; with `--settled` that is its end.
    Answer {
        #[command(flatten)]
        of: Of,
        /// What to say.
        #[arg(long)]
        message: Option<String>,
        /// What the shop offers: `cleared_up`, `refund`, `replacement` or `rejected`.
        #[arg(long)]
        remedy: Option<String>,
        /// How much money, for a refund.
        #[arg(long)]
        amount: Option<String>,
        /// The complaint ends with that.
        #[arg(long, requires = "remedy")]
        settled: bool,
    },
    /// Lists the invoice and the credit notes of an order, and writes them as PDFs into a folder.
    Invoices {
        #[command(flatten)]
        of: Of,
        /// Where to; they are only listed if left out.
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
        /// The language of the words on it.
        #[arg(long, default_value = "en")]
        language: Language,
    },
}

impl Afterwards {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        type Make = Box<dyn FnOnce(&Shop) -> Result<Deed, Failure>>;
        let (of, make): (Of, Make) = match self {
            Self::Substitute { of, swaps } => {
                (of, Box::new(move |shop| Ok(Deed::Substitute(read(shop, &swaps)?))))
            }
            Self::Ask { of, swaps, minutes } => {
                let group = 0;
                let ask =
                    move |shop: &Shop| Ok(Deed::Ask { group, swaps: read(shop, &swaps)?, minutes });
                (of, Box::new(ask))
            }
            Self::Short { of, line, found } => {
                (of, Box::new(move |_| Ok(Deed::Miss { line, found })))
            }
            Self::TakeBack { of, lines, reason, sellable } => {
                let back = move |_: &Shop| {
                    let lines = lines.iter().map(|text| back(text, sellable));
                    let why = known(Some(&reason), ReturnReason::from_label, ReturnReason::Faulty)?;
                    Ok(Deed::TakeBack(lines.collect::<Result<_, _>>()?, why))
                };
                (of, Box::new(back))
            }
            Self::Refund { of, amount, by } => {
                let refund = move |shop: &Shop| {
                    let means = known(Some(&by), Means::from_label, Means::Cash)?;
                    Ok(Deed::Refund(money(shop, &amount)?, means))
                };
                (of, Box::new(refund))
            }
            Self::Answer { of, message, remedy, amount, settled } => {
                let says = message;
                let answer = move |shop: &Shop| answered(shop, says, (remedy, amount, settled));
                (of, Box::new(answer))
            }
            Self::Invoices { of, to, language } => {
                return invoices(&with(of.data).shop()?, &of.order, to, language);
            }
        };
        let shop = with(of.data).shop()?;
        let deed = make(&shop)?;
        act(&shop, &of.order, deed)
    }
}

fn answered(
    shop: &Shop,
    says: Option<String>,
    (remedy, amount, settled): (Option<String>, Option<String>, bool),
) -> Result<Deed, Failure> {
    let amount = amount.map(|text| money(shop, &text)).transpose()?;
    let remedy = remedy.map(|label| known(Some(&label), Remedy::from_label, Remedy::ClearedUp));
    let offer = remedy.transpose()?.map(|remedy| Settlement { remedy, amount });
    match (settled, offer) {
        (false, offer) => Ok(Deed::AnswerComplaint { says, offer }),
        (true, Some(settlement)) => Ok(Deed::SettleComplaint { says, settlement }),
        (true, None) => Err(Failure::usage("--settled needs --remedy")),
    }
}

fn invoices(
    shop: &Shop,
    order: &str,
    to: Option<PathBuf>,
    language: Language,
) -> Result<Done, Failure> {
    let documents = shop.documents(find(shop, order)?)?;
    let (mut says, mut shown) = (Vec::new(), Vec::new());
    for issued in documents {
        let mut item = json!({ "number": issued.number.to_string(), "at": issued.at });
        let mut line = format!("{}  {}", issued.number, issued.at);
        if let Some(folder) = &to {
            let how = (kirana_paper::invoice::Form::A4, language);
            let printed = shop.print_document(issued.number, how, &Fonts::built_in());
            let name = issued.number.to_string().replace(['/', '\\'], "-");
            let file = folder.join(format!("{name}.pdf"));
            std::fs::write(&file, printed.map_err(Failure::of)?.pdf).map_err(|why| {
                Failure::of(format!("{} cannot be written: {why}", file.display()))
            })?;
            line.push_str(&format!("  {}", file.display()));
            item["file"] = json!(file);
        }
        says.push(line);
        shown.push(item);
    }
    if says.is_empty() {
        says.push("Nothing was issued for it yet.".to_owned());
    }
    Ok(Done::new(says.join("\n"), json!({ "items": shown })))
}

fn read(shop: &Shop, swaps: &[String]) -> Result<Vec<Swap>, Failure> {
    let one = |text: &String| {
        let wrong = || Failure::usage(format!("«{text}» is not LINE:WHAT=AMOUNT"));
        let (line, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (what, amount) = rest.rsplit_once('=').ok_or_else(wrong)?;
        let line = line.trim().parse().map_err(|_| wrong())?;
        let (variant, _, amount) = counter::wanted(shop, what, amount)?;
        Ok(Swap { line, variant, amount })
    };
    swaps.iter().map(one).collect()
}

fn back(text: &str, sellable: bool) -> Result<BackLine, Failure> {
    let wrong = || Failure::usage(format!("«{text}» is not LINE=AMOUNT"));
    let (line, amount) = text.split_once('=').ok_or_else(wrong)?;
    let line = line.trim().parse().map_err(|_| wrong())?;
    let amount = amount.trim().parse().map_err(|_| wrong())?;
    Ok(BackLine { line, amount, sellable })
}

fn money(shop: &Shop, text: &str) -> Result<Money, Failure> {
    let currency = shop.identity().currency;
    let minor = price(text, Locale::INDIAN, currency);
    let minor = minor.map_err(|_| Failure::usage(format!("«{text}» is no amount of money")))?;
    Ok(Money::new(minor, currency))
}
