//! What each line gets: at the decision, after a shortage, after a change.

use super::{Misstep, line_mut};
use crate::{
    order::{
        Order, TAX_BP_MAX,
        axes::{Charge, Fulfilment, Group, Line, LineState, Stage},
        facts::{Accepted, Changed, Fee, GrantedLine, LineRefusal, RefusedLine, Shortage},
        placed::{Alteration, NewAmount, check_price},
    },
    time::UnixMs,
};

/// The shop takes the order.
pub(super) fn accept(order: &mut Order, at: UnixMs, accepted: &Accepted) -> Result<(), Misstep> {
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
    order.groups = vec![Group { lines, stage: Fulfilment::Pending, question: None }];
    charge_fee(order, accepted.fee)?;
    order.payment = order.placed.payment.begins();
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
pub(super) fn refuse_lines(order: &mut Order, refused: &[RefusedLine]) -> Result<(), Misstep> {
    for refused in refused {
        let line = line_mut(order, refused.line)?;
        if line.state != LineState::Ordered {
            return Err(Misstep::LineTwice { line: refused.line });
        }
        line.state = LineState::Cancelled { why: refused.why };
    }
    Ok(())
}

/// Charges for bringing it, no more than the customer signed.
fn charge_fee(order: &mut Order, fee: Option<Fee>) -> Result<(), Misstep> {
    let most = order.placed.fee.map_or(0, |most| most.minor);
    if let Some(Fee { amount, tax_bp }) = fee
        && (!order.placed.is_brought()
            || amount.currency != order.placed.currency
            || !(1..=most).contains(&amount.minor)
            || tax_bp > TAX_BP_MAX)
    {
        return Err(Misstep::FeeTooHigh);
    }
    order.fee = fee;
    Ok(())
}

/// What was kept is not there.
pub(super) fn shorten(order: &mut Order, shortage: &Shortage) -> Result<(), Misstep> {
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
            (reserved, LineState::Proposed { .. }) => LineState::Proposed { reserved },
            (amount, _) => LineState::Reserved { amount },
        };
    }
    order.ledger = Some(shortage.ledger);
    Ok(())
}

/// Lines are granted anew; before the decision only what is wanted changes.
pub(super) fn change(order: &mut Order, changed: &Changed) -> Result<(), Misstep> {
    if let Some(asked) = &changed.asked {
        alter(order, asked)?;
    } else if changed.lines.is_empty() && changed.refused.is_empty() {
        return Err(Misstep::NothingGranted);
    }
    if order.stage.is_undecided() {
        let is_plain = changed.lines.is_empty() && changed.refused.is_empty();
        return if is_plain { Ok(()) } else { Err(Misstep::NothingGranted) };
    }
    let named = changed.lines.iter().map(|l| l.line).chain(changed.refused.iter().map(|l| l.line));
    let mut seen = std::collections::BTreeSet::new();
    for line_no in named {
        line_mut(order, line_no)?;
        if !seen.insert(line_no) {
            return Err(Misstep::LineTwice { line: line_no });
        }
        if !order.groups.iter().any(|group| is_early(group) && group.lines.contains(&line_no)) {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
    }
    let asked = changed.asked.iter().flat_map(|asked| &asked.amounts);
    for NewAmount { line, amount } in asked.copied() {
        let is_refused = changed.refused.iter().any(|refused| refused.line == line);
        if !seen.contains(&line) || (amount == 0 && !is_refused) {
            return Err(Misstep::LineLeft { line });
        }
    }
    for granted in &changed.lines {
        grant(order, granted)?;
        line_mut(order, granted.line)?.substitute = None;
    }
    for refused in &changed.refused {
        line_mut(order, refused.line)?.state = LineState::Cancelled { why: refused.why };
    }
    if let Some(line) = order.lines.iter().position(|line| line.state == LineState::Ordered) {
        return Err(Misstep::LineLeft { line: line as u16 });
    }
    if changed.asked.is_some() {
        charge_fee(order, changed.fee)?;
    }
    order.ledger = Some(changed.ledger);
    Ok(())
}

/// What the customer wants becomes what was asked for; new lines wait for their answer.
fn alter(order: &mut Order, asked: &Alteration) -> Result<(), Misstep> {
    if !order.groups.iter().all(is_early) {
        let stage = order.groups.iter().find(|group| !is_early(group));
        let stage = stage.map_or("", |group| group.stage.label());
        return Err(Misstep::NotNow { stage, step: "changed" });
    }
    let (had, placed) = (order.lines.len(), asked.apply(&order.placed)?);
    for (line, wanted) in order.lines.iter_mut().zip(&placed.lines) {
        line.wanted = wanted.clone();
    }
    if order.stage.is_undecided() {
        // What was taken out may be wanted again.
        for again in asked.amounts.iter().filter(|new| new.amount > 0) {
            line_mut(order, again.line)?.state = LineState::Ordered;
        }
    }
    for wanted in &placed.lines[had..] {
        let (wanted, state) = (wanted.clone(), LineState::Ordered);
        order.lines.push(Line { wanted, state, charge: None, substitute: None });
    }
    order.placed = placed;
    let new: Vec<u16> = (had..order.lines.len()).map(|line| line as u16).collect();
    if let Some(group) = order.groups.first_mut() {
        group.lines.extend(new);
    } else if order.stage.is_undecided() {
        for removed in asked.amounts.iter().filter(|new| new.amount == 0) {
            let why = LineRefusal::LeftOut;
            line_mut(order, removed.line)?.state = LineState::Cancelled { why };
        }
    }
    Ok(())
}

fn is_early(group: &Group) -> bool {
    matches!(group.stage, Fulfilment::Pending | Fulfilment::Packing { .. })
}
