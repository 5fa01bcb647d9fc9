//! Fetches what a hub needs from the hub whose roster it goes by: roster, revocations, certificate.
//!
//! **Invariants:** what is fetched counts by its signatures alone, so plain HTTP will do; and what
//! was stored stays in force for as long as the other hub cannot be reached.

use std::{io, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    certificate::UnverifiedCertificate,
    enrolment::Enrolment,
    time::{DAY_MS, UnixMs},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::{self, Hub, roster},
    clock,
    config::Role,
};

/// Why nothing, or not all, was fetched.
#[derive(Debug, thiserror::Error)]
pub enum NotJoined {
    /// It did not answer, or not as a hub does.
    #[error("{0}")]
    Fetch(#[from] io::Error),
    /// Its roster does not count.
    #[error(transparent)]
    Roster(#[from] roster::NotTrusted),
    /// It could not be stored.
    #[error(transparent)]
    App(#[from] app::Error),
    /// A file or an answer holds something else.
    #[error("{0} is no roster of hubs with its root key, and no address of a hub")]
    Unreadable(String),
    /// The other hub certifies nobody unasked.
    #[error(
        "no certificate yet: an administrator of the other hub has to POST this to its /v1/hubs: \
         {keys}"
    )]
    NotApproved {
        /// The keys and their proof, as JSON.
        keys: String,
    },
}

impl NotJoined {
    /// Whether it may be better by itself later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Fetch(_) | Self::NotApproved { .. })
    }
}

/// Fetches what there is, and asks to be certified where this hub is a community's.
///
/// # Errors
/// [`NotJoined`]; what was fetched before that is kept.
pub async fn join(hub: &Hub, from: &str, now: UnixMs) -> Result<(), NotJoined> {
    let Some(host) = from.strip_prefix("http://") else {
        let text = tokio::fs::read_to_string(from).await?;
        hub.trust_roster(&parse(from, &text)?).await?;
        return Ok(());
    };
    let host = host.split('/').next().unwrap_or_default();
    let text = ask(host, "GET /v1/hubs", None).await?.1;
    hub.trust_roster(&parse(from, &text)?).await?;
    let there: Community = parse(from, &text)?;
    let lists: Lists = parse(from, &ask(host, "GET /v1/revocations", None).await?.1)?;
    let lists = lists.items.iter().filter_map(|item| URL_SAFE_NO_PAD.decode(&item.list).ok());
    hub.admit_lists(&lists.collect::<Vec<_>>(), now).await?;
    if hub.settings().role == Role::Community && !is_certified(hub, now).await? {
        become_certified(hub, host, there.community, now).await?;
    }
    Ok(())
}

/// Joins again and again, so that newer rosters, revocations and certificates arrive.
pub async fn keep_joined(hub: Hub, from: String) {
    let mut wait = RETRY_FIRST;
    loop {
        tokio::time::sleep(wait).await;
        wait = match join(&hub, &from, clock::now()).await {
            Ok(()) => JOIN_EVERY,
            Err(failed) => {
                tracing::info!(error = %failed, "the other hub gave nothing new");
                (wait * 2).min(JOIN_EVERY)
            }
        };
    }
}

/// Whether this hub has a certificate that lasts for a while.
async fn is_certified(hub: &Hub, now: UnixMs) -> Result<bool, app::Error> {
    let Some(own) = hub.own_certificate().await? else { return Ok(false) };
    let known = hub.known_now(now).await?;
    let expires = UnverifiedCertificate::parse(&own).map(|own| own.claimed().expires);
    Ok(expires.is_ok_and(|expires| !known.is_past(expires.minus_ms(RENEWED_BEFORE_MS))))
}

async fn become_certified(
    hub: &Hub,
    host: &str,
    listed: Vec<String>,
    now: UnixMs,
) -> Result<(), NotJoined> {
    for certificate in listed {
        if keep(hub, &certificate, now).await? && is_certified(hub, now).await? {
            return Ok(());
        }
    }
    let keys = keys(hub);
    let (status, text) = ask(host, "POST /v1/hubs", Some(&keys)).await?;
    if status != CREATED {
        return Err(NotJoined::NotApproved { keys });
    }
    let made: Made = parse(host, &text)?;
    match keep(hub, &made.certificate, now).await? {
        true => Ok(()),
        false => Err(NotJoined::Unreadable(host.to_owned())),
    }
}

/// Keeps a certificate that is this hub's and by somebody on the roster; tells whether it is.
async fn keep(hub: &Hub, certificate: &str, now: UnixMs) -> Result<bool, app::Error> {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(certificate) else { return Ok(false) };
    let chain = [minicbor::bytes::ByteVec::from(bytes.clone())];
    let (trust, known) = (hub.trust(now).await?, hub.known_now(now).await?);
    let is_own =
        trust.check(&chain, known).is_ok_and(|held| *held.key() == hub.keys().signing.public());
    if is_own {
        hub.keep_own_certificate(bytes).await?;
    }
    Ok(is_own)
}

/// This hub's keys with the proof that it holds them, as `POST /v1/hubs` takes them.
fn keys(hub: &Hub) -> String {
    let (key, sealing) = (hub.keys().signing.public(), hub.keys().sealing.public());
    let asked = Enrolment { account: None, shop: None, key, sealing };
    let proof = URL_SAFE_NO_PAD.encode(asked.prove(&hub.keys().signing));
    let sealing: String = sealing.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "signing_key": key.to_string(), "sealing_key": sealing, "proof": proof }).to_string()
}

#[derive(Deserialize)]
struct Community {
    #[serde(default)]
    community: Vec<String>,
}

#[derive(Deserialize)]
struct Lists {
    items: Vec<List>,
}

#[derive(Deserialize)]
struct List {
    list: String,
}

#[derive(Deserialize)]
struct Made {
    certificate: String,
}

fn parse<T: serde::de::DeserializeOwned>(from: &str, text: &str) -> Result<T, NotJoined> {
    serde_json::from_str(text).map_err(|_| NotJoined::Unreadable(from.to_owned()))
}

const CREATED: u16 = 201;
/// A certificate is renewed when it ends within a month.
const RENEWED_BEFORE_MS: u64 = 30 * DAY_MS;
/// How soon a hub asks again at first; each time it is refused it waits twice as long.
const RETRY_FIRST: Duration = Duration::from_secs(2);
/// How often a hub asks for what is newer.
const JOIN_EVERY: Duration = Duration::from_secs(600);
/// How long another hub may take for one answer.
const ASK_TIME_MAX: Duration = Duration::from_secs(10);
/// The longest answer.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// One request, closed after its answer.
async fn ask(host: &str, line: &str, body: Option<&str>) -> io::Result<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = body.unwrap_or_default();
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(host).await?;
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(ASK_TIME_MAX, asking).await??;
    let parts = answer.split_once("\r\n\r\n");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    match parts.zip(status) {
        Some(((_, body), status)) => Ok((status, body.to_owned())),
        None => Err(io::Error::other("that is no answer of a hub")),
    }
}
