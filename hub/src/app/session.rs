//! Signing in, staying signed in, and signing out.
//!
//! **Invariant:** a refresh token works once; who shows a used one ends the session for everybody
//! who holds a token of it, except for a repeated try, which gets the answer that it missed.

use std::net::{IpAddr, Ipv4Addr};

use kirana_core::{
    hash::Hash,
    id::AccountId,
    key::KeyId,
    time::UnixMs,
    token::{Claims, TOKEN_LIFETIME_MS},
};
use serde::{Deserialize, Serialize};

use super::{
    Error, Hub,
    account::login,
    authorize::BROWSER_MS,
    history::Outcome,
    introspection::Standing,
    password::Password,
    policy::{Action, Actor},
    role::{self, Scope, Scopes, roles_from_text, scopes_from_text, scopes_of, scopes_to_text},
    visitor::{Device, Visitor},
};
use crate::{
    clock::{Rng, draw},
    store::{
        account::Stored,
        place::Place,
        secrets::{open_once, seal_once},
        session::{Rotated, Rotation, Session, SessionId},
    },
};

/// How long a session lasts at most, whatever is refreshed: 90 days.
pub const SESSION_MS: u64 = 90 * kirana_core::time::DAY_MS;
/// The client that first-party programs are.
pub const CLIENT: &str = "kirana";

/// What somebody types to sign in.
pub struct SignIn {
    /// The login, as typed.
    pub login: String,
    /// The password, as typed.
    pub password: String,
    /// A code of the second factor, where the account has one.
    pub otp: Option<String>,
    /// Fewer scopes than the account may have.
    pub scope: Option<String>,
}

/// Somebody whose password was right, and whose second factor where the account has one; or whose
/// device has a key of the account.
pub(super) struct Proved {
    /// The account.
    pub account: Stored,
    /// Whether a second factor was shown.
    pub factor: bool,
    /// The device whose key opened the door instead of a password.
    pub by_key: Option<KeyId>,
}

/// The answer to a sign-in and to a refresh (RFC 6749, section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// RFC 9068.
    pub access_token: String,
    /// Opaque.
    pub refresh_token: String,
    /// Seconds that the access token lasts.
    pub expires_in: u64,
    /// `Bearer`.
    pub token_type: String,
    /// What the access token may be used for.
    pub scope: String,
}

/// A refresh as it is asked for at the token endpoint.
pub struct Refresh {
    /// The token.
    pub token: String,
    /// The program that asks; none is one of our own.
    pub client: Option<String>,
    /// Which try it is.
    pub retry_id: Option<[u8; 16]>,
    /// Fewer scopes than the session has.
    pub scope: Option<String>,
}

