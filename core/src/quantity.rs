//! Quantities as whole base units: grams, millilitres or pieces. No floats.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What a quantity counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(index_only)]
pub enum Unit {
    /// Pieces, packs, bottles.
    #[n(0)]
    #[serde(rename = "piece")]
    Piece,
    /// Grams.
    #[n(1)]
    #[serde(rename = "g")]
    Gram,
    /// Millilitres.
    #[n(2)]
    #[serde(rename = "ml")]
    Millilitre,
}

impl Unit {
    /// The short name used in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Piece => "piece",
            Self::Gram => "g",
            Self::Millilitre => "ml",
        }
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Unit {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        match text {
            "piece" => Ok(Self::Piece),
            "g" => Ok(Self::Gram),
            "ml" => Ok(Self::Millilitre),
            _ => Err(QuantityError::UnknownUnit),
        }
    }
}

/// A unit as people and files write it: a [`Unit`], or a thousand of it.
///
/// ```
/// use kirana_core::quantity::{Measure, Unit};
/// let kilogram = Measure::named("Kg").expect("a unit");
/// assert_eq!((kilogram.base, kilogram.one()), (Unit::Gram, 1000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// The base unit.
    pub base: Unit,
    /// How many digits after the point reach down to it.
    pub digits: u32,
}

impl Measure {
    /// Pieces.
    pub const PIECE: Self = Self { base: Unit::Piece, digits: 0 };

    /// The unit of this name, in capitals or small letters, with or without a point.
    pub fn named(name: &str) -> Option<Self> {
        let (base, digits) = match name.trim().to_lowercase().trim_end_matches('.') {
            "piece" | "pieces" | "pc" | "pcs" | "nos" | "each" | "unit" => (Unit::Piece, 0),
            "g" | "gm" | "gms" | "gram" | "grams" => (Unit::Gram, 0),
            "kg" | "kgs" | "kilo" | "kilogram" => (Unit::Gram, 3),
            "ml" | "millilitre" | "milliliter" => (Unit::Millilitre, 0),
            "l" | "ltr" | "litre" | "liter" | "litres" => (Unit::Millilitre, 3),
            _ => return None,
        };
        Some(Self { base, digits })
    }

    /// How many base units one is.
    pub fn one(self) -> u64 {
        10_u64.pow(self.digits)
    }

    /// Whole base units of a decimal number with at most so many digits after the point.
    fn read(self, number: &str) -> Option<u64> {
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let width = self.digits as usize;
        let is_cut_off = number.ends_with('.');
        if whole.is_empty() || is_cut_off || !is_plain(whole) || !is_plain(part) {
            return None;
        }
        if part.len() > width {
            return None;
        }
        format!("{whole}{part:0<width$}").parse().ok()
    }
}

/// An amount of something to buy: at least one base unit, at most [`Quantity::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Serialize)]
#[cbor(map)]
pub struct Quantity {
    #[n(0)]
    amount: u64,
    #[n(1)]
    unit: Unit,
}

impl Quantity {
    /// A hundred tonnes, or as many litres or pieces: more is a mistake or an attack.
    pub const MAX: u64 = 100_000_000;

    /// So many base units.
    ///
    /// # Errors
    /// [`QuantityError::Zero`] or [`QuantityError::TooLarge`].
    ///
    /// ```
    /// use kirana_core::quantity::{Quantity, Unit};
    /// assert!(Quantity::new(500, Unit::Gram).is_ok());
    /// assert!(Quantity::new(0, Unit::Gram).is_err());
    /// ```
    pub fn new(amount: u64, unit: Unit) -> Result<Self, QuantityError> {
        match amount {
            0 => Err(QuantityError::Zero),
            a if a > Self::MAX => Err(QuantityError::TooLarge(a)),
            amount => Ok(Self { amount, unit }),
        }
    }

