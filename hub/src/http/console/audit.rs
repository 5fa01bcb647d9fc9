//! The audit log, newest first, and whether its chain holds.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    accounts::short,
    guard::{Asked, Operator, Turned},
    page::{Shell, When, page},
};
use crate::{clock, http::Door, http::extract::id, store::audit::Line};

/// How many lines a page has.
const LINES: u32 = 50;

#[derive(Template)]
#[template(path = "console/audit.html")]
struct AuditPage {
    shell: Shell,
    lines: Vec<Line>,
    broken: Option<u64>,
    older: Option<u64>,
    whole: Option<u64>,
}

/// A page of the log.
pub async fn show(
    State(door): State<Door>,
    Asked(asked): Asked,
    Operator { actor, shell }: Operator,
) -> Result<Response, Turned> {
    let now = clock::now();
    let before = asked.given("before").map(|before| id::<u64>("line", before)).transpose()?;
    let (lines, mut broken) = door.hub.audit_back(&actor, before, LINES, now).await?;
    let older = lines.last().map(|oldest| oldest.seq).filter(|seq| *seq > 1);
    let mut whole = None;
    if asked.text("check") == "all" {
        let (count, first) = door.hub.check_audit(&actor, now).await?;
        (whole, broken) = (Some(count), first.or(broken));
    }
    Ok(page(&AuditPage { shell, lines, broken, older, whole })?)
}

/// An account's id, where the actor is one: others act on the machine itself.
fn account(actor: &str) -> Option<&str> {
    actor.parse::<kirana_core::id::AccountId>().is_ok().then_some(actor)
}
