//! A shop's catalogue: products in Automerge buckets, edited apart, merged, signed chunk by chunk.
//!
//! **Invariant:** what people search and buy from is projected from these documents and never read
//! from them; a clash of two edits stays readable until somebody settles it (P5).

use minicbor::{Decode, Encode};

pub mod batch;
pub mod category;
pub mod conflict;
pub mod document;
pub mod edit;
pub mod epoch;
mod fields;
pub mod gauge;
pub mod head;
pub mod history;
pub mod pricing;
pub mod product;
pub mod shown;

/// Which document of a shop's catalogue: 0 is the index, buckets of products count from 1.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    serde::Serialize,
    serde::Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct BucketNo(u32);

impl BucketNo {
    /// The index document.
    pub const INDEX: Self = Self(0);
    /// The first bucket of products.
    pub const FIRST: Self = Self(1);

    /// A document by its number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for BucketNo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How many products are put into one bucket before the next is opened; people who add products
/// apart may go a little beyond.
pub const BUCKET_PRODUCTS_MAX: usize = 500;
