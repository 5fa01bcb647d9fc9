//! `/v1/queues`: how much mail waits for whom.

use axum::{Json, extract::State};
use kirana_core::time::UnixMs;
use serde::Serialize;

use super::{
    Door,
    admin::{Page, Part},
    extract::{Query, Signed},
    problem::Problem,
};
use crate::{
    app::{
        Error,
        queue::{address_from_text, address_to_text},
    },
    clock,
    store::mail::Queue,
};

/// What waits for one recipient.
#[derive(Serialize, utoipa::ToSchema)]
pub struct QueueItem {
    /// `shop:` with the shop's id, or `device:` with the short name of a device's key.
    recipient: String,
    /// How many pieces.
    pieces: u64,
    /// Their size, in bytes.
    bytes: u64,
    /// When the oldest came.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_at: Option<UnixMs>,
    /// How long the oldest waits, in seconds.
    oldest_age_s: u64,
}

/// The queues that are not empty: for whom, how much and since when, and nothing else.
#[utoipa::path(get, path = "/v1/queues", tag = "admin", security(("bearer" = [])), params(Part),
    responses((status = 200, body = Page<QueueItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn queues(
    State(door): State<Door>,
    Signed(actor): Signed,
    Query(part): Query<Part>,
) -> Result<Json<Page<QueueItem>>, Problem> {
    let read = |cursor| address_from_text(cursor).ok_or(Error::NotFound { what: "cursor" });
    let after = part.cursor.as_deref().map(read).transpose()?;
    let (limit, now) = (part.limit.get(), clock::now());
    let queues = door.hub.queues(&actor, after, limit, now).await?;
    let last = queues.last().filter(|_| queues.len() == limit as usize);
    let next_cursor = last.map(|last| address_to_text(&last.to));
    let items = queues.into_iter().map(|queue| QueueItem::new(queue, now)).collect();
    Ok(Json(Page { items, next_cursor }))
}

impl QueueItem {
    fn new(Queue { to, waiting }: Queue, now: UnixMs) -> Self {
        Self {
            recipient: address_to_text(&to),
            pieces: waiting.pieces,
            bytes: waiting.bytes,
            oldest_at: waiting.oldest_at,
            oldest_age_s: waiting.oldest_at.map_or(0, |at| now.since(at) / 1000),
        }
    }
}
