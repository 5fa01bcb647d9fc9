//! An outsider's view of a server: its HTTP door and nothing else.

use anyhow::{Context, bail};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// A server's door, with a token where somebody signed in.
#[derive(Debug, Clone)]
pub struct Door {
    client: Client,
    base: String,
    token: Option<String>,
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
        Self { client: client.clone(), base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same door for somebody who signed in.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
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
            request = request
                .header("idempotency-key", uuid::Uuid::from_u128(rand_id(body)).to_string())
                .json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let bytes = response.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
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

