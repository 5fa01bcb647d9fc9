//! A payment by card against `localstripe`, a program of others that speaks Stripe's API: from the order
//! to a part that goes back, with the shop killed on the way.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use kirana_core::order::placed::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{card_faults::Counter, desk::text};

const LOCALSTRIPE: &str = "localstripe==1.15.10";
const WEBHOOK: &str = "whsec_corner";

/// The provider as a program of its own; it ends with the test.
struct Localstripe {
    _folder: TempDir,
    child: Child,
    port: u16,
}

impl Drop for Localstripe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Localstripe {
    /// Installs and starts it; nothing where the registry cannot be reached.
    fn open() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let mut install = Command::new("python3");
        install.args(["-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20"]);
        install.args(["--target", ".", LOCALSTRIPE]).current_dir(folder.path());
        match install.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr);
                eprintln!("skipped: {LOCALSTRIPE} could not be installed here: {why}");
                return None;
            }
            Err(error) => {
                eprintln!("skipped: there is no installer for {LOCALSTRIPE} here: {error}");
                return None;
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut run = Command::new("python3");
        run.args(["-m", "localstripe", "--from-scratch", "--port", &port.to_string()]);
        run.current_dir(folder.path()).env("PYTHONPATH", folder.path()).stdin(Stdio::null());
        let child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let this = Self { _folder: folder, child, port };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Some(this)
    }

    fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--user", "sk_test_corner:", "--request", method]);
        if !form.is_empty() {
            curl.args(["--data", form]);
        }
        let output = curl.arg(url).output().expect("curl runs");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The customer confirms a payment with a card of this number.
    fn confirm(&self, intent: &str, number: &str) -> Value {
        let card = format!(
            "type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123"
        );
        let method = self.ask("POST", "/v1/payment_methods", &card);
        let method = text(&method, "id");
        let path = format!("/v1/payment_intents/{intent}");
        self.ask("POST", &path, &format!("payment_method={method}"));
        self.ask("POST", &format!("{path}/confirm"), "")
    }
}

#[test]
fn an_order_is_paid_by_card_at_a_program_of_others_and_the_shop_is_killed_on_the_way() {
    let Some(provider) = Localstripe::open() else { return };
    let counter = Counter::open(&format!("http://127.0.0.1:{}", provider.port));
    let url = format!("http://{}/v1/payments/webhooks/stripe", counter.desk.served.http);
    provider.ask("POST", "/_config/webhooks/corner", &format!("url={url}&secret={WEBHOOK}"));
    let (id, token) = counter.guest(1, Method::Card);
    let card = counter.until_asked(&id, &token);
    assert_eq!(card["amount"], json!({ "minor": 18_000, "currency": "INR" }));
    let intent = text(&card, "intent").to_owned();
    // The first card is declined, the second is good.
    provider.confirm(&intent, "4000000000000341");
    let order = counter.until(&id, "failed");
    assert_eq!(order["order"]["payment"]["why"], "declined");
    let (status, _) = counter.act(&id, "card", &Value::Null);
    assert_eq!(status, 409, "the same payment is still open");
    let counter = counter.killed();
    let fresh = provider.ask("GET", &format!("/v1/payment_intents/{intent}"), "");
    assert_eq!(fresh["status"], "requires_payment_method", "{fresh}");
    // What failed there cannot be confirmed again in this program: it is let go, and asked for anew.
    provider.ask("POST", &format!("/v1/payment_intents/{intent}/cancel"), "");
    let again = loop {
        let (status, card) = counter.act(&id, "card", &Value::Null);
        if status == 200 {
            break card;
        }
    };
    assert_eq!(again["state"], "wanted");
    let second = loop {
        let card = counter.until_asked(&id, &token);
        if text(&card, "intent") != intent {
            break text(&card, "intent").to_owned();
        }
    };
    provider.confirm(&second, "4242424242424242");
    counter.until(&id, "authorised");
    // One of the two packs is not there: the order comes to half, and half is taken.
    let short = json!({ "lines": [0], "found": 1 });
    counter.act(&id, "packing", &json!({}));
    let (status, shortened) = counter.act(&id, "shortfall", &short);
    assert_eq!(status, 200, "{shortened}");
    for deed in ["packed", "ready", "collection"] {
        let (status, done) = counter.act(&id, deed, &json!({}));
        assert_eq!(status, 200, "{deed}: {done}");
    }
    // Killed while the sum is being taken, whatever the answer was.
    let counter = counter.killed();
    let order = counter.until(&id, "captured");
    assert_eq!(order["totals"]["paid"]["minor"], 9_000);
    assert_eq!(order["stage"]["stage"], "completed");
    let back = json!({ "amount": { "minor": 2_500, "currency": "INR" }, "means": "card" });
    let (status, _) = counter.act(&id, "refunds", &back);
    assert_eq!(status, 200);
    let counter = counter.killed();
    counter.until(&id, "partly_refunded");
    let backs = provider.ask("GET", &format!("/v1/refunds?payment_intent={second}&limit=100"), "");
    let backs = backs["data"].as_array().expect("a list").iter();
    let ours = backs.filter(|back| back["metadata"]["kirana"].is_string());
    let ours: Vec<i64> = ours.map(|back| back["amount"].as_i64().expect("a sum")).collect();
    assert_eq!(ours, [2_500], "once");
    assert_eq!(counter.by_card(), [9_000, -2_500]);
    counter.is_sound();
    let (status, list) = counter.desk.as_owner("POST", "/v1/payments/cards/check", &Value::Null);
    assert_eq!(status, 200, "{list}");
    assert_eq!((&list["strangers"], &list["troubles"]), (&json!([]), &json!([])), "{list}");
    // Somebody pays there for something that this shop knows nothing of.
    let form = "amount=700&currency=inr&payment_method=pm_card_visa&confirm=true";
    let stray = provider.ask("POST", "/v1/payment_intents", form);
    assert_eq!(stray["status"], "succeeded", "{stray}");
    let (_, list) = counter.desk.as_owner("POST", "/v1/payments/cards/check", &Value::Null);
    assert_eq!(list["strangers"][0]["minor"], 700, "{list}");
}
