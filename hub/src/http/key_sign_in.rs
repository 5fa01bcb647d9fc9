//! `/v1/sessions/nonce` and `/v1/sessions/by-key`: signing in by the key of a device.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    extract::{Body, Visiting},
    problem::Problem,
    sessions::{NO_STORE, TokenPair},
};
use crate::{
    app::{Error, key_sign_in::ShownKey},
    clock,
};

/// Something fresh to sign.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Question {
    /// Forty bytes in hexadecimal digits; good for two minutes and one answer.
    nonce: String,
    /// The name of this hub, which is signed too: its issuer.
    audience: String,
}

/// What a device signs in with.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInByKey {
    /// The device's certificates (CWT) in base64url: its own, then that of the device that
    /// countersigned it, where one did.
    #[schema(min_items = 1, max_items = 2)]
    certificates: Vec<String>,
    /// The signed question (COSE_Sign1) in base64url.
    answer: String,
    /// Fewer scopes than the account may have.
    #[serde(default)]
    scope: Option<String>,
    /// What this device was given when it signed in before.
    #[serde(default)]
    device_token: Option<String>,
}

impl SignInByKey {
    fn parse(self) -> Result<ShownKey, Error> {
        let certificates = self.certificates.iter().map(|text| bytes("certificates", text));
        let certificates = certificates.collect::<Result<_, _>>()?;
        Ok(ShownKey { certificates, answer: bytes("answer", &self.answer)?, scope: self.scope })
    }
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    let why = || format!("{field}: it is no base64url without =, so it proves nothing");
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::KeyRefused { why: why() })
}

/// Gives out something fresh to sign.
#[utoipa::path(post, path = "/v1/sessions/nonce", tag = "sessions", responses(
    (status = 200, body = Question),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn question(
    State(door): State<Door>,
    Visiting(visitor): Visiting,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Question>), Problem> {
    let now = clock::now();
    door.hub.count_look(visitor.from, now)?;
    let (nonce, audience) = door.hub.question(now, &mut clock::rng())?;
    let nonce = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((NO_STORE, Json(Question { nonce, audience })))
}

/// Signs in by the key of a device of the account. No password is shown, so the session neither
/// certifies another device nor changes where letters go.
#[utoipa::path(post, path = "/v1/sessions/by-key", tag = "sessions", request_body = SignInByKey,
    responses((status = 201, body = TokenPair),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sign_in_by_key(
    State(door): State<Door>,
    Visiting(mut visitor): Visiting,
    Body(mut given): Body<SignInByKey>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<TokenPair>), Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    door.hub.count_look(visitor.from, now)?;
    visitor.device = given.device_token.take().or(visitor.device);
    let (tokens, device) = door.hub.sign_in_by_key(given.parse()?, &visitor, now, &mut rng).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(TokenPair::of(tokens, device))))
}
