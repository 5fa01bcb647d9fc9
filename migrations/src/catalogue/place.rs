//! The place of a product in a list, which is also the cursor to what follows it.
//!
//! **Invariant:** places order totally (in stock, key, row), and a place says all that its order
//! needs: the product may be gone when somebody asks for what comes after it.

use std::str::FromStr;

/// By what a list is sorted; what is in stock always comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// What fits the question best; without a question, as it stands on the shelf.
    #[default]
    Relevance,
    /// The cheapest first.
    Price,
    /// The cheapest kilogram, litre or piece first.
    UnitPrice,
    /// By the folded name.
    Name,
}

/// Where a product stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) is_out: bool,
    pub(super) key: Key,
    pub(super) row: i64,
}

/// What a list is sorted by, of one product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Relevance(i64),
    Price(i64),
    UnitPrice(i64),
    Name(String),
}

impl Key {
    fn letter(&self) -> char {
        match self {
            Self::Relevance(_) => 'r',
            Self::Price(_) => 'p',
            Self::UnitPrice(_) => 'u',
            Self::Name(_) => 'n',
        }
    }

    fn is_of(&self, sort: Sort) -> bool {
        matches!(
            (self, sort),
            (Self::Relevance(_), Sort::Relevance)
                | (Self::Price(_), Sort::Price)
                | (Self::UnitPrice(_), Sort::UnitPrice)
                | (Self::Name(_), Sort::Name)
        )
    }
}

impl Place {
    /// Whether it is the place of a list that is sorted so.
    pub fn is_of(&self, sort: Sort) -> bool {
        self.key.is_of(sort)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}-", self.key.letter(), u8::from(self.is_out))?;
        match &self.key {
            Key::Relevance(n) | Key::Price(n) | Key::UnitPrice(n) => write!(f, "{n:x}")?,
            Key::Name(name) => name.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?,
        }
        write!(f, "-{:x}", self.row)
    }
}

impl FromStr for Place {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(NotACursor);
        }
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(NotACursor);
        let (kind, key, row) = (next()?, next()?, next()?);
        let is_out = match kind.get(1..) {
            Some("0") => false,
            Some("1") => true,
            _ => return Err(NotACursor),
        };
        let key = match kind.get(..1) {
            Some("r") => Key::Relevance(number(key)?),
            Some("p") => Key::Price(number(key)?),
            Some("u") => Key::UnitPrice(number(key)?),
            Some("n") => Key::Name(name(key)?),
            _ => return Err(NotACursor),
        };
        let place = Self { is_out, key, row: number(row)? };
        // One spelling for each place, and nothing behind it.
        if place.to_string() == text { Ok(place) } else { Err(NotACursor) }
    }
}

/// No cursor is longer: the characters of a name have at most eight digits each.
const CURSOR_BYTES_MAX: usize = 1024;
/// So many characters of a name tell its place.
pub(super) const NAME_CHARS_MAX: usize = 60;

fn number(text: &str) -> Result<i64, NotACursor> {
    i64::from_str_radix(text, 16).map_err(|_| NotACursor).and_then(|number| match number {
        0.. => Ok(number),
        _ => Err(NotACursor),
    })
}

fn name(text: &str) -> Result<String, NotACursor> {
    let mut bytes = Vec::new();
    for pair in text.as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).map_err(|_| NotACursor)?;
        bytes.push(u8::from_str_radix(pair, 16).map_err(|_| NotACursor)?);
    }
    String::from_utf8(bytes).map_err(|_| NotACursor)
}

/// The text did not come from a page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that a page of this list gave")]
pub struct NotACursor;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_as_it_was_written() {
        for key in [
            Key::Relevance(0),
            Key::Price(i64::MAX),
            Key::UnitPrice(4_500),
            Key::Name("चावल".to_owned()),
            Key::Name(String::new()),
        ] {
            for is_out in [false, true] {
                let place = Place { is_out, key: key.clone(), row: 77 };
                assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        let long = format!("n0-{}-1", "61".repeat(600));
        for wrong in [
            "",
            "r",
            "r0",
            "r0-0",
            "r2-0-0",
            "x0-0-0",
            "r0-0-0-0",
            "r0-zz-0",
            "r0-00-1",
            "r0--1-1",
            "r0-+1-1",
            "n0-6-1",
            "n0-ff-1",
            "ü0-0-0",
            "p0-8000000000000000-0",
            &long,
        ] {
            assert_eq!(wrong.parse::<Place>(), Err(NotACursor), "{wrong}");
        }
    }
}
