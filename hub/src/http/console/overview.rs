//! What waits for an operator.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use kirana_core::{
    known_time::KnownNow,
    time::{DAY_MS, UnixMs},
};

use super::{
    guard::{Operator, Turned},
    page::{Age, Shell, Size, When, page},
    sign_in,
};
use crate::{
    app::overview::Overview,
    clock,
    http::Door,
    store::{certificate::Ending, mail::Waiting, shop::Applied},
};

/// After how long a backup is pointed out as old, in milliseconds.
const BACKUP_OLD_MS: u64 = 7 * DAY_MS;

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    shell: Shell,
    clock: KnownNow,
    is_writable: bool,
    applied: Applied,
    mail: Waiting,
    backed_up_at: Option<UnixMs>,
    is_backup_old: bool,
    ending: Vec<Ending>,
    now: UnixMs,
}

/// The overview, or who is there.
pub async fn show(
    State(door): State<Door>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    operator: Result<Operator, Turned>,
) -> Result<Response, Turned> {
    let Operator { actor, shell } = match operator {
        Ok(operator) => operator,
        Err(Turned::SignIn) => return Ok(sign_in::ask(&door, &headers, query.as_deref())?),
        Err(turned) => return Err(turned),
    };
    let now = clock::now();
    let overview = door.hub.overview(&actor, now).await?;
    let Overview { clock, is_writable, applied, mail, backed_up_at, ending } = overview;
    let is_backup_old = backed_up_at.is_none_or(|at| now.since(at) > BACKUP_OLD_MS);
    Ok(page(&OverviewPage {
        shell,
        clock,
        is_writable,
        applied,
        mail,
        backed_up_at,
        is_backup_old,
        ending,
        now,
    })?)
}
