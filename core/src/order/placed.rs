//! The first entry of every order: what the customer wants, under the customer's own signature.
//!
//! **Invariant:** a [`Placed`] that was read from bytes or signed here has passed
//! [`Placed::check`], so its lines, prices and sums are within limits.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{
    ANCHORS_MAX, LINES_MAX, PRICE_MINOR_MAX, PRICE_PER_MAX, axes::Payment, code::codes, entry::Body,
};
use crate::{
    hash::Hash,
    id::{OrderId, ProductId, ShopId, VariantId},
    key::SigningKey,
    money::{Currency, Money, MoneyError, Price},
    quantity::Quantity,
    statement::{Party, Position, SignedStatement, Statement},
    time::UnixMs,
};

/// What the customer wants, from whom, how, and up to which price.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Placed {
    /// Who orders; the author's certificate must say the same.
    #[n(0)]
    pub customer: Party,
    /// The currency of every price in the order.
    #[n(1)]
    pub currency: Currency,
    /// What is wanted; a line is named by its index here, for ever.
    #[n(2)]
    pub lines: Vec<WantedLine>,
    /// How the goods get to the customer.
    #[n(3)]
    pub handover: Handover,
    /// How it is going to be paid.
    #[n(4)]
    pub payment: Method,
    /// Whether a line may be granted in part; otherwise it is the whole line or nothing.
    #[n(5)]
    pub partial_ok: bool,
    /// The salted hash of the personal part (name, address, phone, note): see
    /// [`PersonalPart::hash`](crate::envelope::PersonalPart::hash).
    #[n(6)]
    pub personal: Option<Hash>,
    /// Heads of the shop's stock ledger that this customer was told, newest last: a shop that
    /// does not have one of them has lost the end of its ledger.
    #[n(7)]
    pub anchors: Vec<Hash>,
    /// The newest generation of the shop that this customer had met. A box of a later generation
    /// may have decided the order before it was restored, so it asks before it decides.
    #[n(8)]
    pub generation: u64,
    /// The most that the customer pays for having it brought, tax included.
    #[n(9)]
    pub fee: Option<Money>,
    /// How old the customer says to be, at least, where something is sold from an age on.
    #[n(10)]
    pub of_age: Option<u8>,
}

/// One line of an order as the customer wants it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct WantedLine {
    /// The product.
    #[n(0)]
    pub product: ProductId,
    /// Its size or pack.
    #[n(1)]
    pub variant: VariantId,
    /// How much.
    #[n(2)]
    pub quantity: Quantity,
    /// The price that the customer saw, tax included.
    #[n(3)]
    pub seen: Price,
    /// The number of the shop's signed catalogue chunk that the price was read from; 0 if none.
    #[n(4)]
    pub seen_version: u64,
    /// What to do when there is none left.
    #[n(5)]
    pub substitution: Substitution,
    /// How far the weight of loose goods may be off either way, in basis points.
    #[n(6)]
    pub tolerance_bp: u16,
    /// The highest price that the customer agrees to, where it is above the one seen.
    #[n(7)]
    pub cap: Option<Price>,
    /// What may come in its place: see [`Substitution::Listed`]; at most [`SUBSTITUTES_MAX`].
    #[cbor(n(8), default, skip_if = "Vec::is_empty")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substitutes: Vec<VariantId>,
}

impl WantedLine {
    /// A line with no substitute, no tolerance and no cap.
    pub fn new(product: ProductId, variant: VariantId, quantity: Quantity, seen: Price) -> Self {
        Self {
            product,
            variant,
            quantity,
            seen,
            seen_version: 0,
            substitution: Substitution::LeaveOut,
            tolerance_bp: 0,
            cap: None,
            substitutes: Vec::new(),
        }
    }

