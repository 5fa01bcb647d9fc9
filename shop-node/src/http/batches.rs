//! Batches over HTTP: what lies where, until when, and to whom it is shown what it cost.

use axum::extract::State;
use kirana_core::{
    day::Day,
    id::{LocationId, VariantId},
    money::Price,
    policy::Action,
    stock::batch::Lot,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Door, auth::SignedIn, extract::Query, orders::Page, problem::Problem};
use crate::app::{
    access::{Access, Visitor},
    batches::{After, Lying},
};

/// What somebody says of goods that come in.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenLot {
    /// The lot code that stands on the packs.
    code: Option<String>,
    /// The last day on which the goods are as they should be, such as `2026-11-27`.
    #[schema(value_type = Option<String>)]
    best_before: Option<Day>,
    /// What they cost the shop, tax left out: `{minor, per, currency}`, for so many base units.
    #[schema(value_type = Option<Object>)]
    cost: Option<Price>,
}

impl From<GivenLot> for Lot {
    fn from(GivenLot { code, best_before, cost }: GivenLot) -> Self {
        Self { code, best_before, cost, ..Self::default() }
    }
}

/// Which batches, and where a page goes on.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this variant only.
    #[param(value_type = Option<String>)]
    variant_id: Option<VariantId>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// The batches that lie in the shop, the oldest date first; costs only for those who may see them.
#[utoipa::path(get, path = "/v1/stock/batches", tag = "stock", params(Wanted),
    security(("token" = [])),
    responses((status = 200, body = Page), (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Page>, Problem> {
    let limit = wanted.limit.unwrap_or(100).clamp(1, 100);
    let after = wanted.cursor.as_deref().map(place).transpose()?;
    let (rows, costs) = door
        .run(move |access| {
            access.allow(&visitor, Action::ViewStock, &access.here())?;
            let rows = access.shop().batches(wanted.variant_id, None, after, limit)?;
            Ok::<_, Problem>((rows, sees_costs(access, &visitor)))
        })
        .await?;
    Ok(axum::Json(page(&rows, limit, |row| shown(row, costs))))
}

/// Whether somebody may see what goods cost the shop.
pub(super) fn sees_costs(access: &Access, visitor: &Visitor) -> bool {
    access.allow(visitor, Action::ViewMargin, &access.here()).is_ok()
}

/// A page of batches, each as it is shown.
pub(super) fn page(rows: &[Lying], limit: u32, shown: impl FnMut(&Lying) -> Value) -> Page {
    let full = rows.len() == limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|row| {
        let After { day, batch, location } = row.place();
        format!("{day}.{batch}.{location}")
    });
    Page { items: rows.iter().map(shown).collect(), next_cursor }
}

/// Where a page of batches goes on.
pub(super) fn place(cursor: &str) -> Result<After, Problem> {
    let parse = || {
        let mut parts = cursor.splitn(3, '.');
        let (day, batch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let location: LocationId = parts.next()?.parse().ok()?;
        Some(After { day, batch, location })
    };
    parse().ok_or_else(|| Problem::malformed("the cursor is not one of this list"))
}

/// A batch, as HTTP and the command line show it.
pub fn shown(row: &Lying, with_cost: bool) -> Value {
    let mut shown = json!({
        "batch": row.batch, "variant_id": row.slot.variant, "location_id": row.slot.location,
        "amount": row.amount, "received": row.received, "code": row.lot.code,
        "best_before": row.lot.best_before, "supplier_id": row.lot.supplier,
        "purchase_id": row.lot.purchase,
    });
    if with_cost {
        shown["cost"] = json!(row.lot.cost);
    }
    shown
}
