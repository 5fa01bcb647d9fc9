//! Signs this device in over HTTP, and reads what pages say about themselves.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kirana_core::{
    enrolment::Enrolment,
    id::AccountId,
    key::{KeyPair, PublicKey},
};
use minicbor::bytes::ByteVec;
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::NetError;

/// What signing in gave.
pub struct SignedIn {
    /// Whose account it is.
    pub account: AccountId,
    /// The device's certificates, leaf first.
    pub certificates: Vec<Vec<u8>>,
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
    keys: &KeyPair,
) -> Result<SignedIn, NetError> {
    let pages = Pages::new(url)?;
    let asked = json!({ "login": login, "password": password, "otp": otp });
    let session: Session = pages.post("/v1/sessions", &asked, None).await?;
    let token = session.access_token.as_str();
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
    Ok(SignedIn { account, certificates: vec![certificate] })
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
struct Session {
    access_token: String,
}

#[derive(Deserialize)]
struct Me {
    id: String,
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
