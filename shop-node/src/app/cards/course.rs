//! What becomes of a payment by card: follows the order on one side and the provider on the other.
//!
//! **Invariant:** each step is worked out from the order's entries, the attempt and what the provider
//! said, and done in one transaction: after a crash it is worked out again.

use kirana_core::{
    hash::Hash,
    khata::exposure,
    money::Money,
    order::{
        axes::{Payment, Stage},
        chain::Chain,
        entry::Body,
        facts::{
            Authorised, Captured, CardFailed, CardFailure, Completed, Means, VoidReason, Voided,
        },
        step::{self, Misstep},
        totals::Totals,
    },
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, WriteError};
use rand_core::CryptoRng;

use super::{HELD_MS, Intent, NotByCard, Status};
use crate::{
    app::{
        Shop,
        desk::{AppendError, Desk, Visit},
        holding::HOUR_MS,
        orders::NotDone,
    },
    store::{
        cards::{self, Attempt, Call, State, What},
        orders::{self, OrderRow},
    },
};

/// Attempts that are looked at in one round.
const AT_ONCE: u32 = 50;
/// How long until a payment that the customer has to confirm is asked about again, at least and at most.
const LOOK_MS: (u64, u64) = (3_000, 5 * 60_000);
/// How often it is said of one attempt that it failed.
const FAILURES_SAID_MAX: usize = 10;
/// How often a sum that is held is asked about.
const LOOK_HELD_MS: u64 = 6 * HOUR_MS;

impl Shop {
    /// Follows the orders: what is handed over is to be taken, what came to nothing is let go. Says how
    /// many attempts were looked at.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn advance_cards(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<usize, NotDone> {
        let known = self.known_now(now)?.at;
        let changed = self.reader().read(|c| cards::changed(c, (known, now), AT_ONCE))?;
        let mut count = 0;
        // Each by itself: an order that takes no entry holds up no other.
        for attempt in changed {
            match self.advance_card(attempt.n, Visit::new(now, rng)) {
                Ok(Some(was_followed)) => count += usize::from(was_followed),
                Ok(None) => break,
                Err(WriteError::Store(why @ StoreError::Damaged { .. })) => {
                    self.note_misfit(attempt.n, &why, now)?;
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(count)
    }

    /// Follows one order; whether it could be, and nothing where the shop may write nothing.
    fn advance_card(&self, n: i64, visit: Visit) -> Result<Option<bool>, WriteError<NotDone>> {
        let inner = self.inner.clone();
        self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if desk.read_only()?.is_some() {
                return Ok(None);
            }
            let Some(mut attempt) = cards::get(tx, n)? else { return Ok(Some(false)) };
            let row = orders::by_number(tx, attempt.order_n)?;
            attempt.seen_seq = i64::from(row.seq);
            let mut was_followed = false;
            match orders::chain(tx, &row) {
                Ok(mut chain) if !row.waits_for_heads => {
                    desk.follow(&mut attempt, &row, &mut chain)?;
                    attempt.seen_seq = chain.len() as i64 - 1;
                    was_followed = true;
                }
                Ok(_) => {}
                // `verify` names it; the others shall not wait for it.
                Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            cards::put(tx, &attempt)?;
            Ok::<_, Abort<NotDone>>(Some(was_followed))
        })
    }

    /// Has a person look at a payment that cannot go on, so that no other waits for it.
    fn note_misfit(&self, n: i64, why: &StoreError, now: UnixMs) -> Result<(), NotDone> {
        let says = why.to_string();
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotDone>> {
            let Some(mut attempt) = cards::get(tx, n)? else { return Ok(()) };
            attempt.seen_seq = i64::from(orders::by_number(tx, attempt.order_n)?.seq);
            attempt.look = now.plus_ms(LOOK_HELD_MS);
            attempt.trouble = Some(says.clone());
            Ok(cards::put(tx, &attempt)?)
        });
        Ok(noted?)
    }

