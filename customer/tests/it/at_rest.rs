//! P4 for a device that somebody takes: nothing in its folder but the key tells who lives there.

use std::path::Path;

use kirana_core::{
    at_rest::DiskKey,
    catalogue::{BucketNo, document::Bucket},
    envelope::{self, PersonalPart},
    household::{Address, usual_cart},
    id::{AddressId, OrderId},
    order::personal::Personal,
};
use kirana_customer::{
    app::{Household, person},
    home::{DATABASE, Home, KEYS},
};
use kirana_migrations::rusqlite::Connection;

use crate::{
    neighbour::{NOW, Neighbour, rng, two_kilos_of_rice},
    program::{json, kirana},
    shelf::{chunk, variant_id},
};

const NAME: &str = "Meenakshi Canary";
const STREET: &str = "14 Canary Cross Street";
const PHONE: &str = "+91 98450 73215";
const NOTE: &str = "the canary bites";
const PERSONAL: [&str; 4] = [NAME, STREET, PHONE, NOTE];

/// The files in a folder, but for the keys, that hold this text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        if name != KEYS && bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(name);
        }
    }
    found
}

fn opened(home: &Home) -> Household {
    Household::open(home.database().unwrap(), home.keys(None).unwrap()).unwrap()
}

#[test]
fn p4_a_stolen_folder_without_its_key_does_not_tell_who_lives_there() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let done = kirana(folder.path(), words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        json(&done.stdout)
    };
    run(&["--json", "init", "--name", NAME]);
    let (home, shop) = (Home::at(folder.path()), Neighbour::new());
    let household = opened(&home);
    shop.introduce_to(&household);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    household.save_catalogue(&chunk(&shop, &mut document, 1, 6_800)).unwrap();
    // Whoever reads keeps the write-ahead log from being emptied, so that it is searched too.
    let reader = Connection::open(folder.path().join(DATABASE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM journal").unwrap();

    run(&["--json", "address", "add", "home", STREET, "--phone", PHONE]);
    run(&["--json", "cart", "add", &shop.id.to_string(), &variant_id().to_string(), "1kg"]);
    let item = format!("{}=2kg", variant_id());
    let shop_id = shop.id.to_string();
    let placed =
        run(&["--json", "order", "place", "--shop", &shop_id, "--item", &item, "--note", NOTE]);
    run(&["--json", "order", "place"]);

    let nobody_is_told = |file: &str| {
        // The same search finds what lies in clear, and finds it in this very file.
        let in_clear = holding(folder.path(), "Asha General Store");
        assert!(in_clear.iter().any(|name| name == file), "{file} is not in {in_clear:?}");
        for text in PERSONAL {
            assert_eq!(holding(folder.path(), text), Vec::<String>::new(), "{text}");
        }
    };
    nobody_is_told(&format!("{DATABASE}-wal"));
    reader.execute_batch("ROLLBACK").unwrap();
    let emptied = "PRAGMA wal_checkpoint(TRUNCATE)";
    assert_eq!(reader.query_row(emptied, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    nobody_is_told(DATABASE);

    // The shop, and nobody else, gets all of it.
    let order: OrderId = placed["orders"][0]["id"].as_str().unwrap().parse().unwrap();
    let first = household.order_chain(order).unwrap().first().hash();
    let mail = household.mail_for(first, &mut rng(2)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    let Personal { name, address, phone, note, .. } =
        Personal::read(&parcel.personal[0].bytes).unwrap();
    assert_eq!([name, address, phone, note], PERSONAL);
}

/// A folder as the version before this one left it: all that is personal readable.
fn as_before(folder: &Path) -> (Home, Neighbour, OrderId, PersonalPart) {
    let (home, shop) = (Home::at(folder), Neighbour::new());
    let keys = home.make_keys(None, &mut rng(1)).unwrap();
    let disk = DiskKey::of(&keys);
    let household = Household::create(home.database().unwrap(), keys, NOW, &mut rng(2)).unwrap();
    shop.introduce_to(&household);
    let mut new = two_kilos_of_rice(shop.id);
    let (address, phone) = (STREET.to_owned(), PHONE.to_owned());
    let (name, note) = (NAME.to_owned(), NOTE.to_owned());
    new.personal = Some(Personal { name, address, phone, note, place: None });
    let order = household.place(new, NOW, &mut rng(3)).unwrap().id;
    let edit = household.edit_document(&mut rng(4), |document| {
        document.set_name(NAME, NOW)?;
        let (label, text) = ("home".to_owned(), STREET.to_owned());
        let address = Address { label, text, phone: PHONE.to_owned(), ..Address::default() };
        document.put_address(AddressId::new(NOW, [1; 10]), &address, NOW)
    });
    edit.unwrap();
    let document = household.document().unwrap().save();
    let part = household.database().reader.read(|reader| person::part(reader, &disk, order));
    let part = part.unwrap().unwrap();
    drop(household);

    let database = Connection::open(folder.join(DATABASE)).unwrap();
    let put = "UPDATE customer_order SET personal_salt = ?1, personal = ?2";
    database.execute(put, (part.salt, &part.bytes)).unwrap();
    // Documents grow, and what was written over lies in pages that nothing uses any more.
    for document in [NOTE.repeat(2_000).into_bytes(), document] {
        let put = "INSERT OR REPLACE INTO setting (name, value) VALUES ('household', ?1)";
        database.execute(put, [document]).unwrap();
    }
    let back = "DROP TABLE kept_picture; DROP INDEX product_by_image;
                ALTER TABLE product DROP COLUMN image;
                DROP TABLE category; DROP TABLE category_shelves; DROP INDEX product_by_shelves;
                ALTER TABLE product DROP COLUMN shelves;
                ALTER TABLE catalogue_base DROP COLUMN signed_at;
                ALTER TABLE customer_order DROP COLUMN sealed_personal;
                DROP TABLE sealed_setting; DROP TABLE message; DROP TABLE edited_once; DROP TABLE shop_terms;
                DROP TABLE khata; DROP TABLE khata_entry;
                DROP INDEX product_by_turn; ALTER TABLE product DROP COLUMN turns_ms;
                PRAGMA user_version = 4;
                DROP TABLE word; DROP INDEX product_in_order; DROP INDEX product_by_price;
                DROP INDEX product_by_unit_price; DROP INDEX product_by_name;
                ALTER TABLE product DROP COLUMN rank; ALTER TABLE product DROP COLUMN price;
                ALTER TABLE product DROP COLUMN unit_price; ALTER TABLE product DROP COLUMN folded;
                ALTER TABLE product DROP COLUMN counted; ALTER TABLE product DROP COLUMN category;
                ALTER TABLE product DROP COLUMN diets; ALTER TABLE product_value DROP COLUMN shown;
                CREATE INDEX product_by_shelf ON product (shop, listed, in_stock DESC, row);";
    database.execute_batch(back).unwrap();
    (home, shop, order, part)
}

#[test]
fn p4_what_an_earlier_version_left_readable_is_encrypted_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (home, shop, order, part) = as_before(folder.path());
    for text in PERSONAL {
        assert_ne!(holding(folder.path(), text), Vec::<String>::new(), "{text}");
    }

    let household = opened(&home);
    for text in PERSONAL {
        assert_eq!(holding(folder.path(), text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(household.verify().faults, Vec::<String>::new());
    let document = household.document().unwrap();
    assert_eq!((document.name(), document.addresses().len()), (NAME.to_owned(), 1));
    assert!(document.lines(usual_cart()).is_empty());
    let first = household.order_chain(order).unwrap().first().hash();
    let mail = household.mail_for(first, &mut rng(5)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    assert_eq!(parcel.personal, [part]);
    drop(household);
    let again = opened(&home);
    assert_eq!(again.document().unwrap().name(), NAME);
}

#[test]
fn p1_an_order_whose_name_and_address_are_damaged_is_sent_without_them() {
    let (shop, meena) = (Neighbour::new(), crate::neighbour::household(1));
    shop.introduce_to(&meena);
    let placed = meena.place(two_kilos_of_rice(shop.id), NOW, &mut rng(1)).unwrap();
    crate::verify::flip(&meena, "customer_order", "sealed_personal", "1 = 1");
    assert!(meena.verify().faults[0].contains("name and address"));
    let mail = meena.mail_for(placed.entry, &mut rng(2)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    assert_eq!((parcel.statements.len(), parcel.personal.len()), (1, 0));
}
