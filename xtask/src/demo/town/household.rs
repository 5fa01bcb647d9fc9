//! One household of the story: a folder and the `kirana` command.

use std::path::{Path as FilePath, PathBuf};

use anyhow::Context;
use serde_json::Value;
use tokio::process::Command;

use super::shop::{Shop, Ware, text};
use crate::build::Programs;
use crate::demo::checker::Path;
use crate::demo::process::{self, run};

/// A household and its device.
#[derive(Debug, Clone)]
pub struct Household {
    pub name: &'static str,
    home: PathBuf,
    programs: Programs,
}

impl Household {
    /// Sets up a device in `home`; one that knows a hub learns there who may vouch for whom.
    pub async fn found(
        programs: &Programs,
        home: &FilePath,
        name: &'static str,
        hub: Option<&str>,
    ) -> anyhow::Result<Self> {
        let household = Self { name, home: home.to_path_buf(), programs: programs.clone() };
        let mut command = household.kirana(&["init", "--name", name]);
        if let Some(hub) = hub {
            command.args(["--hub", hub]);
        }
        run(&mut command).await?;
        Ok(household)
    }

    /// Signs in at the hub, which certifies the device for the account.
    pub async fn sign_in(&self, hub: &str, login: &str) -> anyhow::Result<()> {
        let mut command = self.kirana(&["login", "--hub", hub, "--login", login]);
        run(command.env("KIRANA_PASSWORD", PASSWORD)).await.map(drop)
    }

    /// Uses a community hub as well.
    pub async fn use_hub(&self, address: &str) -> anyhow::Result<()> {
        run(&mut self.kirana(&["hub", "add", address])).await.map(drop)
    }

    /// Chooses a shop and saves its catalogue.
    pub async fn choose(&self, address: &str) -> anyhow::Result<()> {
        run(&mut self.kirana(&["shops", "add", address])).await.map(drop)
    }

    /// How many products of a shop are saved here.
    pub async fn products_saved(&self, shop: &Shop) -> anyhow::Result<u64> {
        let shops = run(&mut self.kirana(&["shops"])).await?;
        let known =
            shops["items"].as_array().into_iter().flatten().find(|row| row["id"] == shop.id);
        Ok(known.and_then(|row| row["products"].as_u64()).unwrap_or_default())
    }

    /// Looks in the saved catalogues; no network is asked.
    pub async fn search(&self, words: &str) -> anyhow::Result<Vec<Value>> {
        let found = run(&mut self.kirana(&["search", words])).await?;
        Ok(found["items"].as_array().cloned().unwrap_or_default())
    }

    /// Orders; the id is what the screen then shows as placed.
    pub async fn order(&self, shop: &Shop, wares: &[(&Ware, u64)]) -> anyhow::Result<String> {
        let mut command = self.kirana(&["order", "place", "--pickup", "--shop", &shop.id]);
        for (ware, units) in wares {
            command.args(["--item", &format!("{}={units}{}", ware.variant, ware.suffix())]);
        }
        let placed = run(&mut command).await?;
        let order = placed["orders"].get(0).unwrap_or(&placed);
        text(order, "id").with_context(|| format!("{}'s order", self.name))
    }

    /// Sends what waits and fetches what is there, by every path or by one.
    pub async fn sync(&self, only: Option<Path>) -> anyhow::Result<()> {
        let mut command = self.kirana(&["sync"]);
        if let Some(path) = only {
            command.args(["--only", path.name()]);
        }
        run(&mut command).await.map(drop)
    }

    /// What the screen says about an order.
    pub async fn status(&self, order: &str) -> anyhow::Result<Value> {
        let shown = run(&mut self.kirana(&["order", "status", order])).await?;
        Ok(shown["orders"].get(0).cloned().unwrap_or(shown))
    }

    /// The stage of an order, as the household sees it.
    pub async fn stage(&self, order: &str) -> anyhow::Result<String> {
        text(&self.status(order).await?, "stage")
    }

    /// Writes an order to a file that somebody can carry.
    pub async fn export(&self, order: &str, file: &FilePath) -> anyhow::Result<()> {
        let file = file.to_str().context("a path of plain text")?;
        run(&mut self.kirana(&["order", "export", order, file])).await.map(drop)
    }

    /// Reads a file that came back.
    pub async fn receive(&self, file: &FilePath) -> anyhow::Result<()> {
        let file = file.to_str().context("a path of plain text")?;
        run(&mut self.kirana(&["order", "receive", file])).await.map(drop)
    }

    /// What a reader types to act as this household.
    pub fn command_line(&self) -> String {
        format!("{} --home {}", self.programs.household.display(), self.home.display())
    }

    /// Where its journal lies.
    pub fn journal(&self) -> PathBuf {
        self.home.join("household.db")
    }

    fn kirana(&self, arguments: &[&str]) -> Command {
        let mut command = process::command(&self.programs.household);
        command.arg("--home").arg(&self.home).arg("--json").args(arguments);
        command
    }
}

/// The password of every made-up person in the story.
pub const PASSWORD: &str = "a made-up passphrase for the story";
