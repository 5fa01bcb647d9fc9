//! Seals columns that name a person or hold a key, under the key that lies beside the database.
//!
//! **Invariant:** a sealed value opens only in the place it was sealed for.

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use kirana_core::hash::Hash;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key of the sealed columns.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secrets([u8; 32]);

impl Secrets {
    /// The key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Seals `plain` for one place; `nonce` must be fresh.
    pub fn seal(&self, place: &[u8], plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        let mut sealed = nonce.to_vec();
        sealed.extend(seal_once(&self.0, &nonce, place, plain));
        sealed
    }

    /// Opens what was sealed for this place; `None` when it was not, or was changed.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<12>()?;
        open_once(&self.0, nonce, place, rest)
    }

    /// A digest that only the holder of the key can make, to find what is sealed.
    pub fn digest(&self, place: &str, text: &str) -> [u8; 32] {
        *Hash::of_parts(&[b"kirana digest", &self.0, place.as_bytes(), text.as_bytes()]).as_bytes()
    }
}

/// ChaCha20-Poly1305 (RFC 8439): the same key and nonce must never seal two things.
pub fn seal_once(key: &[u8; 32], nonce: &[u8; 12], place: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let payload = Payload { msg: plain, aad: place };
    cipher
        .encrypt(&Nonce::from(*nonce), payload)
        .expect("a column is far shorter than the cipher's limit")
}

/// The reverse of [`seal_once`].
pub fn open_once(key: &[u8; 32], nonce: &[u8; 12], place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: place }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let secrets = Secrets::new([1; 32]);
        let sealed = secrets.seal(b"account 1", b"Asha", [2; 12]);
        assert_eq!(secrets.open(b"account 1", &sealed).as_deref(), Some(&b"Asha"[..]));
        assert_eq!(secrets.open(b"account 2", &sealed), None);
        assert_eq!(Secrets::new([3; 32]).open(b"account 1", &sealed), None);
        assert_eq!(secrets.open(b"account 1", &sealed[..7]), None);
    }
}
