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
    extract::{Body, GivenKeys, Key, Limit, Perhaps, Query, Signed, id, public_key},
    photos,
    problem::Problem,
};
use crate::{
    app::{
        Error, Hub,
        shop::{
            self, Application, Wanted,
            profile::{Address, Delivery, Details},
        },
    },
    clock,
    store::shop::{Shop, State as ShopState},
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
    #[schema(
        pattern = "^-?([0-8]?[0-9](\\.[0-9]{1,7})?|90),-?([0-9]{1,2}(\\.[0-9]{1,7})?|1[0-7][0-9](\\.[0-9]{1,7})?|180)$"
    )]
    place: String,
    /// In which city or quarter.
    city: Option<String>,
    /// Opening hours, as OpenStreetMap writes them.
    opens: Option<String>,
    /// The zone that the hours are meant in: `Asia/Kolkata`; the hub's own unless given.
    timezone: Option<String>,
    /// The languages spoken there.
    #[serde(default)]
    languages: Vec<String>,
    /// Where the shop is called.
    phone: Option<String>,
    /// What else there is to say.
    about: Option<String>,
    /// Whether and how it brings things.
    delivery: Option<Delivery>,
    /// Where it is, in words.
    #[serde(default)]
    addresses: Vec<Address>,
    /// The owner's keys and proof.
    owner: GivenKeys,
    /// The Ed25519 key of the node that runs the shop.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    node_key: Option<String>,
    /// How the shop came to this owner, where the hub knows another one: the newest step first.
    #[serde(default)]
    #[schema(max_items = 8)]
    steps: Vec<Step>,
}

/// One step of a shop from an owner to the next.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The certificate (CWT) of the next owner's key, by the one before; in base64url.
    #[schema(pattern = "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$")]
    consent: String,
    /// The last list of what the one before withdrew; in base64url.
    #[schema(pattern = "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$")]
    list: String,
}

impl Step {
    fn parse(&self) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let why = "base64url without padding";
        let read = |text: &str| {
            URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Invalid { field: "steps", why })
        };
        Ok((read(&self.consent)?, read(&self.list)?))
    }
}

/// The most steps that an application shows.
const STEPS_MAX: usize = 8;

/// A shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ShopItem {
    /// Its id for ever.
    #[schema(value_type = String, format = Uuid)]
    id: ShopId,
    /// What people call it.
    name: String,
    /// `applied`, `asked`, `approved`, `refused` or `closed`.
    state: &'static str,
    /// What whoever decides wants to know, or why the shop was turned down; for its owner.
    question: Option<String>,
    /// Latitude and longitude in degrees.
    place: String,
    /// In which city or quarter.
    city: Option<String>,
    /// Opening hours.
    opens: Option<String>,
    /// The zone that they are meant in; the hub's own unless given.
    timezone: Option<String>,
    /// Whether it is open now; `null` when it told no hours.
    open_now: Option<bool>,
    /// Whether it is closed for today, whatever the hours say.
    closed_today: bool,
    /// Since when it takes no new orders, because it closes down; its box says so.
    #[schema(value_type = Option<String>, format = DateTime)]
    closing_since: Option<UnixMs>,
    /// The languages spoken there.
    languages: Vec<String>,
    /// Where the shop is called.
    phone: Option<String>,
    /// What else there is to say.
    about: Option<String>,
    /// Whether and how it brings things.
    delivery: Option<Delivery>,
    /// Where it is, in words.
    addresses: Vec<Address>,
    /// Where its picture is, if it has one.
    photo: Option<String>,
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
    /// As its owner sees it.
    pub(super) fn to_its_owner(hub: &Hub, mut shop: Shop, now: UnixMs) -> Self {
        let question = shop.question.take();
        Self { question, ..Self::new(hub, shop, None, now) }
    }

    fn new(hub: &Hub, shop: Shop, distance_m: Option<u32>, now: UnixMs) -> Self {
        let opened = hub.opened(&shop, now);
        let Details { timezone, languages, phone, about, delivery, addresses } = shop.details;
        Self {
            id: shop.id,
            name: shop.name,
            state: shop.state.name(),
            question: None,
            place: shop.place.to_string(),
            city: shop.city,
            opens: shop.opens,
            timezone,
            open_now: opened.now,
            closed_today: opened.closed_today,
            closing_since: shop.closing_since,
            languages,
            phone,
            about,
            delivery,
            addresses,
            photo: shop.photo.map(|photo| photos::address(shop.id, photo)),
            owner_key: shop.owner.to_string(),
            node_key: shop.node.map(|key| key.to_string()),
            certificate: shop.certificate.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
            distance_m,
            created_at: shop.created_at,
        }
    }
}

