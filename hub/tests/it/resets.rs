//! Ways back to an account whose password is lost: line 37 of the standards.

use kirana_hub::clock;
use kirana_migrations::rusqlite::Connection;
use reqwest::StatusCode;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::{
    letters::{ask, letters, person},
    oauth::{self, BACK, Browser, query},
    program::{PASSWORD, Running, program, send, text},
};

const ASHA: &str = "asha@example.org";
const NEW: &str = "purple umbrellas sing at noon";

async fn confirm(hub: &Running, body: Value) -> (StatusCode, Value) {
    send(hub.post("/v1/password-resets/confirm", &body)).await
}

async fn by_token(hub: &Running, token: &str, password: &str) -> (StatusCode, Value) {
    confirm(hub, json!({ "token": token, "password": password })).await
}

async fn sign_in(hub: &Running, login: &str, password: &str) -> (StatusCode, Value) {
    send(hub.post("/v1/sessions", &json!({ "login": login, "password": password }))).await
}

fn unknown(answer: (StatusCode, Value)) {
    assert_eq!(answer.0, StatusCode::FORBIDDEN, "{}", answer.1);
    assert_eq!(text(&answer.1, "type"), "urn:kirana:problem:code-unknown");
}

#[tokio::test]
async fn std_37_a_reset_token_works_once_and_ends_all_sessions_and_browsers() {
    let hub = oauth::hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get(&query("app", BACK)).await;
    browser.sign_in(&page, "asha", PASSWORD).await;
    let tokens = hub.sign_in("asha").await;
    let token = text(&tokens, "access_token");
    let change = hub.client.patch(format!("{}/v1/me", hub.url));
    let change = change.json(&json!({ "email": ASHA })).bearer_auth(token);
    assert_eq!(send(change).await.0, StatusCode::OK);
    ask(&hub, "asha").await;
    let reset = letters(&hub, 1).await[0].token();
    assert!(reset.len() >= 22, "128 bits at least: {reset}");
    // A password that is refused does not use the token up.
    let (status, weak) = by_token(&hub, &reset, "password1234567").await;
    assert_eq!((status.as_u16(), text(&weak, "type")), (422, "urn:kirana:problem:weak-password"));
    assert_eq!(by_token(&hub, &reset, NEW).await.0, StatusCode::NO_CONTENT);
    unknown(by_token(&hub, &reset, "another good one of words").await);
    assert_eq!(send(hub.get("/v1/me").bearer_auth(token)).await.0, StatusCode::UNAUTHORIZED);
    let refresh = text(&tokens, "refresh_token");
    let body = format!("grant_type=refresh_token&refresh_token={refresh}");
    assert_eq!(send(hub.form("/oauth/token", &body)).await.0, StatusCode::BAD_REQUEST);
    let page = browser.get(&query("app", BACK)).await;
    assert!(page.html.contains("name=\"password\""), "the browser is asked again");
    assert_eq!(sign_in(&hub, "asha", PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&hub, "asha", NEW).await.0, StatusCode::CREATED);
    let told = &letters(&hub, 2).await[1];
    assert!(told.text.contains("password was set"), "the owner is told: {}", told.text);
}

#[tokio::test]
async fn std_37_asking_again_ends_the_older_token_and_an_hour_ends_each() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    ask(&hub, ASHA).await;
    let first = letters(&hub, 1).await[0].token();
    ask(&hub, ASHA).await;
    let second = letters(&hub, 2).await[1].token();
    unknown(by_token(&hub, &first, NEW).await);
    let data = hub.stop();
    let database = Connection::open(data.path().join("hub.db")).expect("it opens");
    let an_hour = "UPDATE one_time_code SET expires_at = expires_at - 3600000";
    database.execute(an_hour, []).expect("aged");
    drop(database);
    let hub = Running::start_in(data, &[]);
    unknown(by_token(&hub, &second, NEW).await);
    unknown(by_token(&hub, "", NEW).await);
    assert_eq!(sign_in(&hub, ASHA, PASSWORD).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn std_35_37_known_unknown_and_mailless_accounts_get_the_same_answer() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    hub.register("mailless").await;
    let mut answers = Vec::new();
    for login in ["nobody@example.org", "mailless", "", ASHA] {
        let request = hub.post("/v1/password-resets", &json!({ "login": login }));
        answers.push(send(request.header("host", "evil.example.com")).await);
    }
    assert_eq!(answers[0].0, StatusCode::ACCEPTED);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // The first three were answered before the last one.
    let [letter] = &letters(&hub, 1).await[..] else { panic!("one") };
    assert_eq!(letter.to, ASHA);
    assert!(!letter.raw.contains("evil") && letter.text.contains(&hub.url), "{}", letter.text);
}

