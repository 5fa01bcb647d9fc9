//! Terms as a shop's node signs them: numbered, so that anybody may carry them.
//!
//! **Invariant:** they count only after their signature was checked, and only over those of a lower
//! generation or number.

use minicbor::{Decode, Encode};

use super::Terms;
use crate::{
    cbor::{self, Malformed},
    geohash::Place,
    id::ShopId,
    key::{KeyId, PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest signed terms, in bytes.
pub const TERMS_BYTES_MAX: usize = 16 * 1024;
const WHAT: &str = "a shop's terms";

/// Terms with whose they are and how new.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Published {
    /// Whose.
    #[n(0)]
    pub shop: ShopId,
    /// The shop's generation: a higher one makes what a lower one said stale.
    #[n(1)]
    pub generation: u64,
    /// One more with every change; the known time in milliseconds will do.
    #[n(2)]
    pub n: u64,
    /// When they were set, by the node's clock.
    #[n(3)]
    pub at: UnixMs,
    /// What they say.
    #[n(4)]
    pub terms: Terms,
    /// Where the shop stands, so that a customer can tell how far it brings things.
    #[n(5)]
    pub place: Option<Place>,
}

impl Published {
    /// Whether it says more than what stood at this generation and number.
    pub fn is_news_after(&self, known: Option<(u64, u64)>) -> bool {
        known.is_none_or(|known| (self.generation, self.n) > known)
    }

    /// Signs them; the result is stored and sent as it is.
    pub fn sign(&self, key: &SigningKey) -> SignedTerms {
        let bytes = sign1::sign(key, Purpose::Terms, cbor::to_vec(self));
        SignedTerms { said: self.clone(), signer: key.id(), bytes }
    }
}

/// Terms whose signature was checked, or that were just signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTerms {
    said: Published,
    signer: KeyId,
    bytes: Vec<u8>,
}

impl SignedTerms {
    /// What was signed.
    pub fn said(&self) -> &Published {
        &self.said
    }

    /// The node key that signed.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The bytes, to be kept and handed on as they are.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Terms as they came, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedTerms {
    said: Published,
    signed: Unverified,
    bytes: Vec<u8>,
}

impl UnverifiedTerms {
    /// Reads them; terms that could not be evaluated are none.
    ///
    /// # Errors
    /// [`Malformed`] when these bytes are no terms.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let signed = Unverified::parse(WHAT, bytes, TERMS_BYTES_MAX)?;
        let said: Published = cbor::from_slice(WHAT, signed.payload(), TERMS_BYTES_MAX)?;
        let sound = said.terms.check(said.terms.currency());
        sound.map_err(|why| Malformed::Unreadable { what: WHAT, why: why.to_string() })?;
        Ok(Self { said, signed, bytes: bytes.to_vec() })
    }

    /// What they claim to say.
    pub fn claimed(&self) -> &Published {
        &self.said
    }

    /// Checks that `key` signed them.
    ///
    /// # Errors
    /// [`Forged`].
    pub fn verify(self, key: &PublicKey) -> Result<SignedTerms, Forged> {
        let authentic = self.signed.verify(key, Purpose::Terms)?;
        Ok(SignedTerms { said: self.said, signer: authentic.signer(), bytes: self.bytes })
    }
}
