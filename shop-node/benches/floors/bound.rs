//! Reads back the values that a statement ran with, out of the text that SQLite shows of it.
//!
//! **Invariant:** what cannot be read back for certain is an error, never a guess.

use anyhow::{Context, bail};
use kirana_migrations::rusqlite::types::Value;

/// Reads back what was bound, by walking the text and the text with values side by side.
pub fn values(text: &str, expanded: &str) -> anyhow::Result<Vec<Value>> {
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
