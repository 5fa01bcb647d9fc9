//! Where a household's orders are brought: several addresses, of which one is the usual one.

use std::collections::BTreeMap;

use automerge::{ROOT, transaction::Transactable};
use serde::{Deserialize, Serialize};

use super::{Household, HouseholdError, TEXT_BYTES_MAX};
use crate::{geohash::Place, id::AddressId, time::UnixMs};

/// The most addresses.
pub const ADDRESSES_MAX: usize = 50;

/// Where orders are brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// What people call it. Two that were made apart may have one label.
    pub label: String,
    /// Street, house, landmark.
    pub text: String,
    /// Where to call.
    #[serde(default)]
    pub phone: String,
    /// The town.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub city: String,
    /// The state or region, where the country's addresses name one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The PIN or postcode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub postcode: String,
    /// The country, as two letters of ISO 3166-1; nothing stands for the shop's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// Where that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Place>,
}

impl Address {
    /// An address that is only a text.
    pub fn new(label: &str, text: &str, phone: &str) -> Self {
        let (label, text, phone) = (label.to_owned(), text.to_owned(), phone.to_owned());
        Self { label, text, phone, ..Self::default() }
    }

    /// As it is written on a parcel: each part on its own, in the order of the country.
    ///
    /// ```
    /// use kirana_core::household::Address;
    /// let home = Address::new("home", "14 Second Cross", "");
    /// let home = Address { city: "Bengaluru".into(), postcode: "560001".into(), ..home };
    /// assert_eq!(home.written(), "14 Second Cross, Bengaluru 560001");
    /// let berlin = Address { country: "DE".into(), ..home };
    /// assert_eq!(berlin.written(), "14 Second Cross, 560001 Bengaluru, DE");
    /// ```
    pub fn written(&self) -> String {
        // On the continent the number of the town comes before its name.
        let before = ["DE", "AT", "CH", "FR", "ES", "IT", "NL", "BE", "PL", "CZ", "DK", "SE", "NO"];
        let town = match before.contains(&self.country.as_str()) {
            true => [&self.postcode, &self.city],
            false => [&self.city, &self.postcode],
        };
        let town: Vec<&str> =
            town.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        let town = town.join(" ");
        let parts = [&self.text, &town, &self.region, &self.country];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }
}

impl Household {
    /// The addresses, oldest first.
    pub fn addresses(&self) -> BTreeMap<AddressId, Address> {
        let entries = self.entries(ADDRESS).into_iter();
        let read = entries.filter_map(|(id, value)| {
            Some((id.parse().ok()?, serde_json::from_str(value.as_str()?).ok()?))
        });
        read.collect()
    }

    /// The address of a label; of several the oldest.
    pub fn address(&self, label: &str) -> Option<(AddressId, Address)> {
        self.addresses().into_iter().find(|(_, address)| address.label == label)
    }

    /// Adds an address, or puts it in place of the one with this id; a new id is drawn by the
    /// caller.
    ///
    /// # Errors
    /// [`HouseholdError::Text`] or [`HouseholdError::TooManyAddresses`].
    pub fn put_address(
        &mut self,
        id: AddressId,
        address: &Address,
        now: UnixMs,
    ) -> Result<(), HouseholdError> {
        let Address { label, text, phone, city, region, postcode, country, position: _ } = address;
        let texts = [label, text, phone, city, region, postcode, country];
        let is_long = texts.iter().any(|text| text.len() > TEXT_BYTES_MAX);
        if address.label.trim().is_empty() || is_long {
            return Err(HouseholdError::Text);
        }
        let known = self.addresses();
        if known.len() >= ADDRESSES_MAX && !known.contains_key(&id) {
            return Err(HouseholdError::TooManyAddresses);
        }
        let json = serde_json::to_string(address).expect("strings always become JSON");
        self.change(now, |tx| tx.put(ROOT, format!("{ADDRESS}{id}"), json))
    }

    /// Removes an address.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn remove_address(&mut self, id: AddressId, now: UnixMs) -> Result<(), HouseholdError> {
        if !self.addresses().contains_key(&id) {
            return Err(HouseholdError::NotThere);
        }
        self.change(now, |tx| tx.delete(ROOT, format!("{ADDRESS}{id}")))
    }

    /// The usual address: the one that was chosen, else the oldest.
    pub fn usual_address(&self) -> Option<AddressId> {
        let known = self.addresses();
        let chosen = self.text(USUAL).and_then(|id| id.parse().ok());
        chosen.filter(|id| known.contains_key(id)).or_else(|| known.into_keys().next())
    }

    /// Chooses the usual address.
    ///
    /// # Errors
    /// [`HouseholdError::NotThere`].
    pub fn choose_address(&mut self, id: AddressId, now: UnixMs) -> Result<(), HouseholdError> {
        if !self.addresses().contains_key(&id) {
            return Err(HouseholdError::NotThere);
        }
        self.change(now, |tx| tx.put(ROOT, USUAL, id.to_string()))
    }
}

const ADDRESS: &str = "address/";
const USUAL: &str = "usual address";
