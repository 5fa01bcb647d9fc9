//! Invoices have numbers without gaps, and say what the orders' sums say.

use kirana_core::{
    catalogue::product::Language,
    day::Day,
    id::{OrderId, VariantId},
    money::Money,
    order::facts::{Means, Packing},
};
use kirana_paper::{fonts::Fonts, invoice::Form};
use kirana_shop::app::{
    handing::Handing,
    invoices::{Number, Seller, Series},
    orders::{Deed, OrderView, Which},
};
use proptest::prelude::*;

use crate::neighbour::{Customer, NOW, Neighbourhood, rng, rupees};

fn which(n: u8) -> Which {
    Which { id: OrderId::new(NOW, [n; 10]), customer: None }
}

fn act(street: &Neighbourhood, n: u8, deed: Deed) -> OrderView {
    street.shop.act(which(n), deed, NOW, &mut rng(4)).expect("it goes on")
}

fn place(street: &Neighbourhood, n: u8, lines: &[(VariantId, u64, i64)]) {
    let customer = Customer::new(street, 20);
    let signed = customer.sign(n, customer.wants(lines));
    let mail = customer.mail(street, &customer.parcel(&[&signed]));
    street.deliver(&mail).expect("it is taken in");
}

fn complete(street: &Neighbourhood, n: u8) -> OrderView {
    let way = [
        Deed::Pack(Packing::default()),
        Deed::Packed(0, vec![]),
        Deed::Ready(0),
        Deed::Collected(0, Handing::default()),
    ];
    for deed in way {
        act(street, n, deed);
    }
    let sum = street.shop.order(which(n)).expect("it is there").totals.sum;
    act(street, n, Deed::Pay(sum, Means::Cash))
}

fn numbers(street: &Neighbourhood) -> Vec<String> {
    let issued = street.shop.issued(Day::new(0), Day::MAX).expect("they are read");
    issued.iter().map(|(issued, _)| issued.number.to_string()).collect()
}

#[test]
fn invoices_are_numbered_without_gaps_when_orders_are_completed_and_money_that_goes_back_is_credited()
 {
    let street = Neighbourhood::new();
    let (milk, bread) = (street.stock(10, 2_999, 50), street.stock(11, 1_001, 50));
    for n in 1..=3 {
        place(&street, n, &[(milk, 3, 2_999), (bread, 1, 1_001)]);
    }
    assert_eq!(numbers(&street), Vec::<String>::new(), "nothing is completed");
    complete(&street, 2);
    act(&street, 3, Deed::Cancel(kirana_core::order::facts::CancelReason::ByShop));
    complete(&street, 1);
    assert_eq!(numbers(&street), ["I1-000001", "I1-000002"]);
    act(&street, 2, Deed::Refund(Money::new(1_001, rupees()), Means::Cash));
    assert_eq!(numbers(&street), ["I1-000001", "I1-000002", "C1-000001"]);

    let issued = street.shop.issued(Day::new(0), Day::MAX).expect("they are read");
    let sums = issued
        .iter()
        .map(|(_, facts)| facts.lines.iter().map(|line| line.taxable + line.tax).sum::<i64>());
    assert_eq!(sums.collect::<Vec<_>>(), [9_998, 9_998, 1_001]);
    assert_eq!(issued[2].1.of.as_ref().map(|(of, _)| of.as_str()), Some("I1-000001"));
    let faults = street.shop.verify().expect("it is read").faults;
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn an_invoice_is_printed_on_paper_and_on_a_roll_and_none_that_is_not_there() {
    let street = Neighbourhood::new();
    let milk = street.stock(10, 3_000, 50);
    place(&street, 1, &[(milk, 3, 3_000)]);
    complete(&street, 1);
    let seller = Seller {
        name: "Asha General Store".to_owned(),
        address: vec!["14 Market Road".to_owned(), "Bengaluru 560001".to_owned()],
        gstin: Some("27AAPFU0939F1ZV".to_owned()),
    };
    seller.check().expect("a seller");
    street.shop.set_seller(seller).expect("it is stored");
    let fonts = Fonts::built_in();
    let number = Number { series: Series::Invoice, generation: 1, n: 1 };
    for form in [Form::A4, Form::Roll] {
        for language in [Language::ENGLISH, Language::HINDI] {
            let printed = street.shop.print_document(number, (form, language), &fonts);
            let printed = printed.expect("it is printed");
            assert!(printed.pdf.starts_with(b"%PDF-") && printed.pages == 1);
            assert!(printed.left_out.is_empty(), "{:?}", printed.left_out);
        }
    }
    let none = Number { n: 2, ..number };
    assert!(street.shop.print_document(none, (Form::A4, Language::ENGLISH), &fonts).is_err());
    let gstin = Some("27AAPFU0939F1ZX".to_owned());
    assert!(Seller { gstin, ..Seller::default() }.check().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn an_invoice_says_to_the_last_paisa_what_the_order_comes_to(
        lines in proptest::collection::vec((1_u64..5, 1_i64..10_000), 1..6),
        back in 1_i64..3_000,
    ) {
        let street = Neighbourhood::new();
        let wanted: Vec<_> = lines.iter().zip(10_u8..).map(|((amount, minor), n)| {
            (street.stock(n, *minor, 50), *amount, *minor)
        }).collect();
        place(&street, 1, &wanted);
        let view = complete(&street, 1);
        let issued = street.shop.issued(Day::new(0), Day::MAX).expect("they are read");
        let lines = &issued[0].1.lines;
        let sum: i64 = lines.iter().map(|line| line.taxable + line.tax).sum();
        let tax: i64 = lines.iter().map(|line| line.tax).sum();
        prop_assert_eq!(sum, view.totals.sum.minor);
        prop_assert_eq!(tax, view.totals.tax().expect("it fits").minor);
        let back = back.min(sum);
        act(&street, 1, Deed::Refund(Money::new(back, rupees()), Means::Cash));
        let issued = street.shop.issued(Day::new(0), Day::MAX).expect("they are read");
        let credited: i64 = issued[1].1.lines.iter().map(|line| line.taxable + line.tax).sum();
        prop_assert_eq!(credited, back);
    }
}
