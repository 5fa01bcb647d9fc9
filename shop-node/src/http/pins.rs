//! Where PINs are taken: from the shop's own network only, and a few at a time.
//!
//! **Invariant:** hashing never holds up more than [`AT_ONCE_MAX`] threads, so that a storm of wrong
//! PINs cannot starve the counter.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderName, StatusCode, header, request::Parts},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Door, problem::Problem};

/// PINs that are hashed at once.
pub const AT_ONCE_MAX: usize = 2;
/// PINs that wait for that; one more is told to come back.
pub const WAITING_MAX: usize = 32;

/// The queue for hashing PINs; cheap to clone.
#[derive(Clone)]
pub struct Queue {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Queue {
    fn default() -> Self {
        let places = |places| Arc::new(Semaphore::new(places));
        Self { running: places(AT_ONCE_MAX), waiting: places(AT_ONCE_MAX + WAITING_MAX) }
    }
}

impl Queue {
    /// Waits for a place; whoever holds it may hash.
    ///
    /// # Errors
    /// A problem when too many wait.
    pub async fn place(&self) -> Result<[OwnedSemaphorePermit; 2], Problem> {
        let busy = || {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the shop is busy; try again")
                .retry_after(1)
        };
        let queued = self.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| busy())?;
        Ok([queued, running])
    }
}

/// A request that came from the shop's own network, by no proxy that says so.
pub struct FromInside;

impl FromRequestParts<Door> for FromInside {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let passed_on = PASSED_ON.iter().any(|name| parts.headers.contains_key(name));
        match peer.is_some_and(|peer| is_inside(peer.to_canonical())) && !passed_on {
            true => Ok(Self),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "pin-inside-only",
                "a PIN counts only on the shop's own network",
            )),
        }
    }
}

const PASSED_ON: [HeaderName; 4] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// Loopback, private and link-local addresses (RFC 1918, 3927, 4193, 4291).
fn is_inside(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p6_only_addresses_of_the_shops_own_network_are_inside() {
        for inside in ["127.0.0.1", "192.168.1.7", "10.0.0.9", "169.254.3.3", "::1", "fe80::1"] {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "172.40.0.1", "100.64.0.1", "2001:db8::1", "0.0.0.0"] {
            assert!(!is_inside(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn one_pin_more_than_may_wait_is_told_to_come_back() {
        let queue = Queue::default();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE_MAX {
            held.push(queue.place().await.unwrap());
        }
        let waiting: Vec<_> =
            (0..WAITING_MAX).map(|_| queue.waiting.clone().try_acquire_owned().unwrap()).collect();
        assert_eq!(queue.place().await.unwrap_err().status, 503);
        drop((held, waiting));
        assert!(queue.place().await.is_ok());
    }
}
