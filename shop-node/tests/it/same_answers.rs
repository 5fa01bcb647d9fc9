//! With no hub anywhere, a shop's own door gives the answers that a hub's does: roles by what they
//! ask for, certificates by where and until when they count, and forged tokens.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use kirana_core::{
    certificate::{Certificate, Holder, StaffRole, Standing},
    id::{AccountId, ShopId},
    key::SigningKey,
    time::UnixMs,
};
use kirana_shop::{clock, home::Home};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, keys, said, text},
    neighbour::rng,
};

#[test]
fn std_16_each_role_gets_the_same_answers_without_any_hub() {
    let desk = Desk::open();
    let permissions = json!({ "permissions": ["order.list", "stock.view"] });
    assert_eq!(desk.as_owner("PUT", "/v1/staff/roles/packer", &permissions).0, 204);
    let guest = keys(30);
    let certificate =
        Certificate::of_guest(&guest.signing, guest.sealing.public(), clock::now(), &mut rng(1));
    let certificate = STANDARD.encode(certificate.bytes());
    let (_, session) = desk.sign_in(30, &[certificate]);
    let who = [
        ("nobody", String::new()),
        ("guest", text(&session, "access_token").to_owned()),
        ("courier", desk.working(1, "courier")),
        ("packer", desk.working(2, "packer")),
        ("staff", desk.working(3, "staff")),
        ("owner", desk.working(4, "owner")),
    ];
    let nothing = "/v1/orders/01890a5d-ac96-774b-bcce-b302099a8057";
    // By the order of `who`. What is allowed may then be refused for what it says: 2xx and 4xx
    // other than 401 and 403 are written as 0.
    let table: [(&str, &str, Value, [u16; 6]); 13] = [
        ("GET", "/v1/products", Value::Null, [0; 6]),
        ("GET", "/v1/profile", Value::Null, [0; 6]),
        ("PATCH", "/v1/profile", json!({"honour_expired": "x"}), [401, 403, 403, 403, 403, 0]),
        ("GET", "/v1/stock", Value::Null, [401, 403, 403, 0, 0, 0]),
        ("POST", "/v1/stock/confirmation", Value::Null, [401, 403, 403, 403, 0, 0]),
        ("POST", "/v1/sales", json!({"lines": []}), [401, 403, 403, 403, 0, 0]),
        ("GET", "/v1/orders", Value::Null, [401, 0, 0, 0, 0, 0]),
        ("GET", nothing, Value::Null, [401, 0, 0, 0, 0, 0]),
        ("POST", "/v1/catalogue/products", json!({}), [401, 403, 403, 403, 0, 0]),
        ("GET", "/v1/catalogue/conflicts", Value::Null, [401, 403, 403, 403, 0, 0]),
        ("GET", "/v1/staff", Value::Null, [401, 403, 403, 403, 403, 0]),
        ("GET", "/v1/staff/people", Value::Null, [401, 403, 403, 403, 403, 0]),
        ("GET", "/v1/staff/roles", Value::Null, [401, 403, 403, 403, 403, 0]),
    ];
    for (method, path, body, expected) in table {
        let mut got = [0; 6];
        for ((_, token), got) in who.iter().zip(&mut got) {
            let (status, said) = desk.ask(token, method, path, &body);
            assert!(status < 500, "{method} {path}: {said}");
            *got = if [401, 403].contains(&status) { status } else { 0 };
        }
        assert_eq!(got, expected, "{method} {path}, by {:?}", who.each_ref().map(|(name, _)| name));
    }
}

