//! The shop's HTTP door: parses, calls the app, renders.
//!
//! **Invariants:** SQL never comes here, and every answer that is an error is a problem document,
//! also those that the router itself gives.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use kirana_paper::fonts::Fonts;
use kirana_picture::FILE_BYTES_MAX;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{runtime::Handle, sync::Semaphore};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout::TimeoutLayer,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::{Shop, access::Access},
    cards::Cards,
    clock,
    feeds::Feeds,
    imports::Imports,
    lookup::Lookups,
};

pub mod answers;
pub mod auth;
pub mod bank;
pub mod batches;
pub mod callers;
pub mod cards;
pub mod catalogue;
pub mod categories;
mod closing;
pub mod counts;
pub mod deeds;
pub mod deliveries;
pub mod exports;
mod extract;
pub mod feeds;
mod health;
pub mod images;
pub mod imports;
pub mod invoices;
pub mod khata;
pub mod labels;
mod layouts;
mod locations;
pub mod lookup;
pub mod mail;
mod mappings;
pub mod orders;
pub mod people;
pub mod pins;
pub mod problem;
mod products;
pub mod purchases;
pub mod reorder;
pub mod reports;
pub mod sessions;
pub mod staff;
pub mod starter;
pub mod stock;
pub mod suppliers;
pub mod terms;
pub mod till;

use problem::Problem;

/// The longest body, in bytes; imports have a limit of their own.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How much of a body that is too long is read and thrown away before the connection ends.
const BODY_BYTES_HEARD_OUT: usize = 16 * 1024 * 1024;
/// How long a request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// What handlers work with; every request clones it several times, so that costs next to nothing.
#[derive(Clone)]
pub struct Door(std::sync::Arc<Parts>);

impl std::ops::Deref for Door {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the door is made of.
pub struct Parts {
    /// Who may come in.
    pub access: Access,
    /// Renders the counters.
    pub metrics: PrometheusHandle,
    /// How long the goods of an accepted order are kept, in milliseconds.
    pub held_ms: u64,
    /// Where devices reach the shop directly: multiaddrs.
    pub addresses: std::sync::Arc<[String]>,
    /// Where PINs wait to be hashed.
    pub pins: pins::Queue,
    /// Where pictures of products are decoded.
    pub studio: images::Studio,
    /// Where files wait to be imported.
    pub imports: Imports,
    /// Pages of the shelf as they were answered last.
    pub answers: answers::Answers,
    /// Suppliers' lists that are fetched.
    pub feeds: Feeds,
    /// Where barcodes are looked up.
    pub lookups: Lookups,
    /// Payments by card.
    pub cards: Cards,
    /// What labels are set in.
    pub fonts: Fonts,
    /// How many short reads are made without being handed to another thread.
    pub lookers: Semaphore,
}

/// One fewer than the runtime has threads: more at once would only wait for the processors.
pub fn lookers() -> Semaphore {
    Semaphore::new(Handle::current().metrics().num_workers().saturating_sub(1))
}

impl Door {
    /// The door of these parts.
    pub fn of(parts: Parts) -> Self {
        Self(std::sync::Arc::new(parts))
    }

    /// The shop behind the door.
    pub fn shop(&self) -> &Shop {
        self.access.shop()
    }

    /// Runs a short read on the thread that heard of it, whose other work goes to another one meanwhile:
    /// handing the read over and its answer back costs about as much as finding a page of products.
    ///
    /// # Errors
    /// As for [`Door::run`]; a panic inside is answered by the router.
    pub async fn look<T, E>(
        &self,
        look: impl FnOnce(&Access) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        match self.lookers.try_acquire() {
            // Not in its place: nobody would hear sockets and timers while this one waits for the disk.
            Ok(_looking) => tokio::task::block_in_place(|| look(&self.access)).map_err(Into::into),
            Err(_) => self.run(look).await,
        }
    }

    /// Runs a use-case on a thread that may wait for the disk.
    ///
    /// # Errors
    /// What the use-case says; a panic inside is reported as [`Problem::internal`].
    pub async fn run<T, E>(
        &self,
        job: impl FnOnce(&Access) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let door = self.clone();
        match tokio::task::spawn_blocking(move || job(&door.access)).await {
            Ok(done) => done.map_err(Into::into),
            Err(panicked) => Err(Problem::internal(&panicked)),
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "kirana shop", description = "One shop's catalogue, stock, sales and orders."),
    modifiers(&Bearer)
)]
struct Api;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let jwt = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(jwt));
    }
}

