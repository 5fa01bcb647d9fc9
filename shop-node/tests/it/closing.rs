//! A shop closes down: at the command line and over HTTP, with orders that were open before.

use std::path::Path;

use kirana_core::{
    id::OrderId,
    order::{
        axes::Stage,
        facts::{CancelReason, DeclineReason},
    },
};
use kirana_shop::app::{
    cells::defused,
    closing::NotClosed,
    counter::{Entry, What},
    orders::{Deed, Which},
};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, said, text},
    neighbour::{Customer, NOW, Neighbourhood, rng},
    program::{init, opened},
};

fn placed(street: &Neighbourhood, asha: &Customer, n: u8, wanted: &[(u8, u64)]) -> OrderId {
    let variant = |n| kirana_core::id::VariantId::new(NOW, [n; 10]);
    let lines: Vec<_> = wanted.iter().map(|(n, amount)| (variant(*n), *amount, 9000)).collect();
    let order = asha.sign(n, asha.wants(&lines));
    street.deliver(&asha.mail(street, &asha.parcel(&[&order]))).expect("answered");
    order.statement().order
}

fn stage(street: &Neighbourhood, id: OrderId) -> Stage {
    street.shop.order(Which { id, customer: None }).expect("it is there").order.stage
}

#[test]
fn a_closing_shop_declines_new_orders_by_name_and_finishes_the_open_ones() {
    let street = Neighbourhood::new();
    street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let before = placed(&street, &asha, 1, &[(1, 2)]);
    assert!(matches!(street.shop.end(NOW), Err(NotClosed::Open)));
    let standing = street.shop.close(NOW).expect("closed");
    assert_eq!(standing.open_orders, 1);
    assert_eq!(street.shop.close(NOW.plus_ms(9)).expect("again"), standing, "once");

    let after = placed(&street, &asha, 2, &[(1, 2)]);
    match stage(&street, after) {
        Stage::Declined { reason, .. } => assert_eq!(reason, DeclineReason::Closed),
        other => panic!("{other:?}"),
    }
    assert_eq!(street.balance(kirana_core::id::VariantId::new(NOW, [1; 10])), (10, 2));
    assert!(matches!(stage(&street, before), Stage::Accepted { .. }), "what was promised stays");
    assert!(matches!(street.shop.end(NOW), Err(NotClosed::OpenOrders(1))));

    street.shop.reopen().expect("before the end");
    let again = placed(&street, &asha, 3, &[(1, 1)]);
    assert!(matches!(stage(&street, again), Stage::Accepted { .. }));
    street.shop.close(NOW).expect("closed");
    for id in [before, again] {
        let which = Which { id, customer: None };
        let deed = Deed::Cancel(CancelReason::ByShop);
        street.shop.act(which, deed, NOW, &mut rng(5)).expect("called off");
    }
    let ended = street.shop.end(NOW.plus_ms(5)).expect("nothing is open");
    assert_eq!(street.shop.end(NOW.plus_ms(50)).expect("again"), ended);
    assert!(matches!(street.shop.reopen(), Err(NotClosed::Ended)));
    assert!(matches!(street.shop.close(NOW), Err(NotClosed::Ended)));
    assert_eq!(street.shop.verify().expect("read").faults, Vec::<String>::new());
}

#[test]
fn no_cell_of_the_books_is_a_formula() {
    for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
        assert_eq!(defused(cell.to_owned()), format!("'{cell}"));
    }
    assert_eq!(defused("rice = good".to_owned()), "rice = good");
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let note = "=HYPERLINK(\"http://x\",\"a,b\")".to_owned();
    let entry = Entry { variant: rice, location: None, what: What::Wastage(1), note };
    street.shop.enter(entry, street.shop.keys().node.id(), NOW, &mut rng(6)).expect("entered");
    placed(&street, &Customer::new(&street, 20), 1, &[(1, 2)]);
    let books = street.shop.books().expect("written");
    let rows = |at: usize| {
        let mut reader = csv::Reader::from_reader(books[at].csv.as_slice());
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row of one length")).collect();
        rows
    };
    let names: Vec<_> = books.iter().map(|table| table.name).collect();
    assert_eq!(names, ["orders.csv", "audit.csv", "movements.csv"]);
    assert_eq!((rows(0).len(), rows(1).len(), rows(2).len()), (1, 2, 3));
    for row in (0..3).flat_map(rows) {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
    }
    assert!(rows(2).iter().any(|row| row.iter().any(|cell| cell.starts_with("'=HYPERLINK"))));
}

#[test]
fn p6_an_owner_closes_and_reopens_over_http_and_a_till_does_not() {
    let desk = Desk::open();
    let till = desk.working(5, "staff");
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(desk.ask(&till, method, "/v1/closing", &Value::Null).0, 403, "{method}");
        assert_eq!(desk.ask("", method, "/v1/closing", &Value::Null).0, 401, "{method}");
    }
    let state = || text(&desk.ask("", "GET", "/v1/profile", &Value::Null).1, "state").to_owned();
    assert_eq!(state(), "open");
    let (status, closed) = desk.as_owner("PUT", "/v1/closing", &Value::Null);
    assert_eq!((status, &closed["open_orders"]), (200, &json!(0)));
    assert!(closed["closed_since"].is_string());
    assert_eq!(desk.as_owner("GET", "/v1/closing", &Value::Null).1, closed);
    assert_eq!(state(), "closing", "everybody may know");
    let (status, open) = desk.as_owner("DELETE", "/v1/closing", &Value::Null);
    assert_eq!((status, &open["closed_since"], state().as_str()), (200, &Value::Null, "open"));
    // Beside the shop that is open, its owner ends it at the command line.
    let data = desk.folder.path();
    let books = data.join("books");
    let end = ["close", "--end", books.to_str().expect("text")];
    assert_eq!(text(&said(data, &end).1, "type"), "urn:kirana:not-closed");
    assert_eq!(said(data, &["close"]).0, 0);
    let (code, ended) = said(data, &end);
    assert_eq!(code, 0, "{ended}");
    assert!(ended["ended_at"].is_string());
    assert_eq!(state(), "ended");
    for name in ["orders.csv", "audit.csv", "movements.csv"] {
        assert!(Path::new(&books).join(name).exists(), "{name}");
    }
    let (status, refused) = desk.as_owner("DELETE", "/v1/closing", &Value::Null);
    assert_eq!((status, text(&refused, "type")), (409, "urn:kirana:ended"));
    assert_eq!(said(data, &["close", "--reopen"]).0, 1);
}

#[test]
fn a_shop_that_was_closed_is_closed_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    init(folder.path());
    assert_eq!(said(folder.path(), &["close"]).0, 0);
    assert!(opened(folder.path()).closing().expect("read").closing.is_some());
    assert_eq!(said(folder.path(), &["close", "--reopen"]).0, 0);
    assert!(opened(folder.path()).closing().expect("read").closing.is_none());
}
