//! The hub's HTTP door: parses, calls the app, renders.
//!
//! **Invariants:** SQL never comes here, and every answer that is an error is a problem document,
//! also those that the router itself gives.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use metrics_exporter_prometheus::PrometheusHandle;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::Hub;

pub mod accounts;
pub mod addresses;
pub mod admin;
pub mod authorize;
pub mod carts;
pub mod categories;
pub mod console;
mod cors;
pub mod devices;
mod extract;
pub mod factors;
mod health;
pub mod images;
pub mod introspection;
pub mod key_sign_in;
pub mod khata;
pub mod notices;
pub mod oauth;
pub mod orders;
pub mod passphrases;
pub mod photos;
pub mod problem;
pub mod products;
mod queues;
pub mod resets;
pub mod sessions;
pub mod shop_profile;
pub mod shops;
pub mod sign_ins;
mod terms;
mod wellknown;

use problem::Problem;

/// The longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How much of a body that is too long is read and thrown away before the connection ends.
const BODY_BYTES_HEARD_OUT: usize = 16 * 1024 * 1024;
/// How long a request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// What handlers work with.
#[derive(Clone)]
pub struct Door {
    /// The hub.
    pub hub: Hub,
    /// Renders the counters.
    pub metrics: PrometheusHandle,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "kirana hub", description = "Accounts, certificates, shops. See ARCHITECTURE.md. \
        The pages for people at `/console/` are no part of this description."),
    modifiers(&Bearer)
)]
struct Api;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let jwt = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(jwt));
    }
}

/// What thin clients of hosted accounts use.
fn hosted() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(addresses::list, addresses::add))
        .routes(routes!(addresses::show, addresses::put, addresses::remove))
        .routes(routes!(addresses::choose))
        .routes(routes!(carts::list, carts::begin))
        .routes(routes!(carts::show, carts::rename, carts::remove))
        .routes(routes!(carts::lines, carts::add))
        .routes(routes!(carts::change, carts::take_out))
        .routes(routes!(khata::list))
        .routes(routes!(khata::show))
        .routes(routes!(khata::countersign))
        .routes(routes!(khata::dispute))
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(orders::change))
        .routes(routes!(orders::withdraw))
        .routes(routes!(orders::approve))
        .routes(routes!(orders::complain))
        .routes(routes!(orders::reorder))
        .routes(routes!(orders::home))
        .routes(routes!(terms::look))
        .routes(routes!(terms::slots))
        .routes(routes!(terms::quote))
}

fn routes() -> OpenApiRouter<Door> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(accounts::register, admin::accounts))
        .routes(routes!(admin::account, admin::change, admin::erase))
        .routes(routes!(admin::policies))
        .routes(routes!(admin::set_roles))
        .routes(routes!(admin::audit))
        .routes(routes!(queues::queues))
        .routes(routes!(accounts::me, accounts::change_me, accounts::erase_me))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::change_login))
        .routes(routes!(accounts::export))
        .routes(routes!(notices::get, notices::put))
        .routes(routes!(passphrases::passphrases))
        .routes(routes!(sign_ins::sign_ins))
        .routes(routes!(resets::ask))
        .routes(routes!(resets::confirm))
        .routes(routes!(resets::hand))
        .routes(routes!(resets::print))
        .routes(routes!(resets::send_email_code))
        .routes(routes!(resets::confirm_email))
        .routes(routes!(resets::page, resets::take))
        .routes(routes!(factors::begin, factors::list))
        .routes(routes!(factors::remove))
        .routes(routes!(factors::confirm))
        .routes(routes!(sessions::sign_in, sessions::sessions, sessions::sign_out_everywhere))
        .routes(routes!(sessions::sign_out))
        .merge(hosted())
        .routes(routes!(products::find))
        .routes(routes!(products::of_shop))
        .routes(routes!(products::product))
        .routes(routes!(categories::list))
        .routes(routes!(images::show))
        .routes(routes!(key_sign_in::question))
        .routes(routes!(key_sign_in::sign_in_by_key))
        .routes(routes!(devices::certify, devices::devices))
        .routes(routes!(devices::revoke))
        .routes(routes!(devices::revocations))
        .routes(routes!(devices::hubs, devices::certify_hub))
        .routes(routes!(devices::revoke_hub))
        .routes(routes!(shops::apply, shops::find))
        .routes(routes!(shops::shop, shop_profile::change))
        .routes(routes!(shops::applications))
        .routes(routes!(shop_profile::mine))
        .routes(routes!(shop_profile::addresses, shop_profile::add_address))
        .routes(routes!(shop_profile::put_address, shop_profile::remove_address))
        .routes(routes!(shop_profile::owners, shop_profile::add_owner))
        .routes(routes!(shop_profile::remove_owner))
        .routes(routes!(shop_profile::hand_over))
        .routes(routes!(shop_profile::close))
        .routes(routes!(photos::show))
        .routes(routes!(shops::decide))
        .routes(routes!(oauth::token))
        .routes(routes!(authorize::authorize, authorize::decide))
        .routes(routes!(authorize::style))
        .routes(routes!(introspection::revoke))
        .routes(routes!(introspection::introspect))
        .routes(routes!(introspection::userinfo, introspection::userinfo_by_post))
        .routes(routes!(wellknown::jwks))
        .routes(routes!(wellknown::openid_configuration))
        .routes(routes!(wellknown::authorization_server))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The one path whose bodies are whole files.
