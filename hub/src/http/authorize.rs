//! `/oauth/authorize`: the pages on which a person signs in and agrees, without a line of script.
//!
//! **Invariants:** a form counts only with the token that this hub made for this browser's cookie;
//! pages escape whatever they show, and may send their forms to this hub and the client alone.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    Door,
    extract::{self, DEVICE_COOKIE, Visiting},
    oauth::{Fields, Refusal},
    problem::Problem,
    sessions::NO_STORE,
    takes_pages,
};
use crate::{
    app::{
        Error,
        authorize::{Authorization, NotAsked, fresh_cookie},
        role::Scope,
    },
    clock,
};

/// The cookie of a browser; its name makes browsers insist on `Secure` and `Path=/`.
const COOKIE: &str = "__Host-kirana";

/// What a form on these pages sends.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Posted {
    /// `sign-in`, `allow`, `deny` or `sign-out`.
    step: String,
    /// Shows that the form came from this hub's page in this browser.
    csrf: String,
    /// The query that the program sent the browser with.
    request: String,
    /// The login.
    #[serde(default)]
    login: String,
    /// The password.
    #[serde(default)]
    password: String,
    /// A code of the second factor, where the account has one.
    #[serde(default)]
    otp: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    client: &'a str,
    csrf: &'a str,
    request: &'a str,
    login: &'a str,
    problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    client: &'a str,
    csrf: &'a str,
    request: &'a str,
    target: &'a str,
    wishes: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "stay.html")]
struct StayPage<'a> {
    why: &'a str,
}

/// One request of a program, in one browser.
struct Visit<'a> {
    asked: &'a Authorization,
    request: &'a str,
    csrf: String,
}

/// Asks the person to sign in, or to agree.
#[utoipa::path(get, path = "/oauth/authorize", tag = "oauth", params(
    ("client_id" = String, Query, min_length = 1), ("redirect_uri" = String, Query),
    ("response_type" = String, Query, description = "`code`"),
    ("code_challenge" = String, Query), ("code_challenge_method" = String, Query,
        description = "`S256`"),
    ("scope" = Option<String>, Query), ("state" = Option<String>, Query),
    ("nonce" = Option<String>, Query)), responses(
    (status = 200, content_type = "text/html", body = String), (status = 303),
    (status = "4XX", body = Refusal)))]
pub async fn authorize(
    State(door): State<Door>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let shown = show(&door, &query, cookie(&headers)).await;
    shown.unwrap_or_else(|no| refused(no, &headers))
}

async fn show(door: &Door, query: &str, cookie: Option<&str>) -> Result<Response, NotAsked> {
    let now = clock::now();
    let asked = door.hub.authorization(query).await?;
    let browser = door.hub.browser(cookie.unwrap_or_default(), now).await?;
    let browser = browser.filter(|b| !asked.anew && asked.accepts(b, now));
    if asked.silent {
        return Err(match browser {
            None => asked.refused("login_required", "the person is not signed in here"),
            Some(_) => asked.refused("consent_required", "the person is asked each time"),
        });
    }
    match (browser, cookie) {
        (Some(_), Some(cookie)) => Ok(Visit::new(door, &asked, query, cookie).consent()),
        (_, Some(cookie)) => {
            Ok(Visit::new(door, &asked, query, cookie).sign_in(StatusCode::OK, "", None))
        }
        (_, None) => {
            let cookie = fresh_cookie(&mut clock::rng());
            let visit = Visit::new(door, &asked, query, &cookie);
            Ok(with_cookie(visit.sign_in(StatusCode::OK, "", None), &cookie))
        }
    }
}

/// Takes what the person typed or decided.
#[utoipa::path(post, path = "/oauth/authorize", tag = "oauth",
    request_body(content = Posted, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, content_type = "text/html", body = String), (status = 303),
    (status = "4XX", body = Refusal)))]
pub async fn decide(
    State(door): State<Door>,
    visiting: Visiting,
    headers: HeaderMap,
    Fields(posted): Fields<Posted>,
) -> Response {
    let token = cookie(&headers).map(|cookie| (cookie, door.hub.form_token(cookie)));
    let Some((cookie, _)) = token.filter(|(_, token)| *token == posted.csrf) else {
        let why = "the form is from another browser or too old; go back to where you came from";
        return Refusal::of("access_denied", why, StatusCode::FORBIDDEN).into_response();
    };
    let taken = take(&door, posted, cookie, visiting).await;
    taken.unwrap_or_else(|no| refused(no, &headers))
}

async fn take(
    door: &Door,
    posted: Posted,
    cookie: &str,
    visiting: Visiting,
) -> Result<Response, NotAsked> {
    let (hub, now) = (&door.hub, clock::now());
    let asked = hub.authorization(&posted.request).await?;
    let visit = Visit::new(door, &asked, &posted.request, cookie);
    let browser = hub.browser(cookie, now).await?;
    match (posted.step.as_str(), browser) {
        ("sign-in", _) => Ok(sign_in(door, &visit, &posted, cookie, visiting).await),
        ("allow", Some(browser)) => {
            let to = hub.agree(&asked, &browser, cookie, now, &mut clock::rng()).await?;
            Ok(see_other(&to))
        }
        ("deny", _) => Err(asked.refused("access_denied", "the person does not allow it")),
        ("sign-out", _) => {
            hub.sign_out_browser(cookie).await?;
            Ok(visit.sign_in(StatusCode::OK, "", None))
        }
        _ => {
            let over = Some("You were signed out meanwhile. Sign in again.");
            Ok(visit.sign_in(StatusCode::UNAUTHORIZED, "", over))
        }
    }
}

