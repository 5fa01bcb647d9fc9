//! An order: a log of signed entries, and what follows from it.
//!
//! The customer's device writes the first entry ([`placed::Placed`]); after it the shop's node is
//! the only writer. Both sides hold the same [`chain::Chain`] and derive the same [`Order`] from it.
//!
//! **Invariant:** an [`Order`] is never stored as truth and never edited: it is what
//! [`step::step`] makes of the entries, one after the other.
//!
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use kirana_core::{
//!     hash::Hash, id::{AccountId, OrderId, ProductId, ShopId, VariantId}, key::SigningKey,
//!     money::{Currency, Price}, quantity::{Quantity, Unit}, statement::Party, time::UnixMs,
//!     order::{
//!         chain::{Author, Chain}, decide::{Judge, Offer, decide},
//!         placed::{Handover, Method, Placed, WantedLine}, totals::Totals,
//!     },
//! };
//! # let (device, node) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
//! # let (now, by) = (UnixMs::new(1_000), UnixMs::new(2_000));
//! # let customer = Party::Account(AccountId::new(now, [1; 10]));
//! # let (shop, id) = (ShopId::new(now, [2; 10]), OrderId::new(now, [3; 10]));
//! # let (product, variant) = (ProductId::new(now, [4; 10]), VariantId::new(now, [5; 10]));
//! let price = Price { minor: 4_500, per: 1_000, currency: Currency::INR };
//! let quantity = Quantity::new(500, Unit::Gram)?;
//! let placed = Placed {
//!     customer,
//!     currency: Currency::INR,
//!     lines: vec![WantedLine::new(product, variant, quantity, price)],
//!     handover: Handover::Pickup { slot: None },
//!     payment: Method::OnDelivery,
//!     partial_ok: false,
//!     personal: None,
//!     anchors: vec![],
//!     generation: 1,
//!     fee: None,
//!     of_age: None,
//! };
//! // The customer's device signs; the shop decides against what it has, and signs the answer.
//! let first = placed.clone().sign(id, shop, now, by, &device)?;
//! let mut chain = Chain::begin(first, Author::customer(customer))?;
//! let offer = Offer { price, deals: vec![], tax_bp: 0, unit: Unit::Gram, available: 800, counted: true, age_min: None };
//! let decision = decide(&placed, &BTreeSet::new(), &BTreeMap::from([(variant, offer)]), Judge::Program);
//! let body = decision.into_body(Hash::of(b"the ledger's head after the reservation"), None);
//! chain.append(1, now, &body, &node)?;
//! assert_eq!(chain.order().stage.label(), "accepted");
//! assert_eq!(Totals::of(chain.order())?.sum.to_string(), "22.50 INR");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::Serialize;

use crate::{
    hash::Hash,
    id::{OrderId, ShopId},
    statement::Party,
    time::UnixMs,
};

pub mod axes;
pub mod chain;
mod code;
pub mod decide;
pub mod entry;
pub mod facts;
pub mod handing;
pub mod merge;
pub mod personal;
pub mod placed;
pub mod step;
pub mod totals;
pub mod wish;

/// The most lines of one order: they fit [`crate::statement::STATEMENT_BYTES_MAX`].
pub const LINES_MAX: usize = 200;
/// The most entries of one order: a shop that writes more is broken or hostile.
pub const ENTRIES_MAX: usize = 500;
/// The most ledger heads that an order or a request echoes.
pub const ANCHORS_MAX: usize = 8;
/// The most orders in one exchange of heads.
pub const HEADS_MAX: usize = 200;
/// The highest price, in minor units: ten thousand million rupees.
pub const PRICE_MINOR_MAX: i64 = 1_000_000_000_000;
/// The largest base quantity that a price is for.
pub const PRICE_PER_MAX: u64 = 1_000_000;
/// The highest tax rate, in basis points.
pub const TAX_BP_MAX: u32 = 10_000;

/// Where an order stands on its four axes, derived from its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its name, given by the customer's device.
    pub id: OrderId,
    /// Who sells.
    pub shop: ShopId,
    /// Who buys.
    pub customer: Party,
    /// When it was placed, by the customer's clock.
    pub placed_at: UnixMs,
    /// Until when the customer wants an answer.
    pub answer_by: Option<UnixMs>,
    /// What the customer signed.
    pub placed: placed::Placed,
    /// The order itself.
    pub stage: axes::Stage,
    /// Its lines as they stand now, in the order of [`placed::Placed::lines`].
    pub lines: Vec<axes::Line>,
    /// The groups in which the lines are handed over; empty before the decision.
    pub groups: Vec<axes::Group>,
    /// What is charged for bringing it, once the shop has taken the order.
    pub fee: Option<facts::Fee>,
    /// The money that moved.
    pub payment: axes::Payment,
    /// What the customer was asked to let be held on a card last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<facts::CardAsked>,
    /// Whether the customer complained.
    pub complaint: axes::Complaint,
    /// What the shop took off the sum after complaints, all of them together.
    pub allowed: crate::money::Money,
    /// The newest head of the shop's stock ledger that an entry told: to be echoed.
    pub ledger: Option<Hash>,
    /// Whether an entry of a later version is among them, so that this may not be the whole truth.
    pub newer: bool,
}

