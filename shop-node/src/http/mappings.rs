//! Mappings of suppliers' files over HTTP.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use kirana_core::policy::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path},
    problem::Problem,
};

/// Which column of a supplier's files means what.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportMapping)]
pub struct Mapping {
    /// Columns with the names of fields: `{"Artikel":"name","EAN":"gtin"}`.
    map: BTreeMap<String, String>,
}

/// The mappings that are kept, by the names of suppliers.
#[utoipa::path(get, path = "/v1/import-mappings", tag = "catalogue", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let kept = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().mappings()?)
        })
        .await?;
    let items = kept.into_iter().map(|(name, map)| json!({"id": name, "map": map}));
    Ok(axum::Json(json!({"items": items.collect::<Vec<_>>(), "next_cursor": null})))
}

/// The mapping of one supplier.
#[utoipa::path(get, path = "/v1/import-mappings/{supplier}", tag = "catalogue",
    security(("token" = [])),
    responses((status = 200, body = Mapping), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(supplier): Path<String>,
) -> Result<axum::Json<Mapping>, Problem> {
    let map = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().mapping(&supplier)?)
        })
        .await?;
    Ok(axum::Json(Mapping { map }))
}

/// Keeps the mapping of a supplier, in place of the one before.
#[utoipa::path(put, path = "/v1/import-mappings/{supplier}", tag = "catalogue",
    security(("token" = [])), request_body = Mapping,
    responses((status = 201), (status = 204), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn put(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(supplier): Path<String>,
    Json(mapping): Json<Mapping>,
) -> Result<StatusCode, Problem> {
    let was_there = door
        .run(move |access| {
            access.allow(&visitor, Action::RunImport, &access.here())?;
            Ok::<_, Problem>(access.shop().set_mapping(&supplier, mapping.map)?)
        })
        .await?;
    Ok(if was_there { StatusCode::NO_CONTENT } else { StatusCode::CREATED })
}

/// Forgets the mapping of a supplier.
#[utoipa::path(delete, path = "/v1/import-mappings/{supplier}", tag = "catalogue",
    security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn remove(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(supplier): Path<String>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::RunImport, &access.here())?;
        Ok::<_, Problem>(access.shop().remove_mapping(&supplier)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
