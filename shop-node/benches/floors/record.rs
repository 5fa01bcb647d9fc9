//! Records the statements that the shop itself runs for an order, with the values it bound.
//!
//! **Invariant:** what is replayed is what the shop ran: the texts are the shop's own, and where a
//! value cannot be read back the recording fails instead of guessing.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, bail};
use futures::executor::block_on;
use kirana_migrations::{
    Abort,
    rusqlite::{
        trace::{TraceEvent, TraceEventCodes},
        types::Value,
    },
};
use kirana_shop::{app::Outcome, app::Shop, clock};

use super::{bound, street::Street};

/// All orders' statements.
pub struct Recording {
    /// Each text once.
    pub texts: Vec<String>,
    /// What ran for each order: which text, with which values by the numbers of their places.
    pub orders: Vec<Vec<Run>>,
}

/// One statement that ran.
pub struct Run {
    /// Its place among the texts.
    pub text: usize,
    /// What was bound to `?1`, `?2`, …
    pub values: Vec<Value>,
}

/// SQLite calls back with a bare function, so what it says is gathered here.
static HEARD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

fn hear(event: TraceEvent<'_>) {
    // A comment tells of a trigger, which runs again by itself when its statement is replayed.
    if let TraceEvent::Stmt(statement, said) = event
        && !said.starts_with("--")
    {
        let heard = (statement.sql().into_owned(), statement.expanded_sql().unwrap_or_default());
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
    }
}

/// Places every order of the street, one after another, in a copy of its shop.
pub fn record(street: &Street, folder: &Path) -> anyhow::Result<Recording> {
    let database = street.copy_to(folder)?.database()?;
    let shop = Shop::open(database, street.keys.clone())?;
    listen(&shop, Some(hear))?;
    let mut recording = Recording { texts: Vec::new(), orders: Vec::new() };
    let mut known = BTreeMap::new();
    for signed in street.orders() {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let parcel = signed.guest.parcel(signed.order);
        let (now, rng) = (clock::now(), &mut clock::rng());
        let checked = shop.check_at_the_door(None, parcel, now, rng)?;
        let (outcomes, _) = block_on(shop.take_in_at_the_door(checked))?;
        let [Outcome::Order { new: true, .. }] = outcomes[..] else {
            bail!("an order of the recording was not taken: {outcomes:?}");
        };
        let heard = std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner));
        let mut runs = Vec::new();
        for (text, expanded) in heard {
            if frames_a_transaction(&text) {
                continue;
            }
            let values = bound::values(&text, &expanded)
                .with_context(|| format!("{text}\nwas run as\n{expanded}"))?;
            let next = known.len();
            let number = *known.entry(text.clone()).or_insert(next);
            if number == next {
                recording.texts.push(text);
            }
            runs.push(Run { text: number, values });
        }
        recording.orders.push(runs);
    }
    listen(&shop, None)?;
    Ok(recording)
}

fn listen(shop: &Shop, listener: Option<fn(TraceEvent<'_>)>) -> anyhow::Result<()> {
    let set = shop.database().writer.write(move |tx| -> Result<(), Abort<std::fmt::Error>> {
        tx.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, listener);
        Ok(())
    });
    Ok(set?)
}

/// The floor frames its own transactions, without a savepoint for each order: it refuses nothing.
fn frames_a_transaction(text: &str) -> bool {
    ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"].iter().any(|word| text.starts_with(word))
}