impl Order {
    /// Whether the customer allowed beforehand that this comes: by the line's own word, and for what
    /// it costs.
    ///
    /// # Errors
    /// [`step::Misstep`] when the line is not there or the sum does not fit.
    pub fn allows_instead(&self, instead: &facts::Replacement) -> Result<bool, step::Misstep> {
        let line = self.lines.get(usize::from(instead.line));
        let line = line.ok_or(step::Misstep::NoSuchLine { line: instead.line })?;
        let sum = instead.price.of(instead.substitute.quantity.amount())?;
        let allowed = line.wanted.allows_instead(instead.substitute.variant);
        Ok(allowed && sum.minor <= line.wanted.most()?.minor)
    }

    /// What the customer is asked to confirm by card now, if anything.
    pub fn to_confirm(&self) -> Option<facts::ToConfirm> {
        let waits = matches!(self.stage, axes::Stage::Accepted { .. }) && self.payment.owes_all();
        self.card.as_ref().filter(|_| waits).map(facts::ToConfirm::from)
    }

    /// Of what the shop's ledger keeps something for a line: what comes, or what was proposed.
    pub fn held_variant(&self, line: u16) -> Option<crate::id::VariantId> {
        let of = self.lines.get(usize::from(line))?;
        let asked = self.groups.iter().filter_map(|group| group.question.as_ref());
        let mut proposed = asked.flat_map(|asked| &asked.proposals).filter(|p| p.line == line);
        match (of.state, proposed.next_back()) {
            (axes::LineState::Proposed { .. }, Some(proposal)) => Some(proposal.substitute.variant),
            _ => Some(of.variant()),
        }
    }

    /// The lines that do not come, whatever the reason.
    pub fn cancelled(&self) -> std::collections::BTreeSet<u16> {
        let gone = |line: &axes::Line| matches!(line.state, axes::LineState::Cancelled { .. });
        let lines = self.lines.iter().enumerate().filter(|(_, line)| gone(line));
        lines.map(|(index, _)| index as u16).collect()
    }

    /// Whether the time that the customer gave has run out with no decision.
    ///
    /// Only the shop may act on it, and only by its known time: see `Expired`.
    pub fn is_overdue(&self, known_now: UnixMs) -> bool {
        self.stage.is_undecided() && self.answer_by.is_some_and(|by| known_now > by)
    }

    /// Whether anything can still become of the order, so that both sides compare heads.
    pub fn is_open(&self) -> bool {
        !self.stage.is_final()
    }

    /// Whether some, but not all, of what was ordered is granted.
    pub fn is_partly_granted(&self) -> bool {
        let granted = |line: &axes::Line| match line.state {
            // A scale that shows a little less is no smaller promise.
            axes::LineState::Weighed { reserved, .. }
            | axes::LineState::HandedOver { reserved, .. } => reserved,
            state => state.charged_amount().unwrap_or(0),
        };
        let full = |line: &axes::Line| granted(line) >= line.wanted.quantity.amount();
        self.lines.iter().any(|line| granted(line) > 0) && !self.lines.iter().all(full)
    }

    /// What the shop's ledger holds for the order and could still release: the lines that have
    /// not left the shop, each with its amount in base units.
    pub fn holds(&self) -> impl Iterator<Item = (u16, u64)> {
        self.groups.iter().filter(|group| !group.stage.is_outside()).flat_map(|group| {
            group.lines.iter().filter_map(|line_no| {
                let amount = self.lines.get(usize::from(*line_no))?.state.reserved_amount();
                (amount > 0).then_some((*line_no, amount))
            })
        })
    }

    /// All that the shop's ledger holds for the order, wherever the goods are: the lines with
    /// their amounts in base units.
    pub fn reserved(&self) -> impl Iterator<Item = (u16, u64)> {
        self.lines.iter().enumerate().filter_map(|(index, line)| {
            let amount = line.state.reserved_amount();
            (amount > 0).then_some((index as u16, amount))
        })
    }
}
