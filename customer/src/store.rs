//! What a household's device remembers, in SQLite; the only place of its SQL.
//!
//! **Invariant:** signed bytes are stored as they came. Reads take a connection, writes a [`Tx`].

pub mod journal;
pub mod khata;
pub mod messages;
pub mod once;
pub mod orders;
pub mod outbox;
pub mod settings;
pub mod shops;
pub mod siblings;
pub mod signers;

use kirana_core::{hash::Hash, id::OrderId};
use kirana_migrations::{Head, StoreError};

/// How far an order's chain has come, for `heads.log`: `len` entries, the last of this hash.
pub fn order_head(order: OrderId, len: usize, hash: Hash) -> Head {
    Head { chain: format!("order:{order}"), n: len as u64, hash: *hash.as_bytes() }
}

/// Reads a stored digest.
fn hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::from_slice(bytes).ok_or_else(|| StoreError::damaged("a digest", bytes.len()))
}

/// Reads a stored order id.
fn order_id(bytes: &[u8]) -> Result<OrderId, StoreError> {
    OrderId::from_slice(bytes).ok_or_else(|| StoreError::damaged("an order id", bytes.len()))
}

/// SQLite counts in signed 64 bits; no count or moment here comes near the sign.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
