//! Orders what will happen on virtual time.
//!
//! **Invariant:** two events at one moment happen in the order in which they were planned, so a
//! run never depends on anything but its seed.

use std::collections::BTreeMap;

use kirana_core::time::UnixMs;

/// What is planned, by moment.
pub struct Schedule<E> {
    now: UnixMs,
    planned: BTreeMap<(UnixMs, u64), E>,
    next_number: u64,
}

impl<E> Schedule<E> {
    /// Nothing planned yet, at `start`.
    pub fn new(start: UnixMs) -> Self {
        Self { now: start, planned: BTreeMap::new(), next_number: 0 }
    }

    /// The true time of the virtual world; nodes have clocks of their own.
    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// Plans an event `ms` from now.
    pub fn after(&mut self, ms: u64, event: E) {
        self.at(self.now.plus_ms(ms), event);
    }

    /// Plans an event at a moment; in the past means at once.
    pub fn at(&mut self, moment: UnixMs, event: E) {
        self.planned.insert((moment.max(self.now), self.next_number), event);
        self.next_number += 1;
    }

    /// Moves time to the next event before `end` and yields it.
    pub fn next_before(&mut self, end: UnixMs) -> Option<E> {
        let (&(moment, _), _) = self.planned.first_key_value()?;
        if moment >= end {
            return None;
        }
        let (_, event) = self.planned.pop_first()?;
        self.now = moment;
        Some(event)
    }

    /// Moves time on to `end`, where everything before it has happened.
    pub fn rest_until(&mut self, end: UnixMs) {
        self.now = self.now.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_moment_keep_the_order_they_were_planned_in() {
        let mut schedule = Schedule::new(UnixMs::new(1000));
        schedule.after(5, "second");
        schedule.after(5, "third");
        schedule.after(1, "first");
        let end = UnixMs::new(2000);
        let all: Vec<_> = std::iter::from_fn(|| schedule.next_before(end)).collect();
        assert_eq!(all, ["first", "second", "third"]);
        assert_eq!(schedule.now(), UnixMs::new(1005));
    }

    #[test]
    fn what_is_planned_for_the_end_or_later_waits() {
        let mut schedule = Schedule::new(UnixMs::new(0));
        schedule.after(10, ());
        assert!(schedule.next_before(UnixMs::new(10)).is_none());
        assert!(schedule.next_before(UnixMs::new(11)).is_some());
    }
}
