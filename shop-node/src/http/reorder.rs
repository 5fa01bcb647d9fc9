//! What runs low and what goes off, over HTTP, and from when on something is ordered again.

use axum::{extract::State, http::StatusCode};
use kirana_core::{id::VariantId, policy::Action};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    batches,
    extract::{Json, Path, Query},
    now,
    orders::Page,
    problem::Problem,
    stock::Paging,
};
use crate::app::reorder::{Low, WITHIN_DAYS_MAX};

/// What is below its level or gone, with how much to order.
#[utoipa::path(get, path = "/v1/stock/low", tag = "stock", params(Paging),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn low(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let after = paging.cursor().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let rows = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().low(after, limit, now())?)
        })
        .await?;
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|row| row.variant.to_string());
    Ok(axum::Json(Page { items: rows.iter().map(shown).collect(), next_cursor }))
}

/// One thing that runs low, as HTTP and the command line show it.
pub fn shown(row: &Low) -> Value {
    json!({
        "variant_id": row.variant, "product_id": row.product, "unit": row.unit,
        "free": row.standing.free, "coming": row.standing.coming, "level": row.rule.level,
        "up_to": row.rule.up_to, "order": row.order(), "supplier_id": row.supplier,
        "pack": row.pack,
    })
}

/// How many days ahead.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Within {
    /// Goods whose date passes within so many days, or has passed; 7 if left out.
    within: Option<u32>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// Batches whose best-before date has passed or passes soon, by the known time.
#[utoipa::path(get, path = "/v1/stock/expiring", tag = "stock", params(Within),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn expiring(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(wanted): Query<Within>,
) -> Result<axum::Json<Page>, Problem> {
    let (limit, within) = (wanted.limit.unwrap_or(100).clamp(1, 100), wanted.within.unwrap_or(7));
    if within > WITHIN_DAYS_MAX {
        return Err(Problem::malformed(format!("within is at most {WITHIN_DAYS_MAX} days")));
    }
    let after = wanted.cursor.as_deref().map(batches::place).transpose()?;
    let (found, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            let found = access.shop().expiring(within, after, limit, now())?;
            Ok::<_, Problem>((found, batches::sees_costs(access, &visitor)))
        })
        .await?;
    let (today, in_doubt) = (found.today, found.in_doubt);
    Ok(axum::Json(batches::page(&found.rows, limit, |row| {
        let mut shown = batches::shown(row, costs);
        shown["days_left"] = json!(row.lot.best_before.map(|day| day.after(today)));
        shown["clock_in_doubt"] = json!(in_doubt);
        shown
    })))
}

/// From when on something is ordered again; amounts are base units.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Below this it is low.
    #[serde(deserialize_with = "kirana_core::whole::read")]
    level: u64,
    /// How much of it the shop likes to have.
    #[serde(deserialize_with = "kirana_core::whole::read")]
    up_to: u64,
}

/// Sets from when on a variant is ordered again.
#[utoipa::path(put, path = "/v1/stock/reorder/{variant}", tag = "stock", request_body = Rule,
    params(("variant" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(variant): Path<VariantId>,
    Json(rule): Json<Rule>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        let rule = Some((rule.level, rule.up_to));
        Ok::<_, Problem>(access.shop().set_reorder(variant, rule)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves it to the safety stock of the catalogue when a variant is low.
#[utoipa::path(delete, path = "/v1/stock/reorder/{variant}", tag = "stock",
    params(("variant" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn unset(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(variant): Path<VariantId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        Ok::<_, Problem>(access.shop().set_reorder(variant, None)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
