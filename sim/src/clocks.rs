//! Gives every node a clock of its own, which may be wrong and may jump.
//!
//! **Invariant:** shipped code is told the time of its node's clock and never the true one.

use kirana_core::time::{DAY_MS, UnixMs};

use crate::dice::Dice;

/// The clock of one node: the true time and an error.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeClock {
    error_ms: i64,
}

impl NodeClock {
    /// Right to within two minutes, as clocks in kitchens are.
    pub fn roughly_right(dice: &mut Dice) -> Self {
        Self { error_ms: signed(dice, 2 * 60 * 1000) }
    }

    /// What it shows at the true time `now`.
    pub fn read(&self, now: UnixMs) -> UnixMs {
        let distance = self.error_ms.unsigned_abs();
        if self.error_ms < 0 { now.minus_ms(distance) } else { now.plus_ms(distance) }
    }

    /// Jumps: mostly by hours, sometimes by a year either way.
    pub fn jump(&mut self, dice: &mut Dice) {
        let most_ms = match dice.below(4) {
            0 => 366 * DAY_MS,
            1 => 5 * DAY_MS,
            _ => DAY_MS / 4,
        };
        self.error_ms = signed(dice, most_ms);
    }

    /// Somebody set it right.
    pub fn set_right(&mut self) {
        self.error_ms = 0;
    }
}

fn signed(dice: &mut Dice, most: u64) -> i64 {
    let size = i64::try_from(dice.below(most + 1)).unwrap_or_default();
    if dice.permille(500) { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_jumps_both_ways_and_can_be_set_right() {
        let (mut clock, mut dice) = (NodeClock::default(), Dice::new(3, "clock"));
        let now = UnixMs::new(1_795_312_800_000);
        let (mut early, mut late) = (0, 0);
        for _ in 0..50 {
            clock.jump(&mut dice);
            early += u32::from(clock.read(now) < now);
            late += u32::from(clock.read(now) > now);
        }
        assert!(early > 5 && late > 5);
        clock.set_right();
        assert_eq!(clock.read(now), now);
    }
}
