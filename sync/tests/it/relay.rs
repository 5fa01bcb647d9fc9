//! Two nodes that know only a relay.

use kirana_sync::{
    driver::{Config, Event, RelayLimits, RequestError, circuit},
    wire::{Request, Response},
};

use crate::neighbours::{PATIENCE, asking, listening, loopback, ping, spawn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_through_a_relay_to_a_peer_that_listens_nowhere() {
    let relay = Config::new([40; 32]).listening_on(loopback()).relaying(RelayLimits::default());
    let (relay, shop, device) = (spawn(relay).await, asking(41).await, asking(42).await);
    let at = relay.addresses().remove(0);
    let place = shop.reserve(at.clone(), PATIENCE).await.expect("the relay keeps a place");
    assert_eq!(place, circuit(&at, &shop.key()));
    device.know(&shop.key(), vec![place]).await.expect("it runs");
    let (request, response) = ping(1);
    assert_eq!(device.request(&shop.key(), request, PATIENCE).await, Ok(response));
    // More than libp2p's own limit of 128 KiB goes through one circuit.
    for _ in 0..4 {
        let request = Request::Publish { record: vec![1; 8000].into() };
        let answer = device.request(&shop.key(), request, PATIENCE).await;
        assert!(matches!(answer, Ok(Response::Records { records }) if records.len() == 25));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circuit_that_reaches_its_limit_is_an_error_and_not_a_short_answer() {
    let limits = RelayLimits { circuit_bytes: 100 * 1024, ..RelayLimits::default() };
    let relay = Config::new([43; 32]).listening_on(loopback()).relaying(limits);
    let (relay, shop, device) = (spawn(relay).await, asking(44).await, asking(45).await);
    let place = shop.reserve(relay.addresses().remove(0), PATIENCE).await.expect("a place");
    device.know(&shop.key(), vec![place]).await.expect("it runs");
    let request = Request::Publish { record: vec![1; 8000].into() };
    let failed = device.request(&shop.key(), request, PATIENCE).await;
    assert!(matches!(failed, Err(RequestError::Broken(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_relays_for_nobody_refuses_to_keep_a_place() {
    let (hub, shop) = (listening(46).await, asking(47).await);
    let refused = shop.reserve(hub.addresses().remove(0), PATIENCE).await;
    assert!(matches!(refused, Err(RequestError::Unreachable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_is_told_when_its_relay_is_gone() {
    let relay = Config::new([48; 32]).listening_on(loopback()).relaying(RelayLimits::default());
    let (relay, shop) = (spawn(relay).await, asking(49).await);
    let mut events = shop.events();
    shop.reserve(relay.addresses().remove(0), PATIENCE).await.expect("a place");
    let key = relay.key();
    relay.shutdown().await;
    let gone = Event::Unreserved { relay: key };
    let told =
        tokio::time::timeout(PATIENCE, async { while events.recv().await != Ok(gone.clone()) {} });
    told.await.expect("it is told");
}
