//! The asking side against peers that answer, stay silent or lie.

use std::collections::VecDeque;

use super::*;
use crate::{
    fixture::{NOW, Shelf, keys, mail, shop, trust},
    wire::Code,
};
use proptest::prelude::*;

/// A peer as the client sees it: keeps mail, and may hold a catalogue.
#[derive(Clone)]
struct Keeper {
    held: BTreeMap<u64, Mail>,
    knows_me: bool,
    asks_for_greeting: bool,
    shelf: Option<Shelf>,
    log: Vec<Request>,
}

impl Keeper {
    fn new() -> Self {
        Self {
            held: BTreeMap::new(),
            knows_me: false,
            asks_for_greeting: false,
            shelf: None,
            log: Vec::new(),
        }
    }

    fn keep(&mut self, mail: Mail) {
        let next = self.held.keys().last().copied().unwrap_or(0) + 1;
        if !self.held.values().any(|held| held.id() == mail.id()) {
            self.held.insert(next, mail);
        }
    }

    fn answer(&mut self, request: Request) -> Response {
        self.log.push(request.clone());
        match request {
            Request::Hello { .. } => {
                self.knows_me = true;
                Response::Welcome { certificates: vec![], lists: vec![], roster: None }
            }
            _ if self.asks_for_greeting && !self.knows_me => {
                Response::refused(Code::HelloFirst, "who are you?")
            }
            Request::Put { mail } => {
                let id = mail.id();
                self.keep(mail);
                Response::Stored { id }
            }
            Request::List { address, after, limit } => {
                let items = self.held.range(after + 1..).filter(|(_, m)| m.to == address);
                Response::mails(items.map(|(n, m)| (*n, m.clone())), limit)
            }
            Request::Delete { ids } => {
                self.held.retain(|_, mail| !ids.contains(&mail.id()));
                Response::Deleted
            }
            other => match &self.shelf {
                Some(shelf) => shelf.answer(&other),
                None => Response::refused(Code::NotFound, "no such thing"),
            },
        }
    }
}

/// A client with its peers, and what it stored and was told.
struct World {
    client: Client,
    trust: Trust,
    now: UnixMs,
    keepers: BTreeMap<KeyId, Keeper>,
    stored: Vec<Mail>,
    told: Vec<Effect>,
    /// What may get lost: decided by these bits, one for each message, when there are any.
    losses: VecDeque<bool>,
    disk_is_full: bool,
}

fn me() -> Address {
    Address::Device(keys(1).id())
}

fn item(n: u8) -> Item {
    let to = Address::Shop(shop(0));
    Item { id: Hash::of(&[n]), to, until: NOW.plus_ms(86_400_000) }
}

fn peer(n: u8) -> KeyId {
    keys(n).id()
}

fn for_me(n: u8) -> Mail {
    mail(&keys(9), me(), &[n; 30], NOW.plus_ms(86_400_000))
}

impl World {
    fn new(rows: impl IntoIterator<Item = Item>) -> Self {
        Self {
            client: Client::new(Settings::of([me()]), rows),
            trust: trust(),
            now: NOW,
            keepers: BTreeMap::new(),
            stored: Vec::new(),
            told: Vec::new(),
            losses: VecDeque::new(),
            disk_is_full: false,
        }
    }

    fn connect(&mut self, n: u8, role: Role) {
        self.keepers.entry(peer(n)).or_insert_with(Keeper::new).knows_me = false;
        self.give(Input::Connected { peer: peer(n), role });
    }

    fn keeper(&mut self, n: u8) -> &mut Keeper {
        self.keepers.get_mut(&peer(n)).expect("a keeper")
    }

    fn is_lost(&mut self) -> bool {
        self.losses.pop_front().unwrap_or(false)
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let clock = (self.now, KnownNow::from(self.now));
            for effect in self.client.handle(clock, &self.trust, input) {
                inputs.extend(self.act(effect));
            }
        }
    }

    fn act(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Request { id, peer, request } => self.ask(id, peer, request),
            Effect::Greet { id, peer } => {
                let request = Request::Hello { certificates: vec![], lists: vec![] };
                self.ask(id, peer, request)
            }
            Effect::Put { id, peer, item, to } => {
                let mail = mail(&keys(1), to, item.as_bytes(), NOW.plus_ms(86_400_000));
                self.ask(id, peer, Request::Put { mail })
            }
            Effect::StoreMail { mail, .. } => {
                let id = mail.id();
                if self.disk_is_full {
                    return Some(Input::MailFailed { id });
                }
                self.stored.push(mail);
                Some(Input::MailStored { id })
            }
            Effect::Load(load) => {
                let head = Box::new(load.head.head().clone());
                self.told.push(Effect::Load(load));
                Some(Input::Loaded { head })
            }
            other => {
                self.told.push(other);
                None
            }
        }
    }

    fn ask(&mut self, id: u64, peer: KeyId, request: Request) -> Option<Input> {
        if self.is_lost() {
            return None;
        }
        let response = self.keepers.get_mut(&peer)?.answer(request);
        (!self.is_lost()).then_some(Input::Response { id, response })
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while self.now < end {
            self.now = self.now.plus_ms(250);
            self.give(Input::Tick);
        }
    }

    fn asked(&mut self, n: u8, name: &str) -> usize {
        self.keeper(n).log.iter().filter(|request| request.name() == name).count()
    }
}

