//! `/oauth/…`: the token endpoint's refresh grant, and revocation.
//!
//! Errors here are those of RFC 6749, section 5.2, not problem documents. The authorization code
//! flow, introspection and userinfo come with the web console and are not advertised before.

use axum::{
    Form, Json,
    extract::{FromRequest, Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    sessions::{NO_STORE, TokenPair},
};
use crate::{
    app::{
        Error,
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
    fn new(error: &'static str, description: impl ToString) -> Self {
        Self { error, error_description: description.to_string(), status: 400 }
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
        (status, NO_STORE, Json(self)).into_response()
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

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotServedHere => Self::new("unsupported_grant_type", error),
            other => {
                tracing::error!(error = %other, "a token request could not be answered");
                let description = "the hub cannot answer at the moment; try again";
                Self { status: 503, ..Self::new("temporarily_unavailable", description) }
            }
        }
    }
}

/// A form that parses.
pub struct Fields<T>(T);

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
    /// `refresh_token`.
    grant_type: Option<String>,
    /// The token to exchange.
    refresh_token: Option<String>,
    /// The client that the session belongs to.
    client_id: Option<String>,
    /// Fewer scopes than the session has.
    scope: Option<String>,
    /// A UUID; the same one within 60 seconds gets the same answer.
    retry_id: Option<String>,
}

/// What the revocation endpoint is asked (RFC 7009); a hint at the kind of token is not needed.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct RevocationRequest {
    /// A refresh or an access token.
    token: Option<String>,
}

/// Exchanges a refresh token.
#[utoipa::path(post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenPair), (status = "4XX", body = Refusal)))]
pub async fn token(
    State(door): State<Door>,
    Fields(asked): Fields<TokenRequest>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<TokenPair>), Refusal> {
    let refresh = asked.parse()?;
    let tokens = door.hub.refresh(refresh, clock::now(), &mut clock::rng()).await?;
    Ok((NO_STORE, Json(tokens.into())))
}

impl TokenRequest {
    fn parse(self) -> Result<Refresh, Refusal> {
        match self.grant_type.as_deref() {
            Some("refresh_token") => {}
            Some(_) => return Err(Refusal::new("unsupported_grant_type", "only refresh_token")),
            None => return Err(Refusal::new("invalid_request", "grant_type is missing")),
        }
        if self.client_id.is_some_and(|client| client != CLIENT) {
            return Err(Refusal::new("invalid_grant", "the token belongs to another client"));
        }
        let missing = || Refusal::new("invalid_request", "refresh_token is missing");
        let retry_id = self.retry_id.map(|text| uuid::Uuid::try_parse(&text)).transpose();
        let retry_id =
            retry_id.map_err(|_| Refusal::new("invalid_request", "retry_id is a UUID"))?;
        Ok(Refresh {
            token: self.refresh_token.ok_or_else(missing)?,
            retry_id: retry_id.map(uuid::Uuid::into_bytes),
            scope: self.scope,
        })
    }
}

/// Ends the session of a token; one that is unknown is over already (RFC 7009).
#[utoipa::path(post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200), (status = "4XX", body = Refusal)))]
pub async fn revoke(
    State(door): State<Door>,
    Fields(asked): Fields<RevocationRequest>,
) -> Result<StatusCode, Refusal> {
    let missing = || Refusal::new("invalid_request", "token is missing");
    door.hub.revoke_token(&asked.token.ok_or_else(missing)?, clock::now()).await?;
    Ok(StatusCode::OK)
}
