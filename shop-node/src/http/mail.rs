//! Takes sealed mail over HTTP: what a carried file holds, or what a page on the Wi-Fi sends.

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use kirana_core::{
    cbor,
    mail::{Mail, SEALED_BYTES_MAX},
};

use super::{Door, now, problem::Problem};
use crate::{
    app::{Undeliverable, refusal::NotStored},
    clock,
};

/// The longest mail with what stands outside its seal, in bytes.
const MAIL_BYTES_MAX: usize = SEALED_BYTES_MAX + 8 * 1024;

/// Takes in one piece of sealed mail and answers with the sealed reply.
#[utoipa::path(post, path = "/v1/mail", tag = "mail",
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 200, description = "the sealed reply"), (status = 204, description = "taken in"),
        (status = 422, body = Problem)))]
pub async fn deliver(State(door): State<Door>, body: Bytes) -> Result<Response, Problem> {
    let mail: Mail = cbor::from_slice("mail", &body, MAIL_BYTES_MAX)
        .map_err(|error| Problem::malformed(error.to_string()))?;
    let delivered =
        door.run(move |access| access.shop().deliver(&mail, now(), &mut clock::rng())).await?;
    Ok(match delivered.reply {
        Some(reply) => {
            let kind = [(header::CONTENT_TYPE, "application/cbor")];
            (kind, cbor::to_vec(&reply)).into_response()
        }
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

impl From<Undeliverable> for Problem {
    fn from(why: Undeliverable) -> Self {
        let refused = |status, code| Self::new(status, code, why.to_string());
        match &why {
            Undeliverable::NotForUs { .. } | Undeliverable::StatementForOther { .. } => {
                refused(StatusCode::MISDIRECTED_REQUEST, "not-for-us")
            }
            Undeliverable::Unstamped(_) => refused(StatusCode::FORBIDDEN, "unstamped"),
            Undeliverable::Forged(_) | Undeliverable::WrongAuthor => {
                refused(StatusCode::FORBIDDEN, "forged")
            }
            Undeliverable::Distrust(_) | Undeliverable::NoCertificate { .. } => {
                refused(StatusCode::FORBIDDEN, "not-certified")
            }
            Undeliverable::Unopenable(_) => refused(StatusCode::UNPROCESSABLE_ENTITY, "unopenable"),
            Undeliverable::Malformed(_)
            | Undeliverable::Said(_)
            | Undeliverable::Chain(_)
            | Undeliverable::Empty
            | Undeliverable::TooMany { .. } => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "unacceptable")
            }
            Undeliverable::KeyReused => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused")
            }
            Undeliverable::ReadOnly { .. } => refused(StatusCode::CONFLICT, "read-only"),
            Undeliverable::NotStored(not_stored) => (*not_stored).into(),
            Undeliverable::Store(error) => Self::internal(error),
        }
    }
}

impl From<NotStored> for Problem {
    fn from(why: NotStored) -> Self {
        let title = why.to_string();
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match why {
            NotStored::Full => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", title).retry_after(10)
            }
            NotStored::Crowded => Self::new(unavailable, "busy", title).retry_after(1),
            NotStored::Unknown => Self::new(unavailable, "unknown", title).retry_after(1),
            NotStored::Stopped => Self::new(unavailable, "disk-failed", title).retry_after(30),
        }
    }
}
