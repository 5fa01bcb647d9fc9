//! Slows down guessing, per address and per account, so that nobody can lock an owner out.
//!
//! **Invariants:** a device that signed in at an account before has tries of its own there, which
//! nobody who lacks its proof can use up; whoever waits, waits for one try at most; and never more
//! than [`BUCKETS_MAX`] buckets are kept.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use kirana_core::{hash::Hash, time::UnixMs};

/// How often one address may try, and how often it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sign-ins and registrations of one address in a minute.
    pub per_address_minute: u32,
    /// Failures of one address at one account before it must wait.
    pub failures: u32,
    /// After how many milliseconds one more failure is allowed.
    pub failure_regain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_address_minute: 60, failures: 10, failure_regain_ms: 10_000 }
    }
}

/// Failures at one account from everywhere, beyond which each address has only a few.
const ACCOUNT_FAILURES: u32 = 100;
/// How many failures an address has at an account that is under attack.
const FAILURES_UNDER_ATTACK: u32 = 3;
/// What one address may ask for that costs the hub a little.
const LOOKS: Rate = Rate { size: 60, regain_ms: 1000 };
/// Letters that strangers may have sent to one account at once, and after how many milliseconds
/// one more.
const LETTERS: Rate = Rate { size: 3, regain_ms: 20 * 60_000 };
/// Buckets kept. Beyond this a quarter is forgotten: those that are full again soonest.
pub const BUCKETS_MAX: usize = 100_000;
/// No bucket takes longer to be full again; one that says so is from a clock that went back.
const DEBT_MS_MAX: u64 = 2 * 60 * 60_000;

/// Whom a bucket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Place(Place),
    Look(Place),
    Account(Hash),
    Pair(Hash, Place),
    Proof([u8; 32]),
    Letters([u8; 32]),
}

/// Where somebody is: one IPv4 address, or the network of one customer in IPv6 (a /64), who could
/// take a fresh address for each try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(IpAddr);

impl Place {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into()),
            v4 => Self(v4),
        }
    }
}

/// How much a bucket holds, and in how many milliseconds one token comes back.
#[derive(Debug, Clone, Copy)]
struct Rate {
    size: u32,
    regain_ms: u64,
}

impl Rate {
    const fn whole_ms(self) -> u64 {
        self.regain_ms.saturating_mul(self.size as u64)
    }
}

/// What is remembered about attempts: of each bucket, when it will be full again.
#[derive(Debug, Default)]
pub struct Throttle {
    limits: Limits,
    full_at: BTreeMap<Owner, UnixMs>,
}

/// Come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {retry_after_s} seconds")]
pub struct Throttled {
    /// Whole seconds until the next attempt may pass.
    pub retry_after_s: u64,
}

