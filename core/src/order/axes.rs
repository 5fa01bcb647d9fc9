//! The four independent axes of an order's life, and the state of each line.
//!
//! **Invariant:** each state carries the facts that belong to it and no sum; what is owed is worked
//! out in [`super::totals`].

use serde::Serialize;

use super::{
    facts::{
        CancelReason, CardFailure, DeclineReason, FailReason, Grievance, LineRefusal, Question,
        Settlement, Side, Substitute, VoidReason,
    },
    placed::WantedLine,
};
use crate::{
    id::{ProductId, VariantId},
    money::{Currency, Money, Price},
    quantity::Quantity,
    time::UnixMs,
};

/// First axis: what became of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// The customer has ordered; the shop may not know yet.
    Placed,
    /// The shop has it and a person will decide.
    Received {
        /// Since when.
        at: UnixMs,
    },
    /// The shop takes it.
    Accepted {
        /// Since when.
        at: UnixMs,
    },
    /// The shop does not take it.
    Declined {
        /// Since when.
        at: UnixMs,
        /// Why.
        reason: DeclineReason,
    },
    /// The customer took it back before the decision.
    Withdrawn {
        /// Since when.
        at: UnixMs,
    },
    /// Nobody decided in time.
    Expired {
        /// Since when.
        at: UnixMs,
    },
    /// Handed over and paid.
    Completed {
        /// Since when.
        at: UnixMs,
    },
    /// Called off after it was accepted.
    Cancelled {
        /// Since when.
        at: UnixMs,
        /// Who wanted it.
        by: Side,
        /// Why.
        reason: CancelReason,
        /// Who bears the cost.
        borne_by: Side,
    },
}

impl Stage {
    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Received { .. } => "received",
            Self::Accepted { .. } => "accepted",
            Self::Declined { .. } => "declined",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Expired { .. } => "expired",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether the shop still has to decide.
    pub const fn is_undecided(self) -> bool {
        matches!(self, Self::Placed | Self::Received { .. })
    }

    /// Whether nothing more can become of the order (money may still go back).
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Placed | Self::Received { .. } | Self::Accepted { .. })
    }
}

/// Second axis: how far a group of lines is on its way to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "fulfilment", rename_all = "snake_case")]
pub enum Fulfilment {
    /// Nobody has begun.
    Pending,
    /// Somebody packs.
    Packing {
        /// Since when.
        since: UnixMs,
    },
    /// A question waits for the customer: see [`Group::question`].
    AwaitingAnswer {
        /// When the shop goes on without an answer.
        deadline: UnixMs,
    },
    /// Packed.
    Packed {
        /// Since when.
        at: UnixMs,
    },
    /// It waits in the shop.
    ReadyForPickup {
        /// Since when.
        since: UnixMs,
    },
    /// The customer has fetched it.
    Collected {
        /// When.
        at: UnixMs,
    },
    /// It is on its way.
    OutForDelivery {
        /// Since when.
        since: UnixMs,
        /// Which attempt this is, from 1.
        attempt: u16,
    },
    /// The customer has got it.
    Delivered {
        /// When.
        at: UnixMs,
    },
    /// The last attempt did not succeed.
    DeliveryFailed {
        /// When.
        at: UnixMs,
        /// Which attempt that was, from 1.
        attempt: u16,
        /// Why.
        reason: FailReason,
    },
    /// It is back in the shop.
    ReturnedToShop {
        /// When.
        at: UnixMs,
    },
}

impl Fulfilment {
    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Packing { .. } => "packing",
            Self::AwaitingAnswer { .. } => "awaiting_answer",
            Self::Packed { .. } => "packed",
            Self::ReadyForPickup { .. } => "ready_for_pickup",
            Self::Collected { .. } => "collected",
            Self::OutForDelivery { .. } => "out_for_delivery",
            Self::Delivered { .. } => "delivered",
            Self::DeliveryFailed { .. } => "delivery_failed",
            Self::ReturnedToShop { .. } => "returned_to_shop",
        }
    }

    /// Whether the customer has the goods.
    pub const fn is_handed_over(self) -> bool {
        matches!(self, Self::Collected { .. } | Self::Delivered { .. })
    }

    /// Whether nothing more happens to the group.
    pub const fn is_final(self) -> bool {
        self.is_handed_over() || matches!(self, Self::ReturnedToShop { .. })
    }

    /// Whether the goods have left the shop and not come back.
    pub const fn is_outside(self) -> bool {
        self.is_handed_over()
            || matches!(self, Self::OutForDelivery { .. } | Self::DeliveryFailed { .. })
    }
}

