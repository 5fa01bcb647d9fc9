//! Has a hub vouch for the shop: signs the owner in, proves the owner's key, keeps the certificate.
//!
//! **Invariant:** a shop that no hub ever met works as well; nothing here is needed for an order.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    enrolment::Enrolment,
    id::{AccountId, ShopId},
    key::PublicKey,
};
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::app::{Shop, Undeliverable, succession::Step};

/// Who signs in, and what the hub is told about the shop.
pub struct Owner<'a> {
    /// The owner's account at the hub.
    pub login: &'a str,
    /// Its password.
    pub password: &'a str,
    /// The code of its second factor, if it has one.
    pub otp: Option<&'a str>,
    /// Where the shop is: latitude and longitude in degrees, such as `12.8765,77.5946`.
    pub place: &'a str,
}

/// What the hub said.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Joined {
    /// Which shop.
    pub shop_id: ShopId,
    /// `applied` while somebody must still approve, then `approved`.
    pub state: String,
    /// Where the hubs on its list keep mail: multiaddrs.
    pub hubs: Vec<String>,
}

/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// Asks the hub at `url` to vouch for the shop; asking again is harmless.
///
/// # Errors
/// [`NotJoined`] says what the hub or the network said.
pub async fn join(shop: &Shop, url: &str, owner: Owner<'_>) -> Result<Joined, NotJoined> {
    let hub = Hub::at(url)?;
    let session = hub.sign_in(shop, (owner.login, owner.password, owner.otp)).await?;
    let token = Some(session.access_token.as_str());
    let me: Me = hub.get("/v1/me", token).await?;
    let roster: Roster = hub.get("/v1/hubs", None).await?;
    let application = application(shop, me.id, &owner)?;
    let vouched: Vouched = hub.post("/v1/shops", &application, token).await?;
    shop.trust_hubs(roster.root()?, decode("roster", &roster.roster)?)?;
    if let Some(certificate) = &vouched.certificate {
        shop.vouched_by(decode("certificate", certificate)?)?;
    }
    let hubs = roster.items.into_iter().flat_map(|hub| hub.p2p).collect();
    Ok(Joined { shop_id: shop.id(), state: vouched.state, hubs })
}

/// Tells the hub at `url` that the shop has ended; gives the state that the hub has it in.
///
/// # Errors
/// [`NotJoined`] says what the hub or the network said.
pub async fn close(
    shop: &Shop,
    url: &str,
    typed: (&str, &str, Option<&str>),
) -> Result<String, NotJoined> {
    let hub = Hub::at(url)?;
    let session = hub.sign_in(shop, typed).await?;
    let path = format!("/v1/shops/{}/closing", shop.id());
    let closed: Vouched = hub.post(&path, &json!({}), Some(&session.access_token)).await?;
    Ok(closed.state)
}

fn application(shop: &Shop, account: AccountId, owner: &Owner<'_>) -> Result<Value, NotJoined> {
    let secret = shop.keys().owner.as_ref().ok_or(NotJoined::NoOwner)?;
    let (key, sealing) = (secret.public(), shop.keys().node.sealing.public());
    let asked = Enrolment { account: Some(account), shop: Some(shop.id()), key, sealing };
    let hex: String = sealing.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let told = |step: Step| {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "consent": text(&step.consent), "list": text(&step.list) })
    };
    let steps: Vec<Value> = shop.steps()?.into_iter().take(STEPS_TOLD_MAX).map(told).collect();
    Ok(json!({
        "id": shop.id(),
        "steps": steps,
        "name": shop.identity().name,
        "place": owner.place,
        "owner": {
            "signing_key": key.to_string(),
            "sealing_key": hex,
            "proof": URL_SAFE_NO_PAD.encode(asked.prove(secret)),
        },
        "node_key": shop.keys().node.signing.public().to_string(),
    }))
}

/// How many owners back a hub is told of.
const STEPS_TOLD_MAX: usize = 8;

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, NotJoined> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotJoined::Unreadable(part))
}

#[derive(Deserialize)]
struct Session {
    access_token: String,
    device_token: Option<String>,
}

#[derive(Deserialize)]
struct Me {
    id: AccountId,
}

#[derive(Deserialize)]
struct Roster {
    items: Vec<HubItem>,
    root: String,
    roster: String,
}

impl Roster {
    fn root(&self) -> Result<PublicKey, NotJoined> {
        self.root.parse().map_err(|_| NotJoined::Unreadable("root"))
    }
}

#[derive(Deserialize)]
struct HubItem {
    #[serde(default)]
    p2p: Vec<String>,
}

#[derive(Deserialize)]
struct Vouched {
    state: String,
    certificate: Option<String>,
}

#[derive(Default, Deserialize)]
struct Said {
    title: Option<String>,
    detail: Option<String>,
}

/// The hub's HTTP door.
struct Hub {
    client: Client,
    url: String,
}

impl Hub {
    fn at(url: &str) -> Result<Self, NotJoined> {
        // Whoever came first has chosen already; a second choice is not needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A hub shows this to the account's owner, beside each sign-in.
        let name = concat!("kirana-shop/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().user_agent(name).timeout(ANSWER_TIME_MAX).build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    /// Signs the owner in as from a box that the hub has met before, where it has.
    async fn sign_in(
        &self,
        shop: &Shop,
        (login, password, otp): (&str, &str, Option<&str>),
    ) -> Result<Session, NotJoined> {
        let mut typed = json!({ "login": login, "password": password, "otp": otp });
        if let Some(known) = shop.known_at(&self.url, login)? {
            typed["device_token"] = json!(known);
        }
        let session: Session = self.post("/v1/sessions", &typed, None).await?;
        if let Some(fresh) = &session.device_token {
            shop.be_known_at(&self.url, login, fresh.clone())?;
        }
        Ok(session)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<T, NotJoined> {
        self.send(self.client.get(format!("{}{path}", self.url)), token).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<T, NotJoined> {
        self.send(self.client.post(format!("{}{path}", self.url)).json(body), token).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        token: Option<&str>,
    ) -> Result<T, NotJoined> {
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.json().await?);
        }
        let said: Said = response.json().await.unwrap_or_default();
        let why = said.detail.or(said.title).unwrap_or_else(|| status.to_string());
        Err(NotJoined::Refused { why })
    }
}

/// Why no hub vouches for the shop.
#[derive(Debug, thiserror::Error)]
pub enum NotJoined {
    /// The owner's key is not on this box.
    #[error("the owner's key is not on this box; join from the box that holds it")]
    NoOwner,
    /// Nobody answers, or not a hub.
    #[error("the hub cannot be reached: {0}")]
    Unreached(#[from] reqwest::Error),
    /// The hub said no.
    #[error("the hub refused: {why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// An answer holds something else than it should.
    #[error("the hub's {0} cannot be read")]
    Unreadable(&'static str),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] kirana_migrations::StoreError),
    /// The shop did not take what the hub gave.
    #[error(transparent)]
    NotTaken(#[from] Undeliverable),
}
