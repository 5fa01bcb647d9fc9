//! `/v1/shops/{id}/…`: what owners say about their shop, who keeps it, and how it ends.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use kirana_core::{id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    accounts::present,
    admin::Page,
    extract::{Body, Perhaps, Signed, id},
    problem::Problem,
    shops::{ShopItem, place},
};
use crate::{
    app::{
        Error,
        shop::profile::{Address, Delivery, ShopChange},
    },
    clock,
    store::shop::Owner,
};

/// Changes to a shop's profile: what is absent stays, `null` empties.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileOfShop {
    /// What people call it.
    name: Option<String>,
    /// Latitude and longitude in degrees.
    #[schema(
        pattern = "^-?([0-8]?[0-9](\\.[0-9]{1,7})?|90),-?([0-9]{1,2}(\\.[0-9]{1,7})?|1[0-7][0-9](\\.[0-9]{1,7})?|180)$"
    )]
    place: Option<String>,
    /// In which city or quarter.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    city: Option<Option<String>>,
    /// Opening hours, as OpenStreetMap writes them: `Mo-Sa 08:00-21:00`.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    opens: Option<Option<String>>,
    /// Closed for today, whatever the hours say; tomorrow they count again.
    closed_today: Option<bool>,
    /// The zone that the hours are meant in: `Asia/Kolkata`.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// The languages spoken there.
    languages: Option<Vec<String>>,
    /// Where the shop is called.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    /// What else there is to say.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    about: Option<Option<String>>,
    /// Whether and how it brings things.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Delivery>)]
    delivery: Option<Option<Delivery>>,
}

impl ProfileOfShop {
    fn parse(self) -> Result<ShopChange, Error> {
        let Self { name, city, opens, closed_today, timezone, languages, phone, .. } = self;
        let (about, delivery) = (self.about, self.delivery);
        let place = self.place.map(|text| place("place", &text)).transpose()?;
        Ok(ShopChange {
            name,
            place,
            city,
            opens,
            closed_today,
            timezone,
            languages,
            phone,
            about,
            delivery,
        })
    }
}

/// Changes what a shop says about itself.
#[utoipa::path(patch, path = "/v1/shops/{id}", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = ProfileOfShop,
    responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(change): Body<ProfileOfShop>,
) -> Result<Json<ShopItem>, Problem> {
    let (shop, now) = (id("shop", &shop)?, clock::now());
    let changed = door.hub.change_shop(&actor, shop, change.parse()?, now).await?;
    Ok(Json(ShopItem::to_its_owner(&door.hub, changed, now)))
}

