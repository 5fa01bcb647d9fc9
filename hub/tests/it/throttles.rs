//! Guessing is slow, and nobody can keep an owner out by it: line 36 of the standards.
//!
//! All requests of these tests come from one address, as behind one router.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    oauth::{self, BACK, Browser, query},
    program::{PASSWORD, Running, send, text},
};

const WRONG: &str = "not the right words";

async fn try_at(
    hub: &Running,
    login: &str,
    password: &str,
    device: Option<&str>,
) -> (StatusCode, Value) {
    let body = json!({ "login": login, "password": password, "device_token": device });
    send(hub.post("/v1/sessions", &body)).await
}

/// Guesses until the hub says to wait, and how long.
async fn attack(hub: &Running, login: &str, device: Option<&str>) -> (usize, u64) {
    for guesses in 0.. {
        let body = json!({ "login": login, "password": WRONG, "device_token": device });
        let answer = hub.post("/v1/sessions", &body).send().await.expect("an answer");
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let wait = answer.headers()["retry-after"].to_str().expect("text");
            return (guesses, wait.parse().expect("seconds"));
        }
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    unreachable!("it is throttled")
}

#[tokio::test]
async fn std_36_an_attacker_at_the_same_address_cannot_lock_out_a_device_that_was_here_before() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    hub.register("ravi").await;
    let device = text(&hub.sign_in("asha").await, "device_token").to_owned();
    let other = text(&hub.sign_in("ravi").await, "device_token").to_owned();
    let (guesses, wait_s) = attack(&hub, "asha", None).await;
    assert!(guesses <= 10 && wait_s <= 10, "{guesses} guesses, {wait_s} s");
    // A stranger waits, whatever he shows; the owner's device does not.
    for stranger in [None, Some(other.as_str()), Some(&*"A".repeat(43)), Some("")] {
        let (status, _) = try_at(&hub, "asha", PASSWORD, stranger).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{stranger:?}");
    }
    let (status, tokens) = try_at(&hub, "asha", PASSWORD, Some(&device)).await;
    assert_eq!(status, StatusCode::CREATED, "{tokens}");
    assert!(tokens["device_token"].is_null(), "it keeps the one that it has");
    // Nor does it help to use up all that the address may do in a minute, at any account.
    for n in 0..100 {
        if try_at(&hub, &format!("nobody {n}"), WRONG, None).await.0 != StatusCode::UNAUTHORIZED {
            break;
        }
    }
    assert_eq!(try_at(&hub, "ravi", PASSWORD, None).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(try_at(&hub, "asha", PASSWORD, Some(&device)).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn std_36_a_stolen_device_token_gives_no_more_guesses_than_an_address_has() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let device = text(&hub.sign_in("asha").await, "device_token").to_owned();
    let (guesses, wait_s) = attack(&hub, "asha", Some(&device)).await;
    assert!(guesses <= 10 && wait_s <= 10, "{guesses} guesses, {wait_s} s");
    // It has used up its own tries, not those of its address.
    assert_eq!(try_at(&hub, "asha", PASSWORD, None).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn std_36_thirty_sign_ins_and_registrations_a_minute_pass_from_one_address() {
    let hub = Running::start(&[]);
    for n in 0..15 {
        hub.register(&format!("person {n}")).await;
        hub.sign_in(&format!("person {n}")).await;
    }
}

#[tokio::test]
async fn std_36_a_browser_that_signed_in_before_is_not_locked_out_on_the_hubs_own_pages() {
    let hub = oauth::hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get(&query("app", BACK)).await;
    let page = browser.sign_in(&page, "asha", PASSWORD).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert!(browser.cookies.contains_key("__Host-kirana-device"));
    attack(&hub, "asha", None).await;
    let mut stranger = Browser::new(&hub);
    let page = stranger.get(&query("app", BACK)).await;
    let page = stranger.sign_in(&page, "asha", PASSWORD).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.html);
    // The owner was signed out meanwhile; the browser is known all the same.
    browser.cookies.retain(|name, _| name == "__Host-kirana-device");
    let page = browser.get(&query("app", BACK)).await;
    let page = browser.sign_in(&page, "asha", PASSWORD).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
}
