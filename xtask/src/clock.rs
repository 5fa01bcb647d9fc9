//! The only place of this tool that reads a clock or waits.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kirana_core::time::UnixMs;

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "the one clock of this program")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// How long it has been running, in whole milliseconds.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What this machine's clock says.
#[expect(clippy::disallowed_methods, reason = "the one clock of this program")]
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Rests before a condition is looked at again; conditions are awaited, times never.
pub async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

const PAUSE: Duration = Duration::from_millis(100);
