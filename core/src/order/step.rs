//! What each entry does to an order: one match on (stage, step) whose last arm refuses.
//!
//! **Invariant:** [`step`] is the only way from one [`Order`] to the next, and an entry that does
//! not fit changes nothing.

mod card;
mod complaint;
mod fulfil;
mod lines;
mod misstep;
mod money;
mod substitution;

use super::{
    Order,
    axes::{Complaint, Group, Line, LineState, Payment, Stage},
    entry::Body,
    facts::{Cancelled, Declined, LineRefusal},
    placed::Placed,
    totals::Totals,
};
use crate::{
    id::{OrderId, ShopId},
    time::UnixMs,
};
use lines::{accept, change, refuse_lines, shorten};
pub use misstep::Misstep;

/// The order as the customer's first entry leaves it.
pub fn begin(
    id: OrderId,
    shop: ShopId,
    at: UnixMs,
    answer_by: Option<UnixMs>,
    placed: Placed,
) -> Order {
    let line = |wanted: &super::placed::WantedLine| Line {
        wanted: wanted.clone(),
        state: LineState::Ordered,
        charge: None,
        substitute: None,
    };
    Order {
        id,
        shop,
        customer: placed.customer,
        placed_at: at,
        answer_by,
        stage: Stage::Placed,
        lines: placed.lines.iter().map(line).collect(),
        groups: Vec::new(),
        fee: None,
        payment: Payment::Due,
        card: None,
        complaint: Complaint::None,
        allowed: crate::money::Money::zero(placed.currency),
        ledger: None,
        newer: false,
        placed,
    }
}

/// The order after one more entry of the shop, written at `at`.
///
/// An entry of a kind that is reserved or unknown changes nothing but [`Order::newer`].
///
/// # Errors
/// [`Misstep`] when the entry does not fit the order as it stands.
pub fn step(order: &Order, at: UnixMs, body: &Body) -> Result<Order, Misstep> {
    let mut next = order.clone();
    match (order.stage, body) {
        (_, Body::Reserved(_) | Body::Unknown { .. }) => next.newer = true,
        (_, Body::Adopted(adopted)) => next.ledger = Some(adopted.ledger),
        (Stage::Placed, Body::Received(received)) => {
            next.stage = Stage::Received { at };
            next.ledger = received.ledger.or(next.ledger);
        }
        (Stage::Placed | Stage::Received { .. }, Body::Accepted(accepted)) => {
            accept(&mut next, at, accepted)?;
        }
        (Stage::Placed | Stage::Received { .. }, Body::Declined(declined)) => {
            decline(&mut next, at, declined)?;
        }
        (Stage::Placed | Stage::Received { .. }, Body::Withdrawn(_)) => {
            call_off(&mut next, Stage::Withdrawn { at });
        }
        (Stage::Placed | Stage::Received { .. }, Body::Expired(_)) => {
            call_off(&mut next, Stage::Expired { at });
        }
        (Stage::Accepted { .. }, Body::Cancelled(cancelled)) => cancel(&mut next, at, cancelled)?,
        (Stage::Accepted { .. }, Body::Completed(_)) => complete(&mut next, at)?,
        (Stage::Accepted { .. }, Body::Shortage(shortage)) => shorten(&mut next, shortage)?,
        (
            Stage::Placed | Stage::Received { .. } | Stage::Accepted { .. },
            Body::Changed(changed),
        ) => {
            change(&mut next, changed)?;
        }
        (Stage::Accepted { .. }, Body::Substituted(_) | Body::Question(_) | Body::Answered(_)) => {
            substitution::replace(&mut next, at, body)?
        }
        (Stage::Accepted { .. } | Stage::Completed { .. }, Body::GivenBack(given)) => {
            fulfil::give_back(&mut next, given)?;
        }
        (Stage::Accepted { .. }, Body::Paid(paid)) => money::pay(&mut next, *paid)?,
        (stage, body) if card::is_step(stage, body) => card::pay_by_card(&mut next, at, body)?,
        (Stage::Accepted { .. }, Body::OnKhata(of)) => money::write_down(&mut next, of.amount)?,
        (
            Stage::Accepted { .. } | Stage::Cancelled { .. } | Stage::Completed { .. },
            Body::Refunded(refunded),
        ) => money::refund(&mut next, *refunded)?,
        (
            Stage::Accepted { .. },
            Body::Packing(_)
            | Body::Packed(_)
            | Body::ReadyForPickup(_)
            | Body::Collected(_)
            | Body::OutForDelivery(_)
            | Body::Delivered(_)
            | Body::DeliveryFailed(_)
            | Body::ReturnedToShop(_),
        ) => fulfil::fulfil(&mut next, at, body)?,
        (
            stage,
            Body::ComplaintOpened(_)
            | Body::ComplaintContinued(_)
            | Body::ComplaintAnswered(_)
            | Body::ComplaintSettled(_)
            | Body::ComplaintEscalated(_),
        ) if !stage.is_undecided() => complaint::complain(&mut next, at, body)?,
        (stage, body) => {
            return Err(Misstep::NotNow { stage: stage.label(), step: body.label() });
        }
    }
    Totals::of(&next)?;
    Ok(next)
}

