//! Opens a program's database with its writer, its readers and its list of heads.
//!
//! **Invariant (P8):** a database that is behind its list of heads is never handed out as sound:
//! [`Database::behind`] names what is missing.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rusqlite::Connection;

use crate::{
    Head, OpenError, Reader, Schema, StoreError, Writer, backup,
    group::{Engine, is_io},
    heads::Heads,
    opening,
    writer::{Health, lock},
};

/// Where the data lies.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file; its folder must exist.
    File(PathBuf),
    /// Memory, with the writer in place: for tests and the simulation.
    Memory,
    /// Memory, beginning with the bytes of another database.
    Image(Vec<u8>),
}

/// An open database; cheap to clone.
#[derive(Clone)]
pub struct Database {
    /// Writes.
    pub writer: Writer,
    /// Reads.
    pub reader: Reader,
    recorded: Arc<Vec<Head>>,
    memory: Option<Arc<Mutex<Engine>>>,
    path: Option<PathBuf>,
}

impl Database {
    /// Opens or makes the database and brings it to this program's version.
    ///
    /// # Errors
    /// [`OpenError`]; the file is left as it was.
    pub fn open(schema: Schema, location: Location) -> Result<Self, OpenError> {
        match location {
            Location::File(path) => Self::file(schema, path),
            Location::Memory => Ok(Self::memory(opening::memory(schema)?)),
            Location::Image(bytes) => Ok(Self::memory(opening::image(schema, &bytes)?)),
        }
    }

    fn file(schema: Schema, path: PathBuf) -> Result<Self, OpenError> {
        let suspect = path.with_extension("suspect");
        if suspect.exists() {
            backup::copy_to_fresh_file(&path)
                .and_then(|()| std::fs::remove_file(&suspect))
                .map_err(|source| not_copied(source, &suspect))?;
        }
        let connection = opening::file(schema, &path)?;
        connection.wal_hook(Some(|wal, pages| {
            if pages < CHECKPOINT_AT_PAGES {
                return Ok(());
            }
            // SQLite's own checkpoint would swallow a failed sync; ours fails the commit.
            match wal.checkpoint() {
                Err(e) if is_io(&e) => Err(e),
                _ => Ok(()),
            }
        }));
        let mut heads = Heads::open(path.with_file_name(HEADS)).map_err(OpenError::Heads)?;
        heads.compact().map_err(OpenError::Heads)?;
        let recorded = Arc::new(heads.newest().cloned().collect());
        let engine = Engine {
            connection,
            heads,
            health: Arc::new(Health::default()),
            fault: None,
            suspect: Some(suspect),
        };
        let io = |source| OpenError::Io { path: path.clone(), source };
        let writer = Writer::thread(engine).map_err(io)?;
        let reader = Reader::pool(path.clone());
        Ok(Self { writer, reader, recorded, memory: None, path: Some(path) })
    }

    fn memory(connection: Connection) -> Self {
        let engine = Arc::new(Mutex::new(Engine {
            connection,
            heads: Heads::in_memory(),
            health: Arc::new(Health::default()),
            fault: None,
            suspect: None,
        }));
        Self {
            writer: Writer::inline(engine.clone()),
            reader: Reader::inline(engine.clone()),
            recorded: Arc::default(),
            memory: Some(engine),
            path: None,
        }
    }

    /// The file, unless the database is in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The heads that the list beside the database holds: as of opening for a file, as of now in
    /// memory.
    pub fn recorded_heads(&self) -> Vec<Head> {
        match &self.memory {
            Some(engine) => lock(engine).heads.newest().cloned().collect(),
            None => self.recorded.to_vec(),
        }
    }

