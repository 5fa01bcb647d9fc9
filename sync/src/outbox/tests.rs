//! The outbox, told as stories of paths that come and go.

use super::*;
use kirana_core::id::ShopId;
use proptest::prelude::*;

const T0: UnixMs = UnixMs::new(1_790_000_000_000);
const DAY: u64 = 24 * 60 * 60 * 1000;

fn key(n: u8) -> KeyId {
    KeyId::of(&[n; 32])
}

fn shop(n: u8) -> ShopId {
    ShopId::new(T0, [n; 10])
}

fn item(n: u8) -> Item {
    Item { id: Hash::of(&[n]), to: Address::Shop(shop(0)), until: T0.plus_ms(DAY) }
}

/// Peer 0 is the shop itself, 1 and 2 are hubs, 3 is a community hub, 4 is another shop.
fn role(n: u8) -> Role {
    match n {
        0 => Role::Shop(shop(0)),
        1 | 2 => Role::Hub,
        3 => Role::Community,
        _ => Role::Shop(shop(9)),
    }
}

fn up(n: u8) -> Input {
    Input::Up { peer: key(n), role: role(n) }
}

fn sends(effects: &[Effect]) -> Vec<KeyId> {
    let peer = |effect: &Effect| match effect {
        Effect::Send { peer, .. } => Some(*peer),
        _ => None,
    };
    effects.iter().filter_map(peer).collect()
}

/// Lets time pass, in steps of a second, until something is sent.
fn wait(outbox: &mut Outbox, now: &mut UnixMs) -> Vec<KeyId> {
    for _ in 0..7200 {
        *now = now.plus_ms(1000);
        let sent = sends(&outbox.handle(*now, Input::Tick));
        if !sent.is_empty() {
            return sent;
        }
    }
    Vec::new()
}

#[test]
fn p1_a_relays_acknowledgement_does_not_end_the_sending() {
    let mut outbox = Outbox::load(1, [item(1)]);
    let mut now = T0;
    assert_eq!(sends(&outbox.handle(now, up(1))), [key(1)]);
    let stored = outbox.handle(now, Input::Stored { item: item(1).id, peer: key(1) });
    assert_eq!(stored, [Effect::Reached { item: item(1).id, peer: key(1), path: Path::Hub }]);
    assert!(outbox.holds(&item(1).id));
    assert_eq!(wait(&mut outbox, &mut now), [key(1)], "and it is put there again later");
}

#[test]
fn p1_only_the_recipients_intake_settles_an_item() {
    let mut outbox = Outbox::load(1, [item(1)]);
    outbox.handle(T0, up(0));
    outbox.handle(T0, Input::Stored { item: item(1).id, peer: key(0) });
    assert!(outbox.holds(&item(1).id), "even the shop's own acknowledgement is no intake");
    let settled = outbox.handle(T0, Input::Settled { item: item(1).id });
    assert_eq!(settled, [Effect::Forget { item: item(1).id, why: Why::Settled }]);
    assert!(outbox.is_empty());
}

#[test]
fn the_shop_itself_comes_before_a_hub_and_a_hub_before_a_community_hub() {
    for (reachable, first) in [(vec![3, 1, 0], 0), (vec![3, 2], 2), (vec![3, 4], 3)] {
        let mut outbox = Outbox::load(1, []);
        for peer in reachable {
            outbox.handle(T0, up(peer));
        }
        assert_eq!(sends(&outbox.handle(T0, Input::Queued(item(1)))), [key(first)]);
    }
}

#[test]
fn another_shop_is_never_given_the_mail_of_this_one() {
    let mut outbox = Outbox::load(1, [item(1)]);
    assert_eq!(outbox.handle(T0, up(4)), []);
}

#[test]
fn when_the_best_way_fails_the_next_is_taken_at_once() {
    let mut outbox = Outbox::load(1, []);
    for peer in [0, 1, 3] {
        outbox.handle(T0, up(peer));
    }
    outbox.handle(T0, Input::Queued(item(1)));
    let failed = |peer| Input::Failed { item: item(1).id, peer: key(peer), retry_after_ms: None };
    assert_eq!(sends(&outbox.handle(T0, failed(0))), [key(1)]);
    assert_eq!(sends(&outbox.handle(T0, failed(1))), [key(3)]);
    assert_eq!(sends(&outbox.handle(T0, failed(3))), []);
}

#[test]
fn p1_when_no_intake_follows_an_acknowledgement_the_next_way_gets_a_copy_too() {
    let mut outbox = Outbox::load(1, []);
    let mut now = T0;
    for peer in [1, 2, 3] {
        outbox.handle(now, up(peer));
    }
    let mut sent = sends(&outbox.handle(now, Input::Queued(item(1))));
    let mut reached = Vec::new();
    for _ in 0..4 {
        let peer = sent[0];
        reached.push(peer);
        outbox.handle(now, Input::Stored { item: item(1).id, peer });
        sent = wait(&mut outbox, &mut now);
    }
    for peer in [1, 2, 3] {
        assert!(reached.contains(&key(peer)), "{reached:?}");
    }
}

