//! Backups put back, twins, and what `verify` finds.

use kirana_core::{
    envelope::{self, Parcel},
    mail::Mail,
    order::{
        axes::Stage,
        wish::{Answer, Head, Heads, Said, Wish},
    },
    statement::UnverifiedStatement,
};
use kirana_migrations::{Abort, Database, Location, Schema};
use kirana_shop::app::{
    Outcome, Shop, Undeliverable, Unopened,
    counter::What,
    handing::Handing,
    orders::{Deed, NotDone, Which},
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng};

fn restored(street: &Neighbourhood, image: Vec<u8>) -> Neighbourhood {
    let database = Database::open(Schema::Shop, Location::Image(image)).expect("it opens");
    let keys = street.shop.keys();
    let shop = Shop::restore(database, keys, 0, NOW, &mut rng(50)).expect("it is restored");
    Neighbourhood { shop, hub: street.hub.clone() }
}

fn opened(customer: &Customer, mail: &Mail) -> Parcel {
    envelope::open(&mail.sealed, std::slice::from_ref(&customer.keys.sealing)).expect("ours")
}

#[test]
fn p8_an_old_copy_put_back_is_noticed_at_the_next_start() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let yesterday = street.shop.database().image().unwrap();
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let database = street.shop.database().restart();
    database.put_back(Schema::Shop, &yesterday).unwrap();
    let refused = Shop::open(database, street.shop.keys().clone());
    assert!(matches!(refused.err(), Some(Unopened::Behind { .. })));
}

#[test]
fn p2_a_restored_shop_hears_its_customers_first_and_promises_nothing_twice() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let yesterday = street.shop.database().image().unwrap();
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let reply = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap().reply;
    let before = opened(&asha, &reply.unwrap());

    let street = restored(&street, yesterday);
    assert_eq!(street.shop.generation(), 2);
    let bob = Customer::new(&street, 21);
    let mut wanted = bob.wants(&[(rice, 3, 9000)]);
    wanted.generation = 2;
    let other = bob.sign(1, wanted);
    let reply = street.deliver(&bob.mail(&street, &bob.parcel(&[&other]))).unwrap().reply;
    let waiting = opened(&bob, &reply.unwrap());
    let newest = UnverifiedStatement::parse(waiting.statements.last().unwrap()).unwrap();
    assert_eq!(newest.claimed().kind, 2, "a person decides while the stock is in doubt");

    let entries: Vec<_> =
        before.statements.iter().map(|s| UnverifiedStatement::parse(s).unwrap()).collect();
    let head =
        Head { order: placed.statement().order, seq: 1, hash: entries.last().unwrap().hash() };
    let heads =
        asha.wish(7, &Wish::Heads(Heads { heads: vec![head], anchors: Vec::new(), generation: 2 }));
    let answered = street.deliver(&asha.mail(&street, &asha.parcel(&[&heads]))).unwrap();
    let Outcome::Answered { bytes } = answered.outcomes.last().unwrap() else { panic!() };
    let reply = UnverifiedStatement::parse(bytes).unwrap();
    match Said::of(reply.claimed()).unwrap() {
        Said::Answer(Answer::HeadsReply(reply)) => assert_eq!(reply.wanted, [head.order]),
        other => panic!("{other:?}"),
    }
    let mut parcel = asha.parcel(&[]);
    parcel.statements = before.statements.clone();
    parcel.certificates.extend(before.certificates.clone());
    let adopted = street.deliver(&asha.mail(&street, &parcel)).unwrap();
    let now = opened(&asha, &adopted.reply.unwrap());
    assert_eq!(now.statements[..2], before.statements[..], "the old entries stay as they were");
    let which = Which { id: head.order, customer: Some(asha.party) };
    let view = street.shop.order(which).unwrap();
    assert!(matches!(view.order.stage, Stage::Accepted { .. }));
    assert_eq!(view.entries.last().unwrap().kind, "adopted");
    assert_eq!(street.balance(rice), (3, 3));
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
}

