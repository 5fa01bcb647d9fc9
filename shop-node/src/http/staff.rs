//! Who works here, over HTTP: devices that the owner certified, and the shop's own roles.
//!
//! **Invariant (P6):** only owners change any of it; a device may read its own entry.

use std::collections::BTreeSet;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{
    enrolment::{Enrolment, Request},
    key::{KeyId, PublicKey, SealingPublic},
    policy::Action,
};
use serde::{Deserialize, Serialize};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Path, Query, bytes},
    now,
    problem::Problem,
};
use crate::{
    app::{
        access::{Access, Visitor},
        roles::{OwnRole, Post, RoleName},
        staff::{Listed, Member, NotStaffed},
    },
    clock,
};

/// A device that works here.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StaffDevice {
    /// The name of its key.
    #[schema(value_type = String)]
    id: KeyId,
    /// What it is called.
    label: String,
    /// `owner`, `staff`, `courier`, or one of the shop's own roles.
    role: String,
    /// RFC 3339.
    since: String,
    /// RFC 3339.
    expires: String,
    /// Whether it was shut out.
    revoked: bool,
    /// The certificates, leaf first, in base64; in answers about one device.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<String>,
}

impl StaffDevice {
    fn of(listed: &Listed) -> Self {
        Self {
            id: listed.device,
            label: listed.label.clone(),
            role: listed.role.clone(),
            since: listed.since.to_string(),
            expires: listed.expires.to_string(),
            revoked: listed.revoked,
            certificates: Vec::new(),
        }
    }

    fn whole(listed: &Listed) -> Self {
        let certificates = listed.certificates.iter().map(|bytes| STANDARD.encode(bytes)).collect();
        Self { certificates, ..Self::of(listed) }
    }
}

