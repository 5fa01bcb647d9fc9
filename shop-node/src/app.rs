//! What a shop does, whoever asks: HTTP, mail, a carried file, the counter or the simulation.
//!
//! Every function here is synchronous, takes the time and the randomness, and keeps nothing in
//! memory that a crash would lose.
//!
//! **Invariants:** the shop alone decides about its stock (P2); a decision, its reservation, its
//! entry and its reply are one transaction; what is answered was committed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use kirana_core::{
    hash::Hash,
    id::{LocationId, ShopId},
    key::PublicKey,
    known_time::{KnownNow, KnownTime},
    mail::Mail,
    money::Currency,
    statement::Seen,
    time::UnixMs,
    trust::Trust,
};
use kirana_migrations::{Database, Reader, StoreError, Writer};
use minicbor::{Decode, Encode};

use crate::store::{
    known,
    settings::{self, Setting},
};

pub mod access;
pub mod answer;
pub mod availability;
pub mod backup;
pub mod bank;
pub mod batches;
mod books;
pub mod callers;
pub mod cards;
pub mod catalogue;
pub mod categories;
pub mod cells;
pub mod changes;
mod checked;
pub mod closing;
pub mod complaints;
pub mod counter;
pub mod counts;
pub mod courier;
pub mod deliver;
pub mod deliveries;
pub mod desk;
pub mod devices;
pub mod erased;
pub mod export;
pub mod feeds;
pub mod founding;
pub mod handing;
pub mod handover;
pub mod heads;
pub mod holding;
pub mod images;
pub mod import;
pub mod invoices;
pub mod keys;
pub mod khata;
pub mod labels;
pub mod ledger;
pub mod locations;
pub mod lookup;
pub mod mailing;
pub mod margin;
pub mod mend;
pub mod moving;
pub mod once;
pub mod orders;
pub mod packing;
mod paying;
pub mod people;
pub mod person;
pub mod pin;
pub mod place;
pub mod product_file;
pub mod purchases;
pub mod queue;
pub mod reading;
pub mod recovery;
pub mod refusal;
pub mod reorder;
pub mod roles;
pub mod scan;
pub mod shelf;
pub mod shelves;
pub mod staff;
pub mod starter;
pub mod succession;
pub mod suppliers;
pub mod terms;
pub mod till;
mod today;
pub mod verify;
pub mod wishes;

pub use deliver::{Delivered, Outcome};
pub use founding::{Founding, Unopened};
pub use keys::Keys;
pub use once::Once;
pub use refusal::Undeliverable;

/// Who this shop is: written once when it is founded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Identity {
    /// The shop, for ever.
    #[n(0)]
    pub shop: ShopId,
    /// What people call it.
    #[n(1)]
    pub name: String,
    /// The owner's key, which certifies boxes and staff.
    #[n(2)]
    pub owner: PublicKey,
    /// What it sells in.
    #[n(3)]
    pub currency: Currency,
    /// The place from which it sells.
    #[n(4)]
    pub location: LocationId,
    /// Where it stands, if it says so: latitude and longitude in degrees, `12.97,77.59`.
    #[n(5)]
    pub place: Option<String>,
    /// The hub that it asks to vouch for it, if any.
    #[n(6)]
    pub hub: Option<String>,
}

/// One shop, open; cheap to clone.
#[derive(Clone)]
pub struct Shop {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) identity: Identity,
    pub(crate) generation: u64,
    pub(crate) keys: Keys,
    /// The trust as of a revision in the database.
    trust: RwLock<(u64, Arc<Trust>)>,
    /// Certificates that held at a revision of the trust.
    pub(crate) checked: checked::Checked,
    /// Signatures of orders' entries that were checked for lists.
    pub(crate) seen: Mutex<Seen>,
    /// Which waiting things this process sealed into which mail; losing it costs one more listing.
    sealed: Mutex<BTreeMap<Hash, u64>>,
    /// The catalogue's documents as of some chunk: each transaction looks whether there is a newer.
    pub(crate) documents: catalogue::Documents,
    /// The stock snapshots that were signed last: served again for a moment.
    pub(crate) published: availability::Published,
    /// The heads that were answered lately: who comes back gets what is new.
    pub(crate) told: kirana_sync::pull::Told,
    /// Held while the list of who was forgotten is replaced.
    erased_list: Mutex<()>,
}

impl Shop {
    /// The shop's id.
    pub fn id(&self) -> ShopId {
        self.inner.identity.shop
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// The number of this box's time in the shop's life.
    pub fn generation(&self) -> u64 {
        self.inner.generation
    }

    /// The secrets of this box.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// The database under the shop.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.inner.database.writer
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.inner.database.reader
    }

    /// The certificates of this box, leaf first: box, then shop.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn chain(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.reader().read(chain)
    }

    /// What the shop trusts now, read again when another process changed it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn trust(&self) -> Result<Arc<Trust>, StoreError> {
        Ok(self.trust_and_revision()?.1)
    }

    pub(crate) fn trust_and_revision(&self) -> Result<(u64, Arc<Trust>), StoreError> {
        self.reader().read(|c| self.inner.trust_in(c))
    }

    /// The known time: never before a signed time that was seen.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn known_now(&self, now: UnixMs) -> Result<KnownNow, StoreError> {
        self.reader().read(|c| Ok(known_time(c)?.read(now)))
    }
}

impl Inner {
    /// What was read last, with its revision; only committed states are held.
    fn held_trust(&self) -> (u64, Arc<Trust>) {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The trust of one committed state, read only where it is not held already.
    pub(crate) fn trust_in(
        &self,
        c: &kirana_migrations::rusqlite::Connection,
    ) -> Result<(u64, Arc<Trust>), StoreError> {
        let held = self.held_trust();
        let revision = trust_revision(c)?;
        if revision == held.0 {
            return Ok(held);
        }
        let fresh = (revision, Arc::new(founding::trust_from(c, &self.identity)?));
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        Ok(fresh)
    }
}

impl Inner {
    fn remember_sealed(&self, mails: &[(u64, Mail)]) {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        if sealed.len() > SEALED_REMEMBERED_MAX {
            sealed.clear();
        }
        sealed.extend(mails.iter().map(|(n, mail)| (mail.id(), *n)));
    }

    fn take_sealed(&self, ids: &[Hash]) -> Vec<u64> {
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| sealed.remove(id)).collect()
    }
}

const SEALED_REMEMBERED_MAX: usize = 16_384;

/// Grows with every change of what the shop trusts.
pub(crate) fn trust_revision(
    c: &kirana_migrations::rusqlite::Connection,
) -> Result<u64, StoreError> {
    Ok(settings::get(c, Setting::TrustRevision)?.unwrap_or_default())
}

/// Tells this and other processes to read again whom the shop trusts, and with what.
pub(crate) fn trust_changed(tx: &kirana_migrations::Tx<'_>) -> Result<(), StoreError> {
    let revision = trust_revision(tx)?;
    settings::put(tx, Setting::TrustRevision, &(revision + 1))
}

pub(crate) fn known_time(
    c: &kirana_migrations::rusqlite::Connection,
) -> Result<KnownTime, StoreError> {
    Ok(settings::get(c, Setting::KnownTime)?.unwrap_or_default())
}

pub(crate) fn chain(
    c: &kirana_migrations::rusqlite::Connection,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let node = known::generations(c)?.pop();
    let above: Vec<minicbor::bytes::ByteVec> =
        settings::get(c, Setting::Chain)?.unwrap_or_default();
    let node = node.map(|generation| generation.certificate);
    Ok(node.into_iter().chain(above.into_iter().map(Vec::from)).collect())
}