#[test]
fn p1_an_order_older_than_the_restore_is_decided_when_its_customer_has_shown_all() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let yesterday = street.shop.database().image().unwrap();
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    let street = restored(&street, yesterday);
    let count = What::Counted(3);
    street.enter(rice, count);

    // A relay still had the order. Whether it was decided before, only the customer knows.
    let reply = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap().reply;
    let reply = opened(&asha, &reply.unwrap());
    assert_eq!(wanted(&reply), [placed.statement().order]);
    assert_eq!(street.balance(rice), (3, 0), "nothing is promised twice");

    let head = Head { order: placed.statement().order, seq: 0, hash: placed.hash() };
    let heads = |generation| {
        asha.wish(7, &Wish::Heads(Heads { heads: vec![head], anchors: Vec::new(), generation }))
    };
    // What the customer said to the old box may be long out of date.
    let stale = asha.mail(&street, &asha.parcel(&[&heads(1)]));
    street.deliver(&stale).unwrap();
    assert_eq!(street.balance(rice), (3, 0));
    let fresh = asha.mail(&street, &asha.parcel(&[&placed, &heads(2)]));
    street.deliver(&fresh).unwrap();
    assert_eq!(street.balance(rice), (3, 2));
    let which = Which { id: placed.statement().order, customer: None };
    let view = street.shop.order(which).unwrap();
    assert!(matches!(view.order.stage, Stage::Accepted { .. }));
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
}

#[test]
fn p1_an_order_that_the_lost_box_had_decided_is_not_decided_again() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let yesterday = street.shop.database().image().unwrap();
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    let reply = street.deliver(&mail).unwrap().reply;
    let before = opened(&asha, &reply.unwrap());

    let street = restored(&street, yesterday);
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let mut parcel = asha.parcel(&[]);
    parcel.statements = before.statements.clone();
    parcel.certificates.extend(before.certificates.clone());
    street.deliver(&asha.mail(&street, &parcel)).unwrap();
    let which = Which { id: placed.statement().order, customer: None };
    let kinds: Vec<_> = street.shop.order(which).unwrap().entries.iter().map(|e| e.kind).collect();
    assert_eq!(kinds, ["placed", "accepted", "adopted"]);
    assert_eq!(street.balance(rice), (3, 2));
}

fn wanted(parcel: &kirana_core::envelope::Parcel) -> Vec<kirana_core::id::OrderId> {
    let said = parcel
        .statements
        .iter()
        .filter_map(|bytes| Said::of(UnverifiedStatement::parse(bytes).ok()?.claimed()).ok());
    said.filter_map(|said| match said {
        Said::Answer(Answer::HeadsReply(reply)) => Some(reply.wanted),
        _ => None,
    })
    .flatten()
    .collect()
}

#[test]
fn an_open_order_waits_for_its_customer_after_a_restore_unless_the_owner_goes_on() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let street = restored(&street, street.shop.database().image().unwrap());
    let which = Which { id: placed.statement().order, customer: None };
    let pack = || Deed::Pack(Default::default());
    let refused = street.shop.act(which, pack(), NOW, &mut rng(5));
    assert!(matches!(refused, Err(NotDone::WaitsForCustomer(_))));
    street.shop.act(which, Deed::GoOn, NOW, &mut rng(5)).unwrap();
    let view = street.shop.act(which, pack(), NOW, &mut rng(5)).unwrap();
    assert_eq!(view.entries.last().unwrap().generation, 2);
}

#[test]
fn p2_a_count_after_a_restore_is_told_to_an_order_when_its_customer_was_heard() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 3, 9000)]));
    let reply = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap().reply;
    let accepted = opened(&asha, &reply.unwrap());
    let street = restored(&street, street.shop.database().image().unwrap());
    street.enter(rice, What::Counted(1));
    let which = Which { id: placed.statement().order, customer: None };
    let kinds = || {
        let entries = street.shop.order(which).unwrap().entries;
        entries.iter().map(|entry| entry.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(), ["placed", "accepted"], "the lost box may have gone on from there");
    let hash = UnverifiedStatement::parse(accepted.statements.last().unwrap()).unwrap().hash();
    let head = Head { order: placed.statement().order, seq: 1, hash };
    let heads =
        asha.wish(7, &Wish::Heads(Heads { heads: vec![head], anchors: Vec::new(), generation: 2 }));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&heads]))).unwrap();
    assert_eq!(kinds()[..4], ["placed", "accepted", "adopted", "shortage"]);
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_box_that_meets_a_newer_one_writes_no_more() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let newer = restored(&street, street.shop.database().image().unwrap());
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 1, 9000)]));
    let mut parcel = asha.parcel(&[&placed]);
    parcel.certificates.push(newer.shop.chain().unwrap()[0].clone().into());
    let stopped = street.deliver(&asha.mail(&street, &parcel));
    assert!(matches!(stopped, Err(Undeliverable::ReadOnly { .. })), "{stopped:?}");
    let stopped = street.deliver(&asha.mail(&street, &asha.parcel(&[&placed])));
    assert!(matches!(stopped, Err(Undeliverable::ReadOnly { .. })), "{stopped:?}");
    assert_eq!(street.balance(rice), (3, 0));
}

