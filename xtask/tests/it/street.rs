//! A street with real programs: a hub, a shop that it vouches for, and households.

use anyhow::{Context, ensure};
use kirana_customer::home::Home;
use kirana_xtask::{
    build::{Programs, root},
    demo::{
        door,
        process::{self, run},
        town::{
            household::Household,
            hub::{Hub, Role},
            shop::{Shop, Ware, text},
        },
        wait::until,
    },
};
use serde_json::Value;
use tempfile::TempDir;

/// A hub, a shop that it vouches for, and what stands on the shelf.
pub struct Street {
    pub programs: Programs,
    folder: TempDir,
    pub hub: Hub,
    pub shop: Shop,
    pub rice: Ware,
}

impl Street {
    pub async fn new() -> anyhow::Result<Self> {
        // The tests of the whole workspace are built with its programs, which lie above them.
        let here = std::env::current_exe()?;
        let programs = Programs::within(here.ancestors().nth(2).context("a target folder")?);
        ensure!(programs.shop.exists() && programs.hub.exists(), "build the whole workspace");
        let (folder, client) = (tempfile::tempdir()?, door::client()?);
        let hub = Hub::start(&programs, &client, &folder.path().join("hub"), Role::Central).await?;
        let at = folder.path().join("shop");
        let mut shop = Shop::found(&programs, &client, &at, "Corner Store").await?;
        let data = root().join("xtask/data");
        shop.import(&data.join("staples.csv"), &data.join("staples.map.json")).await?;
        hub.sign_up("owner", "Owner").await?;
        shop.join(&hub.url(), "owner").await?;
        shop.use_hubs(&[hub.address()?]);
        shop.open().await?;
        let rice = shop.find("rice").await?;
        Ok(Self { programs, folder, hub, shop, rice })
    }

    pub fn home(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A device that signed in and has chosen the shop.
    pub async fn signed_in(&self, folder: &str, name: &'static str) -> anyhow::Result<Household> {
        let (url, login) = (self.hub.url(), name.to_lowercase());
        let home = self.home(folder);
        let device = Household::found(&self.programs, &home, name, Some(&url)).await?;
        device.sign_in(&url, &login).await?;
        device.choose(&self.shop.address()?).await?;
        until("the shop's catalogue", async || {
            device.sync(None).await?;
            Ok((device.products_saved(&self.shop).await? > 0).then_some(()))
        })
        .await?;
        Ok(device)
    }

    pub async fn order(&self, device: &Household) -> anyhow::Result<String> {
        device.order(&self.shop, &[(&self.rice, self.rice.least)]).await
    }

    /// Runs `kirana` for one of the homes.
    pub async fn kirana(&self, folder: &str, words: &[&str]) -> anyhow::Result<Value> {
        let mut command = process::command(&self.programs.household);
        run(command.arg("--json").arg("--home").arg(self.home(folder)).args(words)).await
    }

    /// A home as the library sees it, while no program runs there.
    pub fn opened(&self, folder: &str) -> anyhow::Result<kirana_customer::app::Household> {
        let home = Home::at(self.home(folder));
        Ok(kirana_customer::app::Household::open(home.database()?, home.keys(None)?)?)
    }

    /// The device of a home, by the short name of its key.
    pub async fn device(&self, folder: &str) -> anyhow::Result<String> {
        text(&self.kirana(folder, &["device", "show"]).await?, "device")
    }

    pub async fn end(mut self) -> anyhow::Result<()> {
        self.shop.close().await?;
        self.hub.stop().await
    }
}

/// Syncs until an order is at some stage.
pub async fn reaches(device: &Household, order: &str, stage: &str) -> anyhow::Result<()> {
    until(&format!("the order {order} to be {stage}"), async || {
        device.sync(None).await?;
        Ok((device.stage(order).await? == stage).then_some(()))
    })
    .await
}
