//! Parses what comes with a request, within limits, into what the app takes.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    hash::Hash,
    key::{PublicKey, SealingPublic},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{Door, problem::Problem};
use crate::{
    app::{Error, device::Keys, policy::Actor, visitor::Visitor},
    clock,
    store::idempotency::Once,
};

/// Who is signed in: a bearer token that counts.
pub struct Signed(pub Actor);

impl FromRequestParts<Door> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        match Perhaps::from_request_parts(parts, door).await? {
            Perhaps(Some(actor)) => Ok(Self(actor)),
            // A community hub has nobody who could sign in.
            Perhaps(None) => Err(door.hub.authenticate("", clock::now()).await.err().into()),
        }
    }
}

/// Who is signed in, if anybody is.
pub struct Perhaps(pub Option<Actor>);

impl FromRequestParts<Door> for Perhaps {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        match bearer(&parts.headers) {
            None => Ok(Self(None)),
            Some(token) => Ok(Self(Some(door.hub.authenticate(token, clock::now()).await?))),
        }
    }
}

impl From<Option<Error>> for Problem {
    fn from(error: Option<Error>) -> Self {
        error.unwrap_or(Error::NotSignedIn).into()
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of the first cookie of a name.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|all| all.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim())
}

/// A JSON body: an object.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Door> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let whole = Bytes::from_request(Request::new(body), door).await;
        let whole = whole.map_err(|no| Problem::of_status(no.status()))?;
        // serde would take a list of the fields in their order for the object.
        if whole.trim_ascii_start().starts_with(b"[") {
            let why = "a body is an object, not a list".to_owned();
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", Some(why)));
        }
        let request = Request::from_parts(parts, whole.into());
        match axum::Json::<T>::from_request(request, door).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonDataError(e)) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(Problem::new(status, "invalid", Some(e.body_text())))
            }
            Err(JsonRejection::JsonSyntaxError(e)) => {
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", Some(e.body_text())))
            }
            Err(other) => Err(Problem::of_status(other.status())),
        }
    }
}

/// A query that parses.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Door> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, door).await;
        query
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "bad-request", Some(e.body_text())))
    }
}

/// The address that is throttled: the TCP peer.
pub struct Caller(pub IpAddr);

impl FromRequestParts<Door> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, door).await;
        let peer = peer.map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
        Ok(Self(peer.0.ip().to_canonical()))
    }
}

/// The cookie by which a browser is known again at an account where it signed in before.
pub const DEVICE_COOKIE: &str = "__Host-kirana-device";

/// Who is about to show a password.
pub struct Visiting(pub Visitor);

impl FromRequestParts<Door> for Visiting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let Caller(from) = Caller::from_request_parts(parts, door).await?;
        let device = cookie(&parts.headers, DEVICE_COOKIE).map(str::to_owned);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self(Visitor { from, device, agent: agent.map(str::to_owned) }))
    }
}

/// The `Idempotency-Key`, if one came.
pub struct Key(Option<String>);

/// The longest `Idempotency-Key`, in bytes.
const KEY_BYTES_MAX: usize = 255;

impl FromRequestParts<Door> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|k| !k.is_empty() && k.len() <= KEY_BYTES_MAX);
        let why = "1 to 255 visible characters";
        let key = key.ok_or(Error::Invalid { field: "Idempotency-Key", why })?;
        Ok(Self(Some(key.to_owned())))
    }
}

impl Key {
    /// One request of a sender at an endpoint.
    pub fn once(self, sender: &str, endpoint: &str, request: Hash) -> Option<Once> {
        let key = self.0?;
        let parts = [sender.as_bytes(), endpoint.as_bytes(), key.as_bytes()];
        Some(Once { key: Hash::of_parts(&parts), request })
    }
}

/// Keys to be certified, as they come in JSON.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
pub struct GivenKeys {
    /// The Ed25519 key that will sign, in 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub signing_key: String,
    /// The X25519 key that messages will be sealed to, in 64 hexadecimal digits.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub sealing_key: String,
    /// The proof (COSE_Sign1) in base64url: see kirana-core's `enrolment`.
    #[schema(pattern = "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$")]
    pub proof: String,
}

impl GivenKeys {
    /// Reads both keys and the proof.
    pub fn parse(&self) -> Result<Keys, Error> {
        let why = "64 hexadecimal digits of a key";
        let not_base64 = |_| Error::Unproved { why: "the proof is no base64url without padding" };
        // Any 32 bytes can be sealed to.
        let sealing = self.sealing_key.parse::<Hash>();
        let sealing = sealing.map_err(|_| Error::Invalid { field: "sealing_key", why })?;
        Ok(Keys {
            key: public_key("signing_key", &self.signing_key)?,
            sealing: SealingPublic::from_bytes(*sealing.as_bytes()),
            proof: URL_SAFE_NO_PAD.decode(&self.proof).map_err(not_base64)?,
        })
    }

    /// What is asked, to tell a repeated request from another.
    pub fn fingerprint(&self) -> Hash {
        Hash::of_parts(&[self.signing_key.as_bytes(), self.sealing_key.as_bytes()])
    }
}

/// Reads a public key.
pub fn public_key(field: &'static str, text: &str) -> Result<PublicKey, Error> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::Invalid { field, why: "64 hexadecimal digits of a key" });
    }
    // Of all such digits about half name a point: nobody holds a key for the others.
    text.parse().map_err(|_| Error::Unproved { why: "these digits are no Ed25519 key" })
}

/// Reads an id in a path; what is no id names nothing.
pub fn id<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::NotFound { what })
}

/// A whole number in a body. JSON knows one kind of number only, so `5.0` is five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(d)?;
        // Doubles are exact up to here.
        const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
        let fits = |n: &f64| n.fract() == 0.0 && (0.0..=EXACT_MAX).contains(n);
        let whole = number.as_u64().or(number.as_f64().filter(fits).map(|n| n as u64));
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("a whole number, 0 or above"))
    }
}

/// How many items a part of a list has at most: 1 to 100, or 50 where nothing is asked.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub struct Limit(u32);

impl Limit {
    /// The longest part.
    pub const MAX: Self = Self(100);

    /// How many.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u64> for Limit {
    type Error = &'static str;

    fn try_from(asked: u64) -> Result<Self, &'static str> {
        match u32::try_from(asked) {
            Ok(count @ 1..=100) => Ok(Self(count)),
            _ => Err("a part of a list has 1 to 100 items"),
        }
    }
}
