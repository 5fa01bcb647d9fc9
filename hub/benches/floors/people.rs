//! People of a hub: signing in, and asking who they are.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context;
use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use kirana_hub::app::password::{Cost, threads};
use serde_json::{Value, json};

use crate::{
    clients,
    clock::{self, Stopwatch},
    empty::AT_ONCE,
    report::Round,
    server::{self, Client, Server},
};

/// A hub with people who have an account there.
pub struct People {
    server: Server,
    logins: Vec<String>,
    tokens: Vec<String>,
}

/// Accounts: each signs in from one client at a time.
const ACCOUNTS: usize = 32;
/// Sign-ins at once: more than the hub hashes at once, so that it is never idle.
const SIGN_INS_AT_ONCE: usize = 6;
const PASSWORD: &str = "seven quiet mangoes by the river";

impl People {
    /// Starts a hub and registers them.
    pub fn of_a_new_hub(folder: &Path) -> anyhow::Result<Self> {
        let more = ["--sign-ins-per-minute", "1000000"];
        let server = Server::start(env!("CARGO_BIN_EXE_kirana-hub"), &folder.join("hub"), &more)?;
        let logins: Vec<String> = (0..ACCOUNTS).map(|n| format!("person{n}")).collect();
        let (mut client, mut tokens) = (server.connect()?, Vec::new());
        for login in &logins {
            let new = json!({ "login": login, "password": PASSWORD });
            client.json(&server::post("/v1/accounts", None, &new), 201)?;
            let answer: Value = client.json(&sign_in(login), 201)?;
            let token = answer["access_token"].as_str().context("no token")?;
            tokens.push(token.to_owned());
        }
        Ok(Self { server, logins, tokens })
    }

    /// Signs in so many times.
    pub fn sign_in(&self, sign_ins: usize) -> anyhow::Result<Round> {
        let one = |n| {
            let logins = self.logins.iter().skip(n).step_by(SIGN_INS_AT_ONCE).cycle();
            let asked = logins.take(sign_ins / SIGN_INS_AT_ONCE).map(|login| sign_in(login));
            Ok((self.server.connect()?, asked.collect()))
        };
        let asking = (0..SIGN_INS_AT_ONCE).map(one).collect::<anyhow::Result<_>>()?;
        clients::run(&self.server, asking, 201)
    }

    /// Asks who one is, so many times.
    pub fn ask(&self, requests: usize) -> anyhow::Result<Round> {
        let one = |n: usize| {
            let asked = server::get("/v1/me", self.tokens.get(n).map(String::as_str));
            Ok((self.server.connect()?, vec![asked; requests / AT_ONCE]))
        };
        let asking = (0..AT_ONCE).map(one).collect::<anyhow::Result<_>>()?;
        clients::run(&self.server, asking, 200)
    }

    /// One person asks one thing after another, perhaps while others sign in as fast as they can.
    pub fn ask_slowly(&self, requests: usize, storm: bool) -> anyhow::Result<Round> {
        let over = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            let storming = if storm { SIGN_INS_AT_ONCE } else { 0 };
            let mut threads = Vec::new();
            for n in 0..storming {
                let client = self.server.connect()?;
                let request = sign_in(&self.logins[n]);
                threads.push(scope.spawn(move || sign_in_until(client, &request, over)));
            }
            let looked = self.look(requests);
            over.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().map_err(|_| anyhow::anyhow!("somebody panicked"))??;
            }
            looked
        })
    }

    fn look(&self, requests: usize) -> anyhow::Result<Round> {
        let asked = server::get("/v1/me", self.tokens.first().map(String::as_str));
        let mut client = self.server.connect()?;
        let before = self.server.processor()?;
        let mut each = Vec::with_capacity(requests);
        for _ in 0..requests {
            let one = Stopwatch::start();
            client.json(&asked, 200)?;
            each.push(one.elapsed());
        }
        each.sort_unstable();
        // What counts here is the time under which 99 of 100 stayed.
        let took = each.get(requests * 99 / 100).copied().unwrap_or_default();
        let processor = (self.server.processor()? - before) / requests as f64;
        Ok(Round { operations: 1, took, processor, each })
    }
}

fn sign_in(login: &str) -> Vec<u8> {
    server::post("/v1/sessions", None, &json!({ "login": login, "password": PASSWORD }))
}

fn sign_in_until(mut client: Client, request: &[u8], over: &AtomicBool) -> anyhow::Result<()> {
    while !over.load(Ordering::Relaxed) {
        client.json(request, 201)?;
    }
    Ok(())
}

/// The floor: as many hashes on as many threads as the hub uses, and nothing else.
pub fn hash(hashes: usize) -> anyhow::Result<Round> {
    let cost = Cost::STANDARD;
    let params = Params::new(cost.memory_kib, cost.passes, 1, None);
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    let argon2 = &Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let me = std::process::id();
    let (before, watch) = (clock::processor(me)?, Stopwatch::start());
    let each = std::thread::scope(|scope| {
        let one = |_| scope.spawn(move || hash_many(argon2, hashes / threads::parallel()));
        let threads: Vec<_> = (0..threads::parallel()).map(one).collect();
        let mut each = Vec::new();
        for thread in threads {
            each.extend(thread.join().map_err(|_| anyhow::anyhow!("a hash panicked"))??);
        }
        anyhow::Ok(each)
    })?;
    let processor = clock::processor(me)? - before;
    Ok(Round { operations: each.len(), took: watch.elapsed(), processor, each })
}

fn hash_many(argon2: &Argon2<'_>, hashes: usize) -> anyhow::Result<Vec<Duration>> {
    let mut each = Vec::with_capacity(hashes);
    for n in 0..hashes {
        let watch = Stopwatch::start();
        let salt = [u8::try_from(n % 251)?; 16];
        let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), &salt);
        anyhow::ensure!(hash.is_ok(), "a hash failed");
        each.push(watch.elapsed());
    }
    Ok(each)
}
