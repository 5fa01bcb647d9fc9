//! `/v1/me/notices`: whether letters about orders are wanted.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    extract::{Body, Signed},
    problem::Problem,
};
use crate::clock;

/// Which notices a person gets, beside those in the app.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// By letter to the confirmed address: news of an order where this hub keeps the device, and that
    /// something waits where a device of one's own has not fetched it for ten minutes, every six hours at
    /// most. Goods, prices and addresses are never in them.
    mail: bool,
}

/// Whether letters about orders are wanted.
#[utoipa::path(get, path = "/v1/me/notices", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Notices),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Notices>, Problem> {
    Ok(Json(Notices { mail: door.hub.gets_notices(&actor, clock::now()).await? }))
}

/// Turns letters about orders on or off; 409 while no address is confirmed.
#[utoipa::path(put, path = "/v1/me/notices", tag = "accounts", security(("bearer" = [])),
    request_body = Notices, responses((status = 200, body = Notices),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn put(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(wanted): Body<Notices>,
) -> Result<Json<Notices>, Problem> {
    let (now, rng) = (clock::now(), &mut clock::rng());
    door.hub.set_notices(&actor, wanted.mail, now, rng).await?;
    Ok(Json(wanted))
}
