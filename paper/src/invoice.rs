//! Tax invoices and credit notes on A4, and the same as a receipt on an 80 mm roll.
//!
//! **Invariant:** every amount but the sums is given, never computed here, and the sums are of what
//! is printed; a document of two currencies is not printed at all.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    money::{Money, MoneyError},
};

use crate::{
    amounts::written,
    fonts::{Fonts, Weight},
    labels::Printed,
    length::Length,
    page::{Page, Pages, Unwritable},
    setting::Setter,
    sheet::A4,
    table::{self, Column, Flow},
};

mod receipt;
mod words;

use words::Words;

/// Who sells or buys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// What they are called.
    pub name: String,
    /// Street, town, state; one line each.
    pub address: Vec<String>,
    /// Their number for the goods and services tax.
    pub gstin: Option<String>,
}

/// What is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// What was sold.
    TaxInvoice,
    /// What was taken back of it.
    CreditNote {
        /// The number of the invoice.
        of: String,
        /// Its day.
        dated: Day,
    },
}

/// The tax on a line: of the union and the state within one state, integrated between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tax {
    /// Half goes to the union, half to the state.
    Within {
        /// Of the union.
        cgst: Money,
        /// Of the state.
        sgst: Money,
    },
    /// All goes to the union, which hands it on.
    Between {
        /// The integrated tax.
        igst: Money,
    },
}

/// One kind of goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub name: String,
    /// Its class of the Harmonised System.
    pub hsn: Option<String>,
    /// How much, as people read it, such as `1.250 kg`.
    pub quantity: String,
    /// The price of one, as people read it, such as `₹60.00 / kg`.
    pub rate: String,
    /// What the tax is counted from.
    pub taxable: Money,
    /// The whole tax on it, in basis points.
    pub tax_bp: u32,
    /// The tax in it.
    pub tax: Tax,
}

/// A tax invoice or credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Which of them.
    pub kind: Kind,
    /// Its number, one after the other within a year.
    pub number: String,
    /// Its day.
    pub date: Day,
    /// Who sells.
    pub seller: Party,
    /// Who buys, where that is said.
    pub buyer: Option<Party>,
    /// The state to which the tax goes, where it has to be said.
    pub place_of_supply: Option<String>,
    /// What was sold, or taken back.
    pub items: Vec<Item>,
    /// What is added or taken off to come to a round sum.
    pub round_off: Option<Money>,
    /// Sentences below the sums.
    pub notes: Vec<String>,
    /// In which language.
    pub language: Language,
}

/// On what it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A4, as many pages as it takes.
    A4,
    /// A roll of 80 mm, one page as long as it takes.
    Roll,
}

/// Why nothing was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPrinted {
    /// There is nothing on it.
    #[error("an invoice has at least one line")]
    Nothing,
    /// More than one document has.
    #[error("an invoice has at most {ITEMS_MAX} lines, not {0}")]
    TooMany(usize),
    /// Some of the tax is within a state, some between two.
    #[error("an invoice is either within a state or between two")]
    TwoSupplies,
    /// Sums that cannot be.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// No PDF.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// The most lines of one document.
pub const ITEMS_MAX: usize = 2_000;

/// The sums of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum {
    taxable: Money,
    tax: Tax,
}

impl Sum {
    fn of(item: &Item) -> Self {
        Self { taxable: item.taxable, tax: item.tax }
    }

    fn plus(self, other: Self) -> Result<Self, NotPrinted> {
        let tax = match (self.tax, other.tax) {
            (Tax::Within { cgst, sgst }, Tax::Within { cgst: c, sgst: s }) => {
                Tax::Within { cgst: cgst.checked_add(c)?, sgst: sgst.checked_add(s)? }
            }
            (Tax::Between { igst }, Tax::Between { igst: i }) => {
                Tax::Between { igst: igst.checked_add(i)? }
            }
            _ => return Err(NotPrinted::TwoSupplies),
        };
        Ok(Self { taxable: self.taxable.checked_add(other.taxable)?, tax })
    }

    fn whole(self) -> Result<Money, MoneyError> {
        match self.tax {
            Tax::Within { cgst, sgst } => self.taxable.checked_add(cgst)?.checked_add(sgst),
            Tax::Between { igst } => self.taxable.checked_add(igst),
        }
    }
}

/// An invoice whose sums are known.
struct Summed<'a> {
    invoice: &'a Invoice,
    words: &'static Words,
    by_rate: BTreeMap<u32, Sum>,
    all: Sum,
    to_pay: Money,
}

