//! PINs of people at a till: which are too easy, how they are kept, and how long one waits.
//!
//! **Invariants:** a PIN is kept as argon2id under a key of the box, so that the database alone
//! does not tell it; wrong ones make one person wait at one till, and nobody anywhere else.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use hkdf::Hkdf;
use kirana_core::{time::UnixMs, vault::Cost};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Keys;

/// The fewest digits of a PIN.
pub const DIGITS_MIN: usize = 4;
/// The most digits of a PIN.
pub const DIGITS_MAX: usize = 12;
/// Wrong PINs in a row that cost no waiting: a slip of the finger.
pub const FREE_FAILURES: u32 = 3;
/// The first wait after that, in milliseconds; each further one is twice as long.
pub const FIRST_WAIT_MS: u64 = 10_000;
/// The longest wait, in milliseconds.
pub const LONGEST_WAIT_MS: u64 = 3_600_000;

/// A PIN that nobody guesses at once.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes a new PIN.
    ///
    /// # Errors
    /// [`Obvious`] says what is wrong with it.
    pub fn choose(text: &str) -> Result<Self, Obvious> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        if digits.len() != text.len() || !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            return Err(Obvious::Digits);
        }
        match is_obvious(&digits) {
            true => Err(Obvious::Guessed),
            false => Ok(Self(Zeroizing::new(text.to_owned()))),
        }
    }

    /// Takes what somebody typed to be let in, whatever it is.
    pub fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.chars().take(DIGITS_MAX + 1).collect()))
    }

    /// The PHC string to be stored.
    pub fn hash(&self, keys: &Keys, salt: [u8; 16]) -> String {
        let secret = secret(keys);
        let hashed: PasswordHash = hasher(&secret)
            .hash_password_with_salt(self.0.as_bytes(), &salt)
            .expect("a few digits and a salt of sixteen bytes always hash");
        hashed.to_string()
    }

    /// Whether this is the stored one; without a stored one the same work is done in vain.
    pub fn is(&self, stored: Option<&str>, keys: &Keys) -> bool {
        let secret = secret(keys);
        let hasher = hasher(&secret);
        match stored.map(PasswordHash::new) {
            Some(Ok(stored)) => hasher.verify_password(self.0.as_bytes(), &stored).is_ok(),
            Some(Err(_)) | None => {
                let _ = self.hash(keys, [0; 16]);
                false
            }
        }
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

fn hasher(secret: &[u8; 32]) -> Argon2<'_> {
    let Cost { memory_kib, passes, lanes } = Cost::STANDARD;
    let params = Params::new(memory_kib, passes, lanes, None).expect("the standard cost is valid");
    Argon2::new_with_secret(secret, Algorithm::Argon2id, Version::V0x13, params)
        .expect("a secret of 32 bytes is short enough")
}

/// Whoever has the database has not the box's keys: ten thousand guesses would find any PIN.
fn secret(keys: &Keys) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, &*keys.wrapping);
    expanded.expand(b"kirana staff pins 1", &mut *secret).expect("32 bytes can be drawn");
    secret
}

/// What thieves try first: runs, repeats, mirrored halves, years, and lines on the keypad.
fn is_obvious(digits: &[u8]) -> bool {
    let step = |by: u8| digits.windows(2).all(|pair| (pair[0] + by) % 10 == pair[1]);
    let runs = (0..10).any(step);
    let period = |n: usize| digits.chunks(n).all(|part| digits.starts_with(part));
    let repeats = (1..=digits.len() / 2).any(period);
    let mirrored = digits.iter().eq(digits.iter().rev());
    let pairs =
        digits.chunks(2).all(|pair| pair.first() == pair.last()) && digits.len().is_multiple_of(2);
    let year = digits.len() == 4 && matches!(digits[..2], [1, 9] | [2, 0]);
    let keypad =
        KEYPAD.iter().any(|known| known.bytes().map(|b| b - b'0').eq(digits.iter().copied()));
    runs || repeats || mirrored || pairs || year || keypad
}

const KEYPAD: [&str; 10] =
    ["2580", "0852", "1470", "7410", "3690", "1590", "147258", "258369", "159357", "147369"];

/// Why a PIN is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obvious {
    /// It is too short, too long, or no number.
    #[error("a PIN has {DIGITS_MIN} to {DIGITS_MAX} digits, better 6, and nothing else")]
    Digits,
    /// Others try it first.
    #[error("others try this PIN first, such as 1234, 0000 or a year: choose another one")]
    Guessed,
}

/// How long one waits after so many wrong PINs in a row, in milliseconds.
pub fn wait_ms(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(more) => FIRST_WAIT_MS.saturating_mul(1 << more.min(20)).min(LONGEST_WAIT_MS),
    }
}

/// How long one still waits, in milliseconds; a clock that was turned back lengthens nothing.
pub fn left_ms(until: UnixMs, now: UnixMs) -> u64 {
    until.since(now).min(LONGEST_WAIT_MS)
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn pins_that_others_try_first_are_refused() {
        for obvious in [
            "1234", "0000", "4321", "7890", "1212", "6969", "1984", "2011", "2580", "1221", "1122",
            "123456", "121212", "123123", "112233", "147258",
        ] {
            assert_eq!(Pin::choose(obvious).err(), Some(Obvious::Guessed), "{obvious}");
        }
        for wrong in ["", "123", "12a4", "12 34", "1234567890123", "१२३४"] {
            assert_eq!(Pin::choose(wrong).err(), Some(Obvious::Digits), "{wrong}");
        }
        for good in ["4071", "835204", "90172634"] {
            assert!(Pin::choose(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn std_31_a_pin_is_argon2id_with_a_salt_and_opens_with_this_box_only() {
        let keys = |seed| Keys::draw(&mut ChaCha20Rng::from_seed([seed; 32]));
        let pin = Pin::choose("835204").expect("a good one");
        let stored = pin.hash(&keys(1), [7; 16]);
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_ne!(stored, pin.hash(&keys(1), [8; 16]));
        assert!(pin.is(Some(&stored), &keys(1)));
        assert!(!pin.is(Some(&stored), &keys(2)), "the database alone does not tell it");
        assert!(!Pin::typed("835205").is(Some(&stored), &keys(1)));
        assert!(!pin.is(None, &keys(1)));
    }

    #[test]
    fn std_36_waits_grow_and_end() {
        assert_eq!([0, 2, 3, 4, 5].map(wait_ms), [0, 0, 10_000, 20_000, 40_000]);
        assert_eq!([30, u32::MAX].map(wait_ms), [LONGEST_WAIT_MS; 2]);
        let (now, years) = (UnixMs::new(1_790_000_000_000), 400 * 86_400_000);
        assert_eq!(left_ms(now.plus_ms(years), now), LONGEST_WAIT_MS);
        assert_eq!(left_ms(now.minus_ms(1), now), 0);
    }
}
