//! The command line of `kirana-shop`.
//!
//! Exit codes: 0 done; 1 it failed, or `verify` found faults; 2 usage or settings; 3 an import left
//! some lines out; 4 the disk failed while the shop was open.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

use crate::{
    config::{BadConfig, Config, Given},
    home::Home,
    net::NetError,
    serve::{self, ServeError},
};

mod afterwards;
mod bank;
mod call;
mod cards;
mod carry;
mod catalogue;
mod categories;
mod close;
mod counter;
mod counts;
mod epochs;
mod export;
mod feeds;
mod handover;
mod import;
mod join;
mod keep;
mod khata;
mod labels;
mod layouts;
mod lists;
mod lookup;
mod mapping;
mod orders;
mod owner;
mod people;
mod purchases;
mod qr;
mod queue;
mod recovery;
mod starter;
mod terms;
mod till;

/// One shop's server and its tools.
#[derive(Parser)]
#[command(name = "kirana-shop", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// Results on stdout as JSON, errors on stderr as problem details.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 it failed, or verify found faults; 2 usage or \
    settings; 3 an import left some lines out; 4 the disk failed while the shop was open: check it, \
    then start the shop again.";

/// Where the shop's data lies.
#[derive(clap::Args)]
pub struct Data {
    /// The shop's data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The passphrase behind which the keys lie; from the environment only.
    #[arg(skip)]
    passphrase: Option<String>,
}

impl Data {
    fn home(&self) -> Home {
        Home::at(&self.data, self.passphrase.clone())
    }
}

#[derive(Subcommand)]
enum Command {
    /// Sets up a new shop: its keys, its folder, its recovery code.
    Init(keep::Init),
    /// Opens the shop: serves its people, households and hubs until it is told to end.
    Serve {
        #[command(flatten)]
        data: Data,
        /// Settings in a TOML file; the command line goes before it.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        given: Given,
    },
    /// Takes a file of products in.
    Import(import::Import),
    /// Writes every product on the shelf into a file.
    Export(export::Export),
    /// Writes price labels with barcodes as a PDF.
    Labels(labels::Labels),
    /// Everyday articles to put on the shelf, by a few keys each.
    Starter(starter::Starter),
    /// What products look like.
    Catalogue(catalogue::Catalogue),
    /// Keeps, under the name of a supplier, which column of its files means what.
    Mapping(mapping::Mapping),
    /// How far back the catalogue remembers; begins its parts anew.
    Epochs(epochs::Epochs),
    /// Suppliers' lists on the web, fetched on a schedule.
    Feeds(feeds::Feeds),
    /// Looks a barcode up in an open product database; nothing is saved.
    Lookup(lookup::Lookup),
    /// Checks every order, every movement of stock and every sum; exit 1 and a line for each fault.
    Verify(keep::Verify),
    /// Writes everything into one encrypted file, also while the shop is open.
    Backup(keep::Backup),
    /// Makes a new box of the shop out of a backup; asks for the recovery code.
    Restore(keep::Restore),
    /// Applies to a hub, so that it vouches for the shop.
    Join(join::Join),
    /// Certifies somebody who works here, or shuts somebody out.
    Staff(people::Staff),
    /// The printed code that keeps an owner from being locked out: shows it, or uses it.
    Recovery(recovery::Recovery),
    /// Closes the shop down, opens it again, or ends it and writes its books.
    Close(close::Close),
    /// Gives the shop to another owner, without any hub.
    Owner(owner::Owner),
    /// Prints an access token for this shop's own door.
    Token(people::Token),
    /// Orders: what is to be done, and what was done.
    Orders(orders::Orders),
    /// What lies in the shop: shown, received, counted, written off.
    Stock(counter::Stock),
    /// Sells to somebody at the counter.
    Sell(counter::Sell),
    /// How the codes are read that the shop's scales print.
    ScaleLayouts(layouts::ScaleLayouts),
    /// Stocktakes, while selling goes on.
    Counts(counts::Counts),
    /// From whom the shop buys.
    Suppliers(purchases::Suppliers),
    /// What the shop orders of its suppliers, and what came.
    Purchases(purchases::Purchases),
    /// What the shop earns with what it sells.
    Margin(purchases::Margin),
    /// The till: its float in the morning, its count in the evening.
    Till(till::Till),
    /// Shows what came in and went out, by form of money and day.
    Takings(till::Takings),
    /// What the bank says about payments, and what does not fit together.
    Bank(bank::Bank),
    /// Payments by card: at which provider, and what does not fit together.
    Cards(cards::Cards),
    /// Takes an order for somebody without a device, who phones or stands at the counter.
    Call(call::TakeCall),
    /// Accepted orders by their span of time.
    Queue(queue::Queue),
    /// What is to be taken from the shelves, in their order.
    Picking(queue::Picking),
    /// What is out for delivery, and the cash that comes back.
    Deliveries(queue::Deliveries),
    /// When the shop is open, where it brings goods and for how much, and in which spans of time.
    Terms(terms::TermsOf),
    /// Khata, the credit books: who owes what, payments, statements, reminders.
    Khata(khata::Khata),
    /// Takes in an order that was carried here as a file, and writes the reply as a file.
    Receive(carry::Receive),
    /// Describes the HTTP door (OpenAPI 3.1).
    Openapi,
    /// Moves the shop to another box, which goes on at once.
    Move(keep::Move),
}

