//! The only place of the measurements that reads a clock.

use std::time::{Duration, Instant};

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
}

/// Seconds of processor that a process has used, itself and in the system for it.
pub fn processor(process: u32) -> anyhow::Result<f64> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold anything, so counting starts behind it.
    let (_, fields) = line.rsplit_once(')').ok_or_else(|| anyhow::anyhow!("no stat"))?;
    let ticks = |n: usize| fields.split_whitespace().nth(n).and_then(|t| t.parse::<f64>().ok());
    let (user, system) = (ticks(11).unwrap_or_default(), ticks(12).unwrap_or_default());
    Ok((user + system) / TICKS_PER_SECOND)
}

/// What Linux counts processor time in, for every program on every machine that we know.
const TICKS_PER_SECOND: f64 = 100.0;
