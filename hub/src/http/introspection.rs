//! `/oauth/introspect`, `/oauth/revoke` and `/oauth/userinfo`: what a token is worth, and whose.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    extract::bearer,
    oauth::{Fields, Refusal, recognised},
    sessions::NO_STORE,
};
use crate::{
    app::{
        client::Caller,
        introspection::Active,
        role::{Scope, Scopes},
        session::CLIENT,
    },
    clock,
};

/// Names a token (RFC 7009, RFC 7662); a hint at its kind is not needed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenNamed {
    /// A refresh or an access token.
    token: String,
    /// The client that asks, unless the header says so.
    client_id: Option<String>,
    /// Its secret, unless the header holds it.
    client_secret: Option<String>,
}

/// Ends the session of a token; one that is unknown is over already (RFC 7009).
#[utoipa::path(post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = TokenNamed, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200), (status = "4XX", body = Refusal)))]
pub async fn revoke(
    State(door): State<Door>,
    headers: HeaderMap,
    Fields(asked): Fields<TokenNamed>,
) -> Result<StatusCode, Refusal> {
    let caller = recognised(&door, &headers, &asked.client_id, &asked.client_secret).await?;
    door.hub.revoke_token(&asked.token, &caller, clock::now()).await?;
    Ok(StatusCode::OK)
}

/// Whether a token counts (RFC 7662); for clients with a secret.
#[utoipa::path(post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = TokenNamed, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Value), (status = "4XX", body = Refusal)))]
pub async fn introspect(
    State(door): State<Door>,
    headers: HeaderMap,
    Fields(asked): Fields<TokenNamed>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Value>), Refusal> {
    let caller = recognised(&door, &headers, &asked.client_id, &asked.client_secret).await?;
    let Caller::Confidential(_) = caller else {
        return Err(Refusal::invalid_client("show the secret of a confidential client"));
    };
    let issuer = &door.hub.settings().issuer;
    let told = match door.hub.introspect(&asked.token, clock::now()).await? {
        None => json!({ "active": false }),
        Some(Active::Access(claims)) => json!({
            "active": true, "token_type": "Bearer", "iss": claims.iss, "sub": claims.sub,
            "aud": claims.aud, "exp": claims.exp, "iat": claims.iat, "jti": claims.jti,
            "client_id": claims.client_id, "scope": claims.scope,
        }),
        Some(Active::Refresh { sub, client, scope, ends_at }) => json!({
            "active": true, "iss": issuer, "sub": sub, "exp": ends_at.seconds(), "scope": scope,
            "client_id": client.as_deref().unwrap_or(CLIENT),
        }),
    };
    Ok((NO_STORE, Json(told)))
}

/// Who the person is (OpenID Connect Core, section 5.1); what is not there was not agreed to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct UserInfo {
    /// The account.
    sub: String,
    /// What to call the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// Where mail reaches the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Whether the person showed that mail arrives there.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// Who the person is.
#[utoipa::path(get, path = "/oauth/userinfo", tag = "oauth", security(("bearer" = [])),
    responses((status = 200, body = UserInfo), (status = "4XX", body = Refusal)))]
pub async fn userinfo(
    State(door): State<Door>,
    headers: HeaderMap,
) -> Result<([(HeaderName, HeaderValue); 2], Json<UserInfo>), Refusal> {
    let now = clock::now();
    let actor = door.hub.authenticate(bearer(&headers).unwrap_or_default(), now).await?;
    let profile = door.hub.who_is(&actor, now).await?;
    let personal = profile.personal.unwrap_or_default();
    let email = personal.email;
    let with = |scope| Scopes::contains(&actor.scopes, &scope);
    let info = UserInfo {
        sub: profile.id.to_string(),
        name: personal.name.filter(|_| with(Scope::Profile)),
        locale: with(Scope::Profile).then_some(profile.language),
        email_verified: (with(Scope::Email) && email.is_some()).then_some(personal.email_verified),
        email: email.filter(|_| with(Scope::Email)),
    };
    Ok((NO_STORE, Json(info)))
}

/// The same by POST, as OpenID Connect Core, section 5.3.1, wants it.
#[utoipa::path(post, path = "/oauth/userinfo", tag = "oauth", security(("bearer" = [])),
    responses((status = 200, body = UserInfo), (status = "4XX", body = Refusal)))]
pub async fn userinfo_by_post(
    door: State<Door>,
    headers: HeaderMap,
) -> Result<([(HeaderName, HeaderValue); 2], Json<UserInfo>), Refusal> {
    userinfo(door, headers).await
}
