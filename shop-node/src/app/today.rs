//! Which day it is at the shop: best-before dates end with it.
//!
//! A shop knows no time zone. Where it says on which meridian it stands, its day begins when the sun
//! says so, to the full hour: within an hour or two of midnight, when nobody buys.
//!
//! **Invariant:** the day comes from the known time, so a clock in doubt makes nothing go off.

use kirana_core::{day::Day, geohash::Place, time::UnixMs};
use kirana_migrations::{StoreError, rusqlite::Connection};

use super::{Inner, Shop, desk::Desk, known_time};

impl Inner {
    /// The day of a moment at the shop.
    pub(crate) fn day_of(&self, moment: UnixMs) -> Day {
        Day::at(moment, east_minutes(self.identity.place.as_deref()))
    }

    /// When a day begins at the shop.
    pub(crate) fn begin_of(&self, day: Day) -> UnixMs {
        day.begin(east_minutes(self.identity.place.as_deref()))
    }

    /// The day at the shop, as far as it is known.
    pub(crate) fn today(&self, c: &Connection, now: UnixMs) -> Result<Day, StoreError> {
        Ok(self.day_of(known_time(c)?.read(now).at))
    }
}

impl Desk<'_, '_> {
    /// The day at the shop, as far as it is known.
    pub(crate) fn today(&self) -> Day {
        self.shop.day_of(self.now.at)
    }
}

impl Shop {
    /// The day at the shop, as far as it is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn today(&self, now: UnixMs) -> Result<Day, StoreError> {
        self.reader().read(|c| self.inner.today(c, now))
    }

    /// The day at the shop of a moment.
    pub fn day_of(&self, moment: UnixMs) -> Day {
        self.inner.day_of(moment)
    }

    /// When a day begins at the shop.
    pub fn begin_of(&self, day: Day) -> UnixMs {
        self.inner.begin_of(day)
    }
}

/// How far clocks are before those of Greenwich by the sun, to the full hour.
fn east_minutes(place: Option<&str>) -> i32 {
    let place: Option<Place> = place.and_then(|place| place.parse().ok());
    let lon_e7 = place.map_or(0, Place::lon_e7);
    // The sun needs an hour for 15 degrees; half an hour more rounds to the nearest one.
    let halves = lon_e7.div_euclid(HALF_HOUR_E7);
    (halves + 1).div_euclid(2) * 60
}

/// The sun's way in half an hour, in ten-millionths of a degree.
const HALF_HOUR_E7: i32 = 75_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_by_the_sun_to_the_nearest_hour() {
        let east = |place: &str| east_minutes(Some(place));
        let places =
            ["12.97,77.59", "0,0", "0,7.4", "0,7.6", "0,-7.4", "0,-7.6", "40.7,-74.0", "0,180"];
        assert_eq!(places.map(east), [300, 0, 0, 60, 0, -60, -300, 720]);
        assert_eq!([east_minutes(None), east("somewhere")], [0, 0]);
    }
}
