//! Devices that work at a shop and people who knock there, over HTTP, with no hub anywhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{
    challenge,
    enrolment::{Enrolment, Request},
    id::ShopId,
    key::KeyPair,
};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

use crate::program::{Served, init, kirana, opened};

/// A shop that is open, with a token of the box's owner.
pub struct Desk {
    pub folder: TempDir,
    pub served: Served,
    pub owner: String,
    pub shop: ShopId,
}

pub fn keys(n: u8) -> KeyPair {
    KeyPair::from_seed([n; 64])
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// What the command line says, as it is run beside a shop that is open.
pub fn said(data: &Path, words: &[&str]) -> (i32, Value) {
    let done = kirana(words, data);
    let out = if done.status.success() { &done.stdout } else { &done.stderr };
    let last = out.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let code = done.status.code().expect("it ended by itself");
    (code, serde_json::from_slice(last).unwrap_or(Value::Null))
}

impl Desk {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        init(folder.path());
        Self::at(folder)
    }

    pub fn at(folder: TempDir) -> Self {
        let served = Served::at(folder.path());
        Self::of(folder, served)
    }

    /// The desk of a shop that is served already.
    pub fn of(folder: TempDir, served: Served) -> Self {
        let (_, token) = said(folder.path(), &["token"]);
        let owner = text(&token, "access_token").to_owned();
        let shop = opened(folder.path()).id();
        Self { folder, served, owner, shop }
    }

    /// Status and answer.
    pub fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask_with(token, "", method, path, body)
    }

    pub fn ask_with(
        &self,
        token: &str,
        more: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let bearer = match token {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, kind, body) = self
            .served
            .ask_with(&(bearer + more), method, path, "application/json", body.as_bytes())
            .expect("an answer");
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status >= 400 {
            assert!(kind.starts_with("application/problem+json"), "{method} {path}: {kind} {body}");
            assert_eq!(body["status"], status, "{body}");
        }
        (status, body)
    }

    pub fn as_owner(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask(&self.owner, method, path, body)
    }

    pub fn request(&self, n: u8, role: &str, label: &str) -> Value {
        json!({ "request": asked(n, self.shop), "role": role, "label": label })
    }

    /// Certifies the device of these keys, and gives its certificates.
    pub fn certified(&self, n: u8, role: &str) -> Vec<String> {
        let (status, made) =
            self.as_owner("POST", "/v1/staff", &self.request(n, role, &format!("{role} {n}")));
        assert_eq!(status, 201, "{made}");
        strings(&made["certificates"])
    }

    /// A signed answer to a fresh nonce of this shop.
    pub fn answer(&self, n: u8) -> String {
        let (_, nonce) = self.ask("", "POST", "/v1/sessions/nonce", &Value::Null);
        let hex = text(&nonce, "nonce");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
        let nonce_bytes = std::array::from_fn(byte);
        STANDARD.encode(challenge::answer(&keys(n).signing, nonce_bytes, text(&nonce, "audience")))
    }

    pub fn sign_in(&self, n: u8, certificates: &[String]) -> (u16, Value) {
        let body = json!({ "certificates": certificates, "answer": self.answer(n) });
        self.ask("", "POST", "/v1/sessions", &body)
    }

    /// A token of a device that was certified as this.
    pub fn working(&self, n: u8, role: &str) -> String {
        let (status, session) = self.sign_in(n, &self.certified(n, role));
        assert_eq!(status, 201, "{session}");
        text(&session, "access_token").to_owned()
    }
}

pub fn asked(n: u8, shop: ShopId) -> String {
    let (key, sealing) = (keys(n).signing.public(), keys(n).sealing.public());
    let enrolment = Enrolment { account: None, shop: Some(shop), key, sealing };
    Request::new(enrolment, &keys(n).signing).to_string()
}

pub fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item.as_str().expect("text").to_owned()).collect()
}