/// The addresses of a shop.
#[utoipa::path(get, path = "/v1/shops/{id}/addresses", tag = "shops",
    security((), ("bearer" = [])), params(("id" = String, Path)),
    responses((status = 200, body = Page<Address>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn addresses(
    State(door): State<Door>,
    Perhaps(actor): Perhaps,
    Path(shop): Path<String>,
) -> Result<Json<Page<Address>>, Problem> {
    let shop = door.hub.shop(actor.as_ref(), id("shop", &shop)?, clock::now()).await?;
    Ok(Json(Page { items: shop.details.addresses, next_cursor: None }))
}

/// Adds an address.
#[utoipa::path(post, path = "/v1/shops/{id}/addresses", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Address,
    responses((status = 201, body = Address),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn add_address(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(address): Body<Address>,
) -> Result<(StatusCode, Json<Address>), Problem> {
    let (shop, now, mut rng) = (id("shop", &shop)?, clock::now(), clock::rng());
    let added = door.hub.put_shop_address(&actor, shop, None, address, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Replaces an address.
#[utoipa::path(put, path = "/v1/shops/{id}/addresses/{address}", tag = "shops",
    security(("bearer" = [])), params(("id" = String, Path), ("address" = String, Path)),
    request_body = Address, responses((status = 200, body = Address),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn put_address(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path((shop, old)): Path<(String, String)>,
    Body(address): Body<Address>,
) -> Result<Json<Address>, Problem> {
    let (shop, now, mut rng) = (id("shop", &shop)?, clock::now(), clock::rng());
    let old = Some(old.as_str());
    Ok(Json(door.hub.put_shop_address(&actor, shop, old, address, now, &mut rng).await?))
}

/// Removes an address.
#[utoipa::path(delete, path = "/v1/shops/{id}/addresses/{address}", tag = "shops",
    security(("bearer" = [])), params(("id" = String, Path), ("address" = String, Path)),
    responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove_address(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path((shop, address)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let shop = id("shop", &shop)?;
    door.hub.remove_shop_address(&actor, shop, &address, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody who keeps a shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OwnerItem {
    /// The account.
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    /// Whether this person answers for the shop.
    first: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: UnixMs,
}

impl From<Owner> for OwnerItem {
    fn from(Owner { account, first, since }: Owner) -> Self {
        Self { id: account, first, since }
    }
}

/// Who is to keep the shop too.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwner {
    /// The login of an account here.
    login: String,
}

/// Who keeps a shop.
#[utoipa::path(get, path = "/v1/shops/{id}/owners", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Page<OwnerItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn owners(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
) -> Result<Json<Page<OwnerItem>>, Problem> {
    let owners = door.hub.shop_owners(&actor, id("shop", &shop)?, clock::now()).await?;
    Ok(Json(Page { items: owners.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// Lets somebody else keep the shop too.
#[utoipa::path(post, path = "/v1/shops/{id}/owners", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = NewOwner,
    responses((status = 201, body = OwnerItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn add_owner(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(NewOwner { login }): Body<NewOwner>,
) -> Result<(StatusCode, Json<OwnerItem>), Problem> {
    let shop = id("shop", &shop)?;
    let added = door.hub.add_shop_owner(&actor, shop, &login, clock::now()).await?;
    Ok((StatusCode::CREATED, Json(added.into())))
}

/// Takes the shop away from somebody who keeps it beside the one who answers for it.
#[utoipa::path(delete, path = "/v1/shops/{id}/owners/{account}", tag = "shops",
    security(("bearer" = [])), params(("id" = String, Path), ("account" = String, Path)),
    responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove_owner(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path((shop, account)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (shop, account) = (id("shop", &shop)?, id("owner", &account)?);
    door.hub.remove_shop_owner(&actor, shop, account, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is to answer for the shop.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// Somebody who keeps it already: the account.
    to: String,
    /// The password of who asks.
    password: String,
}

/// Has somebody else answer for the shop.
#[utoipa::path(post, path = "/v1/shops/{id}/hand-over", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = HandOver,
    responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn hand_over(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    Body(HandOver { to, password }): Body<HandOver>,
) -> Result<Json<ShopItem>, Problem> {
    let (shop, to, now) = (id("shop", &shop)?, id("owner", &to)?, clock::now());
    let shop = door.hub.hand_shop_over(&actor, shop, to, &password, now).await?;
    Ok(Json(ShopItem::to_its_owner(&door.hub, shop, now)))
}

/// Closes a shop down: it is found no more, and what was ordered is brought to its end.
#[utoipa::path(post, path = "/v1/shops/{id}/closing", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn close(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
) -> Result<Json<ShopItem>, Problem> {
    let (shop, now) = (id("shop", &shop)?, clock::now());
    let shop = door.hub.close_shop(&actor, shop, now).await?;
    Ok(Json(ShopItem::to_its_owner(&door.hub, shop, now)))
}

/// The shops that this person keeps, in whatever state.
#[utoipa::path(get, path = "/v1/me/shops", tag = "shops", security(("bearer" = [])),
    responses((status = 200, body = Page<ShopItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn mine(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<ShopItem>>, Problem> {
    let now = clock::now();
    let shops = door.hub.my_shops(&actor, now).await?.into_iter();
    let items = shops.map(|shop| ShopItem::to_its_owner(&door.hub, shop, now)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}
