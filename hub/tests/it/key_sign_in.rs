//! A device signs in by its key: what that opens, and what it does not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    challenge,
    id::AccountId,
    key::KeyPair,
};
use kirana_customer::net::{NetError, sign_in, sign_in::SignedIn};
use kirana_hub::clock;
use minicbor::bytes::ByteVec;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    program::{PASSWORD, Running, send, text},
    shops::applied,
};

fn keys(n: u8) -> KeyPair {
    KeyPair::from_seed([n; 64])
}

async fn by_password(hub: &Running, keys: &KeyPair) -> SignedIn {
    as_somebody(hub, "meena", keys).await
}

async fn as_somebody(hub: &Running, login: &str, keys: &KeyPair) -> SignedIn {
    let own = (keys, clock::now());
    let done = sign_in::sign_in(&hub.url, login, (PASSWORD, None), own, None).await;
    done.expect("signed in")
}

async fn by_key(
    hub: &Running,
    keys: &KeyPair,
    certificates: &[Vec<u8>],
) -> Result<SignedIn, NetError> {
    let names = [hub.url.clone()];
    let chain: Vec<ByteVec> = certificates.iter().cloned().map(ByteVec::from).collect();
    sign_in::sign_in_by_key((&hub.url, &names), &chain, (keys, clock::now()), None).await
}

/// What a device sends: as it should be, but for what the caller changes.
async fn shown(hub: &Running, keys: &KeyPair, certificates: &[Vec<u8>]) -> Value {
    let (status, question) = send(hub.post("/v1/sessions/nonce", &json!({}))).await;
    assert_eq!(status, StatusCode::OK, "{question}");
    let nonce: Vec<u8> = (0..challenge::NONCE_BYTES)
        .map(|n| u8::from_str_radix(&text(&question, "nonce")[2 * n..2 * n + 2], 16).expect("hex"))
        .collect();
    let nonce = nonce.try_into().expect("forty bytes");
    let answer = challenge::answer(&keys.signing, nonce, text(&question, "audience"));
    let certificates: Vec<String> =
        certificates.iter().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).collect();
    json!({ "certificates": certificates, "answer": URL_SAFE_NO_PAD.encode(answer) })
}

async fn token_by_key(hub: &Running, keys: &KeyPair, certificates: &[Vec<u8>]) -> String {
    let body = shown(hub, keys, certificates).await;
    let (status, tokens) = send(hub.post("/v1/sessions/by-key", &body)).await;
    assert_eq!(status, StatusCode::CREATED, "{tokens}");
    text(&tokens, "access_token").to_owned()
}

/// A certificate by one device for another.
fn countersigned(by: &KeyPair, account: AccountId, keys: &KeyPair) -> Vec<u8> {
    let standing = Standing::Device { account, hosted: false };
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let holder = Holder { key, sealing, standing };
    let signed = Certificate::issue(&by.signing, &holder, clock::now(), &mut clock::rng());
    signed.bytes().to_vec()
}

fn kind(problem: &Value) -> &str {
    text(problem, "type").rsplit(':').next().expect("a last part")
}

async fn refused(hub: &Running, body: &Value) {
    let (status, problem) = send(hub.post("/v1/sessions/by-key", body)).await;
    assert_eq!((status, kind(&problem)), (StatusCode::UNAUTHORIZED, "key-refused"), "{problem}");
}

#[tokio::test]
async fn an_enrolled_device_signs_in_by_its_key_and_renews_itself() {
    let hub = Running::start(&[]);
    hub.register("meena").await;
    let first = by_password(&hub, &keys(5)).await;
    let again = by_key(&hub, &keys(5), &first.certificates).await.expect("signed in");
    assert_eq!((again.account, again.session.login.as_str()), (first.account, "meena"));
    assert_ne!(again.certificates, first.certificates, "it was certified once more");

    let now = clock::now();
    let (_, token) = sign_in::refresh(&again.session, [1; 16], now).await.expect("refreshed");
    let (_, sessions) = send(hub.get("/v1/sessions").bearer_auth(&token)).await;
    let device = keys(5).id().to_string();
    let seen: Vec<_> = sessions["items"].as_array().expect("items").iter().collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|one| text(one, "device") == device), "{sessions}");
    assert_eq!(seen.iter().filter(|one| one["by_key"] == true).count(), 1);
    let (_, history) = send(hub.get("/v1/me/sign-ins").bearer_auth(&token)).await;
    assert_eq!(history["items"][0]["by_key"], true, "{history}");
}

