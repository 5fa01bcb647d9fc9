//! `/v1/accounts`, `/v1/me`: registering and the own profile.

use axum::{Json, extract::State, http::StatusCode};
use kirana_core::{id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    extract::{Body, Caller, Key, Signed},
    problem::Problem,
};
use crate::{
    app::{
        account::{self, Change},
        role::Role,
    },
    clock,
};

/// What somebody types to register.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// An email address, a phone number or a chosen name.
    login: String,
    /// At least 15 characters.
    password: String,
    /// Where mail reaches the person.
    email: Option<String>,
    /// What to call the person.
    name: Option<String>,
    /// BCP 47.
    language: Option<String>,
}

/// A new account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Created {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
}

/// An account as its owner and administrators see it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Profile {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    /// What the person signs in with.
    login: String,
    /// Where mail reaches the person.
    email: Option<String>,
    /// What to call the person.
    name: Option<String>,
    /// BCP 47.
    language: String,
    /// What the account is.
    roles: Vec<&'static str>,
    /// Whether the hub acts for the person, who has no device of their own.
    hosted: bool,
    /// When the person registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
}

impl From<account::Profile> for Profile {
    fn from(p: account::Profile) -> Self {
        Self {
            id: p.id,
            login: p.personal.login,
            email: p.personal.email,
            name: p.personal.name,
            language: p.language,
            roles: p.roles.iter().map(|role: &Role| role.label()).collect(),
            hosted: p.hosted,
            created_at: p.created_at,
        }
    }
}

/// Changes to a profile: what is absent stays, `null` empties.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileChange {
    /// Where mail reaches the person.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    /// What to call the person.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// BCP 47.
    language: Option<String>,
}

/// Tells a `null` from a field that is not there.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// The password now and the one to come.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one now.
    current_password: String,
    /// The one to come.
    new_password: String,
}

/// Registers.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = NewAccount, responses(
    (status = 201, body = Created),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn register(
    State(door): State<Door>,
    Caller(from): Caller,
    key: Key,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let now = clock::now();
    door.hub.count_registration(from, now)?;
    let NewAccount { login, password, email, name, language } = new;
    let new = account::NewAccount { login, password, email, name, language };
    let once = key.once(&new.login, "accounts", account::fingerprint(&new));
    let id = door.hub.register(new, once, now, &mut clock::rng()).await?;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// The own profile.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn me(State(door): State<Door>, Signed(actor): Signed) -> Result<Json<Profile>, Problem> {
    Ok(Json(door.hub.me(&actor, clock::now()).await?.into()))
}

/// Changes the own profile.
#[utoipa::path(patch, path = "/v1/me", tag = "accounts", security(("bearer" = [])),
    request_body = ProfileChange, responses(
    (status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change_me(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(ProfileChange { email, name, language }): Body<ProfileChange>,
) -> Result<Json<Profile>, Problem> {
    let change = Change { email, name, language };
    let changed = door.hub.change_me(&actor, change, clock::now(), &mut clock::rng()).await?;
    Ok(Json(changed.into()))
}

/// Erases the own account.
#[utoipa::path(delete, path = "/v1/me", tag = "accounts", security(("bearer" = [])), responses(
    (status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn erase_me(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<StatusCode, Problem> {
    door.hub.erase_me(&actor, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets another password and ends all other sessions.
#[utoipa::path(put, path = "/v1/me/password", tag = "accounts", security(("bearer" = [])),
    request_body = PasswordChange, responses(
    (status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change_password(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let PasswordChange { current_password, new_password } = change;
    let (now, mut rng) = (clock::now(), clock::rng());
    door.hub.change_password(&actor, &current_password, &new_password, now, &mut rng).await?;
    Ok(StatusCode::NO_CONTENT)
}
