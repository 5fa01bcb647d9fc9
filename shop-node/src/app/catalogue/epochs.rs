//! Closes the epochs of the catalogue's documents, and takes in what people still send who made it
//! upon a closed one.
//!
//! **Invariants:** a document ends and its successor begins in one transaction, and no row that
//! people search or buy from changes by it. Nothing that was admitted to a closed document is lost:
//! it holds, or it waits among the clashes (P5).

use std::collections::BTreeSet;

use kirana_core::{
    catalogue::{
        BucketNo,
        batch::{Refused, SignedBatch},
        document::{Author, Bucket, Heads, NotABucket},
        edit::Edit,
        epoch::Difference,
        head::HEADS_MAX,
        history::{self, Change},
    },
    hash::Hash,
    id::ProductId,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx, catalogue::chunks, rusqlite::Connection};
use rand_core::CryptoRng;

use super::{Editing, Inner, NotEdited, Shop, Visit, Written, may_edit};
use crate::{app::desk::Desk, store::epochs};

/// How long a document goes on before it begins anew, in milliseconds.
pub const EPOCH_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// The epoch in which a document is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Epoch {
    /// Which document.
    pub bucket: BucketNo,
    /// 1 for the first.
    pub epoch: u32,
    /// Since when; nothing while it was not noted yet.
    pub since: Option<UnixMs>,
    /// How many changes the document remembers.
    pub changes: usize,
}

impl Shop {
    /// In which epoch each document is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn epochs(&self) -> Result<Vec<Epoch>, StoreError> {
        self.reader().read(|c| {
            let (reached, open) = (chunks::reached(c, self.id())?, epochs::open(c)?);
            let of = |(bucket, at): (&BucketNo, &chunks::Reached)| {
                let document = self.inner.documents.load(c, self.id(), *bucket, Some(at))?;
                let open = open.get(bucket);
                Ok(Epoch {
                    bucket: *bucket,
                    epoch: open.map_or(1, |open| open.epoch),
                    since: open.map(|open| open.opened),
                    changes: document.changes(),
                })
            };
            reached.iter().map(of).collect()
        })
    }

    /// Ends the epochs that have lasted a year, one transaction each; says how many. While the
    /// clock is in doubt none ends.
    ///
    /// # Errors
    /// [`NotEdited`]; those that ended before stay so.
    pub fn close_old_epochs(
        &self,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<usize, NotEdited> {
        let Some(known) = self.note_time(now, rng)? else { return Ok(0) };
        let (reached, open) = self
            .reader()
            .read(|c| Ok::<_, StoreError>((chunks::reached(c, self.id())?, epochs::open(c)?)))?;
        let mut ended = 0;
        for bucket in reached.into_keys() {
            match open.get(&bucket) {
                None => self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
                    may_edit(tx)?;
                    if !epochs::open(tx)?.contains_key(&bucket) {
                        epochs::note(tx, bucket, known)?;
                    }
                    Ok(())
                })?,
                Some(open) if known.since(open.opened) >= EPOCH_MS => {
                    self.close_epoch(bucket, known, rng)?;
                    ended += 1;
                }
                Some(_) => {}
            }
        }
        Ok(ended)
    }

    /// Notes that the clock went on, so that a shop where nothing happens for a week does not take
    /// its own clock for one that jumped; gives the time unless that is in doubt.
    fn note_time(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> Result<Option<UnixMs>, NotEdited> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let known = self.writer().write(move |tx| -> Result<_, Abort<NotEdited>> {
            Ok(Desk::open(&inner, tx, &visit)?.now)
        })?;
        Ok(Some(known.at).filter(|_| !known.expiry_suspended))
    }

    /// Ends the epoch of one document now.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn close_epoch(
        &self,
        bucket: BucketNo,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let incarnation = rng.next_u64();
        let written =
            self.writer().write(move |tx| -> Result<Option<Written>, Abort<NotEdited>> {
                may_edit(tx)?;
                let author = Author { key: inner.keys.node.signing.id(), incarnation };
                Ok(close(&inner, tx, bucket, &author, visit.now)?)
            })?;
        self.inner.documents.keep(written);
        Ok(())
    }
}

fn close(
    inner: &Inner,
    tx: &Tx<'_>,
    bucket: BucketNo,
    author: &Author,
    now: UnixMs,
) -> Result<Option<Written>, NotEdited> {
    let shop = inner.identity.shop;
    let Some(reached) = chunks::reached(tx, shop)?.remove(&bucket) else { return Ok(None) };
    let document = inner.documents.load(tx, shop, bucket, Some(&reached))?;
    let mut open = epochs::open(tx)?.remove(&bucket);
    if open.is_none() {
        epochs::note(tx, bucket, now)?;
        open = epochs::open(tx)?.remove(&bucket);
    }
    let epoch = open.map_or(1, |open| open.epoch);
    let new = document.renew(author, now)?;
    epochs::end(tx, &document, epoch, now)?;
    let next =
        epochs::Open { epoch: epoch + 1, opened: now, skeleton: new.skeleton, begun: new.begun };
    epochs::begin(tx, bucket, &next)?;
    let n = reached.n + 1;
    chunks::renew(tx, &new.document, inner.generation, n, now)?;
    Ok(Some(Written { n, document: new.document, changed: BTreeSet::new() }))
}

/// The document as an editor saw it, perhaps before it began anew.
pub(super) fn seen_at(
    c: &Connection,
    document: Bucket,
    upon: Option<&Heads>,
) -> Result<Bucket, NotEdited> {
    let Some(upon) = upon else { return Ok(document) };
    let (shop, bucket) = (document.shop(), document.number());
    let mut seen = document.at(upon);
    for epoch in epochs::closed(c, bucket)? {
        if seen.is_some() {
            break;
        }
        seen = epochs::get(c, shop, bucket, epoch)?.and_then(|closed| closed.document.at(upon));
    }
    seen.ok_or(NotEdited::UnknownHeads)
}

