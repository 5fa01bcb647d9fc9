//! Imports that are interrupted: they go on behind their last commit and end as if nothing had been.

use std::{collections::BTreeMap, io::Cursor};

use kirana_core::{
    catalogue::product::{Language, Product},
    key::KeyId,
    quantity::Unit,
};
use kirana_migrations::{Fault, StoreError, catalogue::chunks};
use kirana_shop::app::{
    Shop,
    counter::SaleLine,
    import::{NotImported, Order, Report, State, draw_id},
};

use crate::neighbour::{NOW, Neighbourhood, rng};

fn owner(shop: &Shop) -> KeyId {
    shop.keys().node.id()
}

fn import(shop: &Shop, text: &str) -> Result<Report, NotImported> {
    let begun = NOW.plus_ms(shop.imports(100).expect("read").len() as u64);
    let (order, mut rng) = (Order::default(), rng(11));
    let id = draw_id(begun, &mut rng);
    shop.import(&order, Cursor::new(text), id, owner(shop), NOW, &mut rng)
}

fn last(shop: &Shop) -> Report {
    let last = shop.imports(1).expect("read").pop().expect("an import");
    shop.import_report(last.import_id).expect("read").expect("its report")
}

/// So many products with a bad line, an odd one and a repeated one among each hundred.
fn table(products: u32) -> String {
    let lines = (0..products).map(|n| match n % 100 {
        7 => format!("S{n},Tea {n},-1,,1\n"),
        8 => format!("S{n},Tea {n},10,123,1\n"),
        9 => format!("S{},Tea again,10,,1\n", n - 9),
        _ => format!("S{n},Tea {n},{},,2\n", 10 + n),
    });
    std::iter::once("sku,name,price,gtin,stock\n".to_owned()).chain(lines).collect()
}

#[test]
fn p7_after_a_crash_the_same_file_goes_on_behind_the_last_commit() {
    let text = table(1_000);
    let whole = import(&Neighbourhood::new().shop, &text).expect("a report");
    assert_eq!((whole.products_added, whole.refused_lines, whole.warnings.len()), (980, 20, 10));
    for fault in [Fault::CrashBeforeCommit(3), Fault::CrashAfterCommit(3)] {
        let street = Neighbourhood::new();
        street.shop.database().writer.inject(Some(fault));
        import(&street.shop, &text).expect_err("the power failed");
        let (database, keys) = (street.shop.database().restart(), street.shop.keys().clone());
        let shop = Shop::open(database, keys).expect("it opens again");
        let before = last(&shop);
        assert_eq!(before.state, State::Running, "nobody could write that it failed");
        assert!((200..980).contains(&before.products_added), "{}", before.products_added);
        let waiting = shop.interrupted_imports().expect("read");
        assert_eq!(waiting, [(before.import_id, State::Running)]);
        let mut rest = rng(12);
        let again = draw_id(NOW.plus_ms(9), &mut rest);
        let (order, by) = (Order::default(), owner(&shop));
        let report = shop.import(&order, Cursor::new(&text), again, by, NOW, &mut rest);
        let report = report.expect("a report");
        let expected = Report { import_id: before.import_id, ..whole.clone() };
        assert_eq!(report, expected, "as if there had been no crash");
        let stock = shop.stock(None, 5_000, NOW).expect("read");
        assert_eq!(stock.iter().map(|row| row.balance.on_hand).sum::<u64>(), 970 * 2 + 10);
        let repeated = import(&shop, &text).expect("a report");
        assert_eq!((repeated.products_added, repeated.products_changed), (0, 0));
        assert_eq!((repeated.unchanged, repeated.refused_lines), (980, 20));
    }
}

