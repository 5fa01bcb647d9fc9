//! Tells whether a token counts, ends tokens, and says who a person is.
//!
//! **Invariant:** a program ends only what it was given itself.

use std::sync::Arc;

use kirana_core::{time::UnixMs, token::Claims};

use super::{
    Error, Hub,
    account::Profile,
    client::Caller,
    policy::{Action, Actor},
    seen::AsOf,
    session::digest,
};
use crate::store::session::Refreshable;

/// Whom a token stands for, as of now.
pub(super) enum Standing {
    /// A person, in a session that is alive.
    Person(Arc<Refreshable>, AsOf),
    /// A service, for itself.
    Service,
}

/// A token that counts (RFC 7662, section 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Active {
    /// An access token.
    Access(Claims),
    /// A refresh token.
    Refresh {
        /// Whom it stands for.
        sub: String,
        /// Whom it was given to.
        client: Option<String>,
        /// What for.
        scope: String,
        /// When its session ends.
        ends_at: UnixMs,
    },
}

impl Hub {
    pub(super) async fn standing(
        &self,
        claims: &Claims,
        now: UnixMs,
    ) -> Result<Option<Standing>, Error> {
        let Some(sid) = &claims.sid else {
            let id = id(&claims.jti);
            let known = match id {
                Some(id) => self.store().is_service_token(id).await?,
                None => false,
            };
            return Ok(known.then_some(Standing::Service));
        };
        let Some(sid) = id(sid) else { return Ok(None) };
        let found = self.session_now(sid, now).await?;
        let found = found.filter(|(found, _)| found.account.id.to_string() == claims.sub);
        Ok(found.map(|(found, as_of)| Standing::Person(found, as_of)))
    }

    /// Whether a token counts, for a program that showed its secret.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn introspect(&self, token: &str, now: UnixMs) -> Result<Option<Active>, Error> {
        match self.verify_token(token, now).await {
            Ok(claims) => {
                let standing = self.standing(&claims, now).await?;
                return Ok(standing.map(|_| Active::Access(claims)));
            }
            Err(Error::NotSignedIn) => {}
            Err(other) => return Err(other),
        }
        let key = digest(token);
        let Some(found) = self.store().session_of_refresh(key, now).await? else { return Ok(None) };
        if self.store().is_refresh_used(key).await? {
            return Ok(None);
        }
        let Refreshable { session, account } = found;
        Ok(Some(Active::Refresh {
            sub: account.id.to_string(),
            client: session.client,
            scope: session.scope,
            ends_at: session.ends_at,
        }))
    }

    /// Ends what a token of this program belongs to; any other token is passed over (RFC 7009).
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn revoke_token(
        &self,
        token: &str,
        caller: &Caller,
        now: UnixMs,
    ) -> Result<(), Error> {
        let found = match self.verify_token(token, now).await {
            Ok(claims) => match self.standing(&claims, now).await? {
                Some(Standing::Person(found, _)) => Some(found.session.clone()),
                Some(Standing::Service) => {
                    let own = caller.id() == Some(&claims.client_id);
                    if let Some(id) = id(&claims.jti).filter(|_| own) {
                        self.store().revoke_service_token(id).await?;
                    }
                    None
                }
                None => None,
            },
            Err(Error::NotSignedIn) => {
                let found = self.store().session_of_refresh(digest(token), now).await?;
                found.map(|found| found.session)
            }
            Err(other) => return Err(other),
        };
        if let Some(session) = found
            && session.client.as_deref() == caller.id()
        {
            self.store().leave(session.account, session.id, now).await?;
        }
        Ok(())
    }

    /// Who the person is, as far as the token's scopes go (OpenID Connect Core, section 5.3).
    ///
    /// # Errors
    /// [`Error::ScopeMissing`] without `openid`.
    pub async fn who_is(&self, actor: &Actor, now: UnixMs) -> Result<Profile, Error> {
        self.authorise(actor, Action::OwnIdentity, "", now).await?;
        let stored = self.store().account(actor.account).await?.ok_or(Error::NotSignedIn)?;
        self.profile(stored).await
    }
}

fn id(text: &str) -> Option<[u8; 16]> {
    uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes)
}
