//! Asks a person whether a program may act for them (RFC 6749, section 4.1, with PKCE).
//!
//! **Invariant:** nobody is sent anywhere but to an address that the client registered, and a code
//! is given only for an S256 challenge, by a person who signed in and agreed.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{hash::Hash, time::UnixMs};
use url::form_urlencoded;

use super::{
    Error, Hub,
    role::{self, Scope, Scopes},
    visitor::{Device, Visitor},
};
use crate::{
    clock::{Rng, draw},
    store::{
        client::Client,
        code::{Browser, Code},
    },
};

/// How long a code lasts, in milliseconds.
pub const CODE_MS: u64 = 2 * 60_000;
/// How long a browser stays signed in that nobody uses, and at most, in milliseconds.
pub const BROWSER_MS: (u64, u64) = (30 * 60_000, 12 * 60 * 60_000);
/// The longest `state` or `nonce`, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// A request for a code that may be put to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Who asks.
    pub client: Client,
    /// What for.
    pub scopes: Scopes,
    back: Back,
    challenge: String,
    nonce: Option<String>,
    /// Whether the person has to type the password again.
    pub anew: bool,
    /// Whether the person must not be asked anything.
    pub silent: bool,
    max_age_ms: Option<u64>,
}

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Back {
    redirect_uri: String,
    state: Option<String>,
    issuer: String,
}

/// Why there is nothing to put to a person.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// The request names no program or another address: the browser stays here.
    #[error("{0}")]
    Stay(&'static str),
    /// Nobody named this program to the hub.
    #[error("this program is not known here")]
    Unknown,
    /// The program is told, by sending the browser to this address.
    #[error("the program that sent you here asked for something that it cannot have")]
    Back(String),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Hub {
    /// Reads a request for a code from a query.
    ///
    /// # Errors
    /// [`NotAsked`].
    pub async fn authorization(&self, query: &str) -> Result<Authorization, NotAsked> {
        self.central_only()?;
        let mut given = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if given.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(NotAsked::Stay("a parameter stands there twice"));
            }
        }
        // An empty parameter counts as absent (RFC 6749, section 3.1).
        given.retain(|_, value| !value.is_empty());
        let id = given.get("client_id").ok_or(NotAsked::Stay("client_id is missing"))?;
        let client = self.store().client(id).await.map_err(Error::from)?;
        let client = client.ok_or(NotAsked::Unknown)?;
        let redirect_uri = given.get("redirect_uri");
        let redirect_uri = redirect_uri.filter(|uri| client.redirect_uris.contains(uri)).ok_or(
            NotAsked::Stay("redirect_uri is missing, or is not what the program registered"),
        )?;
        let back = Back {
            redirect_uri: redirect_uri.clone(),
            state: given.get("state").cloned(),
            issuer: self.settings().issuer.clone(),
        };
        read(&given, client, &back).map_err(|(error, why)| back.error(error, why))
    }

    /// Who is signed in in a browser, by its cookie.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn browser(&self, cookie: &str, now: UnixMs) -> Result<Option<Browser>, Error> {
        let (idle_ms, whole_ms) = BROWSER_MS;
        let found = self.store().browser(digest("browser", cookie)).await?;
        Ok(found.filter(|browser| {
            now.since(browser.used_at) < idle_ms && now.since(browser.signed_in) < whole_ms
        }))
    }

    /// Signs a browser in and gives its new cookie; the one before is worth nothing from then on.
    ///
    /// # Errors
    /// As [`Hub::sign_in`].
    pub async fn sign_in_browser(
        &self,
        typed: (&str, &str),
        otp: &str,
        before: &str,
        visitor: &Visitor,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<(String, Device), Error> {
        let (proved, device) = self.prove(typed, Some(otp), visitor, now, rng).await?;
        let cookie = fresh_cookie(rng);
        let before = Some(digest("browser", before));
        let arrival = self.arrival(&proved, &device, visitor, now, rng)?;
        self.store().add_browser(digest("browser", &cookie), before, arrival).await?;
        self.call_post();
        Ok((cookie, device))
    }

    /// Signs a browser out.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn sign_out_browser(&self, cookie: &str) -> Result<(), Error> {
        Ok(self.store().remove_browser(digest("browser", cookie)).await?)
    }

    /// What a form carries to show that it came from this hub's page in this browser.
    pub fn form_token(&self, cookie: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.secrets().digest("form", cookie))
    }

    /// The person agreed: gives a code, as the address to send the browser to.
    ///
    /// # Errors
    /// [`NotAsked::Back`] when the person may do nothing of what was asked for.
    pub async fn agree(
        &self,
        asked: &Authorization,
        browser: &Browser,
        cookie: &str,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<String, NotAsked> {
        let may = role::scopes_of(&role::roles_from_text(&browser.account.roles), browser.factor);
        let scopes: Scopes = asked.scopes.intersection(&may).copied().collect();
        if scopes.is_empty() {
            return Err(asked.back.error("invalid_scope", "the person may do nothing of that"));
        }
        let text = URL_SAFE_NO_PAD.encode(draw::<32>(rng));
        let code = Code {
            digest: digest("code", &text),
            client: asked.client.id.clone(),
            account: browser.account.id,
            redirect_uri: asked.back.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            scope: role::scopes_to_text(&scopes),
            nonce: asked.nonce.clone(),
            signed_in: browser.signed_in,
            factor: browser.factor,
            expires_at: now.plus_ms(CODE_MS),
        };
        let added = self.store().add_code(code, digest("browser", cookie), now).await;
        added.map_err(Error::from)?;
        Ok(asked.back.to(&[("code", &text)]))
    }
}

