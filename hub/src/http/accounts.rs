//! `/v1/accounts`, `/v1/me`: registering and the own profile.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use kirana_core::{id::AccountId, time::UnixMs};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    admin::{AccountRole, given_roles},
    extract::{Body, Caller, Key, Perhaps, Signed},
    problem::Problem,
    sessions::NO_STORE,
};
use crate::{
    app::{
        Error,
        account::{self, Change},
        export::{Erasure, Export},
        person::Personal,
        role::Role,
    },
    clock,
};

/// What somebody types to register.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// An email address, a phone number or a chosen name.
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    login: String,
    /// At least 15 characters; see `/v1/passphrases`.
    #[schema(min_length = 15)]
    password: String,
    /// Where mail reaches the person.
    #[schema(min_length = 1, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    email: Option<String>,
    /// What to call the person.
    #[schema(min_length = 1, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    name: Option<String>,
    /// BCP 47.
    #[schema(pattern = "^[A-Za-z0-9-]{2,35}$")]
    language: Option<String>,
    /// What the account is to be; administrators alone say so.
    roles: Option<Vec<AccountRole>>,
}

/// A new account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Created {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    /// To print: each sets another password at `/v1/password-resets/confirm`, once. Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_codes: Option<Vec<String>>,
}

/// An account as its owner and administrators see it.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Profile {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    /// What the person signs in with; hidden, like all that names the person, from operators.
    login: Option<String>,
    /// Where mail reaches the person.
    email: Option<String>,
    /// Whether the person showed that mail arrives there.
    email_verified: bool,
    /// What to call the person.
    name: Option<String>,
    /// Where the person is called.
    phone: Option<String>,
    /// What the person's programs remember of what they like.
    #[schema(value_type = Object)]
    preferences: serde_json::Map<String, serde_json::Value>,
    /// BCP 47.
    language: String,
    /// What the account is.
    roles: Vec<&'static str>,
    /// Whether the hub acts for the person, who has no device of their own.
    hosted: bool,
    /// When the person registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// Since when the account is closed for the time being.
    #[schema(value_type = Option<String>, format = DateTime)]
    suspended_at: Option<UnixMs>,
}

impl From<account::Profile> for Profile {
    fn from(p: account::Profile) -> Self {
        let (login, personal) = match p.personal {
            Some(personal) => (Some(personal.login.clone()), personal),
            None => (None, Personal::default()),
        };
        Self {
            id: p.id,
            login,
            email: personal.email,
            email_verified: personal.email_verified,
            name: personal.name,
            phone: personal.phone,
            preferences: personal.preferences,
            language: p.language,
            roles: p.roles.iter().map(|role: &Role| role.label()).collect(),
            hosted: p.hosted,
            created_at: p.created_at,
            suspended_at: p.suspended_at,
        }
    }
}

/// Changes to a profile: what is absent stays, `null` empties.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileChange {
    /// Where mail reaches the person.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    email: Option<Option<String>>,
    /// What to call the person.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    name: Option<Option<String>>,
    /// Where the person is called, with the country: `+91 98765 43210`.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^\\+[ ()-]*([0-9][ ()-]*){7,15}$")]
    phone: Option<Option<String>>,
    /// BCP 47.
    #[schema(pattern = "^[A-Za-z0-9-]{2,35}$")]
    language: Option<String>,
    /// Replaces what was there; at most 4096 bytes.
    #[schema(value_type = Option<Object>)]
    preferences: Option<serde_json::Map<String, serde_json::Value>>,
}

impl From<ProfileChange> for Change {
    fn from(given: ProfileChange) -> Self {
        let ProfileChange { email, name, phone, language, preferences } = given;
        Self { email, name, phone, language, preferences }
    }
}

/// Tells a `null` from a field that is not there.
pub(super) fn present<'de, T, D>(d: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
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

/// Registers; or makes an account for somebody, where an administrator asks.
#[utoipa::path(post, path = "/v1/accounts", tag = "accounts", request_body = NewAccount, responses(
    (status = 201, body = Created),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn register(
    State(door): State<Door>,
    Caller(from): Caller,
    Perhaps(actor): Perhaps,
    key: Key,
    Body(new): Body<NewAccount>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<Created>), Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let NewAccount { login, password, email, name, language, roles } = new;
    let new = account::NewAccount { login, password, email, name, language };
    let once = key.once(&new.login, "accounts", account::fingerprint(&new));
    let created = match (actor, roles) {
        (Some(actor), roles) if roles.is_some() || actor.roles.contains(&Role::Admin) => {
            let roles = roles.map_or_else(|| [Role::Customer].into(), given_roles);
            let made = door.hub.create_account_for(&actor, new, roles, once, now, &mut rng);
            Created { id: made.await?, recovery_codes: None }
        }
        // Nobody registers with a role.
        (_, Some(_)) => return Err(Error::NotSignedIn.into()),
        (_, None) => {
            door.hub.count_registration(from, now)?;
            let made = door.hub.register(new, once, now, &mut rng).await?;
            Created { id: made.id, recovery_codes: Some(made.recovery_codes) }
        }
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(created)))
}

/// The own profile.
#[utoipa::path(get, path = "/v1/me", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn me(State(door): State<Door>, Signed(actor): Signed) -> Result<Json<Profile>, Problem> {
    let profile = door.hub.me(&actor, clock::now()).await?;
    Ok(Json(account::Profile::clone(&profile).into()))
}

/// Changes the own profile.
#[utoipa::path(patch, path = "/v1/me", tag = "accounts", security(("bearer" = [])),
    request_body = ProfileChange, responses(
    (status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change_me(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(change): Body<ProfileChange>,
) -> Result<Json<Profile>, Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let changed = door.hub.change_me(&actor, change.into(), now, &mut rng).await?;
    Ok(Json(changed.into()))
}

/// A login to come, and the password now.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginChange {
    /// An email address, a phone number or a chosen name.
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")]
    login: String,
    /// The password.
    password: String,
}

/// Sets another login.
#[utoipa::path(put, path = "/v1/me/login", tag = "accounts", security(("bearer" = [])),
    request_body = LoginChange, responses(
    (status = 200, body = Profile),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn change_login(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(LoginChange { login, password }): Body<LoginChange>,
) -> Result<Json<Profile>, Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let changed = door.hub.change_login(&actor, &login, &password, now, &mut rng).await?;
    Ok(Json(changed.into()))
}

/// Erases the own account, and says what stays where and why.
#[utoipa::path(delete, path = "/v1/me", tag = "accounts", security(("bearer" = [])), responses(
    (status = 200, body = Erasure),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn erase_me(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Erasure>, Problem> {
    Ok(Json(door.hub.erase_me(&actor, clock::now()).await?))
}

/// Everything that the hub holds about the person, as one file.
#[utoipa::path(get, path = "/v1/me/export", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = Export),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn export(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<([(HeaderName, HeaderValue); 2], Json<Export>), Problem> {
    let export = door.hub.export(&actor, clock::now()).await?;
    Ok((AS_A_FILE, Json(export)))
}

const AS_A_FILE: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"kirana-account.json\""),
    ),
];

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
