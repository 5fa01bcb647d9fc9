//! People take turns at a till by their PINs: who may, for how long, and what is written of them.

use kirana_core::{certificate::Certificate, key::KeyId, time::UnixMs};
use kirana_migrations::Location;
use kirana_shop::app::{
    access::{Access, AtDoor, Closed},
    people::{IDLE_MS, NotOpened},
    pin::{FIRST_WAIT_MS, FREE_FAILURES, Pin},
    roles::Post,
    staff::Member,
};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, keys, said, text},
    neighbour::{NOW, Neighbourhood, rng},
    program::shelf,
};

const PIN: &str = "835204";

/// Somebody with a PIN; their id.
fn person(desk: &Desk, name: &str, role: &str) -> String {
    let body = json!({ "name": name, "role": role });
    let (status, made) = desk.as_owner("POST", "/v1/staff/people", &body);
    assert_eq!(status, 201, "{made}");
    let path = format!("/v1/staff/people/{}/pin", text(&made, "id"));
    assert_eq!(desk.as_owner("PUT", &path, &json!({ "pin": PIN })).0, 204);
    text(&made, "id").to_owned()
}

fn turn(desk: &Desk, till: &str, name: &str, pin: &str) -> (u16, Value) {
    desk.ask(till, "POST", "/v1/sessions", &json!({ "person": name, "pin": pin }))
}

fn token(desk: &Desk, till: &str, name: &str) -> String {
    let (status, session) = turn(desk, till, name, PIN);
    assert_eq!(status, 201, "{session}");
    text(&session, "access_token").to_owned()
}

#[test]
fn whoever_takes_a_turn_is_written_beside_what_they_do() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let (street, rice) = shelf(folder.path(), 10);
    drop(street);
    let desk = Desk::at(folder);
    let till = desk.working(9, "staff");
    let asha = person(&desk, "Asha", "staff");
    let turn = token(&desk, &till, "asha");
    let lines =
        json!({ "lines": [{ "variant_id": rice, "quantity": { "amount": 1, "unit": "piece" } }] });
    let (status, sold) = desk.ask(&turn, "POST", "/v1/sales", &lines);
    assert_eq!(status, 201, "{sold}");
    let (status, sold) = desk.ask(&till, "POST", "/v1/sales", &lines);
    assert_eq!(status, 201, "{sold}");
    let (_, moved) = desk.as_owner("GET", "/v1/stock/movements?cursor=1", &Value::Null);
    let by: Vec<&str> =
        moved["items"].as_array().expect("a list").iter().map(|m| text(m, "by")).collect();
    assert_eq!(by, [asha, keys(9).id().to_string()]);
}

#[test]
fn a_decision_keeps_who_made_it_and_at_which_till_and_customers_see_neither() {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let mails = crate::program::orders_of_guests(folder.path(), 1, 1);
    let desk = Desk::at(folder);
    assert_eq!(desk.served.deliver(&mails[0]), Some(200));
    let (till, asha) = (desk.working(9, "staff"), person(&desk, "Asha", "staff"));
    let turn = token(&desk, &till, "Asha");
    let (_, orders) = desk.ask(&turn, "GET", "/v1/orders", &Value::Null);
    let path = format!("/v1/orders/{}", text(&orders["items"][0], "id"));
    let (status, packed) = desk.ask(&turn, "POST", &format!("{path}/packing"), &json!({}));
    assert_eq!(status, 200, "{packed}");
    let (_, shown) = desk.ask(&turn, "GET", &path, &Value::Null);
    let last = shown["entries"].as_array().and_then(|e| e.last()).expect("an entry");
    let expected = json!([{ "entry": last["hash"], "by": asha, "till": keys(9).id() }]);
    assert_eq!(shown["done_by"], expected);
    let guest = keys(100);
    let certificate =
        Certificate::of_guest(&guest.signing, guest.sealing.public(), NOW, &mut rng(1));
    let shown_certificate =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.bytes());
    let (_, session) = desk.sign_in(100, &[shown_certificate]);
    let (status, own) = desk.ask(text(&session, "access_token"), "GET", &path, &Value::Null);
    assert_eq!((status, &own["done_by"]), (200, &Value::Null), "{own}");
}

#[test]
fn p6_nobody_may_do_more_at_a_till_than_both_they_and_the_till_may() {
    let desk = Desk::open();
    person(&desk, "Olga", "owner");
    person(&desk, "Kumar", "courier");
    let (till, own) = (desk.working(9, "staff"), desk.working(8, "owner"));
    let may = |token: &str, path: &str| desk.ask(token, "GET", path, &Value::Null).0;
    let olga = token(&desk, &till, "Olga");
    assert_eq!([may(&olga, "/v1/stock"), may(&olga, "/v1/staff")], [200, 403]);
    let olga = token(&desk, &own, "Olga");
    assert_eq!([may(&olga, "/v1/stock"), may(&olga, "/v1/staff")], [200, 200]);
    let kumar = token(&desk, &own, "Kumar");
    assert_eq!([may(&kumar, "/v1/stock"), may(&kumar, "/v1/orders")], [403, 200]);
}

