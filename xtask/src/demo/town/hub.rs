//! A hub of the story, central or community.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Context;
use reqwest::Client;
use serde_json::json;

use super::household::PASSWORD;
use crate::build::Programs;
use crate::demo::door::Door;
use crate::demo::process::{self, Server, run};

/// What a hub is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Accounts, certificates, directory and mail.
    Central,
    /// Mail only.
    Community {
        /// The hub whose list of hubs it goes by.
        trusts: String,
    },
}

/// A hub, running or dark.
#[derive(Debug)]
pub struct Hub {
    role: Role,
    programs: Programs,
    client: Client,
    data: PathBuf,
    http: String,
    p2p: String,
    server: Option<Server>,
}

impl Hub {
    /// Starts a hub in `folder`.
    pub async fn start(
        programs: &Programs,
        client: &Client,
        folder: &Path,
        role: Role,
    ) -> anyhow::Result<Self> {
        let mut hub = Self {
            role,
            programs: programs.clone(),
            client: client.clone(),
            data: folder.to_path_buf(),
            http: "127.0.0.1:0".to_owned(),
            p2p: "/ip4/127.0.0.1/tcp/0".to_owned(),
            server: None,
        };
        hub.power_on().await?;
        Ok(hub)
    }

    /// Starts it, or starts it again where it was before.
    pub async fn power_on(&mut self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.data)?;
        let mut command = process::command(&self.programs.hub);
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--role", self.role.name(), "--http", &self.http, "--p2p", &self.p2p]);
        command.arg("--auto-approve");
        if let Role::Community { trusts } = &self.role {
            command.args(["--trust-roster", trusts]);
        }
        let log = self.data.join("serve.log");
        let server = Server::start(self.role.title(), &mut command, &log).await?;
        self.http =
            server.ready.http.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let address = server.ready.p2p.first().context("the hub listens for nobody")?;
        self.p2p = address.split("/p2p/").next().unwrap_or(address).to_owned();
        self.server = Some(server);
        Ok(())
    }

    /// SIGKILL.
    pub async fn pull_the_plug(&mut self) -> anyhow::Result<()> {
        self.server.take().context("the hub is dark already")?.pull_the_plug().await
    }

    /// Ends it cleanly, where it runs.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Its HTTP address.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where programs reach it, with its name.
    pub fn address(&self) -> anyhow::Result<String> {
        let server = self.server.as_ref().context("the hub is dark")?;
        server.ready.p2p.first().cloned().context("the hub listens for nobody")
    }

    /// Makes an account for somebody.
    pub async fn sign_up(&self, login: &str, name: &str) -> anyhow::Result<()> {
        let door = Door::new(&self.client, &self.url());
        let account = json!({"login": login, "password": PASSWORD, "name": name});
        door.post("/v1/accounts", &account).await.map(drop)
    }

    /// Makes the first admin; gives the link for an authenticator app.
    pub async fn add_admin(&self) -> anyhow::Result<String> {
        let mut command = process::command(&self.programs.hub);
        command.args(["admin", "add", "--email", ADMIN, "--json", "--data"]).arg(&self.data);
        let added = run(command.env("KIRANA_PASSWORD", PASSWORD)).await?;
        let uri = added["otpauth_uri"].as_str().context("the admin has no second factor")?;
        Ok(uri.to_owned())
    }

    /// The shops at which the hub's shelves have what these words mean.
    pub async fn sellers(&self, words: &str) -> anyhow::Result<BTreeSet<String>> {
        let door = Door::new(&self.client, &self.url());
        let words = words.replace(' ', "%20");
        let found = door.get(&format!("/v1/products?limit=100&q={words}")).await?;
        let items = found["items"].as_array().context("the hub's page has no items")?;
        let shops = items.iter().filter_map(|item| item["shop"]["name"].as_str());
        Ok(shops.map(str::to_owned).collect())
    }

    /// How much memory its program holds, in KiB.
    pub fn memory_kib(&self) -> Option<u64> {
        self.server.as_ref().and_then(Server::memory_kib)
    }
}

impl Role {
    const fn name(&self) -> &'static str {
        match self {
            Self::Central => "central",
            Self::Community { .. } => "community",
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::Central => "the hub",
            Self::Community { .. } => "the community hub",
        }
    }
}

/// Who runs the hub.
pub const ADMIN: &str = "admin@kirana.example";