#[test]
fn a_peer_is_greeted_before_its_mail_is_listed() {
    let mut world = World::new([]);
    world.connect(2, Role::Hub);
    world.pass(1000);
    let names: Vec<&str> = world.keeper(2).log.iter().map(Request::name).collect();
    assert_eq!(names[..2], ["hello", "list"]);
    assert!(matches!(world.told[0], Effect::Welcomed { .. }));
}

#[test]
fn p1_an_order_goes_on_being_sent_until_the_shops_own_answer_is_stored() {
    let mut world = World::new([item(1)]);
    world.connect(2, Role::Hub);
    assert_eq!(world.keeper(2).held.len(), 1);
    world.pass(60_000);
    assert!(world.client.outbox().holds(&item(1).id));
    world.give(Input::Settled { item: item(1).id });
    assert!(world.told.contains(&Effect::Forget { item: item(1).id, why: Why::Settled }));
    assert!(world.client.outbox().is_empty());
}

#[test]
fn p7_mail_is_deleted_at_its_keeper_only_after_it_was_stored() {
    let mut world = World::new([]);
    world.connect(2, Role::Hub);
    world.disk_is_full = true;
    world.keeper(2).keep(for_me(1));
    world.pass(30_000);
    assert_eq!(world.keeper(2).held.len(), 1, "nothing was stored, so nothing may go");
    world.disk_is_full = false;
    world.pass(30_000);
    assert_eq!(world.stored, [for_me(1)]);
    assert!(world.keeper(2).held.is_empty());
}

#[test]
fn mail_held_at_two_keepers_is_stored_once_and_deleted_at_both() {
    let mut world = World::new([]);
    for n in [2, 3] {
        world.connect(n, Role::Hub);
        world.keeper(n).keep(for_me(1));
    }
    world.pass(30_000);
    assert_eq!(world.stored, [for_me(1)]);
    assert!(world.keeper(2).held.is_empty() && world.keeper(3).held.is_empty());
}

#[test]
fn more_mail_than_fits_an_answer_comes_in_several() {
    let mut world = World::new([]);
    world.connect(2, Role::Hub);
    (0..100).for_each(|n| world.keeper(2).keep(for_me(n)));
    world.pass(30_000);
    assert_eq!(world.stored.len(), 100);
    assert!(world.keeper(2).held.is_empty());
}

#[test]
fn mail_that_is_for_somebody_else_is_not_even_stored() {
    let mut world = World::new([]);
    world.connect(2, Role::Hub);
    world.pass(1000);
    let other = mail(&keys(9), Address::Device(keys(5).id()), b"x", NOW.plus_ms(9_000));
    let clock = (world.now, KnownNow::from(world.now));
    let effects = world.client.handle(clock, &world.trust, Input::Poll);
    let list = effects.iter().find_map(|effect| match effect {
        Effect::Request { id, request: Request::List { .. }, .. } => Some(*id),
        _ => None,
    });
    let response = Response::Mails { items: vec![(1, other)], more: false };
    world.give(Input::Response { id: list.expect("it lists"), response });
    assert!(world.stored.is_empty());
}

#[test]
fn a_keeper_that_has_forgotten_who_we_are_is_greeted_again() {
    let mut world = World::new([item(1)]);
    world.connect(2, Role::Hub);
    world.keeper(2).asks_for_greeting = true;
    world.keeper(2).knows_me = false;
    world.keeper(2).held.clear();
    world.keeper(2).keep(for_me(1));
    world.pass(60_000);
    assert_eq!(world.stored, [for_me(1)]);
    assert!(world.asked(2, "hello") >= 2);
}

#[test]
fn requests_without_an_answer_are_repeated() {
    let mut world = World::new([item(1)]);
    world.losses = [true; 9].into();
    world.connect(2, Role::Hub);
    world.keeper(2).keep(for_me(1));
    world.pass(120_000);
    assert_eq!(world.keeper(2).held.len(), 1, "the order, while what was for us is gone");
    assert_eq!(world.stored, [for_me(1)]);
}

#[test]
fn an_answer_that_comes_late_or_twice_does_no_harm() {
    let mut world = World::new([item(1)]);
    world.connect(2, Role::Hub);
    for id in 0..50 {
        let response = Response::Stored { id: item(1).id };
        world.give(Input::Response { id, response });
        world.give(Input::Failed { id });
    }
    assert!(world.client.outbox().holds(&item(1).id));
    world.pass(60_000);
    assert!(world.client.outbox().holds(&item(1).id));
}