/// The credit books.
fn khata() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(khata::list, khata::open))
        .routes(routes!(khata::due))
        .routes(routes!(khata::one))
        .routes(routes!(khata::enter))
        .routes(routes!(khata::pay))
        .routes(routes!(khata::set_limit))
        .routes(routes!(khata::write_off))
        .routes(routes!(khata::close))
        .routes(routes!(khata::link))
        .routes(routes!(khata::go_on))
        .routes(routes!(khata::join))
        .routes(routes!(khata::forget))
        .routes(routes!(khata::remind))
        .routes(routes!(khata::statement))
        .routes(routes!(khata::statement_file))
        .routes(routes!(khata::put_order))
}

/// The till, invoices and what is told of both.
fn money() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(till::takings))
        .merge(khata())
        .routes(routes!(invoices::of_order))
        .routes(routes!(invoices::list))
        .routes(routes!(invoices::one))
        .routes(routes!(invoices::seller, invoices::set_seller))
        .routes(routes!(invoices::gst))
        .routes(routes!(till::takings_file))
        .routes(routes!(till::days, till::open))
        .routes(routes!(till::close))
        .routes(routes!(till::move_cash))
        .routes(routes!(bank::take))
        .routes(routes!(bank::list))
        .routes(routes!(bank::settle))
        .routes(routes!(bank::reconcile))
        .routes(routes!(bank::upi))
        .routes(routes!(cards::look, cards::set))
        .routes(routes!(cards::check))
        .routes(routes!(cards::set_aside))
        .routes(routes!(cards::of_order, cards::ask))
        .routes(routes!(cards::hear))
        .routes(routes!(deliveries::queue))
        .routes(routes!(deliveries::picking))
        .routes(routes!(deliveries::stops))
        .routes(routes!(deliveries::cash, deliveries::hand_in))
}

/// The whole door with its description.
pub fn api() -> (Router<Door>, utoipa::openapi::OpenApi) {
    let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(sessions::nonce))
        .routes(routes!(sessions::open))
        .routes(routes!(sessions::end))
        .routes(routes!(staff::list, staff::add))
        .routes(routes!(staff::one, staff::revoke))
        .routes(routes!(staff::renew))
        .routes(routes!(staff::roles))
        .routes(routes!(staff::put_role, staff::remove_role))
        .routes(routes!(people::list, people::add))
        .routes(routes!(people::change, people::remove))
        .routes(routes!(people::set_pin))
        .routes(routes!(health::profile, health::set))
        .routes(routes!(closing::look, closing::close, closing::reopen))
        .routes(routes!(terms::look, terms::set))
        .routes(routes!(terms::slots))
        .routes(routes!(orders::list, orders::place))
        .routes(routes!(orders::one))
        .routes(routes!(deeds::act))
        .routes(routes!(images::of_complaint))
        .routes(routes!(callers::take))
        .routes(routes!(callers::list))
        .routes(routes!(callers::forget))
        .routes(routes!(mail::deliver))
        .routes(routes!(stock::balances))
        .routes(routes!(stock::movements, stock::enter))
        .routes(routes!(stock::confirm))
        .routes(routes!(batches::list))
        .routes(routes!(reorder::low))
        .routes(routes!(reorder::expiring))
        .routes(routes!(reorder::set, reorder::unset))
        .routes(routes!(locations::list, locations::add))
        .routes(routes!(locations::rename))
        .routes(routes!(counts::list, counts::open))
        .routes(routes!(counts::one))
        .routes(routes!(counts::look))
        .routes(routes!(counts::enter))
        .routes(routes!(counts::end))
        .routes(routes!(suppliers::list, suppliers::add))
        .routes(routes!(suppliers::one, suppliers::change, suppliers::retire))
        .routes(routes!(suppliers::set_article, suppliers::remove_article))
        .routes(routes!(purchases::list, purchases::order))
        .routes(routes!(purchases::one))
        .routes(routes!(purchases::receive))
        .routes(routes!(purchases::cancel))
        .routes(routes!(reports::margin))
        .routes(routes!(reports::products))
        .routes(routes!(reports::products_file))
        .merge(money())
        .routes(routes!(stock::sell))
        .routes(routes!(layouts::list, layouts::set))
        .merge(shelves())
        .routes(routes!(exports::run))
        .routes(routes!(labels::pdf))
        .routes(routes!(images::show))
        .routes(routes!(starter::list, starter::tick))
        .merge(intake())
        .split_for_parts();
    api.merge(files().1);
    api.merge(pictures().1);
    (router, api)
}

