//! A stored byte of an order changes at the shop, and its household's copy mends it.

use kirana_core::{
    id::{OrderId, VariantId},
    key::KeyPair,
    mail::Mail,
    order::{
        axes::Stage,
        facts::Means,
        placed::{Handover, Method, WantedLine},
    },
    quantity::{Quantity, Unit},
    time::DAY_MS,
};
use kirana_customer::app::{Household, place::NewOrder, shop::Introduced};
use kirana_migrations::{Database, Location, Schema, rusqlite::Connection};
use kirana_shop::app::{
    counter::What,
    handing::Handing,
    mend::Looked,
    orders::{Deed, NotDone, Which},
};

use crate::neighbour::{NOW, Neighbourhood, rng, rupees};

/// A shop whose database is a file, and a household that knows it.
struct Story {
    street: Neighbourhood,
    meena: Household,
    rice: VariantId,
    folder: tempfile::TempDir,
}

impl Story {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let street = Neighbourhood::at(Location::File(folder.path().join("shop.db")));
        let rice = street.stock(1, 9000, 10);
        let database = Database::open(Schema::Customer, Location::Memory).expect("it opens");
        let keys = KeyPair::from_seed([60; 64]);
        let meena = Household::create(database, keys, NOW, &mut rng(60)).expect("it is made");
        let introduced = Introduced {
            name: "Corner".to_owned(),
            certificates: street
                .shop
                .chain()
                .expect("its certificates")
                .into_iter()
                .map(Into::into)
                .collect(),
            addresses: Vec::new(),
            hubs: Vec::new(),
        };
        meena.choose_shop(introduced, NOW).expect("it is chosen");
        Self { street, meena, rice, folder }
    }

    /// Meena orders rice and hears what the shop says.
    fn order(&self, amount: u64) -> OrderId {
        let quantity = Quantity::new(amount, Unit::Piece).expect("a quantity");
        let seen = kirana_core::money::Price { currency: rupees(), minor: 9000, per: 1 };
        let product = kirana_core::id::ProductId::new(NOW, [1; 10]);
        let order = NewOrder {
            shop: self.street.shop.id(),
            currency: rupees(),
            lines: vec![WantedLine::new(product, self.rice, quantity, seen)],
            handover: Handover::Pickup { slot: None },
            payment: Method::OnDelivery,
            partial_ok: false,
            personal: None,
            answer_by: NOW.plus_ms(DAY_MS),
            fee: None,
            of_age: None,
        };
        let placed = self.meena.place(order, NOW, &mut rng(61)).expect("it is placed");
        let mail =
            self.meena.mail_for(placed.entry, &mut rng(62)).expect("it is read").expect("it waits");
        self.deliver(&mail);
        placed.id
    }

    /// Hands mail to the shop and takes its reply in; says what the shop asks for.
    fn deliver(&self, mail: &Mail) -> Vec<OrderId> {
        let reply = self.street.deliver(mail).expect("it is taken in").reply;
        let received = self.meena.receive(&reply.expect("a reply"), NOW).expect("it is stored");
        assert_eq!(received.doubted, Vec::<String>::new());
        received.wanted
    }

    /// One contact: heads are compared, waiting mail is fetched, and what the shop asks for is given.
    fn meet(&self) {
        let heads =
            self.meena.heads_mail(self.street.shop.id(), NOW, &mut rng(63)).expect("it is done");
        let mut wanted = heads.map(|mail| self.deliver(&mail)).unwrap_or_default();
        let device = self.meena.keys().id();
        for (_, mail) in
            self.street.shop.mail_for(device, 0, 50, NOW, &mut rng(64)).expect("it is done")
        {
            wanted.extend(self.meena.receive(&mail, NOW).expect("it is stored").wanted);
        }
        wanted.sort();
        wanted.dedup();
        for order in wanted {
            let mail = self.meena.chain_mail(order, NOW, &mut rng(65)).expect("it is done");
            self.deliver(&mail.expect("it was placed here"));
        }
    }

    fn sql(&self) -> Connection {
        Connection::open(self.folder.path().join("shop.db")).expect("it opens")
    }

    /// Changes one byte of a stored entry, as a failing disk does.
    fn flip(&self, seq: u32, at: usize) {
        let sql = self.sql();
        let find = "SELECT bytes FROM order_entry WHERE seq = ?1";
        let mut bytes: Vec<u8> = sql.query_row(find, [seq], |row| row.get(0)).expect("an entry");
        let at = at % bytes.len();
        bytes[at] ^= 0x10;
        let put = "UPDATE order_entry SET bytes = ?2 WHERE seq = ?1";
        assert_eq!(sql.execute(put, (seq, bytes)).expect("it is done"), 1);
    }

    fn faults(&self) -> Vec<String> {
        self.street.shop.verify().expect("it is read").faults
    }

    fn mended(&self) -> usize {
        self.street.shop.verify().expect("it is read").mended.len()
    }

    fn look(&self) -> Looked {
        self.street.shop.look_for_damage(0, 10, NOW, &mut rng(66)).expect("it is looked at")
    }
}

fn which(id: OrderId) -> Which {
    Which { id, customer: None }
}

#[test]
fn p8_an_undecided_order_is_mended_at_the_next_contact() {
    for seq in [0, 1] {
        let story = Story::new();
        story.sql().execute("UPDATE offer SET counted = 0", []).unwrap();
        let order = story.order(3);
        story.flip(seq, 90);
        assert!(!story.faults().is_empty());
        story.meet();
        assert_eq!((story.faults(), story.mended()), (Vec::new(), 1), "entry {seq}");
        let shop = &story.street.shop;
        assert!(shop.order(which(order)).unwrap().order.stage.is_undecided());
        shop.act(which(order), Deed::Accept, NOW, &mut rng(5)).expect("it goes on");
    }
}

