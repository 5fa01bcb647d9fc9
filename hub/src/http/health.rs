//! Whether the hub lives, whether it can serve, and its counters.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use super::{Door, problem::Problem};
use crate::{app::Error, clock};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Value)))]
pub async fn healthz() -> Json<Value> {
    Json(json!({ "ok": true }))
}

/// The hub can read and write.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = Value),
    (status = 503, body = Problem, content_type = "application/problem+json")))]
pub async fn readyz(State(door): State<Door>) -> Result<Json<Value>, Problem> {
    door.hub.trust(clock::now()).await?;
    match door.hub.store().is_writable() {
        true => Ok(Json(json!({ "ready": true }))),
        false => {
            let detail = "nothing can be written: the disk is full or failed".to_owned();
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(detail)))
        }
    }
}

/// Counters for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String)))]
pub async fn metrics(State(door): State<Door>) -> Result<String, Problem> {
    let kept = door.hub.store().mail_usage().await.map_err(Error::from)?;
    metrics::gauge!("mail_pieces").set(kept.pieces as f64);
    metrics::gauge!("mail_bytes").set(kept.bytes as f64);
    Ok(door.metrics.render())
}
