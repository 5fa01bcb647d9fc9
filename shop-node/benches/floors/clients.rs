//! Several clients at once, each on a connection of its own, each asking one thing after another.

use std::{sync::Barrier, time::Duration};

use anyhow::ensure;

use crate::{
    clock::Stopwatch,
    report::Round,
    server::{Client, Server},
};

/// A client and what it asks.
pub type Asking = (Client, Vec<Vec<u8>>);

/// Has all clients ask at once; every answer must have this status.
pub fn run(server: &Server, clients: Vec<Asking>, status: u16) -> anyhow::Result<Round> {
    let start = &Barrier::new(clients.len() + 1);
    let (each, took, processor) = std::thread::scope(|scope| {
        let one = |(client, requests)| scope.spawn(move || ask(client, requests, status, start));
        let threads: Vec<_> = clients.into_iter().map(one).collect();
        let before = server.processor()?;
        start.wait();
        let watch = Stopwatch::start();
        let mut each = Vec::new();
        for thread in threads {
            let done = thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            each.extend(done?);
        }
        let took = watch.elapsed();
        anyhow::Ok((each, took, server.processor()? - before))
    })?;
    Ok(Round { operations: each.len(), took, processor, each })
}

fn ask(
    mut client: Client,
    requests: Vec<Vec<u8>>,
    expected: u16,
    start: &Barrier,
) -> anyhow::Result<Vec<Duration>> {
    start.wait();
    let mut each = Vec::with_capacity(requests.len());
    for request in requests {
        let watch = Stopwatch::start();
        let (status, body) = client.send(&request)?;
        let took = watch.elapsed();
        ensure!(status == expected, "the server said {status}: {}", String::from_utf8_lossy(body));
        each.push(took);
    }
    Ok(each)
}