    /// The most that the customer agreed to pay for the whole line.
    ///
    /// # Errors
    /// [`MoneyError`] when it does not fit; a line that passed [`Placed::check`] fits.
    pub fn most(&self) -> Result<Money, MoneyError> {
        let seen = self.seen.of(self.quantity.amount())?;
        let cap = self.cap.map(|cap| cap.of(self.quantity.amount())).transpose()?;
        Ok(cap.filter(|cap| cap.minor > seen.minor).unwrap_or(seen))
    }

    /// Whether the customer allowed beforehand that this variant comes in the line's place.
    pub fn allows_instead(&self, variant: VariantId) -> bool {
        match self.substitution {
            Substitution::Similar => true,
            Substitution::Listed => self.substitutes.contains(&variant),
            Substitution::LeaveOut | Substitution::Ask | Substitution::Other(_) => false,
        }
    }

    /// Whether the customer agreed to pay `price`: it is no higher than the price seen or the cap.
    pub fn allows(&self, price: Price) -> bool {
        let within = |limit: Price| {
            limit.currency == price.currency
                && i128::from(price.minor) * i128::from(limit.per)
                    <= i128::from(limit.minor) * i128::from(price.per)
        };
        within(self.seen) || self.cap.is_some_and(within)
    }

    /// The most that may be weighed out for `granted` base units.
    pub fn weight_max(&self, granted: u64) -> u64 {
        granted.saturating_add(granted.saturating_mul(u64::from(self.tolerance_bp)) / 10_000)
    }

    /// The least that may be weighed out for `granted` base units.
    pub fn weight_min(&self, granted: u64) -> u64 {
        granted - (granted.saturating_mul(u64::from(self.tolerance_bp)) / 10_000).min(granted)
    }
}

/// How the goods get to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(flat)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Handover {
    /// The customer comes to the shop.
    #[n(0)]
    Pickup {
        /// When, if it matters.
        #[n(0)]
        slot: Option<Slot>,
    },
    /// The shop brings it.
    #[n(1)]
    Delivery {
        /// When, if it matters.
        #[n(0)]
        slot: Option<Slot>,
    },
}

/// A span of time for pickup or delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Slot {
    /// From when.
    #[n(0)]
    pub from: UnixMs,
    /// Until when.
    #[n(1)]
    pub until: UnixMs,
}

codes! {
    /// What to do with a line when there is none left.
    Substitution {
        /// Leave the line out.
        LeaveOut = 0, "leave_out", "leave it out";
        /// Ask first.
        Ask = 1, "ask", "ask me first";
        /// Take the same of another brand or size, as long as it costs no more.
        Similar = 2, "similar", "take something similar";
        /// Take one of those that the line names, as long as it costs no more.
        Listed = 3, "listed", "take one of those that I named";
    }
}

codes! {
    /// How an order is going to be paid.
    Method {
        /// When the goods change hands.
        OnDelivery = 0, "on_delivery", "paid when the goods change hands";
        /// On the customer's account at the shop.
        OnKhata = 1, "on_khata", "written into the khata";
        /// By card: held when the shop takes the order, taken when the goods change hands.
        Card = 2, "card", "paid by card";
        /// By UPI to the shop's own address.
        Upi = 3, "upi", "paid by UPI";
    }
}

impl Method {
    /// How the money of an order that is paid so stands once the shop has taken it.
    pub const fn begins(self) -> Payment {
        match self {
            Self::OnDelivery => Payment::OnDelivery,
            Self::OnKhata | Self::Card | Self::Upi | Self::Other(_) => Payment::Due,
        }
    }

    /// Whether this version knows how to be paid so.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

/// What a customer wants otherwise in an order that was placed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Alteration {
    /// Lines of which more or less is wanted.
    #[n(0)]
    pub amounts: Vec<NewAmount>,
    /// Lines that are wanted too; they get the numbers after the last.
    #[n(1)]
    pub added: Vec<WantedLine>,
    /// Another time, or another way to get it.
    #[n(2)]
    pub handover: Option<Handover>,
    /// The most that the customer pays for having it brought, where that changes.
    #[n(3)]
    pub fee: Option<Money>,
}