/// Lines that are packed and handed over together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Indices of the lines.
    pub lines: Vec<u16>,
    /// How far they are.
    #[serde(flatten)]
    pub stage: Fulfilment,
    /// What the customer was asked about it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
}

/// Third axis: the money that moved; what is owed follows from [`super::totals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "payment", rename_all = "snake_case")]
pub enum Payment {
    /// Nothing is agreed on yet.
    Due,
    /// It is paid when the goods change hands.
    OnDelivery,
    /// It, or a part of it, is written into the khata.
    OnKhata {
        /// What stands in the khata for it now.
        owed: Money,
        /// What came in otherwise.
        paid: Money,
        /// What went back of that.
        refunded: Money,
    },
    /// A sum is held on the customer's card; nothing came in yet.
    Authorised {
        /// How much.
        amount: Money,
        /// Until when.
        until: UnixMs,
    },
    /// The sum was taken from the card.
    Captured {
        /// What came in.
        paid: Money,
    },
    /// Less came in than the sum was.
    PartlyPaid {
        /// What came in.
        paid: Money,
    },
    /// The sum came in.
    Paid {
        /// What came in.
        paid: Money,
    },
    /// What was held on the card was let go: it is due again.
    Voided {
        /// Why.
        why: VoidReason,
    },
    /// A payment by card did not come about: it may be paid otherwise.
    Failed {
        /// When.
        at: UnixMs,
        /// Why.
        why: CardFailure,
    },
    /// A part went back.
    PartlyRefunded {
        /// What came in.
        paid: Money,
        /// What went back.
        refunded: Money,
    },
    /// All that came in went back.
    Refunded {
        /// What came in and went back.
        paid: Money,
    },
    /// The shop gave the money up (in a later version).
    WrittenOff,
}

impl Payment {
    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::OnDelivery => "on_delivery",
            Self::OnKhata { .. } => "on_khata",
            Self::Authorised { .. } => "authorised",
            Self::Captured { .. } => "captured",
            Self::PartlyPaid { .. } => "partly_paid",
            Self::Paid { .. } => "paid",
            Self::Voided { .. } => "voided",
            Self::Failed { .. } => "failed",
            Self::PartlyRefunded { .. } => "partly_refunded",
            Self::Refunded { .. } => "refunded",
            Self::WrittenOff => "written_off",
        }
    }

    /// Whether nothing was paid, is held or stands in a khata.
    pub const fn owes_all(self) -> bool {
        matches!(self, Self::Due | Self::OnDelivery | Self::Voided { .. } | Self::Failed { .. })
    }

    /// What came in so far, before refunds.
    pub const fn paid(self, currency: Currency) -> Money {
        match self {
            Self::PartlyPaid { paid }
            | Self::Paid { paid }
            | Self::PartlyRefunded { paid, .. }
            | Self::OnKhata { paid, .. }
            | Self::Captured { paid }
            | Self::Refunded { paid } => paid,
            _ => Money::zero(currency),
        }
    }

    /// What went back so far.
    pub const fn refunded(self, currency: Currency) -> Money {
        match self {
            Self::PartlyRefunded { refunded, .. } | Self::OnKhata { refunded, .. } => refunded,
            Self::Refunded { paid } => paid,
            _ => Money::zero(currency),
        }
    }

    /// What stands in a khata for it.
    pub const fn on_khata(self, currency: Currency) -> Money {
        match self {
            Self::OnKhata { owed, .. } => owed,
            _ => Money::zero(currency),
        }
    }
}

