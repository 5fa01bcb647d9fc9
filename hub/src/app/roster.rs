//! Whom this hub trusts: the root, the roster of hubs, and who was revoked.
//!
//! **Invariant:** a roster counts only by the root that is pinned here; a hub that starts without
//! one makes itself a root, and says so.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    certificate::HubRole,
    key::{PublicKey, SigningKey},
    revocation::SignedList,
    roster::{HubEntry, Roster, SignedRoster},
    time::UnixMs,
    trust::Trust,
};
use kirana_migrations::StoreError;
use serde::{Deserialize, Serialize};

use super::{Error, Hub, lock};
use crate::{
    clock::{Rng, draw},
    config::Role,
};

/// How old the trust in memory may be, in milliseconds: another process may have changed it.
const CACHED_MS: u64 = 5_000;
const ROOT: &str = "root";
const ROSTER: &str = "roster";
const OWN_ROOT: &str = "own root";

/// Trust as it was read a moment ago, with the signed bytes that it was made from.
pub(super) struct Cached {
    read_at: UnixMs,
    signed: Signed,
    trust: Trust,
}

/// The root with its roster, and the revocation lists, as they are stored.
#[derive(PartialEq)]
struct Signed {
    pinned: Option<(PublicKey, Vec<u8>)>,
    lists: Vec<Vec<u8>>,
}

impl Signed {
    fn verified(&self) -> Result<Trust, StoreError> {
        let mut trust = Trust::new();
        if let Some((root, roster)) = &self.pinned {
            trust.set_root(*root);
            trust.admit_roster(roster).map_err(|_| StoreError::damaged("the", "roster"))?;
        }
        for list in &self.lists {
            // A list by somebody who is no longer on the roster stays without effect.
            let _ = trust.admit_list(list);
        }
        Ok(trust)
    }
}

/// A roster with the key that signed it: what `GET /v1/hubs` answers and a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The root's public key, in hexadecimal digits.
    pub root: String,
    /// The signed roster (COSE_Sign1), in base64url.
    pub roster: String,
}

/// Why a roster was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTrusted {
    /// It does not hold what it should.
    #[error("this is no roster of hubs with its root key")]
    Unreadable,
    /// It is by another root than the one this hub has.
    #[error("the roster is by another root than the one pinned here ({pinned})")]
    OtherRoot {
        /// The pinned root.
        pinned: Box<PublicKey>,
    },
    /// The signature does not fit.
    #[error(transparent)]
    Bad(#[from] kirana_core::roster::BadRoster),
    /// It could not be stored.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Published {
    /// A signed roster, as it is handed around.
    pub fn new(root: &PublicKey, signed: &SignedRoster) -> Self {
        let roster = URL_SAFE_NO_PAD.encode(signed.bytes());
        Self { root: root.to_string(), roster }
    }

    /// The root and the bytes, not checked yet.
    ///
    /// # Errors
    /// [`NotTrusted::Unreadable`].
    pub fn parts(&self) -> Result<(PublicKey, Vec<u8>), NotTrusted> {
        let root = self.root.parse().map_err(|_| NotTrusted::Unreadable)?;
        let bytes = URL_SAFE_NO_PAD.decode(&self.roster).map_err(|_| NotTrusted::Unreadable)?;
        Ok((root, bytes))
    }
}

