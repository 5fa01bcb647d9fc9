//! Letters that the hub writes to people: into a folder, or to a mail server that comes and goes.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::mpsc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    program::{PASSWORD, Running, send},
    street::PATIENCE,
};

/// A letter as its reader sees it.
pub struct Read {
    pub to: String,
    pub text: String,
    pub raw: String,
}

impl Read {
    fn of(raw: &str) -> Self {
        let (head, body) = raw.split_once("\r\n\r\n").expect("a head and a body");
        let text_of = body.replace("\r\n", "\n");
        let to = head.lines().find_map(|line| line.strip_prefix("To: ")).expect("to somebody");
        let text = match head.contains("Content-Transfer-Encoding: base64") {
            true => {
                let joined: String = body.split_whitespace().collect();
                String::from_utf8(STANDARD.decode(joined).expect("base64")).expect("UTF-8")
            }
            false => text_of,
        };
        Self { to: to.trim_matches(['<', '>']).to_owned(), text, raw: raw.to_owned() }
    }

    /// The token of the link in it.
    pub fn token(&self) -> String {
        let rest = self.text.split_once("token=").unwrap_or_else(|| panic!("{}", self.text)).1;
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        rest.chars().take_while(|c| is_of_token(*c)).collect()
    }
}

/// What lies in the folder, oldest first.
pub fn outbox(data: &Path) -> Vec<Read> {
    let Ok(entries) = std::fs::read_dir(data.join("outbox")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "eml"));
    paths.sort();
    paths.iter().map(|path| Read::of(&std::fs::read_to_string(path).expect("read"))).collect()
}

/// Waits until so many letters lie there.
pub async fn letters(hub: &Running, count: usize) -> Vec<Read> {
    let waiting = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            let letters = outbox(hub.data.path());
            if letters.len() >= count {
                return letters;
            }
        }
    };
    let letters = tokio::time::timeout(PATIENCE, waiting).await.expect("the letters come");
    assert_eq!(letters.len(), count);
    letters
}

pub async fn person(hub: &Running, login: &str, language: &str) {
    let body = json!({ "login": login, "password": PASSWORD, "language": language });
    let (status, answer) = send(hub.post("/v1/accounts", &body)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

pub async fn ask(hub: &Running, login: &str) {
    let (status, _) = send(hub.post("/v1/password-resets", &json!({ "login": login }))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn without_a_mail_server_a_letter_is_a_file_that_its_owner_alone_may_read() {
    let hub = Running::start(&["--public-url", "https://hub.example.org"]);
    person(&hub, "asha@example.org", "en").await;
    person(&hub, "ravi@example.org", "hi-IN").await;
    ask(&hub, "asha@example.org").await;
    let [english] = &letters(&hub, 1).await[..] else { panic!("one") };
    assert_eq!(english.to, "asha@example.org");
    assert!(english.raw.contains("From: kirana <kirana@hub.example.org>"), "{}", english.raw);
    assert!(english.text.contains("https://hub.example.org/password-reset?token="));
    ask(&hub, "ravi@example.org").await;
    let [_, hindi] = &letters(&hub, 2).await[..] else { panic!("two") };
    assert!(hindi.text.contains("पासवर्ड") && hindi.text.contains("&language=hi"), "{}", hindi.text);
    let outbox = hub.data.path().join("outbox");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&outbox), 0o700);
    for entry in std::fs::read_dir(&outbox).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert!(path.extension().is_some_and(|kind| kind == "eml"), "{}", path.display());
        assert_eq!(mode(&path), 0o600);
    }
}

/// A mail server that refuses its first visitors for now and then takes what comes.
fn mail_server(refusals: usize) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a visitor");
            let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
            let mut say = |line: &str| stream.write_all(format!("{line}\r\n").as_bytes()).is_ok();
            if n < refusals {
                say("421 come back later");
                continue;
            }
            say("220 ready");
            let mut message: Option<String> = None;
            while let Some(Ok(line)) = lines.next() {
                let said = match &mut message {
                    Some(text) if line == "." => {
                        let _ = sender.send(std::mem::take(text));
                        message = None;
                        say("250 taken")
                    }
                    Some(text) => {
                        text.push_str(line.strip_prefix('.').unwrap_or(&line));
                        text.push_str("\r\n");
                        true
                    }
                    None if line.starts_with("EHLO") => say("250 hello"),
                    None if line == "DATA" => {
                        message = Some(String::new());
                        say("354 go on")
                    }
                    None if line == "QUIT" => say("221 bye"),
                    None => say("250 fine"),
                };
                if !said {
                    break;
                }
            }
        }
    });
    (port, taken)
}

fn with_server(hub: Running, port: u16) -> Running {
    let data = hub.stop();
    let config = data.path().join("hub.toml");
    let text = format!(
        "[smtp]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"plain\"\n\
         from = \"Corner hub <hub@example.org>\"\n"
    );
    std::fs::write(&config, text).expect("written");
    Running::start_in(data, &["--config", &config.to_string_lossy()])
}

#[tokio::test]
async fn p7_a_mail_server_that_is_away_gets_the_letter_when_it_is_back_and_once() {
    let (port, taken) = mail_server(1);
    let hub = with_server(Running::start(&[]), port);
    person(&hub, "asha@example.org", "en").await;
    ask(&hub, "asha@example.org").await;
    let wait = tokio::task::spawn_blocking(move || (taken.recv_timeout(PATIENCE), taken));
    let (letter, taken) = wait.await.expect("it waits");
    let letter = Read::of(&letter.expect("it comes"));
    assert_eq!(letter.to, "asha@example.org");
    assert!(
        letter.raw.contains("From: Corner hub <hub@example.org>")
            || letter.raw.contains("From: \"Corner hub\" <hub@example.org>"),
        "{}",
        letter.raw
    );
    assert!(outbox(hub.data.path()).is_empty());
    // The next letter is the next one that is asked for, not the same again.
    ask(&hub, "asha@example.org").await;
    let next = tokio::task::spawn_blocking(move || taken.recv_timeout(PATIENCE));
    let next = Read::of(&next.await.expect("it waits").expect("it comes"));
    assert_ne!(next.token(), letter.token());
}

#[tokio::test]
async fn p7_a_letter_survives_a_hub_that_is_killed_before_it_could_send_it() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let hub = with_server(Running::start(&[]), port);
    person(&hub, "asha@example.org", "en").await;
    ask(&hub, "asha@example.org").await;
    let data = hub.kill();
    // Nothing in the raw files names her.
    for name in ["hub.db", "hub.db-wal"] {
        let bytes = std::fs::read(data.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(16).any(|window| window == b"asha@example.org"), "{name}");
    }
    let hub = Running::start_in(data, &[]);
    let [letter] = &letters(&hub, 1).await[..] else { panic!("one") };
    assert_eq!(letter.to, "asha@example.org");
}

#[test]
fn a_mail_server_in_the_clear_or_without_its_password_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let config = data.path().join("hub.toml");
    for (smtp, says) in [
        ("host = \"mail.example.org\"\nsecurity = \"plain\"", "in the clear"),
        ("host = \"mail.example.org\"\nuser = \"hub\"", "KIRANA_SMTP_PASSWORD"),
        ("host = \"mail.example.org\"\nfrom = \"nobody\"", "smtp.from"),
        ("host = \"mail.example.org\"\npassword = \"secret words\"", "password"),
    ] {
        std::fs::write(&config, format!("[smtp]\n{smtp}\n")).expect("written");
        let mut program = crate::program::program(data.path(), "serve");
        let output = program.arg("--config").arg(&config).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says) && !error.contains("secret words"), "{error}");
    }
}