fn files() -> OpenApiRouter<Door> {
    OpenApiRouter::new().routes(routes!(photos::set, photos::remove))
}

/// The description that `/openapi.json` serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().merge(files()).split_for_parts().1
}

/// Refuses bodies that are longer, once they were heard out.
fn within(router: Router, limit: usize) -> Router {
    router.layer(
        ServiceBuilder::new()
            .layer(middleware::from_fn_with_state(limit, hear_out))
            .layer(RequestBodyLimitLayer::new(limit))
            .layer(DefaultBodyLimit::max(limit)),
    )
}

/// All routes with what surrounds them; pages of `cors_origins` may call them from a browser.
pub fn router(door: Door, cors_origins: &[String]) -> Router {
    let is_https = door.hub.settings().issuer.starts_with("https://");
    let document = axum::Json(openapi());
    let files = files().split_for_parts().0.with_state(door.clone());
    let router = routes().split_for_parts().0;
    let router = router
        .merge(console::router())
        .route("/openapi.json", axum::routing::get(move || async move { document.clone() }))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .with_state(door);
    // One layer of many: each that the router itself is given is copied for each request.
    let router =
        within(router, BODY_BYTES_MAX).merge(within(files, kirana_picture::FILE_BYTES_MAX)).layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(is_https, surround))
                .layer(CatchPanicLayer::custom(|_| {
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }))
                .layer(TimeoutLayer::with_status_code(
                    StatusCode::SERVICE_UNAVAILABLE,
                    REQUEST_TIME_MAX,
                )),
        );
    match cors::layer(cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// What every answer carries that says nothing stricter of its own.
const FIXED_HEADERS: [(&str, &str); 3] = [
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; object-src 'none'; form-action 'self'; \
         frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
];

/// Reads away a body that is about to be refused for its length, then closes the connection.
///
/// A client that is still sending when the connection ends sees a broken pipe instead of the
/// answer, so a body of moderate length is heard out first (RFC 9112, section 9.6).
async fn hear_out(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length <= limit) {
        return next.run(request).await;
    }
    if !request.headers().contains_key(header::EXPECT) {
        let mut pieces = request.into_body().into_data_stream();
        let mut left = BODY_BYTES_HEARD_OUT;
        while let Some(Ok(piece)) = pieces.next().await
            && left > piece.len()
        {
            left -= piece.len();
        }
    }
    (StatusCode::PAYLOAD_TOO_LARGE, [(header::CONNECTION, "close")]).into_response()
}

/// Gives every error a problem document, counts requests, and says what browsers must not do.
async fn surround(State(is_https): State<bool>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<axum::extract::MatchedPath>();
    let route = route.map_or("none".to_owned(), |path| path.as_str().to_owned());
    let is_oauth = request.uri().path().starts_with("/oauth/");
    let is_page = request.uri().path().starts_with(console::ROOT) && takes_pages(request.headers());
    let mut response = match method {
        Method::TRACE => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        _ => next.run(request).await,
    };
    let status = response.status();
    let code = status.as_u16().to_string();
    metrics::counter!("http_requests_total", "route" => route, "status" => code).increment(1);
    if (status.is_client_error() || status.is_server_error()) && !is_described(&response) {
        response = described(status, &response, is_oauth);
    }
    if is_page && is_problem(&response) {
        response = console::failed(response);
    }
    for (name, value) in FIXED_HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Whether a person in front of a browser asks.
fn takes_pages(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes() == problem::MEDIA_TYPE.as_bytes())
}

fn is_described(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let described = [problem::MEDIA_TYPE, "application/json", "text/html; charset=utf-8"];
    kind.is_some_and(|kind| described.iter().any(|described| kind == described.as_bytes()))
}

fn described(status: StatusCode, bare: &Response, is_oauth: bool) -> Response {
    let mut response = match is_oauth {
        true => oauth::Refusal::of_status(status).into_response(),
        false => Problem::of_status(status).into_response(),
    };
    for kept in [header::ALLOW, header::CONNECTION] {
        if let Some(value) = bare.headers().get(&kept) {
            response.headers_mut().insert(kept, value.clone());
        }
    }
    response
}
