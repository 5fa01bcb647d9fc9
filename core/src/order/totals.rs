//! What an order costs: derived from its lines every time, never stored as truth.
//!
//! A line is price x quantity, rounded half up to the minor unit; prices include tax, and tax is
//! taken out of the sum of the lines per rate, rounded half up.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Order, axes::LineState};
use crate::money::{Money, MoneyError, tax_within};

/// The sums of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// One for each line that costs something, in the order of the lines.
    pub lines: Vec<LineTotal>,
    /// What bringing it costs, tax included; before the decision the most that was agreed to.
    pub fee: Option<Money>,
    /// What the shop takes off after a complaint; never more than the rest comes to.
    pub allowance: Money,
    /// The sum of the lines and the fee without the allowance, tax included.
    pub sum: Money,
    /// The tax inside the sum, per rate, lowest rate first; empty before the decision.
    pub taxes: Vec<TaxSum>,
    /// What came in.
    pub paid: Money,
    /// What went back.
    pub refunded: Money,
    /// What stands in a khata for it.
    pub on_khata: Money,
    /// What is still owed to the shop; below zero, what the shop owes.
    pub due: Money,
    /// Whether the shop has not decided, so that the sum is by the prices that the customer saw.
    pub estimated: bool,
}

/// What one line costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineTotal {
    /// Index of the line in the order.
    pub line: u16,
    /// How much of it, in base units.
    pub amount: u64,
    /// What that costs, tax included.
    pub sum: Money,
}

/// The tax of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TaxSum {
    /// The rate in basis points.
    pub rate_bp: u32,
    /// The sum of the lines with this rate, tax included.
    pub gross: Money,
    /// The tax inside `gross`.
    pub tax: Money,
}

/// Takes what was granted after a complaint off the sum, and off each rate by its share.
fn take_off(
    order: &Order,
    by_rate: &mut BTreeMap<u32, Money>,
    sum: Money,
) -> Result<Money, MoneyError> {
    let minor = order.allowed.minor.min(sum.minor).max(0);
    let mut left = Money { minor, ..sum };
    let mut rest = sum.minor;
    for gross in by_rate.values_mut() {
        // The last rate takes what rounding leaves, for its share of the rest is all of it.
        let share = i128::from(left.minor) * i128::from(gross.minor) / i128::from(rest.max(1));
        rest -= gross.minor;
        let share = Money { minor: share as i64, ..sum };
        left = left.checked_sub(share)?;
        *gross = gross.checked_sub(share)?;
    }
    Ok(Money { minor, ..sum })
}

impl Totals {
    /// Works out the sums.
    ///
    /// # Errors
    /// [`MoneyError`] when a sum does not fit; an order out of [`super::step::step`] always fits.
    pub fn of(order: &Order) -> Result<Self, MoneyError> {
        let currency = order.placed.currency;
        let estimated = order.stage.is_undecided();
        let mut lines = Vec::new();
        let mut sum = Money::zero(currency);
        let mut by_rate = BTreeMap::new();
        for (index, line) in order.lines.iter().enumerate() {
            let (amount, price, rate_bp) = match (line.state, line.charge) {
                (LineState::Ordered, _) if estimated => {
                    (line.wanted.quantity.amount(), line.wanted.seen, None)
                }
                (state, Some(charge)) => match state.charged_amount() {
                    Some(amount) => (amount, charge.price, Some(charge.tax_bp)),
                    None => continue,
                },
                _ => continue,
            };
            let line_sum = price.of(amount)?;
            sum = sum.checked_add(line_sum)?;
            if let Some(rate_bp) = rate_bp {
                let gross = by_rate.entry(rate_bp).or_insert(Money::zero(currency));
                *gross = gross.checked_add(line_sum)?;
            }
            lines.push(LineTotal { line: index as u16, amount, sum: line_sum });
        }
        let fee = match order.fee {
            Some(fee) if !lines.is_empty() => {
                let gross = by_rate.entry(fee.tax_bp).or_insert(Money::zero(currency));
                *gross = gross.checked_add(fee.amount)?;
                Some(fee.amount)
            }
            _ if estimated => order.placed.fee,
            _ => None,
        };
        sum = sum.checked_add(fee.unwrap_or(Money::zero(currency)))?;
        let allowance = take_off(order, &mut by_rate, sum)?;
        sum = sum.checked_sub(allowance)?;
        let taxes = by_rate
            .into_iter()
            .map(|(rate_bp, gross)| Ok(TaxSum { rate_bp, gross, tax: tax_within(gross, rate_bp)? }))
            .collect::<Result<_, MoneyError>>()?;
        let paid = order.payment.paid(currency);
        let refunded = order.payment.refunded(currency);
        let on_khata = order.payment.on_khata(currency);
        let due = sum.checked_sub(paid)?.checked_add(refunded)?.checked_sub(on_khata)?;
        Ok(Self { lines, fee, allowance, sum, taxes, paid, refunded, on_khata, due, estimated })
    }

    /// The tax of all rates together.
    ///
    /// # Errors
    /// [`MoneyError`] when it does not fit.
    pub fn tax(&self) -> Result<Money, MoneyError> {
        let zero = Money::zero(self.sum.currency);
        self.taxes.iter().try_fold(zero, |all, rate| all.checked_add(rate.tax))
    }
}
