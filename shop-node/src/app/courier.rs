//! Carries the shop's mail by way of hubs: fetches what waits there, and leaves what devices are to
//! hear.
//!
//! The caller only carries: it gives what happens as [`Input`]s, sends each [`Call`], and answers
//! with [`Input::Response`] or [`Input::Failed`]. The server and the simulation both do.
//!
//! **Invariant:** everything here can be forgotten in a crash: what is still to be left at a hub
//! stands in the database, and a hub keeps mail until the shop has taken it in and deletes it.

use std::collections::{BTreeMap, VecDeque};

use kirana_core::{
    envelope::Parcel,
    key::KeyId,
    mail::{Address, Mail},
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, WriteError};
use kirana_sync::{
    client::{Client, Effect, Input, Settings},
    peer::Path,
    wire::{Request, Response},
};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{Delivered, Outcome, Shop, Undeliverable};
use crate::store::{known, outgoing};

/// Pieces that are on their way to hubs at once.
const POSTING_MAX: u32 = 32;
/// How long a piece waits after a hub would not take it, in milliseconds.
const POST_AGAIN_MS: u64 = 5 * 60_000;
/// A reply that nothing in the database asks for.
const REPLY: u64 = 0;

/// One request to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name in the answer.
    pub id: u64,
    /// To whom, by the key that the transport proves.
    pub peer: KeyId,
    /// What.
    pub request: Request,
}

/// The courier of one shop.
pub struct Courier {
    client: Client,
    /// What is on its way to hubs, or not to be tried before a moment.
    posting: BTreeMap<u64, UnixMs>,
    /// The hub through which each device was last heard: its other hubs may know no way to it.
    heard: BTreeMap<KeyId, KeyId>,
    notes: Vec<String>,
}

impl Courier {
    /// A courier for this shop.
    pub fn new(shop: &Shop, mut settings: Settings) -> Self {
        settings.own = [Address::Shop(shop.id())].into();
        Self {
            client: Client::new(settings, []),
            posting: BTreeMap::new(),
            heard: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// The client machine, to be looked at.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// When [`Input::Tick`] is due, if nothing else happens before.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        self.client.wakes_at()
    }

    /// Takes the sentences for the log that were not taken yet.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Takes one input, does what follows from it at the shop, and says what to send. Give
    /// [`Input::Tick`] after anything changed an order, so that its device hears soon.
    ///
    /// # Errors
    /// When the database fails: what was lost by it is tried again in time.
    pub fn handle(
        &mut self,
        shop: &Shop,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        input: Input,
    ) -> Result<Vec<Call>, StoreError> {
        let known = shop.known_now(now)?;
        let mut run = Run { courier: self, shop, now, rng, inputs: VecDeque::from([input]) };
        let mut calls = Vec::new();
        loop {
            while let Some(input) = run.inputs.pop_front() {
                let trust = shop.trust()?;
                for effect in run.courier.client.handle((now, known), &trust, input) {
                    calls.extend(run.perform(effect)?);
                }
            }
            run.post()?;
            if run.inputs.is_empty() {
                return Ok(calls);
            }
        }
    }
}

/// One call of [`Courier::handle`].
struct Run<'a> {
    courier: &'a mut Courier,
    shop: &'a Shop,
    now: UnixMs,
    rng: &'a mut dyn CryptoRng,
    inputs: VecDeque<Input>,
}

