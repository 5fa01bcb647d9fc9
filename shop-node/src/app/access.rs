//! Who stands at the shop's door: sign-in by certificate, tokens, and what the policies allow.
//!
//! **Invariants (P6):** a token of a hub or of another shop opens nothing here; a certificate that
//! was revoked meanwhile closes the door at once, also for a token that has not ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use kirana_core::{
    certificate::{StaffRole, Standing},
    challenge::{self, Nonce},
    hash::Hash,
    id::ShopId,
    key::{KeyId, KeyPair},
    policy::{Action, BadPolicies, Policies, Principal, Resource, Role},
    statement::Party,
    time::UnixMs,
    token::{self, Claims, TOKEN_LIFETIME_MS},
    trust::Certified,
};
use kirana_migrations::{Abort, StoreError, WriteError};
use rand_core::CryptoRng;

use super::{
    Shop, Undeliverable,
    refusal::NotStored,
    staff::{Member, NotStaffed},
};
use crate::store::known;

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// For the policies.
    pub principal: Principal,
    /// The key of the device, written beside whatever it does.
    pub device: KeyId,
}

/// A fresh access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// RFC 9068.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// The key that it was given to.
    pub device: KeyId,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The token does not count here.
    #[error(transparent)]
    Token(#[from] token::Refused),
    /// The token names nobody that a shop knows.
    #[error("the token names nobody that this shop knows")]
    Nobody,
    /// The certificates do not count here, or no longer.
    #[error(transparent)]
    Distrust(#[from] kirana_core::trust::Distrust),
    /// The answer to the nonce does not hold.
    #[error(transparent)]
    Unproven(#[from] challenge::Unproven),
    /// The answer was shown before.
    #[error("this answer was used before: ask for another nonce")]
    Again,
    /// Somebody could not be certified.
    #[error(transparent)]
    NotStaffed(#[from] NotStaffed),
    /// The policies say no.
    #[error("this is not for you to do")]
    Forbidden,
    /// The owner's key is not on this box.
    #[error("the owner's key is not on this box")]
    NoOwner,
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Undeliverable> for Closed {
    fn from(why: Undeliverable) -> Self {
        match why {
            Undeliverable::Distrust(distrust) => distrust.into(),
            Undeliverable::NotStored(not_stored) => not_stored.into(),
            Undeliverable::Store(error) => error.into(),
            _ => Self::Nobody,
        }
    }
}

impl From<WriteError<Self>> for Closed {
    fn from(error: WriteError<Self>) -> Self {
        match NotStored::of(error) {
            Ok(not_stored) => not_stored.into(),
            Err(Abort::Refused(refusal)) => refusal,
            Err(Abort::Store(error)) => error.into(),
        }
    }
}

/// The shop's door; cheap to clone.
#[derive(Clone)]
pub struct Access {
    shop: Shop,
    policies: Arc<Policies>,
    tokens: Arc<token::Door>,
    challenges: Arc<challenge::Door>,
    /// Tokens whose signatures held, by the digest of the whole token.
    genuine: Arc<Mutex<BTreeMap<Hash, Arc<token::Genuine>>>>,
    /// Devices whose certificates held at a revision of the trust, until some moment.
    seen: Arc<Mutex<BTreeMap<KeyId, (u64, UnixMs)>>>,
}

/// Tokens that are remembered as genuine; beyond that all are forgotten.
const GENUINE_MAX: usize = 4096;
/// Devices that are remembered as checked; beyond that they are checked again each time.
const SEEN_MAX: usize = 4096;
/// How long a checked certificate is not looked at again, in milliseconds.
const SEEN_MS: u64 = 60_000;

impl Access {
    /// A door for an open shop; `secret` is 32 random bytes, new at every start.
    ///
    /// # Errors
    /// When the program's own policies do not parse.
    pub fn new(shop: Shop, secret: [u8; 32]) -> Result<Self, BadPolicies> {
        let issuer = issuer(shop.id());
        let keys = vec![shop.keys().node.signing.public()];
        let tokens = token::Door { issuer: issuer.clone(), audience: issuer.clone(), keys };
        Ok(Self {
            policies: Arc::new(Policies::load()?),
            tokens: Arc::new(tokens),
            challenges: Arc::new(challenge::Door::new(secret, issuer)),
            genuine: Arc::default(),
            seen: Arc::default(),
            shop,
        })
    }

    /// The shop behind the door.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// The name that visitors sign together with the nonce.
    pub fn audience(&self) -> &str {
        self.challenges.audience()
    }

    /// Something fresh to sign.
    pub fn nonce(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Nonce {
        self.challenges.nonce(now, rng)
    }

    /// Opens a session for the holder of a certificate who signed a nonce of this door.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn sign_in(
        &self,
        chain: Vec<Vec<u8>>,
        answer: &[u8],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Session, Closed> {
        let holder = self.shop.trust()?.check(&chain, self.shop.known_now(now)?)?;
        let nonce = self.challenges.check(answer, holder.key(), now)?;
        let (subject, roles) = subject_of(&holder).ok_or(Closed::Nobody)?;
        let device = holder.key().id();
        self.shop.writer().write(move |tx| -> Result<(), Abort<Closed>> {
            if !known::use_nonce(tx, &nonce, now)? {
                return Err(Abort::Refused(Closed::Again));
            }
            Ok(known::put_chain(tx, device, &chain, now)?)
        })?;
        Ok(self.session(subject, roles, device, now, rng))
    }

    /// A session for whoever holds the box itself: the owner at the command line.
    ///
    /// # Errors
    /// [`Closed::NoOwner`] when the owner's key lives elsewhere.
    pub fn owner_session(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<Session, Closed> {
        let owner = self.shop.keys().owner.as_ref().ok_or(Closed::NoOwner)?;
        let subject = format!("owner:{}", owner.id());
        Ok(self.session(subject, BTreeSet::from([Role::Owner]), owner.id(), now, rng))
    }

    /// Certifies a fresh key for somebody who works here and opens a session for it.
    ///
    /// # Errors
    /// [`Closed::NoOwner`], or when nothing could be stored.
    pub fn staff_session(
        &self,
        role: StaffRole,
        label: String,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Session, Closed> {
        let mut seed = [0; 64];
        rng.fill_bytes(&mut seed);
        let keys = KeyPair::from_seed(seed);
        let (key, sealing) = (keys.signing.public(), keys.sealing.public());
        let chain = self.shop.add_staff(Member { key, sealing, role, label }, now, rng)?;
        let holder = self.shop.trust()?.check(&chain, self.shop.known_now(now)?)?;
        let (subject, roles) = subject_of(&holder).ok_or(Closed::Nobody)?;
        Ok(self.session(subject, roles, keys.id(), now, rng))
    }

    fn session(
        &self,
        subject: String,
        roles: BTreeSet<Role>,
        device: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Session {
        let mut number = [0; 16];
        rng.fill_bytes(&mut number);
        let claims = Claims {
            iss: self.tokens.issuer.clone(),
            sub: subject,
            aud: self.tokens.audience.clone(),
            exp: now.plus_ms(TOKEN_LIFETIME_MS).seconds(),
            iat: now.seconds(),
            jti: number.iter().map(|byte| format!("{byte:02x}")).collect(),
            client_id: device.to_string(),
            scope: "shop".to_owned(),
            roles: roles.iter().map(|role| role.label().to_owned()).collect(),
            sid: None,
        };
        let access_token = token::issue(&self.shop.keys().node.signing, &claims);
        Session { access_token, expires_in: TOKEN_LIFETIME_MS / 1000, device }
    }

    /// Whom a token stands for, if it still counts.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn visitor(&self, token: &str, now: UnixMs) -> Result<Visitor, Closed> {
        let granted = self.genuine(token)?.at(now)?;
        let claims = granted.claims();
        let device: KeyId = claims.client_id.parse().map_err(|_| Closed::Nobody)?;
        let mut principal = match claims.sub.split_once(':') {
            Some(("account", id)) => {
                Principal::customer(Party::Account(id.parse().map_err(|_| Closed::Nobody)?))
            }
            Some(("guest", key)) => {
                Principal::customer(Party::Guest(key.parse().map_err(|_| Closed::Nobody)?))
            }
            Some(("owner" | "staff", _)) => Principal::nobody(),
            _ => return Err(Closed::Nobody),
        };
        principal.device = Some(device);
        if principal.party.is_none() {
            principal.shops.insert(self.shop.id());
            principal.roles = claims.roles.iter().filter_map(|r| Role::from_label(r)).collect();
        }
        if !claims.sub.starts_with("owner:") {
            self.still_certified(device, now)?;
        }
        Ok(Visitor { principal, device })
    }

    /// A token that this box signed, whatever the time: what of it stays true is checked once.
    fn genuine(&self, token: &str) -> Result<Arc<token::Genuine>, Closed> {
        let name = Hash::of(token.as_bytes());
        let held = self.genuine.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(genuine) = held {
            return Ok(genuine);
        }
        let genuine = Arc::new(self.tokens.read(token)?);
        let mut held = self.genuine.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= GENUINE_MAX {
            held.clear();
        }
        held.insert(name, genuine.clone());
        Ok(genuine)
    }

    fn still_certified(&self, device: KeyId, now: UnixMs) -> Result<(), Closed> {
        let (revision, _) = self.shop.trust_and_revision()?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&device).is_some_and(|(at, until)| *at == revision && now < *until) {
            return Ok(());
        }
        self.shop.known_device(device, now)?.ok_or(Closed::Nobody)?;
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(device, (revision, now.plus_ms(SEEN_MS)));
        Ok(())
    }

    /// Asks the policies.
    ///
    /// # Errors
    /// [`Closed::Forbidden`].
    pub fn allow(
        &self,
        visitor: &Visitor,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Closed> {
        match self.policies.is_allowed(&visitor.principal, action, resource) {
            true => Ok(()),
            false => {
                tracing::info!(action = action.label(), "a visitor was refused by the policies");
                Err(Closed::Forbidden)
            }
        }
    }

    /// The shop as the thing that is asked for.
    pub fn here(&self) -> Resource {
        Resource::Shop(self.shop.id())
    }
}

/// Whom a certificate stands for at a shop's door.
fn subject_of(holder: &Certified) -> Option<(String, BTreeSet<Role>)> {
    let customer = BTreeSet::from([Role::Customer]);
    match (holder.standing(), holder.party()) {
        (Standing::Staff { role, .. }, _) => {
            let role = match role {
                StaffRole::Courier => Role::Courier,
                StaffRole::Staff => Role::Staff,
                StaffRole::Owner => Role::Owner,
            };
            Some((format!("staff:{}", holder.key().id()), BTreeSet::from([role])))
        }
        (_, Some(Party::Account(id))) => Some((format!("account:{id}"), customer)),
        (_, Some(Party::Guest(key))) => Some((format!("guest:{key}"), customer)),
        _ => None,
    }
}

/// The name of a shop as the issuer of its tokens: the same on every box and at every address.
pub fn issuer(shop: ShopId) -> String {
    format!("urn:kirana:shop:{shop}")
}
