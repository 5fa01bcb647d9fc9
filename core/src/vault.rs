//! Locks secrets behind a passphrase, and prints them as a code that people can write down.
//!
//! A locked box is CBOR: Argon2id's costs and salt (RFC 9106), a nonce, and ChaCha20-Poly1305 over
//! the secret (RFC 8439) with everything before it authenticated.
//!
//! **Invariant:** a box that was changed in any byte does not open, and a foreign box cannot ask
//! for more than [`Cost::HIGHEST`].

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit,
    aead::{Aead, Payload},
};
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
};

/// The longest locked box, in bytes: a backup's keys, not the backup.
pub const BOX_BYTES_MAX: usize = 1024 * 1024;

/// What Argon2id spends on one guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Cost {
    /// Memory, in KiB.
    #[n(0)]
    pub memory_kib: u32,
    /// Passes over it.
    #[n(1)]
    pub passes: u32,
    /// Lanes.
    #[n(2)]
    pub lanes: u32,
}

impl Cost {
    /// For people's passphrases: OWASP's recommendation.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };
    /// For simulations and tests only.
    pub const LOWEST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
    /// What a box of unknown origin may ask for.
    pub const HIGHEST: Self = Self { memory_kib: 262_144, passes: 10, lanes: 8 };

    fn is_bearable(&self) -> bool {
        self.memory_kib <= Self::HIGHEST.memory_kib
            && self.passes <= Self::HIGHEST.passes
            && self.lanes <= Self::HIGHEST.lanes
    }
}

#[derive(Debug, Clone, Encode, Decode)]
#[cbor(map)]
struct Head {
    #[n(0)]
    version: u8,
    #[n(1)]
    cost: Cost,
    #[cbor(n(2), with = "minicbor::bytes")]
    salt: [u8; 16],
    #[cbor(n(3), with = "minicbor::bytes")]
    nonce: [u8; 12],
}

#[derive(Debug, Clone, Encode, Decode)]
#[cbor(array)]
struct Locked {
    #[n(0)]
    head: Head,
    #[cbor(n(1), with = "minicbor::bytes")]
    ciphertext: Vec<u8>,
}

/// Locks a secret behind a passphrase.
pub fn lock(secret: &[u8], passphrase: &str, cost: Cost, rng: &mut dyn CryptoRng) -> Vec<u8> {
    let mut head = Head { version: VERSION, cost, salt: [0; 16], nonce: [0; 12] };
    rng.fill_bytes(&mut head.salt);
    rng.fill_bytes(&mut head.nonce);
    let cipher = cipher(&head, passphrase).expect("the costs named in this module are valid");
    let aad = cbor::to_vec(&head);
    let ciphertext = cipher
        .encrypt(&head.nonce.into(), Payload { msg: secret, aad: &aad })
        .expect("a secret is shorter than the cipher's limit of 256 GiB");
    cbor::to_vec(&Locked { head, ciphertext })
}

/// Opens a locked box.
///
/// # Errors
/// [`Shut`] when it is damaged, asks for too much, or the passphrase is another one.
pub fn unlock(locked: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, Shut> {
    let Locked { head, ciphertext } = cbor::from_slice("a locked box", locked, BOX_BYTES_MAX)?;
    if head.version != VERSION {
        return Err(Shut::Newer { version: head.version });
    }
    if !head.cost.is_bearable() {
        return Err(Shut::TooCostly);
    }
    let cipher = cipher(&head, passphrase).ok_or(Shut::TooCostly)?;
    let aad = cbor::to_vec(&head);
    cipher
        .decrypt(&head.nonce.into(), Payload { msg: &ciphertext, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| Shut::WrongPassphrase)
}

fn cipher(head: &Head, passphrase: &str) -> Option<ChaCha20Poly1305> {
    let Cost { memory_kib, passes, lanes } = head.cost;
    let params = Params::new(memory_kib, passes, lanes, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &head.salt, key.as_mut_slice())
        .ok()?;
    ChaCha20Poly1305::new_from_slice(key.as_slice()).ok()
}

/// Writes a secret of 32 bytes as 14 groups of four letters and digits, with a check at the end.
///
/// ```
/// let code = kirana_core::vault::to_code(&[7; 32]);
/// assert_eq!(code.split('-').count(), 14);
/// assert_eq!(*kirana_core::vault::from_code(&code.to_lowercase())?, [7; 32]);
/// # Ok::<(), kirana_core::vault::NotACode>(())
/// ```
pub fn to_code(secret: &[u8; 32]) -> String {
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    bytes[..32].copy_from_slice(secret);
    bytes[32..].copy_from_slice(&check_bytes(secret));
    let mut code = String::with_capacity(CODE_LETTERS + CODE_LETTERS / 4);
    for (n, five) in bytes.chunks(5).enumerate() {
        let bits = five.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for letter in 0..8 {
            if (n * 8 + letter) % 4 == 0 && !code.is_empty() {
                code.push('-');
            }
            let index = (bits >> (35 - 5 * letter) & 31) as usize;
            code.push(char::from(ALPHABET[index]));
        }
    }
    code
}

/// Reads a code that somebody typed: case, spaces and hyphens do not matter, and O, I and L are
/// taken for the digits they look like.
///
/// # Errors
/// [`NotACode`] when it is too short or long, or its check does not fit: a letter is wrong.
pub fn from_code(text: &str) -> Result<Zeroizing<[u8; 32]>, NotACode> {
    let mut bytes = Zeroizing::new([0; CODE_BYTES]);
    let mut letters = 0;
    for letter in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let value = value_of(letter).ok_or(NotACode::Letter { letter })?;
        if letters == CODE_LETTERS {
            return Err(NotACode::Length);
        }
        for bit in 0..5 {
            let at = letters * 5 + bit;
            bytes[at / 8] |= (value >> (4 - bit) & 1) << (7 - at % 8);
        }
        letters += 1;
    }
    if letters != CODE_LETTERS {
        return Err(NotACode::Length);
    }
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(&bytes[..32]);
    if bytes[32..] != check_bytes(&secret) {
        return Err(NotACode::Check);
    }
    Ok(secret)
}

fn value_of(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u8::try_from(at).ok()
}

fn check_bytes(secret: &[u8; 32]) -> [u8; 3] {
    let mut check = [0; 3];
    let hash = Hash::of_parts(&[b"kirana code 1", secret]);
    check.copy_from_slice(&hash.as_bytes()[..3]);
    check
}

/// Why a locked box stays shut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// It is no locked box.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A newer program locked it.
    #[error("this was locked by a newer version of the program (format {version})")]
    Newer {
        /// Its format.
        version: u8,
    },
    /// It asks for more memory or time than any box of ours.
    #[error("opening this would cost more memory or time than is reasonable")]
    TooCostly,
    /// The passphrase is another one, or the box was damaged.
    #[error("the passphrase is wrong, or the file was damaged")]
    WrongPassphrase,
}

