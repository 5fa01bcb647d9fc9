//! The program's one clock and one source of randomness.
//!
//! **Invariant:** nothing else in this crate reads the time, waits for it, or draws random bytes;
//! everything in `app` takes them as arguments, so that the simulation can hand in its own.

use std::time::Duration;

use kirana_core::time::UnixMs;
use rand_core::{CryptoRng, UnwrapErr};

/// The operating system's randomness; the process ends if that fails, which is the safe answer.
pub type SystemRng = UnwrapErr<getrandom::SysRng>;

/// The operating system's randomness.
pub fn rng() -> SystemRng {
    UnwrapErr(getrandom::SysRng)
}

/// Draws `N` random bytes.
pub fn draw<const N: usize>(rng: &mut dyn CryptoRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Now, by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub fn now() -> UnixMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMs::new(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// Waits until `at`, or a little if that is past.
pub async fn until(at: UnixMs) {
    let wait_ms = at.since(now()).clamp(10, 60_000);
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
}