impl<'a> Summed<'a> {
    fn of(invoice: &'a Invoice) -> Result<Self, NotPrinted> {
        if invoice.items.len() > ITEMS_MAX {
            return Err(NotPrinted::TooMany(invoice.items.len()));
        }
        let (mut by_rate, mut all) = (BTreeMap::<u32, Sum>::new(), None::<Sum>);
        for item in &invoice.items {
            let one = Sum::of(item);
            all = Some(all.map_or(Ok(one), |sum| sum.plus(one))?);
            let of_rate = by_rate.get(&item.tax_bp).map_or(Ok(one), |sum| sum.plus(one))?;
            by_rate.insert(item.tax_bp, of_rate);
        }
        let all = all.ok_or(NotPrinted::Nothing)?;
        let whole = all.whole()?;
        let to_pay = invoice.round_off.map_or(Ok(whole), |part| whole.checked_add(part))?;
        Ok(Self { invoice, words: Words::of(invoice.language), by_rate, all, to_pay })
    }

    fn title(&self) -> &'static str {
        match self.invoice.kind {
            Kind::TaxInvoice => self.words.tax_invoice,
            Kind::CreditNote { .. } => self.words.credit_note,
        }
    }

    /// Number, day, and of a credit note the invoice that it is about.
    fn facts(&self) -> Vec<String> {
        let (Invoice { number, date, kind, .. }, words) = (self.invoice, self.words);
        let mut facts =
            vec![format!("{} {number}", words.number), format!("{} {}", words.date, day(*date))];
        if let Kind::CreditNote { of, dated } = kind {
            facts.push(format!("{} {of}, {}", words.against, day(*dated)));
        }
        if let Some(place) = &self.invoice.place_of_supply {
            facts.push(format!("{}: {place}", words.place_of_supply));
        }
        facts
    }

    /// Each sum with what it is, the last of them first to be seen.
    fn sums(&self) -> Vec<(String, Money)> {
        let mut sums = vec![(self.words.taxable.to_owned(), self.all.taxable)];
        sums.extend(taxes(self.all.tax).map(|(name, money)| (name.to_owned(), money)));
        if let Some(part) = self.invoice.round_off {
            sums.push((self.words.round_off.to_owned(), part));
        }
        let last = match self.invoice.kind {
            Kind::TaxInvoice => self.words.to_pay,
            Kind::CreditNote { .. } => self.words.credited,
        };
        sums.push((last.to_owned(), self.to_pay));
        sums
    }
}

/// Prints an invoice or credit note.
///
/// # Errors
/// [`NotPrinted`].
pub fn print(invoice: &Invoice, form: Form, fonts: &Fonts) -> Result<Printed, NotPrinted> {
    let summed = Summed::of(invoice)?;
    let mut setter = Setter::new(fonts);
    let sheets: Vec<Page> = match form {
        Form::A4 => on_a4(&summed, &mut setter)?,
        Form::Roll => vec![receipt::page(&summed, &mut setter)?],
    };
    let title = format!("{} {}", summed.title(), invoice.number);
    let mut pages = Pages::new(&title, invoice.language.as_str());
    sheets.iter().for_each(|page| pages.add(page));
    let (count, left_out) = (pages.count(), setter.left_out().clone());
    Ok(Printed { pdf: pages.finish()?, pages: count, left_out, without_barcode: Vec::new() })
}

fn on_a4(summed: &Summed<'_>, setter: &mut Setter<'_>) -> Result<Vec<Page>, NotPrinted> {
    let mut flow = Flow::new(A4, MARGIN);
    head(summed, setter, &mut flow);
    let rows = summed.invoice.items.iter().zip(1..).map(|(item, n)| row(item, n));
    let rows: Vec<Vec<String>> = rows.collect::<Result<_, _>>()?;
    table::put(&mut flow, setter, &columns(summed), &rows, TABLE_SIZE);
    rates(summed, setter, &mut flow)?;
    foot(summed, setter, &mut flow);
    let number = summed.invoice.number.clone();
    let page = summed.words.page;
    Ok(flow.finished(setter, |n, count| format!("{number} · {page} {n} / {count}")))
}

fn head(summed: &Summed<'_>, setter: &mut Setter<'_>, flow: &mut Flow) {
    let width = flow.width();
    flow.line(setter.line(summed.title(), Weight::Bold, TITLE_SIZE));
    let top = flow.y();
    let mut right = top;
    for fact in summed.facts() {
        let line = setter.cut(&fact, Weight::Regular, TEXT_SIZE, width / 2);
        let height = line.height();
        flow.at_the_right(right, line);
        right = right + height;
    }
    party(setter, flow, &summed.invoice.seller, (None, width / 2));
    if let Some(buyer) = &summed.invoice.buyer {
        let below = flow.y() + TEXT_SIZE / 2;
        flow.go_to(below);
        party(setter, flow, buyer, (Some(summed.words.buyer), width / 2));
    }
    let below = flow.y().max(right) + TEXT_SIZE;
    flow.go_to(below);
}

fn party(
    setter: &mut Setter<'_>,
    flow: &mut Flow,
    party: &Party,
    (role, width): (Option<&str>, Length),
) {
    let name = role.map_or(party.name.clone(), |role| format!("{role}: {}", party.name));
    let mut lines = setter.wrap(&name, Weight::Bold, TEXT_SIZE, (width, usize::MAX));
    for text in &party.address {
        lines.extend(setter.wrap(text, Weight::Regular, TEXT_SIZE, (width, usize::MAX)));
    }
    if let Some(gstin) = &party.gstin {
        lines.push(setter.line(&format!("GSTIN {gstin}"), Weight::Regular, TEXT_SIZE));
    }
    lines.into_iter().for_each(|line| flow.line(line));
}

