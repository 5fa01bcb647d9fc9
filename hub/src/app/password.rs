//! Hashes passwords with argon2id on a bounded pool, and refuses those that are easily guessed.
//!
//! **Invariant:** checking a password costs the same whether the account exists or not, and never
//! more than [`Hasher::PARALLEL_MAX`] run at once, so that sign-ins cannot starve the rest.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The shortest password of an account without a second factor, in characters (NIST SP 800-63B-4).
pub const CHARS_MIN: usize = 15;
/// The longest, in bytes; far beyond any passphrase, and short enough to hash at once.
pub const BYTES_MAX: usize = 4096;
/// How many may wait for the pool before the next is told to come back.
pub const WAITING_MAX: usize = 256;
/// An own word shorter than this may stand in a password.
const OWN_WORD_CHARS_MIN: usize = 4;
/// What must remain of a password when the person's own words are taken out.
const REST_CHARS_MIN: usize = 8;
/// The fewest different characters.
const DISTINCT_CHARS_MIN: usize = 5;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

impl Cost {
    /// What OWASP asks for at least: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2 };
    /// The least that the algorithm allows: for the simulation, which protects nobody.
    pub const SIMULATION: Self = Self { memory_kib: 8, passes: 1 };
}

/// A password in the one form that is hashed: Unicode NFC (RFC 8265), wiped when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed; none of it is cut off.
    pub fn new(typed: &str) -> Self {
        Self(Zeroizing::new(typed.nfc().collect()))
    }

    /// Whether this may become the password of a person with these own words.
    ///
    /// # Errors
    /// [`Weak`] says what is wrong with it.
    pub fn check(&self, own_words: &[&str]) -> Result<(), Weak> {
        let chars = self.0.chars().count();
        if chars < CHARS_MIN {
            return Err(Weak::Short { chars });
        }
        if self.0.len() > BYTES_MAX {
            return Err(Weak::Long);
        }
        let mut rest = Zeroizing::new(self.0.to_lowercase());
        let distinct: std::collections::BTreeSet<char> = rest.chars().collect();
        if distinct.len() < DISTINCT_CHARS_MIN {
            return Err(Weak::Monotonous);
        }
        for word in own_words.iter().flat_map(|w| own_forms(w)) {
            rest = Zeroizing::new(rest.replace(&word, ""));
        }
        if rest.chars().count() < REST_CHARS_MIN {
            return Err(Weak::OwnWords);
        }
        Ok(())
    }
}

/// A word as it is, and the part of an email address before the `@`; longest first.
fn own_forms(word: &str) -> Vec<String> {
    let whole: String = word.nfc().collect::<String>().to_lowercase();
    let local = whole.split('@').next().unwrap_or_default().to_owned();
    let mut forms = vec![whole, local];
    forms.retain(|form| form.chars().count() >= OWN_WORD_CHARS_MIN);
    forms
}

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Fewer than [`CHARS_MIN`] characters.
    #[error("the password has {chars} characters; take at least {CHARS_MIN}, such as four words")]
    Short {
        /// How many it has.
        chars: usize,
    },
    /// More than [`BYTES_MAX`] bytes.
    #[error("the password is longer than {BYTES_MAX} bytes")]
    Long,
    /// The same few characters over and over.
    #[error("the password repeats the same few characters")]
    Monotonous,
    /// Little more than the login, the email address or the name.
    #[error("the password is little more than your own login or name; others guess that first")]
    OwnWords,
}

/// Where hashing happens.
#[derive(Clone)]
enum Pool {
    /// At once, on the caller's thread: the simulation and one-off commands.
    Inline,
    /// On threads for blocking work, a few at a time.
    Threads { running: Arc<Semaphore>, waiting: Arc<Semaphore> },
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
    /// How many passwords are hashed at once.
    pub const PARALLEL_MAX: usize = 2;

    /// A hasher that works on the caller's thread.
    pub fn inline(cost: Cost) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .expect("both costs that exist are within the algorithm's limits");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        // Nobody has this password: it gives an unknown login the same work as a known one.
        let decoy = hash(&argon2, "", [0; 16]).into();
        Self { argon2, decoy, pool: Pool::Inline }
    }

    /// A hasher that works beside the runtime's threads.
    pub fn pooled(cost: Cost) -> Self {
        let running = Arc::new(Semaphore::new(Self::PARALLEL_MAX));
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        Self { pool: Pool::Threads { running, waiting }, ..Self::inline(cost) }
    }

    /// The PHC string to be stored.
    ///
    /// # Errors
    /// [`Busy`] when the pool's queue is full.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, Busy> {
        let argon2 = self.argon2.clone();
        self.run(move || hash(&argon2, &password.0, salt)).await
    }

    /// Whether `password` is the one of `stored`; without a stored one the same work is done in vain.
    ///
    /// # Errors
    /// [`Busy`] when the pool's queue is full.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, Busy> {
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        let matches = move || {
            PasswordHash::new(&stored)
                .is_ok_and(|phc| argon2.verify_password(password.0.as_bytes(), &phc).is_ok())
        };
        Ok(self.run(matches).await? && known)
    }

    async fn run<T, F>(&self, work: F) -> Result<T, Busy>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let Pool::Threads { running, waiting } = &self.pool else { return Ok(work()) };
        let queued = waiting.clone().try_acquire_owned().map_err(|_| Busy)?;
        let permit = running.clone().acquire_owned().await.map_err(|_| Busy)?;
        let work = move || {
            let done = work();
            drop((queued, permit));
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

fn hash(argon2: &Argon2<'static>, password: &str, salt: [u8; 16]) -> String {
    let phc: PasswordHash = argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .expect("a password below four gigabytes and a salt of sixteen bytes always hash");
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
    fn std_32_fourteen_characters_are_too_few_and_hundreds_are_not_cut_off() {
        assert_eq!(Password::new("abcdefghijklmn").check(&[]), Err(Weak::Short { chars: 14 }));
        assert_eq!(Password::new("चावल दाल आटा प्याज़").check(&[]), Ok(()));
        let long = "correct horse battery staple ".repeat(20);
        assert_eq!(Password::new(&long).check(&[]), Ok(()));
        let hasher = Hasher::inline(Cost::SIMULATION);
        let stored = block_on(hasher.hash(Password::new(&long), [1; 16])).ok();
        let cut = Password::new(&long[..long.len() - 1]);
        assert_eq!(block_on(hasher.verify(cut, stored)), Ok(false));
        let limit = Password::new(&"abcde".repeat(BYTES_MAX / 5 + 1));
        assert_eq!(limit.check(&[]), Err(Weak::Long));
    }

    #[test]
    fn std_33_the_persons_own_words_are_refused() {
        let own = ["ramesh.kumar@example.org", "Ramesh Kumar"];
        assert_eq!(Password::new("ramesh.kumar@example.org").check(&own), Err(Weak::OwnWords));
        assert_eq!(Password::new("Ramesh.Kumar123456").check(&own), Err(Weak::OwnWords));
        assert_eq!(Password::new("aaaaaaaaaaaaaaaaaa").check(&own), Err(Weak::Monotonous));
        assert_eq!(Password::new("all lower case no digits").check(&own), Ok(()));
    }
}
