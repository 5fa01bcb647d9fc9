//! From the start of the program to its ready line, beside a process that does nothing and a bare
//! opening of the same database.

use std::{path::Path, process::Command, time::Duration};

use anyhow::ensure;
use kirana_migrations::rusqlite::Connection;
use kirana_shop::home::DATABASE;

use crate::{
    clock::{Stopwatch, processor},
    report::Round,
    server::Server,
};

/// Starts the shop so many times.
pub fn start(folder: &Path, times: usize) -> anyhow::Result<Round> {
    let mut used = 0.0;
    let mut each = Vec::new();
    for _ in 0..times {
        let watch = Stopwatch::start();
        let server = Server::start(crate::SHOP, folder, &[])?;
        each.push(watch.elapsed());
        used += server.processor()?;
    }
    Ok(Round { operations: times, took: each.iter().sum(), processor: used, each })
}

/// Starts a process that ends at once and opens the database, so many times.
pub fn floor(folder: &Path, times: usize) -> anyhow::Result<Round> {
    let me = std::process::id();
    let before = processor(me)?;
    let mut each: Vec<Duration> = Vec::new();
    for _ in 0..times {
        let watch = Stopwatch::start();
        ensure!(Command::new("true").status()?.success(), "`true` did not end well");
        let connection = Connection::open(folder.join(DATABASE))?;
        let sql = "SELECT count(*) FROM sqlite_schema";
        let tables: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        each.push(watch.elapsed());
        ensure!(tables > 0, "the database is empty");
    }
    let processor = processor(me)? - before;
    Ok(Round { operations: times, took: each.iter().sum(), processor, each })
}