#[tokio::test]
async fn p6_an_answer_opens_one_session_at_one_hub_for_one_key() {
    let (hub, other) = (Running::start(&[]), Running::start(&[]));
    hub.register("meena").await;
    let own = by_password(&hub, &keys(5)).await.certificates;
    let body = shown(&hub, &keys(5), &own).await;
    let (status, _) = send(hub.post("/v1/sessions/by-key", &body)).await;
    assert_eq!(status, StatusCode::CREATED);
    refused(&hub, &body).await;
    // A thief who saw the certificate has no key; a question of another hub was not asked here.
    refused(&hub, &shown(&hub, &keys(6), &own).await).await;
    refused(&hub, &shown(&other, &keys(5), &own).await).await;
    let mut bare = shown(&hub, &keys(5), &own).await;
    bare["certificates"] = json!([]);
    refused(&hub, &bare).await;
    // Who stands between must not have a device answer a question of another door.
    let chain: Vec<ByteVec> = own.iter().cloned().map(ByteVec::from).collect();
    let names = ["https://hub.example.org".to_owned()];
    let own = (&keys(5), clock::now());
    let relayed = sign_in::sign_in_by_key((&hub.url, &names), &chain, own, None).await;
    assert!(matches!(relayed, Err(NetError::Page { .. })));
}

