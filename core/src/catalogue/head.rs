//! What a shop's node signs about its catalogue: each numbered chunk, and each snapshot.
//!
//! **Invariant:** nobody loads bytes of a catalogue before their hash stood in a head whose
//! signature was checked; so anybody may carry the bytes.

use minicbor::{Decode, Encode};

use super::BucketNo;
use crate::{
    cbor::{self, Malformed},
    hash::Hash,
    id::ShopId,
    key::{KeyId, PublicKey, SigningKey},
    sign1::{self, Forged, Purpose, Unverified},
    time::UnixMs,
};

/// The longest chunk, in bytes: with its head it fits a frame.
pub const CHUNK_BYTES_MAX: usize = 192 * 1024;
/// The longest snapshot of one document, in bytes; readers fetch it in parts.
pub const SNAPSHOT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest signed head, in bytes.
pub const HEAD_BYTES_MAX: usize = 4 * 1024;
/// The most heads of a document: so many people edited it apart and nobody merged yet.
pub const HEADS_MAX: usize = 64;

/// What the signed bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Extent {
    /// The changes that came after the chunk before.
    #[n(0)]
    Chunk,
    /// The whole document up to this number.
    #[n(1)]
    Snapshot,
}

/// A place in the history of one document of a shop's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// Whose catalogue.
    #[n(0)]
    pub shop: ShopId,
    /// The shop's generation: a higher one makes what was learnt from a lower one stale.
    #[n(1)]
    pub generation: u64,
    /// Which document.
    #[n(2)]
    pub bucket: BucketNo,
    /// The number of the chunk: 1 for the first, then one more each, on through generations.
    #[n(3)]
    pub n: u64,
    /// Whether `content` names a chunk or a snapshot.
    #[n(4)]
    pub extent: Extent,
    /// The digest of the bytes.
    #[n(5)]
    pub content: Hash,
    /// Automerge's heads of the document after the bytes, sorted.
    #[n(6)]
    pub heads: Vec<Hash>,
    /// When it was signed, by the node's clock.
    #[n(7)]
    pub at: UnixMs,
}

impl Head {
    /// Signs the head; the result is stored and sent as it is.
    pub fn sign(&self, key: &SigningKey) -> SignedHead {
        let bytes = sign1::sign(key, Purpose::CatalogueHead, cbor::to_vec(self));
        SignedHead { head: self.clone(), signer: key.id(), bytes }
    }

    /// What a reader who stands at `known` does with this head.
    pub fn after(&self, known: Option<(u64, u64)>) -> Step {
        let (generation, n) = known.unwrap_or((self.generation, 0));
        if self.generation < generation {
            return Step::Stale;
        }
        if self.generation > generation && self.extent == Extent::Chunk {
            return Step::Restart;
        }
        match (self.extent, self.generation > generation) {
            (Extent::Snapshot, true) => Step::Load,
            _ if self.n <= n => Step::Stale,
            (Extent::Snapshot, false) => Step::Load,
            (Extent::Chunk, _) if self.n == n + 1 => Step::Apply,
            (Extent::Chunk, _) => Step::Gap,
        }
    }
}

/// What to do with a chunk or a snapshot, given how far one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the next chunk: apply it.
    Apply,
    /// It is a newer snapshot: load it in place of what is there.
    Load,
    /// It is known already, or of a generation that has ended.
    Stale,
    /// Chunks are missing in between: ask for them.
    Gap,
    /// The shop began a new generation: ask for a snapshot.
    Restart,
}

/// A head whose signature was checked, or that was just signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    signer: KeyId,
    bytes: Vec<u8>,
}

impl SignedHead {
    /// What was signed.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The node key that signed.
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The COSE_Sign1, byte for byte as signed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `content` is what this head names, so that it may be loaded.
    #[must_use]
    pub fn covers(&self, content: &[u8]) -> bool {
        let max = match self.head.extent {
            Extent::Chunk => CHUNK_BYTES_MAX,
            Extent::Snapshot => SNAPSHOT_BYTES_MAX,
        };
        content.len() <= max && Hash::of(content) == self.head.content
    }
}

