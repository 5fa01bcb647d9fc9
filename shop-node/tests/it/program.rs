//! The program itself, with real processes, files and signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use kirana_core::{cbor, challenge, id::VariantId, mail::Mail};
use kirana_migrations::{Abort, Database, rusqlite::Connection};
use kirana_shop::{app::Shop, clock, home::Home};
use serde_json::Value;

use crate::{
    desk::said,
    neighbour::{Customer, Neighbourhood},
};

pub fn kirana(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    command.args(arguments).arg("--data").arg(data).arg("--json");
    command.output().expect("the program runs")
}

pub fn init(data: &Path) -> Value {
    let done = kirana(&["init", "--name", "Corner"], data);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// A shop that is open, and is killed with the test.
pub struct Served {
    pub child: Child,
    pub http: String,
}

impl Served {
    pub fn at(data: &Path) -> Self {
        let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
        Self::run(program, data, Stdio::null()).expect("the ready line")
    }

    /// Serves by this command, which begins with the program; nothing if it ended before it was
    /// ready.
    pub fn run(command: Command, data: &Path, stderr: Stdio) -> Option<Self> {
        Self::run_with(command, data, stderr, &[])
    }

    /// [`Served::run`], with more words of `serve`.
    pub fn run_with(
        mut command: Command,
        data: &Path,
        stderr: Stdio,
        more: &[&str],
    ) -> Option<Self> {
        let mut child = command
            .args(["serve", "--http", "127.0.0.1:0", "--p2p", "/ip4/127.0.0.1/tcp/0"])
            .args(["--announce", "false", "--data"])
            .arg(data)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(stderr)
            // So that whoever runs the program for us is killed together with it.
            .process_group(0)
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let mut this = Self { child, http: String::new() };
        if line.is_empty() {
            return None;
        }
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["ready"], true);
        let http = ready["http"].as_str().expect("an address").trim_start_matches("http://");
        this.http = http.to_owned();
        Some(this)
    }

    /// Status, content type and body of one answer; nothing if the server went away.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Option<(u16, String, Vec<u8>)> {
        self.ask_with("", method, path, kind, body)
    }

    /// [`Served::ask`] with more header lines, each with its end.
    pub fn ask_with(
        &self,
        more: &str,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Option<(u16, String, Vec<u8>)> {
        let mut stream = TcpStream::connect(&self.http).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n{more}\
             content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        // A server that refuses a long body may close before it has read all of it.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        Some((status, kind.unwrap_or_default().to_owned(), answer[end + 4..].to_vec()))
    }

    pub fn deliver(&self, mail: &Mail) -> Option<u16> {
        let answer = self.ask("POST", "/v1/mail", "application/cbor", &cbor::to_vec(mail))?;
        Some(answer.0)
    }

    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

pub fn opened(data: &Path) -> Shop {
    Home::at(data, None).shop().expect("it opens")
}

/// Makes the database one whole file: a process that ended may have left its log beside it, and
/// whoever closes it last takes the log away.
pub fn closed(data: &Path) {
    while data.join("shop.db-wal").exists() {
        let last = Connection::open(data.join("shop.db")).expect("it opens");
        let _ = last.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

#[test]
fn serve_says_when_it_is_ready_and_ends_cleanly_when_told() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let mut served = Served::at(folder.path());
    assert_eq!(served.ask("GET", "/healthz", "", b"").unwrap().0, 200);
    assert_eq!(served.ask("GET", "/readyz", "", b"").unwrap().0, 200);
    served.signal("-TERM");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_error_is_a_problem_document() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let served = Served::at(folder.path());
    let long = vec![b'x'; 1024 * 1024 + 1];
    let cases: [(&str, &str, &str, &[u8], u16); 6] = [
        ("GET", "/v1/nothing", "", b"", 404),
        ("DELETE", "/v1/orders", "", b"", 405),
        ("POST", "/v1/mail", "application/cbor", &long, 413),
        ("POST", "/v1/mail", "application/cbor", b"not mail", 400),
        ("POST", "/v1/payments/webhooks/stripe", "", b"", 404),
        ("GET", "/v1/orders", "", b"", 401),
    ];
    for (method, path, kind, body, expected) in cases {
        let (status, kind, body) = served.ask(method, path, kind, body).expect("an answer");
        assert_eq!(status, expected, "{method} {path}: {}", String::from_utf8_lossy(&body));
        assert!(kind.starts_with("application/problem+json"), "{method} {path}: {kind}");
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["status"], expected, "{method} {path}");
        assert!(problem["type"].is_string(), "{method} {path}");
    }
}

#[test]
fn p1_a_shop_moves_by_a_file_while_it_is_served_and_its_old_box_sells_nothing_more() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let words = init(old.path())["recovery_code"].as_str().expect("a code").to_owned();
    let goods = new.path().join("goods.csv");
    std::fs::write(&goods, "name,price,stock\nRice,90,5\n").unwrap();
    let (code, taken) = said(old.path(), &["import", goods.to_str().expect("a path")]);
    assert_eq!(code, 0, "{taken}");
    let served = Served::at(old.path());
    let file = new.path().join("shop.move");
    let named = file.to_str().expect("a path");
    let nowhere = new.path().join("no such folder/shop.move");
    assert_eq!(said(old.path(), &["move", nowhere.to_str().expect("a path")]).0, 1);
    assert_eq!(said(old.path(), &["sell", "rice=1"]).0, 0, "a mistyped path closes no shop");
    let (code, moved) = said(old.path(), &["move", named]);
    assert_eq!((code, &moved["moved"]), (0, &serde_json::json!(true)), "{moved}");
    let (code, refused) = said(old.path(), &["sell", "rice=1"]);
    assert_eq!(code, 1, "{refused}");
    drop(served);

    let mut restore = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let restore = restore.args(["restore", "--json", "--data"]).arg(new.path()).arg(&file);
    let done = restore.env("KIRANA_RECOVERY_CODE", words).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let done: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((&done["moved"], &done["generation"]), (&true.into(), &2.into()), "{done}");
    assert_eq!(said(new.path(), &["sell", "rice=1"]).0, 0, "it sells at once");
    assert_eq!(said(new.path(), &["verify"]).0, 0);
}

