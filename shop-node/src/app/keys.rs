//! The secrets of a box: its keys, and the key under which customers' keys are wrapped.
//!
//! **Invariant:** secrets are neither shown nor logged, and leave the box only in a backup under
//! the printed recovery code.

use kirana_core::{
    at_rest::{open, seal},
    cbor,
    hash::Hash,
    key::{KeyPair, SealingSecret, SigningKey},
};
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Once;

/// What a box keeps secret.
#[derive(Clone)]
pub struct Keys {
    /// Signs entries and opens mail.
    pub node: KeyPair,
    /// Opens mail that was sealed to an earlier key of the shop.
    pub older: Vec<SealingSecret>,
    /// Certifies boxes and staff; a bigger shop keeps it on the owner's own device.
    pub owner: Option<SigningKey>,
    /// Wraps the customers' keys.
    pub wrapping: Zeroizing<[u8; 32]>,
    /// The printed code that opens backups.
    pub recovery_code: Option<Zeroizing<String>>,
}

impl Keys {
    /// Draws fresh keys for a new shop.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut owner = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *owner);
        let mut keys = Self {
            node: draw_pair(rng),
            older: Vec::new(),
            owner: Some(SigningKey::from_seed(*owner)),
            wrapping: Zeroizing::new([0; 32]),
            recovery_code: None,
        };
        rng.fill_bytes(&mut *keys.wrapping);
        keys
    }

    /// The same shop's keys for a fresh box: old mail can still be opened.
    #[must_use]
    pub fn renewed(&self, rng: &mut dyn CryptoRng) -> Self {
        let mut next = self.clone();
        next.older.insert(0, self.node.sealing.clone());
        next.older.truncate(OLDER_MAX);
        next.node = draw_pair(rng);
        next
    }

    /// All secrets that mail may be sealed to, the newest first.
    pub fn openers(&self) -> Vec<SealingSecret> {
        std::iter::once(&self.node.sealing).chain(&self.older).cloned().collect()
    }

    /// The bytes for the key file and the backup.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(cbor::to_vec(&Stored {
            node: self.node.to_seed().to_vec().into(),
            older: self.older.iter().map(|key| key.to_seed().to_vec().into()).collect(),
            owner: self.owner.as_ref().map(|key| key.to_seed().to_vec().into()),
            wrapping: self.wrapping.to_vec().into(),
            recovery_code: self.recovery_code.as_ref().map(|code| code.to_string()),
        }))
    }

    /// Takes back what [`Keys::to_bytes`] gave; `None` when it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = cbor::from_slice("keys", bytes, KEYS_BYTES_MAX).ok()?;
        let older = stored.older.iter().map(|seed| Some(SealingSecret::from_seed(seed32(seed)?)));
        Some(Self {
            node: KeyPair::from_seed(stored.node.as_slice().try_into().ok()?),
            older: older.collect::<Option<_>>()?,
            owner: match &stored.owner {
                Some(seed) => Some(SigningKey::from_seed(seed32(seed)?)),
                None => None,
            },
            wrapping: Zeroizing::new(seed32(&stored.wrapping)?),
            recovery_code: stored.recovery_code.map(Zeroizing::new),
        })
    }

    /// Wraps a customer's key.
    pub(crate) fn wrap(&self, key: &[u8; 32], nonce: [u8; 12]) -> Vec<u8> {
        seal(&self.wrapping, nonce, &[], key)
    }

    /// The seed of a guest's key that is drawn for a request: the same for the same one.
    pub(crate) fn caller_seed(&self, once: &Once) -> Zeroizing<[u8; 64]> {
        let half = |which: &[u8]| {
            let (device, key) = once.parts();
            Hash::of_parts(&[b"kirana caller 1", which, &*self.wrapping, device, key])
        };
        let mut seed = Zeroizing::new([0; 64]);
        seed[..32].copy_from_slice(half(b"sign").as_bytes());
        seed[32..].copy_from_slice(half(b"seal").as_bytes());
        seed
    }

    /// Seals what is known of somebody outside the shop, for one place.
    pub(crate) fn seal(&self, place: &[u8], plain: &[u8], nonce: [u8; 12]) -> Vec<u8> {
        seal(&self.wrapping, nonce, place, plain)
    }

    /// Takes back what [`Keys::seal`] gave; `None` when it is damaged or of another place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.wrapping, place, sealed)
    }

    /// Takes back what [`Keys::wrap`] gave; `None` when it is damaged or of another box.
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        open(&self.wrapping, &[], wrapped)?.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.node.id())
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Stored {
    #[n(0)]
    node: ByteVec,
    #[n(1)]
    older: Vec<ByteVec>,
    #[n(2)]
    owner: Option<ByteVec>,
    #[n(3)]
    wrapping: ByteVec,
    #[n(4)]
    recovery_code: Option<String>,
}

/// Keys of earlier boxes that are kept: orders of a year of weekly restores.
const OLDER_MAX: usize = 52;
const KEYS_BYTES_MAX: usize = 16 * 1024;

fn seed32(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

fn draw_pair(rng: &mut dyn CryptoRng) -> KeyPair {
    let mut seed = Zeroizing::new([0; 64]);
    rng.fill_bytes(&mut *seed);
    KeyPair::from_seed(*seed)
}
