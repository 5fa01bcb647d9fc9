//! Where a book stands: the fold of its entries, with checked sums.
//!
//! **Invariant:** the balance is opening + charged + paid out - paid - credited - written off, to the
//! paisa, after every entry; an entry that does not fit changes nothing.

use serde::Serialize;

use super::{
    MINOR_MAX,
    act::{Act, After, Line},
    dues::Dues,
};
use crate::{
    hash::Hash,
    id::{KhataId, ShopId},
    money::{Money, MoneyError},
    order::facts::Means,
    statement::Party,
    time::UnixMs,
};

/// A book, as its entries leave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Book {
    /// Its name.
    pub id: KhataId,
    /// Whose shop it is in.
    pub shop: ShopId,
    /// Who holds the other copy; nobody while the person has no device.
    pub holder: Option<Party>,
    /// Since when.
    pub opened_at: UnixMs,
    /// Since when it is closed, if it is.
    pub closed_at: Option<UnixMs>,
    /// What is owed; below zero, what the shop owes.
    pub balance: Money,
    /// What may be owed at most.
    pub limit: Money,
    /// What was owed before the book began.
    pub opening: Money,
    /// All that was taken on credit.
    pub charged: Money,
    /// All that was paid.
    pub paid: Money,
    /// All that came back or was taken off.
    pub credited: Money,
    /// All that the owner gave up.
    pub written_off: Money,
    /// All that the shop paid back.
    pub paid_out: Money,
    /// The salted hash of name and phone.
    #[serde(skip)]
    pub personal: Option<Hash>,
    /// What the customer signed last.
    pub countersigned: Option<Mark>,
    /// What the customer disagreed with since it was countersigned last.
    pub disputed: Option<Mark>,
    /// When the shop reminded last.
    pub reminded_at: Option<UnixMs>,
    /// Whether an entry of a later version is among them.
    pub newer: bool,
    /// What is not paid yet.
    #[serde(skip)]
    pub dues: Dues,
}

/// What a customer said about a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When the shop wrote it down.
    pub at: UnixMs,
    /// The entry that it is about.
    pub head: Hash,
    /// The balance after that entry, where it was signed.
    pub balance: Option<Money>,
    /// The salted hash of the words.
    #[serde(skip)]
    pub words: Option<Hash>,
}

impl After {
    /// How the book stands after `act`, which does not begin it.
    ///
    /// # Errors
    /// [`Misstep`] when it does not fit.
    pub fn then(self, act: &Act) -> Result<Self, Misstep> {
        let Self { balance, limit } = self;
        let next = match act {
            Act::Charged(charged) => {
                let next = balance.checked_add(self.sum(charged.amount)?)?;
                if next.minor > limit.minor && !charged.beyond {
                    return Err(Misstep::Limit { balance: next, limit });
                }
                next
            }
            Act::Paid(moved) => {
                let amount = self.moved(moved.amount, moved.means)?;
                if amount.minor > balance.minor {
                    return Err(Misstep::Beyond { owed: balance });
                }
                balance.checked_sub(amount)?
            }
            Act::PaidOut(moved) => {
                let amount = self.moved(moved.amount, moved.means)?;
                if amount.minor > balance.minor.saturating_neg() {
                    return Err(Misstep::Beyond { owed: balance });
                }
                balance.checked_add(amount)?
            }
            Act::Credited(credited) => balance.checked_sub(self.sum(credited.amount)?)?,
            Act::WrittenOff(given_up) => {
                let amount = self.sum(given_up.amount)?;
                if amount.minor > balance.minor {
                    return Err(Misstep::Beyond { owed: balance });
                }
                balance.checked_sub(amount)?
            }
            Act::LimitSet(set) => {
                let limit = check_limit(set.limit, balance)?;
                return Ok(Self { balance, limit });
            }
            Act::Closed(_) if balance.minor != 0 => return Err(Misstep::NotEven { balance }),
            Act::Opened(_) => return Err(Misstep::OpenedTwice),
            Act::Closed(_)
            | Act::Claimed(_)
            | Act::Countersigned(_)
            | Act::Disputed(_)
            | Act::Reminded(_)
            | Act::Unknown { .. } => balance,
        };
        Ok(Self { balance: next, limit })
    }

