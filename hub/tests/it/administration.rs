//! Administrators and what they do with the accounts of others; and what a person takes along.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{enrolment::Enrolment, key::KeyPair};
use kirana_migrations::rusqlite::Connection;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::program::{PASSWORD, Running, code, files, send, text};

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("a list: {list}"))
}

#[tokio::test]
async fn std_34_an_administrator_is_made_with_a_factor_and_everybody_else_is_refused() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    assert_eq!(admin.added["recovery_codes"].as_array().map(Vec::len), Some(10));
    let without = json!({ "login": "root@example.org", "password": PASSWORD });
    let (status, problem) = send(hub.post("/v1/sessions", &without)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["type"], "urn:kirana:problem:second-factor-needed");
    let (status, list) = send(hub.get("/v1/accounts").bearer_auth(&admin.token)).await;
    assert_eq!((status, items(&list).len()), (StatusCode::OK, 1));
    let (_, asha) = hub.person("asha").await;
    assert_eq!(send(hub.get("/v1/accounts").bearer_auth(&asha)).await.0, StatusCode::FORBIDDEN);
    let (_, audit) = send(hub.get("/v1/audit").bearer_auth(&admin.token)).await;
    let lines = items(&audit);
    assert_eq!(lines.len(), 2, "the act and the refusal are written down: {audit}");
    assert_eq!(lines[1]["previous_hash"], lines[0]["hash"]);
}

#[tokio::test]
async fn std_34_who_is_made_an_administrator_does_nothing_before_there_is_a_factor() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (id, token) = hub.person("asha").await;
    let roles = format!("/v1/accounts/{id}/roles");
    let given = json!({ "roles": ["customer", "admin"] });
    let (status, asha) = send(hub.put(&roles, &given).bearer_auth(&admin.token)).await;
    assert_eq!((status, &asha["roles"]), (StatusCode::OK, &json!(["customer", "admin"])));
    let (status, problem) = send(hub.get("/v1/accounts").bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(problem["type"], "urn:kirana:problem:second-factor-required");
    let asked = json!({ "login": "asha", "password": PASSWORD, "scope": "admin" });
    let (status, _) = send(hub.post("/v1/sessions", &asked)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "no such scope without a factor");
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (_, begun) = send(begin).await;
    let secret = text(&begun, "secret");
    let confirm = format!("/v1/me/factors/{}/confirm", text(&begun, "id"));
    let otp = json!({ "otp": code(secret, 0) });
    assert_eq!(send(hub.post(&confirm, &otp).bearer_auth(&token)).await.0, StatusCode::OK);
    // The scope of the old token is still the narrow one; the next sign-in has it.
    let (status, problem) = send(hub.get("/v1/accounts").bearer_auth(&token)).await;
    assert_eq!(
        (status, text(&problem, "type")),
        (StatusCode::FORBIDDEN, "urn:kirana:problem:scope-missing")
    );
    let with = json!({ "login": "asha", "password": PASSWORD, "otp": code(secret, 1) });
    let (_, tokens) = send(hub.post("/v1/sessions", &with)).await;
    let token = text(&tokens, "access_token");
    assert_eq!(send(hub.get("/v1/accounts").bearer_auth(token)).await.0, StatusCode::OK);
    // A refreshed session keeps what it was opened with.
    let refresh = format!(
        "grant_type=refresh_token&client_id=kirana&refresh_token={}",
        text(&tokens, "refresh_token")
    );
    let (_, tokens) = send(hub.form("/oauth/token", &refresh)).await;
    let token = text(&tokens, "access_token");
    assert_eq!(send(hub.get("/v1/accounts").bearer_auth(token)).await.0, StatusCode::OK);
    let factor = format!("/v1/me/factors/{}", text(&begun, "id"));
    let remove = hub.delete(&factor).json(&json!({ "password": PASSWORD })).bearer_auth(token);
    assert_eq!(send(remove).await.0, StatusCode::CONFLICT, "an administrator keeps a factor");
}

