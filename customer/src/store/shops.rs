//! The shops that this household chose, each pinned by its owner's key.

use kirana_core::{hash::Hash, id::ShopId, key::PublicKey, time::UnixMs};
use kirana_migrations::{StoreError, Tx};
use minicbor::bytes::ByteVec;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{signed, unsigned};

/// A shop as this device knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownShop {
    /// Which shop.
    pub id: ShopId,
    /// What it calls itself.
    pub name: String,
    /// The key that is pinned.
    pub owner: PublicKey,
    /// The newest chain seen: the node's certificate first.
    pub certificates: Vec<ByteVec>,
    /// The newest generation seen.
    pub generation: u64,
    /// Where it may be reached directly: multiaddrs.
    pub addresses: Vec<String>,
    /// Hubs that keep its mail: multiaddrs.
    pub hubs: Vec<String>,
    /// Whether a hub vouches for it.
    pub vouched: bool,
    /// When it was chosen.
    pub pinned_at: UnixMs,
}

/// Adds a shop, or writes down what is new about it.
pub fn put(tx: &Tx<'_>, shop: &KnownShop) -> Result<(), StoreError> {
    let addresses = serde_json::to_string(&shop.addresses).unwrap_or_default();
    let hubs = serde_json::to_string(&shop.hubs).unwrap_or_default();
    tx.prepare_cached(
        "INSERT INTO shop (shop_id, name, owner_key, certificates, generation, addresses, hubs, vouched, pinned_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (shop_id) DO UPDATE SET name = ?2, owner_key = ?3, certificates = ?4,
           generation = ?5, addresses = ?6, hubs = ?7, vouched = ?8",
    )?
    .execute((
        shop.id.as_bytes(),
        &shop.name,
        shop.owner.as_bytes(),
        kirana_core::cbor::to_vec(&shop.certificates),
        signed(shop.generation),
        addresses,
        hubs,
        shop.vouched,
        signed(shop.pinned_at.get()),
    ))?;
    Ok(())
}

/// One shop.
pub fn get(reader: &Connection, id: ShopId) -> Result<Option<KnownShop>, StoreError> {
    let mut statement = reader.prepare_cached(&format!("{SELECT} WHERE shop_id = ?1"))?;
    let raw = statement.query_row([id.as_bytes()], read).optional()?;
    raw.map(parse).transpose()
}

/// All shops, by id.
pub fn all(reader: &Connection) -> Result<Vec<KnownShop>, StoreError> {
    let mut statement = reader.prepare_cached(&format!("{SELECT} ORDER BY shop_id"))?;
    let rows = statement.query_map([], read)?;
    rows.map(|raw| parse(raw?)).collect()
}

const SELECT: &str = "SELECT shop_id, name, owner_key, certificates, generation, addresses, hubs, vouched, pinned_at FROM shop";

type Raw = ([u8; 16], String, [u8; 32], Vec<u8>, i64, String, String, bool, i64);

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
        row.get(5)?,
        row.get(6)?,
        row.get(7)?,
        row.get(8)?,
    ))
}

fn parse(raw: Raw) -> Result<KnownShop, StoreError> {
    let (id, name, owner, certificates, generation, addresses, hubs, vouched, pinned_at) = raw;
    let damaged = || StoreError::damaged("a shop", &name);
    Ok(KnownShop {
        id: ShopId::from_slice(&id).ok_or_else(damaged)?,
        owner: PublicKey::from_bytes(&owner).map_err(|_| damaged())?,
        certificates: minicbor::decode(&certificates).map_err(|_| damaged())?,
        generation: unsigned(generation),
        addresses: serde_json::from_str(&addresses).map_err(|_| damaged())?,
        hubs: serde_json::from_str(&hubs).map_err(|_| damaged())?,
        vouched,
        pinned_at: UnixMs::new(unsigned(pinned_at)),
        name,
    })
}

/// Notes the newest head of the shop's stock ledger, to be echoed in what is sent next.
pub fn set_ledger(tx: &Tx<'_>, id: ShopId, ledger: Hash) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE shop SET ledger = ?2 WHERE shop_id = ?1")?
        .execute((id.as_bytes(), ledger.as_bytes()))?;
    Ok(())
}

/// The newest head of the shop's stock ledger that an entry told.
pub fn ledger(reader: &Connection, id: ShopId) -> Result<Option<Hash>, StoreError> {
    let mut select = reader.prepare_cached("SELECT ledger FROM shop WHERE shop_id = ?1")?;
    let stored: Option<Option<Vec<u8>>> =
        select.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    stored.flatten().map(|bytes| super::hash(&bytes)).transpose()
}
