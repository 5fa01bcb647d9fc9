//! Signing in at the console and out again.
//!
//! **Invariant:** whoever signs in lands on the overview: nothing in a request says where to.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    Answer, ROOT,
    guard::{Sent, cookie, is_from_elsewhere, with_cookie, without_cookie},
    page::{notice, page_of},
    see_other,
};
use crate::{
    app::authorize::fresh_cookie,
    clock,
    http::{Door, authorize::with_device, extract::Visiting, problem::Problem},
};

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignInPage<'a> {
    csrf: &'a str,
    login: &'a str,
    problem: Option<&'a str>,
    notice: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/come_in.html")]
struct ComeInPage;

/// The page that asks who is there.
pub fn ask(door: &Door, headers: &HeaderMap, query: Option<&str>) -> Answer {
    // A link on another site brings no cookie along, and a new one would sign the person out.
    if cookie(headers).is_none() && is_from_elsewhere(headers) {
        return page_of(StatusCode::OK, &ComeInPage);
    }
    let fresh = fresh_cookie(&mut clock::rng());
    let cookie = cookie(headers).filter(|cookie| !cookie.is_empty());
    let csrf = door.hub.form_token(cookie.unwrap_or(&fresh));
    let asked = SignInPage { csrf: &csrf, login: "", problem: None, notice: notice(query) };
    let response = page_of(StatusCode::OK, &asked)?;
    Ok(if cookie.is_some() { response } else { with_cookie(response, &fresh) })
}

/// Takes login, password and code.
pub async fn sign_in(State(door): State<Door>, sent: Sent) -> Answer {
    let Sent { cookie, fields, visitor: Visiting(visitor) } = sent;
    let login = fields.text("login");
    let typed = (login, fields.text("password"));
    let (otp, now) = (fields.text("otp"), clock::now());
    let mut rng = clock::rng();
    match door.hub.sign_in_console(typed, otp, &cookie, &visitor, now, &mut rng).await {
        Ok((fresh, device)) => {
            Ok(with_device(with_cookie(see_other(ROOT), &fresh), device.fresh.as_deref()))
        }
        Err(error) => ask_again(&door, &cookie, login, error.into()),
    }
}

fn ask_again(door: &Door, cookie: &str, login: &str, problem: Problem) -> Answer {
    let status = StatusCode::from_u16(problem.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let why = problem.detail.as_deref().or(Some("something failed inside; try again"));
    let csrf = door.hub.form_token(cookie);
    let asked = SignInPage { csrf: &csrf, login, problem: why, notice: None };
    let mut response = page_of(status, &asked)?;
    if let Some(retry) = problem.into_response().headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    Ok(response)
}

/// Signs out, also here on the server.
pub async fn sign_out(State(door): State<Door>, sent: Sent) -> Result<Response, Problem> {
    door.hub.sign_out_console(&sent.cookie).await?;
    Ok(without_cookie(see_other("/console/?done=signed-out")))
}
