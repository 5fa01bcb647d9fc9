//! Devices of one account let each other in, without a hub: one shows, the other countersigns.
//!
//! **Invariant (P6):** a device countersigns for its own account only, and only what proved to hold
//! its key; the new one takes nothing but certificates for the very key that it drew.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    cbor,
    certificate::{Certificate, Holder, Standing, UnverifiedCertificate},
    enrolment::{Enrolment, Request},
    time::UnixMs,
    trust::CHAIN_MAX,
};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{Household, HouseholdError};

/// What an answer as text begins with.
const ANSWER_MARK: &str = "kirana-device:";
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

impl Household {
    /// What this device shows to another one of the account, so that it is let in.
    pub fn ask_to_be_let_in(&self) -> Request {
        let (key, sealing) = (self.keys.signing.public(), self.keys.sealing.public());
        Request::new(Enrolment { account: None, shop: None, key, sealing }, &self.keys.signing)
    }

    /// Countersigns another device, for this device's own account; gives the answer as text.
    ///
    /// # Errors
    /// [`HouseholdError::NoAccount`] when this device is a guest's, and
    /// [`HouseholdError::NotTheirs`] for a request that was made for something else.
    pub fn let_in(
        &self,
        request: &Request,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<String, HouseholdError> {
        let own = self.certificates();
        let leaf = UnverifiedCertificate::parse(own.first().ok_or(HouseholdError::NoAccount)?)?;
        let Standing::Device { account, .. } = leaf.claimed().standing else {
            return Err(HouseholdError::NoAccount);
        };
        let Enrolment { account: named, shop, key, sealing } = request.enrolment;
        let fits = shop.is_none() && named.is_none_or(|named| named == account);
        if !fits || key == self.keys.signing.public() || own.len() >= CHAIN_MAX {
            return Err(HouseholdError::NotTheirs);
        }
        let standing = Standing::Device { account, hosted: false };
        let holder = Holder { key, sealing, standing };
        let issued = Certificate::issue(&self.keys.signing, &holder, now, rng);
        let mut chain = vec![ByteVec::from(issued.bytes().to_vec())];
        chain.extend(own);
        Ok(format!("{ANSWER_MARK}{}", URL_SAFE_NO_PAD.encode(cbor::to_vec(&chain))))
    }

    /// Takes the answer of the device that let this one in.
    ///
    /// # Errors
    /// [`HouseholdError::NotTheirs`] when it is something else or does not hold together, and
    /// [`HouseholdError::OtherKey`] when it is for another device.
    pub fn be_let_in(&self, answer: &str) -> Result<(), HouseholdError> {
        let packed = answer.trim().strip_prefix(ANSWER_MARK).ok_or(HouseholdError::NotTheirs)?;
        let bytes = URL_SAFE_NO_PAD.decode(packed).map_err(|_| HouseholdError::NotTheirs)?;
        let chain: Vec<ByteVec> = cbor::from_slice("an answer", &bytes, ANSWER_BYTES_MAX)?;
        let [leaf, above, ..] = chain.as_slice() else { return Err(HouseholdError::NotTheirs) };
        let (leaf, above) =
            (UnverifiedCertificate::parse(leaf)?, UnverifiedCertificate::parse(above)?);
        let account = |standing: &Standing| match standing {
            Standing::Device { account, .. } => Some(*account),
            _ => None,
        };
        let one = account(&leaf.claimed().standing).ok_or(HouseholdError::NotTheirs)?;
        if account(&above.claimed().standing) != Some(one) || chain.len() > CHAIN_MAX {
            return Err(HouseholdError::NotTheirs);
        }
        // By the device above it, or it counts nowhere.
        leaf.verify(&above.claimed().key).map_err(|_| HouseholdError::NotTheirs)?;
        self.certify(chain)
    }
}
