//! A statement of account: what was taken on credit, what was paid, and the balance after each.
//!
//! **Invariant:** every amount is given, never computed here; the balance that is printed last is the one
//! that is given.

use kirana_core::{catalogue::product::Language, day::Day, money::Money};

use crate::{
    amounts::written,
    fonts::{Fonts, Weight},
    labels::Printed,
    length::Length,
    page::{Pages, Unwritable},
    setting::Setter,
    sheet::A4,
    table::{self, Column, Flow},
};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The book begins with what was owed before.
    Opened,
    /// What was owed before the first line.
    BroughtForward,
    /// Taken on credit.
    Charged,
    /// Paid.
    Paid,
    /// Taken off.
    Credited,
    /// Given up by the shop.
    WrittenOff,
    /// Paid back by the shop.
    PaidOut,
    /// The customer countersigned.
    Countersigned,
    /// The customer disagreed.
    Disputed,
    /// Something else, which moves nothing.
    Noted,
}

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its day.
    pub date: Day,
    /// What it is.
    pub kind: Kind,
    /// What it is for.
    pub about: String,
    /// What is owed more.
    pub more: Option<Money>,
    /// What is owed less.
    pub less: Option<Money>,
    /// What is owed after it.
    pub balance: Money,
}

/// A statement of account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The shop's name and address, one line each.
    pub shop: Vec<String>,
    /// Whose book it is, one line each.
    pub customer: Vec<String>,
    /// The book's name.
    pub number: String,
    /// The first and the last day.
    pub days: (Day, Day),
    /// Its lines, the oldest first.
    pub rows: Vec<Row>,
    /// What is owed at the end.
    pub balance: Money,
    /// What may be owed.
    pub limit: Money,
    /// When the customer countersigned last, and which balance.
    pub countersigned: Option<(Day, Money)>,
    /// In which language.
    pub language: Language,
}

/// Prints a statement on A4, with room for both signatures.
///
/// # Errors
/// [`Unwritable`] when no PDF can be made of it.
pub fn print(statement: &Statement, fonts: &Fonts) -> Result<Printed, Unwritable> {
    let words = Words::of(statement.language);
    let mut setter = Setter::new(fonts);
    let mut flow = Flow::new(A4, MARGIN);
    head(statement, words, &mut setter, &mut flow);
    let rows: Vec<Vec<String>> = statement.rows.iter().map(|row| cells(row, words)).collect();
    table::put(&mut flow, &mut setter, &columns(words), &rows, TABLE_SIZE);
    foot(statement, words, &mut setter, &mut flow);
    let (title, page) = (words.title, words.page);
    let sheets = flow.finished(&mut setter, |n, count| format!("{title} · {page} {n} / {count}"));
    let mut pages = Pages::new(title, statement.language.as_str());
    sheets.iter().for_each(|page| pages.add(page));
    let (count, left_out) = (pages.count(), setter.left_out().clone());
    Ok(Printed { pdf: pages.finish()?, pages: count, left_out, without_barcode: Vec::new() })
}

fn head(statement: &Statement, words: &Words, setter: &mut Setter<'_>, flow: &mut Flow) {
    let width = flow.width();
    flow.line(setter.line(words.title, Weight::Bold, TITLE_SIZE));
    let top = flow.y();
    let (from, until) = statement.days;
    let facts = [
        format!("{} {}", words.number, statement.number),
        format!("{} – {}", day(from), day(until)),
        format!("{} {}", words.limit, written(statement.limit)),
    ];
    let mut right = top;
    for fact in facts {
        let line = setter.cut(&fact, Weight::Regular, TEXT_SIZE, width / 2);
        let height = line.height();
        flow.at_the_right(right, line);
        right = right + height;
    }
    for (n, text) in statement.shop.iter().enumerate() {
        let weight = if n == 0 { Weight::Bold } else { Weight::Regular };
        let lines = setter.wrap(text, weight, TEXT_SIZE, (width / 2, usize::MAX));
        lines.into_iter().for_each(|line| flow.line(line));
    }
    let below = flow.y() + TEXT_SIZE / 2;
    flow.go_to(below);
    for (n, text) in statement.customer.iter().enumerate() {
        let text = if n == 0 { format!("{}: {text}", words.customer) } else { text.clone() };
        let lines = setter.wrap(&text, Weight::Regular, TEXT_SIZE, (width / 2, usize::MAX));
        lines.into_iter().for_each(|line| flow.line(line));
    }
    let below = flow.y().max(right) + TEXT_SIZE;
    flow.go_to(below);
}

fn columns(words: &Words) -> Vec<Column> {
    let column = |head: &str, mm: i32, is_amount: bool| Column {
        head: head.to_owned(),
        width: Length::mm(mm),
        is_amount,
    };
    vec![
        column(words.date, 24, false),
        column(words.what, 82, false),
        column(words.more, 26, true),
        column(words.less, 26, true),
        column(words.balance, 28, true),
    ]
}

fn cells(row: &Row, words: &Words) -> Vec<String> {
    let about = match row.about.as_str() {
        "" => words.kind(row.kind).to_owned(),
        about => format!("{}: {about}", words.kind(row.kind)),
    };
    let amount = |money: Option<Money>| money.map(written).unwrap_or_default();
    vec![day(row.date), about, amount(row.more), amount(row.less), written(row.balance)]
}

