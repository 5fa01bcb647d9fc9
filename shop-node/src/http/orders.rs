//! Orders over HTTP: a device on the shop's Wi-Fi places one, its customer and the shop see it.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use kirana_core::{
    envelope::{Parcel, PersonalPart},
    hash::Hash,
    order::axes::Fulfilment,
    policy::{Action, Resource},
    statement::{Party, UnverifiedStatement},
    time::{DAY_MS, UnixMs},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, Repeatable, bytes},
    now,
    problem::Problem,
};
use crate::{
    app::{
        Once, Outcome, Shop,
        access::{Access, By, Closed, Visitor},
        orders::{Listed, NotDone, OrderView, Which},
    },
    clock,
};

/// The most certificates that come with an order: more are refused before anything is checked, for whoever
/// sends them may be nobody.
const CERTIFICATES_MAX: usize = 8;

/// An order that a device signed.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The signed first entry, a COSE_Sign1 in base64.
    placed: String,
    /// The personal part that the entry names by its hash.
    personal: Option<Personal>,
    /// The device's certificates, leaf first, in base64, at most eight; known ones may be left out.
    #[serde(default)]
    certificates: Vec<String>,
}

/// Who and where, outside the signed entry.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Personal {
    /// Sixteen bytes in base64.
    salt: String,
    /// A CBOR map in base64: 0 the name, 1 the address, 2 the phone number, 3 a note.
    bytes: String,
}

/// Takes in a signed order and decides it; the same order again gets the same answer. An
/// `Idempotency-Key` that was used for another body is refused.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", request_body = PlaceOrder,
    security(("token" = [])),
    responses((status = 201, body = Value), (status = 200, body = Value), (status = 422, body = Problem)))]
pub async fn place(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    key: Repeatable,
    Json(given): Json<PlaceOrder>,
) -> Result<Response, Problem> {
    let (parcel, once) = (parcel(&given)?, key.by(visitor.device)?);
    let (view, new) = place_it(&door, visitor, once, parcel).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(shown(&view))).into_response())
}

fn parcel(given: &PlaceOrder) -> Result<Parcel, Problem> {
    if given.certificates.len() > CERTIFICATES_MAX {
        let title = format!("at most {CERTIFICATES_MAX} certificates come with an order");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many-certificates", title));
    }
    let mut parcel = Parcel::default();
    parcel.statements.push(bytes("placed", &given.placed)?.into());
    for certificate in &given.certificates {
        parcel.certificates.push(bytes("certificates", certificate)?.into());
    }
    if let Some(personal) = &given.personal {
        let salt = bytes("personal.salt", &personal.salt)?.try_into();
        let salt = salt.map_err(|_| Problem::malformed("personal.salt has sixteen bytes"))?;
        parcel
            .personal
            .push(PersonalPart { salt, bytes: bytes("personal.bytes", &personal.bytes)? });
    }
    Ok(parcel)
}

/// Checks here, and waits for the disk without a thread of its own.
async fn place_it(
    door: &Door,
    visitor: Visitor,
    once: Option<Once>,
    parcel: Parcel,
) -> Result<(OrderView, bool), Problem> {
    let read = UnverifiedStatement::parse(&parcel.statements[0])
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let (claimed, customer) = (read.claimed().order, visitor.principal.party);
    let check = move |access: &Access| {
        access.allow(&visitor, Action::PlaceOrder, &access.here())?;
        let checked = access.shop().check_at_the_door(once, parcel, now(), &mut clock::rng())?;
        Ok::<_, Problem>(checked)
    };
    let checked = door.look(check).await?;
    let (outcomes, shown) = door.shop().take_in_at_the_door(checked).await?;
    // Whoever carries another's order here is shown none of it.
    if let Some(view) =
        shown.filter(|view| customer.as_ref().is_none_or(|c| *c == view.order.placed.customer))
    {
        return Ok((view, true));
    }
    let (id, new) = match outcomes.into_iter().next() {
        Some(Outcome::Order { id, new, .. }) => (id, new),
        Some(Outcome::Answered { bytes }) => return Err(refused(&bytes)),
        _ => (claimed, false),
    };
    let order = door.look(move |access| access.shop().order(Which { id, customer })).await?;
    Ok((order, new))
}

