//! Orders over HTTP at the real program, by one client or many at once.

use std::path::Path;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::challenge;
use serde_json::{Value, json};

use crate::{
    clients, committed,
    report::Round,
    server::{Client, Server, post},
    street::{Guest, Street},
};

/// Has `clients` place `operations` signed orders together, each on a connection of its own, and
/// finds every one of them in the database afterwards.
pub fn place(
    street: &Street,
    clients: usize,
    operations: usize,
    folder: &Path,
) -> anyhow::Result<Round> {
    street.copy_to(folder)?;
    let server = Server::start(crate::SHOP, folder, &[])?;
    let mut asking = Vec::new();
    for _ in 0..clients {
        asking.push((server.connect()?, Vec::new()));
    }
    let tokens = street.guests.iter().map(|guest| sign_in(&mut asking[0].0, guest));
    let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
    for (n, signed) in street.orders().take(operations).enumerate() {
        let token = &tokens[n % tokens.len()];
        let body = json!({
            "placed": STANDARD.encode(signed.order),
            "certificates": [STANDARD.encode(&signed.guest.certificate)],
        });
        asking[n % clients].1.push(post("/v1/orders", Some(token), &body));
    }
    let round = clients::run(&server, asking, 201)?;
    // The program is killed, not told to end: what it had answered must be there nevertheless.
    drop(server);
    committed::check(folder, round.operations)?;
    Ok(round)
}

fn sign_in(client: &mut Client, guest: &Guest) -> anyhow::Result<String> {
    let given = client.json(&post("/v1/sessions/nonce", None, &Value::Null), 200)?;
    let hex = given["nonce"].as_str().context("no nonce")?;
    let pair = |pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    let nonce: Vec<u8> = hex.as_bytes().chunks(2).map(pair).collect::<anyhow::Result<_>>()?;
    let nonce = nonce.try_into().map_err(|_| anyhow::anyhow!("a nonce of another length"))?;
    let audience = given["audience"].as_str().context("no audience")?;
    let answer = challenge::answer(&guest.keys.signing, nonce, audience);
    let body = json!({
        "certificates": [STANDARD.encode(&guest.certificate)],
        "answer": STANDARD.encode(answer),
    });
    let session = client.json(&post("/v1/sessions", None, &body), 201)?;
    Ok(session["access_token"].as_str().context("no token")?.to_owned())
}
