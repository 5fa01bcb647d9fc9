//! Money that comes in and goes back.

use super::Misstep;
use crate::{
    money::Money,
    order::{Order, axes::Payment, totals::Totals},
};

/// Money came in.
pub(super) fn pay(order: &mut Order, amount: Money) -> Result<(), Misstep> {
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

/// Money went back.
pub(super) fn refund(order: &mut Order, amount: Money) -> Result<(), Misstep> {
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
