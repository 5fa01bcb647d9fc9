//! What a household's device gives to one that it let in: carts, addresses, saved shops.
//!
//! **Invariants (P4, P6):** it is sealed to the new device and signed by the one that let it in;
//! nothing of another account, for another device or by another hand is taken in.

use kirana_core::{
    cbor,
    certificate::{Standing, UnverifiedCertificate},
    enrolment::Request,
    envelope::{self, Parcel},
    household::HOUSEHOLD_BYTES_MAX,
    id::AccountId,
    key::KeyId,
    sign1::{self, Purpose, Unverified},
    statement::Party,
    time::UnixMs,
};
use minicbor::{Decode, Encode, bytes::ByteVec};
use rand_core::CryptoRng;

use super::{Household, HouseholdError, shop::Introduced};

/// The longest snapshot, in bytes: the document, and a few hundred shops.
const SNAPSHOT_BYTES_MAX: usize = HOUSEHOLD_BYTES_MAX + 256 * 1024;
/// The most shops in one.
const SHOPS_MAX: usize = 200;

#[derive(Encode, Decode)]
#[cbor(map)]
struct Snapshot {
    #[n(0)]
    account: AccountId,
    #[n(1)]
    to: KeyId,
    #[n(2)]
    document: ByteVec,
    #[n(3)]
    shops: Vec<Saved>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Saved {
    #[n(0)]
    name: String,
    #[n(1)]
    certificates: Vec<ByteVec>,
    #[n(2)]
    addresses: Vec<String>,
    #[n(3)]
    hubs: Vec<String>,
}

/// What a device took over from the one that let it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TakenOver {
    /// How many shops are saved here now.
    pub shops: usize,
    /// How many were not taken: their certificates do not hold, or another owner is known here.
    pub left: usize,
}

impl Household {
    /// Everything that a device which is let in needs to go on, sealed to it.
    ///
    /// # Errors
    /// [`HouseholdError::NoAccount`] for a guest; [`HouseholdError::Unsealable`] when it is too much.
    pub fn snapshot_for(
        &self,
        request: &Request,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, HouseholdError> {
        let Party::Account(account) = self.party() else { return Err(HouseholdError::NoAccount) };
        let saved = self.known_shops()?.into_iter().take(SHOPS_MAX).map(|shop| Saved {
            name: shop.name,
            certificates: shop.certificates,
            addresses: shop.addresses,
            hubs: shop.hubs,
        });
        let snapshot = Snapshot {
            account,
            to: request.enrolment.key.id(),
            document: self.document()?.save().into(),
            shops: saved.collect(),
        };
        let signing = &self.keys.signing;
        let signed = sign1::sign(signing, Purpose::Household, cbor::to_vec(&snapshot));
        let parcel = Parcel { household: Some(signed.into()), ..Parcel::default() };
        Ok(envelope::seal(&parcel, &request.enrolment.sealing, rng)?)
    }

    /// Takes over what the device gave that let this one in; the same again changes nothing.
    ///
    /// # Errors
    /// [`HouseholdError::NotTheirs`] when it is by another device, for another one, or of another
    /// account; nothing is taken then.
    pub fn take_snapshot(
        &self,
        sealed: &[u8],
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<TakenOver, HouseholdError> {
        let parcel = envelope::open(sealed, std::slice::from_ref(&self.keys.sealing))?;
        let signed = parcel.household.ok_or(HouseholdError::NotTheirs)?;
        let snapshot = self.verified(&signed)?;
        let document = Vec::from(snapshot.document);
        self.edit_document(rng, move |own| own.merge(&document).map(|_| ()))?;
        let mut taken = TakenOver { shops: 0, left: 0 };
        for Saved { name, certificates, addresses, hubs } in snapshot.shops {
            match self.choose_shop(Introduced { name, certificates, addresses, hubs }, now) {
                Ok(_) => taken.shops += 1,
                Err(HouseholdError::Distrust(_)) => taken.left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// A snapshot by the device above this one's certificate, for this device and its account.
    fn verified(&self, signed: &[u8]) -> Result<Snapshot, HouseholdError> {
        let own = self.certificates();
        let above = own.get(1).ok_or(HouseholdError::NotTheirs)?;
        let above = UnverifiedCertificate::parse(above)?.claimed().clone();
        let Standing::Device { account, .. } = above.standing else {
            return Err(HouseholdError::NotTheirs);
        };
        let read = Unverified::parse(WHAT, signed, SNAPSHOT_BYTES_MAX)?;
        let signed = read.verify(&above.key, Purpose::Household);
        let signed = signed.map_err(|_| HouseholdError::NotTheirs)?;
        let snapshot: Snapshot = cbor::from_slice(WHAT, signed.payload(), SNAPSHOT_BYTES_MAX)?;
        let is_ours = snapshot.account == account
            && self.party() == Party::Account(account)
            && snapshot.to == self.keys.signing.id()
            && snapshot.shops.len() <= SHOPS_MAX;
        is_ours.then_some(snapshot).ok_or(HouseholdError::NotTheirs)
    }
}

const WHAT: &str = "a household's snapshot";