/// All of a list: none here is long.
#[derive(Serialize, utoipa::ToSchema)]
pub struct All<T> {
    pub(super) items: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

impl<T> All<T> {
    pub(super) fn of(items: impl Iterator<Item = T>) -> axum::Json<Self> {
        axum::Json(Self { items: items.collect(), next_cursor: None })
    }
}

/// Only who may say who works here.
pub(super) fn may(access: &Access, visitor: &Visitor) -> Result<(), Problem> {
    Ok(access.allow(visitor, Action::ManageStaff, &access.here())?)
}

/// The devices that work here or did.
#[utoipa::path(get, path = "/v1/staff", tag = "staff", security(("token" = [])),
    responses((status = 200, body = All<StaffDevice>), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<All<StaffDevice>>, Problem> {
    let listed = door
        .run(move |access| {
            may(access, &visitor)?;
            Ok::<_, Problem>(access.shop().staff()?)
        })
        .await?;
    Ok(All::of(listed.iter().map(StaffDevice::of)))
}

/// A device that is to be certified: what it shows as a code, or the same in parts.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// What the device shows: `kirana-enrol:…`. The next three fields are for programs instead.
    request: Option<String>,
    /// The key that it signs with, in base64.
    signing_key: Option<String>,
    /// The key that messages to it are sealed to, in base64.
    sealing_key: Option<String>,
    /// Its signature over both and the shop, a COSE_Sign1 in base64.
    proof: Option<String>,
    /// `owner`, `staff`, `courier`, or one of the shop's own roles.
    role: String,
    /// A name for this list, such as "till 2".
    label: String,
}

/// Certifies a device that proved to hold its key.
#[utoipa::path(post, path = "/v1/staff", tag = "staff", request_body = NewDevice,
    security(("token" = [])),
    responses((status = 201, body = StaffDevice), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn add(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(given): Json<NewDevice>,
) -> Result<Response, Problem> {
    let listed = door
        .run(move |access| {
            may(access, &visitor)?;
            let (key, sealing) = asked(access, &given)?;
            let post = role(&given.role)?;
            let member = Member { key, sealing, post, label: given.label };
            access.shop().add_staff(member, now(), &mut clock::rng())?;
            one_of(access, key.id())
        })
        .await?;
    let at = [(header::LOCATION, format!("/v1/staff/{}", listed.device))];
    Ok((StatusCode::CREATED, at, axum::Json(StaffDevice::whole(&listed))).into_response())
}

/// The keys that somebody asks to have certified, proved for this shop.
fn asked(access: &Access, given: &NewDevice) -> Result<(PublicKey, SealingPublic), Problem> {
    let unproven = || {
        let says = "the proof is not by this key for this shop: let the device ask again";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unproven", says)
    };
    if let Some(text) = &given.request {
        let read = Request::read(text).map_err(|e| unproven().detail(e.to_string()))?;
        let here = read.enrolment.shop == Some(access.shop().id());
        let here = here && read.enrolment.account.is_none();
        let Enrolment { key, sealing, .. } = read.enrolment;
        return here.then_some((key, sealing)).ok_or_else(unproven);
    }
    let part = |name: &str, part: &Option<String>| {
        let part = part.as_ref().ok_or_else(|| Problem::malformed(format!("{name} is missing")))?;
        bytes(name, part)
    };
    let key = part("signing_key", &given.signing_key)?.try_into().ok();
    let key = key.and_then(|key| PublicKey::from_bytes(&key).ok());
    let key = key.ok_or_else(|| Problem::malformed("signing_key is no Ed25519 key"))?;
    let sealing = part("sealing_key", &given.sealing_key)?.try_into();
    let sealing = sealing.map_err(|_| Problem::malformed("sealing_key has 32 bytes"))?;
    let sealing = SealingPublic::from_bytes(sealing);
    let enrolment = Enrolment { account: None, shop: Some(access.shop().id()), key, sealing };
    let proof = part("proof", &given.proof)?;
    enrolment.is_proved_by(&proof).then_some((key, sealing)).ok_or_else(unproven)
}

pub(super) fn role(word: &str) -> Result<Post, Problem> {
    word.parse().map_err(|e: crate::app::roles::NotARole| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-role", e.to_string())
    })
}

fn one_of(access: &Access, device: KeyId) -> Result<Listed, Problem> {
    let mut listed = access.shop().staff()?.into_iter();
    listed.find(|listed| listed.device == device).ok_or_else(Problem::not_found)
}

/// One device with its certificates: for owners, and for the device itself.
#[utoipa::path(get, path = "/v1/staff/{id}", tag = "staff", params(("id" = String, Path)),
    security(("token" = [])),
    responses((status = 200, body = StaffDevice), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn one(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<StaffDevice>, Problem> {
    let device = key(&id)?;
    let listed = door
        .run(move |access| {
            if visitor.turn.is_some() || visitor.device != device {
                may(access, &visitor)?;
            }
            one_of(access, device)
        })
        .await?;
    Ok(axum::Json(StaffDevice::whole(&listed)))
}

/// Certifies a device once more, as what it was.
#[utoipa::path(post, path = "/v1/staff/{id}/renewal", tag = "staff", params(("id" = String, Path)),
    security(("token" = [])),
    responses((status = 200, body = StaffDevice), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn renew(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
) -> Result<axum::Json<StaffDevice>, Problem> {
    let device = key(&id)?;
    let listed = door
        .run(move |access| {
            may(access, &visitor)?;
            access.shop().renew_staff(device, now(), &mut clock::rng())?;
            one_of(access, device)
        })
        .await?;
    Ok(axum::Json(StaffDevice::whole(&listed)))
}

/// Whether it is meant.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ShutOut {
    /// Also where it is the last device of an owner.
    #[serde(default)]
    even_the_last: bool,
}

/// Shuts a device out, at once and without any hub.
#[utoipa::path(delete, path = "/v1/staff/{id}", tag = "staff",
    params(("id" = String, Path), ShutOut), security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn revoke(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(id): Path<String>,
    Query(meant): Query<ShutOut>,
) -> Result<StatusCode, Problem> {
    let device = key(&id)?;
    door.run(move |access| {
        may(access, &visitor)?;
        let (shop, rng) = (access.shop(), &mut clock::rng());
        Ok::<_, Problem>(shop.revoke_staff(device, meant.even_the_last, now(), rng)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn key(id: &str) -> Result<KeyId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

/// One of the shop's own roles.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Role {
    /// Its name.
    id: String,
    /// The words of what it permits.
    permissions: Vec<&'static str>,
}

impl From<OwnRole> for Role {
    fn from(OwnRole { name, permissions }: OwnRole) -> Self {
        Self { id: name, permissions: permissions.iter().map(|action| action.label()).collect() }
    }
}

/// The shop's own roles.
#[utoipa::path(get, path = "/v1/staff/roles", tag = "staff", security(("token" = [])),
    responses((status = 200, body = All<Role>), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
pub async fn roles(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
) -> Result<axum::Json<All<Role>>, Problem> {
    let roles = door
        .run(move |access| {
            may(access, &visitor)?;
            Ok::<_, Problem>(access.shop().own_roles()?)
        })
        .await?;
    Ok(All::of(roles.into_iter().map(Role::from)))
}

/// What one of the shop's own roles is to permit.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Permissions {
    /// Words of actions, such as `order.pack`; `order.refund` only where the owner puts it in.
    permissions: BTreeSet<String>,
}

/// Makes one of the shop's own roles, or changes it: that counts at once.
#[utoipa::path(put, path = "/v1/staff/roles/{name}", tag = "staff",
    params(("name" = String, Path)), request_body = Permissions, security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn put_role(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(name): Path<String>,
    Json(given): Json<Permissions>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        may(access, &visitor)?;
        let Post::Own(name) = role(&name)? else {
            let says = "this role is every shop's and stays as it is";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no-role", says));
        };
        Ok(access.shop().put_role(name, &actions(&given.permissions)?)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The actions of words.
pub fn actions(words: &BTreeSet<String>) -> Result<BTreeSet<Action>, NotStaffed> {
    let action = |word: &String| {
        Action::given_by_owners(word).ok_or_else(|| NotStaffed::KeptByOwners(word.clone()))
    };
    words.iter().map(action).collect()
}

/// Removes one of the shop's own roles: whoever has it may do nothing from now on.
#[utoipa::path(delete, path = "/v1/staff/roles/{name}", tag = "staff",
    params(("name" = String, Path)), security(("token" = [])),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn remove_role(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        may(access, &visitor)?;
        let name: RoleName = name.parse().map_err(|_| Problem::not_found())?;
        access.shop().remove_role(name).map_err(|why| match why {
            NotStaffed::NoRole(_) => Problem::not_found(),
            other => other.into(),
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<NotStaffed> for Problem {
    fn from(why: NotStaffed) -> Self {
        let says = why.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, says.clone());
        let unfit = |code| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, says.clone());
        match why {
            NotStaffed::Unknown(_) => Self::not_found(),
            NotStaffed::NoOwner => conflict("no-owner-key"),
            NotStaffed::LastOwner => conflict("last-owner"),
            NotStaffed::OwnKey => conflict("own-key"),
            NotStaffed::ReadOnly(_) => conflict("read-only"),
            NotStaffed::TooMany | NotStaffed::List(_) => conflict("too-many"),
            NotStaffed::NoRole(_) => unfit("no-role"),
            NotStaffed::KeptByOwners(_) => unfit("kept-by-owners"),
            NotStaffed::Label => unfit("label"),
            NotStaffed::Name => unfit("name"),
            NotStaffed::NotStored(not_stored) => not_stored.into(),
            NotStaffed::Store(error) => Self::internal(&error),
        }
    }
}