#[tokio::test]
async fn p6_a_thief_with_a_device_gets_no_further_and_is_shut_out_with_it() {
    let hub = Running::start(&[]);
    hub.register("meena").await;
    let first = by_password(&hub, &keys(5)).await;
    let token = token_by_key(&hub, &keys(5), &first.certificates).await;

    let mine = by_password(&hub, &keys(7)).await;
    let (_, owner) =
        sign_in::refresh(&mine.session, [1; 16], clock::now()).await.expect("refreshed");
    let other = sign_in::renew(&hub.url, &token, &keys(6)).await;
    assert!(matches!(other, Err(NetError::Denied { .. })), "another device is not let in");
    for request in [
        hub.patch("/v1/me", &json!({ "email": "thief@example.org" })),
        hub.patch("/v1/me", &json!({ "phone": "+91 98765 43210" })),
        hub.post("/v1/me/factors", &json!({ "type": "totp" })),
        hub.delete("/v1/me"),
    ] {
        let (status, problem) = send(request.bearer_auth(&token)).await;
        assert_eq!((status, kind(&problem)), (StatusCode::FORBIDDEN, "sign-in-too-old"));
    }
    let named = hub.patch("/v1/me", &json!({ "name": "Meena" }));
    assert_eq!(send(named.bearer_auth(&token)).await.0, StatusCode::OK);

    let out = hub.delete(&format!("/v1/devices/{}", keys(5).id()));
    assert_eq!(send(out.bearer_auth(&owner)).await.0, StatusCode::NO_CONTENT);
    let (status, _) = send(hub.get("/v1/me").bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "its session ended with it");
    let kept = sign_in::refresh(&first.session, [2; 16], clock::now()).await;
    assert!(matches!(kept, Err(NetError::Denied { .. })), "the sign-in that it kept too");
    refused(&hub, &shown(&hub, &keys(5), &first.certificates).await).await;
    assert_eq!(send(hub.get("/v1/me").bearer_auth(&owner)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn p6_a_thief_with_an_owners_device_makes_nobody_a_keeper_of_the_shop_and_closes_nothing() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({})).await;
    hub.register("thief").await;
    let device = as_somebody(&hub, "asha", &keys(5)).await;
    let token = token_by_key(&hub, &keys(5), &device.certificates).await;
    let asha = device.account;
    for request in [
        hub.post(&format!("{}/owners", shop.path), &json!({ "login": "thief" })),
        hub.delete(&format!("{}/owners/{asha}", shop.path)),
        hub.post(&format!("{}/closing", shop.path), &json!({})),
    ] {
        let (status, problem) = send(request.bearer_auth(&token)).await;
        assert_eq!((status, kind(&problem)), (StatusCode::FORBIDDEN, "sign-in-too-old"));
    }
    let today = hub.patch(&shop.path, &json!({ "closed_today": true }));
    assert_eq!(send(today.bearer_auth(&token)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn p6_whoever_shuts_a_device_out_shuts_out_those_that_it_speaks_for() {
    let hub = Running::start(&[]);
    hub.register("meena").await;
    let first = by_password(&hub, &keys(1)).await;
    let chain = |n: u8| {
        let leaf = countersigned(&keys(1), first.account, &keys(n));
        vec![leaf, first.certificates[0].clone()]
    };
    // The second renews itself, the third was once vouched for by the person as well.
    let second = by_key(&hub, &keys(2), &chain(2)).await.expect("signed in").certificates;
    assert_eq!(second.len(), 1, "the hub vouches for it itself");
    by_key(&hub, &keys(3), &chain(3)).await.expect("signed in");
    let third = by_password(&hub, &keys(3)).await;

    let (_, owner) =
        sign_in::refresh(&third.session, [1; 16], clock::now()).await.expect("refreshed");
    let out = hub.delete(&format!("/v1/devices/{}", keys(1).id()));
    assert_eq!(send(out.bearer_auth(&owner)).await.0, StatusCode::NO_CONTENT);
    refused(&hub, &shown(&hub, &keys(2), &second).await).await;
    refused(&hub, &shown(&hub, &keys(2), &chain(2)).await).await;
    refused(&hub, &shown(&hub, &keys(4), &chain(4)).await).await;
    token_by_key(&hub, &keys(3), &third.certificates).await;
    let (_, devices) = send(hub.get("/v1/devices").bearer_auth(&owner)).await;
    assert_eq!(devices["items"].as_array().expect("items").len(), 1, "{devices}");
}

#[tokio::test]
async fn p6_a_chain_of_another_account_or_a_guest_opens_nothing() {
    let hub = Running::start(&[]);
    hub.register("meena").await;
    let (other, _) = hub.person("asha").await;
    let first = by_password(&hub, &keys(1)).await;
    let other: AccountId = other.parse().expect("an id");
    let leaf = countersigned(&keys(1), other, &keys(2));
    refused(&hub, &shown(&hub, &keys(2), &[leaf, first.certificates[0].clone()]).await).await;
    // The hub's own certificate above a leaf that it never saw.
    let forged = countersigned(&keys(9), first.account, &keys(2));
    let above = first.certificates[0].clone();
    refused(&hub, &shown(&hub, &keys(2), &[forged, above]).await).await;
    let (keys, now, mut rng) = (keys(8), clock::now(), clock::rng());
    let guest =
        Certificate::of_guest(&keys.signing, keys.sealing.public(), now, &mut rng).bytes().to_vec();
    refused(&hub, &shown(&hub, &keys, &[guest]).await).await;
}

#[tokio::test]
async fn std_34_an_administrators_device_opens_nothing_that_needs_a_second_factor() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let (_, me) = send(hub.get("/v1/me").bearer_auth(&admin.token)).await;
    let account = text(&me, "id").parse().expect("an id");
    let own = keys(5);
    let (key, sealing) = (own.signing.public(), own.sealing.public());
    let asked =
        kirana_core::enrolment::Enrolment { account: Some(account), shop: None, key, sealing };
    let sealing: String = sealing.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let body = json!({
        "signing_key": key.to_string(),
        "sealing_key": sealing,
        "proof": URL_SAFE_NO_PAD.encode(asked.prove(&own.signing)),
    });
    let (_, certified) = send(hub.post("/v1/devices", &body).bearer_auth(&admin.token)).await;
    let chain = [URL_SAFE_NO_PAD.decode(text(&certified, "certificate")).expect("base64url")];
    let token = token_by_key(&hub, &own, &chain).await;
    let (status, problem) = send(hub.get("/v1/accounts").bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    let mut asking = shown(&hub, &own, &chain).await;
    asking["scope"] = json!("admin");
    let (status, _) = send(hub.post("/v1/sessions/by-key", &asking)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}
