//! Payments by card over HTTP, with a provider that fails: lost answers, errors, other sums, kill -9.

use std::process::{Command, Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{
    challenge,
    id::VariantId,
    order::{facts::Means, placed::Method},
};
use kirana_shop::{app::cards::signature, clock};
use serde_json::{Value, json};

use crate::{
    card_provider::{Fault, Provider},
    desk::{Desk, said, text},
    neighbour::{Customer, Neighbourhood},
    program::{Served, init, shelf},
};

const WEBHOOK: &str = "whsec_corner";

/// A shop whose cards go through this provider, and rice at ₹90.
pub struct Counter {
    pub desk: Desk,
    pub street: Neighbourhood,
    pub rice: VariantId,
}

/// Serves a folder that may call programs on this machine.
pub fn served(folder: &std::path::Path) -> Served {
    let program = Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
    let more = ["--outside-allow-private"];
    Served::run_with(program, folder, Stdio::null(), &more).expect("the ready line")
}

impl Counter {
    pub fn open(provider: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        init(folder.path());
        let (street, rice) = shelf(folder.path(), 1_000);
        let running = served(folder.path());
        let desk = Desk::of(folder, running);
        let (status, set) = desk.as_owner("PUT", "/v1/payments/cards", &account(provider));
        assert_eq!(status, 200, "{set}");
        Self { desk, street, rice }
    }

    /// Kills the program and serves its folder again.
    pub fn killed(mut self) -> Self {
        self.desk.served.signal("-KILL");
        self.desk.served.child.wait().expect("it is gone");
        self.desk.served = served(self.desk.folder.path());
        self
    }

    /// A guest who ordered two packs of rice to be paid so, and is signed in.
    pub fn guest(&self, n: u8, payment: Method) -> (String, String) {
        let mut guest = Customer::guest(&self.street, 100 + n);
        guest.now = clock::now();
        let mut wanted = guest.wants(&[(self.rice, 2, 9_000)]);
        (wanted.payment, wanted.partial_ok) = (payment, true);
        let placed = guest.sign(n, wanted);
        let (_, nonce) = self.desk.ask("", "POST", "/v1/sessions/nonce", &Value::Null);
        let hex = text(&nonce, "nonce");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
        let nonce_bytes = std::array::from_fn(byte);
        let answer = challenge::answer(&guest.keys.signing, nonce_bytes, text(&nonce, "audience"));
        let certificates = json!([STANDARD.encode(&guest.certificate)]);
        let session = json!({ "certificates": certificates, "answer": STANDARD.encode(answer) });
        let (_, session) = self.desk.ask("", "POST", "/v1/sessions", &session);
        let token = text(&session, "access_token").to_owned();
        let order =
            json!({ "placed": STANDARD.encode(placed.bytes()), "certificates": certificates });
        let (status, order) = self.desk.ask(&token, "POST", "/v1/orders", &order);
        assert_eq!(status, 201, "{order}");
        (text(&order, "id").to_owned(), token)
    }

    pub fn order(&self, id: &str) -> Value {
        self.desk.as_owner("GET", &format!("/v1/orders/{id}"), &Value::Null).1
    }

    /// How the order is paid by card, as its customer sees it.
    pub fn card(&self, id: &str, token: &str) -> Value {
        let (status, card) =
            self.desk.ask(token, "GET", &format!("/v1/orders/{id}/card"), &Value::Null);
        assert_eq!(status, 200, "{card}");
        card
    }

    /// Asks until the order's payment stands so; a test that waits in vain is ended by its time.
    pub fn until(&self, id: &str, payment: &str) -> Value {
        loop {
            let order = self.order(id);
            if order["order"]["payment"]["payment"] == payment {
                return order;
            }
            std::thread::yield_now();
        }
    }

    pub fn until_asked(&self, id: &str, token: &str) -> Value {
        loop {
            let card = self.card(id, token);
            if card["client_secret"].is_string() {
                return card;
            }
        }
    }

    pub fn act(&self, id: &str, deed: &str, details: &Value) -> (u16, Value) {
        self.desk.as_owner("POST", &format!("/v1/orders/{id}/{deed}"), details)
    }

    pub fn hand_over(&self, id: &str) {
        for deed in ["packing", "packed", "ready", "collection"] {
            let (status, done) = self.act(id, deed, &json!({}));
            assert_eq!(status, 200, "{deed}: {done}");
        }
    }

    pub fn is_sound(&self) {
        let (code, found) = said(self.desk.folder.path(), &["verify"]);
        assert_eq!(code, 0, "{found}");
    }

    /// What came in and went back by card.
    pub fn by_card(&self) -> Vec<i64> {
        let takings = self.street.shop.takings(None, None, clock::now()).expect("they are read");
        let rows = takings.rows.iter().map(|row| &row.taking);
        rows.filter(|t| t.means == Means::Card).map(|taking| taking.minor).collect()
    }
}

pub fn account(provider: &str) -> Value {
    json!({ "on": true, "base_url": provider, "publishable_key": "pk_test_corner",
        "secret_key": "sk_test_corner", "webhook_secret": WEBHOOK })
}

#[test]
fn whatever_fails_at_the_provider_money_moves_once() {
    let provider = Provider::open();
    // The answer to the first call is lost, then it is ill, and full.
    provider.fails(&[Fault::Lost, Fault::Says(500), Fault::Says(429)]);
    let counter = Counter::open(&provider.url());
    let (id, token) = counter.guest(1, Method::Card);
    let card = counter.until_asked(&id, &token);
    assert_eq!(card["amount"]["minor"], 18_000);
    assert_eq!(provider.with(|book| book.intents.len()), 1, "the same key made one");
    let strangers = counter.guest(2, Method::OnDelivery).1;
    let path = format!("/v1/orders/{id}/card");
    assert_eq!(counter.desk.ask(&strangers, "GET", &path, &Value::Null).0, 404);
    let (_, seen) = counter.desk.as_owner("GET", &path, &Value::Null);
    assert!(seen["client_secret"].is_null(), "for its customer alone: {seen}");
    provider.confirm();
    counter.until(&id, "authorised");
    let (status, refused) =
        counter.act(&id, "payments", &json!({ "amount": { "minor": 18_000, "currency": "INR" } }));
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:does-not-fit"));
    // The answer to the capture is lost, and the provider forgets its keys.
    provider.with(|book| book.forgetful = true);
    provider.fails(&[Fault::Lost, Fault::Says(500)]);
    counter.hand_over(&id);
    let order = counter.until(&id, "captured");
    assert_eq!(order["stage"]["stage"], "completed");
    let back = json!({ "amount": { "minor": 5_000, "currency": "INR" }, "means": "card" });
    provider.with(|book| book.faults.clear());
    provider.fails(&[Fault::Lost]);
    assert_eq!(counter.act(&id, "refunds", &back).0, 200);
    counter.until(&id, "partly_refunded");
    let backs = provider.with(|book| {
        book.intents
            .values()
            .flat_map(|of| of.backs.iter().map(|(minor, _)| *minor))
            .collect::<Vec<_>>()
    });
    assert_eq!(backs, [5_000], "once, though it forgot the key");
    assert_eq!(counter.by_card(), [18_000, -5_000]);
    counter.is_sound();
    let (status, list) = counter.desk.as_owner("POST", "/v1/payments/cards/check", &Value::Null);
    assert_eq!(status, 200, "{list}");
    assert_eq!((&list["strangers"], &list["troubles"]), (&json!([]), &json!([])));
}

#[test]
fn p7_a_program_that_is_killed_on_the_way_takes_the_sum_once() {
    let provider = Provider::open();
    let counter = Counter::open(&provider.url());
    let (id, token) = counter.guest(1, Method::Card);
    counter.until_asked(&id, &token);
    let counter = counter.killed();
    provider.confirm();
    counter.until(&id, "authorised");
    // It is taken there, the answer never comes, and the program is killed before it asks again.
    provider.fails(&[Fault::Lost]);
    counter.hand_over(&id);
    let captured = |of: &Provider| of.with(|book| book.intents["pi_1"].taken);
    while captured(&provider) == 0 {
        std::thread::yield_now();
    }
    let counter = counter.killed();
    counter.until(&id, "captured");
    assert_eq!((captured(&provider), counter.by_card()), (18_000, vec![18_000]));
    counter.is_sound();
}

#[test]
fn another_sum_than_was_asked_for_is_called_off_and_a_person_hears_of_it() {
    let provider = Provider::open();
    provider.fails(&[Fault::Less]);
    let counter = Counter::open(&provider.url());
    let (id, _) = counter.guest(1, Method::Card);
    let order = counter.until(&id, "failed");
    assert_eq!(order["order"]["payment"]["why"], "refused");
    while provider.with(|book| book.intents["pi_1"].status) != "canceled" {
        std::thread::yield_now();
    }
    let (_, list) = counter.desk.as_owner("GET", "/v1/payments/reconciliation", &Value::Null);
    // What is said depends on whether the list of all charges was read before the call ended.
    let says = text(&list["cards"]["troubles"][0], "says");
    assert!(says.contains("another sum") || says.contains("17999 inr"), "{list}");
    // It is paid otherwise.
    let cash = json!({ "amount": { "minor": 18_000, "currency": "INR" } });
    assert_eq!(counter.act(&id, "payments", &cash).0, 200);
    counter.is_sound();
}

#[test]
fn without_a_provider_the_order_goes_on_and_the_payment_waits() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    let counter = Counter::open(&format!("http://127.0.0.1:{port}"));
    let (id, token) = counter.guest(1, Method::Card);
    counter.hand_over(&id);
    let waiting = loop {
        let card = counter.card(&id, &token);
        if card["waiting"][0]["problem"].is_string() {
            break card["waiting"][0].clone();
        }
    };
    assert_eq!((&waiting["what"], &waiting["minor"]), (&json!("create"), &json!(18_000)));
    let (_, list) = counter.desk.as_owner("GET", "/v1/payments/reconciliation", &Value::Null);
    assert_eq!(list["unpaid"][0]["minor"], 18_000, "{list}");
    let cash = json!({ "amount": { "minor": 18_000, "currency": "INR" } });
    let (status, order) = counter.act(&id, "payments", &cash);
    assert_eq!((status, &order["stage"]["stage"]), (200, &json!("completed")));
    counter.is_sound();
}