/// The shop's signed refusal, as a problem that names the reason.
fn refused(bytes: &[u8]) -> Problem {
    use kirana_core::order::wish::{Answer, Said};
    let said = UnverifiedStatement::parse(bytes).ok().and_then(|r| Said::of(r.claimed()).ok());
    match said {
        Some(Said::Answer(Answer::Refusal(refusal))) => Problem::new(
            StatusCode::CONFLICT,
            &format!("refused-{}", refusal.code.label().replace('_', "-")),
            refusal.code.to_string(),
        ),
        _ => Problem::new(StatusCode::CONFLICT, "refused", "the shop refused it"),
    }
}

/// Which orders to list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// Only those that are still open.
    #[serde(default)]
    open: bool,
    /// Only those whose goods were kept for long enough and that nobody came for: to be called off
    /// as `not_collected`, or asked about. For the shop's people; one page.
    #[serde(default)]
    unclaimed: bool,
    /// Where the page before ended.
    cursor: Option<i64>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// A page of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Page {
    pub(super) items: Vec<Value>,
    pub(super) next_cursor: Option<String>,
}

/// The shop's orders for its people, a customer's own for the customer; newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(Listing), security(("token" = [])),
    responses((status = 200, body = Page)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Query(listing): Query<Listing>,
) -> Result<axum::Json<Page>, Problem> {
    let held_ms = door.held_ms;
    let listed = door.run(move |access| listed(access, &visitor, &listing, held_ms)).await?;
    let damaged = listed.damaged.iter().map(|id| json!({ "id": id, "damaged": true }));
    let items = listed.views.iter().map(shown).chain(damaged).collect();
    Ok(axum::Json(Page { items, next_cursor: listed.next.map(|n| n.to_string()) }))
}

fn listed(
    access: &Access,
    visitor: &Visitor,
    listing: &Listing,
    held_ms: u64,
) -> Result<Listed, Problem> {
    let customer = visitor.principal.party;
    if customer.is_none() || listing.unclaimed {
        access.allow(visitor, Action::ListOrders, &access.here())?;
    }
    let (shop, limit) = (access.shop(), listing.limit.unwrap_or(50).clamp(1, 100));
    if customer.is_none() && is_courier(access, visitor) {
        return brought(access, visitor, listing.cursor, limit);
    }
    if !listing.unclaimed {
        return Ok(shop.orders(customer, listing.open, listing.cursor, limit)?);
    }
    let mut listed = shop.unclaimed(now(), held_ms)?;
    listed.views.truncate(limit as usize);
    Ok(listed)
}

/// Whether somebody sees of the shop's orders only what is brought.
fn is_courier(access: &Access, visitor: &Visitor) -> bool {
    let (shop, customer) = (access.shop().id(), Party::Shop(access.shop().id()));
    let order = |delivery| Resource::Order { shop, customer, delivery };
    sees(access, visitor, &order(true)) && !sees(access, visitor, &order(false))
}

/// What is out, and what was brought within the last day: all that a courier is to see.
fn brought(
    access: &Access,
    visitor: &Visitor,
    mut before: Option<i64>,
    limit: u32,
) -> Result<Listed, Problem> {
    let (shop, since) = (access.shop(), known(access.shop()).minus_ms(DAY_MS));
    let (mut views, mut left) = (Vec::new(), limit);
    loop {
        // Never more than are still wanted, so that the next page goes on behind the last one seen.
        let page = shop.brought(since, before, left)?;
        let seen = page.views.into_iter();
        views.extend(seen.filter(|view| sees(access, visitor, &resource(shop, view))));
        before = page.next;
        left = limit.saturating_sub(u32::try_from(views.len()).unwrap_or(limit));
        if before.is_none() || left == 0 {
            return Ok(Listed { views, damaged: Vec::new(), next: before });
        }
    }
}