#[test]
fn p8_an_accepted_order_is_mended_wherever_it_was_hit_and_its_stock_is_kept_once() {
    let story = Story::new();
    let order = story.order(3);
    let before = story.street.shop.verify().unwrap();
    let mut flips = 0;
    for at in (0..300).step_by(37) {
        for seq in [0, 1] {
            story.flip(seq, at);
            assert!(!story.faults().is_empty(), "byte {at} of entry {seq}");
            story.meet();
            flips += 1;
            assert_eq!(story.faults(), Vec::<String>::new(), "byte {at} of entry {seq}");
        }
    }
    let after = story.street.shop.verify().unwrap();
    assert_eq!((after.entries, after.movements), (before.entries, before.movements));
    assert_eq!(story.street.balance(story.rice), (10, 3));
    let view = story.street.shop.order(which(order)).unwrap();
    assert!(matches!(view.order.stage, Stage::Accepted { .. }));
    // The damaged bytes are kept; those of one moment in one place only once.
    assert!(after.mended.len() >= 2, "{flips} flips, {:?}", after.mended);
}

#[test]
fn p8_a_completed_order_is_found_by_the_walk_and_mended() {
    let story = Story::new();
    let order = story.order(3);
    let sum = story.street.shop.order(which(order)).unwrap().totals.sum;
    let deeds = [
        Deed::Pack(Default::default()),
        Deed::Packed(0, Vec::new()),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
        Deed::Pay(sum, Means::Cash),
    ];
    for deed in deeds {
        story.street.shop.act(which(order), deed, NOW, &mut rng(5)).unwrap();
    }
    story.meet();
    assert_eq!(story.meena.order_status(order, NOW).unwrap().stage, "completed");
    story.flip(3, 120);
    story.meet();
    assert!(!story.faults().is_empty(), "nobody compares what is closed");
    assert_eq!(story.look(), Looked { next: None, damaged: 1 });
    story.meet();
    assert_eq!((story.faults(), story.mended()), (Vec::new(), 1));
    assert_eq!(story.look(), Looked { next: None, damaged: 0 });
    assert_eq!(story.street.balance(story.rice), (7, 0));
}

#[test]
fn p8_an_entry_that_is_gone_comes_back() {
    let story = Story::new();
    story.order(3);
    story.sql().execute("DELETE FROM order_entry WHERE seq = 0", []).unwrap();
    story.meet();
    assert_eq!((story.faults(), story.mended()), (Vec::new(), 1));
}

#[test]
fn p8_a_damaged_order_is_neither_acted_on_nor_said_to_be_the_same() {
    let story = Story::new();
    let order = story.order(3);
    story.flip(1, 100);
    let refused = story.street.shop.act(which(order), Deed::Ready(0), NOW, &mut rng(5));
    assert!(matches!(refused, Err(NotDone::Damaged(_))), "{refused:?}");
    let heads = story.meena.heads_mail(story.street.shop.id(), NOW, &mut rng(63)).unwrap();
    assert_eq!(story.deliver(&heads.unwrap()), [order], "it is asked for");
    let waiting = story.street.shop.mail_for(story.meena.keys().id(), 0, 50, NOW, &mut rng(64));
    for (_, mail) in waiting.unwrap() {
        let received = story.meena.receive(&mail, NOW).unwrap();
        assert_eq!(received.doubted, Vec::<String>::new(), "no damaged byte is sent");
    }
}

#[test]
fn p8_what_the_customer_does_not_have_is_not_made_up() {
    let story = Story::new();
    let order = story.order(3);
    story.street.shop.act(which(order), Deed::Pack(Default::default()), NOW, &mut rng(5)).unwrap();
    story.flip(2, 100);
    // Meena was not met since it was packed, so that her copy ends before.
    let mail = story.meena.chain_mail(order, NOW, &mut rng(65)).unwrap().unwrap();
    story.deliver(&mail);
    assert!(!story.faults().is_empty());
    assert_eq!((story.mended(), story.street.balance(story.rice)), (0, (10, 3)));
    story.flip(2, 100);
    story.deliver(&mail);
    assert_eq!(story.faults(), Vec::<String>::new(), "the disk came to its senses");
}

#[test]
fn p2_a_shortage_that_met_a_damaged_order_is_told_when_it_is_mended() {
    let story = Story::new();
    let order = story.order(3);
    story.flip(0, 100);
    story.street.enter(story.rice, What::Counted(1));
    assert_eq!(story.street.balance(story.rice).0, 1);
    assert!(story.street.balance(story.rice).1 <= 1, "never more is promised than there is");
    story.meet();
    assert_eq!(story.faults(), Vec::<String>::new());
    let entries = story.street.shop.order(which(order)).unwrap().entries;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["placed", "accepted", "shortage"]);
    assert_eq!(story.street.balance(story.rice), (1, 1));
}

#[test]
fn p8_a_list_that_was_shown_before_still_notices_a_changed_byte() {
    let story = Story::new();
    let order = story.order(3);
    let list = || story.street.shop.orders(None, false, None, 10).expect("it is read");
    assert_eq!(list().views.len(), 1);
    story.flip(1, 100);
    assert_eq!((list().views.len(), list().damaged), (0, vec![order]));
    story.flip(1, 100);
    assert_eq!(list().views.len(), 1);
}
