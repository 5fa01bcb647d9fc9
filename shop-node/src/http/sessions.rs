//! Signs in at the shop itself: a certificate and a signature over a nonce, no hub needed.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    auth::Token,
    extract::{Json, bytes},
    now,
    pins::FromInside,
    problem::Problem,
};
use crate::{
    app::{
        access::{AtDoor, Session},
        pin::Pin,
    },
    clock,
};

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

/// Who asks for a session: a device by its certificates and the signed nonce, or a person at a till
/// by name and PIN, where the till shows its certificates and the signed nonce, or its own token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The certificates, leaf first, each a CWT in base64.
    #[serde(default)]
    certificates: Vec<String>,
    /// The signed nonce, a COSE_Sign1 in base64.
    answer: Option<String>,
    /// Who takes a turn at this till.
    person: Option<String>,
    /// That person's PIN.
    pin: Option<String>,
}

/// An access token of this shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
}

/// Opens a session for the holder of a certificate, or somebody's turn at a till.
#[utoipa::path(post, path = "/v1/sessions", tag = "sessions", request_body = SignIn,
    responses((status = 201, body = SessionAnswer), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn open(
    State(door): State<Door>,
    inside: Result<FromInside, Problem>,
    token: Result<Token, Problem>,
    Json(given): Json<SignIn>,
) -> Result<Response, Problem> {
    let proof = proof(&given, token.ok())?;
    let session = match (given.person, given.pin, proof) {
        (None, None, AtDoor::Answer { chain, answer }) => {
            door.run(move |access| access.sign_in(chain, &answer, now(), &mut clock::rng())).await?
        }
        (Some(person), Some(pin), till) => {
            inside?;
            let place = door.pins.place().await?;
            door.run(move |access| {
                // Held until the work is done, also when nobody waits for the answer any more.
                let _place = place;
                let pin = Pin::typed(&pin);
                access.take_turn(till, &person, &pin, now(), &mut clock::rng())
            })
            .await?
        }
        _ => return Err(Problem::malformed("send certificates and answer, or person and pin")),
    };
    Ok(opened(session))
}

/// What a device proves itself with.
fn proof(given: &SignIn, token: Option<Token>) -> Result<AtDoor, Problem> {
    match (&given.answer, token) {
        (Some(answer), _) => {
            let chain = given.certificates.iter().map(|text| bytes("certificates", text));
            let chain = chain.collect::<Result<Vec<_>, _>>()?;
            Ok(AtDoor::Answer { chain, answer: bytes("answer", answer)? })
        }
        (None, Some(Token(token))) => Ok(AtDoor::Token(token)),
        (None, None) => Err(Problem::malformed("answer is missing")),
    }
}

fn opened(session: Session) -> Response {
    let body = SessionAnswer {
        access_token: session.access_token,
        token_type: "Bearer",
        expires_in: session.expires_in,
    };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::CREATED, no_store, axum::Json(body)).into_response()
}

/// Ends the turn at the till that the token is for. A device's own token ends by itself.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "sessions", security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 409, body = Problem)))]
pub async fn end(State(door): State<Door>, Token(token): Token) -> Result<StatusCode, Problem> {
    match door.run(move |access| access.end_turn(&token, now())).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(
            StatusCode::CONFLICT,
            "not-a-turn",
            "this is a device's own token: it ends within a quarter of an hour by itself",
        )),
    }
}
