//! Money that comes in and goes back.

use super::Misstep;
use crate::{
    money::Money,
    order::{Order, axes::Payment, totals::Totals},
};

/// Money came in.
pub(super) fn pay(order: &mut Order, amount: Money) -> Result<(), Misstep> {
    let currency = order.placed.currency;
    if !matches!(
        order.payment,
        Payment::Due
            | Payment::OnDelivery
            | Payment::PartlyPaid { .. }
            | Payment::Paid { .. }
            | Payment::PartlyRefunded { .. }
            | Payment::Refunded { .. }
    ) {
        return Err(Misstep::NotNow { stage: order.payment.label(), step: "paid" });
    }
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    // More may be wanted after something was paid, or went back.
    let (before, refunded) = (order.payment.paid(currency), order.payment.refunded(currency));
    let (sum, paid) = (Totals::of(order)?.sum, before.checked_add(amount)?);
    let kept = paid.checked_sub(refunded)?;
    order.payment = match kept.minor.cmp(&sum.minor) {
        std::cmp::Ordering::Greater => return Err(Misstep::PaidBeyond { sum }),
        _ if refunded.minor > 0 => Payment::PartlyRefunded { paid, refunded },
        std::cmp::Ordering::Less => Payment::PartlyPaid { paid },
        std::cmp::Ordering::Equal => Payment::Paid { paid },
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
