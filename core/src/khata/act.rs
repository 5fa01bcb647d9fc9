//! What the entries of a book say, kind by kind.
//!
//! **Invariant:** a number never changes its meaning; what a later version writes is kept and shown,
//! and the sums that it states beside it count.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::OrderId,
    money::Money,
    order::{entry::Kind, facts::Means},
    statement::STATEMENT_BYTES_MAX,
};

/// How a book stands after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct After {
    /// What the customer owes; below zero, what the shop owes.
    #[n(0)]
    pub balance: Money,
    /// What the customer may owe at most.
    #[n(1)]
    pub limit: Money,
}

/// The shop opens a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Opened {
    /// What was owed before, by the notebook that the book replaces.
    #[n(0)]
    pub opening: Money,
    /// What the customer may owe at most.
    #[n(1)]
    pub limit: Money,
    /// The salted hash of name and phone, where the shop wrote them down.
    #[n(2)]
    pub personal: Option<Hash>,
}

/// Something was taken on credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Charged {
    /// For how much; above zero.
    #[n(0)]
    pub amount: Money,
    /// What it was for; nothing where somebody wrote it by hand.
    #[n(1)]
    pub of: Option<Of>,
    /// The salted hash of the words.
    #[n(2)]
    pub words: Option<Hash>,
    /// Whether the owner lets the balance pass the limit.
    #[n(3)]
    pub beyond: bool,
}

impl Charged {
    /// Written by hand, without words, within the limit.
    pub const fn by_hand(amount: Money) -> Self {
        Self { amount, of: None, words: None, beyond: false }
    }
}

/// What a sum in a book is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(flat)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Of {
    /// An order.
    #[n(0)]
    Order {
        /// Which.
        #[n(0)]
        order: OrderId,
        /// The hash of the order's entry that says so: one entry of a book for each.
        #[n(1)]
        entry: Hash,
    },
    /// A sale at the counter.
    #[n(1)]
    Sale {
        /// Its first movement in the shop's stock ledger.
        #[n(0)]
        movement: u64,
    },
}

impl Of {
    /// The entry of an order that moved the money.
    pub const fn order_entry(self) -> Option<Hash> {
        match self {
            Self::Order { entry, .. } => Some(entry),
            Self::Sale { .. } => None,
        }
    }
}

/// Money came in, or went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Moved {
    /// How much; above zero.
    #[n(0)]
    pub amount: Money,
    /// How; never on khata.
    #[n(1)]
    pub means: Means,
    /// The salted hash of the words.
    #[n(2)]
    pub words: Option<Hash>,
}

/// Something is no longer owed: goods came back, a complaint was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Credited {
    /// How much; above zero.
    #[n(0)]
    pub amount: Money,
    /// What it was for.
    #[n(1)]
    pub of: Option<Of>,
    /// The salted hash of the words.
    #[n(2)]
    pub words: Option<Hash>,
}

/// The owner says what may be owed from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct LimitSet {
    /// At most so much.
    #[n(0)]
    pub limit: Money,
}

/// The owner gives money up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct GivenUp {
    /// How much; no more than is owed.
    #[n(0)]
    pub amount: Money,
    /// The salted hash of the words.
    #[n(1)]
    pub words: Option<Hash>,
}

/// The book is closed; nothing is owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Closed {}

/// The book belongs to whom the entry is addressed to from here on: a device was linked to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Claimed {}

/// The customer countersigned the book up to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Countersigned {
    /// The hash of the customer's signed request.
    #[n(0)]
    pub request: Hash,
    /// The entry that the customer had seen last.
    #[n(1)]
    pub head: Hash,
    /// The balance after that entry, as the customer signed it.
    #[n(2)]
    pub balance: Money,
}

/// The customer says that the book is not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Disputed {
    /// The hash of the customer's signed request.
    #[n(0)]
    pub request: Hash,
    /// The entry that is not right.
    #[n(1)]
    pub head: Hash,
    /// The salted hash of the words.
    #[n(2)]
    pub words: Option<Hash>,
}

