//! std_35: by a sign-in that fails nobody learns whether there is such an account.
//!
//! **Invariant:** known and unknown logins are tried in turns, so that whatever else the machine does
//! meets both; their answers are compared byte for byte, their times by the medians. How long it goes
//! on depends on how far the times are spread, never on how far the medians lie apart.

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

/// Tries at known and at unknown logins each, before the spread is looked at.
const TRIES: usize = 120;
/// How often so many more are tried at most, in the shortest run.
const ROUNDS: usize = 10;
/// Tries at one account: below the number at which a hub slows guessing down.
const TRIES_EACH: usize = 8;
/// Medians may lie apart by one part in so many of that of known logins.
const APART: f64 = 20.0;
const PASSWORD: &str = "seven quiet mangoes by the river";

/// How long each try took.
#[derive(Debug, Default)]
struct Times {
    known: Vec<Duration>,
    unknown: Vec<Duration>,
}

/// What can be said of them.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A stranger cannot tell the one from the other.
    Alike,
    /// Whoever measures learns which logins there are.
    Apart,
    /// The machine was too busy for a difference of a twentieth to mean anything.
    Blurred,
}

impl Times {
    fn verdict(&self) -> Verdict {
        let (known, unknown) = (median(&self.known), median(&self.unknown));
        let much = known.as_secs_f64() / APART;
        // Medians stray by this much by chance in three runs of a thousand.
        if 3.0 * error(&self.known).hypot(error(&self.unknown)) > much || much == 0.0 {
            Verdict::Blurred
        } else if known.abs_diff(unknown).as_secs_f64() > much {
            Verdict::Apart
        } else {
            Verdict::Alike
        }
    }
}

/// The standard error of a median in seconds, from the spread of the middle half.
fn error(times: &[Duration]) -> f64 {
    let spread = part(times, 3, 4).saturating_sub(part(times, 1, 4));
    0.93 * spread.as_secs_f64() / (times.len().max(1) as f64).sqrt()
}

fn median(times: &[Duration]) -> Duration {
    part(times, 1, 2)
}

/// What `of` in `all` of the times stay below.
fn part(times: &[Duration], of: usize, all: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * of / all).copied().unwrap_or_default()
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
    let (mut seen, mut silent) = (Times::default(), 0);
    for round in 0..ROUNDS * times {
        silent += hub.try_in_turns(round * TRIES, &mut seen).await?;
        if round + 1 >= times && seen.verdict() != Verdict::Blurred {
            break;
        }
    }
    let (known, unknown) = (median(&seen.known), median(&seen.unknown));
    let (tries, verdict) = (seen.known.len() as u64, seen.verdict());
    println!(
        "std_35: the median of {tries} tries is {known:?} at known logins, {unknown:?} at others."
    );
    let busy = "the machine was too busy: times of equal tries lay too far apart";
    report.rows.push(Row {
        name: "std_35_known_and_unknown_logins_take_as_long".to_owned(),
        faults: 2 * tries,
        silent,
        skipped: (silent == 0 && verdict == Verdict::Blurred).then(|| busy.to_owned()),
        ok: silent == 0 && verdict == Verdict::Alike,
        ..Row::default()
    });
    // A hub without the work for nothing would answer for unknown logins as fast as it answers
    // where nothing is hashed: where somebody guessed too often.
    let throttled = Times { unknown: hub.try_throttled(TRIES).await?, known: seen.known };
    let caught = match throttled.verdict() {
        Verdict::Apart => "the comparison of medians",
        Verdict::Alike | Verdict::Blurred => "",
    };
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

    /// Tries [`TRIES`] more; tells how many answers were not the one that all must get.
    async fn try_in_turns(&self, from: usize, times: &mut Times) -> anyhow::Result<u64> {
        let mut silent = 0;
        for n in from / TRIES_EACH..(from + TRIES) / TRIES_EACH {
            self.register(n).await?;
        }
        let (_, _, expected) = self.guess(&format!("other{from:05}")).await?;
        for n in from..from + TRIES {
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
        Ok(silent)
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
        let verdict = |known: &[u64], unknown: &[u64]| {
            Times { known: ms(&known.repeat(100)), unknown: ms(&unknown.repeat(100)) }.verdict()
        };
        assert_eq!(verdict(&[100, 100, 100, 100, 900], &[105]), Verdict::Alike, "but for outliers");
        assert_eq!(verdict(&[100], &[106]), Verdict::Apart);
        assert_eq!(verdict(&[106], &[100]), Verdict::Apart);
        assert_eq!(verdict(&[100, 110, 120], &[1]), Verdict::Apart, "and not only a little");
        assert_eq!(verdict(&[100, 300], &[106, 310]), Verdict::Blurred, "a busy machine");
        assert_eq!(verdict(&[], &[]), Verdict::Blurred, "nothing measured is nothing proved");
    }
}
