//! The floor for orders: the recorded statements on the same database, and no program around them.

use std::path::Path;

use anyhow::ensure;
use kirana_core::key::PublicKey;
use kirana_migrations::rusqlite::{Connection, params_from_iter};
use kirana_shop::home::DATABASE;

use super::{
    clock::{Stopwatch, processor},
    committed,
    record::Recording,
    report::Round,
    street::{Signed, Street},
};

/// Replays the orders in transactions of `group` orders each, with one signature checked and one
/// made for each order, and finds every one of them in the database afterwards.
pub fn replay(
    street: &Street,
    recording: &Recording,
    group: usize,
    operations: usize,
    folder: &Path,
) -> anyhow::Result<Round> {
    street.copy_to(folder)?;
    let connection = open(folder)?;
    let statements = recording.texts.iter().map(|text| connection.prepare(text));
    let mut statements = statements.collect::<Result<Vec<_>, _>>()?;
    let orders: Vec<Signed<'_>> = street.orders().take(operations).collect();
    let keys: Vec<PublicKey> = orders.iter().map(|o| o.guest.keys.signing.public()).collect();
    let node = &street.keys.node.signing;
    let (me, mut each) = (std::process::id(), Vec::new());
    let (before, whole) = (processor(me)?, Stopwatch::start());
    for from in (0..orders.len()).step_by(group) {
        let watch = Stopwatch::start();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for n in from..(from + group).min(orders.len()) {
            let signed = &orders[n];
            ensure!(keys[n].verifies(signed.order, &signed.signature), "a signature is wrong");
            std::hint::black_box(node.sign(signed.order));
            for run in &recording.orders[n] {
                let mut rows = statements[run.text].query(params_from_iter(&run.values))?;
                while rows.next()?.is_some() {}
            }
        }
        connection.execute_batch("COMMIT")?;
        each.push(watch.elapsed());
    }
    let round = Round {
        operations: orders.len(),
        took: whole.elapsed(),
        processor: processor(me)? - before,
        each,
    };
    drop(statements);
    drop(connection);
    committed::check(folder, round.operations)?;
    Ok(round)
}

/// As the shop opens its own, and certainly with a sync for each commit.
fn open(folder: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(folder.join(DATABASE))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let set = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    ensure!(journal == "wal" && set("synchronous")? == FULL, "the floor would not be durable");
    Ok(connection)
}

/// What SQLite calls `synchronous=FULL`.
const FULL: i64 = 2;
