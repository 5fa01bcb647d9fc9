//! Reads a database through a few connections of its own, or between two groups in the simulation.
//!
//! **Invariant:** no more connections are open at once than there are processors and three, but for a
//! thread that reads while it reads: it would wait for itself.

use std::{
    cell::Cell,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use rusqlite::Connection;

use crate::{StoreError, group::Engine, opening, writer::lock};

/// Reads only; cheap to clone.
#[derive(Clone)]
pub struct Reader {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Pool(Arc<Pool>),
    Inline(Arc<Mutex<Engine>>),
}

/// Connections to one file.
struct Pool {
    path: PathBuf,
    /// Connections that are open at most. Opening one reads the whole schema, which takes longer than
    /// most reads, and each keeps pages of its own, so those who come later wait for one instead.
    open_max: usize,
    kept: Mutex<Kept>,
    given_back: Condvar,
    /// Notices commits.
    watcher: Mutex<Option<Connection>>,
}

#[derive(Default)]
struct Kept {
    idle: Vec<Connection>,
    /// Open ones, idle or in use.
    open: usize,
}

impl Reader {
    pub(crate) fn pool(path: PathBuf) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Pool {
            path,
            open_max: processors + 3,
            kept: Mutex::default(),
            given_back: Condvar::new(),
            watcher: Mutex::default(),
        };
        Self { form: Form::Pool(Arc::new(pool)) }
    }

    pub(crate) fn inline(engine: Arc<Mutex<Engine>>) -> Self {
        Self { form: Form::Inline(engine) }
    }

    /// Runs `look` upon one unchanging state of the database.
    ///
    /// # Errors
    /// What `look` returns, or that no connection could be had.
    pub fn read<T, E>(&self, look: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        match &self.form {
            Form::Inline(engine) => look(&lock(engine).connection),
            Form::Pool(pool) => {
                let lent = pool.lend().map_err(StoreError::from)?;
                snapshot(lent.connection(), look)
            }
        }
    }
}

impl Reader {
    /// A number that is another one after each commit to the file, by whatever process; `None` where
    /// there is no file. What was read under one number is still so while the number is the same,
    /// for as long as this reader and its clones live.
    ///
    /// # Errors
    /// When no connection could be had.
    pub fn version(&self) -> Result<Option<i64>, StoreError> {
        let Form::Pool(pool) = &self.form else { return Ok(None) };
        // The number counts what other connections committed, and differs between connections: so
        // one asks, which never writes.
        let mut watcher = pool.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *watcher {
            Some(connection) => connection,
            none => none.insert(opening::reading(&pool.path)?),
        };
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        Ok(Some(statement.query_row([], |row| row.get(0))?))
    }
}

impl Pool {
    fn lend(self: &Arc<Self>) -> rusqlite::Result<Lent> {
        let nested = READS.with(Cell::get) > 0;
        let mut kept = self.lock();
        while kept.idle.is_empty() && kept.open >= self.open_max && !nested {
            kept = self.given_back.wait(kept).unwrap_or_else(PoisonError::into_inner);
        }
        let connection = match kept.idle.pop() {
            Some(connection) => connection,
            None => {
                kept.open += 1;
                drop(kept);
                opening::reading(&self.path).inspect_err(|_| self.close())?
            }
        };
        READS.with(|reads| reads.set(reads.get() + 1));
        Ok(Lent { pool: self.clone(), connection: Some(connection) })
    }

    fn close(&self) {
        self.lock().open -= 1;
        self.given_back.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

thread_local! {
    /// Reads that this thread is in the middle of.
    static READS: Cell<u32> = const { Cell::new(0) };
}

/// A connection in use; it goes back when this is dropped, also by a panic.
struct Lent {
    pool: Arc<Pool>,
    connection: Option<Connection>,
}

impl Lent {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("it is given back when this is dropped, not before")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        READS.with(|reads| reads.set(reads.get() - 1));
        let mut kept = self.pool.lock();
        match self.connection.take() {
            Some(connection) if kept.open <= self.pool.open_max => kept.idle.push(connection),
            _ => kept.open -= 1,
        }
        drop(kept);
        self.pool.given_back.notify_one();
    }
}

fn snapshot<T, E: From<StoreError>>(
    connection: &Connection,
    look: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let begun = Snapshot::of(connection).map_err(StoreError::from)?;
    look(begun.0)
}

/// One state of the database, until this is dropped, also by a panic.
struct Snapshot<'c>(&'c Connection);

impl<'c> Snapshot<'c> {
    /// Both statements are kept prepared: many reads take hardly longer than to prepare one.
    fn of(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written, so how the transaction ends makes no difference.
        let ended = self.0.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
        debug_assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}
