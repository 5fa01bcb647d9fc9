//! The shop's catalogue: edits by people and batches by staff devices become numbered, signed
//! chunks; readers pull them.
//!
//! **Invariant:** a chunk, its signed head, the product rows, the search index and the offers are
//! one transaction; the documents in memory are caches that each transaction checks against the
//! number in the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use kirana_core::{
    catalogue::{
        BUCKET_PRODUCTS_MAX, BucketNo,
        batch::Refused,
        category::{CategoryId, NotATree},
        conflict::Conflict,
        document::{Author, Bucket, Heads, NotABucket},
        edit::{Edit, EditError},
        head::{CHUNK_BYTES_MAX, Extent, Head},
        history::Change,
        product::Product,
    },
    hash::Hash,
    id::{ProductId, ShopId, VariantId},
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, Tx,
    catalogue::{
        self, Shelved,
        chunks::{self, Reached},
        projection,
    },
    rusqlite::Connection,
};
use rand_core::CryptoRng;

use super::{Inner, Shop, categories, desk::Visit, refusal::NotStored};
use crate::store::{
    catalogue as shelves, images,
    settings::{self, Setting},
};

pub mod admission;
pub mod amendment;
pub mod epochs;
pub mod pulls;

/// Documents that were read before, each with the generation and number it stood at.
#[derive(Default)]
pub(crate) struct Documents {
    held: Mutex<BTreeMap<BucketNo, (u64, Bucket)>>,
    incarnation: Mutex<Option<u64>>,
}

impl Documents {
    /// A document as the database has it now: from memory if that still stands at the same chunk.
    pub(crate) fn load(
        &self,
        c: &Connection,
        shop: ShopId,
        bucket: BucketNo,
        reached: Option<&Reached>,
    ) -> Result<Bucket, StoreError> {
        let n = reached.map_or(0, |reached| reached.n);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, document)) = held.get(&bucket).filter(|(at, _)| *at == n) {
            return Ok(document.clone());
        }
        let (document, n) = chunks::load(c, shop, bucket)?;
        held.insert(bucket, (n, document.clone()));
        Ok(document)
    }

    /// Takes what was committed.
    pub(crate) fn keep(&self, written: impl IntoIterator<Item = Written>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in written {
            held.insert(chunk.document.number(), (chunk.n, chunk.document));
        }
    }

    /// This process's incarnation as an author, drawn once.
    pub(crate) fn incarnation(&self, rng: &mut dyn CryptoRng) -> u64 {
        let mut held = self.incarnation.lock().unwrap_or_else(PoisonError::into_inner);
        *held.get_or_insert_with(|| rng.next_u64())
    }
}

/// A chunk that a transaction wrote.
pub(crate) struct Written {
    pub(crate) n: u64,
    pub(crate) document: Bucket,
    pub(crate) changed: BTreeSet<ProductId>,
}

/// What an edit led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The products that are different now.
    pub changed: BTreeSet<ProductId>,
}

/// One product as people who edit it see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The product.
    pub shelved: Shelved,
    /// The document's heads: what an edit is made upon.
    pub heads: Heads,
    /// Where its values clash.
    pub conflicts: Vec<Conflict>,
}

