//! The shop's stored data: all SQL of the shop stands below here, beside the function that runs it.
//!
//! **Invariant:** whatever is read was written by this program or is reported as damaged; signed
//! bytes are stored as they came and never encoded again.

use kirana_core::{cbor, hash::Hash, statement::Party};
use kirana_migrations::StoreError;

pub mod bank;
pub mod batches;
pub mod callers;
pub mod cards;
pub mod catalogue;
pub mod counts;
pub mod damage;
pub mod ends;
pub mod epochs;
pub mod erased;
pub mod feeds;
pub mod hand_ins;
pub mod images;
pub mod imports;
pub mod invoices;
pub mod khata;
pub mod known;
pub mod locations;
pub mod lookups;
pub mod margin;
pub mod offers;
pub mod once;
pub mod orders;
pub mod outgoing;
pub mod people;
pub mod pins;
pub mod purchases;
pub mod reorder;
pub mod settings;
pub mod shelf;
pub mod staff;
pub mod stock;
pub mod suppliers;
pub mod till;
pub mod wrong_codes;

/// A customer as the primary key of their rows.
pub(crate) fn party_key(party: &Party) -> Vec<u8> {
    cbor::to_vec(party)
}

pub(crate) fn party_of(bytes: &[u8]) -> Result<Party, StoreError> {
    cbor::from_slice("a party", bytes, 64).map_err(|e| StoreError::damaged("a customer", e))
}

pub(crate) fn hash_of(what: &'static str, bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::from_slice(bytes).ok_or_else(|| StoreError::damaged(what, "a digest of another length"))
}

/// SQLite's integers are signed; every number of ours is far below the limit.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Takes back what [`int`] stored.
pub(crate) fn uint(what: &'static str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::damaged(what, number))
}
