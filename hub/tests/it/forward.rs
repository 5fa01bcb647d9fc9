//! Mail that goes through two hubs: over real processes, and refused where it should be.

use futures::executor::block_on;
use kirana_core::{
    certificate::{HubRole, Standing},
    key::KeyPair,
    mail::{Address, Mail},
    record::HubContact,
    stamp,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::{app::Hub, clock};
use kirana_sync::{
    forward::Way,
    wire::{Code, Request, Response},
};

use crate::{
    clock::fresh,
    program::Running,
    relay::{NOW, device_at, hub, list, listed, memory},
    street::{Caller, PATIENCE, Shop, certified, contact, pair, refusal},
};

/// A central hub with its key, and a community hub that it certified.
async fn two_hubs() -> (Running, KeyPair, Running) {
    let (data, key) = fresh().await;
    let central = Running::start_in(data, &["--auto-approve"]);
    let village = community(&central);
    (central, key, village)
}

fn community(central: &Running) -> Running {
    Running::start(&["--role", "community", "--trust-roster", &central.url])
}

/// A household's order for a shop.
fn order(central: &KeyPair, n: u8, shop: &Shop, until: UnixMs, at: UnixMs) -> Mail {
    let device = pair(n);
    let account = kirana_core::id::AccountId::new(at, [n; 10]);
    let standing = Standing::Device { account, hosted: false };
    let chain = vec![certified(&central.signing, &device, standing, at)];
    stamp::post(&device.signing, chain, Address::Shop(shop.id), until, b"an order".to_vec())
}

async fn round_trip(central: &KeyPair, shop: &Shop, at_shop: &Running, at_home: &Running) {
    let now = clock::now();
    let counter = Caller::reaching(&shop.node, &[at_shop]).await;
    assert!(matches!(counter.ask(at_shop, shop.hello()).await, Response::Welcome { .. }));
    let record = shop.record(now.get(), vec![contact(at_shop)], now);
    assert_eq!(counter.ask(at_shop, record).await, Response::Published);
    let mail = order(central, 2, shop, now.plus_ms(DAY_MS), now);
    let home = Caller::reaching(&pair(2), &[at_home]).await;
    let stored = home.ask(at_home, Request::Put { mail: mail.clone() }).await;
    assert_eq!(stored, Response::Stored { id: mail.id() });
    assert_eq!(counter.mail(at_shop, shop.list()).await, [mail]);
    let answer = shop.mail_to(&pair(2), now);
    counter.ask(at_shop, Request::Put { mail: answer.clone() }).await;
    assert_eq!(home.mail(at_home, list(&pair(2))).await, [answer]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_an_order_left_at_a_village_hub_reaches_the_shop_at_the_town_hub_and_is_answered() {
    let (central, key, village) = two_hubs().await;
    let shop = Shop::new(20, &key.signing, clock::now());
    round_trip(&key, &shop, &central, &village).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_an_order_goes_from_one_village_to_another_that_only_the_town_hub_knows() {
    let (central, key, village) = two_hubs().await;
    let other = community(&central);
    let shop = Shop::new(20, &key.signing, clock::now());
    round_trip(&key, &shop, &other, &village).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_mail_for_a_hub_that_is_down_is_passed_on_when_it_is_back() {
    let (central, key, village) = two_hubs().await;
    let now = clock::now();
    let shop = Shop::new(20, &key.signing, now);
    let home = Caller::reaching(&pair(2), &[&village]).await;
    let counter = Caller::reaching(&shop.node, &[&central, &village]).await;
    let record = shop.record(now.get(), vec![contact(&central)], now);
    for hub in [&central, &village] {
        assert_eq!(counter.ask(hub, record.clone()).await, Response::Published);
    }
    let at = central.p2p.split("/p2p/").next().expect("an address").to_owned();
    let data = central.stop();
    let mail = order(&key, 2, &shop, now.plus_ms(DAY_MS), now);
    home.ask(&village, Request::Put { mail: mail.clone() }).await;
    let central = Running::start_in(data, &["--auto-approve", "--p2p", &at]);
    counter.ask(&central, shop.hello()).await;
    assert_eq!(counter.mail(&central, shop.list()).await, [mail]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_does_not_go_round_when_two_hubs_each_think_that_it_is_read_at_the_other() {
    let (central, key, village) = two_hubs().await;
    let now = clock::now();
    let shop = Shop::new(20, &key.signing, now);
    let counter = Caller::reaching(&shop.node, &[&central, &village]).await;
    let at_central = shop.record(now.get(), vec![contact(&central)], now);
    let at_village = shop.record(now.get() + 1, vec![contact(&village)], now);
    assert_eq!(counter.ask(&central, at_village).await, Response::Published);
    assert_eq!(counter.ask(&village, at_central).await, Response::Published);
    let mail = order(&key, 2, &shop, now.plus_ms(DAY_MS), now);
    let home = Caller::reaching(&pair(2), &[&village]).await;
    home.ask(&village, Request::Put { mail: mail.clone() }).await;
    // The town hub refuses it, tells the newer record, and the mail stays where it is fetched.
    let look = Request::Look { shop: shop.id };
    let newest = counter.ask(&central, look.clone()).await;
    let told = async { while counter.ask(&village, look.clone()).await != newest {} };
    tokio::time::timeout(PATIENCE, told).await.expect("the village hub learns it");
    for hub in [&central, &village] {
        counter.ask(hub, shop.hello()).await;
    }
    assert_eq!(listed(counter.ask(&central, shop.list()).await), []);
    assert_eq!(listed(counter.ask(&village, shop.list()).await), [mail]);
}

// What the second hub looks at, without a network.

fn ask(hub: &Hub, peer: &KeyPair, request: Request, now: UnixMs) -> Response {
    block_on(hub.answer(&peer.signing.public(), request, now))
}

/// A hub that keeps the shop's mail and has met the community hub with the keys `pair(9)`.
fn second_hub() -> (Hub, Shop) {
    let hub = hub(memory());
    let shop = Shop::new(20, &hub.keys().signing, NOW);
    let own = HubContact { key: hub.keys().signing.public(), addresses: vec![] };
    let published = ask(&hub, &shop.node, shop.record(1, vec![own], NOW), NOW);
    assert_eq!(published, Response::Published);
    let role = Standing::Hub { role: HubRole::Community };
    let certificates = vec![certified(&hub.keys().signing, &pair(9), role, NOW)];
    let hello = Request::Hello { certificates, lists: vec![] };
    assert!(matches!(ask(&hub, &pair(9), hello, NOW), Response::Welcome { .. }));
    (hub, shop)
}

fn forward(mail: &Mail) -> Request {
    Request::Forward { mail: mail.clone(), hops: 1 }
}

#[test]
fn p6_only_a_certified_hub_hands_mail_of_others_on() {
    let (hub, shop) = second_hub();
    let mail = order(hub.keys(), 2, &shop, NOW.plus_ms(DAY_MS), NOW);
    assert_eq!(refusal(ask(&hub, &pair(8), forward(&mail), NOW)), Code::HelloFirst);
    let (device, chain) = device_at(&hub, 2, NOW);
    ask(&hub, &device, Request::Hello { certificates: chain, lists: vec![] }, NOW);
    assert_eq!(refusal(ask(&hub, &device, forward(&mail), NOW)), Code::NotYours);
    let stored = ask(&hub, &pair(9), forward(&mail), NOW);
    assert_eq!(stored, Response::Stored { id: mail.id() });
}

#[test]
fn p6_the_second_hub_checks_stamp_deadline_and_shop_by_itself() {
    let (hub, shop) = second_hub();
    let mail = order(hub.keys(), 2, &shop, NOW.plus_ms(DAY_MS), NOW);
    let past = NOW.plus_ms(DAY_MS);
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&mail), past)), Code::NotHere, "the lease");
    ask(
        &hub,
        &shop.node,
        shop.record(
            2,
            vec![HubContact { key: hub.keys().signing.public(), addresses: vec![] }],
            past,
        ),
        past,
    );
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&mail), past)), Code::Expired);
    let changed = Mail { sealed: b"another order".to_vec(), ..mail.clone() };
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&changed), NOW)), Code::Malformed);
    let stranger = order(&pair(77), 3, &shop, NOW.plus_ms(DAY_MS), NOW);
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&stranger), NOW)), Code::NotCertified);
    let elsewhere = Shop::new(30, &hub.keys().signing, NOW);
    let lost = order(hub.keys(), 2, &elsewhere, NOW.plus_ms(DAY_MS), NOW);
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&lost), NOW)), Code::NotHere);
}

