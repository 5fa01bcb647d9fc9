//! Hashes passwords with argon2id on threads of their own, and refuses those that are easily guessed.
//!
//! **Invariant:** checking a password costs the same whether the account exists or not, and it waits
//! for everything else: see [`threads`].

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordVerifier, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

mod frequent;
mod hint;
mod rules;
pub mod threads;

pub use hint::Hint;
pub use rules::{BYTES_MAX, Beside, Weak};
use threads::Threads;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Cost {
    /// Whether it protects as much as [`Cost::STANDARD`] in both ways.
    pub fn meets_standard(self) -> bool {
        self.memory_kib >= Self::STANDARD.memory_kib && self.passes >= Self::STANDARD.passes
    }

    /// What OWASP asks for at least: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2 };
    /// The least that the algorithm allows: for the simulation, which protects nobody.
    pub const SIMULATION: Self = Self { memory_kib: 8, passes: 1 };
}

/// A password in the one form that is hashed, wiped when dropped.
///
/// That form is OpaqueString (RFC 8265, section 4.2): spaces of all kinds become plain ones, and
/// Unicode NFC makes one text of é typed as one character or as two, which keyboards differ in.
/// NFKC would also take ﬁ for fi and ² for 2: it throws away what people chose, and nobody's
/// keyboard makes one of the other.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed; none of it is cut off.
    pub fn new(typed: &str) -> Self {
        let spaced = typed.chars().map(|c| if is_space(c) { ' ' } else { c });
        Self(Zeroizing::new(spaced.nfc().collect()))
    }
}

/// A space of Unicode's category Zs; line ends and tabs are none.
fn is_space(c: char) -> bool {
    c.is_whitespace() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// Where hashing happens.
#[derive(Clone)]
enum Pool {
    /// At once, on the caller's thread: the simulation and one-off commands.
    Inline,
    /// On threads of their own, a few at a time.
    Threads(Threads),
}

/// The memory that a hash fills. Getting it from the system anew costs a good part of a hash, so a
/// thread that hashes much keeps it.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    fn for_hashes_of(&mut self, argon2: &Argon2<'_>) -> &mut [Block] {
        self.0.resize(argon2.params().block_count(), Block::new());
        &mut self.0
    }
}

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Hasher {
    argon2: Argon2<'static>,
    decoy: Arc<str>,
    pool: Pool,
}

/// So many wait already that one more would only be kept waiting in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once")]
pub struct Busy;

impl Hasher {
    /// A hasher that works on the caller's thread.
    pub fn inline(cost: Cost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .expect("the costs that settings allow are within the algorithm's limits");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        // Nobody has this password: it gives an unknown login the same work as a known one.
        let decoy = hash(&argon2, &mut Memory::default(), "", [0; 16]).into();
        Self { argon2, decoy, pool: Pool::Inline }
    }

    /// A hasher that works beside the runtime's threads.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn pooled(cost: Cost) -> std::io::Result<Self> {
        Ok(Self { pool: Pool::Threads(Threads::start()?), ..Self::inline(cost) })
    }

    /// The PHC string to be stored.
    ///
    /// # Errors
    /// [`Busy`] when the pool's queue is full.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, Busy> {
        let argon2 = self.argon2.clone();
        self.run(move |memory| hash(&argon2, memory, &password.0, salt)).await
    }

    /// Checks a password that somebody chose, and gives the PHC string to be stored.
    ///
    /// # Errors
    /// [`Busy`] when the pool's queue is full; inside, [`Weak`] for one that is easily guessed.
    pub async fn hash_new(
        &self,
        password: Password,
        own_words: Vec<String>,
        beside: Beside,
        salt: [u8; 16],
    ) -> Result<Result<String, Weak>, Busy> {
        let argon2 = self.argon2.clone();
        let work = move |memory: &mut Memory| {
            password.check(&own_words, beside)?;
            Ok(hash(&argon2, memory, &password.0, salt))
        };
        self.run(work).await
    }

    /// Whether a PHC string was made at another cost than today's.
    pub fn is_outdated(&self, stored: &str) -> bool {
        PasswordHash::new(stored).ok().is_none_or(|phc| !is_todays(&self.argon2, &phc))
    }

    /// Whether `password` is the one of `stored`; without a stored one the same work is done in vain.
    ///
    /// # Errors
    /// [`Busy`] when the pool's queue is full.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, Busy> {
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        let work = move |memory: &mut Memory| matches(&argon2, memory, &password.0, &stored);
        Ok(self.run(work).await? && known)
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce(&mut Memory) -> T + Send + 'static,
    {
        match &self.pool {
            Pool::Inline => Ok(work(&mut Memory::default())),
            Pool::Threads(threads) => threads.run(work).await,
        }
    }
}

/// Whether a hash was made at today's cost.
fn is_todays(argon2: &Argon2<'_>, phc: &PasswordHash) -> bool {
    let cost = |p: &Params| (p.m_cost(), p.t_cost(), p.p_cost());
    phc.algorithm == Algorithm::Argon2id.ident()
        && phc.version == Some(Version::V0x13.into())
        && Params::try_from(phc).is_ok_and(|params| cost(&params) == cost(argon2.params()))
}

fn matches(argon2: &Argon2<'_>, memory: &mut Memory, password: &str, stored: &str) -> bool {
    let Ok(phc) = PasswordHash::new(stored) else { return false };
    match (&phc.salt, &phc.hash) {
        (Some(salt), Some(kept)) if is_todays(argon2, &phc) => {
            // Outputs are compared in a time that does not depend on them.
            fill(argon2, memory, password, salt, kept.len()).is_some_and(|made| made == *kept)
        }
        _ => argon2.verify_password(password.as_bytes(), &phc).is_ok(),
    }
}

