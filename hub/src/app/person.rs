//! What names one person, sealed under a key of that person alone.
//!
//! **Invariant:** the key stands in the account's row and nowhere else, so erasing the account
//! makes everything unreadable that was sealed under it, wherever it still lies.

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::StoreError;
use serde::{Deserialize, Serialize};

use super::{Error, Hub};
use crate::{
    clock::{Rng, draw},
    store::{account::Stored, secrets::Secrets},
};

/// What names a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// What the person signs in with.
    pub login: String,
    /// Where mail reaches the person.
    pub email: Option<String>,
    /// What to call the person.
    pub name: Option<String>,
    /// Whether the person showed that mail arrives there.
    #[serde(default)]
    pub email_verified: bool,
    /// Where the person is called.
    #[serde(default)]
    pub phone: Option<String>,
    /// What the person's programs remember of what they like.
    #[serde(default)]
    pub preferences: serde_json::Map<String, serde_json::Value>,
}

impl Personal {
    /// What a password must not be made of.
    pub fn words(&self) -> Vec<String> {
        let words = [Some(&self.login), self.email.as_ref(), self.name.as_ref()];
        words.into_iter().chain([self.phone.as_ref()]).flatten().cloned().collect()
    }
}

/// Seals and opens what is kept of one person.
pub struct Person {
    id: AccountId,
    secrets: Secrets,
}

impl Person {
    /// Seals the profile; `nonce` must be fresh.
    pub fn seal(&self, personal: &Personal, nonce: [u8; 12]) -> Vec<u8> {
        let plain = serde_json::to_vec(personal).expect("texts always make JSON");
        self.secrets.seal(self.id.as_bytes(), &plain, nonce)
    }

    /// Opens the profile.
    ///
    /// # Errors
    /// [`Error::Broken`] when it was sealed for somebody else, or changed.
    pub fn open(&self, sealed: &[u8]) -> Result<Personal, Error> {
        let plain = self.secrets.open(self.id.as_bytes(), sealed);
        let read = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        read.ok_or_else(|| StoreError::damaged("the account", self.id).into())
    }

    /// Seals and opens whatever else is kept of this person.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

impl Hub {
    /// The person of an account.
    ///
    /// # Errors
    /// [`Error::Broken`] when the key does not open.
    pub fn person(&self, stored: &Stored) -> Result<Person, Error> {
        self.person_of(stored.id, stored.person_key.as_deref())
    }

    /// An account of before these keys is sealed under the hub's.
    pub(super) fn person_of(&self, id: AccountId, key: Option<&[u8]>) -> Result<Person, Error> {
        let Some(key) = key else { return Ok(Person { id, secrets: self.secrets().clone() }) };
        let key = self.secrets().open(&place(id), key).and_then(|key| key.try_into().ok());
        let key: [u8; 32] = key.ok_or_else(|| StoreError::damaged("the key of the account", id))?;
        Ok(Person { id, secrets: Secrets::new(key) })
    }

    /// A fresh key, as it is stored.
    pub(super) fn new_person_key(&self, id: AccountId, rng: Rng<'_>) -> Vec<u8> {
        fresh_key(self.secrets(), id, rng)
    }

    /// What the person signs in with.
    pub(super) fn login_of(&self, stored: &Stored) -> Result<String, Error> {
        Ok(self.person(stored)?.open(&stored.personal)?.login)
    }
}

/// Somebody whom there is not. Who shows an unknown login is refused with the same work as who
/// shows a known one, and that takes an account.
pub(super) struct Nobody {
    pub(super) id: AccountId,
    pub(super) person_key: Vec<u8>,
}

impl Nobody {
    pub(super) fn new(secrets: &Secrets, now: UnixMs, rng: Rng<'_>) -> Self {
        let id = AccountId::new(now, draw(rng));
        Self { id, person_key: fresh_key(secrets, id, rng) }
    }
}

fn fresh_key(secrets: &Secrets, id: AccountId, rng: Rng<'_>) -> Vec<u8> {
    let key: [u8; 32] = draw(rng);
    secrets.seal(&place(id), &key, draw(rng))
}

fn place(id: AccountId) -> Vec<u8> {
    [b"person key ", &id.as_bytes()[..]].concat()
}