#[test]
fn mail_that_a_hub_handed_over_is_handed_on_to_nobody() {
    let (hub, shop) = second_hub();
    let mail = order(hub.keys(), 2, &shop, NOW.plus_ms(DAY_MS), NOW);
    for hops in [0, 2, 255] {
        let far = Request::Forward { mail: mail.clone(), hops };
        assert_eq!(refusal(ask(&hub, &pair(9), far, NOW)), Code::Malformed, "{hops}");
    }
    ask(&hub, &pair(9), forward(&mail), NOW);
    // Even where the shop moves on to another hub.
    let moved = HubContact { key: pair(40).signing.public(), addresses: vec![] };
    ask(&hub, &shop.node, shop.record(2, vec![moved], NOW), NOW);
    let to_pass = || block_on(hub.to_pass(NOW)).expect("read").ways;
    assert_eq!(to_pass(), [].into());
    // Its sender may bring it, and then it goes on.
    ask(&hub, &pair(2), Request::Put { mail }, NOW);
    let way = Way::To(vec![pair(40).id()]);
    assert_eq!(to_pass(), [(Address::Shop(shop.id), way)].into());
}

#[test]
fn p6_a_senders_quota_holds_at_the_second_hop_and_spare_copies_make_room() {
    let (hub, shop) = second_hub();
    let (device, chain) = device_at(&hub, 2, NOW);
    let post = |n: u32| {
        let (to, until) = (Address::Shop(shop.id), NOW.plus_ms(DAY_MS));
        stamp::post(&device.signing, chain.clone(), to, until, n.to_be_bytes().to_vec())
    };
    let most = u32::try_from(kirana_sync::mailbox::Limits::default().sender_pieces).expect("few");
    for n in 0..most {
        let mail = post(n);
        let stored = ask(&hub, &pair(9), forward(&mail), NOW);
        assert_eq!(stored, Response::Stored { id: mail.id() });
    }
    let more = post(most);
    assert_eq!(refusal(ask(&hub, &pair(9), forward(&more), NOW)), Code::Quota);
    let spare = post(0);
    block_on(hub.passed_on(spare.to, spare.id(), None, NOW)).expect("noted");
    assert_eq!(ask(&hub, &pair(9), forward(&more), NOW), Response::Stored { id: more.id() });
}

