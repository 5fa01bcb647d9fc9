//! Tax invoices and credit notes: numbered when an order is completed or money of it goes back.
//!
//! **Invariant:** what is due at completion is what the invoice says, to the last minor unit, and what
//! was paid back after it is what the credit notes say; a document never changes once it has a number.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    hash::Hash,
    money::{Currency, Money, MoneyError, Price, tax_within},
    order::{Order, chain::Chain, entry::Body, step, totals::Totals},
    quantity::{Quantity, Unit},
};
use kirana_migrations::{StoreError, catalogue, rusqlite::Connection};
use kirana_paper::{
    amounts::written,
    fonts::Fonts,
    invoice::{self, Form, Invoice, Item, NotPrinted, Tax},
    labels::Printed,
};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{
    Shop,
    desk::Desk,
    orders::{self, NotDone, Which},
};
pub use crate::store::invoices::{Issued, NotANumber, Number, Series};
use crate::store::{
    invoices,
    orders::{OrderRow, by_number},
    settings::{self, Setting},
};

/// Who sells, as it stands on invoices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// The legal name; the shop's own if it is empty.
    #[n(0)]
    #[serde(default)]
    pub name: String,
    /// Street, town, state; a line each.
    #[n(1)]
    #[serde(default)]
    pub address: Vec<String>,
    /// The number for the goods and services tax, where the seller has one.
    #[n(2)]
    #[serde(default)]
    pub gstin: Option<String>,
}

/// What stands on a document, as it was when it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// In which currency.
    pub currency: String,
    /// What was sold or taken back.
    pub lines: Vec<FactLine>,
    /// The number of the invoice that a credit note is about, and its day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<(String, String)>,
}

/// One line; money is in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactLine {
    /// What it is called.
    pub name: String,
    /// Its class of the Harmonised System.
    pub hsn: Option<String>,
    /// How much, as people read it.
    pub quantity: String,
    /// The price of one, as people read it.
    pub rate: String,
    /// What the tax is counted from.
    pub taxable: i64,
    /// The whole tax, in basis points.
    pub tax_bp: u32,
    /// The tax on it.
    pub tax: i64,
}

