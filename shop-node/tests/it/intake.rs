//! An order comes in: once, from whom it says, and never for more than there is.

use kirana_core::{
    certificate::Serial,
    mail::Address,
    order::{
        axes::LineState,
        axes::Stage,
        facts::{CancelReason, LineRefusal, Means},
        wish::{Answer, Cancel, Heads, RefusalCode, Said, Wish, Withdraw},
    },
    revocation::RevocationList,
    statement::UnverifiedStatement,
    time::DAY_MS,
};
use kirana_migrations::Fault;
use kirana_shop::app::{Outcome, Shop, Undeliverable, counter::What, refusal::NotStored};

use crate::neighbour::{Customer, NOW, Neighbourhood, address_of_somebody, rng};

fn refusal(outcome: &Outcome) -> RefusalCode {
    let Outcome::Answered { bytes } = outcome else { panic!("{outcome:?}") };
    let statement = UnverifiedStatement::parse(bytes).expect("a statement");
    match Said::of(statement.claimed()).expect("it is read") {
        Said::Answer(Answer::Refusal(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p2_an_order_is_accepted_and_its_stock_is_kept() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let delivered = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let (_, order) = asha.read(&street, &delivered.reply.unwrap());
    assert!(matches!(order.stage, Stage::Accepted { .. }), "{:?}", order.stage);
    assert_eq!(street.balance(rice), (10, 3));
}

#[test]
fn p1_the_same_mail_fifty_times_gets_the_same_entries_and_has_one_effect() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    let first = asha.read(&street, &street.deliver(&mail).unwrap().reply.unwrap());
    for _ in 0..49 {
        let again = asha.read(&street, &street.deliver(&mail).unwrap().reply.unwrap());
        assert_eq!(again, first);
    }
    assert_eq!(street.balance(rice), (10, 3));
}

#[test]
fn p2_the_last_unit_goes_to_one_of_three() {
    let street = Neighbourhood::new();
    let milk = street.stock(1, 3000, 1);
    let mut accepted = 0;
    for n in 20..23 {
        let customer = Customer::new(&street, n);
        let placed = customer.sign(1, customer.wants(&[(milk, 1, 3000)]));
        let mail = customer.mail(&street, &customer.parcel(&[&placed]));
        let (_, order) = customer.read(&street, &street.deliver(&mail).unwrap().reply.unwrap());
        accepted += u32::from(matches!(order.stage, Stage::Accepted { .. }));
    }
    assert_eq!(accepted, 1);
    assert_eq!(street.balance(milk), (1, 1));
}

#[test]
fn another_order_under_a_used_id_is_refused() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let other = asha.sign(1, asha.wants(&[(rice, 4, 9000)]));
    let refused = street.deliver(&asha.mail(&street, &asha.parcel(&[&other]))).unwrap();
    assert_eq!(refusal(&refused.outcomes[0]), RefusalCode::IdTaken);
    assert_eq!(street.balance(rice), (10, 3));
}

#[test]
fn two_customers_may_draw_the_same_order_id() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    for n in [20, 21] {
        let customer = Customer::new(&street, n);
        let placed = customer.sign(1, customer.wants(&[(rice, 3, 9000)]));
        street.deliver(&customer.mail(&street, &customer.parcel(&[&placed]))).unwrap();
    }
    assert_eq!(street.balance(rice), (10, 6));
}

#[test]
fn p6_an_order_in_somebody_elses_name_is_refused_and_leaves_nothing() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let (asha, mallory) = (Customer::new(&street, 20), Customer::new(&street, 21));
    let forged = mallory.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let refused = street.deliver(&mallory.mail(&street, &mallory.parcel(&[&forged])));
    assert!(matches!(refused, Err(Undeliverable::Chain(_))), "{refused:?}");
    let mut parcel = mallory.parcel(&[&forged]);
    parcel.certificates = vec![asha.certificate.clone().into()];
    let refused = street.deliver(&mallory.mail(&street, &parcel));
    assert!(matches!(refused, Err(Undeliverable::NoCertificate { .. })), "{refused:?}");
    assert_eq!(street.balance(rice), (10, 0));
}

#[test]
fn p6_a_changed_byte_anywhere_in_the_mail_is_refused() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    for at in (0..mail.sealed.len()).step_by(17) {
        let mut changed = mail.clone();
        changed.sealed[at] ^= 1;
        assert!(street.deliver(&changed).is_err(), "byte {at}");
    }
    assert_eq!(street.balance(rice), (10, 0));
}

#[test]
fn mail_for_another_shop_or_past_its_time_is_refused() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    let mut elsewhere = mail.clone();
    elsewhere.to = Address::Device(asha.keys.id());
    assert!(matches!(street.deliver(&elsewhere), Err(Undeliverable::NotForUs { .. })));
    let late = street.shop.deliver(&mail, NOW.plus_ms(2 * DAY_MS), &mut rng(3));
    assert!(matches!(late, Err(Undeliverable::Unstamped(_))), "{late:?}");
    assert_eq!(street.balance(rice), (10, 0));
}

