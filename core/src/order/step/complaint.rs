//! A complaint: opened and followed by the customer, answered and settled by the shop.

use super::{Misstep, line_mut};
use crate::{
    order::{
        Order,
        axes::Complaint,
        entry::Body,
        facts::{ComplaintAnswered, ComplaintOpened, ComplaintSettled, Side},
    },
    time::UnixMs,
};

/// Moves the complaint on.
pub(super) fn complain(order: &mut Order, at: UnixMs, body: &Body) -> Result<(), Misstep> {
    order.complaint = match (order.complaint, body) {
        (Complaint::None | Complaint::Settled { .. }, Body::ComplaintOpened(opened)) => {
            open(order, at, opened)?
        }
        (
            Complaint::Open { .. } | Complaint::Escalated { .. },
            Body::ComplaintAnswered(answered),
        ) => {
            let ComplaintAnswered { offer, .. } = answered;
            check_offer(order, offer.as_ref().and_then(|offer| offer.amount))?;
            Complaint::Answered { at, offer: *offer }
        }
        (Complaint::Open { since, about, .. }, Body::ComplaintContinued(followed)) => {
            Complaint::Open { since, about, answer_by: followed.answer_by }
        }
        (Complaint::Answered { .. }, Body::ComplaintContinued(followed)) => {
            let about = crate::order::facts::Grievance::Else;
            Complaint::Open { since: at, about, answer_by: followed.answer_by }
        }
        (Complaint::Open { answer_by, .. }, Body::ComplaintEscalated(_)) if at < answer_by => {
            return Err(Misstep::TooEarly);
        }
        (
            Complaint::Open { .. }
            | Complaint::Answered { .. }
            | Complaint::Settled { by: Side::Shop, .. },
            Body::ComplaintEscalated(_),
        ) => Complaint::Escalated { at },
        (before, Body::ComplaintSettled(settled)) => settle(order, at, before, settled)?,
        (before, body) => {
            return Err(Misstep::NotNow { stage: before.label(), step: body.label() });
        }
    };
    Ok(())
}

fn open(order: &mut Order, at: UnixMs, opened: &ComplaintOpened) -> Result<Complaint, Misstep> {
    for line in &opened.lines {
        line_mut(order, *line)?;
    }
    let ComplaintOpened { about, answer_by, .. } = *opened;
    Ok(Complaint::Open { since: at, about, answer_by })
}

/// The customer's word ends it only upon the offer that stands; the shop's word ends it at any time,
/// and the customer may still take it to the hub.
fn settle(
    order: &mut Order,
    at: UnixMs,
    before: Complaint,
    settled: &ComplaintSettled,
) -> Result<Complaint, Misstep> {
    let ComplaintSettled { settlement, by, request, .. } = settled.clone();
    check_offer(order, settlement.amount)?;
    let fits = match (by, before) {
        (Side::Customer, Complaint::Answered { offer, .. }) => {
            request.is_some() && offer == Some(settlement)
        }
        (Side::Shop, Complaint::None | Complaint::Settled { .. }) => false,
        (Side::Shop, _) => true,
        _ => false,
    };
    if !fits {
        return Err(Misstep::NotNow { stage: before.label(), step: "complaint_settled" });
    }
    // It stays taken off, whatever the customer says later.
    if let Some(amount) = settlement.amount {
        order.allowed = order.allowed.checked_add(amount)?;
    }
    Ok(Complaint::Settled { at, settlement, by })
}

fn check_offer(order: &Order, amount: Option<crate::money::Money>) -> Result<(), Misstep> {
    match amount {
        Some(amount) if amount.minor <= 0 => Err(Misstep::NoMoney),
        Some(amount) if amount.currency != order.placed.currency => {
            let (ours, theirs) = (order.placed.currency, amount.currency);
            Err(crate::money::MoneyError::CurrenciesDiffer(ours, theirs).into())
        }
        _ => Ok(()),
    }
}
