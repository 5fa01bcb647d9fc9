//! Spans of time that a shop offers week by week, and which of them lie ahead.
//!
//! **Invariant:** what is offered lies within the opening hours, on a day on which the shop is not
//! closed, by the shop's own clock on the wall; a span that the clocks' change would swallow is left
//! out.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
};
use minicbor::{Decode, Encode};
use opening_hours::{OpeningHours, RuleKind};
use serde::{Deserialize, Serialize};

use super::{AHEAD_DAYS_MAX, Terms, Way};
use crate::{day::Day, order::placed::Slot, time::UnixMs};

const MINUTES_A_DAY: u16 = 24 * 60;
const LAST_CALL_MIN_MAX: u16 = 7 * MINUTES_A_DAY;
const MINUTE_MS: u64 = 60_000;

/// One span of a day that is offered on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// For goods that are brought, or for those that are collected.
    #[n(0)]
    pub way: Way,
    /// On which days of the week.
    #[n(1)]
    pub days: Weekdays,
    /// From how many minutes after midnight on.
    #[n(2)]
    pub from_min: u16,
    /// Until how many minutes after midnight.
    #[n(3)]
    pub until_min: u16,
    /// How many orders fit in.
    #[n(4)]
    pub capacity: u16,
    /// How many minutes before its beginning the last order is taken.
    #[n(5)]
    #[serde(default)]
    pub last_call_min: u16,
}

/// Days of the week, written `Mo-Fr`, `Sa`, `Mo,We,Fr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Weekdays(u8);

impl Weekdays {
    const NAMES: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    fn holds(self, day: Weekday) -> bool {
        self.0 & (1 << day.to_monday_zero_offset()) != 0
    }
}

impl std::str::FromStr for Weekdays {
    type Err = NotWeekdays;

    fn from_str(text: &str) -> Result<Self, NotWeekdays> {
        let index = |name: &str| {
            Self::NAMES.iter().position(|known| *known == name.trim()).ok_or(NotWeekdays)
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (index(first)?, index(last)?);
            // `Sa-Mo` goes over the end of the week.
            let count = (last + 7 - first) % 7;
            (0..=count).for_each(|step| days |= 1 << ((first + step) % 7));
        }
        Ok(Self(days))
    }
}

impl std::fmt::Display for Weekdays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let there = (0..7).filter(|day| self.0 & (1 << day) != 0);
        let names: Vec<_> = there.map(|day| Self::NAMES[day]).collect();
        f.write_str(&names.join(","))
    }
}

impl Serialize for Weekdays {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Weekdays {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// No days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("days of the week are Mo, Tu, We, Th, Fr, Sa, Su, as in `Mo-Fr` or `Mo,We`")]
pub struct NotWeekdays;

/// A span of time that somebody may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Offered {
    /// For goods that are brought, or for those that are collected.
    pub way: Way,
    /// From when until when.
    #[serde(flatten)]
    pub slot: Slot,
    /// When the last order is taken.
    pub last_call: UnixMs,
    /// How many orders fit in.
    pub capacity: u16,
}

impl Window {
    pub(super) fn is_sound(&self) -> bool {
        self.days.0 != 0
            && self.days.0 <= Weekdays::ALL.0
            && self.from_min < self.until_min
            && self.until_min <= MINUTES_A_DAY
            && self.capacity > 0
            && self.last_call_min <= LAST_CALL_MIN_MAX
    }
}

impl Terms {
    /// What is offered from now on within so many days, soonest first.
    pub fn slots(&self, way: Way, now: UnixMs, days: u16) -> Vec<Offered> {
        let Some(today) = self.date_of(now) else { return Vec::new() };
        let ahead = 0..=i64::from(days.min(AHEAD_DAYS_MAX));
        let dates = ahead.filter_map(|n| today.checked_add(jiff::Span::new().days(n)).ok());
        let mut offered: Vec<_> = dates.flat_map(|date| self.on(way, date)).collect();
        offered.retain(|offered| offered.last_call >= now);
        offered.sort_by_key(|offered| (offered.slot.from, offered.slot.until));
        offered.dedup_by_key(|offered| offered.slot);
        offered
    }