/// How much of a line is wanted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct NewAmount {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// How much, in base units; 0 takes it out.
    #[n(1)]
    pub amount: u64,
}

impl Alteration {
    /// What the customer wants after it.
    ///
    /// # Errors
    /// [`Invalid`] when it names a line that is not there or twice, changes nothing, or an order
    /// like that cannot be.
    pub fn apply(&self, placed: &Placed) -> Result<Placed, Invalid> {
        let mut next = placed.clone();
        if *self == Self::default() {
            return Err(Invalid::NothingChanges);
        }
        let mut named = std::collections::BTreeSet::new();
        for NewAmount { line, amount } in self.amounts.iter().copied() {
            let wanted = next.lines.get_mut(usize::from(line));
            let wanted = wanted.filter(|_| named.insert(line)).ok_or(Invalid::NoSuchLine(line))?;
            // A line that is taken out keeps its amount: it is its state that says so.
            if amount > 0 {
                let unit = wanted.quantity.unit();
                let quantity = Quantity::new(amount, unit);
                wanted.quantity = quantity.map_err(|_| Invalid::NoSuchLine(line))?;
            }
        }
        next.lines.extend(self.added.iter().cloned());
        next.handover = self.handover.unwrap_or(next.handover);
        next.fee = self.fee.or(next.fee);
        next.check()?;
        Ok(next)
    }
}

/// The most variants that a line may name for its place.
pub const SUBSTITUTES_MAX: usize = 8;
/// The most variants that all lines of an order may name together.
pub const SUBSTITUTES_OF_ALL_MAX: usize = 200;
/// The highest age that somebody may state, in years.
pub const AGE_MAX: u8 = 120;

impl Placed {
    /// Whether the shop brings it.
    pub fn is_brought(&self) -> bool {
        matches!(self.handover, Handover::Delivery { .. })
    }

    /// Checks all limits.
    ///
    /// # Errors
    /// [`Invalid`], the first that was found.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.lines.is_empty() {
            return Err(Invalid::NoLines);
        }
        if self.lines.len() > LINES_MAX {
            return Err(Invalid::TooManyLines(self.lines.len()));
        }
        if self.anchors.len() > ANCHORS_MAX {
            return Err(Invalid::TooManyAnchors(self.anchors.len()));
        }
        if matches!(self.customer, Party::Shop(_)) {
            return Err(Invalid::CustomerIsAShop);
        }
        if let Handover::Pickup { slot: Some(slot) } | Handover::Delivery { slot: Some(slot) } =
            self.handover
            && slot.until <= slot.from
        {
            return Err(Invalid::EmptySlot);
        }
        let substitutes: usize = self.lines.iter().map(|line| line.substitutes.len()).sum();
        if substitutes > SUBSTITUTES_OF_ALL_MAX {
            return Err(Invalid::TooManySubstitutesInAll(substitutes));
        }
        if self.of_age.is_some_and(|age| age > AGE_MAX) {
            return Err(Invalid::TooOld);
        }
        let mut most = Money::zero(self.currency);
        if let Some(fee) = self.fee {
            let fee = Price { minor: fee.minor, per: 1, currency: fee.currency };
            check_price(fee, self.currency).map_err(Invalid::Fee)?;
            most.minor = fee.minor;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let line_no = index as u16;
            let sum = self.check_line(line_no, line)?;
            most = most.checked_add(sum).map_err(|why| Invalid::Money { line: line_no, why })?;
        }
        Ok(())
    }

    fn check_line(&self, line_no: u16, line: &WantedLine) -> Result<Money, Invalid> {
        let money = |why| Invalid::Money { line: line_no, why };
        if line.tolerance_bp > 10_000 {
            return Err(Invalid::Tolerance { line: line_no });
        }
        if line.substitutes.len() > SUBSTITUTES_MAX {
            return Err(Invalid::TooManySubstitutes { line: line_no });
        }
        let mut most = Money::zero(self.currency);
        for price in [Some(line.seen), line.cap].into_iter().flatten() {
            check_price(price, self.currency).map_err(money)?;
            let sum = price.of(line.weight_max(line.quantity.amount())).map_err(money)?;
            most = if sum.minor > most.minor { sum } else { most };
        }
        Ok(most)
    }

    /// Signs the order: the first entry of a new chain.
    ///
    /// # Errors
    /// [`Invalid`]: nothing is signed that a shop would have to refuse as unreadable.
    pub fn sign(
        self,
        order: OrderId,
        shop: ShopId,
        at: UnixMs,
        answer_by: UnixMs,
        key: &SigningKey,
    ) -> Result<SignedStatement, Invalid> {
        self.check()?;
        let body = Body::Placed(self);
        let statement = Statement {
            kind: body.kind(),
            to: Party::Shop(shop),
            order,
            position: Position::Entry { generation: 0, seq: 0, prev: None },
            at,
            answer_by: Some(answer_by),
            body: body.encode(),
        };
        Ok(statement.sign(key))
    }
}

