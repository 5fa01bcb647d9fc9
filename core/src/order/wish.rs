//! What stands outside an order's chain: the customer's requests and the shop's answers to them.
//!
//! **Invariant:** a request changes nothing by itself. The shop answers it with an entry in the
//! chain, or with a typed refusal that names the request by its hash.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{
    ANCHORS_MAX, HEADS_MAX, LINES_MAX,
    chain::Chain,
    code::codes,
    entry::{Body, BodyError, Kind, Voice},
    facts::{CancelReason, Grievance, PROPOSALS_MAX},
    placed::Alteration,
};
use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::{OrderId, ShopId},
    key::SigningKey,
    khata::{self, act::Line},
    money::Money,
    statement::{Party, Position, STATEMENT_BYTES_MAX, SignedStatement, Statement},
    time::UnixMs,
};

/// What a statement turns out to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An entry of an order's chain.
    Entry(Body),
    /// A request of a customer.
    Wish(Wish),
    /// An answer of a shop.
    Answer(Answer),
    /// An entry of a khata.
    Khata(Line),
    /// A request or answer that this version does not know: to be refused as not supported.
    Unknown {
        /// The number of its kind.
        number: u16,
    },
}

impl Said {
    /// Reads what a statement says.
    ///
    /// # Errors
    /// [`SaidError`] when the body is damaged or beyond limits, or a kind stands where it cannot.
    pub fn of(statement: &Statement) -> Result<Self, SaidError> {
        let (number, bytes) = (statement.kind, statement.body.as_slice());
        let is_entry = matches!(statement.position, Position::Entry { .. });
        if is_entry && khata::KINDS.contains(&number) {
            return Ok(Self::Khata(Line::decode(number, bytes)?));
        }
        match Kind::from_number(number).map(Kind::voice) {
            Some(Voice::Entry) | None if is_entry => Ok(Self::Entry(Body::decode(number, bytes)?)),
            Some(Voice::Request) if !is_entry => Ok(Self::Wish(Wish::decode(number, bytes)?)),
            Some(Voice::Answer) if !is_entry => Ok(Self::Answer(Answer::decode(number, bytes)?)),
            None => Ok(Self::Unknown { number }),
            Some(_) => Err(SaidError::Misplaced),
        }
    }
}

/// What a customer asks of a shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Wish {
    /// Take the order back, as long as the shop has not decided.
    Withdraw(Withdraw),
    /// Call an accepted order off.
    Cancel(Cancel),
    /// Change the order, as long as it is not packed.
    Change(Change),
    /// Answer a question about substitutes.
    Approve(Approve),
    /// Complain, or say something about a complaint.
    Complain(Complain),
    /// See whether our copies of the open orders agree.
    Heads(Heads),
    /// Countersign a khata: the book is right up to here.
    Countersign(Countersign),
    /// Disagree with a khata.
    Dispute(Dispute),
}

/// Take the order back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Withdraw {
    /// The head of the customer's copy of the chain.
    #[n(0)]
    pub head: Option<Hash>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(1)]
    pub anchors: Vec<Hash>,
}

/// Call an accepted order off.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Cancel {
    /// Why.
    #[n(0)]
    pub reason: CancelReason,
    /// The head of the customer's copy of the chain.
    #[n(1)]
    pub head: Option<Hash>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(2)]
    pub anchors: Vec<Hash>,
}

/// Change the order: the whole change, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Change {
    /// What is wanted otherwise.
    #[n(0)]
    pub alteration: Alteration,
    /// The head of the customer's copy of the chain.
    #[n(1)]
    pub head: Option<Hash>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(2)]
    pub anchors: Vec<Hash>,
}

/// Answer a question about substitutes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Approve {
    /// The hash of the entry that asks.
    #[n(0)]
    pub question: Hash,
    /// The lines for which the proposal may come; the others that were asked about do not come.
    #[n(1)]
    pub taken: Vec<u16>,
    /// The head of the customer's copy of the chain.
    #[n(2)]
    pub head: Option<Hash>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(3)]
    pub anchors: Vec<Hash>,
}

