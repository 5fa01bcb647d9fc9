//! `/v1/terms` and `/v1/slots`: when the shop is open, where it brings goods, and which spans of time
//! may be chosen.

use axum::extract::State;
use kirana_core::{
    policy::Action,
    terms::{AHEAD_DAYS_MAX, Published, Terms, Way},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Door,
    auth::SignedIn,
    extract::{Json, Query},
    now,
    problem::Problem,
};
use crate::app::terms::{NotSet, Open};

/// Which spans of time are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Ahead {
    /// `delivery` or `pickup`.
    #[param(value_type = String, pattern = "^(delivery|pickup)$")]
    way: Way,
    /// For how many days from today on; 7 unless given.
    #[param(minimum = 0, maximum = 31)]
    days: Option<u16>,
}

/// Spans of time, soonest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Slots {
    /// Each with `from`, `until`, `last_call`, `capacity` and how many more orders fit in.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Open>,
}

/// The terms that hold now. They are public, as the shelf is.
#[utoipa::path(get, path = "/v1/terms", tag = "terms", responses((status = 200, body = Value)))]
pub async fn look(State(door): State<Door>) -> Result<axum::Json<Value>, Problem> {
    let (terms, open) = door
        .run(|access| {
            let terms = access.shop().terms()?;
            let open = terms.as_ref().and_then(|said| said.terms.is_open(now()));
            Ok::<_, Problem>((terms, open))
        })
        .await?;
    Ok(axum::Json(shown(terms, open)))
}

/// Sets the terms; what is left out is as if nothing was said of it.
#[utoipa::path(put, path = "/v1/terms", tag = "terms", request_body = Value,
    security(("token" = [])),
    responses((status = 200, body = Value), (status = 422, body = Problem)))]
pub async fn set(
    State(door): State<Door>,
    SignedIn(visitor): SignedIn,
    Json(terms): Json<Terms>,
) -> Result<axum::Json<Value>, Problem> {
    let set = door
        .run(move |access| {
            access.allow(&visitor, Action::EditShop, &access.here())?;
            Ok::<_, Problem>(access.shop().set_terms(terms, now())?)
        })
        .await?;
    let open = set.terms.is_open(now());
    Ok(axum::Json(shown(Some(set), open)))
}

/// The spans of time that may be chosen, and how many more orders fit into each.
#[utoipa::path(get, path = "/v1/slots", tag = "terms", params(Ahead),
    responses((status = 200, body = Slots)))]
pub async fn slots(
    State(door): State<Door>,
    Query(ahead): Query<Ahead>,
) -> Result<axum::Json<Slots>, Problem> {
    let days = ahead.days.unwrap_or(7).min(AHEAD_DAYS_MAX);
    let items = door
        .run(move |access| Ok::<_, Problem>(access.shop().slots(ahead.way, now(), days)?))
        .await?;
    Ok(axum::Json(Slots { items }))
}

fn shown(published: Option<Published>, open: Option<bool>) -> Value {
    let at = published.as_ref().map(|said| said.at);
    let terms = published.map(|said| said.terms).unwrap_or_default();
    json!({ "terms": terms, "set_at": at, "open_now": open })
}

impl From<NotSet> for Problem {
    fn from(why: NotSet) -> Self {
        use axum::http::StatusCode;
        let (unfit, title) = (StatusCode::UNPROCESSABLE_ENTITY, why.to_string());
        match why {
            NotSet::Unsound(_) => Self::new(unfit, "unsound-terms", title),
            NotSet::NoPlace => Self::new(unfit, "no-place", title),
            NotSet::ReadOnly(_) => Self::new(StatusCode::CONFLICT, "read-only", title),
            NotSet::NotStored(not_stored) => not_stored.into(),
            NotSet::Store(error) => Self::internal(&error),
        }
    }
}
