//! Takes an import back: products are what they were before, where nobody changed them since.
//!
//! **Invariant:** what somebody did after the import is never undone with it: such a product is left
//! as it is, and named with the reason.

use std::ops::ControlFlow;

use kirana_core::{
    catalogue::{document::Author, edit::Edit, product::Product},
    cbor,
    hash::Hash,
    id::ProductId,
    key::KeyId,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, StoreError, Tx,
    catalogue::{self as shelf, chunks},
};
use rand_core::CryptoRng;

use super::{NOTES_MAX, NotImported, Note, Report, State};
use crate::{
    app::{
        Inner, Shop,
        catalogue::{Editing, NotEdited, Written, may_edit, placed},
        counter::{Entry, NotEntered, What},
        desk::{Desk, Visit},
    },
    store::{
        imports::{self, Id, Touched},
        stock,
    },
};

/// Products of one commit at most.
const PRODUCTS_MAX: u32 = 100;

impl Shop {
    /// Takes an import back, in several commits. Nobody else may work at the same import meanwhile.
    /// `heard` is told after each commit how many products were looked at.
    ///
    /// # Errors
    /// [`NotImported::Ended`] when it was taken back before, or was a dry run; other errors leave it
    /// half taken back, and the same again goes on.
    pub fn undo_import(
        &self,
        id: uuid::Uuid,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
        heard: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Report, NotImported> {
        let report = self.report_of(id)?;
        if report.state == State::Undone || report.dry_run {
            return Err(NotImported::Ended(report.state));
        }
        self.run_of(id)?;
        let key = *id.as_bytes();
        let begun = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            may_edit(tx)?;
            imports::clear_notes(tx, &key, "left")?;
            Ok(imports::set_state(tx, &key, State::Undoing, None, now)?)
        });
        begun.map_err(NotEdited::from)?;
        let (mut after, mut count) = (None, 0);
        while let Some(last) = self.put_back(key, after, by, now, rng)? {
            after = Some(last.0);
            count += last.1;
            if heard(count).is_break() {
                return Err(NotImported::Paused);
            }
        }
        let ended = self.writer().write(move |tx| -> Result<(), Abort<NotEdited>> {
            Ok(imports::set_state(tx, &key, State::Undone, None, now)?)
        });
        ended.map_err(NotEdited::from)?;
        self.report_of(id)
    }

    /// Puts the next products back; gives the last of them and how many they were.
    fn put_back(
        &self,
        id: Id,
        after: Option<ProductId>,
        by: KeyId,
        now: UnixMs,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<(ProductId, u64)>, NotEdited> {
        let inner = self.inner.clone();
        let author = Author { key: by, incarnation: inner.documents.incarnation(rng) };
        let visit = Visit::new(now, rng);
        let (last, written) = self.writer().write(move |tx| -> Result<_, Abort<NotEdited>> {
            may_edit(tx)?;
            let products = imports::touched(tx, &id, after, PRODUCTS_MAX)?;
            let last = products.last().map(|last| (last.product, products.len() as u64));
            let mut undoing = Undoing::begin(&inner, tx, author, &visit)?;
            for touched in &products {
                undoing.look(touched)?;
            }
            let (restored, left, written) = undoing.write(&id)?;
            imports::restored(tx, &id, restored)?;
            imports::add_notes(tx, &id, "left", &left, NOTES_MAX)?;
            Ok((last, written))
        })?;
        self.inner.documents.keep(written);
        Ok(last)
    }
}

/// One transaction of an undoing.
struct Undoing<'a, 't> {
    inner: &'a Inner,
    tx: &'a Tx<'t>,
    author: Author,
    desk: Desk<'a, 't>,
    edits: Vec<Edit>,
    left: Vec<Note>,
    /// Products that are put back, with what they are if nothing differs.
    back: Vec<(ProductId, Product)>,
}

