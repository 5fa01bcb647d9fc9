//! The kinds of statements by number, and the entries of an order's chain with their bodies.
//!
//! **Invariant:** a number never changes its meaning. Kinds that are reserved for a later version
//! and kinds that nobody here knows are kept and shown, and never acted on.

use serde::Serialize;

use super::{
    facts::{
        Accepted, Adopted, Answered, Authorised, Cancelled, Captured, CardAsked, CardFailed,
        Changed, ComplaintAnswered, ComplaintFollowed, ComplaintOpened, ComplaintSettled,
        Completed, Declined, DeliveryFailed, Expired, GivenBack, HandedOver, OfGroup, OnKhata,
        PROPOSALS_MAX, Packed, Packing, Paid, Question, Received, Refunded, Shortage, Side,
        Substituted, Voided, Withdrawn,
    },
    placed::{Invalid, Placed},
};
use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    statement::STATEMENT_BYTES_MAX,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $label:literal, $voice:ident, $reserved:literal;)*) => {
        /// What a statement is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The number on the wire.
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The kind of a number; `None` when this version does not know it.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// A stable word for programs.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Whether it is an entry, a request or an answer.
            pub const fn voice(self) -> Voice {
                match self { $(Self::$name => Voice::$voice,)* }
            }

            /// Whether it is kept for a later version and does nothing yet.
            pub const fn is_reserved(self) -> bool {
                match self { $(Self::$name => $reserved,)* }
            }
        }
    };
}

/// Where statements of a kind stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// In an order's chain.
    Entry,
    /// On its own, from the customer to the shop.
    Request,
    /// On its own, from the shop to the customer.
    Answer,
    /// In the chain of a khata: see [`crate::khata`].
    Book,
}

kinds! {
    /// The customer orders.
    Placed = 1, "placed", Entry, false;
    /// The shop has it; a person will decide.
    Received = 2, "received", Entry, false;
    /// The shop takes it, in full or in part.
    Accepted = 3, "accepted", Entry, false;
    /// The shop does not take it.
    Declined = 4, "declined", Entry, false;
    /// The customer took it back before the decision.
    Withdrawn = 5, "withdrawn", Entry, false;
    /// Nobody decided in time.
    Expired = 6, "expired", Entry, false;
    /// Called off after it was accepted.
    Cancelled = 7, "cancelled", Entry, false;
    /// Handed over and paid.
    Completed = 8, "completed", Entry, false;
    /// Somebody packs.
    Packing = 10, "packing", Entry, false;
    /// A question to the customer while packing.
    Question = 11, "question", Entry, false;
    /// The question is answered.
    Answered = 12, "answered", Entry, false;
    /// Packed and weighed.
    Packed = 13, "packed", Entry, false;
    /// It waits in the shop.
    ReadyForPickup = 14, "ready_for_pickup", Entry, false;
    /// The customer has fetched it.
    Collected = 15, "collected", Entry, false;
    /// It is on its way.
    OutForDelivery = 16, "out_for_delivery", Entry, false;
    /// The customer has got it.
    Delivered = 17, "delivered", Entry, false;
    /// It could not be delivered.
    DeliveryFailed = 18, "delivery_failed", Entry, false;
    /// It is back in the shop.
    ReturnedToShop = 19, "returned_to_shop", Entry, false;
    /// Something else instead, as the customer allowed.
    Substituted = 20, "substituted", Entry, false;
    /// The customer brought goods back.
    GivenBack = 21, "given_back", Entry, false;
    /// Money came in.
    Paid = 30, "paid", Entry, false;
    /// Money went back.
    Refunded = 31, "refunded", Entry, false;
    /// Written into the khata.
    OnKhata = 32, "on_khata", Entry, false;
    /// A payment is authorised.
    Authorised = 33, "authorised", Entry, false;
    /// An authorised payment is taken.
    Captured = 34, "captured", Entry, false;
    /// An authorised payment is let go.
    Voided = 35, "voided", Entry, false;
    /// The shop gives the money up.
    WrittenOff = 36, "written_off", Entry, true;
    /// The customer is asked to let a sum be held on a card.
    CardAsked = 37, "card_asked", Entry, false;
    /// A payment by card did not come about.
    CardFailed = 38, "card_failed", Entry, false;
    /// Reserved goods turned out to be missing.
    Shortage = 40, "shortage", Entry, false;
    /// A restored shop takes the order over.
    Adopted = 41, "adopted", Entry, false;
    /// Lines are granted anew.
    Changed = 42, "changed", Entry, false;
    /// The customer complains.
    ComplaintOpened = 50, "complaint_opened", Entry, false;
    /// The shop answers a complaint.
    ComplaintAnswered = 51, "complaint_answered", Entry, false;
    /// A complaint is settled.
    ComplaintSettled = 52, "complaint_settled", Entry, false;
    /// A complaint goes to the hub.
    ComplaintEscalated = 53, "complaint_escalated", Entry, false;
    /// The customer says more about a complaint.
    ComplaintContinued = 54, "complaint_continued", Entry, false;
    /// The shop moved to another box.
    Moved = 60, "moved", Entry, true;
    /// A khata begins.
    KhataOpened = 70, "khata_opened", Book, false;
    /// Something was taken on credit.
    KhataCharged = 71, "khata_charged", Book, false;
    /// Money for it came in.
    KhataPaid = 72, "khata_paid", Book, false;
    /// Something is no longer owed.
    KhataCredited = 73, "khata_credited", Book, false;
    /// What may be owed changes.
    KhataLimit = 74, "khata_limit_set", Book, false;
    /// The owner gives money up.
    KhataWrittenOff = 75, "khata_written_off", Book, false;
    /// The khata ends.
    KhataClosed = 76, "khata_closed", Book, false;
    /// A device is linked to it.
    KhataClaimed = 77, "khata_claimed", Book, false;
    /// The customer countersigned.
    KhataCountersigned = 78, "khata_countersigned", Book, false;
    /// The customer disagrees.
    KhataDisputed = 79, "khata_disputed", Book, false;
    /// The customer was reminded.
    KhataReminded = 80, "khata_reminded", Book, false;
    /// Money that the shop owed went back.
    KhataPaidOut = 81, "khata_paid_out", Book, false;
    /// Take the order back.
    Withdraw = 100, "withdraw", Request, false;
    /// Change the order.
    Change = 101, "change", Request, false;
    /// Call an accepted order off.
    Cancel = 102, "cancel", Request, false;
    /// Answer a question about substitutes.
    Approve = 103, "approve", Request, false;
    /// Complain.
    Complain = 104, "complain", Request, false;
    /// How far the customer's copies of its open orders go.
    Heads = 105, "heads", Request, false;
    /// Countersign a khata.
    Countersign = 106, "countersign", Request, false;
    /// Disagree with a khata.
    Dispute = 107, "dispute", Request, false;
    /// The shop refuses.
    Refusal = 120, "refusal", Answer, false;
    /// How far the shop's copies go.
    HeadsReply = 121, "heads_reply", Answer, false;
}