    /// The offer of exactly this span, if there is one.
    pub fn offer(&self, way: Way, slot: Slot) -> Option<Offered> {
        let date = self.date_of(slot.from)?;
        self.on(way, date).find(|offered| offered.slot == slot)
    }

    /// Whether the shop is open; `None` where it tells no hours.
    pub fn is_open(&self, at: UnixMs) -> Option<bool> {
        let hours: OpeningHours = self.opens.as_deref()?.parse().ok()?;
        let there = self.local(at)?;
        Some(!self.is_shut(there.date()) && hours.is_open(naive(there)?))
    }

    /// A span as the clock on the shop's wall shows it: `Sa 2026-11-28 10:00-12:00`.
    pub fn written(&self, slot: Slot) -> String {
        let (Some(from), Some(until)) = (self.local(slot.from), self.local(slot.until)) else {
            return format!("{} to {}", slot.from, slot.until);
        };
        let day =
            Weekdays::NAMES[usize::from(from.weekday().to_monday_zero_offset().unsigned_abs())];
        let time = |at: DateTime| format!("{:02}:{:02}", at.hour(), at.minute());
        // A span that ends with the day ends at midnight.
        let until = if until.date() > from.date() { "24:00".to_owned() } else { time(until) };
        format!("{day} {} {}-{until}", from.date(), time(from))
    }

    fn on(&self, way: Way, date: Date) -> impl Iterator<Item = Offered> {
        let zone = self.zone();
        let there = move |minutes: u16| {
            let midnight = date.to_datetime(jiff::civil::Time::midnight());
            midnight.checked_add(jiff::Span::new().minutes(i64::from(minutes))).ok()
        };
        let hours = self.opens.as_deref().and_then(|opens| opens.parse::<OpeningHours>().ok());
        let shut = self.is_shut(date);
        let windows = self
            .windows
            .iter()
            .filter(move |window| !shut && window.way == way && window.days.holds(date.weekday()));
        windows.filter_map(move |window| {
            let (from, until) = (there(window.from_min)?, there(window.until_min)?);
            if hours
                .as_ref()
                .is_some_and(|hours| is_open_throughout(hours, from, until) != Some(true))
            {
                return None;
            }
            let at = |wall: DateTime| moment(zone.to_ambiguous_zoned(wall).unambiguous().ok()?);
            let slot = Slot { from: at(from)?, until: at(until)? };
            let last_call = slot.from.minus_ms(u64::from(window.last_call_min) * MINUTE_MS);
            (slot.from < slot.until).then_some(Offered {
                way,
                slot,
                last_call,
                capacity: window.capacity,
            })
        })
    }

    fn is_shut(&self, date: Date) -> bool {
        let day: Option<Day> = date.to_string().parse().ok();
        day.is_some_and(|day| self.closed_on.contains(&day))
    }

    fn date_of(&self, at: UnixMs) -> Option<Date> {
        Some(self.local(at)?.date())
    }

    /// The shop's clock on the wall.
    fn local(&self, at: UnixMs) -> Option<DateTime> {
        let at = Timestamp::from_millisecond(i64::try_from(at.get()).ok()?).ok()?;
        Some(at.to_zoned(self.zone()).datetime())
    }
}

fn is_open_throughout(hours: &OpeningHours, from: DateTime, until: DateTime) -> Option<bool> {
    let mut spans = hours.iter_range(naive(from)?, naive(until)?);
    Some(spans.all(|span| span.kind == RuleKind::Open))
}

fn moment(zoned: jiff::Zoned) -> Option<UnixMs> {
    u64::try_from(zoned.timestamp().as_millisecond()).ok().map(UnixMs::new)
}

/// The same reading of the clock, as the crate for opening hours takes it.
fn naive(at: DateTime) -> Option<chrono::NaiveDateTime> {
    let (month, day) = (at.month().unsigned_abs().into(), at.day().unsigned_abs().into());
    let date = chrono::NaiveDate::from_ymd_opt(at.year().into(), month, day)?;
    date.and_hms_opt(at.hour().unsigned_abs().into(), at.minute().unsigned_abs().into(), 0)
}
