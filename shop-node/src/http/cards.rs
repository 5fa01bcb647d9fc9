//! `/v1/payments/cards`: at which provider the shop takes cards, what of them does not fit together; how
//! an order is paid by card; and what the provider sends by itself.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use kirana_core::policy::Action;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path},
    now,
    orders::{may, which},
    problem::Problem,
};
use crate::{
    app::cards::{Account, BadEvent, CardView, CardsReconciled, GivenAccount, NotByCard, STRIPE},
    clock,
};

/// At which provider the shop takes cards.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCards {
    /// Whether new orders may be paid by card.
    on: bool,
    /// Where its API is called: `https://` only; Stripe's own if left out.
    base_url: Option<String>,
    /// The shop's public key there.
    #[serde(default)]
    publishable_key: String,
    /// A page on which customers confirm: it is opened with `#key=…&secret=…`.
    payment_page: Option<String>,
    /// The secret key; left out, what was given before for the same server.
    #[schema(write_only)]
    secret_key: Option<String>,
    /// The webhooks' signing secret; left out, what was given before for the same server.
    #[schema(write_only)]
    webhook_secret: Option<String>,
}

impl From<GivenCards> for GivenAccount {
    fn from(given: GivenCards) -> Self {
        Self {
            on: given.on,
            base: given.base_url,
            publishable: given.publishable_key,
            page: given.payment_page,
            secret: given.secret_key,
            webhook: given.webhook_secret,
        }
    }
}

/// Why a payment at the provider is no money of an order.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Aside {
    /// The words.
    aside: String,
}

/// At which provider the shop takes cards; of its secrets only whether they are there.
#[utoipa::path(get, path = "/v1/payments/cards", tag = "payments", security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem)))]
pub async fn look(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<Value>, Problem> {
    let account = door
        .run(move |access| {
            access.allow(&visitor, Action::EditShop, &access.here())?;
            Ok::<_, Problem>(access.shop().cards()?)
        })
        .await?;
    Ok(axum::Json(shown(account.as_ref())))
}

/// Says at which provider the shop takes cards, or that it takes none.
#[utoipa::path(put, path = "/v1/payments/cards", tag = "payments", request_body = GivenCards,
    security(("token" = [])), responses((status = 200, body = Value), (status = 403, body = Problem),
    (status = 422, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<GivenCards>,
) -> Result<axum::Json<Value>, Problem> {
    let private = door.cards.allows_private();
    let account = door
        .run(move |access| {
            access.allow(&visitor, Action::EditShop, &access.here())?;
            let rng = &mut clock::rng();
            Ok::<_, Problem>(access.shop().set_cards(given.into(), private, rng)?)
        })
        .await?;
    door.cards.wake();
    Ok(axum::Json(shown(Some(&account))))
}

/// Asks the provider now for all that it took in the last weeks, and shows what does not fit together:
/// money without an order, and the reverse.
#[utoipa::path(post, path = "/v1/payments/cards/check", tag = "payments", security(("token" = [])),
    responses((status = 200, body = Value), (status = 409, body = Problem),
    (status = 502, body = Problem)))]
pub async fn check(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<CardsReconciled>, Problem> {
    door.run(move |access| access.allow(&visitor, Action::ViewReport, &access.here())).await?;
    door.cards.sweep().await?;
    let list = door.run(|access| Ok::<_, Problem>(access.shop().cards_reconciled()?)).await?;
    Ok(axum::Json(list))
}

/// Says why a payment at the provider is no money of an order here.
#[utoipa::path(put, path = "/v1/payments/card-charges/{id}", tag = "payments",
    params(("id" = String, Path)), request_body = Aside, security(("token" = [])),
    responses((status = 200, body = Value), (status = 404, body = Problem),
    (status = 422, body = Problem)))]
pub async fn set_aside(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Json(Aside { aside }): Json<Aside>,
) -> Result<axum::Json<Value>, Problem> {
    let done = json!({ "id": id, "aside": aside });
    door.run(move |access| {
        access.allow(&visitor, Action::RunImport, &access.here())?;
        Ok::<_, Problem>(access.shop().set_charge_aside(&id, &aside)?)
    })
    .await?;
    Ok(axum::Json(done))
}

/// How an order is paid by card. Its customer is told by what to confirm it, and nobody else.
#[utoipa::path(get, path = "/v1/orders/{id}/card", tag = "payments", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 200, body = Value), (status = 404, body = Problem)))]
pub async fn of_order(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let (which, is_own) = (which(&id, &visitor)?, visitor.principal.party.is_some());
    let view = door
        .run(move |access| {
            may(access, &visitor, Action::ViewOrder, &access.shop().order(which)?)?;
            Ok::<_, Problem>(access.shop().card_of(which)?)
        })
        .await?;
    door.cards.wake();
    Ok(axum::Json(of(&view, is_own)))
}