impl Kind {
    /// Whether it is an entry about a complaint, which may name a message.
    pub const fn is_of_complaint(self) -> bool {
        matches!(
            self,
            Self::ComplaintOpened
                | Self::ComplaintContinued
                | Self::ComplaintAnswered
                | Self::ComplaintSettled
                | Self::ComplaintEscalated
        )
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.label())
    }
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident($body:ty)),* $(,)?) => {
        /// What an entry of an order's chain says.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(tag = "kind", content = "body", rename_all = "snake_case")]
        pub enum Body {
            $($(#[$doc])* $name($body),)*
            /// A kind that is kept for a later version.
            Reserved(Kind),
            /// A kind that this version does not know.
            Unknown {
                /// Its number.
                number: u16,
                /// Its body as it came.
                #[serde(skip)]
                bytes: Vec<u8>,
            },
        }

        impl Body {
            /// The number of the kind.
            pub fn kind(&self) -> u16 {
                match self {
                    $(Self::$name(_) => Kind::$name.number(),)*
                    Self::Reserved(kind) => kind.number(),
                    Self::Unknown { number, .. } => *number,
                }
            }

            /// The CBOR that is signed; empty for a reserved kind, which nobody writes yet.
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$name(body) => cbor::to_vec(body),)*
                    Self::Reserved(_) => Vec::new(),
                    Self::Unknown { bytes, .. } => bytes.clone(),
                }
            }

            fn decode_unchecked(kind: u16, bytes: &[u8]) -> Result<Self, Malformed> {
                match Kind::from_number(kind) {
                    $(Some(Kind::$name) => {
                        cbor::from_slice(Kind::$name.label(), bytes, STATEMENT_BYTES_MAX)
                            .map(Self::$name)
                    })*
                    Some(reserved) if reserved.is_reserved() => Ok(Self::Reserved(reserved)),
                    _ => Ok(Self::Unknown { number: kind, bytes: bytes.to_vec() }),
                }
            }
        }
    };
}

