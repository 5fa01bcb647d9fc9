//! The asking side of a program: drives its outbox, its mailbox, and the catalogues it follows over
//! all peers in reach.
//!
//! The caller holds the store, the clock and the transport. It loads the client from its rows at a
//! start, gives it what happens as [`Input`]s, and does each [`Effect`] in order. Requests may be
//! lost, doubled, answered late or by nobody: the client repeats what it has to.
//!
//! ```
//! use kirana_core::{hash::Hash, id::ShopId, key::KeyId, known_time::KnownNow, mail::Address};
//! use kirana_core::{time::UnixMs, trust::Trust};
//! use kirana_sync::client::{Client, Effect, Input, Settings};
//! use kirana_sync::{outbox::Item, peer::Role, wire::Response};
//!
//! let now = UnixMs::new(1_790_000_000_000);
//! let clock = (now, KnownNow::from(now));
//! let (trust, me, hub) = (Trust::new(), KeyId::of(&[1; 32]), KeyId::of(&[2; 32]));
//! let to = Address::Shop(ShopId::new(now, [1; 10]));
//! let order = Item { id: Hash::of(b"an order"), to, until: now.plus_ms(86_400_000) };
//! let mut client = Client::new(Settings::of([Address::Device(me)]), [order]);
//! let todo = client.handle(clock, &trust, Input::Connected { peer: hub, role: Role::Hub });
//! // The caller seals the order to its recipient, stamps it, sends it, and says what came back.
//! let put = todo.iter().find_map(|effect| match effect {
//!     Effect::Put { id, item, .. } if *item == order.id => Some(*id),
//!     _ => None,
//! });
//! let response = Response::Stored { id: Hash::of(b"the sealed envelope") };
//! let id = put.expect("the hub is in reach");
//! let todo = client.handle(clock, &trust, Input::Response { id, response });
//! assert!(matches!(todo[0], Effect::Reached { .. }));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use kirana_core::{
    availability::SignedAvailability, hash::Hash, id::ShopId, key::KeyId, known_time::KnownNow,
    mail::Address, mail::Mail, terms::SignedTerms, time::UnixMs, trust::Trust,
};
use minicbor::bytes::ByteVec;

use crate::{
    inbox::{self, Inbox},
    outbox::{self, Item, Outbox, Why},
    peer::{Path, Role},
    pull::{Known, Load},
    wire::{Refused, Request, Response},
};

mod catalogue;
mod mail;

use catalogue::Followed;
use mail::Line;

/// How a client behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The addresses whose mail is ours: a device's, or a shop's.
    pub own: BTreeSet<Address>,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u64,
    /// How often mail is looked for while an answer is awaited, in milliseconds.
    pub poll_ms: u64,
    /// How often mail is looked for otherwise, in milliseconds.
    pub idle_poll_ms: u64,
    /// How often the heads of open orders are compared with a shop in reach, in milliseconds.
    pub heads_ms: u64,
    /// How often followed catalogues are looked at, in milliseconds.
    pub catalogue_ms: u64,
    /// Spreads the retries of many devices; any number will do.
    pub seed: u64,
}

