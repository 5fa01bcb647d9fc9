//! Access tokens for HTTP doors: JWTs by the profile of RFC 9068, signed with EdDSA (RFC 8037).
//!
//! **Invariant:** [`Door::verify`] answers [`Granted`] only for a token of exactly this issuer and
//! audience, by a key in its set, within its time; nothing in a token's header chooses how it is
//! checked (RFC 8725).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

use crate::{
    key::{PublicKey, SigningKey},
    time::UnixMs,
};

/// How long an access token lasts, in milliseconds.
pub const TOKEN_LIFETIME_MS: u64 = 15 * 60_000;
/// How far clocks may differ, in seconds.
pub const LEEWAY_S: i64 = 60;
/// The longest token that is read, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// What an access token says (RFC 9068, section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The door that issued it, as a URL.
    pub iss: String,
    /// Whom it stands for.
    pub sub: String,
    /// The door that it opens, as a URL.
    pub aud: String,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// Its own number.
    pub jti: String,
    /// The program that asked for it.
    pub client_id: String,
    /// What it allows, separated by spaces.
    #[serde(default)]
    pub scope: String,
    /// What the holder is: see the policies.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// The session, which can be ended before the token does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl Claims {
    /// Whether the token's scope names this one.
    pub fn allows(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|named| named == scope)
    }
}

/// What an ID token says to the program that asked (OpenID Connect Core, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaims {
    /// The door that issued it, as a URL.
    pub iss: String,
    /// Whom it is about.
    pub sub: String,
    /// The program that it is for.
    pub aud: String,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When the person signed in, in seconds since 1970.
    pub auth_time: i64,
    /// What the program wants to find again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// Signs the claims as a JWT; the header holds `typ`, `alg` and `kid` and nothing else.
pub fn issue(key: &SigningKey, claims: &Claims) -> String {
    sign(key, TYPE, claims)
}

/// Signs an ID token, whose `typ` opens no door.
pub fn issue_id(key: &SigningKey, claims: &IdClaims) -> String {
    sign(key, "JWT", claims)
}

fn sign<C: Serialize>(key: &SigningKey, kind: &str, claims: &C) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(kind.to_owned());
    header.kid = Some(key.id().to_string());
    // PKCS #8 (RFC 8410) around the 32 bytes of the seed.
    let der = [PKCS8_ED25519.as_slice(), &key.to_seed()].concat();
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der))
        .expect("claims are JSON and the key is an Ed25519 key")
}

/// What a door accepts: tokens of one issuer, for one audience, by a set of keys.
#[derive(Debug, Clone)]
pub struct Door {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// The audience, byte for byte.
    pub audience: String,
    /// The keys in use, and those whose tokens have not all expired yet.
    pub keys: Vec<PublicKey>,
}

impl Door {
    /// Checks a token at the moment `now`.
    ///
    /// # Errors
    /// [`Refused`] says why; the person at the door is told only to sign in again.
    pub fn verify(&self, token: &str, now: UnixMs) -> Result<Granted, Refused> {
        self.read(token)?.at(now)
    }

    /// Checks what of a token stays true: its signature, issuer and audience. The answer may be kept
    /// for the very same token while the keys are the same, and be asked again and again for a time.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn read(&self, token: &str) -> Result<Genuine, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Unreadable);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Unreadable)?;
        let (header, payload) = signed.split_once('.').ok_or(Refused::Unreadable)?;
        let key = self.key_for(&decode::<Head>(header)?)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Unreadable)?;
        // Our own strict check: it refuses weak keys and second encodings of one signature.
        if !key.verifies(signed.as_bytes(), &signature) {
            return Err(Refused::Forged);
        }
        let claims: Claims = decode(payload)?;
        if claims.iss != self.issuer {
            return Err(Refused::OtherIssuer);
        }
        if claims.aud != self.audience {
            return Err(Refused::OtherAudience);
        }
        Ok(Genuine { claims })
    }

    fn key_for(&self, head: &Head) -> Result<&PublicKey, Refused> {
        if head.alg != "EdDSA" {
            return Err(Refused::OtherAlgorithm);
        }
        let kind = head.typ.to_ascii_lowercase();
        if kind != TYPE && kind != "application/at+jwt" {
            return Err(Refused::OtherKind);
        }
        self.keys.iter().find(|key| key.id().to_string() == head.kid).ok_or(Refused::UnknownKey)
    }
}

/// The header: anything beyond these three, such as `jwk`, `jku`, `x5u` or `crit`, is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    typ: String,
    kid: String,
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Refused> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Unreadable)?;
    serde_json::from_slice(&json).map_err(|_| Refused::Unreadable)
}

/// A token that this door's issuer signed for it, at whatever time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genuine {
    claims: Claims,
}

impl Genuine {
    /// Checks whether it counts at the moment `now`.
    ///
    /// # Errors
    /// [`Refused::Expired`] or [`Refused::NotYet`].
    pub fn at(&self, now: UnixMs) -> Result<Granted, Refused> {
        let now = now.seconds();
        if self.claims.exp <= now {
            return Err(Refused::Expired);
        }
        if self.claims.iat > now.saturating_add(LEEWAY_S) {
            return Err(Refused::NotYet);
        }
        Ok(Granted { claims: self.claims.clone() })
    }
}

/// A token that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    claims: Claims,
}

impl Granted {
    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The public keys as a JSON Web Key Set (RFC 7517, RFC 8037).
pub fn jwks(keys: &[PublicKey]) -> serde_json::Value {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            serde_json::json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": key.id().to_string(), "x": URL_SAFE_NO_PAD.encode(key.as_bytes()),
            })
        })
        .collect();
    serde_json::json!({ "keys": keys })
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no token of ours: too long, damaged, or with more in its header than there should be.
    #[error("this is not an access token")]
    Unreadable,
    /// It names another way to sign than EdDSA.
    #[error("the token is not signed with EdDSA")]
    OtherAlgorithm,
    /// It is a token of another kind, such as an ID token.
    #[error("this is a token of another kind")]
    OtherKind,
    /// It is by a key that is not in use here.
    #[error("the token is by a key that is not in use here")]
    UnknownKey,
    /// The signature is not genuine.
    #[error("the token is forged")]
    Forged,
    /// It was issued by another door.
    #[error("the token was issued elsewhere")]
    OtherIssuer,
    /// It opens another door.
    #[error("the token opens another door")]
    OtherAudience,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
    /// It begins in the future.
    #[error("the token is not valid yet")]
    NotYet,
}

const TYPE: &str = "at+jwt";
/// SEQUENCE { 0, { 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes } }, up to the seed.
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

#[cfg(test)]
mod tests;
