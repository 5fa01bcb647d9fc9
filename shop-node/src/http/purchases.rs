//! Purchases over HTTP: ordering of a supplier, what came, calling the rest off.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    day::Day,
    id::{LocationId, PurchaseId, SupplierId, VariantId},
    money::Price,
    policy::Action,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    batches::{GivenLot, sees_costs},
    extract::{Json, Path, Query, Repeatable},
    now,
    orders::Page,
    problem::Problem,
    stock,
};
use crate::{
    app::purchases::{DeliveredLine, Delivery, Line, Purchase, Wanted, WantedLine},
    clock,
};

/// What is to be ordered.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenPurchase {
    /// Of whom.
    #[schema(value_type = String)]
    supplier_id: SupplierId,
    /// Where the goods are to go; where the shop sells if left out.
    #[schema(value_type = Option<String>)]
    location_id: Option<LocationId>,
    /// What, each variant once.
    lines: Vec<GivenLine>,
    /// When they should come; by the supplier's usual days if left out.
    #[schema(value_type = Option<String>)]
    expected: Option<Day>,
    /// What the shop notes about it; at most 200 bytes.
    #[serde(default)]
    note: String,
}

/// One thing to be ordered.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenLine {
    #[schema(value_type = String)]
    variant_id: VariantId,
    /// How much, in base units.
    #[serde(deserialize_with = "kirana_core::whole::read")]
    amount: u64,
    /// For how much, tax left out; what the supplier usually asks if left out.
    #[schema(value_type = Option<Object>)]
    cost: Option<Price>,
}

impl From<GivenPurchase> for Wanted {
    fn from(given: GivenPurchase) -> Self {
        let line = |GivenLine { variant_id, amount, cost }: GivenLine| WantedLine {
            variant: variant_id,
            amount,
            cost,
        };
        let GivenPurchase { supplier_id, location_id, lines, expected, note } = given;
        let lines = lines.into_iter().map(line).collect();
        Self { supplier: supplier_id, location: location_id, lines, expected, note }
    }
}

/// Notes what is ordered of a supplier.
#[utoipa::path(post, path = "/v1/purchases", tag = "purchases", request_body = GivenPurchase,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn order(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<GivenPurchase>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let (made, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::Purchase, &access.here())?;
            let (shop, by) = (access.shop(), visitor.who());
            let wanted = given.into();
            let id = shop.order_of_supplier(once, wanted, by, now(), &mut clock::rng())?;
            Ok::<_, Problem>((shop.purchase(id)?, sees_costs(access, &visitor)))
        })
        .await?;
    let made = shown(&made.ok_or_else(Problem::not_found)?, costs);
    Ok((StatusCode::CREATED, axum::Json(made)).into_response())
}

/// Which purchases.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of which something is awaited.
    #[serde(default)]
    open: bool,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// What was ordered of suppliers, the newest first.
#[utoipa::path(get, path = "/v1/purchases", tag = "purchases", params(Which),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(which): Query<Which>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = which.limit.unwrap_or(100).clamp(1, 100);
    let before = which.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| Problem::malformed("the cursor is not one of this list"))?;
    let (rows, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewPurchases, &access.here())?;
            let rows = access.shop().purchases(which.open, before, limit)?;
            Ok::<_, Problem>((rows, sees_costs(access, &visitor)))
        })
        .await?;
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|row| row.id.to_string());
    Ok(axum::Json(Page { items: rows.iter().map(|row| shown(row, costs)).collect(), next_cursor }))
}

/// One purchase.
#[utoipa::path(get, path = "/v1/purchases/{id}", tag = "purchases",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<PurchaseId>,
) -> Result<axum::Json<Value>, Problem> {
    let (found, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewPurchases, &access.here())?;
            Ok::<_, Problem>((access.shop().purchase(id)?, sees_costs(access, &visitor)))
        })
        .await?;
    Ok(axum::Json(shown(&found.ok_or_else(Problem::not_found)?, costs)))
}

/// What came of a purchase.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenDelivery {
    /// Where it was put; where it was to go if left out.
    #[schema(value_type = Option<String>)]
    location_id: Option<LocationId>,
    /// What came; of one variant there may be several lots.
    lines: Vec<GivenDelivered>,
    /// Whether the rest is no longer awaited.
    #[serde(default)]
    closes: bool,
}

/// One lot that came.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenDelivered {
    #[schema(value_type = String)]
    variant_id: VariantId,
    /// How much, in base units; it may be more than was ordered.
    #[serde(deserialize_with = "kirana_core::whole::read")]
    amount: u64,
    /// What is known of it; the cost that was agreed counts where none is said.
    lot: Option<GivenLot>,
}

impl GivenDelivery {
    fn of(self, purchase: PurchaseId) -> Delivery {
        let line = |given: GivenDelivered| DeliveredLine {
            variant: given.variant_id,
            amount: given.amount,
            lot: given.lot.map(Into::into).unwrap_or_default(),
        };
        let lines = self.lines.into_iter().map(line).collect();
        Delivery { purchase, location: self.location_id, lines, closes: self.closes }
    }
}

/// Takes in what came of a purchase: each line is a batch in the ledger.
#[utoipa::path(post, path = "/v1/purchases/{id}/receipts", tag = "purchases",
    request_body = GivenDelivery, params(("id" = String, Path)), security(("token" = [])),
    responses((status = 201, body = Value), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn receive(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<PurchaseId>,
    key: Repeatable,
    Json(given): Json<GivenDelivery>,
) -> Result<Response, Problem> {
    let once = key.by(visitor.device)?;
    let entered = door
        .run(move |access| {
            access.allow(&visitor, Action::MoveStock, &access.here())?;
            let (shop, by) = (access.shop(), visitor.who());
            let delivery = given.of(id);
            Ok::<_, Problem>(shop.receive_purchase(once, delivery, by, now(), &mut clock::rng())?)
        })
        .await?;
    Ok((StatusCode::CREATED, axum::Json(stock::shown(&entered))).into_response())
}

/// Awaits nothing more of a purchase.
#[utoipa::path(post, path = "/v1/purchases/{id}/cancellation", tag = "purchases",
    params(("id" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn cancel(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<PurchaseId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::Purchase, &access.here())?;
        access.shop().cancel_purchase(id, now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// A purchase, as HTTP and the command line show it.
pub fn shown(row: &Purchase, with_cost: bool) -> Value {
    let line = |line: &Line| {
        let mut shown = json!({
            "variant_id": line.variant, "amount": line.amount, "received": line.received,
        });
        if with_cost {
            shown["cost"] = json!(line.cost);
        }
        shown
    };
    json!({
        "id": row.id, "supplier_id": row.supplier, "location_id": row.location,
        "state": row.state(), "ordered": row.ordered, "by": row.who, "note": row.note,
        "expected": row.expected, "ended": row.ended,
        "lines": row.lines.iter().map(line).collect::<Vec<_>>(),
    })
}
