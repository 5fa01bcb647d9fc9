//! What entries say about a payment by card through a provider: asked for, held, taken, let go, failed.
//!
//! **Invariant:** what lets a customer confirm a payment travels in an entry, sealed on its way, and
//! is never part of what is shown as JSON.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{money::Money, order::code::codes, time::UnixMs};

/// The longest name, key or secret of a provider, in bytes.
pub const PROVIDER_TEXT_BYTES_MAX: usize = 255;
/// The longest address of a page on which a customer confirms, in bytes.
pub const PAGE_BYTES_MAX: usize = 500;
/// How often a customer may be asked anew for one order.
pub const CARD_ATTEMPTS_MAX: u8 = 10;

/// The customer is asked to let a sum be held on a card.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct CardAsked {
    /// Which attempt this is, from 1.
    #[n(0)]
    pub attempt: u8,
    /// The most that is held: what the order comes to at its heaviest.
    #[n(1)]
    pub amount: Money,
    /// The provider's name of the payment.
    #[n(2)]
    pub intent: String,
    /// By what the customer's own app confirms it at the provider.
    #[n(3)]
    #[serde(skip)]
    pub secret: String,
    /// The shop's public key at the provider.
    #[n(4)]
    pub publishable: String,
    /// A page on which it is confirmed, where the shop has one.
    #[n(5)]
    pub page: Option<String>,
}

impl CardAsked {
    /// Whether its parts are of a length that can be.
    pub fn is_sound(&self) -> bool {
        let fits = |text: &str| {
            (1..=PROVIDER_TEXT_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_graphic())
        };
        let page = self.page.as_deref().unwrap_or("-");
        fits(&self.intent)
            && fits(&self.secret)
            && (self.publishable.is_empty() || fits(&self.publishable))
            && (1..=PAGE_BYTES_MAX).contains(&page.len())
            && page.bytes().all(|b| b.is_ascii_graphic())
            && (1..=CARD_ATTEMPTS_MAX).contains(&self.attempt)
            && self.amount.minor > 0
    }

    /// The link on which the customer confirms, where the shop has a page. What is secret stands
    /// behind `#`, which no server is sent.
    ///
    /// ```
    /// use kirana_core::{money::{Currency, Money}, order::facts::CardAsked};
    /// let asked = CardAsked {
    ///     attempt: 1,
    ///     amount: Money::new(9_900, Currency::INR),
    ///     intent: "pi_1".into(),
    ///     secret: "pi_1_secret_x".into(),
    ///     publishable: "pk_1".into(),
    ///     page: Some("https://corner.example/pay".into()),
    /// };
    /// let link = asked.link().unwrap();
    /// assert_eq!(link, "https://corner.example/pay#key=pk_1&secret=pi_1_secret_x");
    /// ```
    pub fn link(&self) -> Option<String> {
        let page = self.page.as_deref()?;
        Some(format!("{page}#key={}&secret={}", self.publishable, self.secret))
    }
}

/// By what a customer confirms a payment: shown to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToConfirm {
    /// The most that is held.
    pub amount: Money,
    /// By what the customer's own app confirms it.
    pub client_secret: String,
    /// The shop's public key at the provider.
    pub publishable_key: String,
    /// The page on which it is confirmed, where the shop has one.
    pub link: Option<String>,
}

impl From<&CardAsked> for ToConfirm {
    fn from(asked: &CardAsked) -> Self {
        Self {
            amount: asked.amount,
            client_secret: asked.secret.clone(),
            publishable_key: asked.publishable.clone(),
            link: asked.link(),
        }
    }
}

/// The provider holds a sum for the shop.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Authorised {
    /// The provider's name of the payment.
    #[n(0)]
    pub intent: String,
    /// How much; no more than was asked for.
    #[n(1)]
    pub amount: Money,
    /// Until when; what is not taken by then is due again.
    #[n(2)]
    pub until: UnixMs,
}

/// A sum that was held is taken; the rest of it is let go by that.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Captured {
    /// The provider's name of the payment.
    #[n(0)]
    pub intent: String,
    /// How much; no more than was asked for.
    #[n(1)]
    pub amount: Money,
}

/// A sum that was held is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Voided {
    /// Why.
    #[n(0)]
    pub why: VoidReason,
}

codes! {
    /// Why a sum that was held is let go.
    VoidReason {
        /// The order came to nothing.
        NotNeeded = 1, "not_needed", "nothing is to be paid any more";
        /// It is paid otherwise.
        PaidOtherwise = 2, "paid_otherwise", "it is paid otherwise";
        /// It was not taken in time.
        Expired = 3, "expired", "it was not taken in time, so the card's bank let it go";
        /// The provider let it go.
        ByProvider = 4, "by_provider", "the card's bank let it go";
    }
}

/// A payment by card did not come about; the order may be paid otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct CardFailed {
    /// Which attempt.
    #[n(0)]
    pub attempt: u8,
    /// Why.
    #[n(1)]
    pub why: CardFailure,
}

codes! {
    /// Why a payment by card did not come about.
    CardFailure {
        /// The card's bank said no.
        Declined = 1, "declined", "the card's bank said no";
        /// Too little is on the account.
        InsufficientFunds = 2, "insufficient_funds", "there is not enough on the account";
        /// The card is past its time.
        ExpiredCard = 3, "expired_card", "the card is past its time";
        /// The card's holder was not recognised.
        Authentication = 4, "authentication", "the card's holder was not recognised";
        /// Number, date or check digits are wrong.
        IncorrectCard = 5, "incorrect_card", "something in the card's number, date or check digits is wrong";
        /// The payment was called off at the provider.
        CalledOff = 6, "called_off", "the payment was called off";
        /// The provider does not take it.
        Refused = 7, "refused", "the payment provider does not take it";
    }
}