#[test]
fn std_13_certificates_of_another_shop_another_owner_or_another_time_open_nothing() {
    let desk = Desk::open();
    let shop = Home::at(desk.folder.path(), None).shop().expect("it opens");
    let owner = shop.keys().owner.clone().expect("the owner's key");
    let above = STANDARD.encode(shop.chain().expect("a chain").last().expect("the shop"));
    let other = ShopId::new(UnixMs::new(7), [7; 10]);
    let issue = |by: &SigningKey, standing: Standing, at: UnixMs| {
        let (key, sealing) = (keys(9).signing.public(), keys(9).sealing.public());
        let holder = Holder { key, sealing, standing };
        let made = Certificate::issue(by, &holder, at, &mut clock::rng());
        STANDARD.encode(made.bytes())
    };
    let staff = |shop| Standing::Staff {
        shop,
        role: StaffRole::Owner,
        account: None,
        label: "Till".into(),
    };
    let (now, thief) = (clock::now(), SigningKey::from_seed([66; 32]));
    let account = AccountId::new(UnixMs::new(7), [7; 10]);
    let cases = [
        ("another shop's", issue(&owner, staff(other), now)),
        ("another owner's", issue(&thief, staff(shop.id()), now)),
        ("its own word", issue(&keys(9).signing, staff(shop.id()), now)),
        ("an unknown hub's", issue(&thief, Standing::Device { account, hosted: false }, now)),
        ("a shop's, not a person's", issue(&owner, Standing::Shop { shop: shop.id() }, now)),
        ("no certificate", STANDARD.encode(b"nothing")),
    ];
    for (what, certificate) in cases {
        let (status, said) = desk.sign_in(9, &[certificate, above.clone()]);
        assert!([400, 401].contains(&status), "{what}: {status} {said}");
    }
    // Thirteen months later, where the shop honours nothing that has ended.
    let old = now.minus_ms(400 * 24 * 3_600_000);
    let ended = issue(&owner, staff(shop.id()), old);
    let (status, said) = desk.sign_in(9, &[ended.clone(), above.clone()]);
    assert_eq!(status, 201, "honoured by default: {said}");
    let never = json!({ "honour_expired": "never" });
    let chosen = || desk.ask("", "GET", "/v1/profile", &Value::Null).1["honour_expired"].clone();
    assert_eq!(chosen(), "always");
    assert_eq!(desk.as_owner("PATCH", "/v1/profile", &never).0, 204);
    assert_eq!(chosen(), "never");
    assert_eq!(desk.sign_in(9, &[ended, above.clone()]).0, 401);
    let fresh = issue(&owner, staff(shop.id()), now);
    assert_eq!(desk.sign_in(9, &[fresh.clone(), above.clone()]).0, 201);
    // The answer to the nonce is good once, and only by the key of the certificate.
    let answer = desk.answer(9);
    let body = json!({ "certificates": [fresh, above], "answer": answer });
    assert_eq!(desk.ask("", "POST", "/v1/sessions", &body).0, 201);
    assert_eq!(desk.ask("", "POST", "/v1/sessions", &body).0, 401);
    let by_other = json!({ "certificates": body["certificates"], "answer": desk.answer(8) });
    assert_eq!(desk.ask("", "POST", "/v1/sessions", &by_other).0, 401);
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(by: &SigningKey, header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let signature = by.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn with(value: &Value, name: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[name] = to;
    value
}

/// Tokens made of a genuine one, many of them by the shop's own key, that may open nothing.
fn forgeries(token: &str, node: &SigningKey) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims) = (read(parts[0]), read(parts[1]));
    let (thief, mut forged) = (SigningKey::from_seed([7; 32]), Vec::new());
    forged.push(signed(&thief, &header, &claims));
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("NONE")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("typ", json!("JWT")),
        ("typ", json!("")),
        ("kid", json!("nobody")),
        ("jwk", json!({"kty": "OKP"})),
        ("jku", json!("http://127.0.0.1:9/")),
        ("x5u", json!("http://127.0.0.1:9/")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ] {
        // By the shop's own key: nothing in a header chooses how it is checked.
        forged.push(signed(node, &with(&header, name, value.clone()), &claims));
        forged.push(format!("{}.{}.", part(&with(&header, name, value)), parts[1]));
    }
    for (name, value) in [
        ("iss", json!("https://hub.example")),
        ("aud", json!("https://hub.example")),
        ("aud", json!([claims["aud"]])),
        ("exp", json!(0)),
        ("exp", json!("tomorrow")),
        ("iat", json!(claims["iat"].as_i64().expect("a time") + 3_600)),
        ("sub", json!("admin:1")),
        ("sub", json!("person:1")),
        ("client_id", json!("app")),
        ("sub", Value::Null),
    ] {
        forged.push(signed(node, &header, &with(&claims, name, value.clone())));
        forged.push(format!("{}.{}.{}", parts[0], part(&with(&claims, name, value)), parts[2]));
    }
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64url");
    for n in 0..signature.len() {
        let mut flipped = signature.clone();
        flipped[n] ^= 1;
        for signature in [&flipped, &signature[..n]] {
            forged.push(format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(signature)));
        }
    }
    forged.extend((1..token.len() / 16).map(|n| token[..n * 16].to_owned()));
    forged
}

#[test]
fn std_07_to_15_forged_tokens_open_nothing_at_a_shop_with_the_hub_gone() {
    let desk = Desk::open();
    let token = desk.working(9, "owner");
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims) = (read(parts[0]), read(parts[1]));
    assert_eq!(header["typ"], "at+jwt");
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        assert!(!claims[name].is_null(), "{name}");
    }
    let shop = Home::at(desk.folder.path(), None).shop().expect("it opens");
    let node = &shop.keys().node.signing;
    assert_eq!(desk.ask(&signed(node, &header, &claims), "GET", "/v1/staff", &Value::Null).0, 200);
    let mut forged = forgeries(&token, node);
    let chain = desk.certified(9, "owner");
    forged.extend(chain.into_iter().chain([String::from("x")]));
    for (n, forged) in forged.iter().enumerate() {
        let (status, said) = desk.ask(forged, "GET", "/v1/staff", &Value::Null);
        assert_eq!(status, 401, "{n}: {forged}: {said}");
    }
    // A role that the token claims is worth nothing: what counts is the certificate.
    let till = desk.working(8, "staff");
    let claims = read(till.split('.').nth(1).expect("three parts"));
    let raised = signed(node, &header, &with(&claims, "roles", json!(["owner"])));
    assert_eq!(desk.ask(&raised, "GET", "/v1/staff", &Value::Null).0, 403);
    let (_, other) = said(desk.folder.path(), &["token", "--role", "courier", "--name", "K"]);
    let other = text(&other, "access_token");
    assert_eq!(desk.ask(other, "GET", "/v1/stock", &Value::Null).0, 403);
}
