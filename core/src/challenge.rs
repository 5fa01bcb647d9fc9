//! Proves at a shop's door that one holds the key of a certificate.
//!
//! The door gives out a nonce that it need not remember: issue time, random bytes, and a tag under
//! the door's own secret (HKDF-Expand of RFC 5869, that is HMAC-SHA256). The visitor signs nonce and
//! audience.
//!
//! **Invariant:** a nonce of another door, another secret or another hour opens nothing. Within its
//! two minutes an answer could be shown twice: whoever opens sessions remembers those it has taken.

use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sha2::Sha256;

use crate::{
    cbor::{self, Malformed},
    key::{PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// How long a nonce can be answered, in milliseconds.
pub const NONCE_LIFETIME_MS: u64 = 120_000;
/// The longest signed answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024;
/// The length of a nonce, in bytes.
pub const NONCE_BYTES: usize = 40;

/// A door's challenge: 8 bytes of time, 16 random bytes, 16 bytes of tag.
pub type Nonce = [u8; NONCE_BYTES];

#[derive(Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Content {
    #[cbor(n(0), with = "minicbor::bytes")]
    nonce: Nonce,
    #[n(1)]
    audience: String,
}

/// Signs the answer to a door's nonce; `audience` is the door's name as the visitor knows it.
pub fn answer(key: &SigningKey, nonce: Nonce, audience: &str) -> Vec<u8> {
    let content = Content { nonce, audience: audience.to_owned() };
    sign1::sign(key, Purpose::Challenge, cbor::to_vec(&content))
}

/// A door that gives out nonces and checks answers, without remembering either.
pub struct Door {
    secret: [u8; 32],
    audience: String,
}

impl Door {
    /// A door with a secret of 32 random bytes and the name that visitors know it by.
    pub fn new(secret: [u8; 32], audience: impl Into<String>) -> Self {
        Self { secret, audience: audience.into() }
    }

    /// The name that visitors sign.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Gives out a nonce, to be answered within [`NONCE_LIFETIME_MS`].
    pub fn nonce(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Nonce {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&now.get().to_be_bytes());
        rng.fill_bytes(&mut nonce[8..BODY]);
        let tag = self.tag(&nonce[..BODY]);
        nonce[BODY..].copy_from_slice(&tag);
        nonce
    }

    /// Checks an answer by the holder of `key`, whose certificates the caller has checked.
    ///
    /// # Errors
    /// [`Unproven`] says what is wrong.
    pub fn check(&self, answer: &[u8], key: &PublicKey, now: UnixMs) -> Result<Nonce, Unproven> {
        let read = Unverified::parse(WHAT, answer, ANSWER_BYTES_MAX)?;
        let signed = read.verify(key, Purpose::Challenge)?;
        let content: Content = cbor::from_slice(WHAT, signed.payload(), ANSWER_BYTES_MAX)?;
        if content.audience != self.audience {
            return Err(Unproven::OtherDoor { audience: content.audience });
        }
        let (body, tag) = content.nonce.split_at(BODY);
        if !equal_in_constant_time(&self.tag(body), tag) {
            return Err(Unproven::NotOurs);
        }
        let mut issued = [0; 8];
        issued.copy_from_slice(&body[..8]);
        let issued = UnixMs::new(u64::from_be_bytes(issued));
        if now < issued || now.since(issued) > NONCE_LIFETIME_MS {
            return Err(Unproven::TooLate);
        }
        Ok(content.nonce)
    }

    fn tag(&self, body: &[u8]) -> [u8; TAG] {
        let mut tag = [0; TAG];
        let keyed = Hkdf::<Sha256>::from_prk(&self.secret).expect("32 bytes are a whole PRK");
        let info = [b"kirana nonce 1".as_slice(), self.audience.as_bytes(), &[0], body].concat();
        keyed.expand(&info, &mut tag).expect("16 bytes are less than HKDF can give");
        tag
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({})", self.audience)
    }
}

/// Without leaving off early, so that the time taken betrays nothing about the tag.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
}

/// Why somebody's answer opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is not by the key of the certificate.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It was signed for another door.
    #[error("the answer was meant for {audience}")]
    OtherDoor {
        /// Which door.
        audience: String,
    },
    /// This door never gave out the nonce.
    #[error("the question that was answered was not asked here")]
    NotOurs,
    /// The nonce is too old.
    #[error("the answer came too late; ask for a new question")]
    TooLate,
}

const BODY: usize = 24;
const TAG: usize = 16;
const WHAT: &str = "an answer at the door";

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

    fn door() -> Door {
        Door::new([1; 32], "shop 7")
    }

    fn visitor() -> SigningKey {
        SigningKey::from_seed([2; 32])
    }

    fn nonce() -> Nonce {
        door().nonce(NOW, &mut ChaCha20Rng::from_seed([3; 32]))
    }

    fn knock(answer: &[u8], now: UnixMs) -> Result<Nonce, Unproven> {
        door().check(answer, &visitor().public(), now)
    }

    #[test]
    fn the_holder_of_the_key_is_let_in_for_two_minutes() {
        let answer = answer(&visitor(), nonce(), "shop 7");
        assert_eq!(knock(&answer, NOW.plus_ms(NONCE_LIFETIME_MS)), Ok(nonce()));
        let late = knock(&answer, NOW.plus_ms(NONCE_LIFETIME_MS + 1));
        assert_eq!(late, Err(Unproven::TooLate));
        assert_eq!(knock(&answer, NOW.minus_ms(1)), Err(Unproven::TooLate));
    }

    #[test]
    fn p6_an_answer_for_another_shop_opens_nothing_here() {
        let answer = answer(&visitor(), nonce(), "shop 8");
        assert!(matches!(knock(&answer, NOW), Err(Unproven::OtherDoor { .. })));
    }

    #[test]
    fn p6_a_nonce_that_another_door_gave_out_opens_nothing_here() {
        let other = Door::new([9; 32], "shop 7");
        let nonce = other.nonce(NOW, &mut ChaCha20Rng::from_seed([3; 32]));
        assert_eq!(knock(&answer(&visitor(), nonce, "shop 7"), NOW), Err(Unproven::NotOurs));
    }

    #[test]
    fn p6_another_key_opens_nothing() {
        let thief = SigningKey::from_seed([8; 32]);
        let answer = answer(&thief, nonce(), "shop 7");
        assert!(matches!(knock(&answer, NOW), Err(Unproven::Forged(_))));
    }

    #[test]
    fn p6_a_nonce_cannot_be_made_younger() {
        let mut nonce = nonce();
        nonce[..8].copy_from_slice(&NOW.plus_ms(60_000).get().to_be_bytes());
        assert_eq!(
            knock(&answer(&visitor(), nonce, "shop 7"), NOW.plus_ms(60_000)),
            Err(Unproven::NotOurs)
        );
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(knock(&bytes, NOW).is_err());
        }
    }
}
