//! Meets shops and carriers for the first time: at an address, at a shop's page, or by somebody
//! who knows them.

use std::{collections::BTreeMap, time::Duration};

use kirana_core::{
    certificate::{Certificate, HubRole, Standing, UnverifiedCertificate},
    geohash::{Cell, Place},
    id::ShopId,
    key::PublicKey,
    record::{CELL_LEN, SignedRecord},
    time::UnixMs,
};
use kirana_sync::{
    driver::{Multiaddr, NodeHandle, with_peer},
    wire::{Request, Response},
};
use minicbor::bytes::ByteVec;
use serde::Serialize;

use super::{ANSWER_MS, DIAL_MS, NetError, sign_in};
use crate::app::{Household, carriers::Carrier, shop::Introduced};

/// What somebody says about itself when greeted.
struct Greeting {
    address: Multiaddr,
    certificates: Vec<ByteVec>,
}

/// Finds out about a shop at its address or its page; its name is empty where it does not say.
///
/// # Errors
/// [`NetError`] when nobody answers, or not a shop.
pub async fn shop(
    household: &Household,
    target: &str,
    now: UnixMs,
) -> Result<Introduced, NetError> {
    let node = super::start(household.keys()).await?;
    let met = if let Ok(id) = target.parse() {
        by_id(household, &node, id, now).await
    } else if target.starts_with('/') {
        at_address(household, &node, target).await
    } else if target.starts_with("http://") || target.starts_with("https://") {
        at_page(household, &node, target).await
    } else {
        Err(NetError::NotAnAddress(target.to_owned()))
    };
    node.shutdown().await;
    met
}

async fn at_address(
    household: &Household,
    node: &NodeHandle,
    address: &str,
) -> Result<Introduced, NetError> {
    let greeting = greet(household, node, address).await?;
    let leaf = leaf(&greeting.certificates);
    if !matches!(leaf.map(|leaf| leaf.standing), Some(Standing::Node { .. })) {
        return Err(NetError::NotThat { address: address.to_owned(), wanted: "a shop" });
    }
    Ok(Introduced {
        name: String::new(),
        addresses: vec![greeting.address.to_string()],
        hubs: Vec::new(),
        certificates: greeting.certificates,
    })
}

/// Looks a shop up with whoever is in reach and keeps records.
async fn by_id(
    household: &Household,
    node: &NodeHandle,
    id: ShopId,
    now: UnixMs,
) -> Result<Introduced, NetError> {
    let records = records(household, node, &Request::Look { shop: id }, now).await;
    // Of two the one of the higher generation, then of the higher number, is the newer.
    let newest = records.into_iter().filter(|found| found.record().shop == id);
    let newest = newest.max_by_key(SignedRecord::rank).ok_or(NetError::Unknown)?;
    let record = newest.record();
    let hubs = record.hubs.iter().flat_map(|hub| &hub.addresses).cloned();
    Ok(Introduced {
        name: record.name.clone(),
        addresses: record.addresses.clone(),
        hubs: hubs.collect(),
        certificates: newest.certificates().to_vec(),
    })
}

/// A shop in the neighbourhood.
#[derive(Debug, Serialize)]
pub struct Neighbour {
    /// Which shop.
    pub id: ShopId,
    /// What it is called.
    pub name: String,
    /// How far away, in metres.
    pub distance_m: u32,
}

/// The shops around a place, nearest first.
///
/// # Errors
/// [`NetError`] when the network cannot be started.
pub async fn around(
    household: &Household,
    place: Place,
    now: UnixMs,
) -> Result<Vec<Neighbour>, NetError> {
    let node = super::start(household.keys()).await?;
    let cell = Cell::of(place, CELL_LEN);
    let cells = std::iter::once(cell).chain(cell.neighbours());
    let request = Request::Find { cells: cells.map(|cell| cell.to_string()).collect() };
    let records = records(household, &node, &request, now).await;
    node.shutdown().await;
    let mut found = BTreeMap::new();
    for record in records.iter().map(SignedRecord::record) {
        let Some(at) = record.place else { continue };
        let (id, name) = (record.shop, record.name.clone());
        found.insert(id, Neighbour { id, name, distance_m: place.distance_m(at) });
    }
    let mut found: Vec<Neighbour> = found.into_values().collect();
    found.sort_by_key(|shop| shop.distance_m);
    Ok(found)
}

