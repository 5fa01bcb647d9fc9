//! What the provider is to be told: kept until it answered, and told under the same key each time.
//!
//! **Invariant:** that a call begins is written down before it is made, and what came of it in one
//! transaction with the entry that says so; a crash in between has it made again, with one effect.

use kirana_core::{
    hash::Hash,
    id::OrderId,
    money::{Currency, Money},
    order::{
        axes::Payment,
        chain::Chain,
        entry::Body,
        facts::{CardAsked, CardFailure, Means, Refunded},
        totals::Totals,
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError};
use rand_core::CryptoRng;

use super::{Intent, Status, account};
use crate::{
    app::{
        Shop,
        desk::{Desk, Visit},
        orders::NotDone,
    },
    store::{
        cards::{self, Attempt, Call, State, What},
        orders::{self, OrderRow},
    },
};

/// How long a call waits that failed for the first time, at most.
const WAIT_MS_MIN: u64 = 2_000;
/// The longest that a call which failed waits.
const WAIT_MS_MAX: u64 = 15 * 60_000;
/// The longest that a provider can have a call wait.
const ASKED_MS_MAX: u64 = 6 * 60 * 60_000;
/// How long a call that was begun is left alone: it may still be under way.
const UNDER_WAY_MS: u64 = 60_000;
/// The longest problem that is kept, in characters.
const PROBLEM_CHARS_MAX: usize = 300;

/// A call to be made now.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is told, and how often it was begun, this time included.
    pub call: Call,
    /// The provider's name of the payment, once it has one.
    pub intent: Option<String>,
    /// In which currency.
    pub currency: Currency,
    /// The order.
    pub order: OrderId,
    /// Its short number.
    pub number: String,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub enum Answered {
    /// How the payment stands.
    Intent(Intent),
    /// A sum went back.
    Refunded {
        /// How much, in minor units.
        minor: i64,
    },
    /// The provider will not do it, however often it is told.
    Refused(String),
    /// It did not come about this time.
    Later {
        /// Why.
        why: String,
        /// After how many seconds to try again, where the provider said so.
        retry_after_s: Option<u64>,
    },
}

impl Shop {
    /// The call that is to be made now, written down as begun.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn begin_card_call(
        &self,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Job>, NotDone> {
        if self.reader().read(|c| cards::next_call(c, now))?.is_none() {
            return Ok(None);
        }
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let begun = self.writer().write(move |tx| {
            let desk = Desk::open(&inner, tx, &visit)?;
            if desk.read_only()?.is_some() {
                return Ok(None);
            }
            while let Some(call) = cards::next_call(tx, now)? {
                if let Some(job) = desk.begin(call)? {
                    return Ok(Some(job));
                }
            }
            Ok::<_, Abort<NotDone>>(None)
        });
        Ok(begun?)
    }

    /// Takes in what came of a call.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored: the call is made again then.
    pub fn end_card_call(
        &self,
        n: i64,
        came: Answered,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotDone> {
        let draw = rng.next_u64();
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let ended = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.read_only()?.is_some() {
                return Ok(());
            }
            let Some(mut call) = cards::call(tx, n)?.filter(|call| call.done.is_none()) else {
                return Ok(());
            };
            desk.end(&mut call, &came, draw)?;
            Ok::<_, Abort<NotDone>>(cards::put_call(tx, &call)?)
        });
        Ok(ended?)
    }

    /// Makes what waits due: whoever began a call may have ended with it.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn wake_card_calls(&self, now: UnixMs) -> Result<(), NotDone> {
        let known = self.known_now(now)?.at;
        let woken = self
            .writer()
            .write(move |tx| -> Result<(), Abort<NotDone>> { Ok(cards::wake_calls(tx, known)?) });
        Ok(woken?)
    }
}