    /// How the book stands after the next entry, as that entry states it: by the holder before and
    /// after it, and whether the book is closed already.
    ///
    /// # Errors
    /// [`Misstep`] when it does not fit.
    pub fn follow(
        self,
        (before, holder): (Option<Party>, Option<Party>),
        is_closed: bool,
        line: &Line,
    ) -> Result<Self, Misstep> {
        if is_closed && !matches!(line.act, Act::Unknown { .. }) {
            return Err(Misstep::IsClosed);
        }
        let claims = matches!(line.act, Act::Claimed(_) | Act::Unknown { .. });
        if holder != before && (!claims || holder.is_none()) {
            return Err(Misstep::OtherHolder);
        }
        let next = match &line.act {
            // What a later version counts, it states: it is believed like the rest of its entry.
            Act::Unknown { .. } => line.after,
            act => self.then(act)?,
        };
        if next == line.after { Ok(next) } else { Err(Misstep::SumDiffers) }
    }

    /// Whether so much more may be taken on credit, where `held` is reserved already.
    ///
    /// # Errors
    /// [`Misstep::Limit`] when it may not.
    pub fn has_room(self, held: i64, amount: i64) -> Result<(), Misstep> {
        let (balance, limit) = (self.balance.minor, self.limit.minor);
        let sum = i128::from(balance) + i128::from(held) + i128::from(amount);
        if sum <= i128::from(limit) {
            return Ok(());
        }
        let minor = i64::try_from(sum).unwrap_or(i64::MAX);
        Err(Misstep::Limit { balance: Money { minor, ..self.balance }, limit: self.limit })
    }

    fn sum(self, amount: Money) -> Result<Money, Misstep> {
        if amount.currency != self.balance.currency {
            return Err(MoneyError::CurrenciesDiffer(self.balance.currency, amount.currency).into());
        }
        match amount.minor {
            1..=MINOR_MAX => Ok(amount),
            ..=0 => Err(Misstep::NoMoney),
            _ => Err(MoneyError::TooLarge.into()),
        }
    }

    fn moved(self, amount: Money, means: Means) -> Result<Money, Misstep> {
        if means == Means::Khata { Err(Misstep::NoMeans) } else { self.sum(amount) }
    }
}

fn check_limit(limit: Money, balance: Money) -> Result<Money, Misstep> {
    if limit.currency != balance.currency {
        return Err(MoneyError::CurrenciesDiffer(balance.currency, limit.currency).into());
    }
    match limit.minor {
        0..=MINOR_MAX => Ok(limit),
        ..0 => Err(MoneyError::Negative.into()),
        _ => Err(MoneyError::TooLarge.into()),
    }
}

impl Book {
    /// The book as its first entry leaves it.
    ///
    /// # Errors
    /// [`Misstep`] when it is no beginning.
    pub fn begin(
        id: KhataId,
        shop: ShopId,
        holder: Option<Party>,
        at: UnixMs,
        line: &Line,
    ) -> Result<Self, Misstep> {
        let Act::Opened(opened) = &line.act else { return Err(Misstep::NotOpened) };
        let (balance, limit) = (opened.opening, check_limit(opened.limit, opened.opening)?);
        if balance.minor.unsigned_abs() > MINOR_MAX.unsigned_abs() {
            return Err(MoneyError::TooLarge.into());
        }
        if line.after != (After { balance, limit }) {
            return Err(Misstep::SumDiffers);
        }
        let zero = Money::zero(balance.currency);
        let mut book = Self {
            id,
            shop,
            holder,
            opened_at: at,
            closed_at: None,
            balance,
            limit,
            opening: balance,
            charged: zero,
            paid: zero,
            credited: zero,
            written_off: zero,
            paid_out: zero,
            personal: opened.personal,
            countersigned: None,
            disputed: None,
            reminded_at: None,
            newer: false,
            dues: Dues::default(),
        };
        book.dues.moved(at, balance.minor, balance.minor);
        Ok(book)
    }

    /// How it stands, as entries state it.
    pub const fn after(&self) -> After {
        After { balance: self.balance, limit: self.limit }
    }

