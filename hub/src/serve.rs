//! Runs a hub: opens its data, listens, says that it is ready, and ends cleanly.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use kirana_core::time::UnixMs;
use kirana_migrations::{Database, Location, OpenError, Schema};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{net::TcpListener, signal::unix::SignalKind};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, Hub, Settings, hosted::Homes, password::Hasher},
    backup::DATABASE,
    clock,
    config::{Config, Role},
    erased, forwarding, gathering, hosting, http, joining, key_file, net, posting,
    store::{Store, secrets::Secrets, shelves::Shelves},
};

/// The folder of hosted households.
pub const HOSTED: &str = "hosted";

/// Why a hub did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The data folder cannot be made.
    #[error("{path} cannot be used: {source}")]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process serves this folder.
    #[error("another kirana-hub serves {path} already; end it first, or name another folder")]
    Served {
        /// The folder.
        path: std::path::PathBuf,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its key cannot be had.
    #[error(transparent)]
    Key(#[from] key_file::NoKey),
    /// The app refused.
    #[error(transparent)]
    App(#[from] app::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another --http or end what uses it")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The address of the node is none.
    #[error("--p2p takes a multiaddr such as /ip4/0.0.0.0/tcp/4001, not {given:?}")]
    P2p {
        /// What was given.
        given: String,
    },
    /// Nodes cannot be listened for.
    #[error(transparent)]
    Listen(#[from] kirana_sync::driver::SpawnError),
    /// The roster to trust was not taken.
    #[error("the roster {from} was not taken: {why}")]
    Roster {
        /// Where it came from.
        from: String,
        /// Why not.
        why: String,
    },
    /// The list of erased accounts cannot be used.
    #[error(transparent)]
    Erased(#[from] erased::NoList),
    /// The mail server cannot be spoken to safely.
    #[error("the mail server cannot be used: {0}")]
    Mail(#[from] lettre::transport::smtp::Error),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Io(#[from] io::Error),
    /// The disk failed.
    #[error("the disk failed; the next start copies the database to a fresh file first")]
    Disk,
}

/// Opens a data folder.
///
/// # Errors
/// [`Failed`] says what is wrong with it.
pub async fn open(
    data: &Path,
    settings: Settings,
    passphrase: Option<&str>,
    hasher: Hasher,
) -> Result<Hub, Failed> {
    let (store, secrets) = parts(data, passphrase)?;
    let (now, mut rng) = (clock::now(), clock::rng());
    Ok(Hub::open(store, secrets, hasher, settings, now, &mut rng).await?)
}

/// Opens a data folder in the role in which it was last served, for one command.
///
/// # Errors
/// [`Failed`] says what is wrong with it.
pub async fn open_as_served(
    data: &Path,
    settings: Settings,
    passphrase: Option<&str>,
    hasher: Hasher,
) -> Result<Hub, Failed> {
    let (store, secrets) = parts(data, passphrase)?;
    let role = store.role().await.map_err(app::Error::from)?.unwrap_or(settings.role);
    let (settings, now) = (Settings { role, ..settings }, clock::now());
    Ok(Hub::open(store, secrets, hasher, settings, now, &mut clock::rng()).await?)
}

fn parts(data: &Path, passphrase: Option<&str>) -> Result<(Store, Secrets), Failed> {
    make(data)?;
    let path = data.join(DATABASE);
    let has_database = path.exists();
    let database = Database::open(Schema::Hub, Location::File(path))?;
    let secrets = key_file::open(data, has_database, passphrase)?;
    Ok((Store::Sqlite(database), secrets))
}

/// Opens what was gathered, in a folder of its own: a backup does not hold it.
fn shelves(Config { data, pictures_bytes_max, .. }: &Config) -> Result<Shelves, Failed> {
    let folder = data.join("shelves");
    make(&folder)?;
    let path = Location::File(folder.join("catalogues.db"));
    Ok(Shelves::new(Database::open(Schema::Shelves, path)?, *pictures_bytes_max))
}

fn make(data: &Path) -> Result<(), Failed> {
    let folder = |source| Failed::Folder { path: data.to_owned(), source };
    std::fs::create_dir_all(data).map_err(folder)
}

/// Holds the folder for as long as the file is open: commands may work beside a hub that serves,
/// a second one that serves may not.
fn alone(data: &Path) -> Result<File, Failed> {
    make(data)?;
    let path = data.join("serve.lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(|source| Failed::Folder { path: path.clone(), source })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Failed::Served { path: data.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Failed::Folder { path, source }),
    }
}

/// Runs until a signal or a failed disk.
///
/// # Errors
/// [`Failed`].
pub async fn run(config: Config, passphrase: Option<String>) -> Result<(), Failed> {
    let p2p = config.p2p.parse().map_err(|_| Failed::P2p { given: config.p2p.clone() })?;
    let _alone = alone(&config.data)?;
    let bind = |source| Failed::Bind { address: config.http, source };
    let listener = TcpListener::bind(config.http).await.map_err(bind)?;
    let url = format!("http://{}", listener.local_addr()?);
    let settings = Settings {
        role: config.role,
        issuer: config.public_url.clone().unwrap_or_else(|| url.clone()),
        auto_approve: config.auto_approve,
        limits: config.limits,
        key_lead_ms: config.key_lead_ms,
        timezone: config.timezone.clone(),
    };
    let metrics = PrometheusBuilder::new().build_recorder();
    let door_metrics = metrics.handle();
    // Only a second hub in one process would have set one already, and it may keep it.
    let _ = metrics::set_global_recorder(metrics);
    let hasher = Hasher::pooled(config.cost)?;
    let hub = open(&config.data, settings, passphrase.as_deref(), hasher).await?;
    hub.store().note_role(config.role).await.map_err(app::Error::from)?;
    erased::agree(&hub, &config.data).await?;
    let (node, news) = net::listen(&hub, p2p).await?;
    prepare(&hub, &config, clock::now()).await?;
    hub.put_up(shelves(&config)?);
    hub.put_up_homes(Homes::at(config.data.join(HOSTED)));
    let hosting = tokio::spawn(hosting::run(hub.clone()));
    hub.fetch_through(node.clone());
    let gathering = tokio::spawn(gathering::run(hub.clone(), node.clone()));
    let sweeper = tokio::spawn(net::sweep(hub.clone()));
    let forwarding = tokio::spawn(forwarding::run(hub.clone(), node.clone(), news));
    let post = posting::Post::of(config.smtp.as_ref(), &config.data)?;
    let posting = tokio::spawn(posting::run(hub.clone(), post, config.mail_from.clone()));
    let erasing = tokio::spawn(erased::keep(hub.clone(), config.data.clone()));
    let joining = config.trust_roster.clone();
    let joining = joining.map(|from| tokio::spawn(joining::keep_joined(hub.clone(), from)));
    let end = asked_to_end()?;
    say_ready(&url, &node.addresses())?;
    let door = http::Door { hub: hub.clone(), metrics: door_metrics };
    let router = http::router(door, &config.cors_origins);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let ended = axum::serve(listener, service)
        .with_graceful_shutdown(end.clone().cancelled_owned())
        .into_future();
    let outcome = tokio::select! {
        ended = within_grace(ended, &end) => ended.map_err(Failed::Io),
        () = disk_failed(&hub) => Err(Failed::Disk),
    };
    sweeper.abort();
    hosting.abort();
    forwarding.abort();
    gathering.abort();
    posting.abort();
    erasing.abort();
    joining.inspect(tokio::task::JoinHandle::abort);
    node.shutdown().await;
    if outcome.is_ok() {
        erased::note(&hub, &config.data).await?;
    }
    outcome
}

/// Pins the roster to trust, or makes one, and becomes certified where a central hub is named.
async fn prepare(hub: &Hub, config: &Config, now: UnixMs) -> Result<(), Failed> {
    if let Some(from) = &config.trust_roster
        && let Err(failed) = joining::join(hub, from, now).await
    {
        // What was fetched once stays in force; a hub that has nothing yet can be of no use.
        if !failed.is_passing() || hub.published_roster().await?.is_none() {
            return Err(Failed::Roster { from: from.clone(), why: failed.to_string() });
        }
        tracing::warn!(error = %failed, "going on with what is stored; this is tried again");
    }
    let known = hub.known_now(now).await?;
    if known.expiry_suspended {
        tracing::warn!(
            "this machine's clock says {now}, which nothing signed bears out: the hub goes by {} \
             and throws nothing away. If the clock is right, say `kirana-hub clock confirm --data \
             {}`; a hub that no other hub is known to waits for that word for good",
            known.at,
            config.data.display(),
        );
    }
    if hub.ensure_roster(now, &mut clock::rng()).await? {
        tracing::warn!(
            "this hub had no roster, so it made itself a root; for more than a demonstration make \
             one with `kirana-hub root new` on a machine that stays offline"
        );
    }
    if config.role == Role::Community && config.trust_roster.is_none() {
        tracing::info!("name the central hub with --trust-roster, so that it certifies this one");
    }
    Ok(())
}

fn say_ready(url: &str, p2p: &[kirana_sync::driver::Multiaddr]) -> io::Result<()> {
    let p2p: Vec<String> = p2p.iter().map(ToString::to_string).collect();
    let line = serde_json::json!({ "ready": true, "http": url, "p2p": p2p });
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Listens for SIGTERM and Ctrl-C from now on: whoever reads the ready line may send one at once.
fn asked_to_end() -> io::Result<CancellationToken> {
    let mut term = tokio::signal::unix::signal(SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(SignalKind::interrupt())?;
    let end = CancellationToken::new();
    let told = end.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(end)
}

/// How long open requests may take once the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Waits for the server; a connection that stays open does not keep the program from ending.
async fn within_grace(
    serving: impl Future<Output = io::Result<()>>,
    end: &CancellationToken,
) -> io::Result<()> {
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended,
        () = end.cancelled() => tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(())),
    }
}

async fn disk_failed(hub: &Hub) {
    hub.store().database().writer.stopped().await;
}
