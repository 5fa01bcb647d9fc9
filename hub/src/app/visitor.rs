//! Who knocks: from where, with which program, and whether that device was here before.
//!
//! **Invariant:** what is kept of a device is the digest of a token that it was given when it
//! signed in; the token opens nothing, it only keeps the tries of its holder apart from a
//! stranger's at the same address.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::time::UnixMs;

use super::{Error, Hub, authorize::digest};
use crate::clock::{Rng, draw};

/// Somebody who is about to show a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The address that is throttled.
    pub from: IpAddr,
    /// What the device was given when it signed in before.
    pub device: Option<String>,
    /// What the program calls itself.
    pub agent: Option<String>,
}

impl From<IpAddr> for Visitor {
    /// Somebody who shows nothing.
    fn from(from: IpAddr) -> Self {
        Self { from, device: None, agent: None }
    }
}

impl Visitor {
    /// What is kept of the device's token.
    fn proof(&self) -> Option<[u8; 32]> {
        let device = self.device.as_deref().filter(|device| device.len() == DEVICE_TOKEN_CHARS)?;
        Some(digest("device", device))
    }
}

/// The length of 32 bytes in base64url.
const DEVICE_TOKEN_CHARS: usize = 43;

/// A device that just signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// What is kept of its token.
    pub(super) digest: [u8; 32],
    /// The token, where it is a new one that the device has to be given.
    pub fresh: Option<String>,
}

impl Device {
    /// One that was here before, or a new one.
    pub(super) fn of(known: Option<[u8; 32]>, rng: Rng<'_>) -> Self {
        match known {
            Some(digest) => Self { digest, fresh: None },
            None => {
                let token = URL_SAFE_NO_PAD.encode(draw::<32>(rng));
                Self { digest: digest("device", &token), fresh: Some(token) }
            }
        }
    }
}

impl Hub {
    /// Counts a try at an account: among those of its device, where it shows that it signed in
    /// there before, else among those of its address. Gives the device that was known.
    ///
    /// # Errors
    /// [`Error::Throttled`] when there were too many.
    pub(super) async fn count_try(
        &self,
        login: &str,
        visitor: &Visitor,
        now: UnixMs,
    ) -> Result<Option<[u8; 32]>, Error> {
        let account = self.secrets().digest("login", login);
        if let Some(proof) = self.known_device(account, visitor).await? {
            self.throttle().guess_with(proof, now)?;
            return Ok(Some(proof));
        }
        let mut throttle = self.throttle();
        throttle.attempt(visitor.from, now)?;
        throttle.guess(login, visitor.from, now)?;
        Ok(None)
    }

    /// What is kept of the visitor's device, where it signed in before at the account with this
    /// digest of its login.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) async fn known_device(
        &self,
        account: [u8; 32],
        visitor: &Visitor,
    ) -> Result<Option<[u8; 32]>, Error> {
        let Some(proof) = visitor.proof() else { return Ok(None) };
        let is_known = self.store().is_known_device(account, proof).await?;
        Ok(is_known.then_some(proof))
    }

    /// The password was right after all.
    pub(super) fn forget_tries(&self, login: &str, visitor: &Visitor, known: Option<[u8; 32]>) {
        match known {
            Some(proof) => self.throttle().succeeded_with(proof),
            None => self.throttle().succeeded(login, visitor.from),
        }
    }
}
