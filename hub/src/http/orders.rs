//! `/v1/orders` and `/v1/home`: what a hosted account orders, and all that it opens with.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{
    hash::Hash,
    id::{OrderId, ShopId},
    money::Money,
    order::{
        facts::{Grievance, ToConfirm},
        placed::{Method, Substitution},
        wish::ComplaintStep,
    },
    spoken::ShortNumber,
    time::UnixMs,
};
use kirana_customer::app::status::OrderStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    accounts::Profile,
    admin::Page,
    carts::{CartItem, NewLine},
    extract::{Body, Key, Limit, Query, Signed, Whole, id},
    problem::Problem,
    shops::{ShopItem, near_home},
    terms::{ChosenSlot, age},
};
use crate::{
    app::{
        Error,
        hosted::orders::{Asking, Basket, Checkout},
    },
    clock,
};

/// How long an answer is of use where nothing else is said, in hours.
const ANSWER_WITHIN_HOURS: u64 = 72;

/// What to order: a cart, or lines at one shop; how, for whom and where to.
#[derive(Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewOrders {
    /// What is in this cart; it is emptied of what was ordered.
    cart_id: Option<String>,
    /// At this shop, with `lines`.
    shop_id: Option<String>,
    /// These things.
    #[schema(max_items = 200)]
    lines: Vec<OrderLine>,
    /// Come and collect it, rather than have it brought.
    pickup: bool,
    /// Which of the addresses; the usual one if left out.
    address_id: Option<String>,
    /// For whom; the account's name if left out.
    #[schema(max_length = 120, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    name: Option<String>,
    /// What else the shop should know.
    #[schema(max_length = 300, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    note: String,
    /// Whether a part of a line is better than nothing.
    partial: bool,
    /// What to do with a line of which there is none left: `leave_out`, `ask` or `similar`.
    #[schema(pattern = "^(leave_out|ask|similar)$")]
    substitution: Option<String>,
    /// How it is paid: `on_delivery`, `on_khata` where the shop keeps a credit book for the account, `upi`
    /// or `card` where the shop takes that.
    #[schema(pattern = "^(on_delivery|on_khata|upi|card)$")]
    payment: Option<String>,
    /// For how many hours an answer is of use.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2160)]
    answer_within_hours: Option<Whole>,
    /// In which of the spans of time that the shop offers.
    slot: Option<ChosenSlot>,
    /// How old the customer says to be, at least, in years.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 120)]
    of_age: Option<Whole>,
}

/// Something to order at the shop that is named.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    /// Which size or pack of a product.
    #[schema(value_type = String, format = Uuid)]
    variant_id: kirana_core::id::VariantId,
    /// How much.
    quantity: super::carts::Amount,
}

/// How something is ordered once more, for whom and where to.
#[derive(Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Come and collect it, rather than have it brought.
    pickup: bool,
    /// Which of the addresses; the usual one if left out.
    address_id: Option<String>,
    /// For whom; the account's name if left out.
    #[schema(max_length = 120, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    name: Option<String>,
    /// What else the shop should know.
    #[schema(max_length = 300, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    note: String,
    /// Whether a part of a line is better than nothing.
    partial: bool,
    /// What to do with a line of which there is none left: `leave_out`, `ask` or `similar`.
    #[schema(pattern = "^(leave_out|ask|similar)$")]
    substitution: Option<String>,
    /// How it is paid: `on_delivery`, `on_khata` where the shop keeps a credit book for the account, `upi`
    /// or `card` where the shop takes that.
    #[schema(pattern = "^(on_delivery|on_khata|upi|card)$")]
    payment: Option<String>,
    /// For how many hours an answer is of use.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 2160)]
    answer_within_hours: Option<Whole>,
    /// In which of the spans of time that the shop offers.
    slot: Option<ChosenSlot>,
    /// How old the customer says to be, at least, in years.
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 120)]
    of_age: Option<Whole>,
}