#[test]
fn p6_a_device_that_was_shut_out_is_refused_at_once() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let certificate = kirana_core::certificate::UnverifiedCertificate::parse(&asha.certificate);
    let serial: Serial = certificate.unwrap().claimed().serial;
    let list = RevocationList::next(0, NOW, [serial].into()).unwrap().sign(&street.hub);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let bob = Customer::new(&street, 21);
    let other = bob.sign(1, bob.wants(&[(rice, 1, 9000)]));
    let mut parcel = bob.parcel(&[&other]);
    parcel.lists = vec![list.bytes().to_vec().into()];
    street.deliver(&bob.mail(&street, &parcel)).unwrap();
    let refused = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed])));
    assert!(matches!(refused, Err(Undeliverable::Unstamped(_))), "{refused:?}");
    assert_eq!(street.balance(rice), (10, 1));
}

#[test]
fn p7_a_crash_before_or_after_the_commit_leaves_all_or_nothing() {
    for fault in [Fault::CrashBeforeCommit(0), Fault::CrashAfterCommit(0)] {
        let mut street = Neighbourhood::new();
        let rice = street.stock(1, 9000, 10);
        let asha = Customer::new(&street, 20);
        let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
        let mail = asha.mail(&street, &asha.parcel(&[&placed]));
        street.shop.database().writer.inject(Some(fault));
        let lost = street.deliver(&mail);
        assert!(matches!(lost, Err(Undeliverable::NotStored(NotStored::Unknown))), "{lost:?}");
        let (database, keys) = (street.shop.database().restart(), street.shop.keys().clone());
        street.shop = Shop::open(database, keys).expect("it opens again");
        let kept = if fault == Fault::CrashBeforeCommit(0) { (10, 0) } else { (10, 3) };
        assert_eq!(street.balance(rice), kept);
        let (_, order) = asha.read(&street, &street.deliver(&mail).unwrap().reply.unwrap());
        assert!(matches!(order.stage, Stage::Accepted { .. }));
        assert_eq!(street.balance(rice), (10, 3));
    }
}

#[test]
fn p7_a_full_disk_is_said_and_healed() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 1000);
    let asha = Customer::new(&street, 20);
    street.shop.database().writer.fill_disk(true).unwrap();
    let mut refused = None;
    for n in 1..200 {
        let placed = asha.sign(n, asha.wants(&[(rice, 1, 9000)]));
        let mail = asha.mail(&street, &asha.parcel(&[&placed]));
        if let Err(error) = street.deliver(&mail) {
            refused = Some((mail, error, street.balance(rice)));
            break;
        }
    }
    let (mail, error, before) = refused.expect("the disk is full");
    assert!(matches!(error, Undeliverable::NotStored(NotStored::Full)), "{error:?}");
    street.shop.database().writer.fill_disk(false).unwrap();
    street.deliver(&mail).unwrap();
    assert_eq!(street.balance(rice), (before.0, before.1 + 1));
}

#[test]
fn a_price_that_rose_is_told_and_one_that_fell_is_charged() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 1, 8000)]));
    let reply = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap().reply;
    let (_, order) = asha.read(&street, &reply.unwrap());
    assert!(matches!(order.stage, Stage::Declined { .. }));
    assert_eq!(order.lines[0].state, LineState::Cancelled { why: LineRefusal::PriceChanged });
}

#[test]
fn p2_a_count_below_what_is_kept_releases_the_last_order_first() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let customers = [Customer::new(&street, 20), Customer::new(&street, 21)];
    for customer in &customers {
        let placed = customer.sign(1, customer.wants(&[(rice, 4, 9000)]));
        street.deliver(&customer.mail(&street, &customer.parcel(&[&placed]))).unwrap();
    }
    let hit = street.enter(rice, What::Counted(5));
    assert_eq!(hit.len(), 1);
    assert_eq!(street.balance(rice), (5, 4));
    let stages: Vec<_> = customers
        .iter()
        .map(|customer| {
            let placed = customer.sign(1, customer.wants(&[(rice, 4, 9000)]));
            let mail = customer.mail(&street, &customer.parcel(&[&placed]));
            let reply = street.deliver(&mail).unwrap().reply.unwrap();
            customer.read(&street, &reply).1.stage.label()
        })
        .collect();
    assert_eq!(stages, ["accepted", "cancelled"]);
}

#[test]
fn a_customer_calls_an_order_off_and_asks_again() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let withdraw = asha.wish(1, &Wish::Withdraw(Withdraw::default()));
    let late = street.deliver(&asha.mail(&street, &asha.parcel(&[&withdraw]))).unwrap();
    assert_eq!(refusal(&late.outcomes[0]), RefusalCode::TooLate);
    let cancel = Cancel { reason: CancelReason::NotWanted, head: None, anchors: Vec::new() };
    let order = kirana_core::id::OrderId::new(NOW, [1; 10]);
    let cancel =
        Wish::Cancel(cancel).sign(order, street.shop.id(), NOW, [8; 16], &asha.keys.signing);
    let mail = asha.mail(&street, &asha.parcel(&[&cancel]));
    let first = asha.read(&street, &street.deliver(&mail).unwrap().reply.unwrap());
    assert_eq!(first.1.stage.label(), "cancelled");
    assert_eq!(street.balance(rice), (10, 0));
    assert_eq!(asha.read(&street, &street.deliver(&mail).unwrap().reply.unwrap()), first);
}