#[test]
fn an_import_goes_on_from_its_own_file_only() {
    let text = table(600);
    let street = Neighbourhood::new();
    street.shop.database().writer.inject(Some(Fault::CrashBeforeCommit(2)));
    import(&street.shop, &text).expect_err("the power failed");
    let (database, keys) = (street.shop.database().restart(), street.shop.keys().clone());
    let shop = Shop::open(database, keys).expect("it opens again");
    let id = last(&shop).import_id;
    let resume = |text: String| {
        let go_on = &mut |_: &_, _| std::ops::ControlFlow::Continue(());
        shop.resume_import(id, Cursor::new(text), NOW, &mut rng(3), go_on)
    };
    let other = resume(text.replace("Tea 5,", "Tee 5,"));
    assert!(matches!(other, Err(NotImported::OtherFile)), "{other:?}");
    let failed = last(&shop);
    assert_eq!(failed.state, State::Failed);
    assert!(failed.problem.expect("why").contains("not the file that the import began with"));
    assert_eq!(resume(text.clone()).expect("a report").products_added, 588);
    assert!(matches!(resume(text), Err(NotImported::Ended(State::Done))));
}

#[test]
fn an_import_that_a_full_disk_ended_says_so_and_goes_on_when_there_is_room() {
    let (street, text) = (Neighbourhood::new(), table(3_000));
    let filled = std::cell::Cell::new(false);
    let (order, mut rng) = (Order::default(), rng(11));
    let (shop, mut file) = (&street.shop, Cursor::new(&text));
    let prepared = shop.prepare_import(&order, &mut file).expect("it is a table");
    let id = draw_id(NOW, &mut rng);
    let id = shop.begin_import(&prepared, id, owner(shop), NOW).expect("it begins");
    let mut fill = |_: &_, _| {
        if !filled.replace(true) {
            shop.database().writer.fill_disk(true).expect("it is full");
        }
        std::ops::ControlFlow::Continue(())
    };
    let ended = shop.run_import(&prepared, file, id, owner(shop), NOW, &mut rng, &mut fill);
    ended.expect_err("the disk is full");
    street.shop.database().writer.fill_disk(false).expect("there is room");
    let report = import(&street.shop, &text).expect("a report");
    assert_eq!((report.import_id, report.state), (id, State::Done));
    assert_eq!((report.products_added, report.refused_lines), (2_940, 60));
}

#[test]
fn a_dry_run_is_kept_nowhere_and_reports_the_same_lines() {
    let (street, text) = (Neighbourhood::new(), table(300));
    let (order, mut rng) = (Order { dry_run: true, ..Order::default() }, rng(11));
    let id = draw_id(NOW, &mut rng);
    let dry =
        street.shop.import(&order, Cursor::new(&text), id, owner(&street.shop), NOW, &mut rng);
    let dry = dry.expect("a report");
    assert_eq!(street.shop.imports(10).expect("read"), []);
    let done = import(&street.shop, &text).expect("a report");
    assert_eq!((&dry.refused, &dry.warnings), (&done.refused, &done.warnings));
    assert_eq!(dry.products_added, done.products_added);
}

/// How a shop's shelf stands: each product that is listed, by its name.
fn shelf(shop: &Shop) -> BTreeMap<String, (bool, Option<i64>)> {
    let english = Language::ENGLISH;
    let all = shop.database().reader.read(|c| -> Result<Vec<Product>, StoreError> {
        let mut products = Vec::new();
        for bucket in chunks::reached(c, shop.id())?.keys() {
            products.extend(chunks::load(c, shop.id(), *bucket)?.0.products());
        }
        Ok(products)
    });
    let shown = |product: Product| {
        let price = product.variants.values().next().and_then(|variant| variant.price);
        let name = product.name(english).to_owned();
        (name, (!product.delisted, price.map(|price| price.minor)))
    };
    all.expect("read").into_iter().map(shown).collect()
}

fn undo(shop: &Shop, id: uuid::Uuid) -> Result<Report, NotImported> {
    let heard = &mut |_| std::ops::ControlFlow::Continue(());
    shop.undo_import(id, owner(shop), NOW, &mut rng(4), heard)
}

