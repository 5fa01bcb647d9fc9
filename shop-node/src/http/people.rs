//! People who take turns at a till, over HTTP: their names, roles and PINs.
//!
//! **Invariant (P6):** owners change anybody's; a person at a till changes the own PIN, by the old one.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::key::KeyId;
use serde::{Deserialize, Serialize};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path},
    now,
    pins::FromInside,
    problem::Problem,
    staff::{All, key, may, role},
};
use crate::{
    app::{
        people::NotOpened,
        pin::{Obvious, Pin},
    },
    clock,
    store::staff::Person,
};

/// Somebody who takes turns at a till.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PersonShown {
    #[schema(value_type = String)]
    id: KeyId,
    name: String,
    /// `owner`, `staff`, `courier`, or one of the shop's own roles.
    role: String,
    /// Whether a PIN was set.
    has_pin: bool,
    /// RFC 3339.
    since: String,
}

impl From<Person> for PersonShown {
    fn from(person: Person) -> Self {
        let Person { id, name, role, pin, since, .. } = person;
        Self { id, name, role, has_pin: pin.is_some(), since: since.to_string() }
    }
}

/// Everybody who may take a turn at a till.
#[utoipa::path(get, path = "/v1/staff/people", tag = "staff", security(("token" = [])),
    responses((status = 200, body = All<PersonShown>), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<All<PersonShown>>, Problem> {
    let people = door
        .run(move |access| {
            may(access, &visitor)?;
            Ok::<_, Problem>(access.shop().people()?)
        })
        .await?;
    Ok(All::of(people.into_iter().map(PersonShown::from)))
}

/// Somebody new.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// What they type at the till.
    name: String,
    /// `owner`, `staff`, `courier`, or one of the shop's own roles.
    role: String,
}

/// Takes somebody in, without a PIN yet.
#[utoipa::path(post, path = "/v1/staff/people", tag = "staff", request_body = NewPerson,
    security(("token" = [])),
    responses((status = 201, body = PersonShown), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<NewPerson>,
) -> Result<Response, Problem> {
    let person = door
        .run(move |access| {
            may(access, &visitor)?;
            let (post, rng) = (role(&given.role)?, &mut clock::rng());
            Ok::<_, Problem>(access.shop().add_person(&given.name, post, now(), rng)?)
        })
        .await?;
    let at = [(header::LOCATION, format!("/v1/staff/people/{}", person.id))];
    Ok((StatusCode::CREATED, at, axum::Json(PersonShown::from(person))).into_response())
}

/// Another role.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherRole {
    role: String,
}

/// Gives somebody another role: their turns end.
#[utoipa::path(patch, path = "/v1/staff/people/{id}", tag = "staff", params(("id" = String, Path)),
    request_body = OtherRole, security(("token" = [])),
    responses((status = 200, body = PersonShown), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn change(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Json(given): Json<OtherRole>,
) -> Result<axum::Json<PersonShown>, Problem> {
    let who = key(&id)?;
    let person = door
        .run(move |access| {
            may(access, &visitor)?;
            Ok::<_, Problem>(access.shop().give_role(who, role(&given.role)?)?)
        })
        .await?;
    Ok(axum::Json(person.into()))
}

/// Forgets somebody: their turns end at once.
#[utoipa::path(delete, path = "/v1/staff/people/{id}", tag = "staff", params(("id" = String, Path)),
    security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn remove(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let who = key(&id)?;
    door.run(move |access| {
        may(access, &visitor)?;
        Ok::<_, Problem>(access.shop().remove_person(who)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new PIN.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// At least four digits, better six.
    pin: String,
    /// The old one, where somebody changes their own.
    current_pin: Option<String>,
}

/// Sets a PIN: an owner anybody's, a person at a till the own one. Turns that are open end.
#[utoipa::path(put, path = "/v1/staff/people/{id}/pin", tag = "staff", params(("id" = String, Path)),
    request_body = NewPin, security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn set_pin(
    State(door): State<Door>,
    _: FromInside,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Json(given): Json<NewPin>,
) -> Result<StatusCode, Problem> {
    let who = key(&id)?;
    let place = door.pins.place().await?;
    door.run(move |access| {
        // Held until the work is done, also when nobody waits for the answer any more.
        let _place = place;
        let shop = access.shop();
        match (&given.current_pin, visitor.turn.as_ref().filter(|turn| turn.person == who)) {
            (Some(current), Some(_)) => {
                shop.proves_pin(who, &Pin::typed(current), visitor.device, now())?;
            }
            _ => may(access, &visitor)?,
        }
        let pin = Pin::choose(&given.pin).map_err(NotOpened::from)?;
        shop.set_pin(who, &pin, &mut clock::rng())?;
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<NotOpened> for Problem {
    fn from(why: NotOpened) -> Self {
        let says = why.to_string();
        match why {
            NotOpened::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong-pin", says),
            NotOpened::Wait { wait_ms } => {
                let seconds = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX);
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-pins", says).retry_after(seconds)
            }
            NotOpened::Obvious(Obvious::Digits | Obvious::Guessed) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "obvious-pin", says)
            }
            NotOpened::NotStaffed(why) => why.into(),
        }
    }
}