#[test]
fn a_shop_that_comes_into_reach_is_told_at_once_whatever_a_hub_acknowledged() {
    let mut outbox = Outbox::load(1, [item(1)]);
    outbox.handle(T0, up(1));
    outbox.handle(T0, Input::Stored { item: item(1).id, peer: key(1) });
    assert_eq!(sends(&outbox.handle(T0.plus_ms(1), up(0))), [key(0)]);
}

#[test]
fn a_shop_that_comes_back_is_told_again_since_it_may_have_been_restored() {
    let mut outbox = Outbox::load(1, [item(1)]);
    outbox.handle(T0, up(0));
    outbox.handle(T0, Input::Stored { item: item(1).id, peer: key(0) });
    outbox.handle(T0, Input::Down { peer: key(0) });
    assert_eq!(sends(&outbox.handle(T0.plus_ms(5), up(0))), [key(0)]);
}

#[test]
fn waits_grow_to_a_cap_and_a_peer_may_ask_for_longer_ones() {
    let mut outbox = Outbox::load(1, [item(1)]);
    let mut now = T0;
    outbox.handle(now, up(1));
    let mut waits = Vec::new();
    for _ in 0..14 {
        let failed = Input::Failed { item: item(1).id, peer: key(1), retry_after_ms: None };
        outbox.handle(now, failed);
        let wakes = outbox.wakes_at().expect("it will try again");
        waits.push(wakes.since(now));
        now = wakes;
        assert_eq!(sends(&outbox.handle(now, Input::Tick)), [key(1)]);
    }
    assert!(waits[0] <= RETRY_MS && waits[3] > 3 * RETRY_MS, "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= RETRY_MS_MAX), "{waits:?}");
    let asked = Some(RETRY_MS_MAX * 3);
    outbox.handle(now, Input::Failed { item: item(1).id, peer: key(1), retry_after_ms: asked });
    assert_eq!(outbox.wakes_at(), Some(now.plus_ms(RETRY_MS_MAX * 3)));
}

#[test]
fn a_clock_that_jumps_back_a_year_stops_nothing() {
    let mut outbox = Outbox::load(1, [item(1)]);
    outbox.handle(T0, up(1));
    outbox.handle(T0, Input::Failed { item: item(1).id, peer: key(1), retry_after_ms: None });
    let mut earlier = T0.minus_ms(365 * DAY);
    assert_eq!(sends(&outbox.handle(earlier, Input::Tick)), [key(1)]);
    outbox.handle(earlier, Input::Stored { item: item(1).id, peer: key(1) });
    assert_eq!(wait(&mut outbox, &mut earlier), [key(1)]);
}

#[test]
fn only_the_known_time_lets_an_item_expire() {
    let mut outbox = Outbox::load(1, [item(1)]);
    outbox.handle(T0.plus_ms(900 * DAY), Input::Tick);
    assert!(outbox.holds(&item(1).id), "the own clock may be wrong by a year");
    outbox.handle(T0, Input::Known(T0.plus_ms(DAY - 1).into()));
    assert!(outbox.holds(&item(1).id));
    let doubted = KnownNow { at: T0.plus_ms(9 * DAY), expiry_suspended: true };
    outbox.handle(T0, Input::Known(doubted));
    assert!(outbox.holds(&item(1).id));
    let expired = outbox.handle(T0, Input::Known(T0.plus_ms(DAY).into()));
    assert_eq!(expired, [Effect::Forget { item: item(1).id, why: Why::Expired }]);
}

#[test]
fn a_peer_is_not_flooded_and_older_items_go_first() {
    let mut outbox = Outbox::load(1, (0..200).map(item));
    let sent = outbox.handle(T0, up(1));
    let oldest: Vec<Effect> = (0..UNDER_WAY_MAX)
        .map(|n| Effect::Send { item: item(n as u8).id, to: item(0).to, peer: key(1) })
        .collect();
    assert_eq!(sent, oldest);
    let next = outbox.handle(T0, Input::Stored { item: item(0).id, peer: key(1) });
    assert_eq!(sends(&next).len(), 1);
}

#[test]
fn a_full_line_to_the_best_peer_does_not_stop_the_others() {
    let mut outbox = Outbox::load(1, (0..40).map(item));
    outbox.handle(T0, up(0));
    let elsewhere = Item { to: Address::Device(key(77)), ..item(100) };
    outbox.handle(T0, Input::Queued(elsewhere));
    let sent = outbox.handle(T0, up(3));
    assert!(sent.contains(&Effect::Send { item: item(100).id, to: elsewhere.to, peer: key(3) }));
}

#[derive(Debug, Clone)]
enum Step {
    Queue(u8),
    Up(u8),
    Down(u8),
    Answer { stored: bool },
    Late { item: u8, peer: u8, stored: bool },
    Settle(u8),
    Pass { ms: u64 },
    JumpBack,
    Restart,
    Known { after: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..30).prop_map(Step::Queue),
        4 => (0u8..5).prop_map(Step::Up),
        2 => (0u8..5).prop_map(Step::Down),
        8 => any::<bool>().prop_map(|stored| Step::Answer { stored }),
        2 => (0u8..30, 0u8..5, any::<bool>())
            .prop_map(|(item, peer, stored)| Step::Late { item, peer, stored }),
        2 => (0u8..30).prop_map(Step::Settle),
        6 => (0u64..20 * 60_000).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::JumpBack),
        1 => Just(Step::Restart),
        1 => (0..2 * DAY).prop_map(|after| Step::Known { after }),
    ]
}

