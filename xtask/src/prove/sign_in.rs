//! std_35: by a sign-in that fails nobody learns whether there is such an account.
//!
//! **Invariant:** known and unknown logins are tried in turns, so that whatever else the machine does
//! meets both; their answers are compared byte for byte, their times by the medians.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{Report, Row};
use crate::{
    build::Programs,
    clock::Stopwatch,
    demo::{
        door,
        process::{self, Server},
    },
};

/// Tries at known and at unknown logins each, in the shortest run.
const TRIES: usize = 120;
/// Tries at one account: below the number at which a hub slows guessing down.
const TRIES_EACH: usize = 8;
/// How far the medians may lie apart: twentieths of the smaller one.
const APART: u32 = 20;
const PASSWORD: &str = "seven quiet mangoes by the river";

/// How long each try took.
#[derive(Debug, Default)]
struct Times {
    known: Vec<Duration>,
    unknown: Vec<Duration>,
}

impl Times {
    /// The medians.
    fn medians(&self) -> (Duration, Duration) {
        (median(&self.known), median(&self.unknown))
    }

    /// Whether a stranger cannot tell the one from the other.
    fn are_alike(&self) -> bool {
        let (known, unknown) = self.medians();
        !self.known.is_empty()
            && !self.unknown.is_empty()
            && known.abs_diff(unknown) * APART <= known.min(unknown)
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Tries it on a hub of its own.
pub(super) async fn prove(
    programs: &Programs,
    times: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = process::command(&programs.hub);
    command.arg("serve").arg("--data").arg(folder.path());
    command.args(["--p2p", "/ip4/127.0.0.1/tcp/0", "--sign-ins-per-minute", "1000000"]);
    let server = Server::start("the hub", &mut command, &folder.path().join("serve.log")).await?;
    let hub = Door { client: door::client()?, hub: server.ready.http.clone() };
    let tries = TRIES * times;
    for n in 0..tries.div_ceil(TRIES_EACH) {
        hub.register(n).await?;
    }
    let (seen, silent) = hub.try_in_turns(tries).await?;
    let (known, unknown) = seen.medians();
    println!(
        "std_35: the median of {tries} tries is {known:?} at known logins, {unknown:?} at others."
    );
    report.rows.push(Row {
        name: "std_35_known_and_unknown_logins_take_as_long".to_owned(),
        faults: 2 * tries as u64,
        silent,
        ok: silent == 0 && seen.are_alike(),
        ..Row::default()
    });
    // A hub without the work for nothing would answer for unknown logins as fast as it answers
    // where nothing is hashed: where somebody guessed too often.
    let throttled = Times { unknown: hub.try_throttled(TRIES / 4).await?, known: seen.known };
    let caught = if throttled.are_alike() { "" } else { "the comparison of medians" };
    report.planted.insert("unknown logins are not hashed for".to_owned(), caught.to_owned());
    server.stop().await
}

struct Door {
    client: Client,
    hub: String,
}

impl Door {
    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let answer = self.client.post(format!("{}{path}", self.hub)).json(body).send().await;
        let answer = answer.context("the hub does not answer")?;
        Ok((answer.status(), answer.bytes().await?.to_vec()))
    }

    async fn register(&self, n: usize) -> anyhow::Result<()> {
        let new = json!({ "login": known(n), "password": PASSWORD });
        let (status, body) = self.post("/v1/accounts", &new).await?;
        let body = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::CREATED, "nobody can register: {status} {body}");
        Ok(())
    }

    async fn guess(&self, login: &str) -> anyhow::Result<(Duration, StatusCode, Vec<u8>)> {
        let guess = json!({ "login": login, "password": "nine loud mangoes by the river" });
        let watch = Stopwatch::start();
        let (status, body) = self.post("/v1/sessions", &guess).await?;
        Ok((watch.elapsed(), status, body))
    }

    /// The times, and how many answers were not the one that all must get.
    async fn try_in_turns(&self, tries: usize) -> anyhow::Result<(Times, u64)> {
        let (mut times, mut silent) = (Times::default(), 0);
        let (_, _, expected) = self.guess("nobody of this name").await?;
        for n in 0..tries {
            // Each goes first as often as the other.
            for is_known in [n.is_multiple_of(2), !n.is_multiple_of(2)] {
                let login = if is_known { known(n / TRIES_EACH) } else { format!("guest{n:05}") };
                let (took, status, body) = self.guess(&login).await?;
                if status != StatusCode::UNAUTHORIZED || body != expected {
                    silent += 1;
                }
                if is_known { &mut times.known } else { &mut times.unknown }.push(took);
            }
        }
        Ok((times, silent))
    }

    /// How long answers take that hash nothing.
    async fn try_throttled(&self, tries: usize) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::new();
        // One account is guessed at until the hub slows it down; that is certain soon.
        for _ in 0..tries + THROTTLED_BY_NOW {
            let (took, status, _) = self.guess("somebody else").await?;
            if status == StatusCode::TOO_MANY_REQUESTS {
                times.push(took);
            }
        }
        ensure!(!times.is_empty(), "a hub that never slows guessing down");
        Ok(times)
    }
}

/// Guesses after which every hub has begun to slow down.
const THROTTLED_BY_NOW: usize = 20;

/// As long as the names of unknown logins.
fn known(n: usize) -> String {
    format!("owner{n:05}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(all: &[u64]) -> Vec<Duration> {
        all.iter().map(|ms| Duration::from_millis(*ms)).collect()
    }

    #[test]
    fn std_35_medians_within_a_twentieth_are_alike_and_others_are_not() {
        let alike = |known: &[u64], unknown: &[u64]| {
            Times { known: ms(known), unknown: ms(unknown) }.are_alike()
        };
        assert!(alike(&[100, 100, 900], &[105, 1, 105]), "outliers do not count");
        assert!(!alike(&[100, 100, 100], &[106, 106, 106]));
        assert!(!alike(&[106, 106, 106], &[100, 100, 100]));
        assert!(!alike(&[100], &[]), "nothing measured is nothing proved");
    }
}
