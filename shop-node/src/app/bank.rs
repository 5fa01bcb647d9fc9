//! The bank's word about payments: statements are read, their lines led back to orders, and what is
//! left over is listed.
//!
//! **Invariant:** money moves once: a line that names an order which somebody marked as paid by UPI
//! confirms that payment, and only else becomes one; the same statement again changes nothing.

use std::collections::BTreeMap;

use kirana_core::{
    id::{KhataId, OrderId},
    key::KeyId,
    money::Money,
    order::{
        entry::Body,
        facts::{Means, Paid},
        totals::Totals,
    },
    time::{DAY_MS, UnixMs},
    upi::NotAPayee,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;
use serde::Serialize;

use super::{
    Shop,
    access::By,
    cards::CardsReconciled,
    desk::{AppendError, Desk, Visit},
    import::Locale,
    khata::{NotWritten, Writing},
    orders::{NotDone, OrderView, Which, one, whole},
};
use crate::store::{
    bank::{self, Kept, Line, Unseen},
    khata,
    orders::{self, OrderRow},
};

mod statement;

pub use statement::{Column, NotAStatement, STATEMENT_BYTES_MAX, Statement};

/// Lines that are taken in at once.
const AT_ONCE: usize = 100;
/// The longest word about a line, in characters.
pub const WORDS_CHARS_MAX: usize = 300;
/// The most items of each kind that a reconciliation lists; of orders that were completed the newest
/// are looked at.
const LISTED_MAX: u32 = 500;

/// What became of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Lines about money that came in.
    pub lines: usize,
    /// Those that were known already.
    pub known: usize,
    /// Those that are payments somebody had written down.
    pub confirmed: usize,
    /// Those by which an order is paid now.
    pub paid: usize,
    /// Those that wait for somebody to say what they are.
    pub open: usize,
    /// Lines that cannot be read, by their number in the file.
    pub refused: Vec<(u64, String)>,
}

/// What does not fit together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Money without an order.
    pub open_lines: Vec<Kept>,
    /// Payments by UPI that the bank does not show, a day after they were written down.
    pub unseen: Vec<Unseen>,
    /// Goods without a payment: they were handed over.
    pub unpaid: Vec<Owed>,
    /// Money of orders that came to nothing, and of those that were paid too much for.
    pub to_give_back: Vec<Owed>,
    /// The same of cards, and what waits for their provider.
    pub cards: CardsReconciled,
}

/// An order and what is owed on it, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// Its short number.
    pub number: String,
    /// Its id.
    pub id: OrderId,
    /// How much.
    pub minor: i64,
}

