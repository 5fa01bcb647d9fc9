//! Books that come back to a shop that was restored: page by page, beside another one, and with what lost.

use std::sync::atomic::{AtomicU64, Ordering};

use kirana_core::{
    khata::chain::{Entry, Khata},
    order::wish::{Answer, Said, Wish},
    statement::UnverifiedStatement,
};
use kirana_migrations::{Abort, Database, Location, Schema, StoreError, Tx};
use kirana_shop::app::{
    Delivered, Outcome, Shop,
    khata::{NotWritten, OnCredit, Writing},
    orders::{Deed, NotDone},
};

use crate::{
    khata::{Case, charge, copy, open, open_by, pay, place},
    khata_kept::{heads, wanted},
    neighbour::{NOW, Neighbourhood, rng},
};

/// The shop as it was, as a new box; the certificates of the one before.
fn restore(street: &mut Neighbourhood, image: Vec<u8>) -> Vec<Vec<u8>> {
    let database = Database::open(Schema::Shop, Location::Image(image)).expect("it opens");
    let old = street.shop.chain().expect("its certificates");
    let shop = Shop::restore(database, street.shop.keys(), 0, NOW, &mut rng(50));
    street.shop = shop.expect("it is restored");
    old
}

/// The device brings statements back, and says how far its copy goes.
fn brings(case: &Case, old: &[Vec<u8>], bytes: Vec<Vec<u8>>, wish: &Wish) -> Delivered {
    let mut parcel = case.asha.parcel(&[]);
    parcel.certificates.extend(old.iter().cloned().map(Into::into));
    // A device draws another name for each request.
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&count.to_be_bytes());
    parcel.statements = bytes.into_iter().map(Into::into).collect();
    let (order, shop) = (case.khata.as_order(), case.street.shop.id());
    let heads = wish.sign(order, shop, NOW, id, &case.asha.keys.signing);
    parcel.statements.push(heads.bytes().to_vec().into());
    case.street.deliver(&case.asha.mail(&case.street, &parcel)).expect("it is adopted")
}

fn bytes(entries: &[Entry]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry.signed().bytes().to_vec()).collect()
}

/// A case whose backup knew nothing of the book, and the book as the device has it.
fn unknown_book(entries: usize) -> (Case, Khata, Vec<Vec<u8>>) {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 1_000);
    let asha = crate::neighbour::Customer::new(&street, 20);
    place(&street, &asha, 1, asha.wants(&[(milk, 1, 3_000)]));
    let yesterday = street.shop.database().image().expect("an image");
    let khata = open(&street, Some(asha.party), 1_000_000).expect("it is opened").row.id;
    let mut case = Case { street, milk, asha, khata };
    for _ in 2..entries {
        case.write(charge(100, false)).expect("it fits");
    }
    case.write(pay(100)).expect("it is paid");
    let before = copy(&case.street, &case.asha);
    assert_eq!(before.len(), entries);
    let old = restore(&mut case.street, yesterday);
    (case, before, old)
}

#[test]
fn p1_a_book_that_the_backup_did_not_know_comes_back_page_by_page_and_is_written_into_at_its_end() {
    let (case, before, old) = unknown_book(200);
    let told = brings(&case, &old, vec![], &heads(&case, &before, 2));
    assert_eq!(wanted(&told), [case.khata.as_order()], "it has never heard of it");
    let pages: Vec<&[Entry]> = before.entries().chunks(60).collect();
    for (n, page) in pages.iter().enumerate() {
        // A page that comes too early, or twice, does no harm.
        if let Some(later) = pages.get(n + 1) {
            brings(&case, &old, bytes(later), &heads(&case, &before, 2));
        }
        brings(&case, &old, bytes(page), &heads(&case, &before, 2));
        let told = brings(&case, &old, bytes(page), &heads(&case, &before, 2));
        let (row, is_last) = (case.view().row, n + 1 == pages.len());
        assert_eq!(row.seq as usize + 1, before.len().min((n + 1) * 60));
        assert_eq!((row.waits_for_heads, wanted(&told).is_empty()), (!is_last, is_last));
        if !is_last {
            let early = case.write(charge(5, false));
            assert!(matches!(early, Err(NotWritten::Waits(_))), "{early:?}");
        }
    }
    assert_eq!(case.stands(), (before.book().balance.minor, 0));
    case.write(charge(5, false)).expect("it goes on");
    assert_eq!(case.street.shop.khata(case.khata).expect("it holds").entries.len(), 201);
    let taken = case.street.shop.takings(None, None, NOW).expect("it is read");
    assert_eq!(taken.rows.len(), 1, "what was paid lies in the till once");
    case.is_sound();
}

#[test]
fn a_second_book_of_one_customer_that_comes_back_stands_aside_until_the_owner_joins_them() {
    let (case, before, old) = unknown_book(10);
    let first = open_by(&case.street, Some(case.asha.party), 50_000, 18).expect("a new one").row.id;
    crate::khata::write(&case.street.shop, first, charge(300, false)).expect("it fits");
    brings(&case, &old, bytes(before.entries()), &heads(&case, &before, 2));
    let shop = &case.street.shop;
    let row = case.view().row;
    assert!(row.aside && !row.waits_for_heads, "it is shown, and whole");
    let refused = case.write(charge(5, false));
    assert!(matches!(refused, Err(NotWritten::StandsAside(_))), "{refused:?}");
    let found = shop.find_khata(&case.asha.party.to_string().replace("account ", ""));
    assert_eq!(found.ok(), Some(first), "what is taken on credit goes into the other");
    let owed = before.book().balance.minor;
    case.write(Writing::Join).expect("the owner joins them");
    assert_eq!(case.stands().0, 0);
    assert!(!case.view().row.is_open && !case.view().row.aside);
    assert_eq!(shop.khata(first).expect("it holds").view.row.balance, owed + 300);
    let again = case.write(Writing::Join);
    assert!(matches!(again, Err(NotWritten::StandsAlone(_))), "{again:?}");
    case.is_sound();
}

