//! `/v1/shops/{id}/photo`: what a shop looks like.
//!
//! **Invariant:** the address of a picture names its content, so what was fetched once is never
//! asked for again; another picture has another address.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{hash::Hash, id::ShopId};
use kirana_picture::MEDIA_TYPE;

use super::{
    Door,
    extract::{Perhaps, Signed, id},
    problem::Problem,
    shops::ShopItem,
};
use crate::clock;

/// Where the picture of a shop is.
pub fn address(shop: ShopId, photo: Hash) -> String {
    format!("/v1/shops/{shop}/photo/{photo}")
}

/// A whole file, of whatever kind it says that it is: its first bytes tell.
pub struct File(Bytes);

impl FromRequest<Door> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        let file = Bytes::from_request(request, door).await;
        file.map(Self).map_err(|refused| Problem::of_status(refused.status()))
    }
}

/// Gives a shop a picture: a PNG, JPEG or WebP file of up to 8 MiB and 25 million points. It is
/// encoded anew, without anything that a camera noted in it.
#[utoipa::path(put, path = "/v1/shops/{id}/photo", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)),
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"))),
    responses((status = 200, body = ShopItem),
    (status = "4XX", body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json")))]
pub async fn set(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
    File(file): File,
) -> Result<Json<ShopItem>, Problem> {
    let (shop, now) = (id("shop", &shop)?, clock::now());
    let shop = door.hub.set_shop_photo(&actor, shop, file, now).await?;
    Ok(Json(ShopItem::to_its_owner(&door.hub, shop, now)))
}

/// Takes the picture of a shop away.
#[utoipa::path(delete, path = "/v1/shops/{id}/photo", tag = "shops", security(("bearer" = [])),
    params(("id" = String, Path)), responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn remove(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(shop): Path<String>,
) -> Result<StatusCode, Problem> {
    door.hub.remove_shop_photo(&actor, id("shop", &shop)?, clock::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The picture of a shop, at the address that its profile names.
#[utoipa::path(get, path = "/v1/shops/{id}/photo/{digest}", tag = "shops",
    security((), ("bearer" = [])), params(("id" = String, Path), ("digest" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
    (status = 304, description = "It is the one that was there before."),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Perhaps(actor): Perhaps,
    Path((shop, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (shop, hash, now) = (id("shop", &shop)?, id("photo", &digest)?, clock::now());
    let (jpeg, is_public) = door.hub.shop_photo(actor.as_ref(), shop, hash, now).await?;
    Ok(sent(jpeg, hash, is_public, &headers))
}

/// A picture with what lets a browser keep it (RFC 9110, section 8.8.3, and RFC 8246).
pub fn sent(jpeg: Vec<u8>, hash: Hash, is_public: bool, asked: &HeaderMap) -> Response {
    let tag = format!("\"{hash}\"");
    let kept = match is_public {
        true => "public, max-age=31536000, immutable",
        false => "private, max-age=31536000, immutable",
    };
    let is_known = asked.get_all(header::IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default();
        known.split(',').any(|one| matches!(one.trim(), "*") || one.trim().ends_with(&*tag))
    });
    let headers = [(header::ETAG, &*tag), (header::CACHE_CONTROL, kept)];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, [(header::CONTENT_TYPE, MEDIA_TYPE)], jpeg).into_response(),
    }
}
