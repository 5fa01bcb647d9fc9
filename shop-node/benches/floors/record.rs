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
use kirana_migrations::{
    Abort,
    rusqlite::{
        trace::{TraceEvent, TraceEventCodes},
        types::Value,
    },
};
use kirana_shop::{app::Outcome, app::Shop, clock};

use crate::street::Street;

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
    if let TraceEvent::Stmt(statement, _) = event {
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
        let delivered = shop.take_in(&parcel, clock::now(), &mut clock::rng())?;
        let [Outcome::Order { new: true, .. }] = delivered.outcomes[..] else {
            bail!("an order of the recording was not taken: {:?}", delivered.outcomes);
        };
        let heard = std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner));
        let mut runs = Vec::new();
        for (text, expanded) in heard {
            if frames_a_transaction(&text) {
                continue;
            }
            let values = values(&text, &expanded)
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

/// Reads back what was bound, by walking the text and the text with values side by side.
fn values(text: &str, expanded: &str) -> anyhow::Result<Vec<Value>> {
    let mut values = Vec::new();
    let (mut text, mut run) = (text, expanded);
    while let Some(at) = text.find('?') {
        run = run.strip_prefix(&text[..at]).context("the texts differ before a value")?;
        text = &text[at + 1..];
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = text[..digits].parse().context("a value without a number")?;
        text = &text[digits..];
        let (value, rest) = literal(run)?;
        run = rest;
        if values.len() < number {
            values.resize(number, Value::Null);
        }
        values[number - 1] = value;
    }
    if text == run { Ok(values) } else { bail!("the texts differ at the end") }
}

/// Reads one literal as SQLite writes it, and gives what follows.
fn literal(text: &str) -> anyhow::Result<(Value, &str)> {
    if let Some(rest) = text.strip_prefix("NULL") {
        return Ok((Value::Null, rest));
    }
    if let Some(rest) = text.strip_prefix("x'") {
        let (hex, rest) = rest.split_once('\'').context("a blob without an end")?;
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
        return Ok((Value::Blob(pairs.map(byte).collect::<anyhow::Result<_>>()?), rest));
    }
    if let Some(mut rest) = text.strip_prefix('\'') {
        let mut read = String::new();
        loop {
            let (part, after) = rest.split_once('\'').context("a text without an end")?;
            read.push_str(part);
            match after.strip_prefix('\'') {
                // A doubled quote stands for one.
                Some(more) => (read.push('\''), rest = more),
                None => return Ok((Value::Text(read), after)),
            };
        }
    }
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e'));
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    match number.parse() {
        Ok(whole) => Ok((Value::Integer(whole), rest)),
        Err(_) => Ok((Value::Real(number.parse().context("no value")?), rest)),
    }
}
