//! The short number of an order, to be read aloud at the counter or over the telephone.
//!
//! Two letters for the shop, four digits for the order, and a check digit that finds every single
//! wrong digit and every swap of two neighbours (Damm's algorithm).
//!
//! **Invariant:** it names an order among the open ones of one shop only; it is derived, never
//! stored as an order's name, and two orders can have the same.

use crate::{
    hash::Hash,
    id::{OrderId, ShopId},
};

/// A short order number, such as `KR 4271-3`.
///
/// ```
/// use kirana_core::spoken::ShortNumber;
/// # use kirana_core::{id::{OrderId, ShopId}, time::UnixMs};
/// # let (shop, order) = (ShopId::new(UnixMs::new(1), [1; 10]), OrderId::new(UnixMs::new(1), [2; 10]));
/// let number = ShortNumber::of(shop, order);
/// assert_eq!(number.to_string().parse(), Ok(number));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortNumber {
    shop: [u8; 2],
    digits: u16,
}

/// Letters that are not mistaken for digits or for each other when spoken or scribbled.
const LETTERS: &[u8; 20] = b"ABCDEFGHJKLMNPRTVWXY";

/// Damm's quasigroup of order 10.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

impl ShortNumber {
    /// The short number of an order.
    pub fn of(shop: ShopId, order: OrderId) -> Self {
        let letters = Hash::of(shop.as_bytes());
        let letter = |n: usize| LETTERS[usize::from(letters.as_bytes()[n]) % LETTERS.len()];
        let hash = Hash::of(order.as_bytes());
        let number =
            u32::from_be_bytes([0, hash.as_bytes()[0], hash.as_bytes()[1], hash.as_bytes()[2]]);
        Self { shop: [letter(0), letter(1)], digits: (number % 10_000) as u16 }
    }

    /// The numbers that stand in a text, such as what somebody wrote beside a payment; whatever
    /// stands between their letters and digits.
    ///
    /// ```
    /// # use kirana_core::spoken::ShortNumber;
    /// let number: ShortNumber = "WD 5150-5".parse().expect("a number");
    /// assert_eq!(ShortNumber::all_in("UPI/4123/order wd-51505/okbank"), [number]);
    /// assert_eq!(ShortNumber::all_in("WD51506"), []);
    /// ```
    pub fn all_in(text: &str) -> Vec<Self> {
        let kept: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        let windows = (0..kept.len()).filter_map(|at| kept.get(at..at + 7));
        let mut all: Vec<Self> = windows.filter_map(|part| part.parse().ok()).collect();
        all.dedup();
        all
    }

    /// The last digit, which tells whether the others were heard right.
    pub fn check_digit(self) -> u8 {
        let mut state = 0;
        for letter in self.shop {
            let index = LETTERS.iter().position(|l| *l == letter).unwrap_or_default();
            state = damm(damm(state, index / 10), index % 10);
        }
        let digits = usize::from(self.digits);
        [1000, 100, 10, 1].iter().fold(state, |state, place| damm(state, digits / place % 10)) as u8
    }
}

fn damm(state: usize, digit: usize) -> usize {
    usize::from(DAMM[state][digit])
}

impl std::fmt::Display for ShortNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b] = self.shop.map(char::from);
        write!(f, "{a}{b} {:04}-{}", self.digits, self.check_digit())
    }
}

impl serde::Serialize for ShortNumber {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl std::str::FromStr for ShortNumber {
    type Err = Misheard;

    /// Reads a number as people write it: small letters, and any blanks and dashes.
    fn from_str(text: &str) -> Result<Self, Misheard> {
        let kept: Vec<u8> = text
            .bytes()
            .filter(|byte| !matches!(byte, b' ' | b'-'))
            .map(|byte| byte.to_ascii_uppercase())
            .take(8)
            .collect();
        let [a, b, digits @ .., check] = kept.as_slice() else {
            return Err(Misheard::Form);
        };
        let letters = [a, b].iter().all(|letter| LETTERS.contains(letter));
        if !letters || digits.len() != 4 || !digits.iter().chain([check]).all(u8::is_ascii_digit) {
            return Err(Misheard::Form);
        }
        let digits = digits.iter().fold(0, |all, digit| all * 10 + u16::from(digit - b'0'));
        let number = Self { shop: [*a, *b], digits };
        if number.check_digit() == check - b'0' { Ok(number) } else { Err(Misheard::Check) }
    }
}

/// A short number that was misheard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misheard {
    /// Not two letters and five digits.
    #[error("an order number is two letters and five digits, such as KR 4271-3")]
    Form,
    /// The check digit is another one.
    #[error("one of the digits is wrong: please read the number again")]
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMs;

    fn number(n: u8) -> ShortNumber {
        let shop = ShopId::new(UnixMs::new(1), [7; 10]);
        ShortNumber::of(shop, OrderId::new(UnixMs::new(1), [n; 10]))
    }

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for n in 0..200 {
            let written = number(n).to_string();
            assert_eq!(written.parse(), Ok(number(n)));
            let scribbled = written.to_lowercase().replace([' ', '-'], "");
            assert_eq!(scribbled.parse(), Ok(number(n)));
        }
    }

    #[test]
    fn every_wrong_digit_and_every_swap_of_neighbours_is_heard() {
        for n in 0..50 {
            let right: Vec<u8> =
                number(n).to_string().bytes().filter(u8::is_ascii_alphanumeric).collect();
            for place in 2..right.len() {
                for digit in b'0'..=b'9' {
                    let mut wrong = right.clone();
                    wrong[place] = digit;
                    let read = String::from_utf8(wrong.clone()).expect("ASCII").parse();
                    assert_eq!(read == Err::<ShortNumber, _>(Misheard::Check), wrong != right);
                }
                let mut swapped = right.clone();
                if place + 1 < right.len() && right[place] != right[place + 1] {
                    swapped.swap(place, place + 1);
                    let read: Result<ShortNumber, _> =
                        String::from_utf8(swapped).expect("ASCII").parse();
                    assert_eq!(read, Err(Misheard::Check));
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "KR", "4271-3", "KR 4271", "KR 42711-3", "KÖ 4271-3", "IO 4271-3"] {
            assert_eq!(text.parse::<ShortNumber>(), Err(Misheard::Form), "{text}");
        }
    }
}