/// Shops around a place, or those of the neighbourhood where none is known.
pub(super) async fn near_home(
    hub: &Hub,
    near: Option<kirana_core::geohash::Place>,
    now: UnixMs,
) -> Result<Vec<ShopItem>, Error> {
    let wanted = Wanted { near, ..Wanted::default() };
    let found = hub.find_shops(&wanted, NEAR_HOME_MAX, now).await?;
    Ok(found.into_iter().map(|(shop, distance)| ShopItem::new(hub, shop, distance, now)).collect())
}

/// Shops that a thin client opens with, at most.
const NEAR_HOME_MAX: usize = 20;

/// Which shops.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Around a place: `LAT,LON`.
    #[param(
        pattern = "^-?([0-8]?[0-9](\\.[0-9]{1,7})?|90),-?([0-9]{1,2}(\\.[0-9]{1,7})?|1[0-7][0-9](\\.[0-9]{1,7})?|180)$"
    )]
    near: Option<String>,
    /// Within so many metres of it.
    #[param(value_type = Option<u64>, maximum = 4_294_967_295u32)]
    radius_m: Option<u32>,
    /// In a city.
    city: Option<String>,
    /// With these letters in the name.
    q: Option<String>,
    /// Open now.
    open: Option<bool>,
    /// Where to start: a `next_cursor`.
    cursor: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// A decision on an application.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the shop is certified.
    #[serde(default = "yes")]
    approved: bool,
    /// Why not; its owner reads it.
    reason: Option<String>,
    /// What its owner is to say first, in place of a decision.
    question: Option<String>,
}

impl From<Decision> for shop::Decision {
    fn from(given: Decision) -> Self {
        match given {
            Decision { question: Some(question), .. } => Self::Ask { question },
            Decision { approved: true, .. } => Self::Approve,
            Decision { reason, .. } => Self::TurnDown { reason },
        }
    }
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
    Ok((StatusCode::CREATED, Json(ShopItem::to_its_owner(&door.hub, shop, now))))
}

impl NewShop {
    fn parse(self) -> Result<Application, Error> {
        if self.steps.len() > STEPS_MAX {
            return Err(Error::Invalid { field: "steps", why: "at most eight steps" });
        }
        let why = "a UUID, the shop's own id";
        let node = self.node_key.map(|key| public_key("node_key", &key)).transpose()?;
        Ok(Application {
            id: self.id.parse().map_err(|_| Error::Invalid { field: "id", why })?,
            name: self.name,
            place: place("place", &self.place)?,
            city: self.city,
            opens: self.opens,
            details: Details {
                timezone: self.timezone,
                languages: self.languages,
                phone: self.phone,
                about: self.about,
                delivery: self.delivery,
                addresses: self.addresses,
            },
            owner: self.owner.parse()?,
            node,
            steps: self.steps.iter().map(Step::parse).collect::<Result<_, _>>()?,
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
    let limit = search.limit.get() as usize;
    let wanted = Wanted {
        near: search.near.map(|near| place("near", &near)).transpose()?,
        radius_m: search.radius_m,
        city: search.city,
        q: search.q,
        open: search.open.unwrap_or(false),
        after: search.cursor.map(|cursor| id("cursor", &cursor)).transpose()?,
    };
    let now = clock::now();
    let found = door.hub.find_shops(&wanted, limit, now).await?;
    let last = found.last().filter(|_| is_paged && found.len() == limit);
    let next_cursor = last.map(|(shop, _)| shop.id.to_string());
    let item = |(shop, distance)| ShopItem::new(&door.hub, shop, distance, now);
    let items = found.into_iter().map(item).collect();
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
    let now = clock::now();
    let shop = door.hub.shop(actor.as_ref(), id("shop", &shop)?, now).await?;
    Ok(Json(match shop.state {
        ShopState::Approved => ShopItem::new(&door.hub, shop, None, now),
        // Nobody else sees it.
        _ => ShopItem::to_its_owner(&door.hub, shop, now),
    }))
}

/// Applications that wait for a decision or an answer, oldest first.
#[utoipa::path(get, path = "/v1/shop-applications", tag = "shops", security(("bearer" = [])),
    responses((status = 200, body = Page<ShopItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn applications(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<ShopItem>>, Problem> {
    let now = clock::now();
    let waiting = door.hub.applications(&actor, Limit::MAX.get(), now).await?.into_iter();
    let items = waiting.map(|shop| ShopItem::to_its_owner(&door.hub, shop, now)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Approves or turns down an application, or asks its owner something first.
#[utoipa::path(post, path = "/v1/shops/{id}/approval", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Decision,
    responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn decide(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<ShopItem>, Problem> {
    let shop = id("shop", &shop)?;
    let (now, mut rng) = (clock::now(), clock::rng());
    let decided = door.hub.decide_shop(&actor, shop, decision.into(), now, &mut rng).await?;
    Ok(Json(ShopItem::to_its_owner(&door.hub, decided, now)))
}

pub(super) fn place(field: &'static str, text: &str) -> Result<Place, Error> {
    let why = "latitude and longitude in degrees, such as 12.8765,77.5946";
    text.parse().map_err(|_| Error::Invalid { field, why })
}
