//! Lengths on paper, in whole micrometres, so that sums of millimetres come out even.

use std::ops::{Add, Div, Mul, Sub};

/// A length or a place on paper; places count from the left and from the top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length(i32);

impl Length {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole micrometres.
    pub const fn um(um: i32) -> Self {
        Self(um)
    }

    /// Whole millimetres.
    pub const fn mm(mm: i32) -> Self {
        Self(mm * UM_PER_MM)
    }

    /// In micrometres.
    pub const fn as_um(self) -> i32 {
        self.0
    }

    /// In points, of which an inch has 72.
    pub fn points(self) -> f32 {
        (f64::from(self.0) * 72.0 / 25_400.0) as f32
    }

    /// So many points, rounded up to a micrometre.
    pub(crate) fn of_points(points: f32) -> Self {
        Self((f64::from(points) * 25_400.0 / 72.0).ceil() as i32)
    }

    /// So many hundredths of it.
    pub const fn percent(self, percent: i32) -> Self {
        Self((self.0 as i64 * percent as i64 / 100) as i32)
    }
}

impl Add for Length {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Length {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<i32> for Length {
    type Output = Self;

    fn mul(self, times: i32) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Div<i32> for Length {
    type Output = Self;

    fn div(self, parts: i32) -> Self {
        Self(self.0 / parts)
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / UM_PER_MM, (self.0 % UM_PER_MM).abs());
        match rest {
            0 => write!(f, "{whole}"),
            _ => write!(f, "{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }
}

impl std::str::FromStr for Length {
    type Err = NotALength;

    /// Reads millimetres with up to three digits after the point, such as `99.1`.
    fn from_str(text: &str) -> Result<Self, NotALength> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        if !is_digits(whole, 4) || !is_digits(part, 3) {
            return Err(NotALength);
        }
        format!("{whole}{part:0<3}").parse().map(Self).map_err(|_| NotALength)
    }
}

/// Text that is no length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a length in millimetres, such as 70 or 99.1")]
pub struct NotALength;

const UM_PER_MM: i32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millimetres_are_read_and_shown_as_people_write_them() {
        for (text, um) in [("70", 70_000), ("99.1", 99_100), ("0.264", 264), ("38.05", 38_050)] {
            let length: Length = text.parse().expect("a length");
            assert_eq!((length.as_um(), length.to_string().as_str()), (um, text));
        }
        for text in ["", "-3", "1,5", "1.", ".5", "1e3", "12345", "0.1234", "७"] {
            assert_eq!(text.parse::<Length>(), Err(NotALength), "{text}");
        }
    }
}
