//! Stocktakes over HTTP: people count, and selling goes on.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    id::{CountId, LocationId, VariantId},
    policy::Action,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, Repeatable},
    now,
    orders::Page,
    problem::Problem,
    stock::{self, Paging},
};
use crate::{
    app::counts::{Count, Look, Standing},
    clock,
};

/// Where people count.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The place; where the shop sells if left out.
    #[schema(value_type = Option<String>)]
    location_id: Option<LocationId>,
}

/// Begins a stocktake, and notes how far the ledger goes.
#[utoipa::path(post, path = "/v1/stock/counts", tag = "stock", request_body = Place,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn open(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(place): Json<Place>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let opened = door
        .run(move |access| {
            access.allow(&visitor, Action::MoveStock, &access.here())?;
            let (shop, by, place) = (access.shop(), visitor.who(), place.location_id);
            let id = shop.open_count(once, place, by, now(), &mut clock::rng())?;
            Ok::<_, Problem>(shop.count(id)?)
        })
        .await?;
    let opened = standing(&opened.ok_or_else(Problem::not_found)?);
    Ok((StatusCode::CREATED, axum::Json(opened)).into_response())
}

/// The stocktakes, the newest first.
#[utoipa::path(get, path = "/v1/stock/counts", tag = "stock", params(Paging),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let before = paging.cursor().map(str::parse).transpose();
    let before = before.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let rows = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().counts(before, limit)?)
        })
        .await?;
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|row| row.id.to_string());
    Ok(axum::Json(Page { items: rows.iter().map(shown).collect(), next_cursor }))
}

/// One stocktake: what was counted, and what nobody has counted yet.
#[utoipa::path(get, path = "/v1/stock/counts/{id}", tag = "stock", params(("id" = String, Path)),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<CountId>,
) -> Result<axum::Json<Value>, Problem> {
    let found = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().count(id)?)
        })
        .await?;
    Ok(axum::Json(standing(&found.ok_or_else(Problem::not_found)?)))
}

/// What somebody begins to count.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    #[schema(value_type = String)]
    variant_id: VariantId,
}

/// Somebody begins to count something: what they find is compared with what the ledger says now.
#[utoipa::path(post, path = "/v1/stock/counts/{id}/looks", tag = "stock", request_body = Looked,
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn look(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<CountId>,
    Json(Looked { variant_id }): Json<Looked>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::MoveStock, &access.here())?;
        access.shop().look_at(id, variant_id, visitor.who(), now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// What somebody found.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Found {
    #[schema(value_type = String)]
    variant_id: VariantId,
    /// How much lay there, in base units.
    #[serde(deserialize_with = "kirana_core::whole::read")]
    amount: u64,
}

/// Enters what somebody found, by what the ledger said when they looked.
#[utoipa::path(post, path = "/v1/stock/counts/{id}/lines", tag = "stock", request_body = Found,
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 201, body = Value), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn enter(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<CountId>,
    key: Repeatable,
    Json(Found { variant_id, amount }): Json<Found>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let entered = door
        .run(move |access| {
            access.allow(&visitor, Action::MoveStock, &access.here())?;
            let (found, by) = ((variant_id, amount), visitor.who());
            let shop = access.shop();
            Ok::<_, Problem>(shop.enter_count(once, id, found, by, now(), &mut clock::rng())?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(stock::shown(&entered))).into_response())
}

/// Ends a stocktake; what nobody counted stays as it is.
#[utoipa::path(post, path = "/v1/stock/counts/{id}/end", tag = "stock",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn end(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<CountId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::MoveStock, &access.here())?;
        access.shop().end_count(id, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

fn shown(count: &Count) -> Value {
    json!({
        "id": count.id, "location_id": count.location, "position": count.position,
        "opened": count.opened, "by": count.who, "ended": count.ended,
    })
}

/// A stocktake as it stands, as HTTP and the command line show it.
pub fn standing(found: &Standing) -> Value {
    let line = |look: &Look| {
        let there = look.book.saturating_sub(look.outside);
        let difference = look.counted.map(|counted| i128::from(counted) - i128::from(there));
        json!({
            "variant_id": look.variant, "position": look.looked, "book": there,
            "counted": look.counted, "difference": difference.and_then(|d| i64::try_from(d).ok()),
            "movement": look.movement, "by": look.who,
        })
    };
    let mut all = shown(&found.count);
    all["lines"] = found.looks.iter().map(line).collect();
    all["not_counted"] = json!(found.not_counted);
    all
}
