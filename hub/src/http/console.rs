//! `/console/`: pages for those who keep the hub running, without a line of script.
//!
//! **Invariants:** every page calls the app, which authorises and audits; reading a page changes
//! nothing, and a form counts only with its token, from a page of this hub, for the browser's cookie.

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{Door, problem::Problem};

mod accounts;
mod audit;
mod factor;
mod guard;
mod hubs;
mod overview;
mod page;
mod policies;
mod queues;
mod shops;
mod sign_in;
mod standing;

pub use page::failed;

/// The console's address; its pages lie below.
pub const ROOT: &str = "/console/";

/// What a page gives, or why there is none.
type Answer = Result<Response, Problem>;

/// The pages.
pub fn router() -> Router<Door> {
    Router::new()
        .route("/console", get(|| async { see_other(ROOT) }))
        .route(ROOT, get(overview::show))
        .route("/console/sign-in", post(sign_in::sign_in))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/factor", get(factor::show).post(factor::confirm))
        .route("/console/factor/again", post(factor::again))
        .route("/console/factor/qr.svg", get(factor::picture))
        .route("/console/accounts", get(accounts::list).post(accounts::create))
        .route("/console/accounts/new", get(accounts::ask_new))
        .route("/console/accounts/{id}", get(accounts::show))
        .route("/console/accounts/{id}/roles", get(accounts::ask_roles).post(accounts::set_roles))
        .route(
            "/console/accounts/{id}/devices/{key}",
            get(accounts::ask_revoke).post(accounts::revoke),
        )
        .route("/console/accounts/{id}/{step}", get(standing::ask).post(standing::change))
        .route("/console/shops", get(shops::list))
        .route("/console/shops/{id}", get(shops::show).post(shops::decide))
        .route("/console/shops/{id}/photo/{digest}", get(shops::photo))
        .route("/console/hubs", get(hubs::show).post(hubs::certify))
        .route("/console/hubs/{key}", get(hubs::ask_revoke).post(hubs::revoke))
        .route("/console/queues", get(queues::show))
        .route("/console/policies", get(policies::show))
        .route("/console/audit", get(audit::show))
}

/// Sends the browser to a page of the console, which it gets by GET.
fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, super::sessions::NO_STORE, [(header::LOCATION, to)]).into_response()
}