/// Puts a variant on the shelf of a shop that is not being served.
pub fn shelf(data: &Path, amount: u64) -> (Neighbourhood, VariantId) {
    let shop = opened(data);
    let street = Neighbourhood { shop, hub: kirana_core::key::SigningKey::from_seed([40; 32]) };
    let rice = street.stock(1, 9000, amount);
    (street, rice)
}

/// Orders for rice that is on the shelf, each in mail of its own.
pub fn orders_of_guests(data: &Path, guests: u8, each: u8) -> Vec<Mail> {
    let (street, rice) = shelf(data, 1000);
    let mut mails = Vec::new();
    for guest in 0..guests {
        let mut customer = Customer::guest(&street, 100 + guest);
        customer.now = clock::now();
        for n in 0..each {
            let placed = customer.sign(n, customer.wants(&[(rice, 1, 9000)]));
            mails.push(customer.mail(&street, &customer.parcel(&[&placed])));
        }
    }
    mails
}

#[test]
fn p7_orders_that_were_answered_survive_sigkill_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let mails = orders_of_guests(folder.path(), 5, 12);
    let mut answered = 0;
    let mut waiting = mails.iter();
    for round in 0..4 {
        let served = Served::at(folder.path());
        for mail in waiting.by_ref().take(8 + round) {
            if served.deliver(mail) == Some(200) {
                answered += 1;
            }
        }
        std::thread::scope(|scope| {
            let unsure = waiting.by_ref().take(4).collect::<Vec<_>>();
            let sending = scope.spawn(|| unsure.into_iter().map(|m| served.deliver(m)).collect());
            served.signal("-KILL");
            let answers: Vec<Option<u16>> = sending.join().expect("it ends");
            answered += answers.into_iter().filter(|answer| *answer == Some(200)).count();
        });
    }
    let verified = kirana(&["verify"], folder.path());
    let found: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
    assert_eq!(verified.status.code(), Some(0), "{found}");
    let kept = found["orders"].as_u64().expect("a number") as usize;
    assert!(kept >= answered && answered >= 38, "{kept} kept of {answered} answered");
    // Everything again, as customers do who heard nothing: each order is there once.
    let served = Served::at(folder.path());
    for mail in &mails {
        assert_eq!(served.deliver(mail), Some(200));
    }
    drop(served);
    let verified = kirana(&["verify"], folder.path());
    let found: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
    assert_eq!((verified.status.code(), found["orders"].as_u64()), (Some(0), Some(60)), "{found}");
}

#[test]
fn p8_an_old_database_file_put_back_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    closed(folder.path());
    let file = folder.path().join("shop.db");
    let yesterday = std::fs::read(&file).unwrap();
    drop(shelf(folder.path(), 10));
    closed(folder.path());
    std::fs::write(&file, yesterday).unwrap();
    let refused = kirana(&["serve"], folder.path());
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("restore"));
    assert_eq!(kirana(&["verify"], folder.path()).status.code(), Some(1));
}

