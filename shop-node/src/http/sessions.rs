//! Signs in at the shop itself: a certificate and a signature over a nonce, no hub needed.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    extract::{Json, bytes},
    now,
    problem::Problem,
};
use crate::clock;

/// Something fresh to sign.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NonceAnswer {
    /// Hexadecimal; good for two minutes.
    nonce: String,
    /// The name of this door, which is signed too.
    audience: String,
}

/// Gives out something fresh to sign.
#[utoipa::path(post, path = "/v1/sessions/nonce", tag = "sessions",
    responses((status = 200, body = NonceAnswer)))]
pub async fn nonce(State(door): State<Door>) -> axum::Json<NonceAnswer> {
    let nonce = door.access.nonce(now(), &mut clock::rng());
    let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    axum::Json(NonceAnswer { nonce, audience: door.access.audience().to_owned() })
}

/// Who asks for a session.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The certificates, leaf first, each a CWT in base64.
    certificates: Vec<String>,
    /// The signed nonce, a COSE_Sign1 in base64.
    answer: String,
}

/// An access token of this shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Opens a session for the holder of a certificate.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = SignIn,
    responses((status = 201, body = SessionAnswer), (status = 401, body = Problem)))]
pub async fn open(
    State(door): State<Door>,
    Json(given): Json<SignIn>,
) -> Result<Response, Problem> {
    let chain = given.certificates.iter().map(|text| bytes("certificates", text));
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let answer = bytes("answer", &given.answer)?;
    let session =
        door.run(move |access| access.sign_in(chain, &answer, now(), &mut clock::rng())).await?;
    let body = SessionAnswer {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: session.expires_in,
    };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, no_store, axum::Json(body)).into_response())
}
