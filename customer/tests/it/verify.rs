//! P8: what was altered on this device's disk is found, and told one sentence for each fault.

use kirana_core::catalogue::{BucketNo, document::Bucket};
use kirana_customer::app::Household;
use kirana_migrations::{Abort, Schema, rusqlite::types::Value};

use crate::{
    neighbour::{NOW, Neighbour, household, placed_at, rng},
    shelf::chunk,
};

/// A household with a decided order, one that waits, a saved catalogue and a cart.
fn settled() -> Household {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (_, _, mut chain) = placed_at(&shop, &meena);
    let accepted = shop.accept(&mut chain);
    meena.receive(&shop.post(&[&accepted], &meena.keys().sealing.public(), 3), NOW).unwrap();
    let mut second = crate::neighbour::two_kilos_of_rice(shop.id);
    second.partial_ok = true;
    meena.place(second, NOW.plus_ms(1), &mut rng(9)).unwrap();
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    for n in 1..=3 {
        meena.save_catalogue(&chunk(&shop, &mut document, n, 6_800 + n as i64)).unwrap();
    }
    meena.edit_document(&mut rng(4), |d| d.set_name("Meena", NOW)).unwrap();
    meena
}

/// Turns one byte of every value that the query names over, or any number up by one.
pub fn flip(household: &Household, table: &'static str, column: &'static str, condition: &str) {
    let sql = format!("SELECT {column} FROM {table} WHERE {condition}");
    let put = format!("UPDATE {table} SET {column} = ?1 WHERE {condition}");
    let flipped = household.database().writer.write(move |tx| {
        tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
        let value: Value = tx.query_row(&sql, [], |row| row.get(0))?;
        let other = match value {
            Value::Blob(mut bytes) => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                Value::Blob(bytes)
            }
            Value::Integer(number) => Value::Integer(number ^ 1),
            other => panic!("{other:?}"),
        };
        tx.execute(&put, [other])?;
        Ok::<_, Abort<()>>(())
    });
    flipped.unwrap();
}

#[test]
fn p8_what_nobody_altered_has_no_fault() {
    let found = settled().verify();
    assert_eq!(found.faults, Vec::<String>::new());
    assert_eq!((found.orders, found.entries, found.chunks), (2, 3, 3));
}

#[test]
fn p8_one_altered_byte_anywhere_is_one_fault_at_least() {
    for (table, column, condition) in [
        ("entry", "bytes", "seq = 1"),
        ("entry", "bytes", "seq = 0 AND order_id IN (SELECT order_id FROM outbox)"),
        ("entry", "hash", "seq = 1"),
        ("entry", "kind", "seq = 1"),
        ("entry", "generation", "seq = 1"),
        ("signer", "key", "1 = 1"),
        ("customer_order", "placed_at", "order_id IN (SELECT order_id FROM outbox)"),
        ("customer_order", "open", "order_id IN (SELECT order_id FROM outbox)"),
        ("customer_order", "sealed_personal", "order_id IN (SELECT order_id FROM outbox)"),
        ("outbox", "bytes", "1 = 1"),
        ("outbox", "order_id", "1 = 1"),
        ("sealed_setting", "value", "name = 'household'"),
        ("catalogue_chunk", "content", "n = 2"),
        ("catalogue_chunk", "head", "n = 2"),
        ("catalogue_chunk", "generation", "n = 2"),
    ] {
        let meena = settled();
        flip(&meena, table, column, condition);
        let faults = meena.verify().faults;
        assert!(!faults.is_empty(), "{table}.{column} WHERE {condition}");
    }
}

#[test]
fn p8_an_entry_that_is_gone_is_missed() {
    for condition in ["seq = 0", "seq = 1"] {
        let meena = settled();
        let sql = format!("DELETE FROM entry WHERE {condition}");
        let gone = meena.database().writer.write(move |tx| {
            tx.execute(&sql, [])?;
            Ok::<_, Abort<()>>(())
        });
        gone.unwrap();
        assert!(!meena.verify().faults.is_empty(), "{condition}");
    }
}

#[test]
fn p8_an_old_copy_of_the_database_is_behind_its_list_of_heads() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let (order, _, mut chain) = placed_at(&shop, &meena);
    let yesterday = meena.database().image().unwrap();
    let accepted = shop.accept(&mut chain);
    meena.receive(&shop.post(&[&accepted], &meena.keys().sealing.public(), 3), NOW).unwrap();

    meena.database().put_back(Schema::Customer, &yesterday).unwrap();
    let again = Household::open(meena.database().restart(), meena.keys().clone()).unwrap();
    let faults = again.verify().faults;
    assert_eq!(faults, [format!("order {order}: it had 2 entries, and the last of them is gone")]);
}
