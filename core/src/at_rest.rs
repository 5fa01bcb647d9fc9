//! Encrypts what a box keeps on its own disk, so that whoever takes the disk without its key reads
//! nothing.
//!
//! Twelve bytes of nonce, then ChaCha20-Poly1305 (RFC 8439) with the name of the place where it
//! lies authenticated, so that one piece cannot be put in the place of another.

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{hash::Hash, key::KeyPair};

/// Encrypts with a nonce that is never used again with this key; it goes in front.
pub fn seal(key: &[u8; 32], nonce: [u8; 12], place: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: place });
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed.expect("encrypting into memory cannot fail"));
    bytes
}

/// Takes back what [`seal`] gave; `None` when it was altered, lies in another place, or the key is
/// another one.
pub fn open(key: &[u8; 32], place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let payload = Payload { msg: sealed, aad: place };
    cipher.decrypt(&Nonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

/// What a device encrypts its own disk with; it follows from the device's keys, and is kept nowhere.
///
/// The nonce follows from the place and the content under a secret of its own (as in SIV, RFC 5297),
/// so that a transaction that runs twice needs no fresh randomness: two equal nonces mean two equal
/// pieces in one place.
///
/// ```
/// use kirana_core::{at_rest::DiskKey, key::KeyPair};
///
/// let disk = DiskKey::of(&KeyPair::from_seed([1; 64]));
/// let sealed = disk.seal("a note", b"14 Second Cross Street");
/// assert_eq!(disk.open("a note", &sealed).unwrap().as_slice(), b"14 Second Cross Street");
/// assert!(disk.open("another note", &sealed).is_none());
/// ```
#[derive(Clone)]
pub struct DiskKey {
    cipher: Zeroizing<[u8; 32]>,
    nonces: Zeroizing<[u8; 32]>,
}

impl DiskKey {
    /// The key of the device with these keys (HKDF-SHA256, RFC 5869).
    pub fn of(keys: &KeyPair) -> Self {
        let seed = Zeroizing::new(keys.to_seed());
        let hkdf = Hkdf::<Sha256>::new(None, seed.as_slice());
        let draw = |purpose: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(purpose, key.as_mut_slice()).expect("32 bytes are not too many");
            key
        };
        Self { cipher: draw(b"kirana disk 1"), nonces: draw(b"kirana disk nonces 1") }
    }

    /// Encrypts what is to lie in this place.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let content = Hash::of_parts(&[place.as_bytes(), plain]);
        let (drawn, _) = Hkdf::<Sha256>::extract(Some(self.nonces.as_slice()), content.as_bytes());
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&drawn[..12]);
        seal(&self.cipher, nonce, place.as_bytes(), plain)
    }

    /// Takes back what [`DiskKey::seal`] gave; `None` when it was altered, lies in another place, or
    /// belongs to another device.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.cipher, place.as_bytes(), sealed)
    }
}

impl std::fmt::Debug for DiskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiskKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(seed: u8) -> DiskKey {
        DiskKey::of(&KeyPair::from_seed([seed; 64]))
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = disk(1).seal("here", b"rice");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(disk(1).open("here", &flipped).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn another_device_opens_nothing() {
        assert!(disk(2).open("here", &disk(1).seal("here", b"rice")).is_none());
    }

    #[test]
    fn two_contents_or_two_places_never_share_a_nonce() {
        let nonce = |place, plain: &[u8]| disk(1).seal(place, plain)[..12].to_vec();
        assert_eq!(nonce("here", b"rice"), nonce("here", b"rice"), "and one run is like the next");
        assert_ne!(nonce("here", b"rice"), nonce("here", b"dal"));
        assert_ne!(nonce("here", b"rice"), nonce("there", b"rice"));
    }
}
