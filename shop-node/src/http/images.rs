//! Pictures of products.
//!
//! **Invariants:** the address of a picture names its content, so what was fetched once is never
//! asked for again; a file is read only from somebody who may edit the catalogue, few are in memory
//! at once, and one is decoded at a time.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{hash::Hash, id::ProductId, policy::Action};
use kirana_picture::{FILE_BYTES_MAX, MEDIA_TYPE, Unfit, reencode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    Door,
    auth::SignedIn,
    extract::Path,
    now,
    orders::{may, which},
    problem::Problem,
};
use crate::{app::images::NotPictured, clock};

/// How many files may be in memory at once, the one that is decoded among them.
const WAITING_MAX: usize = 4;

/// Where pictures are decoded; cheap to clone.
#[derive(Clone)]
pub struct Studio {
    decoding: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Studio {
    fn default() -> Self {
        let places = |places| Arc::new(Semaphore::new(places));
        Self { decoding: places(1), waiting: places(WAITING_MAX) }
    }
}

/// Gives a product a picture: a PNG, JPEG or WebP file of up to 8 MiB and 25 million points. It is
/// encoded anew, without anything that a camera noted in it.
#[utoipa::path(put, path = "/v1/catalogue/products/{id}/image", tag = "catalogue",
    request_body(content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"))),
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(product): Path<ProductId>,
    body: Body,
) -> Result<axum::Json<Value>, Problem> {
    let by = visitor.who();
    door.run(move |access| access.allow(&visitor, Action::EditCatalogue, &access.here())).await?;
    let waiting = door.studio.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
    let file = to_bytes(body, FILE_BYTES_MAX).await.map_err(|_| Problem::from(Unfit::TooLong))?;
    let decoding = door.studio.decoding.clone().acquire_owned().await.map_err(|_| busy())?;
    let set = move |access: &crate::app::access::Access| {
        let set = access.shop().set_image(product, &file, by, now(), &mut clock::rng());
        drop((waiting, decoding));
        set
    };
    let image = door.run(set).await?;
    Ok(axum::Json(json!({"id": product, "image": image})))
}

/// Takes the picture of a product away.
#[utoipa::path(delete, path = "/v1/catalogue/products/{id}/image", tag = "catalogue",
    security(("token" = [])), responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(product): Path<ProductId>,
) -> Result<StatusCode, Problem> {
    door.run(move |access| {
        access.allow(&visitor, Action::EditCatalogue, &access.here())?;
        access.shop().remove_image(product, visitor.who(), now(), &mut clock::rng())?;
        Ok::<_, Problem>(StatusCode::NO_CONTENT)
    })
    .await
}

/// A picture by the digest that a product names, for whoever sees the shelf: a JPEG of at most 200 kB.
#[utoipa::path(get, path = "/v1/images/{digest}", tag = "shelf",
    params(("digest" = String, Path, pattern = "^[0-9a-f]{64}$")),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
        (status = 304, description = "It is the one that was there before."),
        (status = 404, body = Problem)))]
pub async fn show(
    State(door): State<Door>,
    Path(digest): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let hash: Hash = digest.parse().map_err(|_| Problem::not_found())?;
    let jpeg = door.run(move |access| Ok::<_, Problem>(access.shop().image(hash)?)).await?;
    let jpeg = jpeg.ok_or_else(Problem::not_found)?;
    // RFC 9110, section 8.8.3, and RFC 8246.
    let tag = format!("\"{hash}\"");
    let is_known = asked.get_all(header::IF_NONE_MATCH).iter().any(|known| {
        let known = known.to_str().unwrap_or_default();
        known.split(',').any(|one| matches!(one.trim(), "*") || one.trim().ends_with(&*tag))
    });
    let kept = "public, max-age=31536000, immutable";
    let headers = [(header::ETAG, &*tag), (header::CACHE_CONTROL, kept)];
    Ok(match is_known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, [(header::CONTENT_TYPE, MEDIA_TYPE)], jpeg).into_response(),
    })
}

/// A photo that a customer sent with a complaint, encoded anew before anybody looks at it.
#[utoipa::path(get, path = "/v1/orders/{id}/photos/{photo}", tag = "orders",
    params(("id" = String, Path), ("photo" = String, Path)), security(("token" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn of_complaint(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path((id, photo)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let which = which(&id, &visitor)?;
    let photo: Hash = photo.parse().map_err(|_| Problem::not_found())?;
    let waiting = door.studio.waiting.clone().try_acquire_owned().map_err(|_| busy())?;
    let decoding = door.studio.decoding.clone().acquire_owned().await.map_err(|_| busy())?;
    let look = move |access: &crate::app::access::Access| {
        let view = access.shop().order(which)?;
        may(access, &visitor, Action::ViewOrder, &view)?;
        let sent = access.shop().photo(which, photo)?.ok_or_else(Problem::not_found)?;
        let seen = reencode(&sent)?;
        drop((waiting, decoding));
        Ok::<_, Problem>(seen.jpeg)
    };
    let jpeg = door.run(look).await?;
    let kept = (header::CACHE_CONTROL, "private, no-store");
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE), kept], jpeg).into_response())
}

fn busy() -> Problem {
    let says = "other pictures are being looked at; try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", says).retry_after(2)
}

impl From<Unfit> for Problem {
    fn from(why: Unfit) -> Self {
        let status = match why {
            Unfit::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Unfit::NoPicture | Unfit::TooManyPixels { .. } | Unfit::Damaged => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        Self::new(status, "picture", why.to_string())
    }
}

impl From<NotPictured> for Problem {
    fn from(why: NotPictured) -> Self {
        match why {
            NotPictured::Unfit(why) => why.into(),
            NotPictured::NotEdited(why) => why.into(),
        }
    }
}