/// Asks anew for a payment by card, after one failed or was let go, or where the order was to be paid
/// otherwise; for its customer too.
#[utoipa::path(post, path = "/v1/orders/{id}/card", tag = "payments", params(("id" = String, Path)),
    security(("token" = [])), responses((status = 200, body = Value), (status = 404, body = Problem),
    (status = 409, body = Problem)))]
pub async fn ask(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let (which, is_own) = (which(&id, &visitor)?, visitor.principal.party.is_some());
    let action = if is_own { Action::AskAboutOrder } else { Action::TakePayment };
    let view = door
        .run(move |access| {
            may(access, &visitor, action, &access.shop().order(which)?)?;
            Ok::<_, Problem>(access.shop().ask_for_card(which, now(), &mut clock::rng())?)
        })
        .await?;
    door.cards.wake();
    Ok(axum::Json(of(&view, is_own)))
}

/// Takes in an event of the provider `stripe`, signed in the header `Stripe-Signature`. It is a hint: how
/// the payment stands is read back from the provider. The same event again changes nothing.
#[utoipa::path(post, path = "/v1/payments/webhooks/{provider}", tag = "payments",
    params(("provider" = String, Path)), request_body(content = String,
    content_type = "application/json"), responses((status = 200, body = Value),
    (status = 400, body = Problem), (status = 404, body = Problem), (status = 413, body = Problem)))]
pub async fn hear(
    State(door): State<Door>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<axum::Json<Value>, Problem> {
    if provider != "stripe" {
        return Err(Problem::not_found());
    }
    let signed = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let signed = signed.unwrap_or_default().to_owned();
    let heard = door
        .run(move |access| {
            Ok::<_, Problem>(access.shop().hear_card_event(&body, &signed, now())?)
        })
        .await?;
    if heard {
        door.cards.wake();
    }
    Ok(axum::Json(json!({ "received": true })))
}

/// An account as it is shown: without its secrets.
pub fn shown(account: Option<&Account>) -> Value {
    match account {
        None => json!({ "on": false, "provider": "stripe", "base_url": STRIPE }),
        Some(account) => json!({
            "on": account.on,
            "provider": "stripe",
            "base_url": account.base.as_str().trim_end_matches('/'),
            "publishable_key": account.publishable,
            "payment_page": account.page,
            "has_secret_key": account.secret.is_some(),
            "has_webhook_secret": account.webhook.is_some(),
        }),
    }
}

/// How an order is paid by card; by what it is confirmed only for its customer.
pub fn of(view: &CardView, is_own: bool) -> Value {
    let asked = view.asked.as_ref();
    let own = asked.filter(|_| is_own);
    json!({
        "payment": view.payment,
        "attempt": asked.map(|asked| asked.attempt),
        "state": view.state,
        "amount": asked.map(|asked| asked.amount),
        "intent": asked.map(|asked| &asked.intent),
        "publishable_key": asked.map(|asked| &asked.publishable),
        "client_secret": own.map(|asked| &asked.secret),
        "link": own.and_then(|asked| asked.link()),
        "waiting": view.waiting,
    })
}

impl From<NotByCard> for Problem {
    fn from(why: NotByCard) -> Self {
        let (unfit, title) = (StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, title.clone());
        match why {
            NotByCard::Off => conflict("cards-off"),
            NotByCard::Account(_) => Self::new(unfit, "cards-account", title),
            NotByCard::Currency(_) => Self::new(unfit, "currency-not-by-card", title),
            NotByCard::Address(_) => Self::new(unfit, "cards-address", title),
            NotByCard::NotNow => conflict("card-not-now"),
            NotByCard::TooOften => conflict("card-too-often"),
            NotByCard::Taking => conflict("card-being-taken"),
            NotByCard::BackBeyond(_) => conflict("card-refund-beyond"),
            NotByCard::Provider(_) => Self::new(StatusCode::BAD_GATEWAY, "provider", title),
            NotByCard::Words => Self::new(unfit, "words", title),
            NotByCard::NoSuchCharge => Self::not_found(),
            NotByCard::Order(why) => (*why).into(),
            NotByCard::NotStored(not_stored) => not_stored.into(),
            NotByCard::Store(error) => Self::internal(&error),
        }
    }
}

impl From<BadEvent> for Problem {
    fn from(why: BadEvent) -> Self {
        let (bad, title) = (StatusCode::BAD_REQUEST, why.to_string());
        match why {
            BadEvent::Unexpected => Self::new(StatusCode::NOT_FOUND, "no-webhook", title),
            BadEvent::TooLong => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title),
            BadEvent::Forged => Self::new(bad, "webhook-forged", title),
            BadEvent::Late => Self::new(bad, "webhook-late", title),
            BadEvent::Malformed => Self::new(bad, "webhook-malformed", title),
            BadEvent::NotStored(not_stored) => not_stored.into(),
            BadEvent::Store(error) => Self::internal(&error),
        }
    }
}