#[test]
fn heads_are_compared_with_a_shop_in_reach_and_not_with_a_hub() {
    let mut world = World::new([]);
    world.connect(2, Role::Hub);
    world.connect(3, Role::Shop(shop(0)));
    world.pass(25 * 60_000);
    let compared = world.told.iter().filter(|e| matches!(e, Effect::CompareHeads { .. }));
    assert_eq!(compared.count(), 3, "at once, after ten minutes and after twenty");
}

#[test]
fn a_catalogue_is_pulled_from_the_shop_itself_and_kept_up_to_date() {
    let mut world = World::new([]);
    world.give(Input::Follow { shop: shop(0), known: Known::new() });
    world.connect(2, Role::Hub);
    world.connect(3, Role::Shop(shop(0)));
    world.keeper(3).shelf = Some(Shelf::new(0, 1, &[2, 2]));
    world.pass(130_000);
    let loads = |world: &World| {
        world.told.iter().filter(|effect| matches!(effect, Effect::Load(_))).count()
    };
    assert_eq!(loads(&world), 4);
    world.keeper(3).shelf = Some(Shelf::new(0, 1, &[2, 3]));
    world.pass(130_000);
    assert_eq!(loads(&world), 5);
    assert!(world.told.contains(&Effect::CatalogueCurrent { shop: shop(0), peer: peer(3) }));
}

#[test]
fn p3_with_the_shop_out_of_reach_its_catalogue_comes_from_a_hub() {
    let mut world = World::new([]);
    world.give(Input::Follow { shop: shop(0), known: Known::new() });
    world.connect(2, Role::Hub);
    world.connect(3, Role::Community);
    world.keeper(2).shelf = Some(Shelf { box_keys: keys(7), ..Shelf::new(0, 1, &[2]) });
    world.keeper(3).shelf = Some(Shelf::new(0, 1, &[2]));
    world.pass(130_000);
    assert!(
        world.told.iter().any(|e| matches!(e, Effect::Suspect { peer: p, .. } if *p == peer(2)))
    );
    assert!(world.told.contains(&Effect::CatalogueCurrent { shop: shop(0), peer: peer(3) }));
}

#[test]
fn other_questions_are_answered_with_their_tag_or_with_nothing() {
    let mut world = World::new([]);
    let request = Request::Look { shop: shop(0) };
    let ask = |tag, n| Input::Ask { tag, peer: peer(n), request: request.clone() };
    world.give(ask(7, 2));
    assert_eq!(world.told.last(), Some(&Effect::Answered { tag: 7, response: None }));
    world.connect(2, Role::Hub);
    world.give(ask(8, 2));
    let answered = |e: &Effect| matches!(e, Effect::Answered { tag: 8, response: Some(_) });
    assert!(world.told.iter().any(answered));
    world.losses = [true].into();
    world.give(ask(9, 2));
    world.give(Input::Disconnected { peer: peer(2) });
    assert!(world.told.contains(&Effect::Answered { tag: 9, response: None }));
    assert!(world.client.is_idle());
}

#[test]
fn the_client_says_when_it_wants_to_be_woken() {
    let mut world = World::new([item(1)]);
    assert_eq!(world.client.wakes_at(), None, "nobody is in reach");
    world.connect(2, Role::Hub);
    for _ in 0..200 {
        let wakes = world.client.wakes_at().expect("there is something to do");
        assert!(wakes > world.now, "it wakes for nothing");
        world.now = wakes;
        world.give(Input::Tick);
    }
}

#[test]
fn a_clock_that_jumps_back_a_year_stops_nothing() {
    let mut world = World::new([item(1)]);
    world.connect(2, Role::Hub);
    world.now = world.now.minus_ms(365 * 86_400_000);
    world.give(Input::Tick);
    world.keeper(2).keep(for_me(1));
    world.pass(30_000);
    assert_eq!(world.stored, [for_me(1)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn p1_whatever_gets_lost_all_mail_arrives_once_the_network_is_whole(
        losses in proptest::collection::vec(any::<bool>(), 0..120),
        flaps in proptest::collection::vec(2u8..5, 0..20),
    ) {
        let mut world = World::new((0..4).map(item));
        let roles = [(2, Role::Hub), (3, Role::Community), (4, Role::Shop(shop(0)))];
        for (n, role) in roles {
            world.connect(n, role);
            (0..6).for_each(|m| world.keeper(n).keep(for_me(m)));
        }
        world.losses = losses.into();
        for n in flaps {
            world.give(Input::Disconnected { peer: peer(n) });
            world.pass(500);
            world.connect(n, roles[usize::from(n) - 2].1);
        }
        world.losses.clear();
        world.pass(200_000);
        for n in 2..5 {
            prop_assert!(world.keeper(n).held.values().all(|mail| mail.to != me()));
        }
        let mut names: Vec<Hash> = world.stored.iter().map(Mail::id).collect();
        names.sort();
        names.dedup();
        prop_assert_eq!(names.len(), 6);
        let at_the_shop = world.keeper(4).held.len();
        prop_assert_eq!(at_the_shop, 4);
        prop_assert!((0..4).all(|n| world.client.outbox().holds(&item(n).id)));
    }
}