/// All changes of a product through all epochs of its document, oldest first.
pub(super) fn history(
    c: &Connection,
    document: &Bucket,
    id: ProductId,
) -> Result<Vec<Change>, StoreError> {
    let (shop, bucket) = (document.shop(), document.number());
    let damaged = |_| StoreError::damaged("the catalogue document", bucket);
    let mut all = Vec::new();
    for epoch in epochs::closed(c, bucket)?.into_iter().rev() {
        if let Some(closed) = epochs::get(c, shop, bucket, epoch)? {
            // Without what came after its end: that is among the clashes, or was settled since.
            let whole = closed.document.at(&closed.closed).ok_or(NotABucket::Gap);
            let whole = whole.map_err(damaged)?;
            all.extend(history::of(&whole, id, &closed.begun).map_err(damaged)?);
        }
    }
    let begun = epochs::open(c)?.remove(&bucket).map(|open| open.begun).unwrap_or_default();
    all.extend(history::of(document, id, &begun).map_err(damaged)?);
    Ok(all)
}

/// Checks that the closed documents are what was stored.
pub(crate) fn faults(c: &Connection, inner: &Inner) -> Result<Vec<String>, StoreError> {
    let (shop, mut faults) = (inner.identity.shop, Vec::new());
    for bucket in chunks::reached(c, shop)?.into_keys() {
        for epoch in epochs::closed(c, bucket)? {
            match epochs::get(c, shop, bucket, epoch) {
                Err(fault @ StoreError::Damaged { .. }) => faults.push(fault.to_string()),
                other => drop(other?),
            }
        }
    }
    Ok(faults)
}

/// What somebody made upon a closed document, and the document with it.
struct Late {
    epoch: u32,
    closed: Bucket,
    difference: Difference,
}

impl Late {
    /// Looks through the closed documents, the newest first, for the one that it was made upon.
    fn find(
        inner: &Inner,
        tx: &Tx<'_>,
        bucket: BucketNo,
        made: impl Fn(&Bucket) -> Result<Option<(Bucket, Option<Difference>)>, NotEdited>,
    ) -> Result<Option<Option<Self>>, NotEdited> {
        let shop = inner.identity.shop;
        for epoch in epochs::closed(tx, bucket)? {
            let Some(closed) = epochs::get(tx, shop, bucket, epoch)? else { continue };
            if let Some((closed, difference)) = made(&closed.document)? {
                return Ok(Some(difference.map(|difference| Self { epoch, closed, difference })));
            }
        }
        Ok(None)
    }

    fn carry_into(
        self,
        tx: &Tx<'_>,
        document: &mut Bucket,
        author: &Author,
        now: UnixMs,
    ) -> Result<BTreeSet<ProductId>, NotEdited> {
        epochs::keep_late(tx, &self.closed, self.epoch)?;
        let open = epochs::open(tx)?.remove(&document.number());
        let skeleton = open.map(|open| open.skeleton).ok_or(NotEdited::UnknownHeads)?;
        let changed = document.carry_over(&skeleton, &self.difference, author, now)?;
        if document.heads().hashes().len() > HEADS_MAX {
            return Err(Refused::TooManyHeads.into());
        }
        Ok(changed)
    }
}

/// Takes in a batch that was made upon a closed document; `None` when there is no such document.
pub(super) fn admit_late(
    inner: &Inner,
    tx: &Tx<'_>,
    document: &mut Bucket,
    batch: &SignedBatch,
    bytes: &[u8],
) -> Result<Option<BTreeSet<ProductId>>, NotEdited> {
    let made = |closed: &Bucket| match closed.admit_late(batch) {
        Ok(admitted) => Ok(Some(admitted)),
        Err(Refused::Document(NotABucket::Gap)) => Ok(None),
        Err(refused) => Err(refused.into()),
    };
    let Some(found) = Late::find(inner, tx, batch.bucket(), made)? else { return Ok(None) };
    let Some(late) = found else { return Ok(Some(BTreeSet::new())) };
    let author = Author { key: batch.signer(), incarnation: number_of(Hash::of(bytes)) };
    late.carry_into(tx, document, &author, batch.at()).map(Some)
}

impl Editing<'_, '_> {
    /// Makes edits upon heads of a closed document; `None` when there is no such document.
    pub(super) fn make_late(
        &self,
        document: &mut Bucket,
        upon: &Heads,
        edits: &[Edit],
    ) -> Result<Option<BTreeSet<ProductId>>, NotEdited> {
        let made = |closed: &Bucket| {
            let mut next = closed.clone();
            let Some(made) = next.edit_upon(upon, &self.author, edits, self.now) else {
                return Ok(None);
            };
            made?;
            let mut alone = closed.at(upon).ok_or(NotEdited::UnknownHeads)?;
            alone.edit_all(&self.author, edits, self.now)?;
            let difference = alone.difference(upon, &alone.heads())?;
            Ok(Some((next, difference.filter(|difference| !difference.is_empty()))))
        };
        let Some(found) = Late::find(self.inner, self.tx, document.number(), made)? else {
            return Ok(None);
        };
        let Some(late) = found else { return Ok(Some(BTreeSet::new())) };
        let incarnation = number_of(Hash::of(&self.author.incarnation.to_be_bytes()));
        let author = Author { incarnation, ..self.author };
        late.carry_into(self.tx, document, &author, self.now).map(Some)
    }
}

fn number_of(hash: Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
