//! The owner says who works at the shop, by the door and by the command line, with no hub.

use base64::{Engine, engine::general_purpose::STANDARD};
use kirana_core::{enrolment::Enrolment, id::ShopId, time::UnixMs};
use serde_json::{Value, json};

use crate::desk::{Desk, asked, keys, said, strings, text};

#[test]
fn p6_an_owner_certifies_a_till_by_its_request_and_shuts_it_out_at_once() {
    let desk = Desk::open();
    let (status, made) = desk.as_owner("POST", "/v1/staff", &desk.request(9, "staff", "Till 2"));
    assert_eq!(status, 201, "{made}");
    let id = keys(9).id().to_string();
    assert_eq!((text(&made, "id"), text(&made, "label")), (id.as_str(), "Till 2"));
    let (_, session) = desk.sign_in(9, &strings(&made["certificates"]));
    let till = text(&session, "access_token");
    assert_eq!(desk.ask(till, "GET", "/v1/stock", &Value::Null).0, 200);
    let path = format!("/v1/staff/{id}");
    assert_eq!(desk.ask(till, "GET", &path, &Value::Null).0, 200, "its own entry");
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(desk.ask(till, "GET", "/v1/stock", &Value::Null).0, 401, "with a token in hand");
    assert_eq!(desk.sign_in(9, &strings(&made["certificates"])).0, 401);
    let (_, list) = desk.as_owner("GET", "/v1/staff", &Value::Null);
    let item = &list["items"][0];
    assert_eq!((&item["revoked"], &item["role"]), (&json!(true), &json!("staff")));
    assert!(item["expires"].as_str() > item["since"].as_str(), "{item}");
    assert_eq!(desk.as_owner("POST", &format!("{path}/renewal"), &Value::Null).0, 404);
    assert_eq!(desk.as_owner("DELETE", "/v1/staff/nobody", &Value::Null).0, 404);
}

#[test]
fn p6_whoever_is_shut_out_loses_every_certificate_also_those_before_a_renewal() {
    let desk = Desk::open();
    let old = desk.certified(9, "staff");
    let path = format!("/v1/staff/{}", keys(9).id());
    let (status, renewed) = desk.as_owner("POST", &format!("{path}/renewal"), &Value::Null);
    let new = strings(&renewed["certificates"]);
    assert_eq!(status, 200, "{renewed}");
    assert_ne!(old[0], new[0]);
    assert_eq!([desk.sign_in(9, &old).0, desk.sign_in(9, &new).0], [201, 201]);
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!([desk.sign_in(9, &old).0, desk.sign_in(9, &new).0], [401, 401]);
    // Certified again as less: what was certified as more counts no longer.
    let more = desk.certified(8, "staff");
    let token = text(&desk.sign_in(8, &more).1, "access_token").to_owned();
    assert_eq!(desk.ask(&token, "GET", "/v1/stock", &Value::Null).0, 200);
    let less = desk.certified(8, "courier");
    assert_eq!(desk.ask(&token, "GET", "/v1/stock", &Value::Null).0, 403);
    assert_eq!([desk.sign_in(8, &more).0, desk.sign_in(8, &less).0], [401, 201]);
}

#[test]
fn p6_a_proof_of_another_key_another_shop_or_another_account_certifies_nobody() {
    let desk = Desk::open();
    let other = ShopId::new(UnixMs::new(7), [7; 10]);
    let parts = |enrolment: &Enrolment, by: u8, shown: u8| {
        json!({
            "signing_key": STANDARD.encode(keys(shown).signing.public().as_bytes()),
            "sealing_key": STANDARD.encode(keys(shown).sealing.public().as_bytes()),
            "proof": STANDARD.encode(enrolment.prove(&keys(by).signing)),
            "role": "staff", "label": "Till",
        })
    };
    let (key, sealing) = (keys(9).signing.public(), keys(9).sealing.public());
    let here = Enrolment { account: None, shop: Some(desk.shop), key, sealing };
    let there = Enrolment { shop: Some(other), ..here.clone() };
    let cases = [
        ("another key's proof", parts(&here, 8, 9), 422),
        ("another key's parts", parts(&here, 9, 8), 422),
        ("for another shop", parts(&there, 9, 9), 422),
        (
            "a code for another shop",
            json!({"request": asked(9, other), "role": "staff", "label": ""}),
            422,
        ),
        ("no code", json!({"request": "kirana-enrol:AAAA", "role": "staff", "label": ""}), 422),
        ("no keys", json!({"role": "staff", "label": ""}), 400),
        ("no key", json!({"signing_key": "AAAA", "role": "staff", "label": ""}), 400),
        ("no role", desk.request(9, "King", "Till"), 422),
        ("a role that was never made", desk.request(9, "packer", "Till"), 422),
        ("a long label", desk.request(9, "staff", &"x".repeat(121)), 422),
        ("more than there is", json!({"role": "staff", "label": "", "account": "x"}), 400),
    ];
    for (what, body, expected) in cases {
        let (status, problem) = desk.as_owner("POST", "/v1/staff", &body);
        assert_eq!(status, expected, "{what}: {problem}");
    }
    assert_eq!(desk.as_owner("GET", "/v1/staff", &Value::Null).1["items"], json!([]));
    assert_eq!(desk.as_owner("POST", "/v1/staff", &parts(&here, 9, 9)).0, 201);
}