impl Settings {
    /// The usual ones, for a program with these addresses.
    pub fn of(own: impl IntoIterator<Item = Address>) -> Self {
        Self {
            own: own.into_iter().collect(),
            timeout_ms: 10_000,
            poll_ms: 500,
            idle_poll_ms: 5_000,
            heads_ms: 10 * 60_000,
            catalogue_ms: 60_000,
            seed: 0,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed: give this at [`Client::wakes_at`], or more often.
    Tick,
    /// A peer is in reach.
    Connected {
        /// Which, by its key as the transport proved it.
        peer: KeyId,
        /// What it is to us.
        role: Role,
    },
    /// A peer is out of reach; its requests under way have failed.
    Disconnected {
        /// Which.
        peer: KeyId,
    },
    /// The answer to a request.
    Response {
        /// Which request.
        id: u64,
        /// The answer.
        response: Response,
    },
    /// A request found no answer.
    Failed {
        /// Which request.
        id: u64,
    },
    /// An item is durable in the caller's outbox rows and shall be sent.
    Queued(Item),
    /// The recipient's own signed answer to an item is durable here.
    Settled {
        /// Which item.
        item: Hash,
    },
    /// A piece of mail, or what it says, is durable here; also when it was of no use.
    MailStored {
        /// Its name.
        id: Hash,
    },
    /// A piece of mail could not be stored: the disk is full.
    MailFailed {
        /// Its name.
        id: Hash,
    },
    /// Look for mail, and compare heads, now.
    Poll,
    /// Follow a shop's catalogue, of which this much is loaded; or look at it now.
    Follow {
        /// Whose.
        shop: ShopId,
        /// How far it is loaded.
        known: Known,
    },
    /// Follow it no longer.
    Unfollow {
        /// Whose.
        shop: ShopId,
    },
    /// The load of an [`Effect::Load`] is durable.
    Loaded {
        /// The head that came with it.
        head: Box<kirana_core::catalogue::head::Head>,
    },
    /// The load of an [`Effect::Load`] failed.
    NotLoaded {
        /// Of which shop.
        shop: ShopId,
    },
    /// Ask something else; the answer comes as [`Effect::Answered`] with the same tag.
    Ask {
        /// Whatever helps the caller to know it again.
        tag: u64,
        /// Whom.
        peer: KeyId,
        /// What.
        request: Request,
    },
}

/// What the caller has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send this request; then say `Response` or `Failed`.
    Request {
        /// Its name.
        id: u64,
        /// To whom.
        peer: KeyId,
        /// What.
        request: Request,
    },
    /// Send a `Hello` with the own certificates and the newest revocation lists.
    Greet {
        /// The name of the request.
        id: u64,
        /// To whom.
        peer: KeyId,
    },
    /// Seal the item to its recipient, stamp it, and send it as a `Put`.
    ///
    /// The same item to the same key should be sealed once and kept, so that relays know it again.
    Put {
        /// The name of the request.
        id: u64,
        /// To whom.
        peer: KeyId,
        /// Which item.
        item: Hash,
        /// For whom it is.
        to: Address,
    },
    /// An item has come as far as this peer: for the screen, nothing more.
    Reached {
        /// Which item.
        item: Hash,
        /// Who stored it.
        peer: KeyId,
        /// The way it took.
        path: Path,
    },
    /// Delete the row of an item.
    Forget {
        /// Which item.
        item: Hash,
        /// Why.
        why: Why,
    },
    /// Store this mail, or act on it, durably; then say `MailStored` or `MailFailed`.
    StoreMail {
        /// Who handed it over.
        peer: KeyId,
        /// The mail.
        mail: Mail,
    },
    /// Check what a peer says about itself and store what is news.
    Welcomed {
        /// Who.
        peer: KeyId,
        /// Its certificates, leaf first.
        certificates: Vec<ByteVec>,
        /// Revocation lists.
        lists: Vec<ByteVec>,
        /// The roster of hubs.
        roster: Option<ByteVec>,
    },
    /// Queue a request for the heads of open orders to this shop, which is in reach.
    CompareHeads {
        /// Which shop.
        shop: ShopId,
    },
    /// Load part of a catalogue; then say `Loaded` or `NotLoaded`.
    Load(Box<Load>),
    /// Store stock snapshots of a shop, if they are news.
    Availability {
        /// Whose.
        shop: ShopId,
        /// The snapshots, with signatures checked.
        snapshots: Vec<SignedAvailability>,
    },
    /// Store the terms of a shop, if they are news.
    Terms {
        /// Whose.
        shop: ShopId,
        /// The terms, with their signature checked.
        terms: Box<SignedTerms>,
    },
    /// A followed catalogue is as new as the peer knows it.
    CatalogueCurrent {
        /// Whose.
        shop: ShopId,
        /// From whom.
        peer: KeyId,
    },
    /// A peer served what no honest peer serves; a line for the log.
    Suspect {
        /// Who.
        peer: KeyId,
        /// What.
        why: &'static str,
    },
    /// The answer to [`Input::Ask`]; `None` when there was none.
    Answered {
        /// As it was given.
        tag: u64,
        /// The answer.
        response: Option<Response>,
    },
}

/// What a request under way is for.
#[derive(Debug, Clone)]
enum Purpose {
    Greet,
    Put { item: Hash },
    List { address: Address },
    Delete { ids: Vec<Hash> },
    Pull { shop: ShopId },
    Ask { tag: u64 },
}

#[derive(Debug, Clone)]
struct Pending {
    peer: KeyId,
    purpose: Purpose,
    until: UnixMs,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Client {
    settings: Settings,
    outbox: Outbox,
    inbox: Inbox,
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
    lines: BTreeMap<KeyId, Line>,
    followed: BTreeMap<ShopId, Followed>,
}

impl Client {
    /// The client after a start: `rows` are all items in the caller's outbox, oldest first.
    pub fn new(settings: Settings, rows: impl IntoIterator<Item = Item>) -> Self {
        Self {
            outbox: Outbox::load(settings.seed, rows),
            settings,
            inbox: Inbox::new(),
            next_id: 1,
            pending: BTreeMap::new(),
            lines: BTreeMap::new(),
            followed: BTreeMap::new(),
        }
    }