/// Why a typed code is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// A character that no code holds.
    #[error("«{letter}» does not occur in a recovery code")]
    Letter {
        /// Which character.
        letter: char,
    },
    /// Too short or too long.
    #[error("a recovery code has 14 groups of four characters")]
    Length,
    /// The check does not fit.
    #[error("one of the characters of the recovery code is wrong")]
    Check,
}

const VERSION: u8 = 1;
const CODE_BYTES: usize = 35;
const CODE_LETTERS: usize = 56;
/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    fn locked() -> Vec<u8> {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        lock(b"sixty-four bytes", "rain on a tin roof", Cost::LOWEST, &mut rng)
    }

    #[test]
    fn the_passphrase_opens_what_it_locked() {
        let opened = unlock(&locked(), "rain on a tin roof").expect("opens");
        assert_eq!(opened.as_slice(), b"sixty-four bytes");
    }

    #[test]
    fn another_passphrase_opens_nothing() {
        let opened = unlock(&locked(), "rain on a tin root");
        assert_eq!(opened, Err(Shut::WrongPassphrase));
    }

    #[test]
    fn every_flipped_bit_keeps_the_box_shut() {
        for bit in 0..locked().len() * 8 {
            let mut flipped = locked();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unlock(&flipped, "rain on a tin roof").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_foreign_box_cannot_ask_for_all_the_memory() {
        let Locked { mut head, ciphertext } =
            cbor::from_slice("a box", &locked(), BOX_BYTES_MAX).expect("a box");
        head.cost.memory_kib = Cost::HIGHEST.memory_kib + 1;
        let greedy = cbor::to_vec(&Locked { head, ciphertext });
        assert_eq!(unlock(&greedy, "rain on a tin roof"), Err(Shut::TooCostly));
    }

    #[test]
    fn a_wrong_character_in_a_code_is_noticed() {
        let code = to_code(&[7; 32]);
        for (at, letter) in code.char_indices().filter(|(_, c)| *c != '-') {
            let other = if letter == '7' { "8" } else { "7" };
            let typed = format!("{}{other}{}", &code[..at], &code[at + 1..]);
            assert_eq!(from_code(&typed), Err(NotACode::Check), "{at}");
        }
        assert_eq!(from_code(&code[1..]), Err(NotACode::Length));
        assert_eq!(from_code("U"), Err(NotACode::Letter { letter: 'U' }));
    }

    proptest::proptest! {
        #[test]
        fn every_secret_comes_back_from_its_code(secret: [u8; 32]) {
            let read = from_code(&to_code(&secret)).expect("a code");
            proptest::prop_assert_eq!(*read, secret);
        }

        #[test]
        fn arbitrary_boxes_and_codes_are_refused_without_a_panic(bytes: Vec<u8>, text: String) {
            proptest::prop_assert!(unlock(&bytes, "x").is_err());
            proptest::prop_assert!(from_code(&text).is_err());
        }
    }
}
