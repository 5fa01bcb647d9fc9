//! What the hub does, whoever asks: people over HTTP, nodes over libp2p, the simulation directly.
//!
//! **Invariant:** this layer alone joins the store with core and sync; it takes time and
//! randomness as arguments, and with a store in memory it never waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kirana_core::{
    key::{KeyPair, SigningKey},
    policy::Policies,
    time::UnixMs,
};

use crate::{
    clock::{Rng, draw},
    config::Role,
    store::{Store, secrets::Secrets},
};

pub mod account;
pub mod administration;
pub mod authorize;
pub mod client;
pub mod console;
pub mod device;
pub mod directory;
pub mod email;
mod error;
pub mod export;
pub mod factor;
pub mod forward;
pub mod grant;
pub mod history;
pub mod hosted;
pub mod introspection;
pub mod key_sign_in;
pub mod letter;
pub mod notice;
pub mod overview;
pub mod passphrase;
pub mod password;
pub mod person;
pub mod pictures;
pub mod policy;
pub mod queue;
pub mod relay;
pub mod reset;
pub mod role;
pub mod roster;
mod seen;
pub mod session;
pub mod shelves;
pub mod shop;
pub mod throttle;
pub mod time;
pub mod token;
pub mod visitor;

pub use error::Error;
use password::Hasher;
use throttle::{Limits, Throttle};

/// What a hub goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is.
    pub role: Role,
    /// Its URL: the issuer of its tokens.
    pub issuer: String,
    /// Whether applicants are approved unasked.
    pub auto_approve: bool,
    /// How much guessing is allowed.
    pub limits: Limits,
    /// How long a token key is published before it signs, in milliseconds.
    pub key_lead_ms: u64,
    /// The zone that shops' hours are meant in, unless they say another.
    pub timezone: jiff::tz::TimeZone,
}

/// A hub; cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    store: Store,
    secrets: Secrets,
    hasher: Hasher,
    settings: Settings,
    keys: KeyPair,
    throttle: Mutex<Throttle>,
    token_keys: Mutex<Option<token::Cached>>,
    seen: Mutex<seen::Seen>,
    trust: Mutex<Option<roster::Cached>>,
    callers: relay::Callers,
    policies: Policies,
    p2p: Mutex<Vec<String>>,
    post: tokio::sync::Notify,
    erasing: tokio::sync::Notify,
    refusals: Mutex<Vec<crate::store::sign_in::Try>>,
    studio: shop::photo::Studio,
    nobody: person::Nobody,
    shelves: std::sync::OnceLock<crate::store::shelves::Shelves>,
    homes: std::sync::OnceLock<hosted::Homes>,
    fetching: pictures::Fetching,
}

const KEYS: &str = "keys";

impl Hub {
    /// Opens the hub upon its data; what it needs and does not have yet is made.
    ///
    /// # Errors
    /// When the database cannot be read or written, or its secrets are sealed under another key.
    pub async fn open(
        store: Store,
        secrets: Secrets,
        hasher: Hasher,
        settings: Settings,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Self, Error> {
        let keys = keys(&store, &secrets, rng).await?;
        let nobody = person::Nobody::new(&secrets, now, rng);
        let hub = Self(Arc::new(Inner {
            throttle: Mutex::new(Throttle::new(settings.limits)),
            store,
            secrets,
            hasher,
            settings,
            keys,
            token_keys: Mutex::default(),
            seen: Mutex::default(),
            trust: Mutex::default(),
            callers: relay::Callers::default(),
            policies: Policies::load().expect("a test checks the policies of this program"),
            p2p: Mutex::default(),
            post: tokio::sync::Notify::new(),
            erasing: tokio::sync::Notify::new(),
            refusals: Mutex::default(),
            studio: shop::photo::Studio::default(),
            nobody,
            shelves: std::sync::OnceLock::new(),
            homes: std::sync::OnceLock::new(),
            fetching: pictures::Fetching::default(),
        }));
        if hub.settings().role == Role::Central {
            hub.ensure_token_key(now, rng).await?;
        }
        Ok(hub)
    }

    /// The hub's own keys: its libp2p identity, and what its certificates are signed with.
    pub fn keys(&self) -> &KeyPair {
        &self.0.keys
    }

    /// What the hub goes by.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Where the data lies.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Its libp2p addresses, for the roster that a first start makes.
    pub fn set_p2p(&self, addresses: Vec<String>) {
        *lock(&self.0.p2p) = addresses;
    }

    fn policies(&self) -> &Policies {
        &self.0.policies
    }

    fn signing(&self) -> &SigningKey {
        &self.0.keys.signing
    }

    fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.0.throttle)
    }

    /// Whether this hub has accounts at all.
    fn central_only(&self) -> Result<(), Error> {
        match self.settings().role {
            Role::Central => Ok(()),
            Role::Community => Err(Error::NotServedHere),
        }
    }
}

/// A poisoned lock guards nothing but caches and counters, which stay usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keys(store: &Store, secrets: &Secrets, rng: Rng<'_>) -> Result<KeyPair, Error> {
    let fresh = KeyPair::from_seed(draw(rng)).to_seed();
    let sealed = secrets.seal(KEYS.as_bytes(), &fresh, draw(rng));
    let sealed = store.set_once(KEYS, sealed).await?;
    let seed = secrets.open(KEYS.as_bytes(), &sealed).and_then(|seed| seed.try_into().ok());
    match seed {
        Some(seed) => Ok(KeyPair::from_seed(seed)),
        None => Err(kirana_migrations::StoreError::damaged("the hub's", "keys").into()),
    }
}
