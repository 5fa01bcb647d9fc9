//! The first entry of every order: what the customer wants, under the customer's own signature.
//!
//! **Invariant:** a [`Placed`] that was read from bytes or signed here has passed
//! [`Placed::check`], so its lines, prices and sums are within limits.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{ANCHORS_MAX, LINES_MAX, PRICE_MINOR_MAX, PRICE_PER_MAX, code::codes, entry::Body};
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
        /// Ask first (answered in a later version; until then as [`Self::LeaveOut`]).
        Ask = 1, "ask", "ask me first";
        /// Take something similar (in a later version; until then as [`Self::LeaveOut`]).
        Similar = 2, "similar", "take something similar";
    }
}

codes! {
    /// How an order is going to be paid.
    Method {
        /// When the goods change hands.
        OnDelivery = 0, "on_delivery", "paid when the goods change hands";
        /// On the customer's account at the shop (in a later version).
        OnKhata = 1, "on_khata", "written into the khata";
        /// By card, before (in a later version).
        Card = 2, "card", "paid by card";
        /// By UPI, before (in a later version).
        Upi = 3, "upi", "paid by UPI";
    }
}

impl Placed {
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
        let mut most = Money::zero(self.currency);
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
    /// A price or sum that cannot be.
    #[error("line {line}: {why}")]
    Money {
        /// Index of the line.
        line: u16,
        /// What is wrong.
        why: MoneyError,
    },
}
