//! Proves to a hub that whoever asks for a certificate holds the key that it is to name.
//!
//! **Invariant:** a proof is bound to the account, the shop and both keys, so that a hub cannot
//! have one person's key certified for another.

use minicbor::{Decode, Encode};

use crate::{
    cbor,
    id::{AccountId, ShopId},
    key::{PublicKey, SealingPublic, SigningKey},
    sign1::{self, Purpose, Unverified},
};

/// The longest proof, in bytes.
pub const PROOF_BYTES_MAX: usize = 512;

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
