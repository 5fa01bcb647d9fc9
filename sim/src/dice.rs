//! Draws all chance of a run from its seed.
//!
//! **Invariant:** each purpose has dice of its own, so that one more draw here does not change
//! what happens elsewhere.

use kirana_core::hash::Hash;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of chance for one purpose in one seed.
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// The dice of `purpose` in `seed`.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let digest = Hash::of_parts(&[&seed.to_be_bytes(), purpose.as_bytes()]);
        Self(ChaCha20Rng::from_seed(*digest.as_bytes()))
    }

    /// A number from 0 to `end - 1`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        match end {
            0 => 0,
            end => self.0.next_u64() % end,
        }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in so many cases of a thousand.
    pub fn permille(&mut self, cases: u64) -> bool {
        self.below(1000) < cases
    }

    /// One of them; `None` where there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.below(from.len() as u64);
        from.get(usize::try_from(index).unwrap_or_default())
    }

    /// Fresh bytes, for a key or an id.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The generator itself, as shipped code asks for it.
    pub fn source(&mut self) -> &mut ChaCha20Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_same_draws_and_another_purpose_gives_others() {
        let draws = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7, "weather"), draws(7, "weather"));
        assert_ne!(draws(7, "weather"), draws(7, "people"));
        assert_ne!(draws(7, "weather"), draws(8, "weather"));
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut dice = Dice::new(1, "bounds");
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert!(dice.pick::<u8>(&[]).is_none());
        assert!(!(0..100).any(|_| dice.permille(0)));
        assert!((0..100).all(|_| dice.permille(1000)));
    }
}
