//! Who stands before the console, and whether a form came from one of its own pages.
//!
//! **Invariant:** a handler that takes [`Sent`] or [`Posted`] has a form from this hub's page in this
//! browser; one that takes [`Operator`] or [`Posted`] has somebody who showed a second factor.

use axum::{
    Form,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::{ROOT, page::Shell, see_other};
use crate::{
    app::{console::Present, policy::Actor},
    clock,
    http::{
        Door,
        extract::{self, Visiting},
        problem::Problem,
    },
};

/// The cookie of the console; its name makes browsers insist on `Secure` and `Path=/`.
const COOKIE: &str = "__Host-kirana-console";

/// The console's cookie as it came, or nothing.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    extract::cookie(headers, COOKIE)
}

/// Sets the cookie. Strict: no other site has a reason to send the browser here signed in.
pub fn with_cookie(response: Response, cookie: &str) -> Response {
    set_cookie(response, &format!("{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Strict"))
}

/// Takes the cookie away.
pub fn without_cookie(response: Response) -> Response {
    let gone = format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    set_cookie(response, &gone)
}

fn set_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether another site led the browser here, so that it kept the cookie back.
pub fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    site(headers).is_some_and(|site| site == b"cross-site" || site == b"same-site")
}

fn site(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("sec-fetch-site").map(HeaderValue::as_bytes)
}

/// Why somebody does not get the page that was asked for.
#[derive(Debug)]
pub enum Turned {
    /// Nobody is signed in.
    SignIn,
    /// A second factor comes first.
    Enrol,
    /// It is refused.
    Refused(Box<Problem>),
}

impl<E: Into<Problem>> From<E> for Turned {
    fn from(error: E) -> Self {
        Self::Refused(Box::new(error.into()))
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn => see_other(ROOT),
            Self::Enrol => see_other("/console/factor"),
            Self::Refused(problem) => problem.into_response(),
        }
    }
}

/// An operator who asks for a page.
pub struct Operator {
    /// Who.
    pub actor: Actor,
    /// What surrounds the page.
    pub shell: Shell,
}

impl FromRequestParts<Door> for Operator {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Turned> {
        let cookie = cookie(&parts.headers).unwrap_or_default();
        match door.hub.console(cookie, clock::now()).await? {
            None => Err(Turned::SignIn),
            Some(Present::Enrolling(..)) => Err(Turned::Enrol),
            Some(Present::Operator(actor)) => {
                let shell = Shell::new(door.hub.form_token(cookie), &actor, &parts.uri);
                Ok(Self { actor, shell })
            }
        }
    }
}

/// What an address asks for after its question mark.
pub struct Asked(pub Fields);

impl FromRequestParts<Door> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(Fields(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())))
    }
}

/// The fields of a form, in the order in which they came.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of a field; what is absent is empty.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first value of a field, unless it is absent or empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A form from a page of the console, whoever sent it.
pub struct Sent {
    /// The cookie that the form belongs to.
    pub cookie: String,
    /// What was typed.
    pub fields: Fields,
    /// Where from.
    pub visitor: Visiting,
}

impl FromRequest<Door> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        if !is_from_own_page(&parts.headers, &door.hub.settings().issuer) {
            return Err(refused("the form came from another site"));
        }
        let visitor = Visiting::from_request_parts(&mut parts, door).await?;
        let cookie = cookie(&parts.headers).unwrap_or_default().to_owned();
        let header = parts.headers.get("x-csrf-token").cloned();
        let form = Form::from_request(Request::from_parts(parts, body), door).await;
        let wanted = door.hub.form_token(&cookie);
        let is_wanted = |given: &[u8]| !cookie.is_empty() && given == wanted.as_bytes();
        let field = form.as_ref().ok().and_then(|Form(fields): &Form<Vec<(String, String)>>| {
            fields.iter().find(|(name, _)| name == "csrf")
        });
        let by_header = header.is_some_and(|header| is_wanted(header.as_bytes()));
        if !by_header && !field.is_some_and(|(_, value)| is_wanted(value.as_bytes())) {
            return Err(refused(
                "the form is from another browser or too old; load the page again",
            ));
        }
        match form {
            Ok(Form(fields)) => Ok(Self { cookie, fields: Fields(fields), visitor }),
            Err(unreadable) => Err(Problem::of_status(unreadable.status())),
        }
    }
}

/// A form that an operator sent.
pub struct Posted {
    /// Who.
    pub actor: Actor,
    /// What surrounds the page that answers.
    pub shell: Shell,
    /// What was typed.
    pub fields: Fields,
}

impl FromRequest<Door> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        let uri = request.uri().clone();
        let sent = Sent::from_request(request, door).await?;
        match door.hub.console(&sent.cookie, clock::now()).await? {
            None => Err(signed_out()),
            Some(Present::Enrolling(..)) => Err(refused("add a second factor first")),
            Some(Present::Operator(actor)) => {
                let shell = Shell::new(door.hub.form_token(&sent.cookie), &actor, &uri);
                Ok(Self { actor, shell, fields: sent.fields })
            }
        }
    }
}

/// Says that nobody is signed in any more.
pub fn signed_out() -> Problem {
    let detail = "you were signed out meanwhile; sign in again".to_owned();
    Problem::new(StatusCode::UNAUTHORIZED, "signed-out", Some(detail))
}

fn refused(why: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "form-refused", Some(why.to_owned()))
}

/// What a browser says of where a form stood, if it says anything, names this hub: as the world
/// knows it, or as this browser reached it.
fn is_from_own_page(headers: &HeaderMap, issuer: &str) -> bool {
    if site(headers).is_some_and(|site| site != b"same-origin") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(own) = url::Url::parse(issuer) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let reached = host.map(|host| format!("{}://{host}", own.scheme()));
    *origin == own.origin().ascii_serialization() || reached.is_some_and(|own| *origin == own)
}
