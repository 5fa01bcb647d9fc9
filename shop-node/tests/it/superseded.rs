//! A box that a newer one has taken the place of: it changes nothing, and hands its orders over.

use futures::executor::block_on;
use kirana_core::{
    envelope::Parcel,
    id::{OrderId, ProductId, VariantId},
    key::KeyPair,
    order::{
        axes::Stage,
        facts::{DeclineReason, Means},
    },
    quantity::Unit,
    roster::Roster,
    time::DAY_MS,
};
use kirana_migrations::{Abort, Database, Location, Schema};
use kirana_shop::app::{
    Shop, Undeliverable,
    catalogue::amendment::Amendment,
    counter::{Entry, SaleLine, What},
    import::Order,
    orders::{Deed, NotDone, Which},
    roles::Post,
    staff::Member,
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

/// The shop's next box, made of what the first one held at this moment.
fn next_box(street: &Neighbourhood) -> Neighbourhood {
    let image = street.shop.database().image().expect("an image");
    let database = Database::open(Schema::Shop, Location::Image(image)).expect("it opens");
    let shop = Shop::restore(database, street.shop.keys(), 0, NOW, &mut rng(50));
    Neighbourhood { shop: shop.expect("it is restored"), hub: street.hub.clone() }
}

pub fn meet(older: &Neighbourhood, newer: &Neighbourhood) {
    let certificates = newer.shop.chain().expect("its certificates");
    let why = older.shop.meet_box(&certificates, NOW, &mut rng(51)).expect("it is read");
    assert!(why.expect("it is read-only").contains("box 2 speaks for the shop"));
}

/// A way of writing, and what came of it.
pub type Tried = (&'static str, Result<(), String>);

fn said<T>(done: Result<T, impl std::fmt::Display>) -> Result<(), String> {
    done.map(|_| ()).map_err(|error| error.to_string())
}

fn at_the_door(shop: &Shop, parcel: Parcel) -> Result<(), String> {
    let checked = shop.check_at_the_door(None, parcel, NOW, &mut rng(6));
    said(block_on(shop.take_in_at_the_door(checked.map_err(|error| error.to_string())?)))
}

/// Every way in which an order comes or changes.
pub fn with_orders(
    street: &Neighbourhood,
    asha: &Customer,
    rice: VariantId,
    id: OrderId,
) -> Vec<Tried> {
    let shop = &street.shop;
    let other = asha.sign(2, asha.wants(&[(rice, 1, 9000)]));
    let parcel = asha.parcel(&[&other]);
    let act = |deed| said(shop.act(Which { id, customer: None }, deed, NOW, &mut rng(5)));
    let nothing = kirana_core::money::Money::zero(rupees());
    vec![
        ("mail", said(street.deliver(&asha.mail(street, &parcel)))),
        ("door", at_the_door(shop, parcel.clone())),
        ("parcel", said(shop.take_in(&parcel, NOW, &mut rng(6)))),
        ("accept", act(Deed::Accept)),
        ("decline", act(Deed::Decline(DeclineReason::ByShop))),
        ("pack", act(Deed::Pack(Default::default()))),
        ("pay", act(Deed::Pay(nothing, Means::Cash))),
        ("go on", act(Deed::GoOn)),
    ]
}

/// Every way in which stock and catalogue change.
pub fn with_goods(shop: &Shop, rice: VariantId) -> Vec<Tried> {
    let (by, product) = (shop.keys().node.id(), ProductId::new(NOW, [1; 10]));
    let line = SaleLine { variant: rice, amount: 1, unit: Unit::Piece, batch: None };
    let enter = |what| {
        let entry = Entry { variant: rice, location: None, what, note: String::new() };
        said(shop.enter(entry, by, NOW, &mut rng(6)))
    };
    let import = |text: &'static str| {
        let (order, file) = (Order::default(), std::io::Cursor::new(text));
        said(shop.import(&order, file, uuid::Uuid::nil(), by, NOW, &mut rng(6)))
    };
    let rng = || rng(6);
    vec![
        ("receipt", enter(What::Receipt(1))),
        ("count", enter(What::Counted(1))),
        ("wastage", enter(What::Wastage(1))),
        ("sale", said(shop.sell(vec![line], by, NOW, &mut rng()))),
        ("confirm", said(shop.confirm_stock())),
        ("add", said(shop.add_product(&salt(), by, NOW, &mut rng()))),
        ("settle", said(shop.edit_catalogue(vec![], by, None, NOW, &mut rng()))),
        ("amend", said(shop.amend_product(product, salt(), by, None, NOW, &mut rng()))),
        ("import", import("name,price\nSalt,20\n")),
        ("its report", import("name,price\n")),
    ]
}

/// Every way in which it changes who is trusted.
pub fn with_people(shop: &Shop) -> Vec<Tried> {
    let keys = KeyPair::from_seed([9; 64]);
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let member = Member { key, sealing, post: Post::Staff, label: "Till".into() };
    let root = KeyPair::from_seed([8; 64]).signing;
    let roster = Roster { number: 2, issued: NOW, hubs: vec![] }.sign(&root).bytes().to_vec();
    let own = shop.chain().expect("its certificates").pop().expect("the shop's");
    vec![
        ("staff", said(shop.add_staff(member, NOW, &mut rng(6)))),
        ("roster", said(shop.trust_hubs(root.public(), roster))),
        ("vouched", said(shop.vouched_by(own))),
    ]
}

#[test]
fn p2_a_box_that_met_a_newer_one_refuses_every_way_of_writing_and_stays_as_it_is() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 1, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).unwrap();
    meet(&street, &next_box(&street));
    let (shop, order) = (&street.shop, placed.statement().order);
    let before = shop.database().image().unwrap();
    let mut tried = with_orders(&street, &asha, rice, order);
    tried.extend(with_goods(shop, rice));
    tried.extend(with_people(shop));
    for (way, done) in tried {
        let refusal = done.expect_err(way);
        assert!(refusal.contains("no longer speaks for the shop"), "{way}: {refusal}");
    }
    assert_eq!(shop.expire(NOW.plus_ms(2 * DAY_MS), &mut rng(6)).unwrap(), 0);
    assert_eq!(shop.availability(NOW).unwrap(), []);
    assert!(shop.database().image().unwrap() == before, "nothing at all was written");
}

