//! What honest nodes ask each other.

use std::{sync::Arc, time::Duration};

use kirana_core::{id::ShopId, key::SigningKey, time::UnixMs};
use kirana_sync::{
    driver::{Config, Event, Node, RequestError, SpawnError, peer_id, public_key, with_peer},
    wire::{Request, Response},
};

use crate::neighbours::{Echo, PATIENCE, asking, introduce, listening, loopback, ping, spawn};

#[test]
fn a_key_and_a_peer_id_name_each_other() {
    for seed in 0..20 {
        let key = SigningKey::from_seed([seed; 32]).public();
        assert_eq!(public_key(&peer_id(&key).expect("a key")), Some(key));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_and_the_handler_knows_who_asked() {
    let (hub, device) = (listening(1).await, asking(2).await);
    introduce(&device, &hub).await;
    let (request, response) = ping(1);
    assert_eq!(device.request(&hub.key(), request, PATIENCE).await, Ok(response));
    let look = Request::Look { shop: ShopId::new(UnixMs::new(1), [1; 10]) };
    let answer = device.request(&hub.key(), look, PATIENCE).await.expect("answered");
    let Response::Refused(refused) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.reason, SigningKey::from_seed([2; 32]).public().to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listening_node_names_its_addresses_with_its_own_name_at_the_end() {
    let hub = listening(3).await;
    let addresses = hub.addresses();
    assert_eq!(addresses.len(), 1);
    assert_eq!(with_peer(&addresses[0], &hub.key()), addresses[0]);
    assert!(addresses[0].to_string().starts_with("/ip4/127.0.0.1/tcp/"));
    assert!(!addresses[0].to_string().contains("/tcp/0/"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_without_a_name_says_who_answers_there() {
    let (hub, device) = (listening(4).await, asking(5).await);
    let named = hub.addresses().remove(0);
    let nameless = named.iter().take(2).collect();
    assert_eq!(device.dial(nameless, PATIENCE).await, Ok(hub.key()));
    let (request, response) = ping(1);
    assert_eq!(device.request(&hub.key(), request, PATIENCE).await, Ok(response));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_requests_at_once_are_each_given_their_own_answer() {
    let (hub, device) = (listening(6).await, asking(7).await);
    introduce(&device, &hub).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..300 {
        let (device, key) = (device.clone(), hub.key());
        asked.spawn(async move {
            let (request, response) = ping(n);
            assert_eq!(device.request(&key, request, PATIENCE).await, Ok(response));
        });
    }
    while let Some(done) = asked.join_next().await {
        done.expect("answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_devices_at_once_are_answered() {
    let hub = listening(8).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (address, key) = (hub.addresses(), hub.key());
        asked.spawn(async move {
            let device = asking(100 + n).await;
            device.know(&key, address).await.expect("it runs");
            for m in 0..5 {
                let (request, response) = ping(m);
                assert_eq!(device.request(&key, request, PATIENCE).await, Ok(response));
            }
        });
    }
    while let Some(done) = asked.join_next().await {
        done.expect("answered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_stops_while_it_is_asked_gives_an_error_and_not_silence() {
    let (hub, device) = (listening(9).await, asking(10).await);
    introduce(&device, &hub).await;
    let never = Request::Find { cells: vec!["tdr1".to_owned()] };
    let key = hub.key();
    let asked = tokio::spawn({
        let device = device.clone();
        async move { device.request(&key, never, PATIENCE).await }
    });
    let mut events = device.events();
    device.connect(&key, PATIENCE).await.expect("there");
    let (request, _) = ping(1);
    device.request(&key, request, PATIENCE).await.expect("answered");
    hub.shutdown().await;
    let failed = asked.await.expect("no panic").expect_err("nobody answers");
    let known = matches!(failed, RequestError::Broken(_) | RequestError::Unreachable(_));
    assert!(known, "{failed:?}");
    while events.recv().await != Ok(Event::Disconnected { peer: key }) {}
    let (request, _) = ping(2);
    let failed = device.request(&key, request, PATIENCE).await.expect_err("nobody is there");
    assert!(matches!(failed, RequestError::Unreachable(_)), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_comes_back_at_its_address_is_reached_again() {
    let (hub, device) = (listening(11).await, asking(12).await);
    introduce(&device, &hub).await;
    let (request, response) = ping(1);
    assert_eq!(device.request(&hub.key(), request, PATIENCE).await, Ok(response));
    let address = hub.addresses().remove(0).iter().take(2).collect();
    hub.shutdown().await;
    let (request, _) = ping(2);
    device.request(&hub.key(), request, PATIENCE).await.expect_err("it is down");
    let again = spawn(Config::new([11; 32]).listening_on(address)).await;
    let (request, response) = ping(3);
    assert_eq!(device.request(&again.key(), request, PATIENCE).await, Ok(response));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_which_no_address_is_known_is_an_error_at_once() {
    let device = asking(13).await;
    let nobody = SigningKey::from_seed([99; 32]).public();
    let (request, _) = ping(1);
    let failed = device.request(&nobody, request, PATIENCE).await;
    assert!(matches!(failed, Err(RequestError::NoAddress(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_somebody_else_at_a_known_address_is_refused() {
    let (hub, device) = (listening(14).await, asking(15).await);
    let expected = SigningKey::from_seed([98; 32]).public();
    let address = hub.addresses().remove(0).iter().take(2).collect();
    device.know(&expected, vec![address]).await.expect("it runs");
    let (request, _) = ping(1);
    let failed = device.request(&expected, request, PATIENCE).await;
    assert!(matches!(failed, Err(RequestError::WrongPeer(_))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_in_time_is_an_error() {
    let (hub, device) = (listening(16).await, asking(17).await);
    introduce(&device, &hub).await;
    let never = Request::Find { cells: vec![] };
    let failed = device.request(&hub.key(), never, Duration::from_millis(300)).await;
    assert_eq!(failed, Err(RequestError::TimedOut));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_said_so() {
    let hub = listening(18).await;
    let taken = hub.addresses().remove(0).iter().take(2).collect();
    let second = Node::spawn(Config::new([19; 32]).listening_on(taken), Arc::new(Echo)).await;
    let Err(error) = second else { panic!("two nodes on one port") };
    assert!(matches!(error, SpawnError::Listen { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_listens_on_all_of_its_addresses() {
    let config = Config::new([20; 32]).listening_on(loopback()).listening_on(loopback());
    assert_eq!(spawn(config).await.addresses().len(), 2);
}
