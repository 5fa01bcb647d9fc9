//! Registering, signing in, refreshing, signing out: section A of the standards.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::program::{PASSWORD, Running, program, send, text};

fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

#[tokio::test]
async fn std_03_07_08_29_a_token_is_an_at_jwt_with_the_claims_of_rfc_9068() {
    let hub = Running::start(&[]);
    hub.register("asha@example.org").await;
    let answer = hub
        .post("/v1/sessions", &json!({ "login": "asha@example.org", "password": PASSWORD }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["cache-control"], "no-store", "std_29");
    let tokens: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let token = text(&tokens, "access_token");
    let (header, claims) = (part(token, 0), part(token, 1));
    assert_eq!((text(&header, "typ"), text(&header, "alg")), ("at+jwt", "EdDSA"));
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        assert!(!claims[name].is_null(), "{name} is missing");
    }
    assert_eq!(text(&claims, "iss"), hub.url);
    let (_, keys) = send(hub.get("/.well-known/jwks.json")).await;
    assert_eq!(keys["keys"][0]["kid"], header["kid"], "std_03");
    assert!(keys["keys"][0]["d"].is_null());
    let (status, me) = send(hub.get("/v1/me").bearer_auth(token)).await;
    assert_eq!((status, text(&me, "login")), (StatusCode::OK, "asha@example.org"));
}

#[tokio::test]
async fn std_01_02_both_documents_name_this_issuer_and_only_endpoints_that_exist() {
    let hub = Running::start(&[]);
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let (status, document) = send(hub.get(path)).await;
        assert_eq!((status, text(&document, "issuer")), (StatusCode::OK, hub.url.as_str()));
        let document = document.as_object().expect("an object");
        for (_, url) in
            document.iter().filter(|(n, _)| n.ends_with("_endpoint") || *n == "jwks_uri")
        {
            let url = url.as_str().expect("a URL");
            let reads = [".json", "/authorize", "/userinfo"].iter().any(|end| url.ends_with(end));
            let method = if reads { Method::GET } else { Method::POST };
            let answer = hub.client.request(method, url).send().await.expect("an answer");
            let gone = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            assert!(!gone.contains(&answer.status()), "{url}");
        }
    }
}

#[tokio::test]
async fn std_13_14_15_what_is_no_token_of_this_hub_is_401() {
    let (hub, other) = (Running::start(&[]), Running::start(&[]));
    other.register("asha").await;
    let foreign = other.sign_in("asha").await;
    hub.register("asha").await;
    let tokens = hub.sign_in("asha").await;
    let own = text(&tokens, "access_token");
    let cut = &own[..own.len() - 4];
    for token in [text(&foreign, "access_token"), cut, "", "a.b.c", text(&tokens, "refresh_token")]
    {
        let (status, problem) = send(hub.get("/v1/me").bearer_auth(token)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
    }
}

#[tokio::test]
async fn std_24_25_refresh_rotates_a_retry_gets_the_same_and_reuse_ends_the_session() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let first = hub.sign_in("asha").await;
    let old = text(&first, "refresh_token");
    let retry = "01890a5d-ac96-774b-bcce-b302099a8057";
    let body = format!("grant_type=refresh_token&refresh_token={old}&retry_id={retry}");
    let (status, second) = send(hub.form("/oauth/token", &body)).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    let (_, again) = send(hub.form("/oauth/token", &body)).await;
    assert_eq!(again, second, "a lost reply is no lost session");
    let me = || send(hub.get("/v1/me").bearer_auth(text(&second, "access_token")));
    assert_eq!(me().await.0, StatusCode::OK);
    let body = format!("grant_type=refresh_token&refresh_token={old}");
    let (status, refused) = send(hub.form("/oauth/token", &body)).await;
    assert_eq!((status.as_u16(), text(&refused, "error")), (400, "invalid_grant"));
    assert_eq!(me().await.0, StatusCode::UNAUTHORIZED, "the family is revoked");
}

#[tokio::test]
async fn std_22_27_other_grants_are_unsupported_and_revoking_the_unknown_is_fine() {
    let hub = Running::start(&[]);
    for grant in ["password", "implicit"] {
        let (status, refused) =
            send(hub.form("/oauth/token", &format!("grant_type={grant}"))).await;
        assert_eq!((status.as_u16(), text(&refused, "error")), (400, "unsupported_grant_type"));
    }
    let (status, _) = send(hub.form("/oauth/revoke", "token=nobody-knows-it")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_revoked_sessions_access_token_dies_at_once() {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    let (one, two) = (hub.sign_in("asha").await, hub.sign_in("asha").await);
    let (one, two) = (text(&one, "access_token"), text(&two, "access_token"));
    let (_, list) = send(hub.get("/v1/sessions").bearer_auth(one)).await;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    let (status, _) = send(hub.delete("/v1/sessions/current").bearer_auth(one)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(send(hub.get("/v1/me").bearer_auth(one)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(hub.get("/v1/me").bearer_auth(two)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn std_32_33_35_weak_passwords_are_refused_and_unknown_users_look_like_known_ones() {
    let hub = Running::start(&[]);
    for password in ["too short", "asha@example.org", "aaaaaaaaaaaaaaaaaaaa"] {
        let body = json!({ "login": "asha@example.org", "password": password });
        let (status, problem) = send(hub.post("/v1/accounts", &body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
    hub.register("asha@example.org").await;
    let wrong = |login| json!({ "login": login, "password": "not the right words" });
    let known = send(hub.post("/v1/sessions", &wrong("asha@example.org"))).await;
    let unknown = send(hub.post("/v1/sessions", &wrong("nobody@example.org"))).await;
    assert_eq!(known, unknown);
    assert_eq!(known.0, StatusCode::UNAUTHORIZED);
    let taken = json!({ "login": "asha@example.org", "password": PASSWORD });
    assert_eq!(send(hub.post("/v1/accounts", &taken)).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn std_05_a_rotated_key_is_published_before_it_signs_and_old_tokens_stay_valid() {
    let hub = Running::start(&["--key-lead-s", "2"]);
    hub.register("asha").await;
    let before = hub.sign_in("asha").await;
    let output = program(hub.data.path(), "keys rotate --json").output().expect("it runs");
    assert!(output.status.success());
    let next: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let is_published = || async {
        let (_, keys) = send(hub.get("/.well-known/jwks.json")).await;
        keys["keys"].as_array().expect("keys").iter().any(|key| key["kid"] == next["kid"])
    };
    let published = async { while !is_published().await {} };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(15), published).await;
    in_time.expect("the next key is published within 15 s");
    let token = text(&before, "access_token");
    assert_eq!(send(hub.get("/v1/me").bearer_auth(token)).await.0, StatusCode::OK);
}
