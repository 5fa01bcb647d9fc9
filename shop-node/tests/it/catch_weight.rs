//! Weights that differ from what was ordered: what the ledger shows of them.

use kirana_core::{
    id::VariantId,
    order::{
        facts::{Packing, WeighedLine},
        placed::Placed,
    },
    quantity::{Quantity, Unit},
    stock::Change,
};
use kirana_migrations::Abort;
use kirana_shop::{
    app::orders::{Deed, Which},
    store::offers,
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng};

/// The same goods, sold by the gram.
fn by_weight(street: &Neighbourhood, variant: VariantId) -> VariantId {
    let put = street.shop.database().writer.write(move |tx| -> Result<(), Abort<()>> {
        let mut shelf = offers::get(tx, variant)?.expect("it is on the shelf");
        shelf.unit = Unit::Gram;
        Ok(offers::put(tx, &shelf)?)
    });
    put.expect("it is stored");
    variant
}

/// An order of a kilogram that is accepted, packed, and weighed as this.
fn weighed(amount: u64) -> (Neighbourhood, VariantId, Which) {
    let street = Neighbourhood::new();
    let fish = by_weight(&street, street.stock(1, 2, 5_000));
    let asha = Customer::new(&street, 20);
    let mut wanted: Placed = asha.wants(&[(fish, 1_000, 2)]);
    wanted.lines[0].tolerance_bp = 1_000;
    wanted.lines[0].quantity = Quantity::new(1_000, Unit::Gram).expect("a quantity");
    let placed = asha.sign(1, wanted);
    street.deliver(&asha.mail(&street, &asha.parcel(&[&placed]))).expect("it is taken in");
    let which = Which { id: placed.statement().order, customer: None };
    let packing = Packing { group: 0, lines: Vec::new() };
    let weighed = WeighedLine { line: 0, amount };
    for deed in [Deed::Pack(packing), Deed::Packed(0, vec![weighed]), Deed::Ready(0)] {
        street.shop.act(which, deed, NOW, &mut rng(6)).expect("it is done");
    }
    (street, fish, which)
}

#[test]
fn catch_weight_shows_what_was_reserved_and_what_was_handed_over_side_by_side() {
    for (given, left) in [(950, 4_050), (1_050, 3_950)] {
        let (street, fish, which) = weighed(given);
        assert_eq!(street.balance(fish), (5_000, 1_000), "kept as ordered until it is fetched");
        street.shop.act(which, Deed::Collected(0), NOW, &mut rng(7)).expect("it is fetched");
        let movements = street.shop.stock_movements(0, 10).expect("read");
        let last = movements.last().expect("a movement");
        assert_eq!(last.change, Change::Sale { amount: given, reserved: 1_000 });
        assert_eq!(last.order.map(|link| (link.order, link.line)), Some((which.id, 0)));
        let earned = last.earned.expect("it brought something in");
        assert_eq!(earned.sum.minor, 2 * i64::try_from(given).expect("small"));
        assert_eq!(street.balance(fish), (left, 0));
        assert_eq!(street.shop.verify().expect("read").faults, Vec::<String>::new());
    }
}