/// One order with its entries, and for whom it is.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let which = which(&id, &visitor)?;
    let (view, person, done_by, messages, wrong_codes) = door
        .run(move |access| {
            let (shop, inside) = (access.shop(), visitor.principal.party.is_none());
            let view = shop.order(which)?;
            may(access, &visitor, Action::ViewOrder, &view)?;
            // Who works here is no customer's business.
            let done_by = inside.then(|| shop.done_by(&view)).transpose()?;
            let person = shop.person(&view.order)?;
            let messages = shop.messages(which)?;
            let wrong_codes = inside.then(|| shop.wrong_codes(which)).transpose()?;
            Ok::<_, Problem>((view, person, done_by, messages, wrong_codes))
        })
        .await?;
    let mut order = shown(&view);
    order["personal"] = json!(person);
    order["messages"] = json!(messages);
    order["wrong_codes"] = json!(wrong_codes);
    if let Some(done_by) = done_by {
        let by =
            |(entry, by): &(Hash, By)| json!({ "entry": entry, "by": by.who, "till": by.till });
        order["done_by"] = done_by.iter().map(by).collect();
    }
    Ok(axum::Json(order))
}

pub(super) fn which(id: &str, visitor: &Visitor) -> Result<Which, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    Ok(Which { id, customer: visitor.principal.party })
}

/// Whether somebody may do something with an order; one that is not theirs is not there.
pub(super) fn may(
    access: &Access,
    visitor: &Visitor,
    action: Action,
    view: &OrderView,
) -> Result<(), Problem> {
    let order = resource(access.shop(), view);
    match access.allow(visitor, action, &order) {
        Err(Closed::Forbidden) if !sees(access, visitor, &order) => Err(Problem::not_found()),
        said => Ok(said?),
    }
}

fn sees(access: &Access, visitor: &Visitor, order: &Resource) -> bool {
    access.allow(visitor, Action::ViewOrder, order).is_ok()
}

fn known(shop: &Shop) -> UnixMs {
    let own = now();
    shop.known_now(own).map_or(own, |known| known.at)
}

fn resource(shop: &Shop, view: &OrderView) -> Resource {
    // By the time that entries are written by, which stands still while the own clock is in doubt.
    let now = known(shop);
    // Whoever brought it still takes the money, and says so when there is a network again.
    let out = |group: &kirana_core::order::axes::Group| match group.stage {
        Fulfilment::OutForDelivery { .. } | Fulfilment::DeliveryFailed { .. } => true,
        Fulfilment::Delivered { at } => now.since(at) < DAY_MS,
        _ => false,
    };
    Resource::Order {
        shop: shop.id(),
        customer: view.order.customer,
        delivery: view.order.groups.iter().any(out),
    }
}

/// An order as HTTP shows it.
pub fn shown(view: &OrderView) -> Value {
    json!({
        "id": view.order.id,
        "number": view.number,
        "customer": view.order.customer.to_string(),
        "stage": view.order.stage,
        "order": view.order,
        "totals": view.totals,
        "entries": view.entries,
        "waits_for_customer": view.waits_for_heads,
        "by_phone": view.by_phone,
    })
}

impl From<NotDone> for Problem {
    fn from(why: NotDone) -> Self {
        let title = why.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        match why {
            NotDone::Unknown(_) => Self::not_found(),
            NotDone::Ambiguous(_) => conflict("ambiguous"),
            NotDone::Chain(_) => conflict("does-not-fit"),
            NotDone::Stock(_) => conflict("stock"),
            NotDone::Damaged(_) => conflict("order-damaged"),
            NotDone::WaitsForCustomer(_) => conflict("waits-for-customer"),
            NotDone::StockClosed(_) => conflict("stock-closed"),
            NotDone::NotSold(_) => conflict("not-sold"),
            NotDone::NotEnough(_) => conflict("not-enough"),
            NotDone::WrongCode(_) => conflict("wrong-code"),
            NotDone::CodeLocked(_) => conflict("code-locked"),
            NotDone::AgeNotChecked(_) => conflict("age-not-checked"),
            NotDone::MessageTooLong => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "message-too-long", title)
            }
            NotDone::Khata(why) => why.into(),
            NotDone::Card(why) => (*why).into(),
            NotDone::StillSpeaks => conflict("still-speaks"),
            NotDone::ReadOnly(_) => conflict("read-only"),
            NotDone::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", title)
            }
            NotDone::NotStored(not_stored) => not_stored.into(),
            NotDone::Store(error) => Self::internal(&error),
        }
    }
}

impl From<kirana_migrations::StoreError> for Problem {
    fn from(error: kirana_migrations::StoreError) -> Self {
        Self::internal(&error)
    }
}