fn salt() -> Amendment {
    serde_json::from_value(serde_json::json!({ "name": "Salt" })).expect("an amendment")
}

#[test]
fn p6_the_older_box_shuts_nobody_out_in_the_newer_ones_place() {
    let street = Neighbourhood::new();
    let keys = KeyPair::from_seed([9; 64]);
    let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    let member = Member { key, sealing, post: Post::Staff, label: "Till".into() };
    street.shop.add_staff(member, NOW, &mut rng(4)).unwrap();
    meet(&street, &next_box(&street));
    let refused = street.shop.revoke_staff(keys.id(), false, NOW, &mut rng(5)).unwrap_err();
    assert!(refused.to_string().contains("no longer speaks"), "{refused}");
}

#[test]
fn p1_what_only_the_newer_box_can_open_is_left_for_it() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let newer = next_box(&street);
    meet(&street, &newer);
    let asha = Customer::new(&street, 20);
    let placed = asha.sign(1, asha.wants(&[(rice, 1, 9000)]));
    let mail = asha.mail(&newer, &asha.parcel(&[&placed]));
    let kept = street.deliver(&mail);
    assert!(matches!(kept, Err(Undeliverable::ReadOnly { .. })), "{kept:?}");
}

#[test]
fn p1_open_orders_are_handed_over_and_decided_once_by_the_newer_box() {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let newer = next_box(&street);
    let early = street.shop.hand_over(NOW, &mut rng(52));
    assert!(matches!(early, Err(NotDone::StillSpeaks)));

    // After the backup was taken, the older box accepted one order and left one for a person.
    let (asha, bela) = (Customer::new(&street, 20), Customer::new(&street, 21));
    let accepted = asha.sign(1, asha.wants(&[(rice, 2, 9000)]));
    street.deliver(&asha.mail(&street, &asha.parcel(&[&accepted]))).unwrap();
    uncounted(&street, true);
    let waiting = bela.sign(2, bela.wants(&[(rice, 3, 9000)]));
    street.deliver(&bela.mail(&street, &bela.parcel(&[&waiting]))).unwrap();
    meet(&street, &newer);

    let handed = street.shop.hand_over(NOW, &mut rng(53)).unwrap();
    assert_eq!((handed.mails.len(), handed.left.len()), (2, 0));
    newer.shop.confirm_stock().unwrap();
    for mail in handed.mails.iter().chain(&handed.mails) {
        newer.deliver(mail).expect("it is taken over");
    }
    let stage = |placed: &kirana_core::statement::SignedStatement| {
        let which = Which { id: placed.statement().order, customer: None };
        newer.shop.order(which).unwrap()
    };
    assert!(matches!(stage(&accepted).order.stage, Stage::Accepted { .. }));
    assert!(stage(&waiting).order.stage.is_undecided());
    assert_eq!(newer.balance(rice), (10, 2), "kept once, though it came twice");
    let which = Which { id: waiting.statement().order, customer: None };
    newer.shop.act(which, Deed::Accept, NOW, &mut rng(5)).expect("the newer box decides");
    assert_eq!(newer.balance(rice), (10, 5));
    let kinds: Vec<_> = stage(&accepted).entries.iter().map(|e| (e.kind, e.generation)).collect();
    assert_eq!(kinds, [("placed", 0), ("accepted", 1), ("adopted", 2)]);
    assert_eq!(newer.shop.verify().unwrap().faults, Vec::<String>::new());
}

fn uncounted(street: &Neighbourhood, yes: bool) {
    let writer = &street.shop.database().writer;
    let counted = i32::from(!yes);
    let done = writer.write(move |tx| -> Result<usize, Abort<()>> {
        Ok(tx.execute("UPDATE offer SET counted = ?1", [counted])?)
    });
    done.expect("it is stored");
}
