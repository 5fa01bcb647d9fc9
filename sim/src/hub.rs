//! The program of a hub: the shipped hub over its in-memory store, with argon2 at its least.

use futures::executor::block_on;
use kirana_core::{
    key::{KeyPair, PublicKey},
    time::UnixMs,
};
use kirana_hub::{
    app::{
        self, Error, Settings,
        password::{Cost, Hasher},
        roster::Published,
        throttle::Limits,
    },
    config::Role,
    store::{Store, secrets::Secrets},
};
use kirana_migrations::Database;
use kirana_sync::wire::{Request, Response};
use rand_chacha::ChaCha20Rng;

/// A running hub.
pub struct Hub {
    hub: app::Hub,
}

impl Hub {
    /// Starts on what the database holds, or makes a new hub in an empty one.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn start(
        database: Database,
        role: Role,
        secret: [u8; 32],
        now: UnixMs,
        rng: &mut ChaCha20Rng,
    ) -> Result<Self, Error> {
        let (store, secrets) = (Store::Sqlite(database), Secrets::new(secret));
        let hasher = Hasher::inline(Cost::SIMULATION);
        let hub = block_on(app::Hub::open(store, secrets, hasher, settings(role), now, rng))?;
        Ok(Self { hub })
    }

    /// The hub's keys.
    pub fn keys(&self) -> KeyPair {
        self.hub.keys().clone()
    }

    /// Takes the town's roster; says whether it was believed.
    pub fn trust(&self, roster: &Published) -> bool {
        block_on(self.hub.trust_roster(roster)).is_ok()
    }

    /// Answers a request.
    pub fn answer(&self, now: UnixMs, peer: &PublicKey, request: Request) -> Response {
        block_on(self.hub.answer(peer, request, now))
    }

    /// Takes a revocation list.
    pub fn admit_list(&self, list: &[u8], now: UnixMs) {
        // A full disk takes it later, from whoever calls next.
        let _ = block_on(self.hub.admit_lists(&[list], now));
    }

    /// Throws away what is past its time.
    pub fn sweep(&self, now: UnixMs) {
        // A full disk keeps what is past its time a little longer.
        let _ = block_on(self.hub.sweep(now));
    }
}

fn settings(role: Role) -> Settings {
    Settings {
        role,
        issuer: "http://hub.invalid".to_owned(),
        auto_approve: true,
        limits: Limits::default(),
        key_lead_ms: 30_000,
        timezone: jiff::tz::TimeZone::UTC,
    }
}
