//! One shop of the story: its program, its door, and what outsiders can do there.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::household::PASSWORD;
use crate::build::Programs;
use crate::demo::checker::Published;
use crate::demo::door::Door;
use crate::demo::process::{self, Ended, Server, attempt, run};

/// A shop, open or closed.
#[derive(Debug)]
pub struct Shop {
    /// What the story calls it.
    pub name: &'static str,
    /// Its id for life.
    pub id: String,
    programs: Programs,
    client: Client,
    data: PathBuf,
    /// The printed code that opens its backups.
    recovery_code: String,
    hubs: Vec<String>,
    /// Where its box listens; it keeps its port when it comes back.
    p2p: String,
    server: Option<Server>,
    door: Option<Door>,
}

/// Something on a shelf.
#[derive(Debug, Clone)]
pub struct Ware {
    pub product: String,
    pub variant: String,
    pub name: String,
    /// `g`, `ml` or `piece`.
    pub unit: String,
    /// The least that can be ordered, in base units.
    pub least: u64,
}

impl Ware {
    /// How an amount of it is written on a command line: `500g`, `2`.
    pub fn suffix(&self) -> &str {
        if self.unit == "piece" { "" } else { &self.unit }
    }
}

impl Shop {
    /// Founds a shop in `folder`, that has met no hub yet.
    pub async fn found(
        programs: &Programs,
        client: &Client,
        folder: &Path,
        name: &'static str,
    ) -> anyhow::Result<Self> {
        let mut shop = Self {
            name,
            id: String::new(),
            programs: programs.clone(),
            client: client.clone(),
            data: folder.to_path_buf(),
            recovery_code: String::new(),
            hubs: Vec::new(),
            p2p: "/ip4/127.0.0.1/tcp/0".to_owned(),
            server: None,
            door: None,
        };
        let mut init = shop.command("init");
        let founded = run(init.args(["--name", name, "--place", PLACE, "--json"])).await?;
        shop.id = text(&founded, "shop_id")?;
        shop.recovery_code = text(&founded, "recovery_code")?;
        Ok(shop)
    }

    /// Takes a list of products in; what the importer refuses is an error here.
    pub async fn import(&self, file: &Path, map: &Path) -> anyhow::Result<u64> {
        let mut command = self.command("import");
        command.arg(file).args(["--format", "csv", "--json", "--map"]).arg(map);
        let done = attempt(&mut command).await?;
        let refused = &done.result["refused"];
        ensure!(done.status.success(), "{}: {} {refused}", file.display(), done.complaint);
        done.result["products_added"].as_u64().context("the importer says how many it added")
    }

    /// Has a hub vouch for it; `login` is its owner's account there.
    pub async fn join(&self, hub: &str, login: &str) -> anyhow::Result<()> {
        let mut command = self.command("join");
        command.args(["--hub", hub, "--login", login, "--json"]);
        let joined = run(command.env("KIRANA_PASSWORD", PASSWORD)).await?;
        ensure!(joined["state"] == "approved", "the hub has not approved {}: {joined}", self.name);
        Ok(())
    }

    /// Tells it which hubs keep its mail when it opens next.
    pub fn use_hubs(&mut self, hubs: &[String]) {
        self.hubs = hubs.to_vec();
    }

    /// Opens the shop and signs its owner in.
    pub async fn open(&mut self) -> anyhow::Result<()> {
        let mut command = self.command("serve");
        command.args(["--http", "127.0.0.1:0", "--p2p", &self.p2p]);
        for hub in &self.hubs {
            command.args(["--hub", hub]);
        }
        let server = Server::start(self.name, &mut command, &self.data.join("serve.log")).await?;
        self.p2p = server.ready.p2p.first().map_or(self.p2p.clone(), |address| port_of(address));
        let door = Door::new(&self.client, &server.ready.http);
        self.server = Some(server);
        let token = self.token("owner", "").await?;
        self.door = Some(door.with_token(&token));
        Ok(())
    }

