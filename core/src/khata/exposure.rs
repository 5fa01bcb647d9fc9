//! What an order may still write into a book: reserved against the limit until it is written.

use std::collections::BTreeSet;

use crate::{
    money::{Money, MoneyError},
    order::{
        Order,
        axes::{Fulfilment, LineState, Stage},
        facts::LineRefusal,
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
    for index in 0..order.lines.len() {
        most = most.checked_add(of_line(order, index)?.unwrap_or(zero))?;
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
    for index in 0..order.lines.len() {
        if !named.contains(&(index as u16)) {
            most = most.checked_add(of_line(order, index)?.unwrap_or(zero))?;
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

/// The most that a line may come to, by what was agreed to, the heaviest that was allowed, and what
/// may come in its place.
fn heaviest(line: &WantedLine) -> Result<Money, MoneyError> {
    let amount = line.weight_max(line.quantity.amount());
    let (seen, cap) = (line.seen.of(amount)?, line.cap.map(|cap| cap.of(amount)).transpose()?);
    let most = cap.filter(|cap| cap.minor > seen.minor).unwrap_or(seen);
    match line.substitution {
        Substitution::LeaveOut => Ok(most),
        _ => dearer(most, instead(line)?),
    }
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

fn of_line(order: &Order, index: usize) -> Result<Option<Money>, MoneyError> {
    let Some(line) = order.lines.get(index) else { return Ok(None) };
    let price = line.charge.map(|charge| charge.price);
    let sum = match (line.state, price) {
        (LineState::Proposed { .. }, _) => return instead(&line.wanted).map(Some),
        (LineState::Cancelled { why: LineRefusal::Shortage }, _)
            if comes_unasked(&line.wanted) && may_be_replaced(order, index) =>
        {
            return instead(&line.wanted).map(Some);
        }
        (LineState::Reserved { amount }, Some(price)) => {
            price.of(line.wanted.weight_max(amount))?
        }
        (LineState::Weighed { amount, .. }, Some(price)) => return price.of(amount).map(Some),
        (LineState::HandedOver { amount, back, .. }, Some(price)) => {
            return price.of(amount.saturating_sub(back)).map(Some);
        }
        _ => return Ok(None),
    };
    if line.wanted.substitution == Substitution::LeaveOut {
        return Ok(Some(sum));
    }
    dearer(sum, instead(&line.wanted)?).map(Some)
}

/// The most that something in the line's place may come to: what was agreed to, and as much more as
/// the scales may show of it. It has a unit of its own, so the weight is no bound, the sum is.
fn instead(line: &WantedLine) -> Result<Money, MoneyError> {
    let most = line.most()?;
    let over = i128::from(most.minor) * i128::from(line.tolerance_bp);
    if over <= 0 {
        return Ok(most);
    }
    // Rounded up twice: the price of the goods, and that of their weight.
    let over = i64::try_from((over + 9_999) / 10_000 + 1).map_err(|_| MoneyError::TooLarge)?;
    most.checked_add(Money { minor: over, ..most })
}

/// Whether something may come in the line's place by what the customer said beforehand.
fn comes_unasked(line: &WantedLine) -> bool {
    matches!(line.substitution, Substitution::Similar | Substitution::Listed)
}

/// Whether the goods of a line are not packed yet, so that a packer may still find something else.
fn may_be_replaced(order: &Order, index: usize) -> bool {
    let is_early = |stage| matches!(stage, Fulfilment::Pending | Fulfilment::Packing { .. });
    let mut early = order.groups.iter().filter(|group| is_early(group.stage));
    early.any(|group| group.lines.iter().any(|line| usize::from(*line) == index))
}

fn dearer(one: Money, other: Money) -> Result<Money, MoneyError> {
    Ok(if other.checked_sub(one)?.minor > 0 { other } else { one })
}
