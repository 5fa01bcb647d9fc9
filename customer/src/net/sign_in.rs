//! Signs this device in over HTTP, and reads what pages say about themselves.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kirana_core::{
    challenge::{self, Nonce},
    enrolment::Enrolment,
    id::AccountId,
    key::{KeyPair, PublicKey},
    time::UnixMs,
};
use minicbor::bytes::ByteVec;
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::NetError;
use crate::app::session::Session;

/// What signing in gave.
pub struct SignedIn {
    /// Whose account it is.
    pub account: AccountId,
    /// The device's certificates, leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// The sign-in, to be kept.
    pub session: Session,
}

/// A list of hubs with the key that signed it.
pub struct Neighbourhood {
    /// The key to be pinned.
    pub root: PublicKey,
    /// The roster, as signed.
    pub roster: Vec<u8>,
}

/// What a shop's page says about it.
#[derive(Debug, Deserialize)]
pub struct Profile {
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Where its box is: multiaddrs.
    #[serde(default)]
    pub p2p: Vec<String>,
    /// The certificates of its box, leaf first, in base64.
    #[serde(default)]
    certificates: Vec<String>,
}

impl Profile {
    /// The certificates, leaf first; `None` when there are none to be read.
    pub fn certificates(&self) -> Option<Vec<ByteVec>> {
        let read = self.certificates.iter().map(|text| STANDARD.decode(text).map(ByteVec::from));
        let read = read.collect::<Result<Vec<_>, _>>().ok()?;
        (!read.is_empty()).then_some(read)
    }
}

/// Signs in and has this device's key certified for the account.
///
/// # Errors
/// [`NetError::Denied`] when the password is wrong or a second factor is missing; [`NetError::Page`] when nobody answers.
pub async fn sign_in(
    url: &str,
    login: &str,
    (password, otp): (&str, Option<&str>),
    (keys, now): (&KeyPair, UnixMs),
    before: Option<&Session>,
) -> Result<SignedIn, NetError> {
    let pages = Pages::new(url)?;
    let before = before.filter(|before| before.url == pages.url && before.login == login);
    let known = before.and_then(|before| before.device_token.as_deref());
    let mut asked = json!({ "login": login, "password": password, "otp": otp });
    if let Some(known) = known {
        asked["device_token"] = json!(known);
    }
    let tokens: Tokens = pages.post("/v1/sessions", &asked, None).await?;
    let session = tokens.session(&pages, "/v1/sessions", login, known, now)?;
    let (account, certificates) = certified(&pages, &tokens.access_token, keys).await?;
    Ok(SignedIn { account, certificates, session })
}

/// Signs in by this device's own key, and has it certified once more. `names` are what the hub may
/// call itself: a signature for another door must not be had by asking for it here.
///
/// # Errors
/// [`NetError::Denied`] when the device is shut out; [`NetError::Page`] when nobody answers, or
/// somebody who is not that hub.
pub async fn sign_in_by_key(
    (url, names): (&str, &[String]),
    certificates: &[ByteVec],
    (keys, now): (&KeyPair, UnixMs),
    before: Option<&Session>,
) -> Result<SignedIn, NetError> {
    let pages = Pages::new(url)?;
    let asked = "/v1/sessions/nonce";
    let question: Question = pages.post(asked, &json!({}), None).await?;
    if !names.iter().any(|name| name.trim_end_matches('/') == question.audience) {
        return Err(pages.wrong(asked, &format!("it calls itself {}", question.audience)));
    }
    let nonce = question.nonce().ok_or_else(|| pages.wrong(asked, "no question"))?;
    let answer = challenge::answer(&keys.signing, nonce, &question.audience);
    let certificates: Vec<String> =
        certificates.iter().map(|bytes| URL_SAFE_NO_PAD.encode(&**bytes)).collect();
    let known = before.and_then(|before| before.device_token.as_deref());
    let mut shown =
        json!({ "certificates": certificates, "answer": URL_SAFE_NO_PAD.encode(answer) });
    if let Some(known) = known {
        shown["device_token"] = json!(known);
    }
    let path = "/v1/sessions/by-key";
    let tokens: Tokens = pages.post(path, &shown, None).await?;
    let me: Me = pages.get("/v1/me", Some(&tokens.access_token)).await?;
    let session = tokens.session(&pages, path, &me.login, known, now)?;
    let (account, certificates) = certified(&pages, &tokens.access_token, keys).await?;
    Ok(SignedIn { account, certificates, session })
}

/// Exchanges a sign-in for the next one, which has to be kept before anything else is done.
///
/// # Errors
/// [`NetError::Denied`] when it is over; [`NetError::Page`] when nobody answers.
pub async fn refresh(
    session: &Session,
    retry: [u8; 16],
    now: UnixMs,
) -> Result<(Session, String), NetError> {
    let pages = Pages::new(&session.url)?;
    let retry = uuid::Builder::from_random_bytes(retry).into_uuid().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &session.refresh_token),
        ("client_id", &session.client_id),
        ("retry_id", &retry),
    ];
    // A reply that was lost is given once more to whoever asks by the same name.
    let tokens = match pages.form::<Tokens>("/oauth/token", &fields).await {
        Err(NetError::Page { .. }) => pages.form("/oauth/token", &fields).await?,
        answered => answered?,
    };
    let refresh_token = tokens.refresh_token;
    Ok((Session { refresh_token, used_at: now, ..session.clone() }, tokens.access_token))
}

/// Has this device's key certified once more, by a sign-in that was just refreshed.
///
/// # Errors
/// [`NetError::Denied`] when the hub does not; [`NetError::Page`] when nobody answers.
pub async fn renew(url: &str, token: &str, keys: &KeyPair) -> Result<Vec<Vec<u8>>, NetError> {
    Ok(certified(&Pages::new(url)?, token, keys).await?.1)
}