fn on_hand(shop: &Shop) -> u64 {
    shop.stock(None, 5_000, NOW).expect("read").iter().map(|row| row.balance.on_hand).sum()
}

#[test]
fn undoing_puts_products_back_and_takes_off_what_was_not_there() {
    let shop = Neighbourhood::new().shop;
    import(&shop, "sku,name,price,stock\nR,Rice,45,3\nS,Salt,20,\n").expect("a report");
    let before = shelf(&shop);
    let text = "sku,name,price,stock\nR,Rice,54,9\nT,Tea,300,7\nS,Salt,20,\n";
    let wrong = import(&shop, text).expect("a report");
    assert_eq!((wrong.products_added, wrong.products_changed, wrong.unchanged), (1, 1, 1));
    assert_eq!(on_hand(&shop), 10);
    let undone = undo(&shop, wrong.import_id).expect("a report");
    assert_eq!((undone.state, undone.restored, undone.left.len()), (State::Undone, 2, 0));
    let mut after = shelf(&shop);
    assert_eq!(after.remove("Tea"), Some((false, Some(30_000))));
    assert_eq!(after, before);
    assert_eq!(on_hand(&shop), 3, "the opening stock went with it");
    assert!(matches!(undo(&shop, wrong.import_id), Err(NotImported::Ended(State::Undone))));
    // The file with the mistake mended.
    let right = import(&shop, &text.replace("54", "45")).expect("a report");
    assert_eq!((right.products_added, right.products_changed, right.unchanged), (1, 0, 2));
    assert_eq!((shelf(&shop)["Tea"], on_hand(&shop)), ((true, Some(30_000)), 10));
}

#[test]
fn undoing_leaves_what_somebody_changed_or_sold_since_and_names_it() {
    let shop = Neighbourhood::new().shop;
    let text = "sku,name,price,stock\nR,Rice,45,3\nS,Salt,20,\nT,Tea,300,7\n";
    let done = import(&shop, text).expect("a report");
    let dearer = "sku,name,price,stock\nS,Salt,21,\n";
    import(&shop, dearer).expect("a report");
    let tea =
        shop.stock(None, 10, NOW).expect("read").into_iter().find(|row| row.balance.on_hand == 7);
    let line = SaleLine {
        variant: tea.expect("tea").slot.variant,
        amount: 1,
        unit: Unit::Piece,
        batch: None,
    };
    shop.sell(vec![line], owner(&shop), NOW, &mut rng(5)).expect("a sale");
    let undone = undo(&shop, done.import_id).expect("a report");
    let left: Vec<_> = undone.left.iter().map(|note| (note.line, note.code.as_str())).collect();
    assert_eq!((undone.restored, left), (1, vec![(3, "changed"), (4, "moved")]));
    let shelf = shelf(&shop);
    assert_eq!(
        (shelf["Rice"].0, shelf["Salt"], shelf["Tea"].0),
        (false, (true, Some(2_100)), true)
    );
    assert_eq!(on_hand(&shop), 6);
}

#[test]
fn p7_an_undoing_that_crashed_goes_on() {
    let street = Neighbourhood::new();
    let done = import(&street.shop, &table(500)).expect("a report");
    street.shop.database().writer.inject(Some(Fault::CrashBeforeCommit(2)));
    undo(&street.shop, done.import_id).expect_err("the power failed");
    let (database, keys) = (street.shop.database().restart(), street.shop.keys().clone());
    let shop = Shop::open(database, keys).expect("it opens again");
    let waiting = shop.interrupted_imports().expect("read");
    assert_eq!(waiting, [(done.import_id, State::Undoing)]);
    let undone = undo(&shop, done.import_id).expect("a report");
    assert_eq!((undone.restored, undone.left.len()), (done.products_added, 0));
    assert!(shelf(&shop).values().all(|(listed, _)| !listed));
    assert_eq!(on_hand(&shop), 0);
}