/// The shop reminds the customer of what is owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Reminded {
    /// The salted hash of the words.
    #[n(0)]
    pub words: Option<Hash>,
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $kind:ident),* $(,)?) => {
        /// What an entry of a book says.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(tag = "kind", content = "body", rename_all = "snake_case")]
        pub enum Act {
            $($(#[$doc])* $name($body),)*
            /// A kind that this version does not know.
            Unknown {
                /// Its number.
                number: u16,
                /// Its body as it came.
                #[serde(skip)]
                bytes: Vec<u8>,
            },
        }

        impl Act {
            /// The number of the kind.
            pub fn kind(&self) -> u16 {
                match self {
                    $(Self::$name(_) => Kind::$kind.number(),)*
                    Self::Unknown { number, .. } => *number,
                }
            }

            fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$name(body) => cbor::to_vec(body),)*
                    Self::Unknown { bytes, .. } => bytes.clone(),
                }
            }

            fn decode(kind: u16, bytes: &[u8]) -> Result<Self, Malformed> {
                match Kind::from_number(kind) {
                    $(Some(Kind::$kind) => {
                        cbor::from_slice(Kind::$kind.label(), bytes, STATEMENT_BYTES_MAX)
                            .map(Self::$name)
                    })*
                    _ => Ok(Self::Unknown { number: kind, bytes: bytes.to_vec() }),
                }
            }
        }
    };
}

acts! {
    /// The book begins.
    Opened(Opened) = KhataOpened,
    /// Something was taken on credit.
    Charged(Charged) = KhataCharged,
    /// Money came in.
    Paid(Moved) = KhataPaid,
    /// Something is no longer owed.
    Credited(Credited) = KhataCredited,
    /// Another limit.
    LimitSet(LimitSet) = KhataLimit,
    /// Money is given up.
    WrittenOff(GivenUp) = KhataWrittenOff,
    /// The book ends.
    Closed(Closed) = KhataClosed,
    /// A device is linked to it.
    Claimed(Claimed) = KhataClaimed,
    /// The customer countersigned.
    Countersigned(Countersigned) = KhataCountersigned,
    /// The customer disagrees.
    Disputed(Disputed) = KhataDisputed,
    /// The customer was reminded.
    Reminded(Reminded) = KhataReminded,
    /// Money that the shop owed went back.
    PaidOut(Moved) = KhataPaidOut,
}

impl Act {
    /// The stable word for the kind; `unknown` for one that this version does not know.
    pub fn label(&self) -> &'static str {
        let label = Kind::from_number(self.kind()).map_or("unknown", Kind::label);
        label.strip_prefix("khata_").unwrap_or(label)
    }

    /// The customer's request that the entry answers, if it answers one.
    pub const fn answers(&self) -> Option<Hash> {
        match self {
            Self::Countersigned(signed) => Some(signed.request),
            Self::Disputed(disputed) => Some(disputed.request),
            _ => None,
        }
    }

    /// The salted hash of the words that belong to it.
    pub const fn words(&self) -> Option<Hash> {
        match self {
            Self::Opened(opened) => opened.personal,
            Self::Charged(charged) => charged.words,
            Self::Paid(moved) | Self::PaidOut(moved) => moved.words,
            Self::Credited(credited) => credited.words,
            Self::WrittenOff(given_up) => given_up.words,
            Self::Disputed(disputed) => disputed.words,
            Self::Reminded(reminded) => reminded.words,
            _ => None,
        }
    }

    /// What the sum is for, where it is for something that stands elsewhere.
    pub const fn of(&self) -> Option<Of> {
        match self {
            Self::Charged(charged) => charged.of,
            Self::Credited(credited) => credited.of,
            _ => None,
        }
    }
}

/// The body of an entry: what it says, and how the book stands after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How the book stands after it.
    pub after: After,
    /// What it says.
    pub act: Act,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Written {
    #[n(0)]
    after: After,
    #[cbor(n(1), with = "minicbor::bytes")]
    act: Vec<u8>,
}

impl Line {
    /// The CBOR that is signed.
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(&Written { after: self.after, act: self.act.encode() })
    }

    /// Reads the body of an entry of this kind; one of a later version is kept.
    ///
    /// # Errors
    /// [`Malformed`] when it is damaged.
    pub fn decode(kind: u16, bytes: &[u8]) -> Result<Self, Malformed> {
        let written: Written = cbor::from_slice("an entry of a khata", bytes, STATEMENT_BYTES_MAX)?;
        Ok(Self { after: written.after, act: Act::decode(kind, &written.act)? })
    }
}