    /// Attempts of which the provider is to be asked how they stand: number and name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cards_to_look_at(&self, now: UnixMs) -> Result<Vec<(i64, String)>, StoreError> {
        let all = self.reader().read(|c| cards::to_look_at(c, now, AT_ONCE))?;
        Ok(all.into_iter().filter_map(|attempt| Some((attempt.n, attempt.intent?))).collect())
    }

    /// Takes in how a payment stands at the provider; nothing where it could not say.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub fn saw_card(
        &self,
        n: i64,
        said: Option<Intent>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotDone> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let seen = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            let Some(mut attempt) = cards::get(tx, n)? else { return Ok(()) };
            attempt.look = now.plus_ms(look_in_ms(&attempt, now));
            cards::put(tx, &attempt)?;
            let Some(said) = &said else { return Ok(()) };
            if desk.read_only()?.is_some() {
                return Ok(());
            }
            let row = orders::by_number(tx, attempt.order_n)?;
            let chain = match orders::chain(tx, &row) {
                Ok(chain) => chain,
                Err(StoreError::Damaged { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if !row.waits_for_heads {
                desk.hear(&mut attempt, (&row, chain), said)?;
                cards::put(tx, &attempt)?;
            }
            Ok::<_, Abort<NotDone>>(())
        });
        match seen {
            Err(WriteError::Store(why @ StoreError::Damaged { .. })) => {
                self.note_misfit(n, &why, now)
            }
            seen => Ok(seen?),
        }
    }
}

/// After how long a payment is asked about again: seldom where nothing came of it for long.
fn look_in_ms(attempt: &Attempt, now: UnixMs) -> u64 {
    match attempt.state {
        State::Authorised => LOOK_HELD_MS,
        _ => (now.since(attempt.begun) / 4).clamp(LOOK_MS.0, LOOK_MS.1),
    }
}

impl Desk<'_, '_> {
    /// What the order asks of a payment now.
    pub(super) fn follow(
        &mut self,
        attempt: &mut Attempt,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), StoreError> {
        let order = chain.order();
        let unfit = |_| StoreError::damaged("the sums of order", row.id);
        let (due, most) = (Totals::of(order).map_err(unfit)?.due, exposure(order).map_err(unfit)?);
        let is_accepted = matches!(order.stage, Stage::Accepted { .. });
        match (attempt.state, order.payment) {
            (State::Wanted | State::Asked, payment) => {
                let is_needed = is_accepted && payment.owes_all() && due.minor > 0;
                if is_needed && most.minor <= attempt.minor {
                    return Ok(());
                }
                let is_free = self.let_go(attempt)?;
                if is_free && is_needed {
                    cards::put(self.tx, attempt)?;
                    self.want_again(row, chain)?;
                }
                Ok(())
            }
            (State::Authorised, Payment::Authorised { until, .. }) => {
                let is_late = until < self.now.at && !self.now.expiry_suspended;
                if order.stage.is_final() {
                    self.void(attempt, row, chain, VoidReason::NotNeeded)
                } else if is_late && !self.is_being_taken(attempt)? {
                    self.void(attempt, row, chain, VoidReason::Expired)
                } else {
                    self.take_if_handed_over(attempt, chain)
                }
            }
            // Somebody let it go, and it may be paid otherwise by now: the provider is told.
            (State::Authorised, _) => self.let_go(attempt).map(drop),
            _ => Ok(()),
        }
    }

    /// What is handed over is to be taken, at what it comes to.
    fn take_if_handed_over(&mut self, attempt: &Attempt, chain: &Chain) -> Result<(), StoreError> {
        let Payment::Authorised { amount: held, .. } = chain.order().payment else { return Ok(()) };
        let done = Body::Completed(Completed {});
        match step::step(chain.order(), self.now.at, &done) {
            Err(Misstep::NotSettled { due }) if due.minor > 0 => {
                self.tell(attempt, What::Capture, due.minor.min(held.minor))
            }
            _ => Ok(()),
        }
    }

    /// Whether the provider was told to take the sum, so that it may have.
    pub(in crate::app) fn is_being_taken(&self, attempt: &Attempt) -> Result<bool, StoreError> {
        let calls = cards::calls_of(self.tx, attempt.n)?;
        Ok(calls
            .iter()
            .any(|call| call.what == What::Capture && call.attempts > 0 && call.done.is_none()))
    }

