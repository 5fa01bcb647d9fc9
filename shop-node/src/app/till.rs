//! The till: what came in and went out, by means, day and customer, and the day's end.
//!
//! **Invariant:** money moves once: an order's payment is a row of the till in the transaction that
//! signs the entry, and `verify` compares the two.

use std::collections::BTreeMap;

use kirana_core::{
    day::Day,
    id::TillDayId,
    key::KeyId,
    money::Money,
    order::{chain::Chain, entry::Body, facts::Means},
    statement::Party,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::{
    Once, Shop,
    counter::{Entered, NotEntered},
    desk::Desk,
    margin::USUAL_DAYS,
    once::request_hash,
};
pub use crate::store::till::{Closed, Kind, Shown, Taking, TillDay};
use crate::store::{orders::OrderRow, till};

/// The longest note about money, in bytes.
pub const NOTE_BYTES_MAX: usize = 200;
/// The till's days that are shown at most.
const DAYS_MAX: u32 = 100;

/// What was taken from one day to another, in minor units of the shop's currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Takings {
    /// The first day.
    pub from: Day,
    /// The last day.
    pub until: Day,
    /// By what form of money and why.
    pub means: BTreeMap<(&'static str, Kind), i64>,
    /// By day, for what was bought or went back.
    pub days: BTreeMap<Day, i64>,
    /// By customer, for orders that were paid or refunded.
    pub customers: BTreeMap<String, i64>,
    /// Row by row.
    pub rows: Vec<Shown>,
}

/// The answer to something done at the till: the name of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Done {
    #[n(0)]
    id: Option<TillDayId>,
}

