//! A book as a statement: on paper to be signed by hand, or as a file for a spreadsheet.

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    id::KhataId,
    khata::act::{Act, Of},
    money::Money,
};
use kirana_migrations::StoreError;
use kirana_paper::{
    account::{self, Kind, Row, Statement},
    fonts::Fonts,
    labels::Printed,
    page::Unwritable,
};

use super::{EntryView, KhataBook, NotWritten};
use crate::{
    app::{Shop, cells::defused},
    store::orders,
};

/// Why a statement was not printed.
#[derive(Debug, thiserror::Error)]
pub enum NotPrinted {
    /// There is no such book, or it cannot be read.
    #[error(transparent)]
    NotShown(#[from] NotWritten),
    /// No PDF.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// No file.
    #[error("the file cannot be written: {0}")]
    File(#[from] csv::Error),
}

impl From<StoreError> for NotPrinted {
    fn from(error: StoreError) -> Self {
        Self::NotShown(error.into())
    }
}

impl Shop {
    /// The statement of a book over some days; from its beginning where no first day is given.
    ///
    /// # Errors
    /// [`NotPrinted`].
    pub fn khata_statement(
        &self,
        id: KhataId,
        (from, until): (Option<Day>, Option<Day>),
        language: Language,
    ) -> Result<Statement, NotPrinted> {
        let book = self.khata(id)?;
        let currency = self.identity().currency;
        let day = |entry: &EntryView| self.day_of(entry.shown.at);
        let first = book.entries.first().map(&day).unwrap_or_default();
        let last = book.entries.last().map(&day).unwrap_or_default();
        let days = (from.unwrap_or(first), until.unwrap_or(last.max(first)));
        let before = book.entries.iter().take_while(|entry| day(entry) < days.0).last();
        let mut rows = Vec::new();
        if let Some(before) = before {
            let (kind, balance) = (Kind::BroughtForward, before.shown.balance);
            let (about, more, less) = (String::new(), None, None);
            rows.push(Row { date: days.0, kind, about, more, less, balance });
        }
        let mut balance = before.map_or(Money::zero(currency), |before| before.shown.balance);
        for entry in book.entries.iter().filter(|e| day(e) >= days.0 && day(e) <= days.1) {
            balance = entry.shown.balance;
            rows.push(self.row(entry, day(entry))?);
        }
        let view = &book.view;
        let signed = view.row.signed;
        let seller = self.seller()?;
        Ok(Statement {
            shop: std::iter::once(seller.name).chain(seller.address).collect(),
            customer: customer(&book),
            number: id.to_string(),
            days,
            rows,
            balance,
            limit: Money::new(view.row.limit, currency),
            countersigned: signed
                .map(|(at, _, minor)| (self.day_of(at), Money::new(minor, currency))),
            language,
        })
    }

    /// The statement as a PDF.
    ///
    /// # Errors
    /// [`NotPrinted`].
    pub fn print_khata(
        &self,
        id: KhataId,
        days: (Option<Day>, Option<Day>),
        language: Language,
        fonts: &Fonts,
    ) -> Result<Printed, NotPrinted> {
        Ok(account::print(&self.khata_statement(id, days, language)?, fonts)?)
    }

    /// The statement as a file for a spreadsheet.
    ///
    /// # Errors
    /// [`NotPrinted`].
    pub fn khata_file(
        &self,
        id: KhataId,
        days: (Option<Day>, Option<Day>),
    ) -> Result<Vec<u8>, NotPrinted> {
        let statement = self.khata_statement(id, days, Language::ENGLISH)?;
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["date", "what", "about", "taken", "paid", "balance", "currency"])?;
        let decimals = self.identity().currency.decimals();
        let amount = |money: Option<Money>| match money {
            Some(money) => decimal(money.minor, decimals),
            None => String::new(),
        };
        for row in &statement.rows {
            let what = format!("{:?}", row.kind);
            writer.write_record([
                row.date.to_string(),
                what,
                defused(row.about.clone()),
                amount(row.more),
                amount(row.less),
                decimal(row.balance.minor, decimals),
                row.balance.currency.to_string(),
            ])?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()).into())
    }

    fn row(&self, entry: &EntryView, date: Day) -> Result<Row, StoreError> {
        let balance = entry.shown.balance;
        let words = entry.words.clone().unwrap_or_default();
        let (kind, more, less) = match &entry.shown.act {
            Act::Opened(opened) => (Kind::Opened, Some(opened.opening), None),
            Act::Charged(charged) => (Kind::Charged, Some(charged.amount), None),
            Act::Paid(paid) => (Kind::Paid, None, Some(paid.amount)),
            Act::Credited(credited) => (Kind::Credited, None, Some(credited.amount)),
            Act::WrittenOff(given_up) => (Kind::WrittenOff, None, Some(given_up.amount)),
            Act::PaidOut(out) => (Kind::PaidOut, Some(out.amount), None),
            Act::Countersigned(_) => (Kind::Countersigned, None, None),
            Act::Disputed(_) => (Kind::Disputed, None, None),
            _ => (Kind::Noted, None, None),
        };
        let about = match &entry.shown.act {
            Act::LimitSet(set) => format!("limit {}", set.limit),
            Act::Closed(_) => "closed".to_owned(),
            Act::Claimed(_) => "a device was linked".to_owned(),
            Act::Reminded(_) => "reminded".to_owned(),
            Act::Paid(moved) | Act::PaidOut(moved) if words.is_empty() => moved.means.to_string(),
            act => match act.of() {
                Some(Of::Order { order, .. }) => self.number_of(order)?,
                Some(Of::Sale { movement }) => format!("counter sale {movement}"),
                None => words,
            },
        };
        Ok(Row { date, kind, about, more, less, balance })
    }

    fn number_of(&self, order: kirana_core::id::OrderId) -> Result<String, StoreError> {
        let rows = self.reader().read(|c| orders::by_id(c, order))?;
        Ok(rows.into_iter().next().map_or_else(|| order.to_string(), |row| row.number))
    }
}

fn customer(book: &KhataBook) -> Vec<String> {
    match &book.view.person {
        Some(person) => {
            let lines = [person.name.clone(), person.phone.clone()];
            lines.into_iter().filter(|line| !line.is_empty()).collect()
        }
        None => book.view.row.holder.iter().map(ToString::to_string).collect(),
    }
}

/// Minor units with a point: `-45.00`.
fn decimal(minor: i64, decimals: u32) -> String {
    let whole = 10_u64.pow(decimals);
    let sign = if minor < 0 { "-" } else { "" };
    let (all, digits) = (minor.unsigned_abs(), decimals as usize);
    match digits {
        0 => format!("{sign}{all}"),
        _ => format!("{sign}{}.{:0digits$}", all / whole, all % whole),
    }
}