#[test]
fn heads_that_agree_are_confirmed_and_unknown_orders_are_wanted() {
    let street = Neighbourhood::new();
    let asha = Customer::new(&street, 20);
    let unknown = kirana_core::order::wish::Head {
        order: kirana_core::id::OrderId::new(NOW, [9; 10]),
        seq: 1,
        hash: kirana_core::hash::Hash::of(b"an entry"),
    };
    let heads = asha
        .wish(1, &Wish::Heads(Heads { heads: vec![unknown], anchors: Vec::new(), generation: 1 }));
    let answered = street.deliver(&asha.mail(&street, &asha.parcel(&[&heads]))).unwrap();
    let Outcome::Answered { bytes } = &answered.outcomes[0] else { panic!() };
    let statement = UnverifiedStatement::parse(bytes).unwrap();
    match Said::of(statement.claimed()).unwrap() {
        Said::Answer(Answer::HeadsReply(reply)) => assert_eq!(reply.wanted, [unknown.order]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn p1_a_device_that_has_orders_the_shop_lacks_finds_the_question_in_its_mail() {
    let street = Neighbourhood::new();
    let guest = Customer::guest(&street, 21);
    let unknown = kirana_core::order::wish::Head {
        order: kirana_core::id::OrderId::new(NOW, [9; 10]),
        seq: 1,
        hash: kirana_core::hash::Hash::of(b"an entry"),
    };
    let heads = guest
        .wish(1, &Wish::Heads(Heads { heads: vec![unknown], anchors: Vec::new(), generation: 1 }));
    street.deliver(&guest.mail(&street, &guest.parcel(&[&heads]))).unwrap();
    let waiting = street.shop.mail_for(guest.keys.id(), 0, 10, NOW, &mut rng(8)).unwrap();
    assert_eq!(waiting.len(), 1);
}

#[test]
fn a_guest_orders_and_the_address_is_kept_unreadable() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let guest = Customer::guest(&street, 30);
    let part = address_of_somebody();
    let mut placed = guest.wants(&[(rice, 1, 9000)]);
    placed.personal = Some(part.hash());
    let placed = guest.sign(1, placed);
    let mut parcel = guest.parcel(&[&placed]);
    parcel.personal = vec![part.clone()];
    street.deliver(&guest.mail(&street, &parcel)).unwrap();
    let kept = street.shop.personal_part(&guest.party, part.hash()).unwrap();
    assert_eq!(kept, Some(part.bytes.clone()));
    let raw = street.shop.database().image().unwrap();
    assert!(!raw.windows(part.bytes.len()).any(|window| window == part.bytes));
}

#[test]
fn p1_a_sale_repeated_under_its_key_sells_once() {
    use kirana_shop::app::{
        Once,
        counter::{NotEntered, SaleLine},
        scan::Rung,
    };
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let till = street.shop.keys().node.id();
    let sell = |amount, key: &str| {
        let (lines, once) = (
            vec![Rung::Chosen(SaleLine {
                variant: rice,
                amount,
                unit: kirana_core::quantity::Unit::Piece,
                batch: None,
            })],
            Once::new(till, key),
        );
        street.shop.ring_up(once, (lines, Means::Cash), till, NOW, &mut rng(6))
    };
    let first = sell(2, "bill 1").unwrap();
    assert_eq!(sell(2, "bill 1").unwrap(), first);
    assert_eq!(street.balance(rice), (8, 0));
    assert!(matches!(sell(3, "bill 1"), Err(NotEntered::KeyReused)));
    sell(3, "bill 2").unwrap();
    assert_eq!(street.balance(rice), (5, 0));
}

#[test]
fn p2_a_walk_in_cannot_buy_what_is_kept_for_an_order() {
    use kirana_shop::app::counter::SaleLine;
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let till = street.shop.keys().node.id();
    let sell = |amount| {
        let lines = vec![SaleLine {
            variant: rice,
            amount,
            unit: kirana_core::quantity::Unit::Piece,
            batch: None,
        }];
        street.shop.sell(lines, till, NOW, &mut rng(6))
    };
    assert!(sell(2).is_err());
    sell(1).unwrap();
    assert_eq!(street.balance(rice), (2, 2));
}

#[test]
fn what_is_sold_by_the_piece_is_not_sold_by_weight() {
    use kirana_core::quantity::Unit;
    use kirana_shop::app::counter::{NotEntered, SaleLine};
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let line = SaleLine { variant: rice, amount: 2, unit: Unit::Gram, batch: None };
    let by = street.shop.keys().node.id();
    let refused = street.shop.sell(vec![line], by, NOW, &mut rng(4));
    assert!(matches!(refused, Err(NotEntered::OtherUnit { sold_by: Unit::Piece, .. })));
    assert_eq!(street.balance(rice), (3, 0));
}