    /// The recorded heads that the database does not hold: it lost commits or was put back.
    /// `holds` looks up whether a chain has this entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn behind(
        &self,
        holds: impl Fn(&Connection, &Head) -> Result<bool, StoreError>,
    ) -> Result<Vec<Head>, StoreError> {
        let recorded = self.recorded_heads();
        self.reader.read(|connection| {
            let mut behind = Vec::new();
            for head in recorded {
                if !holds(connection, &head)? {
                    behind.push(head);
                }
            }
            Ok(behind)
        })
    }

    /// What SQLite's own checks find, one sentence for each fault: pages and indexes that do not
    /// hold together, and rows that name a row that is gone. That bytes inside a row were altered
    /// it cannot see.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub fn page_faults(&self) -> Result<Vec<String>, StoreError> {
        self.reader.read(|connection| {
            let mut faults = Vec::new();
            let mut check = connection.prepare(&format!("PRAGMA integrity_check({FAULTS_MAX})"))?;
            let mut rows = check.query([])?;
            while let Some(row) = rows.next()? {
                let said: String = row.get(0)?;
                if said != "ok" {
                    faults.push(format!("the database file: {said}"));
                }
            }
            let mut check = connection.prepare("PRAGMA foreign_key_check")?;
            let mut rows = check.query([])?;
            while let Some(row) = rows.next()?.filter(|_| faults.len() < FAULTS_MAX) {
                let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
                faults.push(format!("a row of {table} names a row of {parent} that is gone"));
            }
            Ok(faults)
        })
    }

    /// Writes every page anew, so that what was overwritten or deleted before cannot be read out of
    /// the file any more.
    ///
    /// # Errors
    /// When the disk has no room for a second copy, or another program is reading: nothing is lost,
    /// and it may work later.
    pub fn scour(&self) -> Result<(), StoreError> {
        match (&self.memory, &self.path) {
            (Some(engine), _) => Ok(lock(engine).connection.execute_batch("VACUUM")?),
            (None, Some(path)) => Ok(opening::scour(path)?),
            (None, None) => Ok(()),
        }
    }

    /// Power returns after a crash in the simulation: what was committed is there, the rest is not.
    pub fn restart(&self) -> Self {
        if let Some(engine) = &self.memory {
            let mut engine = lock(engine);
            engine.health = Arc::new(Health::default());
            engine.fault = None;
        }
        match &self.memory {
            Some(engine) => Self {
                writer: Writer::inline(engine.clone()),
                reader: Reader::inline(engine.clone()),
                ..self.clone()
            },
            None => self.clone(),
        }
    }

    /// Puts the image of another day into this database in memory, as somebody does who copies an
    /// old file back: the list of heads beside it stays, and so tells.
    ///
    /// # Errors
    /// When the bytes are no database of this program.
    pub fn put_back(&self, schema: Schema, image: &[u8]) -> Result<(), OpenError> {
        if let Some(engine) = &self.memory {
            let connection = opening::image(schema, image)?;
            lock(engine).connection = connection;
        }
        Ok(())
    }

    /// Forgets the list of heads of a database in memory, as a restore does; beside a file it is
    /// removed before the file is opened.
    pub fn forget_heads(&self) {
        if let Some(engine) = &self.memory {
            lock(engine).heads = Heads::in_memory();
        }
    }

    /// All bytes of a database in memory, as of the last commit.
    ///
    /// # Errors
    /// When it is a file (see [`backup::copy`]) or there is no memory.
    pub fn image(&self) -> Result<Vec<u8>, StoreError> {
        match &self.memory {
            Some(engine) => {
                let engine = lock(engine);
                // Sorted pages make one state one image, whatever was deleted before.
                Ok(engine.connection.serialize(rusqlite::MAIN_DB)?.to_vec())
            }
            None => Err(StoreError::damaged("an image of", "a file")),
        }
    }
}

/// The copy needs as much room again as the database; the mark stays until there is.
fn not_copied(source: std::io::Error, suspect: &Path) -> OpenError {
    match source.kind() {
        std::io::ErrorKind::StorageFull => OpenError::Full,
        _ => OpenError::Io { path: suspect.to_owned(), source },
    }
}

/// The list of heads lies beside its database under this name.
pub const HEADS: &str = "heads.log";
/// Faults of one kind that are told: one is enough to restore a backup.
const FAULTS_MAX: usize = 20;
/// Pages in the write-ahead log after which they are moved into the database.
const CHECKPOINT_AT_PAGES: i32 = 1000;
