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
    let one = |(client, requests)| move || ask(client, requests, status);
    race(server, clients.into_iter().map(one).collect())
}

/// Has all do at once what they do; each says how long each of its turns took.
pub fn race<J>(server: &Server, jobs: Vec<J>) -> anyhow::Result<Round>
where
    J: FnOnce() -> anyhow::Result<Vec<Duration>> + Send,
{
    let start = &Barrier::new(jobs.len() + 1);
    let (each, took, processor) = std::thread::scope(|scope| {
        let one = |job: J| {
            scope.spawn(move || {
                start.wait();
                job()
            })
        };
        let threads: Vec<_> = jobs.into_iter().map(one).collect();
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

fn ask(mut client: Client, requests: Vec<Vec<u8>>, expected: u16) -> anyhow::Result<Vec<Duration>> {
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
