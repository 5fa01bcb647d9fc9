//! Runs imports one at a time, and keeps files that came over HTTP until they are in.
//!
//! **Invariants:** whoever works at an import holds the folder's lock, which the system takes back
//! when a process dies: so an import that is noted as running while nobody holds the lock was
//! interrupted. A file of the shopkeeper's own is never deleted.

use std::{
    collections::BTreeSet,
    fs::{DirBuilder, File, TryLockError},
    io,
    ops::ControlFlow,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use kirana_core::key::KeyId;
use tokio::{
    io::AsyncWriteExt,
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
};

use crate::{
    app::{
        Shop,
        import::{Counts, NotImported, Order, Prepared, Report},
    },
    clock,
    store::imports::State,
};

/// The folder in the shop's folder in which files wait.
const FOLDER: &str = "imports";
/// The file whose lock is held by whoever imports.
const LOCK: &str = "import.lock";
/// Files that may wait at once; one more is refused.
const WAITING_MAX: usize = 8;
/// How long a file's next piece is waited for.
const PIECE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long somebody waits before looking again whether another process has ended its import.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The imports of one shop; cheap to clone.
#[derive(Clone)]
pub struct Imports {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    bytes_max: u64,
    turn: Arc<Mutex<()>>,
    places: Arc<Semaphore>,
    stopping: AtomicBool,
    /// The names of files that came to this process: they are still to be noted, or to be imported.
    here: Here,
}

type Here = Arc<std::sync::Mutex<BTreeSet<String>>>;

/// The right to import.
pub struct Turn {
    _lock: File,
    _here: Option<OwnedMutexGuard<()>>,
}

/// A file that came over HTTP; it is deleted with this unless an import has it.
pub struct Spooled {
    path: PathBuf,
    name: String,
    here: Here,
    _place: OwnedSemaphorePermit,
}

impl Spooled {
    /// Its name in the shop's folder.
    pub fn name(&self) -> String {
        self.name.clone()
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        remove(&self.path);
        self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// An import that is noted and goes on when it is its turn.
pub struct Begun {
    id: uuid::Uuid,
    prepared: Prepared,
    file: Spooled,
}

impl Begun {
    /// Its name.
    pub fn id(&self) -> uuid::Uuid {
        self.id
    }
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotSpooled {
    /// Too many wait.
    #[error("{WAITING_MAX} files wait to be imported already: try again later")]
    Crowded,
    /// The sender stopped sending.
    #[error("the file did not come to its end")]
    Cut,
    /// It is too long, or the disk refused.
    #[error(transparent)]
    NotImported(#[from] NotImported),
}

impl Imports {
    /// Imports of the shop in this folder; files over HTTP have at most so many bytes.
    pub fn at(folder: &Path, bytes_max: u64) -> Self {
        let inner = Inner {
            folder: folder.to_owned(),
            bytes_max,
            turn: Arc::default(),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            stopping: AtomicBool::new(false),
            here: Here::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The longest file over HTTP, in bytes.
    pub fn bytes_max(&self) -> u64 {
        self.inner.bytes_max
    }

    /// Has an import that goes on end after its next commit; the next start goes on with it.
    pub fn stop(&self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
    }

    /// Writes a body to the disk, piece by piece.
    ///
    /// # Errors
    /// [`NotSpooled`]; nothing is left of it.
    pub async fn spool(
        &self,
        id: uuid::Uuid,
        body: axum::body::Body,
    ) -> Result<Spooled, NotSpooled> {
        let place = self.inner.places.clone().try_acquire_owned();
        let place = place.map_err(|_| NotSpooled::Crowded)?;
        let folder = self.inner.folder.join(FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(NotImported::Unreadable)?;
        let name = format!("{FOLDER}/{id}");
        let here = self.inner.here.clone();
        here.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        let file = Spooled { path: self.inner.folder.join(&name), name, here, _place: place };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let open = options.open(&file.path).map_err(NotImported::Unreadable)?;
        self.pour(body, tokio::fs::File::from_std(open)).await?;
        Ok(file)
    }

    /// A file for what is about to be sent, as long as the place beside it is kept: it has no name,
    /// so it is gone with the last that holds it, also after a power cut.
    ///
    /// # Errors
    /// [`NotSpooled`].
    pub fn scratch(&self, id: uuid::Uuid) -> Result<(File, OwnedSemaphorePermit), NotSpooled> {
        let place = self.inner.places.clone().try_acquire_owned();
        let place = place.map_err(|_| NotSpooled::Crowded)?;
        let folder = self.inner.folder.join(FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(NotImported::Unreadable)?;
        let path = folder.join(id.to_string());
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(NotImported::Unreadable)?;
        std::fs::remove_file(&path).map_err(NotImported::Unreadable)?;
        Ok((file, place))
    }

    /// Where such a file lies.
    pub fn path_of(&self, file: &Spooled) -> PathBuf {
        self.inner.folder.join(&file.name)
    }

    async fn pour(
        &self,
        body: axum::body::Body,
        mut file: tokio::fs::File,
    ) -> Result<(), NotSpooled> {
        let (mut pieces, mut bytes) = (body.into_data_stream(), 0);
        loop {
            let piece = tokio::time::timeout(PIECE_TIME_MAX, pieces.next()).await;
            let Some(piece) = piece.map_err(|_| NotSpooled::Cut)? else { break };
            let piece = piece.map_err(|_| NotSpooled::Cut)?;
            bytes += piece.len() as u64;
            if bytes > self.inner.bytes_max {
                let bytes_max = self.inner.bytes_max;
                return Err(NotImported::TooLong { bytes_max }.into());
            }
            file.write_all(&piece).await.map_err(NotImported::Unreadable)?;
        }
        file.sync_all().await.map_err(NotImported::Unreadable)?;
        Ok(())
    }

    /// Looks a file through and notes that its import begins.
    ///
    /// # Errors
    /// [`NotImported`]; nothing is left of it.
    pub fn begin(
        &self,
        shop: &Shop,
        file: Spooled,
        order: &Order,
        id: uuid::Uuid,
        by: KeyId,
    ) -> Result<Begun, NotImported> {
        let mut open = File::open(&file.path).map_err(NotImported::Unreadable)?;
        let prepared = shop.prepare_import(order, &mut open)?;
        let id = shop.begin_import(&prepared, id, by, clock::now())?;
        Ok(Begun { id, prepared, file })
    }

    /// Waits until nobody imports, in whatever process.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub async fn turn(&self) -> Result<Turn, NotImported> {
        let here = self.inner.turn.clone().lock_owned().await;
        let lock = open_lock(&self.inner.folder).map_err(NotImported::Unreadable)?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Turn { _lock: lock, _here: Some(here) }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(TryLockError::Error(why)) => return Err(NotImported::Unreadable(why)),
            }
        }
    }

    /// Goes on with an import until its end, or until the shop closes.
    ///
    /// # Errors
    /// [`NotImported`].
    pub fn run(
        &self,
        _turn: &Turn,
        shop: &Shop,
        begun: Begun,
        by: KeyId,
    ) -> Result<Report, NotImported> {
        let open = File::open(&begun.file.path).map_err(NotImported::Unreadable)?;
        let (now, mut rng) = (clock::now(), clock::rng());
        let (id, prepared) = (begun.id, &begun.prepared);
        // The same file was sent twice, and the first import of it failed meanwhile.
        let has_failed = shop.import_state(id)? == Some(State::Failed);
        let heard = &mut self.heard();
        let report = match has_failed {
            true => shop.resume_import(id, open, now, &mut rng, heard),
            false => shop.run_import(prepared, open, id, by, now, &mut rng, heard),
        };
        if is_running(shop, id) {
            // The next start needs the file.
            std::mem::forget(begun.file);
        }
        report
    }

    fn heard(&self) -> impl FnMut(&Counts, u64) -> ControlFlow<()> + use<> {
        let inner = self.inner.clone();
        move |_, _| match inner.stopping.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Takes an import back, or goes on with that.
    ///
    /// # Errors
    /// [`NotImported`].
    pub fn undo(
        &self,
        _turn: &Turn,
        shop: &Shop,
        id: uuid::Uuid,
        by: KeyId,
    ) -> Result<Report, NotImported> {
        let mut heard = self.heard();
        let heard = &mut |_| heard(&Counts::default(), 0);
        shop.undo_import(id, by, clock::now(), &mut clock::rng(), heard)
    }

    /// Goes on with what a crash or a power cut interrupted, and clears files away that no import
    /// needs any more.
    ///
    /// # Errors
    /// When the imports cannot be read.
    pub fn go_on(&self, turn: &Turn, shop: &Shop) -> Result<(), NotImported> {
        for (id, state) in shop.interrupted_imports()? {
            if self.inner.stopping.load(Ordering::SeqCst) {
                return Ok(());
            }
            let went = match state {
                State::Undoing => self.undo(turn, shop, id, shop.keys().node.id()),
                _ => self.resume(shop, id, None, &mut self.heard()),
            };
            match went {
                Ok(report) => tracing::info!(import.id = %id, state = report.state.word(),
                    "an import that was interrupted went on"),
                Err(why) => tracing::warn!(import.id = %id, error = %why,
                    "an import that was interrupted could not go on"),
            }
        }
        self.clear(shop)
    }

    /// Goes on with an import that did not come to its end; from `given`, or from where its file lay.
    ///
    /// # Errors
    /// [`NotImported`].
    pub fn resume(
        &self,
        shop: &Shop,
        id: uuid::Uuid,
        given: Option<&Path>,
        heard: &mut dyn FnMut(&Counts, u64) -> ControlFlow<()>,
    ) -> Result<Report, NotImported> {
        let (now, mut rng) = (clock::now(), clock::rng());
        let kept = shop.import_file(id)?.map(|name| self.inner.folder.join(name));
        let path = given.map(Path::to_owned).or(kept);
        let opened = match &path {
            Some(path) => File::open(path),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "nobody knows where it lay")),
        };
        match opened {
            Ok(file) => shop.resume_import(id, file, now, &mut rng, heard),
            Err(why) => shop.give_up_import(id, NotImported::Unreadable(why), now),
        }
    }

    fn clear(&self, shop: &Shop) -> Result<(), NotImported> {
        let Ok(files) = std::fs::read_dir(self.inner.folder.join(FOLDER)) else { return Ok(()) };
        for file in files {
            let file = file.map_err(NotImported::Unreadable)?;
            let id = file.file_name().to_string_lossy().parse::<uuid::Uuid>();
            let name = format!("{FOLDER}/{}", file.file_name().to_string_lossy());
            let here = self.inner.here.lock().unwrap_or_else(PoisonError::into_inner);
            let is_here = here.contains(&name);
            drop(here);
            if id.is_ok() && !is_here && !shop.needs_import_file(&name)? {
                remove(&file.path());
            }
        }
        Ok(())
    }
}

/// Waits until nobody imports, for a command that may wait.
///
/// # Errors
/// When the folder cannot be used.
pub fn wait_for_turn(folder: &Path) -> io::Result<Turn> {
    let lock = open_lock(folder)?;
    lock.lock()?;
    Ok(Turn { _lock: lock, _here: None })
}

fn open_lock(folder: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))
}

/// Whether an import still waits for somebody to go on. Where that cannot be read, its file is kept.
fn is_running(shop: &Shop, id: uuid::Uuid) -> bool {
    shop.import_state(id).map_or(true, |state| state == Some(State::Running))
}

fn remove(path: &Path) {
    if let Err(why) = std::fs::remove_file(path)
        && why.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(error = %why, "a file that was imported could not be deleted");
    }
}
