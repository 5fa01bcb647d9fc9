//! Weights that differ from what was ordered, and batches in the books: what the ledger shows.

use kirana_core::{
    id::VariantId,
    money::Price,
    order::{
        facts::{Packing, WeighedLine},
        placed::Placed,
    },
    quantity::{Quantity, Unit},
    stock::{Change, batch::Lot},
};
use kirana_migrations::Abort;
use kirana_shop::{
    app::{
        counter::{SaleLine, What},
        handing::Handing,
        orders::{Deed, Which},
    },
    store::offers,
};

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

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
        street
            .shop
            .act(which, Deed::Collected(0, Handing::default()), NOW, &mut rng(7))
            .expect("it is fetched");
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

#[test]
fn the_books_show_of_which_batch_goods_were_and_what_they_cost_and_brought_in() {
    let street = Neighbourhood::new();
    let milk = street.stock(1, 3_000, 0);
    let lot = Lot {
        code: Some("A7".to_owned()),
        best_before: Some("2030-01-31".parse().expect("a day")),
        cost: Some(Price { minor: 40_000, per: 20, currency: rupees() }),
        ..Lot::default()
    };
    street.enter(milk, What::Batch(20, lot));
    let line = SaleLine { variant: milk, amount: 2, unit: Unit::Piece, batch: None };
    let by = street.shop.keys().node.id();
    street.shop.sell(vec![line], by, NOW, &mut rng(4)).expect("it is sold");
    let books = street.shop.books().expect("they are written");
    let sheet = books.iter().find(|table| table.name == "movements.csv").expect("it is there");
    let mut reader = csv::Reader::from_reader(sheet.csv.as_slice());
    let head = reader.headers().expect("a head").clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    let cell = |row: usize, name: &str| {
        let at = head.iter().position(|column| column == name).expect("a column");
        rows[row][at].to_owned()
    };
    let came = ["lot", "best_before", "cost"].map(|name| cell(0, name));
    assert_eq!(came, ["A7", "2030-01-31", "400.00 INR for 20"]);
    let sold = ["batches", "earned", "tax_bp", "lot"].map(|name| cell(1, name));
    assert_eq!(sold, ["1:2", "60.00 INR", "500", ""]);
}
