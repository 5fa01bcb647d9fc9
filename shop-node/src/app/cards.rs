//! Payments by card through a provider that speaks Stripe's API: at which one, and what becomes of each.
//!
//! **Invariants:** what the provider did counts only once it is an entry of the order; what it is to be
//! told is kept until it answered and is told under one key for ever; a webhook is a hint, and how a
//! payment stands is read back from the provider itself.

use kirana_core::{
    hash::Hash,
    id::OrderId,
    key::KeyId,
    khata::exposure,
    money::{Currency, Money, MoneyError},
    order::{
        axes::{Payment, Stage},
        chain::Chain,
        facts::{CARD_ATTEMPTS_MAX, CardAsked},
        totals::Totals,
    },
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};
use rand_core::CryptoRng;
use serde::Serialize;

use super::{
    Shop,
    desk::{Desk, Visit},
    orders::{NotDone, Which, one, plain, whole},
    refusal::NotStored,
};
use crate::{
    outside::NotFetched,
    store::{
        cards::{self, Attempt, Call, Charge, State, Unlike, What},
        orders::OrderRow,
        settings::{self, Setting},
    },
};

mod account;
mod calls;
mod course;
mod said;
mod verify;
mod webhook;

pub(super) use account::is_on;
pub use account::{Account, GivenAccount, SECRET_BYTES_MAX, STRIPE};
pub use calls::{Answered, Job};
pub use said::{Charges, Intent, Refunds, Status, charges, failure_of, intent, refund, refunds};
pub(super) use verify::faults;
pub use webhook::{BadEvent, EVENT_BYTES_MAX, signature};

/// How long a sum is held where the provider does not say: a week.
pub const HELD_MS: u64 = 7 * DAY_MS;
/// How far back the provider is asked for all that it took.
pub const SWEPT_MS: u64 = 35 * DAY_MS;
/// The most items of each kind that are listed.
const LISTED_MAX: u32 = 500;
/// The longest word about a payment that is set aside, in characters.
const WORDS_CHARS_MAX: usize = 300;

/// Why something about cards is not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotByCard {
    /// The owner turned it off.
    #[error("the shop takes no cards: its owner can turn that on, see `kirana-shop cards set`")]
    Off,
    /// An account that cannot be.
    #[error("{0}")]
    Account(&'static str),
    /// A currency whose sums the provider may read as others.
    #[error(
        "sums in {0} cannot be told to the provider: cards are taken in other currencies alone"
    )]
    Currency(Currency),
    /// An address that cannot be called.
    #[error(transparent)]
    Address(#[from] NotFetched),
    /// The order does not wait for a card.
    #[error("nothing is to be paid by card for this order now")]
    NotNow,
    /// Asked too often.
    #[error("the customer was asked {CARD_ATTEMPTS_MAX} times: let it be paid otherwise")]
    TooOften,
    /// Whether the sum was taken is not known yet.
    #[error("the provider was told to take the sum and has not answered: wait for it")]
    Taking,
    /// More than went through the provider.
    #[error("that is more than can go back to the card ({0}): give the rest otherwise")]
    BackBeyond(Money),
    /// The provider did not answer.
    #[error("the payment provider cannot be asked now: {0}")]
    Provider(String),
    /// No words, or too many.
    #[error("say why, in at most {WORDS_CHARS_MAX} characters")]
    Words,
    /// There is no such payment at the provider.
    #[error("there is no such payment that nobody accounted for")]
    NoSuchCharge,
    /// The order does not allow it.
    #[error(transparent)]
    Order(Box<NotDone>),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotDone> for NotByCard {
    fn from(why: NotDone) -> Self {
        match why {
            NotDone::Card(why) => *why,
            why => Self::Order(Box::new(why)),
        }
    }
}

/// How an order's payment by card stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardView {
    /// What the customer was asked for last.
    pub asked: Option<CardAsked>,
    /// How far the last attempt is.
    pub state: Option<State>,
    /// How the order's payment stands.
    pub payment: Payment,
    /// What the provider is still to be told, and what was wrong last.
    pub waiting: Vec<Waiting>,
}

