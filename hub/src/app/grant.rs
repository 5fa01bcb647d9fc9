//! Gives tokens to other programs: for a person's code, or for themselves.
//!
//! **Invariant:** a code gives once, to the client and the address that it was made for, and to who
//! knows the verifier; a second use ends what the first gave.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    time::UnixMs,
    token::{Claims, IdClaims, TOKEN_LIFETIME_MS},
};
use sha2::{Digest, Sha256};

use super::{
    Error, Hub,
    authorize::digest,
    client::Caller,
    role::{self, Scope, Scopes},
    session::{self, Tokens},
};
use crate::{
    clock::Rng,
    store::code::{Code, Redeemed},
};

/// A code as it comes to the token endpoint.
pub struct Exchange {
    /// The code.
    pub code: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// What the challenge was made of.
    pub verifier: String,
}

/// What a program gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// RFC 9068.
    pub access_token: String,
    /// For a person only.
    pub refresh_token: Option<String>,
    /// Where `openid` was agreed to.
    pub id_token: Option<String>,
    /// Seconds that the access token lasts.
    pub expires_in: u64,
    /// What the access token may be used for.
    pub scope: String,
}

/// Why a program gets nothing (RFC 6749, section 5.2).
#[derive(Debug, thiserror::Error)]
pub enum NotGranted {
    /// One answer for all that may be wrong with a code.
    #[error("the code is unknown, over, used, or was made for another client, address or verifier")]
    InvalidGrant,
    /// Services have no scopes yet.
    #[error("a service has none of these scopes")]
    InvalidScope,
    /// The client has to show its secret.
    #[error("the client has to show its secret")]
    InvalidClient,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Hub {
    /// Exchanges a code.
    ///
    /// # Errors
    /// [`NotGranted`]; when the code had been used, what it gave is revoked.
    pub async fn exchange(
        &self,
        caller: &Caller,
        asked: Exchange,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Granted, NotGranted> {
        self.central_only()?;
        let key = digest("code", &asked.code);
        let found = self.store().code(key).await.map_err(Error::from)?;
        let found = found.filter(|(code, _)| caller.id() == Some(&code.client));
        let (code, account) = found.ok_or(NotGranted::InvalidGrant)?;
        // Before the rest: who replays a code that was seen on its way knows no verifier.
        if self.store().revoke_if_used(key, now).await.map_err(Error::from)? {
            return Err(NotGranted::InvalidGrant);
        }
        if code.expires_at <= now || !asked.fits(&code) {
            return Err(NotGranted::InvalidGrant);
        }
        let may = role::scopes_of(&role::roles_from_text(&account.roles), code.factor);
        let agreed = role::scopes_from_text(&code.scope).unwrap_or_default();
        let scopes: Scopes = agreed.intersection(&may).copied().collect();
        let client = Some(code.client.clone());
        let scope = role::scopes_to_text(&scopes);
        let proved = session::Proved { account, factor: code.factor, by_key: None };
        let opened = session::fresh(&proved, client, scope, now, rng);
        let tokens = self.tokens(&opened, &opened.scope, now, rng).await?;
        let id_token = match scopes.contains(&Scope::OpenId) {
            true => Some(self.id_token(&code, now).await?),
            false => None,
        };
        let refresh = session::digest(&tokens.refresh_token);
        match self.store().redeem(key, opened, refresh).await.map_err(Error::from)? {
            Redeemed::Fresh => Ok(Granted { id_token, ..tokens.into() }),
            Redeemed::Reused | Redeemed::Unknown => Err(NotGranted::InvalidGrant),
        }
    }

    async fn id_token(&self, code: &Code, now: UnixMs) -> Result<String, Error> {
        let claims = IdClaims {
            iss: self.settings().issuer.clone(),
            sub: code.account.to_string(),
            aud: code.client.clone(),
            exp: now.plus_ms(TOKEN_LIFETIME_MS).seconds(),
            iat: now.seconds(),
            auth_time: code.signed_in.seconds(),
            nonce: code.nonce.clone(),
        };
        self.sign_id(&claims, now).await
    }

    /// Gives a service a token that stands for nobody but itself (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// [`NotGranted::InvalidClient`] for a client without a secret.
    pub async fn serve_itself(
        &self,
        caller: &Caller,
        scope: Option<&str>,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Granted, NotGranted> {
        self.central_only()?;
        let Caller::Confidential(client) = caller else { return Err(NotGranted::InvalidClient) };
        if scope.is_some_and(|scope| !scope.trim().is_empty()) {
            return Err(NotGranted::InvalidScope);
        }
        let id = session::uuid(now, rng);
        let expires_at = now.plus_ms(TOKEN_LIFETIME_MS);
        let claims = Claims {
            iss: self.settings().issuer.clone(),
            sub: client.id.clone(),
            aud: self.settings().issuer.clone(),
            exp: expires_at.seconds(),
            iat: now.seconds(),
            jti: uuid::Uuid::from_bytes(id).to_string(),
            client_id: client.id.clone(),
            scope: String::new(),
            roles: std::collections::BTreeSet::new(),
            sid: None,
        };
        let access_token = self.sign_token(&claims, now).await?;
        let added = self.store().add_service_token(id, client.id.clone(), expires_at).await;
        added.map_err(Error::from)?;
        Ok(Granted {
            access_token,
            refresh_token: None,
            id_token: None,
            expires_in: TOKEN_LIFETIME_MS / 1000,
            scope: String::new(),
        })
    }
}

impl Exchange {
    fn fits(&self, code: &Code) -> bool {
        let made_of = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()));
        // RFC 7636, section 4.1: 43 to 128 characters.
        (43..=128).contains(&self.verifier.len())
            && made_of == code.challenge
            && self.redirect_uri == code.redirect_uri
    }
}

impl From<Tokens> for Granted {
    fn from(tokens: Tokens) -> Self {
        let Tokens { access_token, refresh_token, expires_in, token_type: _, scope } = tokens;
        let refresh_token = Some(refresh_token);
        Self { access_token, refresh_token, id_token: None, expires_in, scope }
    }
}
