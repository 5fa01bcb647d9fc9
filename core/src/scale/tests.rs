//! Labels of scales as they are printed, read and priced, and what is none.

use proptest::prelude::*;

use super::*;
use crate::{cbor, money::Currency};

fn layout(prefix: &str, item_digits: u8, carries: Carries) -> Layout {
    Layout { prefix: prefix.to_owned(), item_digits, carries, one: 1, verifier: false }
}

fn printed(body: &str) -> String {
    format!("{body}{}", check_digit(number(body)))
}

fn read(layout: Layout, code: &str) -> Result<Label, NotALabel> {
    Layouts::new(vec![layout]).expect("it can be").read(code)
}

#[test]
fn a_weight_and_a_price_are_read_and_the_article_is_the_code_with_zeros() {
    let weight = read(layout("21", 5, Carries::Weight), "2112345007502").expect("a label");
    assert_eq!((weight.item(), weight.measured()), ("12345", Measured::Grams(750)));
    assert_eq!(weight.gtin().to_string(), format!("0{}", printed("211234500000")));
    let price = read(layout("27", 4, Carries::Price), &printed("270042012345")).expect("a label");
    assert_eq!((price.item(), price.measured()), ("0042", Measured::Minor(12_345)));
    let tens = Layout { one: 10, ..layout("24", 6, Carries::Weight) };
    let tens = read(tens, &printed("241234560075")).expect("a label");
    assert_eq!(tens.measured(), Measured::Grams(750));
}

#[test]
fn a_upc_of_north_america_is_read_with_its_twelve_digits_and_its_verifier() {
    let upc = Layout { verifier: true, ..layout("02", 5, Carries::Price) };
    let code = printed("021234592875");
    let label = read(upc.clone(), &code[1..]).expect("a label");
    assert_eq!((label.item(), label.measured()), ("12345", Measured::Minor(2_875)));
    assert_eq!(read(upc.clone(), &code), Ok(label.clone()));
    assert_eq!(read(upc.clone(), &format!("0{code}")), Ok(label));
    let wrong = printed("021234582875");
    assert_eq!(read(upc, &wrong), Err(NotALabel::WrongVerifier));
}

#[test]
fn what_was_scanned_wrongly_or_says_nothing_is_refused_by_name() {
    let weight = layout("21", 5, Carries::Weight);
    let of = |code: &str| read(weight.clone(), code);
    assert_eq!(of("2112345007503"), Err(NotALabel::WrongCheckDigit { expected: 2 }));
    assert_eq!(of(&printed("221234500750")), Err(NotALabel::UnknownLayout("22".into())));
    assert_eq!(of(&printed("211234500000")), Err(NotALabel::Nothing));
    for other in ["6291041500213", "21", "", "milk", "२११२३४५००७५०२", "20000004"]
    {
        assert_eq!(of(other), Err(NotALabel::Other), "{other}");
    }
}

#[test]
fn layouts_that_cannot_be_or_read_one_code_twice_are_refused() {
    let good = layout("21", 5, Carries::Weight);
    let bad = |layout: Layout| Layouts::new(vec![layout]).expect_err("it cannot be");
    for prefix in ["", "2", "02345", "30", "2x", "१२"] {
        let layout = Layout { prefix: prefix.to_owned(), ..good.clone() };
        assert_eq!(bad(layout), BadLayout::Prefix(prefix.to_owned()));
    }
    for item_digits in [0, 3, 8, 200] {
        let layout = Layout { item_digits, ..good.clone() };
        assert_eq!(bad(layout), BadLayout::Digits("21".into()));
    }
    let verified = Layout { item_digits: 6, verifier: true, ..good.clone() };
    assert_eq!(bad(verified), BadLayout::Verifier("21".into()));
    assert_eq!(bad(Layout { one: 3, ..good.clone() }), BadLayout::One(3));
    let longer = layout("210", 5, Carries::Price);
    let alike = Layouts::new(vec![longer, good.clone()]).expect_err("one code, two readings");
    assert_eq!(alike, BadLayout::Alike("210".into(), "21".into()));
    let many = |n| (0..n).map(|n| layout(&format!("2{n:03}"), 4, Carries::Price)).collect();
    assert!(Layouts::new(many(LAYOUTS_MAX)).is_ok());
    assert_eq!(Layouts::new(many(LAYOUTS_MAX + 1)), Err(BadLayout::TooMany));
}

