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
//! clients. `search_10k`, `search_100k` and `facets_10k` ask each question once, so that no answer
//! was kept; `search_10k_again` asks a hundred questions over and over. `list`, `product` and the
//! categories stand beside an axum handler that has the same bytes in memory. All of it happens in
//! one shop with ten thousand products, but for what has `100k` in its name and `ready_ms`. The rows
//! of memory are told in [`memory`].
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
mod memory;
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
    /// Only this: `orders`, `search`, `pages`, `large`, `memory` or `ready`; then the report is not whole.
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
    let fill = |home: &Home, _: &Shop| goods::import(home, &names).map(drop);
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
        let shelves = Shelves::of(home.folder(), &names, size.searches)?;
        rows.push(search_beside_floor("search_10k", size, &shelves)?);
        rows.push(search_beside_floor("search_10k_again", size, &shelves.again())?);
        rows.push(search_beside_floor("facets_10k", size, &shelves.with_facets())?);
    }
    if wanted("pages") {
        rows.push(page_beside_floor("list", size, Pages::list(home.folder())?, folder)?);
        rows.push(page_beside_floor("product", size, Pages::product(home.folder())?, folder)?);
    }
    if wanted("ready") {
        rows.push(ready_beside_floor("ready_ms_10k", size, home.folder())?);
    }
    if ["large", "memory", "ready"].into_iter().any(&wanted) {
        rows.extend(measure_large(size, folder, repository, wanted)?);
    }
    Ok(rows)
}

fn measure_large(
    size: &Size,
    folder: &Path,
    repository: &Path,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Vec<Value>> {
    let names = goods::names(repository, goods::MANY)?;
    eprintln!("{} products are imported ({}) …", goods::MANY, names.source);
    let (mut imported, mut rows) = (None, Vec::new());
    let fill = |home: &Home, _: &Shop| {
        imported = Some(goods::import(home, &names)?);
        Ok(())
    };
    let shop = folder.join("large");
    Street::set_up(&shop, 1, fill)?;
    if wanted("memory") {
        let imported = imported.context("nothing was imported")?;
        let file = goods::file(folder, &names)?;
        rows.extend(memory::import(imported, &file, &names, &folder.join("raw"))?);
        rows.push(memory::at_rest(&shop, &folder.join("page"))?);
    }
    if wanted("ready") {
        rows.push(ready_beside_floor("ready_ms", size, &shop)?);
    }
    if wanted("large") {
        for (name, category) in
            [("category_100k", goods::BROAD), ("category_rare_100k", goods::RARE)]
        {
            rows.push(page_beside_floor(name, size, Pages::category(&shop, category)?, folder)?);
        }
        let shelves = Shelves::of(&shop, &names, size.searches)?;
        rows.push(search_beside_floor("search_100k", size, &shelves)?);
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

fn page_beside_floor(name: &str, size: &Size, page: Pages, folder: &Path) -> anyhow::Result<Value> {
    eprintln!("Page {name} …");
    let memory = page.floor(&folder.join(name))?;
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(memory.ask(size.searches)?);
        product.push(page.ask(size.searches)?);
    }
    Ok(beside(name, Unit::PerSecond, &product, ("same_bytes_from_memory", &raw)))
}

fn ready_beside_floor(name: &str, size: &Size, folder: &Path) -> anyhow::Result<Value> {
    eprintln!("Starts …");
    let (mut raw, mut product) = (Rounds::default(), Rounds::default());
    for _ in 0..size.rounds {
        raw.push(ready::floor(folder, size.starts)?);
        product.push(ready::start(folder, size.starts)?);
    }
    Ok(beside(name, Unit::Ms, &product, ("process_and_open", &raw)))
}
