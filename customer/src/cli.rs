//! The command line: parses, calls `app`, prints.
//!
//! **Invariant:** results go to stdout, everything else to stderr; with `--json` both are JSON.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use kirana_core::time::UnixMs;
use serde::Serialize;

use crate::{app::Household, clock, home::Home};

mod args;
mod asking;
mod carts;
mod categories;
mod device;
mod khata;
mod meant;
mod orders;
mod pictures;
mod places;
mod problem;
mod qr;
mod rounds;
mod setup;
mod slots;
mod stock;
mod verify;

use args::{Cli, Command};
pub use problem::Failure;

/// Does what the command line says and tells how it went.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no failures; clap knows which is which.
        Err(help) if !help.use_stderr() => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
        Err(wrong) if std::env::args_os().any(|word| word == "--json") => {
            return fail(&Failure::Usage(wrong.to_string()), true);
        }
        Err(wrong) => {
            let _ = wrong.print();
            return ExitCode::from(Failure::Usage(String::new()).exit_code());
        }
    };
    let json = cli.json;
    obey(cli).unwrap_or_else(|failure| fail(&failure, json))
}

/// Says on stderr what went wrong.
fn fail(failure: &Failure, json: bool) -> ExitCode {
    if json {
        let problem = serde_json::to_string(&failure.problem());
        eprintln!("{}", problem.unwrap_or_else(|_| failure.to_string()));
    } else {
        eprintln!("kirana: {failure}");
    }
    ExitCode::from(failure.exit_code())
}

fn obey(cli: Cli) -> Result<ExitCode, Failure> {
    let desk = Desk { home: Home::at(folder(cli.home)?), json: cli.json };
    let done = match cli.command {
        Command::Init { name, hub } => setup::init(&desk, &name, hub.as_deref()),
        Command::Login { hub, login } => setup::login(&desk, &hub, &login),
        Command::Device { command } => device::device(&desk, command),
        Command::Shops { command } => places::shops(&desk, command),
        Command::Hub { command } => places::carriers(&desk, command),
        Command::Search(search) => carts::search(&desk, search),
        Command::Picture(picture) => pictures::picture(&desk, picture),
        Command::Categories { shop, language } => {
            categories::list(&desk, shop.as_deref(), &language)
        }
        Command::Cart { cart, command } => carts::cart(&desk, cart.as_deref(), command),
        Command::Slots { shop, pickup, days } => slots::slots(&desk, &shop, pickup, days),
        Command::Address { command } => places::addresses(&desk, command),
        Command::Order { command } => orders::order(&desk, command),
        Command::Khata { command } => khata::khata(&desk, command),
        Command::Sync(sync) => rounds::sync(&desk, &sync),
        Command::Journal => orders::journal(&desk),
        Command::Clock { confirm } => setup::clock(&desk, confirm),
        Command::Verify => return verify::verify(&desk),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// `--home`, else `KIRANA_HOME` (clap has looked), else the usual place for such data.
fn folder(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let usual = || {
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        let data =
            data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
        data.map(|data| data.join("kirana"))
    };
    let why = || Failure::Usage("name the household's folder with --home".to_owned());
    given.or_else(usual).ok_or_else(why)
}

/// Where a command works: the household's folder, and how results are printed.
struct Desk {
    home: Home,
    json: bool,
}

impl Desk {
    /// Opens the household.
    fn household(&self) -> Result<Household, Failure> {
        if !self.home.is_made() {
            return Err(crate::home::HomeError::NotMade.into());
        }
        let keys = self.home.keys(passphrase().as_deref())?;
        Ok(Household::open(self.home.database()?, keys)?)
    }

    /// Prints a result.
    fn say(&self, value: &impl Serialize, sentence: impl FnOnce() -> String) {
        if self.json {
            let json = serde_json::to_string(value);
            println!("{}", json.unwrap_or_else(|_| "null".to_owned()));
        } else {
            println!("{}", sentence().trim_end());
        }
    }
}

/// What the keys are behind, if anything.
fn passphrase() -> Option<String> {
    std::env::var("KIRANA_PASSPHRASE").ok().filter(|given| !given.is_empty())
}

/// Runs something that waits for the network.
fn wait<T>(task: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime =
        runtime.map_err(|source| Failure::File { path: "the network".to_owned(), source })?;
    Ok(runtime.block_on(task))
}

fn now() -> UnixMs {
    clock::now()
}