bodies! {
    /// The customer orders.
    Placed(Placed),
    /// The shop has it.
    Received(Received),
    /// The shop takes it.
    Accepted(Accepted),
    /// The shop does not take it.
    Declined(Declined),
    /// Taken back before the decision.
    Withdrawn(Withdrawn),
    /// Nobody decided in time.
    Expired(Expired),
    /// Called off.
    Cancelled(Cancelled),
    /// Handed over and paid.
    Completed(Completed),
    /// Somebody packs.
    Packing(Packing),
    /// Packed and weighed.
    Packed(Packed),
    /// It waits in the shop.
    ReadyForPickup(OfGroup),
    /// The customer has fetched it.
    Collected(HandedOver),
    /// It is on its way.
    OutForDelivery(OfGroup),
    /// The customer has got it.
    Delivered(HandedOver),
    /// It could not be delivered.
    DeliveryFailed(DeliveryFailed),
    /// It is back in the shop.
    ReturnedToShop(OfGroup),
    /// Money came in.
    Paid(Paid),
    /// Money went back.
    Refunded(Refunded),
    /// What is due is written into a khata.
    OnKhata(OnKhata),
    /// The customer is asked to let a sum be held on a card.
    CardAsked(CardAsked),
    /// A sum is held on a card.
    Authorised(Authorised),
    /// A sum that was held is taken.
    Captured(Captured),
    /// A sum that was held is let go.
    Voided(Voided),
    /// A payment by card did not come about.
    CardFailed(CardFailed),
    /// Reserved goods are missing.
    Shortage(Shortage),
    /// A restored shop takes over.
    Adopted(Adopted),
    /// Lines are granted anew.
    Changed(Changed),
    /// The customer is asked about substitutes.
    Question(Question),
    /// The question is answered.
    Answered(Answered),
    /// Something else instead, as the customer allowed.
    Substituted(Substituted),
    /// The customer brought goods back.
    GivenBack(GivenBack),
    /// The customer complains.
    ComplaintOpened(ComplaintOpened),
    /// The customer says more about it.
    ComplaintContinued(ComplaintFollowed),
    /// The shop answers a complaint.
    ComplaintAnswered(ComplaintAnswered),
    /// A complaint is settled.
    ComplaintSettled(ComplaintSettled),
    /// A complaint goes to the hub.
    ComplaintEscalated(ComplaintFollowed),
}

impl Body {
    /// Reads the body of an entry of this kind; a kind that is reserved or not known is kept.
    ///
    /// # Errors
    /// [`BodyError`] when a known kind's body is damaged or beyond its limits.
    pub fn decode(kind: u16, bytes: &[u8]) -> Result<Self, BodyError> {
        let body = Self::decode_unchecked(kind, bytes)?;
        match &body {
            Self::Placed(placed) => placed.check()?,
            Self::Question(question) if question.proposals.len() > PROPOSALS_MAX => {
                return Err(BodyError::TooManyProposals);
            }
            Self::CardAsked(asked) if !asked.is_sound() => return Err(BodyError::UnsoundCard),
            _ => {}
        }
        Ok(body)
    }

    /// The customer's request that the entry grants, if it grants one.
    pub fn granted(&self) -> Option<Hash> {
        match self {
            Self::Withdrawn(withdrawn) => Some(withdrawn.request),
            Self::Cancelled(cancelled) => cancelled.request,
            Self::Changed(changed) => changed.request,
            Self::Answered(answered) => answered.request,
            Self::ComplaintOpened(opened) => Some(opened.request),
            Self::ComplaintContinued(followed) | Self::ComplaintEscalated(followed) => {
                Some(followed.request)
            }
            Self::ComplaintSettled(settled) => settled.request,
            _ => None,
        }
    }

    /// Whose words the entry names, by their salted hash.
    pub fn message(&self) -> Option<(Side, Hash)> {
        match self {
            Self::ComplaintOpened(opened) => Some((Side::Customer, opened.message?)),
            Self::ComplaintContinued(followed) | Self::ComplaintEscalated(followed) => {
                Some((Side::Customer, followed.message?))
            }
            Self::ComplaintAnswered(answered) => Some((Side::Shop, answered.message?)),
            Self::ComplaintSettled(settled) => Some((Side::Shop, settled.message?)),
            _ => None,
        }
    }

    /// The photo that the entry names, by its salted hash.
    pub fn photo(&self) -> Option<Hash> {
        match self {
            Self::ComplaintOpened(opened) => opened.photo,
            Self::ComplaintContinued(followed) | Self::ComplaintEscalated(followed) => {
                followed.photo
            }
            _ => None,
        }
    }

    /// The stable word for the kind; `unknown` for one that this version does not know.
    pub fn label(&self) -> &'static str {
        Kind::from_number(self.kind()).map_or("unknown", Kind::label)
    }
}

/// A body that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Damaged or of another kind.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An order that cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A question about more than [`PROPOSALS_MAX`] lines.
    #[error("a question is about at most {PROPOSALS_MAX} lines")]
    TooManyProposals,
    /// A payment by card that nobody could make.
    #[error("a payment by card has a sum above zero, a name and a secret of the provider's")]
    UnsoundCard,
}