/// Something that the provider is still to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The order's short number.
    pub number: String,
    /// The order.
    pub id: OrderId,
    /// What.
    pub what: What,
    /// Over how much, in minor units.
    pub minor: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// What was wrong last.
    pub problem: Option<String>,
}

/// A sum that is held on a card and not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The order's short number.
    pub number: String,
    /// The order.
    pub id: OrderId,
    /// How much, in minor units.
    pub minor: i64,
    /// Until when.
    pub until: Option<UnixMs>,
}

/// A payment by card that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The order's short number.
    pub number: String,
    /// The order.
    pub id: OrderId,
    /// What does not fit.
    pub says: String,
}

/// What of payments by card does not fit together, or waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CardsReconciled {
    /// Sums that are held and not taken.
    pub held: Vec<Held>,
    /// What the provider is still to be told.
    pub waiting: Vec<Waiting>,
    /// What does not fit.
    pub troubles: Vec<Trouble>,
    /// Money at the provider that belongs to no order here.
    pub strangers: Vec<Charge>,
    /// When the provider was asked last for all that it took.
    pub swept_at: Option<UnixMs>,
}

impl Shop {
    /// How an order's payment by card stands.
    ///
    /// # Errors
    /// [`NotDone`] when there is no such order.
    pub fn card_of(&self, which: Which) -> Result<CardView, NotDone> {
        self.reader().read(|c| {
            let row = one(c, which).map_err(plain)?;
            let chain = whole(c, &row).map_err(plain)?;
            let attempts = cards::of_order(c, row.n)?;
            let mut waiting = Vec::new();
            for attempt in &attempts {
                let calls = cards::calls_of(c, attempt.n)?.into_iter();
                for call in calls.filter(|call| call.done.is_none()) {
                    waiting.push(told(c, attempt, call)?);
                }
            }
            let order = chain.order();
            Ok(CardView {
                asked: order.card.clone(),
                state: attempts.last().map(|last| last.state),
                payment: order.payment,
                waiting,
            })
        })
    }

    /// Asks the customer anew to let what an order comes to be held on a card, after an attempt failed
    /// or was let go, or where it was to be paid otherwise.
    ///
    /// # Errors
    /// [`NotByCard`]; nothing was changed.
    pub fn ask_for_card(
        &self,
        which: Which,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<CardView, NotByCard> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let asked = self.writer().write(move |tx| {
            let mut desk = Desk::open(&inner, tx, &visit)?;
            if let Some(why) = desk.read_only()? {
                return Err(Abort::Refused(NotDone::ReadOnly(why)));
            }
            let row = one(tx, which)?;
            if row.waits_for_heads {
                return Err(Abort::Refused(NotDone::WaitsForCustomer(row.id)));
            }
            let chain = whole(tx, &row)?;
            desk.want_card(&row, &chain).map_err(refused)
        });
        asked.map_err(NotDone::from)?;
        Ok(self.card_of(which)?)
    }

