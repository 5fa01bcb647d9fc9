//! What entries say while somebody packs and a line cannot come as it was ordered.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{
    hash::Hash,
    id::{ProductId, VariantId},
    money::Price,
    quantity::Quantity,
    time::UnixMs,
};

/// The most lines that one question is about.
pub const PROPOSALS_MAX: usize = 20;

/// What comes in place of what was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Substitute {
    /// The other product; the same one where only the pack differs.
    #[n(0)]
    pub product: ProductId,
    /// Its size or pack.
    #[n(1)]
    pub variant: VariantId,
    /// How much of it.
    #[n(2)]
    pub quantity: Quantity,
}

/// A line, what comes in its place, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Replacement {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// What comes.
    #[n(1)]
    pub substitute: Substitute,
    /// Its price, tax included.
    #[n(2)]
    pub price: Price,
    /// The tax inside the price, in basis points.
    #[n(3)]
    pub tax_bp: u32,
}

/// Lines are replaced by what the customer allowed beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Substituted {
    /// What replaces what.
    #[n(0)]
    pub lines: Vec<Replacement>,
    /// The head of the shop's stock ledger after the reservation changed.
    #[n(1)]
    pub ledger: Hash,
}

/// The customer is asked whether something else may come; it is kept until the answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Question {
    /// The group of lines that waits.
    #[n(0)]
    pub group: u8,
    /// What could come, one for each line that is asked about; at most [`PROPOSALS_MAX`].
    #[n(1)]
    pub proposals: Vec<Replacement>,
    /// When the shop goes on without an answer.
    #[n(2)]
    pub deadline: UnixMs,
    /// The head of the shop's stock ledger after the reservation changed.
    #[n(3)]
    pub ledger: Hash,
}

/// The customer has answered, or the time for it is over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Answered {
    /// The group of lines that waited.
    #[n(0)]
    pub group: u8,
    /// The lines for which the proposal comes; the others that were asked about do not come.
    #[n(1)]
    pub taken: Vec<u16>,
    /// The hash of the customer's signed answer; without one the time was over.
    #[n(2)]
    pub request: Option<Hash>,
    /// The head of the shop's stock ledger after the reservation changed.
    #[n(3)]
    pub ledger: Hash,
}