    fn void(
        &mut self,
        attempt: &mut Attempt,
        row: &OrderRow,
        chain: &mut Chain,
        why: VoidReason,
    ) -> Result<(), StoreError> {
        // Where somebody let it go before, the order says so already.
        let is_said = !matches!(chain.order().payment, Payment::Authorised { .. });
        if !is_said && !self.appended(row, chain, &Body::Voided(Voided { why }))? {
            let says = "it is let go, and the order takes no entry that says so";
            attempt.trouble = Some(says.to_owned());
        }
        self.let_go(attempt).map(drop)
    }

    /// Lets an attempt go; `false` where it has to wait until the provider has answered.
    pub(super) fn let_go(&mut self, attempt: &mut Attempt) -> Result<bool, StoreError> {
        for call in cards::calls_of(self.tx, attempt.n)? {
            let is_open = call.done.is_none();
            match call.what {
                What::Create if is_open && call.attempts > 0 => return Ok(false),
                What::Create | What::Capture if is_open => {
                    let problem = Some("no longer needed".to_owned());
                    let done = Some(self.now.at);
                    cards::put_call(self.tx, &Call { done, problem, ..call })?;
                }
                _ => {}
            }
        }
        attempt.state = State::Released;
        if attempt.intent.is_some() {
            self.tell(attempt, What::Cancel, attempt.minor)?;
        }
        Ok(true)
    }

    fn tell(&mut self, attempt: &Attempt, what: What, minor: i64) -> Result<(), StoreError> {
        let key = format!("{}-{}", attempt.key, what.label());
        cards::queue(self.tx, (attempt.n, what), (&key, minor), None, self.clock).map(drop)
    }

    fn want_again(&mut self, row: &OrderRow, chain: &Chain) -> Result<(), StoreError> {
        match self.want_card(row, chain) {
            Err(NotByCard::Store(error)) => Err(error),
            // It is paid otherwise, then.
            _ => Ok(()),
        }
    }

    /// Takes in how a payment stands at the provider.
    pub(super) fn hear(
        &mut self,
        attempt: &mut Attempt,
        (row, mut chain): (&OrderRow, Chain),
        said: &Intent,
    ) -> Result<(), Abort<NotDone>> {
        let currency = chain.order().placed.currency;
        let is_ours = attempt.intent.as_deref() == Some(said.id.as_str())
            && said.minor == attempt.minor
            && said.currency.eq_ignore_ascii_case(currency.as_str());
        if !is_ours {
            let (there, money) = (said.minor, &said.currency);
            attempt.trouble = Some(format!(
                "the provider has {there} {money} for it, and {} was asked for (minor units)",
                attempt.minor
            ));
            return Ok(());
        }
        if said.status == Status::Taken && said.took().is_none() {
            // How much it was, it may tell later.
            attempt.look = attempt.look.min(self.clock.plus_ms(LOOK_MS.1));
            return Ok(());
        }
        let before = chain.entries().len();
        let took = Money::new(said.took().unwrap_or_default(), currency);
        match (attempt.state, said.status) {
            (State::Asked, Status::Held | Status::Taken) => {
                self.hold(attempt, row, &mut chain, said)?;
                if said.status == Status::Taken && attempt.state == State::Authorised {
                    self.note_taken(attempt, row, &mut chain, took)?;
                }
            }
            (State::Asked, Status::CalledOff) => {
                self.fail(attempt, row, &mut chain, CardFailure::CalledOff)?;
                attempt.state = State::Failed;
            }
            (State::Asked, Status::Open) => {
                if let Some(why) = said.failure {
                    self.fail(attempt, row, &mut chain, why)?;
                }
            }
            (State::Authorised | State::Released, Status::Taken) => {
                self.note_taken(attempt, row, &mut chain, took)?;
            }
            (State::Authorised, Status::CalledOff) => {
                let is_late = match chain.order().payment {
                    Payment::Authorised { until, .. } => until <= self.now.at,
                    _ => false,
                };
                let why = if is_late { VoidReason::Expired } else { VoidReason::ByProvider };
                self.void(attempt, row, &mut chain, why)?;
            }
            _ => {}
        }
        if chain.entries().len() > before {
            self.complete_if_done(row, &mut chain)?;
            self.take_for_order(row, &chain, before, None)?;
            self.issue_for(row, &chain, before)?;
        }
        Ok(())
    }

