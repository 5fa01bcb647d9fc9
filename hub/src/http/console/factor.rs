//! Enrols an operator's first second factor, without which the console stays closed.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use qrcode::{QrCode, render::svg};

use super::{
    Answer, ROOT,
    guard::{Sent, Turned, cookie, signed_out, with_cookie},
    page::page_of,
    see_other,
};
use crate::{
    app::{Error, console::Present, factor::Begun, policy::Actor},
    clock,
    http::{Door, problem::Problem, sessions::NO_STORE},
    store::factor::FactorId,
};

#[derive(Template)]
#[template(path = "console/factor.html")]
struct FactorPage<'a> {
    csrf: &'a str,
    shared: Option<Shared>,
    problem: Option<&'a str>,
}

/// What the app needs.
struct Shared {
    secret: String,
    otpauth_uri: String,
}

#[derive(Template)]
#[template(path = "console/recovery.html")]
struct RecoveryPage {
    codes: Vec<String>,
}

/// Shows what the authenticator app needs.
pub async fn show(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Turned> {
    let cookie = cookie(&headers).unwrap_or_default();
    match door.hub.console(cookie, clock::now()).await? {
        None => Err(Turned::SignIn),
        Some(Present::Operator(_)) => Ok(see_other(ROOT)),
        Some(Present::Enrolling(actor, factor)) => {
            let begun = begun(&door, &actor, factor).await?;
            Ok(asked(StatusCode::OK, &door.hub.form_token(cookie), begun, None)?)
        }
    }
}

/// The factor that was begun in this browser, if it waits still.
async fn begun(
    door: &Door,
    actor: &Actor,
    factor: Option<FactorId>,
) -> Result<Option<Begun>, Error> {
    match factor {
        Some(factor) => door.hub.begun_factor(actor, factor, clock::now()).await,
        None => Ok(None),
    }
}

fn asked(status: StatusCode, csrf: &str, begun: Option<Begun>, problem: Option<&str>) -> Answer {
    let shared = begun.map(|begun| {
        let letters: Vec<char> = begun.secret.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Shared { secret: groups.join(" "), otpauth_uri: begun.otpauth_uri }
    });
    page_of(status, &FactorPage { csrf, shared, problem })
}

/// The same as a picture.
pub async fn picture(State(door): State<Door>, headers: HeaderMap) -> Answer {
    let (actor, factor) = enrolling(&door, cookie(&headers).unwrap_or_default()).await?;
    let begun = begun(&door, &actor, factor).await?;
    let begun = begun.ok_or(Error::NotFound { what: "second factor that waits" })?;
    // A link of an authenticator is far below what the largest code holds.
    let code = QrCode::new(begun.otpauth_uri.as_bytes());
    let code = code.map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Ok((NO_STORE, [(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

/// Takes the app's first code and shows the recovery codes, once.
pub async fn confirm(State(door): State<Door>, sent: Sent) -> Answer {
    let (actor, factor) = enrolling(&door, &sent.cookie).await?;
    let id = factor.ok_or(Error::NotFound { what: "second factor that waits" })?;
    let (otp, now, mut rng) = (sent.fields.text("otp"), clock::now(), clock::rng());
    match door.hub.enrol_at_console(&actor, id, otp, &sent.cookie, now, &mut rng).await {
        Ok((codes, fresh)) => {
            Ok(with_cookie(page_of(StatusCode::OK, &RecoveryPage { codes })?, &fresh))
        }
        Err(error @ Error::FactorWrong) => {
            let (begun, csrf) =
                (begun(&door, &actor, factor).await?, door.hub.form_token(&sent.cookie));
            asked(StatusCode::UNAUTHORIZED, &csrf, begun, Some(&error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Begins again with another secret.
pub async fn again(State(door): State<Door>, sent: Sent) -> Answer {
    let (actor, _) = enrolling(&door, &sent.cookie).await?;
    door.hub.begin_at_console(&actor, clock::now(), &mut clock::rng()).await?;
    Ok(see_other("/console/factor"))
}

async fn enrolling(door: &Door, cookie: &str) -> Result<(Actor, Option<FactorId>), Problem> {
    match door.hub.console(cookie, clock::now()).await? {
        Some(Present::Enrolling(actor, factor)) => Ok((actor, factor)),
        Some(Present::Operator(_)) | None => Err(signed_out()),
    }
}