fn columns(summed: &Summed<'_>) -> Vec<Column> {
    let words = summed.words;
    let column = |head: &str, mm: i32, is_amount: bool| Column {
        head: head.to_owned(),
        width: Length::mm(mm),
        is_amount,
    };
    let mut columns = vec![
        column("#", 8, false),
        column(words.goods, 48, false),
        column("HSN", 17, false),
        column(words.quantity, 18, true),
        column(words.rate, 22, true),
        column(words.taxable, 21, true),
    ];
    match summed.all.tax {
        Tax::Within { .. } => {
            columns.extend([column("CGST", 15, true), column("SGST", 15, true)]);
        }
        Tax::Between { .. } => columns.push(column("IGST", 30, true)),
    }
    columns.push(column(words.total, 22, true));
    columns
}

fn row(item: &Item, n: usize) -> Result<Vec<String>, NotPrinted> {
    let mut cells = vec![
        n.to_string(),
        format!("{} ({})", item.name, percent(item.tax_bp)),
        item.hsn.clone().unwrap_or_default(),
        item.quantity.clone(),
        item.rate.clone(),
        written(item.taxable),
    ];
    cells.extend(taxes(item.tax).map(|(_, money)| written(money)));
    cells.push(written(Sum::of(item).whole()?));
    Ok(cells)
}

/// The taxes of each rate.
fn rates(summed: &Summed<'_>, setter: &mut Setter<'_>, flow: &mut Flow) -> Result<(), NotPrinted> {
    let head = |head: &str, mm: i32| Column {
        head: head.to_owned(),
        width: Length::mm(mm),
        is_amount: true,
    };
    let mut columns = vec![head("GST", 20), head(summed.words.taxable, 32)];
    columns.extend(taxes(summed.all.tax).map(|(name, _)| head(name, 30)));
    columns.push(head(summed.words.total, 32));
    let mut rows = Vec::new();
    for (rate, sum) in &summed.by_rate {
        let mut cells = vec![percent(*rate), written(sum.taxable)];
        cells.extend(taxes(sum.tax).map(|(_, money)| written(money)));
        cells.push(written(sum.whole()?));
        rows.push(cells);
    }
    let below = flow.y() + TEXT_SIZE;
    flow.go_to(below);
    table::put(flow, setter, &columns, &rows, TABLE_SIZE);
    Ok(())
}

/// Sums, notes and the place for a signature; together on one page.
fn foot(summed: &Summed<'_>, setter: &mut Setter<'_>, flow: &mut Flow) {
    let (sums, width) = (summed.sums(), flow.width());
    let mut notes = Vec::new();
    for note in &summed.invoice.notes {
        notes.extend(setter.wrap(note, Weight::Regular, TEXT_SIZE, (width, usize::MAX)));
    }
    let lines = i32::try_from(sums.len() + notes.len() + 6).unwrap_or(i32::MAX);
    if !flow.has_room(TEXT_SIZE.percent(150) * lines) {
        flow.turn();
    }
    let last = sums.len() - 1;
    for (n, (name, money)) in sums.into_iter().enumerate() {
        let (weight, size) = match n == last {
            true => (Weight::Bold, TEXT_SIZE.percent(130)),
            false => (Weight::Regular, TEXT_SIZE),
        };
        let y = flow.y();
        let amount = setter.line(&written(money), weight, size);
        let below = y + amount.height();
        flow.at_the_right(y, amount);
        let name = setter.line(&name, weight, size);
        let x = flow.left() + width - SUMS_WIDTH;
        flow.page().text(x, y, name);
        flow.go_to(below);
    }
    for line in notes {
        if !flow.has_room(line.height()) {
            flow.turn();
        }
        flow.line(line);
    }
    let below = flow.y() + TEXT_SIZE * 4;
    let signature = setter.line(summed.words.signature, Weight::Regular, TEXT_SIZE);
    flow.at_the_right(below, signature);
}

/// The taxes by their names.
fn taxes(tax: Tax) -> impl Iterator<Item = (&'static str, Money)> {
    let (first, second) = match tax {
        Tax::Within { cgst, sgst } => (("CGST", cgst), Some(("SGST", sgst))),
        Tax::Between { igst } => (("IGST", igst), None),
    };
    std::iter::once(first).chain(second)
}

/// Basis points as a percentage: `5%`, `0.25%`.
fn percent(bp: u32) -> String {
    match bp % 100 {
        0 => format!("{}%", bp / 100),
        part => format!("{}%", format!("{}.{part:02}", bp / 100).trim_end_matches('0')),
    }
}

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
const SUMS_WIDTH: Length = Length::mm(80);