#[tokio::test]
async fn p6_registering_never_accepts_a_role() {
    let hub = Running::start(&[]);
    let grab = json!({ "login": "eve", "password": PASSWORD, "roles": ["admin"] });
    assert_eq!(send(hub.post("/v1/accounts", &grab)).await.0, StatusCode::UNAUTHORIZED);
    let (id, token) = hub.person("ravi").await;
    let (status, _) = send(hub.post("/v1/accounts", &grab).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let own = hub.put(&format!("/v1/accounts/{id}/roles"), &json!({ "roles": ["admin"] }));
    assert_eq!(send(own.bearer_auth(&token)).await.0, StatusCode::FORBIDDEN);
    let own = hub.patch("/v1/me", &json!({ "roles": ["admin"] })).bearer_auth(&token);
    assert_eq!(send(own).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let free = json!({ "login": "eve", "password": PASSWORD });
    assert_eq!(send(hub.post("/v1/accounts", &free)).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn administrators_make_change_find_suspend_and_erase_accounts() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let new = json!({
        "login": "meera", "password": PASSWORD, "name": "Meera Nair", "roles": ["hub_operator"],
    });
    let (status, made) = send(hub.post("/v1/accounts", &new).bearer_auth(&admin.token)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let account = format!("/v1/accounts/{}", text(&made, "id"));
    for n in 0..3 {
        hub.register(&format!("other{n}")).await;
    }
    let change = json!({ "phone": "+91 98765 43210", "language": "hi" });
    let (status, changed) = send(hub.patch(&account, &change).bearer_auth(&admin.token)).await;
    assert_eq!((status, &changed["phone"]), (StatusCode::OK, &json!("+919876543210")));
    for q in ["nair", "MEERA", "98765"] {
        let found = hub.get(&format!("/v1/accounts?q={q}")).bearer_auth(&admin.token);
        let (_, found) = send(found).await;
        assert_eq!(items(&found).len(), 1, "{q}: {found}");
        assert_eq!(items(&found)[0]["id"], made["id"]);
    }
    let operators = hub.get("/v1/accounts?role=hub_operator").bearer_auth(&admin.token);
    assert_eq!(items(&send(operators).await.1).len(), 1);
    // Pages meet end to end.
    let (mut path, mut seen) = ("/v1/accounts?limit=2".to_owned(), 0);
    loop {
        let (_, page) = send(hub.get(&path).bearer_auth(&admin.token)).await;
        seen += items(&page).len();
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/accounts?limit=2&cursor={next}");
    }
    assert_eq!(seen, 5);

    let meera = text(&hub.sign_in("meera").await, "access_token").to_owned();
    let suspend =
        |yes: bool| hub.patch(&account, &json!({ "suspended": yes })).bearer_auth(&admin.token);
    let (status, suspended) = send(suspend(true)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(suspended["suspended_at"].is_string(), "{suspended}");
    assert_eq!(send(hub.get("/v1/me").bearer_auth(&meera)).await.0, StatusCode::UNAUTHORIZED);
    let sign_in = |password: &str| {
        hub.post("/v1/sessions", &json!({ "login": "meera", "password": password }))
    };
    let (status, problem) = send(sign_in(PASSWORD)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(problem["type"], "urn:kirana:problem:account-suspended");
    let wrong = send(sign_in("not the right words")).await.0;
    assert_eq!(wrong, StatusCode::UNAUTHORIZED, "who does not know the password learns nothing");
    assert_eq!(send(suspend(false)).await.0, StatusCode::OK);
    assert_eq!(send(sign_in(PASSWORD)).await.0, StatusCode::CREATED);

    let (status, erased) = send(hub.delete(&account).bearer_auth(&admin.token)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(erased["kept"].as_array().is_some_and(|kept| !kept.is_empty()), "{erased}");
    let again = send(hub.delete(&account).bearer_auth(&admin.token)).await.0;
    assert_eq!(again, StatusCode::NOT_FOUND);
    assert_eq!(send(sign_in(PASSWORD)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn p6_operators_see_that_accounts_exist_and_not_who_the_people_are() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (id, token) = hub.person("meera").await;
    let roles = hub.put(&format!("/v1/accounts/{id}/roles"), &json!({ "roles": ["hub_operator"] }));
    assert_eq!(send(roles.bearer_auth(&admin.token)).await.0, StatusCode::OK);
    let begin = hub.post("/v1/me/factors", &json!({ "type": "totp" })).bearer_auth(&token);
    let (_, begun) = send(begin).await;
    let secret = text(&begun, "secret");
    let confirm = format!("/v1/me/factors/{}/confirm", text(&begun, "id"));
    send(hub.post(&confirm, &json!({ "otp": code(secret, 0) })).bearer_auth(&token)).await;
    let with = json!({ "login": "meera", "password": PASSWORD, "otp": code(secret, 1) });
    let (_, tokens) = send(hub.post("/v1/sessions", &with)).await;
    let operator = text(&tokens, "access_token");
    let (status, list) = send(hub.get("/v1/accounts").bearer_auth(operator)).await;
    assert_eq!(status, StatusCode::OK);
    let root = items(&list).iter().find(|item| item["id"] == admin.added["id"]).expect("listed");
    assert!(root["login"].is_null() && root["email"].is_null(), "{root}");
    for path in ["/v1/accounts?q=root", "/v1/audit"] {
        let status = send(hub.get(path).bearer_auth(operator)).await.0;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let account = format!("/v1/accounts/{}", text(&admin.added, "id"));
    let suspend = hub.patch(&account, &json!({ "suspended": true })).bearer_auth(operator);
    assert_eq!(send(suspend).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_last_administrator_cannot_be_lost() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let account = format!("/v1/accounts/{}", text(&admin.added, "id"));
    let roles = hub.put(&format!("{account}/roles"), &json!({ "roles": ["customer"] }));
    assert_eq!(send(roles.bearer_auth(&admin.token)).await.0, StatusCode::CONFLICT);
    let suspend = hub.patch(&account, &json!({ "suspended": true })).bearer_auth(&admin.token);
    assert_eq!(send(suspend).await.0, StatusCode::CONFLICT);
    let leave = || hub.delete("/v1/me").bearer_auth(&admin.token);
    assert_eq!(send(leave()).await.0, StatusCode::CONFLICT);
    hub.admin("second@example.org").await;
    assert_eq!(send(leave()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_person_takes_everything_along_and_leaves_nothing_that_names_them() {
    let hub = Running::start(&[]);
    let (id, token) = hub.person("asha@example.org").await;
    let profile = json!({
        "name": "Asha Canary", "phone": "+919876543210", "email": "asha@example.org",
        "preferences": { "diet": "vegetarian" },
    });
    assert_eq!(send(hub.patch("/v1/me", &profile).bearer_auth(&token)).await.0, StatusCode::OK);
    let answer = hub.get("/v1/me/export").bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let export = answer.text().await.expect("a body");
    for part in [&*id, "Asha Canary", "+919876543210", "vegetarian", "sessions", "elsewhere"] {
        assert!(export.contains(part), "{part} is missing: {export}");
    }
    assert!(!export.contains("argon2"), "{export}");
    let (status, gone) = send(hub.delete("/v1/me").bearer_auth(&token)).await;
    assert_eq!((status, gone["kept"].as_array().map(Vec::len)), (StatusCode::OK, Some(4)));
    assert_eq!(send(hub.get("/v1/me").bearer_auth(&token)).await.0, StatusCode::UNAUTHORIZED);
    let data = hub.stop();
    for file in files(data.path()) {
        let bytes = std::fs::read(file).expect("readable");
        for name in ["Asha Canary", "asha@example.org", "9876543210"] {
            assert!(!bytes.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
        }
    }
}

#[tokio::test]
async fn another_login_needs_the_password_and_is_nobody_elses() {
    let hub = Running::start(&[]);
    hub.register("ravi").await;
    let (_, token) = hub.person("asha").await;
    let change = |login: &str, password: &str| {
        let body = json!({ "login": login, "password": password });
        hub.put("/v1/me/login", &body).bearer_auth(&token)
    };
    assert_eq!(send(change("asha2", "not the right words")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(change("Ravi", PASSWORD)).await.0, StatusCode::CONFLICT);
    let (status, me) = send(change("+91 98765 43210", PASSWORD)).await;
    assert_eq!((status, &me["login"]), (StatusCode::OK, &json!("+919876543210")));
    let old = json!({ "login": "asha", "password": PASSWORD });
    assert_eq!(send(hub.post("/v1/sessions", &old)).await.0, StatusCode::UNAUTHORIZED);
    hub.sign_in("+919876543210").await;
}

#[tokio::test]
async fn the_rules_can_be_read_by_anybody() {
    let hub = Running::start(&[]);
    let (status, rules) = send(hub.get("/v1/policies")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text(&rules, "policies").contains("permit"));
    assert_eq!(text(&rules, "hash").len(), 64);
}

/// What a community hub sends to be certified.
fn of_a_community_hub(pair: &KeyPair) -> Value {
    let (key, sealing) = (pair.signing.public(), pair.sealing.public());
    let proof = Enrolment { account: None, shop: None, key, sealing }.prove(&pair.signing);
    let sealing: String = sealing.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "signing_key": key.to_string(), "sealing_key": sealing,
        "proof": URL_SAFE_NO_PAD.encode(proof),
    })
}

#[tokio::test]
async fn p6_an_administrator_certifies_a_community_hub_and_nobody_else_does() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (_, asha) = hub.person("asha").await;
    let body = of_a_community_hub(&KeyPair::from_seed([9; 64]));
    let certify = |token: &str| hub.post("/v1/hubs", &body).bearer_auth(token);
    assert_eq!(send(certify(&asha)).await.0, StatusCode::FORBIDDEN);
    let (status, answer) = send(certify(&admin.token)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
}

#[tokio::test]
async fn p6_a_community_hub_is_shut_out_by_the_list_and_comes_back_only_when_somebody_says_so() {
    let hub = Running::start(&["--auto-approve"]);
    let admin = hub.admin("root@example.org").await;
    let (_, asha) = hub.person("asha").await;
    let pair = KeyPair::from_seed([9; 64]);
    let body = of_a_community_hub(&pair);
    let unasked = || send(hub.post("/v1/hubs", &body));
    let certified = || async {
        let (_, hubs) = send(hub.get("/v1/hubs")).await;
        hubs["community"].as_array().map(Vec::len)
    };
    assert_eq!(unasked().await.0, StatusCode::CREATED);
    assert_eq!(certified().await, Some(1));
    let (_, before) = send(hub.get("/v1/revocations")).await;
    let path = format!("/v1/hubs/{}", pair.signing.public());
    let shut = |token: &str| send(hub.delete(&path).bearer_auth(token));
    assert_eq!(shut(&asha).await.0, StatusCode::FORBIDDEN);
    assert_eq!(shut(&admin.token).await.0, StatusCode::NO_CONTENT);
    assert_eq!(shut(&admin.token).await.0, StatusCode::NOT_FOUND, "it is out already");
    assert_eq!(certified().await, Some(0));
    let (_, after) = send(hub.get("/v1/revocations")).await;
    assert_ne!(before, after, "the next list names it");
    assert_eq!(unasked().await.0, StatusCode::FORBIDDEN, "it does not come back by itself");
    let again = send(hub.post("/v1/hubs", &body).bearer_auth(&admin.token)).await;
    assert_eq!(again.0, StatusCode::CREATED, "{}", again.1);
    assert_eq!(certified().await, Some(1));
}

#[tokio::test]
async fn p6_each_act_of_an_administrator_is_open_to_one_and_to_nobody_else() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (_, asha) = hub.person("asha").await;
    let nobody = "/v1/accounts/01890a5d-ac96-774b-bcce-b302099a8057";
    let approval = "/v1/shops/01890a5d-ac96-774b-bcce-b302099a8057/approval";
    let new = json!({ "login": "ravi", "password": PASSWORD, "roles": ["customer"] });
    let acts = [
        (Method::GET, "/v1/accounts".to_owned(), json!({})),
        (Method::GET, "/v1/accounts?q=asha".to_owned(), json!({})),
        (Method::GET, "/v1/audit".to_owned(), json!({})),
        (Method::GET, "/v1/queues".to_owned(), json!({})),
        (Method::GET, "/v1/shop-applications".to_owned(), json!({})),
        (Method::GET, nobody.to_owned(), json!({})),
        (Method::POST, "/v1/accounts".to_owned(), new),
        (Method::PATCH, nobody.to_owned(), json!({ "language": "hi" })),
        (Method::PATCH, nobody.to_owned(), json!({ "suspended": true })),
        (Method::PUT, format!("{nobody}/roles"), json!({ "roles": ["customer"] })),
        (Method::POST, format!("{nobody}/recovery"), json!({})),
        (Method::DELETE, nobody.to_owned(), json!({})),
        (Method::POST, approval.to_owned(), json!({ "approved": true })),
    ];
    for (method, path, body) in acts {
        let ask = |token: &str| {
            let request = hub.client.request(method.clone(), format!("{}{path}", hub.url));
            send(request.json(&body).bearer_auth(token.to_owned()))
        };
        let (status, refusal) = ask(&asha).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {refusal}");
        let (status, answer) = ask(&admin.token).await;
        let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
        assert!(!refused.contains(&status), "{method} {path}: {answer}");
        assert!(!status.is_server_error(), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn p6_no_administrator_gets_into_the_account_of_another() {
    let hub = Running::start(&[]);
    let root = hub.admin("root@example.org").await;
    let other = hub.admin("second@example.org").await;
    let (id, _) = hub.person("asha").await;
    let recovery = |id: &str| {
        let path = format!("/v1/accounts/{id}/recovery");
        send(hub.post(&path, &json!({})).bearer_auth(&root.token))
    };
    let mail = |id: &str| {
        let body = json!({ "email": "root@example.org" });
        send(hub.patch(&format!("/v1/accounts/{id}"), &body).bearer_auth(&root.token))
    };
    let roles = |id: &str, roles: &[&str]| {
        let body = json!({ "roles": roles });
        send(hub.put(&format!("/v1/accounts/{id}/roles"), &body).bearer_auth(&root.token))
    };
    let second = text(&other.added, "id");
    let closed = async || {
        for (status, answer) in [recovery(second).await, mail(second).await] {
            assert_eq!(status, StatusCode::CONFLICT, "{answer}");
            assert!(text(&answer, "detail").contains("printed code"), "{answer}");
        }
    };
    closed().await;
    // Taking the role away first is no way around.
    assert_eq!(roles(second, &["customer"]).await.0, StatusCode::OK);
    closed().await;
    // Others are helped as before, and an administrator keeps their own address.
    assert_eq!(recovery(&id).await.0, StatusCode::CREATED);
    assert_eq!(mail(&id).await.0, StatusCode::OK);
    assert_eq!(mail(text(&root.added, "id")).await.0, StatusCode::OK);
    let (_, audit) = send(hub.get("/v1/audit").bearer_auth(&root.token)).await;
    let refused = items(&audit)
        .iter()
        .filter(|line| line["outcome"] == "refused" && line["subject"] == second);
    assert_eq!(refused.count(), 4, "{audit}");
}

#[tokio::test]
async fn the_own_profile_is_as_of_now_whoever_changed_it() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (id, asha) = hub.person("asha").await;
    let me = async || send(hub.get("/v1/me").bearer_auth(&asha)).await.1;
    for _ in 0..3 {
        assert_eq!(me().await["language"], "en");
    }
    let account = format!("/v1/accounts/{id}");
    let change = hub.patch(&account, &json!({ "language": "hi" })).bearer_auth(&admin.token);
    assert_eq!(send(change).await.0, StatusCode::OK);
    assert_eq!(me().await["language"], "hi", "by an administrator");
    let change = hub.patch("/v1/me", &json!({ "language": "ta" })).bearer_auth(&asha);
    assert_eq!(send(change).await.1["language"], "ta", "by oneself, in the answer");
    assert_eq!(me().await["language"], "ta", "and after it");
    // This test is another process than the hub.
    let database = Connection::open(hub.data.path().join("hub.db")).expect("it opens");
    let change = "UPDATE account SET language = ?1 WHERE language = 'ta'";
    assert_eq!(database.execute(change, ["bn"]).expect("written"), 1);
    assert_eq!(me().await["language"], "bn", "by another process");
    let revoke = "UPDATE session SET revoked_at = 1 WHERE account =
                  (SELECT id FROM account WHERE language = 'bn')";
    assert_eq!(database.execute(revoke, []).expect("written"), 1);
    let (status, _) = send(hub.get("/v1/me").bearer_auth(&asha)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "and a session that it ended");
}
