//! Queues jobs for the one thread that writes a database, or runs them in place for the simulation.
//!
//! **Invariant:** both forms share the code that commits: see [`crate::group`].

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc::{Sender, SyncSender, TrySendError, sync_channel},
};

use tokio::sync::{oneshot, watch};

use crate::{
    Abort, Fault, StoreError, Tx, WriteError,
    catalogue::index,
    group::{Ending, Engine, Member, Ran, is_io},
    opening::is_full,
};

/// Jobs that may wait; one more is refused as [`WriteError::Crowded`].
pub const QUEUE_JOBS_MAX: usize = 1024;

/// Whether the disk takes what is written.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) full: AtomicBool,
    pub(crate) stopped: AtomicBool,
    notes: Mutex<Vec<String>>,
    stops: watch::Sender<bool>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            full: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            notes: Mutex::default(),
            stops: watch::Sender::new(false),
        }
    }
}

impl Health {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.stops.send_replace(true);
    }

    /// Keeps the last few sentences for the log.
    pub(crate) fn note(&self, sentence: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX {
            notes.push(sentence.to_owned());
        }
    }
}

const NOTES_MAX: usize = 32;

/// The only way to change a database; cheap to clone.
#[derive(Clone)]
pub struct Writer {
    form: Form,
    health: Arc<Health>,
}

#[derive(Clone)]
enum Form {
    Thread(SyncSender<Box<dyn Member>>),
    Inline(Arc<Mutex<Engine>>),
}

impl Writer {
    pub(crate) fn inline(engine: Arc<Mutex<Engine>>) -> Self {
        let health = lock(&engine).health.clone();
        Self { form: Form::Inline(engine), health }
    }

    /// Starts the thread; it ends when the last clone of the writer is dropped.
    pub(crate) fn thread(mut engine: Engine) -> std::io::Result<Self> {
        let health = engine.health.clone();
        let (sender, receiver) = sync_channel::<Box<dyn Member>>(QUEUE_JOBS_MAX);
        let ending = Ended(health.clone());
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
            let _ending = ending;
            while let Ok(first) = receiver.recv() {
                engine.run(vec![first], &mut || receiver.try_recv().ok());
            }
        })?;
        Ok(Self { form: Form::Thread(sender), health })
    }

    /// Does `job` in a transaction and waits until it is durable; may run it again after a
    /// rollback of its group, so it must have no effect but on the database.
    ///
    /// # Errors
    /// [`WriteError`], which says whether nothing was changed or nobody knows.
    pub fn write<T, E, F>(&self, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.queue(Call { job, result: None, reply: Reply::Blocking(sender) })?;
        receiver.recv().unwrap_or(Err(WriteError::Stopped))
    }

    /// [`Writer::write`] for async callers.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn write_async<T, E, F>(&self, job: F) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.queue(Call { job, result: None, reply: Reply::Async(sender) })?;
        receiver.await.unwrap_or(Err(WriteError::Stopped))
    }

    fn queue<T, E, F>(&self, call: Call<T, E, F>) -> Result<(), WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
    {
        match &self.form {
            Form::Inline(engine) => {
                lock(engine).run(vec![Box::new(call)], &mut || None);
                Ok(())
            }
            Form::Thread(sender) => sender.try_send(Box::new(call)).map_err(|e| match e {
                TrySendError::Full(_) => WriteError::Crowded,
                TrySendError::Disconnected(_) => WriteError::Stopped,
            }),
        }
    }

    /// Whether the last thing written found the disk full; the next success heals it.
    pub fn is_full(&self) -> bool {
        self.health.full.load(Ordering::SeqCst)
    }

    /// Whether the disk failed, so that nothing is written until a restart.
    pub fn is_stopped(&self) -> bool {
        self.health.stopped.load(Ordering::SeqCst)
    }

    /// Waits until the disk fails; a server then ends, for a restart copies the database first.
    pub async fn stopped(&self) {
        let mut stops = self.health.stops.subscribe();
        let _ = stops.wait_for(|stopped| *stopped).await;
    }

    /// Takes the sentences about the disk that were not logged yet.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.health.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a fault into the inline form; the threaded one has real disks for that.
    pub fn inject(&self, fault: Option<Fault>) {
        if let Form::Inline(engine) = &self.form {
            lock(engine).fault = fault;
        }
    }

    /// Fills the disk of the inline form, or frees it: the database cannot grow while full.
    ///
    /// # Errors
    /// When SQLite refuses the limit.
    pub fn fill_disk(&self, full: bool) -> Result<(), StoreError> {
        if let Form::Inline(engine) = &self.form {
            let pages: i64 = if full { 1 } else { PAGES_MAX };
            let engine = lock(engine);
            engine
                .connection
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        Ok(())
    }
}

/// SQLite's own limit.
const PAGES_MAX: i64 = 4_294_967_294;

pub(crate) fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells everybody when the writing thread ends, for whatever reason.
struct Ended(Arc<Health>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.stop();
    }
}

struct Call<T, E, F> {
    job: F,
    result: Option<Result<T, WriteError<E>>>,
    reply: Reply<T, E>,
}

enum Reply<T, E> {
    Blocking(Sender<Result<T, WriteError<E>>>),
    Async(oneshot::Sender<Result<T, WriteError<E>>>),
}

impl<T, E, F> Member for Call<T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnMut(&Tx<'_>) -> Result<T, Abort<E>> + Send + 'static,
{
    fn run(&mut self, tx: &Tx<'_>) -> Ran {
        let indexed = |value| index::settle(tx).map(|()| value).map_err(Abort::Store);
        let (result, ran) = match (self.job)(tx).and_then(indexed) {
            Ok(value) => (Ok(value), Ran::Done),
            Err(Abort::Refused(refusal)) => (Err(WriteError::Refused(refusal)), Ran::Refused),
            Err(Abort::Store(error)) => {
                let (full, io) = match &error {
                    StoreError::Sqlite(e) => (is_full(e), is_io(e)),
                    StoreError::Damaged { .. } => (false, false),
                };
                (Err(WriteError::Store(error)), Ran::Failed { full, io })
            }
        };
        self.result = Some(result);
        ran
    }

    fn reply(self: Box<Self>, ending: Option<Ending>) {
        let result = match ending {
            None => self.result.unwrap_or(Err(WriteError::Unknown)),
            Some(Ending::Full) => Err(WriteError::Full),
            Some(Ending::Unknown) => Err(WriteError::Unknown),
            Some(Ending::Stopped) => Err(WriteError::Stopped),
        };
        // A caller that went away will ask again with the same id.
        match self.reply {
            Reply::Blocking(sender) => drop(sender.send(result)),
            Reply::Async(sender) => drop(sender.send(result)),
        }
    }
}
