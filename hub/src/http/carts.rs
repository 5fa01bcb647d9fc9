//! `/v1/me/carts`: the carts of a hosted account, priced anew by the shelves whenever they are shown.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use kirana_core::{
    hash::Hash,
    id::{CartId, ProductId, ShopId, VariantId},
    money::{Money, Price},
    quantity::{Quantity, Unit},
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::Page,
    extract::{Body, Key, Signed, Whole, id},
    problem::Problem,
};
use kirana_customer::app::priced::{Hurdle, PricedLine};

use crate::{
    app::{
        Error,
        hosted::carts::{Priced, Wanted},
    },
    clock,
};

/// What a cart is called.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CartName {
    /// A name of one's own, such as `for the feast`.
    #[schema(
        min_length = 1,
        max_length = 120,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    name: String,
}

/// How much, in the unit that it is sold in.
#[derive(Clone, Copy, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// So much, in grams, millilitres or pieces.
    #[schema(value_type = u64, minimum = 1, maximum = 100_000_000)]
    amount: Whole,
    /// `g`, `ml` or `piece`.
    #[schema(value_type = String, pattern = "^(g|ml|piece)$")]
    unit: Unit,
}

/// Something for a cart.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// From which shop.
    #[schema(value_type = String, format = Uuid)]
    pub(super) shop_id: ShopId,
    /// Which size or pack of a product.
    #[schema(value_type = String, format = Uuid)]
    pub(super) variant_id: VariantId,
    /// How much.
    pub(super) quantity: Amount,
}

/// How much of a line is wanted.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineChange {
    /// How much.
    quantity: Amount,
}

/// A line of a cart; its id is its variant's.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LineItem {
    /// Its name in this cart.
    #[schema(value_type = String, format = Uuid)]
    id: VariantId,
    /// From which shop.
    #[schema(value_type = String, format = Uuid)]
    shop_id: ShopId,
    /// Of which product.
    #[schema(value_type = String, format = Uuid)]
    product_id: ProductId,
    /// Which size or pack.
    #[schema(value_type = String, format = Uuid)]
    variant_id: VariantId,
    /// What it is called.
    name: String,
    /// How much.
    #[schema(value_type = Object)]
    quantity: Quantity,
    /// What it costs now.
    #[schema(value_type = Option<Object>)]
    price: Option<Price>,
    /// What the line comes to.
    #[schema(value_type = Option<Object>)]
    sum: Option<Money>,
    /// What the line came to by the price when it was put in, where that is something else.
    #[schema(value_type = Option<Object>)]
    was: Option<Money>,
    /// What stands against ordering it now: `gone`, `out_of_stock` or `not_in_that_amount`.
    #[schema(value_type = Option<String>)]
    hurdle: Option<Hurdle>,
}

/// A cart.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CartItem {
    /// Its name for ever.
    #[schema(value_type = String, format = Uuid)]
    id: CartId,
    /// What its person calls it.
    name: String,
    /// What is in it.
    lines: Vec<LineItem>,
    /// What its lines come to, one sum a currency.
    #[schema(value_type = Vec<Object>)]
    sums: Vec<Money>,
}

impl From<Priced> for CartItem {
    fn from(cart: Priced) -> Self {
        let mut sums: Vec<Money> = Vec::new();
        for sum in cart.lines.iter().filter_map(|line| line.sum) {
            match sums.iter_mut().find(|all| all.currency == sum.currency) {
                // A sum that does not fit is shown as far as it goes.
                Some(all) => *all = all.checked_add(sum).unwrap_or(*all),
                None => sums.push(sum),
            }
        }
        let lines = cart.lines.into_iter().map(LineItem::from).collect();
        Self { id: cart.id, name: cart.name, lines, sums }
    }
}

impl From<PricedLine> for LineItem {
    fn from(of: PricedLine) -> Self {
        let item = of.line.item;
        Self {
            id: item.variant,
            shop_id: item.shop,
            product_id: item.product,
            variant_id: item.variant,
            name: of.name,
            quantity: of.line.quantity,
            price: of.price,
            sum: of.sum,
            was: of.was,
            hurdle: of.hurdle,
        }
    }
}

impl NewLine {
    pub(super) fn parse(&self) -> Result<Wanted, Error> {
        let quantity = self.quantity.parse()?;
        Ok(Wanted { shop: self.shop_id, variant: self.variant_id, quantity })
    }
}

impl Amount {
    fn parse(self) -> Result<Quantity, Error> {
        let why = "1 to 100,000,000 grams, millilitres or pieces";
        let Whole(amount) = self.amount;
        Quantity::new(amount, self.unit)
            .ok()
            .filter(|_| amount > 0)
            .ok_or(Error::Invalid { field: "quantity", why })
    }
}

