//! Fetches pictures of products: from the shop, or from a hub that keeps its shelf.
//!
//! **Invariant:** whoever answers, only bytes with the digest that the shop signed are kept; what
//! came instead comes to nothing and is said.

use std::{collections::BTreeSet, time::Duration};

use kirana_core::{hash::Hash, id::ShopId, key::PublicKey};
use kirana_migrations::catalogue::pictures::Picture;
use kirana_sync::{
    driver::NodeHandle,
    peer::Role,
    wire::{Request, Response},
};

use super::{
    DIAL_MS,
    round::{RoundError, Target, targets},
};
use crate::{
    app::{Household, HouseholdError},
    clock,
};

/// How long one picture is waited for, in milliseconds.
const PICTURE_MS: u64 = 10_000;

/// What came of fetching a picture.
#[derive(Debug, Default)]
pub struct Fetched {
    /// The picture, which is kept now.
    pub picture: Option<Picture>,
    /// Sentences about who did not give it.
    pub notes: Vec<String>,
}

/// Fetches a picture that a product in a saved catalogue names; the shop itself is asked first.
///
/// # Errors
/// [`RoundError`] when the network or the household's database fails; that nobody gives it is none.
pub async fn fetch(household: &Household, hash: Hash) -> Result<Fetched, RoundError> {
    let (mut fetched, all) = (Fetched::default(), targets(household, None)?);
    let node = super::start(household.keys()).await?;
    for shop in household.naming_picture(hash)? {
        for target in all.iter().filter(|target| serves(target.role, shop)) {
            match asked(&node, target, shop, hash).await {
                Ok(picture) => {
                    household.keep_picture(picture.clone(), clock::now())?;
                    node.shutdown().await;
                    return Ok(Fetched { picture: Some(picture), ..fetched });
                }
                Err(why) => fetched.notes.push(format!("{}: {why}", target.address)),
            }
        }
    }
    node.shutdown().await;
    Ok(fetched)
}

async fn asked(
    node: &NodeHandle,
    target: &Target,
    shop: ShopId,
    hash: Hash,
) -> Result<Picture, String> {
    let dialled = node.dial(target.address.clone(), Duration::from_millis(DIAL_MS)).await;
    let key = dialled.map_err(|why| why.to_string())?;
    one(node, &key, shop, hash).await
}

async fn one(
    node: &NodeHandle,
    key: &PublicKey,
    shop: ShopId,
    hash: Hash,
) -> Result<Picture, String> {
    let request = Request::Image { shop, image: hash };
    match node.request(key, request, Duration::from_millis(PICTURE_MS)).await {
        Ok(Response::Image { jpeg }) => {
            Picture::check(hash, jpeg.into()).map_err(|why| why.to_string())
        }
        Ok(Response::Refused(no)) => Err(no.reason),
        Ok(_) => Err("it answered something else".to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

fn serves(role: Role, shop: ShopId) -> bool {
    match role {
        Role::Shop(its) => its == shop,
        Role::Hub | Role::Community => true,
    }
}

/// Fetches what carts and orders will want to show, from those who are in reach; says what came to
/// nothing for another reason than that it is not there.
pub(super) async fn ahead(
    household: &Household,
    node: &NodeHandle,
    peers: &[(PublicKey, Role)],
) -> Result<Vec<String>, HouseholdError> {
    let (mut notes, mut slow) = (Vec::new(), BTreeSet::new());
    for (shop, hash) in household.pictures_wanted()? {
        for (key, role) in peers {
            if !serves(*role, shop) || slow.contains(&key.id()) {
                continue;
            }
            let request = Request::Image { shop, image: hash };
            let within = Duration::from_millis(PICTURE_MS);
            let checked = match node.request(key, request, within).await {
                Ok(Response::Image { jpeg }) => Picture::check(hash, jpeg.into()),
                // It is not there, or that peer knows of no pictures.
                Ok(_) => continue,
                Err(_) => {
                    slow.insert(key.id());
                    continue;
                }
            };
            match checked {
                Ok(picture) => {
                    household.keep_picture(picture, clock::now())?;
                    break;
                }
                Err(why) => notes.push(format!("a picture was not kept: {why}")),
            }
        }
    }
    Ok(notes)
}
