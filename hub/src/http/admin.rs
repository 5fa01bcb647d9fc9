//! What administrators do: accounts of others, roles, the audit log.

use axum::{
    Json,
    extract::{Path, State},
};
use kirana_core::{hash::Hash, id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    accounts::Profile,
    extract::{Body, Query, Signed, id, limit},
    problem::Problem,
};
use crate::{
    app::{Error, role::Role},
    clock,
    store::audit::Line,
};

/// A part of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next part starts, unless this was the last.
    pub next_cursor: Option<String>,
}

/// Which part of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Where to start: a `next_cursor`.
    cursor: Option<String>,
    /// At most so many, up to 100.
    limit: Option<u32>,
}

/// Roles to give.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenRoles {
    /// Their names.
    roles: Vec<String>,
}

/// A line of the audit log.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AuditLine {
    /// Who: an account's id, or the command line.
    actor: String,
    /// What.
    action: String,
    /// Upon what.
    subject: String,
    /// With which outcome.
    outcome: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    time: UnixMs,
    /// The hash of the line before.
    #[schema(value_type = String)]
    previous_hash: Hash,
    /// The hash of this line.
    #[schema(value_type = String)]
    hash: Hash,
}

/// Accounts of all.
#[utoipa::path(get, path = "/v1/accounts", tag = "admin", security(("bearer" = [])), params(Part),
    responses((status = 200, body = Page<Profile>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn accounts(
    State(door): State<Door>,
    Signed(actor): Signed,
    Query(part): Query<Part>,
) -> Result<Json<Page<Profile>>, Problem> {
    let after = part.cursor.as_deref().map(|c| id::<AccountId>("cursor", c)).transpose()?;
    let limit = limit(part.limit);
    let found = door.hub.accounts(&actor, after, limit, clock::now()).await?;
    let is_full = found.len() == limit as usize;
    let next_cursor = found.last().filter(|_| is_full).map(|last| last.id.to_string());
    Ok(Json(Page { items: found.into_iter().map(Into::into).collect(), next_cursor }))
}

/// One account.
#[utoipa::path(get, path = "/v1/accounts/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn account(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(account): Path<String>,
) -> Result<Json<Profile>, Problem> {
    let account = id("account", &account)?;
    Ok(Json(door.hub.account(&actor, account, clock::now()).await?.into()))
}

/// Gives an account other roles.
#[utoipa::path(put, path = "/v1/accounts/{id}/roles", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = GivenRoles,
    responses((status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn set_roles(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(account): Path<String>,
    Body(given): Body<GivenRoles>,
) -> Result<Json<Profile>, Problem> {
    let account = id("account", &account)?;
    let roles = given.roles.iter().map(|name| account_role(name)).collect::<Option<_>>();
    let why = "names among customer, courier, staff, owner, hub_operator, admin";
    let roles = roles.ok_or(Error::Invalid { field: "roles", why })?;
    Ok(Json(door.hub.set_roles(&actor, account, &roles, clock::now()).await?.into()))
}

/// The audit log, oldest first.
#[utoipa::path(get, path = "/v1/audit", tag = "admin", security(("bearer" = [])), params(Part),
    responses((status = 200, body = Page<AuditLine>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn audit(
    State(door): State<Door>,
    Signed(actor): Signed,
    Query(part): Query<Part>,
) -> Result<Json<Page<AuditLine>>, Problem> {
    let after = part.cursor.as_deref().map(|c| id::<u64>("cursor", c)).transpose()?;
    let limit = limit(part.limit);
    let lines = door.hub.audit(&actor, after.unwrap_or(0), limit, clock::now()).await?;
    let is_full = lines.len() == limit as usize;
    let next_cursor = lines.last().filter(|_| is_full).map(|last| last.seq.to_string());
    Ok(Json(Page { items: lines.into_iter().map(Into::into).collect(), next_cursor }))
}

/// A role that an account can have: a shop's box has no account.
fn account_role(name: &str) -> Option<Role> {
    Role::from_label(name).filter(|role| *role != Role::Node)
}

impl From<Line> for AuditLine {
    fn from(line: Line) -> Self {
        let Line { at, actor, action, subject, outcome, prev, hash, .. } = line;
        Self { actor, action, subject, outcome, time: at, previous_hash: prev, hash }
    }
}