/// Does what was asked and says how it ended.
pub fn run(given: Cli) -> ExitCode {
    log_to_stderr();
    let json = given.json;
    match act(given.command) {
        Ok(done) => {
            match (&done.shown, json) {
                (Some(shown), true) => println!("{shown}"),
                (_, false) if !done.says.is_empty() => println!("{}", done.says),
                _ => {}
            }
            ExitCode::from(done.code)
        }
        Err(failure) => {
            match json {
                true => eprintln!("{}", failure.problem()),
                false => eprintln!("kirana-shop: {}", failure.says),
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Says what is wrong with a command line. Help goes to stdout and is no failure.
pub fn refused(usage: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if usage.use_stderr() && wants_json {
        let says = usage.to_string().trim_end().to_owned();
        eprintln!("{}", Failure { code: 2, name: "usage", says }.problem());
    } else {
        // Whoever closed the pipe does not want to hear it.
        let _ = usage.print();
    }
    ExitCode::from(if usage.use_stderr() { 2 } else { 0 })
}

fn act(command: Command) -> Result<Done, Failure> {
    let passphrase = std::env::var("KIRANA_PASSPHRASE").ok();
    let with = |mut data: Data| {
        data.passphrase.clone_from(&passphrase);
        data.home()
    };
    match command {
        Command::Init(init) => init.run(passphrase),
        Command::Serve { data, config, given } => serve(&with(data), config, given),
        Command::Import(import) => import.run(with),
        Command::Export(export) => export.run(with),
        Command::Labels(labels) => labels.run(with),
        Command::Starter(starter) => starter.run(with),
        Command::Catalogue(catalogue) => catalogue.run(with),
        Command::Mapping(mapping) => mapping.run(with),
        Command::Epochs(epochs) => epochs.run(with),
        Command::Feeds(feeds) => feeds.run(with),
        Command::Lookup(lookup) => lookup.run(with),
        Command::Verify(verify) => verify.run(with),
        Command::Backup(backup) => backup.run(with),
        Command::Restore(restore) => restore.run(with),
        Command::Join(join) => join.run(with),
        Command::Staff(staff) => staff.run(with),
        Command::Recovery(recovery) => recovery.run(with),
        Command::Close(close) => close.run(with),
        Command::Owner(owner) => owner.run(with),
        Command::Token(token) => token.run(with),
        Command::Orders(orders) => orders.run(with),
        Command::Stock(stock) => stock.run(with),
        Command::Sell(sell) => sell.run(with),
        Command::ScaleLayouts(layouts) => layouts.run(with),
        Command::Counts(counts) => counts.run(with),
        Command::Suppliers(suppliers) => suppliers.run(with),
        Command::Purchases(purchases) => purchases.run(with),
        Command::Margin(margin) => margin.run(with),
        Command::Till(till) => till.run(with),
        Command::Takings(takings) => takings.run(with),
        Command::Bank(bank) => bank.run(with),
        Command::Cards(cards) => cards.run(with),
        Command::Call(call) => call.run(with),
        Command::Queue(queue) => queue.run(with),
        Command::Picking(picking) => picking.run(with),
        Command::Deliveries(deliveries) => deliveries.run(with),
        Command::Terms(terms) => terms.run(with),
        Command::Khata(khata) => khata.run(with),
        Command::Receive(receive) => receive.run(with),
        Command::Openapi => {
            let api = json!(crate::http::api().1);
            Ok(Done { says: format!("{api:#}"), shown: Some(api), code: 0 })
        }
        Command::Move(moving) => moving.run(with),
    }
}

fn serve(home: &Home, config: Option<PathBuf>, given: Given) -> Result<Done, Failure> {
    let file = config.as_deref().map(Given::read).transpose()?;
    let config = Config::parse(given.or(file.unwrap_or_default()))?;
    // One more than there are processors: short reads are done by the threads that hear requests.
    let threads = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).enable_all().build().map_err(Failure::of)?;
    runtime.block_on(serve::serve(home, config))?;
    Ok(Done::silent())
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second subscriber is refused; then the first one is in force.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// What a command ends with when it worked.
pub struct Done {
    /// For people.
    says: String,
    /// For programs.
    shown: Option<Value>,
    code: u8,
}

impl Done {
    fn new(says: impl Into<String>, shown: Value) -> Self {
        Self { says: says.into(), shown: Some(shown), code: 0 }
    }

    fn silent() -> Self {
        Self { says: String::new(), shown: None, code: 0 }
    }
}

/// What a command ends with when it did not.
pub struct Failure {
    code: u8,
    name: &'static str,
    says: String,
}

impl Failure {
    fn of(error: impl std::fmt::Display) -> Self {
        Self { code: 1, name: "failed", says: error.to_string() }
    }

    fn usage(says: impl Into<String>) -> Self {
        Self { code: 2, name: "usage", says: says.into() }
    }

    fn problem(&self) -> Value {
        json!({
            "type": format!("urn:kirana:{}", self.name), "title": self.says, "exit_code": self.code,
        })
    }
}

impl From<BadConfig> for Failure {
    fn from(error: BadConfig) -> Self {
        Self { code: 2, name: "settings", says: error.to_string() }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let (code, name) = match &error {
            ServeError::Config(_) | ServeError::Net(NetError::Address(_)) => (2, "settings"),
            ServeError::Outside(_) => (2, "settings"),
            ServeError::Home(_) => (1, "data"),
            ServeError::Served { .. } => (1, "served-already"),
            ServeError::Bind { .. } | ServeError::Net(NetError::Spawn(_)) => (1, "address"),
            ServeError::DiskFailed => (4, "disk-failed"),
            ServeError::Io(_) | ServeError::Setup(_) => (1, "failed"),
        };
        Self { code, name, says: error.to_string() }
    }
}

impl From<kirana_migrations::StoreError> for Failure {
    fn from(error: kirana_migrations::StoreError) -> Self {
        Self { code: 1, name: "data", says: error.to_string() }
    }
}

impl From<crate::home::HomeError> for Failure {
    fn from(error: crate::home::HomeError) -> Self {
        Self { code: 1, name: "data", says: error.to_string() }
    }
}
