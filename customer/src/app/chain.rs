//! Reads an order's chain back from this device's database, every signature checked again.

use kirana_core::{
    id::OrderId,
    key::KeyPair,
    order::chain::{Author, Authored, Chain},
    statement::{Party, UnverifiedStatement},
};
use kirana_migrations::StoreError;
use rusqlite::Connection;

use crate::store::{orders, signers};

/// The chain that holds, or `None` when there is no such order.
///
/// # Errors
/// [`StoreError::Damaged`] when a stored entry is no longer what was signed.
pub fn load(reader: &Connection, id: OrderId, own: &Own) -> Result<Option<Chain>, StoreError> {
    let damaged = || StoreError::damaged("an order's entry", id);
    let mut chain: Option<Chain> = None;
    for bytes in orders::entries(reader, id)? {
        let Authored { entry, author } = author(reader, &bytes, own)?.ok_or_else(damaged)?;
        match &mut chain {
            None => chain = Some(Chain::begin(entry, author).map_err(|_| damaged())?),
            Some(chain) => {
                let _ = chain.push(entry, author).map_err(|_| damaged())?;
            }
        }
    }
    Ok(chain)
}

/// Finds out who wrote stored bytes; `None` when nobody known did, or they were altered.
pub fn author(
    reader: &Connection,
    bytes: &[u8],
    own: &Own,
) -> Result<Option<Authored>, StoreError> {
    let Ok(read) = UnverifiedStatement::parse(bytes) else { return Ok(None) };
    if read.signer() == own.keys.id() {
        let author = Author::customer(own.party_of(&read));
        let verified = read.verify(&own.keys.signing.public());
        return Ok(verified.ok().map(|entry| Authored { entry, author }));
    }
    let Some(node) = signers::get(reader, read.signer())? else { return Ok(None) };
    let author = Author::node(node.shop, node.generation);
    Ok(read.verify(&node.key).ok().map(|entry| Authored { entry, author }))
}

/// This device, as the author of first entries.
#[derive(Clone)]
pub struct Own {
    /// Its keys.
    pub keys: KeyPair,
    /// For whom it orders now.
    pub party: Party,
}

impl Own {
    /// An order placed as a guest stays a guest's, also after the device signed in.
    fn party_of(&self, first: &UnverifiedStatement) -> Party {
        use kirana_core::order::entry::Body;
        let claimed = first.claimed();
        match Body::decode(claimed.kind, &claimed.body) {
            Ok(Body::Placed(placed)) if placed.customer == Party::Guest(self.keys.id()) => {
                placed.customer
            }
            _ => self.party,
        }
    }
}