impl Hub {
    /// Whom this hub trusts, as of now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trust(&self, now: UnixMs) -> Result<Trust, Error> {
        if let Some(cached) = &*lock(&self.0.trust)
            && now >= cached.read_at
            && now.since(cached.read_at) < CACHED_MS
        {
            return Ok(cached.trust.clone());
        }
        let signed = Signed { pinned: self.pinned().await?, lists: self.store().lists().await? };
        if let Some(cached) = &mut *lock(&self.0.trust)
            && cached.signed == signed
        {
            cached.read_at = now;
            return Ok(cached.trust.clone());
        }
        let trust = signed.verified()?;
        *lock(&self.0.trust) = Some(Cached { read_at: now, signed, trust: trust.clone() });
        Ok(trust)
    }

    /// The roster with its root, if this hub has one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn published_roster(&self) -> Result<Option<Published>, Error> {
        let pinned = self.pinned().await?;
        Ok(pinned.map(|(root, bytes)| Published {
            root: root.to_string(),
            roster: URL_SAFE_NO_PAD.encode(bytes),
        }))
    }

    /// Takes a roster: the first pins its root, later ones must be by the same and be newer.
    ///
    /// # Errors
    /// [`NotTrusted`] says why it does not count.
    pub async fn trust_roster(&self, given: &Published) -> Result<bool, NotTrusted> {
        let (root, bytes) = given.parts()?;
        let signed = SignedRoster::verify(&bytes, &root)?;
        if let Some((pinned, there)) = self.pinned().await? {
            if pinned != root {
                return Err(NotTrusted::OtherRoot { pinned: Box::new(pinned) });
            }
            let there = SignedRoster::verify(&there, &pinned)?;
            if there.roster().number >= signed.roster().number {
                return Ok(false);
            }
        }
        self.pin(&root, &bytes).await?;
        Ok(true)
    }

    /// Makes this hub a root with itself on the roster, unless it has one; tells whether it did.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn ensure_roster(&self, now: UnixMs, rng: Rng<'_>) -> Result<bool, Error> {
        if self.settings().role != Role::Central {
            return Ok(false);
        }
        let fresh = self.pinned().await?.is_none();
        if fresh {
            let root = SigningKey::from_seed(draw(rng));
            let sealed = self.secrets().seal(OWN_ROOT.as_bytes(), &root.to_seed(), draw(rng));
            self.store().set(OWN_ROOT, sealed).await?;
            self.sign_own_roster(&root, 1, now).await?;
        } else {
            self.renew_own_roster(now).await?;
        }
        self.publish_revocations(now).await?;
        Ok(fresh)
    }

    /// A root that this hub made itself signs anew when the hub's addresses have changed.
    async fn renew_own_roster(&self, now: UnixMs) -> Result<(), Error> {
        let Some(sealed) = self.store().setting(OWN_ROOT).await? else { return Ok(()) };
        let seed = self.secrets().open(OWN_ROOT.as_bytes(), &sealed);
        let seed = seed.and_then(|seed| seed.try_into().ok());
        let root = SigningKey::from_seed(
            seed.ok_or_else(|| StoreError::damaged("the hub's own", "root"))?,
        );
        let trust = self.trust(now).await?;
        match trust.roster().map(SignedRoster::roster) {
            Some(roster) if trust.root() == Some(root.public()) => {
                if roster.hub(self.keys().id()) == Some(&self.entry()) {
                    return Ok(());
                }
                self.sign_own_roster(&root, roster.number + 1, now).await
            }
            _ => Ok(()),
        }
    }

    async fn sign_own_roster(
        &self,
        root: &SigningKey,
        number: u64,
        now: UnixMs,
    ) -> Result<(), Error> {
        let issued = self.known_now(now).await?.at;
        let signed = Roster { number, issued, hubs: vec![self.entry()] }.sign(root);
        self.pin(&root.public(), signed.bytes()).await
    }

    /// This hub, as a roster names it.
    pub fn entry(&self) -> HubEntry {
        let settings = self.settings();
        HubEntry {
            key: self.keys().signing.public(),
            sealing: self.keys().sealing.public(),
            role: match settings.role {
                Role::Central => HubRole::Central,
                Role::Community => HubRole::Community,
            },
            url: Some(settings.issuer.clone()),
            p2p: lock(&self.0.p2p).clone(),
        }
    }

    /// Signs the list of what this hub revoked, with a number that never goes back.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn publish_revocations(&self, now: UnixMs) -> Result<(), Error> {
        let issued = self.known_now(now).await?.at;
        self.store().next_revocation_list(self.signing().clone(), issued).await?;
        *lock(&self.0.trust) = None;
        Ok(())
    }

    /// Takes the lists that a caller brought, those that count here.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn admit_lists(&self, lists: &[impl AsRef<[u8]>], now: UnixMs) -> Result<(), Error> {
        let mut trust = self.trust(now).await?;
        for bytes in lists {
            if !matches!(trust.admit_list(bytes.as_ref()), Ok(true)) {
                continue;
            }
            let issuer = SignedList::claimed_issuer(bytes.as_ref());
            let Ok(issuer) = issuer else { continue };
            let Some(list) = trust.lists().find(|list| list.issuer() == issuer) else { continue };
            let (number, bytes) = (list.list().number, list.bytes().to_vec());
            self.store().keep_list(issuer, number, bytes).await?;
            *lock(&self.0.trust) = None;
        }
        Ok(())
    }

    async fn pinned(&self) -> Result<Option<(PublicKey, Vec<u8>)>, Error> {
        let root = self.store().setting(ROOT).await?;
        let (Some(root), Some(roster)) = (root, self.store().setting(ROSTER).await?) else {
            return Ok(None);
        };
        let root = <[u8; 32]>::try_from(root).ok().and_then(|b| PublicKey::from_bytes(&b).ok());
        let root = root.ok_or_else(|| StoreError::damaged("the", "root"))?;
        Ok(Some((root, roster)))
    }

    async fn pin(&self, root: &PublicKey, roster: &[u8]) -> Result<(), Error> {
        self.store().set(ROSTER, roster.to_vec()).await?;
        self.store().set(ROOT, root.as_bytes().to_vec()).await?;
        *lock(&self.0.trust) = None;
        Ok(())
    }
}