/// Asks everybody in reach who keeps records; what is not signed as it should be is left out.
async fn records(
    household: &Household,
    node: &NodeHandle,
    request: &Request,
    now: UnixMs,
) -> Vec<SignedRecord> {
    let trust = household.trust();
    let known = household.known_now(now);
    let mut found = Vec::new();
    for carrier in household.carriers().unwrap_or_default() {
        let Ok(address) = carrier.address.parse::<Multiaddr>() else { continue };
        let within = Duration::from_millis(DIAL_MS);
        let Ok(key) = node.dial(address, within).await else { continue };
        let answer = ask(node, &key, request.clone(), &carrier.address).await;
        let Ok(Response::Records { records }) = answer else { continue };
        let read = records.iter().map(|bytes| SignedRecord::introduce(bytes, &trust, known));
        found.extend(read.filter_map(Result::ok));
    }
    found
}

async fn at_page(
    household: &Household,
    node: &NodeHandle,
    url: &str,
) -> Result<Introduced, NetError> {
    let profile = sign_in::profile(url).await?;
    let mut last = NetError::NotThat { address: url.to_owned(), wanted: "a shop" };
    for address in &profile.p2p {
        match at_address(household, node, address).await {
            Ok(introduced) => return Ok(Introduced { name: profile.name, ..introduced }),
            Err(why) => last = why,
        }
    }
    let certificates = profile.certificates().ok_or(last)?;
    let (name, addresses, hubs) = (profile.name, profile.p2p, Vec::new());
    Ok(Introduced { name, certificates, addresses, hubs })
}

/// Finds out who carries orders at an address.
///
/// # Errors
/// [`NetError`] when nobody answers, or not somebody who carries orders.
pub async fn carrier(household: &Household, address: &str) -> Result<Carrier, NetError> {
    let node = super::start(household.keys()).await?;
    let greeting = greet(household, &node, address).await;
    node.shutdown().await;
    let greeting = greeting?;
    // Its word is enough: a carrier sees only what is sealed, and the screen names the way.
    let community = match leaf(&greeting.certificates).map(|leaf| leaf.standing) {
        Some(Standing::Hub { role: HubRole::Central }) => false,
        Some(Standing::Hub { role: HubRole::Community }) | None => true,
        Some(_) => {
            let wanted = "somebody who carries orders";
            return Err(NetError::NotThat { address: address.to_owned(), wanted });
        }
    };
    Ok(Carrier { address: greeting.address.to_string(), community })
}

/// Connects, and says hello.
async fn greet(household: &Household, node: &NodeHandle, text: &str) -> Result<Greeting, NetError> {
    let address: Multiaddr = text.parse().map_err(|_| NetError::NotAnAddress(text.to_owned()))?;
    let unreached = |why| NetError::Unreached { address: text.to_owned(), why };
    let key =
        node.dial(address.clone(), Duration::from_millis(DIAL_MS)).await.map_err(unreached)?;
    let lists = household.trust();
    let lists = lists.lists().map(|list| ByteVec::from(list.bytes().to_vec())).collect();
    let hello = Request::Hello { certificates: household.certificates(), lists };
    match ask(node, &key, hello, text).await? {
        Response::Welcome { certificates, .. } => {
            // The address is kept with the key at its end, so that nobody else answers there.
            Ok(Greeting { address: with_peer(&address, &key), certificates })
        }
        _ => Err(NetError::NotThat { address: text.to_owned(), wanted: "of this neighbourhood" }),
    }
}

async fn ask(
    node: &NodeHandle,
    key: &PublicKey,
    request: Request,
    address: &str,
) -> Result<Response, NetError> {
    let within = Duration::from_millis(ANSWER_MS);
    match node.request(key, request, within).await {
        Ok(Response::Refused(refused)) => {
            Err(NetError::Refused { address: address.to_owned(), refused })
        }
        Ok(response) => Ok(response),
        Err(why) => Err(NetError::Unreached { address: address.to_owned(), why }),
    }
}

fn leaf(certificates: &[ByteVec]) -> Option<Certificate> {
    let read = UnverifiedCertificate::parse(certificates.first()?).ok()?;
    Some(read.claimed().clone())
}
