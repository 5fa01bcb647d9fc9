//! The program's one clock and one source of randomness.
//!
//! **Invariant:** nothing else in the shop reads the time or draws random bytes; everything below
//! takes them as arguments, so that the simulation can hand in its own.

use kirana_core::time::UnixMs;
use rand_core::UnwrapErr;

/// The operating system's randomness; the process ends if that fails, which is the safe answer.
pub type SystemRng = UnwrapErr<getrandom::SysRng>;

/// Randomness as every use-case takes it.
pub type Rng<'a> = &'a mut (dyn rand_core::CryptoRng + Send);

/// The operating system's randomness.
pub fn rng() -> SystemRng {
    UnwrapErr(getrandom::SysRng)
}

/// Now, by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub fn now() -> UnixMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixMs::new(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// Draws `N` random bytes.
pub fn draw<const N: usize>(rng: Rng<'_>) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