/// Why something about the bank is not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotReconciled {
    /// The file is none.
    #[error(transparent)]
    Statement(#[from] NotAStatement),
    /// There is no such line, or it is accounted for.
    #[error("there is no such line of a statement that is still open")]
    NoSuchLine,
    /// The order does not come to that.
    #[error("the line is over {line} and order {number} has {due} to pay: refund, or set it aside")]
    OtherSum {
        /// What came in.
        line: Money,
        /// What is to pay.
        due: Money,
        /// The order.
        number: String,
    },
    /// No words, or too many.
    #[error("say why, in at most {WORDS_CHARS_MAX} characters")]
    Words,
    /// The shop cannot be paid so.
    #[error("the shop has not said where it is paid by UPI: set `upi` in its terms")]
    NoPayee,
    /// Nobody who can be paid.
    #[error(transparent)]
    Payee(#[from] NotAPayee),
    /// The order does not allow it.
    #[error(transparent)]
    Order(#[from] NotDone),
    /// The khata does not allow it.
    #[error(transparent)]
    Khata(#[from] NotWritten),
}

impl From<StoreError> for NotReconciled {
    fn from(error: StoreError) -> Self {
        Self::Order(error.into())
    }
}

impl Shop {
    /// Takes a statement in: each line that names an order pays it, or confirms its payment.
    ///
    /// # Errors
    /// [`NotReconciled`]; lines that were taken in before it stay, and the same file goes on.
    pub fn take_statement(
        &self,
        bytes: &[u8],
        map: &BTreeMap<String, String>,
        locale: Locale,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Report, NotReconciled> {
        let currency = self.identity().currency;
        let read = statement::read(bytes, map, locale, currency)?;
        let mut report = Report { lines: read.lines.len(), ..Report::default() };
        report.refused = read.refused;
        for lines in read.lines.chunks(AT_ONCE) {
            let (inner, visit, lines) = (self.inner.clone(), Visit::new(now, rng), lines.to_vec());
            let fates = self.writer().write(move |tx| {
                let mut desk = Desk::open(&inner, tx, &visit)?;
                if let Some(why) = desk.read_only()? {
                    return Err(Abort::Refused(NotDone::ReadOnly(why)));
                }
                let mut fates = Vec::new();
                for line in &lines {
                    fates.push(desk.take_line(line)?);
                }
                Ok(fates)
            });
            for fate in fates.map_err(NotDone::from)? {
                match fate {
                    Fate::Known => report.known += 1,
                    Fate::Confirmed => report.confirmed += 1,
                    Fate::Paid => report.paid += 1,
                    Fate::Open => report.open += 1,
                }
            }
        }
        Ok(report)
    }

    /// Lines of statements, the newest first: those that nobody accounted for, or all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn bank_lines(
        &self,
        open_only: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        self.reader().read(|c| bank::page(c, open_only, before.unwrap_or(i64::MAX), limit))
    }

    /// Says which order a line paid.
    ///
    /// # Errors
    /// [`NotReconciled`]; nothing was changed.
    pub fn assign_line(
        &self,
        n: i64,
        which: Which,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<OrderView, NotReconciled> {
        let line = self.open_line(n)?;
        let due = Totals::of(&self.order(which)?.order).map(|totals| totals.due);
        let (inner, visit, kept) = (self.inner.clone(), Visit::new(now, rng), line.clone());
        let assigned = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if let Some(why) = desk.read_only()? {
                return Err(Abort::Refused(NotDone::ReadOnly(why)));
            }
            let row = one(tx, which)?;
            // Somebody else may have said it meanwhile.
            match bank::get(tx, n)? {
                Some(there) if there.open => {}
                _ => return Ok(false),
            }
            let fate = desk.settle(n, &row, kept.line.minor, Some(by))?;
            Ok(fate != Fate::Open)
        });
        let view = self.order(which)?;
        match (assigned.map_err(NotDone::from)?, due) {
            (true, _) | (_, Err(_)) => Ok(view),
            (false, Ok(due)) => {
                let line = Money::new(line.line.minor, due.currency);
                Err(NotReconciled::OtherSum { line, due, number: view.number })
            }
        }
    }

    /// Says towards which khata a line was paid: it confirms what was written down, or is written down
    /// now.
    ///
    /// # Errors
    /// [`NotReconciled`]; nothing was changed.
    pub fn assign_line_to_khata(
        &self,
        n: i64,
        id: KhataId,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotReconciled> {
        self.open_line(n)?;
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let assigned = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if let Some(why) = desk.read_only()? {
                return Err(Abort::Refused(NotWritten::ReadOnly(why)));
            }
            // Somebody else may have said it meanwhile.
            let Some(line) = bank::get(tx, n)?.filter(|line| line.open) else { return Ok(false) };
            desk.settle_khata(n, (id, line.line.minor), by)?;
            Ok(true)
        });
        match assigned.map_err(NotWritten::from)? {
            true => Ok(()),
            false => Err(NotReconciled::NoSuchLine),
        }
    }

    /// Says that a line pays no order, and why.
    ///
    /// # Errors
    /// [`NotReconciled`]; nothing was changed.
    pub fn set_line_aside(&self, n: i64, why: &str, by: KeyId) -> Result<(), NotReconciled> {
        let why = why.trim().to_owned();
        let is_fit = !why.is_empty() && why.chars().count() <= WORDS_CHARS_MAX;
        if !is_fit || why.chars().any(char::is_control) {
            return Err(NotReconciled::Words);
        }
        self.open_line(n)?;
        let done = self.writer().write(move |tx| -> Result<bool, Abort<NotDone>> {
            Ok(bank::set_aside(tx, n, &why, by)?)
        });
        match done.map_err(NotDone::from)? {
            true => Ok(()),
            false => Err(NotReconciled::NoSuchLine),
        }
    }

    fn open_line(&self, n: i64) -> Result<Kept, NotReconciled> {
        let line = self.reader().read(|c| bank::get(c, n))?;
        line.filter(|line| line.open).ok_or(NotReconciled::NoSuchLine)
    }

    /// What does not fit together: money without an order, and the reverse.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn reconciliation(&self, now: UnixMs) -> Result<Reconciliation, StoreError> {
        let known = self.known_now(now)?.at;
        let cards = self.cards_reconciled()?;
        self.reader().read(|c| {
            let mut list = Reconciliation {
                cards,
                open_lines: bank::page(c, true, i64::MAX, LISTED_MAX)?,
                unseen: bank::unseen(c, known.minus_ms(DAY_MS), LISTED_MAX)?,
                ..Reconciliation::default()
            };
            for row in orders::open(c)?.iter().take(LISTED_MAX as usize) {
                let Ok(chain) = orders::chain(c, row) else { continue };
                let order = chain.order();
                let Ok(totals) = Totals::of(order) else { continue };
                let is_gone = order.groups.iter().any(|group| group.stage.is_handed_over());
                let owed = |minor| Owed { number: row.number.clone(), id: row.id, minor };
                match totals.due.minor {
                    due if due > 0 && is_gone => list.unpaid.push(owed(due)),
                    due if due < 0 => list.to_give_back.push(owed(-due)),
                    _ => {}
                }
            }
            for row in orders::page(c, None, false, i64::MAX, LISTED_MAX)? {
                if row.stage != "completed" {
                    continue;
                }
                let Ok(chain) = orders::chain(c, &row) else { continue };
                let due = Totals::of(chain.order()).map_or(0, |totals| totals.due.minor);
                if due < 0 {
                    let number = row.number.clone();
                    list.to_give_back.push(Owed { number, id: row.id, minor: -due });
                }
            }
            let kept = bank::kept_for_nothing(c, LISTED_MAX)?.into_iter();
            list.to_give_back.extend(kept.map(|(number, id, minor)| Owed { number, id, minor }));
            Ok(list)
        })
    }

    /// The link by which an order's customer pays what is due by UPI; nothing where nothing is.
    ///
    /// # Errors
    /// [`NotReconciled::NoPayee`] where the shop takes none.
    pub fn upi_link(&self, which: Which) -> Result<Option<String>, NotReconciled> {
        let payee = self.terms()?.and_then(|said| said.terms.upi);
        let payee = payee.ok_or(NotReconciled::NoPayee)?;
        let view = self.order(which)?;
        Ok(payee.link_for(view.order.id, &view.number, view.totals.due))
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Known,
    Confirmed,
    Paid,
    Open,
}

impl Desk<'_, '_> {
    /// Keeps a line, and leads it back to the order that it names.
    fn take_line(&mut self, line: &Line) -> Result<Fate, Abort<NotDone>> {
        let Some(n) = bank::keep(self.tx, line, self.now.at)? else { return Ok(Fate::Known) };
        let named: Vec<OrderRow> = orders::named_in(self.tx, &line.text)?;
        // Short numbers come again: where several are meant, a person has to look.
        let [row] = &named[..] else { return Ok(Fate::Open) };
        self.settle(n, row, line.minor, None)
    }

    /// Makes a line a payment towards a khata.
    fn settle_khata(
        &mut self,
        n: i64,
        (id, minor): (KhataId, i64),
        by: KeyId,
    ) -> Result<(), NotWritten> {
        let mut row = khata::find(self.tx, id)?.ok_or(NotWritten::Unknown)?;
        let taking = match bank::unseen_of_khata(self.tx, row.n, minor)? {
            Some(taking) => taking,
            None => {
                let amount = Money::new(minor, self.shop.identity.currency);
                let by = Some(By { who: by, till: None });
                self.put_down(&mut row, &Writing::Pay(amount, Means::Upi, String::new()), by)?;
                let taking = bank::taking_of(self.tx, row.head)?;
                taking.ok_or_else(|| StoreError::damaged("the till's row of khata", id))?
            }
        };
        Ok(bank::assign(self.tx, n, taking, Some(by))?)
    }

    /// Makes a line the payment of an order, where the sum is right.
    fn settle(
        &mut self,
        n: i64,
        row: &OrderRow,
        minor: i64,
        who: Option<KeyId>,
    ) -> Result<Fate, Abort<NotDone>> {
        if let Some(taking) = bank::unseen_of(self.tx, row.n, minor)? {
            bank::assign(self.tx, n, taking, who)?;
            return Ok(Fate::Confirmed);
        }
        if row.waits_for_heads {
            return Ok(Fate::Open);
        }
        let mut chain = whole(self.tx, row)?;
        let due = Totals::of(chain.order()).map(|totals| totals.due);
        let Ok(due) = due else { return Ok(Fate::Open) };
        // Before the decision nobody knows what it comes to.
        if due.minor != minor || chain.order().stage.is_undecided() {
            return Ok(Fate::Open);
        }
        let before = chain.entries().len();
        let paid = Body::Paid(Paid { amount: due, means: Means::Upi });
        match self.append(row, &mut chain, &paid) {
            Ok(_) => {}
            // An order that takes no money now: a person has to look.
            Err(AppendError::Chain(_)) => return Ok(Fate::Open),
            Err(AppendError::Store(error)) => return Err(error.into()),
        }
        let entry = chain.entries().get(before).map(|entry| entry.hash());
        self.complete_if_done(row, &mut chain)?;
        self.take_for_order(row, &chain, before, who)?;
        self.issue_for(row, &chain, before)?;
        let taking = entry.map(|entry| bank::taking_of(self.tx, entry)).transpose()?.flatten();
        let taking = taking.ok_or_else(|| StoreError::damaged("the till's row of", row.id))?;
        bank::assign(self.tx, n, taking, who)?;
        Ok(Fate::Paid)
    }
}
