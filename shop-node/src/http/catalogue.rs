//! The catalogue over HTTP for those who may edit it.
//!
//! **Invariant:** what an editor saw, the heads, comes back with every product.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    catalogue::{
        category::NotATree,
        conflict::{Claim, Conflict, Field, Value as Held},
        document::Heads,
        edit::{Edit, EditError},
        history::Change,
        shown::Shown,
    },
    hash::Hash,
    id::{ProductId, VariantId},
    policy::Action,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query},
    now,
    orders::Page,
    problem::Problem,
};
use crate::{
    app::catalogue::{
        NotEdited, Seen,
        amendment::{Amendment, PriceAmendment},
    },
    clock,
};

/// One product, with the heads that an edit is made upon.
#[utoipa::path(get, path = "/v1/catalogue/products/{id}", tag = "catalogue",
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    Path(id): Path<ProductId>,
) -> Result<axum::Json<Value>, Problem> {
    let seen = door.run(move |access| Ok::<_, Problem>(access.shop().product(id)?)).await?;
    Ok(axum::Json(full(&seen.ok_or_else(Problem::not_found)?)))
}

/// Which part of a history.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// At most so many changes.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// Where to go on: a `next_cursor`.
    cursor: Option<u64>,
}

/// What was changed of a product, by whom and when, newest first.
#[utoipa::path(get, path = "/v1/catalogue/products/{id}/history", tag = "catalogue",
    params(Span), security(("token" = [])),
    responses((status = 200, body = Page), (status = 404, body = Problem)))]
pub async fn history(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<ProductId>,
    Query(Span { limit, cursor }): Query<Span>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = usize::from(limit.unwrap_or(20).clamp(1, 100));
    let all = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            Ok::<_, Problem>(access.shop().history(id)?)
        })
        .await?
        .ok_or_else(Problem::not_found)?;
    // Counted from the oldest, so that a change meanwhile moves nothing.
    let end = cursor.map_or(all.len(), |n| all.len().min(usize::try_from(n).unwrap_or(all.len())));
    let start = end.saturating_sub(limit);
    let items = all[start..end].iter().rev().map(change).collect();
    Ok(axum::Json(Page { items, next_cursor: (start > 0).then(|| start.to_string()) }))
}

/// Puts a new product on the shelf.
#[utoipa::path(post, path = "/v1/catalogue/products", tag = "catalogue", request_body = Value,
    security(("token" = [])), responses((status = 201, body = Value)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(amendment): Json<Amendment>,
) -> Result<Response, Problem> {
    let seen = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            let shop = access.shop();
            let id = shop.add_product(&amendment, visitor.who(), now(), &mut clock::rng())?;
            Ok::<_, Problem>(shop.product(id)?)
        })
        .await?;
    let seen = seen.ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, axum::Json(full(&seen))).into_response())
}

/// A product's amendment and what its editor saw.
#[derive(Deserialize)]
pub struct Patch {
    /// The heads that the editor saw; without them the edit is made upon what is there now.
    upon: Option<Vec<Hash>>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Changes a product; upon older heads it clashes with what others did since, visibly.
#[utoipa::path(patch, path = "/v1/catalogue/products/{id}", tag = "catalogue",
    request_body = Value, security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem)))]
pub async fn amend(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<ProductId>,
    Json(patch): Json<Patch>,
) -> Result<axum::Json<Value>, Problem> {
    let amendment: Amendment = serde_json::from_value(Value::Object(patch.rest))
        .map_err(|why| Problem::malformed(why.to_string()))?;
    let upon = patch.upon.map(Heads::new);
    let seen = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            let (shop, by) = (access.shop(), visitor.who());
            shop.amend_product(id, amendment, by, upon, now(), &mut clock::rng())?;
            Ok::<_, Problem>(shop.product(id)?)
        })
        .await?;
    Ok(axum::Json(full(&seen.ok_or_else(Problem::not_found)?)))
}

/// Takes a product off the shelf; its id stays for the orders that name it.
#[utoipa::path(delete, path = "/v1/catalogue/products/{id}", tag = "catalogue",
    security(("token" = [])), responses((status = 204), (status = 404, body = Problem)))]
pub async fn delist(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(product): Path<ProductId>,
) -> Result<StatusCode, Problem> {
    let edits = vec![Edit::Delist { product }];
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        let by = visitor.who();
        access.shop().edit_catalogue(edits, by, None, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// Every field that two people set apart to different values.
#[utoipa::path(get, path = "/v1/catalogue/conflicts", tag = "catalogue",
    security(("token" = [])), responses((status = 200, body = Page)))]
pub async fn conflicts(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Page>, Problem> {
    let all = door
        .run(move |access| {
            access.allow(&visitor, Action::EditCatalogue, &access.here())?;
            Ok::<_, Problem>(access.shop().conflicts()?)
        })
        .await?;
    Ok(axum::Json(Page { items: all.iter().map(clash).collect(), next_cursor: None }))
}

/// The value that holds from now on: `price`, or `value` for any other field.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The price, for a clash of prices.
    #[schema(value_type = Option<Object>)]
    price: Option<PriceAmendment>,
    /// A text, number or flag, for a clash of another field.
    value: Option<Value>,
}