/// The balance and the places for signatures; together on one page.
fn foot(statement: &Statement, words: &Words, setter: &mut Setter<'_>, flow: &mut Flow) {
    if !flow.has_room(TEXT_SIZE * 14) {
        flow.turn();
    }
    let below = flow.y() + TEXT_SIZE;
    flow.go_to(below);
    let says = format!("{} {}", words.owed, written(statement.balance));
    flow.line(setter.line(&says, Weight::Bold, TEXT_SIZE.percent(130)));
    if let Some((at, balance)) = statement.countersigned {
        let says = format!("{} {}: {}", words.countersigned, day(at), written(balance));
        flow.line(setter.line(&says, Weight::Regular, TEXT_SIZE));
    }
    let below = flow.y() + TEXT_SIZE * 5;
    flow.go_to(below);
    let customer = setter.line(words.by_customer, Weight::Regular, TEXT_SIZE);
    let shop = setter.line(words.by_shop, Weight::Regular, TEXT_SIZE);
    flow.at_the_right(below, shop);
    flow.line(customer);
}

struct Words {
    title: &'static str,
    number: &'static str,
    limit: &'static str,
    customer: &'static str,
    date: &'static str,
    what: &'static str,
    more: &'static str,
    less: &'static str,
    balance: &'static str,
    owed: &'static str,
    countersigned: &'static str,
    by_customer: &'static str,
    by_shop: &'static str,
    page: &'static str,
    kinds: [&'static str; 10],
}

impl Words {
    fn of(language: Language) -> &'static Self {
        if language == Language::HINDI { &HINDI } else { &ENGLISH }
    }

    fn kind(&self, kind: Kind) -> &'static str {
        let place = match kind {
            Kind::Opened => 0,
            Kind::BroughtForward => 1,
            Kind::Charged => 2,
            Kind::Paid => 3,
            Kind::Credited => 4,
            Kind::WrittenOff => 5,
            Kind::PaidOut => 6,
            Kind::Countersigned => 7,
            Kind::Disputed => 8,
            Kind::Noted => 9,
        };
        self.kinds[place]
    }
}

const ENGLISH: Words = Words {
    title: "Khata statement",
    number: "No.",
    limit: "Limit",
    customer: "Customer",
    date: "Date",
    what: "What",
    more: "Taken",
    less: "Paid",
    balance: "Balance",
    owed: "Balance:",
    countersigned: "Countersigned on",
    by_customer: "Customer's signature",
    by_shop: "For the shop",
    page: "Page",
    kinds: [
        "Owed before",
        "Brought forward",
        "Taken",
        "Paid",
        "Taken off",
        "Given up",
        "Paid back",
        "Countersigned",
        "Not agreed",
        "Noted",
    ],
};

const HINDI: Words = Words {
    title: "खाता विवरण",
    number: "सं.",
    limit: "सीमा",
    customer: "ग्राहक",
    date: "दिनांक",
    what: "विवरण",
    more: "उधार",
    less: "जमा",
    balance: "बाकी",
    owed: "कुल बाकी:",
    countersigned: "ग्राहक ने माना",
    by_customer: "ग्राहक के हस्ताक्षर",
    by_shop: "दुकान की ओर से",
    page: "पृष्ठ",
    kinds: [
        "पुराना बाकी",
        "पिछला बाकी",
        "उधार",
        "जमा",
        "घटाया",
        "छोड़ा",
        "लौटाया",
        "ग्राहक ने माना",
        "ग्राहक असहमत",
        "टिप्पणी",
    ],
};

/// Day, month and year, as is usual in India.
fn day(day: Day) -> String {
    let iso = day.to_string();
    let mut parts: Vec<&str> = iso.split('-').collect();
    parts.reverse();
    parts.join("-")
}

const MARGIN: Length = Length::mm(12);
const TITLE_SIZE: Length = Length::um(6_000);
const TEXT_SIZE: Length = Length::um(3_300);
const TABLE_SIZE: Length = Length::um(2_700);

#[cfg(test)]
mod tests {
    use kirana_core::money::Currency;

    use super::*;

    fn statement(language: Language, rows: usize) -> Statement {
        let money = |minor| Money::new(minor, Currency::INR);
        let date: Day = "2026-11-27".parse().expect("a day");
        let row = |n: usize| Row {
            date,
            kind: Kind::Charged,
            about: format!("two packs of milk, {n}"),
            more: Some(money(5_400)),
            less: None,
            balance: money(5_400 * n as i64),
        };
        Statement {
            shop: vec!["Asha Stores".to_owned(), "14 Second Cross Street".to_owned()],
            customer: vec!["मीना".to_owned(), "98450 00000".to_owned()],
            number: "khata".to_owned(),
            days: (date, date),
            rows: (1..=rows).map(row).collect(),
            balance: money(5_400 * rows as i64),
            limit: money(500_000),
            countersigned: Some((date, money(5_400))),
            language,
        }
    }

    #[test]
    fn a_statement_is_printed_in_both_languages_and_leaves_nothing_out() {
        for language in [Language::ENGLISH, Language::HINDI] {
            let printed = print(&statement(language, 3), &Fonts::built_in()).expect("it prints");
            assert!(printed.pdf.starts_with(b"%PDF-"));
            assert!(printed.left_out.is_empty(), "{:?}", printed.left_out);
            assert_eq!(printed.pages, 1);
        }
    }

    #[test]
    fn a_long_statement_goes_on_from_page_to_page() {
        let printed = print(&statement(Language::ENGLISH, 400), &Fonts::built_in());
        assert!(printed.expect("it prints").pages > 3);
    }

    #[test]
    fn a_book_without_entries_in_these_days_is_a_page_with_its_balance() {
        let printed = print(&statement(Language::ENGLISH, 0), &Fonts::built_in());
        assert_eq!(printed.expect("it prints").pages, 1);
    }
}
