//! What other programs discover: the keys of tokens and the endpoints that exist.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
};
use kirana_core::token;
use serde_json::{Value, json};

use super::{Door, problem::Problem};
use crate::{
    app::{Error, role::Scope},
    clock,
    config::Role,
};

/// How long the keys may be cached: shorter than a new key waits before it signs.
const CACHE: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=10"))];

/// The keys that access tokens are verified with (RFC 7517, RFC 8037).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "discovery", responses(
    (status = 200, body = Value)))]
pub async fn jwks(
    State(door): State<Door>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Value>), Problem> {
    let keys = match door.hub.settings().role {
        Role::Central => door.hub.published_keys(clock::now()).await?,
        Role::Community => return Err(Error::NotServedHere.into()),
    };
    Ok((CACHE, Json(token::jwks(&keys))))
}

/// OpenID Connect Discovery.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "discovery", responses(
    (status = 200, body = Value)))]
pub async fn openid_configuration(State(door): State<Door>) -> Result<Json<Value>, Problem> {
    metadata(&door)
}

/// RFC 8414.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "discovery",
    responses((status = 200, body = Value)))]
pub async fn authorization_server(State(door): State<Door>) -> Result<Json<Value>, Problem> {
    metadata(&door)
}

fn metadata(door: &Door) -> Result<Json<Value>, Problem> {
    let settings = door.hub.settings();
    if settings.role == Role::Community {
        return Err(Error::NotServedHere.into());
    }
    let issuer = &settings.issuer;
    let scopes: Vec<&str> = Scope::NAMES.iter().map(|(_, name)| *name).collect();
    let none: [&str; 0] = [];
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "scopes_supported": scopes,
        "grant_types_supported": ["refresh_token"],
        "response_types_supported": none,
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
    })))
}
