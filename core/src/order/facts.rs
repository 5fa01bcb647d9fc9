//! What the shop's entries say, kind by kind.
//!
//! **Invariant:** a fact holds only what cannot be derived; sums and stages are worked out from
//! the chain each time.

use minicbor::{Decode, Encode};
use serde::Serialize;

use super::{code::codes, placed::Alteration};
use crate::{
    hash::Hash,
    id::KhataId,
    money::{Money, Price},
};

mod aftermath;
mod card;
mod substitution;

pub use aftermath::{
    BackLine, ComplaintAnswered, ComplaintFollowed, ComplaintOpened, ComplaintSettled, GivenBack,
    Grievance, Remedy, ReturnReason, Settlement,
};
pub use card::{
    Authorised, CARD_ATTEMPTS_MAX, Captured, CardAsked, CardFailed, CardFailure, PAGE_BYTES_MAX,
    PROVIDER_TEXT_BYTES_MAX, ToConfirm, VoidReason, Voided,
};
pub use substitution::{Answered, PROPOSALS_MAX, Question, Replacement, Substitute, Substituted};

/// The shop has the order and a person will decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Received {
    /// The head of the shop's stock ledger when it was written.
    #[n(0)]
    pub ledger: Option<Hash>,
}

/// The shop takes the order, in full or in part, and has reserved what it grants.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Accepted {
    /// What the customer gets, in the order of the lines.
    #[n(0)]
    pub lines: Vec<GrantedLine>,
    /// What the customer does not get; together with `lines` every line once.
    #[n(1)]
    pub refused: Vec<RefusedLine>,
    /// The head of the shop's stock ledger after the reservation: customers' later requests echo
    /// it, so that a shop which lost the end of its ledger finds out.
    #[n(2)]
    pub ledger: Hash,
    /// What is charged for bringing it; no more than the customer signed.
    #[n(3)]
    pub fee: Option<Fee>,
}

/// What the shop charges for bringing an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Fee {
    /// How much, tax included; above zero.
    #[n(0)]
    pub amount: Money,
    /// The tax inside it, in basis points.
    #[n(1)]
    pub tax_bp: u32,
}

/// What one line gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct GrantedLine {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// How much, in base units; at least 1.
    #[n(1)]
    pub granted: u64,
    /// The price charged, tax included.
    #[n(2)]
    pub price: Price,
    /// The tax inside the price, in basis points.
    #[n(3)]
    pub tax_bp: u32,
}

/// A line that is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct RefusedLine {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// Why not.
    #[n(1)]
    pub why: LineRefusal,
}

codes! {
    /// Why a line is not granted.
    LineRefusal {
        /// The price went above what the customer agreed to.
        PriceChanged = 1, "price_changed", "the price is now higher than the one you saw";
        /// Less is there than was ordered.
        NotEnough = 2, "not_enough", "there is not enough left";
        /// The shop does not sell it.
        NotSold = 3, "not_sold", "the shop does not sell this now";
        /// Ordered in grams what is sold in pieces, or the like.
        WrongUnit = 4, "wrong_unit", "this is not sold in that unit";
        /// The sum does not fit.
        TooLarge = 5, "too_large", "the sum is too large";
        /// A stocktake or loss took it after it was granted.
        Shortage = 6, "shortage", "it turned out not to be there";
        /// A person in the shop left it out.
        LeftOut = 7, "left_out", "the shop left it out";
        /// The whole order ended before it was handed over.
        CalledOff = 8, "called_off", "the order was called off";
        /// It is sold from an age on that the customer did not state.
        AgeLimit = 9, "age_limit", "it is sold to older people only: say how old you are";
        /// The customer did not want what was proposed in its place.
        NoSubstitute = 10, "no_substitute", "there is none left, and nothing in its place was wanted";
    }
}

/// The shop does not take the order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Declined {
    /// Why.
    #[n(0)]
    pub reason: DeclineReason,
    /// The lines' own reasons, where there are any.
    #[n(1)]
    pub lines: Vec<RefusedLine>,
}

