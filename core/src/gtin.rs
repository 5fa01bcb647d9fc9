//! Trade item numbers (GTIN, the digits under a barcode) with their check digit.
//!
//! **Invariant:** a [`Gtin`] has a right check digit and is kept with 14 digits, so that the same
//! article read from an EAN-8, a UPC-A, an EAN-13 or a case code compares equal.

/// A GTIN in its canonical form of 14 digits (GS1 General Specifications, section 7.9).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gtin(u64);

impl Gtin {
    /// Takes the number that [`Gtin::to_number`] gave.
    ///
    /// # Errors
    /// [`NotAGtin`] when it has more than 14 digits or a wrong check digit.
    pub fn from_number(number: u64) -> Result<Self, NotAGtin> {
        format!("{number:014}").parse()
    }

    /// The 14 digits as one number, as databases keep it.
    pub fn to_number(self) -> u64 {
        self.0
    }

    /// The digits as they stand under most barcodes: 13 unless the number needs 14.
    pub fn short(self) -> String {
        if self.0 < 10_u64.pow(13) { format!("{:013}", self.0) } else { self.to_string() }
    }
}

impl std::str::FromStr for Gtin {
    type Err = NotAGtin;

    /// Reads 8, 12, 13 or 14 digits; blanks and hyphens between them are passed over.
    ///
    /// ```
    /// use kirana_core::gtin::Gtin;
    /// let can: Gtin = "0 36000 29145 2".parse().unwrap();
    /// assert_eq!(can.to_string(), "00036000291452");
    /// assert!("036000291453".parse::<Gtin>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, NotAGtin> {
        let (mut number, mut digits) = (0_u64, 0);
        for c in text.chars().filter(|c| !matches!(c, ' ' | '-')) {
            let digit = c.to_digit(10).ok_or(NotAGtin::NotDigits)?;
            if digits == 14 {
                return Err(NotAGtin::WrongLength);
            }
            (number, digits) = (number * 10 + u64::from(digit), digits + 1);
        }
        if !matches!(digits, 8 | 12 | 13 | 14) {
            return Err(NotAGtin::WrongLength);
        }
        let expected = check_digit(number / 10);
        if number % 10 != expected {
            return Err(NotAGtin::WrongCheckDigit { expected });
        }
        if number == 0 {
            return Err(NotAGtin::Nothing);
        }
        Ok(Self(number))
    }
}

/// The digit that makes `body`, a GTIN without its last digit, a whole one.
///
/// Weights 3 and 1 alternate from the right, so leading zeros change nothing.
pub fn check_digit(body: u64) -> u64 {
    let (mut rest, mut weight, mut sum) = (body, 3, 0);
    while rest > 0 {
        sum += rest % 10 * weight;
        (rest, weight) = (rest / 10, 4 - weight);
    }
    (10 - sum % 10) % 10
}

impl std::fmt::Display for Gtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

impl std::fmt::Debug for Gtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gtin({self})")
    }
}

impl serde::Serialize for Gtin {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Gtin {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<C> minicbor::Encode<C> for Gtin {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u64(self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Gtin {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_number(d.u64()?).map_err(minicbor::decode::Error::message)
    }
}

/// Text that is no trade item number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAGtin {
    /// Something else than digits, blanks and hyphens.
    #[error("a barcode number has digits only")]
    NotDigits,
    /// Neither 8, 12, 13 nor 14 digits.
    #[error("a barcode number has 8, 12, 13 or 14 digits")]
    WrongLength,
    /// A digit was misread or mistyped.
    #[error("the last digit should be {expected}: one of the digits is wrong")]
    WrongCheckDigit {
        /// The digit that would fit the others.
        expected: u64,
    },
    /// All digits are zero.
    #[error("a barcode number cannot be all zeros")]
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_gives_the_same_canonical_number() {
        // The worked example of the GS1 General Specifications and everyday barcodes.
        for (text, canonical) in [
            ("6291041500213", "06291041500213"),
            ("036000291452", "00036000291452"),
            ("0036000291452", "00036000291452"),
            ("96385074", "00000096385074"),
            ("10614141000415", "10614141000415"),
        ] {
            assert_eq!(text.parse::<Gtin>().map(|g| g.to_string()).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn a_wrong_digit_is_told_with_the_right_one() {
        let read = "6291041500214".parse::<Gtin>();
        assert_eq!(read, Err(NotAGtin::WrongCheckDigit { expected: 3 }));
    }

    #[test]
    fn other_lengths_and_letters_are_refused() {
        assert_eq!("1234567".parse::<Gtin>(), Err(NotAGtin::WrongLength));
        assert_eq!("123456789012345".parse::<Gtin>(), Err(NotAGtin::WrongLength));
        assert_eq!("".parse::<Gtin>(), Err(NotAGtin::WrongLength));
        assert_eq!("६२९१०४१५".parse::<Gtin>(), Err(NotAGtin::NotDigits));
        assert_eq!("00000000".parse::<Gtin>(), Err(NotAGtin::Nothing));
        assert!(Gtin::from_number(u64::MAX).is_err());
    }

    #[test]
    fn any_single_wrong_digit_is_found() {
        let right = "6291041500213";
        for place in 0..right.len() {
            for digit in b'0'..=b'9' {
                let mut wrong = right.as_bytes().to_vec();
                wrong[place] = digit;
                let wrong = String::from_utf8(wrong).expect("digits");
                assert_eq!(wrong.parse::<Gtin>().is_ok(), wrong == right, "{wrong}");
            }
        }
    }
}
