//! `/v1/password-resets` and the page that a link leads to: ways back to a lost account.
//!
//! **Invariants:** looking at the page changes nothing; links name this hub as its operator does,
//! whatever a request says it is called.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::time::UnixMs;
use serde::{Deserialize, Serialize};

use super::{
    Door,
    authorize::rendered,
    extract::{Body, Caller, Query, Signed, id},
    factors::Confirmation,
    problem::Problem,
    sessions::NO_STORE,
};
use crate::{
    app::{Error, reset::Shown},
    clock,
};

/// Whose password is lost.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// The login.
    login: String,
}

/// What everybody is told who asks.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Asked {
    /// What happens now, if there is such an account.
    detail: &'static str,
}

const ASKED: &str = "if there is an account with this login and an email address, a letter with a \
                     link is on its way; without an email address, use a printed recovery code or \
                     ask an administrator for one";

/// A new password, with what allows it: `token`, or `login` and `recovery_code`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(
    untagged,
    expecting = "expected `token` and `password`, or else `login`, `recovery_code` \
                               and `password`"
)]
pub enum Reset {
    /// By a letter's link.
    Link(ResetByLink),
    /// By a code on paper.
    Code(ResetByCode),
}

/// A new password by the link of a letter.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetByLink {
    /// The token of the link.
    token: String,
    /// The password to come.
    password: String,
}

/// A new password by a code on paper.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetByCode {
    /// Whose code it is.
    login: String,
    /// A code that was printed at registration, or that an administrator handed over.
    recovery_code: String,
    /// The password to come.
    password: String,
}

/// A code to be handed over in person.
#[derive(Serialize, utoipa::ToSchema)]
pub struct HandedCode {
    /// Sets another password, once; shown once.
    recovery_code: String,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

/// Codes to print.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PrintedCodes {
    /// Each sets another password, once; those of before count no more.
    recovery_codes: Vec<String>,
}

/// A code from a letter.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailCode {
    /// Eight digits.
    code: String,
}

