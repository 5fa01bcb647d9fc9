//! Whether the shop lives, whether it takes orders, what it counts, and who it is.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use kirana_core::policy::Action;
use serde::Serialize;

use super::{Door, auth::SignedIn, extract::Json, problem::Problem};
use crate::app::closing::Closing;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String)))]
pub async fn healthz() -> &'static str {
    "ok"
}

/// Orders can be taken: the disk takes what is written, and no newer box speaks for the shop.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = String), (status = 503, body = Problem)))]
pub async fn readyz(State(door): State<Door>) -> Result<&'static str, Problem> {
    let writer = &door.shop().database().writer;
    let not_ready = |code, title: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title);
    if writer.is_stopped() {
        return Err(not_ready("disk-failed", "the disk of the shop failed: start it again"));
    }
    if writer.is_full() {
        return Err(not_ready("disk-full", "the disk of the shop is full: free some space"));
    }
    let read_only = door.run(|access| access.shop().read_only()).await?;
    if let Some(why) = read_only {
        return Err(not_ready(
            "read-only",
            &format!("this box no longer speaks for the shop: {why}"),
        ));
    }
    Ok("ready")
}

/// Counters for Prometheus; they name no person and no product.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String)))]
pub async fn metrics(State(door): State<Door>) -> impl IntoResponse {
    door.metrics.render()
}

/// What anybody may know of a shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Profile {
    id: String,
    name: String,
    currency: String,
    place: Option<String>,
    generation: u64,
    /// The certificates of the box and the shop, leaf first, in base64.
    certificates: Vec<String>,
    /// Where devices reach the shop directly: multiaddrs.
    p2p: Vec<String>,
    /// For how long ended certificates of known people count: `never`, a number of days, `always`.
    honour_expired: String,
    /// `open`; `closing` while it takes no new orders and finishes the open ones; `ended`.
    state: &'static str,
    /// Since when it takes no new orders, if so.
    closing_since: Option<String>,
}

/// What an owner may set.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For how long expired certificates of known people count: `never`, a number of days, `always`.
    honour_expired: String,
}

/// Sets for how long expired certificates of known people count here; that counts at once.
#[utoipa::path(patch, path = "/v1/profile", tag = "profile", request_body = Settings,
    security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<Settings>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditShop, &access.here())?;
        let chosen = given.honour_expired.parse().map_err(|e: kirana_core::trust::NoHonour| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-honour", e.to_string())
        })?;
        Ok::<_, Problem>(access.shop().honour_expired(chosen)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who this shop is, with its certificates: enough to choose it.
#[utoipa::path(get, path = "/v1/profile", tag = "profile", responses((status = 200, body = Profile)))]
pub async fn profile(State(door): State<Door>) -> Result<axum::Json<Profile>, Problem> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let shop = door.shop();
    let chain = shop.chain().map_err(|error| Problem::internal(&error))?;
    let honoured = shop.honours_expired().map_err(|error| Problem::internal(&error))?;
    let closing = shop.closing().map_err(|error| Problem::internal(&error))?.closing;
    let identity = shop.identity();
    Ok(axum::Json(Profile {
        id: shop.id().to_string(),
        name: identity.name.clone(),
        currency: identity.currency.to_string(),
        place: identity.place.clone(),
        generation: shop.generation(),
        certificates: chain.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        p2p: door.addresses.to_vec(),
        honour_expired: honoured.to_string(),
        state: match closing {
            None => "open",
            Some(Closing { ended: None, .. }) => "closing",
            Some(Closing { ended: Some(_), .. }) => "ended",
        },
        closing_since: closing.map(|closing| closing.since.to_string()),
    }))
}
