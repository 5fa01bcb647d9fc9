//! The credit book over HTTP and at the command line: who may do what, and what is refused by which name.

use serde_json::{Value, json};

use crate::desk::{Desk, said, text};

fn rupees(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "INR" })
}

fn opened(desk: &Desk, limit: i64) -> String {
    let body = json!({
        "name": "Meena", "phone": "98450 00000", "limit": rupees(limit), "opening": rupees(12_000),
    });
    let (status, made) = desk.as_owner("POST", "/v1/khata", &body);
    assert_eq!(status, 201, "{made}");
    text(&made, "id").to_owned()
}

fn refused((status, problem): (u16, Value)) -> (u16, String) {
    (status, text(&problem, "type").trim_start_matches("urn:kirana:").to_owned())
}

#[test]
fn a_notebook_is_replaced_and_settled_over_http() {
    let desk = Desk::open();
    let id = opened(&desk, 50_000);
    let path = |rest: &str| format!("/v1/khata/{id}{rest}");
    let charge = json!({ "amount": rupees(6_000), "words": "rice and oil" });
    let (status, shown) = desk.as_owner("POST", &path("/entries"), &charge);
    assert_eq!((status, &shown["balance"]), (200, &rupees(18_000)), "{shown}");
    let pay = json!({ "amount": rupees(10_000), "means": "upi" });
    for _ in 0..2 {
        let key = "idempotency-key: end of november\r\n";
        let (status, shown) = desk.ask_with(&desk.owner, key, "POST", &path("/payments"), &pay);
        assert_eq!((status, &shown["balance"]), (200, &rupees(8_000)), "{shown}");
    }
    let (_, list) = desk.as_owner("GET", "/v1/khata", &Value::Null);
    assert_eq!((&list["owed"], &list["items"][0]["name"]), (&rupees(8_000), &json!("Meena")));
    let (_, book) = desk.as_owner("GET", &path(""), &Value::Null);
    let kinds: Vec<&str> =
        book["entries"].as_array().expect("entries").iter().map(|e| text(e, "kind")).collect();
    assert_eq!(kinds, ["opened", "charged", "paid"]);
    assert_eq!(book["entries"][1]["words"], "rice and oil");
    let (_, taken) = desk.as_owner("GET", "/v1/reports/takings", &Value::Null);
    assert_eq!(
        taken["means"],
        json!([{ "means": "upi", "kind": "khata_payment", "sum": rupees(10_000) }])
    );
    let give_up = json!({ "amount": rupees(8_000), "words": "moved away" });
    assert_eq!(desk.as_owner("POST", &path("/write-off"), &give_up).0, 200);
    assert_eq!(desk.as_owner("POST", &path("/closing"), &Value::Null).0, 200);
    let late = desk.as_owner("POST", &path("/entries"), &charge);
    assert_eq!(refused(late), (409, "khata-closed".to_owned()));
    let (code, verified) = said(desk.folder.path(), &["verify"]);
    assert_eq!(code, 0, "{verified}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let desk = Desk::open();
    let id = opened(&desk, 15_000);
    let path = |rest: &str| format!("/v1/khata/{id}{rest}");
    let dollars = json!({ "minor": 5, "currency": "USD" });
    let cases = [
        ("POST", "/entries", json!({ "amount": rupees(3_001), "words": "x" }), 409, "khata-limit"),
        ("POST", "/entries", json!({ "amount": rupees(100), "words": " " }), 422, "khata-words"),
        ("POST", "/entries", json!({ "amount": rupees(0), "words": "x" }), 422, "khata-amount"),
        ("POST", "/entries", json!({ "amount": rupees(-5), "words": "x" }), 422, "khata-amount"),
        ("POST", "/entries", json!({ "amount": dollars, "words": "x" }), 422, "khata-amount"),
        (
            "POST",
            "/entries",
            json!({ "amount": rupees(1), "words": "x".repeat(501) }),
            422,
            "khata-words",
        ),
        ("POST", "/payments", json!({ "amount": rupees(12_001) }), 409, "khata-beyond"),
        ("POST", "/payments", json!({ "amount": rupees(1), "means": "khata" }), 400, "malformed"),
        (
            "POST",
            "/write-off",
            json!({ "amount": rupees(12_001), "words": "x" }),
            409,
            "khata-beyond",
        ),
        ("PUT", "/limit", json!({ "limit": rupees(-1) }), 422, "khata-amount"),
        ("POST", "/closing", Value::Null, 409, "khata-not-even"),
        ("PUT", "/holder", json!({}), 400, "malformed"),
    ];
    for (method, rest, body, status, code) in cases {
        let answer = desk.as_owner(method, &path(rest), &body);
        assert_eq!(refused(answer), (status, code.to_owned()), "{method} {rest} {body}");
    }
    for nobody in ["nobody", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        assert_eq!(desk.as_owner("GET", &format!("/v1/khata/{nobody}"), &Value::Null).0, 404);
    }
    let nameless = json!({ "limit": rupees(1) });
    assert_eq!(refused(desk.as_owner("POST", "/v1/khata", &nameless)), (422, "khata-words".into()));
    let (_, book) = desk.as_owner("GET", &path(""), &Value::Null);
    assert_eq!(book["entries"].as_array().expect("entries").len(), 1, "nothing of it was written");
}

#[test]
fn p6_staff_write_and_take_money_and_only_the_owner_goes_past_the_limit() {
    let desk = Desk::open();
    let id = opened(&desk, 15_000);
    let path = |rest: &str| format!("/v1/khata/{id}{rest}");
    let (staff, courier) = (desk.working(9, "staff"), desk.working(8, "courier"));
    let charge = |over: bool| json!({ "amount": rupees(2_000), "words": "x", "over_limit": over });
    let pay = json!({ "amount": rupees(100) });
    assert_eq!(desk.ask(&staff, "POST", &path("/entries"), &charge(false)).0, 200);
    assert_eq!(desk.ask(&staff, "POST", &path("/payments"), &pay).0, 200);
    for (method, rest, body) in [
        ("POST", "/entries", charge(true)),
        ("POST", "/entries", json!({ "kind": "credited", "amount": rupees(1), "words": "x" })),
        ("PUT", "/limit", json!({ "limit": rupees(99_000) })),
        ("POST", "/write-off", json!({ "amount": rupees(1), "words": "x" })),
        ("POST", "/closing", Value::Null),
        ("DELETE", "/person", Value::Null),
    ] {
        assert_eq!(desk.ask(&staff, method, &path(rest), &body).0, 403, "{method} {rest}");
        assert_eq!(desk.ask("", method, &path(rest), &body).0, 401, "{method} {rest}");
    }
    assert_eq!(desk.ask(&courier, "GET", "/v1/khata", &Value::Null).0, 403);
    assert_eq!(desk.ask(&courier, "POST", &path("/payments"), &pay).0, 403);
    assert_eq!(desk.as_owner("POST", &path("/entries"), &charge(true)).0, 200);
    let (_, book) = desk.as_owner("GET", &path(""), &Value::Null);
    assert!(book["entries"][1]["by"].is_string(), "who wrote it is known: {book}");
    assert_eq!(desk.as_owner("DELETE", &path("/person"), &Value::Null).1["name"], Value::Null);
}

#[test]
fn a_statement_and_a_reminder_are_there_for_whoever_has_no_device() {
    let desk = Desk::open();
    let id = opened(&desk, 10_000);
    for (rest, kind) in [
        ("statement", "application/pdf"),
        ("statement?language=hi", "application/pdf"),
        ("statement.csv", "text/csv; charset=utf-8"),
    ] {
        let bearer = format!("authorization: Bearer {}\r\n", desk.owner);
        let path = format!("/v1/khata/{id}/{rest}");
        let (status, said, body) = desk
            .served
            .ask_with(&bearer, "GET", &path, "application/json", b"")
            .expect("an answer");
        assert_eq!((status, said.as_str()), (200, kind), "{rest}");
        assert!(!body.is_empty());
    }
    // The opening is over the limit, so it is to be settled whatever its age.
    let (_, due) = desk.as_owner("GET", "/v1/khata-reminders", &Value::Null);
    assert_eq!(due["items"][0]["by_device"], false);
    let path = format!("/v1/khata/{id}/reminders");
    let (status, sent) = desk.as_owner("POST", &path, &json!({ "language": "hi" }));
    assert!(status == 200 && text(&sent, "says").contains("₹120.00"), "{sent}");
    assert!(sent["reminded_at"].is_string(), "{sent}");
}

#[test]
fn the_command_line_does_the_same() {
    let desk = Desk::open();
    let data = desk.folder.path();
    let (code, made) =
        said(data, &["khata", "open", "--name", "Ravi", "--limit", "500", "--opening", "20.50"]);
    assert_eq!((code, &made["balance"]), (0, &rupees(2_050)), "{made}");
    let (code, shown) = said(data, &["khata", "charge", "ravi", "30", "milk"]);
    assert_eq!((code, &shown["balance"]), (0, &rupees(5_050)), "{shown}");
    let (code, problem) = said(data, &["khata", "charge", "ravi", "1000", "a feast"]);
    assert_eq!((code, text(&problem, "type")), (1, "urn:kirana:not-written"), "{problem}");
    let (code, shown) = said(data, &["khata", "pay", "Ravi", "50.50"]);
    assert_eq!((code, &shown["balance"]), (0, &rupees(0)), "{shown}");
    let file = data.join("ravi.pdf");
    let (code, _) = said(data, &["khata", "statement", "ravi", &file.to_string_lossy()]);
    assert!(code == 0 && std::fs::read(&file).expect("a file").starts_with(b"%PDF-"));
    let (code, shown) = said(data, &["khata", "show", "ravi"]);
    assert_eq!((code, shown["entries"].as_array().map(Vec::len)), (0, Some(3)), "{shown}");
}
