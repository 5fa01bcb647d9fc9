//! What administrators do: accounts of others, roles, the audit log.

use axum::{
    Json,
    extract::{Path, State},
};
use kirana_core::{hash::Hash, policy::Policies, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    accounts::{Profile, ProfileChange},
    extract::{Body, Limit, Query, Signed, id},
    problem::Problem,
};
use crate::{
    app::{
        account::Change,
        administration::Wanted,
        export::Erasure,
        role::{Role, Roles},
    },
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
    pub cursor: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 50)]
    pub limit: Limit,
}

/// Roles to give.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenRoles {
    /// Their names.
    roles: Vec<AccountRole>,
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

/// Which accounts.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WantedAccounts {
    /// With these letters in the login, name, email address or phone number; for administrators.
    q: Option<String>,
    /// With this role.
    role: Option<AccountRole>,
    /// Suspended, or not.
    suspended: Option<bool>,
    /// Where to start: a `next_cursor`.
    cursor: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// Accounts of all. A search may give a part with few items, or none, and a cursor to go on.
#[utoipa::path(get, path = "/v1/accounts", tag = "admin", security(("bearer" = [])),
    params(WantedAccounts), responses((status = 200, body = Page<Profile>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn accounts(
    State(door): State<Door>,
    Signed(actor): Signed,
    Query(wanted): Query<WantedAccounts>,
) -> Result<Json<Page<Profile>>, Problem> {
    let WantedAccounts { q, role, suspended, cursor, limit } = wanted;
    let after = cursor.as_deref().map(|c| id("cursor", c)).transpose()?;
    let wanted = Wanted { q, role: role.map(Into::into), suspended };
    let limit = limit.get() as usize;
    let found = door.hub.accounts(&actor, &wanted, after, limit, clock::now()).await?;
    let items = found.profiles.into_iter().map(Into::into).collect();
    Ok(Json(Page { items, next_cursor: found.next.map(|id| id.to_string()) }))
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
    let roles = given_roles(given.roles);
    Ok(Json(door.hub.set_roles(&actor, account, &roles, clock::now()).await?.into()))
}

/// What to change of an account: fields of the profile, or whether it is suspended.
///
/// Two acts in one request, of which one may be refused, would leave the other half done.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "expected `suspended` alone, or fields of the profile")]
pub enum AccountChange {
    /// Whether it is suspended.
    Standing(Standing),
    /// Fields of the profile.
    Profile(ProfileChange),
}

/// Whether an account is suspended.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Closes the account for the time being, or opens it again.
    suspended: bool,
}

/// Changes an account: its profile, or whether it is suspended.
#[utoipa::path(patch, path = "/v1/accounts/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path)), request_body = AccountChange,
    responses((status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(account): Path<String>,
    Body(change): Body<AccountChange>,
) -> Result<Json<Profile>, Problem> {
    let account = id("account", &account)?;
    let (now, mut rng) = (clock::now(), clock::rng());
    let changed = match change {
        AccountChange::Standing(Standing { suspended }) => {
            door.hub.suspend(&actor, account, suspended, now).await?
        }
        AccountChange::Profile(profile) => {
            let change = Change::from(profile);
            door.hub.change_account(&actor, account, change, now, &mut rng).await?
        }
    };
    Ok(Json(changed.into()))
}

/// Erases an account, and says what stays where and why.
#[utoipa::path(delete, path = "/v1/accounts/{id}", tag = "admin", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 200, body = Erasure),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn erase(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(account): Path<String>,
) -> Result<Json<Erasure>, Problem> {
    let account = id("account", &account)?;
    Ok(Json(door.hub.erase_account(&actor, account, clock::now()).await?))
}

/// The rules by which hub and shops decide who may do what.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Rules {
    /// The digest of policies and schema: the same at every program that follows the same rules.
    #[schema(value_type = String)]
    hash: Hash,
    /// The policies, in Cedar.
    policies: &'static str,
    /// What they speak of.
    schema: &'static str,
}

/// The rules by which hub and shops decide who may do what; anybody may read them.
#[utoipa::path(get, path = "/v1/policies", tag = "admin", responses((status = 200, body = Rules)))]
pub async fn policies() -> Json<Rules> {
    let (policies, schema) = (Policies::text(), Policies::schema());
    Json(Rules { hash: Policies::hash(), policies, schema })
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
    let limit = part.limit.get();
    let lines = door.hub.audit(&actor, after.unwrap_or(0), limit, clock::now()).await?;
    let is_full = lines.len() == limit as usize;
    let next_cursor = lines.last().filter(|_| is_full).map(|last| last.seq.to_string());
    Ok(Json(Page { items: lines.into_iter().map(Into::into).collect(), next_cursor }))
}

/// A role that an account can have: a shop's box has no account.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// Orders.
    Customer,
    /// Brings orders.
    Courier,
    /// Works in a shop.
    Staff,
    /// Answers for a shop.
    Owner,
    /// Keeps the hub running.
    HubOperator,
    /// Manages accounts.
    Admin,
}

impl From<AccountRole> for Role {
    fn from(role: AccountRole) -> Self {
        match role {
            AccountRole::Customer => Self::Customer,
            AccountRole::Courier => Self::Courier,
            AccountRole::Staff => Self::Staff,
            AccountRole::Owner => Self::Owner,
            AccountRole::HubOperator => Self::HubOperator,
            AccountRole::Admin => Self::Admin,
        }
    }
}

pub(super) fn given_roles(roles: Vec<AccountRole>) -> Roles {
    roles.into_iter().map(Into::into).collect()
}

impl From<Line> for AuditLine {
    fn from(line: Line) -> Self {
        let Line { at, actor, action, subject, outcome, prev, hash, .. } = line;
        Self { actor, action, subject, outcome, time: at, previous_hash: prev, hash }
    }
}
