//! Runs an open shop: its HTTP door, its node, its errands, until it is told to end.
//!
//! **Invariant:** standard output holds the ready line and nothing else.

use std::{
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::PathBuf,
};

use kirana_migrations::Writer;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    app::{Shop, access::Access},
    cards::Cards,
    clock,
    config::{self, BadConfig, Config},
    feeds::Feeds,
    home::{Home, HomeError},
    http::{self, Door, Parts},
    imports::Imports,
    lookup::Lookups,
    net::{self, NetError},
    outside::{NotFetched, Outside},
};

/// Opens the shop and serves it until SIGTERM or Ctrl-C.
///
/// # Errors
/// [`ServeError`] says what stands in the way and what to do.
pub async fn serve(home: &Home, config: Config) -> Result<(), ServeError> {
    // Keys first: a folder without a shop stays as it is.
    home.keys()?;
    let _alone = alone(home)?;
    let shop = home.shop()?;
    let setup = |error: &dyn std::fmt::Display| ServeError::Setup(error.to_string());
    let metrics = PrometheusBuilder::new().install_recorder().map_err(|error| setup(&error))?;
    let secret = clock::draw(&mut clock::rng());
    let access = Access::new(shop.clone(), secret).map_err(|error| setup(&error))?;
    let listener = TcpListener::bind(config.http).await;
    let listener = listener.map_err(|source| ServeError::Bind { address: config.http, source })?;
    let bound = listener.local_addr()?;
    let node = net::start(&shop, &config).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (held_ms, fonts) = (config.held_ms, config::fonts(&config.fonts)?);
    let imports = Imports::at(home.folder(), config.import_bytes_max);
    let outside = Outside::of(config.outside_allow_private, config.outside_ca.as_deref())?;
    let lookups = Lookups::new(outside.clone(), config.lookup_url.clone());
    let cards = Cards::new(shop.clone(), outside.clone());
    let feeds = Feeds::new(shop.clone(), imports.clone(), outside);
    let (keeping, paying) = (net::run(shop.clone(), node.clone(), config), cards.clone().run());
    let errands = tokio::spawn(async { tokio::join!(keeping, paying) });

    let addresses: Vec<String> = node.addresses().iter().map(ToString::to_string).collect();
    say_ready(&shop, bound, &addresses);

    let (writer, stopping) = (shop.database().writer.clone(), imports.clone());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (addresses, pins) = (addresses.into(), http::pins::Queue::default());
    // One after the other: what no interrupted import needs is cleared away first.
    let (going_on, fetching) = (go_on(imports.clone(), shop.clone()), feeds.clone());
    let errands_of_files = tokio::spawn(async move {
        going_on.await;
        fetching.run().await;
    });
    let (answers, studio) = (http::answers::Answers::default(), http::images::Studio::default());
    let door = http::router(Door::of(Parts {
        access,
        metrics,
        held_ms,
        addresses,
        pins,
        studio,
        imports,
        answers,
        feeds,
        lookups,
        cards,
        fonts,
        lookers: http::lookers(),
    }));
    let door = door.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, door).with_graceful_shutdown(async {
        // Either somebody said so or everybody who could is gone.
        let _ = ended.await;
    });
    let server = tokio::spawn(server.into_future());
    let failed = tokio::select! {
        _ = terminate.recv() => false,
        _ = tokio::signal::ctrl_c() => false,
        () = writer.stopped() => true,
    };
    // Whoever waits for the server has been told by the signal itself if this has gone already.
    let _ = end.send(());
    errands.abort();
    errands_of_files.abort();
    stopping.stop();
    node.shutdown().await;
    match tokio::time::timeout(CLOSING_TIME, server).await {
        Ok(Ok(closed)) => closed?,
        Ok(Err(panicked)) => return Err(ServeError::Setup(panicked.to_string())),
        Err(_) => tracing::warn!("some requests were cut off when the shop closed"),
    }
    tell_of(&writer);
    if failed { Err(ServeError::DiskFailed) } else { Ok(()) }
}

fn say_ready(shop: &Shop, bound: SocketAddr, addresses: &[String]) {
    let ready =
        serde_json::json!({ "ready": true, "http": format!("http://{bound}"), "p2p": addresses });
    println!("{ready}");
    tracing::info!(shop.id = %shop.id(), generation = shop.generation(), "the shop is open");
}

fn tell_of(writer: &Writer) {
    for note in writer.take_notes() {
        tracing::error!(note, "the disk was not well");
    }
}

/// Goes on with imports that ended with the process that ran them.
async fn go_on(imports: Imports, shop: Shop) {
    let turn = match imports.turn().await {
        Ok(turn) => turn,
        Err(why) => return tracing::error!(error = %why, "interrupted imports wait"),
    };
    let went = tokio::task::spawn_blocking(move || imports.go_on(&turn, &shop)).await;
    match went {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::error!(error = %why, "interrupted imports wait"),
        Err(panicked) => tracing::error!(error = %panicked, "interrupted imports wait"),
    }
}

/// Holds the folder for as long as the file is open: commands may work beside a shop that serves,
/// a second one that serves may not.
pub(crate) fn alone(home: &Home) -> Result<File, ServeError> {
    let path = home.folder().join("serve.lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let cannot = |source| HomeError::Io { path: path.clone(), source };
    let lock = lock.map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(ServeError::Served { path: home.folder().to_owned() }),
        Err(TryLockError::Error(source)) => Err(cannot(source).into()),
    }
}

/// How long open requests may take to end.
const CLOSING_TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// Why the shop does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] BadConfig),
    /// The folder or the shop in it cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another process serves this folder.
    #[error("another kirana-shop serves {path} already: end it first, or name another folder")]
    Served {
        /// The folder.
        path: PathBuf,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another address or stop what uses it")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// What is fetched could not be.
    #[error(transparent)]
    Outside(#[from] NotFetched),
    /// The node cannot listen.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The disk failed while the shop was open.
    #[error(
        "the disk failed: nothing more is stored; check the disk, then start the shop again: what \
         was answered is there, and the database is first copied to a new file"
    )]
    DiskFailed,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something inside could not be set up.
    #[error("cannot start: {0}")]
    Setup(String),
}
