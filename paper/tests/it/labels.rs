//! Labels that were printed, as customers and scanners see them.

use kirana_paper::{
    fonts::Fonts,
    labels::{Code, LABELS_MAX, Label, NotPrinted, Printed, print},
    length::Length,
    page::Area,
    sheet::Layout,
};

use crate::read_back::{all_text, pictures, text};

fn mm(text: &str) -> Length {
    text.parse().expect("a length")
}

fn gtin(text: &str) -> Option<Code> {
    Some(Code::Gtin(text.parse().expect("a number")))
}

fn label(name: &str, price: &str, code: Option<Code>) -> Label {
    Label {
        name: name.to_owned(),
        about: Some("Nandini · 500 ml".to_owned()),
        price: price.to_owned(),
        per: None,
        offer: Vec::new(),
        notes: vec!["₹54.00 / l".to_owned(), "MRP ₹30.00".to_owned()],
        code,
    }
}

/// What a shop has: packs, loose goods, a case, numbers of its own, long names, offers.
pub fn shelf() -> Vec<Label> {
    let loose = Label {
        per: Some("/ kg".to_owned()),
        notes: Vec::new(),
        ..label("सोना मसूरी चावल (कच्चा), पुरानी फ़सल, रायचूर से", "₹68.50", own("R-1"))
    };
    let everything = Label {
        offer: vec![
            "Offer".to_owned(),
            "until 30 Nov 2026".to_owned(),
            "usually ₹1,18,999.00".to_owned(),
        ],
        notes: vec![
            "₹5,262.50 / kg".to_owned(),
            "MRP ₹1,20,000.00".to_owned(),
            "Deposit ₹500.00 included".to_owned(),
        ],
        ..label(
            "Refrigerator with two doors and a lock, and a name that goes on and on for two lines and more",
            "₹1,05,250.00",
            gtin("8901262010023"),
        )
    };
    let deal =
        Label { offer: vec!["3 for 2".to_owned()], ..label("Soap", "₹40.00", gtin("96385074")) };
    vec![
        label("Milk", "₹27.00", gtin("8901262010016")),
        loose,
        everything,
        deal,
        label("Cereal", "₹199.00", gtin("036000291452")),
        label("Case of oil, 12 x 1 l", "₹1,740.00", gtin("10614141000415")),
        label("Broom", "₹85.00", own("BROOM-07")),
        label(&"W".repeat(300), "₹12,34,56,789.00", gtin("6291041500213")),
        Label { about: None, notes: Vec::new(), code: None, ..label("Banana", "₹5.00", None) },
    ]
}

fn own(text: &str) -> Option<Code> {
    Some(Code::Own(text.to_owned()))
}

fn printed(labels: &[Label], layout: &Layout, begin: usize) -> Printed {
    print(labels, layout, begin, &Fonts::built_in(), "en").expect("printed")
}

pub fn layouts() -> Vec<(&'static str, Layout)> {
    vec![
        ("3x8", Layout::a4_3x8()),
        ("3x8-37", Layout::a4_3x8_high()),
        ("2x7", Layout::a4_2x7()),
        ("strips", Layout::strips()),
        ("roll", Layout::roll(mm("58"), mm("40")).expect("a layout")),
    ]
}

#[test]
fn every_barcode_of_every_layout_is_read_back_from_the_printed_page() {
    let shelf = shelf();
    for (name, layout) in layouts() {
        let done = printed(&shelf, &layout, 0);
        assert_eq!((&done.left_out, &done.without_barcode), (&Default::default(), &Vec::new()));
        let pages = pictures(&done.pdf);
        assert_eq!(pages.len(), done.pages);
        for (n, label) in shelf.iter().enumerate() {
            let cell = pages[n / layout.per_page()].part(layout.cell(n));
            let wanted = match &label.code {
                Some(Code::Gtin(gtin)) => Some(gtin.to_string()),
                Some(Code::Own(text)) => Some(text.clone()),
                None => None,
            };
            let scanned = cell.scanned().map(|said| match label.code {
                Some(Code::Gtin(_)) => format!("{said:0>14}"),
                _ => said,
            });
            assert_eq!(scanned, wanted, "{name}: {}", label.name);
        }
    }
}