/// A head as it came: well formed, perhaps forged.
#[derive(Debug, Clone)]
pub struct UnverifiedHead {
    sign1: Unverified,
    head: Head,
}

impl UnverifiedHead {
    /// Reads a signed head.
    ///
    /// # Errors
    /// [`Malformed`] when it is too long or damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let what = "a signed catalogue head";
        let sign1 = Unverified::parse(what, bytes, HEAD_BYTES_MAX)?;
        let head: Head = cbor::from_slice(what, sign1.payload(), HEAD_BYTES_MAX)?;
        if head.heads.len() > HEADS_MAX {
            return Err(Malformed::TooLong { what, len: head.heads.len(), max: HEADS_MAX });
        }
        Ok(Self { sign1, head })
    }

    /// The key that it says signed it: look up its certificate by this.
    pub fn signer(&self) -> KeyId {
        self.sign1.signer()
    }

    /// What it says, not to be acted on yet.
    pub fn claimed(&self) -> &Head {
        &self.head
    }

    /// Checks the signature; whether `key` is the node of [`Head::shop`] in [`Head::generation`]
    /// is for the caller, who has its certificate.
    ///
    /// # Errors
    /// [`Forged`] when it is not by `key`.
    pub fn verify(self, key: &PublicKey) -> Result<SignedHead, Forged> {
        let authentic = self.sign1.verify(key, Purpose::CatalogueHead)?;
        let bytes = authentic.bytes().to_vec();
        Ok(SignedHead { head: self.head, signer: authentic.signer(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(generation: u64, n: u64, extent: Extent) -> Head {
        Head {
            shop: ShopId::new(UnixMs::new(1), [1; 10]),
            generation,
            bucket: BucketNo::FIRST,
            n,
            extent,
            content: Hash::of(b"rice"),
            heads: vec![Hash::of(b"a")],
            at: UnixMs::new(5),
        }
    }

    #[test]
    fn a_head_covers_its_bytes_and_no_others() {
        let key = SigningKey::from_seed([1; 32]);
        let signed = head(1, 1, Extent::Chunk).sign(&key);
        let read = UnverifiedHead::parse(signed.bytes()).expect("well formed");
        let read = read.verify(&key.public()).expect("genuine");
        assert_eq!(read, signed);
        assert!(read.covers(b"rice"));
        assert!(!read.covers(b"atta"));
    }

    #[test]
    fn a_head_by_another_key_is_forged() {
        let (key, thief) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let signed = head(1, 1, Extent::Chunk).sign(&thief);
        let read = UnverifiedHead::parse(signed.bytes()).expect("well formed");
        assert!(read.verify(&key.public()).is_err());
    }

    #[test]
    fn a_reader_takes_the_next_chunk_or_a_newer_snapshot_and_nothing_else() {
        use Extent::{Chunk, Snapshot};
        for (known, new, step) in [
            (None, head(3, 1, Chunk), Step::Apply),
            (None, head(3, 2, Chunk), Step::Gap),
            (None, head(3, 9, Snapshot), Step::Load),
            (Some((3, 4)), head(3, 5, Chunk), Step::Apply),
            (Some((3, 4)), head(3, 4, Chunk), Step::Stale),
            (Some((3, 4)), head(3, 6, Chunk), Step::Gap),
            (Some((3, 4)), head(3, 4, Snapshot), Step::Stale),
            (Some((3, 4)), head(3, 6, Snapshot), Step::Load),
            (Some((3, 4)), head(2, 5, Chunk), Step::Stale),
            (Some((3, 4)), head(2, 9, Snapshot), Step::Stale),
            (Some((3, 4)), head(4, 5, Chunk), Step::Restart),
            (Some((3, 4)), head(4, 2, Snapshot), Step::Load),
        ] {
            assert_eq!(new.after(known), step, "{known:?} then {new:?}");
        }
    }
}
