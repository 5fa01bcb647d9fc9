//! The bank's statements: each payment once, and what does not fit together is listed.

use std::collections::BTreeMap;

use kirana_core::{
    id::{OrderId, VariantId},
    money::Money,
    order::{
        Order,
        axes::{Payment, Stage},
        facts::{CancelReason, Means, Packing},
    },
    terms::Terms,
    time::DAY_MS,
    upi::Payee,
};
use kirana_shop::app::{
    bank::{NotReconciled, Report},
    handing::Handing,
    import::Locale,
    orders::{Deed, Which},
    till::Kind,
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

struct Counter {
    street: Neighbourhood,
    milk: VariantId,
}

impl Counter {
    fn new() -> Self {
        let street = Neighbourhood::new();
        let milk = street.stock(10, 3_000, 100);
        Self { street, milk }
    }

    /// An order for three milks: ₹90.
    fn order(&self, n: u8) -> String {
        let who = Customer::new(&self.street, n);
        let signed = who.sign(n, who.wants(&[(self.milk, 3, 3_000)]));
        let mail = who.mail(&self.street, &who.parcel(&[&signed]));
        self.street.deliver(&mail).expect("it is taken in");
        self.street.shop.order(which(n)).expect("it is there").number
    }

    fn seen(&self, n: u8) -> Order {
        self.street.shop.order(which(n)).expect("it is there").order
    }

    fn act(&self, n: u8, deed: Deed) {
        self.street.shop.act(which(n), deed, NOW, &mut rng(4)).expect("it is done");
    }

    fn hand_over(&self, n: u8) {
        for deed in [
            Deed::Pack(Packing::default()),
            Deed::Packed(0, vec![]),
            Deed::Ready(0),
            Deed::Collected(0, Handing::default()),
        ] {
            self.act(n, deed);
        }
    }

    fn reads(&self, lines: &[(&str, &str, &str)]) -> Report {
        let mut text = "Date,Narration,Ref No,Deposit\n".to_owned();
        for (words, reference, sum) in lines {
            text.push_str(&format!("01/10/2026,{words},{reference},{sum}\n"));
        }
        let shop = &self.street.shop;
        let map = BTreeMap::new();
        let read = shop.take_statement(text.as_bytes(), &map, Locale::INDIAN, NOW, &mut rng(5));
        read.expect("it is read")
    }

    /// Payments by UPI in the till, in minor units.
    fn by_upi(&self) -> Vec<i64> {
        let takings = self.street.shop.takings(None, None, NOW).expect("they are read");
        let rows = takings.rows.iter().map(|row| &row.taking);
        let is_upi =
            |t: &&kirana_shop::app::till::Taking| (t.kind, t.means) == (Kind::Payment, Means::Upi);
        rows.filter(is_upi).map(|taking| taking.minor).collect()
    }

    fn is_sound(&self) {
        let faults = self.street.shop.verify().expect("it is read").faults;
        assert_eq!(faults, Vec::<String>::new());
    }
}

fn which(n: u8) -> Which {
    Which { id: OrderId::new(NOW, [n; 10]), customer: None }
}

fn is_paid(order: &Order) -> bool {
    matches!(order.payment, Payment::Paid { .. })
}

#[test]
fn a_line_that_names_an_order_pays_it_once_however_often_it_is_read() {
    let counter = Counter::new();
    let number = counter.order(1);
    counter.hand_over(1);
    let words = format!("UPI/612341/Order {number}/okbank");
    let first = counter.reads(&[(&words, "612341", "90.00")]);
    assert_eq!((first.paid, first.open, first.known), (1, 0, 0));
    assert!(is_paid(&counter.seen(1)));
    assert!(matches!(counter.seen(1).stage, Stage::Completed { .. }), "it is finished by that");
    for _ in 0..2 {
        let again = counter.reads(&[(&words, "612341", "90.00")]);
        assert_eq!((again.paid, again.known), (0, 1));
    }
    assert_eq!(counter.by_upi(), [9_000]);
    counter.is_sound();
}

#[test]
fn the_id_in_the_reference_of_a_link_finds_its_order_too() {
    let counter = Counter::new();
    counter.order(1);
    let id = which(1).id.to_string().replace('-', "");
    assert_eq!(counter.reads(&[(&format!("UPI-MEENA-{id}-PAY"), "700001", "90")]).paid, 1);
    assert!(is_paid(&counter.seen(1)));
}

#[test]
fn what_somebody_wrote_down_is_confirmed_and_not_paid_twice() {
    let counter = Counter::new();
    let number = counter.order(1);
    counter.act(1, Deed::Pay(Money::new(9_000, rupees()), Means::Upi));
    let later = NOW.plus_ms(2 * DAY_MS);
    let unseen = |now| counter.street.shop.reconciliation(now).expect("it is read").unseen;
    assert_eq!(unseen(NOW), [], "the bank may take a day");
    assert_eq!(unseen(later)[0].number.as_ref(), Some(&number));
    let report = counter.reads(&[(&number, "800001", "90.00")]);
    assert_eq!((report.confirmed, report.paid), (1, 0));
    assert_eq!(unseen(later), []);
    assert_eq!(counter.by_upi(), [9_000]);
    // A second payment of the same order by the same person is money without an order.
    let second = counter.reads(&[(&number, "900001", "90.00")]);
    assert_eq!((second.confirmed, second.paid, second.open), (0, 0, 1));
    counter.is_sound();
}

#[test]
fn a_line_without_an_order_or_over_another_sum_waits_for_a_person() {
    let counter = Counter::new();
    let number = counter.order(1);
    let report = counter.reads(&[
        (&number, "100001", "89.00"),
        ("RENT FOR THE BACK ROOM", "100002", "500"),
        ("a friend pays", "100003", "90.00"),
    ]);
    assert_eq!((report.paid, report.open), (0, 3));
    assert!(!is_paid(&counter.seen(1)));
    let shop = &counter.street.shop;
    let by = shop.keys().node.id();
    let open = shop.reconciliation(NOW).expect("it is read").open_lines;
    let line = |reference: &str| open.iter().find(|kept| kept.line.reference == reference);
    let [short, rent, friend] =
        ["100001", "100002", "100003"].map(|r| line(r).expect("it is open").n);
    let refused = shop.assign_line(short, which(1), by, NOW, &mut rng(6));
    assert!(matches!(refused, Err(NotReconciled::OtherSum { .. })), "{refused:?}");
    assert!(matches!(shop.set_line_aside(rent, " ", by), Err(NotReconciled::Words)));
    shop.set_line_aside(rent, "rent", by).expect("it is set aside");
    shop.assign_line(friend, which(1), by, NOW, &mut rng(6)).expect("it is the sum");
    assert!(is_paid(&counter.seen(1)));
    for n in [friend, rent, 99] {
        let again = shop.assign_line(n, which(1), by, NOW, &mut rng(6));
        assert!(matches!(again, Err(NotReconciled::NoSuchLine)), "{again:?}");
    }
    let left = shop.reconciliation(NOW).expect("it is read").open_lines;
    assert_eq!(left.iter().map(|kept| kept.n).collect::<Vec<_>>(), [short]);
    assert_eq!(counter.by_upi(), [9_000]);
    counter.is_sound();
}

#[test]
fn goods_without_a_payment_and_money_without_goods_are_listed() {
    let counter = Counter::new();
    let (gone, called_off) = (counter.order(1), counter.order(2));
    counter.order(3);
    counter.hand_over(1);
    counter.act(2, Deed::Pay(Money::new(9_000, rupees()), Means::Upi));
    counter.act(2, Deed::Cancel(CancelReason::ByShop));
    let list = counter.street.shop.reconciliation(NOW).expect("it is read");
    let owed = |owed: &[kirana_shop::app::bank::Owed]| {
        owed.iter().map(|owed| (owed.number.clone(), owed.minor)).collect::<Vec<_>>()
    };
    assert_eq!(owed(&list.unpaid), [(gone, 9_000)]);
    assert_eq!(owed(&list.to_give_back), [(called_off, 9_000)]);
    counter.act(2, Deed::Refund(Money::new(9_000, rupees()), Means::Upi));
    let list = counter.street.shop.reconciliation(NOW).expect("it is read");
    assert_eq!(owed(&list.to_give_back), []);
}

#[test]
fn a_customer_gets_a_link_over_what_is_due_and_none_afterwards() {
    let counter = Counter::new();
    let number = counter.order(1);
    let shop = &counter.street.shop;
    assert!(matches!(shop.upi_link(which(1)), Err(NotReconciled::NoPayee)));
    let upi = Some(Payee { address: "corner@okbank".into(), name: "Corner".into() });
    shop.set_terms(Terms { upi, ..Terms::default() }, NOW).expect("they are sound");
    let link = shop.upi_link(which(1)).expect("it is read").expect("something is due");
    let named = number.replace(' ', "%20");
    let id = which(1).id.to_string().replace('-', "");
    let expected =
        format!("upi://pay?pa=corner@okbank&pn=Corner&tr={id}&tn=Order%20{named}&am=90.00&cu=INR");
    assert_eq!(link, expected);
    counter.act(1, Deed::Pay(Money::new(9_000, rupees()), Means::Upi));
    assert_eq!(shop.upi_link(which(1)).expect("it is read"), None);
}
