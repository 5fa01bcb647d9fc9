//! What entries say after goods changed hands: what comes back, and what a customer complains about.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::Side;
use crate::{hash::Hash, money::Money, order::code::codes, time::UnixMs};

/// The customer brought goods back that had been handed over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct GivenBack {
    /// What came back, at most one for each line.
    #[n(0)]
    pub lines: Vec<BackLine>,
    /// Why.
    #[n(1)]
    pub reason: ReturnReason,
    /// The head of the shop's stock ledger after the goods were put away.
    #[n(2)]
    pub ledger: Hash,
}

/// What came back of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct BackLine {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// How much, in base units; together with what came back before no more than was handed over.
    #[n(1)]
    pub amount: u64,
    /// Whether it can be sold again; otherwise it is no part of the stock.
    #[n(2)]
    pub sellable: bool,
}

codes! {
    /// Why goods came back.
    ReturnReason {
        /// It was spoilt, broken or short.
        Faulty = 1, "faulty", "it was spoilt, broken or short";
        /// It was not what was ordered.
        Wrong = 2, "wrong", "it was not what was ordered";
        /// The customer no longer wants it.
        NotWanted = 3, "not_wanted", "the customer no longer wants it";
        /// The producer or the shop calls it back.
        Recalled = 4, "recalled", "it was called back";
    }
}

codes! {
    /// What a customer complains about.
    Grievance {
        /// Something did not come.
        Missing = 1, "missing", "something is missing";
        /// Something was spoilt or broken.
        Faulty = 2, "faulty", "something is spoilt or broken";
        /// Something else came.
        Wrong = 3, "wrong", "something else came";
        /// It came late or not at all.
        Late = 4, "late", "it came late, or did not come";
        /// The sum is not right.
        Sum = 5, "sum", "the sum is not right";
        /// Something else, which the message says.
        Else = 6, "else", "something else";
    }
}

/// The customer complains.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ComplaintOpened {
    /// The hash of the customer's signed request.
    #[n(0)]
    pub request: Hash,
    /// About what.
    #[n(1)]
    pub about: Grievance,
    /// About which lines; none where it is about the whole order.
    #[n(2)]
    pub lines: Vec<u16>,
    /// The salted hash of the customer's words.
    #[n(3)]
    pub message: Option<Hash>,
    /// Until when the shop has to answer.
    #[n(4)]
    pub answer_by: UnixMs,
    /// The salted hash of the customer's photo.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
}

/// The shop answers a complaint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ComplaintAnswered {
    /// The salted hash of the shop's words.
    #[n(0)]
    pub message: Option<Hash>,
    /// What it offers.
    #[n(1)]
    pub offer: Option<Settlement>,
}

/// How a complaint ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Settlement {
    /// What is done.
    #[n(0)]
    pub remedy: Remedy,
    /// How much of the sum is taken off, and goes back where it was paid.
    #[n(1)]
    pub amount: Option<Money>,
}

codes! {
    /// What is done about a complaint.
    Remedy {
        /// Nothing: it was cleared up.
        ClearedUp = 1, "cleared_up", "it was cleared up";
        /// Money goes back.
        Refund = 2, "refund", "money goes back";
        /// It comes once more.
        Replacement = 3, "replacement", "it comes once more";
        /// The shop sees no reason for anything.
        Rejected = 4, "rejected", "the shop sees no reason for it";
    }
}

/// A complaint is settled.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ComplaintSettled {
    /// What was agreed on.
    #[n(0)]
    pub settlement: Settlement,
    /// Whose word ended it.
    #[n(1)]
    pub by: Side,
    /// The hash of the customer's signed request, where the customer accepted the offer.
    #[n(2)]
    pub request: Option<Hash>,
    /// The salted hash of the shop's words.
    #[n(3)]
    pub message: Option<Hash>,
}

/// The customer says more, or takes the complaint to the hub.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ComplaintFollowed {
    /// The hash of the customer's signed request.
    #[n(0)]
    pub request: Hash,
    /// The salted hash of the customer's words.
    #[n(1)]
    pub message: Option<Hash>,
    /// Until when the shop has to answer.
    #[n(2)]
    pub answer_by: UnixMs,
    /// The salted hash of the customer's photo.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
}
