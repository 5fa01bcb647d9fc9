//! Something else in place of what was ordered: as allowed beforehand, or after a question.

use std::collections::BTreeSet;

use super::{Misstep, line_mut};
use crate::{
    order::{
        Order, TAX_BP_MAX,
        axes::{Charge, Fulfilment, LineState},
        entry::Body,
        facts::{Answered, LineRefusal, Question, Replacement, Substituted},
        placed::check_price,
    },
    time::UnixMs,
};

/// Something else may come, or comes.
pub(super) fn replace(order: &mut Order, at: UnixMs, body: &Body) -> Result<(), Misstep> {
    match body {
        Body::Substituted(substituted) => substitute(order, substituted),
        Body::Question(question) => ask(order, at, question),
        Body::Answered(answered) => answer(order, at, answered),
        other => Err(Misstep::NotNow { stage: order.stage.label(), step: other.label() }),
    }
}

/// Lines are replaced by what the customer allowed beforehand.
fn substitute(order: &mut Order, substituted: &Substituted) -> Result<(), Misstep> {
    check_each(order, &substituted.lines)?;
    for replacement in &substituted.lines {
        let line_no = replacement.line;
        let is_early = |stage| matches!(stage, Fulfilment::Pending | Fulfilment::Packing { .. });
        let in_early = order.groups.iter().any(|g| is_early(g.stage) && g.lines.contains(&line_no));
        if !in_early {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
        if !order.allows_instead(replacement)? {
            return Err(Misstep::NotAllowedInstead { line: line_no });
        }
        take(order, replacement, replacement.substitute.quantity.amount())?;
    }
    order.ledger = Some(substituted.ledger);
    Ok(())
}

/// The customer is asked; what is proposed is kept until the answer.
fn ask(order: &mut Order, at: UnixMs, question: &Question) -> Result<(), Misstep> {
    check_each(order, &question.proposals)?;
    if question.deadline <= at {
        return Err(Misstep::TooEarly);
    }
    let index = usize::from(question.group);
    let group = order.groups.get(index).ok_or(Misstep::NoSuchGroup(question.group))?;
    if !matches!(group.stage, Fulfilment::Packing { .. }) {
        return Err(Misstep::NotNow { stage: group.stage.label(), step: "question" });
    }
    let lines = group.lines.clone();
    for proposal in &question.proposals {
        if !lines.contains(&proposal.line) {
            return Err(Misstep::NoSuchLine { line: proposal.line });
        }
        let reserved = proposal.substitute.quantity.amount();
        line_mut(order, proposal.line)?.state = LineState::Proposed { reserved };
    }
    let group = &mut order.groups[index];
    group.stage = Fulfilment::AwaitingAnswer { deadline: question.deadline };
    group.question = Some(question.clone());
    order.ledger = Some(question.ledger);
    Ok(())
}

/// The customer answered, or did not in time: then only what was allowed beforehand may come.
fn answer(order: &mut Order, at: UnixMs, answered: &Answered) -> Result<(), Misstep> {
    let index = usize::from(answered.group);
    let group = order.groups.get(index).ok_or(Misstep::NoSuchGroup(answered.group))?;
    let (Fulfilment::AwaitingAnswer { deadline }, Some(question)) = (group.stage, &group.question)
    else {
        return Err(Misstep::NotNow { stage: group.stage.label(), step: "answered" });
    };
    if answered.request.is_none() && at < deadline {
        return Err(Misstep::TooEarly);
    }
    let proposals = question.proposals.clone();
    let mut taken: BTreeSet<u16> = answered.taken.iter().copied().collect();
    for proposal in &proposals {
        let LineState::Proposed { reserved } = line_mut(order, proposal.line)?.state else {
            // What was kept for the proposal turned out not to be there.
            taken.remove(&proposal.line);
            continue;
        };
        if !taken.remove(&proposal.line) {
            let why = LineRefusal::NoSubstitute;
            line_mut(order, proposal.line)?.state = LineState::Cancelled { why };
            continue;
        }
        if answered.request.is_none() && !order.allows_instead(proposal)? {
            return Err(Misstep::NotAllowedInstead { line: proposal.line });
        }
        take(order, proposal, reserved)?;
    }
    if let Some(line) = taken.pop_first() {
        return Err(Misstep::NoSuchLine { line });
    }
    order.groups[index].stage = Fulfilment::Packing { since: at };
    order.ledger = Some(answered.ledger);
    Ok(())
}

/// Checks that each line is there once, kept, and has a price that can be.
fn check_each(order: &Order, replacements: &[Replacement]) -> Result<(), Misstep> {
    let mut named = BTreeSet::new();
    for Replacement { line: line_no, substitute, price, tax_bp } in replacements.iter().copied() {
        let line = order.lines.get(usize::from(line_no));
        let line = line.ok_or(Misstep::NoSuchLine { line: line_no })?;
        if !named.insert(line_no) {
            return Err(Misstep::LineTwice { line: line_no });
        }
        // What a shortage took may still be replaced while the rest is packed.
        let may = match line.state {
            LineState::Reserved { .. } => true,
            LineState::Cancelled { why } => why == LineRefusal::Shortage,
            _ => false,
        };
        if !may || substitute.variant == line.variant() {
            return Err(Misstep::LineNotHeld { line: line_no });
        }
        check_price(price, order.placed.currency)?;
        price.of(substitute.quantity.amount())?;
        if tax_bp > TAX_BP_MAX {
            return Err(Misstep::TaxTooHigh { line: line_no });
        }
    }
    if named.is_empty() { Err(Misstep::NothingGranted) } else { Ok(()) }
}

fn take(order: &mut Order, replacement: &Replacement, amount: u64) -> Result<(), Misstep> {
    let Replacement { line, substitute, price, tax_bp } = *replacement;
    let line = line_mut(order, line)?;
    line.state = LineState::Reserved { amount };
    line.charge = Some(Charge { price, tax_bp });
    line.substitute = Some(substitute);
    Ok(())
}
