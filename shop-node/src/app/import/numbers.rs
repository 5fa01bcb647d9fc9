//! Reads prices, taxes and amounts as people write them in files.
//!
//! **Invariant:** nothing goes through floating point, and what is not plainly a number is refused.

use kirana_core::money::Currency;

/// How a language writes numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Locale {
    decimal: char,
}

impl Locale {
    /// The way of India and the English-speaking countries: `1,299.00`.
    pub const INDIAN: Self = Self { decimal: '.' };

    /// By a tag such as `en-IN` or `de`; languages that are not known count as English.
    pub fn named(tag: &str) -> Self {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        let comma = [
            "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "da", "sv", "nb", "fi", "ru", "uk",
            "tr", "el", "ro", "hu", "bg", "hr", "sk", "sl", "id", "vi",
        ];
        Self { decimal: if comma.contains(&language) { ',' } else { '.' } }
    }

    fn is_grouping(self, c: char) -> bool {
        let other = if self.decimal == '.' { ',' } else { '.' };
        c == other || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’')
    }
}

/// Why a number was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    /// Not written as a number.
    Unreadable,
    /// Below zero.
    Negative,
    /// More digits after the point than fit.
    Decimals,
    /// Beyond every limit.
    TooLarge,
}

/// A price in minor units; a currency's sign or code before or after it is passed over.
///
/// # Errors
/// [`NotANumber`].
pub fn price(text: &str, locale: Locale, currency: Currency) -> Result<i64, NotANumber> {
    let bare = without_currency(text, currency);
    decimal(bare, locale, currency.decimals())
}

fn without_currency(text: &str, currency: Currency) -> &str {
    let text = text.trim();
    let signs = ["₹", "Rs.", "Rs", "$", "€", "£", "¥", currency.as_str()];
    let bare = signs.iter().find_map(|sign| {
        text.strip_prefix(sign).or_else(|| text.strip_suffix(sign)).map(str::trim)
    });
    bare.unwrap_or(text)
}

/// A number with at most `decimals` digits after the point, in units of the last of them.
///
/// # Errors
/// [`NotANumber`].
pub fn decimal(text: &str, locale: Locale, decimals: u32) -> Result<i64, NotANumber> {
    let (negative, text) = match text.trim().strip_prefix(['-', '−']) {
        Some(rest) => (true, rest.trim()),
        None => (false, text.trim()),
    };
    let (whole, part) = text.split_once(locale.decimal).unwrap_or((text, ""));
    let whole = grouped(whole, locale).ok_or(NotANumber::Unreadable)?;
    if !part.bytes().all(|b| b.is_ascii_digit()) || text.ends_with(locale.decimal) {
        return Err(NotANumber::Unreadable);
    }
    if negative {
        return Err(NotANumber::Negative);
    }
    let decimals = decimals as usize;
    if part.len() > decimals {
        return Err(NotANumber::Decimals);
    }
    let digits = format!("{whole}{part:0<decimals$}");
    if digits.len() > DIGITS_MAX {
        return Err(NotANumber::TooLarge);
    }
    digits.parse().map_err(|_| NotANumber::TooLarge)
}

/// The digits without the marks that group them; `None` when the groups are not of two or three
/// digits with three in the last.
fn grouped(text: &str, locale: Locale) -> Option<String> {
    let groups: Vec<&str> = text.split(|c| locale.is_grouping(c)).collect();
    let plain = |group: &&str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    if !groups.iter().all(plain) {
        return None;
    }
    if let [first, middle @ .., last] = groups.as_slice()
        && groups.len() > 1
    {
        let fits = last.len() == 3
            && first.len() <= 3
            && middle.iter().all(|group| matches!(group.len(), 2 | 3));
        if !fits {
            return None;
        }
    }
    Some(groups.concat())
}

const DIGITS_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn rupees(text: &str) -> Result<i64, NotANumber> {
        price(text, Locale::named("en-IN"), Currency::INR)
    }

    #[test]
    fn prices_are_read_as_people_write_them() {
        for (text, minor) in [
            ("1,299.00", 129_900),
            ("₹45", 4_500),
            ("₹ 1,29,900.5", 12_990_050),
            ("45.5", 4_550),
            (" Rs. 12.00 ", 1_200),
            ("INR 7", 700),
            ("0", 0),
        ] {
            assert_eq!(rupees(text), Ok(minor), "{text}");
        }
        let german = |text| price(text, Locale::named("de-DE"), Currency::INR);
        assert_eq!(german("1.299,00"), Ok(129_900));
        assert_eq!(german("1 299,5"), Ok(129_950));
    }

    #[test]
    fn what_is_no_price_is_refused_with_its_reason() {
        for (text, why) in [
            ("-5", NotANumber::Negative),
            ("₹ -5.00", NotANumber::Negative),
            ("1.234", NotANumber::Decimals),
            ("1e3", NotANumber::Unreadable),
            ("", NotANumber::Unreadable),
            ("free", NotANumber::Unreadable),
            ("1,2", NotANumber::Unreadable),
            ("12.", NotANumber::Unreadable),
            ("0x10", NotANumber::Unreadable),
            ("१२", NotANumber::Unreadable),
            ("9999999999999999", NotANumber::TooLarge),
        ] {
            assert_eq!(rupees(text), Err(why), "{text}");
        }
    }
}
