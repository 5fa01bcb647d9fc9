//! Opens one SQLite connection, after making sure that the file is ours, whole and not newer.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::Schema;

/// Why a database was not opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is of another program.
    #[error("{path} is not a {expected} database of kirana; name another data folder")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        expected: &'static str,
    },
    /// The file is no SQLite database.
    #[error("{path} is not a database; restore it from a backup")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is shorter than its header says.
    #[error("{path} is cut off: it has {found} bytes and should have {expected}; restore a backup")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes there.
        found: u64,
        /// Bytes that the header promises.
        expected: u64,
    },
    /// A newer program wrote it.
    #[error(
        "the {schema} database has version {found}, this program knows {known}; \
         use the newer program"
    )]
    Newer {
        /// Whose data.
        schema: &'static str,
        /// Version of the file.
        found: i64,
        /// Version of this program.
        known: usize,
    },
    /// The disk has no room to open it.
    #[error("the disk is full; free some space and start again")]
    Full,
    /// The folder or file cannot be read or made.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// This user may not read or write it.
    #[error("{path} cannot be used: this user may not write it, or not into its folder")]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A migration failed; the database stayed as it was.
    #[error("the database cannot be brought to this program's version: {0}")]
    Migration(String),
    /// The heads beside the database are unreadable.
    #[error("the list of heads cannot be used: {0}")]
    Heads(std::io::Error),
}

/// How long a writer waits for another process that is writing, in milliseconds.
const BUSY_TIMEOUT_MS: u32 = 10_000;

/// Opens and migrates the writing connection of a file.
pub(crate) fn file(schema: Schema, path: &Path) -> Result<Connection, OpenError> {
    look_at_header(path)?;
    let opened = Connection::open(path).map_err(OpenError::from).and_then(|mut connection| {
        prepare(schema, path, &mut connection)?;
        Ok(connection)
    });
    opened.map_err(|e| plain(e, path))
}

/// Opens a fresh database in memory.
pub(crate) fn memory(schema: Schema) -> Result<Connection, OpenError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(schema, Path::new(":memory:"), &mut connection)?;
    Ok(connection)
}

/// Opens a database in memory from the bytes of another.
pub(crate) fn image(schema: Schema, bytes: &[u8]) -> Result<Connection, OpenError> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact(rusqlite::MAIN_DB, bytes, bytes.len(), false)?;
    prepare(schema, Path::new(":memory:"), &mut connection)?;
    Ok(connection)
}

/// Opens one more connection to a file that is open already, for reading.
pub(crate) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into()))?;
    keep_prepared(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Statements stay prepared whatever is bound to them. Without this SQLite prepares each one that
/// ends in `LIMIT ?` anew every time it is run, in case the number makes for a better plan.
fn keep_prepared(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Writes a file anew through a connection of its own, and empties its write-ahead log.
pub(crate) fn scour(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The copy in between holds the same, so it may not be left in a folder of the system's.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.execute_batch("VACUUM")?;
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy { Err(busy_error()) } else { Ok(()) }
}

fn busy_error() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(code, Some("somebody is reading".to_owned()))
}

fn prepare(schema: Schema, path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into()))?;
    let known = schema.version();
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    let fresh = application == 0 && version == 0 && tables == 0;
    if !fresh && application != schema.application_id() {
        return Err(OpenError::Foreign { path: path.to_owned(), expected: schema.name() });
    }
    if version > known as i64 {
        return Err(OpenError::Newer { schema: schema.name(), found: version, known });
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // What a savepoint may have to take back, and what is sorted, may not go to a folder of the
    // system's: it holds what the database holds. An order's writer spent a sixth of its time there.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    keep_prepared(connection)?;
    connection.set_prepared_statement_cache_capacity(256);
    if fresh {
        connection.pragma_update(None, "application_id", schema.application_id())?;
    }
    if known == 0 {
        return Ok(());
    }
    schema.migrations().to_latest(connection).map_err(|e| match e {
        rusqlite_migration::Error::RusqliteError { err, .. } if is_full(&err) => OpenError::Full,
        other => OpenError::Migration(other.to_string()),
    })
}

/// SQLite would notice a short or foreign file only when it reads the missing page.
fn look_at_header(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io(e)),
    };
    let found = file.metadata().map_err(io)?.len();
    if found == 0 {
        return Ok(());
    }
    let mut header = [0; HEADER_BYTES];
    let whole = file.read_exact(&mut header).is_ok();
    if !whole || !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotADatabase { path: path.to_owned() });
    }
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    let expected = page_bytes * u64::from(pages);
    // With a write-ahead log beside it the file may rightly lag behind its own header.
    let log_bytes = std::fs::metadata(wal_of(path)).map_or(0, |wal| wal.len());
    if found < expected && log_bytes == 0 {
        return Err(OpenError::Truncated { path: path.to_owned(), found, expected });
    }
    Ok(())
}

/// Bytes of the header of an SQLite file.
const HEADER_BYTES: usize = 100;

pub(crate) fn wal_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The name of a file that belongs to a database: SQLite appends to the whole name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether there was no room: for the database, for its log, or for the index that readers share.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        || code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

fn plain(error: OpenError, path: &Path) -> OpenError {
    use rusqlite::ErrorCode;
    let path = path.to_owned();
    match error {
        OpenError::Sqlite(e) if is_full(&e) => OpenError::Full,
        OpenError::Sqlite(e) => match e.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => OpenError::Closed { path },
            _ => OpenError::Sqlite(e),
        },
        other => other,
    }
}
