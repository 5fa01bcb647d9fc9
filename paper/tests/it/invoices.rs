//! Invoices, credit notes and receipts that were printed, as buyers and auditors see them.

use kirana_core::{
    catalogue::product::Language,
    money::{Currency, Money, MoneyError},
};
use kirana_paper::{
    fonts::Fonts,
    invoice::{Form, ITEMS_MAX, Invoice, Item, Kind, NotPrinted, Party, Tax, print},
    labels::Printed,
    length::Length,
    page::Area,
};

use crate::read_back::{all_text, pictures, text};

fn rupees(minor: i64) -> Money {
    Money::new(minor, Currency::INR)
}

fn within(taxable: i64, half: i64, tax_bp: u32, name: &str) -> Item {
    Item {
        name: name.to_owned(),
        hsn: Some("10063020".to_owned()),
        quantity: "2.500 kg".to_owned(),
        rate: "₹60.00 / kg".to_owned(),
        taxable: rupees(taxable),
        tax_bp,
        tax: Tax::Within { cgst: rupees(half), sgst: rupees(half) },
    }
}

fn invoice(items: Vec<Item>) -> Invoice {
    Invoice {
        kind: Kind::TaxInvoice,
        number: "2026-27/00017".to_owned(),
        date: "2026-11-27".parse().expect("a day"),
        seller: Party {
            name: "Asha Stores आशा स्टोर्स".to_owned(),
            address: vec![
                "14 Second Cross Street".to_owned(),
                "Bengaluru 560001, Karnataka".to_owned(),
            ],
            gstin: Some("29ABCDE1234F1Z5".to_owned()),
        },
        buyer: Some(Party { name: "Meera".to_owned(), ..Party::default() }),
        place_of_supply: Some("29 Karnataka".to_owned()),
        items,
        round_off: Some(rupees(-2)),
        notes: vec!["Goods once sold are taken back within seven days.".to_owned()],
        language: Language::ENGLISH,
    }
}

fn basket() -> Vec<Item> {
    vec![
        within(14_286, 357, 500, "Sona Masoori rice सोना मसूरी चावल, old crop, from Raichur"),
        within(10_000, 900, 1_800, "Washing powder"),
        within(12_345_678_900, 1_111_111_101, 1_800, "Refrigerator"),
        within(5_000, 6, 25, "Rough stones"),
    ]
}

fn printed(invoice: &Invoice, form: Form) -> Printed {
    print(invoice, form, &Fonts::built_in()).expect("printed")
}

#[test]
fn an_invoice_says_who_what_and_how_much_tax_of_which_rate() {
    for form in [Form::A4, Form::Roll] {
        let done = printed(&invoice(basket()), form);
        assert!(done.left_out.is_empty() && done.pages == 1);
        let said = all_text(&done.pdf);
        for wanted in [
            "Tax invoice",
            "2026-27/00017",
            "27-11-2026",
            "29ABCDE1234F1Z5",
            "29 Karnataka",
            "आशा",
            "Meera",
            "2.500 kg",
            "₹142.86",
            "(5%)",
            "(0.25%)",
            "CGST",
            "SGST",
            "To pay",
            "-₹0.02",
        ] {
            assert!(said.contains(wanted), "{form:?}: {wanted} in {said}");
        }
        // 12,34,57,081.86 of goods, and 2 x 1,11,11,123.64 of tax, less 0.02.
        assert!(said.contains("₹14,56,79,329.12"), "{form:?}: {said}");
        assert!(!said.contains("IGST"));
    }
}

#[test]
fn between_two_states_there_is_one_tax_and_a_credit_note_names_its_invoice() {
    let items =
        basket().into_iter().map(|item| Item { tax: Tax::Between { igst: rupees(714) }, ..item });
    let of = ("2026-27/00016".to_owned(), "2026-11-20".parse().expect("a day"));
    let kind = Kind::CreditNote { of: of.0, dated: of.1 };
    let note = Invoice { kind, language: Language::HINDI, ..invoice(items.collect()) };
    for form in [Form::A4, Form::Roll] {
        let said = all_text(&printed(&note, form).pdf);
        for wanted in ["क्रेडिट नोट", "2026-27/00016, 20-11-2026", "IGST", "वापस की गई राशि"]
        {
            assert!(said.contains(wanted), "{form:?}: {wanted} in {said}");
        }
        assert!(!said.contains("CGST") && !said.contains("Tax invoice"));
    }
}

#[test]
fn a_long_invoice_goes_on_from_page_to_page_with_its_heads_and_numbers() {
    let items = (0..200).map(|n| within(10_000, 250, 500, &format!("Goods no. {n}")));
    let done = printed(&invoice(items.collect()), Form::A4);
    assert!(done.pages > 3);
    let pages = text(&done.pdf);
    let mut found = 0;
    for (n, runs) in pages.iter().enumerate() {
        let said: Vec<&str> = runs.iter().map(|(_, _, said)| said.as_str()).collect();
        assert!(said.iter().any(|said| said.ends_with(&format!(
            "Page {} / {}",
            n + 1,
            done.pages
        ))));
        let goods = said.iter().filter(|said| said.starts_with("Goods no. ")).count();
        assert!(goods == 0 || said.contains(&"HSN"), "page {n}");
        found += goods;
    }
    assert_eq!(found, 200, "each line once");
    for page in pictures(&done.pdf) {
        let (width, height) = (Length::mm(210), Length::mm(297));
        let edge = Length::mm(10);
        let left = Area { x: Length::ZERO, y: Length::ZERO, width: edge, height };
        let right = Area { x: width - edge, ..left };
        let below = Area { x: Length::ZERO, y: height - edge, width, height: edge };
        for area in [left, right, below] {
            assert!(page.part(area).is_blank());
        }
    }
}

#[test]
fn what_is_no_invoice_is_refused() {
    let refused =
        |items: Vec<Item>| print(&invoice(items), Form::A4, &Fonts::built_in()).map(|_| ());
    assert_eq!(refused(Vec::new()), Err(NotPrinted::Nothing));
    let many = vec![within(1, 0, 0, "x"); ITEMS_MAX + 1];
    assert_eq!(refused(many), Err(NotPrinted::TooMany(ITEMS_MAX + 1)));
    let mut mixed = basket();
    mixed[1].tax = Tax::Between { igst: rupees(1) };
    assert_eq!(refused(mixed), Err(NotPrinted::TwoSupplies));
    let mut euros = basket();
    euros[1].taxable = Money::new(1, "EUR".parse().expect("a code"));
    assert!(matches!(refused(euros), Err(NotPrinted::Money(MoneyError::CurrenciesDiffer(..)))));
    let most = vec![within(i64::MAX, 0, 0, "x"); 2];
    assert_eq!(refused(most), Err(NotPrinted::Money(MoneyError::TooLarge)));
}

#[test]
fn the_same_invoice_gives_the_same_bytes() {
    for form in [Form::A4, Form::Roll] {
        assert_eq!(printed(&invoice(basket()), form).pdf, printed(&invoice(basket()), form).pdf);
    }
}
