//! Accepted orders that nobody comes for.

use kirana_core::{
    order::placed::{Handover, Placed, Slot},
    time::{DAY_MS, UnixMs},
};
use kirana_shop::app::{
    holding::{HELD_MS_DEFAULT, HOUR_MS},
    orders::{Deed, OrderView, Which},
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng};

/// A shop with an accepted order for three of ten bags of rice.
fn accepted(
    change: impl FnOnce(&mut Placed),
) -> (Neighbourhood, Which, kirana_core::id::VariantId) {
    let street = Neighbourhood::new();
    let rice = street.stock(1, 9000, 10);
    let asha = Customer::new(&street, 20);
    let mut wanted = asha.wants(&[(rice, 3, 9000)]);
    change(&mut wanted);
    let placed = asha.sign(1, wanted);
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).expect("it is taken in");
    (street, Which { id: placed.statement().order, customer: None }, rice)
}

fn unclaimed(street: &Neighbourhood, at: UnixMs) -> usize {
    street.shop.unclaimed(at, HELD_MS_DEFAULT).expect("it is read").views.len()
}

fn release(street: &Neighbourhood, at: UnixMs) -> usize {
    let released = street.shop.release_unclaimed(at, HELD_MS_DEFAULT, &mut rng(7));
    released.expect("it is stored")
}

fn last(view: &OrderView) -> (&'static str, &'static str) {
    (view.order.stage.label(), view.entries.last().expect("an entry").kind)
}

#[test]
fn p2_goods_that_nobody_fetches_are_listed_and_then_free_again_once() {
    let (street, which, rice) = accepted(|_| {});
    let due = NOW.plus_ms(HELD_MS_DEFAULT);
    assert_eq!((unclaimed(&street, due), release(&street, due)), (0, 0), "not a moment early");
    assert_eq!(street.balance(rice), (10, 3));
    let late = due.plus_ms(1);
    assert_eq!(unclaimed(&street, late), 1);
    assert_eq!((release(&street, late), release(&street, late)), (1, 0));
    assert_eq!(last(&street.shop.order(which).unwrap()), ("cancelled", "cancelled"));
    assert_eq!((street.balance(rice), unclaimed(&street, late)), ((10, 0), 0));
    assert_eq!(street.shop.verify().unwrap().faults, Vec::<String>::new());
}

#[test]
fn the_time_runs_from_what_was_agreed_and_from_when_the_goods_were_ready() {
    let slot = Slot { from: NOW.plus_ms(DAY_MS), until: NOW.plus_ms(DAY_MS + HOUR_MS) };
    let agreed = |placed: &mut Placed| placed.handover = Handover::Pickup { slot: Some(slot) };
    let (street, which, _) = accepted(agreed);
    let after = |ms| NOW.plus_ms(ms + HELD_MS_DEFAULT + 1);
    assert_eq!(unclaimed(&street, after(0)), 0);
    assert_eq!(unclaimed(&street, after(DAY_MS + HOUR_MS)), 1);
    let ready = NOW.plus_ms(3 * DAY_MS);
    for deed in [Deed::Pack(Default::default()), Deed::Packed(0, Vec::new()), Deed::Ready(0)] {
        street.shop.act(which, deed, ready, &mut rng(5)).unwrap();
    }
    assert_eq!(unclaimed(&street, after(DAY_MS + HOUR_MS)), 0);
    assert_eq!(unclaimed(&street, after(3 * DAY_MS)), 1);
}

#[test]
fn what_was_paid_for_is_listed_and_left_to_a_person() {
    let (street, which, rice) = accepted(|_| {});
    let sum = street.shop.order(which).unwrap().totals.sum;
    let pay = Deed::Pay(sum, kirana_core::order::facts::Means::Upi);
    street.shop.act(which, pay, NOW, &mut rng(5)).unwrap();
    let late = NOW.plus_ms(HELD_MS_DEFAULT + 1);
    assert_eq!((unclaimed(&street, late), release(&street, late)), (1, 0));
    assert_eq!(street.balance(rice), (10, 3));
}

#[test]
fn p3_a_clock_that_jumped_calls_nothing_off() {
    let (street, _, rice) = accepted(|_| {});
    assert_eq!(release(&street, NOW.plus_ms(365 * DAY_MS)), 0);
    assert_eq!(street.balance(rice), (10, 3));
}
