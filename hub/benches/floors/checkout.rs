//! What thin clients do at the hub's door: putting something into a cart, and whole checkouts.
//!
//! A checkout is a new cart, three things put into it, an address, the shop's spans of time, and the
//! order for what is in the cart: seven requests, of which each that changes something is durable when
//! it is answered.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    clients,
    clock::Stopwatch,
    commits::{self, Commits},
    report::Round,
    server::{Client, post},
    street::{Person, Street, slot, text},
};

/// People who check out at once.
pub const AT_ONCE: usize = 32;
/// People who put things into their carts at once.
pub const ADDING: usize = 8;
/// Different things of an order.
const LINES: usize = 3;

/// Everybody checks out so many times in all.
pub fn check_out(street: &Street, flows: usize, round: usize) -> anyhow::Result<Round> {
    let mut jobs = Vec::new();
    for person in &street.people[..AT_ONCE] {
        let mut flow = Flow::new(street, person)?;
        jobs.push(move || {
            let one = |n| timed(|| flow.check_out(&format!("{round}-{n}")));
            (0..flows / AT_ONCE).map(one).collect()
        });
    }
    clients::race(&street.hub, jobs)
}

/// Some put one thing after another into their carts.
pub fn add(street: &Street, adds: usize) -> anyhow::Result<Round> {
    let mut jobs = Vec::new();
    for person in street.people.iter().skip(AT_ONCE).take(ADDING) {
        let mut flow = Flow::new(street, person)?;
        let cart = flow.cart("again")?;
        jobs.push(move || {
            let one = |n: usize| timed(|| flow.add(&cart, n % LINES));
            let each = (0..adds / ADDING).map(one).collect();
            flow.drop(&cart)?;
            each
        });
    }
    clients::race(&street.hub, jobs)
}

/// People that are needed.
pub const PEOPLE: usize = AT_ONCE + ADDING + 1;

/// What a checkout and an addition commit, as somebody does both who does nothing else beside: the
/// least of a few times, since a hub has errands of its own.
pub fn commits(street: &Street) -> anyhow::Result<(Commits, Commits)> {
    let person = &street.people[PEOPLE - 1];
    let mut flow = Flow::new(street, person)?;
    let mut least = (Commits::MOST, Commits::MOST);
    for n in 0..COUNTED {
        let before = commits::so_far(&street.folder, &person.id)?;
        flow.check_out(&format!("counted-{n}"))?;
        least.0 = least.0.least(commits::so_far(&street.folder, &person.id)?.since(before)?);
        let cart = flow.cart(&format!("added-{n}"))?;
        let before = commits::so_far(&street.folder, &person.id)?;
        flow.add(&cart, 0)?;
        least.1 = least.1.least(commits::so_far(&street.folder, &person.id)?.since(before)?);
    }
    Ok(least)
}

/// How often it is counted; the first time makes the household's database.
const COUNTED: usize = 4;

/// Somebody at the door.
struct Flow<'s> {
    street: &'s Street,
    person: &'s Person,
    client: Client,
}

impl<'s> Flow<'s> {
    fn new(street: &'s Street, person: &'s Person) -> anyhow::Result<Self> {
        Ok(Self { street, person, client: street.hub.connect()? })
    }

    fn check_out(&mut self, name: &str) -> anyhow::Result<()> {
        let cart = self.cart(name)?;
        for line in 0..LINES {
            self.add(&cart, line)?;
        }
        let address = json!({ "label": name, "text": "14 Second Cross", "city": "Bengaluru",
                              "postcode": "560001", "country": "IN" });
        let address = text(&self.post("/v1/me/addresses", &address)?, "id")?;
        let slot = slot(&mut self.client, &self.street.shop)?;
        let order = json!({ "cart_id": cart, "address_id": address, "slot": slot });
        let placed = self.post("/v1/orders", &order)?;
        let lines = placed["orders"][0]["order"]["lines"].as_array().map_or(0, Vec::len);
        ensure!(lines == LINES, "not what was in the cart: {placed}");
        Ok(())
    }

    fn cart(&mut self, name: &str) -> anyhow::Result<String> {
        text(&self.post("/v1/me/carts", &json!({ "name": name }))?, "id")
    }

    fn add(&mut self, cart: &str, line: usize) -> anyhow::Result<()> {
        let variants = &self.street.variants;
        let line = json!({
            "shop_id": self.street.shop, "variant_id": variants[line * 7 % variants.len()],
            "quantity": { "amount": 1, "unit": "piece" },
        });
        self.post(&format!("/v1/me/carts/{cart}/lines"), &line).map(drop)
    }

    fn drop(&mut self, cart: &str) -> anyhow::Result<()> {
        let path = format!("/v1/me/carts/{cart}");
        let bearer = &self.person.token;
        let request = format!(
            "DELETE {path} HTTP/1.1\r\nHost: kirana\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        let (status, _) = self.client.send(request.as_bytes())?;
        ensure!(status == 204, "the cart stays: {status}");
        Ok(())
    }

    fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.client.json(&post(path, Some(&self.person.token), body), 201)
    }
}

fn timed(act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    act()?;
    Ok(watch.elapsed())
}
