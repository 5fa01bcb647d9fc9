//! P8: a damaged order hides no other, and comes back from the shop's copy; told with a real shop.

use std::collections::BTreeMap;

use kirana_core::{
    envelope,
    hash::Hash,
    id::{OrderId, ProductId, VariantId},
    mail::Mail,
    money::{Currency, Price},
    order::{
        chain::Chain,
        wish::{Said, Wish},
    },
    quantity::Unit,
    statement::UnverifiedStatement,
    time::UnixMs,
};
use kirana_customer::app::{
    Household, HouseholdError, receive::Received, shop::Introduced, status::Whereabouts,
};
use kirana_migrations::{Abort, Database, Location, Schema};
use kirana_shop::{
    app::{
        Founding, Keys, Shop,
        counter::{Entry, What},
    },
    store::offers::{self, Shelf},
};

use crate::{
    neighbour::{NOW, household, rng, two_kilos_of_rice},
    verify::flip,
};

/// A household and the shop around the corner.
struct Street {
    shop: Shop,
    meena: Household,
}

impl Street {
    fn new() -> Self {
        let database = Database::open(Schema::Shop, Location::Memory).unwrap();
        let currency = Currency::INR;
        let founding = Founding { name: "Corner".into(), currency, place: None, hub: None };
        let keys = Keys::draw(&mut rng(50));
        let shop = Shop::found(database, keys, founding, NOW, &mut rng(51)).unwrap();
        let street = Self { shop, meena: household(1) };
        street.sells_rice();
        let certificates = street.shop.chain().unwrap().into_iter().map(Into::into).collect();
        let name = "Corner".to_owned();
        let introduced = Introduced { name, certificates, addresses: Vec::new(), hubs: Vec::new() };
        street.meena.choose_shop(introduced, NOW).unwrap();
        street
    }

    fn sells_rice(&self) {
        let variant = VariantId::new(NOW, [2; 10]);
        let shelf = Shelf {
            variant,
            product: ProductId::new(NOW, [1; 10]),
            price: Price { minor: 6_800, per: 1_000, currency: Currency::INR },
            tax_bp: 500,
            unit: Unit::Gram,
            counted: true,
            safety: 0,
            schedule: kirana_core::catalogue::pricing::Schedule::default(),
            version: 1,
            closed: false,
            age_min: None,
        };
        let writer = &self.shop.database().writer;
        writer.write(move |tx| Ok::<_, Abort<()>>(offers::put(tx, &shelf)?)).unwrap();
        let what = What::Receipt(50_000);
        let entry = Entry { variant, location: None, what, note: String::new() };
        self.shop.enter(entry, self.shop.keys().node.id(), NOW, &mut rng(52)).unwrap();
    }

    fn bring(&self, mail: &Mail, at: UnixMs) -> Received {
        let delivered = self.shop.deliver(mail, at, &mut rng(at.get())).unwrap();
        self.meena.receive(&delivered.reply.unwrap(), at).unwrap()
    }

    /// An order that the shop has accepted, and that Meena knows of.
    fn accepted(&self, at: UnixMs) -> OrderId {
        let placed = self.meena.place(two_kilos_of_rice(self.shop.id()), at, &mut rng(at.get()));
        let placed = placed.unwrap();
        let mail = self.meena.mail_for(placed.entry, &mut rng(at.get())).unwrap().unwrap();
        self.bring(&mail, at);
        assert_eq!(self.at(placed.id), Whereabouts::Decided);
        placed.id
    }

    fn heads(&self, at: UnixMs) -> Mail {
        self.meena.heads_mail(self.shop.id(), at, &mut rng(at.get())).unwrap().unwrap()
    }

    fn at(&self, order: OrderId) -> Whereabouts {
        self.meena.order_status(order, NOW).unwrap().whereabouts
    }

    /// How far Meena says that her orders go, by a mail that only the shop can open.
    fn said(&self, mail: &Mail) -> BTreeMap<OrderId, Hash> {
        let parcel = envelope::open(&mail.sealed, &self.shop.keys().openers()).unwrap();
        let read = UnverifiedStatement::parse(&parcel.statements[0]).unwrap();
        let Ok(Said::Wish(Wish::Heads(heads))) = Said::of(read.claimed()) else { panic!() };
        heads.heads.iter().map(|head| (head.order, head.hash)).collect()
    }
}

fn of(order: OrderId, seq: u32) -> String {
    let id: String = order.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("order_id = x'{id}' AND seq = {seq}")
}

fn bytes_of(chain: &Chain) -> Vec<Vec<u8>> {
    chain.entries().iter().map(|entry| entry.signed().bytes().to_vec()).collect()
}

#[test]
fn p8_a_damaged_order_hides_no_other_and_says_what_happens_next() {
    let street = Street::new();
    let orders = [street.accepted(NOW), street.accepted(NOW.plus_ms(1))];
    flip(&street.meena, "entry", "bytes", &of(orders[0], 1));

    assert_eq!(street.meena.order_ids().unwrap().len(), 2);
    let damaged = street.meena.order_status(orders[0], NOW).unwrap();
    assert_eq!(damaged.whereabouts, Whereabouts::Damaged { at_the_shop: true });
    assert_eq!((damaged.stage, damaged.total), ("damaged", None));
    assert!(damaged.says.contains("the shop's copy replaces it"), "{}", damaged.says);
    assert_eq!(street.at(orders[1]), Whereabouts::Decided);
    let refused = street.meena.withdraw(orders[0], NOW, &mut rng(3));
    assert!(matches!(refused, Err(HouseholdError::DamagedOrder)), "{refused:?}");
}

