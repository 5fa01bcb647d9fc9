//! What is true in kirana: money, quantities, catalogue, carts, orders, identity, policy, envelopes.
//!
//! **Invariant:** nothing here does IO, reads a clock or draws randomness; time, random bytes and
//! ids are arguments, so that one seed replays a whole neighbourhood byte for byte.
#![warn(missing_docs)]

pub mod at_rest;
pub mod availability;
pub mod catalogue;
pub mod cbor;
pub mod certificate;
pub mod challenge;
pub mod day;
pub mod enrolment;
pub mod envelope;
pub mod farewell;
pub mod geohash;
pub mod gtin;
pub mod hash;
pub mod household;
pub mod id;
pub mod key;
pub mod khata;
pub mod known_time;
pub mod mail;
pub mod money;
pub mod order;
pub mod planted;
pub mod policy;
pub mod quantity;
pub mod record;
pub mod revocation;
pub mod roster;
pub mod scale;
pub mod sign1;
pub mod spoken;
pub mod stamp;
pub mod statement;
pub mod stock;
pub mod terms;
pub mod text;
pub mod time;
pub mod token;
pub mod trust;
pub mod upi;
pub mod vault;
pub mod whole;
