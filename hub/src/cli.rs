//! The command line: parses, calls, prints.
//!
//! **Invariants:** secrets come from files, the environment or a prompt, never from arguments; the
//! environment is read here and nowhere else.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use kirana_core::{
    key::SigningKey,
    roster::{Roster, SignedRoster},
};
use serde_json::{Value, json};

use crate::{
    app::{
        self, Settings,
        account::NewAccount,
        administration::NewAdmin,
        password::{Cost, Hasher},
        roster::Published,
        throttle::Limits,
    },
    backup, clock,
    config::{BadConfig, Config, Given, Role, Secret},
    erased, http, key_file, serve,
};

mod client;
mod root;

/// A hub: accounts, certificates, a directory, and a mailbox that cannot read.
#[derive(Parser)]
#[command(name = "kirana-hub", version, after_help = EXIT_CODES)]
struct Line {
    /// Results on stdout as JSON, errors on stderr as problem documents.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 it failed, and says why; 2 usage or \
                          settings.";

#[derive(Subcommand)]
enum Command {
    /// Run the hub until SIGTERM.
    Serve {
        /// Where the data lies; made if absent.
        #[arg(long)]
        data: PathBuf,
        /// A TOML file with the same settings and more.
        #[arg(long)]
        config: Option<PathBuf>,
        #[command(flatten)]
        given: Given,
    },
    /// Administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// Programs that people may sign in to with their account here.
    #[command(subcommand)]
    Client(client::Client),
    /// Print the description of the HTTP door.
    Openapi,
    /// Bring the database to this program's version.
    Migrate {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
    /// Keys that sign tokens.
    #[command(subcommand)]
    Keys(Keys),
    /// This machine's clock, as far as the hub believes it.
    #[command(subcommand)]
    Clock(Clock),
    /// The offline root and its roster of hubs.
    #[command(subcommand)]
    Root(root::Root),
    /// Print this hub's entry for a roster.
    Identity {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
    /// Write an encrypted backup; prints the code that opens it.
    Backup {
        /// The file to write.
        file: PathBuf,
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
    /// Make a data folder of a backup; the code comes from `KIRANA_RECOVERY_CODE` or a prompt.
    Restore {
        /// The file to read.
        file: PathBuf,
        /// The folder to make.
        #[arg(long)]
        data: PathBuf,
        /// The newest `erased.txt` of the hub that was lost: whoever was erased after the backup
        /// was made stays erased.
        #[arg(long)]
        erased: Option<PathBuf>,
    },
    /// Not yet: a hub on one machine has one store.
    MoveStore {
        /// From where.
        from: String,
        /// To where.
        to: String,
    },
}

#[derive(Subcommand)]
enum Admin {
    /// Add an administrator, also beside a running hub; the password comes from
    /// `KIRANA_PASSWORD` or a prompt. Prints the link for an authenticator app, which signing in
    /// needs from then on, and recovery codes.
    Add {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
        /// The email address, which is the login too.
        #[arg(long)]
        email: String,
    },
}

#[derive(Subcommand)]
enum Keys {
    /// Publish the next key, which signs a little later; works beside a running hub.
    Rotate {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Subcommand)]
enum Clock {
    /// Say what time the hub goes by.
    Show {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
    /// Say that this machine's clock is right; works beside a running hub. After a jump of more than
    /// a week nothing expires until this is said, or until somebody else's newer signature comes:
    /// a hub that stands alone hears none, since its own would prove nothing.
    Confirm {
        /// Where the data lies.
        #[arg(long)]
        data: PathBuf,
    },
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] BadConfig),
    #[error(transparent)]
    Serve(#[from] serve::Failed),
    #[error(transparent)]
    App(#[from] app::Error),
    #[error(transparent)]
    Backup(#[from] backup::NoBackup),
    #[error(transparent)]
    Erased(#[from] erased::NoList),
    #[error(transparent)]
    Root(#[from] root::NoRoster),
    #[error("there is no hub in {0}; `kirana-hub serve` makes one")]
    NoHub(PathBuf),
    #[error("{0} is not set, and there is no terminal to ask at")]
    NoSecret(&'static str),
    #[error(
        "move-store is not there yet: a hub keeps its data in SQLite; it comes with hubs on several \
         machines"
    )]
    MoveStore,
    #[error("the runtime did not start: {0}")]
    Runtime(io::Error),
}

impl Failed {
    fn code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::NoHub(_)
            | Self::NoSecret(_)
            | Self::MoveStore
            | Self::Serve(serve::Failed::P2p { .. }) => 2,
            _ => 1,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Serve(serve::Failed::P2p { .. }) => "config",
            Self::Serve(serve::Failed::Open(_)) => "database",
            Self::Serve(serve::Failed::Bind { .. } | serve::Failed::Listen(_)) => "address-taken",
            Self::Serve(serve::Failed::Served { .. }) => "served-already",
            Self::Serve(serve::Failed::Key(_)) | Self::NoSecret(_) => "secret-missing",
            Self::Serve(_) | Self::Runtime(_) => "serve",
            Self::App(_) => "refused",
            Self::Backup(_) => "backup",
            Self::Erased(_) => "erased-list",
            Self::Root(_) => "roster",
            Self::NoHub(_) => "no-hub",
            Self::MoveStore => "not-yet",
        }
    }
}

/// Does what the command line says; the code is 0, 1 for a failure, 2 for usage and settings.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(usage) => return refused(&usage),
    };
    let json = line.json;
    match command(line.command, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            if json {
                eprintln!("{}", problem(failed.kind(), &failed.to_string()));
            } else {
                eprintln!("kirana-hub: {failed}");
            }
            ExitCode::from(failed.code())
        }
    }
}

/// Help goes to stdout and is no failure; the rest is usage.
fn refused(usage: &clap::Error) -> ExitCode {
    if !usage.use_stderr() {
        // Whoever closed the pipe does not want to hear it.
        let _ = usage.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        eprintln!("{}", problem("usage", usage.to_string().trim_end()));
    } else {
        let _ = usage.print();
    }
    ExitCode::from(2)
}

fn problem(kind: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:kirana:problem:{kind}"), "title": "failed", "detail": detail })
}

fn command(command: Command, json: bool) -> Result<(), Failed> {
    match command {
        Command::Serve { data, config, given } => {
            let file = config.map(|path| Given::read(&path)).transpose()?.unwrap_or_default();
            let mut given = given.or(file);
            if let Some(smtp) = &mut given.smtp {
                smtp.password = variable("KIRANA_SMTP_PASSWORD").map(Secret::new);
            }
            let config = Config::parse(data, given)?;
            log(json);
            Ok(runtime()?.block_on(serve::run(config, passphrase()))?)
        }
        Command::Admin(Admin::Add { data, email }) => add_admin(&data, email, json),
        Command::Client(command) => client::run(command, json),
        Command::Openapi => {
            say(&json!(http::openapi()), json, |api| format!("{api:#}"));
            Ok(())
        }
        Command::Migrate { data } => {
            hub(&data)?;
            say(&json!({ "migrated": true }), json, |_| "the database is up to date".to_owned());
            Ok(())
        }
        Command::Keys(Keys::Rotate { data }) => rotate(&data, json),
        Command::Clock(command) => tell_time(command, json),
        Command::Root(command) => Ok(root::run(command, json)?),
        Command::Identity { data } => {
            let entry = root::Entry::from(hub(&data)?.entry());
            say(&json!(entry), json, |entry| format!("{entry:#}"));
            Ok(())
        }
        Command::Backup { file, data } => {
            existing(&data)?;
            let code = backup::write(&data, &file, passphrase().as_deref())?;
            say(&json!({ "recovery_code": code }), json, |_| {
                format!("Write this code down; nothing else opens the backup:\n{code}")
            });
            // After the code is out: without it the backup would be worth nothing.
            Ok(block_on(hub(&data)?.note_backup(clock::now()))?)
        }
        Command::Restore { file, data, erased } => restore(&file, &data, erased.as_deref(), json),
        Command::MoveStore { .. } => Err(Failed::MoveStore),
    }
}

fn restore(file: &Path, data: &Path, list: Option<&Path>, json: bool) -> Result<(), Failed> {
    let code = secret("KIRANA_RECOVERY_CODE", "recovery code: ")?;
    backup::restore(file, data, &code, passphrase().as_deref())?;
    if let Some(list) = list {
        erased::take_over(list, data)?;
    }
    block_on(erased::agree(&hub(data)?, data))?;
    say(&json!({ "restored": true }), json, |_| match list {
        Some(_) => "the hub is restored, and whoever the list names is erased".to_owned(),
        None => format!(
            "the hub is restored. Whoever was erased after this backup was made is back: put the \
             lost hub's newest {} into the folder before you serve it",
            erased::NAME
        ),
    });
    Ok(())
}

fn add_admin(data: &Path, email: String, json: bool) -> Result<(), Failed> {
    let hub = hub(data)?;
    let password = secret("KIRANA_PASSWORD", "password for the administrator: ")?;
    let login = app::account::login(&email)?;
    let (email, name, language) = (Some(email), None, None);
    let new = NewAccount { login: login.clone(), password, email, name, language };
    let made = block_on(hub.add_admin(new, clock::now(), &mut clock::rng()))?;
    let NewAdmin { id, factor, recovery_codes } = made;
    let uri = factor.otpauth_uri;
    let codes = recovery_codes.join("\n  ");
    let added = json!({
        "id": id, "login": login, "otpauth_uri": uri, "recovery_codes": recovery_codes,
    });
    say(&added, json, |_| {
        format!(
            "{login} is an administrator ({id}).\nEnter this into an authenticator app; signing in \
             needs its code:\n  {uri}\nEach of these works once in place of a code; keep them on \
             paper:\n  {codes}"
        )
    });
    Ok(())
}

fn rotate(data: &Path, json: bool) -> Result<(), Failed> {
    let next = block_on(hub(data)?.rotate_keys(clock::now(), &mut clock::rng()))?;
    say(&json!({ "kid": next.kid, "signs_from": next.signs_from }), json, |_| {
        format!("key {} is published and signs from {}", next.kid, next.signs_from)
    });
    Ok(())
}

fn tell_time(command: Clock, json: bool) -> Result<(), Failed> {
    let now = match command {
        Clock::Show { data } => block_on(hub(&data)?.known_now(clock::now()))?,
        Clock::Confirm { data } => block_on(hub(&data)?.confirm_clock(clock::now()))?,
    };
    let told = json!({ "known": now.at.to_string(), "in_doubt": now.expiry_suspended });
    say(&told, json, |_| match now.expiry_suspended {
        true => format!(
            "the hub goes by {}; this machine's clock is in doubt, so nothing expires",
            now.at
        ),
        false => format!("the hub goes by {}", now.at),
    });
    Ok(())
}

/// Opens the hub of a data folder for one command, as what it was last served.
fn hub(data: &Path) -> Result<app::Hub, Failed> {
    existing(data)?;
    let settings = Settings {
        role: Role::Central,
        issuer: String::new(),
        auto_approve: false,
        limits: Limits::default(),
        key_lead_ms: crate::config::KEY_LEAD_MS_DEFAULT,
        timezone: jiff::tz::TimeZone::UTC,
    };
    let hasher = Hasher::inline(Cost::STANDARD);
    Ok(block_on(serve::open_as_served(data, settings, passphrase().as_deref(), hasher))?)
}

fn existing(data: &Path) -> Result<(), Failed> {
    match data.join(backup::DATABASE).exists() {
        true => Ok(()),
        false => Err(Failed::NoHub(data.to_owned())),
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failed::Runtime)
}

fn passphrase() -> Option<String> {
    variable("KIRANA_PASSPHRASE")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|words| !words.is_empty())
}

fn secret(variable: &'static str, prompt: &str) -> Result<String, Failed> {
    match std::env::var(variable) {
        Ok(value) => Ok(value),
        Err(_) => rpassword::prompt_password(prompt).map_err(|_| Failed::NoSecret(variable)),
    }
}

/// Logs go to stderr; stdout holds the ready line only.
fn log(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("KIRANA_LOG")
        .unwrap_or_else(|_| "info,libp2p=warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let set = if json { log.json().try_init() } else { log.with_ansi(false).try_init() };
    // Another logger of this process may stay.
    drop(set);
}

fn say(result: &Value, json: bool, words: impl FnOnce(&Value) -> String) {
    let text = if json { result.to_string() } else { words(result) };
    // Whoever closed the pipe does not want to hear it.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Signs a roster for a file.
fn published(root: &SigningKey, roster: &Roster) -> Published {
    let signed: SignedRoster = roster.sign(root);
    Published::new(&root.public(), &signed)
}

/// Writes a new file that its owner alone may read.
fn private(path: &Path, content: &str) -> io::Result<()> {
    key_file::private_file(path, content.as_bytes())
}
