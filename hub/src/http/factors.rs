//! `/v1/me/factors`: authenticator apps as second factors.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode},
};
use kirana_core::time::UnixMs;
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::Page,
    extract::{Body, Signed, id},
    problem::Problem,
    sessions::NO_STORE,
};
use crate::{app::factor::Begun, clock};

/// Which kind of factor.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFactor {
    /// `totp`: an authenticator app.
    #[serde(rename = "type")]
    kind: Kind,
    /// Needed once the sign-in is older than fifteen minutes.
    password: Option<String>,
}

/// The kinds of second factors.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Codes of an authenticator app (RFC 6238).
    Totp,
}

/// A factor that waits for its first code.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BegunFactor {
    /// Its id.
    id: String,
    /// What the app needs, in base32; shown once.
    secret: String,
    /// The same as a link, for a picture.
    otpauth_uri: String,
}

/// A code that the app shows.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Six digits.
    otp: String,
}

/// Codes for the day on which the app is lost.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    /// Each works once, in place of the app's code; empty where the account has some already.
    recovery_codes: Vec<String>,
}

/// The password, for removing a factor.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The password.
    pub(super) password: String,
}

/// A second factor.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FactorItem {
    /// Its id.
    id: String,
    /// Its kind.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// When it was confirmed; before that it does not count.
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<UnixMs>,
}

/// Begins a second factor; it counts once it is confirmed.
#[utoipa::path(post, path = "/v1/me/factors", tag = "accounts", security(("bearer" = [])),
    request_body = NewFactor, responses((status = 201, body = BegunFactor),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn begin(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(NewFactor { kind: Kind::Totp, password }): Body<NewFactor>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<BegunFactor>), Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let begun = door.hub.begin_factor(&actor, password.as_deref(), now, &mut rng).await?;
    let Begun { id, secret, otpauth_uri } = begun;
    let id = uuid::Uuid::from_bytes(id).to_string();
    Ok((StatusCode::CREATED, NO_STORE, Json(BegunFactor { id, secret, otpauth_uri })))
}

/// Confirms it by a code; the account's first gives recovery codes.
#[utoipa::path(post, path = "/v1/me/factors/{id}/confirm", tag = "accounts",
    security(("bearer" = [])), params(("id" = String, Path)), request_body = Code,
    responses((status = 200, body = RecoveryCodes),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(factor): Path<String>,
    Body(Code { otp }): Body<Code>,
) -> Result<([(HeaderName, HeaderValue); 2], Json<RecoveryCodes>), Problem> {
    let factor = id::<uuid::Uuid>("second factor", &factor)?.into_bytes();
    let (now, mut rng) = (clock::now(), clock::rng());
    let recovery_codes = door.hub.confirm_factor(&actor, factor, &otp, now, &mut rng).await?;
    Ok((NO_STORE, Json(RecoveryCodes { recovery_codes })))
}

/// The own second factors, oldest first.
#[utoipa::path(get, path = "/v1/me/factors", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = Page<FactorItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<FactorItem>>, Problem> {
    let factors = door.hub.factors(&actor, clock::now()).await?;
    let items = factors.into_iter().map(|factor| FactorItem {
        id: uuid::Uuid::from_bytes(factor.id).to_string(),
        kind: "totp",
        created_at: factor.created_at,
        confirmed_at: factor.confirmed_at,
    });
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}

/// Removes one, for whoever knows the password.
#[utoipa::path(delete, path = "/v1/me/factors/{id}", tag = "accounts", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Confirmation, responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(factor): Path<String>,
    Body(Confirmation { password }): Body<Confirmation>,
) -> Result<StatusCode, Problem> {
    let factor = id::<uuid::Uuid>("second factor", &factor)?.into_bytes();
    door.hub.remove_factor(&actor, factor, &password, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