/// Complain, or say something about a complaint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Complain {
    /// What the customer does.
    #[n(0)]
    pub step: ComplaintStep,
    /// About what.
    #[n(1)]
    pub about: Grievance,
    /// About which lines; none where it is about the whole order.
    #[n(2)]
    pub lines: Vec<u16>,
    /// The salted hash of the words: see [`crate::envelope::PersonalPart::hash`].
    #[n(3)]
    pub message: Option<Hash>,
    /// The head of the customer's copy of the chain.
    #[n(4)]
    pub head: Option<Hash>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(5)]
    pub anchors: Vec<Hash>,
    /// The salted hash of a photo, a JPEG, which goes along as the words do.
    #[n(6)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
}

codes! {
    /// What a customer does about a complaint.
    ComplaintStep {
        /// Complains.
        Open = 1, "open", "complains";
        /// Says more.
        More = 2, "more", "says more";
        /// Accepts what the shop offers.
        Accept = 3, "accept", "accepts the offer";
        /// Takes it to the hub.
        Escalate = 4, "escalate", "takes it to the hub";
    }
}

/// Countersign a khata: it is right up to an entry, and this is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Countersign {
    /// The last entry that the customer has seen.
    #[n(0)]
    pub head: Hash,
    /// The balance after it.
    #[n(1)]
    pub balance: Money,
}

/// Disagree with a khata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Dispute {
    /// The entry that is not right.
    #[n(0)]
    pub head: Hash,
    /// The salted hash of the words: see [`crate::envelope::PersonalPart::hash`].
    #[n(1)]
    pub message: Option<Hash>,
}

/// How far the customer's copies of its open orders with this shop go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Heads {
    /// One for each open order, and for each closed one that a restored shop was not asked about
    /// yet; at most [`HEADS_MAX`].
    #[n(0)]
    pub heads: Vec<Head>,
    /// Heads of the shop's stock ledger that the customer was told, newest last.
    #[n(1)]
    pub anchors: Vec<Hash>,
    /// The newest generation of the shop that the customer has met: what was said before a restore
    /// and comes after it says nothing about what the customer holds now.
    #[n(2)]
    pub generation: u64,
}

/// How far somebody's copy of an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Head {
    /// Which order.
    #[n(0)]
    pub order: OrderId,
    /// The place of the last entry, from 0.
    #[n(1)]
    pub seq: u32,
    /// Its hash.
    #[n(2)]
    pub hash: Hash,
}

impl Head {
    /// The head of a chain.
    pub fn of(chain: &Chain) -> Self {
        Self { order: chain.order().id, seq: chain.last().seq(), hash: chain.head() }
    }
}