#[test]
fn an_answer_follows_the_device_to_the_hub_where_it_was_heard_last() {
    let (hub, shop) = second_hub();
    let mail = order(hub.keys(), 2, &shop, NOW.plus_ms(DAY_MS), NOW);
    ask(&hub, &pair(9), forward(&mail), NOW);
    let answer = shop.mail_to(&pair(2), NOW);
    ask(&hub, &shop.node, Request::Put { mail: answer.clone() }, NOW);
    let to_pass = || block_on(hub.to_pass(NOW)).expect("read").ways;
    let to = Address::Device(pair(2).id());
    assert_eq!(to_pass(), [(to, Way::To(vec![pair(9).id()]))].into());
    // It comes here itself: its mail stays.
    assert_eq!(listed(ask(&hub, &pair(2), list(&pair(2)), NOW)), std::slice::from_ref(&answer));
    assert_eq!(to_pass(), [].into());
    ask(&hub, &pair(9), forward(&mail), NOW);
    assert_eq!(to_pass(), [(to, Way::To(vec![pair(9).id()]))].into());
    block_on(hub.passed_on(to, answer.id(), None, NOW)).expect("noted");
    assert_eq!(to_pass(), [].into());
    assert_eq!(listed(ask(&hub, &pair(2), list(&pair(2)), NOW)), [answer], "a spare copy stays");
}
