//! The directory of a running hub, as shops publish in it and households look in it.

use kirana_core::{
    key::KeyPair,
    record::ShopRecord,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::clock;
use kirana_sync::wire::{Code, Request, Response};

use crate::{
    clock::fresh,
    door::{account, keys},
    program::{Running, send},
    street::{Caller, PATIENCE, Shop, pair, refusal},
};

/// A hub, a shop that it vouches for, and that shop's box and a stranger in touch with the hub.
struct Street {
    hub: Running,
    shop: Shop,
    now: UnixMs,
    counter: Caller,
    passer_by: Caller,
}

impl Street {
    async fn new() -> Self {
        let (data, key): (_, KeyPair) = fresh().await;
        let hub = Running::start_in(data, &["--auto-approve"]);
        let now = clock::now();
        let shop = Shop::new(20, &key.signing, now);
        let counter = Caller::reaching(&shop.node, &[&hub]).await;
        let passer_by = Caller::reaching(&pair(3), &[&hub]).await;
        Self { hub, shop, now, counter, passer_by }
    }

    fn said(&self, number: u64) -> ShopRecord {
        self.shop.said(number, vec![], self.now)
    }

    async fn publish(&self, record: &[u8]) -> Response {
        let request = Request::Publish { record: record.to_vec().into() };
        self.counter.ask(&self.hub, request).await
    }

    async fn looked(&self) -> Vec<Vec<u8>> {
        records(self.passer_by.ask(&self.hub, Request::Look { shop: self.shop.id }).await)
    }
}

fn records(answer: Response) -> Vec<Vec<u8>> {
    match answer {
        Response::Records { records } => records.into_iter().map(Vec::from).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_published_its_record_is_found_by_name_and_by_place() {
    let street = Street::new().await;
    let record = street.shop.signed(&street.said(1));
    assert_eq!(street.looked().await, Vec::<Vec<u8>>::new());
    assert_eq!(street.publish(&record).await, Response::Published);
    assert_eq!(street.looked().await, std::slice::from_ref(&record));
    let cell = street.said(1).cell().expect("a place").to_string();
    for (cell, found) in [(cell.as_str(), 1), (&cell[..3], 1), ("u09tv", 0)] {
        let find = Request::Find { cells: vec![cell.to_owned()] };
        let answer = records(street.passer_by.ask(&street.hub, find).await);
        assert_eq!(answer.len(), found, "{cell}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_forged_ended_and_overtaken_records_change_nothing() {
    let street = Street::new().await;
    let newest = street.shop.signed(&street.said(5));
    assert_eq!(street.publish(&newest).await, Response::Published);
    let thief = pair(60);
    let forged = street.said(9).sign(&thief.signing, street.shop.chain.clone()).expect("signed");
    let ended = ShopRecord { until: street.now.minus_ms(1), ..street.said(9) };
    let endless = ShopRecord { until: street.now.plus_ms(90 * DAY_MS), ..street.said(9) };
    let renamed = ShopRecord { name: "Somebody else's".to_owned(), ..street.said(5) };
    let mut flipped = street.shop.signed(&street.said(9));
    *flipped.last_mut().expect("bytes") ^= 1;
    let cases = [
        ("forged", forged, Code::NotCertified),
        ("changed on the way", flipped, Code::NotCertified),
        ("ended", street.shop.signed(&ended), Code::NotCertified),
        ("endless", street.shop.signed(&endless), Code::NotCertified),
        ("older", street.shop.signed(&street.said(4)), Code::Older),
        ("another with the same number", street.shop.signed(&renamed), Code::Older),
    ];
    for (what, record, code) in cases {
        assert_eq!(refusal(street.publish(&record).await), code, "{what}");
        assert_eq!(street.looked().await, std::slice::from_ref(&newest), "{what}");
    }
    assert_eq!(street.publish(&newest).await, Response::Published, "again is no harm");
    let newer = street.shop.signed(&street.said(6));
    assert_eq!(street.publish(&newer).await, Response::Published);
    assert_eq!(street.looked().await, [newer]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_published_in_a_village_is_found_in_town() {
    let street = Street::new().await;
    let url = street.hub.url.clone();
    let village = Running::start(&["--role", "community", "--trust-roster", &url]);
    let counter = Caller::reaching(&pair(30), &[&village]).await;
    let record = street.shop.signed(&street.said(1));
    let publish = Request::Publish { record: record.clone().into() };
    assert_eq!(counter.ask(&village, publish).await, Response::Published);
    let found = async { while street.looked().await != [record.clone()] {} };
    tokio::time::timeout(PATIENCE, found).await.expect("it travels to the hub of the roster");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_says_that_it_closes_down_is_shown_so_until_it_opens_again() {
    let street = Street::new().await;
    let hub = &street.hub;
    let (token, account) = account(hub, "asha").await;
    let shop = street.shop.id;
    let body = serde_json::json!({
        "id": shop.to_string(), "name": "Asha Stores", "place": "12.9716,77.5946",
        "opens": "Mo-Su 00:00-24:00", "owner": keys(&pair(20), account, Some(shop)),
    });
    let (status, answer) = send(hub.post("/v1/shops", &body).bearer_auth(&token)).await;
    assert_eq!(status.as_u16(), 201, "{answer}");
    let seen = async || {
        let (_, seen) = send(hub.get(&format!("/v1/shops/{shop}"))).await;
        let (_, open) = send(hub.get("/v1/shops?open=true")).await;
        let (_, all) = send(hub.get("/v1/shops")).await;
        assert_eq!(all["items"][0]["closing_since"], seen["closing_since"], "{all}");
        let is_listed = open["items"].as_array().is_some_and(|items| !items.is_empty());
        (seen["closing_since"].is_string(), seen["open_now"].as_bool(), is_listed)
    };
    for (number, closing) in [(1, false), (2, true), (3, false)] {
        let closing_since = closing.then_some(street.now);
        let record = ShopRecord { closing_since, ..street.said(number) };
        assert_eq!(street.publish(&street.shop.signed(&record)).await, Response::Published);
        assert_eq!(seen().await, (closing, Some(!closing), !closing), "record {number}");
    }
}
