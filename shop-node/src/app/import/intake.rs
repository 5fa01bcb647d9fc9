//! Puts groups of rows into the catalogue, some hundred products to a commit.
//!
//! **Invariant:** the products, what they were before, the opening stock, the notes and how far the
//! file was read are one commit: after a crash an import goes on behind the last of them.

use std::collections::BTreeMap;

use kirana_core::{
    catalogue::{document::Author, product::Product},
    cbor,
    hash::Hash,
    id::{ProductId, VariantId},
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{Abort, StoreError, Tx, catalogue::chunks};
use rand_core::CryptoRng;

use super::{
    NOTES_MAX,
    groups::Group,
    plan::{self, Plan, Told},
    rows::Note,
};
use crate::{
    app::{
        Inner, Shop,
        catalogue::{Editing, NotEdited, Written, may_edit, placed},
        counter::{Entry, What},
        desk::{Desk, Visit},
    },
    store::{
        feeds,
        imports::{self, Counts, Id, Touched},
    },
};

/// Products of one commit at most.
const PRODUCTS_MAX: usize = 200;
/// Bytes of the products of one commit at most, so that a chunk stays within its limit.
const PRODUCTS_BYTES_MAX: usize = 64 * 1024;
/// Records that are read between two commits at most, whatever comes of them.
const ROWS_MAX: u64 = 5_000;

/// What is to be committed next.
pub(super) struct Intake<'s> {
    shop: &'s Shop,
    /// Under which name it is kept; a dry run may be kept nowhere.
    run: Option<Id>,
    by: KeyId,
    dry_run: bool,
    now: UnixMs,
    groups: Vec<Group>,
    bytes: usize,
    /// All that was committed.
    pub(super) counts: Counts,
    notes: Notes,
    /// The notes that were committed, where they are kept nowhere else.
    pub(super) told: Notes,
}

/// Notes that wait, no more than a report lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub(super) refused: Vec<Note>,
    pub(super) warnings: Vec<Note>,
    refused_count: u64,
}

impl Notes {
    pub(super) fn refuse(&mut self, note: Note) {
        self.refused_count += 1;
        if self.refused.len() < NOTES_MAX {
            self.refused.push(note);
        }
    }

    pub(super) fn warn(&mut self, notes: impl IntoIterator<Item = Note>) {
        let room = NOTES_MAX.saturating_sub(self.warnings.len());
        self.warnings.extend(notes.into_iter().take(room));
    }

    fn add(&mut self, other: Self) {
        let kept = other.refused.len() as u64;
        self.refused_count += other.refused_count - kept;
        other.refused.into_iter().for_each(|note| self.refuse(note));
        self.warn(other.warnings);
    }
}

impl<'s> Intake<'s> {
    /// Goes on behind what was committed before.
    pub(super) fn new(
        shop: &'s Shop,
        run: Option<Id>,
        counts: Counts,
        (by, dry_run, now): (KeyId, bool, UnixMs),
    ) -> Self {
        let (notes, told) = (Notes::default(), Notes::default());
        Self { shop, run, by, dry_run, now, groups: Vec::new(), bytes: 0, counts, notes, told }
    }

    /// What is said about the rows that are read now.
    pub(super) fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// Takes a group; whether there is enough for a commit. `rows` records were read up to its end.
    pub(super) fn take(&mut self, group: Group, rows: u64) -> bool {
        self.bytes += group.bytes();
        if group.variants().next().is_some() {
            self.groups.push(group);
        }
        self.groups.len() >= PRODUCTS_MAX
            || self.bytes >= PRODUCTS_BYTES_MAX
            || rows - self.counts.rows >= ROWS_MAX
    }