/// Checks that a price is one that anybody could mean, in the given currency.
///
/// # Errors
/// [`MoneyError`] when it is negative, for nothing, too large or of another currency.
pub fn check_price(price: Price, currency: Currency) -> Result<(), MoneyError> {
    match price {
        Price { currency: other, .. } if other != currency => {
            Err(MoneyError::CurrenciesDiffer(currency, other))
        }
        Price { minor, .. } if minor < 0 => Err(MoneyError::Negative),
        Price { minor, .. } if minor > PRICE_MINOR_MAX => Err(MoneyError::TooLarge),
        Price { per: 0, .. } => Err(MoneyError::PerNothing),
        Price { per, .. } if per > PRICE_PER_MAX => Err(MoneyError::TooLarge),
        _ => Ok(()),
    }
}

/// An order that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing is ordered.
    #[error("an order has at least one line")]
    NoLines,
    /// More than [`LINES_MAX`].
    #[error("{0} lines are too many for one order (at most {LINES_MAX}): place two")]
    TooManyLines(usize),
    /// More than [`ANCHORS_MAX`].
    #[error("{0} ledger heads are too many for one order (at most {ANCHORS_MAX})")]
    TooManyAnchors(usize),
    /// The customer would be a shop.
    #[error("a shop cannot be the customer of an order")]
    CustomerIsAShop,
    /// A slot that ends before it starts.
    #[error("the slot ends before it starts")]
    EmptySlot,
    /// A weight tolerance above 100 percent.
    #[error("line {line}: a weight tolerance is at most 10000 basis points")]
    Tolerance {
        /// Index of the line.
        line: u16,
    },
    /// More than [`SUBSTITUTES_MAX`].
    #[error("line {line} names more than {SUBSTITUTES_MAX} products for its place")]
    TooManySubstitutes {
        /// Index of the line.
        line: u16,
    },
    /// More than [`SUBSTITUTES_OF_ALL_MAX`].
    #[error(
        "the lines name {0} products for their places (at most {SUBSTITUTES_OF_ALL_MAX} together)"
    )]
    TooManySubstitutesInAll(usize),
    /// An age that nobody has.
    #[error("nobody is older than {AGE_MAX}")]
    TooOld,
    /// A fee that cannot be.
    #[error("the fee: {0}")]
    Fee(MoneyError),
    /// A change that names no line, or one twice.
    #[error("the change names line {0}, which is not there or named twice")]
    NoSuchLine(u16),
    /// A change of nothing.
    #[error("the change changes nothing")]
    NothingChanges,
    /// A price or sum that cannot be.
    #[error("line {line}: {why}")]
    Money {
        /// Index of the line.
        line: u16,
        /// What is wrong.
        why: MoneyError,
    },
}
