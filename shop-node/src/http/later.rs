//! Paths that are promised and not part of this version: they say so by name.

use axum::{Router, routing::any};

use super::{Door, problem::Problem};

const LATER: &[(&str, &str)] = &[("/v1/payments/webhooks/{provider}", "a payment provider")];

/// Answers 501 with the name of what is to come.
pub fn router() -> Router<Door> {
    LATER.iter().fold(Router::new(), |router, (path, what)| {
        router.route(path, any(async move || Problem::not_yet(what)))
    })
}
