//! Seals a parcel of statements, certificates and personal data so that only its recipient reads it.
//!
//! A parcel is padded CBOR in a COSE_Encrypt0 (RFC 9052) with HPKE's base mode (RFC 9180) over
//! X25519, HKDF-SHA256 and ChaCha20-Poly1305. The header names the recipient's sealing key.
//!
//! **Invariant (P4):** the length is one of [`BUCKETS`], and nothing outside the seal says what is
//! inside. Who wrote a parcel is proved by the signatures inside it and by its outer stamp.

use coset::{
    CborSerializable, CoseEncrypt0, CoseEncrypt0Builder, Header, HeaderBuilder, Label,
    RegisteredLabelWithPrivate, cbor::value::Value, iana,
};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;

use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    key::{KeyId, SealingPublic, SealingSecret},
    mail::SEALED_BYTES_MAX,
};

/// The lengths that a sealed parcel can have, in bytes.
pub const BUCKETS: [usize; 8] =
    [1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, SEALED_BYTES_MAX];
/// The most items in each list of a parcel.
pub const PARCEL_ITEMS_MAX: usize = 256;
/// The longest personal part with words, in bytes.
pub const PERSONAL_BYTES_MAX: usize = 4 * 1024;
/// The longest personal part that is a photo, in bytes.
pub const PHOTO_BYTES_MAX: usize = 64 * 1024;

/// What only the two parties to an order may read, kept apart from the order's chain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PersonalPart {
    /// Sixteen random bytes, so that the hash betrays nothing that could be guessed.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// CBOR of a [`crate::order::personal::Personal`], words, or a JPEG.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl PersonalPart {
    /// A part with a fresh salt.
    pub fn new(bytes: Vec<u8>, rng: &mut dyn CryptoRng) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Self { salt, bytes }
    }

    /// What the entry holds in its place: erasing the part breaks no chain.
    pub fn hash(&self) -> Hash {
        Hash::of_parts(&[&self.salt, &self.bytes])
    }
}

/// What travels inside the seal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Parcel {
    /// Signed statements: see [`crate::statement`].
    #[n(0)]
    pub statements: Vec<ByteVec>,
    /// Certificates of their authors; a chain's leaf comes before what stands above it.
    #[n(1)]
    pub certificates: Vec<ByteVec>,
    /// Personal parts that the statements name by hash.
    #[n(2)]
    pub personal: Vec<PersonalPart>,
    /// Revocation lists.
    #[n(3)]
    pub lists: Vec<ByteVec>,
    /// Changes of the household's document, for its other devices.
    #[n(4)]
    pub household: Option<ByteVec>,
    /// A W3C traceparent, which no relay sees.
    #[n(5)]
    pub trace: Option<String>,
}

impl Parcel {
    /// The personal part with this hash.
    pub fn personal_part(&self, hash: Hash) -> Option<&PersonalPart> {
        self.personal.iter().find(|part| part.hash() == hash)
    }

    fn check(&self) -> Result<(), Malformed> {
        let counts = [self.statements.len(), self.certificates.len(), self.personal.len()];
        let too_many = counts.iter().any(|n| *n > PARCEL_ITEMS_MAX);
        if too_many || self.lists.len() > PARCEL_ITEMS_MAX {
            return Err(damaged("it holds too many items"));
        }
        if self.personal.iter().any(|part| part.bytes.len() > PHOTO_BYTES_MAX) {
            return Err(damaged("a personal part is too long"));
        }
        Ok(())
    }
}

/// Seals a parcel to its recipient.
///
/// # Errors
/// [`Unsealable`] when it does not fit the largest bucket or the recipient's key is no usable one.
pub fn seal(
    parcel: &Parcel,
    to: &SealingPublic,
    mut rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Unsealable> {
    let content = cbor::to_vec(parcel);
    let bucket = bucket_for(content.len()).ok_or(Unsealable::TooLong { len: content.len() })?;
    let unusable = |_| Unsealable::UnusableKey { key: to.id() };
    let key = Public::from_bytes(to.as_bytes()).map_err(unusable)?;
    let (encapsulated, mut context) = hpke::setup_sender_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, INFO, &mut rng)
    .map_err(unusable)?;
    let cose = CoseEncrypt0Builder::new()
        .protected(header(to.id(), encapsulated.to_bytes().to_vec()))
        .try_create_ciphertext(&pad(&content, bucket), &[], |plain, aad| context.seal(plain, aad))
        .map_err(unusable)?
        .build();
    Ok(cose.to_vec().expect("encoding into memory cannot fail"))
}

/// Opens a sealed parcel with whichever of the recipient's secrets it was sealed to; old secrets
/// are kept until the longest deadline of what was sealed to them has passed.
///
/// # Errors
/// [`Unopenable`] when it is damaged, or sealed to none of these keys.
pub fn open(sealed: &[u8], secrets: &[SealingSecret]) -> Result<Parcel, Unopenable> {
    let read = Sealed::parse(sealed)?;
    let secret = secrets
        .iter()
        .find(|secret| secret.public().id() == read.to)
        .ok_or(Unopenable::NotForUs { key: read.to })?;
    let secret = Secret::from_bytes(&secret.to_seed()).map_err(|_| Unopenable::Altered)?;
    let encapsulated =
        Encapsulated::from_bytes(&read.encapsulated).map_err(|_| Unopenable::Altered)?;
    let mut context = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        INFO,
    )
    .map_err(|_| Unopenable::Altered)?;
    let padded = read.cose.decrypt_ciphertext(
        &[],
        || Unopenable::Altered,
        |ciphertext, aad| context.open(ciphertext, aad).map_err(|_| Unopenable::Altered),
    )?;
    let parcel: Parcel = cbor::from_slice(WHAT, unpad(&padded)?, SEALED_BYTES_MAX)?;
    parcel.check()?;
    Ok(parcel)
}

