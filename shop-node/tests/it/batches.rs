//! Batches at a real shop's door: what comes in with a date goes out by it, and not past it.

use kirana_core::{
    day::Day,
    id::{LocationId, VariantId},
    stock::batch::Lot,
    time::DAY_MS,
};
use kirana_migrations::Abort;
use kirana_shop::app::counter::{Entry, NotEntered, OfBatch, SaleLine, What};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, said, text},
    neighbour::{Customer, NOW, Neighbourhood, rng},
};

/// A shop that is open, with ten loose packs of something on its shelf.
pub fn open() -> (Desk, VariantId) {
    let folder = tempfile::tempdir().expect("a folder");
    crate::program::init(folder.path());
    let file = folder.path().join("goods.csv");
    std::fs::write(&file, "name,price,stock\nMilk,30.00,10\n").expect("a file");
    let taken = said(folder.path(), &["import", file.to_str().expect("a path")]);
    assert_eq!(taken.0, 0, "{}", taken.1);
    let desk = Desk::at(folder);
    let (_, stock) = desk.as_owner("GET", "/v1/stock", &Value::Null);
    let milk = text(&stock["items"][0], "variant_id").parse().expect("an id");
    (desk, milk)
}

pub fn in_days(days: i64) -> String {
    let today = Day::at(kirana_shop::clock::now(), 0).get();
    Day::new(u32::try_from(i64::from(today) + days).expect("a day")).to_string()
}

pub fn move_stock(desk: &Desk, body: &Value) -> (u16, Value) {
    desk.as_owner("POST", "/v1/stock/movements", body)
}

fn receive(desk: &Desk, variant: VariantId, amount: u64, lot: &Value) -> u64 {
    let body = json!({ "variant_id": variant, "kind": "receipt", "amount": amount, "lot": lot });
    let (status, made) = move_stock(desk, &body);
    assert_eq!(status, 201, "{made}");
    made["movements"][0].as_u64().expect("a number")
}

fn sell(desk: &Desk, variant: VariantId, amount: u64, batch: Option<u64>) -> (u16, Value) {
    let quantity = json!({ "amount": amount, "unit": "piece" });
    let line = json!({ "variant_id": variant, "quantity": quantity, "batch": batch });
    desk.as_owner("POST", "/v1/sales", &json!({ "lines": [line] }))
}

/// How much lies of each batch, by its number.
fn lying(desk: &Desk) -> Vec<(u64, u64)> {
    let (status, page) = desk.as_owner("GET", "/v1/stock/batches", &Value::Null);
    assert_eq!(status, 200, "{page}");
    let number = |item: &Value, name: &str| item[name].as_u64().expect("a number");
    let items = page["items"].as_array().expect("a list").iter();
    items.map(|item| (number(item, "batch"), number(item, "amount"))).collect()
}

#[test]
fn what_expires_first_is_sold_first_and_what_has_passed_its_date_is_not_sold_by_itself() {
    let (desk, milk) = open();
    let late = receive(&desk, milk, 5, &json!({ "best_before": in_days(9), "code": "L9" }));
    let soon = receive(&desk, milk, 5, &json!({ "best_before": in_days(2), "code": "L2" }));
    let gone = receive(&desk, milk, 5, &json!({ "best_before": in_days(-2) }));
    assert_eq!(sell(&desk, milk, 7, None).0, 201);
    assert_eq!(lying(&desk), [(gone, 5), (late, 3)], "soon is sold, {soon}");
    let (_, stock) = desk.as_owner("GET", "/v1/stock", &Value::Null);
    let row = &stock["items"][0];
    assert_eq!((&row["on_hand"], &row["available"]), (&json!(18), &json!(13)), "{row}");
    assert_eq!(row["past_best_before"], 5);
    // 3 of the late batch and 10 loose ones; the next one would be past its date.
    let (status, refused) = sell(&desk, milk, 14, None);
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:past-best-before"));
    assert_eq!(lying(&desk), [(gone, 5), (late, 3)], "nothing was changed");
    assert_eq!(sell(&desk, milk, 13, None).0, 201);
    // Somebody looked at it, and sells it as what it is.
    assert_eq!(sell(&desk, milk, 1, Some(gone)).0, 201);
    assert_eq!(sell(&desk, milk, 5, Some(gone)).0, 409, "so much is not left of it");
    let waste =
        |batch| json!({ "variant_id": milk, "kind": "wastage", "amount": 4, "batch": batch });
    assert_eq!(move_stock(&desk, &waste(late)).0, 409);
    assert_eq!(move_stock(&desk, &waste(gone)).0, 201);
    assert_eq!(lying(&desk), []);
    let (code, found) = said(desk.folder.path(), &["verify"]);
    assert_eq!(code, 0, "{found}");
}