/// Why the catalogue was not edited; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// The edit itself cannot be made.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The heads that it was made upon are unknown here.
    #[error("the catalogue never stood where this edit was made upon")]
    UnknownHeads,
    /// The tree of categories does not take it.
    #[error(transparent)]
    Category(#[from] NotATree),
    /// A category that is to be taken away has products or categories of its own.
    #[error("{id} has {products} products, or categories below it: move them first, or hide it")]
    CategoryInUse {
        /// Which.
        id: CategoryId,
        /// How many products name it.
        products: u32,
    },
    /// Two planned prices or deals that begin at one moment.
    #[error("two planned prices, or two deals, begin at {0}: they would hide one another")]
    SameMoment(UnixMs),
    /// One edit made too much at once.
    #[error("the edit is too large: make it in several")]
    TooLarge,
    /// A staff batch was refused.
    #[error(transparent)]
    Batch(#[from] Refused),
    /// Whoever signed a batch may not edit the catalogue.
    #[error("whoever signed the batch may not edit this catalogue")]
    Forbidden,
    /// This box changes nothing any more.
    #[error("this box no longer speaks for the shop: {0}")]
    ReadOnly(String),
    /// Nothing could be stored.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotEdited> for Abort<NotEdited> {
    fn from(error: NotEdited) -> Self {
        match error {
            NotEdited::Store(error) => Self::Store(error),
            other => Self::Refused(other),
        }
    }
}

impl Shop {
    /// One product with what an editor needs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn product(&self, id: ProductId) -> Result<Option<Seen>, StoreError> {
        self.reader().read(|c| {
            let Some(shelved) = catalogue::product(c, self.id(), id)? else { return Ok(None) };
            let reached = chunks::reached(c, self.id())?;
            let at = reached.get(&shelved.bucket);
            let document = self.inner.documents.load(c, self.id(), shelved.bucket, at)?;
            let conflicts = document.conflicts_of(id);
            Ok(Some(Seen { shelved, heads: document.heads(), conflicts }))
        })
    }

    /// What was changed of a product, by whom and when, oldest first; `None` where there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn history(&self, id: ProductId) -> Result<Option<Vec<Change>>, StoreError> {
        self.reader().read(|c| {
            let Some(shelved) = catalogue::product(c, self.id(), id)? else { return Ok(None) };
            let reached = chunks::reached(c, self.id())?;
            let at = reached.get(&shelved.bucket);
            let document = self.inner.documents.load(c, self.id(), shelved.bucket, at)?;
            epochs::history(c, &document, id).map(Some)
        })
    }

    /// The product of a variant, as it is on the shelf.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn product_of(&self, variant: VariantId) -> Result<Option<Product>, StoreError> {
        self.reader().read(|c| {
            let shelved = catalogue::by_variant(c, self.id(), variant)?;
            Ok(shelved.map(|shelved| shelved.product))
        })
    }

    /// Every clash that waits for somebody to pick.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn conflicts(&self) -> Result<Vec<Conflict>, StoreError> {
        self.reader().read(|c| {
            let mut all = Vec::new();
            for (bucket, at) in &chunks::reached(c, self.id())? {
                let document = self.inner.documents.load(c, self.id(), *bucket, Some(at))?;
                all.extend(document.conflicts());
            }
            Ok(all)
        })
    }

    /// Makes edits in somebody's name, all or none, as one commit in each document they touch.
    ///
    /// `upon` are the heads that the author saw: if the document has gone on since, the edit stands
    /// beside what others did, and a clash is shown rather than overwritten.
    ///
    /// # Errors
    /// [`NotEdited`]; nothing was changed.
    pub fn edit_catalogue(
        &self,
        edits: Vec<Edit>,
        by: KeyId,
        upon: Option<Heads>,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Edited, NotEdited> {
        let incarnation = match &upon {
            // Apart from this process's own line, so that both can have a next change.
            Some(_) => rng.next_u64(),
            None => self.inner.documents.incarnation(rng),
        };
        let author = Author { key: by, incarnation };
        let (inner, visit) = (self.inner.clone(), Visit::new(now, rng));
        let written = self.writer().write(move |tx| -> Result<Vec<Written>, Abort<NotEdited>> {
            may_edit(tx)?;
            let mut reached = chunks::reached(tx, inner.identity.shop)?;
            let mut written = Vec::new();
            for (bucket, edits) in placed(tx, &inner, &reached, &edits)? {
                let made =
                    Editing { inner: &inner, tx, author, now: visit.now, upon: upon.as_ref() };
                if let Some(chunk) = made.make(bucket, reached.get(&bucket), &edits)? {
                    reached.remove(&bucket);
                    written.push(chunk);
                }
            }
            Ok(written)
        })?;
        let changed = written.iter().flat_map(|chunk| chunk.changed.iter().copied()).collect();
        self.inner.documents.keep(written);
        Ok(Edited { changed })
    }

    /// A fresh product id and variant id.
    pub fn draw_ids(&self, now: UnixMs, rng: &mut dyn CryptoRng) -> (ProductId, VariantId) {
        let mut random = [[0; 10]; 2];
        random.iter_mut().for_each(|bytes| rng.fill_bytes(bytes));
        (ProductId::new(now, random[0]), VariantId::new(now, random[1]))
    }
}

pub(crate) fn may_edit(tx: &Tx<'_>) -> Result<(), Abort<NotEdited>> {
    match settings::get::<String>(tx, Setting::ReadOnly)? {
        Some(why) => Err(Abort::Refused(NotEdited::ReadOnly(why))),
        None => Ok(()),
    }
}