#[test]
fn layouts_come_back_as_they_were_stored_and_bad_ones_do_not() {
    let layouts = Layouts::new(vec![layout("21", 5, Carries::Weight)]).expect("it can be");
    let bytes = cbor::to_vec(&layouts);
    assert_eq!(cbor::from_slice::<Layouts>("layouts", &bytes, 1_000), Ok(layouts.clone()));
    let text = serde_json::to_string(&layouts).expect("it is plain");
    assert_eq!(serde_json::from_str::<Layouts>(&text).expect("it is as before"), layouts);
    assert!(serde_json::from_str::<Layouts>(&text.replace("21", "41")).is_err());
    let short = r#"[{"prefix":"21","item_digits":5,"carries":"weight"}]"#;
    assert_eq!(serde_json::from_str::<Layouts>(short).expect("the rest is usual"), layouts);
}

#[test]
fn the_verifier_finds_any_single_wrong_digit() {
    for value in ["2875", "0001", "14685", "99999"] {
        let right = verifier_of(value).expect("a verifier");
        for place in 0..value.len() {
            for digit in b'0'..=b'9' {
                let mut wrong = value.as_bytes().to_vec();
                wrong[place] = digit;
                let wrong = String::from_utf8(wrong).expect("digits");
                assert_eq!(verifier_of(&wrong) == Some(right), wrong == value, "{wrong}");
            }
        }
    }
    assert_eq!((verifier_of("123"), verifier_of("12a4")), (None, None));
}

fn any_layout() -> impl Strategy<Value = Layout> {
    let prefix = prop_oneof!["02[0-9]{0,2}", "2[0-9]{1,3}"];
    let one = prop_oneof![Just(1), Just(10), Just(100), Just(1_000)];
    let parts = (prefix, 1_u8..8, any::<bool>(), one, any::<bool>());
    let fits = parts.prop_map(|(prefix, item_digits, is_weight, one, verifier)| {
        let carries = if is_weight { Carries::Weight } else { Carries::Price };
        Layout { prefix, item_digits, carries, one, verifier }
    });
    fits.prop_filter("it can be", |layout| layout.check().is_ok())
}

proptest! {
    #[test]
    fn what_a_scale_prints_is_what_is_read(layout in any_layout(), item: u32, value in 1_u64..1_000_000) {
        let (item_digits, value_digits) =
            (usize::from(layout.item_digits), layout.value_digits().expect("it can be"));
        let item = format!("{:0item_digits$}", u64::from(item) % 10_u64.pow(item_digits as u32));
        let value = (value % 10_u64.pow(value_digits as u32)).max(1);
        let value_text = format!("{value:0value_digits$}");
        let verifier = match layout.verifier {
            true => verifier_of(&value_text).expect("a verifier").to_string(),
            false => String::new(),
        };
        let code = printed(&format!("{}{item}{verifier}{value_text}", layout.prefix));
        let label = read(layout.clone(), &code).expect("it is right");
        prop_assert_eq!(label.item(), item.as_str());
        let measured = value * u64::from(layout.one);
        match label.measured() {
            Measured::Grams(grams) => prop_assert_eq!(grams, measured),
            Measured::Minor(minor) => prop_assert_eq!(minor as u64, measured),
        }
        // Every other weight or price of the article leads to the same article.
        let article = format!("0{}{item}", layout.prefix);
        prop_assert!(label.gtin().to_string().starts_with(&article));
    }

    #[test]
    fn nothing_that_is_scanned_makes_it_fail(text in ".{0,20}", digits in "[0-9 -]{0,16}", layout in any_layout()) {
        for scanned in [text, digits] {
            let _ = read(layout.clone(), &scanned);
            let _ = verifier_of(&scanned);
        }
    }

    #[test]
    fn p2_the_amount_of_a_price_label_costs_what_the_label_says_to_within_half_a_base_unit(
        minor in 1_i64..10_000_000, per in prop_oneof![Just(1_u64), Just(100), Just(1_000)],
        sum in 1_i64..1_000_000,
    ) {
        let (inr, price) = (Currency::INR, Price { minor, per, currency: Currency::INR });
        if let Some(amount) = amount_for(Money::new(sum, inr), price) {
            let exact = i128::from(minor) * i128::from(amount);
            let off = (exact - i128::from(sum) * i128::from(per)).abs();
            prop_assert!(2 * off <= i128::from(minor) || amount == 1);
            let costs = price.of(amount).expect("it fits").minor;
            prop_assert!(2 * i128::from((costs - sum).abs()) * i128::from(per) <= i128::from(minor) + i128::from(per) || amount == 1);
        }
    }

    #[test]
    fn a_label_of_a_weight_at_a_price_gives_that_weight_back_where_a_gram_costs_at_least_one_unit(
        per_gram in 1_i64..10_000, grams in 1_u64..50_000,
    ) {
        let price = Price { minor: per_gram * 1_000, per: 1_000, currency: Currency::INR };
        prop_assert_eq!(amount_for(price.of(grams).expect("it fits"), price), Some(grams));
    }
}
