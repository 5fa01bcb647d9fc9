//! Commits waiting jobs as one group, each in a savepoint of its own.
//!
//! **Invariant (P7):** a job's reply exists only after the COMMIT that holds its effect; when that
//! is not certain the answer is "unknown", never a refusal.

use std::{cell::RefCell, collections::BTreeSet, io::Write, ops::Deref, sync::atomic::Ordering};

use rusqlite::{Connection, ErrorCode};

use crate::{heads::Head, writer::Health};

/// Jobs that are committed together at most.
pub const GROUP_JOBS_MAX: usize = 32;

/// What a job writes through: the connection, inside a transaction.
pub struct Tx<'c> {
    connection: &'c Connection,
    heads: RefCell<Vec<Head>>,
    unindexed: RefCell<BTreeSet<i64>>,
}

impl Tx<'_> {
    /// Notes how far a chain has come; it goes to `heads.log` after the COMMIT.
    pub fn note_head(&self, head: Head) {
        self.heads.borrow_mut().push(head);
    }

    /// Notes a product row that the full-text index does not have as it is now.
    pub(crate) fn note_unindexed(&self, row: i64) {
        self.unindexed.borrow_mut().insert(row);
    }

    /// The rows that were noted in this job.
    pub(crate) fn take_unindexed(&self) -> BTreeSet<i64> {
        self.unindexed.take()
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// What goes wrong between a program and its stored data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the database refused: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored value cannot be what the program wrote.
    #[error("stored data is damaged: {what} {id}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// Which one.
        id: String,
    },
}

impl StoreError {
    /// A value that does not parse.
    pub fn damaged(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::Damaged { what, id: id.to_string() }
    }
}

/// How a job ends without effect.
#[derive(Debug)]
pub enum Abort<E> {
    /// The program says no; everything the job did is rolled back.
    Refused(E),
    /// The database failed.
    Store(StoreError),
}

impl<E> From<rusqlite::Error> for Abort<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl<E> From<StoreError> for Abort<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What the caller of a job is told when there is no result.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The program said no; nothing was changed.
    #[error("{0}")]
    Refused(E),
    /// The disk has no room; nothing was changed, and it may work once there is room again.
    #[error("the disk is full; nothing was changed; free some space")]
    Full,
    /// Too many jobs wait; nothing was changed.
    #[error("too many requests are waiting; try again")]
    Crowded,
    /// Whether it was done is not known: ask again with the same id.
    #[error("whether it was stored is unknown; ask again with the same id")]
    Unknown,
    /// The disk failed and nothing is written any more until a restart.
    #[error("the disk failed; nothing is stored any more until the program is started again")]
    Stopped,
    /// The database failed for this job alone; nothing was changed.
    #[error(transparent)]
    Store(StoreError),
}

impl<E> WriteError<E> {
    /// Rewords a refusal.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> WriteError<F> {
        match self {
            Self::Refused(e) => WriteError::Refused(f(e)),
            Self::Full => WriteError::Full,
            Self::Crowded => WriteError::Crowded,
            Self::Unknown => WriteError::Unknown,
            Self::Stopped => WriteError::Stopped,
            Self::Store(e) => WriteError::Store(e),
        }
    }
}

/// A fault that the simulation puts into the inline writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Power fails before the commit after so many more commits: nothing of it stays.
    CrashBeforeCommit(u32),
    /// Power fails after the commit after so many more commits, before anybody hears of it.
    CrashAfterCommit(u32),
}

/// A job without its types, so that different ones share a queue.
pub(crate) trait Member: Send {
    /// Does the job and keeps the result for the reply.
    fn run(&mut self, tx: &Tx<'_>) -> Ran;
    /// Tells the caller; with no ending, what the job itself said last.
    fn reply(self: Box<Self>, ending: Option<Ending>);
}

/// How a run of a job went, as far as the group must know.
pub(crate) enum Ran {
    Done,
    Refused,
    Failed { full: bool, io: bool },
}

/// What is told instead of the job's own result.
#[derive(Clone, Copy)]
pub(crate) enum Ending {
    Full,
    Unknown,
    Stopped,
}

/// The writing connection and its state.
pub(crate) struct Engine {
    pub(crate) connection: Connection,
    pub(crate) heads: crate::heads::Heads,
    pub(crate) health: std::sync::Arc<Health>,
    pub(crate) fault: Option<Fault>,
    pub(crate) suspect: Option<std::path::PathBuf>,
}

/// Why a group as a whole was not committed.
enum Lost {
    /// Rolled back for certain.
    Back { full: bool },
    /// Nobody knows.
    Unknown,
}

impl Engine {
    /// Runs and commits the jobs, with those that `more` brings until then, and replies to each.
    pub(crate) fn run(
        &mut self,
        mut members: Vec<Box<dyn Member>>,
        more: &mut dyn FnMut() -> Option<Box<dyn Member>>,
    ) {
        if self.health.stopped.load(Ordering::SeqCst) {
            return members.into_iter().for_each(|m| m.reply(Some(Ending::Stopped)));
        }
        match self.attempt(&mut members, more) {
            Ok(()) => members.into_iter().for_each(|m| m.reply(None)),
            Err(Lost::Unknown) => self.stop(members),
            Err(Lost::Back { full }) if members.len() == 1 => {
                self.health.full.store(full, Ordering::SeqCst);
                let ending = full.then_some(Ending::Full);
                members.into_iter().for_each(|m| m.reply(ending));
            }
            // One member filled the disk and SQLite rolled back all: each is tried alone, so
            // that nobody is refused for another's size.
            Err(Lost::Back { .. }) => {
                members.into_iter().for_each(|m| self.run(vec![m], &mut || None));
            }
        }
    }