    /// A token for somebody who works here.
    async fn token(&self, role: &str, name: &str) -> anyhow::Result<String> {
        let mut command = self.command("token");
        command.args(["--role", role, "--name", name, "--json"]);
        let made = run(&mut command).await?;
        text(&made, "access_token")
    }

    /// The door, as one of the staff sees it.
    pub async fn door_of_staff(&self, name: &str) -> anyhow::Result<Door> {
        Ok(self.door()?.with_token(&self.token("staff", name).await?))
    }

    /// The door, as the owner sees it.
    pub fn door(&self) -> anyhow::Result<&Door> {
        self.door.as_ref().with_context(|| format!("{} is closed", self.name))
    }

    /// Where a household on the same network reaches it.
    pub fn address(&self) -> anyhow::Result<String> {
        let server = self.server.as_ref().with_context(|| format!("{} is closed", self.name))?;
        server.ready.p2p.first().cloned().context("the shop listens for nobody")
    }

    /// Its page for people on the same network.
    pub fn url(&self) -> anyhow::Result<&str> {
        let server = self.server.as_ref().with_context(|| format!("{} is closed", self.name))?;
        Ok(&server.ready.http)
    }

    /// Closes for the night.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        self.door = None;
        self.server.take().with_context(|| format!("{} is closed", self.name))?.stop().await
    }

    /// SIGKILL.
    pub async fn pull_the_plug(&mut self) -> anyhow::Result<()> {
        self.door = None;
        self.server
            .take()
            .with_context(|| format!("{} is closed", self.name))?
            .pull_the_plug()
            .await
    }

    /// The first thing that the shelf finds for these words.
    pub async fn find(&self, words: &str) -> anyhow::Result<Ware> {
        let path = format!("/v1/products?limit=1&q={}", words.replace(' ', "%20"));
        let page = self.door()?.get(&path).await?;
        let product = page["items"].get(0).with_context(|| format!("nothing found for {words}"))?;
        ware(product)
    }

    /// As many wares as asked for, from the start of the shelf.
    pub async fn wares(&self, count: usize) -> anyhow::Result<Vec<Ware>> {
        let page = self.door()?.get(&format!("/v1/products?limit={count}")).await?;
        page["items"].as_array().into_iter().flatten().map(ware).collect()
    }

    /// What the shop states about every shelf, by variant.
    pub async fn stock(&self) -> anyhow::Result<Vec<(String, Published)>> {
        let rows = self.door()?.list("/v1/stock?limit=100").await?;
        rows.iter()
            .map(|row| {
                let published = Published {
                    on_hand: amount(&row["on_hand"])?,
                    reserved: amount(&row["reserved"])?,
                };
                Ok((text(row, "variant_id")?, published))
            })
            .collect()
    }

    /// A walk-in customer buys; `false` when the till says that there is not enough.
    pub async fn sell(&self, ware: &Ware, units: u64) -> anyhow::Result<bool> {
        let quantity = json!({"amount": units, "unit": ware.unit});
        let body = json!({"lines": [{"variant_id": ware.variant, "quantity": quantity}]});
        let answer = self.door()?.ask(Method::POST, "/v1/sales", Some(&body)).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK => Ok(true),
            StatusCode::CONFLICT => Ok(false),
            other => bail!("the till answered {other}: {}", answer.body),
        }
    }

    /// Somebody counts a shelf and writes down what lies there.
    pub async fn recount(&self, ware: &Ware, units: u64) -> anyhow::Result<()> {
        let body = json!({"variant_id": ware.variant, "kind": "stocktake", "amount": units});
        self.door()?.post("/v1/stock/movements", &body).await.map(drop)
    }

    /// The ids of all orders that it lists, each as often as it lists it.
    pub async fn orders(&self) -> anyhow::Result<Vec<String>> {
        let rows = self.door()?.list("/v1/orders?limit=100").await?;
        rows.iter().map(|row| text(row, "id")).collect()
    }

    /// Says that the stock is right, so that it may be sold again after a restore.
    pub async fn confirm_stock(&self) -> anyhow::Result<()> {
        self.door()?.post("/v1/stock/confirmation", &json!({})).await.map(drop)
    }

    /// The owner says yes to every order that waits for a person; how many that were.
    pub async fn accept_waiting(&self) -> anyhow::Result<usize> {
        let orders = self.door()?.list("/v1/orders?open=true&limit=100").await?;
        let waiting = orders.iter().filter(|order| order["stage"]["stage"] == "received");
        let mut count = 0;
        for order in waiting {
            let path = format!("/v1/orders/{}/acceptance", text(order, "id")?);
            self.door()?.post(&path, &json!({})).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Packs, hands over and takes the money.
    pub async fn hand_over(&self, order: &str) -> anyhow::Result<()> {
        let door = self.door()?;
        for deed in ["packing", "packed", "ready", "collection"] {
            door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
        }
        let seen = door.get(&format!("/v1/orders/{order}")).await?;
        let payment = json!({"amount": seen["totals"]["sum"], "means": "cash"});
        door.post(&format!("/v1/orders/{order}/payments"), &payment).await.map(drop)
    }

    /// Gives it an order that came as a file; the sealed answer comes back, or why not.
    pub async fn receive(&self, file: &Path) -> anyhow::Result<Result<Vec<u8>, String>> {
        let (status, bytes) = self.door()?.hand_in("/v1/mail", std::fs::read(file)?).await?;
        if status.is_success() {
            return Ok(Ok(bytes));
        }
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let said = problem["detail"].as_str().or_else(|| problem["title"].as_str());
        Ok(Err(said.map_or_else(|| status.to_string(), str::to_owned)))
    }

    /// Walks every chain and every stock equation.
    pub async fn verify(&self) -> anyhow::Result<Ended> {
        attempt(self.command("verify").arg("--json")).await
    }

    /// Writes the daily backup, while the shop is open.
    pub async fn back_up(&self, file: &Path) -> anyhow::Result<()> {
        run(self.command("backup").arg(file).arg("--json")).await.map(drop)
    }

    /// Restores a backup onto a fresh box; the old folder is left behind.
    pub async fn restore(&mut self, file: &Path, folder: &Path) -> anyhow::Result<()> {
        self.data = folder.to_path_buf();
        let mut command = self.command("restore");
        command.env("KIRANA_RECOVERY_CODE", &self.recovery_code);
        run(command.arg(file).arg("--json")).await.map(drop)
    }

    /// The command that a reader can type to check this shop.
    pub fn check_command(&self) -> String {
        format!("{} verify --data {}", self.programs.shop.display(), self.data.display())
    }

    /// How much memory its program holds, in KiB.
    pub fn memory_kib(&self) -> Option<u64> {
        self.server.as_ref().and_then(Server::memory_kib)
    }

    fn command(&self, name: &str) -> tokio::process::Command {
        let mut command = process::command(&self.programs.shop);
        command.arg(name).arg("--data").arg(&self.data);
        command
    }
}

/// The listening address with the port that was given, without the peer's name.
fn port_of(address: &str) -> String {
    address.split("/p2p/").next().unwrap_or(address).to_owned()
}

fn ware(product: &Value) -> anyhow::Result<Ware> {
    let variant = product["variants"].get(0).context("a product without variants")?;
    Ok(Ware {
        product: text(product, "id")?,
        variant: text(variant, "id")?,
        name: text(product, "name")?,
        unit: variant["unit"].as_str().unwrap_or("piece").to_owned(),
        least: variant["min"].as_u64().max(variant["step"].as_u64()).unwrap_or(1),
    })
}

fn amount(value: &Value) -> anyhow::Result<u64> {
    value
        .as_u64()
        .or_else(|| value["amount"].as_u64())
        .with_context(|| format!("no amount: {value}"))
}

/// A field that must be there.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    Ok(value[field].as_str().with_context(|| format!("no {field} in {value}"))?.to_owned())
}

/// Where both shops stand.
const PLACE: &str = "12.9716,77.5946";
