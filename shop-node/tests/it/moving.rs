//! A shop that moves to another box: what the old one may still do, and what the new one need not wait for.

use kirana_core::{
    farewell::MOVE_MS_MAX,
    order::{axes::Stage, facts::CancelReason},
    time::{DAY_MS, UnixMs},
};
use kirana_migrations::{Abort, Database, Location, Schema};
use kirana_shop::app::{
    Shop, Undeliverable,
    counter::What,
    moving::NoMove,
    orders::{Deed, Which},
};

use crate::{
    neighbour::{Customer, NOW, Neighbourhood, rng},
    superseded::{meet, with_goods, with_orders, with_people},
};

/// The shop as it opens elsewhere, from what the box holds now.
fn opened_elsewhere(street: &Neighbourhood, now: UnixMs) -> Neighbourhood {
    let image = street.shop.database().image().expect("an image");
    let database = Database::open(Schema::Shop, Location::Image(image)).expect("it opens");
    let shop = Shop::restore(database, street.shop.keys(), 0, now, &mut rng(50));
    Neighbourhood { shop: shop.expect("it opens"), hub: street.hub.clone() }
}

fn is_in_doubt(street: &Neighbourhood) -> bool {
    !street.shop.has_moved().expect("read")
}

#[test]
fn p1_p2_a_shop_that_moved_goes_on_at_once_and_the_old_box_writes_nothing_more() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    let (id, moved) = (placed.statement().order, NOW.plus_ms(1));
    street.shop.say_farewell(moved, &mut rng(60)).unwrap();
    street.shop.say_farewell(moved, &mut rng(61)).expect("again, after a crash");
    let before = street.shop.database().image().unwrap();
    let mut tried = with_orders(&street, &asha, rice, id);
    tried.extend(with_goods(&street.shop, rice));
    tried.extend(with_people(&street.shop));
    for (way, done) in tried {
        let refusal = done.expect_err(way);
        assert!(refusal.contains("no longer speaks for the shop"), "{way}: {refusal}");
    }
    assert!(street.shop.database().image().unwrap() == before, "nothing at all was written");

    let newer = opened_elsewhere(&street, moved);
    assert_eq!((newer.shop.generation(), is_in_doubt(&newer)), (2, false));
    let which = Which { id, customer: None };
    let view = newer.shop.order(which).unwrap();
    assert!(matches!(view.order.stage, Stage::Accepted { .. }) && !view.waits_for_heads);
    newer.shop.act(which, Deed::Pack(Default::default()), moved, &mut rng(5)).expect("at once");
    newer.enter(rice, What::Wastage(1));
    let bela = Customer::new(&newer, 21);
    let second = bela.sign(2, bela.wants(&[(rice, 3, 9000)]));
    let taken = newer.deliver(&bela.mail(&newer, &bela.parcel(&[&second]))).expect("taken");
    assert!(taken.reply.is_some());
    assert_eq!(newer.balance(rice), (9, 5), "sold from at once, and nothing twice");
    assert_eq!(newer.shop.verify().unwrap().faults, Vec::<String>::new());

    // The old box learns who goes on, and has nothing new to hand over.
    meet(&street, &newer);
    let again = street.shop.say_farewell(moved, &mut rng(62));
    assert!(matches!(again, Err(NoMove::ReadOnly(_))), "what box 2 said is not in it: {again:?}");
    assert!(is_in_doubt(&opened_elsewhere(&street, moved)));
    for mail in street.shop.hand_over(moved, &mut rng(53)).unwrap().mails {
        newer.deliver(&mail).expect("it is known");
    }
    assert_eq!(newer.balance(rice), (9, 5));
}

#[test]
fn p2_a_copy_without_last_words_or_with_old_ones_or_with_more_said_after_is_a_backup() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    assert!(is_in_doubt(&opened_elsewhere(&street, NOW)), "no last words");
    street.shop.say_farewell(NOW, &mut rng(60)).unwrap();
    assert!(!is_in_doubt(&opened_elsewhere(&street, NOW.plus_ms(MOVE_MS_MAX - 1))));
    assert!(is_in_doubt(&opened_elsewhere(&street, NOW.plus_ms(2 * MOVE_MS_MAX))), "too old");
    // Somebody sold behind its back, such as an older program that does not know of moving.
    let sneak = street.shop.database().writer.write(|tx| -> Result<usize, Abort<()>> {
        Ok(tx.execute("DELETE FROM setting WHERE name = 'read_only'", [])?)
    });
    assert_eq!(sneak.expect("stored"), 1);
    street.enter(rice, What::Wastage(1));
    assert!(is_in_doubt(&opened_elsewhere(&street, NOW)), "something was said after");
}

#[test]
fn p2_the_file_of_a_move_brings_no_sold_goods_back_where_the_next_box_has_traded() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    street.shop.say_farewell(NOW, &mut rng(60)).unwrap();
    let image = street.shop.database().image().expect("an image");
    let open = |beyond| {
        let database = Database::open(Schema::Shop, Location::Image(image.clone()));
        let keys = street.shop.keys();
        let shop = Shop::restore(database.expect("it opens"), keys, beyond, NOW, &mut rng(50));
        Neighbourhood { shop: shop.expect("it opens"), hub: street.hub.clone() }
    };
    let second = open(1);
    assert!(!is_in_doubt(&second));
    second.enter(rice, What::Wastage(1));
    // The same file, opened in the place of the second box.
    assert!(is_in_doubt(&open(2)));
    let back = NOW.minus_ms(2 * DAY_MS);
    assert!(is_in_doubt(&opened_elsewhere(&street, back)), "a clock that is days behind");
}

#[test]
fn p1_mail_that_reaches_the_old_box_waits_at_its_sender_for_the_new_one() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    street.shop.say_farewell(NOW, &mut rng(60)).unwrap();
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    let parcel = asha.parcel(&[&placed]);
    let refused = street.deliver(&asha.mail(&street, &parcel));
    assert!(matches!(refused, Err(Undeliverable::ReadOnly { .. })), "{refused:?}");
    let newer = opened_elsewhere(&street, NOW);
    newer.deliver(&asha.mail(&newer, &parcel)).expect("it is taken");
    let which = Which { id: placed.statement().order, customer: None };
    let cancel = Deed::Cancel(CancelReason::ByShop);
    newer.shop.act(which, cancel, NOW, &mut rng(7)).expect("the new box decides");
}