#[test]
fn p8_damaged_entries_come_back_from_the_shop_byte_for_byte() {
    for damaged in [&[0][..], &[1], &[0, 1]] {
        let street = Street::new();
        let orders = [street.accepted(NOW), street.accepted(NOW.plus_ms(1))];
        let before = street.meena.order_chain(orders[0]).unwrap();
        damaged.iter().for_each(|seq| {
            flip(&street.meena, "entry", "bytes", &of(orders[0], *seq));
        });
        assert!(matches!(street.at(orders[0]), Whereabouts::Damaged { .. }), "{damaged:?}");
        assert!(!street.meena.verify().faults.is_empty(), "{damaged:?}");

        let mail = street.heads(NOW.plus_ms(2));
        let said = street.said(&mail);
        assert_ne!(said[&orders[0]], before.head(), "{damaged:?}: it is not the same any more");
        let received = street.bring(&mail, NOW.plus_ms(2));
        assert_eq!(received.changed, [orders[0]], "{damaged:?}");
        let after = street.meena.order_chain(orders[0]).unwrap();
        assert_eq!(bytes_of(&after), bytes_of(&before), "{damaged:?}");
        assert_eq!(street.meena.verify().faults, Vec::<String>::new(), "{damaged:?}");
        assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new(), "{damaged:?}");
    }
}

#[test]
fn p8_what_stands_beside_an_entry_is_put_right_at_the_next_contact() {
    for column in ["hash", "kind", "generation"] {
        for seq in [0, 1] {
            let street = Street::new();
            let order = street.accepted(NOW);
            flip(&street.meena, "entry", column, &of(order, seq));
            assert_eq!(street.at(order), Whereabouts::Decided, "{column} of {seq}");
            assert!(!street.meena.verify().faults.is_empty(), "{column} of {seq}");
            street.bring(&street.heads(NOW.plus_ms(2)), NOW.plus_ms(2));
            assert_eq!(street.meena.verify().faults, Vec::<String>::new(), "{column} of {seq}");
        }
    }
}

#[test]
fn p8_a_closed_order_is_repaired_too() {
    let street = Street::new();
    let order = street.accepted(NOW);
    street.meena.cancel(order, NOW.plus_ms(1), &mut rng(2)).unwrap();
    let asked = street.meena.waiting().unwrap().remove(0).hash;
    let mail = street.meena.mail_for(asked, &mut rng(3)).unwrap().unwrap();
    street.bring(&mail, NOW.plus_ms(1));
    let before = street.meena.order_chain(order).unwrap();
    assert!(!before.order().is_open());
    let heads = street.meena.heads_mail(street.shop.id(), NOW.plus_ms(2), &mut rng(4)).unwrap();
    assert!(heads.is_none(), "what is closed and whole is not spoken of");

    flip(&street.meena, "entry", "bytes", &of(order, 2));
    let mail = street.heads(NOW.plus_ms(3));
    street.bring(&mail, NOW.plus_ms(3));
    assert_eq!(bytes_of(&street.meena.order_chain(order).unwrap()), bytes_of(&before));
    assert_eq!(street.meena.verify().faults, Vec::<String>::new());
}

#[test]
fn p1_an_order_that_nobody_has_yet_is_stored_twice_and_outlives_damage_to_either() {
    for (table, condition) in [("entry", "seq = 0"), ("outbox", "1 = 1")] {
        let street = Street::new();
        let order = two_kilos_of_rice(street.shop.id());
        let placed = street.meena.place(order, NOW, &mut rng(1)).unwrap();
        flip(&street.meena, table, "bytes", condition);
        assert_eq!(street.at(placed.id), Whereabouts::SavedHere, "{table}");
        assert!(!street.meena.verify().faults.is_empty(), "{table}");
        let mail = street.meena.mail_for(placed.entry, &mut rng(2)).unwrap().unwrap();
        street.bring(&mail, NOW);
        assert_eq!(street.at(placed.id), Whereabouts::Decided, "{table}");
        assert_eq!(street.meena.verify().faults, Vec::<String>::new(), "{table}");
    }
}

#[test]
fn p8_an_order_of_which_nothing_holds_is_shown_and_not_sent() {
    let street = Street::new();
    let order = two_kilos_of_rice(street.shop.id());
    let placed = street.meena.place(order, NOW, &mut rng(1)).unwrap();
    flip(&street.meena, "entry", "bytes", "seq = 0");
    flip(&street.meena, "outbox", "bytes", "1 = 1");
    let status = street.meena.order_status(placed.id, NOW).unwrap();
    assert_eq!(status.whereabouts, Whereabouts::Damaged { at_the_shop: false });
    assert!(status.says.contains("place it again"), "{}", status.says);
    assert!(status.order.is_none() && status.entries.is_empty());
    assert_eq!(street.meena.mail_for(placed.entry, &mut rng(2)).unwrap(), None);
    assert_eq!(street.meena.chain_mail(placed.id, NOW, &mut rng(3)).unwrap(), None);
    let received = street.bring(&street.heads(NOW.plus_ms(1)), NOW.plus_ms(1));
    assert_eq!((received.wanted, received.changed), (vec![placed.id], Vec::new()));
}

#[test]
fn p8_a_damaged_key_of_the_shop_hides_no_order_and_comes_back_with_its_certificate() {
    let street = Street::new();
    let orders = [street.accepted(NOW), street.accepted(NOW.plus_ms(1))];
    flip(&street.meena, "signer", "key", "1 = 1");
    for order in orders {
        assert!(matches!(street.at(order), Whereabouts::Damaged { .. }));
    }
    street.bring(&street.heads(NOW.plus_ms(2)), NOW.plus_ms(2));
    for order in orders {
        assert_eq!(street.at(order), Whereabouts::Decided);
    }
    assert_eq!(street.meena.verify().faults, Vec::<String>::new());
}
