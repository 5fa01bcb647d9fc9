//! Batches of edits that staff devices send to the shop's node, and their admission.
//!
//! **Invariant (P6):** nothing of a batch is applied before its signature, its author, its hashes
//! and its size were checked; a refused batch leaves the document as it was.

use std::collections::BTreeSet;

use automerge::{Change, ChangeHash, ReadDoc};
use minicbor::{Decode, Encode, bytes::ByteVec};

use super::{
    BUCKET_PRODUCTS_MAX, BucketNo,
    document::{Author, Bucket, Heads, NotABucket},
    epoch::Difference,
    gauge::{self, Unacceptable},
    head::HEADS_MAX,
};
use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::{ProductId, ShopId},
    key::{KeyId, PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest batch, all its changes together, in bytes: so it fits a frame and becomes one chunk.
pub const BATCH_BYTES_MAX: usize = 160 * 1024;
/// The most changes of one batch.
pub const BATCH_CHANGES_MAX: usize = 256;
/// The most operations of one batch.
pub const BATCH_OPERATIONS_MAX: u64 = 16 * 1024;
/// The longest batch as it travels: changes, signature, certificates.
pub const PARCEL_BYTES_MAX: usize = BATCH_BYTES_MAX + 64 * 1024;

/// What the author signs: never a node key, so that a batch outlives the box it was meant for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Manifest {
    #[n(0)]
    shop: ShopId,
    #[n(1)]
    bucket: BucketNo,
    #[n(2)]
    incarnation: u64,
    #[n(3)]
    changes: Vec<Hash>,
    #[n(4)]
    at: UnixMs,
}

/// A batch as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Batch {
    /// COSE_Sign1 over the names of the changes.
    #[cbor(n(0), with = "minicbor::bytes")]
    signed: Vec<u8>,
    /// The changes, in an order in which they can be applied.
    #[n(1)]
    changes: Vec<ByteVec>,
    /// The author's certificates, leaf first, each a CWT.
    #[n(2)]
    certificates: Vec<ByteVec>,
}

impl Batch {
    /// Signs everything that `bucket` holds beyond `known`, the heads that the node has signed.
    ///
    /// All of it must be by `author`, in this one incarnation. `None` when there is nothing.
    pub fn sign(
        key: &SigningKey,
        author: &Author,
        bucket: &Bucket,
        known: &Heads,
        certificates: Vec<Vec<u8>>,
        at: UnixMs,
    ) -> Option<Self> {
        let changes = bucket.changes_since(known);
        if changes.is_empty() {
            return None;
        }
        let manifest = Manifest {
            shop: bucket.shop(),
            bucket: bucket.number(),
            incarnation: author.incarnation,
            changes: changes.iter().map(|change| Hash::of(change)).collect(),
            at,
        };
        let signed = sign1::sign(key, Purpose::Batch, cbor::to_vec(&manifest));
        Some(Self {
            signed,
            changes: changes.into_iter().map(ByteVec::from).collect(),
            certificates: certificates.into_iter().map(ByteVec::from).collect(),
        })
    }

    /// As it travels.
    pub fn to_vec(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or damaged.
    pub fn parse(bytes: &[u8]) -> Result<UnverifiedBatch, Malformed> {
        let what = "a batch of edits";
        let batch: Self = cbor::from_slice(what, bytes, PARCEL_BYTES_MAX)?;
        if batch.changes.len() > BATCH_CHANGES_MAX {
            let len = batch.changes.len();
            return Err(Malformed::TooLong { what, len, max: BATCH_CHANGES_MAX });
        }
        let sign1 = Unverified::parse(what, &batch.signed, BATCH_BYTES_MAX)?;
        let manifest = cbor::from_slice(what, sign1.payload(), BATCH_BYTES_MAX)?;
        Ok(UnverifiedBatch { sign1, manifest, batch })
    }
}

/// A batch as it came: well formed, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedBatch {
    sign1: Unverified,
    manifest: Manifest,
    batch: Batch,
}

impl UnverifiedBatch {
    /// The key that it says signed it.
    pub fn signer(&self) -> KeyId {
        self.sign1.signer()
    }

    /// The certificates that came with it, leaf first, not checked yet.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.batch.certificates.iter().map(|bytes| bytes.as_slice())
    }

    /// Checks the signature, the hashes and the size. Whether `key` is staff of the shop and may
    /// edit its catalogue is for the caller, who has its certificate.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(self, key: &PublicKey) -> Result<SignedBatch, Refused> {
        let signer = self.sign1.verify(key, Purpose::Batch)?.signer();
        let hashes: Vec<_> = self.batch.changes.iter().map(|bytes| Hash::of(bytes)).collect();
        if hashes != self.manifest.changes {
            return Err(Refused::OtherChanges);
        }
        let bytes: usize = self.batch.changes.iter().map(|change| change.len()).sum();
        if bytes > BATCH_BYTES_MAX {
            return Err(Refused::Bytes(bytes));
        }
        let mut operations = 0;
        for change in &self.batch.changes {
            operations += gauge::gauge(change)?.operations;
        }
        if operations > BATCH_OPERATIONS_MAX {
            return Err(Refused::Operations(operations));
        }
        let changes = self.batch.changes.into_iter().map(Vec::from).collect();
        Ok(SignedBatch { signer, manifest: self.manifest, changes })
    }
}

/// A batch that is by its signer and small enough to be unpacked.
#[derive(Debug, Clone)]
pub struct SignedBatch {
    signer: KeyId,
    manifest: Manifest,
    changes: Vec<Vec<u8>>,
}

impl SignedBatch {
    /// Who made it.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// For which shop.
    pub fn shop(&self) -> ShopId {
        self.manifest.shop
    }

