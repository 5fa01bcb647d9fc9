//! Days of the calendar, such as the best-before date on a pack: no hour and no zone.
//!
//! ```
//! use kirana_core::{day::Day, time::UnixMs};
//! let best_before: Day = "2026-11-27".parse()?;
//! let noon: UnixMs = "2026-11-27T12:00:00Z".parse().expect("a time");
//! assert_eq!(Day::at(noon, 0), best_before);
//! assert_eq!(best_before.plus(7).to_string(), "2026-12-04");
//! # Ok::<(), kirana_core::day::NotADay>(())
//! ```

use jiff::civil::Date;
use minicbor::{Decode, Encode};

use crate::time::{DAY_MS, UnixMs};

/// A day, counted from 1970-01-01, shown as ISO 8601.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
#[cbor(transparent)]
pub struct Day(u32);

impl<'b, C> Decode<'b, C> for Day {
    /// A day that nobody could show becomes the last one that can be.
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.u32().map(Self::new)
    }
}

impl Day {
    /// The last day that can be shown: the last of the year 9999.
    pub const MAX: Self = Self(2_932_896);

    /// Takes days since 1970; later than [`Day::MAX`] becomes `MAX`.
    pub const fn new(days: u32) -> Self {
        if days > Self::MAX.0 { Self::MAX } else { Self(days) }
    }

    /// Days since 1970.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The day of a moment where clocks stand so many minutes before (west of) or after (east of)
    /// those of Greenwich.
    pub fn at(moment: UnixMs, east_minutes: i32) -> Self {
        let shift_ms = u64::from(east_minutes.unsigned_abs()) * 60_000;
        let there = match east_minutes {
            east if east >= 0 => moment.plus_ms(shift_ms),
            _ => moment.minus_ms(shift_ms),
        };
        u32::try_from(there.get() / DAY_MS).map_or(Self::MAX, Self::new)
    }

    /// When it begins where clocks stand so many minutes after those of Greenwich; not before 1970.
    pub fn begin(self, east_minutes: i32) -> UnixMs {
        let there = UnixMs::new(u64::from(self.0) * DAY_MS);
        let shift_ms = u64::from(east_minutes.unsigned_abs()) * 60_000;
        match east_minutes {
            east if east >= 0 => there.minus_ms(shift_ms),
            _ => there.plus_ms(shift_ms),
        }
    }

    /// The day so many days later.
    #[must_use]
    pub const fn plus(self, days: u32) -> Self {
        Self::new(self.0.saturating_add(days))
    }

    /// How many days this day comes after `other`; below zero where it comes before.
    pub fn after(self, other: Self) -> i64 {
        i64::from(self.0) - i64::from(other.0)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match EPOCH.checked_add(jiff::Span::new().days(i64::from(self.0))) {
            Ok(date) => date.fmt(f),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl std::fmt::Debug for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Day {
    type Err = NotADay;
    fn from_str(text: &str) -> Result<Self, NotADay> {
        // Nothing but the day itself: no hour, and no sign before the year.
        let is_plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let date: Option<Date> = is_plain.then(|| text.parse().ok()).flatten();
        let days = date.map(|date| (date - EPOCH).get_days()).ok_or(NotADay)?;
        u32::try_from(days).map(Self::new).map_err(|_| NotADay)
    }
}

impl serde::Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Day zero.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// The text is not a day since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a day is written like 2026-11-27")]
pub struct NotADay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_on_a_pack_and_nothing_else_is_taken_for_one() {
        for text in ["1970-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().map(|day| day.to_string()).as_deref(), Ok(text));
        }
        for text in ["2026-02-29", "27.11.2026", "2026-11-27T00:00:00Z", "1969-12-31", ""] {
            assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
        }
        assert_eq!(Day::MAX.to_string(), "9999-12-31");
        assert_eq!(Day::MAX.plus(1), Day::MAX);
    }

    #[test]
    fn a_day_begins_when_it_begins_at_the_shop() {
        let late: UnixMs = "2026-11-27T19:00:00Z".parse().expect("a time");
        let days = [0, 330, -60].map(|east| Day::at(late, east).to_string());
        assert_eq!(days, ["2026-11-27", "2026-11-28", "2026-11-27"]);
        assert_eq!(Day::at(UnixMs::new(5), -60), Day::new(0), "not before 1970");
        for east in [0, 330, -60] {
            let begin = Day::new(20_000).begin(east);
            let days = [begin.minus_ms(1), begin].map(|at| Day::at(at, east).get());
            assert_eq!(days, [19_999, 20_000], "{east}");
        }
        assert_eq!(Day::new(3).after(Day::new(5)), -2);
    }
}