    /// What of payments by card does not fit together, or waits.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cards_reconciled(&self) -> Result<CardsReconciled, StoreError> {
        self.reader().read(|c| {
            let mut list = CardsReconciled {
                strangers: cards::strangers(c, LISTED_MAX)?,
                swept_at: settings::get(c, Setting::CardsSwept)?,
                ..CardsReconciled::default()
            };
            for attempt in cards::listed(c, false, LISTED_MAX)? {
                let (number, id) = cards::order_of(c, attempt.order_n)?;
                let (minor, until) = (attempt.minor, attempt.until);
                list.held.push(Held { number, id, minor, until });
            }
            for call in cards::waiting(c, LISTED_MAX)? {
                let Some(attempt) = cards::get(c, call.payment_n)? else { continue };
                list.waiting.push(told(c, &attempt, call)?);
            }
            for attempt in cards::listed(c, true, LISTED_MAX)? {
                let (number, id) = cards::order_of(c, attempt.order_n)?;
                let says = attempt.trouble.unwrap_or_default();
                list.troubles.push(Trouble { number, id, says });
            }
            if let Some(swept) = list.swept_at {
                let since = swept.minus_ms(SWEPT_MS - DAY_MS);
                for unlike in cards::unlike(c, (since, swept), LISTED_MAX)? {
                    let (number, id) = cards::order_of(c, unlike.attempt.order_n)?;
                    list.troubles.push(Trouble { number, id, says: says_unlike(&unlike) });
                }
            }
            Ok(list)
        })
    }

    /// Takes down what the provider says that it took.
    ///
    /// # Errors
    /// [`NotByCard`] when it cannot be stored.
    pub fn note_charges(&self, charges: Vec<Charge>, begun: UnixMs) -> Result<(), NotByCard> {
        let noted = self.writer().write(move |tx| -> Result<(), Abort<NotByCard>> {
            for charge in &charges {
                cards::put_charge(tx, charge, begun)?;
            }
            Ok(settings::put(tx, Setting::CardsSwept, &begun)?)
        });
        Ok(noted?)
    }

    /// When the provider was asked last for all that it took.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn cards_swept(&self) -> Result<Option<UnixMs>, StoreError> {
        self.reader().read(|c| settings::get(c, Setting::CardsSwept))
    }

    /// Says why a payment at the provider is no money of an order here.
    ///
    /// # Errors
    /// [`NotByCard`]; nothing was changed.
    pub fn set_charge_aside(&self, id: &str, why: &str) -> Result<(), NotByCard> {
        let (id, why) = (id.to_owned(), why.trim().to_owned());
        let is_fit = !why.is_empty() && why.chars().count() <= WORDS_CHARS_MAX;
        if !is_fit || why.chars().any(char::is_control) {
            return Err(NotByCard::Words);
        }
        let done = self.writer().write(move |tx| -> Result<bool, Abort<NotByCard>> {
            Ok(cards::set_charge_aside(tx, &id, &why)?)
        });
        if done? { Ok(()) } else { Err(NotByCard::NoSuchCharge) }
    }
}

/// In which of its sums the provider says otherwise.
fn says_unlike(Unlike { attempt, back_minor, there }: &Unlike) -> String {
    let (ours, intent) = (attempt.captured_minor, attempt.intent.as_deref().unwrap_or_default());
    match there {
        None => format!("the provider does not show {intent}, over {ours}"),
        Some((there, _)) if *there != ours => {
            format!("the provider took {there} for {intent}, the order says {ours} (minor units)")
        }
        Some((_, back)) => format!(
            "the provider gave back {back} of {intent}, the order says {back_minor} (minor units)"
        ),
    }
}

fn told(c: &Connection, attempt: &Attempt, call: Call) -> Result<Waiting, StoreError> {
    let (number, id) = cards::order_of(c, attempt.order_n)?;
    let Call { what, minor, attempts, problem, .. } = call;
    Ok(Waiting { number, id, what, minor, attempts, problem })
}

fn refused(why: NotByCard) -> Abort<NotDone> {
    match why {
        NotByCard::Store(error) => Abort::Store(error),
        why => Abort::Refused(NotDone::Card(Box::new(why))),
    }
}

fn unfit(_: MoneyError) -> NotByCard {
    NotByCard::NotNow
}

impl Desk<'_, '_> {
    /// Begins to have what an order comes to at its heaviest held on a card.
    pub(super) fn want_card(&mut self, row: &OrderRow, chain: &Chain) -> Result<(), NotByCard> {
        if !account::is_on(self.tx, chain.order().placed.currency)? {
            return Err(NotByCard::Off);
        }
        let order = chain.order();
        let due = Totals::of(order).map_err(unfit)?.due;
        let most = exposure(order).map_err(unfit)?;
        let takes = matches!(order.stage, Stage::Accepted { .. }) && order.payment.owes_all();
        let before = cards::of_order(self.tx, row.n)?;
        let runs = before.iter().any(|a| matches!(a.state, State::Wanted | State::Asked));
        if !takes || due.minor <= 0 || most.minor <= 0 || runs {
            return Err(NotByCard::NotNow);
        }
        let last = before.last().map_or(0, |attempt| attempt.attempt);
        let attempt = last.max(order.card.as_ref().map_or(0, |asked| asked.attempt)) + 1;
        if attempt > CARD_ATTEMPTS_MAX {
            return Err(NotByCard::TooOften);
        }
        let key = self.card_key(row, attempt);
        let begun = Attempt {
            n: 0,
            order_n: row.n,
            attempt,
            key: key.clone(),
            minor: most.minor,
            intent: None,
            state: State::Wanted,
            until: None,
            captured_minor: 0,
            begun: self.clock,
            look: self.clock,
            seen_seq: -1,
            trouble: None,
        };
        if let Some(n) = cards::begin(self.tx, &begun)? {
            let call = (format!("{key}-create"), most.minor);
            cards::queue(self.tx, (n, What::Create), (&call.0, call.1), None, self.clock)?;
        }
        Ok(())
    }

