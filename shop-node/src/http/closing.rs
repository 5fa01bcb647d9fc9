//! `/v1/closing`: an owner closes the shop down, or opens it again before it has ended.

use axum::{extract::State, http::StatusCode};
use kirana_core::policy::Action;
use serde::Serialize;

use super::{Door, auth::SignedIn, now, problem::Problem};
use crate::app::{
    Shop,
    closing::{NotClosed, Standing},
};

/// How far the shop is on its way to its end.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ClosingItem {
    /// Since when no new orders are taken.
    closed_since: Option<String>,
    /// When the shop ended.
    ended_at: Option<String>,
    /// How many orders are open.
    open_orders: usize,
}

impl From<Standing> for ClosingItem {
    fn from(Standing { closing, open_orders }: Standing) -> Self {
        Self {
            closed_since: closing.map(|closing| closing.since.to_string()),
            ended_at: closing.and_then(|closing| closing.ended).map(|at| at.to_string()),
            open_orders,
        }
    }
}

/// How far the shop is on its way to its end.
#[utoipa::path(get, path = "/v1/closing", tag = "profile", security(("token" = [])),
    responses((status = 200, body = ClosingItem), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
pub async fn look(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<ClosingItem>, Problem> {
    step(door, visitor, |shop| Ok(shop.closing()?)).await
}

/// Takes no new orders from now on; open ones can be brought to their end.
#[utoipa::path(put, path = "/v1/closing", tag = "profile", security(("token" = [])),
    responses((status = 200, body = ClosingItem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn close(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<ClosingItem>, Problem> {
    step(door, visitor, |shop| shop.close(now())).await
}

/// Takes orders again.
#[utoipa::path(delete, path = "/v1/closing", tag = "profile", security(("token" = [])),
    responses((status = 200, body = ClosingItem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn reopen(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<ClosingItem>, Problem> {
    step(door, visitor, Shop::reopen).await
}

async fn step(
    door: Door,
    visitor: crate::app::access::Visitor,
    take: impl FnOnce(&Shop) -> Result<Standing, NotClosed> + Send + 'static,
) -> Result<axum::Json<ClosingItem>, Problem> {
    let standing = door
        .run(move |access| {
            access.allow(&visitor, Action::EditShop, &access.here())?;
            Ok::<_, Problem>(take(access.shop())?)
        })
        .await?;
    Ok(axum::Json(standing.into()))
}

impl From<NotClosed> for Problem {
    fn from(why: NotClosed) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, why.to_string());
        match why {
            NotClosed::Open => conflict("not-closed"),
            NotClosed::OpenOrders(_) => conflict("orders-open"),
            NotClosed::Ended => conflict("ended"),
            NotClosed::ReadOnly(_) => conflict("read-only"),
            NotClosed::NotStored(error) => error.into(),
            NotClosed::Store(error) => Self::internal(&error),
        }
    }
}