    /// Reads an amount of something that is sold by `unit`; a bare number counts that unit.
    ///
    /// # Errors
    /// [`QuantityError`] when it is no amount, of another unit, nothing, or too much.
    ///
    /// ```
    /// use kirana_core::quantity::{Quantity, Unit};
    /// assert_eq!(Quantity::read("1.5kg", Unit::Gram), Quantity::new(1500, Unit::Gram));
    /// assert!(Quantity::read("2l", Unit::Gram).is_err());
    /// ```
    pub fn read(text: &str, unit: Unit) -> Result<Self, QuantityError> {
        let text = text.trim();
        let (number, name) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
        let measure = match name {
            "" => Measure { base: unit, digits: 0 },
            name => Measure::named(name).ok_or(QuantityError::Unreadable)?,
        };
        if measure.base != unit {
            return Err(QuantityError::OtherUnit { sold_by: unit, given: measure.base });
        }
        let amount = measure.read(number.trim()).ok_or(QuantityError::Unreadable)?;
        Self::new(amount, unit)
    }

    /// Base units.
    pub fn amount(self) -> u64 {
        self.amount
    }

    /// What is counted.
    pub fn unit(self) -> Unit {
        self.unit
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (amount, unit) = (self.amount, self.unit);
        match unit {
            Unit::Piece => write!(f, "{amount}"),
            Unit::Gram if amount % 1000 == 0 => write!(f, "{} kg", amount / 1000),
            Unit::Millilitre if amount % 1000 == 0 => write!(f, "{} l", amount / 1000),
            _ => write!(f, "{amount} {unit}"),
        }
    }
}

#[derive(Decode, Deserialize)]
#[cbor(map)]
struct Unchecked {
    #[n(0)]
    amount: u64,
    #[n(1)]
    unit: Unit,
}

impl<'b, C> Decode<'b, C> for Quantity {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let raw: Unchecked = d.decode_with(ctx)?;
        Self::new(raw.amount, raw.unit).map_err(minicbor::decode::Error::message)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = Unchecked::deserialize(d)?;
        Self::new(raw.amount, raw.unit).map_err(serde::de::Error::custom)
    }
}

/// A quantity that nobody can order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing at all.
    #[error("a quantity must be at least 1")]
    Zero,
    /// Beyond [`Quantity::MAX`].
    #[error("{0} is more than anybody can order at once (at most {max})", max = Quantity::MAX)]
    TooLarge(u64),
    /// Neither piece, g nor ml.
    #[error("a unit is one of: piece, g, ml")]
    UnknownUnit,
    /// Not written as an amount.
    #[error("write an amount as 2, 500g, 1.5kg, 750ml or 2l")]
    Unreadable,
    /// It is sold in another unit.
    #[error("this is sold by {sold_by}, not by {given}")]
    OtherUnit {
        /// The unit that it is sold in.
        sold_by: Unit,
        /// The unit that was given.
        given: Unit,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_too_much_are_refused_wherever_they_come_from() {
        assert_eq!(Quantity::new(0, Unit::Piece), Err(QuantityError::Zero));
        assert!(Quantity::new(Quantity::MAX, Unit::Gram).is_ok());
        assert!(Quantity::new(Quantity::MAX + 1, Unit::Gram).is_err());
        assert!(serde_json::from_str::<Quantity>(r#"{"amount":0,"unit":"g"}"#).is_err());
        assert!(serde_json::from_str::<Quantity>(r#"{"amount":-1,"unit":"g"}"#).is_err());
        let zero = [0xa2, 0x00, 0x00, 0x01, 0x01];
        assert!(crate::cbor::from_slice::<Quantity>("a quantity", &zero, 16).is_err());
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, unit, amount) in [
            ("2", Unit::Piece, 2),
            ("500g", Unit::Gram, 500),
            ("1.5kg", Unit::Gram, 1500),
            ("0.250 kg", Unit::Gram, 250),
            ("750ml", Unit::Millilitre, 750),
            ("2l", Unit::Millilitre, 2000),
            ("250", Unit::Gram, 250),
        ] {
            let read = Quantity::read(text, unit).expect(text);
            assert_eq!((read.amount(), read.unit()), (amount, unit), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let texts = ["", "0", "-1", "1e3", "1.5", "1.2345kg", "2 boxes", "500ml", "٣", "1..2kg"];
        for text in texts.into_iter().chain(["1.kg", "kg", "99999999999999999999kg"]) {
            assert!(Quantity::read(text, Unit::Gram).is_err(), "{text}");
        }
    }
}
