//! A payment by card: the customer is asked, a sum is held, then taken or let go.

use super::Misstep;
use crate::{
    money::{Money, MoneyError},
    order::{
        Order,
        axes::{Payment, Stage},
        entry::Body,
        facts::{Authorised, Captured, CardAsked},
        totals::Totals,
    },
    time::UnixMs,
};

/// Whether an entry is about a card, at a stage of the order that allows it: what is held may be taken or
/// let go after the end, too.
pub(super) fn is_step(stage: Stage, body: &Body) -> bool {
    match body {
        Body::CardAsked(_) | Body::Authorised(_) | Body::CardFailed(_) => {
            matches!(stage, Stage::Accepted { .. })
        }
        Body::Captured(_) | Body::Voided(_) => matches!(
            stage,
            Stage::Accepted { .. } | Stage::Cancelled { .. } | Stage::Completed { .. }
        ),
        _ => false,
    }
}

/// Moves the payment on.
pub(super) fn pay_by_card(order: &mut Order, at: UnixMs, body: &Body) -> Result<(), Misstep> {
    let not_now = Misstep::NotNow { stage: order.payment.label(), step: body.label() };
    match body {
        Body::CardAsked(asked) if order.payment.owes_all() => ask(order, asked),
        Body::Authorised(held) if order.payment.owes_all() => authorise(order, held),
        Body::CardFailed(failed) if order.payment.owes_all() => {
            let asked = order.card.as_ref().map_or(0, |asked| asked.attempt);
            // Before the first was asked for, the provider may refuse to hold anything.
            if failed.attempt < asked.max(1) {
                return Err(not_now);
            }
            order.payment = Payment::Failed { at, why: failed.why };
            Ok(())
        }
        Body::Captured(taken) => match order.payment {
            // What was let go here may have been taken all the same: the provider knows.
            Payment::Authorised { .. } | Payment::Voided { .. } => capture(order, taken),
            _ => Err(not_now),
        },
        Body::Voided(voided) => match order.payment {
            Payment::Authorised { .. } => {
                order.payment = Payment::Voided { why: voided.why };
                Ok(())
            }
            _ => Err(not_now),
        },
        _ => Err(not_now),
    }
}

fn ask(order: &mut Order, asked: &CardAsked) -> Result<(), Misstep> {
    check_sum(order, asked.amount)?;
    let before = order.card.as_ref().map_or(0, |before| before.attempt);
    if asked.attempt <= before {
        return Err(Misstep::NotNow { stage: order.payment.label(), step: "card_asked" });
    }
    if let Payment::Failed { .. } | Payment::Voided { .. } = order.payment {
        order.payment = Payment::Due;
    }
    order.card = Some(asked.clone());
    Ok(())
}

fn authorise(order: &mut Order, held: &Authorised) -> Result<(), Misstep> {
    within_asked(order, &held.intent, held.amount)?;
    order.payment = Payment::Authorised { amount: held.amount, until: held.until };
    Ok(())
}

/// What the provider took counts, also where the order comes to less by now: then it goes back.
fn capture(order: &mut Order, taken: &Captured) -> Result<(), Misstep> {
    within_asked(order, &taken.intent, taken.amount)?;
    let paid = taken.amount;
    order.payment = match paid.minor < Totals::of(order)?.sum.minor {
        true => Payment::PartlyPaid { paid },
        false => Payment::Captured { paid },
    };
    Ok(())
}

fn within_asked(order: &Order, intent: &str, amount: Money) -> Result<(), Misstep> {
    check_sum(order, amount)?;
    let asked = order.card.as_ref().filter(|asked| asked.intent == intent);
    let asked = asked.ok_or(Misstep::NotAsked)?.amount;
    match amount.minor <= asked.minor {
        true => Ok(()),
        false => Err(Misstep::PaidBeyond { sum: asked }),
    }
}

fn check_sum(order: &Order, amount: Money) -> Result<(), Misstep> {
    let ours = order.placed.currency;
    match amount {
        Money { currency, .. } if currency != ours => {
            Err(MoneyError::CurrenciesDiffer(ours, currency).into())
        }
        Money { minor, .. } if minor <= 0 => Err(Misstep::NoMoney),
        _ => Ok(()),
    }
}