/// The sealing key that a sealed parcel names.
///
/// # Errors
/// [`Malformed`] when the bytes are no sealed parcel.
pub fn recipient(sealed: &[u8]) -> Result<KeyId, Malformed> {
    Sealed::parse(sealed).map(|read| read.to)
}

type Public = <X25519HkdfSha256 as Kem>::PublicKey;
type Secret = <X25519HkdfSha256 as Kem>::PrivateKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Binds a seal to this use of it.
const INFO: &[u8] = b"kirana envelope 1";
/// HPKE with X25519, HKDF-SHA256 and ChaCha20-Poly1305, by its name in draft-ietf-cose-hpke; the
/// number is not assigned yet.
const ALGORITHM: &str = "HPKE-4";
/// The header parameter `ek` of the same draft: the encapsulated key.
const ENCAPSULATED: i64 = -4;
const WHAT: &str = "a sealed message";

fn header(to: KeyId, encapsulated: Vec<u8>) -> Header {
    HeaderBuilder::new()
        .algorithm_label(algorithm())
        .key_id(to.as_bytes().to_vec())
        .value(ENCAPSULATED, Value::Bytes(encapsulated))
        .build()
}

fn algorithm() -> RegisteredLabelWithPrivate<iana::Algorithm> {
    RegisteredLabelWithPrivate::Text(ALGORITHM.to_owned())
}

/// A COSE_Encrypt0 in its one encoding.
struct Sealed {
    cose: CoseEncrypt0,
    to: KeyId,
    encapsulated: Vec<u8>,
}

impl Sealed {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > SEALED_BYTES_MAX {
            let (len, max) = (bytes.len(), SEALED_BYTES_MAX);
            return Err(Malformed::TooLong { what: WHAT, len, max });
        }
        if !BUCKETS.contains(&bytes.len()) {
            return Err(damaged("its length is none of the padded ones"));
        }
        let cose = CoseEncrypt0::from_slice(bytes).map_err(|e| damaged(&e.to_string()))?;
        let protected = &cose.protected.header;
        let to = KeyId::from_slice(&protected.key_id).ok_or_else(|| damaged("no key id"))?;
        let [(Label::Int(ENCAPSULATED), Value::Bytes(encapsulated))] = &protected.rest[..] else {
            return Err(damaged("no encapsulated key"));
        };
        let encapsulated = encapsulated.clone();
        let again = CoseEncrypt0Builder::new()
            .protected(header(to, encapsulated.clone()))
            .ciphertext(cose.ciphertext.clone().unwrap_or_default())
            .build()
            .to_vec();
        if !again.is_ok_and(|again| again == bytes) {
            return Err(damaged("it is not in its one encoding"));
        }
        Ok(Self { cose, to, encapsulated })
    }
}

fn damaged(why: &str) -> Malformed {
    Malformed::Unreadable { what: WHAT, why: why.to_owned() }
}

/// What COSE and HPKE add to the padded content of a bucket, in bytes: array, protected header
/// (algorithm, key id, encapsulated key), empty unprotected header, length of the ciphertext, tag.
fn overhead(bucket: usize) -> usize {
    let protected = 1 + (1 + 1 + ALGORITHM.len()) + (1 + 1 + 16) + (1 + 2 + 32);
    let ciphertext_length = if bucket > 65_536 { 5 } else { 3 };
    1 + (2 + protected) + 1 + ciphertext_length + 16
}

/// The smallest bucket for content of this length.
fn bucket_for(content: usize) -> Option<usize> {
    BUCKETS.into_iter().find(|bucket| LENGTH_BYTES + content + overhead(*bucket) <= *bucket)
}

const LENGTH_BYTES: usize = 4;

/// The length, the content, then zeros up to what makes the sealed whole as long as its bucket.
fn pad(content: &[u8], bucket: usize) -> Vec<u8> {
    let mut padded = Vec::with_capacity(bucket);
    let length = u32::try_from(content.len()).expect("content fits a bucket, so its length fits");
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(bucket - overhead(bucket), 0);
    padded
}

fn unpad(padded: &[u8]) -> Result<&[u8], Malformed> {
    let (length, rest) =
        padded.split_first_chunk::<LENGTH_BYTES>().ok_or_else(|| damaged("it is empty"))?;
    let length = u32::from_be_bytes(*length) as usize;
    rest.get(..length).ok_or_else(|| damaged("its length is wrong"))
}

/// Why a parcel was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    /// It is longer than the largest bucket holds: split it.
    #[error("the message is {len} bytes long; at most about {SEALED_BYTES_MAX} can be sent")]
    TooLong {
        /// Its length before sealing, in bytes.
        len: usize,
    },
    /// The recipient's key is one that no secret belongs to.
    #[error("nothing can be sealed to key {key}")]
    UnusableKey {
        /// Which key.
        key: KeyId,
    },
}

/// Why a sealed parcel was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopenable {
    /// It is no sealed parcel, or what it holds cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It was sealed to a key that is not among ours.
    #[error("the message is sealed to another key, {key}")]
    NotForUs {
        /// Which key.
        key: KeyId,
    },
    /// It was changed on its way, or never sealed to us.
    #[error("the message was changed on its way")]
    Altered,
}

#[cfg(test)]
mod tests;
