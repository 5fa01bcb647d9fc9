//! `/oauth/token`: gives tokens to programs.
//!
//! Errors under `/oauth/` are those of RFC 6749, section 5.2, not problem documents.

use axum::{
    Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Door, sessions::NO_STORE};
use crate::{
    app::{
        Error,
        client::{Caller, ClientProof},
        grant::{Exchange, Granted, NotGranted},
        session::{CLIENT, NotRefreshed, Refresh},
    },
    clock,
};

/// An error of the token endpoint.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Refusal {
    /// A code of RFC 6749.
    error: &'static str,
    /// What was wrong.
    error_description: String,
    #[serde(skip)]
    status: u16,
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl ToString) -> Self {
        Self::of(error, description, StatusCode::BAD_REQUEST)
    }

    /// An error with a status of its own.
    pub(super) fn of(error: &'static str, description: impl ToString, status: StatusCode) -> Self {
        Self { error, error_description: description.to_string(), status: status.as_u16() }
    }

    pub(super) fn invalid_client(description: impl ToString) -> Self {
        Self::of("invalid_client", description, StatusCode::UNAUTHORIZED)
    }

    /// The error of a status that the router gave without a word.
    pub fn of_status(status: StatusCode) -> Self {
        let description = status.canonical_reason().unwrap_or("the request cannot be read");
        Self { status: status.as_u16(), ..Self::new("invalid_request", description) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let challenge = match self.error {
            "invalid_client" => Some("Basic"),
            "invalid_token" => Some("Bearer error=\"invalid_token\""),
            "insufficient_scope" => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        let challenge = challenge.map(|text| [(header::WWW_AUTHENTICATE, text)]);
        (status, NO_STORE, challenge, Json(self)).into_response()
    }
}

impl From<NotRefreshed> for Refusal {
    fn from(no: NotRefreshed) -> Self {
        match no {
            NotRefreshed::InvalidGrant => Self::new("invalid_grant", no),
            NotRefreshed::InvalidScope => Self::new("invalid_scope", no),
            NotRefreshed::Failed(error) => error.into(),
        }
    }
}

impl From<NotGranted> for Refusal {
    fn from(no: NotGranted) -> Self {
        match no {
            NotGranted::InvalidGrant => Self::new("invalid_grant", no),
            NotGranted::InvalidScope => Self::new("invalid_scope", no),
            NotGranted::InvalidClient => Self::invalid_client(no),
            NotGranted::Failed(error) => error.into(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotServedHere => Self::new("unsupported_grant_type", error),
            Error::NotSignedIn => Self::of("invalid_token", error, StatusCode::UNAUTHORIZED),
            Error::ScopeMissing { .. } | Error::Forbidden { .. } => {
                Self::of("insufficient_scope", error, StatusCode::FORBIDDEN)
            }
            other => {
                tracing::error!(error = %other, "a token request could not be answered");
                let description = "the hub cannot answer at the moment; try again";
                Self { status: 503, ..Self::new("temporarily_unavailable", description) }
            }
        }
    }
}

/// A form that parses.
pub struct Fields<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromRequest<Door> for Fields<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refusal> {
        match Form::<T>::from_request(request, door).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(e) if e.status() == StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Refusal::new("invalid_request", e.body_text()))
            }
            Err(e) => Err(Refusal::of_status(e.status())),
        }
    }
}

/// What the token endpoint is asked.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// `authorization_code`, `refresh_token` or `client_credentials`.
    #[schema(value_type = Grant, required = true)]
    grant_type: Option<String>,
    /// The code to exchange.
    code: Option<String>,
    /// Where the code was sent.
    redirect_uri: Option<String>,
    /// What the code's challenge was made of.
    code_verifier: Option<String>,
    /// The token to exchange.
    refresh_token: Option<String>,
    /// The client that asks; the header may say so instead, and our own programs may be silent.
    #[schema(value_type = String, required = true)]
    client_id: Option<String>,
    /// Its secret, unless the header holds it.
    client_secret: Option<String>,
    /// Fewer scopes than the session has.
    scope: Option<String>,
    /// A UUID; the same one within 60 seconds gets the same answer.
    retry_id: Option<String>,
}

/// What a client gets (RFC 6749, section 5.1; OpenID Connect Core, section 3.1.3.3).
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenAnswer {
    /// A JWT (RFC 9068).
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds that the access token lasts.
    expires_in: u64,
    /// Works once; a service gets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// A JWT about the person, where `openid` was agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// What the access token may be used for.
    scope: String,
}

