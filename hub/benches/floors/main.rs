//! The hub's door beside raw floors, in turns, in one run: `cargo xtask bench` starts this.
//!
//! `value`, `ratio` and the rest of a row are told in the shop's measurements. Here:
//! - `login`: sign-ins over HTTP, each a new session on disk, beside as many raw argon2id hashes at
//!   the same cost on as many threads as the hub hashes on;
//! - `token_check`: the hub's whole check of a token that it met before (session, account, scopes),
//!   beside one strict Ed25519 verification of the same bytes, both on one thread;
//!   `token_check_first` is the same for tokens that it never met;
//! - `token_check_http`: `GET /v1/me` with a token, beside an axum handler that answers nothing;
//! - `others_in_storm`: the 99th percentile of that same request while sign-ins come as fast as
//!   they can, beside the one without them; at most 2 is the goal;
//! - `checkout_c32` and `add_to_cart`: what thin clients do (told in [`checkout`]), by 32 and by 8
//!   people at once, beside as many raw durable commits. How many these are is counted in the
//!   write-ahead logs, and stands in the floor's name.
//!
//! **Invariants:** every answer is looked at; nothing fails because it was slow.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use serde_json::Value;

mod checkout;
#[path = "../../../shop-node/benches/floors/clients.rs"]
mod clients;
#[path = "../../../shop-node/benches/floors/clock.rs"]
mod clock;
mod commits;
mod empty;
mod people;
#[path = "../../../shop-node/benches/floors/report.rs"]
mod report;
#[path = "../../../shop-node/benches/floors/server.rs"]
mod server;
mod street;
mod tokens;

use people::People;
use report::{Rounds, Unit, row, told};
use street::Street;

/// Measures the hub beside raw floors.
#[derive(Parser)]
struct Given {
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
    /// Only this: `door` or `checkout`; then the report is not whole.
    #[arg(long)]
    only: Option<String>,
    /// The folder that the rows go to, as `hub.json`.
    #[arg(long, value_name = "FOLDER", required_unless_present = "empty")]
    reports: Option<PathBuf>,
    /// Serve a handler that answers nothing: the floor of what HTTP costs.
    #[arg(long, hide = true)]
    empty: bool,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is measured.
struct Size {
    rounds: usize,
    sign_ins: usize,
    checks: usize,
    requests: usize,
    /// Checkouts and additions to carts. A household has room for 50 carts and 50 addresses, and each
    /// checkout of a person makes one of either.
    flows: usize,
    adds: usize,
}

const WHOLE: Size =
    Size { rounds: 7, sign_ins: 160, checks: 20_000, requests: 20_000, flows: 192, adds: 480 };
const QUICK: Size =
    Size { rounds: 3, sign_ins: 80, checks: 5_000, requests: 6_000, flows: 192, adds: 480 };

fn main() -> anyhow::Result<()> {
    let given = Given::parse();
    if given.empty {
        return empty::serve();
    }
    let reports = given.reports.context("no folder for the report")?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let size = if given.quick { &QUICK } else { &WHOLE };
    let wanted = |what: &str| given.only.as_deref().is_none_or(|only| only == what);
    let mut rows = Vec::new();
    if wanted("door") {
        rows.extend(measure_door(size, folder.path())?);
    }
    if wanted("checkout") {
        rows.extend(measure_checkout(size, folder.path())?);
    }
    let report = reports.join("hub.json");
    std::fs::write(&report, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("{} was not written", report.display()))
}

fn measure_door(size: &Size, folder: &Path) -> anyhow::Result<Vec<Value>> {
    let people = People::of_a_new_hub(folder)?;
    let empty = empty::start()?;
    let [mut login, mut hashes, mut http, mut nothing, mut calm, mut storm] =
        std::array::from_fn(|_| Rounds::default());
    for round in 0..size.rounds {
        eprintln!("The hub's door, round {} of {} …", round + 1, size.rounds);
        hashes.push(people::hash(size.sign_ins)?);
        login.push(people.sign_in(size.sign_ins)?);
        nothing.push(empty::ask(&empty, size.requests)?);
        http.push(people.ask(size.requests)?);
        calm.push(people.ask_slowly(size.requests / 10, false)?);
        storm.push(people.ask_slowly(size.requests / 10, true)?);
    }
    let [mut met, mut first, mut raw] = std::array::from_fn(|_| Rounds::default());
    let checker = tokens::Checker::new(&folder.join("checked"), size.checks / 20)?;
    for _ in 0..size.rounds {
        raw.push(checker.verify_raw(size.checks)?);
        met.push(checker.check_met(size.checks)?);
        first.push(checker.check_first()?);
    }
    Ok(vec![
        beside("login", Unit::PerSecond, &login, ("raw_argon2id", &hashes)),
        beside("token_check", Unit::PerSecond, &met, ("raw_ed25519", &raw)),
        beside("token_check_first", Unit::PerSecond, &first, ("raw_ed25519", &raw)),
        beside("token_check_http", Unit::PerSecond, &http, ("empty_handler", &nothing)),
        beside("others_in_storm", Unit::Ms, &storm, ("without_sign_ins", &calm)),
    ])
}

fn measure_checkout(size: &Size, folder: &Path) -> anyhow::Result<Vec<Value>> {
    eprintln!("A shop joins a hub, and {} people sign up …", checkout::PEOPLE);
    let street = Street::of_a_new_hub(folder, checkout::PEOPLE)?;
    let (of_flow, of_add) = checkout::commits(&street)?;
    let [mut flows, mut adds, mut raw_flows, mut raw_adds] =
        std::array::from_fn(|_| Rounds::default());
    for round in 0..size.rounds {
        eprintln!("Thin clients, round {} of {} …", round + 1, size.rounds);
        let fresh = |what: &str| folder.join(format!("{what}-{round}"));
        let (at_once, adding) = (checkout::AT_ONCE, checkout::ADDING);
        raw_flows.push(commits::raw(&fresh("flows"), size.flows, at_once, of_flow)?);
        flows.push(checkout::check_out(&street, size.flows, round)?);
        raw_adds.push(commits::raw(&fresh("adds"), size.adds, adding, of_add)?);
        adds.push(checkout::add(&street, size.adds)?);
    }
    let (of_flow, of_add) = (of_flow.floor(), of_add.floor());
    Ok(vec![
        beside("checkout_c32", Unit::PerSecond, &flows, (&of_flow, &raw_flows)),
        beside("add_to_cart", Unit::PerSecond, &adds, (&of_add, &raw_adds)),
    ])
}

/// The row of the report, said as well.
fn beside(name: &str, unit: Unit, product: &Rounds, floor: (&str, &Rounds)) -> Value {
    eprintln!("{}", told(name, unit, product, floor));
    row(name, unit, product, floor)
}