impl Wish {
    /// The number of the kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Withdraw(_) => Kind::Withdraw,
            Self::Cancel(_) => Kind::Cancel,
            Self::Change(_) => Kind::Change,
            Self::Approve(_) => Kind::Approve,
            Self::Complain(_) => Kind::Complain,
            Self::Heads(_) => Kind::Heads,
            Self::Countersign(_) => Kind::Countersign,
            Self::Dispute(_) => Kind::Dispute,
        }
    }

    /// The heads of the shop's stock ledger that it echoes.
    pub fn anchors(&self) -> &[Hash] {
        match self {
            Self::Withdraw(Withdraw { anchors, .. })
            | Self::Cancel(Cancel { anchors, .. })
            | Self::Change(Change { anchors, .. })
            | Self::Approve(Approve { anchors, .. })
            | Self::Complain(Complain { anchors, .. })
            | Self::Heads(Heads { anchors, .. }) => anchors,
            Self::Countersign(_) | Self::Dispute(_) => &[],
        }
    }

    /// Signs the request with the customer's device key; `id` is 128 random bits.
    ///
    /// A request about several orders ([`Heads`]) names the first of them as `order`, one about a
    /// khata names that: see [`crate::id::KhataId::as_order`].
    pub fn sign(
        &self,
        order: OrderId,
        shop: ShopId,
        at: UnixMs,
        id: [u8; 16],
        key: &SigningKey,
    ) -> SignedStatement {
        let body = match self {
            Self::Withdraw(body) => cbor::to_vec(body),
            Self::Cancel(body) => cbor::to_vec(body),
            Self::Change(body) => cbor::to_vec(body),
            Self::Approve(body) => cbor::to_vec(body),
            Self::Complain(body) => cbor::to_vec(body),
            Self::Heads(body) => cbor::to_vec(body),
            Self::Countersign(body) => cbor::to_vec(body),
            Self::Dispute(body) => cbor::to_vec(body),
        };
        sign(self.kind(), Party::Shop(shop), order, at, id, body, key)
    }

    fn decode(number: u16, bytes: &[u8]) -> Result<Self, SaidError> {
        let max = STATEMENT_BYTES_MAX;
        let wish = match Kind::from_number(number) {
            Some(Kind::Withdraw) => Self::Withdraw(cbor::from_slice("a withdrawal", bytes, max)?),
            Some(Kind::Cancel) => Self::Cancel(cbor::from_slice("a cancellation", bytes, max)?),
            Some(Kind::Change) => {
                let change: Change = cbor::from_slice("a change", bytes, max)?;
                let Alteration { amounts, added, .. } = &change.alteration;
                check_count(amounts.len().max(added.len()), LINES_MAX)?;
                Self::Change(change)
            }
            Some(Kind::Approve) => {
                let approve: Approve = cbor::from_slice("an answer", bytes, max)?;
                check_count(approve.taken.len(), PROPOSALS_MAX)?;
                Self::Approve(approve)
            }
            Some(Kind::Complain) => {
                let complain: Complain = cbor::from_slice("a complaint", bytes, max)?;
                check_count(complain.lines.len(), LINES_MAX)?;
                Self::Complain(complain)
            }
            Some(Kind::Heads) => {
                let heads: Heads = cbor::from_slice("a list of heads", bytes, max)?;
                check_count(heads.heads.len(), HEADS_MAX)?;
                Self::Heads(heads)
            }
            Some(Kind::Countersign) => {
                Self::Countersign(cbor::from_slice("a countersignature", bytes, max)?)
            }
            Some(Kind::Dispute) => Self::Dispute(cbor::from_slice("a dispute", bytes, max)?),
            _ => return Err(SaidError::Misplaced),
        };
        check_count(wish.anchors().len(), ANCHORS_MAX)?;
        Ok(wish)
    }
}

/// What a shop answers outside the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Answer {
    /// No.
    Refusal(Refusal),
    /// How far the shop's copies go.
    HeadsReply(HeadsReply),
}

/// The shop refuses what was asked, or an order that it cannot take in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Refusal {
    /// The hash of the signed statement that is refused.
    #[n(0)]
    pub answers: Hash,
    /// Why.
    #[n(1)]
    pub code: RefusalCode,
    /// The line that is to blame, where it is one.
    #[n(2)]
    pub line: Option<u16>,
}

/// How far the shop's copies of the asked orders go.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct HeadsReply {
    /// The hash of the signed request.
    #[n(0)]
    pub answers: Hash,
    /// The shop's heads of those that it has.
    #[n(1)]
    pub heads: Vec<Head>,
    /// Orders of which the shop lacks entries that the customer has: please send the whole chain.
    #[n(2)]
    pub wanted: Vec<OrderId>,
    /// Orders of which the shop has all that the customer has.
    #[n(3)]
    pub same: Vec<OrderId>,
}

impl Answer {
    /// The number of the kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Refusal(_) => Kind::Refusal,
            Self::HeadsReply(_) => Kind::HeadsReply,
        }
    }

    /// The hash of the signed statement that it answers.
    pub fn answers(&self) -> Hash {
        match self {
            Self::Refusal(refusal) => refusal.answers,
            Self::HeadsReply(reply) => reply.answers,
        }
    }

    /// Signs the answer with the node's key; `id` is 128 random bits.
    pub fn sign(
        &self,
        order: OrderId,
        to: Party,
        at: UnixMs,
        id: [u8; 16],
        key: &SigningKey,
    ) -> SignedStatement {
        let body = match self {
            Self::Refusal(body) => cbor::to_vec(body),
            Self::HeadsReply(body) => cbor::to_vec(body),
        };
        sign(self.kind(), to, order, at, id, body, key)
    }

    fn decode(number: u16, bytes: &[u8]) -> Result<Self, SaidError> {
        let max = STATEMENT_BYTES_MAX;
        match Kind::from_number(number) {
            Some(Kind::Refusal) => Ok(Self::Refusal(cbor::from_slice("a refusal", bytes, max)?)),
            Some(Kind::HeadsReply) => {
                let reply: HeadsReply = cbor::from_slice("a reply about heads", bytes, max)?;
                check_count(reply.heads.len(), HEADS_MAX)?;
                check_count(reply.wanted.len(), HEADS_MAX)?;
                Ok(Self::HeadsReply(reply))
            }
            _ => Err(SaidError::Misplaced),
        }
    }
}

