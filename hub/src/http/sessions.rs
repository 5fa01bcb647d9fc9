//! `/v1/sessions`: signing in and out.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use kirana_core::time::UnixMs;
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::Page,
    extract::{Body, Signed, Visiting, id},
    problem::Problem,
};
use crate::{
    app::{session, visitor::Device},
    clock,
    store::{
        place::{At, Place},
        session::SessionId,
    },
};

/// What somebody types to sign in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The login.
    login: String,
    /// The password.
    password: String,
    /// The second factor, where the account has one.
    #[serde(default)]
    otp: Option<String>,
    /// Fewer scopes than the account may have.
    #[serde(default)]
    scope: Option<String>,
    /// What this device was given when it signed in before: strangers cannot use up its tries.
    #[serde(default)]
    device_token: Option<String>,
}

/// A pair of tokens (RFC 6749, section 5.1).
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenPair {
    /// A JWT (RFC 9068).
    access_token: String,
    /// Works once; exchanged at `/oauth/token`.
    refresh_token: String,
    /// Seconds that the access token lasts.
    expires_in: u64,
    /// `Bearer`.
    token_type: String,
    /// What the access token may be used for.
    scope: String,
    /// For the next sign-in of a device that was not known before; it opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
}

impl TokenPair {
    /// The answer to a sign-in on this device.
    pub fn of(tokens: session::Tokens, device: Device) -> Self {
        Self { device_token: device.fresh, ..tokens.into() }
    }
}

impl From<session::Tokens> for TokenPair {
    fn from(tokens: session::Tokens) -> Self {
        let session::Tokens { access_token, refresh_token, expires_in, token_type, scope } = tokens;
        let device_token = None;
        Self { access_token, refresh_token, expires_in, token_type, scope, device_token }
    }
}

/// A place where somebody is signed in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionItem {
    /// Its id.
    id: String,
    /// At what: a program that holds tokens, or a browser.
    at: Where,
    /// The program, where it is one.
    client_id: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
    /// When the person signed in.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// When it was last refreshed or used.
    #[schema(value_type = String, format = DateTime)]
    used_at: UnixMs,
    /// When it ends, whatever is refreshed.
    #[schema(value_type = String, format = DateTime)]
    ends_at: UnixMs,
    /// What a program's tokens may be used for.
    scope: Option<String>,
    /// The short name of the device's key, where it is known on which device a program runs.
    device: Option<String>,
    /// Whether that key opened it, without a password.
    by_key: bool,
}

/// At what somebody is signed in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// A program.
    Program,
    /// A browser at the pages that ask whether another program may sign the person in.
    Pages,
    /// A browser at the console.
    Console,
}

impl SessionItem {
    fn new(place: Place, asking: SessionId) -> Self {
        let Place { id, at, created_at, used_at, ends_at } = place;
        let current = id == asking;
        let id = uuid::Uuid::from_bytes(id).to_string();
        let browser = |at| {
            let (client_id, scope, device, by_key) = (None, None, None, false);
            let id = id.clone();
            Self { id, at, client_id, current, created_at, used_at, ends_at, scope, device, by_key }
        };
        match at {
            At::Pages => browser(Where::Pages),
            At::Console => browser(Where::Console),
            At::Program { client, scope, device, by_key } => Self {
                client_id: Some(client.unwrap_or_else(|| session::CLIENT.to_owned())),
                scope: Some(scope),
                device: device.map(|key| key.to_string()),
                by_key,
                ..browser(Where::Program)
            },
        }
    }
}

/// What keeps answers with tokens out of caches.
pub const NO_STORE: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
];

/// Signs in.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = SignIn, responses(
    (status = 201, body = TokenPair),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sign_in(
    State(door): State<Door>,
    Visiting(mut visitor): Visiting,
    Body(given): Body<SignIn>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<TokenPair>), Problem> {
    let SignIn { login, password, otp, scope, device_token } = given;
    let given = session::SignIn { login, password, otp, scope };
    visitor.device = device_token.or(visitor.device);
    let (now, mut rng) = (clock::now(), clock::rng());
    let (tokens, device) = door.hub.sign_in(given, &visitor, now, &mut rng).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(TokenPair::of(tokens, device))))
}

/// Where the person is signed in: programs first, then browsers at this hub's pages.
#[utoipa::path(get, path = "/v1/sessions", tag = "sessions", security(("bearer" = [])), responses(
    (status = 200, body = Page<SessionItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sessions(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<SessionItem>>, Problem> {
    let found = door.hub.sessions(&actor, clock::now()).await?;
    let items = found.into_iter().map(|place| SessionItem::new(place, actor.session));
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}

/// Signs out at one place; `current` is the session that asks.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sessions", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sign_out(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = match session.as_str() {
        "current" => actor.session,
        other => id::<uuid::Uuid>("session", other)?.into_bytes(),
    };
    door.hub.sign_out(&actor, session, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs out everywhere.
#[utoipa::path(delete, path = "/v1/sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sign_out_everywhere(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<StatusCode, Problem> {
    door.hub.sign_out_everywhere(&actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
