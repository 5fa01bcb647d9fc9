//! Who carries mail for this household: the hubs on the roster, and those that somebody added.

use kirana_core::certificate::HubRole;
use kirana_migrations::StoreError;
use serde::{Deserialize, Serialize};

use super::{Household, HouseholdError, write};
use crate::store::settings::{self, Setting};

/// The most that somebody can add.
pub const CARRIERS_MAX: usize = 16;

/// Somebody who carries mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// Where: a multiaddr.
    pub address: String,
    /// Whether it is the neighbourhood's own, rather than the central one.
    pub community: bool,
}

impl Household {
    /// All of them: those on the roster first.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn carriers(&self) -> Result<Vec<Carrier>, HouseholdError> {
        let trust = self.trust();
        let hubs = trust.roster().into_iter().flat_map(|roster| &roster.roster().hubs);
        let mut carriers: Vec<Carrier> = hubs
            .flat_map(|hub| {
                let community = hub.role == HubRole::Community;
                hub.p2p.iter().map(move |at| Carrier { address: at.clone(), community })
            })
            .collect();
        for added in self.added()? {
            if carriers.iter().all(|known| known.address != added.address) {
                carriers.push(added);
            }
        }
        Ok(carriers)
    }

    /// Adds one; whether it was not there yet.
    ///
    /// # Errors
    /// [`HouseholdError::TooManyCarriers`], or when nothing could be written.
    pub fn add_carrier(&self, carrier: Carrier) -> Result<bool, HouseholdError> {
        let mut added = self.added()?;
        if added.iter().any(|known| known.address == carrier.address) {
            return Ok(false);
        }
        if added.len() >= CARRIERS_MAX {
            return Err(HouseholdError::TooManyCarriers);
        }
        added.push(carrier);
        let stored = serde_json::to_vec(&added).expect("strings always become JSON");
        write(&self.db, move |tx| Ok(settings::set(tx, Setting::Relays, &stored)?))?;
        Ok(true)
    }

    fn added(&self) -> Result<Vec<Carrier>, HouseholdError> {
        let stored = self.db.reader.read(|reader| settings::get(reader, Setting::Relays))?;
        let Some(stored) = stored else { return Ok(Vec::new()) };
        let read = serde_json::from_slice(&stored);
        Ok(read.map_err(|_| StoreError::damaged("the list of", "carriers"))?)
    }
}
