//! Codes that a scale prints on what it weighed: an article with its weight or its price in 13 digits.
//!
//! GS1 leaves the numbers that begin with 02 and with 20 to 29 to those who print and read them in one
//! place ("restricted circulation", GS1 General Specifications, section 2.1.11 on variable measure
//! trade items scanned at retail); how the digits are divided is settled by each country, each maker
//! of scales or each shop. So a shop says which [`Layout`]s its scales print. Some usual ones:
//!
//! | where | digits | layout |
//! |---|---|---|
//! | weight, as most scales come | `2p aaaaa wwwww c` | prefix `2p`, 5 digits, weight in g |
//! | price, as most scales come | `2p aaaaa ppppp c` | prefix `2p`, 5 digits, price |
//! | price with its check digit | `2p aaaa v ppppp c` | prefix `2p`, 4 digits, price, verifier |
//! | UPC-A of North America | `2 aaaaa v pppp c` | prefix `02`, 5 digits, price, verifier |
//!
//! **Invariant:** of the layouts of a shop at most one reads a code, and what was read has a right check
//! digit and is more than nothing.
//!
//! ```
//! use kirana_core::scale::{Carries, Layout, Layouts, Measured};
//! let layout = Layout { prefix: "21".into(), item_digits: 5, carries: Carries::Weight, one: 1, verifier: false };
//! let layouts = Layouts::new(vec![layout])?;
//! let label = layouts.read("2112345007502")?;
//! assert_eq!(label.item(), "12345");
//! assert_eq!(label.measured(), Measured::Grams(750));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    gtin::{Gtin, check_digit},
    money::{Money, Price},
    quantity::Quantity,
};

/// The most layouts of one shop.
pub const LAYOUTS_MAX: usize = 20;
/// All digits but the check digit.
const BODY_DIGITS: usize = 12;
/// How many digits a weight or a price may have.
const VALUE_DIGITS: std::ops::RangeInclusive<usize> = 3..=6;
/// For how many digits there is a verifier.
const VERIFIED_DIGITS: std::ops::RangeInclusive<usize> = 4..=5;

/// What the digits behind the article say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Carries {
    /// How much it weighs.
    #[n(0)]
    Weight,
    /// What it costs.
    #[n(1)]
    Price,
}

/// How the digits of a code are divided.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// How such codes begin: 2 to 4 digits, of which the first are 02 or 20 to 29.
    #[n(0)]
    pub prefix: String,
    /// How many digits behind them name the article.
    #[n(1)]
    pub item_digits: u8,
    /// What the digits behind these say.
    #[n(2)]
    pub carries: Carries,
    /// How many grams, or minor units of the shop's money, one of it is: 1, 10, 100 or 1,000.
    #[n(3)]
    #[serde(default = "one")]
    pub one: u32,
    /// Whether a check digit for the weight or price stands before it.
    #[n(4)]
    #[serde(default)]
    pub verifier: bool,
}

fn one() -> u32 {
    1
}

impl Layout {
    fn value_digits(&self) -> Option<usize> {
        let before = self.prefix.len() + usize::from(self.item_digits) + usize::from(self.verifier);
        BODY_DIGITS.checked_sub(before)
    }

    fn check(&self) -> Result<(), BadLayout> {
        let prefix = self.prefix.as_str();
        let is_plain = prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || !(2..=4).contains(&prefix.len()) || !is_restricted(prefix) {
            return Err(BadLayout::Prefix(prefix.to_owned()));
        }
        let value = self.value_digits().filter(|digits| VALUE_DIGITS.contains(digits));
        let Some(value) = value.filter(|_| self.item_digits > 0) else {
            return Err(BadLayout::Digits(prefix.to_owned()));
        };
        if self.verifier && !VERIFIED_DIGITS.contains(&value) {
            return Err(BadLayout::Verifier(prefix.to_owned()));
        }
        match self.one {
            1 | 10 | 100 | 1_000 => Ok(()),
            one => Err(BadLayout::One(one)),
        }
    }
}

fn is_restricted(digits: &str) -> bool {
    digits.starts_with("02") || digits.starts_with('2')
}

/// The layouts of a shop, of which at most one fits any code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Serialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Layouts(#[n(0)] Vec<Layout>);