/// The caller's side: its rows, its clock, and what it was told to send.
struct Caller {
    outbox: Outbox,
    rows: Vec<Item>,
    under_way: Vec<(Hash, KeyId)>,
    now: UnixMs,
    settled: Vec<Hash>,
    known: UnixMs,
}

impl Caller {
    fn new() -> Self {
        let outbox = Outbox::load(3, []);
        let (rows, under_way, settled) = (Vec::new(), Vec::new(), Vec::new());
        Self { outbox, rows, under_way, now: T0, settled, known: T0 }
    }

    fn give(&mut self, input: Input) {
        for effect in self.outbox.handle(self.now, input) {
            match effect {
                Effect::Send { item, peer, .. } => self.under_way.push((item, peer)),
                Effect::Reached { .. } => {}
                Effect::Forget { item, why } => {
                    let row = self.rows.iter().find(|row| row.id == item).expect("a row to forget");
                    match why {
                        Why::Settled => assert!(self.settled.contains(&item)),
                        Why::Expired => assert!(row.until <= self.known),
                    }
                    self.rows.retain(|row| row.id != item);
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Queue(n) => {
                if !self.rows.contains(&item(n)) && !self.settled.contains(&item(n).id) {
                    self.rows.push(item(n));
                }
                if self.rows.contains(&item(n)) {
                    self.give(Input::Queued(item(n)));
                }
            }
            Step::Up(n) => self.give(up(n)),
            Step::Down(n) => {
                self.under_way.retain(|(_, peer)| *peer != key(n));
                self.give(Input::Down { peer: key(n) });
            }
            Step::Answer { stored } => {
                if let Some((item, peer)) = self.under_way.pop() {
                    self.answer(item, peer, stored);
                }
            }
            Step::Late { item: n, peer, stored } => self.answer(item(n).id, key(peer), stored),
            Step::Settle(n) => {
                self.settled.push(item(n).id);
                self.give(Input::Settled { item: item(n).id });
            }
            Step::Pass { ms } => {
                self.now = self.now.plus_ms(ms);
                self.give(Input::Tick);
            }
            Step::JumpBack => self.now = T0.minus_ms(400 * DAY),
            Step::Restart => {
                self.outbox = Outbox::load(3, self.rows.clone());
                self.under_way.clear();
            }
            Step::Known { after } => {
                self.known = self.known.max(T0.plus_ms(after));
                self.give(Input::Known(self.known.into()));
            }
        }
    }

    fn answer(&mut self, item: Hash, peer: KeyId, stored: bool) {
        self.give(if stored {
            Input::Stored { item, peer }
        } else {
            Input::Failed { item, peer, retry_after_ms: None }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p1_an_item_is_never_forgotten_while_unsettled_and_unexpired(steps in proptest::collection::vec(any_step(), 0..120)) {
        let mut caller = Caller::new();
        for step in steps {
            caller.step(step);
            prop_assert_eq!(caller.outbox.len(), caller.rows.len());
            for row in &caller.rows {
                prop_assert!(caller.outbox.holds(&row.id));
            }
        }
        // And each is sent again once its recipient can be reached for a while.
        caller.step(Step::Restart);
        let mut unsent: Vec<Hash> = caller.rows.iter().map(|row| row.id).collect();
        caller.step(Step::Up(0));
        for _ in 0..40 {
            unsent.retain(|id| !caller.under_way.contains(&(*id, key(0))));
            while let Some((item, peer)) = caller.under_way.pop() {
                caller.answer(item, peer, true);
                unsent.retain(|id| !caller.under_way.contains(&(*id, key(0))));
            }
            caller.step(Step::Pass { ms: 1000 });
        }
        prop_assert_eq!(unsent, vec![]);
    }

    #[test]
    fn the_same_inputs_give_the_same_effects(steps in proptest::collection::vec(any_step(), 0..60)) {
        let (mut one, mut other) = (Caller::new(), Caller::new());
        for step in steps {
            one.step(step.clone());
            other.step(step);
            prop_assert_eq!(&one.under_way, &other.under_way);
        }
    }
}