codes! {
    /// Why a shop does not take an order.
    DeclineReason {
        /// Not one line could be granted.
        NothingLeft = 1, "nothing_left", "none of it can be sold to you as you asked";
        /// The shop is closed.
        Closed = 2, "closed", "the shop is closed";
        /// The shop does not deliver there.
        NoDelivery = 3, "no_delivery", "the shop does not deliver there";
        /// The slot is full.
        SlotFull = 4, "slot_full", "that time is full";
        /// This way of paying is not taken.
        NoSuchPayment = 5, "no_such_payment", "the shop does not take this way of paying";
        /// A person in the shop said no.
        ByShop = 6, "by_shop", "the shop cannot take it";
        /// The sum is below what the shop brings.
        BelowMinimum = 7, "below_minimum", "the shop brings nothing for so small a sum";
        /// The time is over, or too near to get it ready.
        SlotPassed = 8, "slot_passed", "that time is too near or over";
        /// The shop offers no such time.
        NoSuchSlot = 9, "no_such_slot", "the shop offers no such time";
        /// Bringing it costs more than the customer agreed to.
        FeeChanged = 10, "fee_changed", "bringing it now costs more than you saw";
        /// Nobody may come and collect.
        NoPickup = 11, "no_pickup", "the shop brings its goods, and nobody can collect them";
        /// No span of time was chosen.
        SlotNeeded = 12, "slot_needed", "the shop hands things over at certain times only: choose one";
        /// It would take the customer's khata past its limit.
        KhataLimit = 20, "khata_limit", "your khata has no room for it: pay something first, or pay for this one";
        /// The customer has no khata there.
        NoKhata = 21, "no_khata", "you have no khata at this shop: ask for one, or pay another way";
    }
}

/// The customer took the order back before the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Withdrawn {
    /// The hash of the customer's signed request.
    #[n(0)]
    pub request: Hash,
}

/// The time that the customer gave ran out before the decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Expired {}

/// An accepted order is called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Cancelled {
    /// Who wanted it.
    #[n(0)]
    pub by: Side,
    /// Why.
    #[n(1)]
    pub reason: CancelReason,
    /// Who bears the cost.
    #[n(2)]
    pub borne_by: Side,
    /// The hash of the customer's signed request, where there was one.
    #[n(3)]
    pub request: Option<Hash>,
}

codes! {
    /// One of the two sides of an order.
    Side {
        /// The customer.
        Customer = 1, "customer", "the customer";
        /// The shop.
        Shop = 2, "shop", "the shop";
    }
}

codes! {
    /// Why an accepted order is called off.
    CancelReason {
        /// The customer no longer wants it.
        NotWanted = 1, "not_wanted", "the customer no longer wants it";
        /// Nothing was left after a shortage.
        Shortage = 2, "shortage", "it turned out not to be there";
        /// Nobody came for it.
        NotCollected = 3, "not_collected", "nobody came for it";
        /// It could not be delivered.
        Undeliverable = 4, "undeliverable", "it could not be delivered";
        /// The shop cannot carry it out.
        ByShop = 5, "by_shop", "the shop cannot carry it out";
    }
}

/// Everything is handed over and paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Completed {}

/// Somebody starts to pack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Packing {
    /// The group of lines; 0 is the one that the decision made.
    #[n(0)]
    pub group: u8,
    /// Empty for the whole group; otherwise these lines leave it and form a new group.
    #[n(1)]
    pub lines: Vec<u16>,
}

/// A group is packed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Packed {
    /// The group of lines.
    #[n(0)]
    pub group: u8,
    /// What the scales said for loose goods; the price follows.
    #[n(1)]
    pub weighed: Vec<WeighedLine>,
}

/// What the scales said for one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct WeighedLine {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// How much it is, in base units.
    #[n(1)]
    pub amount: u64,
}

/// A group of lines is in the customer's hands, or in those of somebody whom the customer trusts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct HandedOver {
    /// The group of lines.
    #[n(0)]
    pub group: u8,
    /// What shows it, where something does.
    #[n(1)]
    pub proof: Option<Proof>,
}