#[tokio::test]
async fn std_36_37_nobody_makes_a_mail_cannon_of_it() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    person(&hub, "ravi@example.org", "en").await;
    for _ in 0..8 {
        ask(&hub, ASHA).await;
    }
    // Requests are answered in their order.
    ask(&hub, "ravi@example.org").await;
    let letters = letters(&hub, 4).await;
    assert_eq!(letters.iter().filter(|letter| letter.to == ASHA).count(), 3);
    // The last of them still counts, so asking too often locks nobody out.
    let mut worked = 0;
    for letter in letters.iter().filter(|letter| letter.to == ASHA) {
        worked += usize::from(by_token(&hub, &letter.token(), NEW).await.0.is_success());
    }
    assert_eq!(worked, 1);
    let mut last = StatusCode::ACCEPTED;
    for n in 0..100 {
        let body = json!({ "login": format!("nobody {n}") });
        last = send(hub.post("/v1/password-resets", &body)).await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn std_37_40_the_page_of_a_link_changes_nothing_until_its_form_is_sent() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "hi").await;
    ask(&hub, ASHA).await;
    let token = letters(&hub, 1).await[0].token();
    let path = format!("/password-reset?token={token}&language=hi");
    for _ in 0..2 {
        let page = hub.get(&path).send().await.expect("an answer");
        assert_eq!(page.status(), StatusCode::OK);
        let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
        for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
        }
        assert_eq!(page.headers()["referrer-policy"], "no-referrer");
        assert_eq!(page.headers()["cache-control"], "no-store");
        let html = page.text().await.expect("text");
        assert!(html.contains("lang=\"hi\"") && html.contains("नया पासवर्ड"), "{html}");
        assert!(html.contains(&token) && !html.contains("<script"), "{html}");
    }
    let post = |token: &str, password: &str| {
        let body = format!("token={token}&password={password}&language=hi");
        let request = hub.form("/password-reset", &body);
        async move {
            let answer = request.send().await.expect("an answer");
            (answer.status(), answer.text().await.expect("text"))
        }
    };
    let (status, html) = post(&token, "passwordpassword").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("role=\"alert\"") && html.contains(&token), "{html}");
    assert!(!html.contains("passwordpassword"));
    let (status, html) = post(&token, &NEW.replace(' ', "+")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    assert_eq!(sign_in(&hub, ASHA, NEW).await.0, StatusCode::CREATED);
    assert_eq!(post(&token, &NEW.replace(' ', "+")).await.0, StatusCode::NOT_FOUND);
    for path in [&*path, "/password-reset", "/password-reset?token=%3Cscript%3E"] {
        let page = hub.get(path).send().await.expect("an answer");
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert!(!page.text().await.expect("text").contains("<script"));
    }
}

