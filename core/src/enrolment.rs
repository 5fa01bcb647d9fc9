//! Proves to a hub that whoever asks for a certificate holds the key that it is to name.
//!
//! **Invariant:** a proof is bound to the account, the shop and both keys, so that a hub cannot
//! have one person's key certified for another.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    cbor,
    hash::Hash,
    id::{AccountId, ShopId},
    key::{PublicKey, SealingPublic, SigningKey},
    sign1::{self, Purpose, Unverified},
};

/// The longest proof, in bytes.
pub const PROOF_BYTES_MAX: usize = 512;
/// The longest request as text, in bytes.
pub const REQUEST_TEXT_MAX: usize = 2048;
/// What a request as text begins with.
const REQUEST_MARK: &str = "kirana-enrol:";

/// What a new device shows, as text or as a QR code, to whoever is to certify it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub enrolment: Enrolment,
    proof: Vec<u8>,
}

impl Request {
    /// Asks for a certificate of this device's own keys.
    pub fn new(enrolment: Enrolment, key: &SigningKey) -> Self {
        Self { proof: enrolment.prove(key), enrolment }
    }

    /// Reads what a device showed and checks that it holds the key.
    ///
    /// # Errors
    /// [`NotARequest`] when it is something else, was changed, or the proof is not by its key.
    pub fn read(text: &str) -> Result<Self, NotARequest> {
        let packed = text.trim().strip_prefix(REQUEST_MARK).ok_or(NotARequest)?;
        let fits = packed.len() <= REQUEST_TEXT_MAX;
        let bytes = URL_SAFE_NO_PAD.decode(packed).ok().filter(|_| fits).ok_or(NotARequest)?;
        let (enrolment, proof): (Enrolment, ByteVec) =
            cbor::from_slice("a request", &bytes, REQUEST_TEXT_MAX).map_err(|_| NotARequest)?;
        let proof = Vec::from(proof);
        enrolment.is_proved_by(&proof).then_some(Self { enrolment, proof }).ok_or(NotARequest)
    }

    /// Ten digits by which two people compare by eye what one device shows and another has read.
    pub fn comparison(&self) -> String {
        let digest = Hash::of_parts(&[b"kirana comparison 1", &cbor::to_vec(&self.enrolment)]);
        let number = digest.as_bytes()[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        let digits = format!("{:010}", number % 10_000_000_000);
        format!("{} {}", &digits[..5], &digits[5..])
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let packed = cbor::to_vec(&(&self.enrolment, ByteVec::from(self.proof.clone())));
        write!(f, "{REQUEST_MARK}{}", URL_SAFE_NO_PAD.encode(packed))
    }
}

/// It is no request of a device, or was changed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not what a new device shows, or a letter of it is wrong: read it once more")]
pub struct NotARequest;

/// What is to be certified.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Enrolment {
    /// For whose account; `None` for a community hub.
    #[n(0)]
    pub account: Option<AccountId>,
    /// For which shop, when the key is its owner's.
    #[n(1)]
    pub shop: Option<ShopId>,
    /// The key that will sign.
    #[n(2)]
    pub key: PublicKey,
    /// The key that messages will be sealed to.
    #[n(3)]
    pub sealing: SealingPublic,
}

impl Enrolment {
    /// Signs with the key that is to be certified; the result goes to the hub.
    pub fn prove(&self, key: &SigningKey) -> Vec<u8> {
        sign1::sign(key, Purpose::Challenge, cbor::to_vec(self))
    }

    /// Whether `proof` is by the key that is to be certified, over exactly this.
    ///
    /// ```
    /// use kirana_core::{enrolment::Enrolment, key::KeyPair};
    /// let keys = KeyPair::from_seed([7; 64]);
    /// let (key, sealing) = (keys.signing.public(), keys.sealing.public());
    /// let asked = Enrolment { account: None, shop: None, key, sealing };
    /// assert!(asked.is_proved_by(&asked.prove(&keys.signing)));
    /// assert!(!asked.is_proved_by(b"no proof"));
    /// ```
    #[must_use]
    pub fn is_proved_by(&self, proof: &[u8]) -> bool {
        let read = Unverified::parse("a proof of holding a key", proof, PROOF_BYTES_MAX);
        let signed = read.ok().and_then(|read| read.verify(&self.key, Purpose::Challenge).ok());
        signed.is_some_and(|signed| signed.payload() == cbor::to_vec(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::KeyPair, time::UnixMs};

    #[test]
    fn p6_a_request_is_read_as_it_was_shown_and_refused_with_a_letter_changed() {
        let keys = KeyPair::from_seed([7; 64]);
        let (key, sealing) = (keys.signing.public(), keys.sealing.public());
        let enrolment = Enrolment { account: None, shop: None, key, sealing };
        let request = Request::new(enrolment, &keys.signing);
        let text = request.to_string();
        assert_eq!(Request::read(&format!(" {text}\n")).as_ref(), Ok(&request));
        assert_eq!(request.comparison().len(), 11);
        for at in REQUEST_MARK.len()..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("letters");
            assert_eq!(Request::read(&other), Err(NotARequest), "letter {at}");
        }
        let foreign = Request { proof: b"no proof".to_vec(), ..request };
        assert_eq!(Request::read(&foreign.to_string()), Err(NotARequest));
    }

    #[test]
    fn p6_a_proof_for_one_account_is_none_for_another() {
        let keys = KeyPair::from_seed([7; 64]);
        let account = |n| Some(AccountId::new(UnixMs::new(1), [n; 10]));
        let asked = |n| Enrolment {
            account: account(n),
            shop: None,
            key: keys.signing.public(),
            sealing: keys.sealing.public(),
        };
        let proof = asked(1).prove(&keys.signing);
        assert!(asked(1).is_proved_by(&proof));
        assert!(!asked(2).is_proved_by(&proof));
    }
}
