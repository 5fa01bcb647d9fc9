//! Serves pulls of the catalogue: heads, chunks after a number, snapshots.
//!
//! **Invariant:** what is served of one state is the same bytes each time, so that a reader can
//! fetch a snapshot in parts from any answerer.

use kirana_core::{
    availability::SignedAvailability,
    catalogue::{
        BucketNo,
        head::{Extent, Head, SignedHead, UnverifiedHead},
    },
    hash::Hash,
    id::ShopId,
    time::UnixMs,
};
use kirana_migrations::{
    StoreError,
    catalogue::chunks::{self, Reached},
    rusqlite::Connection,
};
use kirana_sync::wire::{Chunk, Code, Request, Response};
use minicbor::bytes::ByteVec;

use super::{Inner, Shop};
use crate::store::settings::{self, Setting};

/// The most bytes of a snapshot in one answer.
const PART_BYTES_MAX: usize = 128 * 1024;
/// The most chunks that are read for one answer.
const CHUNKS_AT_ONCE: u16 = 32;

impl Shop {
    /// Answers a pull of this shop's catalogue; nobody needs to be known for it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn serve_pull(&self, request: Request, now: UnixMs) -> Result<Response, StoreError> {
        let stock = match &request {
            Request::Heads { shop, .. } if *shop == self.id() => self.availability(now)?,
            _ => Vec::new(),
        };
        self.reader().read(|c| match request {
            Request::Heads { shop, seen } if shop == self.id() => {
                Ok(self.inner.told.news(self.inner.heads(c, stock)?, seen))
            }
            Request::Chunks { shop, bucket, generation, after } if shop == self.id() => {
                self.inner.chunks(c, bucket, generation, after)
            }
            Request::Snapshot { shop, bucket, offset } if shop == self.id() => {
                self.inner.part(c, bucket, offset)
            }
            _ => Ok(Response::refused(Code::NotHere, "this shop serves its own catalogue only")),
        })
    }
}

impl Inner {
    fn heads(
        &self,
        c: &Connection,
        stock: Vec<SignedAvailability>,
    ) -> Result<Response, StoreError> {
        let shop = self.identity.shop;
        let mut heads = Vec::new();
        for (bucket, reached) in chunks::reached(c, shop)? {
            heads.push(ByteVec::from(self.head(c, shop, bucket, &reached)?.bytes().to_vec()));
        }
        let certificates = super::super::chain(c)?.into_iter().map(ByteVec::from).collect();
        let availability = stock.iter().map(|one| ByteVec::from(one.bytes().to_vec())).collect();
        // A box that no longer speaks for the shop says nothing of its own.
        let is_read_only = settings::get::<String>(c, Setting::ReadOnly)?.is_some();
        let terms = if is_read_only { None } else { self.signed_terms(c)? };
        let terms = terms.map(|terms| ByteVec::from(terms.bytes().to_vec()));
        Ok(Response::Heads { heads, certificates, availability, terms, name: None })
    }

    /// The newest head of a document: that of its last chunk, or in a new generation one for the
    /// whole, since the old node's signature no longer counts.
    fn head(
        &self,
        c: &Connection,
        shop: ShopId,
        bucket: BucketNo,
        reached: &Reached,
    ) -> Result<SignedHead, StoreError> {
        if reached.generation == self.generation {
            let last = chunks::after(c, shop, bucket, reached.n.saturating_sub(1), 1)?;
            if let Some(chunk) = last.into_iter().flatten().next() {
                return self.own(&chunk.head, bucket);
            }
        }
        Ok(self.snapshot(c, shop, bucket, reached)?.0)
    }

    /// A stored head by this node, read again.
    fn own(&self, bytes: &[u8], bucket: BucketNo) -> Result<SignedHead, StoreError> {
        let damaged = || StoreError::damaged("a catalogue head of part", bucket);
        let head = UnverifiedHead::parse(bytes).map_err(|_| damaged())?;
        head.verify(&self.keys.node.signing.public()).map_err(|_| damaged())
    }

    fn snapshot(
        &self,
        c: &Connection,
        shop: ShopId,
        bucket: BucketNo,
        reached: &Reached,
    ) -> Result<(SignedHead, Vec<u8>), StoreError> {
        let document = self.documents.load(c, shop, bucket, Some(reached))?;
        let content = document.save();
        let head = Head {
            shop,
            generation: self.generation,
            bucket,
            n: reached.n,
            extent: Extent::Snapshot,
            content: Hash::of(&content),
            heads: document.heads().hashes(),
            at: chunks::signed_at(c, shop, bucket)?,
        };
        Ok((head.sign(&self.keys.node.signing), content))
    }

    fn chunks(
        &self,
        c: &Connection,
        bucket: BucketNo,
        generation: u64,
        after: u64,
    ) -> Result<Response, StoreError> {
        if generation != self.generation {
            let reason = "the catalogue is in another generation: take a snapshot";
            return Ok(Response::refused(Code::OtherGeneration, reason));
        }
        let found = chunks::after(c, self.identity.shop, bucket, after, CHUNKS_AT_ONCE)?;
        let of_this = |chunk: &chunks::Chunk| self.own(&chunk.head, bucket).is_ok();
        let Some(found) = found.filter(|found| found.iter().all(of_this)) else {
            return Ok(Response::refused(Code::Gone, "too far behind: take a snapshot"));
        };
        let full = found.len() == usize::from(CHUNKS_AT_ONCE);
        let mut response = Response::chunks(
            found.into_iter().map(|c| Chunk { head: c.head.into(), bytes: c.content.into() }),
        );
        if let Response::Chunks { more, .. } = &mut response {
            *more |= full;
        }
        Ok(response)
    }

    fn part(&self, c: &Connection, bucket: BucketNo, offset: u32) -> Result<Response, StoreError> {
        let shop = self.identity.shop;
        let Some(reached) = chunks::reached(c, shop)?.remove(&bucket) else {
            return Ok(Response::refused(Code::NotHere, "there is no such part of the catalogue"));
        };
        let (head, content) = self.snapshot(c, shop, bucket, &reached)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(rest) = content.get(offset..).filter(|rest| !rest.is_empty()) else {
            return Ok(Response::refused(Code::Malformed, "the offset is beyond the end"));
        };
        let part = rest[..rest.len().min(PART_BYTES_MAX)].to_vec();
        let total = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let head = ByteVec::from(head.bytes().to_vec());
        Ok(Response::Snapshot { head, total, part: part.into() })
    }
}
