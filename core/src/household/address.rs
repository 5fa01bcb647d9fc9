//! Where a household's orders are brought: several addresses, of which one is the usual one.

use std::collections::BTreeMap;

use automerge::{ROOT, transaction::Transactable};
use serde::{Deserialize, Serialize};

use super::{Household, HouseholdError, TEXT_BYTES_MAX};
use crate::{id::AddressId, time::UnixMs};

/// The most addresses.
pub const ADDRESSES_MAX: usize = 50;

/// Where orders are brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// What people call it. Two that were made apart may have one label.
    pub label: String,
    /// Street, house, landmark.
    pub text: String,
    /// Where to call.
    #[serde(default)]
    pub phone: String,
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
        let texts = [&address.label, &address.text, &address.phone];
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
