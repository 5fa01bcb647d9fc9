//! Starts the real program and talks to it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use kirana_hub::clock;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use totp_rs::{Builder, Secret};

pub const PASSWORD: &str = "four plain words here";

/// A running hub, ended with the test.
pub struct Running {
    child: Child,
    pub url: String,
    pub p2p: String,
    pub data: TempDir,
    pub client: Client,
}

impl Running {
    pub fn start(more: &[&str]) -> Self {
        Self::start_in(TempDir::new().expect("a folder"), more)
    }

    pub fn start_in(data: TempDir, more: &[&str]) -> Self {
        Self::start_with(data, more, &[])
    }

    /// The same, with more in its environment.
    pub fn start_with(data: TempDir, more: &[&str], environment: &[(&str, &Path)]) -> Self {
        let free = ["--p2p", "/ip4/127.0.0.1/tcp/0"];
        let chosen = more.contains(&"--p2p");
        let mut child = program(data.path(), "serve")
            .args(free.iter().filter(|_| !chosen))
            .args(more)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a ready line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["ready"], true);
        let url = ready["http"].as_str().expect("an address").to_owned();
        let p2p = ready["p2p"][0].as_str().expect("an address").to_owned();
        // Whichever test is first sets it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { child, url, p2p, data, client: Client::new() }
    }

    /// Ends the program as an operator does and hands back its data.
    pub fn stop(mut self) -> TempDir {
        let pid = self.child.id().to_string();
        Command::new("kill").arg(&pid).status().expect("kill runs");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "SIGTERM ends cleanly");
        std::mem::replace(&mut self.data, TempDir::new().expect("a folder"))
    }

    /// Ends the program as a power cut does and hands back its data.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        std::mem::replace(&mut self.data, TempDir::new().expect("a folder"))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).json(body)
    }

    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.url))
    }

    pub fn form(&self, path: &str, body: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.to_owned())
    }

    pub async fn register(&self, login: &str) {
        let body = json!({ "login": login, "password": PASSWORD });
        let (status, answer) = send(self.post("/v1/accounts", &body)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }

    /// Signs in and returns the pair of tokens.
    pub async fn sign_in(&self, login: &str) -> Value {
        let body = json!({ "login": login, "password": PASSWORD });
        let (status, tokens) = send(self.post("/v1/sessions", &body)).await;
        assert_eq!(status, StatusCode::CREATED, "{tokens}");
        tokens
    }
}

/// An administrator, signed in: the token, and what `admin add` printed.
pub struct Admin {
    pub token: String,
    pub added: Value,
}

impl Running {
    /// Adds an administrator beside the running hub and signs in with the second factor.
    pub async fn admin(&self, email: &str) -> Admin {
        let output = program(self.data.path(), &format!("admin add --json --email {email}"))
            .env("KIRANA_PASSWORD", PASSWORD)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let added: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let uri = url::Url::parse(text(&added, "otpauth_uri")).expect("a link");
        let secret = uri.query_pairs().find(|(name, _)| name == "secret").expect("a secret").1;
        let body = json!({ "login": email, "password": PASSWORD, "otp": code(&secret, 0) });
        let (status, tokens) = send(self.post("/v1/sessions", &body)).await;
        assert_eq!(status, StatusCode::CREATED, "{tokens}");
        Admin { token: text(&tokens, "access_token").to_owned(), added }
    }

    /// Registers and signs in: the account's id and a token.
    pub async fn person(&self, login: &str) -> (String, String) {
        self.register(login).await;
        let token = text(&self.sign_in(login).await, "access_token").to_owned();
        let (_, me) = send(self.get("/v1/me").bearer_auth(&token)).await;
        (text(&me, "id").to_owned(), token)
    }

    pub fn patch(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.patch(format!("{}{path}", self.url)).json(body)
    }

    pub fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.put(format!("{}{path}", self.url)).json(body)
    }
}

/// What an authenticator shows, so many steps from now.
pub fn code(secret: &str, steps: u64) -> String {
    let secret = Secret::try_from_base32(secret).expect("base32");
    let totp = Builder::new().with_secret(secret).build().expect("a long secret");
    totp.generate(clock::now().get() / 1000 + 30 * steps).to_string()
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with a command and a data folder.
pub fn program(data: &Path, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kirana-hub"));
    program.args(command.split(' ')).arg("--data").arg(data);
    program.env_remove("KIRANA_PASSPHRASE").stdin(Stdio::null());
    program
}

/// What lies in a folder and in those inside it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

pub async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

pub fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}