#[test]
fn p6_a_pin_counts_only_at_a_till_and_never_from_outside() {
    let desk = Desk::open();
    person(&desk, "Asha", "staff");
    let till = desk.working(9, "staff");
    let guest = keys(30);
    let certificate =
        Certificate::of_guest(&guest.signing, guest.sealing.public(), NOW, &mut rng(1));
    let certificate =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.bytes());
    let chain = std::slice::from_ref(&certificate);
    let customer = text(&desk.sign_in(30, chain).1, "access_token").to_owned();
    let asked = json!({ "person": "Asha", "pin": PIN });
    let post = |token: &str, more: &str, body: &Value| {
        let (status, said) = desk.ask_with(token, more, "POST", "/v1/sessions", body);
        (status, said["type"].as_str().map(str::to_owned))
    };
    let refused = |status: u16, code: &str| (status, Some(format!("urn:kirana:{code}")));
    assert_eq!(post(&customer, "", &asked), refused(403, "not-a-till"));
    assert_eq!(post("", "", &asked), refused(400, "malformed"));
    assert_eq!(post(&desk.owner, "", &asked), refused(403, "not-a-till"));
    let by_answer = json!({
        "person": "Asha", "pin": PIN, "certificates": [certificate], "answer": desk.answer(30),
    });
    assert_eq!(post("", "", &by_answer), refused(403, "not-a-till"));
    for passed_on in
        ["x-forwarded-for: 1.2.3.4\r\n", "forwarded: for=1.2.3.4\r\n", "via: 1.1 x\r\n"]
    {
        assert_eq!(post(&till, passed_on, &asked), refused(403, "pin-inside-only"));
    }
    let turn = token(&desk, &till, "Asha");
    assert_eq!(post(&turn, "", &asked), refused(403, "not-a-till"), "a turn opens no other");
    assert_eq!(post(&till, "", &json!({ "person": "Asha" })), refused(400, "malformed"));
    assert_eq!(desk.ask(&turn, "DELETE", "/v1/sessions/current", &Value::Null).0, 204);
    assert_eq!(desk.ask(&turn, "GET", "/v1/stock", &Value::Null).0, 401);
    assert_eq!(desk.ask(&till, "DELETE", "/v1/sessions/current", &Value::Null).0, 409);
}

#[test]
fn p6_a_turn_ends_with_the_pin_the_role_the_person_and_the_till() {
    let desk = Desk::open();
    let (till, asha) = (desk.working(9, "staff"), person(&desk, "Asha", "staff"));
    let path = format!("/v1/staff/people/{asha}");
    let works = |turn: &str| desk.ask(turn, "GET", "/v1/stock", &Value::Null).0;
    let turn = token(&desk, &till, "Asha");
    assert_eq!(works(&turn), 200);
    // The person changes the PIN, by the old one.
    let change = |current: &str, pin: &str| {
        let body = json!({ "current_pin": current, "pin": pin });
        desk.ask(&turn, "PUT", &format!("{path}/pin"), &body)
    };
    assert_eq!(change("000000", "907263").0, 401);
    assert_eq!(change(PIN, "111111").0, 422);
    assert_eq!(desk.ask(&turn, "PUT", &format!("{path}/pin"), &json!({"pin": "907263"})).0, 403);
    assert_eq!(change(PIN, "907263").0, 204);
    assert_eq!(works(&turn), 401);
    assert_eq!(desk.as_owner("PUT", &format!("{path}/pin"), &json!({ "pin": PIN })).0, 204);
    let turn = token(&desk, &till, "Asha");
    assert_eq!(desk.as_owner("PATCH", &path, &json!({ "role": "courier" })).0, 200);
    assert_eq!(works(&turn), 401);
    let turn = token(&desk, &till, "Asha");
    assert_eq!(desk.as_owner("DELETE", &path, &Value::Null).0, 204);
    assert_eq!(works(&turn), 401);
    assert_eq!(self::turn(&desk, &till, "Asha", PIN).0, 401);
    person(&desk, "Ravi", "staff");
    let turn = token(&desk, &till, "Ravi");
    let till_path = format!("/v1/staff/{}", keys(9).id());
    assert_eq!(desk.as_owner("DELETE", &till_path, &Value::Null).0, 204);
    assert_eq!(works(&turn), 401);
}

#[test]
fn std_36_wrong_pins_wait_at_one_till_and_lock_nobody_out_elsewhere() {
    let desk = Desk::open();
    let (till, other) = (desk.working(9, "staff"), desk.working(8, "staff"));
    person(&desk, "Asha", "staff");
    person(&desk, "Ravi", "staff");
    for n in 0..FREE_FAILURES {
        assert_eq!(turn(&desk, &till, "Asha", "000001").0, 401, "{n}");
    }
    let (status, problem) = turn(&desk, &till, "Asha", PIN);
    assert_eq!((status, text(&problem, "type")), (429, "urn:kirana:too-many-pins"));
    assert_eq!(turn(&desk, &other, "Asha", PIN).0, 201, "at another till");
    assert_eq!(turn(&desk, &till, "Ravi", PIN).0, 201, "another person");
    assert_eq!(turn(&desk, &till, "Nobody", PIN).0, 401);
    assert_eq!(desk.as_owner("GET", "/v1/staff", &Value::Null).0, 200, "nor the owner");
    // A restart forgets the turns, and not the waits.
    let folder = {
        let Desk { folder, served, .. } = desk;
        drop(served);
        folder
    };
    let desk = Desk::at(folder);
    let till = text(&desk.sign_in(9, &desk.certified(9, "staff")).1, "access_token").to_owned();
    assert_eq!(turn(&desk, &till, "Asha", PIN).0, 429);
}