/// Fourth axis: whether the customer complained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "complaint", rename_all = "snake_case")]
pub enum Complaint {
    /// No.
    None,
    /// Yes, and the shop has to answer.
    Open {
        /// Since when.
        since: UnixMs,
        /// About what.
        about: Grievance,
        /// Until when the shop has to answer.
        answer_by: UnixMs,
    },
    /// The shop has answered, and the customer may accept, say more, or go to the hub.
    Answered {
        /// When.
        at: UnixMs,
        /// What the shop offers, if anything.
        offer: Option<Settlement>,
    },
    /// It is settled.
    Settled {
        /// When.
        at: UnixMs,
        /// What was agreed on.
        settlement: Settlement,
        /// Whose word ended it.
        by: Side,
    },
    /// The customer took it to the hub; the shop may still settle it.
    Escalated {
        /// When.
        at: UnixMs,
    },
}

impl Complaint {
    /// A stable word for programs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open { .. } => "open",
            Self::Answered { .. } => "answered",
            Self::Settled { .. } => "settled",
            Self::Escalated { .. } => "escalated",
        }
    }

    /// Whether somebody still waits for the shop's word.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open { .. } | Self::Escalated { .. })
    }
}

/// A line as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was ordered.
    pub wanted: WantedLine,
    /// What became of it.
    pub state: LineState,
    /// What it costs, once the shop has granted it.
    pub charge: Option<Charge>,
    /// What comes in its place, where it was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute: Option<Substitute>,
}

impl Line {
    /// The product that comes: what was ordered, or what replaces it.
    pub fn product(&self) -> ProductId {
        self.substitute.map_or(self.wanted.product, |substitute| substitute.product)
    }

    /// The size or pack that comes.
    pub fn variant(&self) -> VariantId {
        self.substitute.map_or(self.wanted.variant, |substitute| substitute.variant)
    }

    /// How much was ordered, or is meant to come in its place.
    pub fn quantity(&self) -> Quantity {
        self.substitute.map_or(self.wanted.quantity, |substitute| substitute.quantity)
    }
}

/// The price that the shop charges for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Charge {
    /// The price, tax included.
    pub price: Price,
    /// The tax inside it, in basis points.
    pub tax_bp: u32,
}

/// What became of a line; amounts are base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LineState {
    /// The shop has not decided.
    Ordered,
    /// The shop keeps it for the customer.
    Reserved {
        /// How much.
        amount: u64,
    },
    /// Something else is kept for it until the customer has answered.
    Proposed {
        /// How much of that.
        reserved: u64,
    },
    /// It was weighed.
    Weighed {
        /// What is reserved for it.
        reserved: u64,
        /// What the scales said.
        amount: u64,
    },
    /// It does not come.
    Cancelled {
        /// Why.
        why: LineRefusal,
    },
    /// The customer has it.
    HandedOver {
        /// What had been reserved for it.
        reserved: u64,
        /// How much it was.
        amount: u64,
        /// How much of that the customer brought back.
        back: u64,
    },
    /// It came back to the shop.
    Returned {
        /// What is still reserved for it.
        reserved: u64,
    },
}

impl LineState {
    /// What the customer pays for, in base units; `None` while nothing is granted or when nothing
    /// comes.
    pub const fn charged_amount(self) -> Option<u64> {
        match self {
            Self::Reserved { amount } | Self::Weighed { amount, .. } => Some(amount),
            Self::HandedOver { amount, back, .. } => Some(amount.saturating_sub(back)),
            Self::Ordered
            | Self::Proposed { .. }
            | Self::Cancelled { .. }
            | Self::Returned { .. } => None,
        }
    }

    /// What the shop's ledger holds for the line now, in base units.
    pub const fn reserved_amount(self) -> u64 {
        match self {
            Self::Reserved { amount } => amount,
            Self::Proposed { reserved }
            | Self::Weighed { reserved, .. }
            | Self::Returned { reserved } => reserved,
            Self::Ordered | Self::Cancelled { .. } | Self::HandedOver { .. } => 0,
        }
    }
}