impl Layouts {
    /// Checks layouts.
    ///
    /// # Errors
    /// [`BadLayout`] names the first that cannot be, or two of which one begins like the other.
    pub fn new(layouts: Vec<Layout>) -> Result<Self, BadLayout> {
        if layouts.len() > LAYOUTS_MAX {
            return Err(BadLayout::TooMany);
        }
        layouts.iter().try_for_each(Layout::check)?;
        for (n, layout) in layouts.iter().enumerate() {
            let (own, mut others) = (layout.prefix.as_str(), layouts[..n].iter());
            let alike =
                others.find(|o| o.prefix.starts_with(own) || own.starts_with(o.prefix.as_str()));
            if let Some(other) = alike {
                return Err(BadLayout::Alike(other.prefix.clone(), own.to_owned()));
            }
        }
        Ok(Self(layouts))
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Layout] {
        &self.0
    }

    /// Reads a code of 13 digits, or of 12 (UPC-A) or 14 with zeros before; blanks and hyphens are
    /// passed over.
    ///
    /// # Errors
    /// [`NotALabel`]: it is another kind of code, its layout is unknown, or it was read wrongly.
    pub fn read(&self, scanned: &str) -> Result<Label, NotALabel> {
        let digits: String = scanned.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let digits = match digits.len() {
            _ if !is_plain => return Err(NotALabel::Other),
            12 => format!("0{digits}"),
            14 if digits.starts_with('0') => digits[1..].to_owned(),
            _ => digits,
        };
        if digits.len() != 13 || !is_restricted(&digits) {
            return Err(NotALabel::Other);
        }
        let (body, check) = digits.split_at(BODY_DIGITS);
        let expected = check_digit(number(body));
        if number(check) != expected {
            return Err(NotALabel::WrongCheckDigit { expected });
        }
        let layout = self.0.iter().find(|layout| body.starts_with(layout.prefix.as_str()));
        let layout = layout.ok_or_else(|| NotALabel::UnknownLayout(body[..2].to_owned()))?;
        layout.divide(body)
    }
}

impl Layout {
    /// Divides the digits of a code whose check digit is right.
    fn divide(&self, body: &str) -> Result<Label, NotALabel> {
        let (article, rest) = body.split_at(self.prefix.len() + usize::from(self.item_digits));
        let (verifier, value) = rest.split_at(usize::from(self.verifier));
        if self.verifier && Some(number(verifier)) != verifier_of(value) {
            return Err(NotALabel::WrongVerifier);
        }
        let measured = number(value) * u64::from(self.one);
        if measured == 0 {
            return Err(NotALabel::Nothing);
        }
        let zeros = format!("{article:0<BODY_DIGITS$}");
        let gtin = number(&zeros) * 10 + check_digit(number(&zeros));
        Ok(Label {
            item: article[self.prefix.len()..].to_owned(),
            gtin: Gtin::from_number(gtin).map_err(|_| NotALabel::Other)?,
            measured: match self.carries {
                Carries::Weight => Measured::Grams(measured),
                Carries::Price => Measured::Minor(i64::try_from(measured).unwrap_or(i64::MAX)),
            },
        })
    }
}

/// The number of plain digits, of which there are at most 14.
fn number(digits: &str) -> u64 {
    digits.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// What a scale's code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    item: String,
    gtin: Gtin,
    measured: Measured,
}

/// What a scale measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// So many grams; at least one.
    Grams(u64),
    /// A price in minor units; at least one.
    Minor(i64),
}

impl Label {
    /// The digits that name the article, with the zeros before them.
    pub fn item(&self) -> &str {
        &self.item
    }

    /// The article as a trade item number: the code with zeros where the weight or price stands.
    pub fn gtin(&self) -> Gtin {
        self.gtin
    }

    /// What it weighs or costs.
    pub fn measured(&self) -> Measured {
        self.measured
    }
}