    /// Takes the next entry in.
    ///
    /// # Errors
    /// [`Misstep`] when it does not fit; nothing changed then.
    pub fn step(&mut self, at: UnixMs, holder: Option<Party>, line: &Line) -> Result<(), Misstep> {
        let moved = self.check(holder, line)?;
        let sums = self.sums(&line.act)?;
        let difference = moved.balance.minor - self.balance.minor;
        (self.charged, self.paid, self.credited, self.written_off, self.paid_out) = sums;
        (self.balance, self.limit, self.holder) = (moved.balance, moved.limit, holder);
        self.dues.moved(at, difference, moved.balance.minor);
        self.note(at, &line.act);
        Ok(())
    }

    /// How the book stands after the next entry.
    ///
    /// # Errors
    /// [`Misstep`] when it does not fit.
    pub fn check(&self, holder: Option<Party>, line: &Line) -> Result<After, Misstep> {
        let next = self.after().follow((self.holder, holder), self.closed_at.is_some(), line)?;
        self.sums(&line.act)?;
        Ok(next)
    }

    fn sums(&self, act: &Act) -> Result<(Money, Money, Money, Money, Money), MoneyError> {
        let (mut charged, mut paid, mut credited) = (self.charged, self.paid, self.credited);
        let (mut written_off, mut paid_out) = (self.written_off, self.paid_out);
        match act {
            Act::Charged(body) => charged = charged.checked_add(body.amount)?,
            Act::Paid(body) => paid = paid.checked_add(body.amount)?,
            Act::Credited(body) => credited = credited.checked_add(body.amount)?,
            Act::WrittenOff(body) => written_off = written_off.checked_add(body.amount)?,
            Act::PaidOut(body) => paid_out = paid_out.checked_add(body.amount)?,
            _ => {}
        }
        Ok((charged, paid, credited, written_off, paid_out))
    }

    fn note(&mut self, at: UnixMs, act: &Act) {
        match act {
            Act::Closed(_) => self.closed_at = Some(at),
            Act::Countersigned(signed) => {
                let (head, balance) = (signed.head, Some(signed.balance));
                self.countersigned = Some(Mark { at, head, balance, words: None });
                self.disputed = None;
            }
            Act::Disputed(disputed) => {
                let (head, words) = (disputed.head, disputed.words);
                self.disputed = Some(Mark { at, head, balance: None, words });
            }
            Act::Reminded(_) => self.reminded_at = Some(at),
            Act::Unknown { .. } => self.newer = true,
            _ => {}
        }
    }
}

/// An entry that does not fit a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misstep {
    /// It would pass the limit.
    #[error("the khata would stand at {balance}, and its limit is {limit}")]
    Limit {
        /// The balance that would be.
        balance: Money,
        /// The limit.
        limit: Money,
    },
    /// More than is owed.
    #[error("that is more than is owed: the khata stands at {owed}")]
    Beyond {
        /// What is owed; below zero, what the shop owes.
        owed: Money,
    },
    /// Nothing or less.
    #[error("a sum in a khata is above zero")]
    NoMoney,
    /// A khata is not paid from a khata.
    #[error("a khata is paid in cash, by UPI or by card")]
    NoMeans,
    /// Something is still owed by one side.
    #[error("the khata stands at {balance}: settle that first")]
    NotEven {
        /// What is owed.
        balance: Money,
    },
    /// Nothing is written into a closed book.
    #[error("the khata is closed")]
    IsClosed,
    /// It begins twice.
    #[error("a khata is opened once")]
    OpenedTwice,
    /// It does not begin with its opening.
    #[error("a khata begins with its opening")]
    NotOpened,
    /// The sums that it states are not those that follow.
    #[error("the balance that the entry states does not follow from the one before")]
    SumDiffers,
    /// It is addressed to somebody else than the holder.
    #[error("the khata is somebody else's")]
    OtherHolder,
    /// The customer signed a balance that never was.
    #[error("the balance that was signed is not the one after that entry")]
    OtherBalance,
    /// Too many entries.
    #[error("the khata is full: close it and open another")]
    Full,
    /// A sum that cannot be.
    #[error(transparent)]
    Money(#[from] MoneyError),
}