/// Which part of the orders.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrdersPart {
    /// Where to start: a `next_cursor`.
    #[param(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    cursor: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// Orders that were placed, one a shop.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Placed {
    /// They stand in the order of the shops' ids.
    orders: Vec<OrderItem>,
}

/// An order as its person sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrderItem {
    /// Its name for life.
    #[schema(value_type = String, format = Uuid)]
    id: OrderId,
    /// The number that a person can read aloud.
    number: String,
    /// At which shop.
    #[schema(value_type = String, format = Uuid)]
    shop_id: ShopId,
    /// What the shop calls itself.
    shop_name: String,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime)]
    placed_at: UnixMs,
    /// How far it is, in a word.
    stage: &'static str,
    /// Where it is, in a sentence.
    says: String,
    /// What it costs as things stand.
    #[schema(value_type = Option<Object>)]
    total: Option<Money>,
    /// What to tell whoever hands the goods over, once the shop has taken the order.
    code: Option<String>,
    /// By what a payment by card is confirmed, while the shop waits for that.
    #[schema(value_type = Option<Object>)]
    card: Option<ToConfirm>,
    /// All that its entries say.
    #[schema(value_type = Object)]
    order: Value,
    /// Its entries.
    #[schema(value_type = Vec<Object>)]
    entries: Value,
    /// What both sides wrote about it.
    #[schema(value_type = Vec<Object>)]
    messages: Value,
}

impl From<OrderStatus> for OrderItem {
    fn from(status: OrderStatus) -> Self {
        Self {
            id: status.id,
            number: ShortNumber::of(status.shop, status.id).to_string(),
            shop_id: status.shop,
            shop_name: status.shop_name,
            placed_at: status.placed_at,
            stage: status.stage,
            says: status.says,
            total: status.total,
            code: status.code,
            card: status.card,
            order: json!(status.order),
            entries: json!(status.entries),
            messages: json!(status.messages),
        }
    }
}

/// Orders what is in a cart, or lines at one shop: one order a shop. The orders are stored when the
/// answer comes, and go to the shops as they can be reached.
#[utoipa::path(post, path = "/v1/orders", tag = "hosted", security(("bearer" = [])),
    request_body = NewOrders, responses((status = 201, body = Placed),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn place(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Body(given): Body<NewOrders>,
) -> Result<(StatusCode, Json<Placed>), Problem> {
    // A struct of texts and numbers always becomes JSON.
    let request = Hash::of(serde_json::to_string(&given).unwrap_or_default().as_bytes());
    let once = key.once(&actor.account.to_string(), "orders", request);
    let (now, mut rng) = (clock::now(), clock::rng());
    let checkout = given.checkout(now)?;
    let placed = door.hub.check_out(&actor, once, checkout, now, &mut rng).await?;
    let orders = placed.into_iter().map(OrderItem::from).collect();
    Ok((StatusCode::CREATED, Json(Placed { orders })))
}

/// The own orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "hosted", security(("bearer" = [])), params(OrdersPart),
    responses((status = 200, body = Page<OrderItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    Signed(actor): Signed,
    Query(part): Query<OrdersPart>,
) -> Result<Json<Page<OrderItem>>, Problem> {
    let limit = part.limit.get() as usize;
    let why = "a next_cursor of this list";
    let after = part.cursor.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Error::Invalid { field: "cursor", why })?;
    let (now, mut rng) = (clock::now(), clock::rng());
    let mut orders = door.hub.own_orders(&actor, (after, limit + 1), now, &mut rng).await?;
    let is_more = orders.len() > limit;
    orders.truncate(limit);
    let last = orders.last().map(|order| order.id.to_string());
    let items = orders.into_iter().map(OrderItem::from).collect();
    Ok(Json(Page { items, next_cursor: last.filter(|_| is_more) }))
}

/// One of the own orders.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = OrderItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(order): Path<String>,
) -> Result<Json<OrderItem>, Problem> {
    let order = id("order", &order)?;
    Ok(Json(door.hub.own_order(&actor, order, clock::now(), &mut clock::rng()).await?.into()))
}