/// Why a refresh was refused (RFC 6749, section 5.2).
#[derive(Debug, thiserror::Error)]
pub enum NotRefreshed {
    /// The token is unknown, used, or its session is over.
    #[error("the refresh token is unknown, was used before, or its session is over")]
    InvalidGrant,
    /// More was asked for than the session has.
    #[error("the session does not have that scope")]
    InvalidScope,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Hub {
    /// Signs in.
    ///
    /// # Errors
    /// [`Error::BadCredentials`] whatever was wrong with login or password;
    /// [`Error::FactorNeeded`] or [`Error::FactorWrong`] where the account has a second factor;
    /// [`Error::Throttled`] after too many tries.
    pub async fn sign_in(
        &self,
        given: SignIn,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Tokens, Device), Error> {
        let SignIn { login, password, otp, .. } = &given;
        let typed = (login.as_str(), password.as_str());
        let (proved, device) = self.prove(typed, otp.as_deref(), visitor, now, rng).await?;
        let roles = roles_from_text(&proved.account.roles);
        let scopes = narrowed(&role::scopes_of(&roles, proved.factor), given.scope.as_deref())
            .ok_or(Error::Invalid { field: "scope", why: "names among scopes_supported" })?;
        let scope = scopes_to_text(&scopes);
        let session = fresh(&proved, None, scope, now, rng);
        let tokens = self.tokens(&session, &session.scope, now, rng).await?;
        let digest = digest(&tokens.refresh_token);
        let arrival = self.arrival(&proved, &device, visitor, now, rng)?;
        let is_told = arrival.letter.is_some();
        self.store().open_session(session, digest, arrival).await?;
        if is_told {
            self.call_post();
        }
        Ok((tokens, device))
    }

    /// Checks a login, a password and the code of a second factor as they were typed.
    pub(super) async fn prove(
        &self,
        (typed, password): (&str, &str),
        otp: Option<&str>,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(Proved, Device), Error> {
        self.central_only()?;
        // A login that cannot exist takes the same way as one that does not.
        let name = login(typed).unwrap_or_default();
        let known = self.count_try(&name, visitor, now).await?;
        let digest = self.secrets().digest("login", &name);
        let stored = self.store().account_by_digest(digest).await?;
        let hash = stored.as_ref().map(|account| account.password_hash.clone());
        let right = self.hasher().verify(Password::new(password), hash).await?;
        let Some(account) = stored else {
            self.note_nobodys_refusal(visitor, now, rng)?;
            return Err(Error::BadCredentials);
        };
        if !right {
            self.note_refusal(&account, visitor, Outcome::WrongPassword, now, rng)?;
            return Err(Error::BadCredentials);
        }
        if account.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        let factor = self.check_factor(&account, otp, now).await;
        let refused = match &factor {
            Err(Error::FactorNeeded) => Some(Outcome::FactorMissing),
            Err(Error::FactorWrong) => Some(Outcome::WrongFactor),
            _ => None,
        };
        if let Some(outcome) = refused {
            self.note_refusal(&account, visitor, outcome, now, rng)?;
        }
        let factor = factor?;
        self.forget_tries(&name, visitor, known);
        if self.hasher().is_outdated(&account.password_hash) {
            self.hash_anew(&account, password, rng).await;
        }
        Ok((Proved { account, factor, by_key: None }, Device::of(known, rng)))
    }

    /// Stores a password that was right at today's cost. Where that fails, the person is signed in
    /// all the same, and the next sign-in tries again.
    async fn hash_anew(&self, account: &Stored, password: &str, rng: Rng<'_>) {
        let Ok(hash) = self.hasher().hash(Password::new(password), draw(rng)).await else { return };
        let stored = self.store().rehash(account.id, account.password_hash.clone(), hash).await;
        if let Err(error) = stored {
            tracing::warn!(account.id = %account.id, %error, "a password keeps its older hash");
        }
    }

    pub(super) async fn tokens(
        &self,
        session: &Session,
        scope: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Tokens, Error> {
        use base64::Engine;
        let claims = Claims {
            iss: self.settings().issuer.clone(),
            sub: session.account.to_string(),
            aud: self.settings().issuer.clone(),
            exp: now.plus_ms(TOKEN_LIFETIME_MS).seconds(),
            iat: now.seconds(),
            jti: uuid::Uuid::from_bytes(uuid(now, rng)).to_string(),
            client_id: session.client.clone().unwrap_or_else(|| CLIENT.to_owned()),
            scope: scope.to_owned(),
            // Roles change while a token lives, so the hub looks them up.
            roles: std::collections::BTreeSet::new(),
            sid: Some(uuid::Uuid::from_bytes(session.id).to_string()),
        };
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        Ok(Tokens {
            access_token: self.sign_token(&claims, now).await?,
            refresh_token: engine.encode(draw::<32>(rng)),
            expires_in: TOKEN_LIFETIME_MS / 1000,
            token_type: "Bearer".to_owned(),
            scope: scope.to_owned(),
        })
    }

    /// Exchanges a refresh token for a new pair.
    ///
    /// # Errors
    /// [`NotRefreshed`]; when the token had been used, the session is revoked.
    pub async fn refresh(
        &self,
        asked: Refresh,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Tokens, NotRefreshed> {
        self.central_only()?;
        let old = digest(&asked.token);
        let found = self.store().session_of_refresh(old, now).await.map_err(Error::from)?;
        let found = found.filter(|found| found.session.client == asked.client);
        let found = found.ok_or(NotRefreshed::InvalidGrant)?;
        let has = scopes_from_text(&found.session.scope).unwrap_or_default();
        let may = scopes_of(&roles_from_text(&found.account.roles), found.session.factor);
        let has: Scopes = has.intersection(&may).copied().collect();
        let scopes = match asked.scope.as_deref().map(scopes_from_text) {
            None => has,
            Some(Some(fewer)) if fewer.is_subset(&has) => fewer,
            Some(_) => return Err(NotRefreshed::InvalidScope),
        };
        let tokens = self.tokens(&found.session, &scopes_to_text(&scopes), now, rng).await?;
        let key = answer_key(&asked);
        let plain = serde_json::to_vec(&tokens).expect("texts and a number always make JSON");
        let rotation = Rotation {
            old,
            new: digest(&tokens.refresh_token),
            answer: seal_once(&key, &[0; 12], &found.session.id, &plain),
            retry_id: asked.retry_id,
            session: found.session.id,
        };
        match self.store().rotate(rotation, now).await.map_err(Error::from)? {
            Rotated::Fresh => Ok(tokens),
            Rotated::Again(sealed) => {
                let plain = open_once(&key, &[0; 12], &found.session.id, &sealed);
                let read = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
                read.ok_or(NotRefreshed::InvalidGrant)
            }
            Rotated::Reused | Rotated::Unknown => Err(NotRefreshed::InvalidGrant),
        }
    }

    /// Finds out who shows an access token; its session must be alive.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`] for any token that does not count.
    pub async fn authenticate(&self, token: &str, now: UnixMs) -> Result<Actor, Error> {
        self.central_only()?;
        let claims = self.verify_token(token, now).await?;
        let (found, as_of) = match self.standing(&claims, now).await?.ok_or(Error::NotSignedIn)? {
            Standing::Person(found, as_of) => (found, as_of),
            // A service is nobody who could have an account, devices or shops.
            Standing::Service => return Err(Error::ScopeMissing { scope: Scope::Account.name() }),
        };
        Ok(Actor {
            account: found.account.id,
            session: found.session.id,
            scopes: scopes_from_text(&claims.scope).ok_or(Error::NotSignedIn)?,
            roles: roles_from_text(&found.account.roles),
            factor: found.session.factor,
            device: found.session.device,
            proved_at: (!found.session.by_key).then_some(found.session.created_at),
            as_of,
        })
    }

    /// Where the person is signed in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(&self, actor: &Actor, now: UnixMs) -> Result<Vec<Place>, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        self.places(actor.account, now).await
    }

    /// Where an account is signed in, programs first, each newest first.
    pub(super) async fn places(
        &self,
        account: AccountId,
        now: UnixMs,
    ) -> Result<Vec<Place>, Error> {
        let sessions = self.store().sessions(account, now).await?.into_iter().map(Place::from);
        let browsers = self.store().browsers(account, BROWSER_MS, now).await?;
        Ok(sessions.chain(browsers).collect())
    }

    /// Where an account is signed in, for whoever may see the person.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for everybody but administrators.
    pub async fn sessions_of(
        &self,
        actor: &Actor,
        account: AccountId,
        now: UnixMs,
    ) -> Result<Vec<Place>, Error> {
        self.authorise(actor, Action::SeePerson(account), &account.to_string(), now).await?;
        self.places(account, now).await
    }

    /// Signs the person out at one place.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none of this id, or it is somebody else's.
    pub async fn sign_out(&self, actor: &Actor, id: SessionId, now: UnixMs) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        match self.store().leave(actor.account, id, now).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "session" }),
        }
    }

    /// Ends all of the own sessions.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn sign_out_everywhere(&self, actor: &Actor, now: UnixMs) -> Result<(), Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        Ok(self.store().revoke_sessions(actor.account, now).await?)
    }

    /// Counts a password that is asked for inside a session.
    pub(super) fn guess_here(&self, login: &str, actor: &Actor, now: UnixMs) -> Result<(), Error> {
        let who = format!("{login} {}", uuid::Uuid::from_bytes(actor.session));
        Ok(self.throttle().guess(&who, IpAddr::V4(Ipv4Addr::UNSPECIFIED), now)?)
    }

    /// Counts something that anybody may ask for.
    ///
    /// # Errors
    /// [`Error::Throttled`] when this address asked too often.
    pub fn count_look(&self, from: IpAddr, now: UnixMs) -> Result<(), Error> {
        Ok(self.throttle().look(from, now)?)
    }

    /// Counts a registration of an address.
    ///
    /// # Errors
    /// [`Error::Throttled`] when it had too many.
    pub fn count_registration(&self, from: IpAddr, now: UnixMs) -> Result<(), Error> {
        Ok(self.throttle().attempt(from, now)?)
    }
}