#[test]
fn p6_costs_are_shown_to_those_who_may_see_them_and_batches_to_nobody_else_than_staff() {
    let (desk, milk) = open();
    let cost = json!({ "minor": 2_000, "per": 1, "currency": "INR" });
    let batch = receive(&desk, milk, 5, &json!({ "cost": cost }));
    let till = desk.working(9, "staff");
    let courier = desk.working(8, "courier");
    let shown = |token: &str| desk.ask(token, "GET", "/v1/stock/batches", &Value::Null);
    assert_eq!(shown(&desk.owner).1["items"][0]["cost"], cost);
    assert_eq!(shown(&till).0, 200);
    assert_eq!(shown(&till).1["items"][0].get("cost"), None);
    assert_eq!(text(&shown(&courier).1, "type"), "urn:kirana:forbidden");
    assert_eq!(shown("").0, 401);
    let moved = |token: &str| {
        let path = format!("/v1/stock/movements?cursor={}", batch - 1);
        desk.ask(token, "GET", &path, &Value::Null).1["items"][0]["lot"]["cost"].clone()
    };
    assert_eq!([moved(&desk.owner), moved(&till)], [cost, Value::Null]);
    let role = json!({ "permissions": ["stock.view", "margin.view"] });
    assert_eq!(desk.as_owner("PUT", "/v1/staff/roles/buyer", &role).0, 204);
    let buyer = desk.working(7, "buyer");
    assert!(shown(&buyer).1["items"][0]["cost"].is_object());
}

#[test]
fn what_cannot_be_said_of_a_batch_is_refused() {
    let (desk, milk) = open();
    let lot = |lot: Value| {
        let body = json!({ "variant_id": milk, "kind": "receipt", "amount": 1, "lot": lot });
        let (status, said) = move_stock(&desk, &body);
        (status, said["type"].as_str().unwrap_or_default().to_owned())
    };
    let malformed = (400, "urn:kirana:malformed".to_owned());
    assert_eq!(lot(json!({ "best_before": "27.11.2026" })), malformed);
    assert_eq!(lot(json!({ "code": "" })), malformed);
    assert_eq!(lot(json!({ "code": "x".repeat(41) })), malformed);
    assert_eq!(lot(json!({ "cost": { "minor": -1, "per": 1, "currency": "INR" } })), malformed);
    let euros = lot(json!({ "cost": { "minor": 1, "per": 1, "currency": "EUR" } }));
    assert_eq!(euros, (409, "urn:kirana:other-currency".to_owned()));
    let odd = [
        json!({ "variant_id": milk, "kind": "wastage", "amount": 1, "lot": {} }),
        json!({ "variant_id": milk, "kind": "stocktake", "amount": 1, "batch": 1 }),
        json!({ "variant_id": milk, "kind": "receipt", "amount": 1, "batch": 1 }),
    ];
    assert_eq!(odd.map(|body| move_stock(&desk, &body).0), [400; 3]);
    let back = json!({ "variant_id": milk, "kind": "return", "amount": 1, "batch": 1 });
    assert_eq!(move_stock(&desk, &back).0, 409, "the first receipt opened no batch");
    assert_eq!(desk.as_owner("GET", "/v1/stock/batches?cursor=x", &Value::Null).0, 400);
}

#[test]
fn the_command_line_receives_and_writes_off_batches_beside_an_open_shop() {
    let (desk, milk) = open();
    let data = desk.folder.path();
    let id = milk.to_string();
    let day = in_days(3);
    let stock = |words: &[&str]| {
        let words: Vec<&str> = ["stock"].iter().chain(words).copied().collect();
        said(data, &words)
    };
    let received = ["receive", &id, "4", "--lot", "A7", "--best-before", &day, "--cost", "100"];
    let (code, made) = stock(&received);
    assert_eq!(code, 0, "{made}");
    let batch = made["movements"][0].to_string();
    let (code, list) = stock(&["batches"]);
    let item = &list["items"][0];
    assert_eq!((code, text(item, "code"), text(item, "best_before")), (0, "A7", day.as_str()));
    assert_eq!(item["cost"], json!({ "minor": 10_000, "per": 4, "currency": "INR" }));
    assert_eq!(stock(&["waste", &id, "5", "--batch", &batch]).0, 1);
    assert_eq!(stock(&["waste", &id, "4", "--batch", &batch]).0, 0);
    assert_eq!(stock(&["batches"]).1["items"], json!([]));
    assert_eq!(stock(&["receive", &id, "4", "--best-before", "soon"]).0, 2);
}

fn of(variant: VariantId, what: What) -> Entry {
    Entry { variant, location: None, what, note: String::new() }
}

fn lot(day: u32) -> Lot {
    Lot { best_before: Some(Day::new(day)), ..Lot::default() }
}

fn batches(street: &Neighbourhood) -> Vec<(u64, LocationId, u64)> {
    let rows = street.shop.batches(None, None, None, 100).expect("read");
    rows.iter().map(|row| (row.batch, row.slot.location, row.amount)).collect()
}