/// Sorts edits by the document they belong to: a known product stays where it was born, a new one
/// goes into the last document that has room.
pub(crate) fn placed(
    c: &Connection,
    inner: &Inner,
    reached: &BTreeMap<BucketNo, Reached>,
    edits: &[Edit],
) -> Result<BTreeMap<BucketNo, Vec<Edit>>, NotEdited> {
    let mut placed: BTreeMap<BucketNo, Vec<Edit>> = BTreeMap::new();
    let last = reached.range(BucketNo::FIRST..).next_back();
    let mut fresh = last.map_or((BucketNo::FIRST, 0), |(bucket, at)| {
        (*bucket, usize::try_from(at.products).unwrap_or(usize::MAX))
    });
    let mut born: BTreeMap<ProductId, BucketNo> = BTreeMap::new();
    for edit in edits {
        let id = edit.product();
        if let Edit::PutCategory(category) = edit {
            categories::check(c, inner.identity.shop, category)?;
            placed.entry(BucketNo::INDEX).or_default().push(edit.clone());
            continue;
        }
        let known = match born.get(&id) {
            Some(bucket) => Some(*bucket),
            None => shelves::bucket_of(c, inner.identity.shop, id)?,
        };
        let bucket = match known {
            Some(bucket) => bucket,
            None if matches!(edit, Edit::PutProduct(_)) => {
                if fresh.1 >= BUCKET_PRODUCTS_MAX {
                    fresh = (BucketNo::new(fresh.0.get() + 1), 0);
                }
                fresh.1 += 1;
                born.insert(id, fresh.0);
                fresh.0
            }
            None => return Err(EditError::NoSuchProduct(id).into()),
        };
        placed.entry(bucket).or_default().push(edit.clone());
    }
    Ok(placed)
}

/// One person's edits in one transaction.
pub(crate) struct Editing<'a, 't> {
    pub(crate) inner: &'a Inner,
    pub(crate) tx: &'a Tx<'t>,
    pub(crate) author: Author,
    pub(crate) now: UnixMs,
    pub(crate) upon: Option<&'a Heads>,
}

impl Editing<'_, '_> {
    pub(crate) fn make(
        &self,
        bucket: BucketNo,
        reached: Option<&Reached>,
        edits: &[Edit],
    ) -> Result<Option<Written>, NotEdited> {
        let shop = self.inner.identity.shop;
        let mut document = self.inner.documents.load(self.tx, shop, bucket, reached)?;
        let before = document.heads();
        let changed = match self.upon.filter(|upon| **upon != before) {
            Some(upon) => match document.edit_upon(upon, &self.author, edits, self.now) {
                Some(made) => made?,
                None => {
                    let late = self.make_late(&mut document, upon, edits)?;
                    late.ok_or(NotEdited::UnknownHeads)?
                }
            },
            None => document.edit_all(&self.author, edits, self.now)?,
        };
        if document.heads() == before {
            return Ok(None);
        }
        write(self.inner, self.tx, document, &before, reached, changed, self.now).map(Some)
    }
}

/// Signs and stores what a document has gained, and brings the shelves in line.
pub(crate) fn write(
    inner: &Inner,
    tx: &Tx<'_>,
    document: Bucket,
    before: &Heads,
    reached: Option<&Reached>,
    changed: BTreeSet<ProductId>,
    now: UnixMs,
) -> Result<Written, NotEdited> {
    let content = document.since(before);
    if content.len() > CHUNK_BYTES_MAX {
        return Err(NotEdited::TooLarge);
    }
    let head = Head {
        shop: inner.identity.shop,
        generation: inner.generation,
        bucket: document.number(),
        n: reached.map_or(0, |reached| reached.n) + 1,
        extent: Extent::Chunk,
        content: Hash::of(&content),
        heads: document.heads().hashes(),
        at: now,
    };
    let signed = head.sign(&inner.keys.node.signing);
    chunks::store(tx, &signed, &content, &document, &changed)?;
    for product in changed.iter().filter_map(|id| document.product(*id)) {
        shelves::offer(tx, head.shop, &product, head.n)?;
        images::name(tx, &product)?;
    }
    projection::turn(tx, now)?;
    Ok(Written { n: head.n, document, changed })
}

impl Shop {
    /// Sorts what is on the shelf by the planned prices that began or ended; how many products those are.
    ///
    /// # Errors
    /// When nothing can be read or stored.
    pub fn turn_prices(&self, now: UnixMs) -> Result<usize, NotEdited> {
        let known = self.known_now(now)?.at;
        if !self.reader().read(|c| projection::is_due(c, known))? {
            return Ok(0);
        }
        let turned = self.writer().write(move |tx| -> Result<usize, Abort<NotEdited>> {
            Ok(projection::turn(tx, known)?)
        });
        Ok(turned?)
    }
}

impl From<NotABucket> for NotEdited {
    fn from(error: NotABucket) -> Self {
        Self::Batch(Refused::Document(error))
    }
}