impl Throttle {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, full_at: BTreeMap::new() }
    }

    /// Counts a sign-in or a registration of an address.
    ///
    /// # Errors
    /// [`Throttled`] when it had too many in the last minute.
    pub fn attempt(&mut self, from: IpAddr, now: UnixMs) -> Result<(), Throttled> {
        let size = self.limits.per_address_minute.max(1);
        let rate = Rate { size, regain_ms: 60_000 / u64::from(size) };
        self.take(Owner::Place(Place::of(from)), rate, now)
    }

    /// Counts something that anybody may ask for and that costs the hub a little.
    ///
    /// # Errors
    /// [`Throttled`] when this address asked too often in the last minute.
    pub fn look(&mut self, from: IpAddr, now: UnixMs) -> Result<(), Throttled> {
        self.take(Owner::Look(Place::of(from)), LOOKS, now)
    }

    /// Counts a password that is about to be checked as a failure; see [`Throttle::succeeded`].
    ///
    /// # Errors
    /// [`Throttled`] when this address failed too often at this login.
    pub fn guess(&mut self, login: &str, from: IpAddr, now: UnixMs) -> Result<(), Throttled> {
        let login = Hash::of(login.as_bytes());
        let everywhere = self.failures(ACCOUNT_FAILURES);
        let debt_ms = self.debt_ms(Owner::Account(login), everywhere, now);
        let attacked = debt_ms + everywhere.regain_ms > everywhere.whole_ms();
        let allowed = self.limits.failures;
        let allowed = if attacked { allowed.min(FAILURES_UNDER_ATTACK) } else { allowed };
        self.take(Owner::Pair(login, Place::of(from)), self.failures(allowed), now)?;
        // An empty bucket of the account says only that it is under attack.
        let _ = self.take(Owner::Account(login), everywhere, now);
        Ok(())
    }

    /// Counts a try of somebody who showed `proof`: that of a device that signed in at this account
    /// before, or of a letter that was sent to its owner. What others do does not count here.
    ///
    /// # Errors
    /// [`Throttled`] when whoever has it tried too often.
    pub fn guess_with(&mut self, proof: [u8; 32], now: UnixMs) -> Result<(), Throttled> {
        self.take(Owner::Proof(proof), self.failures(self.limits.failures), now)
    }

    /// The password was right: the failures of this address are forgotten.
    pub fn succeeded(&mut self, login: &str, from: IpAddr) {
        let login = Hash::of(login.as_bytes());
        self.full_at.remove(&Owner::Pair(login, Place::of(from)));
        let regain_ms = self.limits.failure_regain_ms;
        if let Some(full_at) = self.full_at.get_mut(&Owner::Account(login)) {
            *full_at = full_at.minus_ms(regain_ms);
        }
    }

    /// The password was right: the failures of this device are forgotten.
    pub fn succeeded_with(&mut self, proof: [u8; 32]) {
        self.full_at.remove(&Owner::Proof(proof));
    }

    /// Counts a letter to an account that somebody asked for who need not be its owner.
    ///
    /// # Errors
    /// [`Throttled`] when it had enough.
    pub fn letter(&mut self, account: [u8; 32], now: UnixMs) -> Result<(), Throttled> {
        self.take(Owner::Letters(account), LETTERS, now)
    }

    fn failures(&self, size: u32) -> Rate {
        Rate { size: size.max(1), regain_ms: self.limits.failure_regain_ms.max(1) }
    }

    /// How long until the bucket is full; more than it can hold is from a clock that went back.
    fn debt_ms(&self, owner: Owner, rate: Rate, now: UnixMs) -> u64 {
        let full_at = self.full_at.get(&owner);
        full_at.map_or(0, |full_at| full_at.since(now).min(rate.whole_ms()))
    }

    fn take(&mut self, owner: Owner, rate: Rate, now: UnixMs) -> Result<(), Throttled> {
        let before_ms = self.debt_ms(owner, rate, now);
        let wait_ms = (before_ms + rate.regain_ms).saturating_sub(rate.whole_ms());
        let debt_ms = if wait_ms == 0 { before_ms + rate.regain_ms } else { before_ms };
        self.full_at.insert(owner, now.plus_ms(debt_ms));
        if wait_ms > 0 {
            return Err(Throttled { retry_after_s: wait_ms.div_ceil(1000) });
        }
        if self.full_at.len() > BUCKETS_MAX {
            self.forget(now);
        }
        Ok(())
    }

    /// Forgets what is full again, and where that is too little, what will be so soonest: it says
    /// least. So a flood of strangers who fail once each does not wipe out who failed ten times.
    fn forget(&mut self, now: UnixMs) {
        let says_ms = |full_at: UnixMs| match full_at.since(now) {
            debt_ms if debt_ms > DEBT_MS_MAX => 0,
            debt_ms => debt_ms,
        };
        self.full_at.retain(|_, full_at| says_ms(*full_at) > 0);
        let Some(surplus) = self.full_at.len().checked_sub(BUCKETS_MAX / 4 * 3) else { return };
        let mut all: Vec<_> =
            self.full_at.iter().map(|(owner, full_at)| (says_ms(*full_at), *owner)).collect();
        all.sort_unstable();
        for (_, owner) in all.into_iter().take(surplus) {
            self.full_at.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    const NOW: UnixMs = UnixMs::new(1_000_000);
    const YEAR_MS: u64 = 365 * kirana_core::time::DAY_MS;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn std_36_thirty_sign_ins_a_minute_from_one_address_pass_and_the_sixty_first_waits() {
        let mut throttle = Throttle::default();
        assert!((0..60).all(|_| throttle.attempt(HERE, NOW).is_ok()));
        assert_eq!(throttle.attempt(HERE, NOW), Err(Throttled { retry_after_s: 1 }));
        assert_eq!(throttle.attempt(HERE, NOW.plus_ms(1000)), Ok(()));
        assert_eq!(throttle.attempt(THERE, NOW), Ok(()));
    }

    #[test]
    fn std_36_an_attacker_is_slowed_down_and_the_owner_gets_in() {
        let mut throttle = Throttle::default();
        let passed = (0..100).filter(|_| throttle.guess("asha", HERE, NOW).is_ok()).count();
        assert_eq!(passed, 10);
        assert_eq!(throttle.guess("asha", THERE, NOW), Ok(()));
        throttle.succeeded("asha", THERE);
        assert_eq!(throttle.guess("asha", HERE, NOW), Err(Throttled { retry_after_s: 10 }));
        assert_eq!(throttle.guess("asha", HERE, NOW.plus_ms(10_000)), Ok(()));
    }

    #[test]
    fn std_36_many_addresses_together_get_fewer_guesses_each_but_never_none() {
        let mut throttle = Throttle::default();
        for n in 0..20 {
            let _ = (0..10).filter(|_| throttle.guess("asha", address(n), NOW).is_ok()).count();
        }
        let passed = (0..10).filter(|_| throttle.guess("asha", HERE, NOW).is_ok()).count();
        assert_eq!(passed, 3);
        // Also who failed ten times before the attack was noticed waits for one try, not for eight.
        assert_eq!(throttle.guess("asha", address(0), NOW), Err(Throttled { retry_after_s: 10 }));
    }

    #[test]
    fn std_36_a_device_that_was_here_before_has_tries_of_its_own() {
        let mut throttle = Throttle::default();
        while throttle.attempt(HERE, NOW).is_ok() {}
        while throttle.guess("asha", HERE, NOW).is_ok() {}
        let passed = (0..20).filter(|_| throttle.guess_with([7; 32], NOW).is_ok()).count();
        assert_eq!(passed, 10, "and whoever stole its proof has no more");
        throttle.succeeded_with([7; 32]);
        assert_eq!(throttle.guess_with([7; 32], NOW), Ok(()));
    }

    #[test]
    fn std_36_an_ipv6_network_is_one_address_however_many_it_takes() {
        let mut throttle = Throttle::default();
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        while throttle.guess("asha", v6("2001:db8:1:2::1"), NOW).is_ok() {}
        assert!(throttle.guess("asha", v6("2001:db8:1:2:ffff::9"), NOW).is_err());
        assert_eq!(throttle.guess("asha", v6("2001:db8:1:3::1"), NOW), Ok(()));
        while throttle.guess("asha", HERE, NOW).is_ok() {}
        assert!(throttle.guess("asha", v6("::ffff:10.0.0.1"), NOW).is_err());
    }

    #[test]
    fn std_36_a_flood_of_strangers_neither_grows_without_limit_nor_frees_an_attacker() {
        let mut throttle = Throttle::default();
        while throttle.guess("asha", HERE, NOW).is_ok() {}
        for n in 0..3 * u32::try_from(BUCKETS_MAX).expect("small") {
            assert_eq!(throttle.attempt(address(n), NOW), Ok(()));
            assert!(throttle.full_at.len() <= BUCKETS_MAX, "{n}");
        }
        assert!(throttle.full_at.len() >= BUCKETS_MAX / 4 * 3, "nor is everybody forgotten");
        assert!(throttle.guess("asha", HERE, NOW).is_err());
        // What is full again goes first, however much there is of it.
        let later = NOW.plus_ms(DEBT_MS_MAX);
        for n in 0..u32::try_from(BUCKETS_MAX).expect("small") {
            assert_eq!(throttle.attempt(address(n << 8), later), Ok(()));
        }
        assert!(throttle.full_at.len() <= BUCKETS_MAX);
    }

    #[test]
    fn a_clock_that_went_back_a_year_keeps_nobody_waiting_a_year() {
        let mut throttle = Throttle::default();
        while throttle.guess("asha", HERE, NOW.plus_ms(YEAR_MS)).is_ok() {}
        assert_eq!(throttle.guess("asha", HERE, NOW), Err(Throttled { retry_after_s: 10 }));
        assert_eq!(throttle.guess("asha", HERE, NOW.plus_ms(10_000)), Ok(()));
    }
}
