//! Money that comes in, goes back, or is written into a khata.

use super::Misstep;
use crate::{
    money::Money,
    order::{
        Order,
        axes::Payment,
        facts::{Means, Paid, Refunded},
        totals::Totals,
    },
};

/// Money came in.
pub(super) fn pay(order: &mut Order, Paid { amount, means }: Paid) -> Result<(), Misstep> {
    let currency = order.placed.currency;
    if !takes_money(order.payment) || means == Means::Khata {
        return Err(Misstep::NotNow { stage: order.payment.label(), step: "paid" });
    }
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    // More may be wanted after something was paid, or went back.
    let (before, refunded) = (order.payment.paid(currency), order.payment.refunded(currency));
    let (sum, paid) = (Totals::of(order)?.sum, before.checked_add(amount)?);
    let owed = order.payment.on_khata(currency);
    let kept = paid.checked_sub(refunded)?.checked_add(owed)?;
    order.payment = match (kept.minor.cmp(&sum.minor), order.payment) {
        (std::cmp::Ordering::Greater, _) => return Err(Misstep::PaidBeyond { sum }),
        (_, Payment::OnKhata { .. }) => Payment::OnKhata { owed, paid, refunded },
        _ if refunded.minor > 0 => Payment::PartlyRefunded { paid, refunded },
        (std::cmp::Ordering::Less, _) => Payment::PartlyPaid { paid },
        (std::cmp::Ordering::Equal, _) => Payment::Paid { paid },
    };
    Ok(())
}

/// What is due, or a part of it, is written into a khata.
pub(super) fn write_down(order: &mut Order, amount: Money) -> Result<(), Misstep> {
    let currency = order.placed.currency;
    if !takes_money(order.payment) {
        return Err(Misstep::NotNow { stage: order.payment.label(), step: "on_khata" });
    }
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    let totals = Totals::of(order)?;
    if amount.checked_sub(totals.due)?.minor > 0 {
        return Err(Misstep::PaidBeyond { sum: totals.sum });
    }
    let owed = order.payment.on_khata(currency).checked_add(amount)?;
    order.payment = Payment::OnKhata { owed, paid: totals.paid, refunded: totals.refunded };
    Ok(())
}

fn takes_money(payment: Payment) -> bool {
    matches!(
        payment,
        Payment::Due
            | Payment::OnDelivery
            | Payment::OnKhata { .. }
            | Payment::Captured { .. }
            | Payment::Voided { .. }
            | Payment::Failed { .. }
            | Payment::PartlyPaid { .. }
            | Payment::Paid { .. }
            | Payment::PartlyRefunded { .. }
            | Payment::Refunded { .. }
    )
}

/// Money went back, or is owed less in the khata.
pub(super) fn refund(order: &mut Order, back: Refunded) -> Result<(), Misstep> {
    let amount = back.amount;
    if let Payment::OnKhata { owed, paid, refunded } = order.payment {
        order.payment = refund_on_khata((owed, paid, refunded), back)?;
        return Ok(());
    }
    let (paid, before) = match order.payment {
        _ if back.means == Means::Khata => {
            return Err(Misstep::NotNow { stage: order.payment.label(), step: "refunded" });
        }
        Payment::PartlyPaid { paid } | Payment::Paid { paid } | Payment::Captured { paid } => {
            (paid, Money::zero(paid.currency))
        }
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

/// What stands in the khata goes back there, what was paid otherwise in the hand.
fn refund_on_khata(
    (owed, paid, refunded): (Money, Money, Money),
    Refunded { amount, means }: Refunded,
) -> Result<Payment, Misstep> {
    if amount.minor <= 0 {
        return Err(Misstep::NoMoney);
    }
    if means == Means::Khata {
        let left = owed.checked_sub(amount)?;
        return match left.minor {
            0.. => Ok(Payment::OnKhata { owed: left, paid, refunded }),
            ..0 => Err(Misstep::RefundedBeyond { paid: owed }),
        };
    }
    let refunded = refunded.checked_add(amount)?;
    match refunded.minor <= paid.minor {
        true => Ok(Payment::OnKhata { owed, paid, refunded }),
        false => Err(Misstep::RefundedBeyond { paid }),
    }
}
