//! Does for this device what the client machine asks: seals, stores, settles, and says what to send.
//!
//! The caller only carries: it gives what happens as [`Input`]s, sends each [`Call`], and answers
//! with [`Input::Response`] or [`Input::Failed`]. The `kirana` program and the simulation both do.
//!
//! **Invariant:** everything here can be forgotten in a crash: [`Courier::new`] reads from the
//! database what is still to be sent.

use std::collections::{BTreeMap, VecDeque};

use kirana_core::{
    availability::SignedAvailability,
    catalogue::head::Head,
    hash::Hash,
    id::{OrderId, ShopId},
    key::KeyId,
    mail::{Address, Mail},
    terms::SignedTerms,
    time::UnixMs,
};
use kirana_sync::{
    client::{Client, Effect, Input, Settings},
    outbox::{Item, Why},
    peer::{Path, Role},
    pull::Load,
    wire::Request,
};
use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::{Household, HouseholdError, receive::Received, shop::Introduced};
use crate::store::{journal::Route, outbox::Waiting};

/// How often the heads of open orders go to a shop that is not in reach itself, in milliseconds.
pub const FAR_HEADS_MS: u64 = 6 * 60 * 60_000;

/// How often a shop that asks for an order is given it, in milliseconds: it may ask by every way.
pub const GIVE_BACK_MS: u64 = 5 * 60_000;

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

/// The courier of one device.
pub struct Courier {
    client: Client,
    /// Sealed once, so that relays know a piece again.
    sealed: BTreeMap<Hash, Mail>,
    far_heads: UnixMs,
    given_back: BTreeMap<OrderId, UnixMs>,
    notes: Vec<String>,
}

impl Courier {
    /// A courier that knows of all that still waits in the database.
    ///
    /// # Errors
    /// When stored data cannot be read.
    pub fn new(household: &Household, mut settings: Settings) -> Result<Self, HouseholdError> {
        settings.own = [household.address()].into();
        let rows = household.waiting()?;
        let client = Client::new(settings, rows.iter().map(item));
        let far_heads = UnixMs::default();
        let (sealed, given_back) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { client, sealed, far_heads, given_back, notes: Vec::new() })
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

    /// Sends a statement that is durable in the database from now on, such as a new order's entry.
    ///
    /// # Errors
    /// As [`Courier::handle`].
    pub fn queue(
        &mut self,
        household: &Household,
        statement: Hash,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<Call>, HouseholdError> {
        let waiting = household.waiting()?;
        match waiting.iter().find(|waiting| waiting.hash == statement) {
            Some(waiting) => self.handle(household, now, rng, Input::Queued(item(waiting))),
            None => Ok(Vec::new()),
        }
    }

    /// Takes one input, does what follows from it on this device, and says what to send.
    ///
    /// # Errors
    /// When the database fails: what was lost by it is tried again in time.
    pub fn handle(
        &mut self,
        household: &Household,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        input: Input,
    ) -> Result<Vec<Call>, HouseholdError> {
        let known = household.known_now(now);
        let mut run = Run { courier: self, household, now, rng, inputs: VecDeque::from([input]) };
        run.compare_far_heads()?;
        let mut calls = Vec::new();
        while let Some(input) = run.inputs.pop_front() {
            let trust = household.trust();
            for effect in run.courier.client.handle((now, known), &trust, input) {
                calls.extend(run.perform(effect)?);
            }
        }
        Ok(calls)
    }
}

fn item(waiting: &Waiting) -> Item {
    Item { id: waiting.hash, to: Address::Shop(waiting.shop), until: waiting.until }
}

/// One call of [`Courier::handle`].
struct Run<'a> {
    courier: &'a mut Courier,
    household: &'a Household,
    now: UnixMs,
    rng: &'a mut dyn CryptoRng,
    inputs: VecDeque<Input>,
}

