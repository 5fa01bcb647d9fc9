//! The shop beside raw floors, in turns, in one run: `cargo xtask bench` starts this.
//!
//! How to read a row: `value` is the median of the rounds and `ratio` is it divided by the floor's.
//! In `1/s` more is better and a ratio of 1 would be a program that costs nothing; in `ms` less is
//! better. Absolute figures say how busy the machine was; the ratio is what counts, since floor and
//! shop take turns. `p50_ms` and `p99_ms` are what one request took, as its client saw it;
//! `cpu_ms` is the processor time of the shop's process for one request, without the clients'.
//!
//! The order floors replay what the shop itself ran (see [`record`]) in one thread, without HTTP,
//! with one signature checked and one made for each order. The search floor asks a
//! plain full-text index over the same words for its best twenty, with as many readers as there are
//! clients. `list` and `product` stand beside an axum handler that has the same bytes in memory. All
//! of it happens in one shop with ten thousand products, but for `search_100k`.
//!
//! **Invariants:** a floor does the least that the same promise costs, at `synchronous=FULL` on the
//! same disk; what is counted is in the database afterwards; nothing fails because it was slow.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use kirana_shop::{app::Shop, home::Home};
use serde_json::Value;

mod bound;
mod clients;
mod clock;
mod committed;
mod disk;
mod goods;
mod orders;
mod pages;
mod ready;
mod record;
mod replay;
mod report;
mod search;
mod server;
mod street;

use disk::Disk;
use pages::Pages;
use record::Recording;
use report::{Rounds, Unit, row, told};
use search::Shelves;
use street::Street;

/// Measures the shop beside raw floors.
#[derive(Parser)]
struct Given {
    /// Fewer rounds and fewer orders.
    #[arg(long)]
    quick: bool,
    /// Only this: `orders`, `search`, `large`, `pages` or `ready`; then the report is not whole.
    #[arg(long)]
    only: Option<String>,
    /// The folder that the rows go to, as `shop.json`.
    #[arg(long, value_name = "FOLDER", required_unless_present = "answer")]
    reports: Option<PathBuf>,
    /// Be the floor that answers with the bytes of this file.
    #[arg(long, hide = true)]
    answer: Option<PathBuf>,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The program that is measured.
const SHOP: &str = env!("CARGO_BIN_EXE_kirana-shop");
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
    Size { rounds: 9, guests: 192, orders: 3840, single: 1000, searches: 4000, starts: 5 };
const QUICK: Size =
    Size { rounds: 3, guests: 64, orders: 1280, single: 300, searches: 1600, starts: 3 };

fn main() -> anyhow::Result<()> {
    let given = Given::parse();
    if let Some(file) = &given.answer {
        return pages::serve(file);
    }
    let size = if given.quick { QUICK } else { WHOLE };
    let disk = Disk::beside_the_build()?;
    eprintln!("The databases lie in {} ({}).", disk.path().display(), disk.kind());
    let wanted = |what: &str| given.only.as_deref().is_none_or(|only| only == what);
    let rows = measure(&size, &disk.path(), wanted)?;
    let report = given.reports.context("no folder for the report")?.join("shop.json");
    std::fs::write(&report, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("{} was not written", report.display()))
}

fn measure(
    size: &Size,
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Value>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no repository")?;
    let names = goods::names(repository, goods::PRODUCTS)?;
    eprintln!("{} products are imported ({}) …", goods::PRODUCTS, names.source);
    let fill = |home: &Home, _: &Shop| goods::import(home, &names);
    let street = Street::set_up(&folder.join("shop"), size.guests, fill)?;
    let mut rows = Vec::new();
    if wanted("orders") {
        let recording = record::record(&street, &folder.join("recorded"))?;
        let (orders, kinds) = (recording.orders.len(), recording.texts.len());
        let statements: usize = recording.orders.iter().map(Vec::len).sum();
        eprintln!("{orders} orders ran {statements} statements of {kinds} kinds.");
        rows.extend(orders_beside_floors(size, folder, &street, &recording)?);
    }
    let home = street.copy_to(&folder.join("shelves"))?;
    if wanted("search") {
        let shelves = Shelves::of(home.folder(), &names)?;
        rows.push(search_beside_floor("search_10k", size, &shelves)?);
    }
    if wanted("pages") {
        rows.extend(pages_beside_floor(size, home.folder(), folder)?);
    }
    if wanted("large") {
        let names = goods::names(repository, goods::MANY)?;
        eprintln!("{} products are imported ({}) …", goods::MANY, names.source);
        let fill = |home: &Home, _: &Shop| goods::import(home, &names);
        Street::set_up(&folder.join("large"), 1, fill)?;
        let shelves = Shelves::of(&folder.join("large"), &names)?;
        rows.push(search_beside_floor("search_100k", size, &shelves)?);
    }
    if wanted("ready") {
        rows.push(ready_beside_floor(size, home.folder())?);
    }
    Ok(rows)
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
        beside("place_order_c1", Unit::PerSecond, &one, ("order_floor_single", &single)),
        beside("place_order_c32", Unit::PerSecond, &many, ("order_floor_group32", &group)),
    ])
}

/// The row of the report, said as well.
fn beside(name: &str, unit: Unit, product: &Rounds, floor: (&str, &Rounds)) -> Value {
    eprintln!("{}", told(name, unit, product, floor));
    row(name, unit, product, floor)
}

fn search_beside_floor(name: &str, size: &Size, shelves: &Shelves) -> anyhow::Result<Value> {
    eprintln!("Searches, {} at once …", search::AT_ONCE);
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(shelves.floor(size.searches)?);
        product.push(shelves.ask(size.searches)?);
    }
    Ok(beside(name, Unit::PerSecond, &product, ("ranked_fts5", &raw)))
}

fn pages_beside_floor(size: &Size, shop: &Path, folder: &Path) -> anyhow::Result<Vec<Value>> {
    // One after the other: a folder is served by one program at a time.
    type Open = fn(&Path) -> anyhow::Result<Pages>;
    let pages: [(&str, Open); 2] = [("list", Pages::list), ("product", Pages::product)];
    let mut rows = Vec::new();
    for (name, open) in pages {
        eprintln!("Page {name} …");
        let page = open(shop)?;
        let memory = page.floor(&folder.join(name))?;
        let (mut raw, mut product) = (Rounds::default(), Rounds::default());
        for _ in 0..size.rounds {
            raw.push(memory.ask(size.searches)?);
            product.push(page.ask(size.searches)?);
        }
        rows.push(beside(name, Unit::PerSecond, &product, ("same_bytes_from_memory", &raw)));
    }
    Ok(rows)
}

fn ready_beside_floor(size: &Size, folder: &Path) -> anyhow::Result<Value> {
    eprintln!("Starts …");
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(ready::floor(folder, size.starts)?);
        product.push(ready::start(folder, size.starts)?);
    }
    Ok(beside("ready_ms", Unit::Ms, &product, ("process_and_open", &raw)))
}
