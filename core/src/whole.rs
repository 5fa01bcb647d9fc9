//! Reads whole numbers from JSON as JSON Schema means them: `4.0` is an integer, `4.5` is none.
//!
//! **Invariant:** a number that does not fit is refused, never rounded or cut.
//!
//! ```
//! # #[derive(serde::Deserialize)]
//! struct Radius(#[serde(deserialize_with = "kirana_core::whole::read")] u32);
//! let radius: Radius = serde_json::from_str("1500.0")?;
//! assert_eq!(radius.0, 1500);
//! assert!(serde_json::from_str::<Radius>("1500.5").is_err());
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::{fmt, marker::PhantomData};

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Up to here a double tells whole numbers apart (RFC 8259, section 6).
const EXACT_MAX: f64 = 9_007_199_254_740_991.0;

/// Reads one; for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Those of the format, where it is no whole number or does not fit.
pub fn read<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64> + TryFrom<u64>,
{
    d.deserialize_any(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<i64> + TryFrom<u64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number that is not too large")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        if number.fract() != 0.0 || number.abs() > EXACT_MAX {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        self.visit_i64(number as i64)
    }
}
