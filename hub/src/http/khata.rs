//! `/v1/me/khata`: the credit books that shops keep for a hosted account, as their boxes signed them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use kirana_core::{
    hash::Hash,
    id::{KhataId, ShopId},
    money::Money,
    time::UnixMs,
};
use kirana_customer::app::khata::KhataStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    admin::Page,
    extract::{Body, Key, Signed, Whole, id},
    problem::Problem,
};
use crate::{
    app::{Error, hosted::khata::Saying},
    clock,
};

/// A credit book as its holder sees it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct KhataItem {
    /// Its name.
    #[schema(value_type = String, format = Uuid)]
    id: KhataId,
    /// In which shop.
    #[schema(value_type = String, format = Uuid)]
    shop_id: ShopId,
    /// What the shop calls itself.
    shop_name: String,
    /// What is owed; below zero, what the shop owes.
    #[schema(value_type = Object)]
    balance: Money,
    /// What may be owed at most.
    #[schema(value_type = Object)]
    limit: Money,
    /// Whether the shop still writes into it.
    open: bool,
    /// What was countersigned last: when the shop wrote it down, the balance, and whether nothing was
    /// written since.
    #[schema(value_type = Option<Object>)]
    countersigned: Value,
    /// Since when the shop knows that the account disagrees.
    #[schema(value_type = Option<String>, format = DateTime)]
    disputed_at: Option<UnixMs>,
    /// What is on its way to the shop: `countersign` or `dispute`.
    waiting: Option<&'static str>,
    /// Why the shop refused what was said last, if it did.
    refused: Option<String>,
    /// When the shop was heard about it last.
    #[schema(value_type = String, format = DateTime)]
    heard_at: UnixMs,
    /// Whether entries are missing here: they come again.
    incomplete: bool,
    /// Whether the shop contradicts itself.
    contradicted: bool,
    /// How many entries there are.
    entries_count: usize,
}

/// A credit book with its entries.
#[derive(Serialize, utoipa::ToSchema)]
pub struct KhataBook {
    /// The book.
    khata: KhataItem,
    /// Its entries, the opening first: what each says, the sum and the words, and the balance after it.
    #[schema(value_type = Vec<Object>)]
    entries: Value,
}

/// What is not right.
#[derive(Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewDispute {
    /// In words; only the shop reads them.
    #[schema(max_length = 125, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    message: String,
    /// Which entry, by its place from 0; the newest if left out.
    #[schema(value_type = Option<u64>)]
    entry: Option<Whole>,
}

impl From<KhataStatus> for KhataItem {
    fn from(book: KhataStatus) -> Self {
        Self {
            id: book.id,
            shop_id: book.shop,
            shop_name: book.shop_name,
            balance: book.balance,
            limit: book.limit,
            open: book.open,
            countersigned: json!(book.countersigned),
            disputed_at: book.disputed_at,
            waiting: book.waiting,
            refused: book.refused,
            heard_at: book.heard_at,
            incomplete: book.incomplete,
            contradicted: book.contradicted,
            entries_count: book.entries.len(),
        }
    }
}

impl From<KhataStatus> for KhataBook {
    fn from(book: KhataStatus) -> Self {
        let entries = json!(book.entries);
        Self { khata: book.into(), entries }
    }
}

/// The credit books that shops keep for the account.
#[utoipa::path(get, path = "/v1/me/khata", tag = "hosted", security(("bearer" = [])),
    responses((status = 200, body = Page<KhataItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<KhataItem>>, Problem> {
    let books = door.hub.own_khatas(&actor, clock::now(), &mut clock::rng()).await?;
    let items = books.into_iter().map(KhataItem::from).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// One of the account's credit books, with its entries.
#[utoipa::path(get, path = "/v1/me/khata/{id}", tag = "hosted", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = KhataBook),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(khata): Path<String>,
) -> Result<Json<KhataBook>, Problem> {
    let khata = id("khata", &khata)?;
    Ok(Json(door.hub.own_khata(&actor, khata, clock::now(), &mut clock::rng()).await?.into()))
}

/// Signs that a book is right up to its newest entry.
#[utoipa::path(post, path = "/v1/me/khata/{id}/countersignature", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path)),
    responses((status = 202, body = KhataBook),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn countersign(
    door: State<Door>,
    signed: Signed,
    khata: Path<String>,
    key: Key,
) -> Result<(StatusCode, Json<KhataBook>), Problem> {
    say(door, signed, khata, (Saying::Countersign, key)).await
}

/// Says that a book is not right.
#[utoipa::path(post, path = "/v1/me/khata/{id}/disputes", tag = "hosted",
    security(("bearer" = [])), params(("id" = String, Path)), request_body = NewDispute,
    responses((status = 202, body = KhataBook),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn dispute(
    door: State<Door>,
    signed: Signed,
    khata: Path<String>,
    key: Key,
    Body(given): Body<NewDispute>,
) -> Result<(StatusCode, Json<KhataBook>), Problem> {
    let entry = given.entry.map(|Whole(entry)| u32::try_from(entry)).transpose();
    let entry = entry.map_err(|_| Error::NotFound { what: "entry" })?;
    say(door, signed, khata, (Saying::Dispute(entry, given.message), key)).await
}

async fn say(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(khata): Path<String>,
    (saying, key): (Saying, Key),
) -> Result<(StatusCode, Json<KhataBook>), Problem> {
    let request = Hash::of(format!("{khata} {saying:?}").as_bytes());
    let once = key.once(&actor.account.to_string(), "khata", request);
    let (khata, now, mut rng) = (id("khata", &khata)?, clock::now(), clock::rng());
    let said = door.hub.say_about_khata(&actor, khata, (saying, once), now, &mut rng).await?;
    Ok((StatusCode::ACCEPTED, Json(said.into())))
}
