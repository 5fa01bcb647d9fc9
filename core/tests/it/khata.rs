//! A credit book: whatever is written into it, its sums agree, and no limit is passed unsaid.

use kirana_core::{
    hash::Hash,
    id::{AccountId, KhataId, OrderId, ShopId},
    key::SigningKey,
    khata::{
        act::{
            Act, After, Charged, Closed, Countersigned, Credited, GivenUp, LimitSet, Line, Moved,
            Of, Opened,
        },
        book::Misstep,
        chain::{Khata, KhataFault, Tip},
        merge,
    },
    money::{Currency, Money},
    order::{
        chain::{Author, Authored},
        facts::Means,
    },
    statement::{Party, Position, SignedStatement, Statement, UnverifiedStatement},
    time::UnixMs,
};
use proptest::prelude::*;

fn rupees(minor: i64) -> Money {
    Money::new(minor, Currency::INR)
}

fn shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [7; 10])
}

fn khata_id() -> KhataId {
    KhataId::new(UnixMs::new(1), [8; 10])
}

fn meena() -> Party {
    Party::Account(AccountId::new(UnixMs::new(1), [6; 10]))
}

fn node(generation: u64) -> SigningKey {
    SigningKey::from_seed([10 + generation as u8; 32])
}

fn at(minute: u64) -> UnixMs {
    UnixMs::new(1_000_000 + minute * 60_000)
}

fn opened(opening: i64, limit: i64) -> Khata {
    let body = Opened { opening: rupees(opening), limit: rupees(limit), personal: None };
    let first = Tip::begin(khata_id(), shop(), Some(meena()), 1, at(0), body, &node(1));
    Khata::begin(first.expect("it can be"), Author::node(shop(), 1)).expect("it begins")
}

fn charge(minor: i64, beyond: bool) -> Act {
    Act::Charged(Charged { beyond, ..Charged::by_hand(rupees(minor)) })
}

fn pay(minor: i64) -> Act {
    Act::Paid(Moved { amount: rupees(minor), means: Means::Cash, words: None })
}

fn add(khata: &mut Khata, act: &Act) -> Result<SignedStatement, KhataFault> {
    khata.append(1, at(khata.len() as u64), act, &node(1))
}

fn authored(khata: &Khata) -> Vec<Authored> {
    let authored = |entry: &kirana_core::khata::chain::Entry| Authored {
        entry: entry.signed().clone(),
        author: Author::node(shop(), entry.generation()),
    };
    khata.entries().iter().map(authored).collect()
}

