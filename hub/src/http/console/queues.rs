//! Who is how much mail waiting for: addresses, counts and ages.

use askama::Template;
use axum::{extract::State, response::Response};
use kirana_core::time::UnixMs;

use super::{
    guard::{Asked, Operator, Turned},
    page::{Age, Shell, Size, page},
};
use crate::{
    app::{
        Error,
        queue::{address_from_text, address_to_text},
    },
    clock,
    http::Door,
    store::mail::Queue,
};

/// How many lines a page has.
const LINES: u32 = 50;

#[derive(Template)]
#[template(path = "console/queues.html")]
struct QueuesPage {
    shell: Shell,
    queues: Vec<Queue>,
    next: Option<String>,
    now: UnixMs,
}

/// A page of the queues.
pub async fn show(
    State(door): State<Door>,
    Asked(asked): Asked,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let read = |after| address_from_text(after).ok_or(Error::NotFound { what: "queue" });
    let (after, now) = (asked.given("after").map(read).transpose()?, clock::now());
    let queues = door.hub.queues(&actor, after, LINES, now).await?;
    let next = queues.last().filter(|_| queues.len() == LINES as usize);
    let next = next.map(|last| address_to_text(&last.to));
    Ok(page(&QueuesPage { shell, queues, next, now })?)
}
