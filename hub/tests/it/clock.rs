//! A hub whose own clock is wrong by a year, as the simulation drives it and as a real program.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use futures::executor::block_on;
use kirana_core::{
    key::KeyPair,
    mail::{Address, Mail},
    stamp,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::{
    app::{
        Hub, Settings,
        password::{Cost, Hasher},
        throttle::Limits,
    },
    clock,
    config::Role,
    serve,
};
use kirana_sync::{
    driver::{Config, Node, NodeHandle},
    wire::{Code, Request, Response},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    program::{Running, program},
    relay::{NOW, device_at, hub, list, listed, mail, memory},
    street::{Nothing, PATIENCE, pair},
};

const YEAR_MS: u64 = 365 * DAY_MS;

fn ask_at(hub: &Hub, peer: &KeyPair, request: Request, now: UnixMs) -> Response {
    block_on(hub.answer(&peer.signing.public(), request, now))
}

fn waiting_at(hub: &Hub, now: UnixMs) -> Vec<Mail> {
    listed(ask_at(hub, &pair(3), list(&pair(3)), now))
}

fn put_at(hub: &Hub, mail: &Mail, now: UnixMs) -> Response {
    ask_at(hub, &pair(2), Request::Put { mail: mail.clone() }, now)
}

#[test]
fn p1_a_hub_whose_clock_runs_a_year_ahead_throws_no_mail_away() {
    let database = memory();
    let hub = hub(database.clone());
    let mail = mail(&hub, 2, &pair(3), b"sealed");
    assert_eq!(put_at(&hub, &mail, NOW), Response::Stored { id: mail.id() });
    let ahead = NOW.plus_ms(YEAR_MS);
    block_on(hub.sweep(ahead)).expect("swept");
    assert_eq!(waiting_at(&hub, ahead), std::slice::from_ref(&mail));
    // The doubt outlives the process, and so does the mail.
    drop(hub);
    let hub = self::hub(database.restart());
    block_on(hub.sweep(ahead.plus_ms(DAY_MS))).expect("swept");
    assert_eq!(waiting_at(&hub, ahead.plus_ms(DAY_MS)), std::slice::from_ref(&mail));
    assert_eq!(put_at(&hub, &mail, ahead), Response::Stored { id: mail.id() });
    let now = block_on(hub.confirm_clock(ahead)).expect("confirmed");
    assert_eq!((now.at, now.expiry_suspended), (ahead, false));
    block_on(hub.sweep(ahead)).expect("swept");
    assert_eq!(waiting_at(&hub, ahead), []);
    let late = put_at(&hub, &mail, ahead);
    assert!(matches!(late, Response::Refused(no) if no.code == Code::NotCertified
        || no.code == Code::Expired));
}

#[test]
fn p1_a_hub_whose_clock_runs_a_year_behind_keeps_and_takes_mail() {
    let hub = hub(memory());
    // Its newest signature, the roster's, is older than the mail by far.
    for week in 1..=20 {
        block_on(hub.sweep(NOW.plus_ms(week * 7 * DAY_MS))).expect("swept");
    }
    let today = NOW.plus_ms(140 * DAY_MS);
    let (sender, chain) = device_at(&hub, 2, NOW);
    let to = Address::Device(pair(3).id());
    let until = today.plus_ms(100 * DAY_MS);
    let post =
        |sealed: &[u8]| stamp::post(&sender.signing, chain.clone(), to, until, sealed.to_vec());
    let (first, second) = (post(b"first"), post(b"second"));
    assert_eq!(put_at(&hub, &first, today), Response::Stored { id: first.id() });
    let behind = today.minus_ms(YEAR_MS);
    block_on(hub.sweep(behind)).expect("swept");
    assert_eq!(put_at(&hub, &second, behind), Response::Stored { id: second.id() });
    assert_eq!(waiting_at(&hub, behind), [first.clone(), second.clone()]);
    assert_eq!(waiting_at(&hub, today), [first, second]);
}

/// A central hub's folder, and its keys.
pub async fn fresh() -> (TempDir, KeyPair) {
    let data = tempfile::tempdir().expect("a folder");
    let hub = opened(&data).await;
    hub.ensure_roster(clock::now(), &mut clock::rng()).await.expect("a roster");
    let keys = hub.keys().clone();
    (data, keys)
}

async fn opened(data: &TempDir) -> Hub {
    let settings = Settings {
        role: Role::Central,
        issuer: "http://hub".to_owned(),
        auto_approve: false,
        limits: Limits::default(),
        key_lead_ms: 1,
        timezone: jiff::tz::TimeZone::UTC,
    };
    let hasher = Hasher::inline(Cost::SIMULATION);
    serve::open(data.path(), settings, None, hasher).await.expect("opens")
}

/// A hub's folder as it was left at `then`, with mail that was to be kept for one more day.
async fn left_at(then: UnixMs) -> (TempDir, KeyPair, Mail) {
    let data = tempfile::tempdir().expect("a folder");
    let hub = opened(&data).await;
    hub.ensure_roster(then, &mut clock::rng()).await.expect("a roster");
    let (sender, chain) = device_at(&hub, 2, then);
    let to = Address::Device(pair(3).id());
    let mail = stamp::post(&sender.signing, chain, to, then.plus_ms(DAY_MS), b"sealed".to_vec());
    let put = Request::Put { mail: mail.clone() };
    let stored = hub.answer(&sender.signing.public(), put, then).await;
    assert_eq!(stored, Response::Stored { id: mail.id() });
    (data, hub.keys().clone(), mail)
}

async fn dialled(hub: &Running, key: &KeyPair) -> NodeHandle {
    let config = Config::new(pair(3).signing.to_seed());
    let node = Node::spawn(config, std::sync::Arc::new(Nothing)).await.expect("it starts");
    let address = hub.p2p.parse().expect("a multiaddr");
    node.know(&key.signing.public(), vec![address]).await.expect("it runs");
    node
}

fn clock_says(data: &TempDir, command: &str) -> Value {
    let output = program(data.path(), command).arg("--json").output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_the_program_hands_out_old_mail_until_the_operator_confirms_the_clock() {
    let (data, key, mail) = left_at(clock::now().minus_ms(YEAR_MS)).await;
    let hub = Running::start_in(data, &[]);
    let node = dialled(&hub, &key).await;
    let hub_key = key.signing.public();
    let ask = || node.request(&hub_key, list(&pair(3)), PATIENCE);
    assert_eq!(listed(ask().await.expect("answered")), [mail]);
    assert_eq!(clock_says(&hub.data, "clock show")["in_doubt"], true);
    assert_eq!(clock_says(&hub.data, "clock confirm")["in_doubt"], false);
    // The running hub sees what was confirmed beside it.
    assert_eq!(listed(ask().await.expect("answered")), []);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_the_program_loses_no_mail_when_its_clock_went_back_a_year() {
    let (data, key, mail) = left_at(clock::now().plus_ms(YEAR_MS)).await;
    let hub = Running::start_in(data, &[]);
    let node = dialled(&hub, &key).await;
    let answer = node.request(&key.signing.public(), list(&pair(3)), PATIENCE).await;
    assert_eq!(listed(answer.expect("answered")), [mail]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_whose_clock_is_in_doubt_says_at_its_start_what_to_type() {
    let (data, _, _) = left_at(clock::now().minus_ms(YEAR_MS)).await;
    // The doubt is there before this start: it began with an earlier command.
    assert_eq!(clock_says(&data, "clock show")["in_doubt"], true);
    let mut serve = program(data.path(), "serve");
    serve.args(["--p2p", "/ip4/127.0.0.1/tcp/0"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut serving = serve.spawn().expect("it starts");
    let lines = BufReader::new(serving.stderr.take().expect("piped")).lines();
    let command = format!("kirana-hub clock confirm --data {}", data.path().display());
    let is_said = lines.map_while(Result::ok).any(|line| line.contains(&command));
    serving.kill().expect("it runs");
    serving.wait().expect("it ends");
    assert!(is_said, "{command}");
}