#[test]
fn what_two_books_charged_for_one_order_counts_once_when_they_are_joined() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 1_000);
    let asha = crate::neighbour::Customer::new(&street, 20);
    let yesterday = street.shop.database().image().expect("an image");
    let khata = open(&street, Some(asha.party), 50_000).expect("it is opened").row.id;
    let mut case = Case { street, milk, asha, khata };
    case.order(1, 3);
    case.hand_over(1);
    let before = copy(&case.street, &case.asha);
    let order: Vec<Vec<u8>> = case.street.shop.entries(case.which(1)).expect("its entries");
    let old = restore(&mut case.street, yesterday);
    // The order comes first, and is written into the book that the customer has by then.
    let first = open_by(&case.street, Some(case.asha.party), 50_000, 18).expect("a new one").row.id;
    brings(&case, &old, order, &heads(&case, &before, 2));
    let balance = |id| case.street.shop.khata(id).expect("it holds").view.row.balance;
    assert_eq!(balance(first), 9_000);
    brings(&case, &old, bytes(before.entries()), &heads(&case, &before, 2));
    assert_eq!((case.stands().0, case.view().row.aside), (9_000, true));
    case.write(Writing::Join).expect("the owner joins them");
    assert_eq!((case.stands().0, balance(first)), (0, 9_000), "charged once");
    case.is_sound();
}

#[test]
fn an_order_whose_book_comes_back_by_another_device_is_charged_no_second_time() {
    let mut case = Case::new(50_000);
    case.order(1, 3);
    let yesterday = case.street.shop.database().image().expect("an image");
    case.hand_over(1);
    let before = copy(&case.street, &case.asha);
    let old = restore(&mut case.street, yesterday);
    brings(&case, &old, bytes(before.entries()), &heads(&case, &before, 2));
    assert_eq!(case.stands().0, 9_000, "the book is back, the order is not");
    case.act(1, Deed::GoOn).expect("the owner goes on without its copy");
    case.hand_over(1);
    assert_eq!(case.stands().0, 9_000, "it waits for a person");
    let put = OnCredit { khata: None, amount: None, beyond: true };
    let refused = case.act(1, Deed::OnKhata(put));
    assert!(matches!(refused, Err(NotDone::Khata(NotWritten::ChargedBefore))), "{refused:?}");
}

#[test]
fn what_loses_in_a_book_is_kept_and_shown_however_often_it_comes() {
    let mut case = Case::new(50_000);
    case.order(1, 1);
    let yesterday = case.street.shop.database().image().expect("an image");
    case.write(charge(700, false)).expect("it fits");
    let before = copy(&case.street, &case.asha);
    let old = restore(&mut case.street, yesterday);
    case.write(Writing::GoOn).expect("the owner goes on without the device");
    case.write(charge(50, false)).expect("it fits");
    for _ in 0..3 {
        brings(&case, &old, bytes(before.entries()), &heads(&case, &before, 2));
        let book = case.street.shop.khata(case.khata).expect("it holds");
        assert_eq!((book.view.row.balance, book.lost), (50, 1));
    }
    case.is_sound();
}

#[test]
fn a_damaged_entry_far_from_the_end_comes_back_from_the_device() {
    let case = Case::new(1_000_000);
    case.order(1, 1);
    for _ in 0..100 {
        case.write(charge(100, false)).expect("it fits");
    }
    let before = copy(&case.street, &case.asha);
    let spoil = |tx: &Tx<'_>| -> Result<(), Abort<()>> {
        let sql = "UPDATE khata_entry SET bytes = x'00' WHERE seq = 7";
        tx.execute(sql, []).map_err(StoreError::from)?;
        Ok(())
    };
    case.street.shop.database().writer.write(spoil).expect("it is written");
    let told = brings(&case, &[], vec![], &heads(&case, &before, 1));
    assert_eq!(wanted(&told), [case.khata.as_order()]);
    let Some(Outcome::Answered { bytes: said }) = told.outcomes.last() else { panic!("no answer") };
    let read = UnverifiedStatement::parse(said).expect("it parses");
    let Ok(Said::Answer(Answer::HeadsReply(reply))) = Said::of(read.claimed()) else {
        panic!("no reply")
    };
    assert_eq!(reply.heads[0].seq, 6, "from there on it is given back");
    brings(&case, &[], bytes(&before.entries()[7..67]), &heads(&case, &before, 1));
    case.is_sound();
}

#[test]
fn p4_whoever_was_forgotten_stays_so_when_a_device_gives_the_book_back() {
    let (case, before, old) = unknown_book(10);
    let name = format!("khata {}", case.khata);
    let noted = move |tx: &Tx<'_>| -> Result<(), Abort<()>> {
        let sql = "INSERT INTO erased (name) VALUES (?1)";
        tx.execute(sql, [&name]).map_err(StoreError::from)?;
        Ok(())
    };
    case.street.shop.database().writer.write(noted).expect("it is noted");
    brings(&case, &old, bytes(before.entries()), &heads(&case, &before, 2));
    let row = case.view().row;
    assert_eq!((row.seq as usize + 1, row.wrapped_key), (10, None), "the sums, and no key");
    case.is_sound();
}
