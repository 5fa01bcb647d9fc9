//! `/v1/shops/{id}/terms` and `/slots`, and `/v1/quotes`: on which terms shops hand goods over, and
//! what an order comes to before it is placed.

use axum::{
    Json,
    extract::{Path, State},
};
use kirana_core::{
    id::ShopId,
    money::Money,
    order::{facts::Fee, placed::Slot},
    terms::{AHEAD_DAYS_MAX, Offered, Published, Terms, Way},
    time::UnixMs,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Door,
    extract::{Body, Query, Signed, Whole, id},
    orders::NewOrders,
    problem::Problem,
};
use crate::{app::Error, clock};

/// A span of time that somebody chose among those that the shop offers.
#[derive(Debug, Clone, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChosenSlot {
    /// From when.
    #[schema(format = DateTime)]
    from: String,
    /// Until when.
    #[schema(format = DateTime)]
    until: String,
}

impl ChosenSlot {
    pub(super) fn parse(&self) -> Result<Slot, Error> {
        let why = "from and until are times such as 2026-11-28T04:30:00Z";
        let time = |text: &str| text.parse().map_err(|_| Error::Invalid { field: "slot", why });
        Ok(Slot { from: time(&self.from)?, until: time(&self.until)? })
    }
}

/// Which spans of time are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Ahead {
    /// For goods that are brought, or for those that are collected; brought unless given.
    #[param(value_type = Option<String>, pattern = "^(delivery|pickup)$")]
    way: Option<Way>,
    /// For how many days from today on; 7 unless given.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 31)]
    days: Option<u16>,
}

/// What a shop says about handing goods over.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ShopTerms {
    /// The terms; nothing where the shop never said.
    #[schema(value_type = Option<Object>)]
    terms: Option<Terms>,
    /// When it set them.
    #[schema(value_type = Option<String>, format = DateTime)]
    set_at: Option<UnixMs>,
    /// Whether it is open now, where it told its hours.
    open_now: Option<bool>,
}

/// Spans of time that a shop offers, soonest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Slots {
    /// Each with the time by which an order has to reach the shop.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Offered>,
}

/// What orders come to, one a shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Quotes {
    /// In the order of the shops' ids.
    items: Vec<QuoteItem>,
}

/// What one order comes to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QuoteItem {
    /// At which shop.
    #[schema(value_type = String, format = Uuid)]
    shop_id: ShopId,
    /// The goods, tax included.
    #[schema(value_type = Object)]
    goods: Money,
    /// What bringing them costs, with the tax inside it; nothing where it is free.
    #[schema(value_type = Option<Object>)]
    fee: Option<Fee>,
    /// The most that is agreed to.
    #[schema(value_type = Object)]
    sum: Money,
    /// The tax inside, by rate in basis points.
    #[schema(value_type = Object)]
    taxes: Value,
    /// When the shop set the terms; nothing where it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    terms_of: Option<UnixMs>,
}

/// On which terms a shop hands goods over, as it signed them last.
#[utoipa::path(get, path = "/v1/shops/{id}/terms", tag = "shops", params(("id" = String, Path)),
    responses((status = 200, body = ShopTerms),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn look(
    State(door): State<Door>,
    Path(shop): Path<String>,
) -> Result<Json<ShopTerms>, Problem> {
    let said = said(&door, &shop).await?;
    let open_now = said.as_ref().and_then(|said| said.terms.is_open(clock::now()));
    let set_at = said.as_ref().map(|said| said.at);
    Ok(Json(ShopTerms { terms: said.map(|said| said.terms), set_at, open_now }))
}

/// The spans of time that a shop offers. How much room is left, the shop alone knows.
#[utoipa::path(get, path = "/v1/shops/{id}/slots", tag = "shops",
    params(("id" = String, Path), Ahead), responses((status = 200, body = Slots),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn slots(
    State(door): State<Door>,
    Path(shop): Path<String>,
    Query(ahead): Query<Ahead>,
) -> Result<Json<Slots>, Problem> {
    let days = ahead.days.unwrap_or(7);
    if days > AHEAD_DAYS_MAX {
        return Err(Error::Invalid { field: "days", why: "0 to 31" }.into());
    }
    let said = said(&door, &shop).await?;
    let (way, now) = (ahead.way.unwrap_or(Way::Delivery), clock::now());
    let items = said.map(|said| said.terms.slots(way, now, days)).unwrap_or_default();
    Ok(Json(Slots { items }))
}

/// What a shop said, where there is such a shop.
async fn said(door: &Door, shop: &str) -> Result<Option<Published>, Problem> {
    let shop = id("shop", shop)?;
    match door.hub.terms_of(shop)? {
        Some(said) => Ok(Some(said)),
        None => Ok(door.hub.shop(None, shop, clock::now()).await.map(|_| None)?),
    }
}

/// What would be ordered comes to: goods, fee and tax. Nothing is placed.
#[utoipa::path(post, path = "/v1/quotes", tag = "hosted", security(("bearer" = [])),
    request_body = NewOrders, responses((status = 200, body = Quotes),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn quote(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(given): Body<NewOrders>,
) -> Result<Json<Quotes>, Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let checkout = given.checkout(now)?;
    let drafts = door.hub.quote(&actor, checkout, now, &mut rng).await?;
    let items = drafts.into_iter().map(|(shop_id, quote)| QuoteItem {
        shop_id,
        goods: quote.goods,
        fee: quote.fee,
        sum: quote.sum,
        taxes: serde_json::json!(quote.taxes),
        terms_of: quote.terms_of,
    });
    Ok(Json(Quotes { items: items.collect() }))
}

/// An age in years.
pub(super) fn age(Whole(years): Whole) -> Result<u8, Error> {
    let why = "an age in years, at most 120";
    let age = u8::try_from(years).ok().filter(|age| *age <= kirana_core::order::placed::AGE_MAX);
    age.ok_or(Error::Invalid { field: "of_age", why })
}