#[test]
fn the_owner_sets_pins_by_the_command_line_and_obvious_ones_are_refused() {
    let desk = Desk::open();
    let data = desk.folder.path();
    let (code, made) = said(data, &["staff", "add", "--role", "staff", "--name", "Asha"]);
    assert_eq!(code, 0, "{made}");
    let set = |pin: &str| {
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_kirana-shop"));
        program.env("KIRANA_PIN", pin).args(["staff", "pin", "asha", "--json", "--data"]);
        program.arg(data).output().expect("it runs").status.code()
    };
    assert_eq!([set("1234"), set("12"), set(PIN)], [Some(2), Some(2), Some(0)]);
    let till = desk.working(9, "staff");
    assert_eq!(turn(&desk, &till, "ASHA", PIN).0, 201);
    let (code, twice) = said(data, &["staff", "add", "--role", "staff", "--name", "aSHA"]);
    assert_eq!((code, text(&twice, "type")), (1, "urn:kirana:not-staffed"));
    assert_eq!(said(data, &["staff", "revoke", text(&made, "id")]).0, 0);
    assert_eq!(turn(&desk, &till, "Asha", PIN).0, 401);
}

/// A till and somebody with a PIN, in memory, so that the clock can be turned.
fn in_memory() -> (Access, KeyId, String) {
    let street = Neighbourhood::at(Location::Memory);
    let shop = street.shop;
    let till = keys(9);
    let member = Member {
        key: till.signing.public(),
        sealing: till.sealing.public(),
        post: Post::Staff,
        label: "Till".into(),
    };
    let chain = shop.add_staff(member, NOW, &mut rng(4)).expect("certified");
    let asha = shop.add_person("Asha", Post::Staff, NOW, &mut rng(5)).expect("taken in");
    shop.set_pin(asha.id, &Pin::choose(PIN).expect("good"), &mut rng(6)).expect("set");
    let access = Access::new(shop, [7; 32]).expect("it opens");
    let nonce = access.nonce(NOW, &mut rng(8));
    let answer = kirana_core::challenge::answer(&till.signing, nonce, access.audience());
    let session = access.sign_in(chain, &answer, NOW, &mut rng(9)).expect("signed in");
    (access, asha.id, session.access_token)
}

fn take(access: &Access, till: &str, pin: &str, now: UnixMs) -> Result<String, Closed> {
    let door = AtDoor::Token(till.to_owned());
    let session = access.take_turn(door, "Asha", &Pin::typed(pin), now, &mut rng(10))?;
    Ok(session.access_token)
}

#[test]
fn p6_a_turn_that_nobody_uses_ends_after_a_quarter_of_an_hour() {
    let (access, asha, till) = in_memory();
    let turn = take(&access, &till, PIN, NOW).expect("her turn");
    let at = |ms: u64| access.visitor(&turn, NOW.plus_ms(ms));
    assert_eq!(at(IDLE_MS).expect("just in time").who(), asha);
    assert_eq!(at(2 * IDLE_MS).expect("used meanwhile").who(), asha);
    assert!(matches!(at(3 * IDLE_MS + 1), Err(Closed::Nobody)));
    assert!(matches!(at(2 * IDLE_MS), Err(Closed::Nobody)), "it stays ended");
}

#[test]
fn std_36_waits_after_wrong_pins_grow_and_the_right_one_ends_them() {
    let (access, _, till) = in_memory();
    let mut now = NOW;
    for _ in 0..FREE_FAILURES {
        assert!(matches!(take(&access, &till, "0", now), Err(Closed::NotOpened(NotOpened::Wrong))));
    }
    for n in 0..3 {
        let Err(Closed::NotOpened(NotOpened::Wait { wait_ms })) = take(&access, &till, PIN, now)
        else {
            panic!("no wait");
        };
        assert_eq!(wait_ms, FIRST_WAIT_MS << n);
        now = now.plus_ms(wait_ms);
        assert!(matches!(take(&access, &till, "0", now), Err(Closed::NotOpened(NotOpened::Wrong))));
    }
    now = now.plus_ms(FIRST_WAIT_MS << 3);
    assert!(take(&access, &till, PIN, now).is_ok());
    assert!(matches!(take(&access, &till, "0", now), Err(Closed::NotOpened(NotOpened::Wrong))));
    assert!(take(&access, &till, PIN, now).is_ok(), "counted from the beginning again");
}
