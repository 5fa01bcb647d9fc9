//! What surrounds every page of the console, and how it is sent.
//!
//! **Invariant:** a page loads nothing but the hub's own style and pictures, sends its forms to this
//! hub alone, and is stored nowhere.

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use jiff::Timestamp;
use kirana_core::time::UnixMs;

use super::{Answer, ROOT};
use crate::{
    app::{policy::Actor, role::Role},
    http::{problem::Problem, sessions::NO_STORE},
};

/// What every page shows around its content.
#[derive(Debug)]
pub struct Shell {
    /// What the page's forms carry.
    pub csrf: String,
    /// Whether the pages for administrators are offered; the app decides who gets them.
    pub is_admin: bool,
    /// What was just done, in words.
    pub notice: Option<&'static str>,
    /// The part of the console in which the page stands.
    pub here: &'static str,
}

/// The parts of the console, and whether one is for administrators alone.
const SECTIONS: [(&str, &str, bool); 7] = [
    (ROOT, "Overview", false),
    ("/console/accounts", "Accounts", false),
    ("/console/shops", "Shops", false),
    ("/console/hubs", "Hubs", false),
    ("/console/queues", "Mail", false),
    ("/console/policies", "Policies", false),
    ("/console/audit", "Audit log", true),
];

/// What may stand in `?done=`, and the words for it: nothing else from an address is ever shown.
const DONE: [(&str, &str); 11] = [
    ("signed-out", "You are signed out."),
    ("roles-set", "The roles are set."),
    ("created", "The account is made."),
    ("suspended", "The account is suspended; the person is signed out everywhere."),
    ("resumed", "The account is open again."),
    ("device-revoked", "The device is shut out."),
    ("approved", "The shop is approved."),
    ("asked", "The owner is asked, and sees it with the application."),
    ("refused", "The application is refused."),
    ("hub-certified", "The community hub is certified; it fetches its certificate by itself."),
    ("hub-revoked", "The community hub is shut out."),
];

impl Shell {
    /// For a page that was asked for by this address.
    pub fn new(csrf: String, actor: &Actor, uri: &Uri) -> Self {
        let sections = SECTIONS.iter().map(|(at, ..)| *at);
        let here = sections.filter(|at| uri.path().starts_with(at)).max_by_key(|at| at.len());
        Self {
            csrf,
            is_admin: actor.roles.contains(&Role::Admin),
            notice: notice(uri.query()),
            here: here.unwrap_or(ROOT),
        }
    }

    /// The parts that are offered, each with its address.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let offered = SECTIONS.iter().filter(|(.., admin)| self.is_admin || !admin);
        offered.map(|(at, name, _)| (*at, *name))
    }
}

/// The words for what a query says was done.
pub fn notice(query: Option<&str>) -> Option<&'static str> {
    let done = query?.split('&').find_map(|pair| pair.strip_prefix("done="))?;
    DONE.iter().find(|(known, _)| *known == done).map(|(_, words)| *words)
}

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; object-src 'none'; frame-ancestors 'none'";

/// Sends a page.
pub fn page(page: &impl Template) -> Answer {
    page_of(StatusCode::OK, page)
}

/// Sends a page with a status of its own.
pub fn page_of(status: StatusCode, page: &impl Template) -> Answer {
    let html = page.render().map_err(|error| {
        tracing::error!(error = %error, "a page could not be made");
        Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let mut response = (status, NO_STORE, Html(html)).into_response();
    surround(response.headers_mut());
    Ok(response)
}

fn surround(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Without a referrer a browser would not say either which page a form came from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

#[derive(Template)]
#[template(path = "console/failed.html")]
struct FailedPage<'a> {
    title: &'a str,
    detail: &'a str,
}

/// Says what went wrong on a page, with the status and the headers that it had as a document.
pub fn failed(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    let problem = parts.extensions.get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| Problem::of_status(parts.status));
    let detail = problem.detail.as_deref().unwrap_or("Something failed inside; try again.");
    let Ok(html) = (FailedPage { title: title(parts.status), detail }).render() else {
        return problem.into_response();
    };
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    parts.headers.remove(header::CONTENT_LENGTH);
    surround(&mut parts.headers);
    Response::from_parts(parts, Body::from(html))
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "You are signed out",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::CONFLICT => "This does not fit",
        StatusCode::TOO_MANY_REQUESTS => "Please wait a moment",
        status if status.is_server_error() => "The hub could not do that",
        _ => "This does not work",
    }
}

/// A moment as people read it.
pub struct When(UnixMs);

// Templates hand things over by reference, so these take them so.
impl When {
    /// This moment.
    pub fn at(moment: &UnixMs) -> Self {
        Self(*moment)
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = i64::try_from(self.0.get()).unwrap_or(i64::MAX);
        match Timestamp::from_millisecond(ms) {
            Ok(at) => write!(f, "{}", at.strftime("%-d %b %Y, %H:%M UTC")),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// How long something lasts already, as people say it.
pub struct Age(u64);

impl Age {
    /// From a moment until now.
    pub fn of(since: &UnixMs, now: &UnixMs) -> Self {
        Self(now.since(*since))
    }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minutes = self.0 / 60_000;
        let (count, unit) = match minutes {
            0 => return write!(f, "less than a minute"),
            1..120 => (minutes, "minute"),
            120..2880 => (minutes / 60, "hour"),
            _ => (minutes / 1440, "day"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// A number of bytes as people read it.
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub fn of(bytes: &u64) -> Self {
        Self(*bytes)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0..1000 => write!(f, "{} bytes", self.0),
            1000..1_000_000 => write!(f, "{:.1} kB", self.0 as f64 / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", self.0 as f64 / 1e6),
            _ => write!(f, "{:.1} GB", self.0 as f64 / 1e9),
        }
    }
}

/// Asks once more before something is done that somebody else will feel.
#[derive(Template)]
#[template(path = "console/confirm.html")]
pub struct Confirmation {
    /// What surrounds the page.
    pub shell: Shell,
    /// The question.
    pub title: String,
    /// What it comes to.
    pub lines: Vec<String>,
    /// Where the answer goes.
    pub action: String,
    /// What goes along.
    pub fields: Vec<(&'static str, String)>,
    /// The word for yes.
    pub button: &'static str,
    /// Whether it cannot be undone.
    pub is_grave: bool,
    /// Where no leads.
    pub back: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_sizes_and_moments_read_as_people_say_them() {
        let said = |ms| Age(ms).to_string();
        assert_eq!(said(59_999), "less than a minute");
        assert_eq!((said(60_000), said(119 * 60_000)), ("1 minute".into(), "119 minutes".into()));
        assert_eq!((said(7_200_000), said(172_800_000)), ("2 hours".into(), "2 days".into()));
        assert_eq!(Size(999).to_string(), "999 bytes");
        assert_eq!(Size(1_250_000).to_string(), "1.2 MB");
        assert_eq!(When(UnixMs::new(0)).to_string(), "1 Jan 1970, 00:00 UTC");
        // A clock that went back says nothing absurd.
        assert_eq!(Age::of(&UnixMs::new(5), &UnixMs::new(1)).to_string(), "less than a minute");
    }

    #[test]
    fn std_40_an_address_chooses_among_known_words_and_adds_none() {
        assert_eq!(notice(Some("a=b&done=roles-set")), Some("The roles are set."));
        assert_eq!(notice(Some("done=<b>you+won</b>")), None);
        assert_eq!(notice(None), None);
    }
}
