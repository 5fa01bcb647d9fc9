//! Which passwords are taken, and how they are kept: lines 31 to 33 of the standards.

use kirana_hub::clock;
use kirana_migrations::rusqlite::Connection;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use totp_rs::{Builder, Secret};

use crate::program::{PASSWORD, Running, send, text};

async fn register(hub: &Running, login: &str, password: &str) -> (StatusCode, Value) {
    send(hub.post("/v1/accounts", &json!({ "login": login, "password": password }))).await
}

async fn sign_in(hub: &Running, password: &str, otp: Option<&str>) -> (StatusCode, Value) {
    let body = json!({ "login": "asha", "password": password, "otp": otp });
    send(hub.post("/v1/sessions", &body)).await
}

fn stored_hash(data: &TempDir) -> String {
    let database = Connection::open(data.path().join("hub.db")).expect("it opens");
    let hash = database.query_row("SELECT password_hash FROM account", [], |row| row.get(0));
    hash.expect("one account")
}

#[tokio::test]
async fn std_32_33_a_weak_password_is_told_what_is_wrong_with_it() {
    let hub = Running::start(&[]);
    for (password, says) in [
        ("fourteen chars", "at least 15"),
        ("passwordpassword", "many people have"),
        ("password1234567", "many people have"),
        ("qwertyuiopasdfgh", "many people have"),
        ("januaryfebruary", "guessed early"),
        ("asha devi asha devi", "guess"),
        ("aaaaaaaaaaaaaaaa", "same few"),
        (&"copper monsoon ".repeat(300), "4096 bytes"),
    ] {
        let (status, problem) = register(&hub, "asha.devi@example.org", password).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{password}: {problem}");
        assert_eq!(text(&problem, "type"), "urn:kirana:problem:weak-password");
        assert!(text(&problem, "detail").contains(says), "{password}: {problem}");
    }
    for (login, password) in [
        ("one", &*"copper monsoon ladder tuesday ".repeat(100)),
        ("two", "only small letters"),
        ("three", "अमरूद की टोकरी में सात तोते"),
        ("four", "🌶🥭🐘🚲🌧🏠🪔🎏🐟🍋🛶🌙🪁🧵🍚"),
    ] {
        let (status, problem) = register(&hub, login, password).await;
        assert_eq!(status, StatusCode::CREATED, "{password}: {problem}");
    }
}

#[tokio::test]
async fn std_33_a_weak_password_is_refused_in_the_persons_language() {
    let hub = Running::start(&[]);
    let weak = "januaryfebruary";
    let asked = json!({ "login": "asha", "password": weak, "language": "hi-IN" });
    let (status, problem) = send(hub.post("/v1/accounts", &asked)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(&problem, "detail").contains("पासवर्ड"), "{problem}");
    let asked = json!({ "login": "asha", "password": PASSWORD, "language": "hi" });
    assert_eq!(send(hub.post("/v1/accounts", &asked)).await.0, StatusCode::CREATED);
    let token = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let change = json!({ "current_password": PASSWORD, "new_password": weak });
    let change = hub.client.put(format!("{}/v1/me/password", hub.url)).json(&change);
    let (status, problem) = send(change.bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(&problem, "detail").contains("पासवर्ड"), "{problem}");
}

#[tokio::test]
async fn std_32_composed_and_decomposed_letters_sign_in_alike() {
    let hub = Running::start(&[]);
    let (status, _) = register(&hub, "asha", "un caf\u{e9} sous la pluie").await;
    assert_eq!(status, StatusCode::CREATED);
    let decomposed = sign_in(&hub, "un cafe\u{301} sous la pluie", None).await;
    assert_eq!(decomposed.0, StatusCode::CREATED, "{}", decomposed.1);
    assert_eq!(sign_in(&hub, "un cafe sous la pluie", None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn std_31_a_password_is_hashed_anew_at_sign_in_when_the_cost_was_raised() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let data = hub.stop();
    let before = stored_hash(&data);
    assert!(before.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{before}");
    let config = data.path().join("hub.toml");
    std::fs::write(&config, "argon2-memory-kib = 20480\nargon2-passes = 3\n").expect("written");
    let hub = Running::start_in(data, &["--config", &config.to_string_lossy()]);
    assert_eq!(sign_in(&hub, "not the right words", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(stored_hash(&hub.data), before, "a wrong password changes nothing");
    let (_, tokens) = sign_in(&hub, PASSWORD, None).await;
    let after = stored_hash(&hub.data);
    assert!(after.starts_with("$argon2id$v=19$m=20480,t=3,p=1$"), "{after}");
    let me = hub.get("/v1/me").bearer_auth(text(&tokens, "access_token"));
    assert_eq!(send(me).await.0, StatusCode::OK, "nobody is signed out by it");
    assert_eq!(sign_in(&hub, PASSWORD, None).await.0, StatusCode::CREATED);
    assert_eq!(stored_hash(&hub.data), after, "once is enough");
}

#[tokio::test]
async fn std_32_eight_characters_are_enough_beside_a_factor_which_then_has_to_stay() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let token = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let request = hub.client.put(format!("{}/v1/me/password", hub.url));
        send(request.json(&body).bearer_auth(&token))
    };
    let short = "q7.vXk2p";
    assert_eq!(change(PASSWORD, short).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (_, begun) = send(begin).await;
    assert_eq!(change(PASSWORD, short).await.0, StatusCode::UNPROCESSABLE_ENTITY, "not yet");
    let secret = Secret::try_from_base32(text(&begun, "secret")).expect("base32");
    let totp = Builder::new().with_secret(secret).build().expect("a long secret");
    let otp = totp.generate(clock::now().get() / 1000).to_string();
    let factor = format!("/v1/me/factors/{}", text(&begun, "id"));
    let confirm = hub.post(&format!("{factor}/confirm"), &json!({ "otp": otp }));
    assert_eq!(send(confirm.bearer_auth(&token)).await.0, StatusCode::OK);
    assert_eq!(change(PASSWORD, "q7.vXk2").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, "dragon12").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(change(PASSWORD, short).await.0, StatusCode::NO_CONTENT);
    let remove = |password: &str| {
        let request = hub.delete(&factor).json(&json!({ "password": password }));
        send(request.bearer_auth(&token))
    };
    let (status, problem) = remove(short).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(text(&problem, "detail").contains("15 characters"), "{problem}");
    assert_eq!(change(short, PASSWORD).await.0, StatusCode::NO_CONTENT);
    assert_eq!(remove(PASSWORD).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn std_33_passphrases_are_offered_in_the_persons_language_and_taken() {
    let hub = Running::start(&[]);
    for (language, said) in [("hi", "hi"), ("hi-Latn", "hi-Latn"), ("en", "en"), ("ta-IN", "en")] {
        let path = format!("/v1/passphrases?language={language}");
        let answer = hub.get(&path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let offer: Value = answer.json().await.expect("JSON");
        assert_eq!(text(&offer, "language"), said);
        let items = offer["items"].as_array().expect("a list");
        assert_eq!(items.len(), 5, "{offer}");
        for (n, item) in items.iter().enumerate() {
            let passphrase = item.as_str().expect("a text");
            let (status, problem) = register(&hub, &format!("{language} {n}"), passphrase).await;
            assert_eq!(status, StatusCode::CREATED, "{passphrase}: {problem}");
        }
    }
    assert_eq!(send(hub.get("/v1/passphrases")).await.1["language"], "en");
    let mut last = StatusCode::OK;
    for _ in 0..200 {
        last = send(hub.get("/v1/passphrases")).await.0;
        if last != StatusCode::OK {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS, "it is no endless source");
}