impl Run<'_> {
    fn perform(&mut self, effect: Effect) -> Result<Option<Call>, HouseholdError> {
        match effect {
            Effect::Request { id, peer, request } => return Ok(Some(Call { id, peer, request })),
            Effect::Greet { id, peer } => return Ok(Some(self.greet(id, peer))),
            Effect::Put { id, peer, item, .. } => {
                let mail = self.sealed(item)?;
                if mail.is_none() {
                    self.inputs.push_back(Input::Settled { item });
                }
                return Ok(mail.map(|mail| Call { id, peer, request: Request::Put { mail } }));
            }
            Effect::Reached { item, path, .. } => {
                self.household.acknowledged(item, route(path), self.now)?;
            }
            Effect::Forget { item, why } => {
                self.courier.sealed.remove(&item);
                if why == Why::Expired {
                    self.household.give_up(item)?;
                }
            }
            Effect::StoreMail { mail, .. } => self.store_mail(&mail)?,
            Effect::Welcomed { peer, certificates, lists, roster } => {
                self.household.admit_lists(&lists)?;
                self.admit_roster(peer, roster);
                self.meet(peer, certificates)?;
            }
            Effect::CompareHeads { shop } => self.compare_heads(shop)?,
            Effect::Suspect { peer, why } => self.note(format!("peer {peer}: {why}")),
            Effect::Load(load) => self.load(&load)?,
            Effect::Availability { shop, snapshots } => self.stock(shop, snapshots),
            Effect::Terms { shop, terms } => self.terms(shop, &terms),
            Effect::CatalogueCurrent { .. } | Effect::Answered { .. } => {}
        }
        Ok(None)
    }

    fn greet(&self, id: u64, peer: KeyId) -> Call {
        let trust = self.household.trust();
        let lists = trust.lists().map(|list| ByteVec::from(list.bytes().to_vec())).collect();
        let request = Request::Hello { certificates: self.household.certificates(), lists };
        Call { id, peer, request }
    }

    fn sealed(&mut self, item: Hash) -> Result<Option<Mail>, HouseholdError> {
        if let Some(mail) = self.courier.sealed.get(&item) {
            return Ok(Some(mail.clone()));
        }
        let mail = self.household.mail_for(item, self.rng)?;
        if let Some(mail) = &mail {
            self.courier.sealed.insert(item, mail.clone());
        }
        Ok(mail)
    }

    fn store_mail(&mut self, mail: &Mail) -> Result<(), HouseholdError> {
        let id = mail.id();
        match self.household.receive(mail, self.now) {
            Ok(received) => {
                self.inputs.push_back(Input::MailStored { id });
                self.received(received)?;
            }
            Err(e) if e.is_of_the_disk() => {
                self.note(format!("mail was not stored: {e}"));
                self.inputs.push_back(Input::MailFailed { id });
            }
            // Of no use to anybody: there is nothing to store, and it need not come again.
            Err(e) => {
                self.note(format!("mail was refused: {e}"));
                self.inputs.push_back(Input::MailStored { id });
            }
        }
        Ok(())
    }

    /// Saves a part of a catalogue.
    fn load(&mut self, load: &Load) -> Result<(), HouseholdError> {
        let head = load.head.head().clone();
        match self.household.save_catalogue(load) {
            Ok(news) if news || self.has_reached(&head)? => {
                self.inputs.push_back(Input::Loaded { head: Box::new(head) });
            }
            // What comes before it could not be saved a moment ago.
            Ok(_) => self.inputs.push_back(Input::NotLoaded { shop: head.shop }),
            Err(e) => {
                self.note(format!("a catalogue was not saved: {e}"));
                self.inputs.push_back(Input::NotLoaded { shop: head.shop });
            }
        }
        Ok(())
    }

    /// Saves what a shop says is in stock; what could not be saved comes again with the next look.
    fn stock(&mut self, shop: ShopId, snapshots: Vec<SignedAvailability>) {
        if let Err(e) = self.household.save_availability(shop, snapshots) {
            self.note(format!("what is in stock was not saved: {e}"));
            self.inputs.push_back(Input::NotLoaded { shop });
        }
    }

    /// Saves on which terms a shop hands goods over; what could not be saved comes again.
    fn terms(&mut self, shop: ShopId, terms: &SignedTerms) {
        if let Err(e) = self.household.save_terms(shop, terms) {
            self.note(format!("a shop's terms were not saved: {e}"));
            self.inputs.push_back(Input::NotLoaded { shop });
        }
    }

    /// Whether the saved catalogue is as far as this head, or further.
    fn has_reached(&self, head: &Head) -> Result<bool, HouseholdError> {
        let known = self.household.catalogue_known(head.shop)?;
        Ok(known.get(&head.bucket).is_some_and(|at| *at >= (head.generation, head.n)))
    }

    fn received(&mut self, received: Received) -> Result<(), HouseholdError> {
        // The shop may have shown a newer box: what waits is sealed again, to that one.
        self.courier.sealed.clear();
        self.inputs.extend(received.settled.into_iter().map(|item| Input::Settled { item }));
        received.doubted.into_iter().for_each(|why| self.note(format!("doubted: {why}")));
        // What went there has arrived: the next page of a long book may follow at once.
        for order in &received.moved {
            self.courier.given_back.remove(order);
        }
        for order in received.wanted {
            self.give_back(order)?;
        }
        Ok(())
    }

    /// Gives a shop its own entries of an order back.
    fn give_back(&mut self, order: OrderId) -> Result<(), HouseholdError> {
        let (now, before) = (self.now, self.courier.given_back.get(&order).copied());
        if before.is_some_and(|at| at <= now && now < at.plus_ms(GIVE_BACK_MS)) {
            return Ok(());
        }
        // Whoever was told that it was refused does not want it any more.
        if self.household.was_refused(order)? {
            return Ok(());
        }
        if let Some(mail) = self.household.chain_mail(order, self.now, self.rng)? {
            self.courier.given_back.insert(order, now);
            self.put(mail);
        }
        Ok(())
    }

    fn compare_heads(&mut self, shop: ShopId) -> Result<(), HouseholdError> {
        if let Some(mail) = self.household.heads_mail(shop, self.now, self.rng)? {
            self.put(mail);
        }
        Ok(())
    }

    /// Where a shop is out of reach, a hub carries the heads to it now and then: a shop that came
    /// back from a backup learns only so of orders that it forgot.
    fn compare_far_heads(&mut self) -> Result<(), HouseholdError> {
        let next = self.courier.far_heads;
        let is_due = next <= self.now || next > self.now.plus_ms(FAR_HEADS_MS);
        let peers: Vec<Role> = self.courier.client.peers().map(|(_, role)| role).collect();
        let has_relay = peers.iter().any(|role| role.path() != Path::Direct);
        if !is_due || !has_relay {
            return Ok(());
        }
        self.courier.far_heads = self.now.plus_ms(FAR_HEADS_MS);
        for shop in self.household.known_shops()? {
            if !peers.contains(&Role::Shop(shop.id)) {
                self.compare_heads(shop.id)?;
            }
        }
        Ok(())
    }

    /// Puts mail for a shop to the shop itself where it is in reach, else to a hub.
    fn put(&mut self, mail: Mail) {
        let peers = self.courier.client.peers().filter(|(_, role)| role.takes(&mail.to));
        let best = peers.min_by_key(|(peer, role)| (role.path(), *peer));
        if let Some((peer, _)) = best {
            self.inputs.push_back(Input::Ask { tag: 0, peer, request: Request::Put { mail } });
        }
    }

    fn admit_roster(&mut self, peer: KeyId, roster: Option<ByteVec>) {
        if let (Some(root), Some(roster)) = (self.household.trust().root(), roster)
            && let Err(e) = self.household.trust_roster(root, &roster)
        {
            self.note(format!("peer {peer}: its roster was refused: {e}"));
        }
    }

    /// Notes what a chosen shop says about itself now, such as a newer box after a restore.
    fn meet(&mut self, peer: KeyId, certificates: Vec<ByteVec>) -> Result<(), HouseholdError> {
        let shop = self.courier.client.peers().find_map(|(other, role)| match role {
            Role::Shop(shop) if other == peer => Some(shop),
            _ => None,
        });
        let Some(shop) = shop else { return Ok(()) };
        let Some(known) = self.household.known_shop(shop)? else { return Ok(()) };
        if certificates.is_empty() || certificates == known.certificates {
            return Ok(());
        }
        let (name, addresses, hubs) = (known.name, known.addresses, known.hubs);
        let introduced = Introduced { name, certificates, addresses, hubs };
        match self.household.choose_shop(introduced, self.now) {
            Ok(_) => self.courier.sealed.clear(),
            Err(e) if e.is_of_the_disk() => return Err(e),
            Err(e) => self.note(format!("peer {peer}: its certificates were refused: {e}")),
        }
        Ok(())
    }

    fn note(&mut self, sentence: String) {
        if self.courier.notes.len() < NOTES_MAX {
            self.courier.notes.push(sentence);
        }
    }
}

const NOTES_MAX: usize = 100;

fn route(path: Path) -> Route {
    match path {
        Path::Direct => Route::Direct,
        Path::Hub => Route::Hub,
        Path::Community => Route::Community,
    }
}
