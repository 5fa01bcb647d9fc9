//! The sign-in that this device keeps, so that its certificate is renewed before it ends.
//!
//! **Invariant (P4):** what opens the account lies encrypted, like names and addresses; it is
//! replaced by the commit before anything is done with what it was exchanged for.

use kirana_core::{
    certificate::{Standing, UnverifiedCertificate},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::StoreError;
use minicbor::bytes::ByteVec;
use serde::{Deserialize, Serialize};

use super::{Household, HouseholdError, write};
use crate::store::settings;

/// How old a certificate is when it is renewed, in milliseconds: sign-ins end after ninety days, and
/// a certificate counts for six months.
pub const RENEWED_AFTER_MS: u64 = 60 * DAY_MS;
/// How long a sign-in may rest, in milliseconds, before it is used to keep it.
pub const RESTS_MS: u64 = 14 * DAY_MS;

/// A sign-in at a hub.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The hub's address.
    pub url: String,
    /// Who signed in.
    pub login: String,
    /// Opens the account once more.
    pub refresh_token: String,
    /// For which program the hub gave it.
    pub client_id: String,
    /// By which the hub knows this device at the next sign-in; it opens nothing.
    pub device_token: Option<String>,
    /// When it was last used.
    pub used_at: UnixMs,
}

/// What a device is renewed with.
#[derive(Debug)]
pub struct Renewal {
    /// The sign-in that it keeps, if any.
    pub session: Option<Session>,
    /// The hub's address, as its neighbourhood's list tells it: there the device's own key opens
    /// the account.
    pub hub: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.url)
    }
}

impl Session {
    /// Whether it is to be used now, for a certificate that was issued then.
    pub fn is_due(&self, issued: UnixMs, now: UnixMs) -> bool {
        now.since(issued) >= RENEWED_AFTER_MS || now.since(self.used_at) >= RESTS_MS
    }
}

impl Household {
    /// The sign-in that this device keeps, if any.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn session(&self) -> Result<Option<Session>, HouseholdError> {
        let Some(sealed) = self.db.reader.read(|reader| settings::sealed(reader, SESSION))? else {
            return Ok(None);
        };
        let plain = self.disk.open(SESSION, &sealed);
        let read = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        Ok(Some(read.ok_or_else(|| StoreError::damaged("the sign-in", "of this device"))?))
    }

    /// Keeps a sign-in in the place of the one before.
    ///
    /// # Errors
    /// When nothing could be stored.
    pub fn keep_session(&self, session: &Session) -> Result<(), HouseholdError> {
        let plain = serde_json::to_vec(session).expect("texts always make JSON");
        let sealed = self.disk.seal(SESSION, &plain);
        write(&self.db, move |tx| Ok(settings::put_sealed(tx, SESSION, &sealed)?))
    }

    /// What this device is to be renewed with now: for a fresh certificate, or so that its sign-in
    /// does not end; `None` where nothing is due, or nobody vouches for this device.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn renewal_due(&self, now: UnixMs) -> Result<Option<Renewal>, HouseholdError> {
        let own = self.certificates();
        let leaf = UnverifiedCertificate::parse(own.first().ok_or(HouseholdError::NotMade)?)?;
        let leaf = leaf.claimed();
        if !matches!(leaf.standing, Standing::Device { .. }) {
            return Ok(None);
        }
        let session = self.session()?;
        let is_due = match &session {
            Some(session) => session.is_due(leaf.not_before, now),
            None => now.since(leaf.not_before) >= RENEWED_AFTER_MS,
        };
        let renewal = || Renewal { hub: self.vouching_hub(&own), session };
        Ok(is_due.then(renewal))
    }

    /// The address of the hub that certified this device, or the one that speaks for it.
    fn vouching_hub(&self, own: &[ByteVec]) -> Option<String> {
        let top = UnverifiedCertificate::parse(own.last()?).ok()?;
        let trust = self.trust();
        trust.roster()?.roster().hub(top.claimed().issuer)?.url.clone()
    }
}

const SESSION: &str = "session";
