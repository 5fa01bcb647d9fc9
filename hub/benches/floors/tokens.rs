//! Checking tokens without HTTP: the hub's whole check, and one bare signature.

use std::{net::IpAddr, path::Path};

use anyhow::{Context, ensure};
use futures::executor::block_on;
use kirana_core::key::PublicKey;
use kirana_hub::{
    app::{
        Hub, Settings,
        account::NewAccount,
        password::{Cost, Hasher},
        session::SignIn,
        throttle::Limits,
    },
    clock as hub_clock,
    config::{KEY_LEAD_MS_DEFAULT, Role},
    serve,
};

use crate::{
    clock::{self, Stopwatch},
    report::Round,
};

/// A hub in this process, with tokens of one person.
pub struct Checker {
    hub: Hub,
    key: PublicKey,
    tokens: Vec<String>,
    met: String,
}

/// Tokens that one round meets for the first time are met once only.
const PASSWORD: &str = "seven quiet mangoes by the river";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

impl Checker {
    /// Opens a hub and signs somebody in so many times.
    pub fn new(folder: &Path, tokens: usize) -> anyhow::Result<Self> {
        let settings = Settings {
            role: Role::Central,
            issuer: "https://hub.example.org".to_owned(),
            auto_approve: false,
            limits: Limits { per_address_minute: u32::MAX, ..Limits::default() },
            key_lead_ms: KEY_LEAD_MS_DEFAULT,
            timezone: jiff::tz::TimeZone::UTC,
        };
        let hasher = Hasher::inline(Cost::SIMULATION);
        let hub = block_on(serve::open(folder, settings, None, hasher))?;
        let (now, mut rng) = (hub_clock::now(), hub_clock::rng());
        let (login, password) = ("asha".to_owned(), PASSWORD.to_owned());
        let new = NewAccount { login, password, email: None, name: None, language: None };
        block_on(hub.register(new, None, now, &mut rng))?;
        let mut sign_in = || {
            let (login, password) = ("asha".to_owned(), PASSWORD.to_owned());
            let given = SignIn { login, password, otp: None, scope: None };
            let visitor = HERE.into();
            let asked = hub.sign_in(given, &visitor, hub_clock::now(), &mut rng);
            anyhow::Ok(block_on(asked)?.0.access_token)
        };
        let met = sign_in()?;
        let tokens = (0..tokens).map(|_| sign_in()).collect::<anyhow::Result<_>>()?;
        let keys = block_on(hub.published_keys(now))?;
        let key = *keys.first().context("no key")?;
        Ok(Self { hub, key, tokens, met })
    }

    /// The floor: the signature of one token, again and again.
    pub fn verify_raw(&self, checks: usize) -> anyhow::Result<Round> {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let (signed, signature) = self.met.rsplit_once('.').context("no token")?;
        let signature = URL_SAFE_NO_PAD.decode(signature)?;
        timed(checks, |_| {
            ensure!(self.key.verifies(signed.as_bytes(), &signature), "a good token is refused");
            Ok(())
        })
    }

    /// A token that the hub met before.
    pub fn check_met(&self, checks: usize) -> anyhow::Result<Round> {
        timed(checks, |_| self.check(&self.met))
    }

    /// Tokens that this hub meets for the first time: it is opened anew for each round.
    pub fn check_first(&self) -> anyhow::Result<Round> {
        self.hub.forget_seen();
        timed(self.tokens.len(), |n| self.check(&self.tokens[n]))
    }

    fn check(&self, token: &str) -> anyhow::Result<()> {
        block_on(self.hub.authenticate(token, hub_clock::now()))?;
        Ok(())
    }
}

fn timed(operations: usize, one: impl Fn(usize) -> anyhow::Result<()>) -> anyhow::Result<Round> {
    let me = std::process::id();
    let (before, watch) = (clock::processor(me)?, Stopwatch::start());
    let mut each = Vec::with_capacity(operations);
    for n in 0..operations {
        let single = Stopwatch::start();
        one(n)?;
        each.push(single.elapsed());
    }
    let processor = clock::processor(me)? - before;
    Ok(Round { operations, took: watch.elapsed(), processor, each })
}
