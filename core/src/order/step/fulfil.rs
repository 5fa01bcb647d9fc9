//! Packing, handing over, bringing and bringing back: one group of lines at a time.

use super::{Misstep, is_empty, line_mut, lines_of};
use crate::{
    order::{
        Order,
        axes::{Fulfilment, Group, LineState},
        entry::Body,
        facts::{BackLine, GivenBack, Packed, Packing, WeighedLine},
        placed::Handover,
    },
    quantity::Unit,
    time::UnixMs,
};

/// Moves one group of lines on.
pub(super) fn fulfil(order: &mut Order, at: UnixMs, body: &Body) -> Result<(), Misstep> {
    let group_no = match body {
        Body::Packing(Packing { group, .. }) | Body::Packed(Packed { group, .. }) => *group,
        Body::DeliveryFailed(failed) => failed.group,
        Body::ReadyForPickup(of) | Body::OutForDelivery(of) | Body::ReturnedToShop(of) => of.group,
        Body::Collected(handed) | Body::Delivered(handed) => handed.group,
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
    order.groups.push(Group { lines: leave, stage: packing, question: None });
    Ok(())
}

fn weigh(order: &mut Order, group: &Group, weighed: &[WeighedLine]) -> Result<(), Misstep> {
    for weighed in weighed {
        let line_no = weighed.line;
        let line = line_mut(order, line_no)?;
        let LineState::Reserved { amount: granted } = line.state else {
            return Err(Misstep::LineNotHeld { line: line_no });
        };
        let allowed = line.wanted.weight_min(granted)..=line.wanted.weight_max(granted);
        if !group.lines.contains(&line_no) || line.quantity().unit() == Unit::Piece {
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
        line.state = LineState::HandedOver { reserved, amount, back: 0 };
    }
}

/// The customer brings goods back that had been handed over.
pub(super) fn give_back(order: &mut Order, given: &GivenBack) -> Result<(), Misstep> {
    if given.lines.is_empty() {
        return Err(Misstep::NothingGranted);
    }
    for BackLine { line: line_no, amount, .. } in given.lines.iter().copied() {
        let line = line_mut(order, line_no)?;
        let LineState::HandedOver { amount: had, back, .. } = &mut line.state else {
            return Err(Misstep::LineNotHeld { line: line_no });
        };
        let all = back.checked_add(amount).filter(|all| amount > 0 && all <= had);
        *back = all.ok_or(Misstep::GrantedBeyond { line: line_no })?;
    }
    order.ledger = Some(given.ledger);
    Ok(())
}