/// Settles a clash.
#[utoipa::path(post, path = "/v1/catalogue/conflicts/{id}", tag = "catalogue",
    request_body = Pick, security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn settle(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Json(pick): Json<Pick>,
) -> Result<axum::Json<Value>, Problem> {
    let (product, variant, field) = place(&id).ok_or_else(Problem::not_found)?;
    let seen = door
        .run(move |access| {
            access.allow(&visitor, Action::SettleClash, &access.here())?;
            let shop = access.shop();
            let value = picked(pick, shop.identity().currency)?;
            let edit = Edit::Settle { product, variant, field, value };
            let by = visitor.who();
            shop.edit_catalogue(vec![edit], by, None, now(), &mut clock::rng())?;
            let seen = shop.product(product)?.map(|seen| full(&seen));
            let category = shop.category_of(product)?;
            Ok::<_, Problem>(seen.or(category.map(|category| json!({ "category": category }))))
        })
        .await?;
    Ok(axum::Json(seen.ok_or_else(Problem::not_found)?))
}

fn picked(pick: Pick, usual: kirana_core::money::Currency) -> Result<Held, Problem> {
    let wrong = || Problem::malformed("say one price, or one value that is a text, number or flag");
    match (pick.price, pick.value) {
        (Some(price), None) => Ok(Held::Price(price.price(usual))),
        (None, Some(Value::String(text))) => Ok(Held::Text(text)),
        (None, Some(Value::Bool(flag))) => Ok(Held::Flag(flag)),
        (None, Some(Value::Number(number))) => Ok(Held::Number(number.as_u64().ok_or_else(wrong)?)),
        _ => Err(wrong()),
    }
}

/// The place of a clash, as its id says.
fn place(id: &str) -> Option<(ProductId, Option<VariantId>, Field)> {
    let mut parts = id.splitn(3, '.');
    let product = parts.next()?.parse().ok()?;
    let variant = match parts.next()? {
        "-" => None,
        variant => Some(variant.parse().ok()?),
    };
    Some((product, variant, Field::named(parts.next()?)))
}

fn clash(conflict: &Conflict) -> Value {
    let Conflict { product, variant, field, values } = conflict;
    let inner = variant.map_or_else(|| "-".to_owned(), |variant| variant.to_string());
    json!({
        "id": format!("{product}.{inner}.{field}"), "product_id": product, "variant_id": variant,
        "field": field, "values": values.iter().map(claim).collect::<Vec<_>>(),
    })
}

fn change(change: &Change) -> Value {
    let fields = change.fields.iter().map(|changed| {
        json!({
            "variant_id": changed.variant, "field": changed.field,
            "before": changed.before.as_ref().map(held), "after": changed.after.as_ref().map(held),
        })
    });
    json!({"at": change.at, "by": change.author, "fields": fields.collect::<Vec<_>>()})
}

fn held(value: &Held) -> Value {
    match value {
        Held::Price(price) => json!(price),
        Held::Text(text) => json!(text),
        Held::Number(number) => json!(number),
        Held::Flag(flag) => json!(flag),
    }
}

fn claim(claim: &Claim) -> Value {
    json!({"value": held(&claim.value), "author": claim.author, "at": claim.at})
}

fn full(seen: &Seen) -> Value {
    let mut value = json!(Shown::of(&seen.shelved.product, now()));
    if let Value::Object(fields) = &mut value {
        fields.insert("in_stock".to_owned(), json!(seen.shelved.in_stock));
        fields.insert("heads".to_owned(), json!(seen.heads.hashes()));
        let conflicts: Vec<_> = seen.conflicts.iter().map(clash).collect();
        fields.insert("conflicts".to_owned(), json!(conflicts));
    }
    value
}

impl From<NotEdited> for Problem {
    fn from(why: NotEdited) -> Self {
        let title = why.to_string();
        let unprocessable = |code| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title.clone());
        match why {
            NotEdited::Edit(EditError::NoSuchProduct(_)) => Self::not_found(),
            NotEdited::Category(NotATree::Unknown(_)) => Self::not_found(),
            NotEdited::Category(NotATree::Known(_)) => {
                Self::new(StatusCode::CONFLICT, "category-known", title)
            }
            NotEdited::CategoryInUse { .. } => {
                Self::new(StatusCode::CONFLICT, "category-in-use", title)
            }
            NotEdited::Category(_) | NotEdited::Edit(EditError::Category(_)) => {
                unprocessable("category")
            }
            NotEdited::Edit(_) | NotEdited::SameMoment(_) => unprocessable("product"),
            NotEdited::TooLarge => unprocessable("too-large"),
            NotEdited::Batch(_) => unprocessable("batch"),
            NotEdited::UnknownHeads => Self::new(StatusCode::CONFLICT, "unknown-heads", title),
            NotEdited::ReadOnly(_) => Self::new(StatusCode::CONFLICT, "read-only", title),
            NotEdited::Forbidden => Self::forbidden(),
            NotEdited::NotStored(not_stored) => not_stored.into(),
            NotEdited::Store(error) => Self::internal(&error),
        }
    }
}