#[test]
fn webhooks_forged_late_and_repeated_move_nothing() {
    let provider = Provider::open();
    let counter = Counter::open(&provider.url());
    let (id, token) = counter.guest(1, Method::Card);
    counter.until_asked(&id, &token);
    let event = json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": {
        "id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount": 18_000 } } });
    let event = event.to_string();
    let known = counter.street.shop.known_now(clock::now()).expect("it is read").at;
    let now_s = known.get() / 1_000;
    let send = |provider: &str, signed: &str, body: &str| {
        let more = format!("stripe-signature: {signed}\r\n");
        let path = format!("/v1/payments/webhooks/{provider}");
        let answer =
            counter.desk.served.ask_with(&more, "POST", &path, "application/json", body.as_bytes());
        let (status, _, body) = answer.expect("an answer");
        let name = serde_json::from_slice::<Value>(&body).unwrap_or_default()["type"].clone();
        (status, name.as_str().unwrap_or_default().trim_start_matches("urn:kirana:").to_owned())
    };
    let good = |at_s| signature(WEBHOOK.as_bytes(), at_s, event.as_bytes());
    let problem = |status: u16, name: &str| (status, name.to_owned());
    assert_eq!(send("stripe", "", &event), problem(400, "webhook-forged"));
    assert_eq!(send("stripe", &good(now_s), "{}"), problem(400, "webhook-forged"));
    assert_eq!(send("stripe", &good(now_s - 600), &event), problem(400, "webhook-late"));
    assert_eq!(send("paypal", &good(now_s), &event), problem(404, "not-found"));
    let long = "x".repeat(300 * 1024);
    assert_eq!(send("stripe", &good(now_s), &long).0, 413);
    for _ in 0..3 {
        assert_eq!(send("stripe", &good(now_s), &event).0, 200);
    }
    assert_eq!(counter.order(&id)["order"]["payment"]["payment"], "due", "it was not confirmed");
    assert_eq!(counter.by_card(), Vec::<i64>::new());
    // Out of order: what is true is read back.
    provider.confirm();
    counter.until(&id, "authorised");
    counter.is_sound();
}

