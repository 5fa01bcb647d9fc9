//! Money moves once: the till, the orders' entries and the day's end agree.

use kirana_core::{
    id::{OrderId, VariantId},
    money::Money,
    order::facts::{Means, Packing},
    quantity::Unit,
};
use kirana_shop::app::{
    Once,
    counter::{NotEntered, SaleLine},
    handing::Handing,
    orders::{Deed, Which},
    scan::Rung,
    till::Kind,
};
use proptest::prelude::*;

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

fn money(minor: i64) -> Money {
    Money::new(minor, rupees())
}

/// A shop with a hundred packs at ₹30, and an order for three of them that was fetched.
fn street() -> (Neighbourhood, VariantId) {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 100);
    let customer = Customer::new(&street, 20);
    let signed = customer.sign(1, customer.wants(&[(milk, 3, 3_000)]));
    let mail = customer.mail(&street, &customer.parcel(&[&signed]));
    street.deliver(&mail).expect("it is taken in");
    let way = [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, vec![]),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
    ];
    for deed in way {
        act(&street, None, deed).expect("it goes on");
    }
    (street, milk)
}

fn act(
    street: &Neighbourhood,
    once: Option<Once>,
    deed: Deed,
) -> Result<kirana_shop::app::orders::OrderView, kirana_shop::app::orders::NotDone> {
    let which = Which { id: OrderId::new(NOW, [1; 10]), customer: None };
    street.shop.act_once(once, which, deed, None, NOW, &mut rng(4))
}

fn sell(street: &Neighbourhood, milk: VariantId, packs: u64, means: Means) {
    let line = SaleLine { variant: milk, amount: packs, unit: Unit::Piece, batch: None };
    let by = street.shop.keys().node.id();
    let lines = (vec![Rung::Chosen(line)], means);
    street.shop.ring_up(None, lines, by, NOW, &mut rng(5)).expect("it is sold");
}

fn is_sound(street: &Neighbourhood) {
    let faults = street.shop.verify().expect("it is read").faults;
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_day_at_the_till_ends_with_the_difference_that_somebody_signs_off() {
    let (street, milk) = street();
    let (shop, by) = (&street.shop, street.shop.keys().node.id());
    let mut rng = rng(6);
    let day = shop.open_till(None, money(50_000), by, NOW, &mut rng).expect("it is opened");
    let again = shop.open_till(None, money(1), by, NOW, &mut rng);
    assert!(matches!(again, Err(NotEntered::TillOpen)), "{again:?}");
    sell(&street, milk, 2, Means::Cash);
    sell(&street, milk, 1, Means::Upi);
    act(&street, None, Deed::Pay(money(9_000), Means::Cash)).expect("it is paid");
    act(&street, None, Deed::Refund(money(1_000), Means::Cash)).expect("some goes back");
    let out = (Kind::PaidOut, money(2_500), "ice".to_owned());
    shop.move_cash(None, out, by, NOW, &mut rng).expect("ice was paid");
    // What came by UPI lies in no till.
    let expected = 50_000 + 6_000 + 9_000 - 1_000 - 2_500;
    assert_eq!(shop.till_days().expect("they are read")[0].1, expected);

    let counted = (day, money(expected - 300), "a note was torn".to_owned());
    shop.close_till(None, counted.clone(), by, NOW, &mut rng).expect("it is closed");
    let closed = shop.till_days().expect("they are read")[0].0.closed.clone().expect("closed");
    assert_eq!(
        (closed.expected_minor, closed.counted_minor, closed.by),
        (expected, expected - 300, by)
    );
    let twice = shop.close_till(None, counted, by, NOW, &mut rng);
    assert!(matches!(twice, Err(NotEntered::NoTill)), "{twice:?}");
    sell(&street, milk, 1, Means::Cash);
    assert_eq!(shop.till_days().expect("they are read")[0].1, expected, "what is closed stays");

    let taken = shop.takings(None, None, NOW).expect("they are read");
    assert_eq!(taken.days.values().sum::<i64>(), 6_000 + 3_000 + 9_000 - 1_000 + 3_000);
    assert_eq!(taken.customers.values().copied().collect::<Vec<_>>(), [8_000]);
    is_sound(&street);
}

#[test]
fn a_payment_that_comes_twice_is_in_the_till_once() {
    let (street, _) = street();
    let once = || Once::new(street.shop.keys().node.id(), "payment of monday");
    for _ in 0..2 {
        act(&street, once(), Deed::Pay(money(9_000), Means::Cash)).expect("it is paid");
    }
    let taken = street.shop.takings(None, None, NOW).expect("they are read");
    assert_eq!(taken.rows.len(), 1);
    let more = act(&street, None, Deed::Pay(money(1), Means::Cash));
    assert!(more.is_err(), "the order is paid");
    assert_eq!(street.shop.takings(None, None, NOW).expect("they are read").rows.len(), 1);
    is_sound(&street);
}

#[test]
fn amounts_that_cannot_be_are_refused() {
    let (street, _) = street();
    let (shop, by, mut rng) = (&street.shop, street.shop.keys().node.id(), rng(7));
    let dollars = Money::new(100, "USD".parse().expect("a currency"));
    for float in [money(-1), dollars] {
        let opened = shop.open_till(None, float, by, NOW, &mut rng);
        assert!(matches!(opened, Err(NotEntered::Amount)), "{float:?}");
    }
    for (amount, note) in [(money(0), ""), (money(-5), ""), (dollars, ""), (money(1), "\n")] {
        let moved = (Kind::PaidIn, amount, note.to_owned());
        assert!(shop.move_cash(None, moved, by, NOW, &mut rng).is_err(), "{amount:?} {note:?}");
    }
    assert!(shop.till_days().expect("they are read").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_is_sold_paid_and_given_back_the_sums_of_till_and_orders_agree(
        steps in proptest::collection::vec((0_u8..4, 1_u64..4, 1_i64..5_000), 1..14),
    ) {
        let (street, milk) = street();
        let (mut cash, mut paid) = (0, 0);
        for (what, packs, minor) in steps {
            match what {
                0 => {
                    sell(&street, milk, packs, Means::Cash);
                    cash += 3_000 * packs as i64;
                }
                1 => sell(&street, milk, packs, Means::Card),
                2 if act(&street, None, Deed::Pay(money(minor), Means::Cash)).is_ok() => {
                    cash += minor;
                    paid += minor;
                }
                3 if act(&street, None, Deed::Refund(money(minor), Means::Cash)).is_ok() => {
                    cash -= minor;
                    paid -= minor;
                }
                _ => {}
            }
        }
        let taken = street.shop.takings(None, None, NOW).expect("they are read");
        let of_cash = taken.means.iter().filter(|((means, _), _)| *means == "cash");
        prop_assert_eq!(of_cash.map(|(_, minor)| minor).sum::<i64>(), cash);
        prop_assert_eq!(taken.customers.values().sum::<i64>(), paid);
        let which = Which { id: OrderId::new(NOW, [1; 10]), customer: None };
        let totals = street.shop.order(which).expect("it is there").totals;
        prop_assert_eq!(totals.paid.minor - totals.refunded.minor, paid);
        is_sound(&street);
    }
}
