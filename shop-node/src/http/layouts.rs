//! How the codes of the shop's scales are read, over HTTP.

use axum::{extract::State, http::StatusCode};
use kirana_core::{policy::Action, scale::Layout};
use serde::{Deserialize, Serialize};

use super::{Door, auth::SignedIn, extract::Json, problem::Problem};

/// How the codes of the shop's scales are divided.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleLayouts {
    /// Up to 20: `prefix` (2 to 4 digits, of which the first are 02 or 20 to 29), `item_digits`,
    /// `carries` (`weight` or `price`), `one` (how many grams or minor units one is: 1, 10, 100 or
    /// 1000), `verifier` (whether a check digit stands before the weight or price).
    #[schema(value_type = Vec<Object>, max_items = 20)]
    layouts: Vec<Layout>,
}

/// The layouts.
#[utoipa::path(get, path = "/v1/scale-layouts", tag = "stock", security(("token" = [])),
    responses((status = 200, body = ScaleLayouts), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<ScaleLayouts>, Problem> {
    let layouts = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            Ok::<_, Problem>(access.shop().scale_layouts()?.as_slice().to_vec())
        })
        .await?;
    Ok(axum::Json(ScaleLayouts { layouts }))
}

/// Says how the codes are to be read, in place of what was said before.
#[utoipa::path(put, path = "/v1/scale-layouts", tag = "stock", security(("token" = [])),
    request_body = ScaleLayouts,
    responses((status = 204), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<ScaleLayouts>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditShop, &access.here())?;
        access.shop().set_scale_layouts(given.layouts)?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}