    fn hold(
        &mut self,
        attempt: &mut Attempt,
        row: &OrderRow,
        chain: &mut Chain,
        said: &Intent,
    ) -> Result<(), StoreError> {
        let until = said.until.unwrap_or(self.now.at.plus_ms(HELD_MS));
        let minor = said.held_minor.unwrap_or(said.minor).min(attempt.minor);
        let amount = Money::new(minor, chain.order().placed.currency);
        let body = Body::Authorised(Authorised { intent: said.id.clone(), amount, until });
        if self.appended(row, chain, &body)? {
            (attempt.state, attempt.until) = (State::Authorised, Some(until));
            attempt.look = self.clock.plus_ms(LOOK_HELD_MS);
        } else {
            // The order was paid otherwise, or came to nothing, in between.
            self.let_go(attempt)?;
        }
        Ok(())
    }

    fn note_taken(
        &mut self,
        attempt: &mut Attempt,
        row: &OrderRow,
        chain: &mut Chain,
        amount: Money,
    ) -> Result<(), StoreError> {
        let intent = attempt.intent.clone().unwrap_or_default();
        let body = Body::Captured(Captured { intent, amount });
        if self.appended(row, chain, &body)? {
            (attempt.state, attempt.captured_minor) = (State::Captured, amount.minor);
            attempt.look = self.clock;
            self.check_taken(attempt, amount.minor)?;
        } else {
            attempt.state = State::Released;
            attempt.trouble = Some(format!(
                "the provider took {amount} for it, and the order does not take that: give it back \
                 there"
            ));
        }
        Ok(())
    }

    /// Ends the call that had it taken, and says where the provider took another sum.
    fn check_taken(&mut self, attempt: &mut Attempt, minor: i64) -> Result<(), StoreError> {
        for call in cards::calls_of(self.tx, attempt.n)? {
            if call.done.is_some() || !matches!(call.what, What::Capture | What::Cancel) {
                continue;
            }
            if call.what == What::Capture && call.minor != minor {
                attempt.trouble = Some(format!(
                    "the provider took {minor}, and {} was to be taken (minor units)",
                    call.minor
                ));
            }
            cards::put_call(self.tx, &Call { done: Some(self.now.at), ..call })?;
        }
        Ok(())
    }

    pub(super) fn fail(
        &mut self,
        attempt: &Attempt,
        row: &OrderRow,
        chain: &mut Chain,
        why: CardFailure,
    ) -> Result<(), StoreError> {
        // The same said again is nothing new, and an order that came to nothing has failed enough.
        if let Payment::Failed { why: before, .. } = chain.order().payment
            && before == why
        {
            return Ok(());
        }
        // Whoever tries card after card shall not fill the order.
        let of_this = |body: &Body| match body {
            Body::CardFailed(failed) => failed.attempt == attempt.attempt,
            _ => false,
        };
        let said = chain.entries().iter().filter(|entry| of_this(entry.body())).count();
        if said >= FAILURES_SAID_MAX {
            return Ok(());
        }
        let body = Body::CardFailed(CardFailed { attempt: attempt.attempt, why });
        self.appended(row, chain, &body).map(drop)
    }

    /// Appends an entry where it fits; says whether it did.
    pub(super) fn appended(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
        body: &Body,
    ) -> Result<bool, StoreError> {
        match self.append(row, chain, body) {
            Ok(_) => Ok(true),
            Err(AppendError::Chain(_)) => Ok(false),
            Err(AppendError::Store(error)) => Err(error),
        }
    }

    /// Somebody in the shop lets what is held go, so that the order can be paid otherwise.
    pub(in crate::app) fn let_card_go(
        &mut self,
        row: &OrderRow,
        chain: &mut Chain,
    ) -> Result<(), Abort<NotDone>> {
        for attempt in cards::of_order(self.tx, row.n)? {
            if attempt.state == State::Authorised && self.is_being_taken(&attempt)? {
                return Err(super::refused(NotByCard::Taking));
            }
        }
        self.append(row, chain, &Body::Voided(Voided { why: VoidReason::PaidOtherwise }))?;
        Ok(())
    }

