//! The HTTP door itself: errors, headers, devices and shops, the community role, bad starts.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    enrolment::Enrolment,
    id::{AccountId, ShopId},
    key::KeyPair,
    time::UnixMs,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::program::{PASSWORD, Running, program, send, text};

pub fn keys(pair: &KeyPair, account: impl Into<Option<AccountId>>, shop: Option<ShopId>) -> Value {
    let (key, sealing) = (pair.signing.public(), pair.sealing.public());
    let asked = Enrolment { account: account.into(), shop, key, sealing };
    let sealing: String = sealing.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let proof = URL_SAFE_NO_PAD.encode(asked.prove(&pair.signing));
    json!({ "signing_key": key.to_string(), "sealing_key": sealing, "proof": proof })
}

pub async fn account(hub: &Running, login: &str) -> (String, AccountId) {
    hub.register(login).await;
    let token = text(&hub.sign_in(login).await, "access_token").to_owned();
    let (_, me) = send(hub.get("/v1/me").bearer_auth(&token)).await;
    (token, text(&me, "id").parse().expect("an id"))
}

#[tokio::test]
async fn every_error_is_a_problem_document_and_every_answer_is_guarded() {
    let hub = Running::start(&[]);
    let at = |path: &str| format!("{}{path}", hub.url);
    let big = vec![b' '; 1024 * 1024 + 1];
    let json_type = ("content-type", "application/json");
    let cases = [
        (404, hub.client.get(at("/v1/nothing"))),
        (405, hub.client.put(at("/v1/accounts"))),
        (405, hub.client.request(Method::TRACE, at("/v1/me"))),
        (413, hub.client.post(at("/v1/accounts")).header(json_type.0, json_type.1).body(big)),
        (415, hub.client.post(at("/v1/accounts")).body("login=a")),
        (400, hub.client.post(at("/v1/accounts")).header(json_type.0, json_type.1).body("{")),
        (401, hub.client.get(at("/v1/me"))),
    ];
    for (status, request) in cases {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{status}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("content-security-policy"));
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(send(hub.get(path)).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_device_is_certified_once_per_key_and_shut_out_by_the_list() {
    let hub = Running::start(&[]);
    let (token, id) = account(&hub, "asha").await;
    let body = keys(&KeyPair::from_seed([5; 64]), id, None);
    let ask = || hub.post("/v1/devices", &body).bearer_auth(&token).header("idempotency-key", "k1");
    let (status, first) = send(ask()).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    assert_eq!(send(ask()).await.1, first, "the same request gets the same certificate");
    let stolen = keys(&KeyPair::from_seed([6; 64]), AccountId::new(UnixMs::new(1), [1; 10]), None);
    let (status, _) = send(hub.post("/v1/devices", &stolen).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a proof for another account");
    let (other, _) = account(&hub, "ravi").await;
    let device = format!("/v1/devices/{}", text(&first, "id"));
    assert_eq!(send(hub.delete(&device).bearer_auth(&other)).await.0, StatusCode::NOT_FOUND);
    let (_, before) = send(hub.get("/v1/revocations")).await;
    assert_eq!(send(hub.delete(&device).bearer_auth(&token)).await.0, StatusCode::NO_CONTENT);
    let (_, after) = send(hub.get("/v1/revocations")).await;
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_shop_applies_is_approved_and_is_found_near_by() {
    let hub = Running::start(&["--auto-approve"]);
    let (token, id) = account(&hub, "owner").await;
    let shop = ShopId::new(UnixMs::new(1_790_000_000_000), [3; 10]);
    let body = json!({
        "id": shop.to_string(), "name": "Asha Stores", "place": "12.9716,77.5946",
        "owner": keys(&KeyPair::from_seed([7; 64]), id, Some(shop)),
    });
    let (status, applied) = send(hub.post("/v1/shops", &body).bearer_auth(&token)).await;
    assert_eq!((status, text(&applied, "state")), (StatusCode::CREATED, "approved"));
    assert!(applied["certificate"].is_string());
    let (_, near) = send(hub.get("/v1/shops?near=12.9720,77.5950&radius_m=500&q=asha")).await;
    assert_eq!(near["items"][0]["id"], applied["id"]);
    let (_, far) = send(hub.get("/v1/shops?near=13.5,77.5950&radius_m=500")).await;
    assert_eq!(far["items"].as_array().map(Vec::len), Some(0));
    let (_, hubs) = send(hub.get("/v1/hubs")).await;
    assert_eq!(hubs["items"][0]["role"], "central");
}

#[tokio::test]
async fn a_community_hub_has_no_accounts_and_trusts_the_roster_it_was_given() {
    let central = Running::start(&[]);
    let hub = Running::start(&["--role", "community", "--trust-roster", &central.url]);
    let body = json!({ "login": "asha", "password": PASSWORD });
    for path in ["/v1/accounts", "/v1/sessions"] {
        let (status, problem) = send(hub.post(path, &body)).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(text(&problem, "type"), "urn:kirana:problem:community-hub");
    }
    let (_, there) = send(central.get("/v1/hubs")).await;
    assert_eq!(send(hub.get("/v1/hubs")).await.1["roster"], there["roster"]);
}

#[tokio::test]
async fn a_restored_hub_keeps_its_keys_its_accounts_and_what_it_keeps_for_them() {
    let hub = Running::start(&[]);
    let (token, _) = account(&hub, "asha").await;
    let home = json!({"label": "home", "text": "14 Second Cross"});
    let add = hub.post("/v1/me/addresses", &home).bearer_auth(&token);
    assert_eq!(send(add).await.0, StatusCode::CREATED);
    let (_, before) = send(hub.get("/v1/hubs")).await;
    let data = hub.stop();
    let file = data.path().join("backup");
    let name = file.to_string_lossy().into_owned();
    let output = program(data.path(), "backup --json").arg(&name).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let code: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let fresh = tempfile::tempdir().expect("a folder");
    let restored = program(fresh.path(), "restore")
        .arg(&name)
        .env("KIRANA_RECOVERY_CODE", text(&code, "recovery_code"))
        .status();
    assert!(restored.expect("it runs").success());
    let hub = Running::start_in(fresh, &[]);
    let token = text(&hub.sign_in("asha").await, "access_token").to_owned();
    let list = hub.get("/v1/me/addresses").bearer_auth(&token);
    assert_eq!(send(list).await.1["items"][0]["text"], "14 Second Cross");
    let (_, after) = send(hub.get("/v1/hubs")).await;
    assert_eq!(after["root"], before["root"]);
    assert_eq!(after["items"][0]["key"], before["items"][0]["key"]);
}

#[tokio::test]
async fn p4_the_erased_stay_erased_when_an_older_database_comes_back() {
    let hub = Running::start(&[]);
    let (token, id) = account(&hub, "asha").await;
    hub.register("ravi").await;
    let backup = hub.data.path().join("backup");
    let made = program(hub.data.path(), "backup --json").arg(&backup).output().expect("it runs");
    let code: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let before = hub.data.path().join("before.db");
    kirana_migrations::backup::copy(&hub.data.path().join("hub.db"), &before).expect("copied");
    assert_eq!(send(hub.delete("/v1/me").bearer_auth(&token)).await.0, StatusCode::OK);
    let data = hub.stop();
    let list = data.path().join("erased.txt");
    assert_eq!(std::fs::read_to_string(&list).expect("a list"), format!("{id}\n"));

    // The old file in the same folder, and the same folder again after that.
    for left in ["hub.db", "hub.db-wal", "hub.db-shm"] {
        let _ = std::fs::remove_file(data.path().join(left));
    }
    std::fs::copy(&before, data.path().join("hub.db")).expect("copied");
    let hub = Running::start_in(data, &[]);
    let body = json!({ "login": "asha", "password": PASSWORD });
    assert_eq!(send(hub.post("/v1/sessions", &body)).await.0, StatusCode::UNAUTHORIZED);
    hub.sign_in("ravi").await;
    let data = hub.stop();

    // A backup on another machine, with the list that was kept.
    let fresh = tempfile::tempdir().expect("a folder");
    let restored = program(fresh.path(), "restore")
        .arg(data.path().join("backup"))
        .arg("--erased")
        .arg(data.path().join("erased.txt"))
        .env("KIRANA_RECOVERY_CODE", text(&code, "recovery_code"))
        .status();
    assert!(restored.expect("it runs").success());
    let hub = Running::start_in(fresh, &[]);
    assert_eq!(send(hub.post("/v1/sessions", &body)).await.0, StatusCode::UNAUTHORIZED);
    hub.sign_in("ravi").await;
}
