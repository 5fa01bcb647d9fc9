//! Money as whole minor units of one currency, with checked arithmetic.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The Indian rupee, the currency of the demonstration.
    pub const INR: Self = Self(*b"INR");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters are ever stored")
    }

    /// How many digits follow the point when an amount is written (ISO 4217's exponent).
    pub fn decimals(self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"XAF" | b"XOF" | b"UGX" => 0,
            b"KWD" | b"BHD" | b"OMR" | b"JOD" | b"TND" | b"IQD" | b"LYD" => 3,
            _ => 2,
        }
    }
}

impl std::str::FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|l| l.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(MoneyError::NotACurrency),
        }
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> Encode<C> for Currency {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Currency {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|_| minicbor::decode::Error::message("not a currency code"))
    }
}

/// An amount of money in minor units (paise, cents); may be negative in sums.
///
/// ```
/// use kirana_core::money::{Currency, Money};
/// let milk = Money::new(2_950, Currency::INR);
/// assert_eq!(milk.checked_add(milk).unwrap().to_string(), "59.00 INR");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Money {
    /// Whole minor units.
    #[n(0)]
    #[serde(deserialize_with = "crate::whole::read")]
    pub minor: i64,
    /// Of which currency.
    #[n(1)]
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError`] when the currencies differ or the sum does not fit 64 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrenciesDiffer(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The difference; errors as for [`Money::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        let negated = other.minor.checked_neg().ok_or(MoneyError::TooLarge)?;
        self.checked_add(Self::new(negated, other.currency))
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = self.currency.decimals() as usize;
        let scale = 10_u64.pow(self.currency.decimals());
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, rest) = (self.minor.unsigned_abs() / scale, self.minor.unsigned_abs() % scale);
        match decimals {
            0 => write!(f, "{sign}{whole} {}", self.currency),
            _ => write!(f, "{sign}{whole}.{rest:0decimals$} {}", self.currency),
        }
    }
}

/// A price: minor units for a base quantity, such as 6,800 paise for 1,000 g.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
pub struct Price {
    /// Minor units for `per` base units; never negative once parsed.
    #[n(0)]
    #[serde(deserialize_with = "crate::whole::read")]
    pub minor: i64,
    /// How many base units (g, ml, pieces) the price is for; at least 1.
    #[n(1)]
    #[serde(deserialize_with = "crate::whole::read")]
    pub per: u64,
    /// Of which currency.
    #[n(2)]
    pub currency: Currency,
}

impl Price {
    /// Whether the same quantity costs less at this price than at `other`; never across currencies.
    pub fn is_below(self, other: Self) -> bool {
        let (own, theirs) = (i128::from(self.minor), i128::from(other.minor));
        self.currency == other.currency
            && own * i128::from(other.per) < theirs * i128::from(self.per)
    }

    /// What `amount` base units cost: price x quantity, rounded half up to the minor unit.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when the result does not fit 64 bits,
    /// [`MoneyError::Negative`] or [`MoneyError::PerNothing`] for a price that cannot be.
    ///
    /// ```
    /// use kirana_core::money::{Currency, Price};
    /// let onions = Price { minor: 4_500, per: 1_000, currency: Currency::INR };
    /// assert_eq!(onions.of(333).unwrap().minor, 1_499); // 1498.5 paise
    /// ```
    pub fn of(self, amount: u64) -> Result<Money, MoneyError> {
        if self.minor < 0 {
            return Err(MoneyError::Negative);
        }
        if self.per == 0 {
            return Err(MoneyError::PerNothing);
        }
        let exact = i128::from(self.minor) * i128::from(amount);
        let per = i128::from(self.per);
        let rounded = (2 * exact + per) / (2 * per);
        let minor = i64::try_from(rounded).map_err(|_| MoneyError::TooLarge)?;
        Ok(Money::new(minor, self.currency))
    }
}

/// The tax inside `gross`, which includes it, at `rate_bp` basis points, rounded half up.
///
/// # Errors
/// [`MoneyError::Negative`] for a negative sum.
pub fn tax_within(gross: Money, rate_bp: u32) -> Result<Money, MoneyError> {
    if gross.minor < 0 {
        return Err(MoneyError::Negative);
    }
    let (gross_minor, rate) = (i128::from(gross.minor), i128::from(rate_bp));
    let whole = 10_000 + rate;
    let minor = (2 * gross_minor * rate + whole) / (2 * whole);
    let minor = i64::try_from(minor).map_err(|_| MoneyError::TooLarge)?;
    Ok(Money::new(minor, gross.currency))
}

/// Money that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three capital letters, such as INR")]
    NotACurrency,
    /// A sum over two currencies.
    #[error("cannot add {0} and {1}")]
    CurrenciesDiffer(Currency, Currency),
    /// The result does not fit.
    #[error("the amount is too large")]
    TooLarge,
    /// A price below zero.
    #[error("a price cannot be below zero")]
    Negative,
    /// A price for no quantity at all.
    #[error("a price must be for at least one unit")]
    PerNothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_rounded_half_up_to_the_minor_unit() {
        let price = Price { minor: 1, per: 2, currency: Currency::INR };
        assert_eq!(price.of(1).map(|m| m.minor), Ok(1));
        let price = Price { minor: 1, per: 3, currency: Currency::INR };
        assert_eq!(price.of(1).map(|m| m.minor), Ok(0));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        let price = Price { minor: i64::MAX, per: 1, currency: Currency::INR };
        assert_eq!(price.of(2), Err(MoneyError::TooLarge));
        let most = Money::new(i64::MAX, Currency::INR);
        assert_eq!(most.checked_add(Money::new(1, Currency::INR)), Err(MoneyError::TooLarge));
    }

    #[test]
    fn tax_is_taken_out_of_the_gross_sum() {
        let tax = tax_within(Money::new(10_500, Currency::INR), 500);
        assert_eq!(tax.map(|m| m.minor), Ok(500));
    }

    #[test]
    fn amounts_are_shown_with_the_digits_of_their_currency() {
        assert_eq!(Money::new(-5, Currency::INR).to_string(), "-0.05 INR");
        let yen = "JPY".parse().expect("a code");
        assert_eq!(Money::new(120, yen).to_string(), "120 JPY");
    }
}