impl From<Granted> for TokenAnswer {
    fn from(granted: Granted) -> Self {
        let Granted { access_token, refresh_token, id_token, expires_in, scope } = granted;
        Self { access_token, token_type: "Bearer", expires_in, refresh_token, id_token, scope }
    }
}

/// Gives tokens for a code, for a refresh token, or to a service.
#[utoipa::path(post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenAnswer), (status = "4XX", body = Refusal)))]
pub async fn token(
    State(door): State<Door>,
    headers: HeaderMap,
    Fields(asked): Fields<TokenRequest>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<TokenAnswer>), Refusal> {
    let caller = recognised(&door, &headers, &asked.client_id, &asked.client_secret).await?;
    let grant = asked.grant_type.as_deref().map(Grant::parse).transpose()?;
    let grant = grant.ok_or_else(|| missing("grant_type"))?;
    let (hub, now, rng) = (&door.hub, clock::now(), &mut clock::rng());
    let granted = match grant {
        Grant::AuthorizationCode => hub.exchange(&caller, asked.exchange()?, now, rng).await?,
        Grant::RefreshToken => hub.refresh(asked.refresh(&caller)?, now, rng).await?.into(),
        Grant::ClientCredentials => {
            hub.serve_itself(&caller, asked.scope.as_deref(), now, rng).await?
        }
    };
    Ok((NO_STORE, Json(granted.into())))
}

/// What a program has to show.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Grant {
    /// A code, for a person.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// The program's own secret.
    ClientCredentials,
}

impl Grant {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "authorization_code" => Ok(Self::AuthorizationCode),
            "refresh_token" => Ok(Self::RefreshToken),
            "client_credentials" => Ok(Self::ClientCredentials),
            _ => {
                let why = "only authorization_code, refresh_token and client_credentials";
                Err(Refusal::new("unsupported_grant_type", why))
            }
        }
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::new("invalid_request", format!("{field} is missing"))
}

impl TokenRequest {
    fn exchange(self) -> Result<Exchange, Refusal> {
        Ok(Exchange {
            code: self.code.ok_or_else(|| missing("code"))?,
            redirect_uri: self.redirect_uri.ok_or_else(|| missing("redirect_uri"))?,
            verifier: self.code_verifier.ok_or_else(|| missing("code_verifier"))?,
        })
    }

    fn refresh(self, caller: &Caller) -> Result<Refresh, Refusal> {
        let retry_id = self.retry_id.map(|text| uuid::Uuid::try_parse(&text)).transpose();
        let retry_id =
            retry_id.map_err(|_| Refusal::new("invalid_request", "retry_id is a UUID"))?;
        Ok(Refresh {
            token: self.refresh_token.ok_or_else(|| missing("refresh_token"))?,
            client: caller.id().map(str::to_owned),
            retry_id: retry_id.map(uuid::Uuid::into_bytes),
            scope: self.scope,
        })
    }
}

/// Finds out which client asks: by the header (RFC 6749, section 2.3.1) or by the form, never by
/// both. Who names none is one of our own programs.
pub(super) async fn recognised(
    door: &Door,
    headers: &HeaderMap,
    id: &Option<String>,
    secret: &Option<String>,
) -> Result<Caller, Refusal> {
    let shown = match headers.get(header::AUTHORIZATION) {
        Some(value) => {
            let shown = basic(value).ok_or_else(|| Refusal::invalid_client("cannot be read"))?;
            if secret.is_some() {
                return Err(Refusal::new("invalid_request", "show the secret in one way only"));
            }
            if id.as_ref().is_some_and(|id| *id != shown.id) {
                return Err(Refusal::new("invalid_request", "two clients at once"));
            }
            shown
        }
        None => {
            let id = id.clone().unwrap_or_else(|| CLIENT.to_owned());
            ClientProof { id, secret: secret.clone() }
        }
    };
    let caller = door.hub.recognise(&shown).await?;
    caller.ok_or_else(|| Refusal::invalid_client("the client is unknown or its secret is wrong"))
}

/// Reads the header: both halves are form-encoded before they are joined.
fn basic(value: &HeaderValue) -> Option<ClientProof> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |part: &str| {
        let mut pairs = url::form_urlencoded::parse(part.as_bytes());
        pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
    };
    Some(ClientProof { id: plain(id), secret: Some(plain(secret)) })
}