codes! {
    /// What shows that goods were handed over.
    Proof {
        /// The customer told the order's code.
        Code = 1, "code", "the customer told the code";
        /// It was left with a neighbour.
        Neighbour = 2, "neighbour", "it was left with a neighbour";
        /// It was left where the customer asked for it.
        Left = 3, "left", "it was left where the customer wanted it";
        /// Whoever handed it over knows the customer.
        Known = 4, "known", "handed over to somebody who is known";
    }
}

/// A step of one group of lines that says nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct OfGroup {
    /// The group of lines.
    #[n(0)]
    pub group: u8,
}

/// A delivery did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct DeliveryFailed {
    /// The group of lines.
    #[n(0)]
    pub group: u8,
    /// Why.
    #[n(1)]
    pub reason: FailReason,
}

codes! {
    /// Why a delivery did not succeed.
    FailReason {
        /// Nobody was there.
        NobodyThere = 1, "nobody_there", "nobody was there";
        /// The address could not be found.
        NoSuchAddress = 2, "no_such_address", "the address could not be found";
        /// It was not taken.
        NotTaken = 3, "not_taken", "it was not taken";
        /// The courier could not get there.
        NoWay = 4, "no_way", "the courier could not get there";
    }
}

/// Money came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Paid {
    /// How much; above zero.
    #[n(0)]
    pub amount: Money,
    /// How.
    #[n(1)]
    pub means: Means,
}

codes! {
    /// How money came in.
    Means {
        /// Coins and notes.
        Cash = 1, "cash", "in cash";
        /// UPI to the shop's own code, seen by a person.
        Upi = 2, "upi", "by UPI";
        /// A card: on the shop's own terminal, or through its provider.
        Card = 3, "card", "by card";
        /// Written into the khata, to be paid later.
        Khata = 4, "khata", "on khata";
    }
}

/// Money went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Refunded {
    /// How much; above zero.
    #[n(0)]
    pub amount: Money,
    /// How.
    #[n(1)]
    pub means: Means,
}

/// What is due is written into the customer's khata, or another one's who takes it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct OnKhata {
    /// Into which.
    #[n(0)]
    pub khata: KhataId,
    /// How much; above zero.
    #[n(1)]
    pub amount: Money,
}

/// What had been reserved is not there; lines get less or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Shortage {
    /// The lines that get less, each with what it still gets.
    #[n(0)]
    pub lines: Vec<ShortLine>,
    /// The head of the shop's stock ledger after the release.
    #[n(1)]
    pub ledger: Hash,
}

/// What a line still gets after a shortage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct ShortLine {
    /// Index of the line in the order.
    #[n(0)]
    pub line: u16,
    /// What it still gets, in base units; 0 cancels the line.
    #[n(1)]
    pub granted: u64,
}

/// A shop restored from a backup takes the order over in its new generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Adopted {
    /// The head of the shop's stock ledger when it took over.
    #[n(0)]
    pub ledger: Hash,
}

/// Lines are granted anew, within what the customer signed; before the decision only what is
/// wanted changes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(map)]
pub struct Changed {
    /// The lines that change; the others stay as they are.
    #[n(0)]
    pub lines: Vec<GrantedLine>,
    /// The lines that are taken out.
    #[n(1)]
    pub refused: Vec<RefusedLine>,
    /// The hash of the customer's signed request, where there was one.
    #[n(2)]
    pub request: Option<Hash>,
    /// The head of the shop's stock ledger after the reservation changed.
    #[n(3)]
    pub ledger: Hash,
    /// What the customer asked for, where it asked.
    #[n(4)]
    pub asked: Option<Alteration>,
    /// What is charged for bringing it from now on, where the customer asked.
    #[n(5)]
    pub fee: Option<Fee>,
}

impl Changed {
    /// What the shop takes out or lowers by itself.
    pub fn by_shop(lines: Vec<GrantedLine>, refused: Vec<RefusedLine>, ledger: Hash) -> Self {
        Self { lines, refused, request: None, ledger, asked: None, fee: None }
    }
}
