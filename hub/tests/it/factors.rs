//! Second factors, as people and enemies meet them.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::{PASSWORD, Running, code, send, text};

async fn try_to_sign_in(hub: &Running, otp: Option<&str>) -> (StatusCode, Value) {
    let body = json!({ "login": "asha", "password": PASSWORD, "otp": otp });
    send(hub.post("/v1/sessions", &body)).await
}

/// An account with a confirmed factor: its token, the factor's id and secret, the recovery codes.
async fn protected(hub: &Running) -> (String, String, String, Vec<String>) {
    hub.register("asha").await;
    let token = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (status, begun) = send(begin).await;
    assert_eq!(status, StatusCode::CREATED, "{begun}");
    let (id, secret) = (text(&begun, "id").to_owned(), text(&begun, "secret").to_owned());
    assert!(text(&begun, "otpauth_uri").starts_with("otpauth://totp/"));
    // Nothing changes before it was confirmed.
    assert_eq!(try_to_sign_in(hub, None).await.0, StatusCode::CREATED);
    let confirm = |otp: &str| {
        let path = format!("/v1/me/factors/{id}/confirm");
        hub.post(&path, &json!({ "otp": otp })).bearer_auth(&token)
    };
    assert_eq!(send(confirm("000000x")).await.0, StatusCode::UNAUTHORIZED);
    let (status, confirmed) = send(confirm(&code(&secret, 0))).await;
    assert_eq!(status, StatusCode::OK, "{confirmed}");
    let codes = confirmed["recovery_codes"].as_array().expect("codes").iter();
    let codes = codes.map(|code| code.as_str().expect("a text").to_owned()).collect();
    (token, id, secret, codes)
}

#[tokio::test]
async fn std_34_a_password_alone_is_not_enough_and_a_step_counts_once() {
    let hub = Running::start(&[]);
    let (_, _, secret, codes) = protected(&hub).await;
    assert_eq!(codes.len(), 10);
    let (status, problem) = try_to_sign_in(&hub, None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["type"], "urn:kirana:problem:second-factor-needed");
    // The code that confirmed it was of this step: only a later one counts.
    let (status, problem) = try_to_sign_in(&hub, Some(&code(&secret, 0))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["type"], "urn:kirana:problem:second-factor-wrong");
    let next = code(&secret, 1);
    assert_eq!(try_to_sign_in(&hub, Some(&next)).await.0, StatusCode::CREATED);
    assert_eq!(try_to_sign_in(&hub, Some(&next)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn std_34_a_recovery_code_works_once_however_it_is_typed() {
    let hub = Running::start(&[]);
    let (_, _, _, codes) = protected(&hub).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    assert_eq!(try_to_sign_in(&hub, Some(&typed)).await.0, StatusCode::CREATED);
    assert_eq!(try_to_sign_in(&hub, Some(&codes[3])).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(try_to_sign_in(&hub, Some(&codes[4])).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn std_34_a_factor_goes_with_the_password_only_and_takes_the_codes_along() {
    let hub = Running::start(&[]);
    let (token, id, _, codes) = protected(&hub).await;
    let path = format!("/v1/me/factors/{id}");
    let remove = |password: &str| {
        hub.delete(&path).json(&json!({ "password": password })).bearer_auth(&token)
    };
    assert_eq!(send(remove("not the password of asha")).await.0, StatusCode::UNAUTHORIZED);
    let (_, listed) = send(hub.get("/v1/me/factors").bearer_auth(&token)).await;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(send(remove(PASSWORD)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(remove(PASSWORD)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(try_to_sign_in(&hub, None).await.0, StatusCode::CREATED);
    // A code of before opens nothing that is not open anyway, and a new factor has codes of its own.
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (_, begun) = send(begin).await;
    let confirm = format!("/v1/me/factors/{}/confirm", text(&begun, "id"));
    let otp = json!({ "otp": code(text(&begun, "secret"), 0) });
    let (status, _) = send(hub.post(&confirm, &otp).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(try_to_sign_in(&hub, Some(&codes[0])).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn std_36_guesses_of_the_code_are_throttled_like_those_of_the_password() {
    let hub = Running::start(&[]);
    protected(&hub).await;
    let mut answers = Vec::new();
    for n in 0..60 {
        let (status, _) = try_to_sign_in(&hub, Some(&format!("{n:06}"))).await;
        answers.push(status);
        if status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(answers.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{} tries", answers.len());
}

#[tokio::test]
async fn std_16_factors_of_others_are_not_there() {
    let hub = Running::start(&[]);
    let (_, id, ..) = protected(&hub).await;
    hub.register("ravi").await;
    let other = text(&hub.sign_in("ravi").await, "access_token").to_owned();
    let path = format!("/v1/me/factors/{id}");
    let remove = hub.delete(&path).json(&json!({ "password": PASSWORD })).bearer_auth(&other);
    assert_eq!(send(remove).await.0, StatusCode::NOT_FOUND);
    let confirm = hub.post(&format!("{path}/confirm"), &json!({ "otp": "123456" }));
    assert_eq!(send(confirm.bearer_auth(&other)).await.0, StatusCode::NOT_FOUND);
}