    /// From what every call about an attempt takes its key: the same on any box of this shop.
    pub(super) fn card_key(&self, row: &OrderRow, attempt: u8) -> String {
        let shop = self.shop.identity.shop;
        let parts = [
            &b"kirana card 1"[..],
            &shop.as_bytes()[..],
            &crate::store::party_key(&row.customer),
            &row.id.as_bytes()[..],
            &[attempt],
        ];
        let digest = Hash::of_parts(&parts).to_string();
        format!("kirana-{}", &digest[..40.min(digest.len())])
    }

    /// Has a part of what was taken from a card go back there; the entry comes with the provider's
    /// answer. Nothing where the order was not paid through the provider.
    pub(super) fn refund_to_card(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        amount: Money,
        who: Option<KeyId>,
    ) -> Result<bool, NotByCard> {
        let attempts = cards::of_order(self.tx, row.n)?;
        let Some(taken) = attempts.iter().find(|a| a.state == State::Captured) else {
            return Ok(false);
        };
        let calls = cards::calls_of(self.tx, taken.n)?;
        let backs = calls.iter().filter(|call| call.what == What::Refund);
        let open: i64 = backs.clone().filter(|c| c.done.is_none()).map(|c| c.minor).sum();
        let gone: i64 = backs.clone().filter(|c| c.entry.is_some()).map(|c| c.minor).sum();
        let totals = Totals::of(chain.order()).map_err(unfit)?;
        // Cash that went back meanwhile is not given twice.
        let kept = totals.paid.minor - totals.refunded.minor - open;
        let left = (taken.captured_minor - gone - open).min(kept).max(0);
        if amount.minor <= 0 || amount.currency != chain.order().placed.currency {
            return Ok(false);
        }
        if amount.minor > left {
            return Err(NotByCard::BackBeyond(Money { minor: left, ..amount }));
        }
        let key = taken.refund_key(backs.count());
        let what = (taken.n, What::Refund);
        cards::queue(self.tx, what, (&key, amount.minor), who, self.clock)?;
        Ok(true)
    }

    /// [`Desk::refund_to_card`] for somebody in the shop.
    pub(super) fn send_back(
        &mut self,
        row: &OrderRow,
        chain: &Chain,
        amount: Money,
        who: Option<KeyId>,
    ) -> Result<bool, Abort<NotDone>> {
        self.refund_to_card(row, chain, amount, who).map_err(refused)
    }

    /// Whether so much may be given back by hand, beside what is on its way back to a card.
    pub(super) fn may_give_back(
        &self,
        row: &OrderRow,
        chain: &Chain,
        amount: Money,
    ) -> Result<(), Abort<NotDone>> {
        let totals = Totals::of(chain.order()).map_err(|why| refused(unfit(why)))?;
        let open = self.on_its_way_back(row)?;
        let left = totals.paid.minor - totals.refunded.minor - open;
        match open > 0 && amount.minor > left {
            true => Err(refused(NotByCard::BackBeyond(Money { minor: left.max(0), ..amount }))),
            false => Ok(()),
        }
    }

    /// What is already on its way back to a card, so that it is not given twice.
    fn on_its_way_back(&self, row: &OrderRow) -> Result<i64, StoreError> {
        let mut sum = 0;
        for attempt in cards::of_order(self.tx, row.n)? {
            let calls = cards::calls_of(self.tx, attempt.n)?.into_iter();
            let open = calls.filter(|call| call.what == What::Refund && call.done.is_none());
            sum += open.map(|call| call.minor).sum::<i64>();
        }
        Ok(sum)
    }
}
