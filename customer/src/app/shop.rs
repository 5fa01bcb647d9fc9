//! Chooses shops and keeps what is known of them up to date.

use kirana_core::{id::ShopId, key::PublicKey, time::UnixMs, trust::Vouched};
use kirana_migrations::{StoreError, Tx};
use minicbor::bytes::ByteVec;

use super::{Household, HouseholdError, write};
use crate::store::{
    orders,
    shops::{self, KnownShop},
    signers::{self, NodeKey},
};

/// What somebody tells about a shop when it is chosen: by its Wi-Fi, a hub's directory or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// What it calls itself.
    pub name: String,
    /// The node's certificate, then its shop's.
    pub certificates: Vec<ByteVec>,
    /// Where it may be reached directly: multiaddrs.
    pub addresses: Vec<String>,
    /// Hubs that keep its mail: multiaddrs.
    pub hubs: Vec<String>,
}

impl Household {
    /// Chooses a shop and pins its owner's key, or notes what is new about a shop chosen before.
    ///
    /// # Errors
    /// [`HouseholdError::Distrust`] when the certificates do not hold together, or the shop now
    /// shows another owner's key to which the one before did not consent: a person has to decide.
    pub fn choose_shop(
        &self,
        introduced: Introduced,
        now: UnixMs,
    ) -> Result<KnownShop, HouseholdError> {
        let known_now = self.known_now(now);
        let meeting = self.trust().introduce(&introduced.certificates, known_now)?;
        let before = self.known_shop(meeting.shop)?;
        let generation = node_generation(meeting.node.certificate());
        let newer = before.as_ref().is_none_or(|before| before.generation <= generation);
        let shop = KnownShop {
            id: meeting.shop,
            name: introduced.name,
            owner: match before.as_ref().filter(|_| !newer) {
                Some(before) => before.owner,
                None => meeting.owner,
            },
            certificates: match before.as_ref().filter(|_| !newer) {
                Some(before) => before.certificates.clone(),
                None => introduced.certificates,
            },
            generation: before.as_ref().map_or(generation, |b| b.generation.max(generation)),
            addresses: introduced.addresses,
            hubs: introduced.hubs,
            vouched: matches!(meeting.node.vouched(), Vouched::Hub(_)),
            pinned_at: before.as_ref().map_or(now, |before| before.pinned_at),
        };
        if before.as_ref() == Some(&shop) {
            // Each checkout at a hub introduces the shop: nothing new is worth no sync of the disk.
            self.follow_owners([(shop.id, shop.owner)]);
            return Ok(shop);
        }
        let node = NodeKey { key: *meeting.node.key(), shop: meeting.shop, generation };
        let stored = shop.clone();
        write(&self.db, move |tx| {
            keep(tx, &stored)?;
            Ok(signers::put(tx, &node)?)
        })?;
        self.follow_owners([(shop.id, shop.owner)]);
        Ok(shop)
    }

    /// Pins what was stored, now that it is.
    pub(super) fn follow_owners(&self, met: impl IntoIterator<Item = (ShopId, PublicKey)>) {
        let trust = &mut self.identity().trust;
        for (shop, owner) in met {
            if trust.owner_of(shop) != Some(owner) {
                trust.replace_shop_owner(shop, owner);
            }
        }
    }

    /// A shop that was chosen.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn known_shop(&self, id: ShopId) -> Result<Option<KnownShop>, HouseholdError> {
        self.db.reader.read(|reader| Ok(shops::get(reader, id)?))
    }

    /// All chosen shops.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn known_shops(&self) -> Result<Vec<KnownShop>, HouseholdError> {
        self.db.reader.read(|reader| Ok(shops::all(reader)?))
    }
}

/// Writes down what is known of a shop. One that shows a later generation came back from a backup,
/// and may have forgotten what was closed since.
pub(super) fn keep(tx: &Tx<'_>, shop: &KnownShop) -> Result<(), StoreError> {
    let before = shops::get(tx, shop.id)?;
    if before.is_some_and(|before| before.generation < shop.generation) {
        orders::unconfirm_closed(tx, shop.id)?;
    }
    shops::put(tx, shop)
}

/// The generation that a node's certificate is for; 0 for any other certificate.
pub(super) fn node_generation(certificate: &kirana_core::certificate::Certificate) -> u64 {
    match certificate.standing {
        kirana_core::certificate::Standing::Node { generation, .. } => generation,
        _ => 0,
    }
}
