//! What an order may still write into a book: reserved against the limit until it is written.

use std::collections::BTreeSet;

use crate::{
    money::{Money, MoneyError},
    order::{
        Order,
        axes::{Line, LineState, Stage},
        placed::{Alteration, Placed, Substitution, WantedLine},
    },
};

/// The most that an accepted order may still take on credit: what each line costs at the heaviest
/// that the customer allowed, or with the dearest that may come in its place. Nothing before the
/// decision and after the end.
///
/// # Errors
/// [`MoneyError`] when it does not fit; an order out of [`crate::order::step::step`] fits.
pub fn exposure(order: &Order) -> Result<Money, MoneyError> {
    let zero = Money::zero(order.placed.currency);
    let mut most = order.fee.map_or(zero, |fee| fee.amount);
    for line in &order.lines {
        most = most.checked_add(of_line(line)?.unwrap_or(zero))?;
    }
    left(order, most)
}

/// [`exposure`] as it would be if a change were granted that makes `next` of what was placed.
///
/// # Errors
/// As there.
pub fn exposure_if(order: &Order, asked: &Alteration, next: &Placed) -> Result<Money, MoneyError> {
    let zero = Money::zero(order.placed.currency);
    let named: BTreeSet<u16> = asked.amounts.iter().map(|new| new.line).collect();
    let fee = order.fee.map_or(zero, |fee| fee.amount);
    let mut most = match next.fee {
        Some(agreed) if next.is_brought() && agreed.minor > fee.minor => agreed,
        _ => fee,
    };
    for (index, line) in order.lines.iter().enumerate() {
        if !named.contains(&(index as u16)) {
            most = most.checked_add(of_line(line)?.unwrap_or(zero))?;
        }
    }
    let wanted = asked.amounts.iter().filter(|new| new.amount > 0);
    let wanted = wanted.filter_map(|new| next.lines.get(usize::from(new.line)));
    for line in wanted.chain(&asked.added) {
        most = most.checked_add(heaviest(line)?)?;
    }
    left(order, most)
}

/// The most that an order may come to, before the decision.
///
/// # Errors
/// As [`exposure`].
pub fn most_of(placed: &Placed) -> Result<Money, MoneyError> {
    let fee = placed.fee.filter(|_| placed.is_brought());
    let mut most = fee.unwrap_or(Money::zero(placed.currency));
    for line in &placed.lines {
        most = most.checked_add(heaviest(line)?)?;
    }
    Ok(most)
}

/// The most that a line may come to, by what was agreed to and the heaviest that was allowed.
fn heaviest(line: &WantedLine) -> Result<Money, MoneyError> {
    let amount = line.weight_max(line.quantity.amount());
    let (seen, cap) = (line.seen.of(amount)?, line.cap.map(|cap| cap.of(amount)).transpose()?);
    Ok(cap.filter(|cap| cap.minor > seen.minor).unwrap_or(seen))
}

fn left(order: &Order, most: Money) -> Result<Money, MoneyError> {
    let currency = order.placed.currency;
    let zero = Money::zero(currency);
    if !matches!(order.stage, Stage::Accepted { .. }) {
        return Ok(zero);
    }
    let (paid, back) = (order.payment.paid(currency), order.payment.refunded(currency));
    let settled = paid.checked_sub(back)?.checked_add(order.payment.on_khata(currency))?;
    let left = most.checked_sub(settled)?.checked_sub(order.allowed)?;
    Ok(if left.minor > 0 { left } else { zero })
}

fn of_line(line: &Line) -> Result<Option<Money>, MoneyError> {
    let Some(charge) = line.charge else {
        let proposed = matches!(line.state, LineState::Proposed { .. });
        return if proposed { line.wanted.most().map(Some) } else { Ok(None) };
    };
    let replaced_later = line.wanted.substitution != Substitution::LeaveOut;
    let sum = match line.state {
        LineState::Reserved { amount } => charge.price.of(line.wanted.weight_max(amount))?,
        LineState::Proposed { .. } => return line.wanted.most().map(Some),
        LineState::Weighed { amount, .. } => charge.price.of(amount)?,
        LineState::HandedOver { amount, back, .. } => {
            return charge.price.of(amount.saturating_sub(back)).map(Some);
        }
        LineState::Ordered | LineState::Cancelled { .. } | LineState::Returned { .. } => {
            return Ok(None);
        }
    };
    match line.wanted.most()? {
        most if replaced_later && most.minor > sum.minor => Ok(Some(most)),
        _ => Ok(Some(sum)),
    }
}