    fn attempt(
        &mut self,
        members: &mut Vec<Box<dyn Member>>,
        more: &mut dyn FnMut() -> Option<Box<dyn Member>>,
    ) -> Result<(), Lost> {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        // A disk that fails here already is not asked again: nothing could be believed of it.
        begun.map_err(|e| {
            self.health.note(&format!("a transaction did not begin: {e}"));
            lost(&e)
        })?;
        let (heads, unindexed) = (RefCell::default(), RefCell::default());
        let tx = Tx { connection: &self.connection, heads, unindexed };
        let mut next = 0;
        loop {
            // Whoever came while the others ran need not wait for a sync of their own.
            if next == members.len() && members.len() < GROUP_JOBS_MAX {
                members.extend(more());
            }
            let Some(member) = members.get_mut(next) else { break };
            next += 1;
            if let Err(lost) = in_savepoint(&tx, member.as_mut()) {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                return Err(lost);
            }
        }
        let heads = tx.heads.into_inner();
        if self.crashes(|fault| matches!(fault, Fault::CrashBeforeCommit(_))) {
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(Lost::Unknown);
        }
        self.commit()?;
        // Not synced, and a failure here loses an anchor, not an order.
        if let Err(e) = self.heads.append(heads) {
            self.health.note(&format!("heads.log was not written: {e}"));
        }
        if self.crashes(|fault| matches!(fault, Fault::CrashAfterCommit(_))) {
            return Err(Lost::Unknown);
        }
        self.health.full.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Lost> {
        let Err(error) = self.connection.execute_batch("COMMIT") else { return Ok(()) };
        self.health.note(&format!("a commit failed: {error}"));
        let full = crate::opening::is_full(&error);
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
            if !is_io(&error) {
                return Err(Lost::Back { full });
            }
        }
        if full { Err(Lost::Back { full }) } else { Err(Lost::Unknown) }
    }

    /// After a failed sync the system's page cache lies: nothing may be acknowledged any more.
    fn stop(&mut self, members: Vec<Box<dyn Member>>) {
        // The marker first: whoever waits for the stop ends the program at once.
        if let Some(marker) = &self.suspect
            && let Err(e) = mark(marker)
        {
            self.health.note(&format!("{} was not written: {e}", marker.display()));
        }
        self.health.stop();
        members.into_iter().for_each(|m| m.reply(Some(Ending::Unknown)));
    }

    fn crashes(&mut self, kind: fn(Fault) -> bool) -> bool {
        match &mut self.fault {
            Some(fault) if kind(*fault) => {
                let (Fault::CrashBeforeCommit(left) | Fault::CrashAfterCommit(left)) = fault;
                if *left == 0 {
                    self.fault = None;
                    return true;
                }
                *left -= 1;
                false
            }
            _ => false,
        }
    }
}

/// Leaves a durable note that the database is to be copied before it is used again.
fn mark(marker: &std::path::Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(marker)?;
    file.write_all(b"a commit failed; the file is copied at the next start\n")?;
    file.sync_all()?;
    match marker.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn in_savepoint(tx: &Tx<'_>, member: &mut dyn Member) -> Result<(), Lost> {
    let heads_before = tx.heads.borrow().len();
    let sql = |text: &str| tx.connection.execute_batch(text).map_err(|e| lost(&e));
    sql("SAVEPOINT member")?;
    match member.run(tx) {
        Ran::Done => sql("RELEASE member"),
        Ran::Failed { full, io } if tx.connection.is_autocommit() || full || io => {
            if io {
                Err(Lost::Unknown)
            } else {
                Err(Lost::Back { full })
            }
        }
        Ran::Refused | Ran::Failed { .. } => {
            tx.heads.borrow_mut().truncate(heads_before);
            tx.unindexed.take();
            sql("ROLLBACK TO member; RELEASE member")
        }
    }
}

fn lost(error: &rusqlite::Error) -> Lost {
    if is_io(error) { Lost::Unknown } else { Lost::Back { full: crate::opening::is_full(error) } }
}

/// Whether the disk itself failed, so that what was synced before is in doubt.
pub(crate) fn is_io(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) && !crate::opening::is_full(error)
}
