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
//!   they can, beside the one without them; at most 2 is the goal.
//!
//! **Invariants:** every answer is looked at; nothing fails because it was slow.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use serde_json::Value;

#[path = "../../../shop-node/benches/floors/clients.rs"]
mod clients;
#[path = "../../../shop-node/benches/floors/clock.rs"]
mod clock;
mod empty;
mod people;
#[path = "../../../shop-node/benches/floors/report.rs"]
mod report;
#[path = "../../../shop-node/benches/floors/server.rs"]
mod server;
mod tokens;

use people::People;
use report::{Rounds, Unit, row, told};

/// Measures the hub beside raw floors.
#[derive(Parser)]
struct Given {
    /// Fewer rounds.
    #[arg(long)]
    quick: bool,
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
}

const WHOLE: Size = Size { rounds: 7, sign_ins: 160, checks: 20_000, requests: 20_000 };
const QUICK: Size = Size { rounds: 3, sign_ins: 80, checks: 5_000, requests: 6_000 };

fn main() -> anyhow::Result<()> {
    let given = Given::parse();
    if given.empty {
        return empty::serve();
    }
    let reports = given.reports.context("no folder for the report")?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let rows = measure(if given.quick { &QUICK } else { &WHOLE }, folder.path())?;
    let report = reports.join("hub.json");
    std::fs::write(&report, serde_json::to_vec_pretty(&rows)?)
        .with_context(|| format!("{} was not written", report.display()))
}

fn measure(size: &Size, folder: &Path) -> anyhow::Result<Vec<Value>> {
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

/// The row of the report, said as well.
fn beside(name: &str, unit: Unit, product: &Rounds, floor: (&str, &Rounds)) -> Value {
    eprintln!("{}", told(name, unit, product, floor));
    row(name, unit, product, floor)
}