    /// What is still to be sent.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The peers in reach.
    pub fn peers(&self) -> impl Iterator<Item = (KeyId, Role)> {
        self.lines.iter().map(|(peer, line)| (*peer, line.role))
    }

    /// Whether nothing is under way: no request, no store, no load.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && !self.inbox.is_storing()
    }

    /// When [`Input::Tick`] is due, if nothing else happens before.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        let pending = self.pending.values().map(|pending| pending.until);
        let lines = self.lines.values().map(|line| line.next_list.min(line.next_heads));
        let in_reach = !self.lines.is_empty();
        let pulls = self.followed.values().filter(|_| in_reach).map(|followed| followed.next);
        self.outbox.wakes_at().into_iter().chain(pending).chain(lines).chain(pulls).min()
    }

    /// Takes one input and says what to do, in order.
    ///
    /// `clock` is the own time, by which waits are counted, and the known time, by which items
    /// expire; `trust` says whose catalogue heads count.
    pub fn handle(
        &mut self,
        clock: (UnixMs, KnownNow),
        trust: &Trust,
        input: Input,
    ) -> Vec<Effect> {
        let (now, known) = clock;
        let mut run = Run { client: self, now, known, trust, effects: Vec::new() };
        run.input(input);
        run.outbox(outbox::Input::Known(known));
        run.time_out();
        run.look_for_mail();
        run.look_at_catalogues();
        run.effects
    }
}

/// One call of [`Client::handle`].
struct Run<'a> {
    client: &'a mut Client,
    now: UnixMs,
    known: KnownNow,
    trust: &'a Trust,
    effects: Vec<Effect>,
}

/// Whether it is time; a moment further ahead than `max` comes from a clock that jumped back.
fn is_due(at: UnixMs, now: UnixMs, max: u64) -> bool {
    at <= now || at > now.plus_ms(max)
}

