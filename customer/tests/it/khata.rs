//! A shop's credit book on the household's device: the same book, whatever way it came, and countersigned.

use kirana_core::{
    envelope,
    id::KhataId,
    khata::{
        act::{Act, Charged, Countersigned, Moved, Opened},
        chain::{Khata, Tip},
    },
    money::{Currency, Money},
    order::{
        chain::Author,
        facts::Means,
        wish::{Answer, Dispute, Head, HeadsReply, Said, Wish},
    },
    statement::{Party, Position, SignedStatement, UnverifiedStatement},
    time::DAY_MS,
};
use kirana_customer::app::{Household, HouseholdError, khata::KhataStatus};

use crate::{
    neighbour::{NOW, Neighbour, household, rng},
    verify::flip,
};

fn rupees(minor: i64) -> Money {
    Money::new(minor, Currency::INR)
}

fn begin(shop: &Neighbour, holder: Option<Party>) -> Khata {
    let id = KhataId::new(NOW, [9; 10]);
    let opened = Opened { opening: rupees(500), limit: rupees(10_000), personal: None };
    let key = &shop.node.signing;
    let first = Tip::begin(id, shop.id, holder, shop.generation, NOW, opened, key);
    Khata::begin(first.unwrap(), Author::node(shop.id, shop.generation)).unwrap()
}

fn write(shop: &Neighbour, khata: &mut Khata, act: &Act) -> SignedStatement {
    let at = NOW.plus_ms(khata.len() as u64);
    khata.append(shop.generation, at, act, &shop.node.signing).unwrap()
}

fn charge(minor: i64) -> Act {
    Act::Charged(Charged::by_hand(rupees(minor)))
}

fn post(shop: &Neighbour, household: &Household, entries: &[&SignedStatement]) {
    let mail = shop.post(entries, &household.keys().sealing.public(), 3);
    household.receive(&mail, NOW).unwrap();
}

fn post_all(shop: &Neighbour, household: &Household, khata: &Khata) {
    let entries: Vec<_> = khata.entries().iter().map(|entry| entry.signed()).collect();
    post(shop, household, &entries);
}

fn only(household: &Household) -> KhataStatus {
    let mut khatas = household.khatas().unwrap();
    assert_eq!(khatas.len(), 1);
    khatas.remove(0)
}

/// A household that holds a book with two entries.
fn holding() -> (Neighbour, Household, Khata) {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut khata = begin(&shop, Some(meena.party()));
    write(&shop, &mut khata, &charge(700));
    post_all(&shop, &meena, &khata);
    (shop, meena, khata)
}

#[test]
fn the_book_is_read_with_no_network_and_says_how_old_it_is() {
    let (_, meena, khata) = holding();
    let seen = only(&meena);
    assert_eq!((seen.balance, seen.limit, seen.heard_at), (rupees(1_200), rupees(10_000), NOW));
    assert_eq!(seen.entries.len(), khata.len());
    assert!(seen.open && !seen.incomplete && !seen.contradicted);
    assert_eq!(meena.verify().faults, Vec::<String>::new());
}

#[test]
fn entries_that_come_in_any_order_and_often_give_one_book() {
    let (shop, meena, mut khata) = holding();
    let entries: Vec<_> = (0..6).map(|n| write(&shop, &mut khata, &charge(100 + n))).collect();
    for _ in 0..2 {
        for entry in entries.iter().rev() {
            post(&shop, &meena, &[entry]);
        }
    }
    let seen = only(&meena);
    assert_eq!((seen.balance, seen.entries.len()), (khata.book().balance, khata.len()));
    assert_eq!(meena.verify().faults, Vec::<String>::new());
}

#[test]
fn p6_somebody_elses_book_and_a_strangers_are_not_kept() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let other = Party::Guest(household(2).keys().id());
    post_all(&shop, &meena, &begin(&shop, Some(other)));
    post_all(&shop, &meena, &begin(&shop, None));
    assert!(meena.khatas().unwrap().is_empty());
    let mut thief = Neighbour::new();
    thief.node = household(9).keys().clone();
    let mail = thief.post(
        &[begin(&thief, Some(meena.party())).last().signed()],
        &meena.keys().sealing.public(),
        3,
    );
    let received = meena.receive(&mail, NOW).unwrap();
    assert_eq!(received.doubted.len(), 1);
    assert!(meena.khatas().unwrap().is_empty());
}

#[test]
fn a_book_that_was_opened_without_a_device_is_there_once_it_is_claimed() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut khata = begin(&shop, None);
    write(&shop, &mut khata, &charge(700));
    let claim = khata.tip().claim(meena.party(), 1, NOW, &shop.node.signing).unwrap();
    let _ = khata.push(claim, Author::node(shop.id, 1)).unwrap();
    post_all(&shop, &meena, &khata);
    assert_eq!(only(&meena).balance, rupees(1_200));
}

