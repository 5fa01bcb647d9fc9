//! Whether attempts, calls, till and the orders' entries say the same of the same money.

use kirana_core::order::{axes::Payment, chain::Chain, entry::Body, facts::Means};
use kirana_migrations::{StoreError, rusqlite::Connection};

use crate::store::{
    bank,
    cards::{self, State},
    orders::OrderRow,
};

/// What does not hold between an order's entries and what stands beside them about cards.
pub(in crate::app) fn faults(
    c: &Connection,
    row: &OrderRow,
    chain: &Chain,
) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let attempts = cards::of_order(c, row.n)?;
    let entries = || chain.entries().iter().filter(|entry| entry.is_acted_on());
    for entry in entries() {
        let Body::Captured(taken) = entry.body() else { continue };
        if bank::taking_of(c, entry.hash())?.is_none() {
            faults.push(format!("the till lacks what was taken from a card ({})", entry.hash()));
        }
        let is_kept = attempts.iter().any(|attempt| {
            attempt.intent.as_deref() == Some(&taken.intent)
                && attempt.state == State::Captured
                && attempt.captured_minor == taken.amount.minor
        });
        if !is_kept && !row.waits_for_heads {
            faults.push(format!("nothing is noted of {}, which was taken", taken.intent));
        }
    }
    for attempt in &attempts {
        let name = attempt.intent.as_deref().unwrap_or("-");
        let said = entries().any(|entry| match entry.body() {
            Body::Captured(taken) => taken.intent == name,
            _ => false,
        });
        if attempt.state == State::Captured && !said {
            faults.push(format!("{name} is noted as taken, and no entry says so"));
        }
        let is_held = matches!(chain.order().payment, Payment::Authorised { .. });
        let is_looked_at = attempt.seen_seq == i64::from(row.seq);
        if attempt.state == State::Authorised && !is_held && is_looked_at {
            faults.push(format!("{name} is noted as held, and no entry says so"));
        }
        for call in cards::calls_of(c, attempt.n)? {
            let Some(hash) = call.entry else { continue };
            let entry = chain.entries().iter().find(|entry| entry.hash() == hash);
            let minor = match entry.map(|entry| entry.body()) {
                Some(Body::Refunded(back)) if back.means == Means::Card => back.amount.minor,
                _ => 0,
            };
            if minor != call.minor {
                let ours = call.minor;
                faults.push(format!("{ours} went back to a card, its entry says {minor}"));
            }
        }
    }
    Ok(faults)
}