/// The own carts.
#[utoipa::path(get, path = "/v1/me/carts", tag = "hosted", security(("bearer" = [])),
    responses((status = 200, body = Page<CartItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<CartItem>>, Problem> {
    let carts = door.hub.carts(&actor, clock::now(), &mut clock::rng()).await?;
    Ok(Json(Page { items: carts.into_iter().map(CartItem::from).collect(), next_cursor: None }))
}

/// Begins a cart.
#[utoipa::path(post, path = "/v1/me/carts", tag = "hosted", security(("bearer" = [])),
    request_body = CartName, responses((status = 201, body = CartItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn begin(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Body(given): Body<CartName>,
) -> Result<(StatusCode, Json<CartItem>), Problem> {
    let request = Hash::of(given.name.as_bytes());
    let once = key.once(&actor.account.to_string(), "carts", request);
    let (now, mut rng) = (clock::now(), clock::rng());
    let cart = door.hub.new_cart(&actor, given.parse()?, once, now, &mut rng).await?;
    let cart = door.hub.cart(&actor, cart, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(cart.into())))
}

/// One of the own carts.
#[utoipa::path(get, path = "/v1/me/carts/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = CartItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(cart): Path<String>,
) -> Result<Json<CartItem>, Problem> {
    let cart = id("cart", &cart)?;
    Ok(Json(door.hub.cart(&actor, cart, clock::now(), &mut clock::rng()).await?.into()))
}

/// Renames a cart.
#[utoipa::path(patch, path = "/v1/me/carts/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = CartName,
    responses((status = 200, body = CartItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn rename(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(cart): Path<String>,
    Body(given): Body<CartName>,
) -> Result<Json<CartItem>, Problem> {
    let (cart, now, mut rng) = (id("cart", &cart)?, clock::now(), clock::rng());
    door.hub.change_cart(&actor, cart, Some(given.parse()?), now, &mut rng).await?;
    Ok(Json(door.hub.cart(&actor, cart, now, &mut rng).await?.into()))
}

/// Drops a cart with all that is in it.
#[utoipa::path(delete, path = "/v1/me/carts/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(cart): Path<String>,
) -> Result<StatusCode, Problem> {
    let cart = id("cart", &cart)?;
    door.hub.change_cart(&actor, cart, None, clock::now(), &mut clock::rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The lines of a cart.
#[utoipa::path(get, path = "/v1/me/carts/{id}/lines", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Page<LineItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn lines(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(cart): Path<String>,
) -> Result<Json<Page<LineItem>>, Problem> {
    let cart = id("cart", &cart)?;
    let cart = door.hub.cart(&actor, cart, clock::now(), &mut clock::rng()).await?;
    Ok(Json(Page { items: CartItem::from(cart).lines, next_cursor: None }))
}

/// Puts something into a cart, beside what is in it of that already.
#[utoipa::path(post, path = "/v1/me/carts/{id}/lines", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = NewLine,
    responses((status = 201, body = CartItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn add(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(cart): Path<String>,
    key: Key,
    Body(given): Body<NewLine>,
) -> Result<(StatusCode, Json<CartItem>), Problem> {
    let (cart, now, mut rng) = (id("cart", &cart)?, clock::now(), clock::rng());
    // A struct of ids and numbers always becomes JSON.
    let request = Hash::of(serde_json::to_string(&given).unwrap_or_default().as_bytes());
    let once = key.once(&actor.account.to_string(), "lines", request);
    let wanted = (given.parse()?, false);
    let cart = door.hub.put_into_cart(&actor, cart, wanted, once, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(cart.into())))
}

/// Says how much of a line is wanted.
#[utoipa::path(patch, path = "/v1/me/carts/{id}/lines/{line}", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path), ("line" = String, Path)),
    request_body = LineChange, responses((status = 200, body = CartItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path((cart, line)): Path<(String, String)>,
    Body(given): Body<LineChange>,
) -> Result<Json<CartItem>, Problem> {
    let (cart, variant) = (id("cart", &cart)?, id("line", &line)?);
    let (quantity, now, mut rng) = (given.quantity.parse()?, clock::now(), clock::rng());
    let there = door.hub.cart(&actor, cart, now, &mut rng).await?;
    let line = there.lines.iter().find(|of| of.line.item.variant == variant);
    let shop = line.ok_or(Error::NotFound { what: "line" })?.line.item.shop;
    let wanted = (Wanted { shop, variant, quantity }, true);
    Ok(Json(door.hub.put_into_cart(&actor, cart, wanted, None, now, &mut rng).await?.into()))
}

/// Takes a line out of a cart.
#[utoipa::path(delete, path = "/v1/me/carts/{id}/lines/{line}", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path), ("line" = String, Path)),
    responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn take_out(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path((cart, line)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (cart, variant, now) = (id("cart", &cart)?, id("line", &line)?, clock::now());
    door.hub.take_out_of_cart(&actor, cart, variant, now, &mut clock::rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl CartName {
    fn parse(self) -> Result<String, Error> {
        let is_fit = !self.name.trim().is_empty()
            && self.name.chars().count() <= 120
            && !self.name.chars().any(char::is_control);
        let why = "1 to 120 characters, none of them control";
        if is_fit { Ok(self.name) } else { Err(Error::Invalid { field: "name", why }) }
    }
}
