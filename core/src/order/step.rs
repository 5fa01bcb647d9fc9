//! What each entry does to an order: one match on (stage, step) whose last arm refuses.
//!
//! **Invariant:** [`step`] is the only way from one [`Order`] to the next, and an entry that does
//! not fit changes nothing.

use super::{
    Order, TAX_BP_MAX,
    axes::{Charge, Complaint, Fulfilment, Group, Line, LineState, Payment, Stage},
    entry::Body,
    facts::{
        Accepted, Cancelled, Changed, Declined, GrantedLine, LineRefusal, Packed, Packing,
        RefusedLine, Shortage, WeighedLine,
    },
    placed::{Handover, Method, Placed, check_price},
    totals::Totals,
};
use crate::{
    id::{OrderId, ShopId},
    money::{Money, MoneyError},
    quantity::Unit,
    time::UnixMs,
};

/// The order as the customer's first entry leaves it.
pub fn begin(
    id: OrderId,
    shop: ShopId,
    at: UnixMs,
    answer_by: Option<UnixMs>,
    placed: Placed,
) -> Order {
    let line =
        |wanted: &_| Line { wanted: Clone::clone(wanted), state: LineState::Ordered, charge: None };
    Order {
        id,
        shop,
        customer: placed.customer,
        placed_at: at,
        answer_by,
        stage: Stage::Placed,
        lines: placed.lines.iter().map(line).collect(),
        groups: Vec::new(),
        payment: Payment::Due,
        complaint: Complaint::None,
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
        (Stage::Accepted { .. }, Body::Changed(changed)) => change(&mut next, changed)?,
        (Stage::Accepted { .. }, Body::Paid(paid)) => pay(&mut next, paid.amount)?,
        (
            Stage::Accepted { .. } | Stage::Cancelled { .. } | Stage::Completed { .. },
            Body::Refunded(refunded),
        ) => refund(&mut next, refunded.amount)?,
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
        ) => fulfil(&mut next, at, body)?,
        (stage, body) => {
            return Err(Misstep::NotNow { stage: stage.label(), step: body.label() });
        }
    }
    Totals::of(&next)?;
    Ok(next)
}

fn accept(order: &mut Order, at: UnixMs, accepted: &Accepted) -> Result<(), Misstep> {
    if accepted.lines.is_empty() {
        return Err(Misstep::NothingGranted);
    }
    for granted in &accepted.lines {
        let line = line_mut(order, granted.line)?;
        if line.state != LineState::Ordered {
            return Err(Misstep::LineTwice { line: granted.line });
        }
        grant(order, granted)?;
    }
    refuse_lines(order, &accepted.refused)?;
    if let Some(line) = order.lines.iter().position(|line| line.state == LineState::Ordered) {
        return Err(Misstep::LineLeft { line: line as u16 });
    }
    let lines = accepted.lines.iter().map(|granted| granted.line).collect();
    order.groups = vec![Group { lines, stage: Fulfilment::Pending }];
    order.payment = match order.placed.payment {
        Method::OnDelivery => Payment::OnDelivery,
        _ => Payment::Due,
    };
    order.stage = Stage::Accepted { at };
    order.ledger = Some(accepted.ledger);
    Ok(())
}

/// Grants a line within what the customer signed.
fn grant(order: &mut Order, granted: &GrantedLine) -> Result<(), Misstep> {
    let (partial_ok, currency) = (order.placed.partial_ok, order.placed.currency);
    let line_no = granted.line;
    let line = line_mut(order, line_no)?;
    let wanted = line.wanted.quantity.amount();
    check_price(granted.price, currency)?;
    if granted.tax_bp > TAX_BP_MAX {
        return Err(Misstep::TaxTooHigh { line: line_no });
    }
    if granted.granted == 0 || granted.granted > wanted {
        return Err(Misstep::GrantedBeyond { line: line_no });
    }
    if granted.granted < wanted && !partial_ok {
        return Err(Misstep::GrantedInPart { line: line_no });
    }
    if !line.wanted.allows(granted.price) {
        return Err(Misstep::PriceTooHigh { line: line_no });
    }
    line.state = LineState::Reserved { amount: granted.granted };
    line.charge = Some(Charge { price: granted.price, tax_bp: granted.tax_bp });
    Ok(())
}

