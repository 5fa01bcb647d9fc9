//! Keys of devices, shops and hubs: Ed25519 to sign, X25519 to open what is sealed to them.
//!
//! **Invariant:** secrets are made from bytes that the caller drew, are wiped when dropped, and
//! are neither shown nor compared.

use ed25519_dalek::Signer;
use minicbor::{Decode, Encode};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash::Hash;

/// The short name of a public key: the first sixteen bytes of its SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct KeyId(#[cbor(with = "minicbor::bytes")] [u8; 16]);

impl KeyId {
    /// The name of the key with these 32 bytes.
    pub fn of(public: &[u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&Hash::of(public).as_bytes()[..16]);
        Self(id)
    }

    /// Takes sixteen bytes that were a key id before; `None` for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Takes sixteen bytes that were a key id before.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes, as they are stored.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl std::str::FromStr for KeyId {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        decode_hex(text).map(Self).ok_or(NotAKey)
    }
}

impl serde::Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// An Ed25519 public key (RFC 8032); shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Takes 32 bytes.
    ///
    /// # Errors
    /// [`NotAKey`] when they are no point on the curve, or one of its weak points.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, NotAKey> {
        match ed25519_dalek::VerifyingKey::from_bytes(bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            _ => Err(NotAKey),
        }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The short name of this key.
    pub fn id(&self) -> KeyId {
        KeyId::of(self.0.as_bytes())
    }

    /// Whether `signature` over `message` is this key's, by the strict rules (no weak keys, no
    /// second encoding of one signature).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = NotAKey;
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        Self::from_bytes(&decode_hex(text).ok_or(NotAKey)?)
    }
}

impl<C> Encode<C> for PublicKey {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PublicKey {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?.try_into();
        let bytes = bytes.map_err(|_| minicbor::decode::Error::message("a key has 32 bytes"))?;
        Self::from_bytes(bytes).map_err(minicbor::decode::Error::message)
    }
}

/// A secret that signs, made from 32 random bytes.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of this seed; the seed must come from a cryptographic source.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The seed, to be stored where secrets are kept.
    pub fn to_seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What others verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The short name of the public half.
    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    /// Signs; the same message always gives the same 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.0.sign(message);
        signature.to_bytes()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

/// An X25519 public key (RFC 7748) that messages are sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SealingPublic(#[cbor(with = "minicbor::bytes")] [u8; 32]);

impl SealingPublic {
    /// Takes the 32 bytes of a key; whether they are usable shows when something is sealed.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The short name of this key, written into what is sealed to it.
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.0)
    }
}

/// The secret that opens what was sealed to its public half.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SealingSecret([u8; 32]);

impl SealingSecret {
    /// The secret of 32 random bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The 32 bytes, to be stored where secrets are kept.
    pub fn to_seed(&self) -> [u8; 32] {
        self.0
    }

    /// What others seal to.
    pub fn public(&self) -> SealingPublic {
        let secret = x25519_dalek::StaticSecret::from(self.0);
        SealingPublic(x25519_dalek::PublicKey::from(&secret).to_bytes())
    }
}

impl std::fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingSecret({})", self.public().id())
    }
}

/// What a device, a shop's node or a hub holds: one key to sign and one to open.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// Signs; its public half is also the libp2p peer id.
    pub signing: SigningKey,
    /// Opens.
    pub sealing: SealingSecret,
}

impl KeyPair {
    /// Both keys from 64 random bytes.
    pub fn from_seed(seed: [u8; 64]) -> Self {
        let (mut sign, mut seal) = ([0; 32], [0; 32]);
        sign.copy_from_slice(&seed[..32]);
        seal.copy_from_slice(&seed[32..]);
        Self { signing: SigningKey::from_seed(sign), sealing: SealingSecret::from_seed(seal) }
    }

    /// The 64 bytes, to be stored where secrets are kept.
    pub fn to_seed(&self) -> [u8; 64] {
        let mut seed = [0; 64];
        seed[..32].copy_from_slice(&self.signing.to_seed());
        seed[32..].copy_from_slice(&self.sealing.to_seed());
        seed
    }

    /// The signing key's short name: the name of the device.
    pub fn id(&self) -> KeyId {
        self.signing.id()
    }
}

/// Bytes or text that are no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a usable Ed25519 key")]
pub struct NotAKey;