#[test]
fn p4_secrets_are_never_shown_lie_sealed_and_go_to_the_provider_alone() {
    let provider = Provider::open();
    let counter = Counter::open(&provider.url());
    let (status, seen) = counter.desk.as_owner("GET", "/v1/payments/cards", &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(
        (&seen["has_secret_key"], &seen["has_webhook_secret"]),
        (&json!(true), &json!(true))
    );
    let (_, shown) = said(counter.desk.folder.path(), &["cards", "show"]);
    for text in [seen.to_string(), shown.to_string()] {
        assert!(!text.contains("sk_test") && !text.contains("whsec"), "{text}");
    }
    let packer = counter.desk.working(60, "staff");
    for (method, body) in [("GET", Value::Null), ("PUT", account("https://thief.example"))] {
        let (status, _) = counter.desk.ask(&packer, method, "/v1/payments/cards", &body);
        assert_eq!(status, 403);
    }
    let (id, token) = counter.guest(1, Method::Card);
    counter.until_asked(&id, &token);
    assert!(provider.with(|book| {
        book.asked.iter().all(|a| a.contains("authorization: Bearer sk_test_corner"))
    }));
    for file in ["shop.db", "shop.db-wal"] {
        let raw = std::fs::read(counter.desk.folder.path().join(file)).expect("a file");
        for secret in ["sk_test_corner", WEBHOOK] {
            let found = raw.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {file}");
        }
    }
    // Another server needs the secret anew.
    let moved = json!({ "on": true, "base_url": "https://thief.example" });
    let (status, refused) = counter.desk.as_owner("PUT", "/v1/payments/cards", &moved);
    assert_eq!((status, text(&refused, "type")), (422, "urn:kirana:cards-account"));
}
