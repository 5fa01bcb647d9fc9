//! How much memory the shop takes at rest, beside a server that holds one page in memory; and how
//! fast a file of products comes in, beside bare inserts of the same rows.
//!
//! Rows of memory: `value` is in MiB, and `p50_ms` and `p99_ms` are how long the process that was
//! measured took to be ready, or to end.

use std::{path::Path, process::Command, sync::mpsc, time::Duration};

use anyhow::{Context, ensure};
use kirana_migrations::rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    clock::{Stopwatch, processor},
    goods::{Imported, Names},
    report::Round,
    server::{Server, get},
};

/// How long nobody asks anything before it is looked: what a start leaves to do is done then.
const REST: Duration = Duration::from_secs(5);
/// Rows of one transaction, as many as the shop's own import puts into one.
const ROWS: usize = 200;

/// Memory at rest, in MiB: started, asked for a page, a product and a search, then left alone.
pub fn at_rest(folder: &Path, page: &Path) -> anyhow::Result<Value> {
    let watch = Stopwatch::start();
    let server = Server::start(crate::SHOP, folder, &[])?;
    let ready = 1000.0 * watch.elapsed().as_secs_f64();
    let mut client = server.connect()?;
    let list = client.json(&get("/v1/products?limit=20", None), 200)?;
    let id = list["items"][0]["id"].as_str().context("an empty shelf")?.to_owned();
    client.json(&get(&format!("/v1/products/{id}"), None), 200)?;
    client.json(&get("/v1/products?q=choco&limit=20", None), 200)?;
    let (status, bytes) = client.send(&get("/v1/products?limit=20", None))?;
    ensure!(status == 200, "the list gave {status}");
    std::fs::write(page, bytes)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--answer").arg(page);
    let bare = Server::ready(command)?;
    bare.connect()?.send(&get("/", None))?;
    rest();
    let (ours, floor) = (resident_mib(server.process())?, resident_mib(bare.process())?);
    let cpu_ms = 1000.0 * server.processor()?;
    Ok(row("rest_memory_100k", (ours, "MiB"), (ready, cpu_ms), ("page_from_memory_at_rest", floor)))
}

/// Rows in a second and the most memory at once, beside bare inserts of the same file.
pub fn import(
    imported: Imported,
    file: &Path,
    names: &Names,
    folder: &Path,
) -> anyhow::Result<Vec<Value>> {
    let rows = names.names.len();
    let raw = insert(file, folder)?;
    ensure!(raw.operations == rows, "{} of {rows} rows were inserted", raw.operations);
    let (took, cpu_ms) = (imported.took.as_secs_f64(), 1000.0 * imported.processor / rows as f64);
    let (ours, floor) = (rows as f64 / took, rows as f64 / raw.took.as_secs_f64());
    // The memory of this process tells nothing of the floor's, so it is counted by its file.
    let whole = std::fs::metadata(file)?.len() as f64 / MIB;
    Ok(vec![
        row("import_100k", (ours, "1/s"), (1000.0 * took, cpu_ms), ("raw_insert_fts5", floor)),
        row(
            "import_memory_100k",
            (imported.peak_mib, "MiB"),
            (1000.0 * took, cpu_ms),
            ("the_file", whole),
        ),
    ])
}

/// The floor: the rows of the file in a table and a full-text index, durable after each transaction.
fn insert(file: &Path, folder: &Path) -> anyhow::Result<Round> {
    std::fs::create_dir_all(folder)?;
    let connection = Connection::open(folder.join("raw.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE product (row INTEGER PRIMARY KEY, name TEXT, price TEXT, tax TEXT, stock TEXT,
                               category TEXT);
         CREATE VIRTUAL TABLE product_fts USING fts5 (name, content = '', detail = column);",
    )?;
    let (me, watch) = (std::process::id(), Stopwatch::start());
    let before = processor(me)?;
    let mut product = connection.prepare("INSERT INTO product VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut words = connection.prepare("INSERT INTO product_fts (rowid, name) VALUES (?1, ?2)")?;
    let (mut table, mut rows) = (csv::Reader::from_path(file)?, 0);
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for record in table.records() {
        let record = record?;
        let cell = |n| record.get(n).unwrap_or_default();
        rows += 1;
        product.execute((rows as i64, cell(0), cell(1), cell(2), cell(3), cell(4)))?;
        words.execute((rows as i64, cell(0)))?;
        if rows % ROWS == 0 {
            connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
    }
    connection.execute_batch("COMMIT")?;
    let processor = processor(me)? - before;
    Ok(Round { operations: rows, took: watch.elapsed(), processor, each: Vec::new() })
}

/// The most memory that a process had at once, in MiB.
pub fn peak_mib(process: u32) -> anyhow::Result<f64> {
    status_mib(process, "VmHWM:")
}

/// The memory that a process has now, with the pages of files that it has mapped, in MiB.
fn resident_mib(process: u32) -> anyhow::Result<f64> {
    status_mib(process, "VmRSS:")
}

fn status_mib(process: u32, name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

const MIB: f64 = 1024.0 * 1024.0;

fn rest() {
    let (_nobody, says) = mpsc::channel::<()>();
    let _ = says.recv_timeout(REST);
}

fn row(
    name: &str,
    (value, unit): (f64, &str),
    (ms, cpu_ms): (f64, f64),
    floor: (&str, f64),
) -> Value {
    let rounded = |figure: f64| (figure * 1000.0).round() / 1000.0;
    eprintln!("{name}: {value:.1} {unit}, {ms:.0} ms; {}: {:.1} {unit}", floor.0, floor.1);
    json!({
        "name": name, "value": rounded(value), "unit": unit,
        "p50_ms": rounded(ms), "p99_ms": rounded(ms), "cpu_ms": rounded(cpu_ms),
        "floor": { "name": floor.0, "value": rounded(floor.1) },
        "ratio": rounded(value / floor.1),
    })
}
