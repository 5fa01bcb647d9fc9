//! `/v1/images/{digest}`: pictures of products on the shelves. Nobody needs to sign in.
//!
//! **Invariant:** the address of a picture names its content, so what was fetched once is never
//! asked for again.

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use kirana_core::hash::Hash;

use super::{Door, extract::id, photos::sent, problem::Problem};
use crate::clock;

/// A picture by the digest that a product names: a JPEG of at most 200 kB. It is fetched from its
/// shop when somebody first asks; 503 while the shop does not give it.
#[utoipa::path(get, path = "/v1/images/{digest}", tag = "products",
    params(("digest" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"),
    (status = 304, description = "It is the one that was there before."),
    (status = "4XX", body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json")))]
pub async fn show(
    State(door): State<Door>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hash: Hash = id("picture", &digest)?;
    let picture = door.hub.picture(hash, clock::now()).await?;
    let mut answer = sent(picture.into_jpeg(), hash, true, &headers);
    // Shops signed it, not this hub: a browser takes it for a picture and for nothing else.
    let strict = HeaderValue::from_static("nosniff");
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, strict);
    let alone = HeaderValue::from_static("default-src 'none'; sandbox");
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, alone);
    Ok(answer)
}