    /// Commits what was taken, and that so many records and bytes were read.
    pub(super) fn commit(
        &mut self,
        (rows, bytes): (u64, u64),
        rng: &mut dyn CryptoRng,
    ) -> Result<(), NotEdited> {
        self.bytes = 0;
        let (groups, notes) = (std::mem::take(&mut self.groups), std::mem::take(&mut self.notes));
        let counts = Counts { rows, bytes, ..self.counts };
        let inner = self.shop.inner.clone();
        let Some(id) = self.run else {
            let told = self.shop.reader().read(|c| plan::plan(c, &inner, &groups))?.told;
            let (counts, notes) = sum(counts, notes, told);
            self.counts = counts;
            self.told.add(notes);
            return Ok(());
        };
        let author = Author { key: self.by, incarnation: inner.documents.incarnation(rng) };
        let (visit, dry_run) = (Visit::new(self.now, rng), self.dry_run);
        let committed = self.shop.writer().write(move |tx| -> Result<_, Abort<NotEdited>> {
            may_edit(tx)?;
            let plan = plan::plan(tx, &inner, &groups)?;
            let chunk = Chunk { inner: &inner, tx, id, author, visit: &visit };
            let (told, written) =
                if dry_run { (plan.told, Vec::new()) } else { chunk.put(plan)? };
            let (counts, notes) = sum(counts, notes.clone(), told);
            imports::advance(tx, &id, &counts)?;
            imports::add_notes(tx, &id, "refused", &notes.refused, NOTES_MAX)?;
            imports::add_notes(tx, &id, "warning", &notes.warnings, NOTES_MAX)?;
            Ok((counts, written))
        })?;
        self.counts = committed.0;
        self.shop.inner.documents.keep(committed.1);
        Ok(())
    }
}

fn sum(mut counts: Counts, mut notes: Notes, told: Told) -> (Counts, Notes) {
    told.refused.into_iter().for_each(|note| notes.refuse(note));
    notes.warn(told.warnings);
    counts.added += told.added;
    counts.changed += told.changed;
    counts.unchanged += told.unchanged;
    counts.refused += notes.refused_count;
    (counts, notes)
}

/// One transaction of an import.
struct Chunk<'a, 't> {
    inner: &'a Inner,
    tx: &'a Tx<'t>,
    id: Id,
    author: Author,
    visit: &'a Visit,
}

impl Chunk<'_, '_> {
    fn put(&self, plan: Plan) -> Result<(Told, Vec<Written>), Abort<NotEdited>> {
        let (inner, tx) = (self.inner, self.tx);
        if let Some(feed) = feeds::of_import(tx, &self.id)? {
            plan.listed.iter().try_for_each(|id| feeds::lists(tx, feed, *id, &self.id))?;
        }
        let reached = chunks::reached(tx, inner.identity.shop)?;
        let mut written = Vec::new();
        let (author, now) = (self.author, self.visit.now);
        for (bucket, edits) in placed(tx, inner, &reached, &plan.edits)? {
            let editing = Editing { inner, tx, author, now, upon: None };
            written.extend(editing.make(bucket, reached.get(&bucket), &edits)?);
        }
        let mut told = plan.told;
        let received = self.receive(&plan.stock, &mut told)?;
        self.note_touched(plan.former, &written, received)?;
        Ok((told, written))
    }

    fn receive(
        &self,
        stock: &[(u64, ProductId, Entry)],
        told: &mut Told,
    ) -> Result<BTreeMap<ProductId, BTreeMap<VariantId, u64>>, Abort<NotEdited>> {
        let mut desk = Desk::open(self.inner, self.tx, self.visit)?;
        let mut received: BTreeMap<ProductId, BTreeMap<VariantId, u64>> = BTreeMap::new();
        for (line, product, entry) in stock {
            match desk.enter(entry, self.author.key) {
                Ok(_) => {
                    let What::Receipt(amount) = entry.what else { continue };
                    received.entry(*product).or_default().insert(entry.variant, amount);
                }
                Err(Abort::Refused(why)) => {
                    told.warnings.push(Note::new(*line, "stock", why.to_string()));
                }
                Err(Abort::Store(error)) => return Err(Abort::Store(error)),
            }
        }
        Ok(received)
    }

    /// Notes how products were before and what became of them, so that it can be undone.
    fn note_touched(
        &self,
        former: BTreeMap<ProductId, (u64, Option<Product>)>,
        written: &[Written],
        mut received: BTreeMap<ProductId, BTreeMap<VariantId, u64>>,
    ) -> Result<(), StoreError> {
        for (product, (line, former)) in former {
            let changed = written.iter().find(|chunk| chunk.changed.contains(&product));
            let Some(became) = changed.and_then(|chunk| chunk.document.product(product)) else {
                continue;
            };
            let is_off = former.as_ref().is_none_or(|former| former.delisted);
            let touched = Touched {
                product,
                line,
                added: is_off && !became.delisted,
                former,
                became: Hash::of(&cbor::to_vec(&became)),
                received: received.remove(&product).unwrap_or_default(),
            };
            imports::touch(self.tx, &self.id, &touched)?;
        }
        Ok(())
    }
}