/// What is wanted otherwise.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// How much of lines that are there, by their index; 0 takes a line out.
    #[schema(max_items = 200)]
    amounts: Vec<NewAmount>,
    /// What is wanted too, at the same shop.
    #[schema(max_items = 200)]
    added: Vec<NewLine>,
    /// Come and collect it after all.
    pickup: bool,
    /// In another of the spans of time that the shop offers.
    slot: Option<ChosenSlot>,
}

/// How much of a line.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAmount {
    /// Its index.
    #[schema(value_type = u64)]
    line: Whole,
    /// In the line's base unit.
    #[schema(value_type = u64)]
    amount: Whole,
}

/// An answer to the shop's question.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The lines for which the proposal may come, by their index.
    #[schema(value_type = Vec<u64>, max_items = 200)]
    lines: Vec<Whole>,
}

/// A complaint, or a word about one.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewComplaint {
    /// The words.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    message: String,
    /// `missing`, `faulty`, `wrong`, `late`, `sum` or `else`.
    #[serde(default)]
    #[schema(pattern = "^(missing|faulty|wrong|late|sum|else)$")]
    about: Option<String>,
    /// About which lines, by their index.
    #[serde(default)]
    #[schema(value_type = Vec<u64>, max_items = 200)]
    lines: Vec<Whole>,
    /// `open`, `more`, `accept` or `escalate`.
    #[serde(default)]
    #[schema(pattern = "^(open|more|accept|escalate)$")]
    step: Option<String>,
    /// A photo (PNG, JPEG or WebP) in base64; where and by what it was taken is left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 900000)]
    photo: Option<String>,
}