impl Shop {
    /// What was taken from the beginning of one day to the end of another; of the last
    /// [`USUAL_DAYS`] where nothing is said.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn takings(
        &self,
        from: Option<Day>,
        until: Option<Day>,
        now: UnixMs,
    ) -> Result<Takings, StoreError> {
        self.reader().read(|c| {
            let until = match until {
                Some(until) => until,
                None => self.inner.today(c, now)?,
            };
            let usual = Day::new(until.get().saturating_sub(USUAL_DAYS - 1));
            let from = from.unwrap_or(usual);
            let (begin, end) = (self.inner.begin_of(from), self.inner.begin_of(until.plus(1)));
            let rows = till::between(c, begin, end)?;
            let mut takings = Takings { from, until, ..Takings::default() };
            for Shown { taking, customer, .. } in &rows {
                let add = |sum: &mut i64| *sum = sum.saturating_add(taking.minor);
                add(takings.means.entry((taking.means.label(), taking.kind)).or_default());
                // What a khata is paid with was bought before.
                let is_turnover = matches!(taking.kind, Kind::Sale | Kind::Payment | Kind::Refund);
                if is_turnover {
                    add(takings.days.entry(self.inner.day_of(taking.at)).or_default());
                }
                if let Some(customer) = customer {
                    add(takings.customers.entry(Party::to_string(customer)).or_default());
                }
            }
            Ok(Takings { rows, ..takings })
        })
    }

    /// The till's days, the newest first, and what should lie in the open one now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn till_days(&self) -> Result<Vec<(TillDay, i64)>, StoreError> {
        self.reader().read(|c| {
            let days = till::days(c, DAYS_MAX)?.into_iter();
            days.map(|day| {
                let expected = expected(c, &day)?;
                Ok((day, expected))
            })
            .collect()
        })
    }

    /// Opens the till with a float.
    ///
    /// # Errors
    /// [`NotEntered::TillOpen`] when one is open, [`NotEntered::Amount`] for less than nothing.
    pub fn open_till(
        &self,
        once: Option<Once>,
        float: Money,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<TillDayId, NotEntered> {
        let float_minor = self.minor(float, 0)?;
        let request = request_hash(&("open till", float_minor));
        let opened = self.at_the_counter(once, request, now, rng, move |desk| {
            let (id, opened) = (TillDayId::new(desk.now.at, desk.draws.bytes()), desk.now.at);
            let day = TillDay { id, opened, opened_by: by, float_minor, closed: None };
            match till::open(desk.tx, &day)? {
                true => Ok(Done { id: Some(id) }),
                false => Err(Abort::Refused(NotEntered::TillOpen)),
            }
        });
        opened?.id.ok_or(NotEntered::TillOpen)
    }

    /// Closes a till with what was counted; the difference is kept with whoever signs it off.
    ///
    /// # Errors
    /// [`NotEntered::NoTill`] when it is not there or closed already.
    pub fn close_till(
        &self,
        once: Option<Once>,
        (id, counted, note): (TillDayId, Money, String),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let counted_minor = self.minor(counted, 0)?;
        check_note(&note)?;
        let request = request_hash(&("close till", id, counted_minor, &note));
        let closed = self.at_the_counter(once, request, now, rng, move |desk| {
            let day = till::day(desk.tx, id)?.filter(|day| day.closed.is_none());
            let day = day.ok_or(Abort::Refused(NotEntered::NoTill))?;
            let (at, expected_minor) = (desk.now.at, expected(desk.tx, &day)?);
            let closed = Closed { at, by, expected_minor, counted_minor, note: note.clone() };
            till::close(desk.tx, id, &closed)?;
            Ok(Done { id: Some(id) })
        });
        closed.map(drop)
    }

    /// Money that somebody puts into the till, or takes out of it, for something that is no sale.
    ///
    /// # Errors
    /// [`NotEntered::Amount`] for nothing or less.
    pub fn move_cash(
        &self,
        once: Option<Once>,
        (kind, amount, note): (Kind, Money, String),
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEntered> {
        let amount = self.minor(amount, 1)?;
        check_note(&note)?;
        let minor = if kind == Kind::PaidIn { amount } else { -amount };
        let request = request_hash(&("move cash", minor, &note));
        let moved = self.at_the_counter(once, request, now, rng, move |desk| {
            let (at, means, who) = (desk.now.at, Means::Cash, Some(by));
            let (order, movement, note) = (None, None, note.clone());
            till::put(desk.tx, &Taking { at, kind, means, minor, order, movement, who, note })?;
            Ok(Done { id: None })
        });
        moved.map(drop)
    }

    pub(super) fn minor(&self, amount: Money, least: i64) -> Result<i64, NotEntered> {
        let fits = amount.currency == self.identity().currency && amount.minor >= least;
        if fits { Ok(amount.minor) } else { Err(NotEntered::Amount) }
    }
}

pub(super) fn check_note(note: &str) -> Result<(), NotEntered> {
    match note.len() > NOTE_BYTES_MAX || note.chars().any(char::is_control) {
        true => Err(NotEntered::TillNote),
        false => Ok(()),
    }
}

/// What should lie in a till: what was in it, and the cash that moved since.
fn expected(c: &Connection, day: &TillDay) -> Result<i64, StoreError> {
    match &day.closed {
        Some(closed) => Ok(closed.expected_minor),
        None => Ok(day.float_minor.saturating_add(till::cash_since(c, day.opened)?)),
    }
}

impl Desk<'_, '_> {
    /// Writes down what a sale at the counter brought in.
    pub(super) fn take_for_sale(
        &self,
        sold: &Entered,
        means: Means,
        by: KeyId,
    ) -> Result<(), StoreError> {
        let minor = sold.sold.iter().map(|line| line.sum.minor).fold(0, i64::saturating_add);
        let (at, movement) = (self.now.at, sold.movements.first().copied());
        let (kind, order, who, note) = (Kind::Sale, None, Some(by), String::new());
        till::put(self.tx, &Taking { at, kind, means, minor, order, movement, who, note })
    }

    /// Writes down what the entries of an order after the first `before` moved.
    pub(super) fn take_for_order(
        &self,
        row: &OrderRow,
        chain: &Chain,
        before: usize,
        who: Option<KeyId>,
    ) -> Result<(), StoreError> {
        for entry in chain.entries().iter().skip(before) {
            let Some((kind, means, minor)) = moved(entry.body()) else { continue };
            let (at, order) = (entry.at(), Some((row.n, entry.hash())));
            let (movement, note) = (None, String::new());
            till::put(self.tx, &Taking { at, kind, means, minor, order, movement, who, note })?;
        }
        Ok(())
    }
}

/// What money an entry moves.
fn moved(body: &Body) -> Option<(Kind, Means, i64)> {
    match body {
        Body::Paid(paid) => Some((Kind::Payment, paid.means, paid.amount.minor)),
        Body::OnKhata(written) => Some((Kind::Payment, Means::Khata, written.amount.minor)),
        Body::Captured(taken) => Some((Kind::Payment, Means::Card, taken.amount.minor)),
        Body::Refunded(refunded) => Some((Kind::Refund, refunded.means, -refunded.amount.minor)),
        _ => None,
    }
}

/// Where the till and an order's entries disagree about money; entries of before there was a till
/// are in its rows not at all.
pub(super) fn disagreements(
    c: &Connection,
    n: i64,
    chain: &Chain,
) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    for (hash, minor) in till::of_order(c, n)? {
        let entry = chain.entries().iter().find(|entry| entry.hash() == hash);
        match entry.and_then(|entry| moved(entry.body())) {
            Some((_, _, said)) if said == minor => {}
            Some((_, _, said)) => {
                faults.push(format!("the till has {minor} for entry {hash}, which says {said}"));
            }
            None => faults.push(format!("the till has {minor} for no entry of the order ({hash})")),
        }
    }
    Ok(faults)
}