impl Run<'_> {
    fn input(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Connected { peer, role } => self.connected(peer, role),
            Input::Disconnected { peer } => self.disconnected(peer),
            Input::Response { id, response } => self.response(id, Some(response)),
            Input::Failed { id } => self.response(id, None),
            Input::Queued(item) => self.outbox(outbox::Input::Queued(item)),
            Input::Settled { item } => self.outbox(outbox::Input::Settled { item }),
            Input::MailStored { id } => self.inbox(inbox::Input::Stored { id }),
            Input::MailFailed { id } => {
                self.inbox(inbox::Input::Failed { id });
                self.list_from_the_start();
            }
            Input::Poll => {
                let now = self.now;
                for line in self.client.lines.values_mut() {
                    (line.next_list, line.next_heads) = (now, now);
                }
            }
            Input::Follow { shop, known } => self.follow(shop, known),
            Input::Unfollow { shop } => {
                self.client.followed.remove(&shop);
            }
            Input::Loaded { head } => self.loaded(&head),
            Input::NotLoaded { shop } => self.not_loaded(shop),
            Input::Ask { tag, peer, request } => self.ask(tag, peer, request),
        }
    }

    fn ask(&mut self, tag: u64, peer: KeyId, request: Request) {
        if self.client.lines.contains_key(&peer) {
            self.request(peer, Purpose::Ask { tag }, request);
        } else {
            self.effects.push(Effect::Answered { tag, response: None });
        }
    }

    /// Names a request and remembers what it is for.
    fn pend(&mut self, peer: KeyId, purpose: Purpose) -> u64 {
        let id = self.client.next_id;
        self.client.next_id += 1;
        let until = self.now.plus_ms(self.client.settings.timeout_ms);
        self.client.pending.insert(id, Pending { peer, purpose, until });
        id
    }

    fn request(&mut self, peer: KeyId, purpose: Purpose, request: Request) {
        let id = self.pend(peer, purpose);
        self.effects.push(Effect::Request { id, peer, request });
    }

    fn time_out(&mut self) {
        let (now, max) = (self.now, self.client.settings.timeout_ms);
        let late = self.client.pending.iter().filter(|(_, p)| is_due(p.until, now, max));
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.response(id, None));
    }

    fn connected(&mut self, peer: KeyId, role: Role) {
        if let Some(line) = self.client.lines.get_mut(&peer) {
            line.role = role;
        } else {
            self.client.lines.insert(peer, Line::new(role, self.now));
            let id = self.pend(peer, Purpose::Greet);
            self.effects.push(Effect::Greet { id, peer });
        }
        self.outbox(outbox::Input::Up { peer, role });
        let now = self.now;
        self.client.followed.values_mut().for_each(|followed| followed.came_into_reach(now, role));
    }

    fn disconnected(&mut self, peer: KeyId) {
        let lost = self.client.pending.iter().filter(|(_, pending)| pending.peer == peer);
        let lost: Vec<u64> = lost.map(|(id, _)| *id).collect();
        self.client.lines.remove(&peer);
        self.outbox(outbox::Input::Down { peer });
        self.inbox(inbox::Input::Down { peer });
        lost.into_iter().for_each(|id| self.response(id, None));
    }

    /// Takes the answer to a request under way; any other is late or doubled, and no harm.
    fn response(&mut self, id: u64, response: Option<Response>) {
        let Some(Pending { peer, purpose, .. }) = self.client.pending.remove(&id) else { return };
        match purpose {
            Purpose::Greet => self.greeted(peer, response),
            Purpose::Put { item } => self.put(peer, item, response),
            Purpose::List { address } => self.listed(peer, address, response),
            Purpose::Delete { ids } => self.deleted(peer, ids, response),
            Purpose::Pull { shop } => self.pulled(shop, peer, response),
            Purpose::Ask { tag } => self.effects.push(Effect::Answered { tag, response }),
        }
    }

    fn greeted(&mut self, peer: KeyId, response: Option<Response>) {
        if let Some(line) = self.client.lines.get_mut(&peer) {
            line.greeting = false;
        }
        if let Some(Response::Welcome { certificates, lists, roster }) = response {
            self.effects.push(Effect::Welcomed { peer, certificates, lists, roster });
        }
    }

    fn put(&mut self, peer: KeyId, item: Hash, response: Option<Response>) {
        match response {
            Some(Response::Stored { .. }) => self.outbox(outbox::Input::Stored { item, peer }),
            Some(Response::Refused(refused)) => {
                self.greet_if_asked(peer, &refused);
                let retry_after_ms = wait_asked(&refused);
                self.outbox(outbox::Input::Failed { item, peer, retry_after_ms });
            }
            _ => self.outbox(outbox::Input::Failed { item, peer, retry_after_ms: None }),
        }
    }

    fn outbox(&mut self, input: outbox::Input) {
        for effect in self.client.outbox.handle(self.now, input) {
            match effect {
                outbox::Effect::Send { item, to, peer } => {
                    let id = self.pend(peer, Purpose::Put { item });
                    self.effects.push(Effect::Put { id, peer, item, to });
                }
                outbox::Effect::Reached { item, peer, path } => {
                    self.hurry(peer);
                    self.effects.push(Effect::Reached { item, peer, path });
                }
                outbox::Effect::Forget { item, why } => {
                    self.effects.push(Effect::Forget { item, why });
                }
            }
        }
    }
}

/// How long a refusal asks to wait; one that time alone does not mend is not repeated soon.
fn wait_asked(refused: &Refused) -> Option<u64> {
    if refused.code.is_passing() {
        refused.retry_after_ms
    } else {
        Some(refused.retry_after_ms.unwrap_or(0).max(outbox::SETTLE_MS_MAX))
    }
}

#[cfg(test)]
mod tests;