#[test]
fn a_backup_made_beside_serve_is_restored_into_a_new_generation() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("old");
    let code = init(&data)["recovery_code"].as_str().expect("a code").to_owned();
    drop(shelf(&data, 10));
    let served = Served::at(&data);
    let file = folder.path().join("monday.backup");
    let made = kirana(&["backup", file.to_str().unwrap()], &data);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(kirana(&["verify"], &data).status.code(), Some(0), "beside serve");
    drop(served);
    let restore = |code: &str, data: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
        command.env("KIRANA_RECOVERY_CODE", code).args(["restore", "--json", "--data"]);
        command.arg(data).arg(&file).output().expect("it runs")
    };
    let wrong = restore(&"0".repeat(56), &folder.path().join("wrong"));
    assert_eq!(wrong.status.code(), Some(1));
    let new = folder.path().join("new");
    let restored = restore(&code, &new);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let shown: Value = serde_json::from_slice(&restored.stdout).expect("JSON");
    assert_eq!(shown["generation"], 2);
    assert_eq!(kirana(&["verify"], &new).status.code(), Some(0));
    drop(Served::at(&new));
}

#[test]
fn another_program_may_write_beside_serve() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let (street, rice) = shelf(folder.path(), 10);
    let mut guest = Customer::guest(&street, 100);
    guest.now = clock::now();
    let placed = guest.sign(1, guest.wants(&[(rice, 1, 9000)]));
    let mail = guest.mail(&street, &guest.parcel(&[&placed]));
    let served = Served::at(folder.path());
    let beside: &Database = street.shop.database();
    let written = beside.writer.write(|tx| -> Result<usize, Abort<()>> {
        Ok(tx.execute("UPDATE offer SET minor = minor", [])?)
    });
    written.unwrap();
    assert_eq!(served.deliver(&mail), Some(200));
    assert_eq!(street.balance(rice), (10, 1));
}

#[test]
fn p1_an_order_under_a_key_gets_one_answer_and_another_order_under_it_is_refused() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let (street, rice) = shelf(folder.path(), 10);
    let mut guest = Customer::guest(&street, 100);
    guest.now = clock::now();
    let body = |n, amount| {
        let placed = guest.sign(n, guest.wants(&[(rice, amount, 9000)]));
        let (placed, certificate) =
            (STANDARD.encode(placed.bytes()), STANDARD.encode(&guest.certificate));
        serde_json::json!({ "placed": placed, "certificates": [certificate] }).to_string()
    };
    let served = Served::at(folder.path());
    let post = |path: &str, body: &str, more: &str| {
        let kind = "application/json";
        let answer = served.ask_with(more, "POST", path, kind, body.as_bytes());
        let (status, _, body) = answer.expect("an answer");
        (status, serde_json::from_slice::<Value>(&body).expect("JSON"))
    };
    let nonce = post("/v1/sessions/nonce", "", "").1;
    let (hex, audience) = (nonce["nonce"].as_str().unwrap(), nonce["audience"].as_str().unwrap());
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal");
    let answer = challenge::answer(&guest.keys.signing, std::array::from_fn(byte), audience);
    let (answer, certificate) = (STANDARD.encode(answer), STANDARD.encode(&guest.certificate));
    let session = serde_json::json!({ "certificates": [certificate], "answer": answer });
    let session = post("/v1/sessions", &session.to_string(), "").1;
    let token = session["access_token"].as_str().expect("a token").to_owned();
    let place = |key: &str, body: &str| {
        let more = format!("authorization: Bearer {token}\r\nidempotency-key: {key}\r\n");
        post("/v1/orders", body, &more)
    };
    let first = place("one", &body(1, 2));
    assert_eq!(first.0, 201, "{}", first.1);
    assert_eq!(place("one", &body(1, 2)), first, "the same answer");
    let refused = place("one", &body(2, 2));
    assert_eq!(refused.0, 422);
    assert_eq!(refused.1["type"], "urn:kirana:idempotency-key-reused");
    let (status, taken) = place("two", &body(1, 3));
    assert_eq!((status, &taken["type"]), (409, &Value::from("urn:kirana:refused-id-taken")));
    assert_eq!(place("two", &body(1, 3)), (status, taken), "a refusal is an answer too");
    assert_eq!(place("three", &body(1, 2)).0, 200, "the same order by another key");
    assert_eq!(street.balance(rice), (10, 2));
}