/// Asks the shop for something else, as long as nothing is packed.
#[utoipa::path(post, path = "/v1/orders/{id}/changes", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Changes,
    responses((status = 202, body = OrderItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change(
    door: State<Door>,
    signed: Signed,
    order: Path<String>,
    key: Key,
    Body(given): Body<Changes>,
) -> Result<(StatusCode, Json<OrderItem>), Problem> {
    let amounts = given.amounts.iter().map(|new| Ok((line(new.line)?, new.amount.0)));
    let amounts = amounts.collect::<Result<_, Error>>()?;
    let added = given.added.iter().map(NewLine::parse).collect::<Result<_, _>>()?;
    let slot = given.slot.as_ref().map(ChosenSlot::parse).transpose()?;
    let asking = Asking::Change { amounts, added, pickup: given.pickup, slot };
    ask(door, signed, order, (asking, key)).await
}

/// Takes an order back, or asks the shop to call it off.
#[utoipa::path(post, path = "/v1/orders/{id}/withdrawal", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path)),
    responses((status = 202, body = OrderItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn withdraw(
    door: State<Door>,
    signed: Signed,
    order: Path<String>,
    key: Key,
) -> Result<(StatusCode, Json<OrderItem>), Problem> {
    ask(door, signed, order, (Asking::Withdraw, key)).await
}

/// Answers the shop's question whether something else may come.
#[utoipa::path(post, path = "/v1/orders/{id}/approval", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Approval,
    responses((status = 202, body = OrderItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn approve(
    door: State<Door>,
    signed: Signed,
    order: Path<String>,
    key: Key,
    Body(given): Body<Approval>,
) -> Result<(StatusCode, Json<OrderItem>), Problem> {
    ask(door, signed, order, (Asking::Approve(lines(&given.lines)?), key)).await
}

/// Complains, says more, accepts an offer, or takes the complaint to the hub.
#[utoipa::path(post, path = "/v1/orders/{id}/complaint", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path)), request_body = NewComplaint,
    responses((status = 202, body = OrderItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn complain(
    door: State<Door>,
    signed: Signed,
    order: Path<String>,
    key: Key,
    Body(given): Body<NewComplaint>,
) -> Result<(StatusCode, Json<OrderItem>), Problem> {
    let about = given.about.as_deref().map_or(Some(Grievance::Else), Grievance::from_label);
    let why = "missing, faulty, wrong, late, sum or else";
    let about = about.ok_or(Error::Invalid { field: "about", why })?;
    let step = given.step.as_deref().map_or(Some(ComplaintStep::Open), ComplaintStep::from_label);
    let why = "open, more, accept or escalate";
    let step = step.ok_or(Error::Invalid { field: "step", why })?;
    let photo = given.photo.filter(|photo| !photo.is_empty()).map(|photo| STANDARD.decode(photo));
    let why = "the photo is no picture in base64";
    let declined = |_| Error::Declined { kind: "picture", why: why.to_owned() };
    let photo = photo.transpose().map_err(declined)?;
    let (lines, says) = (lines(&given.lines)?, given.message);
    let asking = Asking::Complain { step, about, lines, says, photo };
    ask(door, signed, order, (asking, key)).await
}

/// Orders the same once more, at the prices of now.
#[utoipa::path(post, path = "/v1/orders/{id}/reorder", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = Terms,
    responses((status = 201, body = Placed),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn reorder(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Path(order): Path<String>,
    Body(terms): Body<Terms>,
) -> Result<(StatusCode, Json<Placed>), Problem> {
    let before: OrderId = id("order", &order)?;
    // A struct of texts and numbers always becomes JSON.
    let said = serde_json::to_string(&terms).unwrap_or_default();
    let request = Hash::of_parts(&[before.as_bytes(), said.as_bytes()]);
    let once = key.once(&actor.account.to_string(), "reorder", request);
    let (now, mut rng) = (clock::now(), clock::rng());
    let checkout = terms.checkout(Basket::Again(before), now)?;
    let placed = door.hub.check_out(&actor, once, checkout, now, &mut rng).await?;
    let orders = placed.into_iter().map(OrderItem::from).collect();
    Ok((StatusCode::CREATED, Json(Placed { orders })))
}

async fn ask(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(order): Path<String>,
    (asking, key): (Asking, Key),
) -> Result<(StatusCode, Json<OrderItem>), Problem> {
    let request = Hash::of(format!("{order} {asking:?}").as_bytes());
    let once = key.once(&actor.account.to_string(), "wishes", request);
    let (order, now, mut rng) = (id("order", &order)?, clock::now(), clock::rng());
    let asked = door.hub.ask_about_order(&actor, order, (asking, once), now, &mut rng).await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// What a thin client opens with.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Home {
    /// Who it is.
    profile: Profile,
    /// The own carts.
    carts: Vec<CartItem>,
    /// Orders of which something can still become.
    orders: Vec<OrderItem>,
    /// Shops around the usual address, or in the neighbourhood.
    shops: Vec<ShopItem>,
}

/// Profile, carts, open orders and near shops in one answer.
#[utoipa::path(get, path = "/v1/home", tag = "hosted", security(("bearer" = [])),
    responses((status = 200, body = Home),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn home(State(door): State<Door>, Signed(actor): Signed) -> Result<Json<Home>, Problem> {
    let (hub, now, mut rng) = (&door.hub, clock::now(), clock::rng());
    let profile = hub.me(&actor, now).await?;
    let carts = hub.carts(&actor, now, &mut rng).await?;
    let orders = hub.own_orders(&actor, (None, OPEN_LOOKED_AT_MAX), now, &mut rng).await?;
    let open = orders.into_iter().filter(|order| order.order.as_ref().is_some_and(|o| o.is_open()));
    let (addresses, usual) = hub.addresses(&actor, now, &mut rng).await?;
    let usual = addresses.into_iter().find(|(id, _)| Some(*id) == usual);
    let shops = near_home(hub, usual.and_then(|(_, address)| address.position), now).await?;
    Ok(Json(Home {
        profile: (*profile).clone().into(),
        carts: carts.into_iter().map(CartItem::from).collect(),
        orders: open.map(OrderItem::from).collect(),
        shops,
    }))
}

/// The newest orders that are looked at for open ones.
const OPEN_LOOKED_AT_MAX: usize = 50;

/// A line's index; no order has lines beyond what an index holds.
fn line(Whole(index): Whole) -> Result<u16, Error> {
    u16::try_from(index).map_err(|_| Error::NotFound { what: "line" })
}

fn lines(indices: &[Whole]) -> Result<Vec<u16>, Error> {
    indices.iter().copied().map(line).collect()
}

impl NewOrders {
    fn terms(self) -> Terms {
        Terms {
            pickup: self.pickup,
            address_id: self.address_id,
            name: self.name,
            note: self.note,
            partial: self.partial,
            substitution: self.substitution,
            payment: self.payment,
            answer_within_hours: self.answer_within_hours,
            slot: self.slot,
            of_age: self.of_age,
        }
    }

    pub(super) fn checkout(self, now: UnixMs) -> Result<Checkout, Error> {
        let basket = self.basket()?;
        self.terms().checkout(basket, now)
    }

    fn basket(&self) -> Result<Basket, Error> {
        match (self.cart_id.as_deref(), self.shop_id.as_deref(), self.lines.as_slice()) {
            (Some(cart), None, []) => Ok(Basket::Cart(id("cart", cart)?)),
            (None, Some(shop), [_, ..]) => {
                let shop_id: ShopId = id("shop", shop)?;
                let parse = |line: &OrderLine| {
                    let (variant_id, quantity) = (line.variant_id, line.quantity);
                    NewLine { shop_id, variant_id, quantity }.parse()
                };
                Ok(Basket::Lines(self.lines.iter().map(parse).collect::<Result<_, _>>()?))
            }
            _ => {
                let why = "name either cart_id, or shop_id with at least one of lines".to_owned();
                Err(Error::Declined { kind: "nothing-to-order", why })
            }
        }
    }
}

impl Terms {
    fn checkout(self, basket: Basket, now: UnixMs) -> Result<Checkout, Error> {
        let texts = [self.name.as_deref().unwrap_or_default(), &self.note];
        if texts.iter().any(|text| text.chars().any(char::is_control) || text.chars().count() > 300)
        {
            let why = "at most 300 characters, none of them control";
            return Err(Error::Invalid { field: "name and note", why });
        }
        let substitution = self.substitution.as_deref();
        let substitution =
            substitution.map_or(Some(Substitution::LeaveOut), Substitution::from_label);
        let is_offered = |s: &Substitution| *s != Substitution::Listed;
        let why = "leave_out, ask or similar";
        let substitution =
            substitution.filter(is_offered).ok_or(Error::Invalid { field: "substitution", why })?;
        let hours = self.answer_within_hours.map_or(ANSWER_WITHIN_HOURS, |hours| hours.0);
        if !(1..=2160).contains(&hours) {
            return Err(Error::Invalid { field: "answer_within_hours", why: "1 to 2160" });
        }
        let payment = self.payment.as_deref().map_or(Some(Method::OnDelivery), Method::from_label);
        let why = "on_delivery, on_khata, upi or card";
        let payment = payment.ok_or(Error::Invalid { field: "payment", why })?;
        Ok(Checkout {
            payment,
            basket,
            pickup: self.pickup,
            address: self.address_id.as_deref().map(|text| id("address", text)).transpose()?,
            name: self.name,
            note: self.note,
            partial_ok: self.partial,
            substitution,
            answer_by: now.plus_ms(hours * 60 * 60 * 1000),
            slot: self.slot.as_ref().map(ChosenSlot::parse).transpose()?,
            of_age: self.of_age.map(age).transpose()?,
        })
    }
}
