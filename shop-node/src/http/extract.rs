//! Reads requests and answers with a problem document when they cannot be read.

use axum::{
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kirana_core::key::KeyId;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::app::Once;

/// A JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        axum::Json::<T>::from_request(request, state).await.map(|json| Self(json.0)).map_err(
            |rejection: JsonRejection| match rejection.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported-media-type",
                    "send application/json here",
                ),
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too-large",
                    "the request is longer than 1 MiB",
                ),
                _ => Problem::malformed(rejection.body_text()),
            },
        )
    }
}

/// The parts of the path that stand for something.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            // A path that names nothing possible names nothing.
            .map_err(|_: PathRejection| Problem::not_found())
    }
}

/// The parameters behind the question mark.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|rejection: QueryRejection| Problem::malformed(rejection.body_text()))
    }
}

/// The header `Idempotency-Key`, as it came.
pub struct Repeatable(Option<String>);

impl Repeatable {
    /// The key as one of this device.
    ///
    /// # Errors
    /// A problem when it is empty, too long or not plain text.
    pub fn by(self, device: KeyId) -> Result<Option<Once>, Problem> {
        let key = |key: String| {
            Once::new(device, &key)
                .ok_or_else(|| Problem::malformed("an Idempotency-Key has 1 to 255 plain letters"))
        };
        self.0.map(key).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Repeatable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get("idempotency-key");
        Ok(Self(key.map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned())))
    }
}

/// Bytes written as base64, in either alphabet.
///
/// # Errors
/// A problem that names the field.
pub fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let trimmed = text.trim_end_matches('=');
    let plain = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(trimmed));
    plain.map_err(|_| Problem::malformed(format!("{field} is not base64")))
}
