//! `/v1/shops`: applying, approving, finding.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{geohash::Place, hash::Hash, id::ShopId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::Page,
    extract::{Body, GivenKeys, Key, Perhaps, Query, Signed, id, limit, public_key},
    problem::Problem,
};
use crate::{
    app::{
        Error,
        shop::{Application, Wanted},
    },
    clock,
    store::shop::Shop,
};

/// What an owner says about a shop.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct NewShop {
    /// The id that the shop chose when it was set up.
    #[schema(format = Uuid)]
    id: String,
    /// What people call it.
    name: String,
    /// Where it is: latitude and longitude in degrees, such as `12.8765,77.5946`.
    place: String,
    /// In which city or quarter.
    city: Option<String>,
    /// Opening hours, as OpenStreetMap writes them.
    opens: Option<String>,
    /// The owner's keys and proof.
    owner: GivenKeys,
    /// The Ed25519 key of the node that runs the shop.
    node_key: Option<String>,
}

/// A shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ShopItem {
    /// Its id for ever.
    #[schema(value_type = String, format = Uuid)]
    id: ShopId,
    /// What people call it.
    name: String,
    /// `applied`, `approved` or `refused`.
    state: &'static str,
    /// Latitude and longitude in degrees.
    place: String,
    /// In which city or quarter.
    city: Option<String>,
    /// Opening hours.
    opens: Option<String>,
    /// The owner's Ed25519 key.
    owner_key: String,
    /// The node's Ed25519 key, as the owner named it.
    node_key: Option<String>,
    /// The shop's certificate (CWT) in base64url, once approved.
    certificate: Option<String>,
    /// How far it is from the place that was asked for, in metres.
    distance_m: Option<u32>,
    /// When the owner applied.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
}

impl ShopItem {
    fn new(shop: Shop, distance_m: Option<u32>) -> Self {
        Self {
            id: shop.id,
            name: shop.name,
            state: shop.state.name(),
            place: shop.place.to_string(),
            city: shop.city,
            opens: shop.opens,
            owner_key: shop.owner.to_string(),
            node_key: shop.node.map(|key| key.to_string()),
            certificate: shop.certificate.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            distance_m,
            created_at: shop.created_at,
        }
    }
}

/// Which shops.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Around a place: `LAT,LON`.
    near: Option<String>,
    /// Within so many metres of it.
    radius_m: Option<u32>,
    /// In a city.
    city: Option<String>,
    /// With these letters in the name.
    q: Option<String>,
    /// Where to start: a `next_cursor`.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// A decision on an application.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the shop is certified.
    #[serde(default = "yes")]
    approved: bool,
}

fn yes() -> bool {
    true
}

/// Applies for a shop; the same shop again changes its profile.
#[utoipa::path(post, path = "/v1/shops", tag = "shops", security(("bearer" = [])),
    request_body = NewShop, responses((status = 201, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn apply(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Body(new): Body<NewShop>,
) -> Result<(StatusCode, Json<ShopItem>), Problem> {
    let parts = [&*new.id, &*new.name, &*new.place, &*new.owner.signing_key];
    let request = Hash::of_parts(&parts.map(str::as_bytes));
    let once = key.once(&actor.account.to_string(), "shops", request);
    let application = new.parse()?;
    let (now, mut rng) = (clock::now(), clock::rng());
    let shop = door.hub.apply(&actor, application, once, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(ShopItem::new(shop, None))))
}

impl NewShop {
    fn parse(self) -> Result<Application, Error> {
        let why = "a UUID, the shop's own id";
        let node = self.node_key.map(|key| public_key("node_key", &key)).transpose()?;
        Ok(Application {
            id: self.id.parse().map_err(|_| Error::Invalid { field: "id", why })?,
            name: self.name,
            place: place("place", &self.place)?,
            city: self.city,
            opens: self.opens,
            owner: self.owner.parse()?,
            node,
        })
    }
}

/// Approved shops, the nearest first where a place is given.
#[utoipa::path(get, path = "/v1/shops", tag = "shops", params(Search), responses(
    (status = 200, body = Page<ShopItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn find(
    State(door): State<Door>,
    Query(search): Query<Search>,
) -> Result<Json<Page<ShopItem>>, Problem> {
    let is_paged = search.near.is_none();
    let limit = limit(search.limit) as usize;
    let wanted = Wanted {
        near: search.near.map(|near| place("near", &near)).transpose()?,
        radius_m: search.radius_m,
        city: search.city,
        q: search.q,
        after: search.cursor.map(|cursor| id("cursor", &cursor)).transpose()?,
    };
    let found = door.hub.find_shops(&wanted, limit).await?;
    let last = found.last().filter(|_| is_paged && found.len() == limit);
    let next_cursor = last.map(|(shop, _)| shop.id.to_string());
    let items = found.into_iter().map(|(shop, distance)| ShopItem::new(shop, distance)).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// One shop.
#[utoipa::path(get, path = "/v1/shops/{id}", tag = "shops", security((), ("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn shop(
    State(door): State<Door>,
    Perhaps(actor): Perhaps,
    Path(shop): Path<String>,
) -> Result<Json<ShopItem>, Problem> {
    let shop = door.hub.shop(actor.as_ref(), id("shop", &shop)?).await?;
    Ok(Json(ShopItem::new(shop, None)))
}

/// Approves or refuses an application.
#[utoipa::path(post, path = "/v1/shops/{id}/approval", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Decision,
    responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn decide(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(Decision { approved }): Body<Decision>,
) -> Result<Json<ShopItem>, Problem> {
    let shop = id("shop", &shop)?;
    let (now, mut rng) = (clock::now(), clock::rng());
    let decided = door.hub.decide_shop(&actor, shop, approved, now, &mut rng).await?;
    Ok(Json(ShopItem::new(decided, None)))
}

fn place(field: &'static str, text: &str) -> Result<Place, Error> {
    let why = "latitude and longitude in degrees, such as 12.8765,77.5946";
    text.parse().map_err(|_| Error::Invalid { field, why })
}
