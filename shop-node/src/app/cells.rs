//! How parts of a product stand in the cells of a table, written and read in one place.
//!
//! **Invariants:** no cell is a formula for a spreadsheet, and [`meant`] gives back what [`defused`]
//! took; what is read of a cell is what was written into it.
//!
//! Words stand with `|` between them, `\|` for one inside a word: `chawal|akki`. Planned prices and
//! deals are sentences with `|` between them, each with the moment from which it holds and, if it
//! ends, until when, as RFC 3339 writes moments:
//!
//! - `45.00 per 1000 from 2026-12-01T00:00:00Z until 2026-12-08T00:00:00Z` (`per` may be left out)
//! - `12.5% off from 2026-12-01T00:00:00Z`
//! - `3 for 2 from 2026-12-01T00:00:00Z`

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::pricing::{Deal, Terms},
    money::{Currency, Price},
    time::UnixMs,
};

/// Deals, or planned prices, by when they begin.
type Filed<T> = BTreeMap<UnixMs, Terms<T>>;

const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// A cell that no spreadsheet reads as a formula: with an apostrophe where it would be one.
pub fn defused(cell: String) -> String {
    match cell.trim_start_matches('\'').starts_with(FORMULA) {
        true => format!("'{cell}"),
        false => cell,
    }
}

/// A cell without the apostrophe that keeps spreadsheets from reading it as a formula.
pub(super) fn meant(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.trim_start_matches('\'').starts_with(FORMULA) => text,
        _ => cell,
    }
}

/// Words in one cell.
pub(super) fn list<'w>(words: impl IntoIterator<Item = &'w String>) -> String {
    let escaped = words.into_iter().map(|word| word.replace('\\', "\\\\").replace('|', "\\|"));
    escaped.collect::<Vec<_>>().join("|")
}

/// The words of a cell, without blanks around them.
pub(super) fn words(cell: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = cell.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '|' => words.push(std::mem::take(&mut word)),
            '\\' => word.push(letters.next_if(|next| matches!(next, '|' | '\\')).unwrap_or('\\')),
            letter => word.push(letter),
        }
    }
    words.push(word);
    let trimmed = words.iter().map(|word| word.trim().to_owned());
    trimmed.filter(|word| !word.is_empty()).collect()
}

/// Minor units of a currency as an amount with a point.
pub(super) fn amount(minor: u64, currency: Currency) -> String {
    let decimals = currency.decimals();
    let scale = 10_u64.pow(decimals);
    match decimals {
        0 => minor.to_string(),
        digits => format!("{}.{:02$}", minor / scale, minor % scale, digits as usize),
    }
}

/// The amount of a price, whatever it is for.
pub(super) fn price(price: Price) -> String {
    amount(price.minor.unsigned_abs(), price.currency)
}

/// Planned prices in one cell.
pub(super) fn planned(filed: &Filed<Price>) -> String {
    sentences(filed, |what| format!("{} per {}", price(*what), what.per))
}

/// Deals in one cell.
pub(super) fn deals(filed: &Filed<Deal>) -> String {
    sentences(filed, |deal| match *deal {
        Deal::Percent { bp } if bp % 100 == 0 => format!("{}% off", bp / 100),
        Deal::Percent { bp } => format!("{}.{:02}% off", bp / 100, bp % 100),
        Deal::XForY { take, pay } => format!("{take} for {pay}"),
    })
}

fn sentences<T>(filed: &Filed<T>, say: impl Fn(&T) -> String) -> String {
    let said = filed.iter().map(|(from, terms)| {
        let until = terms.until.map_or_else(String::new, |until| format!(" until {until}"));
        format!("{} from {from}{until}", say(&terms.what))
    });
    said.collect::<Vec<_>>().join("|")
}

/// The planned prices of a cell: `read` is given the amount and what it is per, if that is said.
/// `None` where a part is no such sentence, or two begin at one moment.
pub(super) fn planned_in(
    cell: &str,
    read: impl Fn(&str, Option<&str>) -> Option<Price>,
) -> Option<Filed<Price>> {
    filed(cell, |what| match what.split_once(" per ") {
        Some((amount, per)) => read(amount.trim(), Some(per.trim())),
        None => read(what, None),
    })
}

/// The deals of a cell; `percent` reads a number with two digits after the point.
pub(super) fn deals_in(cell: &str, percent: impl Fn(&str) -> Option<u32>) -> Option<Filed<Deal>> {
    filed(cell, |what| {
        if let Some(number) = what.strip_suffix("off").map(str::trim_end) {
            return Some(Deal::Percent { bp: percent(number.strip_suffix('%')?)? });
        }
        let (take, pay) = what.split_once(" for ")?;
        Some(Deal::XForY { take: take.trim().parse().ok()?, pay: pay.trim().parse().ok()? })
    })
}

fn filed<T>(cell: &str, read: impl Fn(&str) -> Option<T>) -> Option<Filed<T>> {
    let mut filed = BTreeMap::new();
    for sentence in cell.split('|').map(str::trim).filter(|sentence| !sentence.is_empty()) {
        let (what, span) = sentence.split_once(" from ")?;
        let (from, until) = match span.split_once(" until ") {
            Some((from, until)) => (from, Some(until.trim().parse().ok()?)),
            None => (span, None),
        };
        let terms = Terms { what: read(what.trim())?, until };
        if filed.insert(from.trim().parse().ok()?, terms).is_some() {
            return None;
        }
    }
    Some(filed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(cell: &str) -> Option<Filed<Price>> {
        planned_in(cell, |amount, per| {
            let minor = amount.replace('.', "").parse().ok()?;
            let per = per.map_or(Some(1), |per| per.parse().ok())?;
            Some(Price { minor, per, currency: Currency::INR })
        })
    }

    #[test]
    fn planned_prices_and_deals_are_sentences() {
        let cell = "45.00 from 2026-12-01T00:00:00+05:30 until 2026-12-08T00:00:00Z | \
                    40.50 per 1000 from 2026-12-02T00:00:00Z";
        let filed = read(cell).expect("two prices");
        assert_eq!(
            planned(&filed),
            "45.00 per 1 from 2026-11-30T18:30:00Z until 2026-12-08T00:00:00Z|\
             40.50 per 1000 from 2026-12-02T00:00:00Z"
        );
        let percent = |text: &str| match text {
            "12.5" => Some(1_250),
            _ => None,
        };
        let cell = "12.5% off from 2026-12-01T00:00:00Z|3 for 2 from 2026-12-02T00:00:00Z";
        let deals_of = deals_in(cell, percent).expect("two deals");
        assert_eq!(deals(&deals_of), cell.replace("12.5%", "12.50%"));
        for bad in ["45.00", "45 from now", "x from 2026-12-01T00:00:00Z", "45 until tomorrow"] {
            assert_eq!((read(bad), deals_in(bad, percent)), (None, None), "{bad}");
        }
        let twice = "45 from 2026-12-01T00:00:00Z|46 from 2026-12-01T00:00:00Z";
        assert_eq!(read(twice), None);
    }

    proptest! {
        #[test]
        fn words_come_out_of_a_cell_as_they_went_in(
            all in proptest::collection::vec(r"[^\s|\\]|[^\s]([^\n]{0,6}[^\s])", 0..5),
        ) {
            prop_assert_eq!(words(&list(&all)), all);
        }

        #[test]
        fn no_cell_is_a_formula_and_each_is_meant_as_it_was(text in "['=+@a\t-]{0,5}") {
            let cell = defused(text.clone());
            prop_assert!(!cell.starts_with(FORMULA));
            prop_assert_eq!(meant(&cell), text);
        }
    }
}
