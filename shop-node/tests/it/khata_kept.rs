//! Credit books that are kept: by people without a device, through a restore, and over damaged bytes.

use kirana_core::{
    id::OrderId,
    khata::chain::Khata,
    order::wish::{Answer, Head, Heads, Said, Wish},
    statement::UnverifiedStatement,
};
use kirana_migrations::{Abort, Database, Location, Schema, Tx};
use kirana_shop::app::{
    Delivered, Outcome, Shop,
    khata::{NewKhata, NotWritten, Writing},
};

use crate::{
    khata::{Case, charge, copy, money, open, pay, place, says, write},
    neighbour::{Customer, NOW, Neighbourhood, rng},
};

#[test]
fn a_person_without_a_device_has_a_book_and_may_get_a_device_later() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 10);
    let nobody = NewKhata {
        holder: None,
        name: "  ".to_owned(),
        phone: String::new(),
        limit: money(1),
        opening: money(0),
    };
    let refused = street.shop.open_khata(None, nobody, None, NOW, &mut rng(8));
    assert!(matches!(refused, Err(NotWritten::Nobody)), "{refused:?}");
    let khata = open(&street, None, 10_000).expect("it is opened").row.id;
    for n in 0..40 {
        write(&street.shop, khata, charge(100 + n, false)).expect("it fits");
    }
    let asha = Customer::new(&street, 20);
    place(&street, &asha, 1, asha.wants(&[(milk, 1, 3_000)]));
    let view = write(&street.shop, khata, Writing::Claim(asha.party)).expect("it is linked");
    assert!(view.row.claimed_at.is_some());
    let book = copy(&street, &asha);
    assert_eq!(book.len(), 42, "the device gets all of it, page by page");
    assert_eq!(book.book().holder, Some(asha.party));
    let again = open(&street, Some(asha.party), 1);
    assert!(matches!(again, Err(NotWritten::HasOne(_))), "{again:?}");
    let faults = street.shop.verify().expect("it is read").faults;
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn p4_name_phone_and_words_are_encrypted_and_forgotten_and_the_sums_stay() {
    let case = Case::new(10_000);
    let words = "rice for the canary's wedding".to_owned();
    let (amount, beyond) = (money(700), false);
    case.write(Writing::Charge { amount, words: words.clone(), beyond }).expect("it fits");
    let raw = case.street.shop.database().image().expect("an image");
    for text in ["Asha Canary", "98450 00000", &words] {
        assert!(!raw.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    assert_eq!(case.view().person.map(|person| person.name), Some("Asha Canary".to_owned()));
    case.write(Writing::Forget).expect("the person is forgotten");
    assert_eq!(case.view().person, None);
    let book = case.street.shop.khata(case.khata).expect("it holds");
    assert_eq!(book.entries[1].words, None);
    assert_eq!(case.stands(), (700, 0));
    case.write(charge(5, false)).expect("it goes on");
    case.is_sound();
}

pub fn heads(case: &Case, book: &Khata, generation: u64) -> Wish {
    let (order, seq, hash) = (case.khata.as_order(), book.last().seq(), book.head());
    let heads = vec![Head { order, seq, hash }];
    Wish::Heads(Heads { heads, anchors: Vec::new(), generation })
}

pub fn wanted(delivered: &Delivered) -> Vec<OrderId> {
    let Some(Outcome::Answered { bytes }) = delivered.outcomes.last() else { panic!("no answer") };
    let read = UnverifiedStatement::parse(bytes).expect("it parses");
    match Said::of(read.claimed()) {
        Ok(Said::Answer(Answer::HeadsReply(reply))) => reply.wanted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restored_shop_hears_the_holder_before_it_writes_and_charges_nothing_twice() {
    let mut case = Case::new(20_000);
    case.write(charge(700, false)).expect("it fits");
    let yesterday = case.street.shop.database().image().expect("an image");
    place(&case.street, &case.asha, 1, case.wants(3));
    case.hand_over(1);
    case.write(pay(500)).expect("it is paid");
    let before = copy(&case.street, &case.asha);
    let order: Vec<Vec<u8>> = case.street.shop.entries(case.which(1)).expect("its entries");
    assert_eq!(before.book().balance, money(9_200));

    let database = Database::open(Schema::Shop, Location::Image(yesterday)).expect("it opens");
    let old = case.street.shop.chain().expect("its certificates");
    let shop = Shop::restore(database, case.street.shop.keys(), 0, NOW, &mut rng(50));
    case.street.shop = shop.expect("it is restored");
    let refused = case.write(charge(5, false));
    assert!(matches!(refused, Err(NotWritten::Waits(_))), "{refused:?}");

    let told = says(&case.street, &case.asha, case.khata, &heads(&case, &before, 2));
    assert_eq!(wanted(&told), [case.khata.as_order()], "it asks for what it lost");
    // The device gives the book and the order back, in whatever order.
    let mut parcel = case.asha.parcel(&[]);
    parcel.certificates.extend(old.into_iter().map(Into::into));
    let entries = before.entries().iter().map(|e| e.signed().bytes().to_vec());
    parcel.statements = order.into_iter().chain(entries).map(Into::into).collect();
    let again = heads(&case, &before, 2).sign(
        case.khata.as_order(),
        case.street.shop.id(),
        NOW,
        [8; 16],
        &case.asha.keys.signing,
    );
    parcel.statements.push(again.bytes().to_vec().into());
    case.street.deliver(&case.asha.mail(&case.street, &parcel)).expect("it is adopted");
    assert_eq!(case.stands(), (9_200, 0), "charged once");
    case.write(charge(5, false)).expect("it goes on");
    assert_eq!(case.stands(), (9_205, 0));
    case.is_sound();
}

#[test]
fn p8_what_a_restored_shop_forgot_of_its_book_but_not_of_the_order_is_charged_again_once() {
    let mut case = Case::new(20_000);
    let yesterday = case.street.shop.database().image().expect("an image");
    place(&case.street, &case.asha, 1, case.wants(3));
    case.hand_over(1);
    let order: Vec<Vec<u8>> = case.street.shop.entries(case.which(1)).expect("its entries");
    let database = Database::open(Schema::Shop, Location::Image(yesterday)).expect("it opens");
    let old = case.street.shop.chain().expect("its certificates");
    let shop = Shop::restore(database, case.street.shop.keys(), 0, NOW, &mut rng(50));
    case.street.shop = shop.expect("it is restored");
    // The device of somebody who lost the book, but has the order.
    let mut parcel = case.asha.parcel(&[]);
    parcel.certificates.extend(old.into_iter().map(Into::into));
    parcel.statements = order.into_iter().map(Into::into).collect();
    case.street.deliver(&case.asha.mail(&case.street, &parcel)).expect("it is adopted");
    assert_eq!(case.stands(), (0, 0), "the book waits for its holder");
    for _ in 0..2 {
        case.write(Writing::GoOn).expect("the owner takes the word for it");
        assert_eq!(case.stands(), (9_000, 0));
    }
    case.is_sound();
}

#[test]
fn p8_every_flipped_byte_of_a_stored_entry_is_found() {
    let case = Case::new(10_000);
    case.write(charge(700, false)).expect("it fits");
    case.write(charge(300, false)).expect("it fits");
    let bytes = |seq: u32| {
        let read = case.street.shop.database().reader.read(|c| {
            let sql = "SELECT bytes FROM khata_entry WHERE seq = ?1";
            Ok::<Vec<u8>, kirana_migrations::StoreError>(c.query_row(sql, [seq], |r| r.get(0))?)
        });
        read.expect("it is there")
    };
    let put = |seq: u32, bytes: Vec<u8>| {
        let put = move |tx: &Tx<'_>| -> Result<(), Abort<()>> {
            let sql = "UPDATE khata_entry SET bytes = ?2 WHERE seq = ?1";
            tx.execute(sql, (seq, &bytes)).map_err(kirana_migrations::StoreError::from)?;
            Ok(())
        };
        case.street.shop.database().writer.write(put).expect("it is written");
    };
    for seq in 0..3 {
        let whole = bytes(seq);
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            put(seq, damaged);
            let found = case.street.shop.verify().expect("it is read").faults;
            assert!(!found.is_empty(), "entry {seq}, byte {at}");
        }
        put(seq, whole);
    }
    case.is_sound();
    // Upon a damaged end nothing is written.
    let mut damaged = bytes(2);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    put(2, damaged);
    let refused = case.write(charge(1, false));
    assert!(matches!(refused, Err(NotWritten::Damaged(_))), "{refused:?}");
}

#[test]
fn p8_a_balance_that_was_changed_beside_the_entries_is_found_and_not_built_upon() {
    let case = Case::new(10_000);
    case.write(charge(9_000, false)).expect("it fits");
    let less = |tx: &Tx<'_>| -> Result<(), Abort<()>> {
        let sql = "UPDATE khata SET balance_minor = 0";
        tx.execute(sql, []).map_err(kirana_migrations::StoreError::from)?;
        Ok(())
    };
    case.street.shop.database().writer.write(less).expect("it is written");
    assert!(!case.street.shop.verify().expect("it is read").faults.is_empty());
    let refused = case.write(charge(5_000, false));
    assert!(matches!(refused, Err(NotWritten::Damaged(_))), "{refused:?}");
}

#[test]
fn an_old_box_hands_the_books_over_that_only_it_knew() {
    let street = Neighbourhood::new();
    let yesterday = street.shop.database().image().expect("an image");
    let khata = open(&street, None, 90_000).expect("it is opened").row.id;
    for _ in 0..70 {
        write(&street.shop, khata, charge(100, false)).expect("it fits");
    }
    write(&street.shop, khata, pay(500)).expect("it is paid");
    let database = Database::open(Schema::Shop, Location::Image(yesterday)).expect("it opens");
    let newer = Shop::restore(database, street.shop.keys(), 0, NOW, &mut rng(50));
    let newer = newer.expect("it is restored");
    let shown = newer.chain().expect("its certificates");
    let why = street.shop.meet_box(&shown, NOW, &mut rng(51)).expect("it is met");
    assert!(why.is_some(), "the old box writes no more");
    let refused = write(&street.shop, khata, charge(1, false));
    assert!(matches!(refused, Err(NotWritten::ReadOnly(_))), "{refused:?}");
    let handed = street.shop.hand_over(NOW, &mut rng(52)).expect("it hands over");
    for _ in 0..2 {
        for mail in &handed.mails {
            newer.deliver(mail, NOW, &mut rng(53)).expect("it is taken over");
        }
    }
    let book = newer.khata(khata).expect("it holds");
    assert_eq!((book.view.row.balance, book.entries.len()), (6_500, 72));
    write(&newer, khata, charge(1, false)).expect("it goes on");
    assert_eq!(newer.verify().expect("it is read").faults, Vec::<String>::new());
}