/// Why a document is not shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// There is none.
    #[error("there is no such document: an invoice is numbered when its order is completed")]
    Unknown,
    /// The order is not there.
    #[error(transparent)]
    Order(#[from] NotDone),
    /// No PDF.
    #[error(transparent)]
    NotPrinted(#[from] NotPrinted),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A seller that cannot stand on an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASeller {
    /// Too long, or unreadable.
    #[error("a name and up to six lines of address, each of at most 120 characters")]
    Text,
    /// No GSTIN.
    #[error("a GSTIN has 15 characters, the last of which is worked out from the others")]
    Gstin,
}

impl Seller {
    /// Checks what an owner typed.
    ///
    /// # Errors
    /// [`NotASeller`].
    pub fn check(&self) -> Result<(), NotASeller> {
        let unfit =
            |text: &String| text.chars().count() > 120 || text.chars().any(char::is_control);
        if self.address.len() > 6 || self.address.iter().chain([&self.name]).any(unfit) {
            return Err(NotASeller::Text);
        }
        match &self.gstin {
            Some(gstin) if !is_gstin(gstin) => Err(NotASeller::Gstin),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a GSTIN: state, PAN, count, `Z`, and a check character by a weighted sum modulo
/// 36, as the GST Network publishes it.
fn is_gstin(text: &str) -> bool {
    let value = |c: char| c.to_digit(36).filter(|_| !c.is_ascii_lowercase());
    let Some(digits) = text.chars().map(value).collect::<Option<Vec<u32>>>() else { return false };
    let shape = |(at, c): (usize, char)| match at {
        0 | 1 | 7..=10 => c.is_ascii_digit(),
        2..=6 | 11 => c.is_ascii_uppercase(),
        13 => c == 'Z',
        _ => c.is_ascii_digit() || c.is_ascii_uppercase(),
    };
    if digits.len() != 15 || !text.chars().enumerate().all(shape) {
        return false;
    }
    let weighed = digits[..14].iter().zip([1, 2].into_iter().cycle()).map(|(d, weight)| {
        let product = d * weight;
        product / 36 + product % 36
    });
    (36 - weighed.sum::<u32>() % 36) % 36 == digits[14]
}

impl Shop {
    /// Who sells, as it stands on invoices.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn seller(&self) -> Result<Seller, StoreError> {
        let seller: Option<Seller> = self.reader().read(|c| settings::get(c, Setting::Seller))?;
        let mut seller = seller.unwrap_or_default();
        if seller.name.is_empty() {
            seller.name.clone_from(&self.identity().name);
        }
        Ok(seller)
    }

    /// Says who sells; documents that are printed from now on say so.
    ///
    /// # Errors
    /// [`NotDone`] when it could not be stored.
    pub fn set_seller(&self, seller: Seller) -> Result<(), NotDone> {
        let set = self.writer().write(move |tx| {
            Ok::<_, kirana_migrations::Abort<NotDone>>(settings::put(tx, Setting::Seller, &seller)?)
        });
        Ok(set?)
    }

    /// The documents of some days, in the order of their numbers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn issued(&self, from: Day, until: Day) -> Result<Vec<(Issued, Facts)>, StoreError> {
        let (begin, end) = (self.inner.begin_of(from), self.inner.begin_of(until.plus(1)));
        self.reader()
            .read(|c| invoices::between(c, begin, end)?.into_iter().map(with_facts).collect())
    }

    /// The documents of an order.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order.
    pub fn documents(&self, which: Which) -> Result<Vec<Issued>, NotDone> {
        self.reader().read(|c| {
            let row = orders::one(c, which).map_err(orders::plain)?;
            Ok(invoices::of_order(c, row.n)?)
        })
    }

    /// A document as a PDF. Who bought is added from what the shop still knows of the person.
    ///
    /// # Errors
    /// [`NotShown`].
    pub fn print_document(
        &self,
        number: Number,
        (form, language): (Form, Language),
        fonts: &Fonts,
    ) -> Result<Printed, NotShown> {
        let found = self.reader().read(|c| {
            let Some(issued) = invoices::get(c, number)? else { return Ok(None) };
            let order = by_number(c, issued.order_n)?;
            Ok::<_, StoreError>(Some((with_facts(issued)?, order)))
        })?;
        let ((issued, facts), row) = found.ok_or(NotShown::Unknown)?;
        let view = self.order(Which { id: row.id, customer: Some(row.customer) })?;
        let person = self.person(&view.order)?;
        let buyer = person.map(|person| invoice::Party {
            name: person.name,
            address: Some(person.address).filter(|text| !text.is_empty()).into_iter().collect(),
            gstin: None,
        });
        let Seller { name, address, gstin } = self.seller()?;
        let seller = invoice::Party { name, address, gstin };
        let damaged = || StoreError::damaged("the facts of document", number);
        let currency: Currency = facts.currency.parse().map_err(|_| damaged())?;
        let kind = match &facts.of {
            None => invoice::Kind::TaxInvoice,
            Some((of, dated)) => invoice::Kind::CreditNote {
                of: of.clone(),
                dated: dated.parse().map_err(|_| damaged())?,
            },
        };
        let items = facts.lines.iter().map(|line| item(line, currency)).collect();
        let (number, date) = (number.to_string(), self.inner.day_of(issued.at));
        let notes = vec![view.number];
        let (place_of_supply, round_off) = (None, None);
        let document = Invoice {
            kind,
            number,
            date,
            seller,
            buyer,
            place_of_supply,
            items,
            round_off,
            notes,
            language,
        };
        Ok(invoice::print(&document, form, fonts)?)
    }
}

fn with_facts(issued: Issued) -> Result<(Issued, Facts), StoreError> {
    let facts = serde_json::from_str(&issued.facts);
    let facts = facts.map_err(|_| StoreError::damaged("the facts of document", issued.number))?;
    Ok((issued, facts))
}

fn item(line: &FactLine, currency: Currency) -> Item {
    let (cgst, money) = (line.tax / 2, |minor| Money::new(minor, currency));
    Item {
        name: line.name.clone(),
        hsn: line.hsn.clone(),
        quantity: line.quantity.clone(),
        rate: line.rate.clone(),
        taxable: money(line.taxable),
        tax_bp: line.tax_bp,
        tax: Tax::Within { cgst: money(cgst), sgst: money(line.tax - cgst) },
    }
}

impl Desk<'_, '_> {
    /// Numbers what the entries of an order after the first `before` call for: an invoice when it is
    /// completed, a credit note when money goes back after that.
    pub(super) fn issue_for(
        &self,
        row: &OrderRow,
        chain: &Chain,
        before: usize,
    ) -> Result<(), StoreError> {
        for (at, entry) in chain.entries().iter().enumerate().skip(before) {
            let unfit = |_| StoreError::damaged("the sums of order", row.id);
            match entry.body() {
                Body::Completed(_) if entry.is_acted_on() => {
                    let order = as_of(chain, at).map_err(unfit)?;
                    let facts = sold(self.tx, self.shop.identity.shop, &order)?;
                    // Everything came back: nothing was sold.
                    if facts.lines.is_empty() {
                        continue;
                    }
                    self.issue(Series::Invoice, row, entry.hash(), &facts)?;
                }
                Body::Refunded(refunded) if entry.is_acted_on() => {
                    let issued = invoices::of_order(self.tx, row.n)?;
                    let of = issued.into_iter().find(|one| one.number.series == Series::Invoice);
                    let Some(of) = of else { continue };
                    let (of, sold) = with_facts(of)?;
                    let dated = self.shop.day_of(of.at).to_string();
                    let of = Some((of.number.to_string(), dated));
                    let lines = credited(&sold, refunded.amount.minor, row);
                    let facts = Facts { currency: sold.currency, lines, of };
                    self.issue(Series::CreditNote, row, entry.hash(), &facts)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn issue(
        &self,
        series: Series,
        row: &OrderRow,
        entry: Hash,
        facts: &Facts,
    ) -> Result<(), StoreError> {
        // Texts and numbers always become JSON.
        let facts = serde_json::to_string(facts).unwrap_or_default();
        let of = (series, self.shop.generation);
        invoices::issue(self.tx, of, (row.n, entry), self.now.at, &facts).map(drop)
    }
}

/// An order as it was after one of its entries.
fn as_of(chain: &Chain, last: usize) -> Result<Order, step::Misstep> {
    let now = chain.order();
    let Some(Body::Placed(placed)) = chain.entries().first().map(|entry| entry.body()) else {
        return Ok(now.clone());
    };
    let begun = step::begin(now.id, now.shop, now.placed_at, now.answer_by, placed.clone());
    let mut later = chain.entries().iter().take(last + 1).skip(1);
    later.try_fold(begun, |order, entry| match entry.is_acted_on() {
        true => step::step(&order, entry.at(), entry.body()),
        false => Ok(order),
    })
}

/// What an invoice says of a completed order. Tax is what the order's sums say for each rate: the last
/// line of a rate takes what rounding leaves.
fn sold(c: &Connection, shop: kirana_core::id::ShopId, order: &Order) -> Result<Facts, StoreError> {
    let unfit = |error: MoneyError| StoreError::damaged("the sums of order", error);
    let totals = Totals::of(order).map_err(unfit)?;
    let mut lines = Vec::new();
    for total in &totals.lines {
        let line = &order.lines[usize::from(total.line)];
        let (price, tax_bp) = match line.charge {
            Some(charge) => (charge.price, charge.tax_bp),
            None => continue,
        };
        let product = catalogue::by_variant(c, shop, line.variant())?;
        let product = product.map(|shelved| shelved.product);
        let name = product.as_ref().map(|p| p.name(Language::ENGLISH).to_owned());
        let (unit, gross) = (line.quantity().unit(), total.sum.minor);
        lines.push(Gross {
            name: name.unwrap_or_else(|| line.variant().to_string()),
            hsn: product.and_then(|product| product.hsn),
            quantity: Quantity::new(total.amount, unit).map(|q| q.to_string()).unwrap_or_default(),
            rate: rate(price, unit),
            gross,
            tax_bp,
        });
    }
    if let Some(fee) = order.fee.filter(|_| totals.fee.is_some()) {
        lines.push(Gross::of("Delivery", fee.amount.minor, fee.tax_bp));
    }
    let mut by_rate = BTreeMap::new();
    for line in &lines {
        *by_rate.entry(line.tax_bp).or_insert(0_i64) += line.gross;
    }
    for tax in &totals.taxes {
        // What was taken off after a complaint, by its share of each rate.
        let off = by_rate.get(&tax.rate_bp).copied().unwrap_or(0) - tax.gross.minor;
        if off != 0 {
            lines.push(Gross::of("Allowance", -off, tax.rate_bp));
        }
    }
    let currency = order.placed.currency;
    let taxes = totals.taxes.iter().map(|tax| (tax.rate_bp, tax.tax.minor)).collect();
    let lines = taxed(lines, taxes, currency).map_err(unfit)?;
    Ok(Facts { currency: currency.to_string(), lines, of: None })
}

/// A line with its tax inside.
struct Gross {
    name: String,
    hsn: Option<String>,
    quantity: String,
    rate: String,
    gross: i64,
    tax_bp: u32,
}

impl Gross {
    fn of(name: &str, gross: i64, tax_bp: u32) -> Self {
        let (hsn, quantity, rate) = (None, String::new(), String::new());
        Self { name: name.to_owned(), hsn, quantity, rate, gross, tax_bp }
    }
}

/// Takes the tax out of each line, so that the lines of a rate add up to the tax of that rate.
fn taxed(
    lines: Vec<Gross>,
    mut left: BTreeMap<u32, i64>,
    currency: Currency,
) -> Result<Vec<FactLine>, MoneyError> {
    let mut last = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        last.insert(line.tax_bp, index);
    }
    let mut taxed = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        let own = tax_within(Money::new(line.gross.abs(), currency), line.tax_bp)?.minor;
        let own = if line.gross < 0 { -own } else { own };
        let rest = left.entry(line.tax_bp).or_default();
        let tax = if last.get(&line.tax_bp) == Some(&index) { *rest } else { own };
        *rest -= tax;
        let Gross { name, hsn, quantity, rate, gross, tax_bp } = line;
        taxed.push(FactLine { name, hsn, quantity, rate, taxable: gross - tax, tax_bp, tax });
    }
    Ok(taxed)
}

/// What a credit note says: the money that went back, off each class and rate of the invoice by its
/// share.
fn credited(sold: &Facts, minor: i64, row: &OrderRow) -> Vec<FactLine> {
    let mut by_class: BTreeMap<(Option<&str>, u32), (i64, i64)> = BTreeMap::new();
    for line in &sold.lines {
        let class = (line.hsn.as_deref(), line.tax_bp);
        let (gross, tax) = by_class.entry(class).or_default();
        *gross += line.taxable + line.tax;
        *tax += line.tax;
    }
    let mut all: i64 = by_class.values().map(|(gross, _)| gross).sum();
    let (mut left, mut lines) = (minor, Vec::new());
    for ((hsn, tax_bp), (gross, tax)) in by_class {
        // The last class takes what rounding leaves, for its share of the rest is all of it.
        let share = (i128::from(left) * i128::from(gross) / i128::from(all.max(1))) as i64;
        let part = (i128::from(share) * i128::from(tax) / i128::from(gross.max(1))) as i64;
        (left, all) = (left - share, all - gross);
        if share != 0 {
            let name = format!("Money back, order {}", row.number);
            let (hsn, quantity, rate) = (hsn.map(str::to_owned), String::new(), String::new());
            let taxable = share - part;
            lines.push(FactLine { name, hsn, quantity, rate, taxable, tax_bp, tax: part });
        }
    }
    lines
}

/// The price of one as people read it: `₹60.00 / 1 kg`.
fn rate(price: Price, unit: Unit) -> String {
    let money = written(Money::new(price.minor, price.currency));
    match Quantity::new(price.per, unit) {
        Ok(per) if (price.per, unit) != (1, Unit::Piece) => format!("{money} / {per}"),
        _ => money,
    }
}

/// What is wrong with the numbers of documents: gaps.
pub(super) fn gaps(c: &Connection) -> Result<Vec<String>, StoreError> {
    let series = invoices::series(c)?.into_iter();
    let broken = series.filter(|(_, _, count, last)| count != last);
    let told = broken.map(|(kind, generation, count, last)| {
        format!("{kind}s of generation {generation}: {count} of {last} numbers are there")
    });
    Ok(told.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gstin_is_known_by_its_shape_and_its_check_character() {
        assert!(is_gstin("27AAPFU0939F1ZV"));
        for wrong in
            ["27AAPFU0939F1ZW", "27AAPFU0939F1Z", "27aapfu0939f1zv", "27AAPFU0939F1XV", "", "ABC"]
        {
            assert!(!is_gstin(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_number_is_read_as_it_is_written_and_fits_sixteen_characters() {
        for series in [Series::Invoice, Series::CreditNote] {
            let number = Number { series, generation: 12, n: 1_234_567 };
            assert_eq!(number.to_string().parse(), Ok(number));
            assert!(number.to_string().len() <= 16);
        }
        for wrong in ["", "I", "X1-1", "I1", "I-1-1", "é1-1"] {
            assert!(wrong.parse::<Number>().is_err(), "{wrong}");
        }
    }
}