impl<'a, 't> Undoing<'a, 't> {
    fn begin(
        inner: &'a Inner,
        tx: &'a Tx<'t>,
        author: Author,
        visit: &Visit,
    ) -> Result<Self, StoreError> {
        let desk = Desk::open(inner, tx, visit)?;
        let (edits, left, back) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { inner, tx, author, desk, edits, left, back })
    }

    fn look(&mut self, touched: &Touched) -> Result<(), Abort<NotEdited>> {
        let shelved = shelf::product(self.tx, self.inner.identity.shop, touched.product)?;
        let Some(product) = shelved.map(|shelved| shelved.product) else {
            self.leave(touched, "gone", "it is not in the catalogue any more");
            return Ok(());
        };
        if Hash::of(&cbor::to_vec(&product)) != touched.became {
            self.leave(touched, "changed", "it was changed after the import");
            return Ok(());
        }
        if self.clashes(touched.product)? {
            self.leave(touched, "price-clash", "two people set different values since");
            return Ok(());
        }
        if touched.added && self.has_moved(touched, &product)? {
            let why = "it was sold, counted or ordered after the import";
            self.leave(touched, "moved", why);
            return Ok(());
        }
        if touched.added {
            self.take_out(touched)?;
        }
        let product = match &touched.former {
            Some(former) => {
                self.edits.push(Edit::PutProduct(Box::new(former.clone())));
                former.clone()
            }
            None => {
                self.edits.push(Edit::Delist { product: touched.product });
                Product { delisted: true, ..product }
            }
        };
        self.back.push((touched.product, product));
        Ok(())
    }

    fn leave(&mut self, touched: &Touched, code: &str, why: &str) {
        let message = format!("{}: {why}", touched.product);
        self.left.push(Note { line: touched.line, code: code.to_owned(), message });
    }

    fn clashes(&self, product: ProductId) -> Result<bool, StoreError> {
        let shop = self.inner.identity.shop;
        let Some(bucket) = crate::store::catalogue::bucket_of(self.tx, shop, product)? else {
            return Ok(false);
        };
        let reached = chunks::reached(self.tx, shop)?;
        let document = self.inner.documents.load(self.tx, shop, bucket, reached.get(&bucket))?;
        Ok(!document.conflicts_of(product).is_empty())
    }

    /// Whether there lies another amount than came in with the import, or some of it is promised.
    fn has_moved(&self, touched: &Touched, product: &Product) -> Result<bool, StoreError> {
        for variant in product.variants.keys() {
            let received = touched.received.get(variant).copied().unwrap_or(0);
            let sum = stock::total(self.tx, *variant)?;
            if (sum.on_hand, sum.reserved) != (received, 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the opening stock out of the ledger again.
    fn take_out(&mut self, touched: &Touched) -> Result<(), Abort<NotEdited>> {
        for variant in touched.received.keys() {
            let (what, note) = (What::Counted(0), "the import was taken back".to_owned());
            let entry = Entry { variant: *variant, location: None, what, note };
            match self.desk.enter(&entry, self.author.key) {
                Ok(_) => {}
                Err(Abort::Refused(NotEntered::Store(error)) | Abort::Store(error)) => {
                    return Err(Abort::Store(error));
                }
                Err(Abort::Refused(why)) => self.leave(touched, "stock", &why.to_string()),
            }
        }
        Ok(())
    }

    /// Writes the products as they were; how many that are, what was left, and the chunks.
    fn write(self, id: &Id) -> Result<(u64, Vec<Note>, Vec<Written>), Abort<NotEdited>> {
        let (inner, tx, author, now) = (self.inner, self.tx, self.author, self.desk.now.at);
        let reached = chunks::reached(tx, inner.identity.shop)?;
        let mut written = Vec::new();
        for (bucket, edits) in placed(tx, inner, &reached, &self.edits)? {
            let editing = Editing { inner, tx, author, now, upon: None };
            written.extend(editing.make(bucket, reached.get(&bucket), &edits)?);
        }
        let restored = self.back.len() as u64;
        for (product, expected) in self.back {
            let chunk = written.iter().find(|chunk: &&Written| chunk.changed.contains(&product));
            let is_now = chunk.and_then(|chunk| chunk.document.product(product));
            let digest = Hash::of(&cbor::to_vec(&is_now.unwrap_or(expected)));
            imports::set_undone(tx, id, product, digest)?;
        }
        Ok((restored, self.left, written))
    }
}
