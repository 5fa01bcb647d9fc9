//! What of the measurements needs no clock: the rows, and that the floor does what the shop does.

use std::time::Duration;

use kirana_core::{
    id::{ProductId, VariantId},
    money::Price,
    quantity,
};
use kirana_migrations::{
    Abort,
    rusqlite::{Connection, types::Value},
};
use kirana_shop::{
    app::{
        Shop,
        counter::{Entry, What},
    },
    home::{DATABASE, Home},
    store::offers::{self, Shelf},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

#[path = "../../benches/floors/bound.rs"]
mod bound;
#[path = "../../benches/floors/clock.rs"]
mod clock;
#[path = "../../benches/floors/committed.rs"]
mod committed;
#[path = "../../benches/floors/record.rs"]
mod record;
#[path = "../../benches/floors/replay.rs"]
mod replay;
#[path = "../../benches/floors/report.rs"]
mod report;
#[path = "../../benches/floors/street.rs"]
mod street;

use report::{Round, Rounds, Unit};

/// All that an order leaves behind.
const TABLES: [&str; 8] = [
    "customer",
    "customer_order",
    "order_entry",
    "outgoing",
    "reservation",
    "stock_balance",
    "stock_movement",
    "known_chain",
];

#[test]
fn the_floor_leaves_the_same_rows_as_the_shop() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let street = street::Street::set_up(&at("shop"), 2, fill).unwrap();
    let recording = record::record(&street, &at("recorded")).unwrap();
    let orders = recording.orders.len();
    let floor = replay::replay(&street, &recording, 32, orders, &at("floor")).unwrap();
    assert_eq!(floor.operations, orders);
    for table in TABLES {
        assert_eq!(rows(&at("floor"), table), rows(&at("recorded"), table), "{table}");
    }
}

#[test]
fn orders_that_are_not_in_the_database_are_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let street = street::Street::set_up(&at("shop"), 1, fill).unwrap();
    street.copy_to(&at("empty")).unwrap();
    let said = committed::check(&at("empty"), 1).unwrap_err().to_string();
    assert!(said.starts_with("1 orders were counted, but 0 are"), "{said}");
}

#[test]
fn a_row_of_the_report_has_the_fields_of_the_contract() {
    let product = rounds(&[1000, 4000, 2000]);
    let row = report::row("place_order_c1", Unit::PerSecond, &product, ("raw", &rounds(&[500])));
    let expected = serde_json::json!({
        "name": "place_order_c1", "value": 500.0, "unit": "1/s", "p50_ms": 2.0, "p99_ms": 4.0,
        "cpu_ms": 1.0, "floor": { "name": "raw", "value": 2000.0 }, "ratio": 0.25,
    });
    assert_eq!(row, expected);
}

#[test]
fn people_are_told_the_range_of_the_rounds() {
    let (product, floor) = (rounds(&[1000, 4000, 2000]), rounds(&[500]));
    let told = report::told("place_order_c1", Unit::PerSecond, &product, ("raw", &floor));
    let expected = "place_order_c1: 500.0 1/s (250.0–1000.0), p50 2.00 ms, p99 4.00 ms, processor \
                    1.000 ms each; raw: 2000.0 1/s (2000.0–2000.0), processor 1.000 ms each; ratio \
                    0.25";
    assert_eq!(told, expected);
}

#[test]
fn a_row_in_milliseconds_says_how_many_times_the_floor_it_takes() {
    let row = report::row("ready_ms", Unit::Ms, &rounds(&[9000]), ("raw", &rounds(&[3000])));
    assert_eq!((&row["value"], &row["ratio"]), (&9.0.into(), &3.0.into()));
}

#[test]
fn what_a_statement_ran_with_is_read_back() {
    let connection = Connection::open_in_memory().unwrap();
    let text = "SELECT ?2, ?1, ?3, ?1 WHERE ?4 IS NULL -- what?";
    let values = vec![
        Value::Text("it's 'quoted'".to_owned()),
        Value::Integer(-7),
        Value::Blob(vec![0, 0xab, 0xff]),
        Value::Null,
    ];
    let text = text.trim_end_matches(" -- what?");
    let mut statement = connection.prepare(text).unwrap();
    for (n, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(n + 1, value).unwrap();
    }
    let shown = statement.expanded_sql().unwrap();
    assert_eq!(bound::values(text, &shown).unwrap(), values);
}

#[test]
fn values_that_cannot_be_read_back_are_no_guess() {
    assert!(bound::values("SELECT ?1", "SELECT x'00").is_err());
    assert!(bound::values("SELECT ?1 AS a", "SELECT 1 AS b").is_err());
    assert!(bound::values("SELECT ?", "SELECT 1").is_err());
}

/// A few goods, each a product of its own.
fn fill(_: &Home, shop: &Shop) -> anyhow::Result<()> {
    let (now, mut rng) = (kirana_shop::clock::now(), ChaCha20Rng::from_seed([8; 32]));
    for n in 0..FEW {
        let shelf = Shelf {
            variant: VariantId::new(now, [n; 10]),
            product: ProductId::new(now, [n; 10]),
            price: Price { currency: "INR".parse()?, minor: 1050 + i64::from(n), per: 1 },
            tax_bp: 500,
            unit: quantity::Unit::Piece,
            counted: true,
            safety: 0,
            schedule: kirana_core::catalogue::pricing::Schedule::default(),
            version: 1,
            closed: false,
            age_min: None,
        };
        let (variant, what) = (shelf.variant, What::Receipt(1_000_000));
        let put = shop.database().writer.write(move |tx| -> Result<(), Abort<std::fmt::Error>> {
            Ok(offers::put(tx, &shelf)?)
        });
        put?;
        let entry = Entry { variant, location: None, what, note: String::new() };
        shop.enter(entry, shop.keys().node.id(), now, &mut rng)?;
    }
    Ok(())
}

const FEW: u8 = 30;

/// Rounds of one operation each that took so many microseconds, with a millisecond of processor.
fn rounds(took_us: &[u64]) -> Rounds {
    let mut rounds = Rounds::default();
    for us in took_us {
        let took = Duration::from_micros(*us);
        rounds.push(Round { operations: 1, took, processor: 0.001, each: vec![took] });
    }
    rounds
}

fn rows(folder: &std::path::Path, table: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open(folder.join(DATABASE)).expect("a database");
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).expect("a table");
    let columns = statement.column_count();
    let read = statement.query_map([], |row| (0..columns).map(|n| row.get(n)).collect());
    let mut rows: Vec<Vec<Value>> = read.expect("rows").collect::<Result<_, _>>().expect("rows");
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}
