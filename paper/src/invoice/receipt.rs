//! An invoice as a receipt on a roll of 80 mm: one page, as long as it takes.

use kirana_core::money::MoneyError;

use super::{Sum, Summed, percent, taxes};
use crate::{
    amounts::written,
    fonts::Weight,
    length::Length,
    page::{Area, Page},
    setting::{Line, Setter},
};

/// Something that takes up room from the left to the right.
enum Part {
    Text(Line),
    /// What it is, and how much.
    Both(Line, Line),
    Rule,
}

pub(super) fn page(summed: &Summed<'_>, setter: &mut Setter<'_>) -> Result<Page, MoneyError> {
    let mut parts = head(summed, setter);
    for item in &summed.invoice.items {
        let name = format!("{} ({})", item.name, percent(item.tax_bp));
        let name = setter.wrap(&name, Weight::Regular, SIZE, (WIDTH, usize::MAX));
        parts.extend(name.into_iter().map(Part::Text));
        let times = format!("{} × {}", item.quantity, item.rate);
        parts.extend(both(setter, &times, &written(Sum::of(item).whole()?), Weight::Regular));
    }
    parts.push(Part::Rule);
    for (rate, sum) in &summed.by_rate {
        for (name, money) in taxes(sum.tax) {
            let of = format!("{name}, GST {} of {}", percent(*rate), written(sum.taxable));
            parts.extend(both(setter, &of, &written(money), Weight::Regular));
        }
    }
    parts.push(Part::Rule);
    let sums = summed.sums();
    for (n, (name, money)) in sums.iter().enumerate() {
        let weight = if n + 1 == sums.len() { Weight::Bold } else { Weight::Regular };
        parts.extend(both(setter, name, &written(*money), weight));
    }
    for note in &summed.invoice.notes {
        let lines = setter.wrap(note, Weight::Regular, SIZE, (WIDTH, usize::MAX));
        parts.extend(lines.into_iter().map(Part::Text));
    }
    Ok(put(parts))
}

fn head(summed: &Summed<'_>, setter: &mut Setter<'_>) -> Vec<Part> {
    let seller = &summed.invoice.seller;
    let mut texts = vec![(seller.name.clone(), Weight::Bold)];
    texts.extend(seller.address.iter().map(|line| (line.clone(), Weight::Regular)));
    texts.extend(seller.gstin.iter().map(|gstin| (format!("GSTIN {gstin}"), Weight::Regular)));
    texts.push((summed.title().to_owned(), Weight::Bold));
    texts.extend(summed.facts().into_iter().map(|fact| (fact, Weight::Regular)));
    if let Some(buyer) = &summed.invoice.buyer {
        texts.push((format!("{}: {}", summed.words.buyer, buyer.name), Weight::Regular));
        texts.extend(buyer.gstin.iter().map(|gstin| (format!("GSTIN {gstin}"), Weight::Regular)));
    }
    let mut parts = Vec::new();
    for (text, weight) in texts {
        let lines = setter.wrap(&text, weight, SIZE, (WIDTH, usize::MAX));
        parts.extend(lines.into_iter().map(Part::Text));
    }
    parts.push(Part::Rule);
    parts
}

/// On one line where both have room, else the amount below.
fn both(setter: &mut Setter<'_>, what: &str, amount: &str, weight: Weight) -> Vec<Part> {
    let amount = setter.line(amount, weight, SIZE);
    let whole = setter.line(what, weight, SIZE);
    if whole.width() + GAP + amount.width() <= WIDTH {
        return vec![Part::Both(whole, amount)];
    }
    let mut lines = setter.wrap(what, weight, SIZE, (WIDTH, usize::MAX));
    let nothing = setter.line("", weight, SIZE);
    let last = lines.pop().filter(|last| last.width() + GAP + amount.width() <= WIDTH);
    match last {
        Some(last) => {
            let mut parts: Vec<Part> = lines.into_iter().map(Part::Text).collect();
            parts.push(Part::Both(last, amount));
            parts
        }
        None => {
            let lines = setter.wrap(what, weight, SIZE, (WIDTH, usize::MAX));
            let mut parts: Vec<Part> = lines.into_iter().map(Part::Text).collect();
            parts.push(Part::Both(nothing, amount));
            parts
        }
    }
}

fn put(parts: Vec<Part>) -> Page {
    let height = |part: &Part| match part {
        Part::Text(line) => line.height(),
        Part::Both(what, amount) => what.height().max(amount.height()),
        Part::Rule => GAP,
    };
    let whole = parts.iter().map(height).fold(MARGIN * 2, std::ops::Add::add);
    let (mut page, mut y) = (Page::new(ROLL, whole), MARGIN);
    for part in parts {
        let below = y + height(&part);
        match part {
            Part::Text(line) => page.text(MARGIN, y, line),
            Part::Both(what, amount) => {
                page.text(ROLL - MARGIN - amount.width(), y, amount);
                page.text(MARGIN, y, what);
            }
            Part::Rule => {
                let y = y + GAP / 2;
                page.fill(Area { x: MARGIN, y, width: WIDTH, height: Length::um(150) });
            }
        }
        y = below;
    }
    page
}

/// How wide the paper is; printers reach 72 mm of it.
const ROLL: Length = Length::mm(80);
const MARGIN: Length = Length::mm(4);
const WIDTH: Length = Length::mm(72);
const SIZE: Length = Length::um(3_000);
const GAP: Length = Length::um(1_800);
