//! Slows down guessing, per address and per account, so that nobody can lock an owner out.
//!
//! **Invariant:** an address that has not failed at an account may always try it a few times,
//! whatever others do; and what is remembered here has a limit.

use std::{collections::BTreeMap, net::IpAddr};

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
/// How many failures an address has left at an account that is under attack.
const FAILURES_UNDER_ATTACK: u32 = 3;
/// Buckets kept; beyond this those that are fullest are forgotten, since they say least.
const BUCKETS_MAX: usize = 100_000;

/// Whom a bucket belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Address(IpAddr),
    Account(Hash),
    Pair(Hash, IpAddr),
}

/// Tokens left at a moment; they come back with time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    at: UnixMs,
}

/// What is remembered about attempts.
#[derive(Debug, Default)]
pub struct Throttle {
    limits: Limits,
    buckets: BTreeMap<Owner, Bucket>,
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
        Self { limits, buckets: BTreeMap::new() }
    }

    /// Counts a sign-in or a registration of an address.
    ///
    /// # Errors
    /// [`Throttled`] when it had too many in the last minute.
    pub fn attempt(&mut self, from: IpAddr, now: UnixMs) -> Result<(), Throttled> {
        let limit = self.limits.per_address_minute.max(1);
        self.take(Owner::Address(from), limit, 60_000 / u64::from(limit), now)
    }

    /// Counts a password that is about to be checked as a failure; see [`Throttle::succeeded`].
    ///
    /// # Errors
    /// [`Throttled`] when this address failed too often at this login.
    pub fn guess(&mut self, login: &str, from: IpAddr, now: UnixMs) -> Result<(), Throttled> {
        let login = Hash::of(login.as_bytes());
        let (allowed, regain) = (self.limits.failures, self.limits.failure_regain_ms);
        let pair = Owner::Pair(login, from);
        let attacked = self.left(Owner::Account(login), ACCOUNT_FAILURES, regain, now) == 0;
        let spent = allowed - self.left(pair, allowed, regain, now);
        if attacked && spent >= FAILURES_UNDER_ATTACK.min(allowed) {
            return Err(Throttled { retry_after_s: regain.div_ceil(1000).max(1) });
        }
        self.take(pair, allowed, regain, now)?;
        // An empty bucket of the account says only that it is under attack.
        let _ = self.take(Owner::Account(login), ACCOUNT_FAILURES, regain, now);
        Ok(())
    }

    /// The password was right: the failures of this address are forgotten.
    pub fn succeeded(&mut self, login: &str, from: IpAddr) {
        let login = Hash::of(login.as_bytes());
        self.buckets.remove(&Owner::Pair(login, from));
        if let Some(bucket) = self.buckets.get_mut(&Owner::Account(login)) {
            bucket.left = (bucket.left + 1).min(ACCOUNT_FAILURES);
        }
    }

    fn left(&self, owner: Owner, size: u32, regain_ms: u64, now: UnixMs) -> u32 {
        let Some(bucket) = self.buckets.get(&owner) else { return size };
        let regained = now.since(bucket.at) / regain_ms.max(1);
        bucket.left.saturating_add(u32::try_from(regained).unwrap_or(u32::MAX)).min(size)
    }

    fn take(
        &mut self,
        owner: Owner,
        size: u32,
        regain_ms: u64,
        now: UnixMs,
    ) -> Result<(), Throttled> {
        let left = self.left(owner, size, regain_ms, now);
        let before = self.buckets.get(&owner).map_or(now, |bucket| bucket.at);
        if left == 0 {
            let wait_ms = regain_ms.saturating_sub(now.since(before));
            return Err(Throttled { retry_after_s: wait_ms.div_ceil(1000).max(1) });
        }
        // The part of the next token that has come back already is kept.
        let part = if left < size { now.since(before) % regain_ms.max(1) } else { 0 };
        self.buckets.insert(owner, Bucket { left: left - 1, at: now.minus_ms(part) });
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        if self.buckets.len() > BUCKETS_MAX {
            let mut left: Vec<u32> = self.buckets.values().map(|b| b.left).collect();
            left.sort_unstable();
            let median = left[left.len() / 2];
            self.buckets.retain(|_, bucket| bucket.left < median);
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
        for n in 0..20u8 {
            let from = IpAddr::V4(Ipv4Addr::new(10, 1, 0, n));
            let _ = (0..10).filter(|_| throttle.guess("asha", from, NOW).is_ok()).count();
        }
        let passed = (0..10).filter(|_| throttle.guess("asha", HERE, NOW).is_ok()).count();
        assert_eq!(passed, 3);
    }
}