#[test]
fn nothing_is_printed_beyond_the_cell_of_its_label() {
    for (name, layout) in layouts() {
        let shelf: Vec<Label> = shelf().into_iter().cycle().take(layout.per_page()).collect();
        let done = printed(&shelf, &layout, 0);
        let page = &pictures(&done.pdf)[0];
        // On the strips, the lines for the knife lie on the borders.
        let border = if name == "strips" { mm("0.5") } else { Length::ZERO };
        for n in 0..layout.per_page() {
            let (cell, inside) = (layout.cell(n), layout.inside(n));
            let (x, width) = (cell.x + border, cell.width - border * 2);
            let above = Area { x, width, y: cell.y + border, height: inside.y - cell.y - border };
            let below = Area {
                x,
                width,
                y: inside.bottom(),
                height: cell.bottom() - inside.bottom() - border,
            };
            // The curve of a letter may reach a hair beyond its place.
            let hair = mm("0.3");
            let left = Area { x, width: inside.x - x - hair, ..cell };
            let right = inside.right() + hair;
            let right = Area { x: right, width: x + width - right, ..cell };
            let within = |area: Area| Area {
                y: area.y.max(cell.y + border),
                height: area.height - border * 2,
                ..area
            };
            for (side, area) in [
                ("above", above),
                ("below", below),
                ("left", within(left)),
                ("right", within(right)),
            ] {
                assert!(page.part(area).is_blank(), "{name}: {side} of label {n}");
            }
        }
    }
}

#[test]
fn text_can_be_copied_out_also_where_it_is_hindi() {
    let done = printed(&shelf(), &Layout::a4_3x8(), 0);
    let said = all_text(&done.pdf);
    for wanted in ["सोना मसूरी चावल", "₹1,05,250.00", "Nandini · 500 ml", "8 901262 010016", "/ kg"]
    {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(said.contains('…'), "the longest names are cut");
}

#[test]
fn a_sheet_of_which_some_labels_are_gone_is_used_up() {
    let labels: Vec<Label> = (0..10).map(|n| label(&format!("Goods {n}"), "₹1.00", None)).collect();
    let layout = Layout::a4_2x7();
    let done = printed(&labels, &layout, 5);
    let pages = pictures(&done.pdf);
    assert_eq!(pages.len(), 2);
    let blank = |page: usize| {
        (0..14).filter(|n| pages[page].part(layout.cell(*n)).is_blank()).collect::<Vec<_>>()
    };
    assert_eq!(blank(0), [0, 1, 2, 3, 4]);
    assert_eq!(blank(1), (1..14).collect::<Vec<_>>());
    let begun = print(&labels, &layout, 14, &Fonts::built_in(), "en");
    assert_eq!(begun, Err(NotPrinted::Begin { per_page: 14 }));
}

#[test]
fn markup_is_text_and_what_no_font_has_is_named() {
    let done =
        printed(&[label("<script>alert(1)</script> 🍚 عسل", "₹1.00", None)], &Layout::a4_3x8(), 0);
    assert!(all_text(&done.pdf).contains("<script>alert(1)</script>"));
    assert_eq!(done.left_out.iter().collect::<String>(), "سعل🍚");
}

#[test]
fn a_code_that_does_not_fit_is_named_and_a_label_that_is_too_small_is_refused() {
    let long = label("Long", "₹1.00", own(&"X".repeat(40)));
    let done = printed(&[long, label("चावल", "₹1.00", own("चावल"))], &Layout::a4_3x8(), 0);
    assert_eq!(done.without_barcode, ["Long", "चावल"]);
    let tiny = Layout::roll(mm("35"), mm("20")).expect("a layout");
    let refused = print(&shelf()[2..3], &tiny, 0, &Fonts::built_in(), "en");
    assert!(matches!(refused, Err(NotPrinted::TooSmall(name)) if name.starts_with("Refrigerator")));
    assert_eq!(print(&[], &tiny, 0, &Fonts::built_in(), "en"), Err(NotPrinted::Nothing));
}

#[test]
fn the_same_labels_give_the_same_bytes() {
    let print = || printed(&shelf(), &Layout::a4_2x7(), 3).pdf;
    assert_eq!(print(), print());
}

#[test]
fn ten_thousand_labels_are_one_file_and_one_more_is_refused() {
    let milk = label("Milk", "₹27.00", gtin("8901262010016"));
    let done = printed(&vec![milk.clone(); LABELS_MAX], &Layout::a4_3x8(), 0);
    assert_eq!(done.pages, 417);
    assert!(done.pdf.len() < 8_000_000, "{} bytes", done.pdf.len());
    let more = vec![milk; LABELS_MAX + 1];
    let refused = print(&more, &Layout::a4_3x8(), 0, &Fonts::built_in(), "en");
    assert_eq!(refused, Err(NotPrinted::TooMany(10_001)));
}

#[test]
fn prices_stand_on_one_line_with_what_they_are_for() {
    let done = printed(&shelf()[1..2], &Layout::a4_3x8(), 0);
    let runs = &text(&done.pdf)[0];
    let foot =
        |wanted: &str| runs.iter().find(|(_, _, said)| said.contains(wanted)).expect("said").1;
    assert!((foot("68.50") - foot("/ kg")).abs() < 0.1);
}