/// Refuses lines that have no answer yet.
fn refuse_lines(order: &mut Order, refused: &[RefusedLine]) -> Result<(), Misstep> {
    for refused in refused {
        let line = line_mut(order, refused.line)?;
        if line.state != LineState::Ordered {
            return Err(Misstep::LineTwice { line: refused.line });
        }
        line.state = LineState::Cancelled { why: refused.why };
    }
    Ok(())
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

fn shorten(order: &mut Order, shortage: &Shortage) -> Result<(), Misstep> {
    if shortage.lines.is_empty() {
        return Err(Misstep::NothingGranted);
    }
    for short in &shortage.lines {
        let line_no = short.line;
        if !order.holds().any(|(line, _)| line == line_no) {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
        let line = line_mut(order, line_no)?;
        if short.granted >= line.state.reserved_amount() {
            return Err(Misstep::GrantedBeyond { line: line_no });
        }
        line.state = match (short.granted, line.state) {
            (0, _) => LineState::Cancelled { why: LineRefusal::Shortage },
            (reserved, LineState::Weighed { amount, .. }) => {
                LineState::Weighed { reserved, amount: amount.min(reserved) }
            }
            (reserved, LineState::Returned { .. }) => LineState::Returned { reserved },
            (amount, _) => LineState::Reserved { amount },
        };
    }
    order.ledger = Some(shortage.ledger);
    Ok(())
}

fn change(order: &mut Order, changed: &Changed) -> Result<(), Misstep> {
    if changed.lines.is_empty() && changed.refused.is_empty() {
        return Err(Misstep::NothingGranted);
    }
    let named = changed.lines.iter().map(|l| l.line).chain(changed.refused.iter().map(|l| l.line));
    let mut seen = std::collections::BTreeSet::new();
    for line_no in named {
        line_mut(order, line_no)?;
        if !seen.insert(line_no) {
            return Err(Misstep::LineTwice { line: line_no });
        }
        let early = |group: &Group| {
            group.lines.contains(&line_no)
                && matches!(group.stage, Fulfilment::Pending | Fulfilment::Packing { .. })
        };
        if !order.groups.iter().any(early) {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
    }
    for granted in &changed.lines {
        grant(order, granted)?;
    }
    for refused in &changed.refused {
        line_mut(order, refused.line)?.state = LineState::Cancelled { why: refused.why };
    }
    order.ledger = Some(changed.ledger);
    Ok(())
}

fn pay(order: &mut Order, amount: Money) -> Result<(), Misstep> {
    let before = match order.payment {
        Payment::Due | Payment::OnDelivery => Money::zero(order.placed.currency),
        Payment::PartlyPaid { paid } => paid,
        other => return Err(Misstep::NotNow { stage: other.label(), step: "paid" }),
    };
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    let sum = Totals::of(order)?.sum;
    let paid = before.checked_add(amount)?;
    order.payment = match paid.minor.cmp(&sum.minor) {
        std::cmp::Ordering::Less => Payment::PartlyPaid { paid },
        std::cmp::Ordering::Equal => Payment::Paid { paid },
        std::cmp::Ordering::Greater => return Err(Misstep::PaidBeyond { sum }),
    };
    Ok(())
}

fn refund(order: &mut Order, amount: Money) -> Result<(), Misstep> {
    let (paid, before) = match order.payment {
        Payment::PartlyPaid { paid } | Payment::Paid { paid } => (paid, Money::zero(paid.currency)),
        Payment::PartlyRefunded { paid, refunded } => (paid, refunded),
        other => return Err(Misstep::NotNow { stage: other.label(), step: "refunded" }),
    };
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    let refunded = before.checked_add(amount)?;
    order.payment = match refunded.minor.cmp(&paid.minor) {
        std::cmp::Ordering::Less => Payment::PartlyRefunded { paid, refunded },
        std::cmp::Ordering::Equal => Payment::Refunded { paid },
        std::cmp::Ordering::Greater => return Err(Misstep::RefundedBeyond { paid }),
    };
    Ok(())
}

/// Moves one group of lines on.
fn fulfil(order: &mut Order, at: UnixMs, body: &Body) -> Result<(), Misstep> {
    let group_no = match body {
        Body::Packing(Packing { group, .. }) | Body::Packed(Packed { group, .. }) => *group,
        Body::DeliveryFailed(failed) => failed.group,
        Body::ReadyForPickup(of)
        | Body::Collected(of)
        | Body::OutForDelivery(of)
        | Body::Delivered(of)
        | Body::ReturnedToShop(of) => of.group,
        _ => 0,
    };
    let index = usize::from(group_no);
    let group = order.groups.get(index).cloned().ok_or(Misstep::NoSuchGroup(group_no))?;
    if is_empty(order, &group) {
        return Err(Misstep::NothingGranted);
    }
    let brought = matches!(order.placed.handover, Handover::Delivery { .. });
    let stage = match (group.stage, body) {
        (Fulfilment::Pending, Body::Packing(packing)) => {
            return pack(order, index, at, &packing.lines);
        }
        (Fulfilment::Packing { .. }, Body::Packed(packed)) => {
            weigh(order, &group, &packed.weighed)?;
            Fulfilment::Packed { at }
        }
        // Whoever ordered a delivery may come to the shop after all.
        (Fulfilment::Packed { .. }, Body::ReadyForPickup(_)) => {
            Fulfilment::ReadyForPickup { since: at }
        }
        (Fulfilment::ReadyForPickup { .. }, Body::Collected(_)) => {
            hand_over(order, &group);
            Fulfilment::Collected { at }
        }
        (Fulfilment::Packed { .. }, Body::OutForDelivery(_)) if brought => {
            Fulfilment::OutForDelivery { since: at, attempt: 1 }
        }
        (Fulfilment::DeliveryFailed { attempt, .. }, Body::OutForDelivery(_)) => {
            Fulfilment::OutForDelivery { since: at, attempt: attempt.saturating_add(1) }
        }
        (Fulfilment::OutForDelivery { .. }, Body::Delivered(_)) => {
            hand_over(order, &group);
            Fulfilment::Delivered { at }
        }
        (Fulfilment::OutForDelivery { attempt, .. }, Body::DeliveryFailed(failed)) => {
            Fulfilment::DeliveryFailed { at, attempt, reason: failed.reason }
        }
        (Fulfilment::DeliveryFailed { .. }, Body::ReturnedToShop(_)) => {
            for line in lines_of(order, &group) {
                line.state = LineState::Returned { reserved: line.state.reserved_amount() };
            }
            Fulfilment::ReturnedToShop { at }
        }
        (stage, body) => {
            return Err(Misstep::NotNow { stage: stage.label(), step: body.label() });
        }
    };
    order.groups[index].stage = stage;
    Ok(())
}

/// Begins to pack a group, or some of its lines, which then leave it as a group of their own.
fn pack(order: &mut Order, index: usize, at: UnixMs, lines: &[u16]) -> Result<(), Misstep> {
    let packing = Fulfilment::Packing { since: at };
    let group = &mut order.groups[index];
    if let Some(line) = lines.iter().find(|line| !group.lines.contains(line)) {
        return Err(Misstep::NoSuchLine { line: *line });
    }
    let stay: Vec<u16> = group.lines.iter().copied().filter(|l| !lines.contains(l)).collect();
    if lines.is_empty() || stay.is_empty() {
        group.stage = packing;
        return Ok(());
    }
    let leave = group.lines.iter().copied().filter(|l| lines.contains(l)).collect();
    group.lines = stay;
    order.groups.push(Group { lines: leave, stage: packing });
    Ok(())
}

fn weigh(order: &mut Order, group: &Group, weighed: &[WeighedLine]) -> Result<(), Misstep> {
    for weighed in weighed {
        let line_no = weighed.line;
        let line = line_mut(order, line_no)?;
        let LineState::Reserved { amount: granted } = line.state else {
            return Err(Misstep::LineNotHeld { line: line_no });
        };
        let wanted = &line.wanted;
        let allowed = wanted.weight_min(granted)..=wanted.weight_max(granted);
        if !group.lines.contains(&line_no) || wanted.quantity.unit() == Unit::Piece {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
        if weighed.amount == 0 || !allowed.contains(&weighed.amount) {
            return Err(Misstep::WeightOff { line: line_no });
        }
        line.state = LineState::Weighed { reserved: granted, amount: weighed.amount };
    }
    Ok(())
}

fn hand_over(order: &mut Order, group: &Group) {
    for line in lines_of(order, group) {
        let reserved = line.state.reserved_amount();
        let amount = line.state.charged_amount().unwrap_or(reserved);
        line.state = LineState::HandedOver { reserved, amount };
    }
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

/// An entry that does not fit the order as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misstep {
    /// The step does not follow from this stage.
    #[error("an order that is \"{stage}\" cannot become \"{step}\"")]
    NotNow {
        /// Where the order, the group or the payment stands.
        stage: &'static str,
        /// What was tried.
        step: &'static str,
    },
    /// Nothing is granted, or nothing is left to do it with.
    #[error("there is not one line to do this with")]
    NothingGranted,
    /// The order has no such line.
    #[error("the order has no line {line} here")]
    NoSuchLine {
        /// Index of the line.
        line: u16,
    },
    /// A line is answered twice.
    #[error("line {line} is answered twice")]
    LineTwice {
        /// Index of the line.
        line: u16,
    },
    /// A line is not answered.
    #[error("line {line} is not answered")]
    LineLeft {
        /// Index of the line.
        line: u16,
    },
    /// Nothing is held for the line that this could apply to.
    #[error("nothing is held for line {line} that this could apply to")]
    LineNotHeld {
        /// Index of the line.
        line: u16,
    },
    /// More than was ordered or held, or nothing.
    #[error("line {line} cannot get that much")]
    GrantedBeyond {
        /// Index of the line.
        line: u16,
    },
    /// The customer wants the whole line or nothing.
    #[error("line {line} was ordered whole or not at all")]
    GrantedInPart {
        /// Index of the line.
        line: u16,
    },
    /// The price is above what the customer signed.
    #[error("the price of line {line} is above what the customer agreed to")]
    PriceTooHigh {
        /// Index of the line.
        line: u16,
    },
    /// The tax rate is above [`TAX_BP_MAX`].
    #[error("the tax rate of line {line} is above 100 percent")]
    TaxTooHigh {
        /// Index of the line.
        line: u16,
    },
    /// The weight is outside the tolerance.
    #[error("the weight of line {line} is further off than the customer allowed")]
    WeightOff {
        /// Index of the line.
        line: u16,
    },
    /// The order has no such group of lines.
    #[error("the order has no group {0}")]
    NoSuchGroup(u8),
    /// The goods are not all handed over or back.
    #[error("the goods are not all handed over")]
    NotHandedOver,
    /// Something is still owed by one side.
    #[error("{due} is still to be settled")]
    NotSettled {
        /// What is owed to the shop; below zero, what the shop owes.
        due: Money,
    },
    /// A payment of nothing or less.
    #[error("a payment is above zero")]
    NoMoney,
    /// More is paid than the order costs.
    #[error("that is more than the order costs ({sum})")]
    PaidBeyond {
        /// What the order costs.
        sum: Money,
    },
    /// More goes back than came in.
    #[error("that is more than was paid ({paid})")]
    RefundedBeyond {
        /// What came in.
        paid: Money,
    },
    /// A sum that cannot be.
    #[error(transparent)]
    Money(#[from] MoneyError),
}
