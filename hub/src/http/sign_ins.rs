//! `/v1/me/sign-ins`: who signed in at the own account, and who tried to.

use axum::{Json, extract::State};

use super::{Door, admin::Page, extract::Signed, problem::Problem};
use crate::{app::history::SignInItem, clock};

/// Tries to sign in at the own account in the last 90 days, newest first.
#[utoipa::path(get, path = "/v1/me/sign-ins", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, body = Page<SignInItem>),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn sign_ins(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<Json<Page<SignInItem>>, Problem> {
    let items = door.hub.sign_ins(&actor, clock::now()).await?;
    Ok(Json(Page { items, next_cursor: None }))
}