#[test]
fn p6_a_till_or_a_courier_certifies_nobody_and_sees_no_list() {
    let desk = Desk::open();
    let path = format!("/v1/staff/{}", keys(1).id());
    desk.certified(1, "owner");
    for (n, role) in [(9, "staff"), (8, "courier")] {
        let token = desk.working(n, role);
        for (method, path, body) in [
            ("GET", "/v1/staff", Value::Null),
            ("POST", "/v1/staff", desk.request(7, "courier", "mine")),
            ("GET", &path, Value::Null),
            ("POST", &format!("{path}/renewal"), Value::Null),
            ("DELETE", &path, Value::Null),
            ("GET", "/v1/staff/people", Value::Null),
            ("POST", "/v1/staff/people", json!({"name": "me", "role": "owner"})),
            ("GET", "/v1/staff/roles", Value::Null),
            ("PUT", "/v1/staff/roles/all", json!({"permissions": ["order.refund"]})),
            ("DELETE", "/v1/staff/roles/all", Value::Null),
        ] {
            let (status, problem) = desk.ask(&token, method, path, &body);
            assert_eq!(status, 403, "{role}: {method} {path}: {problem}");
            let (status, _) = desk.ask("", method, path, &body);
            assert_eq!(status, 401, "{method} {path}");
        }
    }
}

#[test]
fn p6_the_last_device_of_an_owner_is_not_shut_out_by_accident() {
    let desk = Desk::open();
    desk.certified(1, "owner");
    let path = |n| format!("/v1/staff/{}", keys(n).id());
    let (status, problem) = desk.as_owner("DELETE", &path(1), &Value::Null);
    assert_eq!((status, text(&problem, "type")), (409, "urn:kirana:last-owner"));
    desk.certified(2, "owner");
    assert_eq!(desk.as_owner("DELETE", &path(1), &Value::Null).0, 204);
    assert_eq!(desk.as_owner("DELETE", &path(2), &Value::Null).0, 409);
    let meant = format!("{}?even_the_last=true", path(2));
    assert_eq!(desk.as_owner("DELETE", &meant, &Value::Null).0, 204);
}

#[test]
fn p6_an_own_role_permits_what_is_in_it_and_a_change_counts_at_once() {
    let desk = Desk::open();
    let role = |permissions: &[&str]| {
        let body = json!({ "permissions": permissions });
        desk.as_owner("PUT", "/v1/staff/roles/packer", &body)
    };
    for kept in ["staff.manage", "shop.edit", "directory.publish", "account.view", "king"] {
        let (status, problem) = role(&["order.pack", kept]);
        assert_eq!((status, text(&problem, "type")), (422, "urn:kirana:kept-by-owners"), "{kept}");
    }
    for name in ["owner", "staff", "Big", "", "a b", &"x".repeat(41)] {
        let path = format!("/v1/staff/roles/{}", name.replace(' ', "%20"));
        let (status, _) = desk.as_owner("PUT", &path, &json!({ "permissions": [] }));
        assert!([422, 404, 405].contains(&status), "{name}: {status}");
    }
    assert_eq!(role(&["order.list", "order.view", "order.pack", "stock.view"]).0, 204);
    let packer = desk.working(9, "packer");
    let may = |path: &str| desk.ask(&packer, "GET", path, &Value::Null).0;
    assert_eq!([may("/v1/stock"), may("/v1/orders"), may("/v1/staff")], [200, 200, 403]);
    assert_eq!(desk.ask(&packer, "POST", "/v1/sales", &json!({"lines": []})).0 / 100, 4);
    assert_eq!(role(&["order.list"]).0, 204);
    assert_eq!([may("/v1/stock"), may("/v1/orders")], [403, 200], "narrowed at once");
    let (_, list) = desk.as_owner("GET", "/v1/staff/roles", &Value::Null);
    assert_eq!(list["items"], json!([{ "id": "packer", "permissions": ["order.list"] }]));
    assert_eq!(desk.as_owner("DELETE", "/v1/staff/roles/packer", &Value::Null).0, 204);
    assert_eq!([may("/v1/stock"), may("/v1/orders")], [403, 403], "removed at once");
    assert_eq!(desk.as_owner("DELETE", "/v1/staff/roles/packer", &Value::Null).0, 404);
}

#[test]
fn the_command_line_keeps_the_same_list_beside_a_shop_that_is_open() {
    let desk = Desk::open();
    let data = desk.folder.path();
    let request = asked(9, desk.shop);
    let (code, made) =
        said(data, &["staff", "add", &request, "--role", "staff", "--name", "Till 2"]);
    assert_eq!(code, 0, "{made}");
    let id = text(&made, "id").to_owned();
    let (_, session) = desk.sign_in(9, &strings(&made["certificates"]));
    let till = text(&session, "access_token");
    assert_eq!(desk.ask(till, "GET", "/v1/stock", &Value::Null).0, 200);
    assert_eq!(said(data, &["staff", "renew", &id]).0, 0);
    assert_eq!(said(data, &["staff", "revoke", &id]).0, 0);
    assert_eq!(desk.ask(till, "GET", "/v1/stock", &Value::Null).0, 401);
    let (_, list) = said(data, &["staff", "list"]);
    assert_eq!(
        (list["items"][0]["revoked"].as_bool(), list["items"].as_array().map(Vec::len)),
        (Some(true), Some(1))
    );
    let (code, problem) = said(data, &["staff", "add", "kirana-enrol:x", "--role", "staff"]);
    assert_eq!((code, text(&problem, "type")), (1, "urn:kirana:not-staffed"));
    let (code, _) = said(data, &["staff", "role", "packer", "order.pack", "order.view"]);
    assert_eq!(code, 0);
    assert_eq!(said(data, &["staff", "role", "packer", "staff.manage"]).0, 1);
    let (_, roles) = said(data, &["staff", "role"]);
    assert_eq!(roles["items"][0]["permissions"], json!(["order.view", "order.pack"]));
    assert_eq!(said(data, &["staff", "role", "packer", "--remove"]).0, 0);
}
