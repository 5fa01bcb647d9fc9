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
    let secret = ["client_secret_basic", "client_secret_post"];
    let perhaps_secret = ["none", "client_secret_basic", "client_secret_post"];
    Ok(Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
        "scopes_supported": scopes,
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "locale", "email",
            "email_verified",
        ],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": perhaps_secret,
        "revocation_endpoint_auth_methods_supported": perhaps_secret,
        "introspection_endpoint_auth_methods_supported": secret,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
    })))
}