/// What somebody might try to write, by a number and a sum.
fn act((what, minor, sign): (u8, i64, bool), khata: &Khata) -> Act {
    let amount = rupees(minor);
    match what {
        0 | 1 => charge(minor, false),
        2 => charge(minor, true),
        3 => pay(minor),
        4 => Act::Credited(Credited { amount, of: None, words: None }),
        5 => Act::WrittenOff(GivenUp { amount, words: None }),
        6 => Act::PaidOut(Moved { amount, means: Means::Upi, words: None }),
        7 => Act::LimitSet(LimitSet { limit: rupees(if sign { minor } else { -minor }) }),
        8 => {
            let (head, balance) = (khata.head(), khata.book().balance);
            let balance = if sign { balance } else { rupees(balance.minor + 1) };
            Act::Countersigned(Countersigned { request: Hash::of(b"a request"), head, balance })
        }
        _ => Act::Closed(Closed {}),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_written_the_balance_is_the_sum_and_no_limit_is_passed_unsaid(
        opening in -5_000_i64..5_000,
        limit in 0_i64..20_000,
        steps in proptest::collection::vec((0_u8..10, -10_i64..9_000, any::<bool>()), 0..40),
    ) {
        let mut khata = opened(opening, limit);
        for step in steps {
            let (before, act) = (khata.clone(), act(step, &khata));
            match add(&mut khata, &act) {
                Ok(_) => {
                    let book = khata.book();
                    let past = book.balance.minor > book.limit.minor;
                    let grew = book.balance.minor > before.book().balance.minor;
                    let said = matches!(&act, Act::Charged(charged) if charged.beyond);
                    let is_charge = matches!(act, Act::Charged(_));
                    prop_assert!(!is_charge || !past || !grew || said, "{act:?}");
                }
                Err(_) => prop_assert_eq!(&khata, &before, "what does not fit changes nothing"),
            }
            let book = khata.book();
            let sum = book.opening.minor + book.charged.minor + book.paid_out.minor
                - book.paid.minor - book.credited.minor - book.written_off.minor;
            prop_assert_eq!(book.balance.minor, sum);
            let owed: i64 = book.dues.older_than(UnixMs::new(u64::MAX));
            prop_assert_eq!(owed, book.balance.minor.max(0), "the dues are what is owed");
            prop_assert_eq!(khata.tip().after, khata.last().line().after);
        }
        // The stored bytes alone give the same book, in any order and however often they come.
        let mut bag = authored(&khata);
        bag.reverse();
        bag.extend(authored(&khata));
        let merged = merge::merge(bag);
        prop_assert!(merged.waiting.is_empty() && merged.lost.is_empty());
        prop_assert_eq!(merged.khata, Some(khata));
    }
}

#[test]
fn the_limit_counts_and_the_owners_word_passes_it() {
    let mut khata = opened(0, 10_000);
    add(&mut khata, &charge(10_000, false)).expect("up to the limit");
    let more = add(&mut khata, &charge(1, false));
    let limit = Misstep::Limit { balance: rupees(10_001), limit: rupees(10_000) };
    assert_eq!(more, Err(KhataFault::Misstep(limit)));
    add(&mut khata, &charge(1, true)).expect("the owner says so");
    assert_eq!(khata.book().balance, rupees(10_001));
    // A limit that is lowered below what is owed stops charges and takes nothing away.
    add(&mut khata, &Act::LimitSet(LimitSet { limit: rupees(500) })).expect("the owner may");
    assert!(add(&mut khata, &charge(1, false)).is_err());
    add(&mut khata, &pay(10_001)).expect("it is paid");
    add(&mut khata, &charge(500, false)).expect("there is room again");
}

#[test]
fn sums_that_cannot_be_are_refused() {
    let mut khata = opened(100, 10_000);
    let dollars = Money::new(5, "USD".parse().expect("a currency"));
    for act in [
        charge(0, false),
        charge(-5, false),
        charge(i64::MAX, true),
        Act::Charged(Charged::by_hand(dollars)),
        pay(101),
        Act::Paid(Moved { amount: rupees(5), means: Means::Khata, words: None }),
        Act::WrittenOff(GivenUp { amount: rupees(101), words: None }),
        Act::PaidOut(Moved { amount: rupees(1), means: Means::Cash, words: None }),
        Act::LimitSet(LimitSet { limit: rupees(-1) }),
        Act::LimitSet(LimitSet { limit: dollars }),
        Act::Closed(Closed {}),
    ] {
        assert!(add(&mut khata, &act).is_err(), "{act:?}");
    }
    assert_eq!(khata.len(), 1);
    let too_much = Opened { opening: rupees(i64::MIN), limit: rupees(0), personal: None };
    let first = Tip::begin(khata_id(), shop(), None, 1, at(0), too_much, &node(1));
    assert!(first.is_err());
}

#[test]
fn a_countersignature_is_of_an_entry_with_its_balance() {
    let mut khata = opened(0, 10_000);
    add(&mut khata, &charge(700, false)).expect("it fits");
    let (head, balance) = (khata.head(), rupees(700));
    add(&mut khata, &charge(300, false)).expect("it fits");
    let signed = |head, balance| {
        Act::Countersigned(Countersigned { request: Hash::of(b"meena"), head, balance })
    };
    assert!(
        add(&mut khata, &signed(head, rupees(1_000))).is_err(),
        "that was not the balance then"
    );
    assert!(add(&mut khata, &signed(Hash::of(b"?"), balance)).is_err(), "there is no such entry");
    add(&mut khata, &signed(head, balance)).expect("an older entry may be signed");
    assert_eq!(khata.book().countersigned.map(|mark| mark.balance), Some(Some(balance)));
}

#[test]
fn p8_a_shop_that_states_another_balance_is_not_believed() {
    let mut khata = opened(0, 10_000);
    let act = charge(700, false);
    let after = After { balance: rupees(900), limit: rupees(10_000) };
    let line = Line { after, act: act.clone() };
    let position = Position::Entry { generation: 1, seq: 1, prev: Some(khata.head()) };
    let forged = Statement {
        kind: act.kind(),
        to: meena(),
        order: khata_id().as_order(),
        position,
        at: at(1),
        answer_by: None,
        body: line.encode(),
    };
    let pushed = khata.push(forged.sign(&node(1)), Author::node(shop(), 1));
    assert_eq!(pushed, Err(KhataFault::Misstep(Misstep::SumDiffers)));
}

#[test]
fn p8_every_flipped_bit_of_an_entry_is_noticed() {
    let mut khata = opened(0, 10_000);
    let signed = add(&mut khata, &charge(700, false)).expect("it fits");
    for bit in 0..signed.bytes().len() * 8 {
        let mut bytes = signed.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let held = UnverifiedStatement::parse(&bytes)
            .is_ok_and(|read| read.verify(&node(1).public()).is_ok());
        assert!(!held, "bit {bit}");
    }
}

#[test]
fn of_two_entries_in_one_place_the_higher_generation_wins_and_the_other_is_kept() {
    let mut first = opened(0, 10_000);
    let mut restored = first.clone();
    add(&mut first, &charge(700, false)).expect("the lost box wrote it");
    add(&mut first, &charge(100, false)).expect("and this");
    restored.append(2, at(9), &charge(50, false), &node(2)).expect("the new box writes");
    let bag = authored(&first).into_iter().chain(authored(&restored));
    let merged = merge::merge(bag);
    assert_eq!(merged.khata, Some(restored));
    assert_eq!(merged.lost.len(), 2, "the losing branch is kept whole");
    assert_eq!(merged.stopped, None);
}

#[test]
fn two_entries_of_one_generation_in_one_place_stop_the_book_there() {
    let (mut one, mut other) = (opened(0, 10_000), opened(0, 10_000));
    add(&mut one, &charge(700, false)).expect("it fits");
    add(&mut other, &charge(70, false)).expect("it fits");
    let merged = merge::merge(authored(&one).into_iter().chain(authored(&other)));
    assert_eq!(merged.stopped, Some(1));
    assert_eq!(merged.khata.map(|khata| khata.len()), Some(1));
    assert_eq!(merged.lost.len(), 2);
}

#[test]
fn a_book_is_closed_when_nothing_is_owed_and_takes_no_more() {
    let mut khata = opened(0, 10_000);
    add(&mut khata, &charge(700, false)).expect("it fits");
    assert!(add(&mut khata, &Act::Closed(Closed {})).is_err());
    add(&mut khata, &pay(700)).expect("it is paid");
    add(&mut khata, &Act::Closed(Closed {})).expect("nothing is owed");
    assert!(add(&mut khata, &charge(1, false)).is_err());
    assert!(khata.book().closed_at.is_some());
}

#[test]
fn a_book_without_a_device_is_claimed_and_goes_on_for_its_holder() {
    let body = Opened { opening: rupees(500), limit: rupees(900), personal: None };
    let first = Tip::begin(khata_id(), shop(), None, 1, at(0), body, &node(1)).expect("it can be");
    let mut khata = Khata::begin(first, Author::node(shop(), 1)).expect("it begins");
    assert_eq!(khata.book().holder, None);
    let claim = khata.tip().claim(meena(), 1, at(1), &node(1)).expect("it is open");
    let _ = khata.push(claim, Author::node(shop(), 1)).expect("it fits");
    assert_eq!(khata.book().holder, Some(meena()));
    add(&mut khata, &charge(100, false)).expect("it goes on");
    assert_eq!(khata.book().balance, rupees(600));
}

#[test]
fn what_a_later_version_writes_is_kept_and_its_balance_counts() {
    let mut khata = opened(0, 10_000);
    let act = Act::Unknown { number: 95, bytes: vec![0xa0] };
    let after = After { balance: rupees(300), limit: rupees(10_000) };
    let position = Position::Entry { generation: 1, seq: 1, prev: Some(khata.head()) };
    let later = Statement {
        kind: 95,
        to: meena(),
        order: khata_id().as_order(),
        position,
        at: at(1),
        answer_by: None,
        body: Line { after, act }.encode(),
    };
    let _ = khata.push(later.sign(&node(1)), Author::node(shop(), 1)).expect("it is kept");
    assert!(khata.book().newer);
    assert_eq!(khata.book().balance, rupees(300));
    add(&mut khata, &charge(100, false)).expect("it goes on");
    assert_eq!(khata.book().balance, rupees(400));
}

#[test]
fn an_order_has_one_entry_in_its_book() {
    let mut khata = opened(0, 10_000);
    let (order, entry) = (OrderId::new(at(0), [5; 10]), Hash::of(b"the order's entry"));
    let of = Some(Of::Order { order, entry });
    let act = Act::Charged(Charged { of, ..Charged::by_hand(rupees(700)) });
    add(&mut khata, &act).expect("it fits");
    assert_eq!(khata.for_order_entry(entry).map(|entry| entry.seq()), Some(1));
}

/// How long it takes to put a book of so many entries together again, out of a bag in the worst order.
#[expect(clippy::disallowed_methods, reason = "the test measures how long it takes")]
fn time_to_merge(entries: usize) -> std::time::Duration {
    let mut khata = opened(0, 1_000_000_000);
    while khata.len() < entries {
        add(&mut khata, &charge(100, false)).expect("it fits");
    }
    let mut bag = authored(&khata);
    bag.reverse();
    let begun = std::time::Instant::now();
    let merged = merge::merge(bag);
    let took = begun.elapsed();
    assert_eq!(merged.khata.map(|merged| merged.len()), Some(entries));
    took
}

#[test]
fn a_book_of_twenty_thousand_entries_is_merged_in_time_that_grows_with_their_number() {
    let (some, many) = (time_to_merge(2_500), time_to_merge(20_000));
    println!("merged 2,500 entries in {some:?}, 20,000 in {many:?}");
    // Eight times as many; a square would be 64 times.
    assert!(many < some * 30, "{some:?} and {many:?}");
}

#[test]
fn the_next_entry_is_checked_by_the_end_of_a_book_as_by_all_of_it() {
    let mut khata = opened(0, 10_000);
    let mut tip = khata.tip();
    for act in [charge(700, false), pay(200), charge(9_500, false)] {
        let signed = add(&mut khata, &act).expect("it fits");
        let author = Author::node(shop(), 1);
        let (next, line) = tip.follow(&signed, author, |_| None).expect("it follows");
        assert_eq!((next, line.act), (khata.tip(), act));
        assert!(next.follow(&signed, author, |_| None).is_err(), "once");
        let stranger = Author::node(shop(), 2);
        assert_eq!(tip.follow(&signed, stranger, |_| None), Err(KhataFault::WrongAuthor));
        tip = next;
    }
    let (head, balance) = (khata.head(), rupees(10_000));
    let mark = Act::Countersigned(Countersigned { request: Hash::of(b"meena"), head, balance });
    let signed = add(&mut khata, &mark).expect("it fits");
    let author = Author::node(shop(), 1);
    let unknown = tip.follow(&signed, author, |_| None);
    assert_eq!(unknown, Err(KhataFault::Misstep(Misstep::OtherBalance)));
    let other = tip.follow(&signed, author, |_| Some(rupees(1)));
    assert_eq!(other, Err(KhataFault::Misstep(Misstep::OtherBalance)));
    tip.follow(&signed, author, |_| Some(balance)).expect("that was the balance");
}
