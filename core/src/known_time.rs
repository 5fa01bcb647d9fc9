//! Tells what time it is at least, on a box whose own clock may be wrong.
//!
//! Known time is the later of the newest signed time seen and the own clock, so that a box that
//! wakes up in 1970 still works.
//!
//! **Invariant:** while the own clock is in doubt it moves nothing, and nothing expires.

use minicbor::{Decode, Encode};

use crate::time::{DAY_MS, UnixMs};

/// The own clock is doubted when it moves further than this between two stored readings.
pub const JUMP_MS_MAX: u64 = 7 * DAY_MS;

/// The time as far as it is known, and whether deadlines may be held against anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownNow {
    /// The known time.
    pub at: UnixMs,
    /// Whether nothing expires for now, because the own clock is in doubt.
    pub expiry_suspended: bool,
}

impl KnownNow {
    /// Whether a deadline has certainly passed.
    pub fn is_past(&self, deadline: UnixMs) -> bool {
        !self.expiry_suspended && deadline <= self.at
    }
}

impl From<UnixMs> for KnownNow {
    fn from(at: UnixMs) -> Self {
        Self { at, expiry_suspended: false }
    }
}

/// What is known about the time; stored with every change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct KnownTime {
    /// The newest time under a trusted signature.
    #[n(0)]
    newest_signed: UnixMs,
    /// The last reading of the own clock.
    #[n(1)]
    last_own: Option<UnixMs>,
    /// The last reading before the clock came into doubt.
    #[n(2)]
    doubted_since: Option<UnixMs>,
}

impl KnownTime {
    /// Takes a reading of the own clock and says what time is known.
    pub fn read(&mut self, own: UnixMs) -> KnownNow {
        if let (Some(last), None) = (self.last_own, self.doubted_since) {
            let moved = own.since(last).max(last.since(own));
            // A clock that a signed time already bears out has been set right, not wrong; but one
            // that lags while the signed times are old would turn the known time back.
            let turned_back = last.since(own.max(self.newest_signed));
            if moved > JUMP_MS_MAX && !self.is_borne_out(own) || turned_back > JUMP_MS_MAX {
                self.doubted_since = Some(last);
            }
        }
        self.last_own = Some(own);
        self.now()
    }

    /// What time was known at the last reading.
    pub fn now(&self) -> KnownNow {
        let own = self.doubted_since.or(self.last_own).unwrap_or_default();
        KnownNow { at: own.max(self.newest_signed), expiry_suspended: self.doubted_since.is_some() }
    }

    /// Takes note of a time under a signature that is trusted; one near the own clock ends the doubt.
    pub fn saw_signed(&mut self, at: UnixMs) {
        let is_news = at > self.newest_signed;
        self.newest_signed = self.newest_signed.max(at);
        let (Some(own), Some(since)) = (self.last_own, self.doubted_since) else { return };
        let reaches_back = since.since(self.newest_signed) <= JUMP_MS_MAX;
        let agrees = is_news && at.since(own) <= JUMP_MS_MAX;
        if self.is_borne_out(own) && (reaches_back || agrees) {
            self.doubted_since = None;
        }
    }

    /// The owner says that the own clock is right.
    pub fn confirm(&mut self) {
        self.doubted_since = None;
    }

    /// Whether the own clock stands in doubt; the owner is to be told.
    pub fn is_in_doubt(&self) -> bool {
        self.doubted_since.is_some()
    }

    /// A clock that lags cannot hurt, since the signed time overrules it; one far ahead of every
    /// signed time may be wrong.
    fn is_borne_out(&self, own: UnixMs) -> bool {
        self.newest_signed != UnixMs::default() && own.since(self.newest_signed) <= JUMP_MS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: UnixMs = UnixMs::new(1_790_000_000_000);
    const YEAR_MS: u64 = 365 * DAY_MS;

    #[test]
    fn a_box_that_wakes_up_in_1970_goes_by_the_newest_signed_time() {
        let mut time = KnownTime::default();
        time.saw_signed(TODAY);
        assert_eq!(time.read(UnixMs::new(5_000)).at, TODAY);
        assert!(!time.now().expiry_suspended);
    }

    #[test]
    fn p3_a_clock_a_year_ahead_expires_nothing_until_somebody_confirms() {
        let mut time = KnownTime::default();
        time.read(TODAY);
        let now = time.read(TODAY.plus_ms(YEAR_MS));
        assert_eq!(now, KnownNow { at: TODAY, expiry_suspended: true });
        assert!(!now.is_past(TODAY.minus_ms(1)));
        time.confirm();
        assert!(time.now().is_past(TODAY.plus_ms(YEAR_MS - 1)));
    }

    #[test]
    fn a_signed_time_of_today_does_not_bear_out_a_clock_a_year_ahead() {
        let mut time = KnownTime::default();
        time.read(TODAY);
        time.read(TODAY.plus_ms(YEAR_MS));
        time.saw_signed(TODAY.plus_ms(1));
        assert!(time.is_in_doubt());
        time.saw_signed(TODAY.plus_ms(YEAR_MS));
        assert!(!time.is_in_doubt());
    }

    #[test]
    fn a_clock_a_year_behind_does_not_turn_back_the_known_time() {
        let mut time = KnownTime::default();
        time.saw_signed(TODAY);
        time.read(TODAY);
        let now = time.read(TODAY.minus_ms(YEAR_MS));
        assert_eq!(now.at, TODAY);
    }

    #[test]
    fn a_clock_a_year_behind_old_signed_times_is_doubted_until_a_newer_one() {
        let mut time = KnownTime::default();
        time.saw_signed(TODAY.minus_ms(YEAR_MS / 2));
        time.read(TODAY);
        let now = time.read(TODAY.minus_ms(YEAR_MS));
        assert_eq!(now, KnownNow { at: TODAY, expiry_suspended: true });
        time.saw_signed(TODAY.minus_ms(YEAR_MS / 2));
        assert!(time.is_in_doubt(), "what was seen before says nothing new");
        time.saw_signed(TODAY.plus_ms(1));
        assert_eq!(time.now(), KnownNow { at: TODAY.plus_ms(1), expiry_suspended: false });
    }

    #[test]
    fn a_clock_that_was_ahead_and_is_set_right_is_believed_with_the_next_signed_time() {
        let mut time = KnownTime::default();
        time.saw_signed(TODAY.minus_ms(YEAR_MS));
        time.read(TODAY.plus_ms(YEAR_MS));
        time.read(TODAY);
        assert!(time.is_in_doubt());
        time.saw_signed(TODAY.plus_ms(1));
        assert_eq!(time.now(), KnownNow { at: TODAY.plus_ms(1), expiry_suspended: false });
    }

    #[test]
    fn a_jump_of_seven_days_is_believed_and_one_millisecond_more_is_not() {
        let mut time = KnownTime::default();
        time.read(TODAY);
        assert!(!time.read(TODAY.plus_ms(JUMP_MS_MAX)).expiry_suspended);
        assert!(time.read(TODAY.plus_ms(2 * JUMP_MS_MAX + 1)).expiry_suspended);
    }
}
