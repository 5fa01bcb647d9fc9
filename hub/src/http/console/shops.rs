//! Shops: who applied, who was approved or refused, and the decision.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use kirana_core::{id::ShopId, time::UnixMs};

use super::{
    Answer,
    guard::{Asked, Operator, Posted, Turned},
    page::{Age, Shell, When, page},
    see_other,
};
use crate::{
    app::{Error, shop::Decision},
    clock,
    http::{Door, extract::id, photos},
    store::shop::{self, Shop},
};

/// How many lines a list has.
const LINES: u32 = 50;

#[derive(Template)]
#[template(path = "console/shops.html")]
struct ShopsPage {
    shell: Shell,
    shops: Vec<Shop>,
    state: shop::State,
    words: (&'static str, &'static str),
    next: Option<String>,
    now: UnixMs,
}

#[derive(Template)]
#[template(path = "console/shop.html")]
struct ShopPage {
    shell: Shell,
    shop: Shop,
}

/// Shops in one state.
pub async fn list(
    State(door): State<Door>,
    Asked(asked): Asked,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let state = shop::State::from_name(asked.text("state")).unwrap_or(shop::State::Applied);
    let after = asked.given("after").map(|after| id::<ShopId>("shop", after)).transpose()?;
    let now = clock::now();
    let shops = door.hub.shops_in(&actor, state, after, LINES, now).await?;
    let next = shops.last().filter(|_| shops.len() == LINES as usize);
    let next = next.map(|last| last.id.to_string());
    let tab = TABS.iter().find(|(of, ..)| *of == state);
    let words = tab.map_or(("", ""), |(_, _, above, empty)| (*above, *empty));
    Ok(page(&ShopsPage { shell, shops, state, words, next, now })?)
}

/// One shop.
pub async fn show(
    State(door): State<Door>,
    Path(shop): Path<String>,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let shop = door.hub.application(&actor, id("shop", &shop)?, clock::now()).await?;
    Ok(page(&ShopPage { shell, shop })?)
}

/// What a shop looks like, before anybody decided on it too.
pub async fn photo(
    State(door): State<Door>,
    Path((shop, digest)): Path<(String, String)>,
    Operator { actor, .. }: Operator,
    headers: HeaderMap,
) -> Result<Response, Turned> {
    let (shop, hash) = (id("shop", &shop)?, id("photo", &digest)?);
    let jpeg = door.hub.application_photo(&actor, shop, hash, clock::now()).await?;
    Ok(photos::sent(jpeg, hash, false, &headers))
}

/// Approves, asks the owner something, or refuses.
pub async fn decide(
    State(door): State<Door>,
    Path(shop): Path<String>,
    Posted { actor, fields, .. }: Posted,
) -> Answer {
    let shop: ShopId = id("shop", &shop)?;
    let words = fields.text("words").trim();
    let (decision, done) = match fields.text("decision") {
        "approve" => (Decision::Approve, "approved"),
        "ask" => (Decision::Ask { question: words.to_owned() }, "asked"),
        "refuse" => {
            let reason = Some(words.to_owned()).filter(|words| !words.is_empty());
            (Decision::TurnDown { reason }, "refused")
        }
        _ => {
            return Err(
                Error::Invalid { field: "decision", why: "one that the page offers" }.into()
            );
        }
    };
    door.hub.decide_shop(&actor, shop, decision, clock::now(), &mut clock::rng()).await?;
    Ok(see_other(&format!("/console/shops/{shop}?done={done}")))
}

/// The states, each with the word on its tab, what stands above its list, and what stands there
/// when it is empty.
const TABS: [(shop::State, &str, &str, &str); 5] = [
    (shop::State::Applied, "Applied", "Shops that wait for a decision", "No shop waits."),
    (shop::State::Asked, "Asked", "Shops whose owner was asked something", "Nobody was asked."),
    (shop::State::Approved, "Approved", "Shops that are certified", "No shop is approved yet."),
    (shop::State::Refused, "Refused", "Shops that were turned down", "No shop was turned down."),
    (shop::State::Closed, "Closed", "Shops that closed down", "No shop closed down."),
];

/// The colour of a state's word.
fn tone(state: &shop::State) -> &'static str {
    match state {
        shop::State::Applied | shop::State::Asked => "amber",
        shop::State::Approved => "",
        shop::State::Refused => "red",
        shop::State::Closed => "plain",
    }
}
