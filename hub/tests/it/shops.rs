//! Shops at the hub: applying, being asked, the profile, who keeps it, and closing down.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    certificate::{Certificate, Serial},
    id::ShopId,
    key::KeyPair,
    revocation::RevocationList,
    time::UnixMs,
};
use kirana_hub::clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    door::{account, keys},
    program::{PASSWORD, Running, send, text},
};

/// A shop of somebody: its address in the door, its owner's token and account.
pub struct Applied {
    pub path: String,
    pub token: String,
    body: Value,
}

pub async fn applied(hub: &Running, n: u8, login: &str, more: Value) -> Applied {
    let (token, id) = account(hub, login).await;
    let shop = ShopId::new(UnixMs::new(1_790_000_000_000), [n; 10]);
    let mut body = json!({
        "id": shop.to_string(), "name": "Asha Stores", "place": "12.9716,77.5946",
        "owner": keys(&KeyPair::from_seed([n; 64]), id, Some(shop)),
    });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let (status, answer) = send(hub.post("/v1/shops", &body).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    Applied { path: format!("/v1/shops/{shop}"), token, body }
}

#[tokio::test]
async fn an_application_is_asked_about_answered_and_approved() {
    let hub = Running::start(&[]);
    let admin = hub.admin("root@example.org").await;
    let shop = applied(&hub, 3, "asha", json!({})).await;
    let decide = |decision: Value| {
        hub.post(&format!("{}/approval", shop.path), &decision).bearer_auth(&admin.token)
    };
    let waiting = || hub.get("/v1/shop-applications").bearer_auth(&admin.token);
    assert_eq!(send(waiting()).await.1["items"].as_array().map(Vec::len), Some(1));
    let own = hub.get("/v1/shop-applications").bearer_auth(&shop.token);
    assert_eq!(send(own).await.0, StatusCode::FORBIDDEN);
    let (status, asked) = send(decide(json!({ "question": "Which floor?" }))).await;
    assert_eq!((status, text(&asked, "state")), (StatusCode::OK, "asked"));
    assert_eq!(send(hub.get(&shop.path)).await.0, StatusCode::NOT_FOUND);
    let (_, seen) = send(hub.get(&shop.path).bearer_auth(&shop.token)).await;
    assert_eq!(text(&seen, "question"), "Which floor?");
    let mut answer = shop.body.clone();
    answer["about"] = json!("Ground floor");
    let (_, again) = send(hub.post("/v1/shops", &answer).bearer_auth(&shop.token)).await;
    assert_eq!((text(&again, "state"), text(&again, "about")), ("applied", "Ground floor"));
    let (_, no) = send(decide(json!({ "approved": false, "reason": "not yet" }))).await;
    assert_eq!((text(&no, "state"), text(&no, "question")), ("refused", "not yet"));
    let (_, yes) = send(decide(json!({ "approved": true }))).await;
    assert_eq!(text(&yes, "state"), "approved");
    assert!(yes["certificate"].is_string() && yes["question"].is_null(), "{yes}");
    assert_eq!(send(decide(json!({ "approved": false }))).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_shop_tells_hours_delivery_and_addresses_and_closes_for_today() {
    let hub = Running::start(&["--auto-approve", "--timezone", "Asia/Kolkata"]);
    let told = json!({
        "opens": "Mo-Su 00:00-24:00", "languages": ["kn", "en-IN"], "phone": "+91 80 1234 5678",
        "delivery": { "radius_m": 1500, "minimum": { "minor": 20000, "currency": "INR" } },
        "addresses": [{ "lines": ["4th Cross"], "city": "Bengaluru", "country": "in" }],
    });
    let shop = applied(&hub, 3, "asha", told).await;
    let (_, seen) = send(hub.get(&shop.path)).await;
    assert_eq!((&seen["open_now"], &seen["closed_today"]), (&json!(true), &json!(false)));
    assert_eq!(seen["delivery"]["minimum"], json!({ "minor": 20000, "currency": "INR" }));
    assert_eq!(seen["addresses"][0]["country"], "IN");

    let patch = |change: Value| hub.patch(&shop.path, &change).bearer_auth(&shop.token);
    let open = || hub.get("/v1/shops?near=12.9716,77.5946&open=true");
    assert_eq!(send(open()).await.1["items"].as_array().map(Vec::len), Some(1));
    let (_, closed) = send(patch(json!({ "closed_today": true }))).await;
    assert_eq!((&closed["open_now"], &closed["closed_today"]), (&json!(false), &json!(true)));
    assert_eq!(send(open()).await.1["items"].as_array().map(Vec::len), Some(0));
    let (_, again) = send(patch(json!({ "closed_today": false, "about": "Fresh daily" }))).await;
    assert_eq!((&again["open_now"], &again["about"]), (&json!(true), &json!("Fresh daily")));
    assert_eq!(again["languages"], json!(["kn", "en-IN"]), "what is absent stays");

    // The box joins again, which says nothing of all this.
    let mut bare = shop.body.clone();
    for told in ["opens", "languages", "phone", "delivery", "addresses"] {
        bare.as_object_mut().expect("an object").remove(told);
    }
    let (_, joined) = send(hub.post("/v1/shops", &bare).bearer_auth(&shop.token)).await;
    for told in ["opens", "languages", "phone", "delivery", "addresses", "about"] {
        assert_eq!(joined[told], again[told], "{told} stays");
    }

    let address = json!({ "lines": ["2 Market Rd"], "city": "Mysuru", "country": "IN" });
    let path = format!("{}/addresses", shop.path);
    let (status, added) = send(hub.post(&path, &address).bearer_auth(&shop.token)).await;
    assert_eq!(status, StatusCode::CREATED, "{added}");
    let one = format!("{path}/{}", text(&added, "id"));
    let moved = json!({ "lines": ["3 Market Rd"], "city": "Mysuru", "country": "IN" });
    let (_, put) = send(hub.put(&one, &moved).bearer_auth(&shop.token)).await;
    assert_eq!((&put["id"], &put["lines"]), (&added["id"], &json!(["3 Market Rd"])));
    let remove = || hub.delete(&one).bearer_auth(&shop.token);
    assert_eq!(send(remove()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(remove()).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_makes_no_sense_in_a_profile_is_refused_by_name() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({})).await;
    let rupees = |minor: i64| json!({ "minor": minor, "currency": "INR" });
    let cases = [
        (json!({ "opens": "whenever we like" }), "opens"),
        (json!({ "timezone": "Asia/Atlantis" }), "timezone"),
        (json!({ "languages": ["a language"] }), "languages"),
        (json!({ "delivery": { "radius_m": 1_000_000 } }), "delivery"),
        (json!({ "delivery": { "radius_m": 10, "minimum": rupees(-1) } }), "delivery"),
        (json!({ "place": "91,0" }), "place"),
        (json!({ "name": "" }), "name"),
    ];
    for (change, field) in cases {
        let (status, problem) = send(hub.patch(&shop.path, &change).bearer_auth(&shop.token)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{change}");
        assert!(text(&problem, "detail").starts_with(field), "{problem}");
    }
}

#[tokio::test]
async fn std_16_a_shop_is_changed_by_those_who_keep_it_and_by_nobody_else() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({})).await;
    let (ravi, ravi_id) = account(&hub, "ravi").await;
    let rename = |token: &str| hub.patch(&shop.path, &json!({ "name": "X" })).bearer_auth(token);
    assert_eq!(send(rename(&ravi)).await.0, StatusCode::NOT_FOUND);
    let owners = format!("{}/owners", shop.path);
    let add =
        |login: &str, token: &str| hub.post(&owners, &json!({ "login": login })).bearer_auth(token);
    assert_eq!(send(add("nobody", &shop.token)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(add("ravi", &shop.token)).await.0, StatusCode::CREATED);
    assert_eq!(send(rename(&ravi)).await.0, StatusCode::OK);
    // Who helps does not decide who else does, nor closes the shop.
    assert_eq!(send(add("asha", &ravi)).await.0, StatusCode::FORBIDDEN);
    let close =
        |token: &str| hub.post(&format!("{}/closing", shop.path), &json!({})).bearer_auth(token);
    assert_eq!(send(close(&ravi)).await.0, StatusCode::FORBIDDEN);
    let (_, mine) = send(hub.get("/v1/me/shops").bearer_auth(&ravi)).await;
    assert_eq!(mine["items"].as_array().map(Vec::len), Some(1));

    let hand_over = |password: &str| {
        let body = json!({ "to": ravi_id.to_string(), "password": password });
        hub.post(&format!("{}/hand-over", shop.path), &body).bearer_auth(&shop.token)
    };
    assert_eq!(send(hand_over("not the right words")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(hand_over(PASSWORD)).await.0, StatusCode::OK);
    assert_eq!(send(hand_over(PASSWORD)).await.0, StatusCode::FORBIDDEN, "once");
    let (_, list) = send(hub.get(&owners).bearer_auth(&ravi)).await;
    assert_eq!(list["items"][0]["id"], json!(ravi_id.to_string()), "{list}");
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "who gave it keeps it too");

    let (status, closed) = send(close(&ravi)).await;
    assert_eq!((status, text(&closed, "state")), (StatusCode::OK, "closed"));
    assert_eq!(send(hub.get(&shop.path)).await.0, StatusCode::NOT_FOUND);
    let (_, found) = send(hub.get("/v1/shops?near=12.9716,77.5946")).await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(0));
}

/// A shop that its owner, of seed 3, gives to the owner of seed 4: the consent and the last list.
fn given(shop: ShopId, taken_back: bool, listed_at: UnixMs) -> Value {
    let (owner, next) = (KeyPair::from_seed([3; 64]), KeyPair::from_seed([4; 64]));
    let serial = Serial::from_slice(&[7; 16]).expect("sixteen bytes");
    let (to, at) = ((next.signing.public(), next.sealing.public()), clock::now());
    let consent = Certificate::of_next_owner(&owner.signing, shop, to, at, serial);
    let revoked = taken_back.then_some(serial).into_iter().collect();
    let list = RevocationList::next(0, listed_at, revoked).expect("short").sign(&owner.signing);
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!([{ "consent": text(consent.bytes()), "list": text(list.bytes()) }])
}

#[tokio::test]
async fn p6_the_record_follows_a_shop_to_whom_its_owner_gave_it_and_to_nobody_else() {
    let hub = Running::start(&["--auto-approve"]);
    let shop = applied(&hub, 3, "asha", json!({ "opens": "Mo-Sa 08:00-21:00" })).await;
    let id: ShopId = text(&shop.body, "id").parse().expect("an id");
    let (ravi, ravi_id) = account(&hub, "ravi").await;
    let claim = |steps: Value| {
        let mut body = json!({
            "id": id.to_string(), "name": "Ravi Stores", "place": "12.9716,77.5946",
            "owner": keys(&KeyPair::from_seed([4; 64]), ravi_id, Some(id)),
        });
        body["steps"] = steps;
        hub.post("/v1/shops", &body).bearer_auth(&ravi)
    };
    assert_eq!(send(claim(json!([]))).await.0, StatusCode::CONFLICT, "he says so");
    let later = clock::now().plus_ms(1_000);
    let other = ShopId::new(UnixMs::new(1), [9; 10]);
    for (steps, why) in [
        (given(id, true, later), "taken back"),
        (given(id, false, UnixMs::new(1_000_000)), "a list of long ago"),
        (given(other, false, later), "another shop"),
    ] {
        let (status, problem) = send(claim(steps)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{why}: {problem}");
        assert_eq!(text(&problem, "type"), "urn:kirana:problem:not-handed-over");
    }
    let (_, kept) = send(hub.get(&shop.path)).await;
    let (_, before) = send(hub.get("/v1/revocations")).await;

    let (status, taken) = send(claim(given(id, false, later))).await;
    assert_eq!((status, text(&taken, "state")), (StatusCode::CREATED, "approved"), "{taken}");
    assert_eq!(text(&taken, "name"), "Ravi Stores");
    assert_eq!(text(&taken, "opens"), "Mo-Sa 08:00-21:00", "the shop is the same");
    for changed in ["owner_key", "certificate"] {
        assert_ne!(taken[changed], kept[changed], "{changed}");
    }
    assert_ne!(send(hub.get("/v1/revocations")).await.1, before, "the old one is withdrawn");
    let rename = |token: &str| hub.patch(&shop.path, &json!({ "name": "X" })).bearer_auth(token);
    assert_eq!(send(rename(&shop.token)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(rename(&ravi)).await.0, StatusCode::OK);
    let back = hub.post("/v1/shops", &shop.body).bearer_auth(&shop.token);
    assert_eq!(send(back).await.0, StatusCode::CONFLICT, "the old owner does not take it back");
    assert_eq!(send(claim(given(id, false, later))).await.0, StatusCode::CREATED, "said again");
}
