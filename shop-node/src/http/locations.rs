//! Places for stock over HTTP: the rooms of the shop.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{id::LocationId, policy::Action};
use serde::Deserialize;
use serde_json::json;

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path},
    now,
    orders::Page,
    problem::Problem,
};
use crate::clock;

/// A place by its name.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// What people call it; at most 60 characters.
    name: String,
}

/// The places where the shop keeps stock; it sells from the first.
#[utoipa::path(get, path = "/v1/stock/locations", tag = "stock", security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Page>, Problem> {
    let places = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().locations()?)
        })
        .await?;
    let places = places.iter().enumerate();
    let items =
        places.map(|(n, (id, name))| json!({ "id": id, "name": name, "sells": n == 0 })).collect();
    Ok(axum::Json(Page { items, next_cursor: None }))
}

/// Names another place for stock.
#[utoipa::path(post, path = "/v1/stock/locations", tag = "stock", request_body = Named,
    security(("token" = [])),
    responses((status = 201, body = serde_json::Value), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(named): Json<Named>,
) -> Result<Response, Problem> {
    let name = named.name.clone();
    let id = door
        .run(move |access| {
            access.allow(&visitor, Action::EditShop, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>(shop.name_location(None, &named.name, now(), &mut clock::rng())?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "id": id, "name": name.trim() }))).into_response())
}

/// Calls a place otherwise.
#[utoipa::path(patch, path = "/v1/stock/locations/{id}", tag = "stock", request_body = Named,
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn rename(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<LocationId>,
    Json(named): Json<Named>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditShop, &access.here())?;
        let shop = access.shop();
        shop.name_location(Some(id), &named.name, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}
