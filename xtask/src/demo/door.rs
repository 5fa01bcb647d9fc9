//! An outsider's view of a server: its HTTP door and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::clock;

/// What asks at doors.
///
/// # Errors
/// When the system has no room for it.
pub fn client() -> anyhow::Result<Client> {
    // The programs' doors are on this machine, but the client wants to know its cryptography.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(super::wait::PATIENCE).build().context("no HTTP client")
}

/// A server's door, with a token where somebody signed in.
#[derive(Debug, Clone)]
pub struct Door {
    client: Client,
    base: String,
    token: Option<String>,
    key: Option<String>,
    asked: Arc<AtomicU64>,
}

/// An answer, whatever it says.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Door {
    /// The door of the server at `base`.
    pub fn new(client: &Client, base: &str) -> Self {
        Self {
            client: client.clone(),
            base: base.trim_end_matches('/').to_owned(),
            token: None,
            key: None,
            asked: Arc::default(),
        }
    }

    /// The same door for somebody who signed in.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same door, where everything is asked under one key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Asks; any status is an answer.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("idempotency-key", self.next_key()).json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let bytes = response.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// A key that was never used at this door: the moment and a count.
    fn next_key(&self) -> String {
        if let Some(key) = &self.key {
            return key.clone();
        }
        let count = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(clock::now().get(), &random)
            .into_uuid()
            .to_string()
    }

    /// Hands over a file's bytes; the answer's bytes come back with its status.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn hand_in(
        &self,
        path: &str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let request = self.client.post(format!("{}{path}", self.base));
        let mut request = request.header("content-type", "application/cbor").body(bytes);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.with_context(|| format!("POST {path}"))?;
        Ok((response.status(), response.bytes().await?.to_vec()))
    }

    /// Reads; anything but success is an error.
    ///
    /// # Errors
    /// When nobody answers, or with a refusal.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        good(path, self.ask(Method::GET, path, None).await?)
    }

    /// Writes; anything but success is an error.
    ///
    /// # Errors
    /// When nobody answers, or with a refusal.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        good(path, self.ask(Method::POST, path, Some(body)).await?)
    }

    /// Reads a list to its last page.
    ///
    /// # Errors
    /// When nobody answers, or with a refusal.
    pub async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => self.get(path).await?,
                Some(cursor) => self.get(&format!("{path}{mark}cursor={cursor}")).await?,
            };
            items.extend(page["items"].as_array().into_iter().flatten().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }
}

fn good(path: &str, answer: Answer) -> anyhow::Result<Value> {
    if !answer.status.is_success() {
        bail!("{path} answered {}: {}", answer.status, answer.body);
    }
    Ok(answer.body)
}
