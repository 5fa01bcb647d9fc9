//! The program of a household's device: the shipped household with its courier.

use std::collections::BTreeSet;

use kirana_core::{key::KeyPair, time::UnixMs};
use kirana_customer::app::{Household, HouseholdError, courier::Courier};
use kirana_migrations::Database;
use kirana_sync::client::Settings;

use crate::node::NodeId;

/// A running device.
pub struct Device {
    /// The household on it.
    pub household: Household,
    /// What carries its mail.
    pub courier: Courier,
    /// To whom it has a connection.
    pub connected: BTreeSet<NodeId>,
    /// Whether this life of the program was told whose catalogues it keeps.
    pub follows: bool,
}

impl Device {
    /// Starts on what the database holds.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn start(database: Database, keys: KeyPair, seed: u64) -> Result<Self, HouseholdError> {
        let household = Household::open(database, keys)?;
        let settings = Settings { seed, ..patient() };
        let courier = Courier::new(&household, settings)?;
        Ok(Self { household, courier, connected: BTreeSet::new(), follows: false })
    }

    /// What the device's own verification finds.
    pub fn verify(&self) -> Vec<String> {
        self.household.verify().faults
    }

    /// When its next timer is due, by its own clock.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        self.courier.wakes_at()
    }
}

/// Days pass here in a second, so everybody looks for mail less often than programs in a hurry do.
pub fn patient() -> Settings {
    Settings {
        own: BTreeSet::new(),
        timeout_ms: 20_000,
        poll_ms: 90_000,
        idle_poll_ms: 20 * 60_000,
        heads_ms: 2 * 60 * 60_000,
        catalogue_ms: 3 * 60 * 60_000,
        seed: 0,
    }
}