#[test]
fn p8_verify_finds_a_flipped_byte_in_an_entry_a_movement_and_a_balance() {
    let tamperings = [
        "UPDATE order_entry SET bytes = CAST(substr(bytes, 1, 90) || x'00' || substr(bytes, 92) AS BLOB) WHERE seq = 1",
        "UPDATE stock_movement SET bytes = CAST(substr(bytes, 1, 40) || x'00' || substr(bytes, 42) AS BLOB) WHERE n = 1",
        "UPDATE stock_balance SET on_hand = on_hand + 1",
        "UPDATE customer_order SET stage = 'declined'",
        "DELETE FROM order_entry WHERE seq = 1",
        "DELETE FROM stock_movement WHERE n = 2",
        "DELETE FROM reservation",
    ];
    for tampering in tamperings {
        let street = Neighbourhood::new();
        let rice = street.stock(1, 9000, 3);
        let asha = Customer::new(&street, 20);
        let placed = asha.sign(1, asha.wants(&[(rice, 1, 9000)]));
        street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
        assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
        let done = street
            .shop
            .database()
            .writer
            .write(move |tx| -> Result<usize, Abort<()>> { Ok(tx.execute(tampering, [])?) });
        assert!(done.unwrap() > 0, "{tampering}");
        assert!(!street.shop.verify().unwrap().faults.is_empty(), "{tampering}");
    }
}

#[test]
fn p8_a_damaged_order_hides_no_other() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    for n in [1, 2] {
        let placed = asha.sign(n, asha.wants(&[(rice, 1, 9000)]));
        street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    }
    let sql = "UPDATE order_entry SET bytes = CAST(substr(bytes, 1, 90) || x'00' || \
               substr(bytes, 92) AS BLOB) WHERE seq = 1 AND order_n = 1";
    let writer = &street.shop.database().writer;
    writer.write(move |tx| -> Result<usize, Abort<()>> { Ok(tx.execute(sql, [])?) }).unwrap();
    let listed = street.shop.orders(None, false, None, 10).unwrap();
    assert_eq!((listed.views.len(), listed.damaged.len()), (1, 1));
    assert!(!street.shop.verify().unwrap().faults.is_empty());
}

#[test]
fn goods_are_packed_fetched_and_paid_and_the_ledger_follows() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let which = Which { id: placed.statement().order, customer: None };
    let sum = street.shop.order(which).unwrap().totals.sum;
    let steps = [
        Deed::Pack(Default::default()),
        Deed::Packed(0, Vec::new()),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
        Deed::Pay(sum, kirana_core::order::facts::Means::Cash),
    ];
    for deed in steps {
        street.shop.act(which, deed, NOW, &mut rng(5)).unwrap();
    }
    let view = street.shop.order(which).unwrap();
    assert_eq!(view.order.stage.label(), "completed");
    assert_eq!(street.balance(rice), (1, 0));
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
    street.enter(rice, What::Wastage(1));
    assert_eq!(street.balance(rice), (0, 0));
}

#[test]
fn p8_a_customer_who_knows_a_later_end_of_the_ledger_shows_that_it_was_lost() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let mut wanted = asha.wants(&[(rice, 1, 9000)]);
    wanted.anchors = vec![kirana_core::hash::Hash::of(b"a movement that was lost")];
    let placed = asha.sign(1, wanted);
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let faults = street.shop.verify().unwrap().faults;
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("lost its end"), "{faults:?}");
}

#[test]
fn p1_of_two_branches_the_higher_generation_wins_and_the_other_is_kept() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 3);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 1, 9000)]));
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    let image = street.shop.database().image().unwrap();
    let before = street.deliver(&mail).unwrap().reply.unwrap();
    let before = opened(&asha, &before);
    let street = restored(&street, image);
    // The owner of the restored shop does not wait, and hears of the earlier decision afterwards.
    let mail = asha.mail(&street, &asha.parcel(&[&placed]));
    street.deliver(&mail).unwrap();
    let which = Which { id: placed.statement().order, customer: None };
    street.shop.act(which, Deed::GoOn, NOW, &mut rng(5)).unwrap();
    let mut parcel = asha.parcel(&[]);
    parcel.statements = before.statements.clone();
    parcel.certificates.extend(before.certificates.clone());
    let after = street.deliver(&asha.mail(&street, &parcel)).unwrap();
    let now = opened(&asha, &after.reply.unwrap());
    assert_eq!(now.statements[0], before.statements[0]);
    assert_ne!(now.statements[1], before.statements[1], "generation 2 wins");
    let row = street.shop.database().reader.read(|c| {
        let row = kirana_shop::store::orders::by_id(c, placed.statement().order)?.remove(0);
        kirana_shop::store::orders::lost_bytes(c, row.n)
    });
    assert_eq!(row.unwrap(), [before.statements[1].to_vec()]);
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
}
