//! `/v1/passphrases`: passphrases to choose from, for somebody who has no account yet.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    extract::{Caller, Query},
    problem::Problem,
    sessions::NO_STORE,
};
use crate::{app::passphrase::Offer, clock};

/// In which language.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// BCP 47; without a list in it the words are English.
    language: Option<String>,
}

/// Some passphrases.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Passphrases {
    /// The language that they are in.
    language: &'static str,
    /// Each of at least 50 bits; none is kept here.
    items: Vec<String>,
    /// There is no other part.
    next_cursor: Option<String>,
}

/// Offers some passphrases.
#[utoipa::path(get, path = "/v1/passphrases", tag = "accounts", params(Wanted), responses(
    (status = 200, body = Passphrases),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn passphrases(
    State(door): State<Door>,
    Caller(from): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Passphrases>), Problem> {
    door.hub.count_look(from, clock::now())?;
    let offer = door.hub.passphrases(wanted.language.as_deref(), &mut clock::rng())?;
    let Offer { language, passphrases: items } = offer;
    Ok((NO_STORE, Json(Passphrases { language, items, next_cursor: None })))
}
