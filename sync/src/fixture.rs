//! A shop with an owner and a certified box, its signed catalogue, and stamped mail, for tests.

use std::collections::BTreeMap;

use kirana_core::{
    availability::{Availability, SignedAvailability},
    catalogue::{
        BucketNo,
        head::{Extent, Head, SignedHead},
    },
    certificate::{Certificate, Holder, Serial, Standing},
    hash::Hash,
    id::ShopId,
    key::{KeyPair, SigningKey},
    mail::{Address, Mail},
    stamp,
    terms::{Published, SignedTerms, Terms},
    time::{DAY_MS, UnixMs},
    trust::Trust,
};
use minicbor::bytes::ByteVec;

use crate::wire::{Chunk, Code, Request, Response};

/// When all of it happens.
pub const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

/// Keys from a number.
pub fn keys(n: u8) -> KeyPair {
    KeyPair::from_seed([n; 64])
}

/// A shop from a number.
pub fn shop(n: u8) -> ShopId {
    ShopId::new(NOW, [n; 10])
}

fn certify(issuer: &SigningKey, holder: &KeyPair, standing: Standing) -> ByteVec {
    let (key, sealing) = (holder.signing.public(), holder.sealing.public());
    let holder = Holder { key, sealing, standing };
    let serial = Serial::from_slice(&holder.key.as_bytes()[..16]).expect("sixteen bytes");
    let until = NOW.plus_ms(300 * DAY_MS);
    let certificate = Certificate::issue_until(issuer, &holder, NOW, until, serial);
    ByteVec::from(certificate.bytes().to_vec())
}

/// A guest's certificates.
pub fn guest(keys: &KeyPair) -> Vec<ByteVec> {
    vec![certify(&keys.signing, keys, Standing::Guest)]
}

/// The certificates of a box of shop `n` in a generation; its owner's keys are `keys(100 + n)`.
pub fn node(n: u8, keys_of_box: &KeyPair, generation: u64) -> Vec<ByteVec> {
    let owner = keys(100 + n);
    vec![certify(&owner.signing, keys_of_box, Standing::Node { shop: shop(n), generation })]
}

/// Trust that has pinned the owners of shops 0 to 3.
pub fn trust() -> Trust {
    let mut trust = Trust::new();
    for n in 0..4 {
        trust.pin_shop(shop(n), keys(100 + n).signing.public()).expect("first");
    }
    trust
}

/// Mail by a guest.
pub fn mail(from: &KeyPair, to: Address, content: &[u8], until: UnixMs) -> Mail {
    stamp::post(&from.signing, guest(from), to, until, content.to_vec())
}

/// A shop's catalogue as somebody serves it.
#[derive(Clone)]
pub struct Shelf {
    pub shop: ShopId,
    pub box_keys: KeyPair,
    pub certificates: Vec<ByteVec>,
    pub generation: u64,
    /// The first chunk that is still kept.
    pub kept_from: u64,
    /// Number of chunks of each document, from the index on.
    pub chunks: Vec<u64>,
    /// How many bytes of a snapshot go into one part.
    pub part: usize,
    pub snapshot_len: usize,
}

impl Shelf {
    pub fn new(n: u8, generation: u64, chunks: &[u64]) -> Self {
        let box_keys = keys(50 + n + generation as u8);
        Self {
            shop: shop(n),
            certificates: node(n, &box_keys, generation),
            box_keys,
            generation,
            kept_from: 1,
            chunks: chunks.to_vec(),
            part: 40,
            snapshot_len: 100,
        }
    }

    pub fn bytes(&self, bucket: u32, n: u64) -> Vec<u8> {
        format!("chunk {n} of {bucket} in {}", self.generation).into_bytes()
    }

    pub fn snapshot(&self, bucket: u32) -> Vec<u8> {
        vec![bucket as u8; self.snapshot_len]
    }

    pub fn head(&self, bucket: u32, n: u64, extent: Extent, content: &[u8]) -> SignedHead {
        let head = Head {
            shop: self.shop,
            generation: self.generation,
            bucket: BucketNo::new(bucket),
            n,
            extent,
            content: Hash::of(content),
            heads: vec![Hash::of(b"heads")],
            at: NOW,
        };
        head.sign(&self.box_keys.signing)
    }

    /// What the shop says is in stock: enough of everything.
    pub fn stock(&self, n: u64) -> SignedAvailability {
        let of = (self.shop, self.generation);
        let said = Availability::new(of, BucketNo::FIRST, n, NOW, &BTreeMap::new());
        said.sign(&self.box_keys.signing)
    }

    /// On which terms the shop hands goods over: any.
    pub fn terms(&self, n: u64) -> SignedTerms {
        let (shop, generation) = (self.shop, self.generation);
        let said = Published { shop, generation, n, at: NOW, terms: Terms::default(), place: None };
        said.sign(&self.box_keys.signing)
    }

    fn chunk_head(&self, bucket: u32, n: u64) -> SignedHead {
        self.head(bucket, n, Extent::Chunk, &self.bytes(bucket, n))
    }

    pub fn answer(&self, request: &Request) -> Response {
        match request {
            Request::Heads { .. } => {
                let newest = self.chunks.iter().enumerate().filter(|(_, n)| **n > 0);
                let heads = newest.map(|(bucket, n)| {
                    ByteVec::from(self.chunk_head(bucket as u32, *n).bytes().to_vec())
                });
                let certificates = self.certificates.clone();
                let stock = ByteVec::from(self.stock(1).bytes().to_vec());
                let availability = vec![stock];
                let terms = Some(ByteVec::from(self.terms(1).bytes().to_vec()));
                let name = None;
                Response::Heads { heads: heads.collect(), certificates, availability, terms, name }
            }
            Request::Chunks { generation, .. } if *generation != self.generation => {
                Response::refused(Code::OtherGeneration, "of another generation")
            }
            Request::Chunks { after, .. } if after + 1 < self.kept_from => {
                Response::refused(Code::Gone, "no longer kept")
            }
            Request::Chunks { bucket, after, .. } => {
                let newest = self.chunks[bucket.get() as usize];
                let chunk = |n| Chunk {
                    head: ByteVec::from(self.chunk_head(bucket.get(), n).bytes().to_vec()),
                    bytes: ByteVec::from(self.bytes(bucket.get(), n)),
                };
                Response::chunks((after + 1..=newest).map(chunk))
            }
            Request::Snapshot { bucket, offset, .. } => {
                let bytes = self.snapshot(bucket.get());
                let newest = self.chunks[bucket.get() as usize];
                let head = self.head(bucket.get(), newest, Extent::Snapshot, &bytes);
                let start = (*offset as usize).min(bytes.len());
                let end = (start + self.part).min(bytes.len());
                Response::Snapshot {
                    head: ByteVec::from(head.bytes().to_vec()),
                    total: bytes.len() as u32,
                    part: ByteVec::from(bytes[start..end].to_vec()),
                }
            }
            _ => Response::refused(Code::Unknown, "only a shelf"),
        }
    }
}
