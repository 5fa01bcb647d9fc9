//! `/v1/queue`, `/v1/picking` and `/v1/deliveries`: what the shop's people work through.

use axum::extract::State;
use kirana_core::{
    catalogue::product::Language,
    id::OrderId,
    key::KeyId,
    money::Money,
    policy::{Action, Resource},
    terms::Way,
    time::UnixMs,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Query, Repeatable},
    now,
    problem::Problem,
};
use crate::{
    app::{deliveries::Stop, queue::Queued},
    clock,
};

/// Which part of the queue.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct InQueue {
    /// `delivery` or `pickup`; both if left out.
    #[param(value_type = Option<String>, pattern = "^(delivery|pickup)$")]
    way: Option<Way>,
}

/// What is to be picked.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Picking {
    /// The ids of orders, with commas between them; all that are to be packed if left out.
    orders: Option<String>,
    /// Only those whose span of time begins before this, and those without one.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<UnixMs>,
    /// The language of names; English unless given.
    #[param(value_type = Option<String>)]
    language: Option<Language>,
}

/// Cash that is handed in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedIn {
    /// Who had taken it, by the name of their key: see `cash`.
    courier: String,
    /// What was counted.
    #[schema(value_type = Object)]
    counted: Money,
    /// Why it differs, or what else to say.
    #[serde(default)]
    note: String,
}

/// What is out for delivery.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Stops {
    /// By their span of time; each with all that is needed there.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Stop>,
    /// When it was so: a phone that keeps it shows how old it is.
    #[schema(value_type = String, format = DateTime)]
    at: UnixMs,
}

/// Orders to be packed, by their span of time.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Queue {
    /// The soonest first; those without a span of time last.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Queued>,
}

/// Accepted orders of which something is still to be handed over.
#[utoipa::path(get, path = "/v1/queue", tag = "orders", params(InQueue), security(("token" = [])),
    responses((status = 200, body = Queue)))]
pub async fn queue(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(which): Query<InQueue>,
) -> Result<axum::Json<Queue>, Problem> {
    let items = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().queue(which.way)?)
        })
        .await?;
    Ok(axum::Json(Queue { items }))
}

/// What is to be taken from the shelves for orders that are not packed, in the shelves' order.
#[utoipa::path(get, path = "/v1/picking", tag = "orders", params(Picking),
    security(("token" = [])), responses((status = 200, body = Value), (status = 400, body = Problem)))]
pub async fn picking(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(asked): Query<Picking>,
) -> Result<axum::Json<Value>, Problem> {
    let ids = asked.orders.as_deref().unwrap_or_default().split(',').filter(|id| !id.is_empty());
    let ids: Result<Vec<OrderId>, _> = ids.map(|id| id.trim().parse()).collect();
    let ids = ids.map_err(|_| Problem::malformed("orders are ids with commas between them"))?;
    let language = asked.language.unwrap_or(Language::ENGLISH);
    let picks = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            Ok::<_, Problem>(access.shop().picking(&ids, asked.until, language)?)
        })
        .await?;
    Ok(axum::Json(json!({ "items": picks })))
}

/// What is out for delivery now, with names, addresses, what to pay and what to look at: to be kept
/// on a phone before it leaves.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", security(("token" = [])),
    responses((status = 200, body = Stops)))]
pub async fn stops(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Stops>, Problem> {
    let at = now();
    let items = door
        .run(move |access| {
            access.allow(&visitor, Action::ListOrders, &access.here())?;
            let mut stops = access.shop().stops()?;
            // Who may list orders need not learn names and addresses.
            stops.retain(|stop| {
                let (shop, customer) = (access.shop().id(), stop.customer);
                let order = Resource::Order { shop, customer, delivery: true };
                access.allow(&visitor, Action::ViewOrder, &order).is_ok()
            });
            Ok::<_, Problem>(stops)
        })
        .await?;
    Ok(axum::Json(Stops { items, at }))
}

/// Cash that people took for orders and have not handed in, and what was handed in.
#[utoipa::path(get, path = "/v1/deliveries/cash", tag = "deliveries", security(("token" = [])),
    responses((status = 200, body = Value)))]
pub async fn cash(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let (outside, hand_ins) = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            let shop = access.shop();
            Ok::<_, Problem>((shop.cash_outside()?, shop.hand_ins()?))
        })
        .await?;
    Ok(axum::Json(json!({ "outside": outside, "handed_in": hand_ins })))
}

/// Writes down that somebody handed in the cash that they took.
#[utoipa::path(post, path = "/v1/deliveries/cash", tag = "deliveries", request_body = HandedIn,
    security(("token" = [])), responses((status = 201, body = Value), (status = 422, body = Problem)))]
pub async fn hand_in(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<HandedIn>,
) -> Result<(axum::http::StatusCode, axum::Json<Value>), Problem> {
    let (once, by) = (key.by(visitor.device)?, visitor.who());
    let courier: KeyId =
        given.courier.parse().map_err(|_| Problem::malformed("courier is no name of a key"))?;
    let (counted, note) = (given.counted, given.note);
    let expected = door
        .run(move |access| {
            access.allow(&visitor, Action::RingUpSale, &access.here())?;
            let (what, rng) = ((courier, counted, note), &mut clock::rng());
            Ok::<_, Problem>(access.shop().hand_in(once, what, by, now(), rng)?)
        })
        .await?;
    let difference = Money::new(counted.minor - expected.minor, counted.currency);
    let said = json!({ "expected": expected, "counted": counted, "difference": difference });
    Ok((axum::http::StatusCode::CREATED, axum::Json(said)))
}
