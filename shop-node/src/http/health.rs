//! Whether the shop lives, whether it takes orders, what it counts, and who it is.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;

use super::{Door, problem::Problem};

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
}

/// Who this shop is, with its certificates: enough to choose it.
#[utoipa::path(get, path = "/v1/profile", tag = "profile", responses((status = 200, body = Profile)))]
pub async fn profile(State(door): State<Door>) -> Result<axum::Json<Profile>, Problem> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let shop = door.shop();
    let chain = shop.chain().map_err(|error| Problem::internal(&error))?;
    let identity = shop.identity();
    Ok(axum::Json(Profile {
        id: shop.id().to_string(),
        name: identity.name.clone(),
        currency: identity.currency.to_string(),
        place: identity.place.clone(),
        generation: shop.generation(),
        certificates: chain.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        p2p: door.addresses.to_vec(),
    }))
}