impl Run<'_> {
    fn perform(&mut self, effect: Effect) -> Result<Option<Call>, StoreError> {
        match effect {
            Effect::Request { id, peer, request } => return Ok(Some(Call { id, peer, request })),
            Effect::Greet { id, peer } => return self.greet(id, peer).map(Some),
            Effect::StoreMail { peer, mail } => self.store_mail(peer, &mail),
            Effect::Answered { tag, response } if tag != REPLY => {
                self.posted(tag, response.as_ref())?;
            }
            Effect::Suspect { peer, why } => self.note(format!("peer {peer}: {why}")),
            Effect::Welcomed { peer, certificates, lists, .. } => {
                let parcel = Parcel { certificates, lists, ..Parcel::default() };
                if let Err(e) = self.shop.meet(peer, &parcel, self.now, self.rng) {
                    self.note(format!("peer {peer}: what it says of itself was refused: {e}"));
                }
            }
            // A shop has no outbox of this kind, and follows no catalogue.
            Effect::Put { .. } | Effect::Reached { .. } | Effect::Forget { .. } => {}
            Effect::CompareHeads { .. } | Effect::Load(_) | Effect::Availability { .. } => {}
            Effect::Terms { .. } => {}
            Effect::CatalogueCurrent { .. } | Effect::Answered { .. } => {}
        }
        Ok(None)
    }

    fn greet(&self, id: u64, peer: KeyId) -> Result<Call, StoreError> {
        let certificates = self.shop.chain()?.into_iter().map(ByteVec::from).collect();
        let lists = self.shop.reader().read(known::lists)?;
        let lists = lists.into_iter().map(ByteVec::from).collect();
        Ok(Call { id, peer, request: Request::Hello { certificates, lists } })
    }

    fn store_mail(&mut self, peer: KeyId, mail: &Mail) {
        let id = mail.id();
        match self.shop.deliver(mail, self.now, self.rng) {
            Ok(delivered) => {
                self.inputs.push_back(Input::MailStored { id });
                self.answer(peer, delivered);
            }
            Err(e @ (Undeliverable::NotStored(_) | Undeliverable::Store(_))) => {
                self.note(format!("mail was not stored: {e}"));
                self.inputs.push_back(Input::MailFailed { id });
            }
            Err(e @ Undeliverable::ReadOnly { .. }) => {
                self.note(format!("mail is left for the newer box: {e}"));
                self.inputs.push_back(Input::MailFailed { id });
            }
            // Of no use to anybody: there is nothing to store, and it need not come again.
            Err(e) => {
                self.note(format!("mail was refused: {e}"));
                self.inputs.push_back(Input::MailStored { id });
            }
        }
    }

    /// Says again what was said before; what is new waits in the database and is posted from there.
    fn answer(&mut self, peer: KeyId, delivered: Delivered) {
        if let Some(Address::Device(device)) = delivered.reply.as_ref().map(|reply| reply.to) {
            self.heard(device, peer);
        }
        let is_new = |outcome: &Outcome| matches!(outcome, Outcome::Order { new: true, .. });
        if delivered.outcomes.iter().all(is_new) {
            return;
        }
        if let Some(mail) = delivered.reply {
            self.inputs.push_back(Input::Ask { tag: REPLY, peer, request: Request::Put { mail } });
        }
    }

    fn heard(&mut self, device: KeyId, hub: KeyId) {
        let heard = &mut self.courier.heard;
        if heard.len() >= HEARD_MAX && !heard.contains_key(&device) {
            heard.pop_first();
        }
        heard.insert(device, hub);
    }

    /// Leaves at a hub what waits for devices and is not there yet.
    fn post(&mut self) -> Result<(), StoreError> {
        let hubs = self.courier.client.peers().filter(|(_, role)| role.path() != Path::Direct);
        let mut hubs: Vec<_> = hubs.map(|(peer, role)| (role.path(), peer)).collect();
        hubs.sort_unstable();
        let Some((_, first)) = hubs.first().copied() else { return Ok(()) };
        for waiting in self.shop.reader().read(|c| outgoing::to_post(c, POSTING_MAX))? {
            let n = waiting.n;
            let before = self.courier.posting.get(&n).copied();
            if before.is_some_and(|at| at > self.now && at <= self.now.plus_ms(POST_AGAIN_MS)) {
                continue;
            }
            self.courier.posting.insert(n, self.now.plus_ms(POST_AGAIN_MS));
            let heard = self.courier.heard.get(&waiting.device).copied();
            let hub = heard.filter(|heard| hubs.iter().any(|(_, hub)| hub == heard));
            let certified = match self.shop.known_device(waiting.device, self.now) {
                Ok(Some(certified)) => certified,
                // Nobody vouches for it any more, so no hub may hear of it.
                Ok(None) | Err(_) => continue,
            };
            let sealed = self.shop.seal_waiting(&[waiting], &certified, self.now, self.rng).ok();
            let Some((_, mail)) = sealed.and_then(|mut sealed| sealed.pop()) else { continue };
            let request = Request::Put { mail };
            self.inputs.push_back(Input::Ask { tag: n, peer: hub.unwrap_or(first), request });
        }
        Ok(())
    }

    fn posted(&mut self, n: u64, response: Option<&Response>) -> Result<(), StoreError> {
        if !matches!(response, Some(Response::Stored { .. })) {
            return Ok(());
        }
        let written =
            self.shop.writer().write(move |tx| Ok::<_, Abort<()>>(outgoing::posted(tx, n)?));
        match written {
            Ok(()) => {
                self.courier.posting.remove(&n);
                Ok(())
            }
            Err(WriteError::Store(error)) => Err(error),
            // It is posted once more later, and the device takes it once.
            Err(_) => Ok(()),
        }
    }

    fn note(&mut self, sentence: String) {
        if self.courier.notes.len() < NOTES_MAX {
            self.courier.notes.push(sentence);
        }
    }
}

const NOTES_MAX: usize = 100;
/// Devices of which the courier remembers where they were heard.
const HEARD_MAX: usize = 4096;