fn decline(order: &mut Order, at: UnixMs, declined: &Declined) -> Result<(), Misstep> {
    refuse_lines(order, &declined.lines)?;
    for line in order.lines.iter_mut().filter(|line| line.state == LineState::Ordered) {
        line.state = LineState::Cancelled { why: LineRefusal::LeftOut };
    }
    order.stage = Stage::Declined { at, reason: declined.reason };
    Ok(())
}

fn call_off(order: &mut Order, stage: Stage) {
    for line in &mut order.lines {
        if !matches!(line.state, LineState::Cancelled { .. }) {
            line.state = LineState::Cancelled { why: LineRefusal::CalledOff };
        }
    }
    order.stage = stage;
}

fn cancel(order: &mut Order, at: UnixMs, cancelled: &Cancelled) -> Result<(), Misstep> {
    // What is outside must come back first: else its reservation ends and it is promised again.
    if let Some(group) = order.groups.iter().find(|group| group.stage.is_outside()) {
        return Err(Misstep::NotNow { stage: group.stage.label(), step: "cancelled" });
    }
    let Cancelled { by, reason, borne_by, .. } = *cancelled;
    call_off(order, Stage::Cancelled { at, by, reason, borne_by });
    Ok(())
}

fn complete(order: &mut Order, at: UnixMs) -> Result<(), Misstep> {
    let done = |group: &Group| group.stage.is_final() || is_empty(order, group);
    if !order.groups.iter().any(|group| group.stage.is_handed_over())
        || !order.groups.iter().all(done)
    {
        return Err(Misstep::NotHandedOver);
    }
    let due = Totals::of(order)?.due;
    if due.minor != 0 {
        return Err(Misstep::NotSettled { due });
    }
    order.stage = Stage::Completed { at };
    Ok(())
}

/// Whether nothing of a group is left to hand over.
fn is_empty(order: &Order, group: &Group) -> bool {
    group.lines.iter().all(|line| {
        order
            .lines
            .get(usize::from(*line))
            .is_none_or(|line| matches!(line.state, LineState::Cancelled { .. }))
    })
}

/// The lines of a group that still come.
fn lines_of<'a>(order: &'a mut Order, group: &'a Group) -> impl Iterator<Item = &'a mut Line> {
    order.lines.iter_mut().enumerate().filter_map(|(index, line)| {
        let comes = !matches!(line.state, LineState::Cancelled { .. });
        (comes && group.lines.contains(&(index as u16))).then_some(line)
    })
}

fn line_mut(order: &mut Order, line: u16) -> Result<&mut Line, Misstep> {
    order.lines.get_mut(usize::from(line)).ok_or(Misstep::NoSuchLine { line })
}