#[tokio::test]
async fn a_printed_code_opens_an_account_without_mail_once() {
    let hub = Running::start(&[]);
    let register = || {
        let body = json!({ "login": "asha", "password": PASSWORD });
        send(hub.post("/v1/accounts", &body).header("idempotency-key", "k1"))
    };
    let (status, made) = register().await;
    assert_eq!(status, StatusCode::CREATED);
    let codes: Vec<String> = serde_json::from_value(made["recovery_codes"].clone()).expect("codes");
    assert_eq!(codes.len(), 8);
    // The key is no secret, so a repeated request does not show them again.
    assert_eq!(register().await.1, json!({ "id": made["id"], "recovery_codes": [] }));
    let with = |login: &str, code: &str, password: &str| {
        confirm(&hub, json!({ "login": login, "recovery_code": code, "password": password }))
    };
    hub.register("ravi").await;
    unknown(with("ravi", &codes[0], NEW).await);
    unknown(with("nobody", &codes[0], NEW).await);
    assert_eq!(with("asha", &codes[0], "too short").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let typed = codes[0].to_lowercase().replace('-', " ");
    assert_eq!(with("Asha", &typed, NEW).await.0, StatusCode::NO_CONTENT);
    unknown(with("asha", &codes[0], PASSWORD).await);
    let (_, tokens) = sign_in(&hub, "asha", NEW).await;
    // Others can be had, and end those of before.
    let print = |password: &str| {
        let request = hub.post("/v1/me/recovery-codes", &json!({ "password": password }));
        send(request.bearer_auth(text(&tokens, "access_token")))
    };
    assert_eq!(print("not the right words").await.0, StatusCode::UNAUTHORIZED);
    let (status, printed) = print(NEW).await;
    assert_eq!(status, StatusCode::CREATED);
    unknown(with("asha", &codes[1], PASSWORD).await);
    let fresh = printed["recovery_codes"][0].as_str().expect("a code");
    assert_eq!(with("asha", fresh, PASSWORD).await.0, StatusCode::NO_CONTENT);
    let both = json!({ "token": "t", "login": "asha", "recovery_code": "c", "password": NEW });
    assert_eq!(confirm(&hub, both).await.1["type"], "urn:kirana:problem:invalid");
}

#[tokio::test]
async fn std_34_37_no_reset_stands_in_for_a_second_factor() {
    let hub = Running::start(&[]);
    let body = json!({ "login": "asha", "password": PASSWORD });
    let (_, made) = send(hub.post("/v1/accounts", &body)).await;
    let code = made["recovery_codes"][0].as_str().expect("a code");
    let token = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (_, begun) = send(begin).await;
    let secret = Secret::try_from_base32(text(&begun, "secret")).expect("base32");
    let totp = Builder::new().with_secret(secret).build().expect("a long secret");
    let otp = |step: u64| totp.generate(clock::now().get() / 1000 + 30 * step).to_string();
    let path = format!("/v1/me/factors/{}/confirm", text(&begun, "id"));
    let request = hub.post(&path, &json!({ "otp": otp(0) })).bearer_auth(&token);
    assert_eq!(send(request).await.0, StatusCode::OK);
    let reset = json!({ "login": "asha", "recovery_code": code, "password": NEW });
    assert_eq!(confirm(&hub, reset).await.0, StatusCode::NO_CONTENT);
    let (status, problem) = sign_in(&hub, "asha", NEW).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(text(&problem, "type"), "urn:kirana:problem:second-factor-needed");
    let other = made["recovery_codes"][1].as_str().expect("a code");
    let body = json!({ "login": "asha", "password": NEW, "otp": other });
    let (_, problem) = send(hub.post("/v1/sessions", &body)).await;
    assert_eq!(text(&problem, "type"), "urn:kirana:problem:second-factor-wrong");
    let body = json!({ "login": "asha", "password": NEW, "otp": otp(1) });
    assert_eq!(send(hub.post("/v1/sessions", &body)).await.0, StatusCode::CREATED);
}

/// An administrator, signed in with the second factor that came with the account.
async fn admin(hub: &Running) -> String {
    let output = program(hub.data.path(), "admin add --email root@example.org --json")
        .env("KIRANA_PASSWORD", PASSWORD)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let added: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let code = added["recovery_codes"][0].as_str().expect("a code");
    let body = json!({ "login": "root@example.org", "password": PASSWORD, "otp": code });
    let (status, tokens) = send(hub.post("/v1/sessions", &body)).await;
    assert_eq!(status, StatusCode::CREATED, "{tokens}");
    text(&tokens, "access_token").to_owned()
}

#[tokio::test]
async fn p6_a_code_is_handed_over_by_administrators_only_and_written_down() {
    let hub = Running::start(&[]);
    let admin = admin(&hub).await;
    let body = json!({ "login": "asha", "password": PASSWORD, "email": ASHA });
    let (_, made) = send(hub.post("/v1/accounts", &body)).await;
    let asha = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let path = format!("/v1/accounts/{}/recovery", text(&made, "id"));
    let hand = |token: &str| send(hub.post(&path, &json!({})).bearer_auth(token));
    assert_eq!(hand(&asha).await.0, StatusCode::FORBIDDEN);
    let (status, handed) = hand(&admin).await;
    assert_eq!(status, StatusCode::CREATED, "{handed}");
    assert!(letters(&hub, 1).await[0].text.contains("administrator"), "she is told");
    let with = |code: &str, password: &str| {
        confirm(&hub, json!({ "login": "asha", "recovery_code": code, "password": password }))
    };
    let code = text(&handed, "recovery_code");
    assert_eq!(with(code, NEW).await.0, StatusCode::NO_CONTENT);
    unknown(with(code, PASSWORD).await);
    assert_eq!(sign_in(&hub, "asha", NEW).await.0, StatusCode::CREATED);
    let (_, me) = send(hub.get("/v1/me").bearer_auth(&admin)).await;
    let own = format!("/v1/accounts/{}/recovery", text(&me, "id"));
    let own = hub.post(&own, &json!({})).bearer_auth(&admin);
    assert_eq!(send(own).await.0, StatusCode::CONFLICT, "a stolen session sets no password");
    let (_, audit) = send(hub.get("/v1/audit").bearer_auth(&admin)).await;
    let lines = audit["items"].as_array().expect("lines");
    let noted = |outcome| lines.iter().any(|line| line["outcome"] == outcome);
    assert!(noted("recovery code made") && noted("refused"), "{audit}");
    assert!(!audit.to_string().contains(code));
}

#[tokio::test]
async fn an_address_is_confirmed_by_its_code_and_a_new_one_tells_the_old() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    let token = text(&hub.sign_in(ASHA).await, "access_token").to_owned();
    let me = || async { send(hub.get("/v1/me").bearer_auth(&token)).await.1 };
    assert_eq!(me().await["email_verified"], false);
    let path = "/v1/me/email/confirmation";
    let send_code = || send(hub.post(path, &json!({})).bearer_auth(&token));
    assert_eq!(send_code().await.0, StatusCode::ACCEPTED);
    let letter = &letters(&hub, 1).await[0];
    let code = letter.text.lines().find(|line| line.len() == 8).expect("a code").to_owned();
    let confirm = |code: &str| {
        let request = hub.post(&format!("{path}/confirm"), &json!({ "code": code }));
        send(request.bearer_auth(&token))
    };
    unknown(confirm("12").await);
    assert_eq!(confirm(&code).await.0, StatusCode::NO_CONTENT);
    unknown(confirm(&code).await);
    let known = me().await;
    assert_eq!((text(&known, "email"), &known["email_verified"]), (ASHA, &json!(true)));
    // A code of before does not confirm the next address.
    let change = |email: &str| {
        let request = hub.client.patch(format!("{}/v1/me", hub.url));
        send(request.json(&json!({ "email": email })).bearer_auth(&token))
    };
    assert_eq!(change(ASHA).await.1["email_verified"], true);
    assert_eq!(change("new@example.org").await.1["email_verified"], false);
    let told = &letters(&hub, 2).await[1];
    assert_eq!(told.to, ASHA);
    assert_eq!(send_code().await.0, StatusCode::ACCEPTED);
    let fresh = &letters(&hub, 3).await[2];
    assert_eq!(fresh.to, "new@example.org");
    let code = fresh.text.lines().find(|line| line.len() == 8).expect("a code").to_owned();
    assert_eq!(change("third@example.org").await.0, StatusCode::OK);
    unknown(confirm(&code).await);
    assert_eq!(letters(&hub, 4).await.len(), 4, "the second address is told too");
}

#[tokio::test]
async fn std_37_of_many_uses_at_once_one_sets_the_password() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    ask(&hub, ASHA).await;
    let token = letters(&hub, 1).await[0].token();
    let tries = (0..8).map(|n| {
        let password = format!("{NEW} and again {n}");
        let body = json!({ "token": token, "password": password });
        let request = hub.post("/v1/password-resets/confirm", &body);
        tokio::spawn(async move { (send(request).await.0, password) })
    });
    let tries: Vec<_> = tries.collect();
    let mut set = Vec::new();
    for one in tries {
        let (status, password) = one.await.expect("it ends");
        match status {
            StatusCode::NO_CONTENT => set.push(password),
            other => assert_eq!(other, StatusCode::FORBIDDEN),
        }
    }
    let [password] = &set[..] else { panic!("{set:?}") };
    assert_eq!(sign_in(&hub, ASHA, password).await.0, StatusCode::CREATED);
}
