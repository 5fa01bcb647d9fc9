//! A payment provider on this machine that fails in the ways that real ones do: it is a double for
//! faults alone; what the API is like is tested against `localstripe`.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// How the next call that changes something fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the answer is lost.
    Lost,
    /// This is answered, and nothing is done.
    Says(u16),
    /// It is done with another sum.
    Less,
}

/// What the provider keeps.
#[derive(Default)]
pub struct Book {
    pub intents: BTreeMap<String, Intent>,
    pub faults: VecDeque<Fault>,
    /// Whole requests as they came, the newest last.
    pub asked: Vec<String>,
    answers: BTreeMap<String, Value>,
    /// Whether it has forgotten what was asked under which key, as after a day.
    pub forgetful: bool,
}

pub struct Intent {
    pub minor: i64,
    pub status: &'static str,
    pub taken: i64,
    pub backs: Vec<(i64, String)>,
}

/// The provider; it lives as long as the test.
pub struct Provider {
    pub port: u16,
    pub book: Arc<Mutex<Book>>,
}

impl Provider {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let book: Arc<Mutex<Book>> = Arc::default();
        let kept = book.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &kept);
            }
        });
        Self { port, book }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn with<T>(&self, job: impl FnOnce(&mut Book) -> T) -> T {
        job(&mut self.book.lock().expect("nobody panicked"))
    }

    /// The customer confirms the only payment that waits for it.
    pub fn confirm(&self) -> String {
        self.with(|book| {
            let waits = |of: &(&String, &mut Intent)| of.1.status == "requires_payment_method";
            let (name, intent) = book.intents.iter_mut().find(waits).expect("one waits");
            intent.status = "requires_capture";
            name.clone()
        })
    }

    pub fn fails(&self, faults: &[Fault]) {
        self.with(|book| book.faults.extend(faults));
    }
}

fn answer(mut stream: TcpStream, book: &Mutex<Book>) {
    let Some((head, body)) = read(&mut stream) else { return };
    let mut book = book.lock().expect("nobody panicked");
    book.asked.push(format!("{head}\r\n\r\n{body}"));
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, says) = match method {
        "GET" => (200, book.look(path)),
        _ => {
            let fault = book.faults.pop_front();
            if let Some(Fault::Says(status)) = fault {
                (status, json!({ "error": { "code": "double" } }))
            } else {
                let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
                let key = key.expect("a key with every call that changes something");
                let done = book.change(path, &body, key, fault == Some(Fault::Less));
                if fault == Some(Fault::Lost) {
                    return;
                }
                done
            }
        }
    };
    let says = says.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 0\r\nconnection: close\r\n\r\n",
        says.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(says.as_bytes());
}

fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut head, mut next) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut next).ok()? == 0 {
            return None;
        }
        head.extend(next);
    }
    let head = String::from_utf8_lossy(&head).trim().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

fn field(body: &str, name: &str) -> String {
    let pair = body.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name);
    pair.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

impl Book {
    fn shown(&self, name: &str) -> Value {
        let Some(of) = self.intents.get(name) else { return json!({}) };
        json!({ "id": name, "status": of.status, "amount": of.minor, "currency": "inr",
            "amount_received": of.taken, "client_secret": format!("{name}_secret_d") })
    }

    fn look(&self, path: &str) -> Value {
        let path = path.split('?').next().unwrap_or_default();
        if let Some(name) = path.strip_prefix("/v1/payment_intents/") {
            return self.shown(name);
        }
        if path == "/v1/refunds" {
            let backs = self.intents.values().flat_map(|of| &of.backs);
            let back = |(minor, key): &(i64, String)| {
                json!({ "id": "re_1", "amount": minor, "status": "succeeded",
                    "metadata": { "kirana": key } })
            };
            return json!({ "data": backs.map(back).collect::<Vec<_>>() });
        }
        let taken = self.intents.iter().filter(|(_, of)| of.taken > 0);
        let charge = |(name, of): (&String, &Intent)| {
            // What was held and not taken counts as given back, too.
            let back = of.backs.iter().map(|(minor, _)| minor).sum::<i64>() + of.minor - of.taken;
            json!({ "id": format!("ch_{name}"), "amount": of.minor, "captured": true,
                "amount_captured": of.taken, "amount_refunded": back,
                "created": 1_790_000_000, "currency": "inr",
                "payment_intent": name })
        };
        json!({ "data": taken.map(charge).collect::<Vec<_>>() })
    }

    fn change(&mut self, path: &str, body: &str, key: &str, less: bool) -> (u16, Value) {
        if let Some(before) = self.answers.get(key).filter(|_| !self.forgetful) {
            return (200, before.clone());
        }
        let minor = |name| field(body, name).parse::<i64>().unwrap_or_default();
        let refused = (400, json!({ "error": { "code": "payment_intent_unexpected_state" } }));
        let says = if path == "/v1/payment_intents" {
            assert_eq!(field(body, "capture_method"), "manual");
            let name = format!("pi_{}", self.intents.len() + 1);
            let minor = if less { minor("amount") - 1 } else { minor("amount") };
            let status = "requires_payment_method";
            let intent = Intent { minor, status, taken: 0, backs: Vec::new() };
            self.intents.insert(name.clone(), intent);
            self.shown(&name)
        } else if path == "/v1/refunds" {
            let of = self.intents.get_mut(&field(body, "payment_intent")).expect("one of ours");
            of.backs.push((minor("amount"), key.to_owned()));
            json!({ "id": "re_1", "amount": minor("amount"), "status": "succeeded" })
        } else {
            let mut parts = path.trim_start_matches("/v1/payment_intents/").split('/');
            let (name, what) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let of = self.intents.get_mut(name).expect("one of ours");
            match (what, of.status) {
                ("capture", "requires_capture") => {
                    of.taken = minor("amount_to_capture") - i64::from(less);
                    of.status = "succeeded";
                }
                ("cancel", "requires_capture" | "requires_payment_method") => {
                    of.status = "canceled"
                }
                _ => return refused,
            }
            self.shown(name)
        };
        self.answers.insert(key.to_owned(), says.clone());
        (200, says)
    }
}
