//! Looking a barcode up in an open product database, over HTTP.

use axum::{extract::State, http::StatusCode};
use kirana_core::{gtin::Gtin, policy::Action};
use serde_json::{Value, json};

use super::{Door, auth::SignedIn, extract::Path, problem::Problem};
use crate::app::lookup::{Draft, LICENCE, NotLookedUp};

/// What an open product database knows of a barcode: a draft that can be sent to
/// `POST /v1/catalogue/products`. Nothing is saved. 409 where it is off, which it is unless the box's
/// settings name a database.
#[utoipa::path(get, path = "/v1/catalogue/lookup/{gtin}", tag = "catalogue",
    params(("gtin" = String, Path, description = "8, 12, 13 or 14 digits")),
    security(("token" = [])), responses((status = 200, body = Value),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 502, body = Problem), (status = 504, body = Problem)))]
pub async fn look_up(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Path(gtin): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    door.run(move |access| access.allow(&visitor, Action::EditCatalogue, &access.here())).await?;
    let gtin: Gtin = gtin.parse().map_err(|_| Problem::not_found().detail("this is no barcode"))?;
    let draft = door.lookups.look_up(door.shop(), gtin).await?;
    Ok(axum::Json(shown(&draft, door.lookups.source())))
}

/// A draft with where it comes from, and under what licence.
pub fn shown(draft: &Draft, source: Option<&str>) -> Value {
    json!({ "draft": draft, "source": source, "licence": LICENCE, "saved": false })
}

impl From<NotLookedUp> for Problem {
    fn from(why: NotLookedUp) -> Self {
        let title = why.to_string();
        match why {
            NotLookedUp::Off => Self::new(StatusCode::CONFLICT, "lookup-off", title),
            NotLookedUp::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "barcode-unknown", title),
            NotLookedUp::NotFetched(why) => why.into(),
            NotLookedUp::Shape => Self::new(StatusCode::BAD_GATEWAY, "lookup-shape", title),
            NotLookedUp::NotStored(why) => why.into(),
            NotLookedUp::Store(error) => Self::internal(&error),
        }
    }
}
