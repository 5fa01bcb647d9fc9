//! The shop beside raw floors, in turns, in one run: `cargo xtask bench` starts this.
//!
//! **Invariants:** a floor does the least that the same promise costs (the shop's own statements at
//! `synchronous=FULL`, one signature checked and one made), and nothing fails because it was slow.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use serde_json::Value;

mod clock;
mod orders;
mod ready;
mod record;
mod replay;
mod report;
mod search;
mod server;
mod street;

use record::Recording;
use report::{Rounds, Unit, row};
use search::Shelves;
use street::Street;

/// Measures the shop beside raw floors.
#[derive(Parser)]
struct Given {
    /// Fewer rounds and fewer orders.
    #[arg(long)]
    quick: bool,
    /// Where the rows go.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Orders that are placed at once at the busy hour, and committed together by the floor.
const AT_ONCE: usize = 32;

/// How much is measured.
struct Size {
    rounds: usize,
    guests: usize,
    orders: usize,
    single: usize,
    searches: usize,
    starts: usize,
}

const WHOLE: Size =
    Size { rounds: 5, guests: 128, orders: 2560, single: 400, searches: 2000, starts: 5 };
const QUICK: Size =
    Size { rounds: 3, guests: 64, orders: 960, single: 160, searches: 500, starts: 3 };

fn main() -> anyhow::Result<()> {
    let given = Given::parse();
    let size = if given.quick { QUICK } else { WHOLE };
    let folder = tempfile::tempdir()?;
    let rows = measure(&size, folder.path())?;
    std::fs::write(&given.report, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("{} was not written", given.report.display()))
}

fn measure(size: &Size, folder: &Path) -> anyhow::Result<Value> {
    eprintln!("{} guests sign their orders …", size.guests);
    let street = Street::set_up(&folder.join("shop"), size.guests)?;
    eprintln!("The shop's own statements are recorded …");
    let recording = record::record(&street, &folder.join("recorded"))?;
    let statements: usize = recording.orders.iter().map(Vec::len).sum();
    eprintln!(
        "{} orders ran {statements} statements of {} kinds.",
        recording.orders.len(),
        recording.texts.len()
    );
    let mut rows = orders_beside_floors(size, folder, &street, &recording)?;
    let home = street.copy_to(&folder.join("shelves"))?;
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no repository")?;
    match Shelves::set_up(&home, repository) {
        Ok(shelves) => rows.push(search_beside_floor(size, &shelves)?),
        Err(error) => eprintln!("search_10k is left out: {error:#}"),
    }
    rows.push(ready_beside_floor(size, home.folder())?);
    Ok(Value::Array(rows))
}

fn orders_beside_floors(
    size: &Size,
    folder: &Path,
    street: &Street,
    recording: &Recording,
) -> anyhow::Result<Vec<Value>> {
    let (mut group, mut many) = (Rounds::default(), Rounds::default());
    let (mut single, mut one) = (Rounds::default(), Rounds::default());
    for round in 0..size.rounds {
        eprintln!("Orders, round {} of {} …", round + 1, size.rounds);
        let fresh = |what: &str| folder.join(format!("{what}-{round}"));
        let (orders, few) = (size.orders, size.single);
        group.push(replay::replay(street, recording, AT_ONCE, orders, &fresh("group"))?);
        many.push(orders::place(street, AT_ONCE, orders, &fresh("many"))?);
        single.push(replay::replay(street, recording, 1, few, &fresh("single"))?);
        one.push(orders::place(street, 1, few, &fresh("one"))?);
    }
    Ok(vec![
        row("place_order_c1", Unit::PerSecond, &one, ("order_floor_single", &single)),
        row("place_order_c32", Unit::PerSecond, &many, ("order_floor_group32", &group)),
    ])
}

fn search_beside_floor(size: &Size, shelves: &Shelves) -> anyhow::Result<Value> {
    eprintln!("Searches over 10,000 products ({}) …", shelves.source);
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(shelves.floor(size.searches)?);
        product.push(shelves.ask(size.searches)?);
    }
    Ok(row("search_10k", Unit::PerSecond, &product, ("ranked_fts5", &raw)))
}

fn ready_beside_floor(size: &Size, folder: &Path) -> anyhow::Result<Value> {
    eprintln!("Starts …");
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(ready::floor(folder, size.starts)?);
        product.push(ready::start(folder, size.starts)?);
    }
    Ok(row("ready_ms", Unit::Ms, &product, ("process_and_open", &raw)))
}
