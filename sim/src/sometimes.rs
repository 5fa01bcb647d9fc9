//! The one list of situations that a long run must have met at least once.
//!
//! A simulation that never meets a situation proves nothing about it: a run over
//! [`ENOUGH_SEEDS`] seeds or more fails when one of these was never reached.

use std::collections::BTreeMap;

/// From so many seeds on, every situation must have occurred.
pub const ENOUGH_SEEDS: u64 = 200;

macro_rules! situations {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A situation worth meeting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Situation {
            $($(#[$doc])* $variant,)*
        }

        impl Situation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the report.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

situations! {
    /// A shop took an order in that came straight from the device.
    TakenInDirectly => "an order reached the shop directly",
    /// … that waited at the hub.
    TakenInByHub => "an order reached the shop through the hub",
    /// … that waited at the community hub.
    TakenInByCommunity => "an order reached the shop through the community hub",
    /// … that was carried as a file.
    TakenInByFile => "an order reached the shop as a file",
    /// An order came again and had no second effect.
    DuplicateAbsorbed => "a duplicate was absorbed",
    /// The same entry was sent again, byte for byte.
    EntrySentAgain => "a reply was sent again byte for byte",
    /// An order was accepted.
    Accepted => "an order was accepted",
    /// An order was declined.
    Declined => "an order was declined",
    /// The last unit was wanted by more than one.
    ScarceDeclined => "an order came too late for the last unit",
    /// A household took an order back before it was decided.
    Withdrawn => "an order was withdrawn",
    /// A person at the shop cancelled.
    Cancelled => "an order was cancelled",
    /// An order was handed over.
    Completed => "an order was collected",
    /// Nobody answered in time.
    Expired => "an order expired",
    /// A stocktake below the reservations took an order back.
    ShortageReleased => "a shortage released an order",
    /// A walk-in wanted what was promised to others.
    CounterRefused => "a counter sale was refused",
    /// A restored shop took an order over.
    RestoreAdopted => "a restore adopted an order",
    /// Two branches of one order met and the higher generation won.
    ForkResolved => "a fork was resolved",
    /// A shop had a full disk and went on afterwards.
    FullDiskHealed => "a full disk healed",
    /// A relay refused mail because there was too much.
    QuotaRefused => "a relay quota refused",
    /// A message of a revoked key was refused.
    RevokedRefused => "a revoked key was refused",
    /// A forged statement was refused.
    ForgeryRefused => "a forged author was refused",
    /// Mail that was changed on the way was refused.
    MutationRefused => "mutated mail was refused",
    /// A device died with an order on its way, and the order arrived.
    DeviceCrashSurvived => "an order survived a crash of its device",
    /// A shop died between commit and reply, and the order was answered once.
    ReplyLostInCrash => "a shop died between commit and reply",
    /// Mail that a relay had dropped arrived by another way or another try.
    DropSurvived => "an order survived a relay that dropped it",
    /// Two people edited one price apart.
    ClashShown => "a clash of prices was shown",
    /// … and somebody picked.
    ClashSettled => "a clash of prices was settled",
    /// A saved catalogue caught up after it had been cut off.
    CatalogueCaughtUp => "a saved catalogue caught up",
    /// An order placed with the shop unreachable arrived later.
    WaitedAtRelay => "an order waited at a relay for its shop",
    /// A flipped byte in a database was found.
    FlippedByteFound => "a flipped byte was found by verify",
}

/// How often each situation was met.
#[derive(Debug, Clone, Default)]
pub struct Met(BTreeMap<Situation, u64>);

impl Met {
    /// Counts one.
    pub fn count(&mut self, situation: Situation) {
        *self.0.entry(situation).or_default() += 1;
    }

    /// How often it was met.
    pub fn times(&self, situation: Situation) -> u64 {
        self.0.get(&situation).copied().unwrap_or_default()
    }

    /// Adds what another run met.
    pub fn add(&mut self, other: &Self) {
        for (situation, count) in &other.0 {
            *self.0.entry(*situation).or_default() += count;
        }
    }

    /// By name, those never met as 0.
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        Situation::ALL.iter().map(|s| (s.name().to_owned(), self.times(*s))).collect()
    }

    /// Those that were never met.
    pub fn never(&self) -> Vec<&'static str> {
        let never = Situation::ALL.iter().filter(|s| self.times(**s) == 0);
        never.map(|s| s.name()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_situation_is_never_met_until_it_is_counted() {
        let mut met = Met::default();
        assert_eq!(met.never().len(), Situation::ALL.len());
        met.count(Situation::Accepted);
        assert!(!met.never().contains(&Situation::Accepted.name()));
    }
}