async fn sign_in(
    door: &Door,
    visit: &Visit<'_>,
    posted: &Posted,
    cookie: &str,
    Visiting(visitor): Visiting,
) -> Response {
    let Posted { login, password, otp, .. } = posted;
    let (typed, now) = ((login.as_str(), password.as_str()), clock::now());
    match door.hub.sign_in_browser(typed, otp, cookie, &visitor, now, &mut clock::rng()).await {
        Ok((fresh, device)) => {
            let next = Visit::new(door, visit.asked, visit.request, &fresh);
            with_device(with_cookie(next.consent(), &fresh), device.fresh.as_deref())
        }
        Err(error) => {
            let problem = Problem::from(error);
            let status = StatusCode::from_u16(problem.status);
            let why = problem.detail.as_deref().or(Some("something failed inside; try again"));
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut page = visit.sign_in(status, login, why);
            if let Some(retry) = problem.into_response().headers().get(header::RETRY_AFTER) {
                page.headers_mut().insert(header::RETRY_AFTER, retry.clone());
            }
            page
        }
    }
}

impl<'a> Visit<'a> {
    fn new(door: &Door, asked: &'a Authorization, request: &'a str, cookie: &str) -> Self {
        Self { asked, request, csrf: door.hub.form_token(cookie) }
    }

    fn sign_in(&self, status: StatusCode, login: &str, problem: Option<&str>) -> Response {
        let page = SignInPage {
            client: &self.asked.client.id,
            csrf: &self.csrf,
            request: self.request,
            login,
            problem,
        };
        rendered(status, &page, self.asked.redirect_uri())
    }

    fn consent(&self) -> Response {
        let page = ConsentPage {
            client: &self.asked.client.id,
            csrf: &self.csrf,
            request: self.request,
            target: &origin(self.asked.redirect_uri()),
            wishes: self.asked.scopes.iter().map(|scope| wish(*scope)).collect(),
        };
        rendered(StatusCode::OK, &page, self.asked.redirect_uri())
    }
}

fn wish(scope: Scope) -> &'static str {
    match scope {
        Scope::Account => "See, change and erase your account, and sign you out",
        Scope::Devices => "Add, see and remove your devices",
        Scope::Shops => "Apply for a shop for you, and keep its profile",
        Scope::Admin => "Do all that you may do as an administrator",
        Scope::OpenId => "Know you again",
        Scope::Profile => "See your name and language",
        Scope::Email => "See your email address",
    }
}

/// Renders a page whose forms may lead to this hub and on to `target`: browsers hold a redirect
/// after a form against `form-action` too.
pub(super) fn rendered(status: StatusCode, page: &impl Template, target: &str) -> Response {
    let Ok(html) = page.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, NO_STORE, Html(html)).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; object-src 'none'; \
         form-action 'self' {}; frame-ancestors 'none'",
        origin(target)
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Scheme and host of an address; of an app's own scheme the scheme alone.
fn origin(target: &str) -> String {
    match url::Url::parse(target) {
        Ok(url) if url.origin().is_tuple() => url.origin().ascii_serialization(),
        Ok(url) => format!("{}:", url.scheme()),
        Err(_) => String::new(),
    }
}

fn refused(no: NotAsked, headers: &HeaderMap) -> Response {
    let said = no.to_string();
    let (error, status) = match no {
        NotAsked::Back(to) => return see_other(&to),
        NotAsked::Failed(Error::NotServedHere) => {
            return Refusal::of_status(StatusCode::NOT_FOUND).into_response();
        }
        NotAsked::Failed(error) => return Refusal::from(error).into_response(),
        NotAsked::Stay(_) => ("invalid_request", StatusCode::BAD_REQUEST),
        NotAsked::Unknown => ("unauthorized_client", StatusCode::FORBIDDEN),
    };
    match takes_pages(headers) {
        true => rendered(status, &StayPage { why: &said }, ""),
        false => Refusal::of(error, said, status).into_response(),
    }
}

/// What the pages look like.
#[utoipa::path(get, path = "/oauth/pages.css", tag = "oauth", responses(
    (status = 200, content_type = "text/css", body = String)))]
pub async fn style() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let kind = (header::CONTENT_TYPE, "text/css; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "public, max-age=3600")], STYLE)
}

const STYLE: &str = include_str!("../../templates/pages.css");

fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, NO_STORE, [(header::LOCATION, to)]).into_response(),
        Err(_) => Refusal::of_status(StatusCode::BAD_REQUEST).into_response(),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    extract::cookie(headers, COOKIE)
}

/// Lax, not Strict: the browser comes here by a link of another site.
fn with_cookie(mut response: Response, cookie: &str) -> Response {
    let cookie = format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Gives a browser what it is known by at its next sign-in, for as long as browsers keep anything.
pub(super) fn with_device(mut response: Response, fresh: Option<&str>) -> Response {
    let Some(device) = fresh else { return response };
    let cookie = format!(
        "{DEVICE_COOKIE}={device}; Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=Strict"
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