    /// For which bucket.
    pub fn bucket(&self) -> BucketNo {
        self.manifest.bucket
    }

    /// When it was signed, by that device's clock.
    pub fn at(&self) -> UnixMs {
        self.manifest.at
    }
}

impl Bucket {
    /// The bucket with the batch in it, and the products that changed. `self` stays as it is, so
    /// that it still holds if the commit fails.
    ///
    /// # Errors
    /// [`Refused`] names the first check that failed.
    pub fn admit(&self, batch: &SignedBatch) -> Result<(Self, BTreeSet<ProductId>), Refused> {
        if batch.shop() != self.shop() || batch.bucket() != self.number() {
            return Err(Refused::Elsewhere);
        }
        let changes = self.unpack(batch)?;
        let names: Vec<_> = changes.iter().map(Change::hash).collect();
        // Automerge is fuzzed but not by us: should it panic over what passed all checks so far,
        // the batch is refused and the copy thrown away.
        let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut next = self.clone();
            let changed = next.apply_changes(changes)?;
            Ok::<_, NotABucket>((next, changed))
        }));
        let (next, changed) = applied.map_err(|_| Refused::Unreadable)??;
        if names.iter().any(|name| next.doc().get_change_by_hash(name).is_none()) {
            return Err(Refused::Document(NotABucket::Gap));
        }
        if next.len() > self.len().max(2 * BUCKET_PRODUCTS_MAX) {
            return Err(Refused::Full);
        }
        if next.heads().hashes().len() > HEADS_MAX {
            return Err(Refused::TooManyHeads);
        }
        Ok((next, changed))
    }

    /// The same for a document that was closed: with the batch in it, and what the batch makes
    /// different, to be carried over ([`Bucket::carry_over`]); nothing if it was admitted before.
    ///
    /// # Errors
    /// [`Refused`]; [`NotABucket::Gap`] when the batch was not made upon this document.
    pub fn admit_late(&self, batch: &SignedBatch) -> Result<(Self, Option<Difference>), Refused> {
        let (next, _) = self.admit(batch)?;
        if next.heads() == self.heads() {
            return Ok((next, None));
        }
        let changes = self.unpack(batch)?;
        let own = |hash: &ChangeHash| changes.iter().any(|change| change.hash() == *hash);
        let deps: Vec<ChangeHash> = changes.iter().flat_map(|c| c.deps().iter().copied()).collect();
        let upon = deps.iter().filter(|hash| !own(hash));
        let tips = changes.iter().map(Change::hash).filter(|hash| !deps.contains(hash));
        let named = |hash: ChangeHash| Hash::from_slice(&hash.0);
        let upon = Heads::new(upon.copied().filter_map(named));
        let tips = Heads::new(tips.filter_map(named));
        let difference = next.difference(&upon, &tips)?;
        Ok((next, Some(difference.ok_or(NotABucket::Gap)?)))
    }

    /// The changes as Automerge reads them, each by the signer and right behind what it follows.
    fn unpack(&self, batch: &SignedBatch) -> Result<Vec<Change>, Refused> {
        let author = Author { key: batch.signer, incarnation: batch.manifest.incarnation };
        let actor = author.actor();
        let mut unpacked: Vec<Change> = Vec::new();
        for bytes in &batch.changes {
            let change = std::panic::catch_unwind(|| Change::from_bytes(bytes.clone()));
            let change = change.map_err(|_| Refused::Unreadable)?;
            let change = change.map_err(|_| Refused::Unreadable)?;
            if *change.actor_id() != actor {
                return Err(Refused::OtherAuthor);
            }
            if change.author().is_some_and(|named| named.as_bytes() != batch.signer.as_bytes()) {
                return Err(Refused::OtherAuthor);
            }
            // Operations are numbered in 32 bits, for all authors together: a number far ahead
            // would leave no room for anybody's next edit.
            let mut follows = 0;
            for hash in change.deps() {
                let known = self.doc().get_change_meta_by_hash(hash).map(|meta| meta.max_op);
                let before = unpacked.iter().find(|c| c.hash() == *hash).map(Change::max_op);
                follows = follows.max(known.or(before).ok_or(NotABucket::Gap)?);
            }
            if change.start_op().get() != follows + 1 {
                return Err(Refused::Unreadable);
            }
            unpacked.push(change);
        }
        Ok(unpacked)
    }
}

/// A batch that is not admitted. The author's device makes it again from its intents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The signature is not by the key it names.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It is for another shop or another bucket.
    #[error("the batch is for another shop or another part of the catalogue")]
    Elsewhere,
    /// The changes are not those that were signed.
    #[error("the changes are not those that were signed")]
    OtherChanges,
    /// A change is by somebody else, or by another incarnation.
    #[error("the batch holds a change by somebody else than its signer")]
    OtherAuthor,
    /// Longer than [`BATCH_BYTES_MAX`].
    #[error("a batch of {0} bytes is too long; at most {max} are allowed", max = BATCH_BYTES_MAX)]
    Bytes(usize),
    /// More operations than [`BATCH_OPERATIONS_MAX`].
    #[error("a batch of {0} operations is too large; at most {max} are allowed", max = BATCH_OPERATIONS_MAX)]
    Operations(u64),
    /// One change is not even to be unpacked.
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    /// Automerge cannot read a change, or its numbers do not follow.
    #[error("the batch cannot be read")]
    Unreadable,
    /// What it would make of the document.
    #[error(transparent)]
    Document(#[from] NotABucket),
    /// The bucket has no room for so many products.
    #[error("this part of the catalogue is full; add the products again, they will go elsewhere")]
    Full,
    /// Too many people edited apart.
    #[error("too many edits were made apart; fetch the catalogue and make the edit again")]
    TooManyHeads,
}