async fn certified(
    pages: &Pages,
    token: &str,
    keys: &KeyPair,
) -> Result<(AccountId, Vec<Vec<u8>>), NetError> {
    let me: Me = pages.get("/v1/me", Some(token)).await?;
    let account: AccountId = me.id.parse().map_err(|_| pages.wrong("/v1/me", "no account"))?;
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let proof = Enrolment { account: Some(account), shop: None, key, sealing };
    let proof = proof.prove(&keys.signing);
    let sealing_key: String = sealing.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let asked = json!({
        "signing_key": key.to_string(),
        "sealing_key": sealing_key,
        "proof": URL_SAFE_NO_PAD.encode(proof),
    });
    let certified: Certified = pages.post("/v1/devices", &asked, Some(token)).await?;
    let certificate = URL_SAFE_NO_PAD.decode(certified.certificate);
    let certificate = certificate.map_err(|_| pages.wrong("/v1/devices", "no certificate"))?;
    Ok((account, vec![certificate]))
}

/// Reads who may vouch for whom.
///
/// # Errors
/// [`NetError::Page`] when nobody answers.
pub async fn neighbourhood(url: &str) -> Result<Neighbourhood, NetError> {
    let pages = Pages::new(url)?;
    let hubs: Hubs = pages.get("/v1/hubs", None).await?;
    let wrong = || pages.wrong("/v1/hubs", "no list of who may vouch for whom");
    let root = hubs.root.parse().map_err(|_| wrong())?;
    let roster = URL_SAFE_NO_PAD.decode(hubs.roster).map_err(|_| wrong())?;
    Ok(Neighbourhood { root, roster })
}

/// Reads what a shop's page says about the shop.
///
/// # Errors
/// [`NetError::Page`] when nobody answers, or not a shop.
pub async fn profile(url: &str) -> Result<Profile, NetError> {
    Pages::new(url)?.get("/v1/profile", None).await
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    device_token: Option<String>,
}

impl Tokens {
    /// The sign-in to be kept.
    fn session(
        &self,
        pages: &Pages,
        path: &str,
        login: &str,
        known: Option<&str>,
        now: UnixMs,
    ) -> Result<Session, NetError> {
        let device_token = self.device_token.as_deref().or(known);
        Ok(Session {
            login: login.to_owned(),
            client_id: self.client().ok_or_else(|| pages.wrong(path, "no token"))?,
            device_token: device_token.map(str::to_owned),
            refresh_token: self.refresh_token.clone(),
            used_at: now,
            url: pages.url.clone(),
        })
    }

    /// The program that the hub gave them to, as the access token says.
    fn client(&self) -> Option<String> {
        let claims = URL_SAFE_NO_PAD.decode(self.access_token.split('.').nth(1)?).ok()?;
        Some(serde_json::from_slice::<Claims>(&claims).ok()?.client_id)
    }
}

#[derive(Deserialize)]
struct Claims {
    client_id: String,
}

#[derive(Deserialize)]
struct Me {
    id: String,
    login: String,
}

#[derive(Deserialize)]
struct Question {
    nonce: String,
    audience: String,
}

impl Question {
    fn nonce(&self) -> Option<Nonce> {
        let digits = self
            .nonce
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        digits.collect::<Option<Vec<u8>>>()?.try_into().ok()
    }
}

#[derive(Deserialize)]
struct Certified {
    certificate: String,
}

#[derive(Deserialize)]
struct Hubs {
    root: String,
    roster: String,
}

#[derive(Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
}

/// The pages of one server.
struct Pages {
    client: Client,
    url: String,
}

impl Pages {
    fn new(url: &str) -> Result<Self, NetError> {
        // Whoever came first has chosen already; a second choice is not needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = url.trim_end_matches('/').to_owned();
        // A hub shows this to the account's owner, beside each sign-in.
        let name = concat!("kirana/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder()
            .user_agent(name)
            .connect_timeout(std::time::Duration::from_secs(5))
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .map_err(|e| NetError::Page { url: url.clone(), why: e.to_string() })?;
        Ok(Self { client, url })
    }

    fn wrong(&self, path: &str, why: &str) -> NetError {
        NetError::Page { url: format!("{}{path}", self.url), why: why.to_owned() }
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<T, NetError> {
        let request = self.client.get(format!("{}{path}", self.url));
        self.send(path, request, token).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
        token: Option<&str>,
    ) -> Result<T, NetError> {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        self.send(path, request, token).await
    }

    async fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<T, NetError> {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let request = self.client.post(format!("{}{path}", self.url)).body(body.join("&"));
        let kind = "application/x-www-form-urlencoded";
        self.send(path, request.header("content-type", kind), None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
        token: Option<&str>,
    ) -> Result<T, NetError> {
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.map_err(|e| self.wrong(path, &root_cause(&e)))?;
        if !response.status().is_success() {
            return Err(denied(response).await);
        }
        response.json().await.map_err(|e| self.wrong(path, &root_cause(&e)))
    }
}

/// A value as forms carry it: whatever is no letter, digit or mark by its number.
fn escaped(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(one).collect()
}

async fn denied(response: Response) -> NetError {
    let status = response.status();
    let problem: Problem = response.json().await.unwrap_or_default();
    let said = problem.detail.or(problem.title);
    let detail = match (status, said) {
        (_, Some(said)) => said,
        (StatusCode::UNAUTHORIZED, None) => "the login or the password is wrong".to_owned(),
        (status, None) => format!("the answer was {status}"),
    };
    NetError::Denied { detail }
}

/// The innermost reason, without the address that it repeats.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