#[test]
fn p1_a_countersignature_waits_until_the_shop_has_written_it_down() {
    let (shop, meena, mut khata) = holding();
    let signed = meena.countersign(khata.book().id, NOW, &mut rng(5)).unwrap();
    assert_eq!(only(&meena).waiting, Some("countersign"));
    let twice = meena.countersign(khata.book().id, NOW, &mut rng(6));
    assert!(matches!(twice, Err(HouseholdError::NothingToSign)), "{twice:?}");

    let mail = meena.mail_for(signed, &mut rng(7)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    let read = UnverifiedStatement::parse(&parcel.statements[0]).unwrap();
    let request = read.verify(&meena.keys().signing.public()).unwrap();
    let Said::Wish(Wish::Countersign(said)) = Said::of(request.statement()).unwrap() else {
        panic!("a countersignature");
    };
    assert_eq!((said.head, said.balance), (khata.head(), rupees(1_200)));

    let act = Act::Countersigned(Countersigned {
        request: request.hash(),
        head: said.head,
        balance: said.balance,
    });
    let entry = write(&shop, &mut khata, &act);
    post(&shop, &meena, &[&entry]);
    let seen = only(&meena);
    assert_eq!(seen.waiting, None);
    assert!(seen.countersigned.is_some_and(|signed| signed.is_newest));
    assert!(meena.waiting().unwrap().is_empty());
    assert!(matches!(
        meena.countersign(khata.book().id, NOW, &mut rng(8)),
        Err(HouseholdError::NothingToSign)
    ));
    // What is written after it may be signed again.
    let paid = Act::Paid(Moved { amount: rupees(200), means: Means::Cash, words: None });
    let paid = write(&shop, &mut khata, &paid);
    post(&shop, &meena, &[&paid]);
    meena.countersign(khata.book().id, NOW, &mut rng(9)).unwrap();
}

#[test]
fn whoever_disagrees_says_so_in_words_that_only_the_shop_reads() {
    let (shop, meena, khata) = holding();
    let words = "that was one packet, not two";
    let said = meena.dispute(khata.book().id, (Some(1), words), NOW, &mut rng(5)).unwrap();
    let mail = meena.mail_for(said, &mut rng(7)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    let read = UnverifiedStatement::parse(&parcel.statements[0]).unwrap();
    let Ok(Said::Wish(Wish::Dispute(Dispute { head, message }))) = Said::of(read.claimed()) else {
        panic!("a dispute");
    };
    assert_eq!(head, khata.entries()[1].hash());
    let part = parcel.personal_part(message.unwrap()).unwrap();
    assert_eq!(part.bytes, words.as_bytes());
    let long = meena.dispute(khata.book().id, (None, &"x".repeat(501)), NOW, &mut rng(6));
    assert!(matches!(long, Err(HouseholdError::MessageTooLong)));
}

#[test]
fn p8_a_byte_that_was_altered_here_is_found_and_the_shops_copy_mends_it() {
    let (shop, meena, khata) = holding();
    flip(&meena, "khata_entry", "bytes", "seq = 1");
    assert_eq!(meena.verify().faults.len(), 1);
    let seen = only(&meena);
    assert!(seen.incomplete, "it is said, and what holds before it is shown");
    assert_eq!(seen.balance, rupees(500));
    assert!(meena.countersign(khata.book().id, NOW, &mut rng(5)).is_err());
    // The heads tell the shop how far it still holds, and what it sends again takes the place.
    assert!(meena.heads_mail(shop.id, NOW, &mut rng(6)).unwrap().is_some());
    post(&shop, &meena, &[khata.last().signed()]);
    assert_eq!(only(&meena).balance, rupees(1_200));
    assert_eq!(meena.verify().faults, Vec::<String>::new());
}

#[test]
fn after_a_restore_the_higher_generation_wins_and_the_loser_is_kept() {
    let (mut shop, meena, mut khata) = holding();
    let mut restored = khata.clone();
    let lost = write(&shop, &mut khata, &charge(5_000));
    post(&shop, &meena, &[&lost]);
    shop.next_generation(72);
    shop.introduce_to(&meena);
    let entry = restored.append(2, NOW.plus_ms(DAY_MS), &charge(10), &shop.node.signing).unwrap();
    post(&shop, &meena, &[&entry]);
    let seen = only(&meena);
    assert_eq!((seen.balance, seen.entries.len()), (rupees(1_210), 3));
    assert_eq!(meena.verify().faults, Vec::<String>::new());
}

#[test]
fn a_shop_that_contradicts_itself_is_not_signed_for() {
    let (shop, meena, mut khata) = holding();
    let mut other = khata.clone();
    let (one, two) = (write(&shop, &mut khata, &charge(10)), write(&shop, &mut other, &charge(20)));
    post(&shop, &meena, &[&one]);
    post(&shop, &meena, &[&two]);
    let seen = only(&meena);
    assert!(seen.contradicted);
    assert!(meena.countersign(khata.book().id, NOW, &mut rng(5)).is_err());
}

/// What goes back to the shop in one piece of mail: the places of the entries.
fn page(shop: &Neighbour, household: &Household, khata: &Khata) -> Vec<u32> {
    let mail = household.chain_mail(khata.book().id.as_order(), NOW, &mut rng(7)).unwrap().unwrap();
    let parcel = envelope::open(&mail.sealed, std::slice::from_ref(&shop.node.sealing)).unwrap();
    let read = parcel.statements.iter().map(|bytes| UnverifiedStatement::parse(bytes).unwrap());
    let place = |read: UnverifiedStatement| match read.claimed().position {
        Position::Entry { seq, .. } => Some(seq),
        Position::Request { .. } => None,
    };
    read.filter_map(place).collect()
}

/// The shop says how far it has come, and that it wants the book; whether that is news.
fn says(shop: &Neighbour, household: &Household, khata: &Khata, end: Option<u32>) -> bool {
    let order = khata.book().id.as_order();
    let hash = khata.head();
    let heads = end.map(|seq| Head { order, seq, hash }).into_iter().collect();
    let (wanted, same, answers) = (vec![order], Vec::new(), hash);
    let reply = Answer::HeadsReply(HeadsReply { answers, heads, wanted, same });
    let id = [end.unwrap_or(255) as u8; 16];
    let signed = reply.sign(order, household.party(), NOW, id, &shop.node.signing);
    let mail = shop.post(&[&signed], &household.keys().sealing.public(), 3);
    let received = household.receive(&mail, NOW).unwrap();
    assert_eq!(received.wanted, [order]);
    received.moved == [order]
}

#[test]
fn a_long_book_goes_back_to_a_restored_shop_from_its_beginning_page_by_page() {
    let (shop, meena, mut khata) = holding();
    let entries: Vec<_> = (0..150).map(|_| write(&shop, &mut khata, &charge(10))).collect();
    for some in entries.chunks(30) {
        post(&shop, &meena, &some.iter().collect::<Vec<_>>());
    }
    // Before the backup was restored the shop had all of it.
    assert!(says(&shop, &meena, &khata, Some(151)));
    assert!(says(&shop, &meena, &khata, None), "now it has nothing");
    assert!(!says(&shop, &meena, &khata, None), "it says so again");
    assert_eq!(page(&shop, &meena, &khata), (0..60).collect::<Vec<_>>());
    assert!(says(&shop, &meena, &khata, Some(59)), "the first page has arrived");
    assert_eq!(page(&shop, &meena, &khata), (60..120).collect::<Vec<_>>());
    assert!(says(&shop, &meena, &khata, Some(119)));
    assert_eq!(page(&shop, &meena, &khata), (120..152).collect::<Vec<_>>());
}

#[test]
fn what_follows_the_end_of_a_long_book_is_taken_in_by_that_end() {
    let (shop, meena, mut khata) = holding();
    let entries: Vec<_> = (0..2_000).map(|_| write(&shop, &mut khata, &charge(1))).collect();
    for some in entries.chunks(32) {
        post(&shop, &meena, &some.iter().collect::<Vec<_>>());
    }
    let seen = only(&meena);
    assert_eq!((seen.entries.len(), seen.balance), (khata.len(), khata.book().balance));
    assert!(!seen.incomplete);
    assert_eq!(meena.verify().faults, Vec::<String>::new());
}

#[test]
fn an_older_end_that_was_signed_is_not_the_newest() {
    let (shop, meena, mut khata) = holding();
    let (head, balance) = (khata.head(), khata.book().balance);
    let paid = Act::Paid(Moved { amount: rupees(200), means: Means::Cash, words: None });
    let paid = write(&shop, &mut khata, &paid);
    let request = paid.hash();
    let mark = Act::Countersigned(Countersigned { request, head, balance });
    let mark = write(&shop, &mut khata, &mark);
    post(&shop, &meena, &[&paid, &mark]);
    assert!(only(&meena).countersigned.is_some_and(|signed| !signed.is_newest));
}

#[test]
fn p6_what_waits_in_somebody_elses_book_does_not_let_it_in() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let other = Party::Guest(household(2).keys().id());
    let mut theirs = begin(&shop, Some(other));
    let _ = write(&shop, &mut theirs, &charge(10));
    let last = write(&shop, &mut theirs, &charge(20));
    post(&shop, &meena, &[theirs.entries()[0].signed(), &last]);
    assert!(meena.khatas().unwrap().is_empty());
    assert!(meena.chain_mail(theirs.book().id.as_order(), NOW, &mut rng(7)).unwrap().is_none());
}
