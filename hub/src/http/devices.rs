//! `/v1/devices`, `/v1/revocations`, `/v1/hubs`: certificates and signed lists.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    certificate::{HubRole, UnverifiedCertificate},
    revocation::SignedList,
    roster::HubEntry,
    time::UnixMs,
};
use serde::Serialize;

use super::{
    Door,
    admin::Page,
    extract::{Body, GivenKeys, Key, Perhaps, Signed, id, public_key},
    problem::Problem,
};
use crate::{
    app::{Error, roster::Published},
    clock,
    store::certificate::Device,
};

/// A certificate (CWT) as it travels in JSON.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CertificateItem {
    /// The short name of the certified key.
    id: String,
    /// The certificate in base64url.
    certificate: String,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    issued_at: UnixMs,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

impl From<Device> for CertificateItem {
    fn from(device: Device) -> Self {
        Self {
            id: device.key.to_string(),
            certificate: URL_SAFE_NO_PAD.encode(device.certificate),
            issued_at: device.issued_at,
            expires_at: device.expires_at,
        }
    }
}

impl CertificateItem {
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        let read = UnverifiedCertificate::parse(bytes);
        let read = read.map_err(|_| kirana_migrations::StoreError::damaged("a", "certificate"))?;
        let claimed = read.claimed();
        Ok(Self {
            id: claimed.key.id().to_string(),
            certificate: URL_SAFE_NO_PAD.encode(bytes),
            issued_at: claimed.not_before,
            expires_at: claimed.expires,
        })
    }
}

/// A signed revocation list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListItem {
    /// The short name of the key that signed.
    issuer: String,
    /// The list (COSE_Sign1) in base64url.
    list: String,
}

/// A hub of the neighbourhood.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HubItem {
    /// Its Ed25519 key in hexadecimal digits.
    key: String,
    /// `central` or `community`.
    role: &'static str,
    /// Its HTTP door.
    url: Option<String>,
    /// Its libp2p addresses.
    p2p: Vec<String>,
}

/// The roster: readable, and signed by the root.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Hubs {
    /// The hubs.
    items: Vec<HubItem>,
    /// Always absent: a roster comes whole.
    next_cursor: Option<String>,
    /// The root's Ed25519 key in hexadecimal digits.
    root: String,
    /// The signed roster (COSE_Sign1) in base64url.
    roster: String,
    /// Certificates of community hubs in base64url.
    community: Vec<String>,
}

/// Certifies a device.
#[utoipa::path(post, path = "/v1/devices", tag = "devices", security(("bearer" = [])),
    request_body = GivenKeys, responses((status = 201, body = CertificateItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn certify(
    State(door): State<Door>,
    Signed(actor): Signed,
    key: Key,
    Body(given): Body<GivenKeys>,
) -> Result<(StatusCode, Json<CertificateItem>), Problem> {
    let once = key.once(&actor.account.to_string(), "devices", given.fingerprint());
    let (keys, now, mut rng) = (given.parse()?, clock::now(), clock::rng());
    let bytes = door.hub.certify_device(&actor, keys, once, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(CertificateItem::of(&bytes)?)))
}

/// The own devices.
#[utoipa::path(get, path = "/v1/devices", tag = "devices", security(("bearer" = [])), responses(
    (status = 200, body = Page<CertificateItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn devices(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<CertificateItem>>, Problem> {
    let items = door.hub.devices(&actor, clock::now()).await?;
    Ok(Json(Page { items: items.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// Shuts out one of the own devices.
#[utoipa::path(delete, path = "/v1/devices/{id}", tag = "devices", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn revoke(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(device): Path<String>,
) -> Result<StatusCode, Problem> {
    door.hub.revoke_device(&actor, id("device", &device)?, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The newest signed revocation list of every issuer.
#[utoipa::path(get, path = "/v1/revocations", tag = "devices", responses(
    (status = 200, body = Page<ListItem>)))]
pub async fn revocations(State(door): State<Door>) -> Result<Json<Page<ListItem>>, Problem> {
    let lists = door.hub.store().lists().await.map_err(Error::from)?;
    let items = lists.iter().filter_map(|list| {
        let issuer = SignedList::claimed_issuer(list).ok()?.to_string();
        Some(ListItem { issuer, list: URL_SAFE_NO_PAD.encode(list) })
    });
    Ok(Json(Page { items: items.collect(), next_cursor: None }))
}

/// The roster of hubs.
#[utoipa::path(get, path = "/v1/hubs", tag = "devices", responses((status = 200, body = Hubs),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn hubs(State(door): State<Door>) -> Result<Json<Hubs>, Problem> {
    let now = clock::now();
    let none = Error::NotFound { what: "roster of hubs here yet" };
    let Published { root, roster } = door.hub.published_roster().await?.ok_or(none)?;
    let trust = door.hub.trust(now).await?;
    let hubs = trust.roster().map(|signed| signed.roster().hubs.clone()).unwrap_or_default();
    let community = door.hub.store().community_hubs(now).await.map_err(Error::from)?;
    let community = community.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).collect();
    let items = hubs.into_iter().map(Into::into).collect();
    Ok(Json(Hubs { items, next_cursor: None, root, roster, community }))
}

/// Certifies a community hub.
#[utoipa::path(post, path = "/v1/hubs", tag = "devices", security((), ("bearer" = [])),
    request_body = GivenKeys, responses((status = 201, body = CertificateItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn certify_hub(
    State(door): State<Door>,
    Perhaps(actor): Perhaps,
    Body(given): Body<GivenKeys>,
) -> Result<(StatusCode, Json<CertificateItem>), Problem> {
    let (keys, now, mut rng) = (given.parse()?, clock::now(), clock::rng());
    let bytes = door.hub.certify_hub(actor.as_ref(), keys, now, &mut rng).await?;
    Ok((StatusCode::CREATED, Json(CertificateItem::of(&bytes)?)))
}

/// Shuts a community hub out, by the short name or the whole of its key.
#[utoipa::path(delete, path = "/v1/hubs/{id}", tag = "devices", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn revoke_hub(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(hub): Path<String>,
) -> Result<StatusCode, Problem> {
    let key = match public_key("id", &hub) {
        Ok(whole) => whole.id(),
        Err(_) => id("hub", &hub)?,
    };
    door.hub.revoke_hub(&actor, key, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<HubEntry> for HubItem {
    fn from(hub: HubEntry) -> Self {
        let role = match hub.role {
            HubRole::Central => "central",
            HubRole::Community => "community",
        };
        Self { key: hub.key.to_string(), role, url: hub.url, p2p: hub.p2p }
    }
}