fn fill(
    argon2: &Argon2<'_>,
    memory: &mut Memory,
    password: &str,
    salt: &Salt,
    bytes: usize,
) -> Option<Output> {
    let (mut made, blocks) = ([0; Output::MAX_LENGTH], memory.for_hashes_of(argon2));
    let made = made.get_mut(..bytes)?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, made, blocks).ok()?;
    Output::new(made).ok()
}

fn hash(argon2: &Argon2<'_>, memory: &mut Memory, password: &str, salt: [u8; 16]) -> String {
    let mut hashed = || {
        let salt = Salt::new(&salt).ok()?;
        let hash = fill(argon2, memory, password, &salt, Params::DEFAULT_OUTPUT_LEN)?;
        Some(PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).ok()?,
            salt: Some(salt),
            hash: Some(hash),
        })
    };
    let phc = hashed().expect("a password below four gigabytes and sixteen bytes always hash");
    phc.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn std_31_argon2id_at_the_standard_cost_with_its_own_salt() {
        let hasher = Hasher::inline(Cost::STANDARD);
        let one = block_on(hasher.hash(Password::new("four plain words here"), [1; 16]));
        let two = block_on(hasher.hash(Password::new("four plain words here"), [2; 16]));
        let (one, two) = (one.expect("idle"), two.expect("idle"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
    }

    #[test]
    fn a_password_verifies_and_another_does_not() {
        let hasher = Hasher::inline(Cost::SIMULATION);
        let stored = block_on(hasher.hash(Password::new("rice and lentils"), [1; 16])).ok();
        let good = block_on(hasher.verify(Password::new("rice and lentils"), stored.clone()));
        assert_eq!(good, Ok(true));
        let bad = block_on(hasher.verify(Password::new("rice and lentilS"), stored));
        assert_eq!(bad, Ok(false));
        assert_eq!(block_on(hasher.verify(Password::new(""), None)), Ok(false));
    }

    #[test]
    fn std_32_none_of_a_long_password_is_cut_off() {
        let hasher = Hasher::inline(Cost::SIMULATION);
        let long = "copper monsoon ladder tuesday ".repeat(BYTES_MAX / 30);
        let stored = block_on(hasher.hash(Password::new(&long), [1; 16])).ok();
        let cut = Password::new(&long[..long.len() - 1]);
        assert_eq!(block_on(hasher.verify(cut, stored.clone())), Ok(false));
        assert_eq!(block_on(hasher.verify(Password::new(&long), stored)), Ok(true));
    }

    #[test]
    fn std_32_one_password_has_many_spellings_in_unicode() {
        let hasher = Hasher::inline(Cost::SIMULATION);
        let stored = block_on(hasher.hash(Password::new("caf\u{e9} au lait"), [1; 16])).ok();
        let verifies = |typed| block_on(hasher.verify(Password::new(typed), stored.clone()));
        assert_eq!(verifies("cafe\u{301} au lait"), Ok(true), "composed or not");
        assert_eq!(verifies("caf\u{e9}\u{a0}au\u{3000}lait"), Ok(true), "whatever the space");
        assert_eq!(verifies("cafe au lait"), Ok(false));
        assert_eq!(verifies("Caf\u{e9} au lait"), Ok(false));
        // NFKC would take the ligature for two letters.
        let stored = block_on(hasher.hash(Password::new("\u{fb01}sh in the pond"), [1; 16])).ok();
        let plain = block_on(hasher.verify(Password::new("fish in the pond"), stored));
        assert_eq!(plain, Ok(false));
    }

    #[test]
    fn std_31_a_hash_at_another_cost_verifies_and_is_known_to_be_outdated() {
        let old = Hasher::inline(Cost::SIMULATION);
        let new = Hasher::inline(Cost { memory_kib: 16, passes: 1 });
        let stored = block_on(old.hash(Password::new("rice and lentils"), [1; 16])).expect("idle");
        assert!(!old.is_outdated(&stored) && new.is_outdated(&stored));
        let right = block_on(new.verify(Password::new("rice and lentils"), Some(stored)));
        assert_eq!(right, Ok(true));
        assert!(new.is_outdated("$2b$12$not.one.of.ours"));
    }

    #[test]
    fn std_33_a_new_password_is_checked_where_it_is_hashed() {
        let hasher = Hasher::inline(Cost::SIMULATION);
        let weak = Password::new("password1234567");
        let refused = block_on(hasher.hash_new(weak, Vec::new(), Beside::Alone, [1; 16]));
        assert_eq!(refused, Ok(Err(Weak::Common)));
    }

    #[test]
    fn std_31_memory_that_was_used_before_changes_no_hash() {
        let hasher = Hasher::inline(Cost::STANDARD);
        let (mut used, mut fresh) = (Memory::default(), Memory::default());
        let first = hash(&hasher.argon2, &mut used, "one set of words", [1; 16]);
        let made = hash(&hasher.argon2, &mut used, "another set of words", [2; 16]);
        assert_eq!(made, hash(&hasher.argon2, &mut fresh, "another set of words", [2; 16]));
        assert!(matches(&hasher.argon2, &mut used, "one set of words", &first));
        assert!(!matches(&hasher.argon2, &mut used, "one set of words", &made));
        // What the crate itself makes of it is the same.
        let phc = PasswordHash::new(&made).expect("a PHC string");
        assert!(hasher.argon2.verify_password(b"another set of words", &phc).is_ok());
    }
}
