//! Orders over HTTP at the real program, by one client or many at once.

use std::{path::Path, sync::Barrier, time::Duration};

use anyhow::{Context, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::challenge;
use serde_json::{Value, json};

use crate::{
    clock::Stopwatch,
    report::Round,
    server::{Client, Server, post},
    street::{Guest, Street},
};

/// Has `clients` place `operations` signed orders together, each on a connection of its own.
pub fn place(
    street: &Street,
    clients: usize,
    operations: usize,
    folder: &Path,
) -> anyhow::Result<Round> {
    street.copy_to(folder)?;
    let server = Server::start(folder)?;
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push((server.connect()?, Vec::new()));
    }
    let tokens = street.guests.iter().map(|guest| sign_in(&mut connections[0].0, guest));
    let tokens = tokens.collect::<anyhow::Result<Vec<_>>>()?;
    let orders = street.orders().take(operations).enumerate();
    for (n, signed) in orders {
        let token = &tokens[n % tokens.len()];
        let body = json!({
            "placed": STANDARD.encode(signed.order),
            "certificates": [STANDARD.encode(&signed.guest.certificate)],
        });
        connections[n % clients].1.push(post("/v1/orders", Some(token), &body));
    }
    let before = server.processor()?;
    let start = Barrier::new(clients + 1);
    let (each, took) = std::thread::scope(|scope| {
        let threads: Vec<_> = connections
            .into_iter()
            .map(|(client, requests)| scope.spawn(|| run(client, requests, &start)))
            .collect();
        start.wait();
        let watch = Stopwatch::start();
        let mut each = Vec::new();
        for thread in threads {
            let done = thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            each.extend(done?);
        }
        anyhow::Ok((each, watch.elapsed()))
    })?;
    let processor = server.processor()? - before;
    Ok(Round { operations: each.len(), took, processor, each })
}

fn run(
    mut client: Client,
    requests: Vec<Vec<u8>>,
    start: &Barrier,
) -> anyhow::Result<Vec<Duration>> {
    start.wait();
    let mut each = Vec::with_capacity(requests.len());
    for request in requests {
        let watch = Stopwatch::start();
        let (status, body) = client.send(&request)?;
        let took = watch.elapsed();
        ensure!(status == 201, "an order got {status}: {}", String::from_utf8_lossy(body));
        each.push(took);
    }
    Ok(each)
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
