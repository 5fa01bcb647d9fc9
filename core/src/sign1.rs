//! Signs and verifies bytes as COSE_Sign1 (RFC 9052) with Ed25519.
//!
//! **Invariant:** an [`Authentic`] comes only out of [`Unverified::verify`], and one signed content
//! has one encoding, so that the hash of the bytes names the content.

use coset::{CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder, iana};

use crate::{
    cbor::Malformed,
    hash::Hash,
    key::{KeyId, PublicKey, SigningKey},
};

/// What a signature is for; part of what is signed, so that one cannot pass for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An order's entry, a request or a refusal: [`crate::statement`].
    Statement,
    /// A certificate (CWT).
    Certificate,
    /// The roster of hubs, signed by the offline root.
    Roster,
    /// A list of revoked certificates.
    Revocation,
    /// The outer stamp on a piece of mail.
    Stamp,
    /// A numbered chunk of a shop's catalogue.
    CatalogueHead,
    /// A batch of catalogue edits by staff.
    Batch,
    /// A shop's numbered stock snapshot.
    Availability,
    /// A record in the directory.
    Record,
    /// An answer to a challenge at a door.
    Challenge,
    /// What a household's device gives to another one.
    Household,
    /// A shop's numbered terms.
    Terms,
    /// The last words of a box whose shop moves to another one.
    Farewell,
}

impl Purpose {
    fn aad(self) -> &'static [u8] {
        match self {
            Self::Statement => b"kirana statement 1",
            Self::Certificate => b"kirana certificate 1",
            Self::Roster => b"kirana roster 1",
            Self::Revocation => b"kirana revocation 1",
            Self::Stamp => b"kirana stamp 1",
            Self::CatalogueHead => b"kirana catalogue head 1",
            Self::Batch => b"kirana batch 1",
            Self::Availability => b"kirana availability 1",
            Self::Record => b"kirana record 1",
            Self::Challenge => b"kirana challenge 1",
            Self::Household => b"kirana household 1",
            Self::Terms => b"kirana terms 1",
            Self::Farewell => b"kirana farewell 1",
        }
    }
}

/// Signs `payload` for one purpose; the same arguments always give the same bytes.
pub fn sign(key: &SigningKey, purpose: Purpose, payload: Vec<u8>) -> Vec<u8> {
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::EdDSA)
        .key_id(key.id().as_bytes().to_vec())
        .build();
    CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .create_signature(purpose.aad(), |message| key.sign(message).to_vec())
        .build()
        .to_vec()
        .expect("encoding into memory cannot fail")
}

/// A COSE_Sign1 as it came: well formed, by whoever it says, perhaps forged.
#[derive(Debug, Clone)]
pub struct Unverified {
    cose: CoseSign1,
    signer: KeyId,
    bytes: Vec<u8>,
}

impl Unverified {
    /// Reads a COSE_Sign1 of at most `max` bytes.
    ///
    /// # Errors
    /// [`Malformed`] unless it is in its one encoding, signed with EdDSA, names its key, carries
    /// its payload and has no unprotected header.
    pub fn parse(what: &'static str, bytes: &[u8], max: usize) -> Result<Self, Malformed> {
        if bytes.len() > max {
            return Err(Malformed::TooLong { what, len: bytes.len(), max });
        }
        let wrong = |why: &str| Malformed::Unreadable { what, why: why.to_owned() };
        let cose = CoseSign1::from_slice(bytes).map_err(|e| wrong(&e.to_string()))?;
        let protected = &cose.protected.header;
        let eddsa = coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA);
        if protected.alg != Some(eddsa) || !protected.crit.is_empty() {
            return Err(wrong("it is not signed with EdDSA"));
        }
        let signer = KeyId::from_slice(&protected.key_id).ok_or_else(|| wrong("no key id"))?;
        if !cose.unprotected.is_empty() || cose.payload.is_none() {
            return Err(wrong("it has an unprotected header or no payload"));
        }
        let again = cose.clone().to_vec().map_err(|e| wrong(&e.to_string()))?;
        if again != bytes {
            return Err(wrong("it is not in its one encoding"));
        }
        Ok(Self { cose, signer, bytes: bytes.to_vec() })
    }

    /// The key that it says signed it.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The payload, not to be believed yet.
    pub fn payload(&self) -> &[u8] {
        self.cose.payload.as_deref().unwrap_or_default()
    }

    /// The digest of the bytes.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }

    /// The bytes as they came, for whoever knows that they hold.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Checks the signature against the key that this name stands for.
    ///
    /// # Errors
    /// [`Forged`] when the key is another one or the signature is not its own.
    pub fn verify(self, key: &PublicKey, purpose: Purpose) -> Result<Authentic, Forged> {
        if key.id() != self.signer {
            return Err(Forged { signer: self.signer });
        }
        let genuine = self.cose.verify_signature(purpose.aad(), |signature, message| {
            key.verifies(message, signature).then_some(()).ok_or(())
        });
        match genuine {
            Ok(()) => Ok(Authentic {
                signer: self.signer,
                payload: self.cose.payload.unwrap_or_default(),
                bytes: self.bytes,
            }),
            Err(()) => Err(Forged { signer: self.signer }),
        }
    }
}

/// Bytes whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    signer: KeyId,
    payload: Vec<u8>,
    bytes: Vec<u8>,
}

impl Authentic {
    /// Who signed.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The whole COSE_Sign1, to be stored as it is.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of [`Authentic::bytes`].
    pub fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }
}

/// A signature that is not by the key it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by key {signer}")]
pub struct Forged {
    /// The key that was named.
    pub signer: KeyId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (SigningKey, Vec<u8>) {
        let key = SigningKey::from_seed([7; 32]);
        let bytes = sign(&key, Purpose::Statement, b"two kilos of rice".to_vec());
        (key, bytes)
    }

    #[test]
    fn what_was_signed_verifies_and_keeps_its_bytes() {
        let (key, bytes) = signed();
        let read = Unverified::parse("a statement", &bytes, 1024).expect("well formed");
        let authentic = read.verify(&key.public(), Purpose::Statement).expect("genuine");
        assert_eq!(authentic.payload(), b"two kilos of rice");
        assert_eq!(authentic.bytes(), bytes);
    }

    #[test]
    fn p6_every_flipped_bit_is_refused() {
        let (key, bytes) = signed();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let accepted = Unverified::parse("a statement", &flipped, 1024)
                .is_ok_and(|read| read.verify(&key.public(), Purpose::Statement).is_ok());
            assert!(!accepted, "bit {bit} made no difference");
        }
    }

    #[test]
    fn p6_a_signature_for_one_purpose_is_none_for_another() {
        let (key, bytes) = signed();
        let read = Unverified::parse("a stamp", &bytes, 1024).expect("well formed");
        assert!(read.verify(&key.public(), Purpose::Stamp).is_err());
    }

    #[test]
    fn one_byte_past_the_limit_is_too_long() {
        let (_, bytes) = signed();
        assert!(Unverified::parse("a statement", &bytes, bytes.len()).is_ok());
        let read = Unverified::parse("a statement", &bytes, bytes.len() - 1);
        assert!(matches!(read, Err(Malformed::TooLong { .. })));
    }
}