/// How much somebody gets for `sum`, in base units: rounded half up, and at least one.
///
/// At this price so much costs `sum` again, to within half of what one base unit costs and half a
/// minor unit of rounding; nothing nearer can be said in whole base units.
///
/// ```
/// use kirana_core::{money::{Currency, Money, Price}, scale::amount_for};
/// let cheese = Price { minor: 89_900, per: 1_000, currency: Currency::INR };
/// assert_eq!(amount_for(Money::new(31_105, Currency::INR), cheese), Some(346));
/// ```
///
/// `None` where the currencies differ, nothing is to be paid for any of it, or it would be more than
/// anybody buys.
pub fn amount_for(sum: Money, price: Price) -> Option<u64> {
    if price.currency != sum.currency || price.minor <= 0 || price.per == 0 || sum.minor <= 0 {
        return None;
    }
    let (paid, minor) = (i128::from(sum.minor) * i128::from(price.per), i128::from(price.minor));
    let amount = ((2 * paid + minor) / (2 * minor)).max(1);
    u64::try_from(amount).ok().filter(|amount| *amount <= Quantity::MAX)
}

/// The check digit of a price or weight of 4 or 5 digits (GS1 General Specifications, sections 7.9.2
/// to 7.9.4 on the verifier of price and weight); `None` for another number of digits.
///
/// ```
/// use kirana_core::scale::verifier_of;
/// assert_eq!((verifier_of("2875"), verifier_of("14685")), (Some(9), Some(6)));
/// ```
pub fn verifier_of(value: &str) -> Option<u64> {
    let digits: Vec<u64> = value.bytes().map(|digit| u64::from(digit.wrapping_sub(b'0'))).collect();
    if digits.iter().any(|digit| *digit > 9) {
        return None;
    }
    match digits.as_slice() {
        [a, b, c, d] => Some((twice_less(*a) + twice_less(*b) + 3 * c + five_less(*d)) * 3 % 10),
        [a, b, c, d, e] => {
            let sum = five_more(*a) + twice_less(*b) + five_less(*c) + five_more(*d);
            let wanted = (10 - (sum + twice_less(*e)) % 10) % 10;
            (0..10).find(|digit| five_less(*digit) == wanted)
        }
        _ => None,
    }
}

/// The standard's weight "2-": twice, less the tens.
fn twice_less(digit: u64) -> u64 {
    (2 * digit + 10 - 2 * digit / 10) % 10
}

/// "5+": five times, and the tens.
fn five_more(digit: u64) -> u64 {
    (5 * digit + 5 * digit / 10) % 10
}

/// "5-": five times, less the tens.
fn five_less(digit: u64) -> u64 {
    (5 * digit + 10 - 5 * digit / 10) % 10
}

impl<'b, C> Decode<'b, C> for Layouts {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.decode_with(ctx)?).map_err(minicbor::decode::Error::message)
    }
}

impl<'de> Deserialize<'de> for Layouts {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// Layouts that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLayout {
    /// GS1 gave such numbers to somebody.
    #[error(
        "«{0}»: a scale's code begins with 02 or with 20 to 29, and its prefix has 2 to 4 digits"
    )]
    Prefix(String),
    /// No room for a weight or price.
    #[error(
        "«{0}»: prefix, article, verifier and weight or price are 12 digits, 3 to 6 of them the weight \
         or price"
    )]
    Digits(String),
    /// The standard has none for so many digits.
    #[error("«{0}»: there is a verifier for a weight or price of 4 or 5 digits only")]
    Verifier(String),
    /// Not a power of ten that scales use.
    #[error("one is 1, 10, 100 or 1000 grams or minor units, not {0}")]
    One(u32),
    /// A code would have two readings.
    #[error("a code that begins with «{0}» could be one that begins with «{1}» too")]
    Alike(String, String),
    /// One more than a shop may have.
    #[error("a shop has at most {LAYOUTS_MAX} layouts")]
    TooMany,
}

/// Digits that are no label of this shop's scales.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotALabel {
    /// Another kind of code.
    #[error("this is no scale's code: these have 13 digits and begin with 02 or 2")]
    Other,
    /// Nobody said how such codes are to be read.
    #[error(
        "nobody has said how scale codes that begin with {0} are to be read: see scale-layouts"
    )]
    UnknownLayout(String),
    /// Read or typed wrongly.
    #[error("the last digit should be {expected}: scan the label again")]
    WrongCheckDigit {
        /// What it should be.
        expected: u64,
    },
    /// Read or printed wrongly.
    #[error("the check digit of the weight or price on this label is wrong: weigh it again")]
    WrongVerifier,
    /// Nothing was weighed.
    #[error("the label says 0: weigh it again")]
    Nothing,
}

#[cfg(test)]
mod tests;
