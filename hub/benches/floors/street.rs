//! A hub that vouches for a shop and has its shelf and terms, with people who have no device of
//! their own. The shop is real, and closed once the hub has what it needs: what is measured is the hub.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::server::{self, Client, Server};

/// What is sold.
const PRODUCTS: usize = 100;
const PASSWORD: &str = "seven quiet mangoes by the river";
/// How often it is looked whether the hub has heard of the shop, and how many times at most.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
const LOOKS_MAX: usize = 600;

/// A hub, what can be bought there, and who buys.
pub struct Street {
    /// The hub.
    pub hub: Server,
    /// Its folder.
    pub folder: PathBuf,
    /// The shop's id.
    pub shop: String,
    /// What can be bought: variants by the piece.
    pub variants: Vec<String>,
    /// Who buys.
    pub people: Vec<Person>,
}

/// Somebody whose device the hub keeps.
pub struct Person {
    /// Signed in with it.
    pub token: String,
    /// The account's id.
    pub id: String,
}

impl Street {
    /// Starts the hub, has the shop join it, and signs so many people in.
    pub fn of_a_new_hub(folder: &Path, people: usize) -> anyhow::Result<Self> {
        let (home, more) = (folder.join("street"), ["--sign-ins-per-minute", "1000000"]);
        let more = [&more[..], &["--auto-approve"]].concat();
        let hub = Server::start(env!("CARGO_BIN_EXE_kirana-hub"), &home, &more)?;
        let mut client = hub.connect()?;
        let names =
            std::iter::once("owner".to_owned()).chain((0..people).map(|n| format!("person{n}")));
        let mut all = names.map(|login| Person::new(&mut client, &login));
        all.next().context("no owner")??;
        let people = all.collect::<anyhow::Result<Vec<_>>>()?;
        let shop = Shop::found(&folder.join("corner"))?;
        let hubs = shop.join(&format!("http://{}", hub.address))?;
        let more: Vec<&str> = hubs.iter().flat_map(|hub| ["--hub", hub]).collect();
        let open = Server::start(&shop.program, &shop.folder, &more)?;
        let variants = gathered(&mut client, &shop.id)?;
        drop(open);
        Ok(Self { hub, folder: home, shop: shop.id, variants, people })
    }
}

impl Person {
    fn new(client: &mut Client, login: &str) -> anyhow::Result<Self> {
        let new = json!({ "login": login, "password": PASSWORD, "name": "Meena" });
        patiently(client, &server::post("/v1/accounts", None, &new))?;
        let sign_in = json!({ "login": login, "password": PASSWORD });
        let session = patiently(client, &server::post("/v1/sessions", None, &sign_in))?;
        let token = text(&session, "access_token")?;
        let me = client.json(&server::get("/v1/me", Some(&token)), 200)?;
        Ok(Self { token, id: text(&me, "id")? })
    }
}

/// Asks again while the hub is busy: passwords are hashed when nothing else is to be done, which on a
/// loaded machine may be late.
fn patiently(client: &mut Client, request: &[u8]) -> anyhow::Result<Value> {
    for _ in 0..LOOKS_MAX {
        let (status, body) = client.send(request)?;
        let said: Value = serde_json::from_slice(body)?;
        match status {
            503 => continue,
            // The account of a first try that was answered too late.
            201 | 409 => return Ok(said),
            other => anyhow::bail!("the hub answered {other}: {said}"),
        }
    }
    anyhow::bail!("the hub is busy")
}

/// The shop's own program, which the same build puts beside the hub's.
struct Shop {
    program: String,
    folder: PathBuf,
    id: String,
}

impl Shop {
    fn found(folder: &Path) -> anyhow::Result<Self> {
        let program = Path::new(env!("CARGO_BIN_EXE_kirana-hub")).with_file_name("kirana-shop");
        ensure!(program.exists(), "{} was not built: cargo xtask bench does", program.display());
        let (program, folder) = (program.display().to_string(), folder.to_path_buf());
        let mut shop = Self { program, folder, id: String::new() };
        let founded = shop.run("init", &["--name", "Corner", "--place", PLACE])?;
        shop.id = text(&founded, "shop_id")?;
        let list = shop.file("list.csv", &list())?;
        shop.run("import", &[&list, "--format", "csv"])?;
        let terms = shop.file("terms.json", &terms().to_string())?;
        shop.run("terms", &["--set", &terms])?;
        Ok(shop)
    }

    /// Where the hubs are that keep its mail from now on.
    fn join(&self, hub: &str) -> anyhow::Result<Vec<String>> {
        let joined = self.run("join", &["--hub", hub, "--login", "owner"])?;
        ensure!(joined["state"] == "approved", "the hub does not vouch for the shop: {joined}");
        let hubs = joined["hubs"].as_array().into_iter().flatten();
        Ok(hubs.filter_map(|hub| hub.as_str().map(str::to_owned)).collect())
    }

    fn file(&self, name: &str, content: &str) -> anyhow::Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, content)?;
        Ok(path.display().to_string())
    }

    fn run(&self, command: &str, more: &[&str]) -> anyhow::Result<Value> {
        let mut running = Command::new(&self.program);
        running.args([command, "--json", "--data"]).arg(&self.folder).args(more);
        let done = running.env("KIRANA_PASSWORD", PASSWORD).env("RUST_LOG", "error").output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "kirana-shop {command}: {said}");
        serde_json::from_slice(&done.stdout).with_context(|| format!("what {command} said: {said}"))
    }
}

/// The variants on the hub's shelf, once all of them and the shop's spans of time are there.
fn gathered(client: &mut Client, shop: &str) -> anyhow::Result<Vec<String>> {
    let (_nobody, says) = mpsc::channel::<()>();
    for _ in 0..LOOKS_MAX {
        let shelf = server::get(&format!("/v1/products?shop={shop}&limit=100"), None);
        let (_, page) = client.send(&shelf)?;
        let page: Value = serde_json::from_slice(page)?;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.len() == PRODUCTS && slot(client, shop).is_ok() {
            return items.iter().map(|item| text(&item["variants"][0], "id")).collect();
        }
        let _ = says.recv_timeout(LOOK_AGAIN);
    }
    anyhow::bail!("the hub has not gathered the shop's shelf")
}

/// The first span of time that the shop offers.
pub fn slot(client: &mut Client, shop: &str) -> anyhow::Result<Value> {
    let slots = server::get(&format!("/v1/shops/{shop}/slots?days=2"), None);
    let slots = client.json(&slots, 200)?;
    let first = slots["items"].get(0).context("no span of time")?;
    Ok(json!({ "from": first["from"], "until": first["until"] }))
}

/// A field that must be there.
pub fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    Ok(value[field].as_str().with_context(|| format!("no {field} in {value}"))?.to_owned())
}

fn list() -> String {
    let line = |n| format!("Rice of kind {n},{}.50,5,1000000,grains/rice\n", 10 + n);
    let lines: String = (0..PRODUCTS).map(line).collect();
    format!("name,price,tax_percent,stock,category\n{lines}")
}

/// Brings things at a fee, at any hour of the day.
fn terms() -> Value {
    let window = json!({
        "way": "delivery", "days": "Mo-Su", "from_min": 0, "until_min": 1_439,
        "capacity": 60_000, "last_call_min": 0,
    });
    let fee = json!({ "minor": 1_500, "currency": "INR" });
    let tomorrow_too = [window];
    json!({ "zone": "UTC", "delivery": { "fee": fee }, "windows": tomorrow_too,
            "only_in_windows": true })
}

const PLACE: &str = "12.9716,77.5946";