impl Authorization {
    /// Whether the sign-in of a browser is recent enough for this request.
    pub fn accepts(&self, browser: &Browser, now: UnixMs) -> bool {
        self.max_age_ms.is_none_or(|max| now.since(browser.signed_in) <= max)
    }

    /// Where the browser goes with an error of RFC 6749 or OpenID Connect.
    pub fn refused(&self, error: &'static str, why: &'static str) -> NotAsked {
        self.back.error(error, why)
    }

    /// The address that will hear the answer.
    pub fn redirect_uri(&self) -> &str {
        &self.back.redirect_uri
    }
}

impl Back {
    fn error(&self, error: &'static str, why: &'static str) -> NotAsked {
        NotAsked::Back(self.to(&[("error", error), ("error_description", why)]))
    }

    /// The registered address, byte for byte, with the answer and who gave it (RFC 9207).
    fn to(&self, answer: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        query.extend_pairs(self.state.as_deref().map(|state| ("state", state)));
        query.append_pair("iss", &self.issuer);
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.redirect_uri, query.finish())
    }
}

type Wrong = (&'static str, &'static str);

fn read(
    given: &BTreeMap<String, String>,
    client: Client,
    back: &Back,
) -> Result<Authorization, Wrong> {
    let text = |name: &str| given.get(name).map(String::as_str);
    if text("request").is_some() {
        return Err(("request_not_supported", "request objects are not read here"));
    }
    if text("request_uri").is_some() {
        return Err(("request_uri_not_supported", "request objects are not fetched here"));
    }
    match text("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "only code")),
        None => return Err(("invalid_request", "response_type is missing")),
    }
    if text("response_mode").is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "response_mode is query"));
    }
    if text("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "PKCE with code_challenge_method=S256 is required"));
    }
    let challenge = text("code_challenge")
        .filter(|challenge| URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32));
    let challenge = challenge.ok_or(("invalid_request", "code_challenge is not one of S256"))?;
    let long = |name| text(name).is_some_and(|value| value.len() > TEXT_BYTES_MAX);
    if long("state") || long("nonce") {
        return Err(("invalid_request", "state and nonce have at most 1024 bytes"));
    }
    let scopes = match text("scope") {
        Some(asked) => role::known_scopes(asked),
        None => [Scope::Profile].into(),
    };
    if scopes.is_empty() {
        return Err(("invalid_scope", "none of these scopes is known here"));
    }
    let max_age_ms = match text("max_age").map(str::parse::<u64>) {
        None => None,
        Some(Ok(seconds)) => Some(seconds.saturating_mul(1000)),
        Some(Err(_)) => return Err(("invalid_request", "max_age is a number of seconds")),
    };
    let prompt = |word| text("prompt").is_some_and(|all| all.split(' ').any(|one| one == word));
    if prompt("none") && text("prompt") != Some("none") {
        return Err(("invalid_request", "prompt=none stands alone"));
    }
    Ok(Authorization {
        client,
        scopes,
        back: back.clone(),
        challenge: challenge.to_owned(),
        nonce: text("nonce").map(str::to_owned),
        anew: prompt("login") || prompt("select_account"),
        silent: prompt("none"),
        max_age_ms,
    })
}

/// A cookie of a browser, signed in or not.
pub fn fresh_cookie(rng: Rng<'_>) -> String {
    URL_SAFE_NO_PAD.encode(draw::<32>(rng))
}

/// What is kept of a cookie or a code.
pub(super) fn digest(kind: &str, text: &str) -> [u8; 32] {
    *Hash::of_parts(&[b"kirana", kind.as_bytes(), text.as_bytes()]).as_bytes()
}
