//! Errors as problem documents (RFC 9457) with a stable `type`.
//!
//! **Invariant:** what went wrong inside is logged once, here, and never sent.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_picture::Unfit;
use serde::Serialize;

use crate::{app::Error, store::account::NotCreated};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Names the kind of problem; programs act on this.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip)]
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, kind: &str, detail: Option<String>) -> Self {
        let kind = format!("urn:kirana:problem:{kind}");
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { kind, title, status: status.as_u16(), detail, retry_after_s: None }
    }

    /// The problem of a status that the router gave without a word.
    pub fn of_status(status: StatusCode) -> Self {
        let (kind, detail) = match status {
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "this address does not take that method; see Allow")
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("too-large", "a body has at most 1 MiB, a picture 8 MiB")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported-media-type", "send the body as application/json")
            }
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "it took too long; try again"),
            status if status.is_server_error() => ("internal", "something failed inside"),
            _ => ("bad-request", "the request cannot be read"),
        };
        Self::new(status, kind, Some(detail.to_owned()))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = match self.kind.ends_with(":not-signed-in") {
                true => "Bearer error=\"invalid_token\"",
                false => "Bearer",
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Where a browser asked, a page says the same.
        response.extensions_mut().insert(self);
        response
    }
}

fn of_unfit(unfit: Unfit) -> (StatusCode, &'static str) {
    match unfit {
        Unfit::NoPicture => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-picture"),
        Unfit::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        Unfit::TooManyPixels { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-pixels"),
        Unfit::Damaged => (StatusCode::UNPROCESSABLE_ENTITY, "picture-damaged"),
    }
}

/// How long somebody waits whom the hub could not serve, in seconds.
const BUSY_WAIT_S: u64 = 5;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, kind) = match &error {
            Error::NotSignedIn => (StatusCode::UNAUTHORIZED, "not-signed-in"),
            Error::BadCredentials => (StatusCode::UNAUTHORIZED, "bad-credentials"),
            Error::FactorNeeded => (StatusCode::UNAUTHORIZED, "second-factor-needed"),
            Error::FactorWrong => (StatusCode::UNAUTHORIZED, "second-factor-wrong"),
            Error::KeyRefused { .. } => (StatusCode::UNAUTHORIZED, "key-refused"),
            Error::Suspended => (StatusCode::FORBIDDEN, "account-suspended"),
            Error::FactorRequired => (StatusCode::FORBIDDEN, "second-factor-required"),
            Error::SignInTooOld => (StatusCode::FORBIDDEN, "sign-in-too-old"),
            Error::ScopeMissing { .. } => (StatusCode::FORBIDDEN, "scope-missing"),
            Error::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden"),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "not-found"),
            Error::NotCreated(NotCreated::Taken) => (StatusCode::CONFLICT, "login-taken"),
            Error::NotCreated(NotCreated::Mismatch(_)) | Error::Mismatch(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused")
            }
            Error::Weak(_) => (StatusCode::UNPROCESSABLE_ENTITY, "weak-password"),
            Error::CodeUnknown => (StatusCode::FORBIDDEN, "code-unknown"),
            Error::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Error::Unfit(unfit) => of_unfit(*unfit),
            Error::Unproved { .. } => (StatusCode::FORBIDDEN, "key-unproved"),
            Error::Unfollowed(_) => (StatusCode::FORBIDDEN, "not-handed-over"),
            Error::Conflict { .. } | Error::ClientExists(_) => (StatusCode::CONFLICT, "conflict"),
            Error::Declined { kind, .. } => (StatusCode::CONFLICT, *kind),
            Error::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
            Error::Busy(_) | Error::Crowded(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Error::NotServedHere => (StatusCode::NOT_FOUND, "community-hub"),
            Error::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Error::Broken(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let mut problem = Self::new(status, kind, Some(error.to_string()));
        match &error {
            Error::Throttled(throttled) => problem.retry_after_s = Some(throttled.retry_after_s),
            Error::Busy(_) | Error::Crowded(_) | Error::Unavailable(_) => {
                problem.retry_after_s = Some(BUSY_WAIT_S);
            }
            Error::Broken(inside) => {
                tracing::error!(error = %inside, "a request failed inside");
                problem.detail = None;
            }
            _ => {}
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{password::Busy, throttle::Throttled};

    #[test]
    fn std_36_whoever_is_turned_away_is_told_when_to_come_back() {
        for (error, status, after) in [
            (Error::Busy(Busy), StatusCode::SERVICE_UNAVAILABLE, "5"),
            (Error::Throttled(Throttled { retry_after_s: 7 }), StatusCode::TOO_MANY_REQUESTS, "7"),
        ] {
            let response = Problem::from(error).into_response();
            assert_eq!(
                (response.status(), &response.headers()["retry-after"]),
                (status, &HeaderValue::from_static(after))
            );
        }
    }
}
