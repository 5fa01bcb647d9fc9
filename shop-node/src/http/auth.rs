//! Finds out who asks, by the bearer token.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};

use super::{Door, now, problem::Problem};
use crate::app::access::{Closed, Visitor};

/// Somebody who signed in at this shop.
pub struct SignedIn(pub Visitor);

impl FromRequestParts<Door> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let Token(token) = Token::from_request_parts(parts, door).await?;
        Ok(Self(door.look(move |access| access.visitor(&token, now())).await?))
    }
}

/// The bearer token as it came, whatever it is worth.
pub struct Token(pub String);

impl FromRequestParts<Door> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        given
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| Self(token.trim().to_owned()))
            .ok_or_else(|| Problem::unauthorised("send an access token of this shop"))
    }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Forbidden => Self::forbidden(),
            Closed::NoOwner => Self::new(StatusCode::CONFLICT, "no-owner-key", closed.to_string()),
            Closed::NotStaffed(why) => why.into(),
            Closed::NotOpened(why) => why.into(),
            Closed::NotATill => Self::new(StatusCode::FORBIDDEN, "not-a-till", closed.to_string()),
            Closed::NotStored(not_stored) => not_stored.into(),
            Closed::Store(error) => Self::internal(&error),
            Closed::Token(_)
            | Closed::Nobody
            | Closed::Distrust(_)
            | Closed::Unproven(_)
            | Closed::Again => Self::unauthorised(closed.to_string()),
        }
    }
}