fn sign(
    kind: Kind,
    to: Party,
    order: OrderId,
    at: UnixMs,
    id: [u8; 16],
    body: Vec<u8>,
    key: &SigningKey,
) -> SignedStatement {
    let kind = kind.number();
    let position = Position::Request { id };
    Statement { kind, to, order, position, at, answer_by: None, body }.sign(key)
}

fn check_count(count: usize, max: usize) -> Result<(), SaidError> {
    if count > max { Err(SaidError::TooMany { count, max }) } else { Ok(()) }
}

codes! {
    /// Why a shop refuses a statement.
    RefusalCode {
        /// It does not decode, or is beyond limits.
        Unreadable = 1, "unreadable", "the message is damaged or beyond limits: make it anew";
        /// It is addressed to another shop.
        NotForUs = 2, "not_for_us", "the message is for another shop";
        /// The signature or its author is not what it says.
        WrongAuthor = 3, "wrong_author", "the signature is not by whom it says";
        /// The certificate is missing, too old or not vouched for.
        NotCertified = 4, "not_certified", "the shop does not know this device: sign in anew, or order as a guest";
        /// The device was shut out.
        Revoked = 5, "revoked", "this device was shut out";
        /// The shop has no such order.
        UnknownOrder = 6, "unknown_order", "the shop has no such order";
        /// The order is somebody else's.
        NotYours = 7, "not_yours", "the order is somebody else's";
        /// The order went on in the meantime.
        TooLate = 8, "too_late", "it is too late for that: the order has gone on";
        /// Another order has the same id.
        IdTaken = 9, "id_taken", "another order of yours has this id: place it again";
        /// The answer was wanted earlier than it came.
        Overdue = 10, "overdue", "the message came after the time that it named: place it again";
        /// It comes in a later version.
        NotSupported = 11, "not_supported", "the shop's program cannot do that yet";
        /// Too many orders are open that nobody has paid.
        TooManyOpen = 12, "too_many_open", "too many of your orders are open: wait for some to end";
        /// The shop is being restored and takes nothing in.
        Recovering = 13, "recovering", "the shop is being set up again: try later";
        /// The step does not fit the order.
        NotNow = 14, "not_now", "that cannot be done with the order as it stands";
        /// The shop's box was replaced by a newer one.
        Superseded = 15, "superseded", "the shop has another box now: it will answer";
        /// A line cannot be granted as it is wanted now.
        CannotGrant = 17, "cannot_grant", "the shop cannot give you that: there is too little, or it now costs more";
        /// The words that a request names did not come with it.
        NoMessage = 18, "no_message", "the message did not come with it: send it again";
        /// The customer has no such khata.
        NoKhata = 30, "no_khata", "the shop keeps no such khata of yours";
        /// The khata says other than what was signed.
        KhataDiffers = 31, "khata_differs", "the shop's khata has another balance there: read it again";
        /// It would take the khata past its limit.
        KhataLimit = 32, "khata_limit", "your khata has no room for it: pay something first";
        /// The shop is overloaded or its disk is full.
        Busy = 16, "busy", "the shop cannot store anything now: it will be tried again";
    }
}

impl RefusalCode {
    /// Whether the same bytes may be taken later, so that the sender keeps trying.
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Recovering
                | Self::Busy
                | Self::Superseded
                | Self::NotCertified
                // The request may have overtaken the order that it is about, and a restored shop
                // may not have heard of a khata yet.
                | Self::UnknownOrder
                | Self::NoKhata
        )
    }
}

/// A statement that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaidError {
    /// The body of an entry is damaged or beyond limits.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body of a request or answer is damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// More items than allowed.
    #[error("{count} items are too many (at most {max})")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// An entry outside a chain, or a request inside one.
    #[error("this kind of statement cannot stand there")]
    Misplaced,
}
