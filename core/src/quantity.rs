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
}
