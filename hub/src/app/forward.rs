//! Passes mail on to the hub where its recipient reads, and takes such mail from other hubs.
//!
//! **Invariants (P4, P6):** mail is taken from certified hubs only, under its sender's own stamp and
//! quota; a piece that a hub handed over goes to no further hub.

use std::collections::BTreeMap;

use kirana_core::{
    hash::Hash,
    id::ShopId,
    key::{KeyId, PublicKey},
    mail::{Address, Mail},
    record::{HubContact, ShopRecord, SignedRecord},
    time::UnixMs,
};
use kirana_sync::{
    forward::{self, Way},
    wire::{Request, Response, limit},
};

use super::{Error, Hub, relay::Answer};
use crate::store::{mail::Giver, route::Waiting};

/// All that waits to be passed on, and whom that may concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToPass {
    /// Each recipient with the way of its mail.
    pub ways: BTreeMap<Address, Way>,
    /// Hubs that may know where a shop reads its mail.
    pub guides: Vec<KeyId>,
    /// Where these hubs are.
    pub contacts: BTreeMap<KeyId, HubContact>,
}

impl Hub {
    pub(super) async fn take_over(
        &self,
        peer: &PublicKey,
        mail: Mail,
        hops: u8,
        now: UnixMs,
    ) -> Answer {
        let (trust, known) = (self.trust(now).await?, self.known_now(now).await?);
        self.callers().may_forward(peer.id(), &trust, known)?;
        let record = match mail.to {
            Address::Shop(shop) => self.record_of(shop, now).await?,
            Address::Device(_) => None,
        };
        forward::check(self.keys().id(), &mail.to, hops, record.as_ref())?;
        self.keep(mail, Giver::Hub { hub: *peer, hops }, now).await
    }

    /// What waits here to be passed on, and where to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn to_pass(&self, now: UnixMs) -> Result<ToPass, Error> {
        let mut found = ToPass::default();
        for guide in self.guides(now).await? {
            found.guides.push(guide.key.id());
            found.contacts.insert(guide.key.id(), guide);
        }
        let known = self.known_now(now).await?;
        for (to, heard) in self.store().recipients_waiting(known).await? {
            let (way, hubs) = match to {
                Address::Shop(shop) => {
                    let record = self.record_of(shop, now).await?;
                    let way = Way::to_shop(self.keys().id(), record.as_ref());
                    (way, record.map_or_else(Vec::new, |record| record.hubs))
                }
                Address::Device(_) => {
                    let hubs = heard.map(|key| HubContact { key, addresses: Vec::new() });
                    (
                        Way::To(hubs.iter().map(|hub| hub.key.id()).collect()),
                        hubs.into_iter().collect(),
                    )
                }
            };
            found.ways.insert(to, way);
            for hub in hubs {
                found.contacts.entry(hub.key.id()).or_insert(hub);
            }
        }
        Ok(found)
    }

    /// What is to be passed on for a recipient after a cursor.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting(
        &self,
        to: &Address,
        after: u64,
        now: UnixMs,
    ) -> Result<Vec<Waiting>, Error> {
        let now = self.known_now(now).await?;
        Ok(self.store().waiting(to, after, PIECES_MAX, now).await?)
    }

    /// Notes that a piece is at another hub, or that no hub will take it.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn passed_on(
        &self,
        to: Address,
        id: Hash,
        hub: Option<HubContact>,
        now: UnixMs,
    ) -> Result<(), Error> {
        Ok(self.store().passed_on(to, id, hub, now).await?)
    }

    /// The hubs of the roster, this one left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn guides(&self, now: UnixMs) -> Result<Vec<HubContact>, Error> {
        let (own, trust) = (self.keys().id(), self.trust(now).await?);
        let hubs = trust.roster().into_iter().flat_map(|signed| &signed.roster().hubs);
        let others = hubs.filter(|hub| hub.key.id() != own);
        Ok(others.map(|hub| HubContact { key: hub.key, addresses: hub.p2p.clone() }).collect())
    }

    /// The hubs from which replies to this hub's households may come.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn partners(&self, now: UnixMs) -> Result<Vec<HubContact>, Error> {
        Ok(self.store().partners(self.known_now(now).await?).await?)
    }

    /// Whether a caller is a hub itself, which spreads its records to all hubs that it knows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_hub(&self, peer: &PublicKey, now: UnixMs) -> Result<bool, Error> {
        let (trust, known) = (self.trust(now).await?, self.known_now(now).await?);
        Ok(self.callers().may_forward(peer.id(), &trust, known).is_ok())
    }

    /// The greeting of this hub to another.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn greeting(&self, now: UnixMs) -> Result<Request, Error> {
        let certificates = self.own_certificate().await?.into_iter().map(Into::into).collect();
        let trust = self.trust(now).await?;
        let lists = trust.lists().map(|list| list.bytes().to_vec());
        let lists = super::relay::within(lists, limit::LISTS_BYTES_MAX).take(limit::LISTS_MAX);
        Ok(Request::Hello { certificates, lists: lists.map(Into::into).collect() })
    }

    /// Takes in what another hub told about a shop, as far as it counts.
    pub async fn told(&self, answer: Response, now: UnixMs) {
        let Response::Records { records } = answer else { return };
        for record in records {
            // What does not count here is as good as not told.
            let _ = self.publish(&record, now).await;
        }
    }

    async fn record_of(&self, shop: ShopId, now: UnixMs) -> Result<Option<ShopRecord>, Error> {
        let (trust, known) = (self.trust(now).await?, self.known_now(now).await?);
        let bytes = self.store().record(shop, known).await?;
        // One whose signer was shut out since it was published names nobody's hubs.
        let record = bytes.and_then(|bytes| SignedRecord::verify(&bytes, &trust, known).ok());
        Ok(record.map(|record| record.record().clone()))
    }
}

/// Pieces that are read at a time.
const PIECES_MAX: u32 = 64;
