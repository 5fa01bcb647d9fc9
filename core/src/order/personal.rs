//! Who an order is for and where it goes: what a shop must know to hand something over.
//!
//! **Invariant:** it never stands in an entry, only in a [`PersonalPart`] that the first entry
//! names by its hash, so that erasing a person breaks no chain.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::{
    cbor::{self, Malformed},
    envelope::{PERSONAL_BYTES_MAX, PersonalPart},
    geohash::Place,
};

/// A person as the shop's people read it; what was not given is empty.
///
/// ```
/// # use rand_chacha::{ChaCha20Rng as Rng, rand_core::SeedableRng};
/// use kirana_core::order::personal::Personal;
/// let meena = Personal { name: "Meena".into(), phone: "98450 00000".into(), ..Personal::default() };
/// let part = meena.part(&mut Rng::from_seed([7; 32]));
/// assert_eq!(Personal::read(&part.bytes), Ok(meena));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(default)]
pub struct Personal {
    /// Whose order it is.
    #[n(0)]
    pub name: String,
    /// Where to bring it.
    #[n(1)]
    pub address: String,
    /// Where to call.
    #[n(2)]
    pub phone: String,
    /// What else to know.
    #[n(3)]
    pub note: String,
    /// Where that is on the map, where the customer said so.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

impl Personal {
    /// As it travels, with a fresh salt.
    pub fn part(&self, rng: &mut dyn CryptoRng) -> PersonalPart {
        PersonalPart::new(cbor::to_vec(self), rng)
    }

    /// Reads what a device wrote.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or something else.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        cbor::from_slice("the personal part", bytes, PERSONAL_BYTES_MAX)
    }

    /// Whether it would be longer than an order can carry.
    pub fn is_too_long(&self) -> bool {
        cbor::to_vec(self).len() > PERSONAL_BYTES_MAX
    }
}
