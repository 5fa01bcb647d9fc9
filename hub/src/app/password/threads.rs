//! The threads that hash passwords: as many as processors, beneath all else that the hub does.
//!
//! **Invariants:** never more than [`parallel`] hashes run at once and never more than
//! [`WAITING_MAX`] wait; nothing is hashed for somebody who went away; a thread outlives the work
//! that fails in it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use thread_priority::{ThreadPriority, set_current_thread_priority};
use tokio::sync::oneshot;

use super::{Busy, Memory};

/// How many may wait before the next is told to come back.
pub const WAITING_MAX: usize = 256;
/// Threads at most: each holds the memory of one hash.
const PARALLEL_MAX: usize = 8;
/// How long a thread that has nothing to do keeps its memory.
const MEMORY_KEPT: Duration = Duration::from_secs(10);

/// How many passwords are hashed at once: one on each processor.
pub fn parallel() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(PARALLEL_MAX)
}

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The way to the threads; they end when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Threads(SyncSender<Job>);

impl Threads {
    /// Starts them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..parallel() {
            let jobs = jobs.clone();
            let thread = std::thread::Builder::new().name(format!("hashing {n}"));
            thread.spawn(move || {
                step_back();
                work_through(&jobs);
            })?;
        }
        Ok(Self(queue))
    }

    /// Does `work` on one of them.
    ///
    /// # Errors
    /// [`Busy`] when too many wait, or the work failed.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce(&mut Memory) -> T + Send + 'static,
    {
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            if !reply.is_closed() {
                // Whoever went away meanwhile needs no answer.
                let _ = reply.send(work(memory));
            }
        });
        // Full, or nobody is left who would take it.
        self.0.try_send(job).map_err(|_| Busy)?;
        done.await.map_err(|_| Busy)
    }
}

/// Leaves the processor to whatever else wants it: beside a hash of the same priority a request
/// waits for milliseconds, whole turns of the scheduler. This is the lowest niceness and not the
/// idle class, which held requests up no less when it was measured, and in which a busy machine would
/// let nobody sign in.
fn step_back() {
    if let Err(error) = set_current_thread_priority(ThreadPriority::Min) {
        tracing::warn!(?error, "passwords are hashed at the priority of everything else");
    }
}

fn work_through(jobs: &Mutex<Receiver<Job>>) {
    let mut memory = Memory::default();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(MEMORY_KEPT);
        match next {
            Ok(job) => {
                if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
                    tracing::error!("the check of a password failed inside");
                }
            }
            Err(RecvTimeoutError::Timeout) => memory = Memory::default(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, future::BoxFuture, poll};
    use std::{pin::pin, sync::mpsc::channel};

    /// Work that tells when it began and ends when it is told to.
    struct Held {
        began: Receiver<()>,
        end: Vec<std::sync::mpsc::Sender<()>>,
        running: Vec<BoxFuture<'static, Result<(), Busy>>>,
    }

    /// Keeps all threads at work.
    async fn hold_all(threads: &Threads) -> Held {
        let (tell, began) = channel();
        let (mut end, mut running) = (Vec::new(), Vec::new());
        for _ in 0..parallel() {
            let (ender, ended) = channel::<()>();
            let (tell, threads) = (tell.clone(), threads.clone());
            let work = move |_: &mut Memory| {
                tell.send(()).expect("somebody waits");
                let _ = ended.recv();
            };
            running.push(Box::pin(async move { threads.run(work).await }) as _);
            end.push(ender);
        }
        for one in &mut running {
            assert!(poll!(one).is_pending());
        }
        let held = Held { began, end, running };
        (0..parallel()).for_each(|_| held.began.recv().expect("it began"));
        held
    }

    #[test]
    fn std_36_whoever_comes_when_too_many_wait_is_told_to_come_back() {
        let threads = Threads::start().expect("threads");
        block_on(async {
            let held = hold_all(&threads).await;
            let mut waiting: Vec<_> =
                (0..WAITING_MAX).map(|n| Box::pin(threads.run(move |_| n))).collect();
            for one in &mut waiting {
                assert!(poll!(one).is_pending());
            }
            assert_eq!(threads.run(|_| 0).await, Err(Busy));
            drop(held.end);
            for (n, one) in waiting.into_iter().enumerate() {
                assert_eq!(one.await, Ok(n), "whoever waited is served");
            }
            assert_eq!(threads.run(|_| 0).await, Ok(0), "and there is room again");
        });
    }

    #[test]
    fn nothing_is_hashed_for_somebody_who_went_away() {
        let threads = Threads::start().expect("threads");
        block_on(async {
            let held = hold_all(&threads).await;
            let (tell, told) = channel();
            {
                let mut gone = pin!(threads.run(move |_| tell.send(())));
                assert!(poll!(&mut gone).is_pending());
            }
            drop(held.end);
            for one in held.running {
                assert_eq!(one.await, Ok(()));
            }
            // The queue is served in its order, so what came before this was passed over.
            assert_eq!(threads.run(|_| 0).await, Ok(0));
            assert!(told.recv().is_err(), "it was never done, and thrown away");
        });
    }

    #[test]
    fn work_that_fails_takes_no_thread_with_it() {
        let threads = Threads::start().expect("threads");
        for _ in 0..3 * parallel() {
            let failed = block_on(threads.run(|_| -> u8 { panic!("planted") }));
            assert_eq!(failed, Err(Busy));
        }
        assert_eq!(block_on(threads.run(|_| 7)), Ok(7));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn hashing_yields_to_everything_else() {
        let threads = Threads::start().expect("threads");
        let niceness = block_on(threads.run(|_| {
            // Field 19 of stat(5), counted from the state, which is the third.
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("proc is there");
            let after_name = stat.rsplit_once(") ").expect("a name").1;
            after_name.split(' ').nth(19 - 3).map(str::to_owned)
        }));
        assert_eq!(niceness, Ok(Some("19".to_owned())));
    }
}
