//! Waits for a condition, with a deadline that names what never came true.

use std::time::Duration;

use anyhow::bail;

use crate::clock::{self, Stopwatch};

/// Long enough for a busy machine with two cores; a healthy one needs a fraction.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until `look` sees something, and hands it over.
///
/// # Errors
/// When [`PATIENCE`] ran out; the error names `what` and the last thing that went wrong on the way.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let watch = Stopwatch::start();
    loop {
        let last = match look().await {
            Ok(Some(seen)) => return Ok(seen),
            Ok(None) => String::from("it was not so yet"),
            Err(error) => format!("{error:#}"),
        };
        if watch.elapsed() > PATIENCE {
            bail!("waited {} s for: {what}. At the end: {last}", PATIENCE.as_secs());
        }
        clock::pause().await;
    }
}
