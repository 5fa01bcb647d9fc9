//! Lets pages of listed origins call the API from a browser (CORS, of the Fetch standard).
//!
//! **Invariant:** without a list no answer carries a header of CORS; with one, an origin counts that
//! stands there byte for byte, cookies never travel, and the console is nobody else's to read.

use axum::http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What other origins may send besides a plain request.
const HEADERS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::CONTENT_TYPE, HeaderName::from_static("idempotency-key")];
/// What they may read besides the body.
const EXPOSED: [HeaderName; 3] = [header::LOCATION, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The layer for these origins; none is wanted where none is listed.
pub fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let is_listed = move |origin: &HeaderValue, request: &Parts| {
        origins.contains(origin) && !request.uri.path().starts_with(super::console::ROOT)
    };
    let layer = CorsLayer::new().allow_origin(AllowOrigin::predicate(is_listed));
    Some(layer.allow_methods(METHODS).allow_headers(HEADERS).expose_headers(EXPOSED))
}