#[test]
fn p2_what_has_passed_its_date_is_promised_to_nobody() {
    let street = Neighbourhood::new();
    let today = Day::at(NOW, 0).get();
    let milk = street.stock(1, 3000, 0);
    street.enter(milk, What::Batch(3, lot(today - 1)));
    street.enter(milk, What::Batch(2, lot(today)));
    let asha = Customer::new(&street, 20);
    let order = |n, amount| {
        let placed = asha.sign(n, asha.wants(&[(milk, amount, 3000)]));
        let mail = asha.mail(&street, &asha.parcel(&[&placed]));
        let reply = street.deliver(&mail).expect("it is taken in").reply.expect("a reply");
        asha.read(&street, &reply).1.stage.label()
    };
    assert_eq!(order(1, 3), "declined");
    assert_eq!(order(2, 2), "accepted");
    // Two are kept for her; what the counter has left is past its date.
    let line = SaleLine { variant: milk, amount: 1, unit: UNIT, batch: None };
    let by = street.shop.keys().node.id();
    let sold = street.shop.sell(vec![line], by, NOW, &mut rng(4));
    assert!(matches!(sold, Err(NotEntered::Stock(_))), "{sold:?}");
    assert_eq!(street.balance(milk), (5, 2));
    // A day later the last good ones have passed their date too.
    let stock = street.shop.stock(None, 10, NOW.plus_ms(DAY_MS)).expect("read");
    assert_eq!((stock[0].past, stock[0].available), (5, 0));
}

const UNIT: kirana_core::quantity::Unit = kirana_core::quantity::Unit::Piece;

#[test]
fn a_batch_keeps_its_name_in_the_back_room_and_a_count_misses_the_oldest() {
    let street = Neighbourhood::new();
    let today = Day::at(NOW, 0).get();
    let rice = street.stock(1, 9000, 2);
    let back = street.shop.name_location(None, "Back room", NOW, &mut rng(3)).expect("named");
    let front = street.shop.identity().location;
    street.enter(rice, What::Batch(5, lot(today + 30)));
    street.enter(rice, What::Batch(5, lot(today + 20)));
    street.enter(rice, What::Of(2, OfBatch::Transfer(2, back)));
    street.enter(rice, What::Transfer(6, back));
    assert_eq!(batches(&street), [(3, back, 5), (2, back, 3), (2, front, 2)]);
    let counted = Entry { location: Some(back), ..of(rice, What::Counted(1)) };
    let by = street.shop.keys().node.id();
    street.shop.enter(counted, by, NOW, &mut rng(5)).expect("entered");
    assert_eq!(batches(&street), [(2, back, 1), (2, front, 2)]);
    street.enter(rice, What::Of(3, OfBatch::Return(1)));
    street.enter(rice, What::Return(1));
    assert_eq!(batches(&street), [(3, front, 1), (2, back, 1), (2, front, 2)]);
    assert_eq!(street.shop.verify().expect("read").faults, Vec::<String>::new());
}

#[test]
fn p8_an_amount_or_a_date_of_a_batch_that_was_changed_is_found() {
    let street = Neighbourhood::new();
    let milk = street.stock(1, 3000, 0);
    street.enter(milk, What::Batch(3, lot(20_000)));
    let faults = || street.shop.verify().expect("read").faults.len();
    let change = |sql: &'static str| {
        let database = street.shop.database();
        let done = database
            .writer
            .write(move |tx| -> Result<usize, Abort<()>> { Ok(tx.execute(sql, [])?) });
        assert_eq!(done.expect("it is stored"), 1, "{sql}");
    };
    assert_eq!(faults(), 0);
    change("UPDATE batch_stock SET amount = 2");
    assert_eq!(faults(), 1);
    change("UPDATE batch_stock SET amount = 3");
    change("UPDATE batch SET best_before = 30000");
    assert_eq!(faults(), 1);
}

#[test]
fn p2_the_shelf_shows_what_is_left_whatever_changes_it() {
    let (desk, milk) = open();
    let left = || {
        let (status, page) = desk.as_owner("GET", "/v1/products", &Value::Null);
        assert_eq!(status, 200, "{page}");
        page["items"][0]["available"].as_u64()
    };
    assert_eq!(left(), Some(10));
    receive(&desk, milk, 5, &json!({ "best_before": in_days(3) }));
    assert_eq!(left(), Some(15));
    // What is past its date lies there and is promised to nobody.
    let past = receive(&desk, milk, 4, &json!({ "best_before": in_days(-3) }));
    assert_eq!(left(), Some(15));
    let thrown = json!({ "variant_id": milk, "kind": "wastage", "amount": 4, "batch": past });
    assert_eq!(move_stock(&desk, &thrown).0, 201);
    assert_eq!(left(), Some(15));
    assert_eq!(sell(&desk, milk, 3, None).0, 201);
    assert_eq!(left(), Some(12));
}

#[test]
fn p8_an_amount_on_the_shelf_that_was_changed_is_found() {
    let street = Neighbourhood::new();
    street.stock(1, 3000, 7);
    let faults = || street.shop.verify().expect("read").faults.len();
    assert_eq!(faults(), 0);
    let change = |tx: &kirana_migrations::Tx<'_>| -> Result<usize, Abort<()>> {
        Ok(tx.execute("UPDATE shelf_stock SET available = 8 WHERE available = 7", [])?)
    };
    assert_eq!(street.shop.database().writer.write(change).expect("stored"), 1);
    assert_eq!(faults(), 1);
}