    /// Takes up what an order says of a card after a restore: its entries are the truth.
    pub(in crate::app) fn adopt_card(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
    ) -> Result<(), StoreError> {
        let order = chain.order();
        let Some(asked) = &order.card else { return Ok(()) };
        let entries = || chain.entries().iter().filter(|entry| entry.is_acted_on());
        let taken = entries().find_map(|entry| match entry.body() {
            Body::Captured(taken) if taken.intent == asked.intent => Some(taken.amount.minor),
            _ => None,
        });
        let (state, until) = match (order.payment, taken) {
            (_, Some(_)) => (State::Captured, None),
            (Payment::Authorised { until, .. }, None) => (State::Authorised, Some(until)),
            (payment, None) if payment.owes_all() && !order.stage.is_final() => {
                (State::Asked, None)
            }
            _ => (State::Released, None),
        };
        let mut known = cards::by_intent(self.tx, &asked.intent)?;
        if known.is_none() {
            // The backup may be of a time before the provider gave it a name.
            let all = cards::of_order(self.tx, row.n)?;
            known = all.into_iter().find(|known| known.attempt == asked.attempt);
        }
        let other = known.as_ref().and_then(|known| known.intent.as_deref());
        let trouble = match other.filter(|other| *other != asked.intent) {
            Some(other) => Some(format!("look at the provider for {other}, which was begun too")),
            None => known.as_ref().and_then(|known| known.trouble.clone()),
        };
        let mut attempt = Attempt {
            n: known.as_ref().map_or(0, |known| known.n),
            order_n: row.n,
            attempt: asked.attempt,
            key: self.card_key(row, asked.attempt),
            minor: asked.amount.minor,
            intent: Some(asked.intent.clone()),
            state,
            until,
            captured_minor: taken.unwrap_or(0),
            begun: known.as_ref().map_or(self.clock, |known| known.begun),
            look: self.clock,
            seen_seq: -1,
            trouble,
        };
        match known {
            Some(_) => cards::put(self.tx, &attempt)?,
            None => match cards::begin(self.tx, &attempt)? {
                Some(n) => attempt.n = n,
                None => return Err(StoreError::damaged("the attempts of order", row.id)),
            },
        }
        self.adopt_calls(&attempt, chain)
    }

    /// Takes up what an order says that the provider was told: that is not told again, and what goes
    /// back later has a key of its own.
    fn adopt_calls(&mut self, attempt: &Attempt, chain: &Chain) -> Result<(), StoreError> {
        let now = self.now.at;
        for call in cards::calls_of(self.tx, attempt.n)? {
            if call.what == What::Create && call.done.is_none() {
                cards::put_call(self.tx, &Call { done: Some(now), problem: None, ..call })?;
            }
        }
        for (entry, minor) in sent_back(chain, attempt) {
            let calls = cards::calls_of(self.tx, attempt.n)?;
            let backs = || calls.iter().filter(|call| call.what == What::Refund);
            if backs().any(|call| call.entry == Some(entry)) {
                continue;
            }
            let is_it = |call: &&Call| call.done.is_none() && call.minor == minor;
            let call = match backs().find(is_it) {
                Some(call) => call.clone(),
                None => {
                    let key = attempt.refund_key(backs().count());
                    let what = (attempt.n, What::Refund);
                    cards::queue(self.tx, what, (&key, minor), None, self.clock)?;
                    let all = cards::calls_of(self.tx, attempt.n)?;
                    let lost = || StoreError::damaged("a refund of payment", &key);
                    all.into_iter().find(|call| call.key == key).ok_or_else(lost)?
                }
            };
            let (done, entry) = (Some(now), Some(entry));
            cards::put_call(self.tx, &Call { done, entry, problem: None, ..call })?;
        }
        Ok(())
    }
}

/// What went back to the card after it was taken, as the order's entries say.
fn sent_back(chain: &Chain, attempt: &Attempt) -> Vec<(Hash, i64)> {
    let entries = chain.entries().iter().filter(|entry| entry.is_acted_on());
    let after = entries.skip_while(|entry| match entry.body() {
        Body::Captured(taken) => attempt.intent.as_deref() != Some(taken.intent.as_str()),
        _ => true,
    });
    let backs = after.filter_map(|entry| match entry.body() {
        Body::Refunded(back) if back.means == Means::Card => {
            Some((entry.hash(), back.amount.minor))
        }
        _ => None,
    });
    backs.collect()
}