/// What brings products in: files and suppliers' lists.
fn intake() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(mappings::list))
        .routes(routes!(mappings::one, mappings::put, mappings::remove))
        .routes(routes!(feeds::list, feeds::add))
        .routes(routes!(feeds::one, feeds::change, feeds::remove))
        .routes(routes!(feeds::fetch))
        .routes(routes!(feeds::missing))
        .routes(routes!(imports::list))
        .routes(routes!(imports::report))
        .routes(routes!(imports::undo))
}

/// What is on the shelves, for buyers and for those who edit it.
fn shelves() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(products::shelf))
        .routes(routes!(products::product))
        .routes(routes!(products::all, catalogue::add))
        .routes(routes!(catalogue::one, catalogue::amend, catalogue::delist))
        .routes(routes!(catalogue::history))
        .routes(routes!(lookup::look_up))
        .routes(routes!(catalogue::conflicts))
        .routes(routes!(catalogue::settle))
        .routes(routes!(categories::list))
        .routes(routes!(categories::add))
        .routes(routes!(categories::amend, categories::remove))
}

/// The one path whose bodies are whole files: these have a limit of their own, and take their time.
fn files() -> (Router<Door>, utoipa::openapi::OpenApi) {
    OpenApiRouter::new().routes(routes!(imports::run)).split_for_parts()
}

/// Pictures are files too, shorter ones, and are there at once.
fn pictures() -> (Router<Door>, utoipa::openapi::OpenApi) {
    OpenApiRouter::new().routes(routes!(images::set, images::remove)).split_for_parts()
}

/// The door as it is served.
pub fn router(door: Door) -> Router {
    let (router, api) = api();
    let file_bytes_max = usize::try_from(door.imports.bytes_max()).unwrap_or(usize::MAX);
    let files = files().0.layer(middleware::from_fn_with_state(file_bytes_max, hear_out));
    let pictures = pictures()
        .0
        .layer(RequestBodyLimitLayer::new(FILE_BYTES_MAX))
        .layer(middleware::from_fn_with_state(FILE_BYTES_MAX, hear_out))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIME_MAX));
    let openapi = move || {
        let api = api.clone();
        async move { axum::Json(api) }
    };
    router
        .route("/openapi.json", axum::routing::get(openapi))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this cannot be done here",
            )
        })
        .layer(
            ServiceBuilder::new()
                .layer(TimeoutLayer::with_status_code(
                    StatusCode::SERVICE_UNAVAILABLE,
                    REQUEST_TIME_MAX,
                ))
                .layer(middleware::from_fn_with_state(BODY_BYTES_MAX, hear_out))
                .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX)),
        )
        .merge(files)
        .merge(pictures)
        .layer(
            // One layer of all: the router puts what each has for a request on the heap.
            ServiceBuilder::new()
                .layer(middleware::from_fn(watch))
                .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
                    Problem::internal(&"a handler panicked").into_response()
                }))
                .layer(DefaultBodyLimit::disable()),
        )
        .with_state(door)
}

const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

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
    let says = format!("the request is longer than {limit} bytes");
    let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", says);
    ([(header::CONNECTION, "close")], problem).into_response()
}

/// Counts a request by its route and status, refuses TRACE, and sees to it that each answer has the
/// headers that all have and that each refusal is a problem document.
async fn watch(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<axum::extract::MatchedPath>().cloned();
    let mut response = match *request.method() {
        Method::TRACE => {
            let no = "this cannot be done here";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", no).into_response()
        }
        _ => described(next.run(request).await),
    };
    for (name, value) in ALWAYS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    let route = route.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let status = response.status().as_str().to_owned();
    metrics::counter!("kirana_http_requests_total", "route" => route, "status" => status)
        .increment(1);
    response
}

const ALWAYS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
];

/// Turns what layers answer in plain text into a problem document.
fn described(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|k| k.as_bytes().ends_with(b"json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(status, "too-large", "the request is longer than 1 MiB")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(status, "unsupported-media-type", "send application/json here")
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            Problem::new(status, "busy", "the shop is busy; try again").retry_after(1)
        }
        status => Problem::new(status, "malformed", "the request cannot be read"),
    };
    let mut described = problem.into_response();
    if let Some(close) = response.headers().get(header::CONNECTION) {
        described.headers_mut().insert(header::CONNECTION, close.clone());
    }
    described
}

/// Now, as every handler takes it.
fn now() -> kirana_core::time::UnixMs {
    clock::now()
}