impl Desk<'_, '_> {
    /// Writes a call down as begun; nothing where it is not needed any more, or cannot be made now.
    fn begin(&self, mut call: Call) -> Result<Option<Job>, StoreError> {
        let lost = || StoreError::damaged("the payment of call", call.n);
        let attempt = cards::get(self.tx, call.payment_n)?.ok_or_else(lost)?;
        let row = orders::by_number(self.tx, attempt.order_n)?;
        let chain = match orders::chain(self.tx, &row) {
            Ok(chain) if !row.waits_for_heads => chain,
            Ok(_) | Err(StoreError::Damaged { .. }) => {
                call.next = self.clock.plus_ms(WAIT_MS_MAX);
                cards::put_call(self.tx, &call)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if call.attempts == 0 && !self.is_still_wanted(&mut call, &attempt, &chain) {
            call.done = Some(self.now.at);
            call.problem = Some("no longer needed".to_owned());
            cards::put_call(self.tx, &call)?;
            return Ok(None);
        }
        call.attempts = call.attempts.saturating_add(1);
        call.next = self.clock.plus_ms(UNDER_WAY_MS);
        cards::put_call(self.tx, &call)?;
        let (order, currency) = (row.id, chain.order().placed.currency);
        Ok(Some(Job { call, intent: attempt.intent, currency, order, number: row.number }))
    }

    /// Whether a call that was never made is still wanted; what is taken is what is due now.
    fn is_still_wanted(&self, call: &mut Call, attempt: &Attempt, chain: &Chain) -> bool {
        match call.what {
            What::Create => attempt.state == State::Wanted,
            What::Capture => {
                let Payment::Authorised { amount: held, .. } = chain.order().payment else {
                    return false;
                };
                let due = Totals::of(chain.order()).map_or(0, |totals| totals.due.minor);
                call.minor = due.min(held.minor);
                attempt.state == State::Authorised && due > 0
            }
            What::Cancel | What::Refund => true,
        }
    }

    fn end(&mut self, call: &mut Call, came: &Answered, draw: u64) -> Result<(), Abort<NotDone>> {
        let lost = || StoreError::damaged("the payment of call", call.n);
        let mut attempt = cards::get(self.tx, call.payment_n)?.ok_or_else(lost)?;
        let row = orders::by_number(self.tx, attempt.order_n)?;
        let chain = match orders::chain(self.tx, &row) {
            Ok(chain) if !row.waits_for_heads => chain,
            Ok(_) | Err(StoreError::Damaged { .. }) => {
                self.put_off(call, "the order cannot take entries now", None, draw);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match (call.what, came) {
            (_, Answered::Later { why, retry_after_s }) => {
                self.put_off(call, why, *retry_after_s, draw);
            }
            (What::Create, Answered::Intent(said)) => {
                self.created(call, &mut attempt, (&row, chain), said)?;
            }
            (What::Create, Answered::Refused(why)) => {
                self.not_created(call, &mut attempt, (&row, chain), why)?;
            }
            (What::Capture | What::Cancel, Answered::Intent(said)) => {
                self.answered(call, &mut attempt, (&row, chain), (said, draw))?;
            }
            (What::Refund, Answered::Refunded { minor }) => {
                self.went_back(call, &mut attempt, (&row, chain), *minor)?;
            }
            (What::Refund, Answered::Refused(why)) => {
                let minor = call.minor;
                attempt.trouble = Some(format!("{minor} did not go back to the card: {why}"));
                self.close(call, Some(why));
            }
            (What::Capture, Answered::Refused(why)) => {
                // It is held and not taken: it may be let go, and the order paid otherwise.
                let (minor, why_short) = (call.minor, shortened(why));
                attempt.trouble = Some(format!("{minor} was not taken from the card: {why_short}"));
                self.close(call, Some(why));
            }
            (What::Cancel, Answered::Refused(why)) => self.put_off(call, why, None, draw),
            (_, Answered::Intent(_) | Answered::Refunded { .. }) => {
                self.put_off(call, "the provider answered something else", None, draw);
            }
        }
        Ok(cards::put(self.tx, &attempt)?)
    }

    fn close(&self, call: &mut Call, problem: Option<&String>) {
        call.done = Some(self.now.at);
        call.problem = problem.map(|why| shortened(why));
    }

    fn put_off(&self, call: &mut Call, why: &str, retry_after_s: Option<u64>, draw: u64) {
        let asked_ms = retry_after_s.unwrap_or_default().saturating_mul(1_000).min(ASKED_MS_MAX);
        call.next = self.clock.plus_ms(again_in_ms(call.attempts, draw).max(asked_ms));
        call.problem = Some(shortened(why));
    }

    /// The provider knows of the payment: the customer is asked to confirm it.
    fn created(
        &mut self,
        call: &mut Call,
        attempt: &mut Attempt,
        (row, mut chain): (&OrderRow, Chain),
        said: &Intent,
    ) -> Result<(), Abort<NotDone>> {
        self.close(call, None);
        cards::put_call(self.tx, call)?;
        let currency = chain.order().placed.currency;
        attempt.intent = Some(said.id.clone());
        attempt.state = State::Asked;
        let is_ours =
            said.minor == attempt.minor && said.currency.eq_ignore_ascii_case(currency.as_str());
        let account = account::read(self.tx, self.shop)?;
        let asked = CardAsked {
            attempt: attempt.attempt,
            amount: Money::new(attempt.minor, currency),
            intent: said.id.clone(),
            secret: said.secret.clone().unwrap_or_default(),
            publishable: account.as_ref().map(|a| a.publishable.clone()).unwrap_or_default(),
            page: account.and_then(|account| account.page),
        };
        if !is_ours || !asked.is_sound() {
            attempt.trouble =
                Some(format!("the provider made a payment of another sum: {}", said.id));
            self.fail(attempt, row, &mut chain, CardFailure::Refused)?;
            self.let_go(attempt)?;
            return Ok(());
        }
        if !self.appended(row, &mut chain, &Body::CardAsked(asked))? {
            // It was paid otherwise, or came to nothing, in between.
            self.let_go(attempt)?;
        }
        Ok(())
    }

    fn not_created(
        &mut self,
        call: &mut Call,
        attempt: &mut Attempt,
        (row, mut chain): (&OrderRow, Chain),
        why: &String,
    ) -> Result<(), Abort<NotDone>> {
        self.close(call, Some(why));
        attempt.state = State::Failed;
        attempt.trouble = Some(format!("the provider holds nothing: {}", shortened(why)));
        Ok(self.fail(attempt, row, &mut chain, CardFailure::Refused)?)
    }

    /// The provider says how a payment stands that was to be taken or let go.
    fn answered(
        &mut self,
        call: &mut Call,
        attempt: &mut Attempt,
        order: (&OrderRow, Chain),
        (said, draw): (&Intent, u64),
    ) -> Result<(), Abort<NotDone>> {
        self.hear(attempt, order, said)?;
        match said.status == Status::CalledOff || said.took().is_some() {
            true => self.close(call, None),
            false => self.put_off(call, "the provider has not done it", None, draw),
        }
        if attempt.state == State::Released {
            attempt.until = None;
        }
        Ok(())
    }

    fn went_back(
        &mut self,
        call: &mut Call,
        attempt: &mut Attempt,
        (row, mut chain): (&OrderRow, Chain),
        minor: i64,
    ) -> Result<(), Abort<NotDone>> {
        let before = chain.entries().len();
        let amount = Money::new(minor, chain.order().placed.currency);
        if let Some(entry) = self.said_before(call, attempt, &chain)? {
            self.close(call, None);
            call.entry = Some(entry);
            return Ok(());
        }
        let back = Body::Refunded(Refunded { amount, means: Means::Card });
        let fits = minor == call.minor && self.appended(row, &mut chain, &back)?;
        self.close(call, None);
        if !fits {
            attempt.trouble = Some(format!(
                "{amount} went back to the card, and the order does not say so: look at it there"
            ));
            return Ok(());
        }
        call.entry = chain.entries().get(before).map(|entry| entry.hash());
        self.complete_if_done(row, &mut chain)?;
        self.take_for_order(row, &chain, before, call.who)?;
        Ok(self.issue_for(row, &chain, before)?)
    }
}

impl Desk<'_, '_> {
    /// The entry that says so already, where a box that was lost had written it.
    fn said_before(
        &self,
        call: &Call,
        attempt: &Attempt,
        chain: &Chain,
    ) -> Result<Option<Hash>, StoreError> {
        let known: Vec<Hash> = cards::calls_of(self.tx, attempt.n)?
            .into_iter()
            .filter_map(|call| call.entry)
            .collect();
        let taken = chain
            .entries()
            .iter()
            .position(|entry| entry.is_acted_on() && matches!(entry.body(), Body::Captured(_)));
        let after = chain.entries().iter().skip(taken.unwrap_or(usize::MAX));
        let mut same = after.filter(|entry| match entry.body() {
            Body::Refunded(back) => {
                entry.is_acted_on() && back.means == Means::Card && back.amount.minor == call.minor
            }
            _ => false,
        });
        Ok(same.find(|entry| !known.contains(&entry.hash())).map(|entry| entry.hash()))
    }
}

fn shortened(why: &str) -> String {
    why.chars().filter(|c| !c.is_control()).take(PROBLEM_CHARS_MAX).collect()
}

/// After how long a call that was begun so often is made again: twice as long each time, half of it by
/// chance.
fn again_in_ms(attempts: u32, draw: u64) -> u64 {
    let most = (WAIT_MS_MIN << attempts.saturating_sub(1).min(16)).min(WAIT_MS_MAX);
    most / 2 + draw % (most / 2 + 1)
}
