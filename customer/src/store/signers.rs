//! Shop nodes whose certificates were verified once; stored entries are read again by their keys.

use kirana_core::{
    id::ShopId,
    key::{KeyId, PublicKey},
};
use kirana_migrations::{StoreError, Tx};
use rusqlite::{Connection, OptionalExtension};

use super::{signed, unsigned};

/// A node that spoke, or speaks, for a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeKey {
    /// The key that it signs with.
    pub key: PublicKey,
    /// For which shop.
    pub shop: ShopId,
    /// In which generation.
    pub generation: u64,
}

/// Remembers a node whose certificate was verified.
pub fn put(tx: &Tx<'_>, node: &NodeKey) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO signer (key_id, key, shop_id, generation) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (key_id) DO UPDATE SET key = ?2, shop_id = ?3, generation = ?4",
    )?
    .execute((
        node.key.id().as_bytes(),
        node.key.as_bytes(),
        node.shop.as_bytes(),
        signed(node.generation),
    ))?;
    Ok(())
}

/// The node that signs with this key. One whose row was damaged is not known any more, until it
/// shows its certificate again.
pub fn get(reader: &Connection, key: KeyId) -> Result<Option<NodeKey>, StoreError> {
    let mut select =
        reader.prepare_cached("SELECT key, shop_id, generation FROM signer WHERE key_id = ?1")?;
    let raw: Option<([u8; 32], [u8; 16], i64)> = select
        .query_row([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((bytes, shop, generation)) = raw else { return Ok(None) };
    let public = PublicKey::from_bytes(&bytes).ok().filter(|public| public.id() == key);
    let (Some(key), Some(shop)) = (public, ShopId::from_slice(&shop)) else { return Ok(None) };
    Ok(Some(NodeKey { key, shop, generation: unsigned(generation) }))
}