/// Asks for a link by mail; the answer is the same for everybody.
#[utoipa::path(post, path = "/v1/password-resets", tag = "accounts", request_body = Lost,
    responses((status = 202, body = Asked),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn ask(
    State(door): State<Door>,
    Caller(from): Caller,
    Body(Lost { login }): Body<Lost>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<Asked>), Problem> {
    door.hub.ask_reset(&login, from, clock::now()).await?;
    Ok((StatusCode::ACCEPTED, NO_STORE, Json(Asked { detail: ASKED })))
}

/// Sets another password and signs out everywhere; a second factor stays.
#[utoipa::path(post, path = "/v1/password-resets/confirm", tag = "accounts", request_body = Reset,
    responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm(
    State(door): State<Door>,
    Caller(from): Caller,
    Body(reset): Body<Reset>,
) -> Result<StatusCode, Problem> {
    let (shown, password) = match &reset {
        Reset::Link(ResetByLink { token, password }) => (Shown::Link(token), password),
        Reset::Code(ResetByCode { login, recovery_code: code, password }) => {
            (Shown::Code { login, code }, password)
        }
    };
    let (now, mut rng) = (clock::now(), clock::rng());
    door.hub.reset_password(shown, password, from, now, &mut rng).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a code that an administrator hands over in person.
#[utoipa::path(post, path = "/v1/accounts/{id}/recovery", tag = "admin",
    security(("bearer" = [])), params(("id" = String, Path)),
    responses((status = 201, body = HandedCode),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn hand(
    State(door): State<Door>,
    Signed(actor): Signed,
    Path(account): Path<String>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<HandedCode>), Problem> {
    let account = id("account", &account)?;
    let handed = door.hub.hand_code(&actor, account, clock::now(), &mut clock::rng()).await?;
    let handed = HandedCode { recovery_code: handed.code, expires_at: handed.expires_at };
    Ok((StatusCode::CREATED, NO_STORE, Json(handed)))
}

/// Gives other codes to print, for whoever knows the password.
#[utoipa::path(post, path = "/v1/me/recovery-codes", tag = "accounts", security(("bearer" = [])),
    request_body = Confirmation, responses((status = 201, body = PrintedCodes),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn print(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(Confirmation { password }): Body<Confirmation>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 2], Json<PrintedCodes>), Problem> {
    let (now, mut rng) = (clock::now(), clock::rng());
    let recovery_codes = door.hub.print_codes(&actor, &password, now, &mut rng).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(PrintedCodes { recovery_codes })))
}

/// Sends a code to the own email address.
#[utoipa::path(post, path = "/v1/me/email/confirmation", tag = "accounts",
    security(("bearer" = [])), responses((status = 202),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn send_email_code(
    State(door): State<Door>,
    Signed(actor): Signed,
) -> Result<StatusCode, Problem> {
    door.hub.send_email_code(&actor, clock::now(), &mut clock::rng()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirms the own email address by the code that was sent to it.
#[utoipa::path(post, path = "/v1/me/email/confirmation/confirm", tag = "accounts",
    security(("bearer" = [])), request_body = EmailCode, responses((status = 204),
    (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm_email(
    State(door): State<Door>,
    Signed(actor): Signed,
    Body(EmailCode { code }): Body<EmailCode>,
) -> Result<StatusCode, Problem> {
    door.hub.confirm_email(&actor, &code, clock::now(), &mut clock::rng()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a link brings along.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Followed {
    /// The token.
    #[serde(default)]
    token: String,
    /// The language of the letter.
    #[serde(default)]
    language: String,
}

/// What the form on the page sends.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct ResetForm {
    /// The token.
    token: String,
    /// The password to come.
    password: String,
    /// The language of the page.
    #[serde(default)]
    language: String,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    words: &'static Words,
    token: Option<&'a str>,
    problem: Option<&'a str>,
    is_done: bool,
}

/// What the page says, in one language.
struct Words {
    language: &'static str,
    title: &'static str,
    label: &'static str,
    hint: &'static str,
    button: &'static str,
    done: &'static str,
    over: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    title: "Set a new password",
    label: "New password",
    hint: "At least 15 characters, such as four or five words; 8 where you have a second factor.",
    button: "Set password",
    done: "The new password is set, and all devices were signed out. You may close this page and \
           sign in.",
    over: "This link is over or was used already. Ask for a new one where you sign in.",
};

const HINDI: Words = Words {
    language: "hi",
    title: "नया पासवर्ड बनाएँ",
    label: "नया पासवर्ड",
    hint: "कम से कम 15 अक्षर, जैसे चार या पाँच शब्द; दूसरा सत्यापन चालू हो तो 8 अक्षर।",
    button: "पासवर्ड बनाएँ",
    done: "नया पासवर्ड बन गया और सभी उपकरण साइन-आउट हो गए। अब यह पन्ना बंद करके साइन-इन करें।",
    over: "यह लिंक पुराना हो गया या इस्तेमाल हो चुका है। साइन-इन की जगह से नया लिंक माँगें।",
};

fn words(language: &str) -> &'static Words {
    if language == HINDI.language { &HINDI } else { &ENGLISH }
}

/// The page that a link leads to; looking at it changes nothing.
#[utoipa::path(get, path = "/password-reset", tag = "accounts", params(Followed), responses(
    (status = 200, content_type = "text/html", body = String),
    (status = "4XX", content_type = "text/html", body = String)))]
pub async fn page(
    State(door): State<Door>,
    Query(Followed { token, language }): Query<Followed>,
) -> Result<Response, Problem> {
    let words = words(&language);
    let is_alive = door.hub.is_link_alive(&token, clock::now()).await?;
    let (status, token) = match is_alive {
        true => (StatusCode::OK, Some(&*token)),
        false => (StatusCode::NOT_FOUND, None),
    };
    Ok(shown(status, &ResetPage { words, token, problem: None, is_done: false }))
}

/// Takes the form of the page.
#[utoipa::path(post, path = "/password-reset", tag = "accounts",
    request_body(content = ResetForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, content_type = "text/html", body = String),
    (status = 415, body = Problem, content_type = "application/problem+json"),
    (status = 422, content((String = "text/html"), (Problem = "application/problem+json"))),
    (status = "4XX", content_type = "text/html", body = String)))]
pub async fn take(
    State(door): State<Door>,
    Caller(from): Caller,
    posted: Result<Form<ResetForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(ResetForm { token, password, language }) =
        posted.map_err(|no| Problem::of_status(no.status()))?;
    let (words, now, mut rng) = (words(&language), clock::now(), clock::rng());
    let link = Shown::Link(&token);
    Ok(match door.hub.reset_password(link, &password, from, now, &mut rng).await {
        Ok(()) => {
            let page = ResetPage { words, token: None, problem: None, is_done: true };
            shown(StatusCode::OK, &page)
        }
        Err(error) => not_set(words, &token, error),
    })
}

/// The page again with what was wrong; without the form where the link does not count any more.
fn not_set(words: &'static Words, token: &str, error: Error) -> Response {
    if matches!(error, Error::CodeUnknown) {
        let page = ResetPage { words, token: None, problem: None, is_done: false };
        return shown(StatusCode::NOT_FOUND, &page);
    }
    let problem = Problem::from(error);
    let why = problem.detail.clone().unwrap_or_default();
    let page = ResetPage { words, token: Some(token), problem: Some(&why), is_done: false };
    let bare = problem.into_response();
    let mut response = shown(bare.status(), &page);
    if let Some(retry) = bare.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    response
}

fn shown(status: StatusCode, page: &ResetPage<'_>) -> Response {
    rendered(status, page, "")
}
