//! Suppliers over HTTP; what they ask is shown to those who may see costs.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    id::{SupplierId, VariantId},
    money::Price,
    policy::Action,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    batches::sees_costs,
    extract::{Json, Path, Query},
    now,
    orders::Page,
    problem::Problem,
    stock::Paging,
};
use crate::{
    app::suppliers::{About, Article, Supplier},
    clock,
};

/// Who a supplier is.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenSupplier {
    /// What people call it; at most 60 characters, and no other supplier's.
    name: String,
    /// How it is reached; at most 300 characters.
    #[serde(default)]
    contact: String,
    /// How many days goods need after they were ordered.
    lead_days: Option<u32>,
}

impl From<GivenSupplier> for About {
    fn from(GivenSupplier { name, contact, lead_days }: GivenSupplier) -> Self {
        Self { name, contact, lead_days }
    }
}

/// From whom the shop buys, the oldest first.
#[utoipa::path(get, path = "/v1/suppliers", tag = "purchases", params(Paging),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = paging.limit();
    let after = paging.cursor().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let rows = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewPurchases, &access.here())?;
            Ok::<_, Problem>(access.shop().suppliers(after, limit)?)
        })
        .await?;
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|row| row.id.to_string());
    Ok(axum::Json(Page { items: rows.iter().map(shown).collect(), next_cursor }))
}

/// Notes a new supplier.
#[utoipa::path(post, path = "/v1/suppliers", tag = "purchases", request_body = GivenSupplier,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<GivenSupplier>,
) -> Result<Response, Problem> {
    let made = door
        .run(move |access| {
            access.allow(&visitor, Action::Purchase, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>(shop.put_supplier(None, given.into(), now(), &mut clock::rng())?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(shown(&made))).into_response())
}

/// One supplier, with its numbers for what the shop sells.
#[utoipa::path(get, path = "/v1/suppliers/{id}", tag = "purchases",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<SupplierId>,
) -> Result<axum::Json<Value>, Problem> {
    let (found, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewPurchases, &access.here())?;
            Ok::<_, Problem>((access.shop().supplier(id)?, sees_costs(access, &visitor)))
        })
        .await?;
    let (supplier, articles) = found.ok_or_else(Problem::not_found)?;
    Ok(axum::Json(with_articles(&supplier, &articles, costs)))
}

/// Notes something else about a supplier.
#[utoipa::path(put, path = "/v1/suppliers/{id}", tag = "purchases", request_body = GivenSupplier,
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn change(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<SupplierId>,
    Json(given): Json<GivenSupplier>,
) -> Result<axum::Json<Value>, Problem> {
    let changed = door
        .run(move |access| {
            access.allow(&visitor, Action::Purchase, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>(shop.put_supplier(Some(id), given.into(), now(), &mut clock::rng())?)
        })
        .await?;
    Ok(axum::Json(shown(&changed)))
}

/// The shop no longer buys there: contact and prices go, the name stays beside what was bought. Naming it
/// again brings it back.
#[utoipa::path(delete, path = "/v1/suppliers/{id}", tag = "purchases",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn retire(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<SupplierId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::Purchase, &access.here())?;
        access.shop().retire_supplier(id, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// How a supplier sells a variant.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenArticle {
    /// The supplier's own number for it.
    code: Option<String>,
    /// How many base units are in one pack; 1 if left out.
    #[serde(default = "one_unit", deserialize_with = "kirana_core::whole::read")]
    pack: u64,
    /// What it usually costs, tax left out: `{minor, per, currency}`.
    #[schema(value_type = Option<Object>)]
    cost: Option<Price>,
}

fn one_unit() -> u64 {
    1
}

/// Says how a supplier sells a variant.
#[utoipa::path(put, path = "/v1/suppliers/{id}/articles/{variant}", tag = "purchases",
    request_body = GivenArticle, params(("id" = String, Path), ("variant" = String, Path)),
    security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn set_article(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path((id, variant)): Path<(SupplierId, VariantId)>,
    Json(GivenArticle { code, pack, cost }): Json<GivenArticle>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::Purchase, &access.here())?;
        let article = Some(Article { variant, code, pack, cost });
        access.shop().set_article(id, variant, article, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// A supplier no longer sells a variant.
#[utoipa::path(delete, path = "/v1/suppliers/{id}/articles/{variant}", tag = "purchases",
    params(("id" = String, Path), ("variant" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn remove_article(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path((id, variant)): Path<(SupplierId, VariantId)>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::Purchase, &access.here())?;
        access.shop().set_article(id, variant, None, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// A supplier, as HTTP and the command line show it.
pub fn shown(row: &Supplier) -> Value {
    json!({
        "id": row.id, "name": row.name, "contact": row.contact, "lead_days": row.lead_days,
        "retired_at": row.retired,
    })
}

fn with_articles(supplier: &Supplier, articles: &[Article], with_cost: bool) -> Value {
    let articles = articles.iter().map(|article| {
        let mut shown =
            json!({ "variant_id": article.variant, "code": article.code, "pack": article.pack });
        if with_cost {
            shown["cost"] = json!(article.cost);
        }
        shown
    });
    let mut shown = shown(supplier);
    shown["articles"] = articles.collect();
    shown
}
