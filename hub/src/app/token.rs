//! Signs and checks access tokens, and turns their keys over.
//!
//! **Invariant:** which key signs and which are published follows from the stored moments and the
//! clock alone, so that `keys rotate` works beside a running hub, and nothing has to fire in time.

use kirana_core::{
    hash::Hash,
    key::{PublicKey, SigningKey},
    time::UnixMs,
    token::{self, Claims, Door, IdClaims, TOKEN_LIFETIME_MS},
};
use kirana_migrations::StoreError;

use super::{Error, Hub, lock};
use crate::{
    clock::{Rng, draw},
    store::{audit::Act, token_key::Stored},
};

/// How old the keys in memory may be, in milliseconds.
const CACHED_MS: u64 = 2_000;
/// How long after its last signature a key stays published: as long as a token lasts, and a
/// margin for clocks that differ.
const KEPT_MS: u64 = TOKEN_LIFETIME_MS + 5 * 60_000;

/// Token keys as they were read a moment ago.
pub(super) struct Cached {
    read_at: UnixMs,
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    signing: SigningKey,
    signs_from: UnixMs,
}

impl Hub {
    /// The keys that tokens are verified with: those in use, the next one, and those whose tokens
    /// may still be valid.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn published_keys(&self, now: UnixMs) -> Result<Vec<PublicKey>, Error> {
        let keys = self.token_keys(now).await?;
        let signing = signing_at(&keys, now);
        let in_use = |n: usize| match keys.get(n + 1) {
            // It signed until its follower began.
            Some(next) if n < signing => next.signs_from.plus_ms(KEPT_MS) > now,
            _ => true,
        };
        let published = keys.iter().enumerate().filter(|(n, _)| in_use(*n));
        Ok(published.map(|(_, key)| key.signing.public()).collect())
    }

    /// Adds the key that will sign after the time it takes everybody to learn of it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn rotate_keys(&self, now: UnixMs, rng: Rng<'_>) -> Result<NextKey, Error> {
        self.central_only()?;
        let signs_from = now.plus_ms(self.settings().key_lead_ms);
        let (key, kid) = self.fresh_key(now, signs_from, rng);
        let act = Act {
            at: now,
            actor: "command line".to_owned(),
            action: "keys.rotate",
            subject: kid.clone(),
            outcome: "done",
        };
        self.store().add_token_key(key, now.minus_ms(KEPT_MS), act).await?;
        *lock(&self.0.token_keys) = None;
        Ok(NextKey { kid, signs_from })
    }

    pub(super) async fn ensure_token_key(&self, now: UnixMs, rng: Rng<'_>) -> Result<(), Error> {
        let (key, _) = self.fresh_key(now, now, rng);
        Ok(self.store().add_first_token_key(key).await?)
    }

    pub(super) async fn sign_token(&self, claims: &Claims, now: UnixMs) -> Result<String, Error> {
        Ok(token::issue(&self.signing_key(now).await?, claims))
    }

    pub(super) async fn sign_id(&self, claims: &IdClaims, now: UnixMs) -> Result<String, Error> {
        Ok(token::issue_id(&self.signing_key(now).await?, claims))
    }

    async fn signing_key(&self, now: UnixMs) -> Result<SigningKey, Error> {
        let keys = self.token_keys(now).await?;
        let key = keys.get(signing_at(&keys, now));
        Ok(key.ok_or_else(|| StoreError::damaged("the token", "keys"))?.signing.clone())
    }

    pub(super) async fn verify_token(&self, text: &str, now: UnixMs) -> Result<Claims, Error> {
        let digest = Hash::of(text.as_bytes());
        if let Some(genuine) = self.seen_token(&digest) {
            let granted = genuine.at(now).map_err(|_| Error::NotSignedIn)?;
            return Ok(granted.claims().clone());
        }
        let issuer = self.settings().issuer.clone();
        let keys = self.published_keys(now).await?;
        let door = Door { audience: issuer.clone(), issuer, keys };
        let genuine = door.read(text).map_err(|_| Error::NotSignedIn)?;
        let granted = genuine.at(now).map_err(|_| Error::NotSignedIn)?;
        self.remember_token(digest, genuine);
        Ok(granted.claims().clone())
    }

    fn fresh_key(&self, now: UnixMs, signs_from: UnixMs, rng: Rng<'_>) -> (Stored, String) {
        let key = SigningKey::from_seed(draw(rng));
        let kid = key.id().to_string();
        let stored = Stored {
            secret: self.secrets().seal(kid.as_bytes(), &key.to_seed(), draw(rng)),
            public: *key.public().as_bytes(),
            kid: kid.clone(),
            created_at: now,
            signs_from,
        };
        (stored, kid)
    }

    async fn token_keys(&self, now: UnixMs) -> Result<Vec<Key>, Error> {
        if let Some(cached) = &*lock(&self.0.token_keys)
            && now >= cached.read_at
            && now.since(cached.read_at) < CACHED_MS
        {
            return Ok(cached.keys.clone());
        }
        let mut keys = Vec::new();
        for stored in self.store().token_keys().await? {
            let seed = self.secrets().open(stored.kid.as_bytes(), &stored.secret);
            let seed = seed.and_then(|seed| seed.try_into().ok());
            let seed = seed.ok_or_else(|| StoreError::damaged("the token key", &stored.kid))?;
            let signing = SigningKey::from_seed(seed);
            keys.push(Key { signing, signs_from: stored.signs_from });
        }
        *lock(&self.0.token_keys) = Some(Cached { read_at: now, keys: keys.clone() });
        Ok(keys)
    }
}

/// The place of the key that signs: the last one whose time has come, else the first.
fn signing_at(keys: &[Key], now: UnixMs) -> usize {
    keys.iter().rposition(|key| key.signs_from <= now).unwrap_or(0)
}

/// A key that will sign soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextKey {
    /// Its name in the key set.
    pub kid: String,
    /// From when on it signs.
    pub signs_from: UnixMs,
}
