//! `verify`: whether all that is stored here is still what was signed.

use std::process::ExitCode;

use serde::Serialize;

use super::{Desk, Failure};

#[derive(Serialize)]
struct Verified {
    orders: u64,
    entries: u64,
    chunks: u64,
    faults: Vec<String>,
    ok: bool,
}

pub(super) fn verify(desk: &Desk) -> Result<ExitCode, Failure> {
    let found = desk.household()?.verify();
    let ok = found.faults.is_empty();
    let (orders, entries, chunks) = (found.orders, found.entries, found.chunks);
    let told = Verified { orders, entries, chunks, faults: found.faults, ok };
    desk.say(&told, || {
        let ending = match told.faults.len() {
            0 => "everything holds.".to_owned(),
            1 => "1 fault.".to_owned(),
            n => format!("{n} faults."),
        };
        let sum = format!(
            "{orders} orders with {entries} entries, {chunks} pieces of saved catalogues: {ending}"
        );
        let lines = told.faults.iter().map(String::as_str);
        lines.chain([sum.as_str()]).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::from(u8::from(!ok)))
}