/// The scopes to give: all that may be given, or fewer when the client asks for fewer.
pub(super) fn narrowed(all: &Scopes, asked: Option<&str>) -> Option<Scopes> {
    match asked {
        None => Some(all.clone()),
        Some(text) => scopes_from_text(text).filter(|asked| asked.is_subset(all)),
    }
}

/// The key that only who holds the old token and names the same try can make. It seals one
/// answer, since a token is used once.
fn answer_key(asked: &Refresh) -> [u8; 32] {
    let retry = asked.retry_id.unwrap_or_default();
    *Hash::of_parts(&[b"kirana refresh answer", asked.token.as_bytes(), &retry]).as_bytes()
}

pub(super) fn digest(token: &str) -> [u8; 32] {
    *Hash::of_parts(&[b"kirana refresh token", token.as_bytes()]).as_bytes()
}

/// A session that begins now.
pub(super) fn fresh(
    proved: &Proved,
    client: Option<String>,
    scope: String,
    now: UnixMs,
    rng: Rng<'_>,
) -> Session {
    let (id, ends_at) = (uuid(now, rng), now.plus_ms(SESSION_MS));
    let (account, factor) = (proved.account.id, proved.factor);
    let (device, by_key) = (proved.by_key, proved.by_key.is_some());
    let (created_at, used_at) = (now, now);
    Session { id, account, client, scope, factor, device, by_key, created_at, used_at, ends_at }
}

/// A UUIDv7.
pub(super) fn uuid(now: UnixMs, rng: Rng<'_>) -> [u8; 16] {
    let random: [u8; 10] = draw(rng);
    uuid::Builder::from_unix_timestamp_millis(now.get(), &random).into_uuid().into_bytes()
}
